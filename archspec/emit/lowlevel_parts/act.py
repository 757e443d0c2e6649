"""Activation functions: torch's own, by their names in ``torch.nn.functional``."""

import torch
import torch.nn.functional as F
from torch import Tensor

Params = dict[str, Tensor]
TARGETS = {
    "archspec.emit.modules.GroupSoftmax": "group_softmax",
    "archspec.emit.modules.PointwiseGELU": "F.gelu",
    "torch.nn.CELU": "F.celu",
    "torch.nn.ELU": "F.elu",
    "torch.nn.GELU": "F.gelu",
    "torch.nn.GLU": "F.glu",
    "torch.nn.Hardsigmoid": "F.hardsigmoid",
    "torch.nn.Hardswish": "F.hardswish",
    "torch.nn.Hardtanh": "F.hardtanh",
    "torch.nn.LeakyReLU": "F.leaky_relu",
    "torch.nn.LogSigmoid": "F.logsigmoid",
    "torch.nn.Mish": "F.mish",
    "torch.nn.PReLU": "prelu",
    "torch.nn.ReLU": "F.relu",
    "torch.nn.ReLU6": "F.relu6",
    "torch.nn.SELU": "F.selu",
    "torch.nn.SiLU": "F.silu",
    "torch.nn.Sigmoid": "torch.sigmoid",
    "torch.nn.Softmax": "F.softmax",
    "torch.nn.Softplus": "F.softplus",
    "torch.nn.Tanh": "torch.tanh",
}


def prelu(x: Tensor, p: Params, name: str) -> Tensor:
    """y = max(x, 0) + weight * min(x, 0), with one weight or one for each channel.

    He et al. 2015 (arXiv:1502.01852), equation 1.
    """
    return F.prelu(x, p[f"{name}.weight"])


def new_prelu(p: Params, name: str, num_parameters: int = 1, init: float = 0.25) -> None:
    """The slope below 0."""
    p[f"{name}.weight"] = torch.full((num_parameters,), init)


def group_softmax(x: Tensor, groups: int, rivals: int) -> Tensor:
    """y[n, g, r, c] = exp(x[n, g, r, c]) / sum over s of exp(x[n, g, s, c]), for r and s of `rivals` parts of a group.

    Zhang et al. 2020 (arXiv:2004.08955), equation 2.
    """
    parts = x.reshape(x.shape[0], groups, rivals, -1)
    return F.softmax(parts, dim=2).reshape(x.shape)
