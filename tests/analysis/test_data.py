"""The data of reports and differences: every key, and that each has the figure that it names."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch import nn

import archspec
from tests.support.equivalence import spec

TWO_OUTPUTS = """
    input: [3, 16, 12]
    outputs: [layer1, layer2]
    stem: {use: cifar, width: 4}
    stages:
      block: [basic, bottleneck]
      count: [1, 2]
      channels: [4, 2]
      stride: [1, 2]
      se: [null, 0.5]
      after: [[act: {type: gelu}], null]
    """
PLAIN = """
    input: [3, 16, 12]
    classes: 5
    stem: [layer: {out: 4, kernel: [5, 3], stride: [2, 1]}]
    stages: {block: basic, count: [1, 2], channels: [4, 8], stride: [1, 2], after: [[act: {type: gelu}], null]}
    """


def test_every_figure_of_a_small_network() -> None:
    """By hand, from the shapes 3x16x12, 4x8x12 and 8x4x6; convolutions are conv1, 2 in a block and one projection.

    A stem of 5x3 over 3 channels, 5 blocks' convolutions, a linear layer. A block reads 2 positions further at each of
    its two convolutions, at the stride it stands at.
    """
    data = archspec.analyze(spec(PLAIN), batch=2, frozen="conv1").as_data()
    first, wide, narrow = 4 * 3 * 5 * 3, 4 * 4 * 9, 8 * 8 * 9
    convolutions = first + 2 * wide + (8 * 4 * 9 + narrow) + 8 * 4 + 2 * narrow
    norms = 2 * (4 + 2 * 4 + 2 * 8 + 8 + 2 * 8)
    params = convolutions + norms + 8 * 5 + 5
    low, high = 8 * 12, 4 * 6
    macs = first * low + 2 * wide * low + (8 * 4 * 9 + narrow + 8 * 4 + 2 * narrow) * high + 8 * 5
    activations = 4 * low * 3 + 8 * high * 5 + 8 + 5  # pooling and the linear layer too
    normed = 4 * low * 3 + 8 * high * 5
    # Twice each normalised element; ReLUs: the stem's and two a block; a GELU; an addition a block; the pool's input.
    elementwise = 2 * normed + 4 * low * 3 + 8 * high * 4 + 4 * low + 4 * low + 2 * 8 * high + 8 * high
    buffers = norms + 8
    totals = data["totals"]
    assert {key: value for key, value in totals.items() if key not in ("flops_per_byte", "params_by_operation")} == {
        "params": params,
        "params_in_training_only": 0,
        "trainable": params - first,
        "buffers": buffers,
        "macs": macs,
        "flops": 2 * macs,
        "activations": activations,
        "activations_without_global_pools": activations - 8,
        "elementwise": elementwise,
        "layers": 1 + 2 * 3 + 1,
        "nodes": 3 + 7 + 1 + 9 + 7 + 3,
    }
    assert totals["params_by_operation"] == {"conv": convolutions, "norm": norms, "linear": 8 * 5 + 5}
    memory = data["memory"]
    assert {key: memory[key] for key in ("batch", "dtype", "weights_bytes", "buffers_bytes", "input_bytes")} == {
        "batch": 2,
        "dtype": "float32",
        "weights_bytes": 4 * params,
        "buffers_bytes": 4 * norms + 8 * 8,  # the running statistics, and eight counters
        "input_bytes": 2 * 4 * 3 * 16 * 12,
    }
    trained = 4 * (params - first)
    assert memory["training_adam_bytes"] - memory["training_sgd_bytes"] == 2 * trained
    assert data["receptive_field"] == {
        "size": [5 + 2 * 4 + 2 * (2 + 4 + 4 + 4), 3 + 4 + 2 + 2 * (2 + 2 + 2)],
        "stride": [4, 2],
        "center": [0.0, 0.0],
        "at": "layer2.1.relu2",
        "gates_left_out": 0,
    }
    assert (data["name"], data["input"], data["output"]) == ("tested", [3, 16, 12], [5])
    assert data["unavailable"] == {}
    assert "outputs" not in data


def test_paths_of_a_small_network() -> None:
    """Three blocks, of which one has a projection: 1 + x^2 twice and x + x^2, with the stem and the classifier x^2."""
    paths = archspec.analyze(spec(PLAIN)).as_data()["paths"]
    assert paths == {
        "residual_blocks": 3,
        "skip_paths": 8,
        "log2_skip_paths": 3,
        "graph_paths": 8,
        "gates_counted": False,
        "length_in_blocks": {"min": 0, "max": 3, "mean": 1.5, "std": math.sqrt(3 / 4), "counts": [1, 3, 3, 1]},
        "length_in_layers": {
            "min": 3,
            "max": 8,
            "mean": 5.5,
            "std": pytest.approx(math.sqrt(1 + 1 + 1 / 4)),
            "counts": [0, 0, 0, 1, 1, 2, 2, 1, 1],
        },
    }
    assert type(paths["log2_skip_paths"]) is int
    without = archspec.analyze(spec(PLAIN), lengths=False).as_data()["paths"]
    assert (without["length_in_blocks"]["counts"], without["length_in_layers"]["counts"]) == (None, None)
    three = archspec.analyze(spec(PLAIN.replace("[layer:", "[add: [[], [act], [act: {type: silu}]], layer:"))).as_data()
    assert three["paths"]["log2_skip_paths"] == pytest.approx(3 + math.log2(3))


def test_the_rows_of_the_data_in_order() -> None:
    data = archspec.analyze(spec(PLAIN), frozen=["layer1"]).as_data()
    assert [(row["name"], row["block"], row["count"], row["output"]) for row in data["stages"]] == [
        ("layer1", "basic", 1, [4, 8, 12]),
        ("layer2", "basic", 2, [8, 4, 6]),
    ]
    assert [(row["name"], row["block"], row["count"], row["output"]) for row in data["outside"]] == [
        ("stem", "", 0, [4, 8, 12]),
        ("between", "", 0, [4, 8, 12]),
        ("head", "classifier", 0, [5]),
    ]
    stage = data["stages"][0]
    weights, low = 2 * 4 * 4 * 9, 8 * 12
    assert {key: value for key, value in stage.items() if key not in ("name", "block", "count", "output")} == {
        "params": weights + 2 * 8,
        "trainable": 0,
        "buffers": 2 * (8 + 1),
        "macs": weights * low,
        "flops": 2 * weights * low,
        "activations": 2 * 4 * low,
        "elementwise": (2 * 2 + 2 + 1) * 4 * low,
    }


def test_the_data_of_two_outputs() -> None:
    data = archspec.analyze(spec(TWO_OUTPUTS), gates=True).as_data()
    assert list(data["outputs"]) == ["layer1", "layer2"]
    assert [each["shape"] for each in data["outputs"].values()] == [[4, 16, 12], [8, 8, 6]]
    assert [each["paths"]["residual_blocks"] for each in data["outputs"].values()] == [1, 1 + 2 + 2]
    first, last = data["outputs"].values()
    assert (data["paths"], data["receptive_field"]) == (first["paths"], first["receptive_field"])
    assert data["paths"]["gates_counted"] is True
    assert last["receptive_field"]["at"].startswith("layer2.1.")
    assert last["receptive_field"]["gates_left_out"] == 2
    assert json.loads(json.dumps(data)) == data


def test_the_rows_of_a_report() -> None:
    found = archspec.analyze(spec(PLAIN))
    assert [part.name for part in found.rows] == ["stem", "layer1", "between", "layer2", "head"]
    assert [part.name for part in found.blocks] == ["layer1.0", "layer2.0", "layer2.1"]
    assert [(part.block, part.count) for part in found.blocks] == [("basic", 0)] * 3
    nodes = [(part.name, part.block, part.count, part.output) for part in found.nodes]
    assert nodes[:3] == [
        (name, kind, 0, (4, 8, 12)) for name, kind in (("conv1", "conv"), ("bn1", "bn"), ("relu", "relu"))
    ]
    assert nodes[-1][1:] == ("linear", 0, (5,))
    assert found.parts.scope("layer2") == found.stages[1].costs
    assert found.parts.scope("layer").params == 0
    whole = archspec.analyze(spec("input: [3, 8, 8]\nstages: []\nstem: [conv: {out: 4}]\nhead: [act]"))
    assert [(part.name, part.output) for part in whole.rows] == [("stem", (4, 8, 8)), ("head", (4, 8, 8))]


def test_every_row_of_a_difference() -> None:
    other = PLAIN.replace("classes: 5", "classes: 7").replace("count: [1, 2]", "count: [1, 1]")
    found = archspec.diff(spec(PLAIN), spec(other).replace("name: tested", "name: other"))
    data = found.as_data()
    assert (data["before"], data["after"], data["differs"]) == ("tested", "other", True)
    assert data["keys"] == [
        {"key": "classes", "before": 5, "after": 7},
        {"key": "stages.count", "before": [1, 2], "after": [1, 1]},
    ]
    assert [row["name"] for row in data["stages"]] == ["layer2", "head"]
    for row, change in zip(data["stages"], found.stages, strict=True):
        assert (row["before"], row["after"]) == (change.before.as_data(), change.after.as_data())
    assert [row["before"]["count"] - row["after"]["count"] for row in data["stages"]] == [1, 0]
    block = 2 * (8 * 8 * 9 + 2 * 8)
    assert data["totals"]["params"]["before"] - data["totals"]["params"]["after"] == block - 2 * (8 + 1)
    assert {name: (row["before"], row["after"]) for name, row in data["totals"].items() if name in EXACT} == EXACT
    before, after = (nn.Module.state_dict(archspec.build(text, device="meta")) for text in (spec(PLAIN), spec(other)))
    assert data["weights"] == {
        "kept": [key for key in after if before[key].shape == after[key].shape],
        "reshaped": {"fc.weight": {"before": [5, 8], "after": [7, 8]}, "fc.bias": {"before": [5], "after": [7]}},
        "dropped": [key for key in before if key not in after],
        "new": [],
    }
    assert len(data["weights"]["dropped"]) == 2 * (1 + 5)
    assert json.loads(json.dumps(data)) == data


EXACT = {
    "layers": (8, 6),
    "nodes": (30, 23),
    "skip_paths": (8, 4),
    "receptive_field": ([41, 21], [25, 13]),
}


def test_a_difference_of_stages_that_one_side_has_not() -> None:
    more = PLAIN.replace(
        "[1, 2], channels: [4, 8], stride: [1, 2]", "[1, 2, 1], channels: [4, 8, 8], stride: [1, 2, 1]"
    )
    more = more.replace("null]}", "null, null]}")
    for texts, missing in (((PLAIN, more), "before"), ((more, PLAIN), "after")):
        rows: list[dict[str, Any]] = archspec.diff(*map(spec, texts)).as_data()["stages"]
        (row,) = [row for row in rows if row["name"] == "layer3"]
        present = {"before": "after", "after": "before"}[missing]
        assert (row[missing], row[present]["count"]) == (None, 1)
    assert torch.Size(row["before"]["output"]) == (8, 4, 6)
