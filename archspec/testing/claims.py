"""What is claimed of a network: by ``expect`` in its spec, and by budgets, which are text such as ``params<=26M``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from archspec.diagnostics import Diagnostic, Source, Span, SpecError, advise, cut
from archspec.graph.graph import Graph
from archspec.language.text.document import Document, Path
from archspec.operations.shapes import Shape
from archspec.testing.figures import REAL, BadExpectation, Expectation, compared, read_figure
from archspec.vocabulary import find
from archspec.wording import Brief, brief

NAMES = {
    "params": "parameters",
    "macs": "MACs",
    "activations": "activations",
    "layers": "layers",
    "skip_paths": "skip paths",
    "receptive_field": "pixels of receptive field",
    "gradient_span": "decades of gradient",
    "effective_receptive_field": "pixels of effective receptive field",
}
"""The figures that a spec can expect, and their names in messages."""


@dataclass(frozen=True, slots=True, repr=False)
class Claim(Brief):
    """One expectation: of which stage (empty: the network), what, which value, and where these are written.

    ``value`` is as a spec has it, or an Expectation already.
    """

    stage: str
    key: str
    value: Any
    span: Span
    key_span: Span
    stage_span: Span
    path: Path = ()

    @property
    def name(self) -> str:
        """What is expected, in a word: ``params``, ``layer1.output``."""
        return ".".join(filter(None, (self.stage, self.key)))


class Compared(NamedTuple):
    """A claim, what was measured (None where it was not), and the fault, if it does not hold."""

    claim: Claim
    measured: int | Fraction | Shape | None
    fault: Diagnostic | None

    def __repr__(self) -> str:
        return brief(self)


def own_claims(graph: Graph) -> Iterator[Claim]:
    """What the spec of a graph claims; nothing if it has no spec."""
    return claims_of(graph.origin.document) if graph.origin else iter(())


def claims_of(document: Document) -> Iterator[Claim]:
    """What a document's ``expect`` claims of the network and of its stages. A key without a value claims nothing."""
    return _claims(document.value.get("expect") or {}, ("expect",), document)


def _claims(expect: Mapping[str, Any], path: Path, document: Document) -> Iterator[Claim]:
    stage = str(path[-1]) if len(path) > 1 else ""
    for key, value in expect.items():
        here = (*path, key)
        if key == "stages":
            for scope, inner in (value or {}).items():
                yield from _claims(inner or {"": None}, (*here, scope), document)
        elif value is not None or not key:
            yield Claim(stage, key, value, document.span(here), document.key_span(here), document.key_span(path), here)


_BUDGET = re.compile(r"\s*(?:(?P<stage>[\w.-]+)\.)?(?P<key>\w+)\s*(?P<sign><=|>=|==|=|<|>)\s*(?P<figure>\S.*?)\s*")


def _budget(source: Source) -> Claim:
    """The claim that a budget makes.

    Raises:
        SpecError: E703, it does not parse.
    """
    text = source.text
    match = _BUDGET.fullmatch(text)
    if match is None:
        message = f"`{cut(text)}` is not a budget; a budget compares a figure of the network with a number"
        help = "compare by `<=`, `<`, `>=`, `>` or `==`, as in `params<=26M`"
        raise SpecError([Diagnostic("E703", message, source.part(), help=help)])
    stage, key, sign, figure = match.groups()
    spans = {name: source.part(*match.span(name)) for name in ("stage", "key", "figure") if match[name]}
    if key not in NAMES:
        message = f"`{cut(key)}` cannot be compared with a number"
        found = advise(key, NAMES, "expectations")
        entry = find(key, "expectations")
        help = f"the figures are {', '.join(f'`{name}`' for name in NAMES)}"
        help = f"{help}; {entry.say}" if entry and entry.say else help
        raise SpecError([Diagnostic("E703", message, spans["key"], found.hint, help=help)])
    try:
        number, half = read_figure(figure, real=key in REAL)
    except BadExpectation as error:
        raise SpecError([Diagnostic("E703", str(error), spans["figure"], help="as in `params<=26M`")]) from None
    if sign in ("=", "=="):
        expectation = Expectation(number - half, number + half, figure)
    else:
        expectation = compared(sign, number, figure)
    return Claim(stage or "", key, expectation, spans["figure"], spans["key"], spans.get("stage", spans["key"]))


def claims_of_budgets(budgets: Iterable[str | Source]) -> tuple[list[Claim], list[Compared]]:
    """What budgets claim, and those that are faulty."""
    claims: list[Claim] = []
    faulty: list[Compared] = []
    for budget in budgets:
        source = budget if isinstance(budget, Source) else Source("budgets", budget, "budget")
        try:
            claims.append(_budget(source))
        except SpecError as error:
            span = source.part()
            faulty += [Compared(Claim("", "", None, span, span, span), None, fault) for fault in error.diagnostics]
    return claims, faulty
