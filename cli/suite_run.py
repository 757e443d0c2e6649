"""Tests many specs, in this process or in several others."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import multiprocessing
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import NamedTuple

from archspec import Diagnostic, Outcome, Source, SpecError
from archspec.diagnostics import cut
from archspec.testing.harness import Level, refused
from archspec.testing.update import Update, update

from . import options
from .attempt import attempt


@dataclass(frozen=True, slots=True)
class Request:
    """A spec to test, and how. ``source`` is its text if only this process can read it."""

    reference: str
    level: Level
    reading: options.Reading
    largest: int
    update: bool
    source: Source | None = None


class Tested(NamedTuple):
    """The result for one spec. With ``--update``, it is the result for the text with measured values."""

    outcome: Outcome
    update: Update | None = None


def test(request: Request) -> Tested:
    """Test one spec. Whatever it raises is in the outcome."""
    found, faults = attempt(request.reference, lambda: _tested(request))
    return found or failed(request, faults)


def failed(request: Request, faults: tuple[Diagnostic, ...]) -> Tested:
    """The result for a spec that could not be tested."""
    path = None if request.reference == options.STDIN else request.reference
    return Tested(refused(request.reference, Source(path or "<stdin>", "", path=path), faults))


def _tested(request: Request) -> Tested:
    if request.level != "check":
        _prepare_torch()
    reading, change, text = request.reading, None, request.source
    if request.update:
        with contextlib.suppress(SpecError):  # the check reports what is wrong with the spec
            change = update(reading.compile(request.reference))
            text = replace(change.source, text=change.text)
    outcome = reading.check(request.reference, text, level=request.level, largest=request.largest)
    if request.level != "check":
        gc.collect()  # networks contain reference cycles
    return Tested(replace(outcome, graph=None), change)  # a graph cannot go to another process


@functools.cache
def _prepare_torch() -> None:
    """Import what all specs need, keep to one core, and exempt these imports from garbage collection."""
    with contextlib.suppress(ImportError):
        importlib.import_module("archspec.testing.run").keep_to_one_core()
        gc.collect()
        gc.freeze()


def test_all(requests: Sequence[Request], jobs: int) -> Iterator[Tested]:
    """Test specs, at most ``jobs`` at a time. The results come in the order of the requests."""
    if jobs == 1 or len(requests) < 2:
        yield from map(test, requests)
        return
    left = deque(requests)
    with _ignored("SIGPIPE"):  # writing to a process that has ended must not end this one
        while left:
            try:
                for tested in _in_processes([*left], jobs):
                    left.popleft()
                    yield tested
            except BrokenProcessPool:  # one of the specs in progress caused it: testing each alone shows which
                yield _alone(left.popleft())


def _alone(request: Request) -> Tested:
    try:
        return next(_in_processes([request], 1))
    except BrokenProcessPool:
        message = f"the process that tested `{cut(request.reference)}` ended unexpectedly; memory may have run out"
        return failed(request, (Diagnostic("E002", message, help="try fewer --jobs, or test this spec alone"),))


def _in_processes(requests: Sequence[Request], jobs: int) -> Iterator[Tested]:
    context = multiprocessing.get_context("spawn")  # a process with torch loaded must not be forked
    pool = ProcessPoolExecutor(min(jobs, len(requests)), context, _exit_on_terminate)
    try:
        with _ignored("SIGINT"):  # even while the new processes import: this process ends them
            results = pool.map(test, requests)
        yield from results
    except BrokenProcessPool:
        raise
    except BaseException:  # an interrupt, or nobody reads the results anymore
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    pool.shutdown()


@contextlib.contextmanager
def _ignored(name: str) -> Iterator[None]:
    """Ignore a signal, if the system has it, in this process and in those that it starts."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, name):
        yield
        return
    kind = getattr(signal, name)
    before = signal.signal(kind, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(kind, before)


def _exit_on_terminate() -> None:
    """Have SIGTERM raise an exit in this process, so that it removes its temporary files."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
