"""Which device to train on."""

from __future__ import annotations

import torch


def choose_device(name: str, local: int = 0) -> str:
    """The device that a name means here.

    Args:
        name: ``auto`` for the best one that this machine has; ``cuda`` for the accelerator of this process; or any
            device of torch.
        local: the number of this process on its machine.

    >>> choose_device("cpu")
    'cpu'
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    return f"cuda:{local}" if name == "cuda" and torch.cuda.is_available() else name
