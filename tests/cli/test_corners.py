"""What a command seldom says: costs without a rule, references that cannot be traced, files saved in the meantime."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import archspec
from archspec.diagnostics import Source
from archspec.operations.base import Operation
from archspec.passes import compiling
from archspec_cli import options

from .conftest import SMALL, Run


def line(pattern: str, text: str) -> bool:
    """Whether some line of ``text`` is as the pattern says."""
    return re.search(f"^{pattern}$", text, re.MULTILINE) is not None


# -- costs without a rule ----------------------------------------------------------------------------------------------


class Mystery(Operation):
    """An operation of a user, who gave it no rule for any cost."""

    name = "mystery"
    summary = "?"


@pytest.fixture
def mystery(monkeypatch: pytest.MonkeyPatch) -> None:
    """In `resnet18` an operation without rules stands in the place of the first activation of the first block."""
    compiled = compiling.compile_spec

    def compile(*arguments: Any, **options: Any) -> archspec.Graph:
        graph = compiled(*arguments, **options)
        nodes = [n._replace(operation=Mystery()) if n.name == "layer1.0.relu" else n for n in graph.nodes]
        return dataclasses.replace(graph, nodes=tuple(nodes)) if graph.name == "resnet18" else graph

    monkeypatch.setattr(compiling, "compile_spec", compile)


def test_a_report_says_what_is_unavailable_and_why(mystery: None, run: Run) -> None:
    """torchvision's ResNet-18 has 11,689,512 parameters and 1,814,073,344 MACs; an activation adds to neither."""
    text = run("analyze", "resnet18").out
    assert line("parameters +11,689,512 .*", text)
    assert line(r"MACs +1\.81 G .*", text)
    assert line("elementwise +unavailable .*", text)
    assert line("training step +unavailable", text)
    assert text.endswith("and `receptive_field` are unavailable: archspec has no rule for `mystery`.\n")
    assert text.count("no rule for") == 1


def test_a_comparison_says_what_is_unavailable_and_why(mystery: None, run: Run) -> None:
    text = run("analyze", "resnet18", "resnet34").out
    first, second = text.splitlines()[1:3]
    assert line(r"resnet18 +3x224x224 +11,689,512 .* unavailable +unavailable +- .*", first)
    assert "unavailable" not in second
    assert text.endswith("\nSome figures are unavailable: archspec has no rule for `mystery`.\n")
    form = run("analyze", "resnet18", "resnet34", "--format", "csv").out
    row = next(csv.DictReader(io.StringIO(form)))
    assert (row["macs"], row["inference_peak_bytes"], row["receptive_field"]) == ("1814073344", "", "")


def test_a_difference_to_what_is_unavailable(mystery: None, run: Run) -> None:
    """torchvision's ResNet-34 has 21,797,672 parameters."""
    text = run("diff", "resnet34", "resnet18").out
    assert line(r"  parameters +21,797,672 +-> +11,689,512 +-46\.4%", text)
    assert line("  inference peak, bytes +[0-9,]+ +-> +unavailable", text)
    assert line(r" +elementwise +[0-9.]+ M +-> +unavailable", text)


# -- defects of archspec -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [RuntimeError("odd \x1b[2J\nindeed"), OSError(5, "odd", "spec.yaml"), RecursionError("odd")], ids=repr
)
def test_what_archspec_did_not_foresee_is_a_defect(error: Exception, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said with the spec's name, steers no terminal, and has all that a report needs where that is asked for."""

    def fails(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(compiling, "compile_spec", fails)
    found = run("check", "resnet18")
    assert (found.status, found.out) == (70, "")
    first, second, *_ = found.err.splitlines()
    assert first.startswith(f"error[E001]: internal error in `resnet18`: {type(error).__name__}: ")
    assert "odd" in first
    assert first.isprintable()
    assert "ARCHSPEC_DEBUG=1" in second
    monkeypatch.setenv("ARCHSPEC_DEBUG", "1")
    found = run("check", "resnet18")
    assert found.status == 70
    assert found.err.startswith("Traceback (most recent call last):\n")
    assert "in fails\n" in found.err


# -- networks of one path, sizes by axis -------------------------------------------------------------------------------


def test_plain_networks_are_compared_by_their_one_path(run: Run) -> None:
    """Without shortcuts there is one path, through every layer: 5 convolutions and 3 linear layers of AlexNet, 34."""
    found = run("analyze", "alexnet", "plain34")
    rows = [row.split() for row in found.out.splitlines()[1:3]]
    assert [(row[0], *row[-2:]) for row in rows] == [("alexnet", "1", "8.0"), ("plain34", "1", "34.0")]


def test_arguments_that_differ_by_axis_are_shown_as_shapes(run: Run) -> None:
    text = SMALL.replace("kernel: 3}", "kernel: [3, 5], padding: [1, 2], bias: true}")
    found = run("show", "-", "--graph", stdin=text)
    assert found.out.splitlines()[2].startswith("conv1 ")
    assert " conv(out=4, kernel=3x5, padding=1x2, bias=true) " in found.out


# -- testing -----------------------------------------------------------------------------------------------------------


def test_junit_of_a_spec_that_is_not_there(here: Path, run: Run) -> None:
    """A fault without a place is a failure without a line."""
    found = run("test", "resnet17", "--format", "junit")
    (suite,) = ElementTree.fromstring(found.out)
    (case,) = suite
    assert (found.status, suite.attrib["failures"], suite.attrib["tests"]) == (1, "1", "1")
    assert set(case.attrib) == {"classname", "name", "time"}
    (failure,) = case
    assert failure.attrib["type"] == "E801"


def test_update_keeps_what_somebody_saves_in_the_meantime(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor saves the first of two files after it was read; the second is written nevertheless."""
    read = options.source

    def source(reference: str) -> Source:
        found = read(reference)
        if reference == "first.yaml":
            Path(reference).write_text(wrong + "# more\n")
        return found

    wrong = SMALL + "expect: {output: [7]}\n"
    Path("first.yaml").write_text(wrong)
    Path("second.yaml").write_text(wrong)
    monkeypatch.setattr(options, "source", source)
    found = run("test", "first.yaml", "second.yaml", "--update", "--level", "check")
    assert found.status == 3
    assert line("error.E806.: .* cannot be written: it has changed since it was read", found.err)
    assert Path("first.yaml").read_text() == wrong + "# more\n"
    assert Path("second.yaml").read_text() == wrong.replace("[7]", "[5]")
    assert sorted(os.listdir()) == ["first.yaml", "second.yaml"]  # noqa: PTH208


# -- verification ------------------------------------------------------------------------------------------------------

REFERENCE = """
import archspec
import torch
from torch import nn


class Decided(nn.Module):
    def __init__(self):
        super().__init__()
        self.own = archspec.build("small.yaml")

    def forward(self, x):
        return -x if x.sum() > 1e30 else self.own(x)


def more():
    model = archspec.build("small.yaml")
    model.register_buffer("unused", torch.ones(3))
    return model


def wider():
    return archspec.build(archspec.load("small.yaml", overrides=["classes=6"]))
"""


@pytest.fixture
def verified(small: Path, run: Run) -> Run:
    """`verified("more", ...)` compares `small.yaml` with what a function of :data:`REFERENCE` gives."""
    sys.modules.pop("corners_for_tests", None)
    Path("corners_for_tests.py").write_text(REFERENCE, encoding="utf-8")
    return lambda name, *arguments: run("verify", "small.yaml", "--against", f"corners_for_tests:{name}", *arguments)


def test_few_keys_that_differ_are_all_listed(verified: Run) -> None:
    """The reference has a buffer more, which it does not read: the keys differ, and the graph is one."""
    found = verified("more", "--level", "keys")
    assert found.status == 1
    assert found.out.endswith("\n  unused\n")
    assert "`--format json` lists" not in found.out
    assert line("identical keys +no +33 keys, .*1 only in the reference; 1,401 parameters", found.out)
    assert verified("more", "--level", "graph").status == 0


def test_a_reference_that_decides_by_values(verified: Run) -> None:
    """There is no graph of it. Its weights are paired as they are used, so that outputs can be compared."""
    found = verified("Decided")
    assert found.status == 1
    told = "the reference cannot be traced; weights paired by the order of execution"
    assert line(f"isomorphic graph +[a-z-]+ +{told}", found.out)
    assert line(r"equal outputs +yes +max \|d\| = 0 in eval mode.*", found.out)
    assert verified("Decided", "--level", "outputs").status == 0


def test_outputs_of_weights_that_do_not_belong_together_are_not_compared(verified: Run) -> None:
    found = verified("wider", "--level", "outputs")
    assert found.status == 1
    assert line("equal outputs +[a-z-]+ +not compared.*", found.out)
    assert found.err.count("error[E909]") == 1
