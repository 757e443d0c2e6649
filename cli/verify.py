"""``archspec verify``: whether a network is the same as a reference, by level, and which keys belong together."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import archspec
from archspec.diagnostics import SpecError
from archspec.display import counted
from archspec.files import refuse_target, replacing
from archspec.graph.graph import Graph
from archspec.operations.shapes import show_shape, size_of
from archspec.verification.verdict import LEVELS, Level, key_map

from . import options
from .attempt import refuse
from .progress import leave_lost_folder, progress
from .render import Terminal, show
from .signals import end_if_asked
from .spelling import as_json
from .streams import put, put_json, say
from .tables import put_keys, put_table

if TYPE_CHECKING:
    from archspec.verification.verdict import Keys, Verdict

USAGE = 2
OF_A_REFERENCE = ("E901", "E902", "E903", "E904", "E905", "E910")
"""The faults of a reference. They are wrong usage if `--against` names the reference."""

OF_A_LEVEL = {"E908": "keys", "E909": "outputs"}
"""The level of a difference, if it is not the graph."""


def _tolerance(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not 0 <= value < float("inf"):
        raise click.BadParameter(f"a tolerance must be a number of at least 0, got {value:g}")
    return value


@click.command("verify", cls=options.SpecCommand)
@options.spec
@click.option(
    "--against",
    metavar="REFERENCE",
    help="`torchvision:NAME`, `timm:NAME`, `module.path:factory` or `FILE.py:factory`. Literal arguments can "
    "follow in parentheses. The "
    "default is the `reference` of the spec.",
)
@click.option(
    "--level",
    "levels",
    type=options.Word("level", LEVELS),
    multiple=True,
    default=("graph", "outputs"),  # a network may be the same with other names
    help="What must hold. You can repeat this option. The default is `graph` and `outputs`.",
)
@click.option(
    "--map",
    "target",
    type=click.Path(path_type=Path, readable=False),  # for completion; `replacing` checks it
    metavar="FILE",
    help="Write the reference's key for each key of the network to this file, as JSON.",
)
@click.option("--force", is_flag=True, help="Replace the file of --map if it exists.")
@options.input
@click.option(
    "--batch", type=click.IntRange(1, 2**20), default=2, show_default=True, metavar="N", help="The batch size."
)
@click.option(
    "--tolerance",
    type=float,
    default=0.0,
    callback=_tolerance,
    metavar="X",
    help="Always allow this difference, relative to the reference's largest number. Larger differences are allowed if "
    "they are rounding, which archspec measures. The default is 0.",
)
@options.seed(0, "The seed for weights, input and random operations.")
@options.reading
@options.form("text", "json")
def command(
    spec: str,
    against: str | None,
    levels: tuple[Level, ...],
    target: Path | None,
    force: bool,
    reading: options.Reading,
    form: str,
    **how: Any,
) -> int:
    """Compare a network with a reference: state-dict keys, graph, and outputs with equal weights.

    There are three levels. `keys`: the state-dict keys are identical, with the same order and shapes. `graph`: the
    graphs are isomorphic; names do not matter. `outputs`: the outputs are equal in eval mode and in training, and so
    are gradients and running statistics, up to rounding, which is measured. The exit status is 1 if a requested level
    does not hold or the spec is at fault, and 2 if the network that --against names is not available.

    \b
    Examples:
      archspec verify resnet50
      archspec verify resnet50d --against 'timm:resnet50d(pretrained=False)' --level graph
      archspec verify mine.yaml --against models.mine:build --map keys.json
    """
    graph = reading.compile(spec)
    if against is None and not (graph.origin and graph.origin.document.value.get("reference")):
        raise click.UsageError(f"`{graph.name}` has no reference; name one with --against")
    if target:
        refuse_target(target, force=force, inputs=graph.files)
    leave_lost_folder()
    try:
        found = _verified(graph, against, levels=levels, limits=reading.limits, **how)
    except SpecError as error:
        if against is None or any(fault.code not in OF_A_REFERENCE for fault in error.diagnostics):
            raise
        end_if_asked()
        refuse(error.diagnostics, spec, form)
        return USAGE
    saved = target if found.key_map else None
    if saved:
        with replacing(saved, force=force, inputs=graph.files) as temporary:
            # The hash is the spec's own, whatever --input was: the keys do not depend on it.
            data = {**key_map(found, archspec=archspec.__version__), "hash": graph.fingerprint}
            temporary.write_text(json.dumps(data, indent=2) + "\n", encoding="ascii")
    faults = [fault for fault in found.diagnostics if OF_A_LEVEL.get(fault.code, "graph") in levels]
    held = found.holds(*levels)
    if form == "json":
        data = {**found.as_data(), "spec": spec, "valid": True, "name": found.spec, "asked": list(levels), "held": held}
        put_json({**data, "saved": str(saved) if saved else None, "diagnostics": as_json(faults)})
    else:
        _put_text(found, levels, target)
        if faults:
            show(faults)
    return int(not held)


def _verified(graph: Graph, against: str | None, *, levels: Collection[Level], **how: Any) -> Verdict:
    output = contextlib.redirect_stdout(sys.stderr)  # a reference may print, and that is not data
    with progress(steps=4 if "outputs" in levels else 3) as step, output:
        return archspec.verify(graph, against, levels=levels, step=step, **how)


def _put_text(found: Verdict, levels: Collection[Level], target: Path | None) -> None:
    safe = Terminal.of(sys.stdout).safe
    put(safe(f"{found.spec} against {found.reference}, on {found.batch}x{show_shape(found.input)}"))
    put("")
    put_table(found.rows)
    if "keys" in levels:
        _put_keys(found.keys)
    if target and found.key_map:
        put("")
        put(safe(f"Saved {target}: {counted(len(found.key_map), 'key')} of the reference."))
    elif target:
        say("No key map was written: the weights could not be paired.\n")


def _put_keys(keys: Keys) -> None:
    """Print the keys that differ, a few of each kind."""
    shapes = {key: f"{size_of(one)}, the reference {size_of(other)}" for key, (one, other) in keys.misshapen.items()}
    for title, names in (
        ("only in the reference", keys.missing),
        ("only here", keys.extra),
        ("with another shape", list(keys.misshapen)),
        ("with another meaning in the reference", keys.crossed),
    ):
        if names:
            put("")
        put_keys(title, [(name, shapes.get(name, "")) for name in names], indent="  ")
