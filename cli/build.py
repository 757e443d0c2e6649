"""``archspec build``: compile a spec, have torch confirm every shape, show what it costs, load and save weights."""

from __future__ import annotations

import contextlib
import shlex
import sys
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import archspec
from archspec.analysis.report import report
from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError
from archspec.display import counted
from archspec.graph.graph import Graph, Limits
from archspec.language.spec import Spec
from archspec.language.standalone import standalone
from archspec.language.text.yaml_writer import to_yaml
from archspec.testing.expectations import check_expectations

from . import options
from .build_text import build_json, put_loaded, put_report
from .files import replacing, stand_somewhere, unwritable
from .progress import Step, progress
from .render import Terminal, put, put_json, short

if TYPE_CHECKING:
    from torch import fx

    from archspec.weights import Loaded

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
    help="Save the weights.",
)
@click.option("--force", is_flag=True, help="Replace the output if it exists.")
@options.overrides
@click.option(
    "--weights",
    type=click.Path(),
    metavar="FILE",
    help="Load weights: safetensors, or a .pth that is read without running code.",
)
@click.option(
    "--map",
    "key_map",
    type=click.Path(),
    metavar="FILE.json",
    help="Which key of the weights stands for which of the spec's, as `verify --map` writes it.",
)
@click.option("--transfer", is_flag=True, help="Load the weights that fit, and initialise the rest.")
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
    weights: str | None,
    key_map: str | None,
    transfer: bool,
    seed: int | None,
    flat: bool,
    limits: Limits,
    form: str,
) -> int:
    """Build a network, and compare every inferred shape with torch's.

    The spec is compiled, its torch.fx graphs are linted and run on torch's meta device, and what the spec expects is
    verified. Prints the stages with their outputs and parameters. With --weights, every key of a file must fit; with
    --transfer, what fits is loaded, and what was initialised is listed. With -o, the weights are saved, initialised or
    loaded, with the spec in their metadata.

    \b
    Examples:
      archspec build resnet50
      archspec build wide.yaml -o wide.safetensors --seed 0
      archspec build resnet50 --set classes=10 --weights resnet50.pth --transfer -o ten.safetensors
    """
    if weights is None and (key_map is not None or transfer):
        option = "--transfer" if transfer else "--map"
        raise click.UsageError(f"`{option}` says how weights are loaded; name them with `--weights FILE`")
    given: dict[str, Any] = {"weights": weights, "map": key_map, "transfer": transfer or None}
    how = {name: value for name, value in given.items() if value is not None}
    source = options.source(spec)
    with progress(steps=3 + (2 if output else 1 if how else 0)) as step:
        step("compiling")
        resolved = options.load(source, overrides, allow_outside)
        graph = archspec.compile(resolved, limits=limits)
        found = (*graph.warnings, *check_expectations(graph))
        if any(diagnostic.severity == "error" for diagnostic in found):
            raise SpecError(found)
        inputs = _files(resolved)
        _check_not_read(output, (weights, key_map))
        loaded = None
        with replacing(output, force=force, inputs=inputs) if output else contextlib.nullcontext() as temporary:
            _confirm(graph, flat, step)
            if output or how:
                model, loaded = _model(graph, how, seed, flat, step)
            if output and temporary:
                _save(model, graph, to_yaml(standalone(resolved)), output, temporary, step)
    found += tuple(map(_of_this_command, loaded.remarks)) if loaded else ()
    costs = report(graph, lengths=False)
    if form == "json":
        put_json(build_json(graph, costs, spec, output, loaded, found))
        return 0
    options.show(found)
    put_report(costs)
    if loaded:
        put_loaded(loaded)
    safe = Terminal.of(sys.stdout).safe
    if output:
        size, kind = short(output.stat().st_size), "" if how else "initialised "
        put(safe(f"Saved {output}: {size}B of {kind}weights, with the spec in their metadata."))
    how |= {"seed": seed} if how and seed is not None else {}
    put(safe(_next(graph, spec, overrides, allow_outside, limits, how, output)))
    return 0


def _of_this_command(remark: Diagnostic) -> Diagnostic:
    """A remark on weights, which says what to do in Python, with what holds here."""
    if remark.code != "W821" or "dtype=" not in remark.message:
        return remark
    help = "the command always makes torch.float32; `dtype` is an argument of `archspec.build` in Python"
    return replace(remark, help=help)


def _files(spec: Spec) -> set[str]:
    """The paths of the files that the spec was read from."""
    documents = (spec.document, *spec.imported)
    sources = {place.value.source for document in documents for place in document.places.values()}
    return {source.path for source in sources if source.path}


def _check_not_read(output: Path | None, files: Iterable[str | None]) -> None:
    """Refuse to write over the weights, or the map, that are read."""
    for name in files:
        try:
            same = output is not None and name is not None and output.samefile(name)
        except (OSError, ValueError):  # one of them is not there
            continue
        if output is not None and same:
            raise unwritable(output, "it is what the weights are read from")


def _confirm(graph: Graph, flat: bool, step: Step) -> None:
    """Build on the meta device, lint, and compare every shape.

    Raises:
        EnvironmentFault: torch is missing.
        SpecError: E704, torch computes another shape.
    """
    step("building with torch")
    stand_somewhere()
    model = archspec.build(graph, device="meta", flat=flat)
    from archspec.testing.against_torch import compare_shapes, lint

    step(f"confirming the shapes of {counted(len(graph.nodes), 'node')}")
    lint(model)
    faults = compare_shapes(graph)
    if faults:
        raise SpecError(faults)


def _model(
    graph: Graph, how: dict[str, Any], seed: int | None, flat: bool, step: Step
) -> tuple[fx.GraphModule, Loaded | None]:
    """The model, with weights loaded as ``how`` says or initialised, and what became of those that were loaded."""
    step("loading weights" if how else "initialising weights")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what is warned about is in the record, as diagnostics
        model = archspec.build(graph, seed=seed, flat=flat, **how)
    return model, model.meta.get("weights")


def _save(model: fx.GraphModule, graph: Graph, text: str, output: Path, temporary: Path, step: Step) -> None:
    """Write the model's weights, and the spec's ``text``, to ``temporary``, which becomes ``output``."""
    from archspec import weights

    step(f"writing {output.name}")
    try:
        weights.save(model, graph, text, str(temporary))
    except ImportError as error:
        help = "pip install 'archspec-compiler[torch]'"
        message = f"saving weights needs safetensors, which cannot be imported ({error})"
        raise EnvironmentFault(Diagnostic("E809", message, help=help)) from None
    except Exception as error:
        if type(error).__name__ != "SafetensorError":  # how safetensors, written in Rust, reports a full disk
            raise
        raise unwritable(output, error) from None


# -- what comes next --------------------------------------------------------------------------------------------------


def _next(
    graph: Graph,
    spec: str,
    overrides: tuple[str, ...],
    allow_outside: bool,
    limits: Limits,
    how: dict[str, Any],
    output: Path | None,
) -> str:
    """What leads on from here: the call that gives this model, or the command that saves its weights."""
    if output or how:
        call = _python(spec, overrides, allow_outside, {"weights": str(output)} if output else how)
        return f"Next: `{call}` gives the model with them."
    changes = _options(overrides, allow_outside, limits)
    again = shlex.join(["archspec", "build", spec, *changes, "-o", f"{graph.name}{SUFFIX}"])
    return f"Next: `{again}` saves initialised weights."


def _python(spec: str, overrides: tuple[str, ...], allow_outside: bool, how: dict[str, Any]) -> str:
    """The call that gives the model with the weights that ``how`` names."""
    written = repr("SPEC.yaml" if spec == options.STDIN else spec)
    changed = {"overrides": list(overrides), "allow_outside": allow_outside}
    changes = "".join(f", {name}={value!r}" for name, value in changed.items() if value)
    arguments = "".join(f", {name}={value!r}" for name, value in how.items())
    return f"archspec.build({f'archspec.load({written}{changes})' if changes else written}{arguments})"


def _options(overrides: tuple[str, ...], allow_outside: bool, limits: Limits) -> list[str]:
    """The options that change which spec is compiled, as words of a command."""
    words = [word for setting in overrides for word in ("--set", setting)]
    words += ["--allow-outside"] if allow_outside else []
    for name in options.LIMITS:
        if getattr(limits, name) != getattr(Limits(), name):
            words += ["--limit", f"{name}={getattr(limits, name)}"]
    return words
