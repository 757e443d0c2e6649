"""Outputs that exist in training only: what each mode returns, keys, weights, figures, and torchvision's networks."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch

import archspec
from archspec.emit.graph_json import to_json
from archspec.passes.in_eval_mode import in_eval_mode
from tests.support.sources import assert_same_network, executed, network_class

TEXT = """
archspec: 1
name: two
input: [3, 20, 23]
classes: 5
stem: cifar
stages: {block: basic, count: 2, channels: [8, 16], stride: [1, 2]}
heads:
  side:
    - pool: {type: avg, output: 1, from: layer1.0}
    - flatten
    - dropout: {p: 0.5}
    - linear: {out: 7}
head: classifier
"""
GOOGLENET = "archspec: 1\nname: small\nextends: googlenet\ninput: [3, 75, 75]\nparams: {aux: true}\nexpect: null\n"
FORMS = {
    "alone": "outputs: [head, {training: side}]\nreturns: tuple\n",
    "tuple": "outputs: [layer2, {training: side}, head]\nreturns: tuple\n",
    "dict": "outputs: {out: head, aux: {training: side}}\n",
}


def _shapes(result: Any) -> Any:
    if isinstance(result, torch.Tensor):
        return tuple(result.shape[1:])
    return {k: _shapes(v) for k, v in result.items()} if isinstance(result, dict) else tuple(map(_shapes, result))


RETURNED = {
    "alone": (((5,), (7,)), (5,)),
    "tuple": (((16, 10, 12), (7,), (5,)), ((16, 10, 12), (5,))),
    "dict": ({"out": (5,), "aux": (7,)}, {"out": (5,)}),
}


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
def test_what_each_mode_returns(form: str, flat: bool) -> None:
    graph = archspec.compile(TEXT + FORMS[form])
    model, plain = archspec.build(graph, flat=flat, seed=0), archspec.build(TEXT, seed=0)
    assert list(model.state_dict()) == list(plain.state_dict())
    x = torch.randn(2, 3, 20, 23)
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    model.eval()
    copies += [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for each in (model, *copies):
        assert list(each.state_dict()) == list(plain.state_dict())
        for training in (True, False, True):
            each.train(training).load_state_dict(plain.state_dict())
            torch.manual_seed(3)
            assert _shapes(each(x)) == RETURNED[form][0 if training else 1]
    model.load_state_dict(plain.state_dict())
    with torch.no_grad():
        found, wanted = model.eval()(x), plain.eval()(x)["head"]
    found = {"alone": lambda: found, "tuple": lambda: found[1], "dict": lambda: found["out"]}[form]()
    assert torch.equal(found, wanted)
    exported = torch.export.export(model, (x,)).module()(x)
    assert _shapes(exported) == RETURNED[form][1]


@pytest.mark.parametrize("form", list(FORMS))
def test_sources_json_and_the_harness_follow(form: str) -> None:
    graph = archspec.compile(TEXT + FORMS[form])
    archspec.confirm(graph)
    assert archspec.graph_from_json(to_json(graph)) == graph
    assert_same_network(archspec.source(graph), graph)
    assert graph.fingerprint != archspec.compile(TEXT + FORMS[form].replace("{training: side}", "side")).fingerprint


def _called(network: torch.nn.Module, size: tuple[int, ...], training: bool) -> set[str]:
    """The modules without parts that a network calls."""
    found = set[str]()
    for name, part in network.named_modules():
        if not list(part.children()):
            part.register_forward_hook(lambda *_, name=name: found.add(name))
    network.train(training)(torch.randn(2, *size))
    return found


@pytest.mark.parametrize("text", [*(TEXT + form for form in FORMS.values()), GOOGLENET])
def test_sources_do_not_compute_what_eval_mode_does_not_return(text: str) -> None:
    graph = archspec.compile(text)
    written = network_class(executed(archspec.source(graph)))
    for training in (True, False):
        built, made = archspec.build(graph), written()
        states = {name.rpartition(".")[0] for name in built.state_dict()}
        assert states & _called(built, graph.input, training) == states & _called(made, graph.input, training)


def test_low_level_source_does_not_need_weights_of_what_it_does_not_return() -> None:
    graph = archspec.compile(GOOGLENET)
    forward = executed(archspec.source(graph, level="lowlevel")).forward
    weights = archspec.build(graph).state_dict()
    kept = {key: value for key, value in weights.items() if not key.startswith("aux")}
    x = torch.randn(2, *graph.input)
    assert torch.equal(forward(x, kept), forward(x, weights))
    with pytest.raises(KeyError):
        forward(x, kept, training=True)


def test_costs_are_those_of_inference_and_parameters_those_of_the_state_dict() -> None:
    costs = archspec.analyze(TEXT + FORMS["alone"]).totals.costs
    alone, both = archspec.analyze(TEXT + "outputs: head\n").totals.costs, archspec.analyze(TEXT).totals.costs
    assert (costs.params, costs.macs, costs.activations) == (both.params, alone.macs, alone.activations)
    assert alone.params + 8 * 7 + 7 == both.params


def test_eval_mode_alone_is_the_network_without_the_head() -> None:
    graph = archspec.compile(TEXT + FORMS["alone"])
    assert in_eval_mode(graph).fingerprint == archspec.compile(TEXT + "outputs: head\n").fingerprint
    assert graph.output == (5,)


def test_onnx_is_that_of_eval_mode(tmp_path: Any) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    graph = archspec.compile(TEXT + FORMS["alone"])
    model = archspec.build(graph, seed=0).eval()
    archspec.write(graph, tmp_path / "two.onnx", weights=model.state_dict())
    x = torch.randn(2, 3, 20, 23)
    session = onnxruntime.InferenceSession(tmp_path / "two.onnx")
    (found,) = session.run(None, {"input": x.numpy()})
    assert torch.allclose(torch.from_numpy(found), model(x), atol=1e-4)


AUXILIARY = {"googlenet": (13_004_888, "3x75x64"), "inception_v3": (27_161_264, "3x299x299")}


@pytest.mark.parametrize("name", ["googlenet", pytest.param("inception_v3", marks=pytest.mark.slow)])
def test_torchvisions_auxiliary_heads(name: str) -> None:
    """Keys, graph, and outputs in both modes, which differ: a named tuple in training, and a tensor."""
    params, size = AUXILIARY[name]
    reference = f"torchvision:{name}(aux_logits=True, transform_input=True, init_weights=False)"
    input = tuple(map(int, size.split("x")))
    verdict = archspec.verify(name, reference, overrides=["params.aux=true"], input=input)
    assert verdict.holds("keys", "graph", "outputs")
    assert verdict.outputs
    assert verdict.outputs.eval
    assert verdict.outputs.train
    assert verdict.outputs.eval.largest == verdict.outputs.train.largest == 0
    assert archspec.analyze(name, overrides=["params.aux=true"]).totals.costs.params == params
