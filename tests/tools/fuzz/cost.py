"""Inputs that cost much: bred from bombs and specs, for the steps that archspec counts, and for the time that it takes.

What is counted bounds what is measured, or the budget of work means nothing. So an input is a find where its time is
out of proportion to its steps, and where it breaks the promise itself. The analysis of what compiles, and what
``archspec test --update`` would write, are measured by the node.
"""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import archspec
from archspec.diagnostics import Source
from archspec.language.text.files import ReadLimits, decode
from archspec.testing.update import update
from archspec.work import Work
from tests.tools.fuzz.breed import changed, fresh
from tests.tools.fuzz.clock import Clock
from tests.tools.fuzz.minimise import minimise
from tests.tools.fuzz.promise import Broken, collect_as_the_command, peak, require, stopped_after, survive_source
from tests.tools.fuzz.texts import ZOO

TIMES = 20
"""A step, or a node, may take so many times what it takes in the specs of the zoo."""
ALWAYS = 0.04
"""Seconds that any input may take, however few steps it has: a collection of garbage, a first import."""
PIECE = 250
POOL = 40
"""How many inputs of each kind are kept to breed from."""


class Effort(NamedTuple):
    """What one input took: steps, seconds to compile and check it, nodes, seconds to analyze and to update it."""

    steps: int
    seconds: float
    nodes: int = 0
    after: float = 0.0


@contextmanager
def works() -> Iterator[list[Work]]:
    """Every budget of work that is made meanwhile. A refused spec does not tell its own."""
    found: list[Work] = []
    before: Any = Work.__init__

    def keep(self: Work, *args: Any, **more: Any) -> None:
        found.append(self)
        before(self, *args, **more)

    Work.__init__ = keep  # type: ignore[method-assign]
    try:
        yield found
    finally:
        Work.__init__ = before  # type: ignore[method-assign]


def effort(source: Source, clock: Clock, overrides: tuple[str, ...] = ()) -> Effort:
    """Compile and check a spec, then analyze it and update its expectations.

    Raises:
        Broken: an unexpected error, or far too much time.
    """
    second = clock.second()
    with works() as found:
        seconds, passed = timed(lambda: survive_source(source, overrides), second)
    steps = max((work.spent for work in found), default=0)
    if passed < 4:
        return Effort(steps, seconds)
    graph = archspec.compile(archspec.load(source, overrides=overrides))
    after, _ = timed(lambda: (archspec.analyze(graph), update(graph)), second)
    return Effort(steps, seconds, len(graph.nodes), after)


def timed(run: Any, second: float) -> tuple[float, Any]:
    """Seconds of the promise, and what ``run`` gives. What is alive before is no work of the garbage collector's."""
    gc.freeze()
    start = time.thread_time()
    try:
        with stopped_after(10, second):
            result = run()
    except Broken:
        raise
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error}") from error
    finally:
        gc.unfreeze()
    return (time.thread_time() - start) / second, result


@dataclass(frozen=True)
class Ordinary:
    """What the specs of the zoo take: seconds for a step, and for a node once it is compiled."""

    step: float
    node: float

    def check(self, found: Effort) -> None:
        """Raises :class:`Broken` where an input took much more than its steps and nodes allow."""
        fair = ALWAYS + TIMES * self.step * found.steps
        after = ALWAYS + TIMES * self.node * found.nodes + found.seconds  # an update reads its result back
        require(found.seconds <= 1, f"{found.seconds:.1f} s of the processor")
        require(found.seconds <= fair, f"{found.seconds:.2f} s for {found.steps:,} steps, out of proportion")
        require(found.after <= after, f"{found.after:.2f} s to analyze {found.nodes:,} nodes, out of proportion")


@cache
def ordinary() -> Ordinary:
    """The medians over the zoo."""
    clock = Clock()
    paths = [ZOO[0], *ZOO]  # the first run pays for imports
    found = [effort(Source(path.name, path.read_text(encoding="utf-8"), path=str(path)), clock) for path in paths][1:]
    node = statistics.median(each.after / each.nodes for each in found)
    return Ordinary(statistics.median(each.seconds / each.steps for each in found), node)


# -- many inputs -------------------------------------------------------------------------------------------------------


@dataclass
class Pool:
    """The inputs that score best, in one of two ways; in the end the best are what costs most for each byte."""

    best: list[tuple[float, str, Any]] = field(default_factory=list)

    def offer(self, score: float, text: str, value: Any) -> None:
        if any(text == known for _, known, _ in self.best):
            return
        self.best = sorted([*self.best, (score, text, value)], key=lambda item: -item[0])[:POOL]


@dataclass
class Costs:
    """What came of a run: inputs, the most expensive by steps and by time for a byte, and what broke the promise."""

    inputs: int = 0
    compiled: int = 0
    slowest: float = 0.0
    memory: float = 0.0
    steps: Pool = field(default_factory=Pool)
    seconds: Pool = field(default_factory=Pool)
    broken: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Costs) -> None:
        self.inputs += other.inputs
        self.compiled += other.compiled
        self.slowest, self.memory = max(self.slowest, other.slowest), max(self.memory, other.memory)
        self.broken += other.broken


def breed(seed: int, count: int, *, memory: bool = True) -> Costs:
    """Try so many inputs, each fresh or bred from the best so far."""
    source, clock, usual, costs = random.Random(f"cost {seed}"), Clock(), ordinary(), Costs()
    while costs.inputs < count:
        pool = source.choice((costs.steps, costs.seconds)).best
        value, text = (source.choice(pool)[2], "") if pool and source.random() < 0.6 else fresh(source)
        if value is not None and (not text or source.random() < 0.5):
            value, text = changed(value, source)
        if len(text.encode("utf-8", "surrogateescape")) > ReadLimits().bytes:
            continue
        costs.inputs += 1
        try:
            found = judge(text, usual, clock)
            require(not memory or peak() <= 300, f"{peak():.0f} MiB")
        except Broken as error:
            costs.broken.append((text, str(error)))
            if len(costs.broken) >= 20 or "MiB" in str(error):
                break
            continue
        costs.compiled += found.nodes > 0
        costs.slowest = max(costs.slowest, found.seconds)
        size = len(text) + 200
        if value is not None:
            costs.steps.offer(found.steps / size, text, value)
            costs.seconds.offer(found.seconds / size, text, value)
    costs.memory = peak()
    return costs


def judge(text: str, usual: Ordinary, clock: Clock) -> Effort:
    """The effort of an input, the least of three where it looks like a find: a machine may be busy.

    Raises:
        Broken: it is a find.
    """
    source = decode(text.encode("utf-8", "surrogateescape"), "fuzzed") if text.isprintable() else Source("fuzzed", text)
    for last in (False, False, True):
        found = effort(source, clock)
        try:
            usual.check(found)
            break
        except Broken:
            if last:
                raise
    return found


def work(task: tuple[int, int]) -> Costs:
    """:func:`breed` in a process of its own. The pools stay there."""
    collect_as_the_command()
    costs = breed(*task)
    costs.steps, costs.seconds = Pool(costs.steps.best[:1]), Pool(costs.seconds.best[:1])
    return costs


def run(count: int, seed: int, jobs: int, folder: Path) -> int:
    """Breed so many inputs, in pieces; 1 if one is a find, which is then kept in ``folder``, minimised."""
    pieces = [(seed * 1000 + at // PIECE, min(PIECE, count - at)) for at in range(0, count, PIECE)]
    whole = Costs()
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=1) as pool:
        for costs in pool.imap(work, pieces):
            whole.add(costs)
            for text, message in costs.broken:
                print(f"  broken: {message}\n    {keep(text, message, folder)}", flush=True)
    print(f"cost: {whole.inputs:,} inputs, {whole.compiled:,} of them compiled")
    print(f"  slowest {whole.slowest:.2f} s, most memory {whole.memory:.0f} MiB", flush=True)
    return int(bool(whole.broken))


def keep(text: str, message: str, folder: Path) -> Path:
    """Write a find, without what can be left out of it."""
    usual, clock = ordinary(), Clock()
    kind = message.split()[-1]

    def breaks(data: bytes) -> bool:
        try:
            judge(data.decode("utf-8", "surrogateescape"), usual, clock)
        except Broken as error:
            return kind in str(error)
        return False

    data = text.encode("utf-8", "surrogateescape")
    data = minimise(data, breaks, 60) if kind != "MiB" and breaks(data) else data
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"cost-{hashlib.sha256(data).hexdigest()[:8]}.yaml"
    path.write_bytes(data)
    return path
