"""What repeats: definitions with their arguments give back the plan; and they are those that a person would write."""

from __future__ import annotations

import pytest
from hypothesis import given

import archspec
from archspec.graph.graph import Graph
from archspec.graph.patterns import Definition, Use, definitions, patterns
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


def shape(definition: Definition) -> tuple[object, ...]:
    """What a definition is without its numbers: its parts by path, or by order where they are numbered."""
    numbered = all(part.path.isdecimal() for part in definition.parts)
    found = []
    for part in definition.parts:
        what = part.what
        if isinstance(what, Use):
            label = what.definition.class_name
        else:
            nonlinear = any(node and node.operation.nonlinear for node in what.nodes)
            label = "activation" if nonlinear else what.call.target.removesuffix("_")
        found.append(label if numbered else (part.path, label))
    return (definition.kind, *found)


def is_class(definition: Definition) -> bool:
    """Whether it is more than the stage table, or than one sequence of the model, which a person writes in place."""
    regions = [module.region for module in definition.uses]
    alone = definition.kind == "sequential" and len(definition.uses) == 1 and not regions[0]
    alone = alone or len(definition.parts) == 1
    return definition.kind != "model" and not alone and not any(each and each.kind == "stage" for each in regions)


@pytest.mark.parametrize("name", ZOO)
def test_no_two_definitions_differ_in_numbers_or_one_part_only(name: str) -> None:
    shapes = {each.class_name: shape(each) for each in definitions(patterns(archspec.compile(name))) if is_class(each)}
    pairs = [(one, other) for one in shapes for other in shapes if one != other]
    near = [pair for pair in pairs if shapes[pair[1]] in _with_one_part_less(shapes[pair[0]])]
    assert near == []


def _with_one_part_less(parts: tuple[object, ...]) -> set[tuple[object, ...]]:
    return {parts, *[parts[:place] + parts[place + 1 :] for place in range(1, len(parts))]}
