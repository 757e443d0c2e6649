"""What differs between two networks: the weights that fit against live state dicts, and specs that mean the same."""

from __future__ import annotations

import pytest
import torch

import archspec
from tests.support.equivalence import spec

PAIRS = [
    ("resnet18", "resnet34", []),
    ("resnet50", "resnext50_32x4d", []),
    ("resnet50", "resnet50", ["classes=10"]),
    ("resnet50", "resnet18", []),
    ("resnet56_cifar", "plain56_cifar", []),
    ("resnet18", "resnet18", ["naming=sequential"]),
]


@pytest.mark.parametrize(("before", "after", "changes"), PAIRS)
def test_the_plan_for_weights_is_what_live_state_dicts_say(before: str, after: str, changes: list[str]) -> None:
    changed = archspec.load(after, overrides=changes)
    one, other = (archspec.build(each, device="meta").state_dict() for each in (before, changed))
    plan = archspec.diff(before, changed).transfer
    assert list(plan.kept) == [k for k in other if k in one and one[k].shape == other[k].shape]
    assert dict(plan.reshaped) == {
        k: (tuple(one[k].shape), tuple(other[k].shape)) for k in other if k in one and one[k].shape != other[k].shape
    }
    assert list(plan.dropped) == [k for k in one if k not in other]
    assert list(plan.new) == [k for k in other if k not in one]


BASE = spec("""
    input: [3, 16, 16]
    classes: 5
    stem: cifar
    stages: {block: bottleneck, count: [1, 2], channels: [4, 8], stride: [1, 2]}
    """)


def test_the_kept_weights_load_and_the_others_are_what_is_missing() -> None:
    """One block more and wider: a bottleneck has three convolutions and norms, of 1 and 5 tensors."""
    wider = BASE.replace("[4, 8]", "[4, 12]").replace("[1, 2], channels", "[1, 3], channels")
    model, larger = archspec.build(BASE, seed=1), archspec.build(wider, seed=2)
    plan = archspec.diff(BASE, wider).transfer
    found = larger.load_state_dict({key: model.state_dict()[key] for key in plan.kept}, strict=False)
    needed = {key for key in (*plan.reshaped, *plan.new) if not key.endswith("num_batches_tracked")}
    assert set(found.missing_keys) == needed  # torch lets these counters be missing
    assert not found.unexpected_keys
    assert torch.equal(larger.layer1[0].conv1.weight, model.layer1[0].conv1.weight)
    assert (len(plan.new), plan.dropped) == (3 * 6, ())


SAME = {
    "by row": [
        "stages=[{block: bottleneck, count: 1, channels: 4}, {block: bottleneck, count: 2, channels: 8, stride: 2}]"
    ],
    "settings by default": ["shortcut=projection", "activation_order=post", "norm=batch", "act=relu", "drop_path=0"],
    "settings by stage": ["stages.act=relu", "stages.norm=[batch, batch]", "stages.shortcut=[projection, null]"],
    "parameters of the block by default": ["stages.groups=1", "stages.base_width=[64, 64]"],
    "a list for one value": ["stages.block=[bottleneck, bottleneck]", "stages.dilation=[1, 1]"],
    "an expression": ["stages.channels=[4, 2 * 4]"],
    "a parameter that nothing reads": ["params={width: 3}"],
    "a definition that nothing reads": ["fragments.mine={steps: [act]}"],
    "another name of a block": [
        "blocks.mine={channels: inner width, residual: [layer: {out: channels}, layer: {out: channels, kernel: 3, "
        "stride: stride}, layer: {out: 4 * channels}]}",
        "stages.block=mine",
    ],
    "head, naming and scale by default": ["head=classifier", "naming=torchvision", "scale=null"],
    "initial weights by default": ["init={conv: he-fan-out, linear: torch, zero_init_residual: false}"],
    "for people": ["summary=other words", "tags=[new]", "expect={params: {min: 1}}"],
}


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME.keys())
def test_specs_that_mean_the_same_do_not_differ(changes: list[str]) -> None:
    found = archspec.diff(BASE, archspec.load(BASE, overrides=changes))
    assert not found
    assert (found.keys, found.stages) == ((), ())
    assert found.transfer.kept
    assert (found.transfer.reshaped, found.transfer.dropped, found.transfer.new) == ({}, (), ())
    assert all(change.before == change.after for change in found.totals)


DIFFERENT = {
    "stages.groups=2": ("stages.groups", 1, 2),
    "stages.count=[2, 2]": ("stages.count", [1, 2], [2, 2]),
    "shortcut=none": ("shortcut", "projection", "none"),
    "classes=7": ("classes", 5, 7),
    "input=[3, 20, 20]": ("input", [3, 16, 16], [3, 20, 20]),
    "init.conv=normal": ("init.conv", "he-fan-out", "normal"),
    "init.zero_init_residual=true": ("init.zero_init_residual", False, True),
    "norm={type: group, groups: 2}": ("norm", "batch", {"type": "group", "groups": 2}),
    "drop_path=0.1": ("drop_path", 0, 0.1),
    "stages.dilation=[1, 2]": ("stages.dilation", 1, [1, 2]),
    "outputs=[layer1]": ("outputs", None, ["layer1"]),
    "naming=sequential": ("naming", "torchvision", "sequential"),
    "stem={use: cifar, width: 8}": ("stem", "cifar", {"use": "cifar", "width": 8}),
    "head=[flatten, linear: {out: classes}]": ("head", "classifier", ["flatten", {"linear": {"out": "classes"}}]),
    "act=gelu": ("act", "relu", "gelu"),
    "activation_order=pre": ("activation_order", "post", "pre"),
    "stages.se=0.5": ("stages.se", 0, 0.5),
    "stages.stride=[1, 1]": ("stages.stride", [1, 2], [1, 1]),
    "stages.channels=[4, [8, 12]]": ("stages.channels", [4, 8], [4, [8, 12]]),
    "stages.channels=4": ("stages.channels", [4, 8], 4),
    "stages.block=basic": ("stages.block", "bottleneck", "basic"),
    "scale={width: 2}": ("scale.width", None, 2),
    "init.linear=xavier": ("init.linear", "torch", "xavier"),
    "init.bias=zero": ("init.bias", "torch", "zero"),
}


@pytest.mark.parametrize("change", DIFFERENT)
def test_a_key_that_differs_is_told_with_both_values(change: str) -> None:
    """As it is written on each side, or else with what it means by default."""
    found = archspec.diff(BASE, archspec.load(BASE, overrides=[change]))
    assert found
    assert [(key.name, key.before, key.after) for key in found.keys] == [DIFFERENT[change]]


def test_a_key_that_is_written_otherwise_is_not_told_beside_one_that_differs() -> None:
    changes = ["classes=7", "stages.block=[bottleneck, bottleneck]", "stages.dilation=[1, 1]", "act=relu"]
    found = archspec.diff(BASE, archspec.load(BASE, overrides=changes))
    assert [key.name for key in found.keys] == ["classes"]


def test_definitions_are_compared_one_by_one_and_without_what_is_for_people() -> None:
    text = """
        input: [3, 8, 8]
        stem: []
        stages: {block: mine, count: 1, channels: 4}
        blocks:
          mine: {summary: SUMMARY, channels: width, params: {kernel: 3}, residual: [layer: {out: channels, kernel: 3}]}
          other: {residual: [act]}
        """
    found = archspec.diff(spec(text), spec(text.replace("kernel: 3}]", "kernel: 1}]").replace("SUMMARY", "new words")))
    assert [key.name for key in found.keys] == ["blocks.mine.residual"]
    assert not archspec.diff(spec(text), spec(text.replace("SUMMARY", "new words")))


def test_another_number_of_stages_differs_even_where_all_have_the_same_values() -> None:
    text = "input: [3, 8, 8]\nstem: []\nstages: {block: basic, count: COUNT, channels: 4}"
    found = archspec.diff(spec(text.replace("COUNT", "[2, 2]")), spec(text.replace("COUNT", "[2, 2, 2]")))
    assert [(key.before, key.after) for key in found.keys] == [([2, 2], [2, 2, 2])]
    assert [(change.name, change.before and change.before.count) for change in found.stages] == [("layer3", None)]


def test_stages_that_differ_are_told_with_what_stands_between_them() -> None:
    """Two parts are called `between`, and the first differs: 4 or 6 outputs of a 3x3 kernel over 4 channels."""
    text = """
        input: [3, 16, 16]
        stem: []
        stages: {block: basic, count: [1, 1, 1], channels: 4, after: [[conv: {out: WIDTH, kernel: 3}], [act], null]}
        """
    found = archspec.diff(*(spec(text.replace("WIDTH", width)) for width in ("4", "6")))
    between = [change for change in found.stages if change.name == "between"]
    assert [(change.before.costs.params, change.after.costs.params) for change in between] == [(144, 216)]
    assert [change.name for change in found.stages] == ["between", "layer2"]


def test_totals_are_those_of_the_papers() -> None:
    """costs.md of the project: parameters and MACs, memory as torch measures it; 16 and 8 blocks with shortcuts."""
    found = {change.name: (change.before, change.after) for change in archspec.diff("resnet50", "resnet18").totals}
    assert found["params"] == (25_557_032, 11_689_512)
    assert found["macs"] == (4_089_184_256, 1_814_073_344)
    assert found["layers"] == (50, 18)
    assert found["inference_peak_bytes"] == (9_633_792, 6_422_528)
    assert found["saved_for_backward_bytes"] == (86_121_984, 22_218_240)
    assert found["receptive_field"] == (427, 435)
    assert found["skip_paths"] == (2**16, 2**8)
