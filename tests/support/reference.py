"""torchvision's models, which the tests and benchmarks compare with, importable beside a CPU build of torch."""

from __future__ import annotations

from typing import Any

import torch

from archspec.verification.importing import torchvision_models

__all__ = ["torchvision_model", "torchvision_models"]


def torchvision_model(name: str, **kwargs: Any) -> torch.nn.Module:
    """A fresh torchvision model, as in `torchvision_model("resnet50", num_classes=10)`; nothing is downloaded."""
    return getattr(torchvision_models(), name)(**kwargs)
