"""Attention over channels, branches and positions, each against timm's module with its weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.verification.importing import timm
from tests.support.equivalence import compiled, scramble


def module_of_timm(kind: str, *args: object, **kwargs: object) -> nn.Module:
    module: nn.Module = getattr(timm().layers, kind)(*args, **kwargs)
    return module


def assert_same(steps: str, shape: tuple[int, ...], theirs: nn.Module, *, exactly: bool = True) -> nn.Module:
    """The steps compute what a module does, given its weights in order, in training and in eval mode, at two sizes."""
    model = archspec.build(compiled(f"input: {[*shape]}\nstages: []\nstem: {steps}\nhead: []"))
    scramble(theirs)
    found, given = model.state_dict(), theirs.state_dict()
    assert [tuple(each.shape) for each in found.values()] == [tuple(each.shape) for each in given.values()]
    model.load_state_dict(dict(zip(found, given.values(), strict=True)))
    for training in (True, False):
        for size in (shape[1:], tuple(2 * each + 3 for each in shape[1:])):
            x = torch.randn(3, shape[0], *size, generator=torch.Generator().manual_seed(2))
            ours, expected = model.train(training)(x.clone()), theirs.train(training)(x.clone())
            if exactly:
                assert torch.equal(ours, expected)
            else:
                torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
    return model


@pytest.mark.parametrize("kernel", [3, 5])
def test_efficient_channel_attention(kernel: int) -> None:
    """ECA-Net (Wang et al. 2019), with the key of its weight."""
    gate = f"[mean: {{over: positions}}, channel_conv: {{kernel: {kernel}, name: conv}}, act: {{type: sigmoid}}]"
    model = assert_same(f"[multiply: [[], {gate}]]", (16, 6, 5), module_of_timm("EcaModule", kernel_size=kernel))
    assert {key: tuple(each.shape) for key, each in model.state_dict().items()} == {"conv.weight": (1, 1, kernel)}


# The residual is slices of the channels, since a split is as many slices; a sum over the radix is an addition of them.
SUM = "add: [[slice: {stop: 16}], [slice: {start: 16}]]"
SPLIT = f"""
  - conv: {{out: 32, kernel: 3, groups: 2}}
  - norm
  - act
  - multiply:
    - []
    - - {SUM}
      - mean: {{over: positions}}
      - conv: {{out: 32, bias: true}}
      - norm
      - act
      - conv: {{out: 32, bias: true}}
      - act: {{type: softmax, branches: 2}}
  - {SUM}
"""


def test_split_attention() -> None:
    """ResNeSt (Zhang et al. 2020, section 3), with a radix of 2."""
    assert_same(SPLIT, (16, 6, 5), module_of_timm("SplitAttn", 16, 16, norm_layer=nn.BatchNorm2d, radix=2))


def test_split_attention_of_groups() -> None:
    """With a cardinality, the softmax is over the radix of each group, and its result has the radix first.

    torch's softmax over another axis sums in another order.
    """
    steps = SPLIT.replace("groups: 2", "groups: 4").replace("{out: 32, bias: true}", "{out: 32, groups: 2, bias: true}")
    steps = steps.replace("branches: 2}", "groups: 2, branches: 2}")
    blocks = ", ".join(f"[slice: {{start: {at}, stop: {at + 8}}}]" for at in (0, 16, 8, 24))
    steps = steps.replace("branches: 2}\n", f"branches: 2}}\n      - concat: [{blocks}]\n")
    assert_same(
        steps,
        (16, 6, 5),
        module_of_timm("SplitAttn", 16, 16, groups=2, norm_layer=nn.BatchNorm2d, radix=2),
        exactly=False,
    )


SELECTIVE = """
  - concat:
    - - slice: {stop: 8}
      - layer: {out: 16, kernel: 3}
    - - slice: {start: 8}
      - layer: {out: 16, kernel: 3, dilation: 2}
  - multiply:
    - []
    - - add: [[slice: {stop: 16}], [slice: {start: 16}]]
      - mean: {over: positions}
      - layer: {out: 8}
      - conv: {out: 32}
      - act: {type: softmax, branches: 2}
  - add: [[slice: {stop: 16}], [slice: {start: 16}]]
"""


def test_selective_kernels() -> None:
    """SKNet (Li et al. 2019, section 3.1), as timm has it: each branch reads half of the channels."""
    assert_same(SELECTIVE, (16, 6, 5), module_of_timm("SelectiveKernel", 16, 16))


class GeneralizedMean(nn.Module):
    """Radenović et al. 2018, equation 3, as its authors wrote it."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x.clamp(min=1e-6).pow(3), x.shape[-2:]).pow(1 / 3)


def test_a_generalized_mean() -> None:
    """What is clamped there is shifted here, by the same 1e-6."""
    steps = "[act: {type: relu}, shift: {by: 1e-6}, power: {by: 3}, mean: {over: positions}, power: {by: 1 / 3}]"
    assert_same(steps, (16, 6, 5), GeneralizedMean(), exactly=False)


def test_the_stem_of_tresnet() -> None:
    """timm's space-to-depth puts the channels of a block last, as a shuffle of groups does behind torch's."""
    x = torch.randn(2, 3, 8, 12)
    steps = "[pixel_unshuffle: {factor: 4}, channel_shuffle: {groups: 3}]"
    model = archspec.build(compiled(f"input: [3, 8, 12]\nstages: []\nstem: {steps}\nhead: []"))
    assert torch.equal(model(x), module_of_timm("SpaceToDepth", 4)(x))


# One module of timm is applied to the mean and to the largest. Here both are positions of one map: a shuffle puts the
# mean and the largest of each channel side by side, and a convolution reads both with the same weights.
CHANNELS = """
  - multiply:
    - []
    - - concat: [[mean: {over: positions}], [max: {over: positions}]]
      - channel_shuffle: {groups: 2}
      - reshape: {size: [2, 1]}
      - conv: {out: 4}
      - act
      - conv: {out: 16}
      - mean: {over: positions}
      - scale: {by: 2}
      - act: {type: sigmoid}
"""
POSITIONS = """
  - multiply:
      broadcast: true
      value: []
      gate:
        - concat: [[mean: {over: channels}], [max: {over: channels}]]
        - conv: {out: 1, kernel: 7}
        - norm
        - act: {type: sigmoid}
"""


def test_the_channel_attention_of_cbam() -> None:
    """Woo et al. 2018, equation 2. The sum of two numbers is twice their mean, which may be rounded otherwise."""
    assert_same(CHANNELS, (16, 6, 5), timm().layers.cbam.ChannelAttn(16, rd_ratio=0.25), exactly=False)


def test_the_spatial_attention_of_cbam() -> None:
    """Woo et al. 2018, equation 3."""
    assert_same(POSITIONS, (16, 6, 5), timm().layers.cbam.SpatialAttn())


def test_cbam() -> None:
    assert_same(CHANNELS + POSITIONS, (16, 6, 5), timm().layers.cbam.CbamModule(16, rd_ratio=0.25), exactly=False)
