"""The state dict that the analyses speak of is the built model's: keys, order, shapes and dtypes."""

from __future__ import annotations

import copy
import pickle
import textwrap
from collections.abc import Mapping
from functools import partial

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor, nn

import archspec
from archspec.diagnostics import Source
from archspec.emit.python import python_source
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.language.text.yaml_writer import write
from archspec.operations.base import Buffer
from archspec.strategies.specs import SpecText, specs
from tests.support.equivalence import assert_network, compiled
from tests.support.properties import tries
from tests.support.sources import executed, network_class

# A parameter that stands in a scope itself, scopes that are opened again, a projection that comes first.
FAMILIES = (
    *("resnet18", "preact_resnet50", "convnext_tiny", "densenet121", "regnet_y_400mf", "mobilenet_v3_small"),
    *("inception_v3", "shufflenet_v2_x0_5", "efficientnet_b0", "r2plus1d_18", "vgg11_bn"),
)


def assert_same_keys(graph: Graph) -> None:
    """The analyses, the nested model, the flat one, copies of both, and the source have one state dict."""
    told = [
        (key, tensor.shape, isinstance(tensor, Buffer) and tensor.dtype == "int64")
        for key, tensor in state(graph).items()
    ]
    for flat in (False, True):
        model = archspec.build(graph, device="meta", flat=flat)
        for each in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            for training in (True, False):
                assert told == _keys(each.train(training).state_dict())
    with torch.device("meta"):
        assert told == _keys(network_class(executed(python_source(graph)))().state_dict())


def _keys(tensors: Mapping[str, Tensor]) -> list[tuple[str, tuple[int, ...], bool]]:
    return [(key, tuple(value.shape), not value.is_floating_point()) for key, value in tensors.items()]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_state_is_that_of_the_built_model(name: str) -> None:
    assert_same_keys(archspec.compile(name))


NAMINGS = ({"layer": "l{n}"}, {"layer": "l{n}", "shortcut": "s.t"}, {"layer": "{n}", "residual": "r", "shortcut": "p"})
BASIC = {"residual": [{"layer": {"out": "channels", "stride": "stride"}}, {"layer": {"out": "channels"}}]}


@given(spec=specs(), order=st.sampled_from(("pre", "act-only-pre", "post")), naming=st.sampled_from(NAMINGS))
@tries(60)
def test_the_order_holds_where_the_shortcut_comes_first(spec: SpecText, order: str, naming: dict[str, str]) -> None:
    document = copy.deepcopy(spec.document)
    blocks = document["blocks"] = {"basic": BASIC, **(document.get("blocks") or {})}
    for block in blocks.values():
        if "residual" in block:
            block["first"] = "shortcut"
    document |= {"activation_order": order, "naming": naming}
    try:
        graph = archspec.compile(Source("drawn.yaml", write(document).text))
    except archspec.SpecError:
        assume(False)
    assert_same_keys(graph)


SCOPES = {
    "a scope of a stage": """
        stem: [layer: {out: 8, kernel: 3}]
        blocks: {q: {residual: [layer: {out: channels}]}}
        stages:
          block: q
          count: 1
          channels: 8
          around:
            - - sequence: {name: b, steps: [act: {type: silu}]}
              - blocks
              - sequence: {name: b, steps: [conv: {out: 8}]}
        head: []
        """,
    "branches of a block": """
        stem: [layer: {out: 8, kernel: 3}]
        blocks:
          q:
            residual:
              - multiply: {b0: [act: {type: silu}], b1: [norm]}
              - add: {b0: [conv: {out: 8}], b1: []}
        stages: {block: q, count: 1, channels: 8, name: layer1}
        head: []
        """,
    "a scope of the head": """
        stem: [conv: {out: 8}]
        stages: {block: basic, count: 1, channels: 8}
        head:
          - sequence: {name: b, steps: [act: {type: silu}]}
          - sequence: {name: a, steps: [layer_scale: {name: weight}, conv: {out: 8}]}
          - sequence: {name: b, steps: [conv: {out: 8}, layer_scale: {name: scale}]}
        """,
}
"""Scopes that begin with an operation without tensors, and are opened again after another scope."""


@pytest.mark.parametrize("outputs", ["head", "[head, layer1.0]", "[head, {training: layer1.0}]"])
@pytest.mark.parametrize("name", list(SCOPES))
def test_a_scope_is_at_the_place_of_its_first_tensor(name: str, outputs: str) -> None:
    text = textwrap.dedent(SCOPES[name])
    assert_same_keys(compiled(f"input: [3, 8, 8]\nclasses: 3\n{text}outputs: {outputs}\n"))


@given(st.data(), specs(), st.sampled_from(("pre", "act-only-pre", "post")), st.sampled_from(NAMINGS))
@tries(40)
def test_the_order_holds_with_outputs_of_training(
    data: st.DataObject, spec: SpecText, order: str, naming: dict[str, str]
) -> None:
    """Of any drawn spec, with what it may be changed to."""
    document = copy.deepcopy(spec.document)
    graph = _changed(document, {"activation_order": order, "naming": naming}) or archspec.compile(spec)
    names = [*dict.fromkeys([*(stage.scope for stage in graph.stages), *(node.name for node in graph.nodes)])]
    label, only = ("head" if "head" in graph.outputs else names[-1]), data.draw(st.sampled_from(names[:-1] or names))
    assert_same_keys(_changed(document, {"returns": "dict", "outputs": [label, {"training": only}]}) or graph)


def _changed(document: dict[str, object], changes: dict[str, object]) -> Graph | None:
    """The network with other values, which the document then has too; None if archspec refuses it."""
    try:
        graph = archspec.compile(Source("drawn.yaml", write(document | changes).text))
    except archspec.SpecError:
        return None
    document |= changes
    return graph


class ShortcutFirst(nn.Module):
    """The layers are scopes, and the projection reads what the first one activates, so it runs between their parts."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        conv = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.l1 = nn.ModuleList([nn.ReLU(), conv(channels, out, stride=stride), nn.BatchNorm2d(out)])
        self.l2 = nn.Sequential(nn.ReLU(), conv(out, out), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        relu, conv, norm = self.l1
        y = relu(x)
        beside = self.downsample(y) if hasattr(self, "downsample") else x
        return beside + self.l2(norm(conv(y)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.layer1 = nn.Sequential(ShortcutFirst(4, 4, 1), ShortcutFirst(4, 4, 1))
        self.layer2 = nn.Sequential(ShortcutFirst(4, 6, 2), ShortcutFirst(6, 6, 1))
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.layer2(self.layer1(self.conv1(x))))
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


def test_a_shortcut_that_runs_inside_the_scope_of_a_layer_comes_first_in_the_state_dict() -> None:
    text = """
        input: [3, 16, 16]
        classes: 5
        stem: [conv: {out: 4, kernel: 3}]
        activation_order: act-only-pre
        naming: {layer: "l{n}"}
        blocks:
          b:
            first: shortcut
            residual:
              - layer: {out: channels, kernel: 3, stride: stride}
              - layer: {out: channels, kernel: 3}
        stages: {block: b, count: 2, channels: [4, 6], stride: [1, 2]}
        """
    assert_network(text, Net())
