"""What the analysis costs, against the tools that people count with today."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from functools import cache

import torch

import archspec
from tests.support.reference import torchvision_model
from tests.tools.benchmarks.compiler import COMMAND, changed, process, repeated, spec_file
from tests.tools.benchmarks.measure import Case, Timed, timed

SUMMARY = """
import torchinfo
from tests.support.reference import torchvision_model
print(torchinfo.summary(torchvision_model("resnet50"), (1, 3, 224, 224), verbose=0))
"""

DEEP = """
archspec: 1
name: resnet1202_cifar
extends: resnet56_cifar
stages: {{count: 200}}  # round {number}
"""


def cases() -> Iterator[Case]:
    """Every ratio that the analysis has to reach."""
    yield Case(
        "analyze", "`archspec analyze specs/resnet50.yaml`, whole process",
        "a script that prints torchinfo's summary of torchvision's resnet50", 0.12, analyze_process, torchinfo_process,
    )  # fmt: skip
    yield Case(
        "report", "`archspec.analyze` of resnet50 from its text, warm, ten in a row",
        "`fvcore.nn.FlopCountAnalysis(model, x).total()` on a built model", 0.02, analyze_text, fvcore_total,
    )  # fmt: skip
    yield Case(
        "report-1202", "the same at 1,202 layers (CIFAR, option A)", "torchinfo's summary of the built model", 0.1,
        analyze_deep, torchinfo_deep,
    )  # fmt: skip
    yield Case(
        "report-depth", "report on 10,000 blocks without distributions, time a block",
        "report on 100 blocks, time a block", 2.0, report_on(10_000), report_on(100),
    )  # fmt: skip
    yield Case(
        "signal", "`archspec.signal` of a compiled resnet110_cifar", "one pass forward and backward of the built model",
        0.1, signal_of("resnet110_cifar"), trained_once,
    )  # fmt: skip
    yield Case(
        "signal-depth", "signal of 1,000 blocks, time a block", "signal of 100 blocks, time a block", 2.0,
        signal_on(1000), signal_on(100),
    )  # fmt: skip


def analyze_process(number: int) -> float:
    with spec_file(number) as spec:
        return process(COMMAND, "analyze", spec)


def torchinfo_process(number: int) -> float:
    return process(sys.executable, "-c", SUMMARY)


def analyze_text(number: int) -> float:
    """The mean of ten different texts in a row: one alone is mostly the processor's caches, which the peer emptied."""
    texts = [changed(10 * number + i) for i in range(10)]
    return timed(lambda: [archspec.analyze(text) for text in texts]) / len(texts)


@cache
def built() -> torch.nn.Module:
    return torchvision_model("resnet50").eval()


def fvcore_total(number: int) -> float:
    from fvcore.nn import FlopCountAnalysis

    logging.getLogger("fvcore").setLevel(logging.ERROR)  # it lists the operations that it does not count
    x = torch.randn(1, 3, 224, 224)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return timed(lambda: FlopCountAnalysis(built(), x).total())


def analyze_deep(number: int) -> float:
    text = DEEP.format(number=number)
    return timed(lambda: archspec.analyze(text))


@cache
def deep() -> torch.nn.Module:
    return archspec.build(DEEP.format(number=0)).eval()


def torchinfo_deep(number: int) -> float:
    import torchinfo

    model = deep()
    return timed(lambda: torchinfo.summary(model, (1, 3, 32, 32), verbose=0))


def report_on(count: int) -> Timed:
    """The time that a report takes for each block of a residual network of ``count`` blocks, compiled before."""

    def take(number: int) -> float:
        graph = archspec.compile(repeated(count, number))
        return timed(lambda: archspec.analyze(graph, lengths=False)) / count

    return take


def signal_of(name: str) -> Timed:
    """The time that a prediction takes for a network that is compiled."""

    def take(number: int) -> float:
        graph = archspec.compile(name)
        return timed(lambda: archspec.signal(graph))

    return take


@cache
def deep_110() -> torch.nn.Module:
    return archspec.build("resnet110_cifar").train()


def trained_once(number: int) -> float:
    model, images = deep_110(), torch.randn(2, 3, 32, 32)
    return timed(lambda: model(images).sum().backward())


def signal_on(count: int) -> Timed:
    """The time that a prediction takes for each block of a residual network of ``count`` blocks, compiled before."""

    def take(number: int) -> float:
        graph = archspec.compile(repeated(count, number))
        return timed(lambda: archspec.signal(graph)) / count

    return take
