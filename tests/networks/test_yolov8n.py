"""YOLOv8-n up to its raw outputs (Jocher et al. 2023): the spec against a module written from the published layout."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import archspec
from archspec.emit.python import python_source
from tests.support.equivalence import assert_same, scramble, spec, transfer
from tests.support.sources import assert_same_keys, assert_same_network

YOLO = """
    input: [3, 640, 640]
    classes: 80
    blocks:
      unit:
        channels: width
        params: {skip: true}
        fixed: {activation_order: act-before-add, shortcut: "'identity' if skip else 'none'"}
        residual: [layer: {out: channels, kernel: 3, name: cv1}, layer: {out: channels, kernel: 3, name: cv2}]
    fragments:
      c2f:
        params: {half: null}
        steps:
          - layer: {out: 2 * half, as: halves, name: cv1}
          - slice: {start: half}
          - blocks: {each: parts, name: m}
          - concat: {from: [halves, parts]}
          - layer: {out: 2 * half, name: cv2}
      sppf:
        steps:
          - layer: {out: in_channels // 2, as: x, name: cv1}
          - repeat: {times: 3, each: pools, steps: [pool: {type: max, kernel: 5, stride: 1, padding: 2}]}
          - concat: {from: [x, pools]}
          - layer: {out: in_channels, name: cv2}
      tower:
        params: {wide: null, out: null}
        steps:
          - layer: {out: wide, kernel: 3, name: "0"}
          - layer: {out: wide, kernel: 3, name: "1"}
          - conv: {out: out, bias: true, name: "2"}
    stem: [layer: {out: 16, kernel: 3, stride: 2, name: model.0}]
    stages:
      block: unit
      count: [1, 2, 2, 1, 1, 1, 1, 1]
      channels: [16, 32, 64, 128, 64, 32, 64, 128]
      skip: [true, true, true, true, false, false, false, false]
      name: "model.{2 * stage if stage < 5 else 3 * stage - 3}"
      around: {use: c2f, half: channels}
      before:
        - [layer: {out: 32, kernel: 3, stride: 2}]
        - [layer: {out: 64, kernel: 3, stride: 2}]
        - [layer: {out: 128, kernel: 3, stride: 2}]
        - [layer: {out: 256, kernel: 3, stride: 2}]
        - [upsample: {scale: 2}, concat: [[], [from: model.6]]]
        - [upsample: {scale: 2}, concat: [[], [from: model.4]]]
        - [layer: {out: 64, kernel: 3, stride: 2}, concat: [[], [from: model.12]]]
        - [layer: {out: 128, kernel: 3, stride: 2}, concat: [[], [from: deep]]]
      after: [null, null, null, [sppf: {as: deep}], null, null, null, null]
    head:
      - concat: {from: model.15, as: p3, cv2.0: [tower: {wide: 64, out: 64}], cv3.0: [tower: {wide: 80, out: classes}]}
      - concat: {from: model.18, as: p4, cv2.1: [tower: {wide: 64, out: 64}], cv3.1: [tower: {wide: 80, out: classes}]}
      - concat: {from: model.21, as: p5, cv2.2: [tower: {wide: 64, out: 64}], cv3.2: [tower: {wide: 80, out: classes}]}
    outputs: [p3, p4, p5]
    act: silu
    norm: {eps: 1e-3, momentum: 0.03}
    naming:
      {head: model.22, before: "model.{2 * stage - 1 if stage < 5 else 3 * stage - 5}", after: model.9, fragment: "",
       conv: conv, norm: bn}
"""


class Conv(nn.Module):
    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, k // 2, bias=False)
        self.bn = nn.BatchNorm2d(c2, eps=1e-3, momentum=0.03)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.silu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, c: int, skip: bool) -> None:
        super().__init__()
        self.cv1, self.cv2, self.skip = Conv(c, c, 3), Conv(c, c, 3), skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.cv2(self.cv1(x))
        return x + found if self.skip else found


class C2f(nn.Module):
    def __init__(self, c1: int, c2: int, n: int, skip: bool = False) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(c1, c2), Conv((2 + n) * c2 // 2, c2)
        self.m = nn.ModuleList([Bottleneck(c2 // 2, skip) for _ in range(n)])

    def forward(self, x: Tensor) -> Tensor:
        found = list(self.cv1(x).chunk(2, 1))
        for each in self.m:
            found.append(each(found[-1]))
        return self.cv2(torch.cat(found, 1))  # type: ignore[no-any-return]


class SPPF(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.cv1, self.cv2, self.m = Conv(c, c // 2), Conv(2 * c, c), nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        found = [self.cv1(x)]
        for _ in range(3):
            found.append(self.m(found[-1]))
        return self.cv2(torch.cat(found, 1))  # type: ignore[no-any-return]


class Detect(nn.Module):
    def __init__(self, nc: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        box, label = max(16, widths[0] // 4, 64), max(widths[0], min(nc, 100))
        self.cv2, self.cv3 = (
            nn.ModuleList([nn.Sequential(Conv(x, c, 3), Conv(c, c, 3), nn.Conv2d(c, out, 1)) for x in widths])
            for c, out in ((box, 64), (label, nc))
        )

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        return [torch.cat([self.cv2[i](each), self.cv3[i](each)], 1) for i, each in enumerate(x)]


class Yolo(nn.Module):
    """The layers by their published numbers; those without weights are done in ``forward``."""

    def __init__(self) -> None:
        super().__init__()
        up: nn.Module = nn.Upsample(scale_factor=2, mode="nearest")
        self.model = nn.ModuleList([
            Conv(3, 16, 3, 2), Conv(16, 32, 3, 2), C2f(32, 32, 1, True), Conv(32, 64, 3, 2), C2f(64, 64, 2, True),
            Conv(64, 128, 3, 2), C2f(128, 128, 2, True), Conv(128, 256, 3, 2), C2f(256, 256, 1, True), SPPF(256),
            up, nn.Identity(), C2f(384, 128, 1), up, nn.Identity(), C2f(192, 64, 1),
            Conv(64, 64, 3, 2), nn.Identity(), C2f(192, 128, 1), Conv(128, 128, 3, 2), nn.Identity(), C2f(384, 256, 1),
            Detect(80, (64, 128, 256)),
        ])  # fmt: skip

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        beside = {11: 6, 14: 4, 17: 12, 20: 9}
        kept: list[Tensor] = []
        for number, layer in enumerate(self.model[:-1]):
            x = torch.cat([x, kept[beside[number]]], 1) if number in beside else layer(x)
            kept.append(x)
        found: list[Tensor] = self.model[-1]([kept[15], kept[18], kept[21]])
        return dict(zip(("p3", "p4", "p5"), found, strict=True))


def test_it_is_the_published_network() -> None:
    """With its keys. The outputs agree bit for bit; gradients not, because the halves of a value are one value here."""
    graph = archspec.compile(spec(YOLO.replace("640, 640", "64, 96")))
    model, reference = archspec.build(graph), Yolo()
    scramble(reference)
    transfer(reference, model, "sets")
    example = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    for training in (False, True):
        found, wanted = (each.train(training)(example) for each in (model, reference))
        assert_same(found, wanted, "training" if training else "inference")
    sum(value.square().mean() for value in found.values()).backward()
    sum(value.square().mean() for value in wanted.values()).backward()
    for name, parameter in reference.named_parameters():
        torch.testing.assert_close(model.get_parameter(name).grad, parameter.grad, rtol=1e-3, atol=1e-5, msg=name)


def test_its_figures() -> None:
    """3,157,200 parameters are published, of which the 16 that decode the boxes never change."""
    graph = archspec.compile(spec(YOLO))
    report = archspec.analyze(graph, lengths=False)
    assert report.totals.costs.params == 3_157_200 - 16
    assert [graph.shape(name) for name in graph.outputs.values()] == [(144, 80, 80), (144, 40, 40), (144, 20, 20)]
    assert len(YOLO.strip().splitlines()) <= 60


def test_its_source_is_the_same_network() -> None:
    graph = archspec.compile(spec(YOLO.replace("640, 640", "64, 64")))
    source = python_source(graph)
    assert_same_keys(source, graph)
    assert_same_network(source, graph)
