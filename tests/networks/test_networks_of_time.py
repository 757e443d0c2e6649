"""Networks from papers that read frames and series, against modules written by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import archspec
from tests.support.equivalence import assert_network, compiled
from tests.support.everywhere import assert_written

# -- SlowFast (Feichtenhofer et al. 2019, table 1) ---------------------------------------------------------------------


def unit(before: int, after: int, kernel: tuple[int, int, int], stride: tuple[int, int, int] = (1, 1, 1)) -> nn.Module:
    """A convolution of time and space, and its norm."""
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    conv = nn.Conv3d(before, after, kernel, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(after))


class Bottleneck(nn.Module):
    """Tx1x1, 1x3x3 and 1x1x1; four times as many channels come out, and the second takes the stride."""

    def __init__(self, before: int, inner: int, time: int, stride: int) -> None:
        super().__init__()
        self.a = unit(before, inner, (time, 1, 1))
        self.b = unit(inner, inner, (1, 3, 3), (1, stride, stride))
        self.c = unit(inner, 4 * inner, (1, 1, 1))
        change = stride > 1 or before != 4 * inner
        self.shortcut = unit(before, 4 * inner, (1, 1, 1), (1, stride, stride)) if change else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.c(self.b(self.a(x).relu()).relu())
        return (y + (self.shortcut(x) if self.shortcut else x)).relu()  # type: ignore[no-any-return]


def stage(before: int, inner: int, time: int, stride: int) -> nn.Module:
    return nn.Sequential(Bottleneck(before, inner, time, stride), Bottleneck(4 * inner, inner, time, 1))


def pooled(x: Tensor) -> Tensor:
    return nn.functional.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))


class SlowFast(nn.Module):
    """The slow pathway has every fourth frame, four times the channels, and the fast one's maps joined to its own."""

    def __init__(self) -> None:
        super().__init__()
        self.slow1 = unit(3, 16, (1, 7, 7), (1, 2, 2))
        self.fast1 = unit(3, 4, (5, 7, 7), (1, 2, 2))
        self.lateral1 = unit(4, 8, (5, 1, 1), (4, 1, 1))
        self.slow2, self.fast2 = stage(16 + 8, 8, 1, 1), stage(4, 2, 3, 1)
        self.lateral2 = unit(8, 16, (5, 1, 1), (4, 1, 1))
        self.slow3, self.fast3 = stage(32 + 16, 16, 3, 2), stage(8, 4, 3, 2)
        self.fc = nn.Linear(64 + 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        slow, fast = pooled(self.slow1(x[:, :, ::4]).relu()), pooled(self.fast1(x).relu())
        slow = self.slow2(torch.cat([slow, self.lateral1(fast).relu()], 1))
        fast = self.fast2(fast)
        slow = self.slow3(torch.cat([slow, self.lateral2(fast).relu()], 1))
        fast = self.fast3(fast)
        both = torch.cat([nn.functional.adaptive_avg_pool3d(each, 1) for each in (slow, fast)], 1)
        return self.fc(nn.functional.dropout(both.flatten(1), 0.5, self.training))  # type: ignore[no-any-return]


SLOWFAST = """
    input: [3, 8, 24, 32]
    classes: 5
    naming: {layer: "{position}"}
    fragments:
      bottleneck:
        params: {inner: null, time: 1, stride: 1}
        let: {change: stride > 1 or in_channels != 4 * inner}
        steps:
          - as: x
          - layer: {out: inner, kernel: [time, 1, 1], name: a}
          - layer: {out: inner, kernel: [1, 3, 3], stride: [1, stride, stride], name: b}
          - layer: {out: 4 * inner, act: none, name: c, as: y}
          - add:
              - [from: y]
              - - from: x
                - layer: {out: 4 * inner, stride: [1, stride, stride], act: none, name: shortcut, when: change}
          - act
      stage:
        params: {inner: null, time: 1, stride: 1}
        steps:
          - bottleneck: {inner: inner, time: time, stride: stride, name: "0"}
          - bottleneck: {inner: inner, time: time, name: "1"}
    stem:
      - subsample: {stride: [4, 1, 1]}
      - layer: {out: 16, kernel: [1, 7, 7], stride: [1, 2, 2], name: slow1}
      - pool: {type: max, kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1], as: s1}
      - layer: {out: 4, kernel: [5, 7, 7], stride: [1, 2, 2], from: input, name: fast1}
      - pool: {type: max, kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1], as: f1}
    stages: []
    head:
      - layer: {out: 2 * width, kernel: [5, 1, 1], stride: [4, 1, 1], name: lateral1, as: l1}
      - concat: {from: [s1, l1]}
      - stage: {inner: 8, name: slow2, as: s2}
      - stage: {inner: 2, time: 3, from: f1, name: fast2, as: f2}
      - layer: {out: 2 * width, kernel: [5, 1, 1], stride: [4, 1, 1], name: lateral2, as: l2}
      - concat: {from: [s2, l2]}
      - stage: {inner: 16, time: 3, stride: 2, name: slow3}
      - pool: {type: avg, output: 1, as: s3}
      - stage: {inner: 4, time: 3, stride: 2, from: f2, name: fast3}
      - pool: {type: avg, output: 1, as: f3}
      - concat: {from: [s3, f3]}
      - flatten
      - dropout: {p: 0.5}
      - linear: {out: classes, name: fc}
"""


def test_slowfast() -> None:
    assert_network(SLOWFAST, SlowFast())
    assert archspec.verify(compiled(SLOWFAST), SlowFast()).holds("keys", "graph", "outputs")
    assert_written(compiled(SLOWFAST), SlowFast())


# -- TCN (Bai et al. 2018, figure 1) -----------------------------------------------------------------------------------


class Causal(nn.Module):
    """A convolution over what came before; the paper's weight norm changes how it trains, and is left out."""

    def __init__(self, before: int, after: int, dilation: int) -> None:
        super().__init__()
        self.past, self.conv = 2 * dilation, nn.Conv1d(before, after, 3, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(nn.functional.pad(x, (self.past, 0))).relu()
        return nn.functional.dropout(x, 0.05, self.training)


class Temporal(nn.Module):
    def __init__(self, before: int, after: int, dilation: int) -> None:
        super().__init__()
        self.first, self.second = Causal(before, after, dilation), Causal(after, after, dilation)
        self.downsample = nn.Conv1d(before, after, 1) if before != after else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x))
        return (y + (self.downsample(x) if self.downsample else x)).relu()  # type: ignore[no-any-return]


class Tcn(nn.Module):
    """Blocks whose dilation doubles, and a classifier that reads the last moment."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        blocks = [Temporal(width if number else 2, width, 2**number) for number in range(depth)]
        self.network, self.linear = nn.Sequential(*blocks), nn.Linear(width, 7)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.linear(self.network(x)[..., -1])
        return found


TCN = """
    input: [2, 40]
    classes: 7
    norm: none
    naming: {stage: "network.{stage - 1}", block: ""}
    fragments:
      causal:
        params: {dilation: null, out: null}
        steps:
          - pad: {sides: [[2 * dilation, 0]]}
          - conv: {out: out, kernel: 3, dilation: dilation, padding: 0, bias: true, name: conv}
          - act
          - dropout: {p: 0.05}
    blocks:
      temporal:
        channels: width
        steps:
          - as: x
          - causal: {out: channels, dilation: dilation, name: first}
          - causal: {out: channels, dilation: dilation, name: second, as: y}
          - add:
              - [from: y]
              - - from: x
                - conv: {out: channels, bias: true, name: downsample, when: in_channels != channels}
          - act
    stem: []
    stages: {block: temporal, count: 1, channels: 12, dilation: [1, 2, 4]}
    head: [pad: {sides: [[-39, 0]]}, flatten, linear: {out: classes, name: linear}]
"""


def test_tcn() -> None:
    """The graphs differ: a negative padding removes all moments but the last, which torch's module reads by a slice."""
    assert_network(TCN, Tcn(12, 3))
    assert archspec.verify(compiled(TCN), Tcn(12, 3)).holds("keys", "outputs")
    assert_written(compiled(TCN), Tcn(12, 3))


def test_tcn_does_not_see_the_future() -> None:
    """What is given for moment 30 depends on it and on the moments before it that the dilations reach."""
    graph = compiled(TCN.replace("[[-39, 0]]", "[[-30, -9]]"))
    x = torch.randn(1, *graph.input, generator=torch.Generator().manual_seed(1)).requires_grad_()
    archspec.build(graph, seed=0).eval()(x).sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1)).nonzero().flatten()
    assert (int(seen.min()), int(seen.max())) == (30 - 2 * 2 * (1 + 2 + 4), 30)
