"""Networks with several outputs: which one the figures are about, and what each head costs."""

from __future__ import annotations

import itertools
import re

import pytest
import torch

import archspec
from archspec.emit.graph_json import to_json

TEXT = """
archspec: 1
name: two
input: [3, 20, 23]
classes: 5
stem: cifar
stages: {block: basic, count: 2, channels: [8, 16], stride: [1, 2]}
heads:
  dense:
    - conv: {out: classes, kernel: 3, bias: true}
    - upsample: {like: input, mode: bilinear}
  side:
    - pool: {type: avg, output: 1, from: layer1}
    - flatten
    - linear: {out: 7}
head: classifier
"""
NAMES = ("dense", "side", "head", "layer1")


@pytest.mark.parametrize("order", list(itertools.permutations(NAMES, 2)))
@pytest.mark.parametrize("training", [None, 0, 1])
def test_the_main_output_is_the_first_of_those_in_eval_mode(order: tuple[str, str], training: int | None) -> None:
    asked = [{"training": name} if place == training else name for place, name in enumerate(order)]
    main = order[1] if training == 0 else order[0]
    graph, alone = (archspec.compile(TEXT, overrides={"outputs": each}) for each in (asked, main))
    report, single = archspec.analyze(graph), archspec.analyze(alone)
    assert (graph.main, graph.output) == (alone.main, alone.output)
    assert next(iter(report.outputs)) == main
    assert (report.output, report.receptive_field, report.paths) == (
        single.output,
        single.receptive_field,
        single.paths,
    )
    assert archspec.skip_paths(graph.to_networkx()) == report.paths
    assert archspec.skip_paths(archspec.graph_from_json(to_json(graph)).to_networkx()) == report.paths
    told = f"outputs: {asked}\nexpect: {{output: {list(single.output)}, skip_paths: {single.paths.skip_paths}}}\n"
    assert archspec.check(TEXT + told.replace("'", "")).passed


def test_rows_name_the_output_that_they_are_about() -> None:
    text = str(archspec.analyze(TEXT))
    assert text.startswith("two: 3x20x23 to 5x20x23 (dense), 7 (side), 5 (head)\n")
    assert re.search(r"^receptive field \(dense\) ", text, re.MULTILINE)
    assert re.findall(r"^skip paths \((\w+)\) +(\d+)", text, re.MULTILINE) == [
        ("dense", "16"),
        ("side", "4"),
        ("head", "16"),
    ]
    assert "(" not in str(archspec.analyze("resnet18")).splitlines()[0]


def test_each_head_has_a_row_of_its_own() -> None:
    graph = archspec.compile(TEXT)
    report, model = archspec.analyze(graph), archspec.build(graph, device="meta")
    own = {name: [p for key, p in model.named_parameters() if key.startswith(f"{name}.")] for name in ("dense", "side")}
    own["head"] = [p for key, p in model.named_parameters() if key.startswith("fc.")]
    rows = {row.name: row for row in report.rows}
    assert [row.name for row in report.rows] == ["stem", "layer1", "layer2", *own]
    assert {name: rows[name].costs.params for name in own} == {
        name: sum(each.numel() for each in found) for name, found in own.items()
    }
    assert {name: rows[name].output for name in own} == report.outputs
    assert sum(row.costs.params for row in report.rows) == report.totals.costs.params
    assert archspec.graph_from_json(to_json(graph)) == graph


def test_a_network_can_have_heads_that_no_output_needs_and_only_named_ones() -> None:
    rows = archspec.analyze(TEXT, overrides={"outputs": ["side", "layer2"]}).rows
    assert [row.name for row in rows] == ["stem", "layer1", "layer2", "side"]
    rows = archspec.analyze("fcn_resnet50").rows[-2:]
    assert [(row.name, row.block) for row in rows] == [("classifier", "fcn"), ("aux_classifier", "fcn")]


@pytest.mark.parametrize("asked", ["[head, {training: side}]", "[head, {training: side}, {training: dense}]", "[head]"])
def test_parameters_in_training_only_are_those_that_eval_mode_does_not_use(asked: str) -> None:
    spec = f"{TEXT}outputs: {asked}\n"
    report, model = archspec.analyze(spec), archspec.build(spec, seed=0).eval()
    model(torch.randn(2, 3, 20, 23))["head"].sum().backward()
    idle = sum(each.numel() for each in model.parameters() if each.grad is None)
    assert report.totals.params_in_training_only == idle == report.as_data()["totals"]["params_in_training_only"]
    assert (f"{idle:,} of them in training only" in str(report)) == (idle > 0)


def test_heads_freeze_alone() -> None:
    report = archspec.analyze(TEXT, frozen="head")
    costs = {row.name: row.costs for row in report.rows}
    assert costs["head"].trainable == 0
    assert costs["side"].trainable == costs["side"].params > 0
