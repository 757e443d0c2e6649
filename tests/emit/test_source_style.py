"""Source as an experienced person writes it: slices."""

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
