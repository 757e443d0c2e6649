"""The modules that torch lacks, and finding what a :class:`~archspec.operations.base.TorchCall` names."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional


@functools.cache
def resolve(target: str) -> Any:
    """What a qualified name such as ``torch.nn.Conv2d`` or ``operator.add`` stands for.

    Raises:
        ImportError: no module of that name can be imported.
        AttributeError: the module has no such attribute.
    """
    parts = target.split(".")
    for length in range(len(parts) - 1, 0, -1):
        path = ".".join(parts[:length])
        try:
            found: Any = importlib.import_module(path)
        except ModuleNotFoundError as error:
            # `torch.Tensor` is no module, so look in `torch`; but a module that lacks another one is broken.
            if length == 1 or not f"{path}.".startswith(f"{error.name}."):
                raise
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ImportError(f"`{target}` is not a qualified name")


def drop_path(x: Tensor, p: float, training: bool) -> Tensor:
    """In training, zero for each example with probability ``p`` and divided by ``1 - p`` otherwise; else ``x`` itself.

    Draws as ``torchvision.ops.stochastic_depth(x, p, "row")`` does, so that equal seeds give equal results.
    """
    if not training or p == 0:
        return x
    survival = 1.0 - p
    noise = torch.empty([x.shape[0]] + [1] * (x.ndim - 1), dtype=x.dtype, device=x.device).bernoulli_(survival)
    if survival > 0:
        noise.div_(survival)
    return x * noise


torch.fx.wrap("drop_path")  # its shape depends on the rank, which a symbolic trace does not know


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016): in training it drops whole examples of a residual branch.

    Args:
        p: the probability with which an example is dropped.

    Shape: any, with the batch first; the output has the same.
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return drop_path(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels at each position.

    Shape: (N, C, *spatial); the output has the same. ``weight`` and ``bias`` are (C,).
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class PointwiseLinear(nn.Linear):
    """A linear layer over the channels at each position.

    Shape: (N, in_features, *spatial) to (N, out_features, *spatial). ``weight`` is (out_features, in_features).
    """

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x.movedim(1, -1), self.weight, self.bias).movedim(-1, 1)
