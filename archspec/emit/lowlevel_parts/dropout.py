"""Dropout."""

import torch.nn.functional as F
from torch import Tensor

TARGETS = {"torch.nn.Dropout": "dropout"}


def dropout(x: Tensor, training: bool, rate: float) -> Tensor:
    """In training, zero with probability rate and x / (1 - rate) otherwise; else x.

    Srivastava et al. 2014, section 4.
    """
    return F.dropout(x, rate, training)
