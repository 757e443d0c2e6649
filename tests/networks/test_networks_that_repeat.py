"""Networks that join what each of several equal parts gives, written with `repeat`, each against a module of torch."""

from __future__ import annotations

import importlib
import itertools

import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.emit.python import python_source
from archspec.verification.importing import timm
from tests.support.equivalence import assert_network, spec
from tests.support.sources import assert_same_keys, assert_same_network

# -- VoVNet: one-shot aggregation (Lee et al. 2019, fig. 2) ------------------------------------------------------------

OSA = """
    input: [8, 12, 12]
    classes: 2
    norm: batch
    stem: []
    stages: []
    head:
      - as: x
      - repeat: {times: 5, each: parts, steps: [layer: {out: 6, kernel: 3}]}
      - concat: {from: [x, parts]}
      - layer: {out: 8}
"""
RESIDUAL = OSA.replace("- layer: {out: 8}", "- layer: {out: 8, as: y}\n      - add: {from: [y, x]}")

# -- CSP: half of the channels pass by the blocks (Wang et al. 2020, fig. 3) -------------------------------------------

CSP = """
    input: [8, 12, 12]
    classes: 2
    act: leaky_relu
    stem:
      - layer: {out: 8, kernel: 3, stride: 2}
      - layer: {out: 24, as: wide}
    stages: []
    head:
      - slice: {start: 12, stop: 24}
      - repeat:
          times: 3
          index: i
          name: "blocks.{i}"
          steps:
            - add:
                - []
                - - layer: {out: 6}
                  - layer: {out: 6, kernel: 3}
                  - layer: {out: 12, act: none}
            - act
      - layer: {out: 12, as: deep}
      - slice: {from: wide, start: 0, stop: 12, as: past}
      - concat: {from: [past, deep]}
      - layer: {out: 16}
"""

# -- ELAN: what every second layer gives is joined (Wang et al. 2022, fig. 2) ------------------------------------------

ELAN = """
    input: [8, 12, 12]
    classes: 2
    act: silu
    stem: []
    stages: []
    head:
      - layer: {out: 6, as: past}
      - layer: {out: 6, from: past, as: inner}
      - repeat:
          times: 2
          index: i
          each: parts
          steps: [repeat: {times: 2, index: k, steps: [layer: {out: 6 - 2 * i, kernel: 3}]}]
      - concat: {from: [past, inner, parts]}
      - layer: {out: 16}
"""


# -- NASNet's chain: a cell reads the results of the two cells before it (Zoph et al. 2018, fig. 2) --------------------

CHAIN = """
    input: [8, 12, 12]
    classes: 2
    stem: [conv: {out: 6, as: c0}, conv: {out: 6, kernel: 3, as: c1}]
    stages: []
    head:
      - repeat:
          times: 4
          index: i
          steps:
            - add: [[from: "c{i}", act, conv: {out: 6}, norm], [from: "c{i + 1}", act, conv: {out: 6, kernel: 3}, norm]]
            - as: "c{i + 2}"
      - concat: {from: [c5, c3]}
"""


class Chain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(8, 6, 1, bias=False), nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.cells = nn.ModuleList([nn.ModuleList([self.part(1), self.part(3)]) for _ in range(4)])

    def part(self, kernel: int) -> nn.Module:
        conv = nn.Conv2d(6, 6, kernel, padding=kernel // 2, bias=False)
        return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(6))

    def forward(self, x: Tensor) -> Tensor:
        kept = [self.first(x)]
        kept.append(self.second(kept[0]))
        for before, last in self.cells:
            kept.append(before(kept[-2]) + last(kept[-1]))
        return torch.cat([kept[5], kept[3]], 1)


# -- HRNet: modules that exchange two resolutions (Wang et al. 2019, fig. 2) -------------------------------------------

EXCHANGE = """
    input: [4, 12, 12]
    classes: 2
    stem: [conv: {out: 4, as: x0_0}, conv: {out: 6, kernel: 3, stride: 2, as: x1_0}]
    stages: []
    head:
      - repeat:
          times: 3
          index: i
          name: "unit.{i}"
          steps:
            - layer: {out: 4, kernel: 3, from: "x0_{i}", as: a}
            - layer: {out: 6, kernel: 3, from: "x1_{i}", as: b}
            - add: [[from: a], [conv: {out: 4}, upsample: {scale: 2}]]
            - as: "x0_{i + 1}"
            - add: [[from: a, conv: {out: 6, kernel: 3, stride: 2}], [from: b]]
            - as: "x1_{i + 1}"
      - add: [[], [from: x0_3, conv: {out: 6, kernel: 3, stride: 2}]]
"""


class Exchange(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = conv(4, 4), conv(4, 6, 3, 2)
        self.units = nn.ModuleList([self.unit() for _ in range(3)])
        self.last = conv(4, 6, 3, 2)

    def unit(self) -> nn.Module:
        parts = conv(4, 4, 3), nn.BatchNorm2d(4), conv(6, 6, 3), nn.BatchNorm2d(6), conv(6, 4), conv(4, 6, 3, 2)
        return nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        coarse = self.coarse(fine)
        for conv0, norm0, conv1, norm1, up, down in self.units:
            a, b = torch.relu(norm0(conv0(fine))), torch.relu(norm1(conv1(coarse)))
            fine = a + nn.functional.interpolate(up(b), scale_factor=2)
            coarse = down(a) + b
        return coarse + self.last(fine)  # type: ignore[no-any-return]


def conv(before: int, after: int, kernel: int = 1, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)


class Unit(nn.Sequential):
    def __init__(self, before: int, after: int, kernel: int = 1) -> None:
        super().__init__(
            nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(after), nn.SiLU()
        )


class Elan(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.past, self.inner = Unit(8, 6), Unit(6, 6)
        widths = [6, 6, 6, 4, 4]
        self.units = nn.ModuleList([Unit(a, b, 3) for a, b in itertools.pairwise(widths)])
        self.last = Unit(6 + 6 + 6 + 4, 16)

    def forward(self, x: Tensor) -> Tensor:
        kept = [self.past(x)]
        kept.append(self.inner(kept[0]))
        for first, second in ((0, 1), (2, 3)):
            kept.append(self.units[second](self.units[first](kept[-1])))
        return self.last(torch.cat(kept, 1))  # type: ignore[no-any-return]


def osa(residual: bool) -> nn.Module:
    timm()
    found = importlib.import_module("timm.models.vovnet")
    return found.OsaBlock(8, 6, 8, 5, residual=residual)  # type: ignore[no-any-return]


def csp() -> nn.Module:
    timm()
    found = importlib.import_module("timm.models.cspnet")
    norm = importlib.import_module("timm.layers").BatchNormAct2d
    return found.CrossStage(  # type: ignore[no-any-return]
        8, 16, 2, 1, 3, block_ratio=0.75, bottle_ratio=0.5, expand_ratio=1.5, block_fn=found.BottleneckBlock,
        act_layer=nn.LeakyReLU, norm_layer=norm,
    )  # fmt: skip


@pytest.mark.parametrize("residual", [False, True])
def test_one_shot_aggregation_of_timm(residual: bool) -> None:
    assert_network(RESIDUAL if residual else OSA, osa(residual), by="order")


def test_a_cross_stage_of_timm() -> None:
    assert_network(CSP, csp(), by="order")


def test_elan() -> None:
    assert_network(ELAN, Elan(), by="order")


def test_a_chain_of_cells_that_read_two_results() -> None:
    assert_network(CHAIN, Chain(), by="order")


def test_an_exchange_of_two_resolutions() -> None:
    assert_network(EXCHANGE, Exchange(), by="order")


ALL = {"osa": OSA, "residual osa": RESIDUAL, "csp": CSP, "elan": ELAN, "chain": CHAIN, "exchange": EXCHANGE}


@pytest.mark.parametrize("text", ALL.values(), ids=list(ALL))
def test_sources_are_the_same_networks(text: str) -> None:
    graph = archspec.compile(spec(text))
    source = python_source(graph)
    assert_same_keys(source, graph)
    assert_same_network(source, graph)
