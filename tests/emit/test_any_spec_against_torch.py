"""Any spec against torch: shapes, parameters, buffers, multiply-adds, keys, and what a pass gives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.graph.state import state
from archspec.passes.in_eval_mode import in_eval_mode
from archspec.strategies import specs
from archspec.testing.against_torch import compare_shapes, lint
from tests.operations.entries import ENTRIES
from tests.support.properties import compiled, tries
from tests.support.returned import returned

torch.set_num_threads(1)


def results(model: nn.Module, graph: archspec.Graph, device: str) -> list[Tensor]:
    """The values that a model returns for a batch of noise, in the form and with the labels that the graph says."""
    torch.manual_seed(0)
    found = model(torch.randn(2, *graph.input, device=device))
    shown = graph if model.training else in_eval_mode(graph)
    assert isinstance(found, Tensor) == shown.single
    assert isinstance(found, Tensor) or isinstance(found, tuple) == (graph.returns == "tuple")
    assert not isinstance(found, dict) or list(found) == list(shown.outputs)
    return returned(found)


@tries(40)
@given(spec=specs())
def test_inference_agrees_with_torch(spec: str) -> None:
    """On the meta device, node by node; torch's own counter of FLOPs counts twice the multiply-adds."""
    graph = compiled(spec)
    assert compare_shapes(graph) == []
    model = archspec.build(graph, device="meta").eval()
    lint(model)
    with FlopCounterMode(display=False) as counter:
        found = results(model, graph, device="meta")
    report = archspec.analyze(graph, lengths=False)
    shown = in_eval_mode(graph).outputs
    assert [tuple(value.shape[1:]) for value in found] == [report.outputs[label] for label in shown]
    assert report.totals.costs.params == sum(parameter.numel() for parameter in model.parameters())
    ruled = not any(ENTRIES[node.operation.name].unavailable for node in graph.nodes)
    assert report.totals.costs.macs == (counter.get_total_flops() // 4 if ruled else None)


def test_a_merge_of_one_branch_runs_nothing() -> None:
    text = "archspec: 1\nname: t\ninput: [3, 8, 8]\nstem: [conv: {out: 8}, add: [[], {when: false, steps: []}]]\n"
    graph = compiled(f"{text}stages: {{block: basic, count: 1, channels: 8}}\n")
    assert next(node.inputs for node in graph.nodes if node.operation.name == "add") == ("conv1",)
    assert compare_shapes(graph) == []


def by_scope(graph: archspec.Graph) -> list[str]:
    """The keys in the order of the nodes, where each scope is at its first tensor and has its own tensors first."""
    keys: list[str] = []
    for node in graph.nodes:
        inputs = graph.input_shapes(node)
        names = [*node.operation.weights(inputs), *node.operation.buffers(inputs)]
        owner = graph.shared.get(node.name, node.name)
        keys += [f"{owner}.{name}" if name else owner for name in names]
    keys = list(dict.fromkeys(keys))  # those of shared weights once, at their first use
    first: dict[str, int] = {}
    for position, key in enumerate(keys):
        for end in [index for index, character in enumerate(key) if character == "."]:
            first.setdefault(key[:end], position)

    def place(key: str) -> list[tuple[bool, int]]:
        ends = [index for index, character in enumerate(key) if character == "."]
        return [*[(True, first[key[:end]]) for end in ends], (False, keys.index(key))]

    return sorted(keys, key=place)


@tries(40)
@given(spec=specs())
def test_keys_are_torchs_and_unique(spec: str) -> None:
    """The analyser's state dict has the model's keys, each once, in order, with shapes; nested and flat alike."""
    graph = compiled(spec)
    known = state(graph)
    for flat in (False, True):
        model = archspec.build(graph, device="meta", flat=flat)
        tensors = model.state_dict()
        assert {key: tuple(value.shape) for key, value in tensors.items()} == {k: t.shape for k, t in known.items()}
        assert list(tensors) == list(known) == by_scope(graph)
        buffers = {name for name, _ in model.named_buffers()}
        assert buffers == {key for key, tensor in known.items() if not hasattr(tensor, "fan_in")}
    assert len(set(known)) == len(known)
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)


@tries(25)
@given(spec=specs())
def test_a_built_model_runs(spec: str) -> None:
    """Forward and backward, nested as flat, again with the same seed; every tensor of the state dict can be loaded."""
    graph = compiled(spec)
    model, flat = (archspec.build(graph, seed=0, flat=flat) for flat in (False, True))
    flat.load_state_dict(model.state_dict())
    for value in model.state_dict().values():
        assert value.isfinite().all()
    found, other = (results(each, graph, device="cpu") for each in (model, flat))
    for value, again, name in zip(found, other, graph.outputs.values(), strict=True):
        assert tuple(value.shape) == (2, *graph.shape(name))
        torch.testing.assert_close(again, value, rtol=0, atol=0, equal_nan=True)
    trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
    if trained:
        sum(value.sum() for value in found).backward()
    wanted = {name for name, parameter in trained.items() if parameter.grad is None}
    assert not wanted, f"nothing reaches {wanted}"


@pytest.mark.slow
@tries(400)
@given(spec=specs())
def test_inference_agrees_with_torch_over_many(spec: str) -> None:
    graph = compiled(spec)
    assert compare_shapes(graph) == []
