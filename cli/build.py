"""``archspec build``: compile a spec, have torch confirm every shape, show what the network costs, save its weights."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

import archspec
from archspec.analysis.parts import Part
from archspec.analysis.report import Report, report
from archspec.diagnostics import Diagnostic, EnvironmentFault, Source, SpecError
from archspec.graph.graph import Graph, Limits
from archspec.operations.base import show_shape
from archspec.testing.expectations import check_expectations

from . import options
from .files import replacing, unwritable
from .progress import Step, progress
from .render import Terminal, as_json, counted, put, put_json, short
from .tables import put_table
from .yaml_text import standalone, to_yaml

SUFFIX = ".safetensors"


def _output(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    if value is None:
        return None
    if not value.endswith(SUFFIX) or Path(value).name == SUFFIX:
        raise click.BadParameter(f"weights are saved as {SUFFIX}: name a file like `model{SUFFIX}`")
    return Path(value)


def _seed(ctx: click.Context, param: click.Parameter, value: int | None) -> int | None:
    if value is not None and not 0 <= value < 2**63:
        raise click.BadParameter("a seed is a whole number from 0 to 2^63 - 1")
    return value


@click.command("build", cls=options.SpecCommand)
@options.spec
@click.option(
    "-o",
    "--output",
    type=click.Path(readable=False),  # for completion; `replacing` checks it
    callback=_output,
    metavar=f"FILE{SUFFIX}",
    help="Save initialised weights.",
)
@click.option("--force", is_flag=True, help="Replace the output if it exists.")
@options.overrides
@click.option("--seed", type=int, metavar="N", callback=_seed, help="Seed of the initial weights, from 0.")
@click.option("--flat", is_flag=True, help="Build one flat graph instead of one for each block; nothing else differs.")
@options.limits
@options.form("text", "json")
def command(
    spec: str,
    output: Path | None,
    force: bool,
    overrides: tuple[str, ...],
    allow_outside: bool,
    seed: int | None,
    flat: bool,
    limits: Limits,
    form: str,
) -> int:
    """Build a network, and compare every inferred shape with torch's.

    The spec is compiled, its torch.fx graphs are linted and run on torch's meta device, and what the spec expects is
    verified. Prints the stages with their outputs and parameters. With -o, initialised weights are saved, with the
    spec in their metadata.

    \b
    Examples:
      archspec build resnet50
      archspec build wide.yaml -o wide.safetensors --seed 0
    """
    source = options.source(spec)
    with progress(steps=5 if output else 3) as step:
        step("compiling")
        graph = archspec.compile(options.load(source, overrides, allow_outside), limits=limits)
        found = (*graph.warnings, *check_expectations(graph))
        if any(diagnostic.severity == "error" for diagnostic in found):
            raise SpecError(found)
        inputs = _files(graph)
        with replacing(output, force=force, inputs=inputs) if output else contextlib.nullcontext() as temporary:
            _confirm(graph, flat, step)
            if output and temporary:
                _save(graph, source, output, temporary, seed, flat, step)
    costs = report(graph, lengths=False)
    if form == "json":
        put_json(_json(graph, costs, spec, output, found))
        return 0
    options.show(found)
    _put_report(costs)
    safe = Terminal.of(sys.stdout).safe
    if output:
        size = short(output.stat().st_size)
        put(safe(f"Saved {output}: {size}B of initialised weights, with the spec in their metadata."))
        put(safe(f"Next: `{_python(spec, overrides, allow_outside, output)}` gives the model with them."))
    else:
        changes = _options(overrides, allow_outside, limits)
        again = shlex.join(["archspec", "build", spec, *changes, "-o", f"{graph.spec.name}{SUFFIX}"])
        put(safe(f"Next: `{again}` saves initialised weights."))
    return 0


def _files(graph: Graph) -> set[str]:
    """The paths of the files that the spec was read from."""
    documents = (graph.spec.document, *graph.spec.imported)
    sources = {place.value.source for document in documents for place in document.places.values()}
    return {source.path for source in sources if source.path}


def _confirm(graph: Graph, flat: bool, step: Step) -> None:
    """Build on the meta device, lint, and compare every shape.

    Raises:
        EnvironmentFault: torch is missing.
        SpecError: E704, torch computes another shape.
    """
    step("building with torch")
    _stand_somewhere()
    model = archspec.build(graph, device="meta", flat=flat)
    from archspec.testing.torch import compare_shapes, lint

    step(f"confirming the shapes of {counted(len(graph.nodes), 'node')}")
    lint(model)
    faults = compare_shapes(graph)
    if faults:
        raise SpecError(faults)


def _stand_somewhere() -> None:
    """MKL, with which torch may come, ends the process where the working directory is gone."""
    try:
        Path.cwd()
    except OSError:
        os.chdir(os.sep)


def _save(
    graph: Graph, source: Source, output: Path, temporary: Path, seed: int | None, flat: bool, step: Step
) -> None:
    """Write initialised weights to ``temporary``, which becomes ``output``."""
    from archspec import weights

    step("initialising weights")
    model = archspec.build(graph, seed=seed, flat=flat)
    step(f"writing {output.name}")
    try:
        weights.save(model, graph, to_yaml(standalone(graph.spec, source)), str(temporary))
    except ImportError as error:
        help = "pip install 'archspec-compiler[torch]'"
        message = f"saving weights needs safetensors, which cannot be imported ({error})"
        raise EnvironmentFault(Diagnostic("E809", message, help=help)) from None
    except Exception as error:
        if type(error).__name__ != "SafetensorError":  # how safetensors, written in Rust, reports a full disk
            raise
        raise unwritable(output, error) from None


# -- the report ------------------------------------------------------------------------------------------------------


def _put_report(costs: Report) -> None:
    """Print the stages, and the totals of the network."""
    totals = costs.totals
    put(f"{costs.name}: {show_shape(costs.input)} to {show_shape(costs.output)}\n")
    put_table(_stage_table(costs), right=(2, 3, 4, 5, 6), header=True, total=True)
    counts = f"{totals.costs.params:,} parameters, {short(totals.costs.macs)} MACs, {counted(totals.layers, 'layer')}"
    put(f"\n{counts}\n{counted(totals.nodes, 'node')}, every shape confirmed by torch\n")


def _stage_table(costs: Report) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("stage", "block", "count", "output", "params", "share", "MACs")]
    whole = costs.totals.costs
    for row in costs.rows:
        share = f"{100 * row.costs.params / whole.params:.1f}%" if whole.params else "-"
        count = str(row.count) if row.count else ""
        figures = (f"{row.costs.params:,}", share, short(row.costs.macs))
        lines.append((row.name, row.block, count, show_shape(row.output), *figures))
    lines.append(("total", "", "", show_shape(costs.output), f"{whole.params:,}", "100.0%", short(whole.macs)))
    return lines


def _python(spec: str, overrides: tuple[str, ...], allow_outside: bool, output: Path) -> str:
    """The call that gives the model of what was saved."""
    written = repr("SPEC.yaml" if spec == options.STDIN else spec)
    changed = {"overrides": list(overrides), "allow_outside": allow_outside}
    changes = "".join(f", {name}={value!r}" for name, value in changed.items() if value)
    return f"archspec.build({f'archspec.load({written}{changes})' if changes else written}, weights={str(output)!r})"


def _options(overrides: tuple[str, ...], allow_outside: bool, limits: Limits) -> list[str]:
    """The options that change which spec is compiled, as words of a command."""
    words = [word for setting in overrides for word in ("--set", setting)]
    words += ["--allow-outside"] if allow_outside else []
    for name in options.LIMITS:
        if getattr(limits, name) != getattr(Limits(), name):
            words += ["--limit", f"{name}={getattr(limits, name)}"]
    return words


def _json(
    graph: Graph, costs: Report, spec: str, output: Path | None, diagnostics: Iterable[Diagnostic]
) -> dict[str, Any]:
    return {
        "spec": spec,
        "valid": True,
        "name": graph.spec.name,
        "hash": graph.spec.hash,
        "input": list(graph.input),
        "output": list(graph.output),
        "params": costs.totals.costs.params,
        "macs": costs.totals.costs.macs,
        "layers": costs.totals.layers,
        "nodes": costs.totals.nodes,
        "stages": [_part(row) for row in costs.rows],
        "saved": str(output) if output else None,
        "diagnostics": [as_json(diagnostic) for diagnostic in diagnostics],
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "scope": part.name,
        "block": part.block,
        "count": part.count,
        "output": list(part.output),
        "params": part.costs.params,
        "macs": part.costs.macs,
    }
