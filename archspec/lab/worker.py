"""One cell, worked on in a process of an engine, on this machine or another one."""

from __future__ import annotations

import importlib
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError
from archspec.lab.canonical import plain_data
from archspec.lab.engines.engine import Answer, CellFailed, Task
from archspec.lab.versions import archspec_version
from archspec.wording import bounded

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""What libraries read when they are loaded."""


def one_thread() -> dict[str, str]:
    """The environment of a process whose libraries use one thread."""
    return dict.fromkeys(THREADS, "1")


def perform(task: Task) -> Answer:
    """Work a cell with one thread of torch.

    Raises:
        CellFailed: the cell function raised an error that may not come again, or is faulty.
    """
    os.environ.update(one_thread())
    return work(task, threads=1)


def work(task: Task, threads: int | None = None) -> Answer:
    """Work a cell; the errors are those of :func:`perform`."""
    where, begun = socket.gethostname(), time.perf_counter()
    result, failure, final = None, None, True
    try:
        if (here := archspec_version()) != task.archspec:
            message = f"{where} has archspec {here}, but the run was started with archspec {task.archspec}"
            raise EnvironmentFault(Diagnostic("E882", message))
        function = _load(task.work)
        if threads and (torch := sys.modules.get("torch")):
            torch.set_num_threads(threads)
        found = function(task.inputs)
        if not isinstance(found, Mapping):
            raise TypeError(f"{task.work} must return a mapping, got {type(found).__name__}")
        result = _finite(found)
    except FloatingPointError as error:
        failure = str(error) or "a number is not finite"
    except (SpecError, EnvironmentFault) as refusal:
        diagnostics = refusal.diagnostics if isinstance(refusal, SpecError) else (refusal.diagnostic,)
        failure, final = str(next(iter(diagnostics), "refused")), False
    except Exception as error:
        raise CellFailed(_told(error)) from None
    return Answer(result, failure, final, where, time.perf_counter() - begun)


def attempted(task: Task) -> Answer:
    """As :func:`perform`, for an engine that does not tell errors apart: a failure is an answer too."""
    try:
        return perform(task)
    except CellFailed as failed:
        return Answer(None, str(failed), False, socket.gethostname(), 0.0)


def _load(name: str) -> Callable[[Mapping[str, Any]], object]:
    module, _, attribute = name.partition(":")
    found: Callable[[Mapping[str, Any]], object] = getattr(importlib.import_module(module), attribute)
    return found


def _finite(found: Mapping[str, Any]) -> Any:
    """A result as plain data.

    Raises:
        FloatingPointError: a number in it is not finite.
        TypeError: it is not plain data.
    """
    try:
        return plain_data(found, "result")
    except ValueError as error:
        raise FloatingPointError(str(error)) from None


def _told(error: BaseException) -> str:
    """An error in one line: its class, the first line of its text, and the place that raised it."""
    lines = str(error).splitlines() or [""]
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return bounded(f"{type(error).__name__}{': ' if lines[0] else ''}{lines[0]}", 300) + place
