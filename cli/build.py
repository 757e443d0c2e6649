"""``archspec build``: compile a spec, have torch confirm every shape, and load or save weights."""

from __future__ import annotations

import shlex
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import archspec
from archspec.diagnostics import Diagnostic, SpecError
from archspec.files import refuse_target
from archspec.graph.graph import Graph
from archspec.work import Limits

from . import options
from .build_text import build_json, put_report, put_saved
from .loading import Loading
from .loading import loading as weights_options
from .progress import leave_lost_folder, progress
from .render import Terminal, show
from .streams import put, put_json

if TYPE_CHECKING:
    from torch import fx

SUFFIX = ".safetensors"


def _output(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    if value is None:
        return None
    if not value.endswith(SUFFIX) or Path(value).name == SUFFIX:
        raise click.BadParameter(f"weights are saved as {SUFFIX}; name a file like `model{SUFFIX}`")
    return Path(value)


@click.command("build", cls=options.SpecCommand)
@options.spec
@click.option(
    "-o",
    "--output",
    type=click.Path(readable=False),  # for completion; `replacing` checks it
    callback=_output,
    metavar=f"FILE{SUFFIX}",
    help="Save the weights to this file.",
)
@click.option("--force", is_flag=True, help="Replace the output file if it exists.")
@options.reading
@weights_options
@options.seed(None, "The seed for the initial weights.")
@click.option("--flat", is_flag=True, help="Build one flat graph, not one for each block. The results are the same.")
@options.form("text", "json")
def command(
    spec: str,
    output: Path | None,
    force: bool,
    reading: options.Reading,
    loading: Loading,
    seed: int | None,
    flat: bool,
    form: str,
) -> int:
    """Build a network, and compare every inferred shape with torch's.

    The command compiles the spec and compares the network with what the spec expects. Torch then computes every shape
    on its meta device. The output shows the stages with their shapes and parameters. With --weights, every key of the
    file must fit. --transfer loads the weights that fit, sums or repeats the filters that read the input for another
    number of channels, and lists the weights that were initialized. -o saves the weights, with the spec in the metadata
    of the file.

    \b
    Examples:
      archspec build resnet50
      archspec build wide.yaml -o wide.safetensors --seed 0
      archspec build resnet50 --set classes=10 --weights resnet50.pth --transfer -o ten.safetensors
      archspec build resnet50 --weights clip.pth --entry state_dict --prefix visual.trunk.
    """
    loaded = None
    with progress(steps=3 + (2 if output else 1 if loading.how else 0)) as step:
        step("compiling")
        outcome = reading.check(spec)
        graph, found = outcome.graph, outcome.diagnostics
        if graph is None or not outcome.valid:
            raise SpecError(found)
        if output:
            refuse_target(output, force=force, inputs=graph.files, weights=loading.files)
        how = loading.with_map(graph, force)
        leave_lost_folder()
        archspec.confirm(graph, step=step)
        if output or how:
            step("loading weights" if how else "initializing weights")
            model = _model(graph, seed=seed, flat=flat, **how)
            loaded = model.meta.get("weights")
        if output:
            step(f"writing {output.name}")
            archspec.save(model, graph, output, force=force)
    found += tuple(map(_of_this_command, loaded.remarks)) if loaded else ()
    report = archspec.analyze(graph, lengths=False)
    if form == "json":
        put_json(build_json(graph, report, spec, output, loaded, found))
        return 0
    show(found)
    put_report(report, loaded)
    put_saved(output, loading.write_map, "" if how else "initialized ")
    how = {**how, "seed": seed} if how and seed is not None else how
    put(Terminal.of(sys.stdout).safe(_next(graph, spec, reading, how, output)))
    return 0


def _model(graph: Graph, **how: Any) -> fx.GraphModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the record of the weights has them as diagnostics
        return archspec.build(graph, **how)


def _of_this_command(remark: Diagnostic) -> Diagnostic:
    """A remark on weights, with a help for the command line where its own is for Python."""
    if remark.code != "W821" or "dtype=" not in remark.message:
        return remark
    help = "the command always makes torch.float32; `dtype` is an argument of `archspec.build` in Python"
    return replace(remark, help=help)


# -- what comes next --------------------------------------------------------------------------------------------------


def _next(graph: Graph, spec: str, reading: options.Reading, how: dict[str, Any], output: Path | None) -> str:
    """The next step: the Python call that gives this model, or the command that saves its weights."""
    if output or how:
        call = _python(spec, reading, {"weights": str(output)} if output else how)
        return f"Next: `{call}` gives the model with these weights."
    words = [word for setting in reading.overrides for word in ("--set", setting)]
    words += ["--allow-outside"] if reading.allow_outside else []
    for name in options.LIMITS:
        limit, usual = (getattr(limits, name) for limits in (reading.limits, Limits()))
        words += ["--limit", f"{name}={limit}"] if limit != usual else []
    again = shlex.join(["archspec", "build", spec, *words, "-o", f"{graph.name}{SUFFIX}"])
    return f"Next: `{again}` saves initialized weights."


def _python(spec: str, reading: options.Reading, how: dict[str, Any]) -> str:
    """The call that gives the model with the weights that ``how`` names."""
    written = repr("SPEC.yaml" if spec == options.STDIN else spec)
    changed = {"overrides": list(reading.overrides), "allow_outside": reading.allow_outside}
    changes, arguments = (
        "".join(f", {name}={value!r}" for name, value in named.items() if value or name == "seed")
        for named in (changed, how)
    )
    return f"archspec.build({f'archspec.load({written}{changes})' if changes else written}{arguments})"
