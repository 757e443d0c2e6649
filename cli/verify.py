"""``archspec verify``: whether a network is the same as a reference, by level, and which keys belong together."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import archspec
from archspec.diagnostics import Diagnostic, SpecError
from archspec.display import counted
from archspec.files import refuse_target, replacing
from archspec.graph.graph import Graph
from archspec.operations.shapes import show_shape
from archspec.verification.verdict import LEVELS, Level, key_map

from . import options
from .progress import progress, stand_somewhere
from .render import Terminal, put, put_json, say
from .signals import end_if_asked
from .spelling import as_json
from .tables import put_keys, put_table, size_of

if TYPE_CHECKING:
    from archspec.verification.verdict import Keys, Verdict

USAGE = 2
OF_A_REFERENCE = ("E901", "E902", "E903", "E904", "E905")
"""What is wrong with a reference, which is a matter of the call where `--against` names it."""


def _tolerance(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not 0 <= value < float("inf"):
        raise click.BadParameter("a tolerance is a number of at least 0")
    return value


@click.command("verify", cls=options.SpecCommand)
@options.spec
@click.option(
    "--against",
    metavar="REFERENCE",
    help="`torchvision:NAME`, `timm:NAME` or `module.path:factory`, with literal arguments where it takes any. By "
    "default what the spec names as its `reference`.",
)
@click.option(
    "--level",
    "levels",
    type=options.Word("level", LEVELS),
    multiple=True,
    metavar="|".join(LEVELS),
    help="What must hold; may be repeated. By default graph and outputs.",
)
@click.option(
    "--map",
    "target",
    type=click.Path(path_type=Path, readable=False),  # for completion; `replacing` checks it
    metavar="FILE",
    help="Write which key of the reference each key is, as JSON.",
)
@click.option("--force", is_flag=True, help="Replace the map if it exists.")
@options.shape
@click.option("--batch", type=click.IntRange(1, 2**20), default=2, show_default=True, help="Examples to run.")
@click.option(
    "--tolerance",
    type=float,
    default=0.0,
    callback=_tolerance,
    metavar="X",
    help="How far results may be apart, relative to the reference's largest number. By default not at all.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of weights, input and random operations.",
)
@options.reading
@options.form("text", "json")
def command(
    spec: str,
    against: str | None,
    levels: tuple[Level, ...],
    target: Path | None,
    force: bool,
    shape: tuple[int, ...] | None,
    batch: int,
    tolerance: float,
    seed: int,
    reading: options.Reading,
    form: str,
) -> int:
    """Compare a network with a reference: state-dict keys, graph, and what both compute with equal weights.

    Three levels: `keys` are identical, in order and with their shapes; the `graph` is isomorphic, names aside; the
    `outputs` are equal in eval mode and in training, with gradients and running statistics. Exit status 1 where a level
    that is asked for does not hold, or the spec is at fault; 2 where what --against names cannot be had.

    \b
    Examples:
      archspec verify resnet50
      archspec verify resnet50d --against 'timm:resnet50d(pretrained=False)' --level graph
      archspec verify mine.yaml --against models.mine:build --map keys.json
    """
    asked: tuple[Level, ...] = levels or ("graph", "outputs")  # a network may have names of its own and be the same
    graph = reading.compile(spec)
    if against is None and not (graph.origin and graph.origin.document.value.get("reference")):
        raise click.UsageError(f"`{graph.name}` names no reference; say with --against what to compare it with")
    if target:
        refuse_target(target, force=force, inputs=graph.files)
    stand_somewhere()
    how: dict[str, Any] = {"input": shape, "batch": batch, "seed": seed, "tolerance": tolerance, "levels": asked}
    try:
        found = _verified(graph, against, limits=reading.limits, **how)
    except SpecError as error:
        if against is None or any(fault.code not in OF_A_REFERENCE for fault in error.diagnostics):
            raise
        end_if_asked()
        options.refuse(error.diagnostics, spec, form)
        return USAGE
    saved = target if found.key_map else None
    if saved:
        with replacing(saved, force=force, inputs=graph.files) as temporary:
            # The map of the spec itself, whatever the input was that it was verified on: keys do not depend on that.
            data = {**key_map(found, archspec=archspec.__version__), "hash": graph.fingerprint}
            temporary.write_text(json.dumps(data, indent=2) + "\n", encoding="ascii")
    faults = [fault for fault in found.diagnostics if _level(fault) in asked]
    if form == "json":
        put_json(_json(found, spec, asked, saved, faults))
    else:
        _put_text(found, asked, target)
        if faults:
            options.show(faults)
    return int(not found.holds(*asked))


def _verified(graph: Graph, against: str | None, *, levels: Collection[Level], **how: Any) -> Verdict:
    talk = contextlib.redirect_stdout(sys.stderr)  # what a reference prints is no data
    with progress(steps=4 if "outputs" in levels else 3) as step, talk:
        return archspec.verify(graph, against, levels=levels, step=step, **how)


def _level(fault: Diagnostic) -> str:
    return {"E908": "keys", "E909": "outputs"}.get(fault.code, "graph")


def _json(
    found: Verdict, spec: str, asked: Collection[Level], saved: Path | None, faults: Iterable[Diagnostic]
) -> dict[str, Any]:
    return {
        **found.as_data(),
        "spec": spec,
        "valid": True,
        "name": found.spec,
        "asked": list(asked),
        "held": found.holds(*asked),
        "saved": str(saved) if saved else None,
        "diagnostics": as_json(faults),
    }


# -- text --------------------------------------------------------------------------------------------------------------


def _put_text(found: Verdict, asked: Collection[Level], target: Path | None) -> None:
    safe = Terminal.of(sys.stdout).safe
    put(safe(f"{found.spec} against {found.reference}, on {found.batch}x{show_shape(found.input)}"))
    put("")
    put_table(found.rows)
    if "keys" in asked:
        _put_keys(found.keys)
    if target and found.key_map:
        put("")
        put(safe(f"Saved {target}: {counted(len(found.key_map), 'key')} of the reference."))
    elif target:
        say("No key map is written: the weights could not be paired.\n")


def _put_keys(keys: Keys) -> None:
    """The keys that differ, a few of each kind."""
    shapes = {key: f"{size_of(one)}, the reference {size_of(other)}" for key, (one, other) in keys.misshapen.items()}
    for title, names in (
        ("only in the reference", keys.missing),
        ("only here", keys.extra),
        ("of another shape", list(keys.misshapen)),
        ("standing for something else in the reference", keys.crossed),
    ):
        if names:
            put(f"\n{title}")
            put_keys([(name, shapes.get(name, "")) for name in names], indent="  ")
