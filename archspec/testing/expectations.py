"""``expect``: the spec's own test, compared with the compiled network."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from archspec.analysis.indexed import IndexedGraph, index_graph
from archspec.analysis.parts import Parts, weighted_layers
from archspec.diagnostics import Diagnostic, Label, Source, cut, suggest
from archspec.graph.graph import Graph
from archspec.hints import Hints
from archspec.operations.shapes import Shape
from archspec.testing.claims import NAMES, Claim, Compared, claims_of, claims_of_budgets, own_claims
from archspec.testing.figures import (
    REAL,
    BadExpectation,
    Expectation,
    excess,
    of_signal,
    read_expectation,
    shown_figure,
)
from archspec.wording import first_of, in_code

if TYPE_CHECKING:
    from archspec.analysis.signal import SignalReport

__all__ = [
    "NAMES",
    "BadExpectation",
    "Claim",
    "Compared",
    "Expectation",
    "Measures",
    "check_budgets",
    "check_expectations",
    "claims_of",
    "compare_claims",
    "own_claims",
    "read_expectation",
]


MAX_LABELS = 4
"""The most steps that a diagnostic points to."""

TWICE = Fraction("0.01")
"""How far from twice a figure a claim may be that counts FLOPs, as a share of the figure: they are often rounded."""


def check_expectations(graph: Graph, budgets: Iterable[str | Source] = ()) -> list[Diagnostic]:
    """A diagnostic for each expectation that does not hold, that cannot be measured, or that is faulty.

    Args:
        graph: the network; its spec's ``expect`` is compared.
        budgets: more expectations, each as text: ``params<=26M``, ``layer1.macs<1G``.

    Codes: E701 for one that fails, E702 for one that cannot be measured, E703, E201 and E310 for faulty ones.
    """
    found = (each.fault for each in compare_claims(Measures(graph), budgets) if each.fault)
    return list(dict.fromkeys(found))  # a stage that does not exist is said once, whatever is expected of it


def compare_claims(measures: Measures, budgets: Iterable[str | Source] = ()) -> Iterator[Compared]:
    """What a network's spec expects, and then the budgets, each beside what was measured; faulty budgets come first."""
    claims, faulty = claims_of_budgets(budgets)
    yield from faulty
    yield from map(measures.compare, [*own_claims(measures.graph), *claims])


def check_budgets(graph: Graph, budgets: Iterable[str | Source]) -> list[Diagnostic]:
    """A diagnostic for each budget that does not hold, as :func:`check_expectations`, whatever the spec expects."""
    measures, (claims, faulty) = Measures(graph), claims_of_budgets(budgets)
    return [each.fault for each in [*faulty, *map(measures.compare, claims)] if each.fault]


class Measures:
    """Measures of a network what can be expected of it.

    A stage is all that its scope holds: several may share one, as ``features``.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.stages = dict.fromkeys([region.scope for region in graph.stages])
        self.known: dict[tuple[str, str], int | Fraction | Shape | None] = {}
        self.hints = Hints()

    @functools.cached_property
    def network(self) -> IndexedGraph:
        """The network as the analyses walk it; without an expectation, nothing walks it."""
        return index_graph(self.graph)

    @functools.cached_property
    def parts(self) -> Parts:
        """The parts of the network."""
        return Parts(self.network)

    @property
    def output(self) -> int:
        """The position of the main output."""
        return next(iter(self.network.outputs.values()))

    def compare(self, claim: Claim) -> Compared:
        """A claim beside what was measured, and the diagnostic if it does not hold, or is faulty."""
        if claim.stage and claim.stage not in self.stages:
            return Compared(claim, None, self._no_stage(claim))
        if not claim.key:
            return Compared(claim, None, None)
        what = claim.stage, claim.key
        if what not in self.known:
            self.known[what] = self.measure(*what)
        measured = self.known[what]
        if isinstance(measured, tuple):
            return Compared(claim, measured, self._compare_output(claim, measured))
        try:
            expectation = (
                claim.value
                if isinstance(claim.value, Expectation)
                else read_expectation(claim.value, real=claim.key in REAL)
            )
        except BadExpectation as error:
            return Compared(claim, measured, Diagnostic("E703", str(error), claim.span))
        if measured is None:
            return Compared(claim, None, self._unmeasured(claim))
        holds = expectation.holds(measured)
        return Compared(claim, measured, None if holds else self._failed(claim, measured, expectation))

    def _no_stage(self, claim: Claim) -> Diagnostic:
        message = f"{self._network(claim)} has no stage `{cut(claim.stage)}`"
        hint = suggest(self.hints.nearest(claim.stage, self.stages))
        help = f"the stages are {first_of(self.stages)}"
        return Diagnostic("E310", message, claim.stage_span, hint, help=help)

    def _network(self, claim: Claim) -> str:
        """How the network is called: by its name where the place of the claim is not the spec."""
        return f"`{self.graph.name}`" if claim.span.source.kind == "budget" else "the network"

    def _compare_output(self, claim: Claim, output: Shape) -> Diagnostic | None:
        if tuple(claim.value) == output:
            return None
        where = f" of {claim.stage}" if claim.stage else ""
        message = f"the output{where} is {list(output)}, expected {claim.value}"
        batched = len(claim.value) == len(output) + 1 and tuple(claim.value[1:]) == output
        help = f"an output has no batch: write `output: {list(output)}`" if batched else ""
        return Diagnostic("E701", message, claim.span, help=help)

    def measure(self, stage: str, key: str) -> int | Fraction | Shape | None:
        """The figure of the network or of one of its stages; None where it cannot be had."""
        if key == "output":
            inside = self.network.inside(stage) if stage else []
            return self.graph.nodes[max(inside)].shape if inside else self.graph.output
        part = self.parts.scope(stage) if stage else self.parts.costs(0, len(self.graph.nodes))
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
        if key in REAL:
            return of_signal(self._signal, key)
        from archspec.analysis.receptive_field import receptive_field  # likewise

        field = receptive_field(self.network, self.output)
        return max((field.size,) if isinstance(field.size, int) else field.size) if field else None

    @functools.cached_property
    def _signal(self) -> SignalReport:
        from archspec.analysis.signal import predict  # likewise

        return predict(self.network)

    def _unmeasured(self, claim: Claim) -> Diagnostic:
        of = f" of the stage `{claim.stage}`" if claim.stage else ""
        message = f"`{claim.key}`{of} cannot be measured, so it does not count as met"
        help = "of a stage, `params`, `macs`, `activations` and `output` can"
        silent: tuple[str, ...] = ()
        rule = {"macs": "macs", "receptive_field": "reach"}.get(claim.key)
        if rule and (not claim.stage or claim.key == "macs"):
            silent = self.network.without_rule(rule)
            help = f"archspec has no rule for {in_code(silent)}" if silent else "the network has no feature map"
        if claim.key in REAL and not claim.stage:
            silent = self._signal.unavailable
            help = f"archspec has no rule for {in_code(silent)}" if silent else "the network has no feature map"
        return Diagnostic("E702", message, claim.key_span, help=help, labels=self._labels(silent))

    def _labels(self, silent: tuple[str, ...]) -> tuple[Label, ...]:
        """The steps of the spec that keep a figure from being measured, each operation once."""
        found: dict[str, Label] = {}
        for node in self.graph.nodes:
            name = node.operation.called
            if name in silent and node.span and node.span.source.kind != "library":
                found.setdefault(name, Label(node.span, f"this step is `{name}`"))
        return tuple(found.values())[:MAX_LABELS]

    def _failed(self, claim: Claim, found: int | Fraction, expectation: Expectation) -> Diagnostic:
        where = network = self._network(claim)
        if claim.stage:
            where = f"`{claim.stage}`" if network == "the network" else f"`{claim.stage}` of {network}"
        message = f"{where} has {shown_figure(found)} {NAMES[claim.key]}, expected {expectation.text}"
        over = expectation.high is not None and found >= expectation.high
        bound = (expectation.high if over else expectation.low) or Fraction(0)
        help = ""
        if claim.key == "macs" and expectation.low is not None and expectation.high is not None:
            near = abs((expectation.low + expectation.high) / 2 - 2 * found) <= TWICE * found
            twice = near or expectation.holds(2 * found)
            help = (
                "this is twice the figure: FLOPs count a multiply-add as two operations, MACs as one" if twice else ""
            )
        return Diagnostic("E701", message, claim.span, excess(found, bound), help=help)
