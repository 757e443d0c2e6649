"""The optimizer of a training."""

from __future__ import annotations

from torch import nn, optim

from archspec.lab.training.settings import Settings


def optimizer(model: nn.Module, settings: Settings) -> optim.Optimizer:
    """SGD with momentum or AdamW, in one group of parameters, or in two where norms and biases do not decay."""
    parameters = [each for each in model.parameters() if each.requires_grad]
    spared = [] if settings.decay_norms else [each for each in parameters if each.ndim <= 1]
    kept = {id(each) for each in spared}
    groups = [
        {"params": [each for each in parameters if id(each) not in kept], "weight_decay": settings.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "adamw":
        return optim.AdamW(groups, lr=settings.lr)
    return optim.SGD(groups, lr=settings.lr, momentum=settings.momentum)
