"""Names of a spec that are functions of Python, which written source calls."""

from __future__ import annotations

import ast
import builtins
import contextlib
import keyword
from collections.abc import Iterable, Iterator

import pytest

import archspec
from archspec.diagnostics import SpecError
from archspec.emit.lowlevel import lowlevel_source
from archspec.emit.python import python_source
from archspec.graph.graph import Graph
from tests.emit.test_lowlevel import assert_same_outputs
from tests.support.equivalence import compiled
from tests.support.sources import assert_same_network, executed

BUILTINS = [name for name in dir(builtins) if not keyword.iskeyword(name) and name.isidentifier()]
"""Those that a spec can have as a name; `True` and `None` are keywords."""

DEFINITIONS = """
input: [3, 6, 6]
blocks:
  NAME: {residual: [conv: {out: channels, kernel: 3}, norm, conv: {out: channels}]}
fragments:
  NAME: {steps: [conv: {out: 4}, act]}
stem: [conv: {out: 4, kernel: 3}, NAME]
stages: {block: NAME, count: 2, channels: 4}
head: [NAME, conv: {out: 2}]
"""
PARAMETERS = """
input: [3, 6, 6]
blocks:
  inner:
    params: {NAME: 2, other: 1}
    residual: [conv: {out: NAME, kernel: other}, norm, conv: {out: channels}]
stem: [conv: {out: 4, kernel: 3}]
stages: {block: inner, count: 2, channels: 4, NAME: [[2, 3]], other: [[1, 3]]}
head: [conv: {out: 2}]
"""
VALUES = """
input: [3, 6, 6]
blocks:
  inner:
    residual:
      - add: {NAME: [conv: {out: channels}, act], more: [conv: {out: channels}, act: {type: silu}]}
      - conv: {out: channels, as: NAME}
      - conv: {out: channels}
      - add: {from: [NAME]}
stem: [conv: {out: 4, as: NAME}, conv: {out: 4}, multiply: {from: [NAME]}, upsample: {scale: 2}]
stages: {block: inner, count: 2, channels: 4}
head: [conv: {out: 2, name: a-b}, pool: {output: 1, type: avg}, flatten]
outputs: {NAME: head, stem: stem}
"""
SCOPES = """
input: [3, 6, 6]
stem: [sequence: {name: NAME, steps: [conv: {out: 4}, act]}]
stages: {block: basic, count: 2, channels: 4, name: NAME-1}
head: [conv: {out: 2, name: NAME_1}]
"""


RUN = ("print", "isinstance", "int", "list", "getattr", "range", "sum", "ValueError")
"""Those whose source is run as well: functions that the files call, and one of the others."""


def graphs(text: str, names: Iterable[str]) -> Iterator[Graph]:
    """The network for each name that the language and torch let it have."""
    for name in names:
        with contextlib.suppress(SpecError):
            yield compiled(text.replace("NAME", name))


def bound(source: str) -> set[str]:
    """The names of all functions, classes, arguments and variables of a text, other than attributes and methods."""
    found = set()
    nodes = [*ast.walk(ast.parse(source))]
    inside = {id(each) for node in nodes if isinstance(node, ast.ClassDef) for each in node.body}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and id(node) not in inside:
            found.add(node.name)
    return found


@pytest.mark.parametrize("text", [DEFINITIONS, PARAMETERS, VALUES, SCOPES])
def test_no_name_of_python_is_bound(text: str) -> None:
    found = [*graphs(text, BUILTINS)]
    assert len(found) > len(BUILTINS) - 20, "few names are refused"
    for graph in found:
        for source in (python_source(graph), lowlevel_source(graph)):
            assert not {*BUILTINS} & bound(source), source


@pytest.mark.parametrize("text", [DEFINITIONS, PARAMETERS, VALUES, SCOPES])
def test_every_source_runs(text: str) -> None:
    for graph in graphs(text, RUN):
        assert_same_network(python_source(graph), graph)
        module, model = executed(lowlevel_source(graph)), archspec.build(graph, seed=0)
        assert list(module.new_params(0)) == list(model.state_dict())
        assert_same_outputs(module, graph, model)
