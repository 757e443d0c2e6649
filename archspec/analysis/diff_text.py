"""The text of a difference, as ``print`` and ``archspec diff`` show it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archspec.analysis.numbers import shown
from archspec.analysis.parts import Part
from archspec.diagnostics import cut
from archspec.display import counted, short
from archspec.language.text.yaml_writer import flow
from archspec.operations.shapes import show_shape, size_of
from archspec.screen import Listing, TextBlock, TextTable

if TYPE_CHECKING:
    from archspec.analysis.diff import Change, Difference, Transfer

TOTALS = {
    "params": "parameters",
    "macs": "MACs",
    "inference_peak_bytes": "inference peak, bytes",
    "saved_for_backward_bytes": "saved for backward, bytes",
    "receptive_field": "receptive field",
    "skip_paths": "skip paths",
}
"""The names of totals in the text, if they are not those in JSON."""


def difference_text(found: Difference, before: str, after: str) -> Iterator[TextBlock]:
    """What differs between two networks of these names: keys, stages and totals, and which weights fit both."""
    yield f"{before} -> {after}"
    if not found:
        yield "There are no differences."
        return
    if found.keys:
        yield ""
        yield "keys"
        yield TextTable([(key.name, _value(key.before), "->", _value(key.after)) for key in found.keys], indent="  ")
    if found.stages:
        yield ""
        yield "stages"
        yield TextTable([row for stage in found.stages for row in _stage(stage)], right=(2, 4, 5), indent="  ")
    yield ""
    yield "totals"
    yield TextTable([_total(change) for change in found.totals], right=(1, 3, 4), indent="  ")
    yield from _transfer(found.transfer)


def _value(value: Any) -> str:
    """A value of a spec as one line of YAML, shortened if it is long."""
    return "not set" if value is None else cut(flow(value), 80)


def _stage(change: Change) -> Iterator[tuple[str, ...]]:
    """A row for each figure of a stage that differs."""
    part = change.before or change.after
    name = part.label if part else change.name
    sides = [_stage_figures(part) if part else {} for part in (change.before, change.after)]
    for figure in dict.fromkeys([*sides[0], *sides[1]]):
        one, other = (side.get(figure) for side in sides)
        if one != other:
            shown = [_stage_figure(value) for value in (one, other)]
            yield name, figure, shown[0], "->", shown[1], _percent(one, other)
            name = ""


def _stage_figures(part: Part) -> dict[str, str | int]:
    costs = part.costs
    return {
        "block": f"{part.count} x {part.block}" if part.count else part.block,
        "output": show_shape(part.output),
        "params": costs.params,
        "MACs": "unavailable" if costs.macs is None else costs.macs,
        "activations": costs.activations,
        "elementwise": "unavailable" if costs.elementwise is None else costs.elementwise,
    }


def _stage_figure(value: str | int | None) -> str:
    return "-" if value is None else short(value) if isinstance(value, int) else value or "-"


def _total(change: Change) -> tuple[str, ...]:
    name = TOTALS.get(change.name, change.name)
    one, other = (_figure(value) for value in (change.before, change.after))
    if change.before == change.after:
        return name, one, "", "", "same"
    return name, one, "->", other, _percent(change.before, change.after)


def _figure(value: Any) -> str:
    if value is None:
        return "unavailable"
    return show_shape(value) if isinstance(value, tuple) else shown(value)


def _percent(one: object, other: object) -> str:
    """The change of a figure in percent, or as a factor from 10 on."""
    if not isinstance(one, int) or not isinstance(other, int) or not one or not other:
        return ""
    if max(one, other) >= 10 * min(one, other):
        times = max(one, other) // min(one, other)
        return f"{'x' if other > one else '/'} {times:,}" if times < 10**6 else ""
    change = (other - one) / one
    return f"{change:+.1%}" if abs(change) >= 0.0005 else f"{100 * change:+.1g}%"


def _transfer(plan: Transfer) -> Iterator[TextBlock]:
    shapes = {key: f"{size_of(one)} -> {size_of(other)}" for key, (one, other) in plan.reshaped.items()}
    yield ""
    yield "weights, by state-dict key"
    yield f"  {counted(len(plan.kept), 'key')} unchanged"
    for keys, what in (
        (shapes, "with another shape"),
        (plan.dropped, "only in the first network"),
        (plan.new, "only in the second network"),
    ):
        rows = [(key, shapes.get(key, "")) for key in keys]
        yield Listing(f"  {counted(len(keys), 'key')} {what}", rows, indent="    ")
