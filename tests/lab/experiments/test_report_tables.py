"""Tables of the report are Markdown that a reader's program shows as tables."""

from __future__ import annotations

from itertools import takewhile

from archspec.lab.cells import CellOutcome
from archspec.lab.data import load_data
from archspec.lab.experiments.gradients import gradients, plan
from archspec.lab.experiments.inquiry import Inquiry
from archspec.lab.results.report import report

SMALL = {"trainer": {"epochs": 1, "batch": 256}, "seeds": 1, "jobs": 0, "images": 16, "path_images": 1}


def test_every_row_has_the_cells_of_its_head() -> None:
    found = gradients(["resnet20_cifar"], overrides=["stages.count=1", "params.width=4"], **SMALL)
    lines = report(found).splitlines()
    assert any("\\|G_k\\|" in line for line in lines)
    heads = [number for number, line in enumerate(lines) if line.startswith("| ---")]
    assert len(heads) > 4
    for head in heads:
        rows = takewhile(lambda line: line.startswith("|"), lines[head - 1 :])
        assert {row.replace("\\|", "").count("|") for row in rows} == {lines[head].count("|")}
    assert next(line for line in lines if line.startswith("$ ")).endswith(" -o FOLDER")


def test_networks_are_named_by_the_depth_that_they_have() -> None:
    """`--set stages.count=1` makes a network of 8 layers of what has 56."""
    options = {"steps": (20,), "images": 64, "path_images": 4}
    inquiry = Inquiry("gradients", None, options, 1, "digits", {}, overrides=["stages.count=1"])
    made = plan(inquiry, load_data("digits"))
    assert len(made.cells) == 4
    found = made.summarize([CellOutcome(cell, None, "lost") for cell in made.cells])
    assert [network.label for network in found.networks] == [
        "plain 8",
        "residual 8",
        "pre-activation 8",
        "residual 110",
    ]
