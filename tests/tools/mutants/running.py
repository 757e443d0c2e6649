"""Tests against a mutant, in a fork of a process that has imported everything but archspec."""

from __future__ import annotations

import ast
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

QUIET = ("-q", "-x", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0", "--tb=no")
LIGHT = "not test_zoo"
"""The whole zoo, network by network, takes long and much memory, and has little that smaller tests do not have."""
MEMORY = 12 * 2**30
"""Bytes of address space for a fork, torch's own included: a mutant that grows fails, and not the machine."""
HEAVY = (
    "torch",
    "torch.fx",
    "numpy",
    "networkx",
    "hypothesis",
    "pytest",
    "yaml",
    "jsonschema",
    "safetensors.torch",
    "rich",
)


def warm() -> None:
    """Import what tests import, but nothing of archspec."""
    for name in HEAVY:
        __import__(name)
    assert not any(name.split(".")[0] == "archspec" for name in sys.modules)


class Replaced(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module from a tree instead of its file."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        exec(compile(self.tree, str(self.path), "exec"), module.__dict__)


def forked(run: Callable[[], int], seconds: float, log: str = os.devnull) -> int:
    """The exit status of ``run`` in a fork, whose output goes to ``log``; -1 where it took longer."""
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
        output = os.open(log, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        status = 70
        try:
            status = run()
        finally:
            os._exit(status)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def tests_pass(module: str, path: Path, tree: ast.Module | None, tests: Sequence[str], seconds: float) -> bool:
    """Whether every test passes with ``tree`` in the place of a module; one that is not done in time fails."""

    def run() -> int:
        import pytest

        if tree is not None:
            sys.meta_path.insert(0, Replaced(module, path, tree))
        return int(pytest.main([*QUIET, *tests], plugins=[Freeing()]))

    return forked(run, seconds) == 0


class Freeing:
    """A plugin of pytest that frees what each test has built; what was imported lasts, and is not looked at."""

    def pytest_collection_finish(self) -> None:
        gc.collect()
        gc.freeze()

    def pytest_runtest_logfinish(self) -> None:
        gc.collect()


class Durations(Freeing):
    """A plugin of pytest that notes how long each test took, and which failed."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.found[report.nodeid] = self.found.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed.add(report.nodeid)


def measured(tests: Sequence[str], out: Path, seconds: float) -> dict[str, Any]:
    """Which tests run which lines of archspec, by file and line, and how many seconds each takes; left in ``out``.

    A test that fails without any mutant says nothing, and is left out.
    """

    def run() -> int:
        import coverage
        import pytest

        durations = Durations()
        options = ["--cov=archspec", "--cov-context=test", "--cov-report=", "-m", "not slow", "-k", LIGHT]
        quiet = [word for word in QUIET if word != "-x"]
        os.environ["COVERAGE_FILE"] = f"{out}.coverage"
        pytest.main([*quiet, *options, *tests], plugins=[durations])
        data = coverage.CoverageData(f"{out}.coverage")
        data.read()
        lines: dict[str, dict[int, list[str]]] = {}
        for name in data.measured_files():
            by_line = data.contexts_by_lineno(name)
            lines[name] = {
                line: sorted({context.split("|")[0] for context in found if context} - durations.failed)
                for line, found in by_line.items()
            }
        left_out = sorted(durations.failed)
        out.write_text(json.dumps({"seconds": durations.found, "lines": lines, "failed": left_out}), encoding="utf-8")
        return 0

    status = forked(run, seconds, f"{out}.log")
    if status != 0:
        raise SystemExit(
            f"the tests cannot be run ({status}): {Path(f'{out}.log').read_text(encoding='utf-8')[-2000:]}"
        )
    return dict(json.loads(out.read_text(encoding="utf-8")))
