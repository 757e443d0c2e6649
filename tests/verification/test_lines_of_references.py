"""What is wrong with a reference in a file of Python is said with the line of that file."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from archspec.diagnostics import Diagnostic, SpecError
from tests.support.equivalence import spec

SMALL = spec("""
    input: [3, 8, 8]
    classes: 5
    stem: [layer: {out: 4, kernel: 3}]
    stages: []
    head: classifier
    """)

FILE = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, groups: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.stem = Stem(groups, stride)

    def forward(self, x):
        return self.stem(x)


class Stem(nn.Sequential):
    def __init__(self, groups: int, stride: int) -> None:
        super().__init__(nn.Conv2d(3, 4, 3, stride, 1, 1, groups, bias=False), nn.BatchNorm2d(4), nn.ReLU())


class Choosing(Net):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return self.stem(x)


class Failing(Net):
    def forward(self, x):
        return self.stem(x[:, :2])


def forward(x, params):
    return x


two = 2
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "net.py"
    path.write_text(FILE, encoding="utf-8")
    return str(path)


def difference(reference: str, code: str) -> Diagnostic:
    found = archspec.verify(SMALL, reference, levels=("graph",))
    return next(each for each in found.diagnostics if each.code == code)


def refused(reference: str) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        archspec.verify(SMALL, reference)
    return caught.value.diagnostics[0]


def test_a_step_that_differs(file: str) -> None:
    assert (
        "there, `stem` is `Stem`, which is written at net.py, line 14"
        in difference(f"{file}:Net(stride=2)", "E906").notes
    )


def test_control_flow(file: str) -> None:
    assert difference(f"{file}:Choosing", "E907").message.endswith("(net.py, line 20)")


def test_outputs_are_not_offered_of_a_network_that_does_not_run(file: str) -> None:
    """Its keys are the spec's, so that weights can be paired."""
    graph = archspec.compile(
        spec("""
        input: [3, 8, 8]
        stem:
          - sequence: {name: stem, steps: [conv: {out: 4, kernel: 3, name: "0"}, norm: {name: "1"}, act: {name: "2"}]}
        stages: []
        head: []
        """)
    )
    found = archspec.verify(graph, f"{file}:Failing", levels=("keys", "graph"))
    told = {each.code: each for each in found.diagnostics}
    assert list(told) == ["E907"]
    assert "outputs" not in told["E907"].help
    running = archspec.verify(graph, f"{file}:Choosing", levels=("keys", "graph"))
    assert "outputs" in running.diagnostics[0].help


def test_a_factory_that_raises(file: str) -> None:
    assert refused(f"{file}:Net(groups=2)").help == "the exception was raised in net.py, line 15"


@pytest.mark.parametrize("name", ["forward", "Stem"])
def test_arguments_that_are_needed(file: str, name: str) -> None:
    found = refused(f"{file}:{name}")
    assert found.code == "E904"
    assert "which the reference does not give" in found.message
    assert "class of `torch.nn.Module`" in found.help


def test_neither_a_network_nor_a_function(file: str) -> None:
    assert "class of `torch.nn.Module`" in refused(f"{file}:two").help
