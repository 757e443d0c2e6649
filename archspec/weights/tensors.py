"""What a tensor is, with torch and without: torch's own, or one as a file of safetensors stores it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeGuard

from archspec.operations.shapes import Shape

if TYPE_CHECKING:
    import numpy
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A tensor of a file that was read without torch. ``dtype`` is torch's name of it; ``data`` its bytes."""

    dtype: str
    shape: Shape
    data: numpy.ndarray


def is_tensor(value: object) -> TypeGuard[Tensor | StoredTensor]:
    """Whether a value is a tensor. Before torch is imported, none is torch's."""
    torch = sys.modules.get("torch")
    return isinstance(value, StoredTensor) or (torch is not None and isinstance(value, torch.Tensor))


def has_shape(value: object) -> TypeGuard[Tensor | StoredTensor]:
    """Whether a value is a tensor with a shape: a nested one has none."""
    return is_tensor(value) and (isinstance(value, StoredTensor) or not value.is_nested)


def aligned(value: Any, shape: Shape) -> Any:
    """A value in the network's shape if the two differ only in axes of length 1; otherwise the value itself.

    So the weight of a linear layer fits a 1x1 convolution, and a scale of C elements one of C x 1 x 1.

    >>> import torch
    >>> aligned(torch.zeros(8), (8, 1, 1)).shape
    torch.Size([8, 1, 1])
    """
    if not has_shape(value) or [size for size in value.shape if size != 1] != [size for size in shape if size != 1]:
        return value
    if isinstance(value, StoredTensor):
        return replace(value, shape=shape)
    return value.reshape(shape) if str(value.layout) == "torch.strided" else value


def flaw(value: Any) -> str:
    """Why the values of a tensor with a shape cannot be copied into a network; empty if they can."""
    if isinstance(value, StoredTensor):
        return "is complex" if value.dtype.startswith("complex") else ""
    reasons = {
        "is complex": value.is_complex(),
        "is on the meta device, without values": value.is_meta,
        "is sparse": str(value.layout) != "torch.strided",
        "is quantized": value.is_quantized,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
