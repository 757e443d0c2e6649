"""The report of ``archspec analyze`` as a person reads it: totals, the table of parts, how long the paths are."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from archspec.analysis.numbers import exact as exact_number
from archspec.analysis.numbers import shown
from archspec.analysis.parts import Part
from archspec.analysis.paths import Lengths, Paths
from archspec.analysis.report import Report
from archspec.operations.base import Size, show_shape

from .render import Terminal, counted, put, short
from .tables import put_table

BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = ".:-=+*#@"
WIDTH = 60
"""How many bars a histogram has at most."""


def put_report(report: Report, parts: Sequence[Part]) -> None:
    """Print one report."""
    safe = Terminal.of(sys.stdout).safe
    put(f"{safe(report.name)}: {show_shape(report.input)} to {show_shape(report.output)}\n")
    put_table(_summary(report), right=(1,))
    put("")
    put_table(_table(report, parts), right=(2, 3, 4, 5, 6, 7, 8), header=True, total=True)
    for label, paths in report.paths_by_output.items():
        where = f" to {safe(label)}" if len(report.paths_by_output) > 1 else ""
        _put_histogram(paths, where)
    put(f"\n{report.convention}.")
    if report.receptive_field and report.receptive_field.gates_left_out:
        put("The receptive field leaves out the gates, each of which sees the whole input.")
    for cost, names in report.unavailable.items():
        put(safe(f"`{cost}` is unavailable: no rule for it has {', '.join(names)}."))


def _summary(report: Report) -> list[tuple[str, str, str]]:
    totals, costs, memory, field, paths = (
        report.totals,
        report.totals.costs,
        report.memory,
        report.receptive_field,
        report.paths,
    )
    kinds = ", ".join(f"{name} {number:,}" for name, number in totals.params_by_operation.items())
    frozen = f"{costs.params - costs.trainable:,} of them frozen; " if costs.trainable != costs.params else ""
    intensity = "" if totals.intensity is None else f", {totals.intensity:.3g} a byte read or written"
    batch = "for one example" if memory.batch == 1 else f"for a batch of {memory.batch}"
    rows = [
        ("parameters", f"{costs.params:,}", f"{frozen}{kinds}"),
        ("buffers", f"{costs.buffers:,}", "running statistics and counters") if costs.buffers else None,
        ("MACs", short(costs.macs), f"{short(costs.flops)} FLOPs{intensity}"),
        ("activations", short(costs.activations), f"and {short(costs.elementwise)} operations on single elements"),
        ("layers", str(totals.layers), f"in {counted(totals.nodes, 'node')}"),
        ("weights", _bytes(memory.weights), f"in {memory.dtype}; buffers {_bytes(memory.buffers)}"),
        (
            "inference peak",
            _bytes(memory.inference_peak),
            f"at {memory.peak_at}, {batch}; input {_bytes(memory.input)}",
        ),
        ("saved for backward", _bytes(memory.saved_for_backward), "in training mode, the input included"),
        ("training step", _bytes(memory.training_sgd), f"at most, with SGD; with Adam {_bytes(memory.training_adam)}"),
        ("receptive field", _size(field.size), f"stride {_size(field.stride)}, at {field.scope}") if field else None,
        ("skip paths", shown(paths.skip_paths), _choices(paths)),
        ("path lengths", f"{paths.in_layers.mean:.1f}", _spread(paths.in_layers)),
    ]
    return [row for row in rows if row]


def _choices(paths: Paths) -> str:
    found = f"by {counted(paths.residual_blocks, 'residual block')}"
    if paths.skip_paths >= 2 and paths.skip_paths < 10**15:
        power = paths.log2_skip_paths
        found = f"2^{power:g}, {found}" if power.is_integer() else f"2^{power:.2f}, {found}"
    return found if paths.graph_paths == paths.skip_paths else f"{found}; {shown(paths.graph_paths)} in the whole graph"


def _spread(lengths: Lengths) -> str:
    return f"layers on average, {lengths.least} to {lengths.most}, deviation {lengths.std:.2f}"


def _table(report: Report, parts: Sequence[Part]) -> list[tuple[str, ...]]:
    whole = report.totals.costs
    rows: list[tuple[str, ...]] = [("", "block", "count", "output", "params", "share", "MACs", "share", "activations")]
    for part in parts:
        costs, count = part.costs, str(part.count or "")
        params = (f"{costs.params:,}", _share(costs.params, whole.params))
        macs = (short(costs.macs), _share(costs.macs, whole.macs))
        rows.append((part.name, part.block, count, show_shape(part.output), *params, *macs, short(costs.activations)))
    shares = (f"{whole.params:,}", "100.0%", short(whole.macs), "100.0%", short(whole.activations))
    return [*rows, ("total", "", "", show_shape(report.output), *shares)]


def _share(part: int | None, whole: int | None) -> str:
    return f"{part / whole:.1%}" if part is not None and whole else "-"


def _put_histogram(paths: Paths, where: str) -> None:
    """The distribution of path lengths, as a line of bars; nothing where all paths have one length."""
    layers, blocks = paths.in_layers, paths.in_blocks
    if layers.counts is None or layers.least == layers.most:
        return
    low, high = blocks.middle()
    share = f"{blocks.share(low, high):.3%}".rstrip("%").rstrip("0").rstrip(".")
    put(f"\npaths{where} by the layers that they cross:")
    put(f"  {layers.least} {_bars(layers.counts[layers.least :])} {layers.most}")
    put(f"{share}% of them go through {low} to {high} of {counted(paths.residual_blocks, 'residual block')}")


def _bars(counts: Sequence[int]) -> str:
    bars = BARS if _can_show(BARS) else PLAIN_BARS
    size = -(-len(counts) // WIDTH)
    bins = [sum(counts[start : start + size]) for start in range(0, len(counts), size)]
    most = max(bins)
    return "".join(bars[min(8 * found // most, 7)] if found else " " for found in bins)


def _can_show(text: str) -> bool:
    try:
        text.encode(Terminal.of(sys.stdout).encoding)
    except UnicodeError:
        return False
    return True


def comparison(reports: Sequence[Report], *, exact: bool = False) -> list[tuple[str, ...]]:
    """A row for each network; ``exact`` for machines."""
    names = ("params", "MACs", "activations", "layers", "peak", "saved", "field", "skip paths", "mean length")
    exact_names = (
        *("params", "macs", "activations", "layers", "inference_peak_bytes", "saved_for_backward_bytes"),
        *("receptive_field", "skip_paths", "mean_length_in_layers"),
    )
    rows: list[tuple[str, ...]] = [("name", *(exact_names if exact else names))]
    for report in reports:
        costs, memory, field, paths = report.totals.costs, report.memory, report.receptive_field, report.paths
        mean = f"{paths.in_layers.mean:.1f}"
        size = _size(field.size) if field else "-"
        if exact:
            figures: tuple[int | None, ...] = (costs.params, costs.macs, costs.activations, report.totals.layers)
            figures = (*figures, memory.inference_peak, memory.saved_for_backward)
            written = tuple("" if figure is None else str(figure) for figure in figures)
            rows.append((report.name, *written, size, str(exact_number(paths.skip_paths)), mean))
        else:
            told = (f"{costs.params:,}", short(costs.macs), short(costs.activations), str(report.totals.layers))
            peaks = (_bytes(memory.inference_peak), _bytes(memory.saved_for_backward))
            rows.append((report.name, *told, *peaks, size, shown(paths.skip_paths), mean))
    return rows


def _bytes(number: int | None) -> str:
    """Memory, in powers of 1000."""
    return short(number) if number is None else f"{short(number)}{'B' if number >= 1000 else ' B'}"


def _size(size: Size) -> str:
    return str(size) if isinstance(size, int) else show_shape(size)
