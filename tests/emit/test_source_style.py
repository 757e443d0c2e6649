"""Source as an experienced person writes it: names of parts and values, lists of modules, slices, and optional sums."""

from __future__ import annotations

import re

import pytest

import archspec
from tests.support.equivalence import spec
from tests.support.sources import assert_same_network

pytestmark = pytest.mark.usefixtures("freed")


def source_of(text: str) -> str:
    """The source of a spec, which gives the network."""
    graph = archspec.compile(spec(text))
    source = archspec.source(graph)
    assert_same_network(source, graph)
    return source


@pytest.mark.parametrize(
    ("names", "written"),
    [
        (("conv", "bn", "2"), ["self.conv = nn.", "self.bn = nn.", "self.relu = nn."]),
        (
            ("0", "1", "act"),
            ["super().__init__(nn.Conv2d(in_channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU"],
        ),
        (("conv", "1", "2"), ["self.conv = nn.", 'self.add_module("1", nn.', "self.relu = nn."]),
        (("0", "bn", "act"), ['self.add_module("0", nn.', "self.bn = nn.", "self.act = nn."]),
    ],
)
def test_a_part_without_tensors_has_a_name_like_those_beside_it(names: tuple[str, ...], written: list[str]) -> None:
    """No key has its name: in ``conv, bn, 2`` it becomes a word, in ``0, 1, act`` a number."""
    conv, norm, act = names
    source = source_of(f"""
input: [3, 8, 8]
stem: [unit: {{out: 4, name: a}}, unit: {{out: 6, name: b}}]
stages: []
head: []
fragments:
  unit:
    params: {{out: null}}
    steps:
      - conv: {{out: out, kernel: 3, bias: true, name: "{conv}"}}
      - norm: {{name: "{norm}"}}
      - act: {{name: "{act}"}}
""")
    assert all(each in source for each in written), source


@pytest.mark.parametrize(
    ("first", "second", "third", "written"),
    [
        ("0", "1", "2", "self.a = nn.ModuleList([conv(3), *[conv(4) for _ in range(2)]])"),
        ("1", "0", "2", 'self.a["1"] = conv(3)'),
        ("0", "1", "3", 'self.a["3"] = conv(4)'),
        ("0", "1.b", "1.c", 'self.a["1"].c = conv(4)'),
    ],
)
def test_modules_that_count_from_0_are_a_list(first: str, second: str, third: str, written: str) -> None:
    """In another order, with a gap, or with a scope among them, they are a dict, which shows their numbers."""
    names = {"one": first, "two": second, "three": third}
    steps = [f"conv: {{out: 4, name: a.{name}, as: {kept}}}" for kept, name in names.items()]
    source = source_of(
        f"input: [3, 8, 8]\nstem: [{', '.join(steps)}, concat: {{from: [one, two, three]}}]\nstages: []\nhead: []"
    )
    assert written in re.sub(r"nn\.Conv2d\((\d), 4, 1, bias=False\)", r"conv(\1)", source), source


@pytest.mark.parametrize("first", ["residual", "shortcut"])
def test_the_shortcut_is_the_identity_in_either_order(first: str) -> None:
    source = source_of(f"""
input: [3, 8, 8]
stem: [conv: {{out: 4, kernel: 3}}]
head: []
blocks:
  own:
    first: {first}
    residual: [layer: {{out: channels, kernel: 3, stride: stride}}, pool: {{type: max, kernel: 1}}]
stages: {{block: own, count: [1, 2], channels: [4, 8], stride: [1, 2]}}
""")
    forward = source[source.index("class Own") :]
    assert re.search(r"identity = self\.downsample\(x\)|\+= self\.downsample\(x\)", forward), source
    assert not re.search(r"identity = self\.(conv|bn|relu|maxpool)", forward), source


def test_branches_of_a_sum_that_are_no_shortcut_are_no_identity() -> None:
    branches = "add: {left: [conv: {out: 4}, norm, act], right: [conv: {out: 4, kernel: 3}, norm, act]}"
    source = source_of(f"input: [3, 8, 8]\nstem: [{branches}]\nstages: []\nhead: []")
    assert "identity" not in source, source


@pytest.mark.parametrize(
    ("start", "written"),
    [
        ("3 * part", "3 * (self.channels // 2) : 4 * (self.channels // 2)"),
        ("2 * part", "self.channels : 4 * (self.channels // 2)"),
        ("part - 1", "self.start : 4 * (self.channels // 2)"),
    ],
)
def test_a_slice_has_ends_of_its_own(start: str, written: str) -> None:
    """Multiples of a width that the spec names, or parameters for its ends; never a parameter with slices."""
    source = source_of(f"""
input: [3, 8, 8]
stem: [conv: {{out: 4}}]
head: []
blocks:
  parts:
    let: {{part: channels // 2}}
    residual:
      - conv: {{out: 6 * part}}
      - slice: {{start: {start}, stop: 4 * part}}
      - conv: {{out: channels, kernel: 3}}
stages: {{block: parts, count: 1, channels: [4, 6, 10]}}
""")
    assert written in source, source
    assert "slice" not in source, source


@pytest.mark.parametrize("name", ["res2net50_14w_8s", "inception_next_atto", "mixnet_s", "resnest14d", "dla60_res2net"])
def test_no_parameter_is_a_slice(name: str) -> None:
    assert "slice(" not in archspec.source(name)


@pytest.mark.parametrize("name", ["rexnet_100", "rexnetr_100"])
def test_a_sum_that_only_some_blocks_have_is_one_statement(name: str) -> None:
    source = archspec.source(name)
    assert "        if self.has_residual:\n            out += F.pad(x, " in source
    assert "pad_channels: int" in source


@pytest.mark.parametrize("width", ["channels // 2", "channels // 4", "2 * channels // 4"])
def test_an_end_of_a_slice_is_of_given_parameters_before_invented_ones(width: str) -> None:
    """In the blocks with the slice, the invented input width of the convolution after it equals its end, too."""
    source = source_of(f"""
input: [3, 8, 8]
stem: [conv: {{out: 4}}]
head: []
blocks:
  unit:
    let: {{half: {width}}}
    steps:
      - slice: {{stop: half, when: stride == 1}}
      - conv: {{out: half, kernel: 3, stride: stride}}
      - conv: {{out: channels}}
stages: {{block: unit, count: 2, channels: [8, 12, 20], stride: 2}}
""")
    assert "nn.Conv2d(hidden, " in source, source
    assert re.search(r"x = x\[:, : self\.(channels|half)\b", source), source


def test_the_units_of_shufflenet_split_at_half_of_their_channels() -> None:
    assert "else x[:, : self.half]\n" in archspec.source("shufflenet_v2_x1_0")
