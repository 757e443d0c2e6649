"""What an engine is: a function of tasks and settings that yields each task's answer as it ends.

Scheduling, retries and other machines are the work of the library behind it. When the iterator is closed, or an
exception passes through it, the engine ends what still runs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from archspec import arguments
from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError
from archspec.wording import Brief, brief

ATTEMPTS = 3
"""How often an engine begins a cell whose process is lost, or whose function raises an error."""

LOST = "its process ended before it did: it was killed, or the machine was lost or out of memory"


class Task(NamedTuple):
    """One cell for an engine: its key, its function and inputs, and the version of archspec that asks."""

    key: str
    work: str
    inputs: Mapping[str, Any]
    archspec: str

    def __repr__(self) -> str:
        return brief(self)


class Answer(NamedTuple):
    """What came of a task: see :class:`archspec.lab.cells.CellOutcome`."""

    result: Mapping[str, Any] | None
    failure: str | None
    final: bool
    where: str
    seconds: float

    def __repr__(self) -> str:
        return brief(self)


class Done(NamedTuple):
    """The end of a task, and how often it was begun."""

    key: str
    answer: Answer
    attempts: int

    def __repr__(self) -> str:
        return brief(self)


class CellFailed(Exception):
    """A cell function raised an error. The text says which; the engine may try again."""


@dataclass(frozen=True, slots=True, repr=False)
class EngineSettings(Brief):
    """How many tasks run at a time, the address of a cluster, and a folder for the engine's own files.

    Without ``jobs``, as many run as the engine has room for.
    """

    jobs: int | None
    address: str | None
    folder: Path


Run = Callable[[Sequence[Task], EngineSettings], Generator[Done, None, None]]


@dataclass(frozen=True, slots=True, repr=False)
class Engine(Brief):
    """An engine: its name, what it is, the qualified name of its function, and what to install for it.

    ``address`` says what its address is, and is empty if it takes none; ``least`` is the least number of jobs.
    """

    name: str
    summary: str
    function: str
    extra: str = "lab"
    packages: tuple[str, ...] = ()
    address: str = ""
    least: int = 1

    def load(self) -> Run:
        """The function of the engine."""
        module, _, attribute = self.function.partition(":")
        found: Run = getattr(importlib.import_module(module), attribute)
        return found

    def check(self, settings: EngineSettings) -> None:
        """Refuse settings that the engine does not take."""
        if settings.address is not None and not self.address:
            raise no_address(self.name, "takes no address", "leave it out, or choose an engine that takes one")
        if settings.jobs is not None:
            arguments.whole(settings.jobs, "jobs", self.least)


def failed(reason: str) -> Answer:
    """The answer of a task that could not be worked on."""
    return Answer(None, reason, False, "", 0.0)


def no_address(name: str, reason: str, help: str) -> SpecError:
    """The fault of an address that the engine does not take."""
    return SpecError([Diagnostic("E885", f"the engine `{name}` {reason}", help=help)])


def unstarted(name: str, reason: str, help: str) -> EnvironmentFault:
    """The fault of an engine that does not start."""
    return EnvironmentFault(Diagnostic("E884", f"the engine `{name}` does not start: {reason}", help=help))
