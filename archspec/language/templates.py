"""Names with expressions in braces, and how a step that repeats others uses them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from archspec.diagnostics import Span
from archspec.language.expressions.parser import Expression
from archspec.language.expressions.values import Value
from archspec.wording import Brief
from archspec.work import ENTRIES


@dataclass(frozen=True, repr=False)
class Template(Brief):
    """A name with expressions in braces: ``layer{stage}``."""

    parts: tuple[str | Expression, ...]
    span: Span

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The names that its expressions read."""
        return frozenset().union(*[part.names for part in self.parts if not isinstance(part, str)])

    @functools.cached_property
    def cost(self) -> int:
        """The steps of work that a name takes."""
        return sum([1 + len(part) // ENTRIES if isinstance(part, str) else part.cost for part in self.parts])

    def render(self, values: Mapping[str, Value], scale: Callable[[float], Value]) -> str:
        """The name for one node or scope. Raises ExpressionFault."""
        return "".join([part if isinstance(part, str) else str(part.run(values, scale)) for part in self.parts])


class Repetition(NamedTuple):
    """How a ``repeat`` repeats its steps.

    ``counter`` is the name of the counter, from 0, or empty. ``scope`` names the scope that each repetition opens.
    """

    counter: str = ""
    scope: Template | None = None
