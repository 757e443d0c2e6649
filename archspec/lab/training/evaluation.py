"""Loss and accuracy of a network on a split."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from archspec.lab.data.split import Split
from archspec.lab.training.auxiliary import main_output
from archspec.wording import brief

BATCH = 500


class Score(NamedTuple):
    """The mean cross-entropy, and the share of images whose largest output is their class."""

    loss: float
    accuracy: float

    def __repr__(self) -> str:
        return brief(self)


def device_of(model: nn.Module) -> torch.device:
    """Where a model is."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device("cpu")


def evaluate(model: nn.Module, split: Split) -> Score:
    """The loss and the accuracy of a model on a split, in eval mode, on the device of the model.

    Args:
        model: images (N, C, H, W) to logits (N, classes), or to several values of which these are the first. It is left
            in the mode in which it was.
        split: the images and their labels.

    >>> import archspec
    >>> from archspec.lab.data import load_data
    >>> from archspec.lab.training import evaluate, for_data
    >>> data = load_data("digits")
    >>> model = archspec.build(for_data("resnet20_cifar", data), seed=0)
    >>> 0 <= evaluate(model, data.test).accuracy < 0.3
    True
    """
    loss, right = sums(model, split).tolist()
    return Score(loss / len(split), right / len(split))


@torch.no_grad()
def sums(model: nn.Module, split: Split, rank: int = 0, world: int = 1) -> Tensor:
    """The sum of the losses and the number of right answers, for every ``world``-th image from ``rank`` on."""
    device, was_training = device_of(model), model.training
    found = torch.zeros(2, dtype=torch.float64)
    model.eval()
    try:
        images, labels = split.images[rank::world], split.labels[rank::world]
        for start in range(0, len(labels), BATCH):
            given, wanted = (each[start : start + BATCH].to(device) for each in (images, labels))
            output = main_output(model(given))
            loss = functional.cross_entropy(output, wanted, reduction="sum")
            right = (output.argmax(1) == wanted).sum()
            found += torch.stack([loss.float(), right.float()]).cpu().double()  # not every device has float64
    finally:
        model.train(was_training)
    return found
