"""Testing many specs, here or in processes of their own, and what each of them gave."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
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
    """A spec to test, as it was named, and how. ``source`` is its text where only this process can read it."""

    reference: str
    level: Level
    reading: options.Reading
    largest: int
    update: bool
    source: Source | None = None


class Tested(NamedTuple):
    """What testing a spec gave; with ``--update``, of the text with measured values, which is then to be written."""

    outcome: Outcome
    update: Update | None = None


class Lost(click.ClickException):
    """A process came to an end that archspec did not bring about, such as for want of memory."""

    exit_code = 3


def test(request: Request) -> Tested:
    """Test one spec."""
    if request.level != "check":
        _settle()
    reading, change, text = request.reading, None, request.source
    if request.update:
        with contextlib.suppress(SpecError):  # what is wrong with the spec is found when it is checked
            change = update(reading.compile(request.reference))
            text = replace(change.source, text=change.text)
    outcome = reading.check(request.reference, text, level=request.level, largest=request.largest)
    if request.level != "check":
        gc.collect()  # what was built: networks hold themselves in circles
    return Tested(replace(outcome, graph=None), change)  # a graph cannot go from one process to another


@functools.cache
def _settle() -> None:
    """Import what all specs need, keep to one core, and spare the collector from looking through it again and again."""
    with contextlib.suppress(ImportError):
        importlib.import_module("archspec.testing.run").keep_to_one_core()
        gc.collect()
        gc.freeze()


def test_all(requests: Iterable[Request], jobs: int) -> Iterator[Tested]:
    """Test specs, as many at a time as there are ``jobs``; what they gave, in their order."""
    requests = list(requests)
    if jobs == 1 or len(requests) < 2:
        yield from map(test, requests)
        return
    context = multiprocessing.get_context("spawn")  # a process that has loaded torch may not be forked
    pool = ProcessPoolExecutor(min(jobs, len(requests)), context, _begin)
    try:
        with _deaf_to_interrupts():
            results = pool.map(test, requests)
        yield from results
    except BrokenProcessPool:
        raise Lost("a process that tests specs was ended from outside; try fewer --jobs") from None
    except BaseException:  # an interrupt, or whoever reads this has gone
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    pool.shutdown()


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """The processes that begin here ignore interrupts, also while they import: the one that began them ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin() -> None:
    """Ready a process to be ended: temporary files are then removed."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
