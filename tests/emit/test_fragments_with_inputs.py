"""Fragments that read several values, as classes and functions of several values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import archspec
from archspec.emit.graph_json import to_json
from archspec.emit.lowlevel import lowlevel_source
from archspec.emit.python import python_source
from archspec.graph.nesting import nest
from archspec.graph.patterns import definitions, patterns
from tests.emit.test_python import assert_clean
from tests.networks.test_networks_of_named_values import U_NET
from tests.support.equivalence import compiled
from tests.support.returned import returned
from tests.support.sources import assert_same_keys, assert_same_network, executed
from tests.support.unfolding import expected, unfold, without_defaults

PYRAMID = """
    input: [3, 32, 48]
    fragments:
      join:
        inputs: [lateral]
        params: {out: null}
        steps:
          - upsample: {like: lateral, as: larger}
          - conv: {out: out, from: lateral}
          - add: [[], [from: larger]]
          - layer: {out: out, kernel: 3}
    stem:
      - layer: {out: 6, kernel: 3, stride: 2, as: c1}
      - layer: {out: 10, kernel: 3, stride: 2, as: c2}
      - layer: {out: 12, kernel: 3, stride: 2, as: c3}
      - layer: {out: 8, kernel: 3, stride: 2}
    stages: []
    head:
      - join: {out: 8, lateral: c3, as: p3}
      - join: {out: 8, lateral: c2, as: p2}
      - join: {out: 8, lateral: c1, as: p1}
    outputs: [p1, p2, p3]
"""


def network(steps: str, call: str) -> str:
    """Two calls of a fragment with inputs ``a`` and ``b``, of which the second reads what the first gives."""
    return f"""
input: [4, 8, 8]
fragments:
  inner: {{inputs: [skip], steps: [conv: {{out: 4}}, add: [[], [from: skip]]]}}
  mix: {{inputs: [a, b], steps: [{steps}]}}
stem: [conv: {{out: 4, kernel: 3, as: first}}, conv: {{out: 4, as: second}}, conv: {{out: 4, as: third}}]
stages: []
silence: [W310, W311]
head: [{call}, mix: {{a: first, b: third}}]
"""


MIXES = {
    "two": "conv: {out: 4}, add: [[], [from: a], [from: b]]",
    "in place": "act, conv: {out: 4}, add: [[from: a], [], [from: b]], act",
    "other order": "conv: {out: 4, from: b, as: y}, conv: {out: 4, from: a}, add: {from: [y, a]}",
    "without what reaches it": "from: b, conv: {out: 4}, add: [[], [from: a]]",
    "one of two": "conv: {out: 4}, subtract: [[from: b], []]",
    "nested": "inner: {skip: a}, act, inner: {skip: b}",
    "passed on": "as: y, conv: {out: 4}, inner: {skip: y}, multiply: [[], [from: a], [from: b]]",
    "only a merge": "concat: [[], [from: a], [from: b]], conv: {out: 4}",
    "repeated": "repeat: {times: 2, steps: [conv: {out: 4}, add: [[], [from: a], [from: b]]]}",
    "sizes": "pool: {type: max, kernel: 2}, upsample: {like: a}, maximum: [[], [from: b]]",
}
CALLS = {
    "apart": "mix: {a: second, b: first}",
    "one value twice": "mix: {a: second, b: second}",
    "what reaches it too": "mix: {a: third, b: first}",
    "kept": "mix: {a: second, b: first, as: kept}, conv: {out: 4, kernel: 3}, add: [[], [from: kept]]",
}
ALL = {f"{mix}, {call}": network(MIXES[mix], CALLS[call]) for mix in MIXES for call in CALLS}
NAMES = ("x", "p", "key", "training", "extra", "out", "torch", "self", "stride", "conv1", "int", "print", "i", "y")
ALL |= {
    f"called {name}": network(MIXES["two"], "mix: {a: second, b: first}")
    .replace("inputs: [a, b]", f"inputs: [{name}, b]")
    .replace("from: a]", f"from: {name}]")
    .replace("{a:", f"{{{name}:")
    for name in NAMES
}
ALL["in a block"] = """
input: [4, 16, 16]
fragments:
  join: {inputs: [skip], steps: [conv: {out: in_channels}, add: [[], [from: skip]]]}
blocks:
  own:
    residual: [as: x, layer: {out: channels, kernel: 3, stride: stride, as: y}, conv: {out: width}, join: {skip: y}]
stages: {block: own, count: 3, channels: [4, 8], stride: [1, 2]}
stem: [conv: {out: 4}]
head: classifier
silence: [W310]
"""
ALL["left out in some"] = """
input: [4, 8, 8]
fragments:
  mix:
    inputs: [a, b]
    params: {full: true}
    steps: [conv: {out: 4}, add: {from: [a, b], when: full}, add: {when: not full, one: [], other: [from: a]}]
stem: [conv: {out: 4, as: first}, conv: {out: 4, as: second}, conv: {out: 4}]
stages: []
head: [mix: {a: first, b: second}, mix: {a: first, b: second, full: false}, mix: {a: second, b: first}]
silence: [W310, W311]
"""
ALL |= {"u-net": U_NET, "pyramid": PYRAMID}


@pytest.mark.parametrize("name", ALL)
def test_source_computes_what_build_does(name: str) -> None:
    graph = compiled(ALL[name])
    model = patterns(graph)
    found, outputs = unfold(model)
    assert without_defaults(graph, found) == without_defaults(graph, expected(graph, found))
    assert len(outputs) == len(graph.outputs)
    readable = python_source(graph)
    assert_same_keys(readable, graph)
    assert_same_network(readable, graph)
    built = archspec.build(graph, seed=0).double()
    x = torch.randn(2, *graph.input, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    forward = executed(lowlevel_source(graph)).forward
    for training in (False, True):
        state = {key: value.clone() for key, value in built.state_dict().items()}
        with torch.no_grad():
            wanted = built.train(training)(x.clone())
            ours = forward(x.clone(), state, training)
        for one, other in zip(returned(wanted), returned(ours), strict=True):
            torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["u-net", "pyramid", "in a block", "nested, apart", "called torch"])
def test_a_fragment_of_several_values_has_a_forward(name: str, tmp_path: Path) -> None:
    graph = compiled(ALL[name])
    text = python_source(graph)
    assert "nn.Module()" not in text
    assert any(len(each.inputs) > 1 for each in definitions(patterns(graph)))
    (tmp_path / "net.py").write_text(archspec.source(graph, width=88), encoding="utf-8")
    assert_clean(tmp_path, 88)


def test_the_source_of_a_u_net_has_its_names() -> None:
    text = python_source(compiled(U_NET))
    assert "def forward(self, x: Tensor, skip: Tensor) -> Tensor:" in text
    assert re.findall(r"x = self\.up\d\(x, (c\d)\)", text) == ["c4", "c3", "c2", "c1"]


def test_what_a_fragment_reads_besides_gives_its_width_a_name() -> None:
    """In a feature pyramid, each lateral convolution reads another width."""
    text = python_source(compiled(PYRAMID))
    assert re.search(r"nn\.Conv2d\(lateral_channels, ", text)
    assert "def forward(self, x: Tensor, lateral: Tensor) -> Tensor:" in text


def test_a_module_of_torch_reads_one_value_as_before() -> None:
    """What `build` makes does not change: such a fragment is written out in the module around it."""
    assert all(len(module.inputs) == 1 for module in nest(compiled(U_NET)).modules())


@pytest.mark.parametrize("name", ["u-net", "pyramid", "in a block"])
def test_json_keeps_what_a_fragment_reads(name: str) -> None:
    graph = compiled(ALL[name])
    again = archspec.graph_from_json(to_json(graph))
    assert again == graph
    assert python_source(again) == python_source(graph)


def test_a_fragment_whose_own_value_and_input_nothing_reads() -> None:
    """What leads only to them is left out; the fragment is still one region, also in the graph as JSON."""
    graph = compiled("""
input: [3, 8, 8]
fragments:
  last:
    inputs: [a, b]
    steps: [conv: {out: 8, from: b}, norm]
stem: [conv: {out: 4}, conv: {out: 5, as: other}, conv: {out: 6, as: read}]
stages: []
head: [conv: {out: 7}, last: {a: other, b: read}]
silence: [W310, W311]
""")
    assert [node.name for node in graph.nodes] == ["conv1", "conv2", "conv3", "last.conv1", "last.bn1"]
    again = archspec.graph_from_json(to_json(graph))
    assert to_json(again) == to_json(graph)
    assert_same_network(archspec.source(again), graph)
