"""A merge of which `when` left one branch: every target has it."""

from __future__ import annotations

import pytest
import torch

import archspec
from archspec.emit.graph_json import to_json
from archspec.emit.python import python_source
from archspec.graph.graph import Graph
from tests.emit.test_onnx import compare, pair
from tests.support.equivalence import compiled
from tests.support.sources import assert_same_network

torch.set_num_threads(1)


def one(merge: str, branch: str) -> Graph:
    """A merge whose second branch is left out, between two layers and at the end."""
    step = f"- {merge}: [{branch}, {{when: extra, steps: [conv: {{out: 4}}]}}]"
    return compiled(
        f"params: {{extra: false}}\ninput: [3, 8, 8]\nstem:\n  - conv: {{out: 4}}\n  {step}\n  - conv: {{out: 4}}\n"
        f"  {step}\nstages: []\nhead: []\n"
    )


@pytest.mark.parametrize("branch", ["[]", "[conv: {out: 4}]"])
@pytest.mark.parametrize("merge", ["add", "multiply", "concat"])
def test_the_one_branch_that_is_left(merge: str, branch: str) -> None:
    graph = one(merge, branch)
    text = to_json(graph)
    assert to_json(archspec.graph_from_json(text)) == text
    assert_same_network(python_source(graph), graph)
    model, exported = pair(graph)
    assert compare(model, exported, (1, 3, 8, 8), (3, 3, 8, 8)) < 1e-5
