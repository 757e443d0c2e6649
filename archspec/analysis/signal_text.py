"""A prediction of the signal as text, and as rows for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from archspec.display import counted
from archspec.operations.shapes import show_shape
from archspec.screen import Spark, TextBlock
from archspec.wording import in_code

if TYPE_CHECKING:
    from archspec.analysis.signal import SignalReport

COLUMNS = ("spec", "scope", "activation_variance", "gradient_norm", "residual_share")
"""Those of the rows."""


def signal_text(report: SignalReport) -> Iterator[TextBlock]:
    """The figures of a network, with a bar for each block."""
    if report.unavailable:
        yield f"{report.name}: unavailable: archspec has no rule for the signal in {in_code(report.unavailable)}"
        return
    blocks = report.blocks
    if not blocks:
        yield f"{report.name}: the network has no blocks or layers to predict"
        return
    yield f"{report.name}: {counted(len(blocks), report.unit)}, predicted at initialization"
    variances = [each.activation_variance for each in blocks]
    yield Spark("activation variance  ", _logs(variances), f"  {variances[0]:.3g} to {variances[-1]:.3g}")
    norms = [each.gradient_norm for each in blocks]
    spans = f", spans {report.gradient_span:.2f} decades" if report.gradient_span is not None else ""
    yield Spark(
        "gradient norm        ", _logs(norms), f"  {norms[0]:.3g} at the first {report.unit}, 1 at the last{spans}"
    )
    if report.effective_receptive_field:
        field, whole = report.effective_receptive_field, report.receptive_field
        size = f"{_size(field.size)} of {_size(whole)} pixels" if whole else f"{_size(field.size)} pixels"
        yield f"effective field      {size}, deviation {_size(field.deviation)}"
    if report.path_length:
        counts, mean = report.path_length.counts, report.path_length.mean
        last = max([length for length, count in enumerate(counts) if count > 5e-4], default=0)
        after = f"  mean {mean:.1f} of {counted(len(counts) - 1, 'residual')}"
        yield Spark("gradient by length   ", counts[: last + 1], after)
    yield (
        f"score                {report.score:.2f}: {report.gradient_span:.2f} decades of gradient, "
        f"{report.activation_span:.2f} of activations, twice a fluctuation of {report.fluctuation:.2f}"
    )


def _logs(values: Sequence[float]) -> list[float]:
    """The logarithms of the values; those of zeros are that of the least other value."""
    least = min([value for value in values if value > 0], default=1.0)
    return [math.log(max(value, least)) for value in values]


def _size(size: float | tuple[float, ...]) -> str:
    axes = size if isinstance(size, tuple) else (size,)
    return show_shape(tuple([float(f"{axis:.3g}") if axis % 1 else int(axis) for axis in axes]))


def signal_rows(report: SignalReport) -> list[list[object]]:
    """A row for each block."""
    return [
        [report.name, each.scope, each.activation_variance, each.gradient_norm, each.residual_share]
        for each in report.blocks
    ]
