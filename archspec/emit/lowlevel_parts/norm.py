"""Normalization."""

import torch
from torch import Tensor

Params = dict[str, Tensor]
TARGETS = {
    "torch.nn.BatchNorm1d": "batch_norm",
    "torch.nn.BatchNorm2d": "batch_norm",
    "torch.nn.BatchNorm3d": "batch_norm",
    "torch.nn.GroupNorm": "group_norm",
    "torch.nn.InstanceNorm1d": "instance_norm",
    "torch.nn.InstanceNorm2d": "instance_norm",
    "torch.nn.InstanceNorm3d": "instance_norm",
    "torch.nn.LayerNorm": "layer_norm",
    "torch.nn.LocalResponseNorm": "F.local_response_norm",
    "torch.nn.RMSNorm": "rms_norm",
    "archspec.emit.modules.ChannelLayerNorm": "layer_norm",
    "archspec.emit.norms.ChannelRMSNorm": "rms_norm",
    "archspec.emit.norms.FrozenBatchNorm": "frozen_batch_norm",
    "archspec.emit.norms.GlobalResponseNorm": "global_response_norm",
}


def batch_norm(x: Tensor, p: Params, name: str, training: bool, momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, for each channel.

    In training, mean and var are those of the batch: mean = sum(x) / m and var = sum((x - mean)^2) / m over all m
    values of the channel. The running statistics follow them, the variance without bias:
    running = (1 - momentum) * running + momentum * batch, with var * m / (m - 1).
    In eval mode, they are the running statistics. Ioffe and Szegedy 2015 (arXiv:1502.03167), algorithms 1 and 2.
    """
    others = [0, *range(2, x.dim())]  # the batch and the positions
    if training:
        mean = x.mean(others)
        var = x.var(others, correction=0)
        m = x.numel() // x.shape[1]
        with torch.no_grad():
            unbiased = var * m / (m - 1)
            p[f"{name}.running_mean"] = (1 - momentum) * p[f"{name}.running_mean"] + momentum * mean
            p[f"{name}.running_var"] = (1 - momentum) * p[f"{name}.running_var"] + momentum * unbiased
            p[f"{name}.num_batches_tracked"] = p[f"{name}.num_batches_tracked"] + 1
    else:
        mean = p[f"{name}.running_mean"]
        var = p[f"{name}.running_var"]
    per_channel = [1, -1] + [1] * (x.dim() - 2)
    y = (x - mean.view(per_channel)) / torch.sqrt(var.view(per_channel) + eps)
    if f"{name}.weight" in p:
        y = y * p[f"{name}.weight"].view(per_channel) + p[f"{name}.bias"].view(per_channel)
    return y


def new_batch_norm(p: Params, name: str, num_features: int, affine: bool = True, weight: float = 1.0) -> None:
    """The scale and the bias of each channel, and running statistics of mean 0 and variance 1."""
    if affine:
        p[f"{name}.weight"] = torch.full((num_features,), weight)
        p[f"{name}.bias"] = torch.zeros(num_features)
    p[f"{name}.running_mean"] = torch.zeros(num_features)
    p[f"{name}.running_var"] = torch.ones(num_features)
    p[f"{name}.num_batches_tracked"] = torch.tensor(0)


def group_norm(x: Tensor, p: Params, name: str, num_groups: int, eps: float = 1e-5) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over each group of channels of an example.

    Wu and He 2018 (arXiv:1803.08494), equations 1, 2 and 7.
    """
    groups = x.reshape(x.shape[0], num_groups, -1)
    mean = groups.mean(2, keepdim=True)
    var = groups.var(2, correction=0, keepdim=True)
    y = ((groups - mean) / torch.sqrt(var + eps)).reshape(x.shape)
    if f"{name}.weight" in p:
        per_channel = [1, -1] + [1] * (x.dim() - 2)
        y = y * p[f"{name}.weight"].view(per_channel) + p[f"{name}.bias"].view(per_channel)
    return y


def new_group_norm(p: Params, name: str, num_channels: int, affine: bool = True, weight: float = 1.0) -> None:
    """The scale and the bias of each channel."""
    if affine:
        p[f"{name}.weight"] = torch.full((num_channels,), weight)
        p[f"{name}.bias"] = torch.zeros(num_channels)


def instance_norm(x: Tensor, p: Params, name: str, eps: float = 1e-5) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over the positions of each channel of an example.

    Ulyanov et al. 2016 (arXiv:1607.08022), equation 3.
    """
    positions = list(range(2, x.dim()))
    mean = x.mean(positions, keepdim=True)
    var = x.var(positions, correction=0, keepdim=True)
    y = (x - mean) / torch.sqrt(var + eps)
    if f"{name}.weight" in p:
        per_channel = [1, -1] + [1] * (x.dim() - 2)
        y = y * p[f"{name}.weight"].view(per_channel) + p[f"{name}.bias"].view(per_channel)
    return y


def new_instance_norm(p: Params, name: str, num_features: int, affine: bool = False, weight: float = 1.0) -> None:
    """The scale and the bias of each channel."""
    if affine:
        p[f"{name}.weight"] = torch.full((num_features,), weight)
        p[f"{name}.bias"] = torch.zeros(num_features)


def layer_norm(x: Tensor, p: Params, name: str, eps: float = 1e-5) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over the channels at each position.

    Ba et al. 2016 (arXiv:1607.06450), equation 4.
    """
    mean = x.mean(1, keepdim=True)
    var = x.var(1, correction=0, keepdim=True)
    y = (x - mean) / torch.sqrt(var + eps)
    if f"{name}.weight" in p:
        per_channel = [1, -1] + [1] * (x.dim() - 2)
        y = y * p[f"{name}.weight"].view(per_channel) + p[f"{name}.bias"].view(per_channel)
    return y


def new_layer_norm(
    p: Params, name: str, normalized_shape: int, elementwise_affine: bool = True, weight: float = 1.0
) -> None:
    """The scale and the bias of each channel."""
    if elementwise_affine:
        p[f"{name}.weight"] = torch.full((normalized_shape,), weight)
        p[f"{name}.bias"] = torch.zeros(normalized_shape)


def rms_norm(x: Tensor, p: Params, name: str, eps: float = 1e-5) -> Tensor:
    """y = weight * x / sqrt(mean(x^2) + eps), over the channels at each position.

    Zhang and Sennrich 2019 (arXiv:1910.07467), equation 4.
    """
    y = x * torch.rsqrt((x * x).mean(1, keepdim=True) + eps)
    if f"{name}.weight" in p:
        y = y * p[f"{name}.weight"].view([1, -1] + [1] * (x.dim() - 2))
    return y


def new_rms_norm(
    p: Params, name: str, normalized_shape: int, elementwise_affine: bool = True, weight: float = 1.0
) -> None:
    """The scale of each channel."""
    if elementwise_affine:
        p[f"{name}.weight"] = torch.full((normalized_shape,), weight)


def global_response_norm(x: Tensor, p: Params, name: str, eps: float = 1e-6) -> Tensor:
    """y = weight * x * n + bias + x, with n = g / (mean(g) + eps) and g the root of the sum of squares over positions.

    The mean is over channels. Woo et al. 2023 (arXiv:2301.00808), equations 1 to 3.
    """
    g = torch.sqrt((x * x).sum(list(range(2, x.dim())), keepdim=True))
    n = g / (g.mean(1, keepdim=True) + eps)
    per_channel = [1, -1] + [1] * (x.dim() - 2)
    return p[f"{name}.weight"].view(per_channel) * (x * n) + p[f"{name}.bias"].view(per_channel) + x


def new_global_response_norm(p: Params, name: str, num_features: int) -> None:
    """The scale and the bias of each channel, both zero."""
    p[f"{name}.weight"] = torch.zeros(num_features)
    p[f"{name}.bias"] = torch.zeros(num_features)


def frozen_batch_norm(x: Tensor, p: Params, name: str, eps: float = 1e-5) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, for each channel, of which nothing is trained."""
    per_channel = [1, -1] + [1] * (x.dim() - 2)
    scale = p[f"{name}.weight"] / torch.sqrt(p[f"{name}.running_var"] + eps)
    shift = p[f"{name}.bias"] - p[f"{name}.running_mean"] * scale
    return x * scale.view(per_channel) + shift.view(per_channel)


def new_frozen_batch_norm(p: Params, name: str, num_features: int) -> None:
    """The scale and the bias of each channel, and statistics of mean 0 and variance 1."""
    p[f"{name}.weight"] = torch.ones(num_features)
    p[f"{name}.bias"] = torch.zeros(num_features)
    p[f"{name}.running_mean"] = torch.zeros(num_features)
    p[f"{name}.running_var"] = torch.ones(num_features)
