"""How parameters start, by the words of a spec's ``init``."""

import math

import torch
from torch import Tensor


def he_fan_out(shape: tuple[int, ...]) -> Tensor:
    """Normal, deviation sqrt(2 / fan out): the gradient keeps its size through ReLU.

    fan out = outputs * kernel area. He et al. 2015 (arXiv:1502.01852), equation 14.
    """
    fan_out = shape[0] * math.prod(shape[2:])
    return torch.randn(shape) * math.sqrt(2 / fan_out)


def he_fan_in(shape: tuple[int, ...]) -> Tensor:
    """Normal, deviation sqrt(2 / fan in): the signal keeps its size through ReLU.

    fan in = inputs * kernel area. He et al. 2015 (arXiv:1502.01852), equation 10.
    """
    fan_in = math.prod(shape[1:])
    return torch.randn(shape) * math.sqrt(2 / fan_in)


def xavier(shape: tuple[int, ...]) -> Tensor:
    """Uniform within sqrt(6 / (fan in + fan out)). Glorot and Bengio 2010, equation 16."""
    fan_in, fan_out = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
    return torch.empty(shape).uniform_(-1, 1) * math.sqrt(6 / (fan_in + fan_out))


def normal(shape: tuple[int, ...]) -> Tensor:
    """Normal with deviation 0.01, as AlexNet starts. Krizhevsky et al. 2012, section 5."""
    return torch.randn(shape) * 0.01


def truncated_normal(shape: tuple[int, ...]) -> Tensor:
    """Normal with deviation 0.02, drawn again outside -2 to 2, as ConvNeXt starts (Liu et al. 2022)."""
    return torch.nn.init.trunc_normal_(torch.empty(shape), std=0.02)


def uniform_fan_in(shape: tuple[int, ...]) -> Tensor:
    """Uniform within 1 / sqrt(fan in), as torch's own layers start. LeCun et al. 1998, "Efficient BackProp"."""
    fan_in = math.prod(shape[1:])
    return torch.empty(shape).uniform_(-1, 1) / math.sqrt(fan_in)


def zero_bias(count: int, fan_in: int) -> Tensor:
    """Biases of zero."""
    return torch.zeros(count)


def uniform_bias(count: int, fan_in: int) -> Tensor:
    """Uniform within 1 / sqrt(fan in), as the biases of torch's own layers start."""
    return torch.empty(count).uniform_(-1, 1) / math.sqrt(fan_in)
