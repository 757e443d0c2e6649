"""What repeats: definitions with their arguments give back the plan; and they are those that a person would write."""

from __future__ import annotations

import pytest
from hypothesis import given

import archspec
from archspec.graph.graph import Graph
from archspec.graph.patterns import definitions, patterns
from archspec.testing import graphs
from tests.support.paths import ROOT
from tests.support.properties import tries
from tests.support.unfolding import expected, unfold, without_defaults

ZOO = sorted(path.stem for path in ROOT.glob("specs/*.yaml"))


def proved(graph: Graph) -> None:
    """Every definition with its arguments is exactly what the plan has: calls, arguments, paths, wiring, order."""
    model = patterns(graph)
    found, result = unfold(model)
    assert repr(without_defaults(graph, found)) == repr(expected(graph, found))  # 1 equals 1.0, its text does not
    assert result == (list(graph.outputs.values())[-1] if graph.single else dict(graph.outputs))
    uses = [module.path for each in definitions(model) for module in each.uses]
    assert len(uses) == len(set(uses))


@pytest.mark.parametrize("name", ZOO)
def test_definitions_give_back_the_plan(name: str) -> None:
    proved(archspec.compile(name))


@tries(60)
@given(graphs())
def test_definitions_give_back_the_plan_of_any_network(graph: Graph) -> None:
    proved(graph)
