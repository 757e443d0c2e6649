"""The boundary around a user's code: what a user's network raises, and what it changes in the process."""

from __future__ import annotations

import random
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from archspec.diagnostics import cut

SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (random.getstate, random.setstate),
)
"""The settings of the process that a network may change: how to read each, and how to restore it."""

OWN = Path(__file__).parents[1]
TORCH = Path(torch.__file__).parent
STANDARD = Path(traceback.__file__).parent / "importlib"


@contextmanager
def foreign(
    refuse: Callable[[BaseException], Exception], passing: tuple[type[BaseException], ...] = ()
) -> Iterator[None]:
    """Run a user's code: pass what it raises to ``refuse``, raise the result, and undo what it sets for the process.

    Args:
        refuse: makes the exception to raise.
        passing: exceptions that pass through. An interrupt always does.
    """
    with _settings_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, *passing)):
                raise
            raise refuse(error) from None


@contextmanager
def _settings_kept() -> Iterator[None]:
    before = [read() for read, _ in SETTINGS]
    device = torch.get_default_device()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for (read, restore), value in zip(SETTINGS, before, strict=True):
            if read() != value:
                restore(value)
        if torch.get_default_device() != device:
            torch.set_default_device(None if device.type == "cpu" else device)


def raised_in(error: BaseException) -> str:
    """The user's file and line in which an exception was raised, as a sentence; empty if it was not in a file."""
    place = line_of(error)
    return place and f"the exception was raised in {place}"


def line_of(error: BaseException) -> str:
    """The file and line of the last call of the user's own code before an exception; empty if there is none.

    Where an exception is raised in torch, the line of the user's that called it says more.
    """
    files = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    called = [
        (path, line)
        for path, line in files
        if path.is_file() and not any(path.is_relative_to(folder) for folder in (OWN, TORCH, STANDARD))
    ]
    return f"{cut(called[-1][0].name)}, line {called[-1][1]}" if called else ""


def defined_at(module: object, file: str) -> str:
    """The file and line where the class of a module says what it computes, or how it is made, if it is in ``file``."""
    own = vars(type(module))
    for name in ("forward", "__init__"):
        code = getattr(own.get(name), "__code__", None)
        if code is not None and Path(code.co_filename).resolve() == Path(file).resolve():
            return f"{cut(Path(code.co_filename).name)}, line {code.co_firstlineno}"
    return ""
