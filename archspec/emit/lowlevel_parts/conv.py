"""Convolution."""

import math

import torch.nn.functional as F
from torch import Tensor

from archspec.emit.lowlevel_parts.draws import he_fan_out as draw_conv
from archspec.emit.lowlevel_parts.draws import uniform_bias as draw_bias

RANK = 2
Params = dict[str, Tensor]
Size = int | tuple[int, ...]
TARGETS = {"torch.nn.Conv2d": "conv"}


def conv(
    x: Tensor,
    p: Params,
    name: str,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """y[n, o, i] = bias[o] + sum over c and k of weight[o, c, k] * x[n, c, stride * i + dilation * k - padding].

    i and k run over positions, and c over the channels of the group of o. LeCun et al. 1998, section II.
    """
    return F.conv2d(x, p[f"{name}.weight"], p.get(f"{name}.bias"), stride, padding, dilation, groups)


def new_conv(
    p: Params,
    name: str,
    in_channels: int,
    out_channels: int,
    kernel_size: Size,
    groups: int = 1,
    bias: bool = True,
) -> None:
    """The weight, out x in / groups x kernel, as draw_conv draws it, and the bias, as draw_bias does."""
    kernel = (kernel_size,) * RANK if isinstance(kernel_size, int) else kernel_size
    p[f"{name}.weight"] = draw_conv((out_channels, in_channels // groups, *kernel))
    if bias:
        p[f"{name}.bias"] = draw_bias(out_channels, in_channels // groups * math.prod(kernel))
