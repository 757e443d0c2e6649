"""Every activation order with every shortcut, and the settings of a block, against residual blocks written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archspec
from archspec.language.spec import ACTIVATION_ORDERS
from tests.support.equivalence import assert_network, codes, compiled, spec, weights
from tests.support.reference import torchvision_models

SHORTCUTS = ("identity", "none", "zero-pad", "projection", "projection-all", "avg-projection", "inverted")

Norm = Callable[[int], nn.Module]
Act = Callable[[Tensor], Tensor]


# -- the reference: the blocks of He et al. 2016, figure 4 -------------------------------------------------------------


class Residual(nn.Module):
    """Convolutions, their norms, and what stands beside them: None for a plain block."""

    def __init__(
        self,
        convs: Sequence[nn.Conv2d],
        beside: nn.Module | None,
        norm: Norm = nn.BatchNorm2d,
        act: Act = functional.relu,
        drop: Act = lambda y: y,
        prefix: str = "bn",
    ) -> None:
        super().__init__()
        self.act, self.drop, self.prefix, self.last = act, drop, prefix, len(convs)
        self.register(convs, beside, norm)

    def register(self, convs: Sequence[nn.Conv2d], beside: nn.Module | None, norm: Norm) -> None:
        for number, conv in enumerate(convs, 1):
            self.add_module(f"conv{number}", conv)
            self.add_module(f"{self.prefix}{number}", norm(conv.out_channels))
        self.downsample = beside

    def conv(self, number: int, x: Tensor) -> Tensor:
        return self.get_submodule(f"conv{number}")(x)

    def norm(self, number: int, x: Tensor) -> Tensor:
        return self.get_submodule(f"{self.prefix}{number}")(x)

    def merge(self, shortcut: Tensor, y: Tensor) -> Tensor:
        """The shortcut of ``shortcut``, plus ``y``."""
        return y if self.downsample is None else self.downsample(shortcut) + self.drop(y)


class Post(Residual):
    """(a) The original: activation after the addition."""

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for number in range(1, self.last):
            y = self.act(self.norm(number, self.conv(number, y)))
        y = self.norm(self.last, self.conv(self.last, y))
        return self.act(self.merge(x, y))


class NormAfterAdd(Residual):
    """(b) Norm and activation after the addition."""

    def register(self, convs: Sequence[nn.Conv2d], beside: nn.Module | None, norm: Norm) -> None:
        super().register(convs, None, norm)
        after = self._modules.pop(f"{self.prefix}{self.last}")
        self.downsample = beside
        self.add_module(f"{self.prefix}{self.last}", after)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for number in range(1, self.last):
            y = self.act(self.norm(number, self.conv(number, y)))
        y = self.merge(x, self.conv(self.last, y))
        return self.act(self.norm(self.last, y))


class ActBeforeAdd(Residual):
    """(c) Activation before the addition."""

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for number in range(1, self.last + 1):
            y = self.act(self.norm(number, self.conv(number, y)))
        return self.merge(x, y)


class ActOnlyPre(Residual):
    """(d) Only the activation stands before the convolution. A shortcut with steps reads the activated value."""

    def forward(self, x: Tensor) -> Tensor:
        activated = y = self.act(x)
        for number in range(1, self.last + 1):
            y = self.norm(number, self.conv(number, y if number == 1 else self.act(y)))
        return self.merge(x if isinstance(self.downsample, nn.Identity) else activated, y)


class Pre(Residual):
    """(e) Full pre-activation. A shortcut that does anything reads the activated value."""

    def register(self, convs: Sequence[nn.Conv2d], beside: nn.Module | None, norm: Norm) -> None:
        for number, conv in enumerate(convs, 1):
            self.add_module(f"{self.prefix}{number}", norm(conv.in_channels))
            self.add_module(f"conv{number}", conv)
        self.downsample = beside

    def forward(self, x: Tensor) -> Tensor:
        activated = y = self.act(self.norm(1, x))
        for number in range(1, self.last + 1):
            y = self.conv(number, y if number == 1 else self.act(self.norm(number, y)))
        return self.merge(x if isinstance(self.downsample, nn.Identity) else activated, y)


BLOCKS: dict[str, type[Residual]] = {
    "post": Post,
    "norm-after-add": NormAfterAdd,
    "act-before-add": ActBeforeAdd,
    "act-only-pre": ActOnlyPre,
    "pre": Pre,
}


class ZeroPad(nn.Module):
    """Option A of He et al. 2015: every n-th position, and channels of zeros."""

    def __init__(self, out: int, stride: int) -> None:
        super().__init__()
        self.out, self.stride = out, stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(x, (0, 0, 0, 0, 0, self.out - x.shape[1]))


def beside(
    shortcut: str, order: str, channels: int, out: int, stride: int, norm: Norm = nn.BatchNorm2d
) -> nn.Module | None:
    """What ``shortcut`` puts beside a residual that turns ``channels`` into ``out``."""
    same = channels == out and stride == 1
    if shortcut == "none" or (shortcut == "inverted" and not same):
        return None
    if shortcut in ("identity", "inverted") or (same and shortcut != "projection-all"):
        return nn.Identity()
    if shortcut == "zero-pad":
        return ZeroPad(out, stride)
    averaged = shortcut == "avg-projection"
    pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
    return nn.Sequential(
        *([pool] if averaged and stride > 1 else []),
        nn.Conv2d(channels, out, 1, 1 if averaged else stride, bias=False),
        *([] if order == "pre" else [norm(out)]),
    )


def convolutions(block: str, channels: int, width: int, stride: int, dilation: int = 1) -> list[nn.Conv2d]:
    """The convolutions of a basic block, or of a bottleneck that expands its width by four."""
    three = partial(nn.Conv2d, kernel_size=3, padding=dilation, dilation=dilation, bias=False)
    if block == "basic":
        return [three(channels, width, stride=stride), three(width, width)]
    reduce, expand = nn.Conv2d(channels, width, 1, bias=False), nn.Conv2d(width, 4 * width, 1, bias=False)
    return [reduce, three(width, width, stride=stride), expand]


class Network(nn.Module):
    """A 3x3 stem, stages of blocks, and the classifier, arranged as the order of the blocks asks for."""

    def __init__(
        self,
        stages: Sequence[Sequence[nn.Module]],
        order: str,
        stem: int,
        out: int,
        norm: Norm = nn.BatchNorm2d,
        act: Act = functional.relu,
        prefix: str = "bn",
    ) -> None:
        super().__init__()
        self.order, self.act, self.prefix = order, act, prefix
        self.conv1 = nn.Conv2d(3, stem, 3, padding=1, bias=False)
        if order != "pre":
            self.add_module(f"{prefix}1", norm(stem))
        for number, blocks in enumerate(stages, 1):
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.count = len(stages)
        if order == "pre":
            self.add_module(f"{prefix}1", norm(out))
        self.fc = nn.Linear(out, 5)

    def forward(self, x: Tensor) -> Tensor:
        norm = self.get_submodule(f"{self.prefix}1")
        x = self.conv1(x)
        if self.order != "pre":
            x = norm(x)
        if self.order not in ("pre", "act-only-pre"):
            x = self.act(x)
        for number in range(1, self.count + 1):
            x = self.get_submodule(f"layer{number}")(x)
        if self.order == "pre":
            x = norm(x)
        if self.order in ("pre", "act-only-pre"):
            x = self.act(x)
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


def residual_network(
    block: str,
    order: str = "post",
    shortcut: str = "projection",
    *,
    width: int = 4,
    stem: int = 2,
    changes: bool = True,
    count: int = 2,
    dilation: int = 1,
    drop: Callable[[int], Act] = lambda number: lambda y: y,
    norm: Norm = nn.BatchNorm2d,
    act: Act = functional.relu,
    prefix: str = "bn",
) -> Network:
    """Two stages of ``count`` blocks; the second doubles the width and halves the size, if it ``changes``."""
    channels, stages = stem, []
    for stage in range(2):
        inner = width * (2 if stage and changes else 1)
        out = inner * (4 if block == "bottleneck" else 1)
        blocks: list[nn.Module] = []
        for index in range(count):
            stride = 2 if stage and changes and index == 0 else 1
            convs = convolutions(block, channels, inner, stride, dilation if stage else 1)
            side = beside(shortcut, order, channels, out, stride, norm)
            blocks.append(BLOCKS[order](convs, side, norm, act, drop(stage * count + index), prefix))
            channels = out
        stages.append(blocks)
    return Network(stages, order, stem, channels, norm, act, prefix)


def residual_text(
    block: str,
    order: str = "post",
    shortcut: str = "projection",
    *,
    width: int = 4,
    stem: int = 2,
    changes: bool = True,
    count: int = 2,
    more: str = "",
) -> str:
    """The spec of :func:`residual_network`."""
    table = f"block: {block}, count: {count}, channels: {[width, width * (2 if changes else 1)]}"
    return (
        f"input: [3, 9, 7]\nclasses: 5\nstem: {{use: cifar, width: {stem}}}\n"
        f"stages: {{{table}, stride: {[1, 2 if changes else 1]}}}\n"
        f"shortcut: {shortcut}\nactivation_order: {order}\n{more}"
    )


# -- orders and shortcuts ----------------------------------------------------------------------------------------------


def test_the_reference_has_every_order_of_the_language() -> None:
    assert tuple(BLOCKS) == ACTIVATION_ORDERS


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("order", BLOCKS)
def test_order_with_shortcut(order: str, shortcut: str, block: str) -> None:
    changes = shortcut != "identity"
    stem = 2 if changes else 4 * (4 if block == "bottleneck" else 1)
    reference = residual_network(block, order, shortcut, stem=stem, changes=changes)
    assert_network(residual_text(block, order, shortcut, stem=stem, changes=changes), reference)


@pytest.mark.parametrize("order", BLOCKS)
def test_a_shortcut_that_does_nothing_in_the_first_block_leaves_its_input_alone(order: str) -> None:
    """The first block keeps the shape here, so only the second stage has a projection."""
    reference = residual_network("basic", order, "projection", stem=4)
    assert_network(residual_text("basic", order, "projection", stem=4), reference)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("order", BLOCKS)
def test_identity_refuses_a_change_of_shape(order: str, block: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        compiled(residual_text(block, order, "identity"))
    assert codes(refused.value) == ["E505"]


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_the_shortcuts_of_one_network_differ(shortcut: str) -> None:
    """What the table above compares is not by accident one network seven times."""
    if shortcut == "identity":
        return
    mine = [node.operation for node in compiled(residual_text("basic", "post", shortcut)).nodes]
    for other in SHORTCUTS:
        if other not in ("identity", shortcut):
            assert mine != [node.operation for node in compiled(residual_text("basic", "post", other)).nodes]


def test_stem_of_several_layers_leaves_out_only_what_follows_its_last() -> None:
    """The deep stem before a pre-activation block: its third layer is a bare convolution, its pool stays."""

    class DeepPre(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            conv = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
            self.conv1, self.bn1 = conv(3, 4, stride=2), nn.BatchNorm2d(4)
            self.conv2, self.bn2 = conv(4, 4), nn.BatchNorm2d(4)
            self.conv3 = conv(4, 8)
            self.layer1 = nn.Sequential(Pre(convolutions("basic", 8, 8, 1), nn.Identity()))
            self.bn3 = nn.BatchNorm2d(8)
            self.fc = nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = functional.relu(self.bn1(self.conv1(x)))
            x = functional.relu(self.bn2(self.conv2(x)))
            x = functional.max_pool2d(self.conv3(x), 3, 2, 1)
            x = functional.relu(self.bn3(self.layer1(x)))
            return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))

    text = """
        input: [3, 21, 17]
        classes: 5
        stem: {use: deep, narrow: 4, width: 8}
        stages: {block: basic, count: [1], channels: 8}
        activation_order: pre
        """
    assert_network(text, DeepPre())


def test_imagenet_stem_before_pre_activation_is_convolution_and_pool() -> None:
    text = """
        input: [3, 33, 33]
        stem: {use: imagenet, width: 8}
        stages: {block: basic, count: [1], channels: 8}
        activation_order: pre
        """
    names = [node.name for node in compiled(text).nodes]
    assert names[:2] == ["conv1", "maxpool"]
    assert names[names.index("layer1.0.add") + 1 :] == ["bn1", "relu", "avgpool", "flatten", "fc"]


# -- orders that change on the way -------------------------------------------------------------------------------------


class TwoOrders(nn.Module):
    """A post-activation stage, then one of full pre-activation: the stem is the first's, the head the second's."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(Post(convolutions("basic", 4, 4, 1), nn.Identity()))
        self.layer2 = nn.Sequential(
            Pre(convolutions("basic", 4, 8, 2), beside("projection", "pre", 4, 8, 2)),
            Pre(convolutions("basic", 8, 8, 1), nn.Identity()),
        )
        self.bn2 = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.layer2(self.layer1(x))))
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


TWO_ORDERS = """
    input: [3, 9, 9]
    classes: 5
    stem: {use: cifar, width: 4}
    stages: {block: basic, count: [1, 2], channels: [4, 8], stride: [1, 2], activation_order: [post, pre]}
    """


def test_each_stage_may_have_an_order_and_the_edges_take_the_nearest() -> None:
    assert_network(TWO_ORDERS, TwoOrders())
    assert codes(compiled(TWO_ORDERS)) == []


def test_post_after_pre_is_warned_about() -> None:
    assert codes(compiled(TWO_ORDERS.replace("[post, pre]", "[pre, post]"))) == ["W302"]


def test_each_block_of_a_stage_may_have_an_order() -> None:
    text = TWO_ORDERS.replace("[post, pre]", "[post, [pre, pre]]")
    assert_network(text, TwoOrders())


# -- first and last, through fragments and branches and after `when` ---------------------------------------------------


class Head(nn.Module):
    """Global average pooling and the linear layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


class OneBlock(nn.Module):
    """A stem of one layer, one block, the head; with what pre-activation moves from the one to the other."""

    def __init__(self, block: nn.Module, stem: int, out: int, *, pre: bool = False) -> None:
        super().__init__()
        self.pre = pre
        self.conv1 = nn.Conv2d(3, stem, 3, padding=1, bias=False)
        if not pre:
            self.bn1 = nn.BatchNorm2d(stem)
        self.layer1 = nn.Sequential(block)
        if pre:
            self.bn1 = nn.BatchNorm2d(out)
        self.fc = nn.Linear(out, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        if not self.pre:
            x = functional.relu(self.bn1(x))
        x = self.layer1(x)
        if self.pre:
            x = functional.relu(self.bn1(x))
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


BRANCHES = """
    input: [3, 7, 7]
    classes: 5
    stem: {use: cifar, width: 4}
    blocks:
      split:
        params: {deep: 0}
        residual:
          - layer: {out: 6, kernel: 1}
          - concat:
              - - layer: {out: 4, kernel: 3}
              - - layer: {out: 2, kernel: 1}
                - layer: {out: 4, kernel: 3, when: deep > 0}
    """


def test_the_last_layer_of_each_branch_is_a_last_layer() -> None:
    """`when` decides whether the second branch's first layer is its last."""

    class Split(nn.Module):
        def __init__(self, deep: bool) -> None:
            super().__init__()
            conv = partial(nn.Conv2d, bias=False)
            self.conv1, self.bn1 = conv(4, 6, 1), nn.BatchNorm2d(6)
            self.conv2, self.bn2 = conv(6, 4, 3, padding=1), nn.BatchNorm2d(4)
            self.conv3, self.bn3 = conv(6, 2, 1), nn.BatchNorm2d(2)
            if deep:
                self.conv4, self.bn4 = conv(2, 4, 3, padding=1), nn.BatchNorm2d(4)
            self.deep = deep
            self.downsample = beside("projection", "post", 4, 8 if deep else 6, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = functional.relu(self.bn1(self.conv1(x)))
            left, right = self.bn2(self.conv2(y)), self.bn3(self.conv3(y))
            if self.deep:
                right = self.bn4(self.conv4(functional.relu(right)))
            assert self.downsample is not None
            return functional.relu(self.downsample(x) + torch.cat([left, right], 1))

    for deep in (False, True):
        text = f"{BRANCHES.rstrip()}\n    stages: {{block: split, count: 1, deep: {int(deep)}}}\n"
        assert_network(text, OneBlock(Split(deep), 4, 8 if deep else 6))


LATE = """
    input: [3, 7, 7]
    classes: 5
    stem: {use: cifar, width: 4}
    activation_order: pre
    fragments:
      pair:
        params: {out: null, first: true, last: true}
        steps:
          - layer: {out: out, kernel: 1, when: first}
          - layer: {out: out, kernel: 3, when: last}
    blocks:
      nested:
        params: {first: true, last: true}
        residual:
          - pair: {out: 6, first: first, last: false}
          - sequence: {steps: [layer: {out: 6, kernel: 3}]}
          - pair: {out: 8, first: false, last: last}
    """


@pytest.mark.parametrize("order", ["pre", "act-only-pre", "post"])
@pytest.mark.parametrize(("first", "last"), [(True, True), (False, True), (True, False), (False, False)])
def test_layers_are_first_and_last_through_fragments_and_when(first: bool, last: bool, order: str) -> None:
    """The shortcut reads what the first layer that is there activates; no layer that `when` drops counts."""
    convs = []
    channels = 4
    for out, kernel, there in ((6, 1, first), (6, 3, True), (8, 3, last)):
        if there:
            convs.append(nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False))
            channels = out
    block = BLOCKS[order](convs, beside("projection", order, 4, channels, 1))
    reference = Network([[block]], order, 4, channels)
    table = f"stages: {{block: nested, count: 1, first: {str(first).lower()}, last: {str(last).lower()}}}\n"
    text = LATE.replace("activation_order: pre", f"activation_order: {order}")
    assert_network(text.rstrip() + "\n    " + table, reference, by="order")


def test_steps_between_layers_stay_where_they_are_written() -> None:
    """A gate behind the last layer: its norm is before the gate, the activation after the addition."""

    class Gated(Post):
        def __init__(self) -> None:
            super().__init__(convolutions("basic", 4, 4, 1), None)
            self.fc1, self.fc2 = nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = functional.relu(self.bn1(self.conv1(x)))
            y = functional.max_pool2d(y, 3, 1, 1)
            y = self.bn2(self.conv2(y))
            gate = torch.sigmoid(self.fc2(functional.relu(self.fc1(functional.adaptive_avg_pool2d(y, 1)))))
            return functional.relu(x + y * gate)

    text = """
        input: [3, 7, 7]
        classes: 5
        stem: {use: cifar, width: 4}
        blocks:
          gated:
            channels: output width
            residual:
              - layer: {out: channels, kernel: 3}
              - pool: {type: max, kernel: 3, stride: 1, padding: 1}
              - layer: {out: channels, kernel: 3}
              - se: {squeeze: 2}
        stages: {block: gated, count: 1, channels: 4}
        """
    assert_network(text, OneBlock(Gated(), 4, 4), by="order")


def test_parts_of_a_single_layer_may_be_left_out_or_changed() -> None:
    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4, eps=0.25)
            self.conv2 = nn.Conv2d(4, 4, 1)
            self.conv3, self.gn1 = nn.Conv2d(4, 4, 1, bias=False), nn.GroupNorm(2, 4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.bn1(self.conv1(x))
            y = functional.silu(self.conv2(y))
            return functional.relu(x + self.gn1(self.conv3(y)))

    text = """
        input: [3, 7, 7]
        classes: 5
        stem: {use: cifar, width: 4}
        blocks:
          parts:
            residual:
              - layer: {out: 4, kernel: 3, act: none, norm: {eps: 0.25}}
              - layer: {out: 4, norm: none, act: silu, bias: true}
              - layer: {out: 4, norm: {type: group, groups: 2}}
        stages: {block: parts, count: 1}
        """
    assert_network(text, OneBlock(Parts(), 4, 4))


# -- settings of a block -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("order", BLOCKS)
def test_group_norm_and_silu(order: str, block: str) -> None:
    reference = residual_network(
        block, order, norm=lambda channels: nn.GroupNorm(2, channels), act=functional.silu, prefix="gn"
    )
    more = "norm: {type: group, groups: 2}\nact: silu\n"
    assert_network(residual_text(block, order, more=more), reference)


@pytest.mark.parametrize("order", BLOCKS)
def test_eps_and_momentum_reach_every_norm(order: str) -> None:
    reference = residual_network("basic", order, norm=lambda channels: nn.BatchNorm2d(channels, 0.125, 0.25))
    more = "norm: {type: batch, eps: 0.125, momentum: 0.25}\n"
    assert_network(residual_text("basic", order, more=more), reference)


def test_a_mapping_without_a_type_changes_batch_norm() -> None:
    assert_network(
        residual_text("basic", more="norm: {eps: 0.125}\n"),
        residual_network("basic", norm=lambda channels: nn.BatchNorm2d(channels, 0.125)),
    )


class Without(nn.Identity):
    """No norm, which takes any number of channels."""


@pytest.mark.parametrize("order", BLOCKS)
def test_no_norm(order: str) -> None:
    """Nothing takes the norms' place; convolutions still have no bias, and the projection is one convolution."""
    assert_network(residual_text("basic", order, more="norm: none\n"), residual_network("basic", order, norm=Without))


@pytest.mark.parametrize("order", BLOCKS)
def test_no_activation(order: str) -> None:
    reference = residual_network("bottleneck", order, act=lambda x: x)
    assert_network(residual_text("bottleneck", order, more="act: none\n"), reference)


ACTS: dict[str, Act] = {
    "gelu": functional.gelu,
    "hardswish": functional.hardswish,
    "leaky_relu": functional.leaky_relu,
    "relu6": functional.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


@pytest.mark.parametrize("word", ACTS)
def test_activation_by_word(word: str) -> None:
    assert_network(residual_text("basic", more=f"act: {word}\n"), residual_network("basic", act=ACTS[word]))


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("order", BLOCKS)
def test_dilation(order: str, block: str) -> None:
    """The 3x3 convolutions of a stage are dilated, those with a stride too."""
    text = residual_text(block, order).replace("stride:", "dilation: [1, 2], stride:")
    assert_network(text, residual_network(block, order, dilation=2))


def stochastic_depth(chance: float) -> Act:
    """torchvision's stochastic depth by example, always training: eval mode is tested apart."""
    torchvision_models()
    from torchvision import ops

    return ops.StochasticDepth(chance, "row")


@pytest.mark.parametrize("shortcut", ["projection", "zero-pad", "projection-all"])
@pytest.mark.parametrize("order", BLOCKS)
def test_drop_path(order: str, shortcut: str) -> None:
    """One probability for each block, on the residual, before the addition; equal seeds drop equal examples."""
    reference = residual_network("basic", order, shortcut, drop=lambda number: stochastic_depth(0.8 * number / 4))
    model = assert_network(
        residual_text("basic", order, shortcut, more="drop_path: 0.8 * number / blocks\n"), reference
    )
    assert "drop_path" not in dict(model.get_submodule("layer1.0").named_children())
    assert model.get_submodule("layer2.1.drop_path").p == pytest.approx(0.6)


def test_drop_path_stands_only_beside_a_shortcut() -> None:
    """An inverted residual that changes the shape has none, and a plain network has none at all."""
    more = "drop_path: 0.25\n"
    dropped = [n.name for n in compiled(residual_text("basic", shortcut="inverted", more=more)).nodes]
    assert [name for name in dropped if "drop_path" in name] == ["layer1.1.drop_path", "layer2.1.drop_path"]
    plain = compiled(residual_text("basic", shortcut="none", more=more)).nodes
    assert not any("drop_path" in node.name for node in plain)


def test_drop_path_of_a_stage_and_of_a_block() -> None:
    table = "stages: {block: basic, count: [2, 2], channels: 4, drop_path: [0, [0.25, 0.5]]}"
    reference = residual_network(
        "basic", width=4, changes=False, drop=lambda number: stochastic_depth((0, 0, 0.25, 0.5)[number])
    )
    text = f"input: [3, 9, 7]\nclasses: 5\nstem: {{use: cifar, width: 2}}\n{table}\ndrop_path: 0.125\n"
    assert_network(text, reference)


# -- zero_init_residual ------------------------------------------------------------------------------------------------


def zeroed(text: str) -> list[str]:
    """The parameters of a new model that start at zero, the biases of norms and of the classifier aside."""
    model = archspec.build(spec(text), seed=0)
    return [name for name, value in model.named_parameters() if name.endswith("weight") and not value.any()]


@pytest.mark.parametrize(("block", "last"), [("basic", "bn2"), ("bottleneck", "bn3")])
@pytest.mark.parametrize("order", ["post", "act-before-add", "act-only-pre"])
def test_zero_init_residual_starts_the_last_norm_of_each_residual_at_zero(order: str, block: str, last: str) -> None:
    text = residual_text(block, order, more="init: {zero_init_residual: true}\n")
    assert zeroed(text) == [f"layer{stage}.{index}.{last}.weight" for stage in (1, 2) for index in (0, 1)]


@pytest.mark.parametrize("order", ["pre", "norm-after-add"])
def test_zero_init_residual_without_a_norm_to_start_at_zero_is_said(order: str) -> None:
    """In these orders a residual ends with a convolution: the setting does nothing, and that is said."""
    text = residual_text("basic", order, more="init: {zero_init_residual: true}\n")
    assert len(zeroed(text)) == 4 or "W301" in codes(compiled(text))


def test_zero_init_residual_reaches_a_norm_behind_which_a_gate_stands() -> None:
    """A zero scaled by a gate is zero: the residual starts as nothing, as in timm's gated blocks."""
    text = residual_text("bottleneck", more="init: {zero_init_residual: true}\n")
    text = text.replace("block: bottleneck", "block: bottleneck, se: 0.25")
    assert zeroed(text) == [f"layer{stage}.{index}.bn3.weight" for stage in (1, 2) for index in (0, 1)]


def test_zero_init_residual_leaves_a_plain_network_alone() -> None:
    """Without shortcuts, zero would be all that the network ever says."""
    assert zeroed(residual_text("basic", shortcut="none", more="init: {zero_init_residual: true}\n")) == []
    inverted = zeroed(residual_text("basic", shortcut="inverted", more="init: {zero_init_residual: true}\n"))
    assert inverted == ["layer1.1.bn2.weight", "layer2.1.bn2.weight"]


@pytest.mark.parametrize("order", ["post", "act-before-add", "act-only-pre"])
def test_zero_init_residual_changes_nothing_else(order: str) -> None:
    reference = residual_network("bottleneck", order)
    assert_network(residual_text("bottleneck", order, more="init: {zero_init_residual: true}\n"), reference)


# -- who sets a setting ------------------------------------------------------------------------------------------------

SETTERS = """
    input: [3, 7, 7]
    stem: {use: cifar, width: 4}
    blocks:
      own:
        act: gelu
        norm: {type: group, groups: 2}
        activation_order: pre
        shortcut: none
        residual:
          - layer: {out: 4, kernel: 3}
    stages: {block: own, count: [1, 1]}
    """


def kinds(text: str, scope: str) -> list[str]:
    """The operations of a scope, by kind."""
    return [node.operation.kind for node in compiled(text).nodes if node.name.startswith(f"{scope}.")]


def test_a_block_comes_before_the_language() -> None:
    assert kinds(SETTERS, "layer1") == kinds(SETTERS, "layer2") == ["gn", "gelu", "conv"]


def test_a_spec_comes_before_a_block() -> None:
    text = SETTERS + "act: silu\n    shortcut: projection\n    activation_order: act-only-pre\n    norm: layer\n"
    assert kinds(text, "layer1") == ["silu", "conv", "ln", "add"]


def test_a_stage_comes_before_a_spec() -> None:
    text = SETTERS.replace("count: [1, 1]", "count: [1, 1], act: [null, tanh], norm: [none, null]") + "act: silu\n"
    assert kinds(text, "layer1") == ["silu", "conv"]
    assert kinds(text, "layer2") == ["gn", "tanh", "conv"]


FIXED = SETTERS.replace("activation_order: pre", "fixed: {activation_order: pre}")


def test_what_a_block_fixes_passes_the_specs_setting_by() -> None:
    text = FIXED + "activation_order: post\n"
    assert kinds(text, "layer1") == ["gn", "gelu", "conv"]
    assert codes(compiled(text)) == ["W301"]


def test_a_stage_may_repeat_what_a_block_fixes_and_not_contradict_it() -> None:
    repeated = FIXED.replace("count: [1, 1]", "count: [1, 1], activation_order: [pre, null]")
    assert kinds(repeated, "layer1") == ["gn", "gelu", "conv"]
    with pytest.raises(archspec.SpecError) as refused:
        compiled(repeated.replace("[pre, null]", "[post, null]"))
    assert codes(refused.value) == ["E309"]


FIXED_PARTS = SETTERS.replace(
    "activation_order: pre",
    """fixed: {activation_order: "'pre' if stage == 1 else 'post'", norm: {type: batch, eps: 0.5}}""",
)


@pytest.mark.parametrize(
    ("cell", "contradicts"),
    [
        ("norm: {type: batch, eps: 0.5}", False),
        ("norm: batch", False),
        ("norm: {type: batch, eps: 0.25}", True),
        ("norm: {type: batch, momentum: 0.2}", True),
        ("norm: {type: batch, eps: 1 / 2}", True),
        ("""activation_order: "'pre' if stage == 1 else 'post'\"""", False),
        ("""activation_order: "'post' if stage == 1 else 'pre'\"""", True),
        ("activation_order: pre", True),
    ],
)
def test_a_stage_contradicts_an_argument_or_an_expression_that_a_block_fixes(cell: str, contradicts: bool) -> None:
    key, value = cell.split(": ", 1)
    text = FIXED_PARTS.replace("count: [1, 1]", f"count: [1, 1], {key}: [{value}, null]")
    if not contradicts:
        compiled(text)
        return
    with pytest.raises(archspec.SpecError) as refused:
        compiled(text)
    assert codes(refused.value) == ["E309"]


def test_a_shortcut_by_stage_and_by_block() -> None:
    text = residual_text("basic").replace("stride:", "shortcut: [projection-all, [zero-pad, identity]], stride:")
    reference = residual_network("basic", shortcut="zero-pad")
    for index, channels in ((0, 2), (1, 4)):
        block = reference.get_submodule(f"layer1.{index}")
        block.downsample = beside("projection-all", "post", channels, 4, 1)
    assert_network(text, reference)


def test_parameters_of_a_network_are_those_of_its_nodes() -> None:
    graph = compiled(residual_text("bottleneck", shortcut="projection-all"))
    model = archspec.build(graph, device="meta")
    counted = {name: sum(p.numel() for p in module.parameters(recurse=False)) for name, module in model.named_modules()}
    assert weights(graph) == {node.name: counted.get(node.name, 0) for node in graph.nodes}
