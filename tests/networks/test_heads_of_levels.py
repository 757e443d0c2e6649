"""Heads of detectors that share their weights among the levels of a pyramid, from papers, against modules by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import archspec
from tests.support.equivalence import assert_network, compiled
from tests.support.everywhere import assert_written

WIDTHS = (3, 8, 16, 24, 32)


class Pyramid(nn.Module):
    """P3 to P5 from the top down, as Lin et al. 2017 has them; below are layers that halve the map."""

    def __init__(self) -> None:
        super().__init__()
        layers = [
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b))
            for a, b in itertools.pairwise(WIDTHS)
        ]
        self.trunk = nn.ModuleList(layers)
        self.inner = nn.ModuleList([nn.Conv2d(width, 16, 1) for width in WIDTHS[2:]])
        self.outer = nn.ModuleList([nn.Conv2d(16, 16, 3, padding=1) for _ in range(3)])

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        maps = []
        for layer in self.trunk:
            x = layer(x).relu()
            maps.append(x)
        merged = [self.inner[2](x)]
        for number in (1, 0):
            side = self.inner[number](maps[number + 1])
            merged.insert(0, side + nn.functional.interpolate(merged[0], size=side.shape[-2:]))
        return [conv(each) for conv, each in zip(self.outer, merged, strict=True)], x


PYRAMID = """
    input: [3, 76, 50]
    classes: 3
    naming: {layer: "{position}", step: "{position}"}
    stem:
      - layer: {out: 8, kernel: 3, stride: 2, name: pyramid.trunk.0}
      - layer: {out: 16, kernel: 3, stride: 2, name: pyramid.trunk.1, as: c3}
      - layer: {out: 24, kernel: 3, stride: 2, name: pyramid.trunk.2, as: c4}
      - layer: {out: 32, kernel: 3, stride: 2, name: pyramid.trunk.3, as: c5}
      - conv: {out: 16, bias: true, from: c3, name: pyramid.inner.0, as: i3}
      - conv: {out: 16, bias: true, from: c4, name: pyramid.inner.1, as: i4}
      - conv: {out: 16, bias: true, from: c5, name: pyramid.inner.2, as: m5}
      - upsample: {like: i4}
      - add: [[from: i4], []]
      - as: m4
      - upsample: {like: i3}
      - add: [[from: i3], []]
      - conv: {out: 16, kernel: 3, bias: true, name: pyramid.outer.0, as: p3}
      - conv: {out: 16, kernel: 3, bias: true, from: m4, name: pyramid.outer.1, as: p4}
      - conv: {out: 16, kernel: 3, bias: true, from: m5, name: pyramid.outer.2, as: p5}
    stages: []
"""

# -- RetinaNet (Lin et al. 2017, section 4): two subnets that five levels share ----------------------------------------


class RetinaNet(nn.Module):
    """P6 reads C5, and P7 reads P6 behind a ReLU."""

    def __init__(self) -> None:
        super().__init__()

        def subnet(out: int) -> nn.Module:
            tower = [[nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()] for _ in range(4)]
            return nn.Sequential(*itertools.chain(*tower), nn.Conv2d(16, out, 3, padding=1))

        self.pyramid = Pyramid()
        self.p6, self.p7 = nn.Conv2d(32, 16, 3, 2, 1), nn.Conv2d(16, 16, 3, 2, 1)
        self.classes, self.boxes = subnet(9 * 3), subnet(9 * 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        levels, c5 = self.pyramid(x)
        levels.append(self.p6(c5))
        levels.append(self.p7(levels[-1].relu()))
        found = {}
        for number, level in enumerate(levels, 3):
            found[f"classes{number}"], found[f"boxes{number}"] = self.classes(level), self.boxes(level)
        return found


RETINANET = f"""{PYRAMID}
    fragments:
      subnet:
        params: {{out: null}}
        steps:
          - repeat:
              times: 4
              index: i
              steps: [conv: {{out: 16, kernel: 3, bias: true}}, act]
          - conv: {{out: out, kernel: 3, bias: true}}
    head:
      - conv: {{out: 16, kernel: 3, stride: 2, bias: true, from: c5, name: p6, as: p6}}
      - act
      - conv: {{out: 16, kernel: 3, stride: 2, bias: true, name: p7, as: p7}}
      - repeat:
          times: 5
          index: i
          steps:
            - subnet: {{out: 9 * classes, share: classes, name: classes, from: "p{{i + 3}}", as: "classes{{i + 3}}"}}
            - subnet: {{out: 9 * 4, share: boxes, name: boxes, from: "p{{i + 3}}", as: "boxes{{i + 3}}"}}
    outputs: [{", ".join(f"classes{number}, boxes{number}" for number in range(3, 8))}]
"""


def test_retinanet() -> None:
    assert_network(RETINANET, RetinaNet())
    assert archspec.verify(compiled(RETINANET), RetinaNet()).holds("keys", "graph", "outputs")
    assert_written(compiled(RETINANET), RetinaNet())


# -- FCOS (Tian et al. 2019, figure 2 and section 3.2): shared towers, and a scale for each level ----------------------


class Fcos(nn.Module):
    """P6 reads P5, and P7 reads P6; distances are relu(s x), as in the authors' code, with one s for each level."""

    def __init__(self, norm: Callable[[], nn.Module]) -> None:
        super().__init__()

        def tower() -> nn.Module:
            units = [[nn.Conv2d(16, 16, 3, padding=1, bias=False), norm(), nn.ReLU()] for _ in range(2)]
            return nn.Sequential(*itertools.chain(*units))

        self.pyramid = Pyramid()
        self.p6, self.p7 = nn.Conv2d(16, 16, 3, 2, 1), nn.Conv2d(16, 16, 3, 2, 1)
        self.seen, self.classes = tower(), nn.Conv2d(16, 3, 3, padding=1)
        self.center = nn.Conv2d(16, 1, 3, padding=1)
        self.placed, self.sides = tower(), nn.Conv2d(16, 4, 3, padding=1)
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(())) for _ in range(5)])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        levels, _ = self.pyramid(x)
        levels.append(self.p6(levels[-1]))
        levels.append(self.p7(levels[-1]))
        found = {}
        for number, level in enumerate(levels):
            seen = self.seen(level)
            found[f"classes{number}"], found[f"center{number}"] = self.classes(seen), self.center(seen)
            found[f"sides{number}"] = (self.scales[number] * self.sides(self.placed(level))).relu()
        return found


def level(number: int) -> str:
    """The heads of one level; the first use of shared weights names them."""
    steps = []
    for tower, outs in (("seen", {"classes": 3, "center": 1}), ("placed", {"sides": 4})):
        steps.append(f"tower: {{from: p{number + 3}, share: {tower}, name: {tower}, as: {tower}{number}}}")
        for name, out in outs.items():
            how = f"from: {tower}{number}, share: {name}" + ("" if number else f", name: {name}")
            kept = "" if name == "sides" else f", as: {name}{number}"
            steps.append(f"conv: {{out: {out}, kernel: 3, bias: true, {how}{kept}}}")
    scale = f"scale: {{by: 1, learned: true, per: whole, name: scales.{number}}}"
    return ", ".join([*steps, scale, f"act: {{as: sides{number}}}"])


FCOS = f"""{PYRAMID}
    fragments:
      tower:
        steps:
          - repeat:
              times: 2
              steps: [conv: {{out: 16, kernel: 3}}, norm: {{type: NORM}}, act]
    head:
      - conv: {{out: 16, kernel: 3, stride: 2, bias: true, from: p5, name: p6, as: p6}}
      - conv: {{out: 16, kernel: 3, stride: 2, bias: true, name: p7, as: p7}}
      - sequence: {{steps: [{", ".join(level(number) for number in range(5))}]}}
    outputs: [{", ".join(f"classes{number}, center{number}, sides{number}" for number in range(5))}]
"""


@pytest.mark.parametrize(
    ("name", "norm"),
    [("group, groups: 4", lambda: nn.GroupNorm(4, 16)), ("batch", lambda: nn.BatchNorm2d(16))],
    ids=["group", "batch"],
)
def test_fcos(name: str, norm: Callable[[], nn.Module]) -> None:
    """The statistics of a batch norm that levels share see each level in turn."""
    graph = compiled(FCOS.replace("NORM", name))
    assert_network(FCOS.replace("NORM", name), Fcos(norm))
    assert archspec.verify(graph, Fcos(norm)).holds("keys", "graph", "outputs")
    assert_written(graph, Fcos(norm))
