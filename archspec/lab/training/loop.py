"""The loop: from a model and data to a trained model and its history."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from archspec import arguments
from archspec.diagnostics import Diagnostic, SpecError
from archspec.lab.data.split import Data
from archspec.lab.seeding import seeded
from archspec.lab.training.evaluation import device_of
from archspec.lab.training.history import History, Progress
from archspec.lab.training.processes import Processes
from archspec.lab.training.settings import Settings
from archspec.lab.training.state import Training

SETTINGS = Settings()


def train(
    model: nn.Module,
    data: Data,
    settings: Settings = SETTINGS,
    *,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> History:
    """Train a model in place, on the device where it is.

    Under ``torchrun`` every process calls this with the same arguments; each computes its part of every batch, and the
    first writes the checkpoint. torch's global generators are left as they were.

    Args:
        model: images (N, C, H, W) to logits (N, classes), or in training mode to several of these, the main ones first.
        data: the images.
        settings: how to train.
        seed: decides the order of the images, how they are varied, and what dropout leaves out. The initial weights are
            those that the model has.
        checkpoint: a file, written after each epoch, that this training continues from if it exists: the final weights
            are then the same, bit for bit, as without the interruption.
        checkpoint_every: steps between two checkpoints, in addition to the ends of epochs.
        progress: is called after each step, or on an accelerator after some, and after each epoch.

    Raises:
        Diverged: E865, the loss is not finite; nothing is written after that step.
        SpecError: E866, the checkpoint is damaged; E867, it is of another training; E869, the batch does not fit the
            data or the processes, the device lacks the precision, all is frozen, or an auxiliary loss has no weight.
        EnvironmentFault: E806, the checkpoint cannot be written; the one before is kept.
        TypeError, ValueError: an argument of the wrong type or out of range.

    >>> import archspec
    >>> from archspec.lab.data import load_data
    >>> from archspec.lab.training import Settings, for_data, train
    >>> data = load_data("synthetic", size=8)
    >>> model = archspec.build(for_data("resnet20_cifar", data, overrides={"params.width": 2}), seed=0)
    >>> history = train(model, data, Settings(epochs=1))
    >>> len(history.epochs), history.final.loss > 0
    (1, True)
    """
    _check_kinds(model, data, settings)
    seed = arguments.whole(seed, "seed", 0, 2**63 - 1)
    path = None if checkpoint is None else Path(arguments.path(checkpoint, "checkpoint"))
    every = None if checkpoint_every is None else arguments.whole(checkpoint_every, "checkpoint_every", 1)
    if progress is not None:
        arguments.function(progress, "progress", "a function of a Progress, or None")
    device = _device(model, settings)
    was_training, devices = model.training, [device] if device.type == "cuda" else []
    with Processes.joined(device) as processes, torch.random.fork_rng(devices):
        refuse_batch(settings.batch, data)
        _refuse_uneven(settings.batch, processes)
        torch.manual_seed(seeded(seed, processes.rank, "layers"))
        run = Training(model, data, settings, seed, device, processes, progress)
        resumed_at = run.resume(path) if path else 0
        while run.step < run.steps:
            run.one_epoch(path, every)
    model.train(was_training)
    return History(tuple(run.epochs), resumed_at)


def _check_kinds(model: nn.Module, data: Data, settings: Settings) -> None:
    arguments.instance(model, "model", nn.Module, "a model of torch")
    arguments.instance(data, "data", Data, "the data that `load_data` gives")
    arguments.instance(settings, "settings", Settings, "`Settings(...)`")
    _refuse_frozen(model)


def _refuse_frozen(model: nn.Module) -> None:
    parameters = [*model.parameters()]
    if parameters and not any(each.requires_grad for each in parameters):
        message = "every parameter of the model is frozen, so nothing is left to train"
        raise SpecError([Diagnostic("E869", message, help="take a part out of `frozen`, such as `head`")])


def refuse_batch(batch: int, data: Data) -> None:
    """Refuse a batch that is larger than the training set.

    Raises:
        SpecError: E869, it is.
    """
    if batch > (number := len(data.train)):
        message, help = f"a batch of {batch} is larger than the {number} images to train with", "use a smaller batch"
        raise SpecError([Diagnostic("E869", message, help=help)])


def _refuse_uneven(batch: int, processes: Processes) -> None:
    if batch % processes.world:
        message = f"a batch of {batch} does not divide among {processes.world} processes"
        raise SpecError([Diagnostic("E869", message, help="use a batch that is a multiple of the number of processes")])


def _device(model: nn.Module, settings: Settings) -> torch.device:
    """The device of a model, if it can train there."""
    device = device_of(model)
    if device.type == "meta":
        raise ValueError("`model` is on the meta device, which holds no values; build it on another device")
    _refuse_precision(settings, device)
    return device


def _refuse_precision(settings: Settings, device: torch.device) -> None:
    precision = settings.precision
    if precision == "float16" and device.type != "cuda":
        can = False
    else:
        can = precision != "bfloat16" or device.type != "cuda" or torch.cuda.is_bf16_supported()
    if not can:
        message = f"the device `{device}` does not compute in {precision} with mixed precision"
        raise SpecError([Diagnostic("E869", message, help="use float32, or another device")])
