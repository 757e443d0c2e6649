"""What is tested of one spec: that it is valid, holds what it expects, and that torch makes of it what was compiled.

``check`` needs no torch. ``build`` has torch confirm every shape and weight on its meta device, where nothing has
storage; ``run`` initialises the network and runs it.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from archspec.diagnostics import Diagnostic, Source, Span, SpecError
from archspec.graph.graph import Graph, Limits
from archspec.language.load import load
from archspec.language.schema_faults import validate
from archspec.language.spec import Spec
from archspec.language.text.locate import open_spec
from archspec.language.text.reader import read
from archspec.passes import compile_spec
from archspec.testing.expectations import Compared, claims_of, compare_claims, own_claims
from archspec.testing.update import edit_of, replaced

if TYPE_CHECKING:
    from archspec.testing.run import RunStep

Level = Literal["check", "build", "run"]
LEVELS: tuple[Level, ...] = ("check", "build", "run")
"""How far a spec is tested; each level has all of those before it."""

CASES = {"check": ("valid",), "build": ("shapes", "weights"), "run": ("seed", "reload", "pass")}
"""What each level adds, besides expectations."""

LARGEST = 250_000_000
"""Parameters up to which a network is run: one copy of the weights is then 1 GB, and two are held at a time."""

NO_TORCH = "torch is not installed"

SpecLike = Spec | Source | str | os.PathLike[str]


class SpecEdit(NamedTuple):
    """The lines of an expectation as they are written, and with the measured value."""

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was tested.

    ``name`` is ``valid``, an expectation such as ``expect.params``, or one of :data:`CASES`. ``span`` is the place that
    it speaks of, where there is one. ``left_out`` says why it was not tested, ``change`` what would make it pass;
    ``note`` is for the pass, on which batch and input it was.
    """

    name: str
    span: Span | None
    diagnostics: tuple[Diagnostic, ...] = ()
    seconds: float = 0.0
    left_out: str = ""
    change: SpecEdit | None = None
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether it was tested and no fault found; warnings are none."""
        return not self.left_out and not self.failed

    @property
    def failed(self) -> bool:
        return any(diagnostic.severity == "error" for diagnostic in self.diagnostics)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What testing one spec gave. ``file`` is how diagnostics call the spec."""

    file: str
    cases: tuple[Case, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed. What was left out has not failed; :attr:`left_out` has it."""
        return not any(case.failed for case in self.cases)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All that is to be said about the spec, once each."""
        return tuple(dict.fromkeys(diagnostic for case in self.cases for diagnostic in case.diagnostics))

    @property
    def left_out(self) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if case.left_out)

    @property
    def seconds(self) -> float:
        return sum(case.seconds for case in self.cases)


def check(
    spec: SpecLike, *, level: Level = "check", limits: Limits | None = None, largest: int = LARGEST
) -> list[Diagnostic]:
    """Everything that is to be said about a spec, warnings included; empty where all is well.

    Args:
        spec: a spec, or what :func:`archspec.load` takes: a path, a zoo name, YAML text.
        level: how far it is tested; ``build`` and ``run`` need torch.
        limits: how large the network may become.
        largest: parameters up to which it is run.

    Raises:
        ImportError: torch is not installed, and the level needs it.
        ValueError: a level that is none.
    """
    if level not in LEVELS:
        raise ValueError(f"the levels are {', '.join(LEVELS)}, not {level!r}")
    if level != "check" and not has_torch():
        raise ImportError("the levels `build` and `run` need torch: pip install 'archspec-compiler[torch]'")
    return list(examine(spec, level=level, limits=limits, largest=largest).diagnostics)


def examine(
    spec: SpecLike,
    *,
    level: Level = "run",
    overrides: Iterable[str | Source] = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
    largest: int = LARGEST,
    wanted: Callable[[str], bool] = lambda name: True,
) -> Outcome:
    """Test one spec. Nothing that is wrong with it is raised; without torch, what needs it is left out.

    Args:
        spec: a spec, or what :func:`archspec.load` takes.
        level: how far it is tested.
        overrides: what to set in the spec, as for :func:`archspec.load`.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder.
        limits: how large the network may become.
        largest: parameters up to which it is run.
        wanted: whether the case of a name is tested, besides ``valid``.
    """
    begun = time.perf_counter()
    name = spec.name if isinstance(spec, Source) else spec if isinstance(spec, str) and "\n" not in spec else "<spec>"
    try:
        loaded = spec if isinstance(spec, Spec) else load(spec, overrides=overrides, allow_outside=allow_outside)
        name = loaded.document.source.name
        graph = compile_spec(loaded, limits)
    except SpecError as error:
        places = [diagnostic.span for diagnostic in error.diagnostics if diagnostic.span]
        valid = Case("valid", next(iter(places), None), error.diagnostics, time.perf_counter() - begun)
        return Outcome(name, (valid,))
    span = loaded.document.key_span(("name",))
    valid = Case("valid", span, graph.warnings, time.perf_counter() - begun)
    return Outcome(name, (valid, *expected(graph), *_built(graph, span, level, largest, wanted)))


def names_of(spec: str) -> list[tuple[str, int]]:
    """The names of the cases of a spec that need no torch, each with its line, found without compiling it."""
    try:
        document = validate(read(open_spec(spec)))
    except SpecError as error:
        lines = [diagnostic.span.line for diagnostic in error.diagnostics if diagnostic.span]
        return [("valid", next(iter(lines), 1))]
    claims = [(f"expect.{claim.name}", claim.span.line) for claim in claims_of(document)]
    return [("valid", document.key_span(("name",)).line), *claims]


def expected(graph: Graph) -> Iterator[Case]:
    """A case for each expectation of a spec."""
    for compared in compare_claims(graph, own_claims(graph)):
        claim, fault = compared.claim, compared.fault
        name = f"expect.{claim.name}"
        yield Case(name, claim.span, (fault,) if fault else (), change=_change(compared) if fault else None)


def _change(compared: Compared) -> SpecEdit | None:
    """How the lines of an expectation would read with the measured value."""
    edit = edit_of(compared)
    if edit is None:
        return None
    source, first = edit.span.source, edit.span.line - 1
    before = source.text.splitlines()
    after = replaced(source.text, edit).splitlines()
    last = edit.span.end_line
    return SpecEdit(tuple(before[first:last]), tuple(after[first : last + len(after) - len(before)]))


def has_torch() -> bool:
    """Whether torch is installed; it is not imported."""
    try:
        return importlib.util.find_spec("torch") is not None
    except ImportError:
        return False


def _built(graph: Graph, span: Span, level: Level, largest: int, wanted: Callable[[str], bool]) -> Iterator[Case]:
    """The cases that need torch."""
    names = [name for each in LEVELS[1 : LEVELS.index(level) + 1] for name in CASES[each] if wanted(name)]
    if not names:
        return
    try:
        from archspec.testing import run
    except ImportError:
        yield from (Case(name, span, left_out=NO_TORCH) for name in names)
        return
    steps = list(run.on_meta(graph))
    yield from (_timed(step, span) for step in steps if step.name in names)
    names = [name for name in names if name in CASES["run"]]
    if not names:
        return
    more, reason = run.with_storage(graph, largest=largest)
    if reason:
        yield from (Case(name, span, left_out=reason) for name in names)
    for step in more:
        if step.name in names:
            yield _timed(step, span)


def _timed(step: RunStep, span: Span) -> Case:
    begun = time.perf_counter()
    found = tuple(step.faults())
    return Case(step.name, span, found, time.perf_counter() - begun, note=step.note)
