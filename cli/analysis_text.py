"""The report of ``archspec analyze`` as a person reads it: totals, the table of parts, how long the paths are."""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from archspec.analysis.lengths import Lengths
from archspec.analysis.numbers import exact, shown
from archspec.analysis.parts import Costs, Part
from archspec.analysis.paths import Paths
from archspec.analysis.report import MANY_BLOCKS, Report
from archspec.display import counted
from archspec.operations.shapes import show_shape

from .render import Terminal, put, short
from .tables import put_table

BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = ".:-=+*#@"
WIDTH = 60
"""How many bars a histogram has at most."""

JACOBIAN = (
    "Paths are those of the gradient at fixed activations, not of the forward pass; an activation after an addition "
    "stands on the shortcut's way too."
)
"""What must be known of paths; the docs say it at more length."""


def put_report(report: Report, parts: Sequence[Part], per: str) -> None:
    """Print one report, with a row for each of ``parts``, which are every ``stage``, ``block`` or ``layer``."""
    safe = Terminal.of(sys.stdout).safe
    put(f"{safe(report.name)}: {show_shape(report.input)} to {show_shape(report.output)}\n")
    put_table(_summary(report), right=(1,))
    put("")
    _put_parts(report, parts, per)
    for label, paths in report.paths_by_output.items():
        _put_lengths(paths, f" to {safe(label)}" if len(report.paths_by_output) > 1 else "")
    put("")
    _put_notes(report)


def _summary(report: Report) -> list[tuple[str, str, str]]:
    totals, costs, memory = report.totals, report.totals.costs, report.memory
    field, paths = report.receptive_field, report.paths
    kinds = ", ".join(f"{name} {number:,}" for name, number in totals.params_by_operation.items())
    frozen = f"{costs.params - costs.trainable:,} of them frozen; " if costs.trainable != costs.params else ""
    intensity = f", {_digits(totals.intensity)} FLOPs per byte moved" if totals.intensity else ""
    flops = f"{short(costs.flops)} FLOPs{intensity}" if costs.flops is not None else ""
    batch = "for one example" if memory.batch == 1 else f"for a batch of {memory.batch:,}"
    buffers = f", and {_bytes(memory.buffers)} of buffers" if memory.buffers else ""
    at = f", at {memory.peak_at}" if memory.peak_at else ""
    last = f" to {list(report.outputs)[-1]}" if len(report.outputs) > 1 else ""
    unseen = ("receptive field", "unavailable", "") if "receptive_field" in report.unavailable else None
    adam = f"at most, with SGD; with Adam {_bytes(memory.training_adam)}"
    rows = [
        ("parameters", f"{costs.params:,}", f"{frozen}{kinds}"),
        ("buffers", f"{costs.buffers:,}", "running statistics and counters") if costs.buffers else None,
        ("MACs", short(costs.macs), flops),
        ("activations", short(costs.activations), "outputs of convolutions, linear layers and pools"),
        ("elementwise", short(costs.elementwise), "norms, activation functions, additions, pools"),
        ("layers", f"{totals.layers:,}", f"in {counted(totals.nodes, 'node')}"),
        ("weights", _bytes(memory.weights), f"in {memory.dtype}{buffers}"),
        ("inference peak", _bytes(memory.inference_peak), f"{batch}{at}"),
        ("saved for backward", _bytes(memory.saved_for_backward), f"with the input's {_bytes(memory.input)}"),
        ("training step", _bytes(memory.training_sgd), adam if memory.training_sgd is not None else ""),
        ("receptive field", _size(field.size), f"stride {_size(field.stride)}, at {field.scope}") if field else unseen,
        (f"skip paths{last}", shown(paths.skip_paths), _choices(paths)),
    ]
    return [row for row in rows if row]


def _digits(number: float) -> str:
    """A number with three digits: ``0.522``, ``31.0``, ``1,024``."""
    return f"{number:#.3g}".rstrip(".") if number < 999.5 else f"{number:,.0f}"


def _choices(paths: Paths) -> str:
    """Where the skip paths come from."""
    found = (
        f"from {counted(paths.residual_blocks, 'residual block')}" if paths.residual_blocks else "no residual blocks"
    )
    if paths.skip_paths > 1 and _power(paths) != shown(paths.skip_paths):
        found = f"{_power(paths)}, {found}"
    return (
        found
        if paths.graph_paths == paths.skip_paths
        else f"{found}; {shown(paths.graph_paths)} paths in the whole graph"
    )


def _power(paths: Paths) -> str:
    """The number of skip paths as a power of two."""
    power = paths.log2_skip_paths
    if not power:
        return "1"
    return f"2^{power:.10g}" if power.is_integer() else f"2^{power:.2f}"


def _put_parts(report: Report, parts: Sequence[Part], per: str) -> None:
    rows = part_table(report, parts, per)
    last = len(rows[0])
    spare = (last - 4, last - 2, last - 1, *range(1, last - 6))  # shares, activations, then what has no figures
    put_table(rows, right=range(2, last), header=True, total=True, spare=spare)


def part_table(report: Report, parts: Sequence[Part], per: str) -> list[tuple[str, ...]]:
    """A row for each part, below the names of the columns and above the total; of stages, with their blocks counted."""
    whole = report.totals.costs
    figures = ("output", "params", "share", "MACs", "share", "activations")
    rows: list[tuple[str, ...]] = [("", "operation" if per == "layer" else "block", *figures)]
    rows += [(part.label, part.block, show_shape(part.output), *_part_figures(part.costs, whole)) for part in parts]
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
    """What the parts leave of the whole, of the costs that the table shows."""
    costs = [part.costs for part in parts]
    return replace(
        whole,
        params=whole.params - sum(each.params for each in costs),
        macs=None if whole.macs is None else whole.macs - sum(each.macs or 0 for each in costs),
        activations=whole.activations - sum(each.activations for each in costs),
    )


def _share(part: int | None, whole: int | None) -> str:
    return f"{part / whole:.1%}" if part is not None and whole else "-"


def _put_notes(report: Report) -> None:
    """What is counted how, and what is left out."""
    _put_paragraph(f"{report.convention}.")
    if report.receptive_field and report.receptive_field.gates_left_out:
        _put_paragraph("The receptive field leaves out the gates, each of which sees the whole input.")
    if report.paths.skip_paths > 1:
        _put_paragraph(JACOBIAN)
    if report.paths.gates_counted:
        _put_paragraph("Paths through gates are counted.")
    for cost, names in report.unavailable.items():
        _put_paragraph(f"`{cost}` is unavailable: there is no rule for it in {', '.join(names)}.")


def _put_paragraph(text: str) -> None:
    """A paragraph, broken between words where a person would see it broken inside one."""
    terminal = Terminal.of(sys.stdout)
    put(textwrap.fill(terminal.safe(text), terminal.width) if terminal.person else terminal.safe(text))


# -- how long the paths are --------------------------------------------------------------------------------------------


def _put_lengths(paths: Paths, where: str) -> None:
    """The distribution of path lengths in layers and in residual branches; nothing where there is one path."""
    if paths.skip_paths == 1:
        return
    put("")
    _put_paragraph(f"skip paths{where} by the layers that they cross: {_spread(paths.in_layers)}")
    _put_bars(paths.in_layers)
    _put_paragraph(f"by the residual branches that they take: {_spread(paths.in_blocks)}")
    _put_bars(paths.in_blocks)
    if paths.in_blocks.counts is None:
        _put_paragraph(f"above {MANY_BLOCKS:,} residual blocks, `--lengths` counts the paths of each length")
        return
    low, high = paths.in_blocks.middle()
    if (low, high) == (paths.in_blocks.least, paths.in_blocks.most):
        return
    share = f"{paths.in_blocks.share(low, high):.3%}".replace(".000%", "%")
    _put_paragraph(f"{share} of the paths take {low} to {high} of the {paths.residual_blocks:,} branches")


def _spread(lengths: Lengths) -> str:
    return f"{lengths.least:,} to {lengths.most:,}, mean {lengths.mean:,.1f}, deviation {lengths.std:,.2f}"


def _put_bars(lengths: Lengths) -> None:
    if lengths.counts is None or lengths.least == lengths.most:
        return
    terminal, ends = Terminal.of(sys.stdout), (f"  {lengths.least} ", f" {lengths.most}")
    width = min(WIDTH, terminal.width - sum(map(len, ends))) if terminal.person else WIDTH
    put(_bars(lengths.counts[lengths.least :], width).join(ends))


def _bars(counts: Sequence[int], width: int) -> str:
    """A bar for each length that paths can have, or for several of them; the first has one."""
    step = math.gcd(*(length for length, count in enumerate(counts) if count))
    counts = counts[:: max(step, 1)]
    bars = BARS if _can_show(BARS) else PLAIN_BARS
    size = -(-len(counts) // width)
    bins = [sum(counts[start : start + size]) for start in range(0, len(counts), size)]
    most = max(bins)
    return "".join(bars[min(8 * found // most, 7)] if found else " " for found in bins)


def _can_show(text: str) -> bool:
    try:
        text.encode(Terminal.of(sys.stdout).encoding)
    except UnicodeError:
        return False
    return True


# -- several networks --------------------------------------------------------------------------------------------------


def put_comparison(reports: Sequence[Report]) -> None:
    """Print a row for each network."""
    names = ("input", "params", "MACs", "activations", "layers", "peak", "saved", "field", "skip paths", "mean length")
    rows: list[tuple[str, ...]] = [("", *names)]
    for found in reports:
        costs, memory = found.totals.costs, found.memory
        own = (found.name, show_shape(found.input))
        told = (f"{costs.params:,}", short(costs.macs), short(costs.activations), f"{found.totals.layers:,}")
        peaks = (_bytes(memory.inference_peak), _bytes(memory.saved_for_backward))
        paths = (_power(found.paths), f"{found.paths.in_layers.mean:,.1f}")
        rows.append((*own, *told, *peaks, _field(found), *paths))
    put_table(rows, right=range(1, 11), header=True, spare=(4, 10, 7, 6, 8, 5, 1))
    memory = reports[0].memory
    batch = "one example" if memory.batch == 1 else f"a batch of {memory.batch:,}"
    put("")
    _put_paragraph(f"{reports[0].convention}.")
    _put_paragraph(
        f"Memory at the peak of inference, and saved for the backward pass, is for {batch} in {memory.dtype}; the "
        "mean length of the skip paths is in layers, the receptive field is in pixels."
    )
    for name in dict.fromkeys(name for found in reports for names in found.unavailable.values() for name in names):
        _put_paragraph(f"What is unavailable has no rule in {name}.")


def exact_comparison(reports: Sequence[Report]) -> list[list[Any]]:
    """A row for each network, with exact figures for machines; what is unavailable is an empty text."""
    names = (
        *("name", "input", "params", "macs", "activations", "layers", "inference_peak_bytes"),
        *("saved_for_backward_bytes", "receptive_field", "skip_paths", "mean_length_in_layers"),
    )
    rows: list[list[Any]] = [list(names)]
    for found in reports:
        costs, memory, paths = found.totals.costs, found.memory, found.paths
        field = found.receptive_field
        size = field and (field.size if isinstance(field.size, int) else show_shape(field.size))
        peaks = (memory.inference_peak, memory.saved_for_backward)
        own = (found.name, show_shape(found.input))
        row = (costs.params, costs.macs, costs.activations, found.totals.layers, *peaks, size, exact(paths.skip_paths))
        rows.append([*own, *("" if cell is None else cell for cell in row), paths.in_layers.mean])
    return rows


def _field(report: Report) -> str:
    return _size(report.receptive_field.size) if report.receptive_field else "-"


def _bytes(number: int | None) -> str:
    """Memory, in powers of 1000."""
    return short(number) if number is None else f"{short(number)}{'B' if number >= 1000 else ' B'}"


def _size(size: float | tuple[float, ...]) -> str:
    return show_shape(size) if isinstance(size, tuple) else f"{size:,}"
