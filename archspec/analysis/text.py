"""A report as ``print`` and ``archspec analyze`` show it: totals, parts, lengths of paths; and a comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from archspec.analysis.lengths import Lengths
from archspec.analysis.numbers import exact, shown
from archspec.analysis.parts import Costs, Part
from archspec.analysis.paths import MANY_BLOCKS, Paths
from archspec.display import counted, short
from archspec.operations.shapes import show_shape
from archspec.screen import Bars, TextBlock, TextTable
from archspec.wording import first_of, in_code, listed

if TYPE_CHECKING:
    from archspec.analysis.report import Report

PER: dict[str, Callable[[Report], tuple[Part, ...]]] = {
    "stage": attrgetter("rows"),
    "block": attrgetter("blocks"),
    "layer": attrgetter("nodes"),
}
"""The parts that can have a row each, and how to get them."""

JACOBIAN = (
    "The paths are those of the gradient, with the activation functions held fixed. They are not paths of the forward "
    "pass. An activation function after an addition is on the path of the shortcut too."
)
"""What a reader must know about paths. docs/analysis.md explains it."""


def report_text(report: Report, per: str) -> Iterator[TextBlock]:
    """One report, with a row for each ``stage``, ``block`` or ``layer``."""
    yield ends_of(report)
    yield ""
    yield TextTable(_summary(report), right=(1,))
    yield ""
    rows = part_table(report, per)
    last = len(rows[0])
    spare = (last - 4, last - 2, last - 1, *range(1, last - 6))  # shares, activations, and columns without figures
    yield TextTable(rows, right=range(2, last), header=True, total=True, spare=spare)
    for label, paths in report.paths_by_output.items():
        yield from _lengths(paths, _of(report, label))
    yield ""
    yield from _notes(report)


def ends_of(report: Report) -> str:
    """The network by its input and its outputs."""
    ends = [f"{show_shape(shape)}{_of(report, label)}" for label, shape in report.outputs.items()]
    return f"{report.name}: {show_shape(report.input)} to {first_of(ends)}"


def kinds_of_parameters(report: Report) -> dict[str, int]:
    """How many of the parameters are in training only, and how many are frozen, if any are."""
    costs, idle = report.totals.costs, report.totals.params_in_training_only
    frozen = costs.params - costs.trainable
    return {what: number for what, number in (("in training only", idle), ("frozen", frozen)) if number}


def titled(part: Part) -> str:
    """A part as the first column of a table has it."""
    return f"{part.label} (training only)" if part.training_only else part.label


def _of(report: Report, label: str) -> str:
    """Which output a figure is about, after it; empty where there is only one."""
    return f" ({label})" if len(report.outputs) > 1 else ""


def _summary(report: Report) -> list[tuple[str, str, str]]:
    totals, costs, memory = report.totals, report.totals.costs, report.memory
    kinds = ", ".join(f"{name} {number:,}" for name, number in totals.params_by_operation.items())
    of_them = [f"{number:,} of them {what}" for what, number in kinds_of_parameters(report).items()]
    whole = f" for {_batch(memory.batch)}" if memory.batch > 1 else ""
    intensity = f", {_digits(totals.intensity)} FLOPs per byte moved{whole}" if totals.intensity else ""
    flops = f"{short(costs.flops)} FLOPs{intensity}" if costs.flops is not None else ""
    pooled = costs.activations - totals.activations_without_global_pools
    of_pools = f", {short(pooled)} of them from global pools" if pooled else ""
    buffers = f", and {_bytes(memory.buffers)} of buffers" if memory.buffers else ""
    at = f", at {memory.peak_at}" if memory.peak_at else ""
    adam = f"at most, with SGD; with Adam {_bytes(memory.training_adam)}"
    rows = [
        ("parameters", f"{costs.params:,}", "; ".join([*of_them, kinds])),
        ("buffers", f"{costs.buffers:,}", "running statistics and counters") if costs.buffers else None,
        ("MACs", short(costs.macs), flops),
        ("activations", short(costs.activations), f"outputs of convolutions, linear layers and pools{of_pools}"),
        ("elementwise", short(costs.elementwise), "norms, activation functions, additions, pools"),
        ("layers", f"{totals.layers:,}", f"in {counted(totals.nodes, 'node')}"),
        ("weights", _bytes(memory.weights), f"in {memory.dtype}{buffers}"),
        ("inference peak", _bytes(memory.inference_peak), f"for {_batch(memory.batch)}{at}"),
        ("saved for backward", _bytes(memory.saved_for_backward), f"with the input's {_bytes(memory.input)}"),
        ("training step", _bytes(memory.training_sgd), adam if memory.training_sgd is not None else ""),
        *_fields(report),
    ]
    for label, paths in report.paths_by_output.items():
        rows.append((f"skip paths{_of(report, label)}", shown(paths.skip_paths), _choices(paths)))
    return [row for row in rows if row]


def _fields(report: Report) -> Iterator[tuple[str, str, str]]:
    """The receptive field of each output that has one."""
    for label, field in report.receptive_field_by_output.items():
        name = f"receptive field{_of(report, label)}"
        if field:
            yield (name, _size(field.size), f"stride {_size(field.stride)}, at {field.scope}")
        elif "receptive_field" in report.unavailable:
            yield (name, "unavailable", "")


def _digits(number: float) -> str:
    """A number with three digits: ``0.522``, ``31.0``, ``1,024``."""
    return f"{number:#.3g}".rstrip(".") if number < 999.5 else f"{number:,.0f}"


def _batch(size: int) -> str:
    return "one example" if size == 1 else f"a batch of {size:,}"


def _bytes(number: int | None) -> str:
    """Memory, in powers of 1000."""
    return short(number) if number is None else f"{short(number)}{'B' if number >= 1000 else ' B'}"


def _size(size: float | tuple[float, ...] | None) -> str:
    if isinstance(size, tuple):
        return "x".join(map(_size, size))
    return "-" if size is None else f"{size:,}" if isinstance(size, int) else f"{size:,.4g}"


def _choices(paths: Paths) -> str:
    """Where the skip paths come from."""
    blocks, power = paths.residual_blocks, _power(paths.skip_paths)
    told = f"from {counted(blocks, 'skip connection')}" if blocks else "no skip connections"
    if paths.skip_paths > 1 and power != shown(paths.skip_paths):
        told = f"{power}, {told}"
    if paths.graph_paths != paths.skip_paths:
        told = f"{told}; {shown(paths.graph_paths)} paths in the whole graph"
    return told


def _power(number: int) -> str:
    """A number as a power of two."""
    power = math.log2(number)
    return "1" if not power else f"2^{power:.10g}" if power.is_integer() else f"2^{power:.2f}"


def part_table(report: Report, per: str) -> list[tuple[str, ...]]:
    """The names of the columns, a row for each part, and the total. Stages also have their number of blocks."""
    whole, parts = report.totals.costs, PER[per](report)
    figures = ("output", "params", "share", "MACs", "share", "activations")
    rows: list[tuple[str, ...]] = [("", "operation" if per == "layer" else "block", *figures)]
    rows += [(titled(part), part.block, show_shape(part.output), *_part_figures(part.costs, whole)) for part in parts]
    rest = _rest(whole, parts)
    if per == "block" and (rest.params or rest.macs or rest.activations):
        rows.append(("elsewhere", "", "", *_part_figures(rest, whole)))
    rows.append(("total", "", show_shape(report.output), *_part_figures(whole, whole)))
    if per != "stage":
        return rows
    counts = ["count", *(f"{part.count:,}" if part.count else "" for part in parts)]
    return [(*row[:2], count, *row[2:]) for row, count in zip_longest(rows, counts, fillvalue="")]


def _part_figures(costs: Costs, whole: Costs) -> tuple[str, ...]:
    params = (f"{costs.params:,}", _share(costs.params, whole.params))
    macs = (short(costs.macs), _share(costs.macs, whole.macs))
    return (*params, *macs, short(costs.activations))


def _rest(whole: Costs, parts: Sequence[Part]) -> Costs:
    """What the parts leave of the whole, for the costs that the table shows."""
    costs = [part.costs for part in parts]
    return replace(
        whole,
        params=whole.params - sum(each.params for each in costs),
        macs=None if whole.macs is None else whole.macs - sum(each.macs or 0 for each in costs),
        activations=whole.activations - sum(each.activations for each in costs),
    )


def _share(part: int | None, whole: int | None) -> str:
    return f"{part / whole:.1%}" if part is not None and whole else "-"


def _notes(report: Report) -> Iterator[str]:
    """How things are counted, and what is left out."""
    yield f"{report.convention}."
    if any(field and field.gates_left_out for field in report.receptive_field_by_output.values()):
        yield "The receptive field leaves out the gates. Each gate sees the whole input."
    if report.paths.skip_paths > 1:
        yield JACOBIAN
    if report.paths.gates_counted:
        yield "The paths through gates are counted."
    for names in dict.fromkeys(report.unavailable.values()):
        costs = [f"`{cost}`" for cost, silent in report.unavailable.items() if silent == names]
        are = "is" if len(costs) == 1 else "are"
        yield f"{listed(costs)} {are} unavailable: archspec has no rule for {in_code(names)}."


# -- how long the paths are --------------------------------------------------------------------------------------------


def _lengths(paths: Paths, where: str) -> Iterator[TextBlock]:
    """The distribution of path lengths, in layers and in residual branches, if there is more than one path."""
    if paths.skip_paths == 1:
        return
    blocks = paths.in_blocks
    yield ""
    yield f"skip paths{where} by the layers that they cross: {_spread(paths.in_layers)}"
    yield from _bars(paths.in_layers)
    yield f"by the residual branches that they take: {_spread(blocks)}"
    yield from _bars(blocks)
    if blocks.counts is None:
        yield f"with more than {MANY_BLOCKS:,} skip connections, `--lengths` counts the paths of each length"
        return
    low, high = blocks.middle()
    if (low, high) != (blocks.least, blocks.most):
        share = f"{blocks.share(low, high):.3%}".replace(".000%", "%")
        yield f"{share} of the paths take {low} to {high} of the {paths.residual_blocks:,} branches"


def _spread(lengths: Lengths) -> str:
    return f"{lengths.least:,} to {lengths.most:,}, mean {lengths.mean:,.1f}, deviation {lengths.std:,.2f}"


def _bars(lengths: Lengths) -> Iterator[TextBlock]:
    if lengths.counts is not None and lengths.least != lengths.most:
        yield Bars(lengths.counts[lengths.least :], lengths.least, lengths.most)


# -- several networks --------------------------------------------------------------------------------------------------

_COMPARED: tuple[tuple[str, str, Callable[[Report], Any], Callable[[Any], str]], ...] = (
    ("", "name", lambda report: report.name, str),
    ("input", "input", lambda report: show_shape(report.input), str),
    ("params", "params", lambda report: report.totals.costs.params, "{:,}".format),
    ("MACs", "macs", lambda report: report.totals.costs.macs, short),
    ("activations", "activations", lambda report: report.totals.costs.activations, short),
    ("layers", "layers", lambda report: report.totals.layers, "{:,}".format),
    ("peak", "inference_peak_bytes", lambda report: report.memory.inference_peak, _bytes),
    ("saved", "saved_for_backward_bytes", lambda report: report.memory.saved_for_backward, _bytes),
    ("field", "receptive_field", lambda r: r.receptive_field and r.receptive_field.size, _size),
    ("skip paths", "skip_paths", lambda report: report.paths.skip_paths, _power),
    ("mean length", "mean_length_in_layers", lambda report: report.paths.in_layers.mean, "{:,.1f}".format),
)
"""The columns of a comparison: the name in the text, the name in CSV, the figure, and its text."""


def comparison_text(reports: Sequence[Report]) -> Iterator[TextBlock]:
    """A row for each network."""
    rows = [[text(figure(report)) for _, _, figure, text in _COMPARED] for report in reports]
    titles = [title for title, *_ in _COMPARED]
    yield TextTable([titles, *rows], right=range(1, 11), header=True, spare=(4, 10, 7, 6, 8, 5, 1))
    memory = reports[0].memory
    yield ""
    yield f"{reports[0].convention}."
    yield (
        f"Memory is for {_batch(memory.batch)} in {memory.dtype}: at the peak of inference, and saved for the backward "
        "pass. The receptive field is in pixels, and the mean length of the skip paths is in layers."
    )
    for name in dict.fromkeys(name for report in reports for names in report.unavailable.values() for name in names):
        yield f"Some figures are unavailable: archspec has no rule for `{name}`."


def exact_comparison(reports: Sequence[Report]) -> list[list[Any]]:
    """A row for each network, with exact figures for programs. What is unavailable is empty."""
    rows = [[_exact(figure(report)) for _, _, figure, _ in _COMPARED] for report in reports]
    return [[key for _, key, *_ in _COMPARED], *rows]


def _exact(figure: Any) -> Any:
    if isinstance(figure, tuple):
        return show_shape(figure)
    return "" if figure is None else exact(figure) if isinstance(figure, int) else figure
