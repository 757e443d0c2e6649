"""Drop rates that grow with the number of the block, written as the spec computes them, such as ``0.2 * 3 / 16``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from archspec.graph.formulas import Expression, Formula
from archspec.graph.graph import Graph
from archspec.operations.traits import Dropping
from archspec.wording import Brief

FEWEST = 4
"""The fewest rates, with zero, that count as a progression."""
MOST_STEPS = 2048
DIGITS = 4
"""The decimals of the largest rate."""


@dataclass(frozen=True, slots=True, repr=False)
class Rates(Brief):
    """Every rate is exactly ``largest * number / steps``, with an integer ``number``."""

    largest: float
    steps: int

    def number(self, value: object) -> int | None:
        """The number of the block with exactly this rate; None for any other value."""
        if type(value) is not float:
            return None
        number = round(value * self.steps / self.largest)
        return number if self.largest * number / self.steps == value else None

    def formula(self, number: Expression) -> Formula:
        """The rate of a number.

        >>> from archspec.graph.formulas import show
        >>> show(Rates(0.2, 16).formula(3))
        '0.2 * 3 / 16'
        """
        return Formula("/", Formula("*", self.largest, number), self.steps)


def rates_of(graph: Graph) -> Rates | None:
    """The formula of the stochastic depth rates of a network; None if they are not multiples of one rate.

    >>> import archspec
    >>> rates_of(archspec.compile("efficientnet_b0"))
    Rates(largest=0.2, steps=16)
    """
    blocks = [region for region in graph.regions if region.kind == "block"]
    inside = [node.operation for block in blocks for node in graph.nodes[block.first : block.last]]
    found = sorted({0.0, *[operation.p for operation in inside if isinstance(operation, Dropping)]})
    if len(found) < FEWEST:
        return None
    step = min([after - before for before, after in pairwise(found)])
    for steps in (len(blocks), len(blocks) - 1, *range(1, MOST_STEPS)):
        largest = round(step * steps, DIGITS)
        if steps > 0 and 0 < largest <= 1 and None not in map(Rates(largest, steps).number, found):
            return Rates(largest, steps)
    return None
