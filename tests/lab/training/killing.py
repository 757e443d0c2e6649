"""`python -m tests.lab.training.killing FOLDER WORLD CASE STEP...`: what is left of a training that is killed.

Each process kills itself with SIGKILL as it begins the given step, and the training is then started again. Prints the
hash of the final weights for a training that nobody kills, and for each STEP.
Everything runs in children of this process, so that torch is imported once.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

import archspec
from archspec.lab.data import load_data
from archspec.lab.training import Settings, for_data, train
from archspec.lab.training.checkpoint import read_checkpoint, write_checkpoint
from archspec.lab.training.optimizer import optimizer

DATA = replace(load_data("synthetic", size=8), augment="crop-flip")
STEPS = Settings(epochs=2, warmup=0.5, schedule="steps", lr=0.02)
ADAMW = Settings(epochs=2, optimizer="adamw", lr=0.01, weight_decay=0.1, decay_norms=False)
DROPOUT = "[pool: {type: avg, output: 1}, flatten, dropout: {p: 0.4}, linear: {out: classes}]"

SIDE = "[pool: {type: avg, output: 1, from: layer1}, flatten, linear: {out: classes}]"
GROUP = "norm={type: group, groups: 2}"
HEADS = (f"heads={{side: {SIDE}}}", "head=classifier", "outputs=[head, {training: side}]")


class Case(NamedTuple):
    """What is trained, and how."""

    settings: Settings
    overrides: tuple[str, ...]

    def network(self) -> nn.Module:
        """A small network."""
        texts = ["params.width=4", "stages.count=1", *self.overrides]
        return archspec.build(for_data("resnet20_cifar", DATA, overrides=texts), seed=0)


CASES = {
    "batch": Case(STEPS, ("drop_path=0.3",)),
    "group": Case(STEPS, (GROUP,)),
    "auxiliary": Case(replace(STEPS, auxiliary=0.3), (GROUP, *HEADS)),
    "adamw": Case(ADAMW, ("drop_path=0.3", f"head={DROPOUT}")),
}
"""Both optimizers, two schedules, an auxiliary loss, and layers that draw; all vary their images at random."""


def work(checkpoint: Path, result: Path, case: Case, die_at: int | None) -> None:
    """Train, and leave the weights in a file; or die."""
    torch.set_num_threads(1)
    model = case.network()
    begun = 0

    def count(module: nn.Module, given: object) -> None:
        nonlocal begun
        begun += module.training
        if begun == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    model.register_forward_pre_hook(count)
    train(model, DATA, case.settings, checkpoint=checkpoint, checkpoint_every=3)
    if os.environ.get("RANK", "0") == "0":
        torch.save(model.state_dict(), result)


def start(world: int, *how: object) -> list[int]:
    """Run :func:`work` in some processes that know each other, and return how each ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(world):
        if not (child := os.fork()):
            names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "MASTER_PORT": port}
            os.environ.update({name: str(value) for name, value in names.items()}, MASTER_ADDR="127.0.0.1")
            code = 1
            try:
                work(*how)  # type: ignore[arg-type]  # passed on as given
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def digest(path: Path) -> str:
    state = torch.load(path, weights_only=True)
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in state.values())).hexdigest()


def endings(folder: Path, world: int, case: Case, steps: list[int]) -> Iterator[str]:
    for die_at in (None, *steps):
        checkpoint, result = folder / f"{world}-{die_at}", folder / f"{world}-{die_at}.pt"
        if die_at is not None:
            ended = start(world, checkpoint, result, case, die_at)
            assert ended == [-signal.SIGKILL] * world, ended
        ended = start(world, checkpoint, result, case, None)
        assert ended == [0] * world, ended
        yield digest(result)


def warm(folder: Path, case: Case) -> None:
    """Import what torch imports at first use. Nothing computes a gradient: its threads do not survive a fork."""
    torch.set_num_threads(1)
    model = case.network()
    optimizer(model, case.settings).step()
    write_checkpoint(folder / "warm", {}, {"model": model.state_dict()})
    read_checkpoint(folder / "warm", {})


if __name__ == "__main__":
    warm(Path(sys.argv[1]), CASES[sys.argv[3]])
    for line in endings(Path(sys.argv[1]), int(sys.argv[2]), CASES[sys.argv[3]], [int(step) for step in sys.argv[4:]]):
        print(line, flush=True)
