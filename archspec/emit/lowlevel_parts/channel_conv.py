"""Convolution over the channels of a pooled value."""

import torch.nn.functional as F
from torch import Tensor

from archspec.emit.lowlevel_parts.draws import he_fan_out as draw_conv
from archspec.emit.lowlevel_parts.draws import uniform_bias as draw_bias

Params = dict[str, Tensor]
TARGETS = {"archspec.emit.modules.ConvOfChannels": "channel_conv"}


def channel_conv(x: Tensor, p: Params, name: str) -> Tensor:
    """y[n, c] = bias + sum over k of weight[k] * x[n, c + k - padding], over the channels of one position.

    Wang et al. 2019 (arXiv:1910.03151), section 3.2.
    """
    weight = p[f"{name}.weight"]
    y = F.conv1d(x.flatten(1).unsqueeze(1), weight, p.get(f"{name}.bias"), padding=weight.shape[2] // 2)
    return y.view(x.shape)


def new_channel_conv(p: Params, name: str, kernel_size: int, bias: bool = False) -> None:
    """The weight, 1 x 1 x kernel, as draw_conv draws it, and the bias, as draw_bias does."""
    p[f"{name}.weight"] = draw_conv((1, 1, kernel_size))
    if bias:
        p[f"{name}.bias"] = draw_bias(1, kernel_size)
