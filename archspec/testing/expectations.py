"""``expect``: the spec's own test, compared with the compiled network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from archspec.analysis.cost import Costs, StageCosts, summarize
from archspec.diagnostics import Diagnostic, Label, cut, did_you_mean
from archspec.graph.graph import Graph
from archspec.language.source import Document, Path
from archspec.operations.base import Shape

NOT_YET = ("activations", "skip_paths", "receptive_field")
"""Expectations of the language that this version does not measure. They are never counted as held."""

UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}


class BadExpectation(ValueError):
    """A value under ``expect`` that is none: its text says what would be."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a measured integer must be: between ``low`` and ``high``, both inclusive, None for no bound."""

    low: Fraction | None
    high: Fraction | None
    text: str

    def holds(self, value: int) -> bool:
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


def read_expectation(value: object) -> Expectation:
    """An expectation as a spec writes it: exact, rounded (``25.6M``), a power (``2^16``), or ``{min: ..., max: ...}``.

    A rounded figure holds for every number that rounds to it: ``25.6M`` from 25.55 to 25.65 million.

    Raises:
        BadExpectation: the value is none of these.
    """
    if isinstance(value, dict):
        low, high = (None if value.get(key) is None else _number(value[key])[0] for key in ("min", "max"))
        bounds = [f"{word} {value[key]}" for key, word in (("min", "at least"), ("max", "at most")) if key in value]
        if not bounds:
            raise BadExpectation("a bound has `min`, `max` or both")
        return Expectation(low, high, " and ".join(bounds))
    number, half = _number(value)
    shown = f"{value:,}" if isinstance(value, int) else str(value)
    return Expectation(number - half, number + half, shown)


_FIGURE = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,12}))?\s*([kKMGBT]?)", re.ASCII)
_POWER = re.compile(r"2\^([0-9]{1,6})", re.ASCII)


def _number(value: object) -> tuple[Fraction, Fraction]:
    """A figure, and half of the last place in which it is written; zero for an exact one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value), Fraction(0)
    text = str(value).replace("_", "").replace(",", "")
    if power := _POWER.fullmatch(text):
        return Fraction(2 ** int(power[1])), Fraction(0)
    if isinstance(value, float) and value == int(value):
        return Fraction(int(value)), Fraction(0)
    figure = _FIGURE.fullmatch(text)
    if figure is None or (figure[2] and not figure[3]):
        raise BadExpectation(
            "an expectation is a whole number, a rounded figure like `25.6M`, a power like `2^16`, or a bound"
        )
    unit = UNITS[figure[3]]
    places = len(figure[2] or "")
    number = Fraction(int(figure[1] + (figure[2] or "")), 10**places) * unit
    return number, Fraction(unit, 10**places * 2) if unit > 1 else Fraction(0)


def check_expectations(graph: Graph) -> list[Diagnostic]:
    """A diagnostic for each expectation that does not hold, that is not checked yet, or that is none.

    Codes: E701 for one that fails, E702 for one that this version does not measure, E703 and E310 for faulty ones.
    """
    expect = graph.spec.document.value.get("expect")
    if not expect:
        return []
    costs = summarize(graph)
    found = list(_compare(graph.spec.document, ("expect",), expect, costs, graph.output))
    stages = {stage.scope: stage for stage in costs.stages}
    for scope, expected in (expect.get("stages") or {}).items():
        path: Path = ("expect", "stages", scope)
        if scope not in stages:
            message = f"the network has no stage `{cut(scope)}`"
            hint, help = did_you_mean(scope, stages), f"the stages are {', '.join(stages)}"
            found.append(Diagnostic("E310", message, graph.spec.document.key_span(path), hint, help=help))
            continue
        found += _compare(graph.spec.document, path, expected or {}, stages[scope], stages[scope].output)
    return found


def _compare(
    document: Document, path: Path, expect: Mapping[str, Any], costs: Costs | StageCosts, output: Shape
) -> Iterator[Diagnostic]:
    measured: dict[str, Callable[[], int]] = {"params": lambda: costs.params, "macs": lambda: costs.macs}
    if isinstance(costs, Costs):
        measured["layers"] = lambda: costs.layers
    where = f" of {path[-1]}" if len(path) > 1 else ""
    for key, value in expect.items():
        span = document.span((*path, key))
        if value is None or key == "stages":
            continue
        if key == "output":
            if tuple(value) != output:
                message = f"the output{where} is {list(output)}, not {list(value)}"
                yield Diagnostic("E701", message, span)
            continue
        if key not in measured:
            message = f"`{key}`{where} is not checked by this version, and so does not count as held"
            yield Diagnostic("E702", message, document.key_span((*path, key)), help="leave it out for now")
            continue
        try:
            expectation = read_expectation(value)
        except BadExpectation as error:
            yield Diagnostic("E703", str(error), span)
            continue
        found = measured[key]()
        if not expectation.holds(found):
            yield _failed(key, where, found, expectation, Label(span, ""))


def _failed(key: str, where: str, found: int, expectation: Expectation, at: Label) -> Diagnostic:
    name = {"params": "parameters", "macs": "MACs", "layers": "layers"}[key]
    bound = expectation.high if expectation.high is not None and found > expectation.high else expectation.low
    difference = found - int(bound or 0)
    hint = f"{abs(difference):,} too {'many' if difference > 0 else 'few'}"
    message = f"the network{where.replace(' of', ', in')} has {found:,} {name}, not {expectation.text}"
    return Diagnostic("E701", message, at.span, hint)
