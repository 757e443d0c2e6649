"""``archspec diff``: what differs in meaning between two specs, and which weights of the one fit the other."""

from __future__ import annotations

import sys
from typing import Any

import click

import archspec
from archspec.analysis.diff import Change, Difference, StageChange, compare
from archspec.analysis.numbers import exact, shown
from archspec.analysis.parts import Part
from archspec.graph.graph import Graph, Limits
from archspec.operations.base import show_shape

from . import options
from .render import Terminal, counted, put, put_json, short
from .tables import put_table

MAX_KEYS = 20
"""How many state-dict keys of a kind the text shows; JSON has them all."""


@click.command("diff", cls=options.SpecCommand)
@click.argument("spec", metavar="SPEC", shell_complete=options.complete_spec)
@click.argument("other", metavar="[OTHER]", required=False, shell_complete=options.complete_spec)
@options.overrides
@options.limits
@click.option("--exit-code", is_flag=True, help="Exit with 1 where they differ, as `git diff` does.")
@options.form("text", "json")
def command(
    spec: str,
    other: str | None,
    overrides: tuple[str, ...],
    allow_outside: bool,
    limits: Limits,
    exit_code: bool,
    form: str,
) -> int:
    """Say what differs between two specs: keys, stages, costs, and which weights fit both.

    --set changes the second spec; with one spec, that one is compared with what --set makes of it.

    \b
    Examples:
      archspec diff resnet50 resnext50_32x4d
      archspec diff resnet50 --set classes=10
      archspec diff mine.yaml resnet50 --exit-code
    """
    if other is None and not overrides:
        raise click.UsageError("name a second spec, or change the one with --set")
    if spec == options.STDIN and other in (None, options.STDIN):
        raise click.UsageError("standard input can be read only once")

    def compiled(reference: str, changes: tuple[str, ...]) -> Graph:
        loaded = options.load(options.source(reference), changes, allow_outside)
        return archspec.compile(loaded, limits=limits)

    found = compare(compiled(spec, ()), compiled(other or spec, overrides))
    if form == "json":
        put_json(_json(found))
    else:
        _put_text(found, spec, f"{other or spec}{' with --set' if overrides else ''}")
    return int(exit_code and bool(found))


# -- text --------------------------------------------------------------------------------------------------------------


def _put_text(found: Difference, before: str, after: str) -> None:
    safe = Terminal.of(sys.stdout).safe
    put(f"{safe(before)} -> {safe(after)}")
    if not found:
        put("They mean the same.")
        return
    if found.keys:
        put("\nkeys")
        put_table(
            [(change.name, _value(change.before), "->", _value(change.after)) for change in found.keys], indent="  "
        )
    if found.stages:
        put("\nstages")
        rows = [("", "output", "", "", "params", "", "", "", "MACs", "", "", "")]
        put_table([*rows, *map(_stage, found.stages)], right=(1, 4, 8), indent="  ", header=True)
    put("\ntotals")
    put_table([_total(change) for change in found.totals], right=(1, 3), indent="  ")
    _put_transfer(found)


def _value(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)


def _stage(change: StageChange) -> tuple[str, ...]:
    sides = (change.before, change.after)
    outputs = [show_shape(part.output) if part else None for part in sides]
    params = [part.costs.params if part else None for part in sides]
    macs = [part.costs.macs if part else None for part in sides]
    return (
        change.name,
        *_pair(*outputs),
        *_pair(*(None if figure is None else f"{figure:,}" for figure in params)),
        _percent(*params),
        *_pair(*(None if figure is None else short(figure) for figure in macs)),
        _percent(*macs),
    )


def _pair(one: str | None, other: str | None) -> list[str]:
    """Both sides, or one where they agree."""
    return [one or "-", "", ""] if one == other else [one or "-", "->", other or "-"]


def _total(change: Change) -> tuple[str, ...]:
    one, other = (_figure(value) for value in (change.before, change.after))
    if change.before == change.after:
        return change.name, one, "", "", "same"
    sizes = [value if isinstance(value, int) else None for value in (change.before, change.after)]
    return change.name, one, "->", other, _percent(*sizes)


def _figure(value: Any) -> str:
    if value is None:
        return "unavailable"
    return show_shape(value) if isinstance(value, tuple) else shown(value)


def _percent(one: int | None, other: int | None) -> str:
    """By how much a figure changes."""
    if one is None or other is None or one == other:
        return ""
    if not one or other > 1000 * one:
        return "more" if other > one else "less"
    return f"{(other - one) / one:+.1%}"


def _put_transfer(found: Difference) -> None:
    plan = found.transfer
    put("\nweights, by state-dict key")
    put(f"  {counted(len(plan.kept), 'key')} fit as they are")
    safe = Terminal.of(sys.stdout).safe
    shapes = {key: f"{_tensor(one)} -> {_tensor(other)}" for key, (one, other) in plan.reshaped.items()}
    for told, keys in (
        ("have another shape", list(plan.reshaped)),
        ("are in the first alone", plan.dropped),
        ("are in the second alone", plan.new),
    ):
        if keys:
            put(f"  {counted(len(keys), 'key')} {told}")
            put_table([(key, shapes.get(key, "")) for key in map(safe, keys[:MAX_KEYS])], indent="    ")
            if len(keys) > MAX_KEYS:
                put(f"    and {len(keys) - MAX_KEYS:,} more, which `--format json` lists")


def _tensor(shape: tuple[int, ...]) -> str:
    return show_shape(shape) if shape else "a number"


# -- JSON --------------------------------------------------------------------------------------------------------------


def _json(found: Difference) -> dict[str, Any]:
    plan = found.transfer
    return {
        "before": found.before.name,
        "after": found.after.name,
        "differs": bool(found),
        "keys": [{"key": change.name, "before": change.before, "after": change.after} for change in found.keys],
        "stages": [
            {"name": change.name, "before": _part(change.before), "after": _part(change.after)}
            for change in found.stages
        ],
        "totals": {
            change.name: {"before": _plain(change.before), "after": _plain(change.after)} for change in found.totals
        },
        "weights": {
            "kept": list(plan.kept),
            "reshaped": {
                key: {"before": list(one), "after": list(other)} for key, (one, other) in plan.reshaped.items()
            },
            "dropped": list(plan.dropped),
            "new": list(plan.new),
        },
    }


def _part(part: Part | None) -> dict[str, Any] | None:
    if part is None:
        return None
    figures = {"params": part.costs.params, "macs": part.costs.macs, "activations": part.costs.activations}
    return {"block": part.block, "count": part.count, "output": list(part.output), **figures}


def _plain(value: Any) -> Any:
    return exact(value) if isinstance(value, int) else list(value) if isinstance(value, tuple) else value
