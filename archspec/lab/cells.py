"""A grid of cells. A cell calls one function with one set of inputs; an engine runs it, and its result is one file."""

from __future__ import annotations

import contextlib
import hashlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

from archspec import arguments
from archspec.diagnostics import Diagnostic, EnvironmentFault
from archspec.lab.canonical import canonical
from archspec.lab.cell_files import CellFiles, Stored
from archspec.lab.engines.engine import Answer, Done, EngineSettings, Task
from archspec.lab.engines.table import engine_named, installed
from archspec.lab.versions import archspec_version
from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Cell(Brief):
    """One cell of a grid: what to call, and with what.

    Args:
        work: the qualified name of the cell function, ``module:function``. It takes the inputs and returns a mapping.
            Both are plain data: texts, numbers, lists, and mappings whose keys are texts. It reads nothing else, so
            the same inputs always give the same result.
        inputs: all that decides the result: the spec as resolved, the trainer's keys, the seed, the data's fingerprint.
        places: what the function takes beside them that does not decide the result, such as where the data is.
        version: of the cell function. Raise it when the function computes something else.

    Raises:
        TypeError: a part of the inputs is not plain data.
        ValueError: a number is not finite, or ``work`` is not ``module:function``.

    >>> Cell("statistics:mean", {"data": [1, 2]}).key
    '1230ede25c5744f6e1e46af2b4eaad8c'
    """

    work: str
    inputs: Mapping[str, Any]
    version: int = 1
    places: Mapping[str, Any] = field(default_factory=dict, compare=False)
    text: str = field(init=False, repr=False, compare=False)
    key: str = field(init=False, repr=False, compare=False)
    """The name of the cell's file: a hash of all that goes in."""

    def __post_init__(self) -> None:
        module, _, function = arguments.text(self.work, "work", "a qualified name such as 'module:function'").partition(
            ":"
        )
        if not function.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
            raise ValueError(f"`work` takes `module:function`, got {arguments.given(self.work)}")
        arguments.instance(self.inputs, "inputs", Mapping, "a mapping of plain data")
        arguments.instance(self.places, "places", Mapping, "a mapping of plain data")
        arguments.whole(self.version, "version", 0)
        text = canonical({"work": self.work, "inputs": self.inputs, "version": self.version}, "cell")
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "key", hashlib.sha256(text.encode()).hexdigest()[:32])


@dataclass(frozen=True, slots=True, repr=False)
class CellOutcome(Brief):
    """What came of a cell: a ``result``, or a ``failure``, which is the reason in words.

    ``where`` is the machine, ``seconds`` the time that the cell took there, and ``attempts`` how often the engine
    began it. An outcome is ``final`` if it is kept in the folder: a result, or a computation that left the finite
    numbers, which would do so again. Other failures are tried again by the next run.
    """

    cell: Cell
    result: Mapping[str, Any] | None
    failure: str | None = None
    where: str = ""
    seconds: float = 0.0
    attempts: int = 1
    final: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class GridProgress(Brief):
    """How far a grid is: cells ``done`` of ``total``, ``failed`` among them, and the ``seconds`` since it began.

    ``left`` is an estimate of the seconds to go, from the cells that this run worked on; None before the first.
    """

    done: int
    total: int
    failed: int
    seconds: float
    left: float | None


def run_cells(
    cells: Sequence[Cell],
    folder: str | PathLike[str],
    *,
    engine: str = "local",
    jobs: int | None = None,
    address: str | None = None,
    experiment: str | None = None,
    progress: Callable[[GridProgress], None] | None = None,
    remark: Callable[[Diagnostic], None] | None = None,
) -> tuple[CellOutcome, ...]:
    """Work all cells that have no result in a folder yet, and return the outcomes of all, in their order.

    The result of a cell is ``folder/cells/KEY.json``. This process alone writes it, when the engine returns it, on
    whichever machine the cell ran. So a run that ends early, even by SIGKILL, leaves whole files, and the same
    call continues where it stopped, with any engine.

    Args:
        cells: the cells; equal ones are worked on once.
        folder: the folder of the experiment; it is made if its parent exists.
        engine: ``local``, ``ray`` or ``slurm``; see ``archspec.lab.engines.table``.
        jobs: how many cells run at a time; by default one with ``local``, and as many as the cluster has processors for
            with others. 0 works in this process, one after the other, for a debugger.
        address: of the engine's cluster, if it takes one.
        experiment: the name of what the folder belongs to; by default the module of the first cell's function.
        progress: called at the start, and after each cell.
        remark: called with a diagnostic for each file that is set aside (W880), each cell that failed (W881), and each
            that left the finite numbers (W882). By default they are warnings of Python, at the end.

    Raises:
        SpecError: E883, no such engine; E885, an address that it does not take.
        EnvironmentFault: E806, a file cannot be written; E809, a package is missing; E880, another run works in the
            folder; E881, it belongs to another experiment; E882, to another version; E884, the engine does not start.
        TypeError, ValueError: a value that an argument does not take.

    >>> import tempfile
    >>> cells = [Cell("archspec.lab.cells:echo", {"seed": seed}) for seed in range(3)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     outcomes = run_cells(cells, folder, jobs=0)
    >>> [outcome.result for outcome in outcomes]
    [{'seed': 0}, {'seed': 1}, {'seed': 2}]
    """
    cells = arguments.several(cells, "cells", "a list of Cells", Cell)
    place = Path(arguments.path(folder, "folder", "the path of a folder"))
    settings = EngineSettings(jobs, address, place / "engine")
    chosen = engine_named(engine)
    chosen.check(settings)
    if not cells:
        return ()
    said: list[Diagnostic] = []
    try:
        with CellFiles.opened(place, experiment or cells[0].work.partition(":")[0]) as files:
            grid = _Grid(cells, files, remark or said.append, progress or (lambda found: None))
            if waiting := grid.waiting():
                with installed(chosen), contextlib.closing(chosen.load()(waiting, settings)) as done:
                    grid.collect(done)
            return grid.outcomes()
    finally:
        for each in said:
            warnings.warn(str(each), stacklevel=2)


def echo(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """A cell function that returns its inputs, to try an engine with."""
    return inputs


class _Grid:
    """The cells of one run and what is known of them."""

    def __init__(
        self,
        cells: Sequence[Cell],
        files: CellFiles,
        say: Callable[[Diagnostic], None],
        progress: Callable[[GridProgress], None],
    ) -> None:
        self.cells = cells
        self.by_key = {cell.key: cell for cell in cells}
        self.files, self.say, self.progress = files, say, progress
        self.found: dict[str, CellOutcome] = {}
        self.begun = time.monotonic()
        self.stored = 0

    def waiting(self) -> list[Task]:
        """What has no file, after reading those that there are."""
        for key, cell in self.by_key.items():
            if stored := self.files.read(key, cell.text, self.say):
                self.found[key] = _outcome(cell, stored.answer, stored.attempts)
        self.stored = len(self.found)
        self._tell()
        version = archspec_version()
        left = [cell for key, cell in self.by_key.items() if key not in self.found]
        return [Task(cell.key, cell.work, {**cell.inputs, **cell.places}, version) for cell in left]

    def collect(self, done: Iterator[Done]) -> None:
        """Write each cell that the engine ends."""
        for key, answer, attempts in done:
            cell = self.by_key[key]
            if answer.final:
                try:
                    answer = self.files.write(key, cell.text, Stored(answer, attempts)).answer
                except EnvironmentFault as fault:
                    raise self._kept(fault) from None
            self.found[key] = outcome = _outcome(cell, answer, attempts)
            if failed := failure_of(outcome):
                self.say(failed)
            self._tell()

    def outcomes(self) -> tuple[CellOutcome, ...]:
        return tuple([self.found[cell.key] for cell in self.cells])

    def _tell(self) -> None:
        seconds = time.monotonic() - self.begun
        worked, left = len(self.found) - self.stored, len(self.by_key) - len(self.found)
        failed = sum(outcome.failure is not None for outcome in self.found.values())
        estimate = seconds / worked * left if worked else None if left else 0.0
        self.progress(GridProgress(len(self.found), len(self.by_key), failed, seconds, estimate))

    def _kept(self, fault: EnvironmentFault) -> EnvironmentFault:
        kept = sum(outcome.final for outcome in self.found.values())
        help = f"make room, and run the same again: {kept} of {len(self.by_key)} cells are done and kept"
        return EnvironmentFault(replace(fault.diagnostic, help=help))


def _outcome(cell: Cell, answer: Answer, attempts: int) -> CellOutcome:
    return CellOutcome(cell, answer.result, answer.failure, answer.where, answer.seconds, attempts, answer.final)


def failure_of(outcome: CellOutcome) -> Diagnostic | None:
    """W881 for a cell that failed, or W882 for one that left the finite numbers; None for one with a result."""
    if outcome.failure is None:
        return None
    if outcome.final:
        return Diagnostic("W882", f"the cell {outcome.cell.key} has no result: {outcome.failure}")
    tried = f" after {outcome.attempts} attempts" if outcome.attempts > 1 else ""
    where = f" on {outcome.where}" if outcome.where else ""
    message = f"the cell {outcome.cell.key} failed{where}{tried}: {outcome.failure}"
    return Diagnostic("W881", message, help="the other cells are kept; the same command computes this one again")
