"""The pytest plugin: every expectation of every spec is a test, reported at its line of YAML.

Off unless ``--archspec FOLDER`` or the ini key ``archspec`` names folders or files. It is outside the package, and
imports the package only when it is used, so that a suite without specs starts fast.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from archspec.diagnostics import Diagnostic
    from archspec.testing.harness import Case, Outcome

SUFFIXES = (".yaml", ".yml")
LEVELS = ("check", "build", "run")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("archspec", "specs of archspec")
    group.addoption(
        "--archspec",
        action="append",
        default=[],
        metavar="PATH",
        help="Test the specs of a folder, such as `--archspec specs`. You can repeat this option.",
    )
    group.addoption(
        "--archspec-level",
        choices=LEVELS,
        help="How far to test each spec: check (its expectations; the default), or build or run, which need torch.",
    )
    parser.addini("archspec", "Folders of specs, or specs, to test.", type="paths", default=[])
    parser.addini("archspec_level", "How far each spec is tested: check, build or run.", default="check")


def pytest_configure(config: pytest.Config) -> None:
    """Add what is named to what pytest collects: the option always, the ini key unless paths are given by hand."""
    asked = [(_absolute(config, name), "--archspec") for name in config.getoption("--archspec")]
    by_key = [(path, f"the key `archspec` in {_inifile(config)}") for path in config.getini("archspec")]
    for path, named_by in (*asked, *by_key):
        _check(path, named_by)
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        asked += by_key
    given = [_absolute(config, argument.partition("::")[0]) for argument in config.args]
    config.args += [str(path) for path, _ in asked if not any(path.is_relative_to(each) for each in given)]


def _inifile(config: pytest.Config) -> str:
    """The file of the ini key, as pytest shows it."""
    return os.path.relpath(config.inipath, config.invocation_params.dir) if config.inipath else "the configuration"


def _check(path: Path, named_by: str) -> None:
    """Refuse a path that has no specs: a suite that tests nothing would pass.

    Raises:
        pytest.UsageError: it does not exist, or has no specs.
    """
    if not path.exists():
        advice = "; it takes folders and files, and no patterns" if {"*", "?", "["} & {*str(path)} else ""
        raise pytest.UsageError(f"{named_by}: there is no `{path}`{advice}")
    from archspec.testing.find import find_yaml, is_spec  # only where specs are asked for

    locked: list[str] = []
    if path.is_dir() and not any(map(is_spec, find_yaml(path, locked))) and not locked:
        raise pytest.UsageError(f"{named_by}: the folder `{path}` has no specs, which end in .yaml or .yml")
    if path.is_file() and not (path.suffix in SUFFIXES and is_spec(path)):
        raise pytest.UsageError(f"{named_by}: `{path}` is not a spec, a .yaml file with `archspec:` at the top")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SpecFile | None:
    folders = [folder for folder in _folders(parent) if file_path.is_relative_to(folder)]
    if file_path.suffix not in SUFFIXES or not folders:
        return None
    from archspec.testing.find import is_spec, leads_outside  # only where there is YAML

    if not is_spec(file_path) or all(folder != file_path and leads_outside(file_path, folder) for folder in folders):
        return None
    shown = _shown(file_path.name)
    if shown == file_path.name:
        return SpecFile.from_parent(parent, path=file_path)
    folder = f"{parent.nodeid}/" if parent.nodeid not in ("", ".") else ""
    return SpecFile.from_parent(parent, path=file_path, nodeid=folder + shown)


def _shown(name: str) -> str:
    """A file's name as pytest may print it: it commands neither a terminal nor a workflow."""
    from archspec_cli.inert import inert  # type: ignore[import-not-found]  # in the folder `cli`; only where there is a spec

    return "\\u000a".join(inert(part) for part in name.split("\n"))


def _folders(node: pytest.Collector) -> list[Path]:
    named = (*node.config.getoption("--archspec"), *node.config.getini("archspec"))
    return [_absolute(node.config, path) for path in named]


def _absolute(config: pytest.Config, path: str | Path) -> Path:
    return Path(os.path.normpath(Path(config.invocation_params.dir, path)))


class SpecFile(pytest.File):
    """A spec. Its text is read to find its expectations, and the network compiled when the first of them is tested."""

    tested: Outcome | None = None

    def collect(self) -> Iterator[SpecItem]:
        from archspec.testing.harness import CASES, LEVELS, names_of  # only where there is a spec

        level = self.config.getoption("--archspec-level") or self.config.getini("archspec_level")
        if level not in LEVELS:
            raise pytest.UsageError(f"archspec_level: the levels are {', '.join(LEVELS)}, not {level!r}")
        added = [(name, 1) for each in LEVELS[1 : LEVELS.index(level) + 1] for name in CASES[each]]
        for name, line in (*names_of(str(self.path)), *added):
            yield SpecItem.from_parent(self, name=name, line=line)

    def case(self, name: str) -> Case | None:
        """What testing the spec gave of one name; the level is as high as one that is chosen needs.

        None where the spec is refused, and that is said elsewhere.
        """
        from archspec.testing.harness import CASES, LEVELS, check  # only where a spec is tested

        chosen = {item.name for item in self.session.items if item.parent is self}
        if self.tested is None:
            level = next(each for each in reversed(LEVELS) if each == LEVELS[0] or chosen & {*CASES[each]})
            shown = os.path.relpath(self.path, self.config.invocation_params.dir)
            self.tested = check(shown, level=level, wanted=lambda name: name in chosen)
        found = {case.name: case for case in self.tested.cases}
        return found.get(name) or (None if "valid" in chosen else found["valid"])


class SpecItem(pytest.Item):
    """One thing that is tested of a spec."""

    def __init__(self, *, line: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.line = line

    def runtest(self) -> None:
        assert isinstance(self.parent, SpecFile)
        case = self.parent.case(self.name)
        if case is None or case.left_out:
            reason = case.left_out if case else "the spec is not valid"
            raise pytest.skip.Exception(reason, _use_item_location=True)
        if case.failed:
            raise Failed(case.diagnostics)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.line - 1, f"{_shown(self.path.name)}: {self.name}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if not isinstance(excinfo.value, Failed):
            return super().repr_failure(excinfo, style)
        from _pytest._code import code  # only for a failure: what pytest can send to another process

        from archspec_cli.inert import inert  # likewise
        from archspec_cli.render import Terminal, render  # type: ignore[import-not-found]  # in the folder `cli`; likewise

        found = excinfo.value.diagnostics
        text = inert("\n\n".join(render(each, Terminal()) for each in found))
        first = next(each for each in found if each.severity == "error")
        # The summary shows this beside the name of the test, which has the file.
        told = inert(f"{first.code}: {first.message}{f' ({first.hint})' if first.hint else ''}")
        entries = code.ReprTraceback([code.ReprEntryNative([f"{text}\n"])], None, "native")
        return code.ReprExceptionInfo(entries, code.ReprFileLocation(str(self.path), self.line, told))


class Failed(Exception):
    """A spec is at fault: what pytest shows of it is the diagnostics, and no traceback."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("\n".join(map(str, diagnostics)))
        self.diagnostics = diagnostics
