"""``archspec diff``: the differences between two networks, and the weights that fit both."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

import archspec
from archspec.analysis.diff import Change, Difference, Transfer
from archspec.analysis.numbers import shown
from archspec.analysis.parts import Part
from archspec.diagnostics import cut
from archspec.display import counted
from archspec.language.text.yaml_writer import flow
from archspec.operations.shapes import show_shape

from . import options
from .attempt import attempt, refuse, status_of
from .render import Terminal, put, put_json, short
from .tables import put_keys, put_table, size_of

TOTALS = {
    "params": "parameters",
    "macs": "MACs",
    "inference_peak_bytes": "inference peak, bytes",
    "saved_for_backward_bytes": "saved for backward, bytes",
    "receptive_field": "receptive field",
    "skip_paths": "skip paths",
}
"""The names of totals in the text, if they are not those in JSON."""


@click.command("diff", cls=options.SpecCommand)
@click.argument("spec", metavar="SPEC", shell_complete=options.complete_spec)
@click.argument("other", metavar="[OTHER]", required=False, shell_complete=options.complete_spec)
@options.reading
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the networks differ, like `git diff`.")
@options.form("text", "json")
def command(spec: str, other: str | None, reading: options.Reading, exit_code: bool, form: str) -> int:
    """Show the differences between two specs: keys, stages, costs, and the weights that fit both.

    The command compares the networks, so two specs can be equal even if their texts differ. --set changes the second
    spec. With only one spec, the command compares it with itself after --set.

    \b
    Examples:
      archspec diff resnet50 resnext50_32x4d
      archspec diff resnet50 --set classes=10
      archspec diff mine.yaml resnet50 --exit-code
    """
    if other is None and not reading.overrides:
        raise click.UsageError("name a second spec, or change the first one with --set")
    if spec == options.STDIN and other in (None, options.STDIN):
        raise click.UsageError("standard input can be read only once")
    before, faults = attempt(spec, lambda: reading._replace(overrides=()).compile(spec))
    after, more = attempt(other or spec, lambda: reading.compile(other or spec))
    if before is None or after is None:
        refused = dict.fromkeys((*faults, *more))  # a fault of the only spec comes once
        refuse(refused, spec if before is None else other or spec, form)
        return status_of(refused)
    found = archspec.diff(before, after)
    changed = " ".join([other or spec, *(f"--set {setting}" for setting in reading.overrides)])
    if form == "json":
        put_json({"specs": {"before": spec, "after": changed}, **found.as_data()})
    else:
        _put_text(found, spec, changed)
    return int(exit_code and bool(found))


def _put_text(found: Difference, before: str, after: str) -> None:
    safe = Terminal.of(sys.stdout).safe
    put(f"{safe(before)} -> {safe(after)}")
    if not found:
        put("There are no differences.")
        return
    if found.keys:
        put("\nkeys")
        put_table([(key.name, _value(key.before), "->", _value(key.after)) for key in found.keys], indent="  ")
    if found.stages:
        put("\nstages")
        put_table([row for stage in found.stages for row in _stage(stage)], right=(2, 4, 5), indent="  ")
    put("\ntotals")
    put_table([_total(change) for change in found.totals], right=(1, 3, 4), indent="  ")
    _put_transfer(found.transfer)


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


def _put_transfer(plan: Transfer) -> None:
    put("\nweights, by state-dict key")
    shapes = {key: f"{size_of(one)} -> {size_of(other)}" for key, (one, other) in plan.reshaped.items()}
    put(f"  {counted(len(plan.kept), 'key')} unchanged")
    for keys, what in (
        (shapes, "with another shape"),
        (plan.dropped, "only in the first network"),
        (plan.new, "only in the second network"),
    ):
        put_keys(f"  {counted(len(keys), 'key')} {what}", [(key, shapes.get(key, "")) for key in keys], indent="    ")
