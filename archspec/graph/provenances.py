"""Where the nodes of one network were written, found once for all nodes of a step in the same place."""

from __future__ import annotations

from dataclasses import dataclass, field

from archspec.graph.environment import Environment
from archspec.graph.kept import NOTHING_KEPT
from archspec.graph.provenance import Provenance
from archspec.language.spec import Block, Step


@dataclass(slots=True)
class Provenances:
    """The provenances of one network, by the identities of the place and of what is written there."""

    found: dict[tuple[int, int], Provenance] = field(default_factory=dict)

    def of(self, written: Step | Block, env: Environment) -> Provenance:
        """Where a node was written that a step becomes in an environment, or that a block puts around its steps."""
        key = id(env.place), id(written)
        known = self.found.get(key)
        if known is None:
            known = self.found[key] = env.provenance(written)
        return known

    def forget(self) -> None:
        """Let go of the values that steps keep, which are nodes: without circles, Python frees a graph at once."""
        for each in self.found.values():
            env = each.env
            while env:
                env.kept = NOTHING_KEPT
                env = env.outer
