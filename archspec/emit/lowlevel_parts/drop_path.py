"""Stochastic depth."""

import torch
from torch import Tensor

TARGETS = {"archspec.emit.modules.DropPath": "drop_path"}


def drop_path(x: Tensor, training: bool, rate: float) -> Tensor:
    """In training, 0 for a whole example with probability rate, else x / (1 - rate); in eval mode, x.

    Huang et al. 2016 (arXiv:1603.09382), section 3.
    """
    if not training or rate == 0:
        return x
    kept = torch.empty([x.shape[0]] + [1] * (x.dim() - 1), dtype=x.dtype, device=x.device).bernoulli_(1 - rate)
    return x * (kept / (1 - rate) if rate < 1 else kept)
