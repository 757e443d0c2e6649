"""Norms that torch lacks."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelRMSNorm(nn.RMSNorm):
    """Root mean square normalization over the channels at each position.

    Shape: (N, C, *spatial); the output has the same. ``weight`` is (C,).
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class GlobalResponseNorm(nn.Module):
    """Global response normalization (Woo et al. 2023), computed as timm does.

    Args:
        num_features: the channels.
        eps: added to the mean over channels.

    Shape: (N, C, *spatial); the output has the same. ``weight`` and ``bias`` are (C,), zero at the start.
    """

    def __init__(self, num_features: int, eps: float = 1e-6, device: torch.device | str | None = None) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(num_features, device=device))
        self.bias = nn.Parameter(torch.zeros(num_features, device=device))

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() < 3:
            raise ValueError(f"expected an input of (N, C, *spatial), got {tuple(x.shape)}")
        response = x.norm(p=2, dim=list(range(2, x.dim())), keepdim=True)
        relative = response / (response.mean(dim=1, keepdim=True) + self.eps)
        shape = [1, -1] + [1] * (x.dim() - 2)
        return x + torch.addcmul(self.bias.view(shape), self.weight.view(shape), x * relative)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}"


class FrozenBatchNorm(nn.Module):
    """Batch normalization whose statistics, scale and bias never change, computed as torchvision does.

    Args:
        num_features: the channels.
        eps: added to the variance.

    Shape: (N, C, *spatial); the output has the same. ``weight``, ``bias``, ``running_mean`` and ``running_var`` are
    buffers of (C,).
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, device: torch.device | str | None = None) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.register_buffer("weight", torch.ones(num_features, device=device))
        self.register_buffer("bias", torch.zeros(num_features, device=device))
        self.register_buffer("running_mean", torch.zeros(num_features, device=device))
        self.register_buffer("running_var", torch.ones(num_features, device=device))

    def forward(self, x: Tensor) -> Tensor:
        shape = [1, -1] + [1] * (x.dim() - 2)
        weight, bias = self.weight.reshape(shape), self.bias.reshape(shape)
        mean, variance = self.running_mean.reshape(shape), self.running_var.reshape(shape)
        scale = weight * (variance + self.eps).rsqrt()
        return x * scale + (bias - mean * scale)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}"
