"""Networks that do not only go down, written with `as` and `from`, each against a module of torch."""

from __future__ import annotations

import importlib
import itertools
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archspec
from archspec.verification.importing import timm
from tests.support.equivalence import assert_network, assert_same, scramble, spec
from tests.support.reference import torchvision_models
from tests.support.sources import executed

# -- U-Net (Ronneberger et al. 2015), with padding ---------------------------------------------------------------------

U_NET = """
    input: [1, 32, 48]
    classes: 2
    norm: none
    fragments:
      twice:
        params: {out: null}
        steps: [layer: {out: out, kernel: 3, bias: true}, layer: {out: out, kernel: 3, bias: true}]
      down:
        params: {out: null}
        steps: [pool: {type: max, kernel: 2}, twice: {out: out}]
      up:
        inputs: [skip]
        params: {out: null}
        steps:
          - conv: {out: out, kernel: 2, stride: 2, transposed: true, bias: true, as: larger}
          - concat: {from: [skip, larger]}
          - twice: {out: out}
    stem:
      - twice: {out: 8, as: c1}
      - down: {out: 16, as: c2}
      - down: {out: 32, as: c3}
      - down: {out: 64, as: c4}
      - down: {out: 128}
    stages: []
    head:
      - up: {out: 64, skip: c4}
      - up: {out: 32, skip: c3}
      - up: {out: 16, skip: c2}
      - up: {out: 8, skip: c1}
      - conv: {out: classes, bias: true}
"""


class Double(nn.Sequential):
    def __init__(self, before: int, after: int) -> None:
        convs = nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)
        super().__init__(convs[0], nn.ReLU(), convs[1], nn.ReLU())


class UNet(nn.Module):
    def __init__(self, widths: tuple[int, ...] = (8, 16, 32, 64, 128)) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(widths))
        self.first = Double(1, widths[0])
        self.down = nn.ModuleList([Double(*pair) for pair in pairs])
        self.up = nn.ModuleList(
            [nn.ModuleList([nn.ConvTranspose2d(b, a, 2, 2), Double(2 * a, a)]) for a, b in reversed(pairs)]
        )
        self.last = nn.Conv2d(widths[0], 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = [self.first(x)]
        for down in self.down:
            kept.append(down(functional.max_pool2d(kept[-1], 2)))
        x = kept.pop()
        for larger, double in self.up:
            x = double(torch.cat([kept.pop(), larger(x)], 1))
        return self.last(x)


def test_u_net() -> None:
    assert_network(U_NET, UNet(), by="order")


# -- FPN (Lin et al. 2017) ---------------------------------------------------------------------------------------------


def level(number: int, below: str = "") -> str:
    """One level of a feature pyramid: the map of its stage, with the level ``below`` it made larger."""
    name = f"bias: true, name: fpn.inner_blocks.{number}.0"
    steps = [f"conv: {{out: 256, from: layer{number + 1}, {name}}}"]
    if below:
        steps.append(f"add: [[], [upsample: {{scale: 2, from: {below}}}]]")
    steps += [f"as: inner{number}"] if number else []
    steps.append(f"conv: {{out: 256, kernel: 3, bias: true, name: fpn.layer_blocks.{number}.0, as: p{number}}}")
    return ", ".join(steps)


FPN = f"""
    extends: resnet50
    input: [3, 64, 96]
    head: [{level(3)}, {level(2, "inner3")}, {level(1, "inner2")}, {level(0, "inner1")}]
    outputs: [p0, p1, p2, p3]
"""


class Pyramid(nn.Module):
    """torchvision's ResNet-50 without its head, and its module for feature pyramids."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torchvision_models().resnet50()
        del self.body.fc
        ops = importlib.import_module("torchvision.ops")
        self.fpn = ops.FeaturePyramidNetwork([256, 512, 1024, 2048], 256)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        body = self.body
        x = body.maxpool(body.relu(body.bn1(body.conv1(x))))
        maps = {}
        for number in range(4):
            maps[f"p{number}"] = x = body.get_submodule(f"layer{number + 1}")(x)
        return dict(self.fpn(maps))


def test_feature_pyramid_on_torchvisions_resnet50() -> None:
    reference = Pyramid().eval()
    scramble(reference)
    graph = archspec.compile(spec(FPN))
    assert graph.warnings == ()
    model = archspec.build(graph, seed=0).eval()
    state = {name.removeprefix("body."): value for name, value in reference.state_dict().items()}
    assert model.state_dict().keys() == state.keys()
    model.load_state_dict(state)
    example = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert_same(model(example), reference(example), "eval")


# -- Res2Net (Gao et al. 2019) -----------------------------------------------------------------------------------------


def part(number: int) -> str:
    """The part of the channels with this number: from the second on, the result of the part before is added."""
    cut = f"slice: {{from: x, start: {number} * part, stop: {number + 1} * part, as: x{number}}}"
    cut += f", add: {{from: [y{number - 1}, x{number}], when: index > 0}}"
    conv = f"conv: {{out: part, kernel: 3, stride: stride, name: convs.{number}}}, norm: {{name: bns.{number}}}"
    return f"{cut if number else 'slice: {stop: part}'}, {conv}, act: {{as: y{number}}}"


RES2NET = f"""
    input: [3, 20, 20]
    stem: [conv: {{out: 16}}]
    stages: {{block: res2, count: 3, channels: 16, stride: 2}}
    head: []
    blocks:
      res2:
        channels: inner width, before the expansion
        let: {{part: channels * 26 // 64}}
        residual:
          - conv: {{out: 4 * part}}
          - norm
          - act: {{as: x}}
          - sequence: {{steps: [{part(0)}, {part(1)}, {part(2)}]}}
          - slice: {{from: x, start: 3 * part}}
          - pool: {{type: avg, kernel: 3, stride: stride, padding: 1, when: index == 0}}
          - as: y3
          - concat: {{from: [y0, y1, y2, y3]}}
          - conv: {{out: 4 * channels, name: conv3}}
          - norm: {{name: bn3}}
"""


class Res2Net(nn.Module):
    """Blocks of timm's res2net50."""

    def __init__(self) -> None:
        super().__init__()
        timm()
        block = importlib.import_module("timm.models.res2net").Bottle2neck
        self.conv1 = nn.Conv2d(3, 16, 1, bias=False)
        down = nn.Sequential(nn.Conv2d(16, 64, 1, 2, bias=False), nn.BatchNorm2d(64))
        norm = {"norm_layer": nn.BatchNorm2d}
        first = block(16, 16, stride=2, downsample=down, **norm)
        self.layer1 = nn.Sequential(first, block(64, 16, **norm), block(64, 16, **norm))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer1(self.conv1(x))


def test_res2net_of_timm() -> None:
    assert_network(RES2NET, Res2Net(), by="sets")


# -- DLA (Yu et al. 2018) ----------------------------------------------------------------------------------------------

DLA = """
    input: [3, 12, 12]
    fragments:
      basic:
        steps:
          - as: x
          - layer: {out: width, kernel: 3}
          - conv: {out: width, kernel: 3}
          - norm
          - add: [[], [from: x]]
          - act
      pair:
        inputs: [earlier]
        params: {out: null, joined: false}
        steps:
          - basic
          - as: first
          - basic
          - as: second
          - concat: {from: [second, first], when: not joined}
          - concat: {from: [second, first, earlier], when: joined}
          - layer: {out: out, name: root}
    stem: [layer: {out: 8, kernel: 3}]
    stages: []
    head:
      - pair: {out: 8, earlier: stem, as: one}
      - pair: {out: 16, earlier: one, joined: true}
"""


class Basic(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + x)


class Pair(nn.Module):
    def __init__(self, joined: int, out: int) -> None:
        super().__init__()
        self.basic, self.basic2 = Basic(8), Basic(8)
        self.root = nn.Module()
        self.root.conv1, self.root.bn1 = nn.Conv2d(joined, out, 1, bias=False), nn.BatchNorm2d(out)

    def forward(self, x: Tensor, *earlier: Tensor) -> Tensor:
        first = self.basic(x)
        joined = torch.cat([self.basic2(first), first, *earlier], 1)
        return functional.relu(self.root.bn1(self.root.conv1(joined)))


class Tree(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.pair, self.pair2 = Pair(16, 8), Pair(24, 16)

    def forward(self, x: Tensor) -> Tensor:
        one = self.pair(functional.relu(self.bn1(self.conv1(x))))
        return self.pair2(one, one)


def test_a_tree_of_deep_layer_aggregation() -> None:
    assert_network(DLA, Tree())


# -- what is made of them ----------------------------------------------------------------------------------------------

ALL = {"u-net": U_NET, "pyramid": FPN.replace("resnet50", "resnet18"), "res2net": RES2NET, "dla": DLA}


@pytest.mark.parametrize("name", ALL)
def test_sources_and_json(name: str, tmp_path: Path) -> None:
    """Sources compute what `build` does bit for bit, and name values as the spec does; JSON gives the same graph."""
    graph = archspec.compile(spec(ALL[name]))
    model = archspec.build(graph, seed=0).eval()
    example = torch.randn(1, *graph.input, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = model(example)
        readable = executed(written(graph, tmp_path / "net.py")).Tested().eval()
        readable.load_state_dict(model.state_dict())
        assert_same(readable(example), wanted, "readable source")
    uses = graph.uses()
    for kept in {
        kept for name, kept in graph.kept.items() if uses[name] > 1
    }:  # others may be written where they are read
        assert re.search(rf"\b{kept}\d*\b", written(graph, tmp_path / "net.py")), kept
    again = archspec.graph_from_json(written(graph, tmp_path / "net.json"))
    assert (again, again.kept) == (graph, graph.kept)
    assert written(again, tmp_path / "again.py") == written(graph, tmp_path / "net.py")


def written(graph: archspec.Graph, path: Path) -> str:
    archspec.write(graph, path, force=True)
    return path.read_text(encoding="utf-8")


STAGED = """
    input: [1, 32, 48]
    norm: none
    fragments:
      up:
        inputs: [skip]
        params: {out: null}
        steps: [upsample: {like: skip}, concat: [[from: skip], []], layer: {out: out, kernel: 3}]
    blocks: {one: {channels: output width, steps: [layer: {out: channels, kernel: 3, stride: stride}]}}
    stem: []
    stages: {block: one, count: 2, channels: [8, 16, 32], stride: [1, 2, 2]}
    head: [up: {out: 16, skip: layer2}, up: {out: 8, skip: layer1}, conv: {out: 2}]
"""


@pytest.mark.parametrize(("text", "names"), [(U_NET, ["c1", "c2", "c3", "c4"]), (STAGED, ["layer1", "layer2"])])
def test_a_figure_names_the_skips_of_a_u_net(text: str, names: list[str], tmp_path: Path) -> None:
    """Each at its arc, once; of the stages, one that a fragment reads has no band with its name."""
    found = written(archspec.compile(spec(text)), tmp_path / "net.svg")
    arcs = re.findall(r">(c\d|layer\d)</text>", found)
    assert arcs[-len(names) :] == names


@pytest.mark.parametrize("name", ALL)
def test_graphviz_and_mermaid_get_the_names_of_values(name: str, tmp_path: Path) -> None:
    """Both formats have the same names, of values and of stages that the head reads; a U-Net's are in order."""
    graph = archspec.compile(spec(ALL[name]))
    dot = re.findall(r'label="(\w+)"(?:, color=.*)?\];$', edges(written(graph, tmp_path / "net.dot"), "->"), re.M)
    mermaid = re.findall(r'\|"(\w+)"\|', edges(written(graph, tmp_path / "net.mmd"), ">"))
    assert dot == mermaid
    kept = [each for each in dot if each in graph.kept.values()]
    assert set(dot) - set(kept) == ({"layer2", "layer3"} if name == "pyramid" else set())
    known = {"u-net": ["c4", "c3", "c2", "c1"], "pyramid": ["inner3", "inner2", "inner1"]}
    assert kept == known.get(name, kept)


def edges(text: str, arrow: str) -> str:
    return "\n".join(line for line in text.splitlines() if re.match(rf" +n\d+ \S*{arrow}", line))


def test_paths_through_a_u_net() -> None:
    """A path leaves the way down at one of four skips, or goes through the bottom."""
    paths = archspec.analyze(archspec.compile(spec(U_NET))).paths
    assert (paths.skip_paths, paths.graph_paths) == (5, 5)
    assert (paths.in_layers.least, paths.in_layers.most) == (5, 23)
