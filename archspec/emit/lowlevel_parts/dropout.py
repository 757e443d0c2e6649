"""Dropout."""

import torch.nn.functional as F
from torch import Tensor

TARGETS = {"torch.nn.Dropout": "dropout"}


def dropout(x: Tensor, training: bool, rate: float) -> Tensor:
    """In training, 0 with probability rate, else x / (1 - rate); in eval mode, x.

    Srivastava et al. 2014, section 4.
    """
    return F.dropout(x, rate, training)
