"""``archspec build``: compile a spec, have torch confirm every shape, load weights, and write a target."""

from __future__ import annotations

import shlex
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

import archspec
from archspec import writing
from archspec.diagnostics import Diagnostic, Mention, SpecError
from archspec.emit.choosing import refuse_weights
from archspec.files import refuse_target
from archspec.graph.graph import Graph
from archspec.work import Limits

from . import options
from .build_text import Product, build_json, put_report, put_saved
from .loading import Loading
from .loading import loading as weights_options
from .output import Output
from .output import output as output_options
from .progress import Step, leave_lost_folder, progress
from .render import Terminal, show
from .streams import put, put_json


@click.command("build", cls=options.SpecCommand)
@options.spec
@output_options
@click.option("--force", is_flag=True, help="Replace the output file if it exists.")
@options.reading
@weights_options
@options.seed(None, "The seed for the initial weights.")
@click.option("--flat", is_flag=True, help="Build one flat graph, not one for each block. The results are the same.")
@options.form("text", "json")
def command(
    spec: str,
    output: Output | None,
    force: bool,
    reading: options.Reading,
    loading: Loading,
    seed: int | None,
    flat: bool,
    form: str,
) -> int:
    """Build a network and compare every inferred shape with torch's, or write it with -o.

    The command compiles the spec, compares the network with what the spec expects, and shows its stages with their
    shapes and costs. Torch computes every shape on its meta device, unless -o names a file that does not need torch,
    such as `.py`, `.json` or `.svg`.

    -o writes the network as source code, weights, ONNX, data or a figure. `archspec list targets` lists the targets
    with their suffixes and options. With --weights, every key of the file must fit. --transfer loads the weights that
    fit, adapts the filters that read the input to its number of channels, and lists the weights that it initializes.

    \b
    Examples:
      archspec build resnet50
      archspec build wide.yaml -o wide.safetensors --seed 0
      archspec build resnet50 --set classes=10 --weights resnet50.pth --transfer -o ten.safetensors
      archspec build resnet50 --weights clip.pth --entry state_dict --prefix visual.trunk.
    """
    how = {**loading.how, **({} if seed is None else {"seed": seed})}
    _check(output, [*how], form, flat=flat)
    confirms = not output or writing.needs_torch(output.target, how)
    with progress(steps=3 + (2 if output or loading.how else 0)) as step:
        step("compiling")
        outcome = reading.check(spec)
        graph = outcome.graph
        if graph is None or not outcome.valid:
            raise SpecError(outcome.diagnostics)
        if output:
            _refuse_early(output, graph, loading, force)
        how |= loading.with_map(graph, force)
        leave_lost_folder()
        if confirms:
            archspec.confirm(graph, step=step)
        made = _make(
            graph, output, how, step, force=force, flat=flat, made_by=output and _made_by(spec, reading, output)
        )
    found = (*outcome.diagnostics, *map(_of_this_command, made.loaded.remarks if made.loaded else ()))
    if made.text is None and form == "json":
        put_json(build_json(graph, archspec.analyze(graph, lengths=False), spec, confirms, made, found))
        return 0
    show(found)
    if made.text is not None:
        put(made.text, end="")
        return 0
    put_report(archspec.analyze(graph, lengths=False), made.loaded, confirms)
    put_saved(made.written, output and output.target, loading.write_map)
    put(Terminal.of(sys.stdout).safe(_next(graph, spec, reading, how, output)))
    return 0


def _check(output: Output | None, given: list[str], form: str, *, flat: bool) -> None:
    """Refuse options that have no effect on the output."""
    if output:
        refuse_weights(output.target, given)
    if output and flat:
        mention = Mention("option", "`flat`", "flat")
        message = f"`{output.target.name}` does not take `flat`, which only changes a model in memory"
        raise SpecError([Diagnostic("E832", message, help=f"leave out {mention.text}", mentions=(mention,))])
    if output and output.is_stdout and form == "json":
        raise click.UsageError("`-o -` and `--format json` both write to standard output; leave out one of them")


def _refuse_early(output: Output, graph: Graph, loading: Loading, force: bool) -> None:
    """Refuse early what would fail only after long work: a file that cannot be written, or a missing package."""
    if not output.is_stdout:
        refuse_target(Path(output.file), force=force, inputs=graph.files, weights=loading.files)
    with writing.installed(output.target, graph.files):
        pass


def _make(
    graph: Graph,
    output: Output | None,
    how: dict[str, Any],
    step: Step,
    *,
    force: bool,
    flat: bool,
    made_by: str | None,
) -> Product:
    """Write the output; without one, build the model if there are weights to check."""
    if output and output.is_stdout:
        return Product(text=writing.text(graph, output.target, output.options, made_by or ""))
    if output:
        about: dict[str, Any] = {"to": output.target.name, "how": how, "options": output.options, "command": made_by}
        written = writing.write_graph(graph, output.file, force=force, step=step, **about)
        return Product(written=written, loaded=written.weights)
    if "weights" not in how:
        return Product()
    step("loading weights")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the record of the weights has them as diagnostics
        return Product(loaded=archspec.build(graph, flat=flat, **how).meta["weights"])


def _of_this_command(remark: Diagnostic) -> Diagnostic:
    """A remark on weights, with help for the command line in place of help for Python."""
    if remark.code != "W821" or "dtype=" not in remark.message:
        return remark
    help = "the command always makes torch.float32; `dtype` is an argument of `archspec.build` in Python"
    return replace(remark, help=help)


# -- what comes next --------------------------------------------------------------------------------------------------


def _next(graph: Graph, spec: str, reading: options.Reading, how: dict[str, Any], output: Output | None) -> str:
    """The next step: how to use the file, or the command that writes one."""
    if output:
        path = output.file if output.file[:1] != "-" else f"./{output.file}"  # a dash begins an option
        names = {"spec": _spec(spec, reading), "file": repr(output.file), "path": shlex.quote(path)}
        return f"Next: {output.target.usage(output.file, names)}."
    if "weights" in how:
        arguments = "".join(f", {name}={value!r}" for name, value in how.items())
        return f"Next: `archspec.build({_spec(spec, reading)}{arguments})` gives the model with these weights."
    again = shlex.join(["archspec", "build", spec, *_settings(reading), "-o", f"{graph.name}.safetensors"])
    return f"Next: `{again}` saves initialized weights."


def _settings(reading: options.Reading) -> list[str]:
    """The options that say how the spec is read."""
    words = [word for setting in reading.overrides for word in ("--set", setting)]
    words += ["--allow-outside"] if reading.allow_outside else []
    for name in options.LIMITS:
        limit, usual = (getattr(limits, name) for limits in (reading.limits, Limits()))
        words += ["--limit", f"{name}={limit}"] if limit != usual else []
    return words


def _made_by(spec: str, reading: options.Reading, output: Output) -> str:
    """The command that writes this file, without the folders of the files in it."""
    files = [each if each in ("-", "") else Path(each).name for each in (spec, output.file)]
    words = ["archspec", "build", files[0], *_settings(reading), "--to", output.target.name, "-o", files[1]]
    for name, value in output.options.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _spec(spec: str, reading: options.Reading) -> str:
    """The spec as an argument in Python."""
    written = repr("SPEC.yaml" if spec == options.STDIN else spec)
    changed = {"overrides": list(reading.overrides), "allow_outside": reading.allow_outside}
    changes = "".join(f", {name}={value!r}" for name, value in changed.items() if value)
    return f"archspec.load({written}{changes})" if changes else written
