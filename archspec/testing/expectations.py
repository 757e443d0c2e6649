"""``expect``: the spec's own test, compared with the compiled network."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from archspec.analysis.network import read_network
from archspec.analysis.numbers import shown
from archspec.analysis.parts import Parts
from archspec.analysis.totals import weighted_layers
from archspec.diagnostics import Diagnostic, Source, Span, SpecError, cut, did_you_mean
from archspec.graph.graph import Graph
from archspec.language.source import Path

NAMES = {
    "params": "parameters",
    "macs": "MACs",
    "activations": "activations",
    "layers": "layers",
    "skip_paths": "skip paths",
    "receptive_field": "pixels of receptive field",
}
"""What can be expected of a network as a number, and how it is called."""

BUDGETS = "--expect"
"""The source in which a budget stands."""

UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}


class BadExpectation(ValueError):
    """A value under ``expect`` that is none: its text says what would be."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a measured integer must be: from ``low`` to ``high``, None for no bound; ``strict``: without the bounds.

    ``text`` is how it is written.
    """

    low: Fraction | None
    high: Fraction | None
    text: str
    strict: bool = False

    def holds(self, value: int) -> bool:
        """Whether ``value`` is within the bounds."""
        if self.strict and value in (self.low, self.high):
            return False
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


def read_expectation(value: object) -> Expectation:
    """An expectation as a spec writes it: exact, rounded (``25.6M``), a power (``2^16``), or ``{min: ..., max: ...}``.

    A rounded figure holds for every number that rounds to it: ``25.6M`` from 25.55 to 25.65 million, both included.

    Raises:
        BadExpectation: the value is none of these.
    """
    if isinstance(value, dict):
        given = {key: value[key] for key in ("min", "max") if value.get(key) is not None}
        if not given:
            raise BadExpectation("a bound has `min`, `max` or both")
        bounds = {key: _number(number)[0] for key, number in given.items()}
        words = {"min": "at least", "max": "at most"}
        text = " and ".join(f"{words[key]} {_written(number)}" for key, number in given.items())
        return Expectation(bounds.get("min"), bounds.get("max"), text)
    number, half = _number(value)
    return Expectation(number - half, number + half, _written(value))


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


_FIGURE = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,12}))?\s*([kKMGBT]?)", re.ASCII)
_POWER = re.compile(r"2\^([0-9]{1,6})", re.ASCII)


def _number(value: object) -> tuple[Fraction, Fraction]:
    """A figure, and half of the last place in which it is written; zero for an exact one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value), Fraction(0)
    text = str(value).replace("_", "").replace(",", "")
    if power := _POWER.fullmatch(text):
        return Fraction(2 ** int(power[1])), Fraction(0)
    if isinstance(value, float) and value.is_integer():
        return Fraction(int(value)), Fraction(0)
    figure = _FIGURE.fullmatch(text)
    if figure is None or (figure[2] and not figure[3]):
        told = "a whole number, a rounded figure like `25.6M`, or a power like `2^16`"
        raise BadExpectation(f"`{cut(value)}` is no figure, which is {told}")
    unit = UNITS[figure[3]]
    places = len(figure[2] or "")
    number = Fraction(int(figure[1] + (figure[2] or "")), 10**places) * unit
    return number, Fraction(unit, 10**places * 2) if unit > 1 else Fraction(0)


def check_expectations(graph: Graph, budgets: Iterable[str] = ()) -> list[Diagnostic]:
    """A diagnostic for each expectation that does not hold, that cannot be measured, or that is none.

    Args:
        graph: the network; its spec's ``expect`` is compared.
        budgets: more expectations, each as text: ``params<=26M``, ``layer1.macs<1G``.

    Codes: E701 for one that fails, E702 for one that cannot be measured, E703, E201 and E310 for faulty ones.
    """
    document = graph.spec.document
    expect = document.value.get("expect") or {}
    measures = _Measures(graph)
    claims = list(_claims(expect, ("expect",), document.span, document.key_span))
    for text in budgets:
        try:
            claims.append(_budget(text))
        except SpecError as error:
            measures.faults.extend(error.diagnostics)
    return [*measures.faults, *(found for claim in claims if (found := measures.compare(claim)))]


@dataclass(frozen=True, slots=True)
class _Claim:
    """One expectation: of which stage (empty: the network), what, which value, and where these are written.

    ``value`` is as a spec has it, or an Expectation already.
    """

    stage: str
    key: str
    value: Any
    span: Span
    key_span: Span
    stage_span: Span


def _claims(
    expect: Mapping[str, Any], path: Path, span: Callable[[Path], Span], key_span: Callable[[Path], Span]
) -> Iterator[_Claim]:
    """What ``expect`` claims of the network and of its stages."""
    stage = str(path[-1]) if len(path) > 1 else ""
    for key, value in expect.items():
        here = (*path, key)
        if key == "stages":
            for scope, inner in (value or {}).items():
                yield from _claims(inner or {"": None}, (*here, scope), span, key_span)
        elif value is not None or not key:
            yield _Claim(stage, key, value, span(here), key_span(here), key_span(path))


_BUDGET = re.compile(r"\s*(?:(?P<stage>[\w.-]+)\.)?(?P<key>\w+)\s*(?P<sign><=|>=|==|=|<|>)\s*(?P<figure>\S.*?)\s*")


def _budget(text: str) -> _Claim:
    """A budget as it stands on a command line.

    Raises:
        SpecError: E703, it does not parse.
    """
    source = Source(BUDGETS, text)
    match = _BUDGET.fullmatch(text)
    if match is None:
        message = f"`{cut(text)}` is no budget, which compares a figure of the network with a number"
        help = "compare by `<=`, `<`, `>=`, `>` or `==`, as in `params<=26M`"
        raise SpecError([Diagnostic("E703", message, _part(source, 0, len(text)), help=help)])
    stage, key, sign, figure = match.groups()
    spans = {name: _part(source, *match.span(name)) for name in ("stage", "key", "figure") if match[name]}
    if key not in NAMES:
        message = f"`{cut(key)}` cannot be compared with a number"
        help = f"what can be is {', '.join(f'`{name}`' for name in NAMES)}"
        if key.lower() == "flops":
            help = f"{help}; FLOPs are twice the MACs"
        raise SpecError([Diagnostic("E703", message, spans["key"], did_you_mean(key, NAMES), help=help)])
    try:
        number, half = _number(figure)
    except BadExpectation as error:
        raise SpecError([Diagnostic("E703", str(error), spans["figure"], help="as in `params<=26M`")]) from None
    expectation = {
        "<=": Expectation(None, number, f"at most {figure}"),
        ">=": Expectation(number, None, f"at least {figure}"),
        "<": Expectation(None, number, f"less than {figure}", strict=True),
        ">": Expectation(number, None, f"more than {figure}", strict=True),
    }.get(sign, Expectation(number - half, number + half, figure))
    return _Claim(stage or "", key, expectation, spans["figure"], spans["key"], spans.get("stage", spans["key"]))


def _part(source: Source, first: int, last: int) -> Span:
    """Characters of a text in one line, from ``first`` up to, and without, ``last``."""
    return Span(source, 1, first + 1, 1, last + 1)


class _Measures:
    """Measures what is expected, each thing when it is first asked for."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.faults: list[Diagnostic] = []
        self.network = read_network(graph)
        self.parts = Parts(self.network, [True] * len(graph.nodes))
        self.stages = {stage.name: stage for stage in self.parts.stages()}
        self.output = list(self.network.outputs.values())[-1]
        self.refused: set[Span] = set()

    def compare(self, claim: _Claim) -> Diagnostic | None:
        """The diagnostic for a claim that does not hold, or that is none."""
        if claim.stage and claim.stage not in self.stages:
            return self._no_stage(claim)
        if not claim.key:
            return None
        if claim.key == "output":
            return self._compare_output(claim)
        try:
            expectation = claim.value if isinstance(claim.value, Expectation) else read_expectation(claim.value)
        except BadExpectation as error:
            return Diagnostic("E703", str(error), claim.span)
        measured = self._measured(claim.stage, claim.key)
        if measured is None:
            return self._unmeasured(claim)
        return None if expectation.holds(measured) else self._failed(claim, measured, expectation)

    def _no_stage(self, claim: _Claim) -> Diagnostic | None:
        """The fault of a stage that is none, once for all that is expected of it."""
        if claim.stage_span in self.refused:
            return None
        self.refused.add(claim.stage_span)
        message = f"{self._network(claim)} has no stage `{cut(claim.stage)}`"
        hint, help = did_you_mean(claim.stage, self.stages), f"the stages are {', '.join(self.stages)}"
        return Diagnostic("E310", message, claim.stage_span, hint, help=help)

    def _network(self, claim: _Claim) -> str:
        """How the network is called: by its name where the place of the claim is not the spec."""
        return f"`{self.graph.spec.name}`" if claim.span.source.name == BUDGETS else "the network"

    def _compare_output(self, claim: _Claim) -> Diagnostic | None:
        output = self.stages[claim.stage].output if claim.stage else self.graph.output
        if tuple(claim.value) == output:
            return None
        where = f" of {claim.stage}" if claim.stage else ""
        return Diagnostic("E701", f"the output{where} is {list(output)}, expected {claim.value}", claim.span)

    def _measured(self, stage: str, key: str) -> int | None:
        """The figure of the network or of one of its stages; None where it cannot be had."""
        part = self.stages[stage].costs if stage else self.parts.costs(0, len(self.graph.nodes))
        if key in ("params", "macs", "activations"):
            value: int | None = getattr(part, key)
            return value
        if stage:
            return None
        if key == "layers":
            return weighted_layers(self.network)
        if key == "skip_paths":
            from archspec.analysis.paths import count_paths  # few specs expect this, and all pay for imports

            return count_paths(self.network, self.output, lengths=False).skip_paths
        from archspec.analysis.receptive_field import receptive_field

        field = receptive_field(self.network, self.output)
        return max((field.size,) if isinstance(field.size, int) else field.size) if field else None

    def _unmeasured(self, claim: _Claim) -> Diagnostic:
        of = f" of the stage `{claim.stage}`" if claim.stage else ""
        message = f"`{claim.key}`{of} cannot be measured, and so does not count as held"
        help = "of a stage, `params`, `macs`, `activations` and `output` can"
        rule = {"macs": "macs", "receptive_field": "reach"}.get(claim.key)
        if rule and (not claim.stage or claim.key == "macs"):
            silent = self.network.without_rule(rule)
            help = f"there is no rule for it in {', '.join(silent)}" if silent else "the network has no map to look at"
        return Diagnostic("E702", message, claim.key_span, help=help)

    def _failed(self, claim: _Claim, found: int, expectation: Expectation) -> Diagnostic:
        where = network = self._network(claim)
        if claim.stage:
            where = f"`{claim.stage}`" if network == "the network" else f"`{claim.stage}` of {network}"
        message = f"{where} has {shown(found)} {NAMES[claim.key]}, expected {expectation.text}"
        over = expectation.high is not None and found >= expectation.high
        bound = (expectation.high if over else expectation.low) or Fraction(0)
        return Diagnostic("E701", message, claim.span, _excess(found, bound))


def _excess(found: int, bound: Fraction) -> str:
    """By how much a figure is beyond a bound: ``5,557,032 too many, 27.8%``."""
    beyond = abs(found - bound)
    if not beyond or beyond >= 10**15:  # as large as that, only counts of paths are, whose powers say it all
        return ""
    amount = f"{shown(math.ceil(beyond))} too {'many' if found > bound else 'few'}"
    share = float(beyond / bound) if bound else 0.0
    return f"{amount}, {share:.1%}" if 0.0005 <= share < 10 else amount
