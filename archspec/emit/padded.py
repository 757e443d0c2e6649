"""The convolutions and pools that torch lacks: with padding by side, and with standardized weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def same_sides(
    x: Tensor, rank: int, kernel: int | tuple[int, ...], stride: int | tuple[int, ...], dilation: int | tuple[int, ...]
) -> tuple[int, ...]:
    """TensorFlow's padding `same` of a value, which gives ceil(size / stride) positions, in the order of `F.pad`.

    An odd position more is after an axis. ``rank`` is the number of spatial axes; the others are sizes.
    """
    found: tuple[int, ...] = ()
    for axis in reversed(range(rank)):
        k, s, d = [size if isinstance(size, int) else size[axis] for size in (kernel, stride, dilation)]
        total = torch.sym_max(d * (k - 1) - (x.shape[axis + 2] - 1) % s, 0)  # of symbolic sizes too
        found = (*found, total // 2, total - total // 2)
    return found


def standardized(weight: Tensor, scale: Tensor | None, eps: float) -> Tensor:
    """Filters of mean 0 and variance 1, each times its scale, if it has a scale.

    Shape: (out, in, *kernel); ``scale`` has ``out`` elements.
    """
    filters = weight.reshape(1, weight.shape[0], -1)
    scale = None if scale is None else scale.view(-1)
    return F.batch_norm(filters, None, None, scale, training=True, momentum=0.0, eps=eps).reshape_as(weight)


class Padded(nn.Module):
    """Pads its input by side before its windows slide over it.

    Args:
        sides: what ``F.pad`` takes, before and after from the last axis to the first; or ``same``, TensorFlow's padding
            that gives ``ceil(size / stride)`` positions, with an odd position more after the axis.
        mode: what is in the padding, as ``F.pad`` names it.
    """

    rank: int
    filled: float | None = None

    def __init__(self, *args: object, sides: tuple[int, ...] | str, mode: str = "constant", **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.sides = sides
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        sides = self.sides
        if isinstance(sides, str):
            sizes = [getattr(self, name, 1) for name in ("kernel_size", "stride", "dilation")]
            sides = same_sides(x, self.rank, *sizes)
        found: Tensor = super().forward(F.pad(x, sides, self.mode, self.filled))
        return found

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, sides={self.sides}"


class PaddedConv1d(Padded, nn.Conv1d):
    """A convolution over one dimension whose input is padded by side."""

    rank = 1


class PaddedConv2d(Padded, nn.Conv2d):
    """A convolution over two dimensions whose input is padded by side."""

    rank = 2


class PaddedConv3d(Padded, nn.Conv3d):
    """A convolution over three dimensions whose input is padded by side."""

    rank = 3


class Standardized(nn.Module):
    """Uses its weights with mean 0 and variance 1, filter by filter (Qiao et al. 2019, arXiv:1903.10520).

    Args:
        gain: whether each filter is divided by the root of the number of its weights, and then multiplied by a learned
            factor (Brock et al. 2021, arXiv:2101.08692, equation 4). The parameter ``gain`` is (out, 1, *1).
        gamma: a constant factor beside it.
        eps: what is added to the variance.
    """

    weight: Tensor
    bias: Tensor | None
    out_channels: int
    _conv_forward: Callable[[Tensor, Tensor, Tensor | None], Tensor]

    def __init__(
        self, *args: object, gain: bool = False, gamma: float = 1.0, eps: float = 1e-6, **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)
        self.scale = gamma * self.weight[0].numel() ** -0.5
        self.eps = eps
        ones = self.weight.new_ones(self.out_channels, *[1] * (self.weight.dim() - 1))
        self.gain = nn.Parameter(ones) if gain else None

    def forward(self, x: Tensor) -> Tensor:
        used = standardized(self.weight, None if self.gain is None else self.gain * self.scale, self.eps)
        return self._conv_forward(x, used, self.bias)


class StandardizedConv1d(Standardized, nn.Conv1d):
    """A convolution over one dimension with standardized weights."""


class StandardizedConv2d(Standardized, nn.Conv2d):
    """A convolution over two dimensions with standardized weights."""


class StandardizedConv3d(Standardized, nn.Conv3d):
    """A convolution over three dimensions with standardized weights."""


class PaddedStandardizedConv1d(Padded, Standardized, nn.Conv1d):
    """A convolution over one dimension with standardized weights, whose input is padded by side."""

    rank = 1


class PaddedStandardizedConv2d(Padded, Standardized, nn.Conv2d):
    """A convolution over two dimensions with standardized weights, whose input is padded by side."""

    rank = 2


class PaddedStandardizedConv3d(Padded, Standardized, nn.Conv3d):
    """A convolution over three dimensions with standardized weights, whose input is padded by side."""

    rank = 3


class PaddedMaxPool1d(Padded, nn.MaxPool1d):
    """A max pool over one dimension whose input is padded by side."""

    rank = 1
    filled = float("-inf")


class PaddedMaxPool2d(Padded, nn.MaxPool2d):
    """A max pool over two dimensions whose input is padded by side."""

    rank = 2
    filled = float("-inf")


class PaddedMaxPool3d(Padded, nn.MaxPool3d):
    """A max pool over three dimensions whose input is padded by side."""

    rank = 3
    filled = float("-inf")


class PaddedAverage(Padded):
    """Averages windows over an input padded by side, with or without the padding."""

    count_include_pad: bool

    def forward(self, x: Tensor) -> Tensor:
        if self.count_include_pad:
            return super().forward(x)
        inside = super().forward(torch.ones_like(x[:1, :1]))
        return super().forward(x) / inside


class PaddedAvgPool1d(PaddedAverage, nn.AvgPool1d):
    """An average pool over one dimension whose input is padded by side."""

    rank = 1


class PaddedAvgPool2d(PaddedAverage, nn.AvgPool2d):
    """An average pool over two dimensions whose input is padded by side."""

    rank = 2


class PaddedAvgPool3d(PaddedAverage, nn.AvgPool3d):
    """An average pool over three dimensions whose input is padded by side."""

    rank = 3
