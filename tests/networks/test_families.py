"""The whole language, tried on small networks of many families, each against a module written by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archspec
from tests.support.equivalence import assert_network, codes, compiled
from tests.support.reference import torchvision_models

relu = functional.relu
conv3 = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
conv1 = partial(nn.Conv2d, kernel_size=1, bias=False)


def pooled(x: Tensor) -> Tensor:
    """Global average pooling and flattening, for any number of dimensions."""
    adaptive = {3: functional.adaptive_avg_pool1d, 4: functional.adaptive_avg_pool2d, 5: functional.adaptive_avg_pool3d}
    return adaptive[x.dim()](x, 1).flatten(1)


def named(module: nn.Module, **parts: nn.Module) -> nn.Module:
    """``module`` with ``parts`` added to it, dots in a name written as ``__``."""
    for name, part in parts.items():
        module.add_module(name, part)
    return module


# -- DenseNet ----------------------------------------------------------------------------------------------------------


class DenseLayer(nn.Module):
    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), conv1(channels, 4 * growth)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), conv3(4 * growth, growth)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(relu(self.bn1(x)))
        return torch.cat([x, self.conv2(relu(self.bn2(y)))], 1)


class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(DenseLayer(8, 4), DenseLayer(12, 4))
        self.after1 = nn.Sequential(nn.BatchNorm2d(16), nn.ReLU(), conv1(16, 8), nn.AvgPool2d(2))
        self.layer2 = nn.Sequential(DenseLayer(8, 4), DenseLayer(12, 4), DenseLayer(16, 4))
        self.bn2 = nn.BatchNorm2d(20)
        self.fc = nn.Linear(20, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer2(self.after1(self.layer1(x)))
        return self.fc(pooled(relu(self.bn2(x))))


DENSENET = """
    input: [3, 64, 64]
    classes: 5
    blocks:
      dense:
        channels: growth
        params: {bottleneck: 4}
        merge: concat
        fixed: {activation_order: pre, shortcut: identity}
        residual:
          - layer: {out: channels * bottleneck, kernel: 1}
          - layer: {out: channels, kernel: 3}
    fragments:
      transition:
        steps:
          - norm
          - act
          - conv: {out: in_channels // 2, kernel: 1}
          - pool: {type: avg, kernel: 2}
    stem:  # written out: the stem of a DenseNet ends with norm and activation although its blocks begin with them
      - conv: {out: 8, kernel: 7, stride: 2}
      - norm
      - act
      - pool: {type: max, kernel: 3, stride: 2, padding: 1}
    stages: {block: dense, count: [2, 3], channels: 4, after: [transition, null]}
    """


def test_dense_block_with_transition() -> None:
    assert_network(DENSENET, DenseNet())
    assert codes(compiled(DENSENET)) == []


def test_dense_block_refuses_a_change_of_size() -> None:
    """For `concat`, shapes agree where the spatial sizes do: growth is no change, a stride is one."""
    text = DENSENET.replace("kernel: 3}", "kernel: 3, stride: stride}").replace(
        "channels: 4,", "channels: 4, stride: 2,"
    )
    with pytest.raises(archspec.SpecError) as refused:
        compiled(text)
    assert codes(refused.value) == ["E505"]


# -- MobileNet and EfficientNet: inverted residuals with a gate --------------------------------------------------------


class Gate(nn.Module):
    """Squeeze-and-excitation."""

    def __init__(self, channels: int, squeeze: int, act: Callable[[Tensor], Tensor], gate: Callable[[Tensor], Tensor]):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeeze, 1), nn.Conv2d(squeeze, channels, 1)
        self.act, self.gate = act, gate

    def forward(self, x: Tensor) -> Tensor:
        scale = self.act(self.fc1(functional.adaptive_avg_pool2d(x, 1)))
        return x * self.gate(self.fc2(scale))


class MBConv(nn.Module):
    """Expand, convolve each channel, gate, project without an activation; a shortcut where nothing changes."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expand: int, act: Callable[[Tensor], Tensor]):
        super().__init__()
        hidden, self.act, self.expand = channels * expand, act, expand
        number = 1
        if expand > 1:
            self.conv1, self.bn1 = conv1(channels, hidden), nn.BatchNorm2d(hidden)
            number = 2
        self.depthwise = nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False)
        self.names = [f"conv{number}", f"bn{number}", f"conv{number + 1}", f"bn{number + 1}"]
        modules = [self._modules.pop("depthwise"), nn.BatchNorm2d(hidden), conv1(hidden, out), nn.BatchNorm2d(out)]
        for name, module in zip(self.names[:2], modules[:2], strict=True):
            self.add_module(name, module)
        self.se = Gate(hidden, channels // 4, functional.silu, torch.sigmoid)
        for name, module in zip(self.names[2:], modules[2:], strict=True):
            self.add_module(name, module)
        self.beside = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        depthwise, norm, project, last = map(self.get_submodule, self.names)
        y = x if self.expand == 1 else self.act(self.bn1(self.conv1(x)))
        y = self.se(self.act(norm(depthwise(y))))
        y = last(project(y))
        return x + y if self.beside else y


class EfficientNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3(3, 8, stride=2), nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(MBConv(8, 8, 3, 1, 1, relu))
        self.layer2 = nn.Sequential(
            MBConv(8, 12, 5, 2, 4, functional.hardswish), MBConv(12, 12, 5, 1, 4, functional.hardswish)
        )
        self.after2 = nn.Sequential(conv1(12, 20), nn.BatchNorm2d(20), nn.Hardswish())
        self.fc = nn.Linear(20, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.silu(self.bn1(self.conv1(x)))
        return self.fc(pooled(self.after2(self.layer2(self.layer1(x)))))


EFFICIENTNET = """
    input: [3, 16, 16]
    classes: 5
    act: silu
    stem: [layer: {out: 8, kernel: 3, stride: 2}]
    blocks:
      mbconv:
        channels: output width
        params: {expand: null, kernel: 3, se: 0.25}
        fixed: {activation_order: act-before-add, shortcut: inverted}
        let: {hidden: in_channels * expand}
        residual:
          - layer: {out: hidden, kernel: 1, when: expand > 1}
          - layer: {out: hidden, kernel: kernel, stride: stride, groups: hidden}
          - se: {squeeze: int(in_channels * se), activation: silu, when: se > 0}
          - layer: {out: channels, kernel: 1, act: none}
    stages:
      - {block: mbconv, count: 1, channels: 8, stride: 1, expand: 1, act: relu}
      - {block: mbconv, count: 2, channels: 12, stride: 2, expand: 4, kernel: 5, act: hardswish,
         after: [layer: {out: 20}]}
    """


def test_inverted_residual_with_a_gate() -> None:
    assert_network(EFFICIENTNET, EfficientNet())


def test_inverted_residuals_pass_the_specs_order_by() -> None:
    """The block means something only in its own order, and the spec is told that nobody reads the other."""
    graph = compiled(EFFICIENTNET + "activation_order: pre\n")
    assert [n.operation for n in graph.nodes[5:]] == [n.operation for n in compiled(EFFICIENTNET).nodes[5:]]
    assert codes(graph) == ["W301"]


# -- Inception ---------------------------------------------------------------------------------------------------------


class ConvNorm(nn.Module):
    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn1(self.conv1(x)))


class Inception(nn.Module):
    def __init__(self, channels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        one, reduce, three, project = widths
        self.branch1 = ConvNorm(channels, one, 1)
        self.branch2 = ConvNorm(channels, reduce, 1)
        self.branch2.conv2, self.branch2.bn2 = conv3(reduce, three), nn.BatchNorm2d(three, eps=0.001)
        self.branch3 = ConvNorm(channels, project, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.branch1(x)
        two = relu(self.branch2.bn2(self.branch2.conv2(self.branch2(x))))
        return torch.cat([one, two, self.branch3(functional.max_pool2d(x, 3, 1, 1))], 1)


class InceptionNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3(3, 6), nn.BatchNorm2d(6, eps=0.001)
        self.layer1 = nn.Sequential(Inception(6, (2, 3, 4, 2)), Inception(8, (3, 3, 5, 2)))
        self.fc = nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(pooled(self.layer1(relu(self.bn1(self.conv1(x))))))


INCEPTION = """
    input: [3, 12, 12]
    classes: 5
    norm: {type: batch, eps: 0.001}
    stem: {use: cifar, width: 6}
    blocks:
      inception:
        params: {one: null, reduce: null, three: null, project: null}
        fixed: {activation_order: act-before-add}
        steps:
          - concat:
              branch1: [layer: {out: one}]
              branch2:
                - layer: {out: reduce}
                - layer: {out: three, kernel: 3}
              branch3:
                - pool: {type: max, kernel: 3, stride: 1, padding: 1}
                - layer: {out: project}
    stages: {block: inception, count: 2, one: [[2, 3]], reduce: 3, three: [[4, 5]], project: 2}
    """


def test_named_branches_open_scopes() -> None:
    assert_network(INCEPTION, InceptionNet())


def test_names_with_dots_reproduce_torchvisions_inception() -> None:
    """GoogLeNet's module: a layer is `branch1.conv` and `branch1.bn`, two in a row are `branch2.0` and `branch2.1`."""
    torchvision_models()
    from torchvision.models.googlenet import Inception as Reference

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer1 = nn.Sequential(Reference(4, 2, 3, 4, 2, 3, 2))
            self.fc = nn.Linear(11, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(pooled(self.layer1(x)))

    text = """
        input: [4, 9, 9]
        classes: 5
        norm: {eps: 0.001}
        stem: []
        naming: {conv: conv, norm: bn}
        blocks:
          inception:
            fixed: {activation_order: act-before-add}
            steps:
              - concat:
                  - - layer: {name: branch1, out: 2}
                  - - layer: {name: branch2.0, out: 3}
                    - layer: {name: branch2.1, out: 4, kernel: 3}
                  - - layer: {name: branch3.0, out: 2}
                    - layer: {name: branch3.1, out: 3, kernel: 3}
                  - - pool: {name: branch4.0, type: max, kernel: 3, stride: 1, padding: 1, ceil: true}
                    - layer: {name: branch4.1, out: 2}
        stages: {block: inception, count: 1}
        """
    assert_network(text, Net())


# -- separable convolutions --------------------------------------------------------------------------------------------


class Separable(nn.Module):
    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3(channels, channels, stride=stride, groups=channels)
        self.conv2 = conv1(channels, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))


class XceptionBlock(nn.Module):
    """Two separable convolutions in the places of a basic block's."""

    def __init__(self, channels: int, out: int, stride: int, pre: bool) -> None:
        super().__init__()
        self.pre = pre
        one, two = Separable(channels, out), Separable(out, out, stride)
        norms = nn.BatchNorm2d(channels if pre else out), nn.BatchNorm2d(out)
        parts = {"separable": one, "bn1": norms[0], "separable2": two, "bn2": norms[1]}
        for name in ("bn1", "separable", "bn2", "separable2") if pre else parts:
            self.add_module(name, parts[name])
        self.downsample: nn.Module | None = None
        if stride > 1 or channels != out:
            norm = [] if pre else [nn.BatchNorm2d(out)]
            self.downsample = nn.Sequential(conv1(channels, out, stride=stride), *norm)

    def forward(self, x: Tensor) -> Tensor:
        if self.pre:
            activated = relu(self.bn1(x))
            y = self.separable2(relu(self.bn2(self.separable(activated))))
            return (x if self.downsample is None else self.downsample(activated)) + y
        y = relu(self.bn1(self.separable(x)))
        y = self.bn2(self.separable2(y))
        return relu((x if self.downsample is None else self.downsample(x)) + y)


class Xception(nn.Module):
    def __init__(self, pre: bool) -> None:
        super().__init__()
        self.pre = pre
        self.conv1 = conv3(3, 4)
        if not pre:
            self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(XceptionBlock(4, 6, 2, pre), XceptionBlock(6, 6, 1, pre))
        if pre:
            self.bn1 = nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        if self.pre:
            return self.fc(pooled(relu(self.bn1(self.layer1(self.conv1(x))))))
        return self.fc(pooled(self.layer1(relu(self.bn1(self.conv1(x))))))


@pytest.mark.parametrize("order", ["post", "pre"])
def test_separable_convolution_in_a_convolutions_place(order: str) -> None:
    text = f"""
        input: [3, 10, 10]
        classes: 5
        activation_order: {order}
        stem: {{use: cifar, width: 4}}
        fragments:
          separable:
            params: {{out: null, stride: 1}}
            steps:
              - conv: {{out: in_channels, kernel: 3, stride: stride, groups: in_channels}}
              - conv: {{out: out, kernel: 1}}
        blocks:
          xception:
            channels: output width
            residual:
              - layer: {{of: [separable: {{out: channels}}]}}
              - layer: {{of: [separable: {{out: channels, stride: stride}}]}}
        stages: {{block: xception, count: 2, channels: 6, stride: 2}}
        """
    assert_network(text, Xception(order == "pre"))


# -- VGG ---------------------------------------------------------------------------------------------------------------


VGG = """
    input: [3, 16, 16]
    classes: 5
    norm: none
    stem: []
    blocks:
      plain:
        channels: output width
        fixed: {activation_order: act-before-add}
        steps: [layer: {out: channels, kernel: 3, bias: true}]
    fragments:
      halve: {steps: [pool: {type: max, kernel: 2}]}
    stages: {block: plain, count: [1, 2, 2], channels: [4, 6, 8], after: halve}
    head:
      - pool: {type: avg, output: 3, name: avgpool}
      - flatten: {name: flat}
      - linear: {out: 12}
      - act
      - dropout
      - linear: {out: classes}
    """


class PlainStack(nn.Module):
    """Laid out as torchvision's VGG."""

    def __init__(self, batch_norm: bool) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        channels = 3
        for count, width in ((1, 4), (2, 6), (2, 8)):
            for _ in range(count):
                parts += [nn.Conv2d(channels, width, 3, padding=1)]
                parts += [nn.BatchNorm2d(width)] if batch_norm else []
                parts += [nn.ReLU(inplace=True)]
                channels = width
            parts += [nn.MaxPool2d(2)]
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(nn.Linear(72, 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 5))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.adaptive_avg_pool2d(self.features(x), 3)
        return self.classifier(x.flatten(1))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_plain_stack_with_pools_behind_its_stages(batch_norm: bool) -> None:
    text = VGG.replace("norm: none", "norm: batch") if batch_norm else VGG
    assert_network(text, PlainStack(batch_norm), by="order")


@pytest.mark.parametrize("batch_norm", [False, True])
def test_plain_stack_with_the_keys_of_torchvision(batch_norm: bool) -> None:
    """Stages and pools share one scope that is numbered through, and steps with names of their own are not counted."""
    naming = '{stage: features, block: "", after: features, head: classifier, step: "{position}"}'
    text = VGG.replace("norm: none", f"norm: {'batch' if batch_norm else 'none'}\n    naming: {naming}")
    assert_network(text, PlainStack(batch_norm))


@pytest.mark.parametrize("order", ["post", "norm-after-add", "act-before-add"])
def test_a_block_of_steps_ends_with_a_whole_layer(order: str) -> None:
    """Nothing is merged and nothing comes after, so nothing of its last layer waits for after the merge."""
    text = VGG.replace("norm: none", f"activation_order: {order}")
    text = text.replace("        fixed: {activation_order: act-before-add}\n", "")
    assert_network(text, PlainStack(True), by="order")


# -- SqueezeNet --------------------------------------------------------------------------------------------------------


def test_fire_modules_with_the_keys_of_torchvision() -> None:
    torchvision_models()
    from torchvision.models.squeezenet import Fire

    class SqueezeNet(nn.Module):
        """The classifier is a convolution before the global pool, as in SqueezeNet."""

        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 6, 3, 2)
            self.layer1 = nn.Sequential(Fire(6, 2, 4, 4), Fire(8, 3, 4, 4))
            self.layer2 = nn.Sequential(Fire(8, 4, 6, 6))
            self.conv2 = nn.Conv2d(12, 5, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.layer1(functional.max_pool2d(relu(self.conv1(x)), 3, 2, ceil_mode=True))
            x = self.layer2(functional.max_pool2d(x, 3, 2, ceil_mode=True))
            return pooled(relu(self.conv2(functional.dropout(x, 0.5, self.training))))

    text = """
        input: [3, 23, 23]
        classes: 5
        norm: none
        stem:
          - layer: {out: 6, kernel: 3, stride: 2, padding: 0, bias: true}
          - pool: {type: max, kernel: 3, stride: 2, ceil: true}
        blocks:
          fire:
            channels: output width
            params: {squeeze: null}
            steps:
              - conv: {name: squeeze, out: squeeze, bias: true}
              - act: {name: squeeze_activation}
              - concat:
                  - - conv: {name: expand1x1, out: channels // 2, bias: true}
                    - act
                  - - conv: {name: expand3x3, out: channels // 2, kernel: 3, bias: true}
                    - act
        stages:
          - {block: fire, count: 2, channels: 8, squeeze: [2, 3],
             after: [pool: {type: max, kernel: 3, stride: 2, ceil: true}]}
          - {block: fire, count: 1, channels: 12, squeeze: 4}
        head:
          - dropout
          - layer: {out: classes, bias: true}
          - pool: {type: avg, output: 1}
          - flatten
        """
    assert_network(text, SqueezeNet())


# -- ShuffleNet v2 -----------------------------------------------------------------------------------------------------


def test_shuffled_units_with_the_keys_of_torchvision() -> None:
    """Half of the channels pass by, the other half is convolved, and both are shuffled; a stride convolves both."""
    torchvision_models()
    from torchvision.models.shufflenetv2 import InvertedResidual

    class ShuffleNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = conv3(3, 6, stride=2), nn.BatchNorm2d(6)
            self.layer1 = nn.Sequential(InvertedResidual(6, 8, 2), InvertedResidual(8, 8, 1))
            self.fc = nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(pooled(self.layer1(relu(self.bn1(self.conv1(x))))))

    text = """
        input: [3, 16, 16]
        classes: 5
        stem: [layer: {out: 6, kernel: 3, stride: 2}]
        fragments:
          depthwise:
            params: {stride: 1}
            steps: [conv: {out: in_channels, kernel: 3, stride: stride, groups: in_channels}]
        naming:
          fragment: ""
          sequence: "{position}"
        blocks:
          shuffle:
            channels: output width
            let: {half: channels // 2}
            steps:
              - concat:
                  branch1:
                    - slice: {name: left, stop: half, when: stride == 1}
                    - sequence:
                        when: stride > 1
                        steps:
                          - conv: {name: '0', out: in_channels, kernel: 3, stride: stride, groups: in_channels}
                          - norm: {name: '1'}
                          - conv: {name: '2', out: half}
                          - norm: {name: '3'}
                          - act
                  branch2:
                    - slice: {name: right, start: half, when: stride == 1}
                    - conv: {name: '0', out: half}
                    - norm: {name: '1'}
                    - act
                    - conv: {name: '3', out: half, kernel: 3, stride: stride, groups: half}
                    - norm: {name: '4'}
                    - conv: {name: '5', out: half}
                    - norm: {name: '6'}
                    - act
              - channel_shuffle: {groups: 2}
        stages: {block: shuffle, count: 2, channels: 8, stride: 2}
        """.replace('          fragment: ""\n          sequence: "{position}"\n', "").replace("        naming:\n", "")
    assert_network(text, ShuffleNet())
