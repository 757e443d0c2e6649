"""torchvision's models, which the tests and benchmarks compare with, importable beside a CPU build of torch.

torchvision's wheels are built for CUDA. Beside a CPU build of torch its compiled operations do not register, and
importing it fails where it describes them to `torch.library.register_fake`. The models are plain Python and need none
of them, so those descriptions are passed over while torchvision is imported, and only then.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import torch


def torchvision_model(name: str, **kwargs: Any) -> torch.nn.Module:
    """A fresh torchvision model, as in `torchvision_model("resnet50", num_classes=10)`; nothing is downloaded."""
    return getattr(torchvision_models(), name)(**kwargs)


@cache
def torchvision_models() -> ModuleType:
    """The module `torchvision.models`."""
    with _without_fakes_for("torchvision::"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchvision import models
    return models


@contextmanager
def _without_fakes_for(prefix: str) -> Iterator[None]:
    original = torch.library.register_fake

    def register_fake(op: Any, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        if isinstance(op, str) and op.startswith(prefix):
            return lambda function: function
        return original(op, *args, **kwargs)

    torch.library.register_fake = register_fake
    try:
        yield
    finally:
        torch.library.register_fake = original
