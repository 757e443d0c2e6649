"""Layers of torch by their names."""

import torch
import torch.nn.functional as F
from torch import Tensor

Params = dict[str, Tensor]
Size = int | tuple[int, ...]
TARGETS = {
    "torch.nn.AlphaDropout": "alpha_dropout",
    "torch.nn.Dropout1d": "channel_dropout",
    "torch.nn.Dropout2d": "channel_dropout",
    "torch.nn.Dropout3d": "channel_dropout",
    "torch.nn.FeatureAlphaDropout": "feature_alpha_dropout",
    "torch.nn.Fold": "F.fold",
    "torch.nn.Hardshrink": "F.hardshrink",
    "torch.nn.LayerNorm": "layer_norm_of_axes",
    "torch.nn.LogSoftmax": "F.log_softmax",
    "torch.nn.RMSNorm": "rms_norm_of_axes",
    "torch.nn.RReLU": "rrelu",
    "torch.nn.Softmax": "F.softmax",
    "torch.nn.Softmax2d": "softmax_of_channels",
    "torch.nn.Softmin": "F.softmin",
    "torch.nn.Softshrink": "F.softshrink",
    "torch.nn.Softsign": "F.softsign",
    "torch.nn.Tanhshrink": "F.tanhshrink",
    "torch.nn.Threshold": "F.threshold",
    "torch.nn.Unfold": "F.unfold",
}


def rrelu(x: Tensor, training: bool, lower: float, upper: float) -> Tensor:
    """x above 0, else slope * x; the slope is drawn between lower and upper in training, else their mean.

    Xu et al. 2015 (arXiv:1505.00853), section 2.4.
    """
    return F.rrelu(x, lower, upper, training)


def alpha_dropout(x: Tensor, training: bool, rate: float) -> Tensor:
    """In training, elements become SELU's least value with probability rate; mean and variance are kept.

    Klambauer et al. 2017 (arXiv:1706.02515), "Alpha Dropout".
    """
    return F.alpha_dropout(x, rate, training)


def feature_alpha_dropout(x: Tensor, training: bool, rate: float) -> Tensor:
    """Alpha dropout of whole channels."""
    return F.feature_alpha_dropout(x, rate, training)


def channel_dropout(x: Tensor, training: bool, rate: float) -> Tensor:
    """In training, whole channels become 0 with probability rate, others x / (1 - rate); in eval mode, x.

    Tompson et al. 2015 (arXiv:1411.4280), section 3.2.
    """
    return torch.feature_dropout(x, rate, training)


def softmax_of_channels(x: Tensor) -> Tensor:
    """y[c] = exp(x[c]) / sum over d of exp(x[d]), at each position."""
    return F.softmax(x, dim=1)


def layer_norm_of_axes(x: Tensor, p: Params, name: str, normalized_shape: Size, eps: float = 1e-5) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, over the last axes. Ba et al. 2016 (arXiv:1607.06450)."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
    return F.layer_norm(x, shape, p.get(f"{name}.weight"), p.get(f"{name}.bias"), eps)


def new_layer_norm_of_axes(
    p: Params, name: str, normalized_shape: Size, elementwise_affine: bool = True, bias: bool = True
) -> None:
    """The scale and the bias of each element."""
    if elementwise_affine:
        p[f"{name}.weight"] = torch.ones(normalized_shape)
        if bias:
            p[f"{name}.bias"] = torch.zeros(normalized_shape)


def rms_norm_of_axes(x: Tensor, p: Params, name: str, normalized_shape: Size, eps: float | None = None) -> Tensor:
    """y = weight * x / sqrt(mean(x^2) + eps), over the last axes. Zhang and Sennrich 2019 (arXiv:1910.07467)."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
    return F.rms_norm(x, shape, p.get(f"{name}.weight"), eps)


def new_rms_norm_of_axes(p: Params, name: str, normalized_shape: Size, elementwise_affine: bool = True) -> None:
    """The scale of each element."""
    if elementwise_affine:
        p[f"{name}.weight"] = torch.ones(normalized_shape)
