"""What repeats: definitions with their arguments give back the plan; and they are those that a person would write."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import pytest
from hypothesis import given

import archspec
from archspec.graph.formulas import Expression, evaluate, names_in, show
from archspec.graph.graph import INPUT, Graph
from archspec.graph.patterns import DefinedPart, Definition, Repeat, Use, definitions, patterns, runs
from archspec.testing import graphs
from tests.support.paths import ROOT
from tests.support.properties import compiled, tries
from tests.support.timing import allowed
from tests.support.unfolding import expected, unfold, without_defaults

ZOO = sorted(path.stem for path in ROOT.glob("specs/*.yaml"))


def proved(graph: Graph) -> None:
    """Every definition with its arguments is exactly what the plan has: calls, arguments, paths, wiring, order."""
    model = patterns(graph)
    found, result = unfold(model)
    assert repr(without_defaults(graph, found)) == repr(expected(graph, found))  # 1 equals 1.0, its text does not
    names = {each.path: node.name for each, node in zip(found, graph.nodes, strict=True)} | {INPUT: INPUT}
    given = {label: names[path] for label, path in result.items()}
    assert list(given.values())[-1:] == list(graph.outputs.values()) if graph.single else given == graph.outputs
    found_in = definitions(model)
    uses = [module.path for each in found_in for module in each.uses]
    assert len(uses) == len(set(uses))
    for each in found_in:
        assert [written_out(part) for run in runs(each) for part in parts_of(run)] == list(map(written_out, each.parts))


def parts_of(run: DefinedPart | Repeat) -> list[DefinedPart]:
    """The parts of a run, with the index in their arguments."""
    if isinstance(run, DefinedPart):
        return [run]
    use = run.part.what
    assert isinstance(use, Use)
    assert len(run.paths) == run.count
    found = []
    for index, path in enumerate(run.paths):
        given = {name: at(value, index) for name, value in use.arguments.items()}
        found.append(replace(run.part, path=path, what=replace(use, arguments=given)))
    return found


def at(value: Expression, index: int) -> Expression:
    """An argument of a run at an index; its other names stay."""
    return evaluate(value, {"i": index}) if names_in(value) == {"i"} else value


def written_out(part: DefinedPart) -> tuple[str, str, str]:
    """A part as text, without what it reads, which is the part before it in a run."""
    arguments = part.what.arguments if isinstance(part.what, Use) else {}
    given = ", ".join([f"{name}={show(value)}" for name, value in arguments.items()])
    return part.path, label(part), given


@pytest.mark.parametrize("name", ZOO)
def test_definitions_give_back_the_plan(name: str) -> None:
    proved(archspec.compile(name))


@tries(60)
@given(graphs())
def test_definitions_give_back_the_plan_of_any_network(graph: Graph) -> None:
    proved(graph)


def test_padding_by_side_in_a_branch() -> None:
    """The call of a convolution that pads before it convolves has its arguments in another order."""
    padded = "layer: {out: 4, kernel: 3, stride: stride, padding: [[2, 0], 1]}"
    block = f"{{residual: [concat: [[layer: {{out: 4, stride: stride}}], [{padded}]]]}}"
    spec = f"blocks: {{own: {block}}}\nstages: {{block: own, count: 2, channels: 8}}\n"
    proved(archspec.compile(f"archspec: 1\nname: padded\ninput: [3, 9, 8]\nstem: {{use: cifar, width: 8}}\n{spec}"))


def shapes(definition: Definition) -> set[tuple[object, ...]]:
    """What the uses of a definition are without their numbers: parts by path, or by order where they are numbered."""
    numbered = all(part.path.isdecimal() for part in definition.parts)
    found = set()
    for number in range(len(definition.uses)):
        arguments = {each.name: each.values[number] for each in definition.parameters}
        there = [part for part in definition.parts if part.when is None or evaluate(part.when, arguments)]
        found.add((definition.kind, *[label(part) if numbered else (part.path, label(part)) for part in there]))
    return found


def label(part: DefinedPart) -> str:
    if isinstance(part.what, Use):
        return part.what.definition.class_name
    nonlinear = any(node and node.operation.nonlinear for node in part.what.nodes)
    return "activation" if nonlinear else part.what.call.target.removesuffix("_")


def is_class(definition: Definition) -> bool:
    """Whether it is more than the stage table, or than a sequence of one place or one part, which are written there."""
    regions = [module.region for module in definition.uses]
    alone = definition.kind == "sequential" and len(definition.uses) == 1 and not regions[0]
    alone = alone or len(definition.parts) == 1
    return definition.kind != "model" and not alone and not any(each and each.kind == "stage" for each in regions)


@pytest.mark.parametrize("name", ZOO)
def test_no_two_definitions_differ_in_numbers_or_one_part_only(name: str) -> None:
    classes = [each for each in definitions(patterns(archspec.compile(name))) if is_class(each)]
    found = {each.class_name: shapes(each) for each in classes}
    less = {name: {short for shape in several for short in _shorter(shape)} for name, several in found.items()}
    pairs = [(one, other) for one in found for other in found if one != other]
    assert [(one, other) for one, other in pairs if not found[one].isdisjoint(found[other] | less[other])] == []


def _shorter(shape: tuple[object, ...]) -> list[tuple[object, ...]]:
    """A shape without one of its parts."""
    return [shape[:place] + shape[place + 1 :] for place in range(1, len(shape))]


SLICED = """
archspec: 1
name: sliced
input: [3, 8, 8]
classes: 5
blocks:
  own:
    residual:
      - concat:
          - [conv: {out: in_channels // 2}]
          - - conv: {out: in_channels // 2}
            - slice: {stop: 4}
            - pad_channels: {out: in_channels // 2}
      - layer: {out: channels}
stem: {use: imagenet, width: 16}
stages:
  - {block: own, count: 1, channels: 8}
  - {block: own, count: 1, channels: 8}
  - {block: own, count: 1, channels: 8, drop_path: 0.1}
head: []
"""


def test_a_slice_is_a_parameter() -> None:
    """A slice to the last channel has no end, so that its ends differ in kind; and it cannot be hashed."""
    proved(compiled(SLICED))


TEN_THOUSAND = """
archspec: 1
name: large
input: [3, 32, 32]
classes: 10
stem: cifar
stages: {block: basic, count: [3000, 4000, 3000], channels: [16, 32, 64], stride: [1, 2, 2]}
head: classifier
"""


@pytest.mark.slow
def test_ten_thousand_blocks_are_one_definition() -> None:
    """In time that is linear in the nodes: about 25 microseconds each."""
    graph = compiled(TEN_THOUSAND)
    start = process_time()
    found = definitions(patterns(graph))
    assert process_time() - start < allowed(30)
    assert [len(each.uses) for each in found if each.kind == "block"] == [10_000]


def test_the_deepest_common_network_takes_little_time() -> None:
    graph = archspec.compile("resnet152")
    took = []
    for _ in range(3):
        start = process_time()
        patterns(graph)
        took.append(process_time() - start)
    assert min(took) < allowed(0.06)
