"""What the zoo and its proofs cost."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator

import torch
from torch import fx, nn

import archspec
from archspec.emit.figure import figure
from archspec.language.text.locate import read_zoo, zoo_names
from tests.support.paths import SPECS
from tests.support.reference import torchvision_model
from tests.tools.benchmarks.compiler import COMMAND, changed, process, torch_process
from tests.tools.benchmarks.measure import Case, timed


def cases() -> Iterator[Case]:
    """Every ratio that the zoo has to reach."""
    yield Case(
        "check-zoo", "`archspec check specs/`, whole process, time a spec",
        "a process that does `import torch`", 0.004, check_zoo, torch_process,
    )  # fmt: skip
    yield Case(
        "verify", "`archspec.verify` of resnet50 against torchvision's, all levels, batch 2",
        "building both, tracing the reference, and running each in eval mode, in training and backward", 1.3,
        verify, by_hand, rounds=5,
    )  # fmt: skip
    yield Case("draw-zoo", "a figure of every spec of the zoo", "compiling every spec", 1.0, draw_zoo, compile_zoo)
    yield Case(
        "draw-slowest",
        "the slowest figure of the zoo, in processor time",
        "20 ms",
        1.0,
        slowest_figure,
        lambda number: 0.02,
    )


@functools.cache
def networks() -> tuple[archspec.Graph, ...]:
    return tuple(map(archspec.compile, zoo_names()))


def draw_zoo(number: int) -> float:
    graphs = networks()
    return timed(lambda: [figure(graph) for graph in graphs])


def compile_zoo(number: int) -> float:
    texts = [read_zoo(name).text for name in zoo_names()]
    return timed(lambda: [archspec.compile(f"{text}# round {number}\n") for text in texts])


def slowest_figure(number: int) -> float:
    """In processor time."""
    return max(min(_seconds(graph) for _ in range(3)) for graph in networks())


def _seconds(graph: archspec.Graph) -> float:
    before = time.process_time()
    figure(graph)
    return time.process_time() - before


def check_zoo(number: int) -> float:
    return process(COMMAND, "check", SPECS) / len(zoo_names())


def verify(number: int) -> float:
    text = changed(number)
    return timed(lambda: archspec.verify(text, "torchvision:resnet50"))


def by_hand(number: int) -> float:
    """What anybody has to do who compares two networks."""
    text = changed(number)
    example = torch.randn(2, 3, 224, 224)

    def work() -> None:
        networks: tuple[nn.Module, nn.Module] = archspec.build(text), torchvision_model("resnet50")
        fx.symbolic_trace(networks[1])
        for network in networks:
            with torch.no_grad():
                network.eval()(example)
            network.train()(example).sum().backward()

    return timed(work)
