"""Training: one step of SGD, which every file ends with."""

import torch
import torch.nn.functional as F
from torch import Tensor

Params = dict[str, Tensor]


def forward(x: Tensor, p: Params, training: bool = False) -> Tensor:
    """The network, which each file has in place of this."""
    raise NotImplementedError


def trainable(p: Params) -> list[str]:
    """The keys of what is trained: all but the statistics of norms, and norms that do not count batches."""
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    norms, counting = ({key.rpartition(".")[0] for key in p if key.endswith(end)} for end in statistics[1:])
    scopes = {key: key.rpartition(".") for key in p}
    return [key for key, (scope, _, name) in scopes.items() if name not in statistics and scope not in norms - counting]


def loss_of(x: Tensor, target: Tensor, p: Params) -> Tensor:
    """loss = -log softmax(y)[target], the mean over the batch, of what the network gives in training."""
    return F.cross_entropy(forward(x, p, training=True), target)


def sgd_step(
    x: Tensor,
    target: Tensor,
    p: Params,
    velocity: Params,
    rate: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 1e-4,
) -> float:
    """v = momentum * v + gradient + weight_decay * w, then w = w - rate * v, for every weight; gives the loss before.

    Polyak 1964, in the form of Sutskever et al. 2013, with the decay in the gradient as He et al. 2015 train.
    """
    keys = trainable(p)
    for key in keys:
        p[key].requires_grad_()
    loss = loss_of(x, target, p)
    gradients = torch.autograd.grad(loss, [p[key] for key in keys])
    with torch.no_grad():
        for key, gradient in zip(keys, gradients, strict=True):
            velocity[key] = momentum * velocity.get(key, torch.zeros(())) + gradient + weight_decay * p[key]
            p[key] = p[key] - rate * velocity[key]
    return loss.item()
