"""Which operations there are: those of the files of this folder."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from archspec.operations.base import Operation


@functools.cache
def operations() -> Mapping[str, type[Operation]]:
    """Every operation by its word: each public class of each file in this folder that sets a ``name``."""
    found: dict[str, type[Operation]] = {}
    package = importlib.import_module("archspec.operations")
    for info in pkgutil.iter_modules(package.__path__):  # in order of names
        module = importlib.import_module(f"archspec.operations.{info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Operation) and "name" in vars(value):
                found[value.name] = value
    return found
