"""What writing a network as source and as ONNX costs."""

from __future__ import annotations

import contextlib
import functools
import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

import archspec
from archspec.emit.onnx import write_onnx
from tests.support.sources import executed, network_class
from tests.tools.benchmarks.compiler import COMMAND, process, torch_process
from tests.tools.benchmarks.measure import Case, timed


def cases() -> Iterator[Case]:
    """Every ratio that a target has to reach."""
    start = "a process that does `import torch`"
    yield Case("source", "`archspec build resnet152 -o resnet152.py`, whole process", start, 0.2, source, torch_process)
    yield Case(
        "source-forward", "one forward pass of resnet50 from its source, batch 1", "the built model",
        1.02, written_forward, built_forward, rounds=15,
    )  # fmt: skip
    yield Case(
        "onnx",
        "`archspec build resnet50 -o resnet50.onnx --weights FILE`, whole process",
        start,
        0.7,
        onnx,
        torch_process,
    )
    for case, name in (("onnx-export", "resnet50"), ("onnx-export-large", "vgg11_bn")):
        yield Case(
            case, f"{name} to a file of ONNX, in processor time", "`torch.onnx.export(dynamo=True)` and `save`", 0.1,
            functools.partial(directly, name), functools.partial(by_torch, name), rounds=3,
        )  # fmt: skip


def source(number: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return process(COMMAND, "build", "resnet152", "-o", Path(folder, "resnet152.py"))


@functools.cache
def weights() -> Path:
    path = Path(tempfile.mkdtemp(), "resnet50.safetensors")
    archspec.save(built(), archspec.compile("resnet50"), path)
    return path


def onnx(number: int) -> float:
    path = weights()
    with tempfile.TemporaryDirectory() as folder:
        return process(COMMAND, "build", "resnet50", "-o", Path(folder, "resnet50.onnx"), "--weights", path)


@functools.cache
def built(name: str = "resnet50") -> nn.Module:
    return archspec.build(name, seed=0).eval()


@functools.cache
def written() -> nn.Module:
    made = network_class(executed(archspec.source("resnet50")))().eval()
    made.load_state_dict(built().state_dict())
    return made


def written_forward(number: int) -> float:
    return _forward(written())


def built_forward(number: int) -> float:
    return _forward(built())


def _forward(model: nn.Module) -> float:
    images = torch.zeros(1, 3, 224, 224)
    with torch.no_grad():
        return timed(lambda: model(images), time.process_time)


def directly(name: str, number: int) -> float:
    graph = archspec.compile(name)
    state = {key: each.numpy() for key, each in built(name).state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        return timed(lambda: write_onnx(graph, state, Path(folder, "net.onnx")), time.process_time)


def by_torch(name: str, number: int) -> float:
    model, shapes = built(name), ({0: torch.export.Dim("batch")},)

    def export(path: Path) -> None:
        program = torch.onnx.export(model, (torch.zeros(2, 3, 224, 224),), dynamo=True, dynamic_shapes=shapes)
        assert program
        program.save(path, external_data=False)

    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        tempfile.TemporaryDirectory() as folder,
    ):
        return timed(lambda: export(Path(folder, "net.onnx")), time.process_time)
