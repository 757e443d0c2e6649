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
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import NamedTuple

import click

from archspec import Outcome, Source, SpecError
from archspec.testing.harness import Level
from archspec.testing.update import Update, update

from . import options


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


class Lost(click.ClickException):
    """A process ended that archspec did not end, for example because memory ran out."""

    exit_code = 3


def test(request: Request) -> Tested:
    """Test one spec."""
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
    context = multiprocessing.get_context("spawn")  # a process with torch loaded must not be forked
    pool = ProcessPoolExecutor(min(jobs, len(requests)), context, _exit_on_terminate)
    try:
        with _interrupts_ignored():
            results = pool.map(test, requests)
        yield from results
    except BrokenProcessPool:
        raise Lost("a test process ended unexpectedly; try fewer --jobs") from None
    except BaseException:  # an interrupt, or nobody reads the results anymore
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    pool.shutdown()


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """New processes ignore interrupts, even while they import: this process ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _exit_on_terminate() -> None:
    """Have SIGTERM raise an exit in this process, so that it removes its temporary files."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
