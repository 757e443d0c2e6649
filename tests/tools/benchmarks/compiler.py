"""What the compiler costs, against torch and torchvision."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

import archspec
from tests.support.paths import SPECS
from tests.support.reference import torchvision_model
from tests.tools.benchmarks.measure import Case, Timed, timed

TEXT = (SPECS / "resnet50.yaml").read_text(encoding="utf-8")
COMMAND = Path(sys.executable).with_name("archspec")


def cases() -> Iterator[Case]:
    """Every ratio that the compiler has to reach."""
    meta = "`torchvision.models.resnet50()` on the meta device"
    yield Case(
        "check", "`archspec check specs/resnet50.yaml`, whole process", "a process that does `import torch`", 0.2,
        check_process, torch_process,
    )  # fmt: skip
    yield Case("lower", "load, validate and lower resnet50, warm", meta, 0.25, compile_text, torchvision_on("meta"))
    yield Case(
        "meta", '`archspec.build("resnet50", device="meta")`', meta, 0.9, build_on("meta"), torchvision_on("meta")
    )
    yield Case(
        "build", '`archspec.build("resnet50")`, initialized', "`torchvision.models.resnet50()`", 1.0,
        build_on("cpu"), torchvision_on("cpu"),
    )  # fmt: skip
    yield Case(
        "depth", "lowering 10,000 blocks, time a block", "lowering 100 blocks, time a block", 1.5,
        lowering(10_000), lowering(100),
    )  # fmt: skip


def changed(number: int) -> str:
    """ResNet-50's spec, as no other round reads it."""
    return f"{TEXT}# round {number}\n"


@contextmanager
def spec_file(number: int) -> Iterator[Path]:
    """A file of ResNet-50's spec, as no other round reads it."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "resnet50.yaml")
        spec.write_text(changed(number), encoding="utf-8")
        yield spec


def process(*words: str | Path) -> float:
    """How long a whole process takes.

    It may keep its bytecode, as on a user's machine; else a checkout would be compiled anew each time, and the packages
    that it is compared with, whose bytecode pip has written, would not.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return timed(lambda: subprocess.run(words, check=True, capture_output=True, env=environment))


def check_process(number: int) -> float:
    with spec_file(number) as spec:
        return process(COMMAND, "check", spec)


def torch_process(number: int) -> float:
    return process(sys.executable, "-c", "import torch")


def compile_text(number: int) -> float:
    text = changed(number)
    return timed(lambda: archspec.compile(text))


def build_on(device: str) -> Timed:
    def take(number: int) -> float:
        text = changed(number)
        return timed(lambda: archspec.build(text, device=device))

    return take


def torchvision_on(device: str) -> Timed:
    def take(number: int) -> float:
        with torch.device(device):
            return timed(lambda: torchvision_model("resnet50"))

    return take


def repeated(count: int, number: int) -> str:
    """A residual network of ``count`` equal blocks, as no other round reads it."""
    return f"""
archspec: 1
name: deep
input: [3, 32, 32]
classes: 10
stem: cifar
stages: {{block: basic, count: {count}, channels: 16}}  # round {number}
"""


def lowering(count: int) -> Timed:
    """The time that lowering takes for each block of a residual network of ``count`` blocks."""

    def take(number: int) -> float:
        spec = archspec.load(repeated(count, number))
        return timed(lambda: archspec.compile(spec)) / count

    return take
