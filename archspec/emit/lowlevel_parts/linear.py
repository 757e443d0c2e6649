"""Linear layers."""

import torch.nn.functional as F
from torch import Tensor

from archspec.emit.lowlevel_parts.draws import uniform_bias as draw_bias
from archspec.emit.lowlevel_parts.draws import uniform_fan_in as draw_linear

Params = dict[str, Tensor]
TARGETS = {"torch.nn.Linear": "linear", "archspec.emit.modules.PointwiseLinear": "pointwise_linear"}


def linear(x: Tensor, p: Params, name: str) -> Tensor:
    """y = x weight^T + bias. Rumelhart et al. 1986, equation 1."""
    return F.linear(x, p[f"{name}.weight"], p.get(f"{name}.bias"))


def pointwise_linear(x: Tensor, p: Params, name: str) -> Tensor:
    """y = x weight^T + bias over the channels at each position: a 1x1 convolution.

    Lin et al. 2013 (arXiv:1312.4400), section 3.
    """
    return F.linear(x.movedim(1, -1), p[f"{name}.weight"], p.get(f"{name}.bias")).movedim(-1, 1)


def new_linear(p: Params, name: str, in_features: int, out_features: int, bias: bool = True) -> None:
    """The weight, out x in, as draw_linear draws it, and the bias of a linear layer, as draw_bias does."""
    p[f"{name}.weight"] = draw_linear((out_features, in_features))
    if bias:
        p[f"{name}.bias"] = draw_bias(out_features, in_features)


def new_pointwise_linear(p: Params, name: str, in_features: int, out_features: int, bias: bool = True) -> None:
    """The weight, out x in, as draw_linear draws it, and the bias, as draw_bias does, for each position."""
    p[f"{name}.weight"] = draw_linear((out_features, in_features))
    if bias:
        p[f"{name}.bias"] = draw_bias(out_features, in_features)
