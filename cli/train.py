"""``archspec train``: train a network on labeled images, from initial or given weights, and save it."""

from __future__ import annotations

import shlex
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import archspec
from archspec.diagnostics import Diagnostic, EnvironmentFault, cut
from archspec.files import refuse_target
from archspec.graph.graph import Graph
from archspec.import_path import torch_needed

from . import options
from .attempt import demand
from .interrupts import resumable
from .loading import Loading
from .loading import loading as weights_options
from .progress import leave_lost_folder
from .render import Terminal
from .streams import put, put_json
from .train_options import Trainer, trainer
from .train_text import put_end, put_start, telling, train_json

if TYPE_CHECKING:
    from torch import nn

    from archspec.lab.data import Data
    from archspec.lab.training import Settings
    from archspec.weights import Loaded

SUFFIX = ".safetensors"


class TrainingFiles(NamedTuple):
    """The files of a training: the weights to write, whether to replace them, the checkpoint, and whether to resume."""

    output: Path | None
    force: bool
    checkpoint: Path | None
    resume: bool


class Subject(NamedTuple):
    """What is trained, on what, the diagnostics about it, and which weights it begins from."""

    graph: Graph
    data: Data
    model: nn.Module
    found: tuple[Diagnostic, ...]
    loaded: Loaded | None


@click.command("train", cls=options.SpecCommand)
@options.spec
@click.option(
    "--data",
    default="digits",
    show_default=True,
    metavar="NAME",
    help="`digits`, `mnist5k`, `cifar10[:FOLDER]`, `cifar100[:FOLDER]`, `folder:PATH` with a folder of images for each "
    "class, or `synthetic`.",
)
@click.option("--size", type=click.IntRange(1, 4096), metavar="N", help="Resize the images to NxN.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, readable=False),  # for completion; `replacing` checks it
    metavar=f"FILE{SUFFIX}",
    help="Save the trained weights, with the spec, in this file.",
)
@click.option("--force", is_flag=True, help="Replace the output file if it exists.")
@trainer
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="After each epoch, save the state of the training to this file, to continue from it.",
)
@click.option("--resume", is_flag=True, help="Continue from the checkpoint, if its file exists.")
@options.reading
@weights_options
@options.seed(0, "The seed for the initial weights, the order of the images, and random layers.")
@options.form("text", "json")
def command(
    spec: str,
    data: str,
    size: int | None,
    output: Path | None,
    force: bool,
    trainer: Trainer,
    checkpoint: Path | None,
    resume: bool,
    reading: options.Reading,
    loading: Loading,
    seed: int,
    form: str,
) -> int:
    """Train a network, and save its weights with -o.

    The command sets the input and the classes of the spec to those of the data. After each epoch, it prints the loss
    and the accuracy on the training and the test images. With --weights, training begins with these weights;
    --transfer allows other classes and channels.

    With --checkpoint FILE --resume, an interrupted training continues, and ends with the same weights, bit for bit.
    Under `torchrun`, each process computes its part of each batch.

    \b
    Examples:
      archspec train resnet20_cifar --set params.width=4 --epochs 2 -o digits.safetensors
      archspec train resnet20_cifar --epochs 1 --checkpoint last.checkpoint --resume
      archspec train resnet50 --data synthetic --epochs 1 --lr 0.01 --weights resnet50.pth --transfer
    """
    files = TrainingFiles(output, force, checkpoint, resume)
    _check(files)
    leave_lost_folder()
    with torch_needed():
        from archspec.lab import training  # it imports torch
        from archspec.lab.training.processes import Processes, leave  # likewise
    settings, here = trainer.settings(), Processes.started()
    device = training.choose_device(trainer.device, here.local)
    subject = _prepare(spec, data, size, reading, loading, files, settings, {"device": device, "seed": seed})
    if here.first and form == "text":
        put_start(subject.graph, subject.data, device, subject.found, subject.loaded)
    try:
        with resumable(lambda: _advice(files)), telling(form, here.first) as tell:
            about: dict[str, Any] = {"seed": seed, "checkpoint": checkpoint, "progress": tell}
            history = training.train(subject.model, subject.data, settings, **about)
    finally:
        leave()
    if not here.first:
        return 0
    if output:
        archspec.save(subject.model, subject.graph, output, force=force)
    if form == "json":
        more = {"seed": seed, "device": device, "saved": output and str(output)}
        put_json(train_json(spec, subject.graph, subject.data, settings, history, subject.found, **more))
        return 0
    put_end(history, output)
    put(Terminal.of(sys.stdout).safe(_next(spec, subject, reading, output)))
    return 0


def _advice(files: TrainingFiles) -> str:
    """How to go on after an interrupt."""
    if files.checkpoint and files.checkpoint.exists():
        again = "again" if files.resume else "with `--resume`"
        return (
            f"run the same command {again}; `{cut(files.checkpoint)}` has the training up to its last complete epoch."
        )
    if files.checkpoint:
        return "run the same command again; no epoch was complete, so it starts over."
    return "nothing was saved; with `--checkpoint FILE --resume`, the same command continues where it stopped."


def _check(files: TrainingFiles) -> None:
    """Refuse files that the command cannot write, before the work."""
    if files.output and files.output.suffix != SUFFIX:
        raise click.UsageError(f"`-o` takes the name of a {SUFFIX} file, not `{cut(files.output)}`")
    if files.resume and not files.checkpoint:
        raise click.UsageError("`--resume` needs a file to continue from; name it with `--checkpoint FILE`")
    if files.checkpoint and files.checkpoint.exists() and not files.resume:
        help = "add --resume to continue from it, or name another file"
        raise EnvironmentFault(Diagnostic("E805", f"`{cut(files.checkpoint)}` already exists", help=help))


def _prepare(
    spec: str,
    data: str,
    size: int | None,
    reading: options.Reading,
    loading: Loading,
    files: TrainingFiles,
    settings: Settings,
    how: dict[str, Any],
) -> Subject:
    """The data, the network for it, and its model."""
    from archspec.lab.data import load_data  # it imports torch
    from archspec.lab.training import for_data  # likewise
    from archspec.lab.training.auxiliary import refuse_auxiliary  # likewise
    from archspec.weights.saving import writer  # likewise

    if how["device"] == "meta":
        raise click.UsageError("`--device` takes a device that computes, and `meta` only has shapes")
    images = load_data(data, size=size)
    about: dict[str, Any] = {"overrides": reading.settings, "allow_outside": reading.allow_outside}
    graph = demand(spec, lambda: for_data(options.source(spec), images, limits=reading.limits, **about))
    demand(spec, lambda: refuse_auxiliary(graph, settings.auxiliary))
    if settings.auxiliary is not None and not graph.training:
        message = f"`--auxiliary` has no effect on `{cut(graph.name)}`, which returns no value in training only"
        raise click.UsageError(f"{message}; leave it out")
    kept = {"inputs": graph.files, "weights": loading.files}
    if files.output:
        refuse_target(files.output, force=files.force, **kept)
        writer()
    if files.checkpoint:
        refuse_target(files.checkpoint, force=True, **kept)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the record of the weights has them as diagnostics
        try:
            model = archspec.build(graph, **how, **loading.with_map(graph, files.force))
        except ValueError as error:  # a device that this machine does not have
            reason = str(error).partition(", got ")[0].replace("`device`", "`--device`")
            raise click.UsageError(f"{reason}, and not `{cut(how['device'])}`") from None
    loaded = model.meta.get("weights")
    return Subject(graph, images, model, (*graph.warnings, *(loaded.remarks if loaded else ())), loaded)


def _next(spec: str, subject: Subject, reading: options.Reading, output: Path | None) -> str:
    """The next step: how to use what was written, or to write it."""
    settings = [*reading.overrides, f"input={list(subject.graph.input)}", f"classes={len(subject.data.classes)}"]
    if output:
        words = ["archspec", "build", spec, *(word for each in settings for word in ("--set", each))]
        words += ["--allow-outside"] if reading.allow_outside else []
        return f"Next: `{shlex.join([*words, '--weights', str(output)])}` builds the trained network."
    return "Next: add `-o FILE.safetensors` to the command to save the trained weights."
