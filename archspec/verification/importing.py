"""Importing the libraries that references come from."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import torch


@cache
def torchvision_models() -> ModuleType:
    """The module ``torchvision.models``.

    torchvision's wheels are built for CUDA. With a CPU build of torch, its compiled operations are not registered, and
    the import fails when it passes them to ``torch.library.register_fake``. The models are plain Python and do not need
    these operations. So if the import fails for this reason, it is repeated without these calls.

    Raises:
        ImportError: torchvision is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision warns that it cannot read images
        try:
            return importlib.import_module("torchvision.models")
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise
            with _without_fakes_for("torchvision::"):
                return importlib.import_module("torchvision.models")


@contextmanager
def _without_fakes_for(prefix: str) -> Iterator[None]:
    original = torch.library.register_fake

    def register_fake(op: Any, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        if isinstance(op, str) and op.startswith(prefix):
            return lambda function: function
        described: Callable[..., Any] = original(op, *args, **kwargs)
        return described

    torch.library.register_fake = register_fake
    try:
        yield
    finally:
        torch.library.register_fake = original


def timm() -> ModuleType:
    """The module ``timm``, which imports torchvision.

    Raises:
        ImportError: timm, or torchvision, is not installed.
    """
    torchvision_models()
    return importlib.import_module("timm")
