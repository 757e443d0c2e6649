"""What the zoo and its proofs cost."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import fx, nn

import archspec
from tests.support.paths import SPECS
from tests.support.reference import torchvision_model
from tests.tools.benchmarks.compiler import COMMAND, changed, process, torch_process
from tests.tools.benchmarks.measure import Case, timed


def cases() -> Iterator[Case]:
    """Every ratio that the zoo has to reach."""
    yield Case(
        "check-zoo", "`archspec check specs/`, every spec of the zoo, whole process",
        "a process that does `import torch`", 1.0, check_zoo, torch_process,
    )  # fmt: skip
    yield Case(
        "verify", "`archspec.verify` of resnet50 against torchvision's, all levels, batch 2",
        "building both, tracing the reference, and running each in eval mode, in training and backward", 1.3,
        verify, by_hand, rounds=5,
    )  # fmt: skip


def check_zoo(number: int) -> float:
    return process(COMMAND, "check", SPECS)


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
