"""Convolution."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from archspec.emit.lowlevel_parts.draws import he_fan_out as draw_conv
from archspec.emit.lowlevel_parts.draws import uniform_bias as draw_bias
from archspec.emit.padded import same_sides, standardized

RANK = 2
Params = dict[str, Tensor]
Size = int | tuple[int, ...]
Sides = tuple[int, ...] | str
TARGETS = {
    "torch.nn.Conv2d": "conv",
    "torch.nn.Conv2d padding_mode": "repeating_conv",
    "torch.nn.ConvTranspose2d": "transposed_conv",
    "archspec.emit.padded.PaddedConv2d": "padded_conv",
    "archspec.emit.padded.StandardizedConv2d": "standardized_conv",
    "archspec.emit.padded.StandardizedConv2d padding_mode": "repeating_standardized_conv",
    "archspec.emit.padded.PaddedStandardizedConv2d": "padded_standardized_conv",
}


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


def repeating_conv(
    x: Tensor,
    p: Params,
    name: str,
    padding: Size,
    padding_mode: str,
    stride: Size = 1,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """The sum of `conv` over an input that is padded with what is inside (LeCun et al. 1998, section II)."""
    axes = (padding,) * RANK if isinstance(padding, int) else padding
    around = [side for axis in reversed(axes) for side in (axis, axis)]
    padded = F.pad(x, around, "constant" if padding_mode == "zeros" else padding_mode)
    return F.conv2d(padded, p[f"{name}.weight"], p.get(f"{name}.bias"), stride, 0, dilation, groups)


def new_repeating_conv(
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


def padded_conv(
    x: Tensor,
    p: Params,
    name: str,
    sides: Sides,
    mode: str = "constant",
    stride: Size = 1,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """y[n, o, i] = bias[o] + sum over c and k of weight[o, c, k] * padded[n, c, stride * i + dilation * k].

    The input is padded by side: before and after, from the last axis to the first. LeCun et al. 1998, section II.
    """
    weight = p[f"{name}.weight"]
    sides = same_sides(x, RANK, weight.shape[2:], stride, dilation) if isinstance(sides, str) else sides
    return F.conv2d(F.pad(x, sides, mode), weight, p.get(f"{name}.bias"), stride, 0, dilation, groups)


def new_padded_conv(
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


def standardized_conv(
    x: Tensor,
    p: Params,
    name: str,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
    gain: bool = False,
    gamma: float = 1.0,
    eps: float = 1e-6,
) -> Tensor:
    """The sum of `conv` with (weight - mean) / sqrt(var + eps) for each filter, times its scale.

    With a gain, the scale is gamma * gain / sqrt(elements of a filter).

    Qiao et al. 2019 (arXiv:1903.10520), equations 3 and 4; the gain is of Brock et al. 2021 (arXiv:2101.08692).
    """
    weight = p[f"{name}.weight"]
    scale = p[f"{name}.gain"] * (gamma * weight[0].numel() ** -0.5) if gain else None
    used = standardized(weight, scale, eps)
    return F.conv2d(x, used, p.get(f"{name}.bias"), stride, padding, dilation, groups)


def new_standardized_conv(
    p: Params,
    name: str,
    in_channels: int,
    out_channels: int,
    kernel_size: Size,
    groups: int = 1,
    bias: bool = True,
    gain: bool = False,
) -> None:
    """The weight, out x in / groups x kernel, as draw_conv draws it, and the bias, as draw_bias does; gains of 1."""
    kernel = (kernel_size,) * RANK if isinstance(kernel_size, int) else kernel_size
    p[f"{name}.weight"] = draw_conv((out_channels, in_channels // groups, *kernel))
    if bias:
        p[f"{name}.bias"] = draw_bias(out_channels, in_channels // groups * math.prod(kernel))
    if gain:
        p[f"{name}.gain"] = torch.ones((out_channels, 1, *[1] * RANK))


def repeating_standardized_conv(
    x: Tensor,
    p: Params,
    name: str,
    padding: Size,
    padding_mode: str,
    stride: Size = 1,
    dilation: Size = 1,
    groups: int = 1,
    gain: bool = False,
    gamma: float = 1.0,
    eps: float = 1e-6,
) -> Tensor:
    """The sum of `conv` with standardized weights (Qiao et al. 2019), over an input padded with what is inside."""
    weight = p[f"{name}.weight"]
    scale = p[f"{name}.gain"] * (gamma * weight[0].numel() ** -0.5) if gain else None
    axes = (padding,) * RANK if isinstance(padding, int) else padding
    around = [side for axis in reversed(axes) for side in (axis, axis)]
    used = standardized(weight, scale, eps)
    return F.conv2d(
        F.pad(x, around, "constant" if padding_mode == "zeros" else padding_mode),
        used,
        p.get(f"{name}.bias"),
        stride,
        0,
        dilation,
        groups,
    )


def new_repeating_standardized_conv(
    p: Params,
    name: str,
    in_channels: int,
    out_channels: int,
    kernel_size: Size,
    groups: int = 1,
    bias: bool = True,
    gain: bool = False,
) -> None:
    """The weight, out x in / groups x kernel, as draw_conv draws it, and the bias, as draw_bias does; gains of 1."""
    kernel = (kernel_size,) * RANK if isinstance(kernel_size, int) else kernel_size
    p[f"{name}.weight"] = draw_conv((out_channels, in_channels // groups, *kernel))
    if bias:
        p[f"{name}.bias"] = draw_bias(out_channels, in_channels // groups * math.prod(kernel))
    if gain:
        p[f"{name}.gain"] = torch.ones((out_channels, 1, *[1] * RANK))


def padded_standardized_conv(
    x: Tensor,
    p: Params,
    name: str,
    sides: Sides,
    mode: str = "constant",
    stride: Size = 1,
    dilation: Size = 1,
    groups: int = 1,
    gain: bool = False,
    gamma: float = 1.0,
    eps: float = 1e-6,
) -> Tensor:
    """The sum of `conv` with standardized weights (Qiao et al. 2019), over an input that is padded by side."""
    weight = p[f"{name}.weight"]
    scale = p[f"{name}.gain"] * (gamma * weight[0].numel() ** -0.5) if gain else None
    used = standardized(weight, scale, eps)
    sides = same_sides(x, RANK, weight.shape[2:], stride, dilation) if isinstance(sides, str) else sides
    return F.conv2d(F.pad(x, sides, mode), used, p.get(f"{name}.bias"), stride, 0, dilation, groups)


def new_padded_standardized_conv(
    p: Params,
    name: str,
    in_channels: int,
    out_channels: int,
    kernel_size: Size,
    groups: int = 1,
    bias: bool = True,
    gain: bool = False,
) -> None:
    """The weight, out x in / groups x kernel, as draw_conv draws it, and the bias, as draw_bias does; gains of 1."""
    kernel = (kernel_size,) * RANK if isinstance(kernel_size, int) else kernel_size
    p[f"{name}.weight"] = draw_conv((out_channels, in_channels // groups, *kernel))
    if bias:
        p[f"{name}.bias"] = draw_bias(out_channels, in_channels // groups * math.prod(kernel))
    if gain:
        p[f"{name}.gain"] = torch.ones((out_channels, 1, *[1] * RANK))


def transposed_conv(
    x: Tensor,
    p: Params,
    name: str,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """y[n, o, j] = bias[o] + sum of weight[c, o, k] * x[n, c, i] over c, and over i and k that meet at j.

    These have stride * i + dilation * k - padding = j: the adjoint of a convolution. Zeiler et al. 2010, section 3;
    Dumoulin and Visin 2016 (arXiv:1603.07285), section 4.
    """
    weight, bias = p[f"{name}.weight"], p.get(f"{name}.bias")
    return F.conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation)


def new_transposed_conv(
    p: Params,
    name: str,
    in_channels: int,
    out_channels: int,
    kernel_size: Size,
    groups: int = 1,
    bias: bool = True,
) -> None:
    """The weight, in x out / groups x kernel, as draw_conv draws it, and the bias, as draw_bias does."""
    kernel = (kernel_size,) * RANK if isinstance(kernel_size, int) else kernel_size
    p[f"{name}.weight"] = draw_conv((in_channels, out_channels // groups, *kernel))
    if bias:
        p[f"{name}.bias"] = draw_bias(out_channels, out_channels // groups * math.prod(kernel))
