"""Pooling."""

import torch
import torch.nn.functional as F
from torch import Tensor

from archspec.emit.padded import same_sides

RANK = 2
Size = int | tuple[int, ...]
Sides = tuple[int, ...] | str
TARGETS = {
    "torch.nn.MaxPool2d": "F.max_pool2d",
    "torch.nn.AvgPool2d": "F.avg_pool2d",
    "torch.nn.LPPool2d": "F.lp_pool2d",
    "torch.nn.AdaptiveMaxPool2d": "F.adaptive_max_pool2d",
    "torch.nn.AdaptiveAvgPool2d": "F.adaptive_avg_pool2d",
    "archspec.emit.padded.PaddedMaxPool2d": "padded_max_pool",
    "archspec.emit.padded.PaddedAvgPool2d": "padded_avg_pool",
}


def padded_max_pool(
    x: Tensor, sides: Sides, kernel_size: Size, stride: Size | None = None, dilation: Size = 1
) -> Tensor:
    """y[n, c, i] = max over k of padded[n, c, stride * i + dilation * k], where the padding is less than every number.

    The input is padded by side: before and after, from the last axis to the first.
    """
    stride = kernel_size if stride is None else stride
    sides = same_sides(x, RANK, kernel_size, stride, dilation) if isinstance(sides, str) else sides
    return F.max_pool2d(F.pad(x, sides, value=float("-inf")), kernel_size, stride, 0, dilation)


def padded_avg_pool(
    x: Tensor, sides: Sides, kernel_size: Size, stride: Size | None = None, count_include_pad: bool = True
) -> Tensor:
    """y[n, c, i] = mean over k of padded[n, c, stride * i + k], with the zeros of the padding or without.

    The input is padded by side: before and after, from the last axis to the first.
    """
    stride = kernel_size if stride is None else stride
    sides = same_sides(x, RANK, kernel_size, stride, 1) if isinstance(sides, str) else sides
    mean = F.avg_pool2d(F.pad(x, sides), kernel_size, stride)
    if count_include_pad:
        return mean
    return mean / F.avg_pool2d(F.pad(torch.ones_like(x[:1, :1]), sides), kernel_size, stride)
