"""What is tested of one spec: that it is valid, meets what it expects, and that torch builds and runs it as compiled.

``check`` needs no torch. ``build`` has torch confirm every shape and weight on its meta device, where nothing has
storage; ``run`` initializes the network and runs it.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from archspec import arguments
from archspec.analysis.memory import ITEM_BYTES
from archspec.analysis.parts import sum_up
from archspec.diagnostics import Diagnostic, Source, Span, SpecError
from archspec.door import door
from archspec.graph.graph import Graph
from archspec.import_path import only_installed
from archspec.language.load import load, source_of
from archspec.language.overrides import Overrides
from archspec.language.schema_faults import validate
from archspec.language.spec import Spec
from archspec.language.text.locate import open_spec
from archspec.language.text.reader import read
from archspec.passes.compiling import SpecLike, compile, readable
from archspec.testing.expectations import Measures, claims_of, compare_claims
from archspec.testing.outcome import Case as Case
from archspec.testing.outcome import Outcome as Outcome
from archspec.verification.allowed import refused_reference
from archspec.work import Limits

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


def every_case(name: str) -> bool:
    """Want every case: the default of :func:`check`."""
    return True


@door
def check(
    spec: SpecLike,
    *,
    level: Level = "check",
    overrides: Overrides = (),
    allow_outside: bool = False,
    budgets: Iterable[str | Source] = (),
    limits: Limits | None = None,
    largest: int = LARGEST,
    wanted: Callable[[str], bool] = every_case,
) -> Outcome:
    """Check that a spec compiles and meets what it expects; higher levels also build and run the network with torch.

    Faults of the spec are returned, not raised. Without torch, the cases that need it are left out.

    Args:
        spec: a spec, a compiled graph, or what :func:`load` takes: a path, a zoo name, YAML text.
        level: ``check`` needs no torch; ``build`` compares every shape and weight with torch's, without storage for
            them; ``run`` also initializes the network and runs it forward and back.
        overrides: values to set in the spec, as in :func:`load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        budgets: further expectations, such as ``params<=26M`` or ``layer1.macs<1G``.
        limits: how large the network may become.
        largest: the most parameters that a network may have to be run.
        wanted: a function that says whether to test the case of this name; ``valid`` is always tested.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an unknown level, or overrides for a spec that is loaded.

    >>> import archspec
    >>> outcome = archspec.check("resnet50", budgets=["params<=20M"])
    >>> outcome.valid, outcome.totals.costs.params
    (False, 25557032)
    >>> print(outcome.diagnostics[0])
    budgets:1:9: error[E701]: `resnet50` has 25,557,032 parameters, expected at most 20M (5,557,032 too many, 27.8%)
    """
    asked: object = level
    if not isinstance(asked, str) or asked not in LEVELS:
        raise ValueError(f"the levels are {', '.join(LEVELS)}, not {arguments.given(level).removeprefix('the text ')}")
    settings, allow_outside = readable(spec, overrides, allow_outside)
    budgets = arguments.several(budgets, "budgets", "a list of texts such as ['params<=26M']", (str, Source))
    limits = Limits.of(limits)
    largest = arguments.whole(largest, "largest", 0)
    arguments.function(wanted, "wanted", "a function of a case's name")
    begun = time.perf_counter()
    named = source = _named(spec)
    try:
        found = spec
        if not isinstance(spec, Graph | Spec):
            source = source_of(spec)
            found = load(source, overrides=settings, allow_outside=allow_outside, limits=limits)
        graph = compile(found, limits=limits)
    except SpecError as error:
        return refused(named.name, source, error.diagnostics, time.perf_counter() - begun)
    measures, place = Measures(graph), _place(graph)
    valid = Case("valid", place, graph.warnings, time.perf_counter() - begun)
    cases = (valid, *_reference(graph), *_expected(measures, budgets), *_built(graph, place, level, largest, wanted))
    totals = sum_up(measures.network, measures.parts, 1, ITEM_BYTES["float32"])
    return Outcome(named.name, source.name, source.path, cases, graph, totals)


def refused(name: str, source: Source, diagnostics: tuple[Diagnostic, ...], seconds: float = 0.0) -> Outcome:
    """What checking gave of a spec that does not compile, or that cannot even be read."""
    place = next((diagnostic.span for diagnostic in diagnostics if diagnostic.span), None)
    return Outcome(name, source.name, source.path, (Case("valid", place, diagnostics, seconds),))


def _named(spec: SpecLike) -> Source:
    """What is known of a spec's source before it is read."""
    if isinstance(spec, Graph):
        return _named(spec.origin) if spec.origin else Source(spec.name, "")
    if isinstance(spec, Spec):
        return spec.document.source
    if isinstance(spec, Source):
        return spec
    name = arguments.path(spec, "spec")
    return Source("<text>", "", "text") if "\n" in name else Source(name, "")


def _place(graph: Graph) -> Span | None:
    return graph.origin.document.key_span(("name",)) if graph.origin else None


def names_of(spec: str) -> list[tuple[str, int]]:
    """The names of the cases of a spec that need no torch, each with its line, found without compiling it."""
    try:
        document = validate(read(open_spec(spec)))
    except SpecError as error:
        lines = [diagnostic.span.line for diagnostic in error.diagnostics if diagnostic.span]
        return [("valid", next(iter(lines), 1))]
    claims = [(f"expect.{claim.name}", claim.span.line) for claim in claims_of(document)]
    return [("valid", document.key_span(("name",)).line), *claims]


def _reference(graph: Graph) -> Iterator[Case]:
    """A case if the spec names a reference that it may not name; whether it exists is for a verification to find."""
    text = graph.origin.document.value.get("reference") if graph.origin else None
    if graph.origin is None or not isinstance(text, str):
        return
    place = graph.origin.document.span(("reference",))
    if faults := [replace(fault, span=place) for fault in refused_reference(text)]:
        yield Case("reference", place, tuple(faults))


def _expected(measures: Measures, budgets: Iterable[str | Source]) -> Iterator[Case]:
    """A case for each expectation of a spec, and for each budget."""
    for compared in compare_claims(measures, budgets):
        claim, fault = compared.claim, compared.fault
        name = f"expect.{claim.name}" if claim.path else f"budget {claim.name}"
        yield Case(name, claim.span, (fault,) if fault else (), compared=compared if fault else None)


def has_torch() -> bool:
    """Whether torch is installed; it is not imported."""
    try:
        with only_installed():
            return importlib.util.find_spec("torch") is not None
    except ImportError:
        return False


def _built(
    graph: Graph, span: Span | None, level: Level, largest: int, wanted: Callable[[str], bool]
) -> Iterator[Case]:
    """The cases that need torch."""
    names = [name for each in LEVELS[1 : LEVELS.index(level) + 1] for name in CASES[each] if wanted(name)]
    if not names:
        return
    try:
        with only_installed(graph.files):
            from archspec.testing import run  # it imports torch
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


def _timed(step: RunStep, span: Span | None) -> Case:
    begun = time.perf_counter()
    found = tuple(step.faults())
    return Case(step.name, span, found, time.perf_counter() - begun, note=step.note)
