"""A training under way: its state, a step, an epoch, and what a checkpoint has of it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archspec.lab.data.augment import change_of
from archspec.lab.data.split import Data
from archspec.lab.training.auxiliary import Objective
from archspec.lab.training.checkpoint import network_hash, read_checkpoint, unreadable, write_checkpoint
from archspec.lab.training.divergence import Diverged
from archspec.lab.training.evaluation import sums
from archspec.lab.training.history import Epoch, Progress
from archspec.lab.training.optimizer import optimizer
from archspec.lab.training.order import order
from archspec.lab.training.processes import Processes
from archspec.lab.training.schedule import rate
from archspec.lab.training.settings import Settings

RESIDENT = 2 * 2**30
"""Bytes of images that are kept on the device. More are copied batch by batch."""

READ_EVERY = 16
"""Steps between two looks at the losses on an accelerator, which would otherwise wait for each step."""


class Training:
    """A training. ``step`` steps of ``steps`` are done, and ``epochs`` are those that have ended."""

    def __init__(
        self,
        model: nn.Module,
        data: Data,
        settings: Settings,
        seed: int,
        device: torch.device,
        processes: Processes,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.bare, self.data, self.settings, self.seed = model, data, settings, seed
        self.device, self.processes, self.progress = device, processes, progress
        self.per_epoch = len(data.train) // settings.batch
        self.steps = self.per_epoch * settings.epochs
        images, labels = data.train.images, data.train.labels
        fits = images.numel() * images.element_size() <= RESIDENT
        self.images, self.labels = (each.to(device) if fits else each for each in (images, labels))
        self.read_every = 1 if device.type == "cpu" else READ_EVERY
        self.identity: dict[str, Any] = {
            **settings.as_data(),
            "seed": seed,
            "processes": processes.world,
            "data": data.fingerprint,
            "network": network_hash(model),
        }
        self.objective = Objective(model, settings.auxiliary)
        model.train()
        part = slice(processes.rank, settings.batch, processes.world)
        first = [each[part].to(device) for each in (images, labels)]
        self.model = processes.wrapped(model, first[0], first[1], self.objective)
        self.optimizer = optimizer(model, settings)
        self.scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "float16")
        self.step, self.epochs = 0, list[Epoch]()
        self.loss, self.right, self.spent = 0.0, 0.0, 0.0  # sums over the steps of this epoch
        self.pending: list[Tensor] = []
        self.began, self.first = time.perf_counter(), 0

    # -- steps -------------------------------------------------------------------------------------------------------

    def one_epoch(self, path: Path | None, every: int | None) -> None:
        """Train to the end of the epoch, and test.

        Args:
            path: the checkpoint to write, if any.
            every: steps between two checkpoints within the epoch.
        """
        epoch, settings, begun = self.step // self.per_epoch, self.settings, time.perf_counter() - self.spent
        positions = order(self.seed, epoch, len(self.data.train)).to(self.images.device)
        change = change_of(self.data.augment, self.seed, epoch, len(self.data.train))
        rank, world, batch = self.processes.rank, self.processes.world, settings.batch
        self.bare.train()
        for number in range(self.step % self.per_epoch, self.per_epoch):
            chosen = positions[number * batch : (number + 1) * batch][rank::world]
            images, labels = self.images[chosen], self.labels[chosen]
            images = change(images, chosen) if change else images
            lr = rate(settings, self.step, self.steps, self.per_epoch)
            self._update(images.to(self.device), labels.to(self.device), lr)
            self.step += 1
            last = number == self.per_epoch - 1
            saves = bool(path and every and self.step % every == 0 and not last)
            if last or saves or self.step % self.read_every == 0:
                self._read()
                self._tell(lr)
            self.spent = time.perf_counter() - begun
            if path and saves:
                self._save(path)
        self._end(begun, lr)
        if path:
            self._save(path)

    def _update(self, images: Tensor, labels: Tensor, lr: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        with self._precision():
            output, loss = self.objective(self.model(images), labels)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        with torch.no_grad():
            self.pending.append(torch.stack([loss.detach().float(), (output.argmax(1) == labels).sum().float()]))

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.settings.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.settings.precision))

    def _read(self) -> None:
        """Add the losses of the steps since the last look to the sums.

        Raises:
            Diverged: one of them is not finite.
        """
        found = self.processes.total(torch.stack(self.pending).cpu().double(), self.device).tolist()
        first = self.step - len(self.pending) + 1
        self.pending = []
        for number, (loss, right) in enumerate(found, first):
            if not math.isfinite(loss):
                raise Diverged(number, (number - 1) // self.per_epoch + 1)
            self.loss += loss / self.processes.world
            self.right += right

    def _end(self, begun: float, lr: float) -> None:
        """Test, and close the epoch."""
        self.processes.share_buffers(self.bare)
        part = sums(self.bare, self.data.test, self.processes.rank, self.processes.world)
        loss, right = self.processes.total(part, self.device).tolist()
        number, seconds = len(self.data.test), time.perf_counter() - begun
        mean, share = self._means(self.per_epoch)
        self.epochs.append(Epoch(mean, share, loss / number, right / number, seconds))
        self._tell(lr, self.epochs[-1])
        self.loss, self.right, self.spent = 0.0, 0.0, 0.0

    def _means(self, steps: int) -> tuple[float, float]:
        return self.loss / steps, self.right / (steps * self.settings.batch)

    def _tell(self, lr: float, ended: Epoch | None = None) -> None:
        if not self.progress:
            return
        passed = time.perf_counter() - self.began
        left = passed / max(1, self.step - self.first) * (self.steps - self.step)
        epoch = (self.step - 1) // self.per_epoch
        means = self._means(self.step - epoch * self.per_epoch)
        self.progress(Progress(self.step, self.steps, epoch + 1, self.settings.epochs, *means, lr, passed, left, ended))

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def _save(self, path: Path) -> None:
        generators = [torch.get_rng_state()]
        generators += [torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else []
        everyones = self.processes.everyones(generators)
        if self.processes.first:
            state = {
                "model": self.bare.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "step": self.step,
                "sums": [self.loss, self.right, self.spent],
                "epochs": [list(each.as_data().values()) for each in self.epochs],
                "generators": everyones,
            }
            write_checkpoint(path, self.identity, state)

    def resume(self, path: Path) -> int:
        """Continue from a checkpoint, if its file exists. Returns its step, or 0."""
        state = read_checkpoint(path, self.identity)
        if state is None:
            return 0
        try:
            self.bare.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scaler.load_state_dict(state["scaler"])
            self.step = self.first = state["step"]
            self.loss, self.right, self.spent = state["sums"]
            self.epochs = [Epoch(*each) for each in state["epochs"]]
            generators = state["generators"][self.processes.rank]
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            raise unreadable(path, f"its content does not fit ({type(error).__name__})") from None
        torch.set_rng_state(generators[0])
        if self.device.type == "cuda" and len(generators) > 1:
            torch.cuda.set_rng_state(generators[1], self.device)
        return self.step
