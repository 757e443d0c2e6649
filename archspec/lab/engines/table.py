"""The table of engines. An engine is one function in one file, imported when it is asked for; nothing else names it."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator

from archspec import arguments
from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError, cut, nearest, suggest
from archspec.lab.engines.engine import Engine

ENGINES: tuple[Engine, ...] = (
    Engine(
        "local",
        "Processes on this machine, each with one thread.",
        "archspec.lab.engines.local:run",
        packages=("joblib",),
        least=0,
    ),
    Engine(
        "ray",
        "Ray: a cluster on this machine that it starts, or the one at --address.",
        "archspec.lab.engines.ray:run",
        extra="ray",
        packages=("ray",),
        address="HOST:PORT of a Ray cluster, or `auto` for the one on this machine",
    ),
    Engine(
        "slurm",
        "SLURM: an array of jobs, through submitit.",
        "archspec.lab.engines.slurm:run",
        extra="slurm",
        packages=("submitit",),
        address="`local` to try it without SLURM, in processes of this machine",
    ),
)


def engine_named(name: str) -> Engine:
    """The engine of this name.

    Raises:
        SpecError: E883, there is none.

    >>> engine_named("local").summary
    'Processes on this machine, each with one thread.'
    """
    by_name = {engine.name: engine for engine in ENGINES}
    if arguments.text(name, "engine", "the name of an engine") in by_name:
        return by_name[name]
    help = f"the engines are {', '.join(by_name)}"
    raise SpecError(
        [Diagnostic("E883", f"there is no engine `{cut(name)}`", hint=suggest(nearest(name, by_name)), help=help)]
    )


@contextlib.contextmanager
def installed(engine: Engine) -> Iterator[None]:
    """Import what an engine needs.

    Raises:
        EnvironmentFault: E809, a package is missing.
    """
    for package in engine.packages:
        try:
            importlib.import_module(package)
        except (ImportError, OSError) as error:  # OSError: a library of the system that the package loads
            message = f"the engine `{engine.name}` needs {package}, which cannot be imported ({error})"
            help = f"pip install 'archspec-compiler[{engine.extra}]'"
            raise EnvironmentFault(Diagnostic("E809", message, help=help)) from None
    yield
