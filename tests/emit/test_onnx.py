"""ONNX files against torch: what onnxruntime computes from them, and what a reader finds in them."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.emit.onnx import to_onnx
from archspec.emit.onnx_nodes import Dynamic, needed
from archspec.emit.targets import by_name
from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.base import Operation, arguments
from archspec.operations.discovery import operations
from archspec.operations.shapes import Shape, ShapeFault
from archspec.testing import graphs
from tests.operations.entries import CASES, ENTRIES, Case
from tests.operations.test_contract import applications
from tests.support.equivalence import compiled, scramble
from tests.support.properties import tries
from tests.support.returned import returned

torch.set_num_threads(1)

ONE_INPUT = [name for name, operation in operations().items() if operation.arity == "one"]


def pair(graph: Graph, **how: Any) -> tuple[torch.nn.Module, onnx.ModelProto]:
    """The model in torch, with weights that tell every key apart, and in ONNX."""
    model = archspec.build(graph, seed=0).eval()
    scramble(model)
    tensors = {key: value.numpy() for key, value in model.state_dict().items()}
    return model, to_onnx(graph, tensors, **how)


def compare(model: torch.nn.Module, exported: onnx.ModelProto, *shapes: tuple[int, ...]) -> float:
    """How far the two are apart for inputs of these shapes, relative to torch's largest number."""
    onnx.checker.check_model(exported, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(exported.SerializeToString(), options, ["CPUExecutionProvider"])
    worst = 0.0
    for shape in shapes:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            found = model(x)
        names = [each.name.partition(":")[0] for each in session.get_outputs()]
        results = dict(zip(names, session.run(None, {session.get_inputs()[0].name: x.numpy()}), strict=True))
        assert not isinstance(found, dict) or names == list(found)
        expected = dict(zip(names, returned(found), strict=True))
        for label, value in expected.items():
            assert results[label].shape == tuple(value.shape)
            assert value.isfinite().all()
            apart = (value - torch.from_numpy(results[label])).abs().max()
            worst = max(worst, float(apart / value.abs().max().clamp_min(1e-30)))
    return worst


@pytest.mark.parametrize("name", ONE_INPUT)
@tries(40)
@given(data=st.data())
def test_an_operation_is_what_torch_computes(name: str, data: st.DataObject) -> None:
    operation, inputs = data.draw(applications(name))
    with contextlib.suppress(ShapeFault):
        operation_agrees(operation, inputs[0])


@pytest.mark.parametrize("case", [case for case in CASES if case.operation.arity == "one"], ids=str)
def test_an_operation_of_the_table_is_what_torch_computes(case: Case) -> None:
    operation_agrees(case.operation, case.inputs[0])


def operation_agrees(operation: Operation, shape: Shape) -> None:
    graph = Graph("one", shape, (Node("it", operation, (INPUT,), operation.shape((shape,))),), {"output": "it"})
    if not ENTRIES[operation.name].in_onnx({name: getattr(operation, name) for name in arguments(type(operation))}):
        with pytest.raises(archspec.SpecError, match="E830"):
            pair(graph)
        return
    model, exported = pair(graph)
    # torch refuses a group norm of a batch of 1 with one number in each group.
    assert compare(model, exported, (2, *shape), (3, *shape)) < 1e-5


@tries(40)
@given(graph=graphs())
def test_any_spec_is_what_torch_computes(graph: Graph) -> None:
    model, exported = pair(graph)
    assert compare(model, exported, (1, *graph.input), (3, *graph.input)) < 1e-4


@pytest.mark.parametrize("name", ["resnet20_cifar", "squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small"])
def test_sizes_may_be_free(name: str) -> None:
    graph = archspec.compile(name)
    model, exported = pair(graph, dynamic="size")
    channels, height, width = graph.input
    assert compare(model, exported, (2, channels, height + 17, width + 6), (1, channels, height, width)) < 1e-5


@tries(40)
@given(graph=graphs())
def test_free_sizes_are_refused_or_right(graph: Graph) -> None:
    """Torch runs the model on another size, and gives the same; or the operation that needs the size is named."""
    refused: tuple[archspec.Diagnostic, ...] = ()
    try:
        model, exported = pair(graph, dynamic="size")
    except archspec.SpecError as error:
        refused = error.diagnostics
    if refused:
        assert {fault.code for fault in refused} == {"E830"}
        assert all("depend" in fault.message and fault.span is not None for fault in refused)
        return
    larger = tuple([size + 3 for size in graph.input[1:]])
    assert compare(model, exported, (2, graph.input[0], *larger), (1, *graph.input)) < 1e-4


@pytest.mark.parametrize(
    ("dynamic", "free"), [("none", []), ("batch", ["batch"]), ("size", ["batch", "height", "width"])]
)
def test_free_dimensions_have_names(dynamic: Dynamic, free: list[str]) -> None:
    _, exported = pair(archspec.compile("resnet20_cifar"), dynamic=dynamic)
    dims = exported.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param for dim in dims if dim.dim_param] == free


EVERYTHING = """
    input: [4, 8, 8]
    stem:
      - sequence: {steps: [conv: {out: 4, kernel: 3}, norm, act: {type: gelu}]}
      - layer_scale: {initial: 0.5}
      - norm: {type: layer}
      - norm: {type: group, groups: 2}
      - multiply:
        - []
        - - pool: {type: avg, output: 1}
          - act: {type: hardsigmoid}
      - channel_shuffle: {groups: 2}
      - pool: {type: max, kernel: 3, stride: 2, ceil: true}
      - pool: {type: avg, output: 3}
    stages: []
    head: [flatten, linear: {out: 3}]
"""


OPSETS = next(option for option in by_name()["onnx"].options if option.name == "opset")
assert OPSETS.least is not None
assert OPSETS.most is not None


@pytest.mark.parametrize("opset", range(20, OPSETS.most + 1))
def test_every_later_opset_is_valid(opset: int) -> None:
    graph = compiled(EVERYTHING)
    model, exported = pair(graph, opset=opset)
    onnx.checker.check_model(exported, full_check=True)
    assert exported.opset_import[0].version == opset
    assert compare(model, exported, (1, *graph.input), (3, *graph.input)) < 1e-5


@pytest.mark.parametrize("opset", range(OPSETS.least, 20))
def test_every_earlier_opset_is_valid_without_gelu(opset: int) -> None:
    graph = compiled(EVERYTHING.replace("gelu", "mish"))
    model, exported = pair(graph, opset=opset)
    assert compare(model, exported, (1, *graph.input), (3, *graph.input)) < 1e-5


def test_an_opset_that_the_installed_onnx_lacks_needs_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx.defs, "onnx_opset_version", lambda: 19)
    with pytest.raises(archspec.EnvironmentFault) as raised:
        pair(compiled(EVERYTHING))
    assert raised.value.diagnostic.code == "E809"
    assert "ends at opset 19" in raised.value.diagnostic.message


def test_an_operator_that_an_opset_lacks_is_refused_at_its_line() -> None:
    graph = compiled(EVERYTHING)
    with pytest.raises(archspec.SpecError) as raised:
        pair(graph, opset=18)
    (fault,) = raised.value.diagnostics
    assert fault.code == "E830"
    assert fault.message == "ONNX cannot express `gelu` (`act`): `Gelu` needs opset 20 or later, got 18"
    assert fault.span is not None
    assert fault.span.line == 5


@tries(40)
@given(graph=graphs())
def test_names_and_values_are_those_of_the_state_dict(graph: Graph) -> None:
    model, exported = pair(graph)
    state = model.state_dict()
    found = {each.name: onnx.numpy_helper.to_array(each) for each in exported.graph.initializer}
    weights = {name: value for name, value in found.items() if not name.startswith("constant:")}
    assert weights.keys() == {key for key in state if not key.endswith("num_batches_tracked")}
    assert all(numpy.array_equal(value, state[key].numpy()) for key, value in weights.items())
    names = {node.name.partition(":")[0] for node in exported.graph.node}
    assert names - {"output"} <= graph.by_name.keys()


def test_the_file_says_what_it_is() -> None:
    graph = archspec.compile("resnet20_cifar")
    _, exported = pair(graph)
    properties = {each.key: each.value for each in exported.metadata_props}
    assert exported.producer_name == "archspec"
    assert exported.graph.name == "resnet20_cifar"
    assert exported.doc_string == graph.origin.summary
    assert properties.keys() == {"archspec", "name", "hash"}
    assert properties["hash"] == graph.fingerprint
    assert archspec.compile(properties["archspec"]).fingerprint == graph.fingerprint


NAMES = """
    input: [3, 8, 8]
    stem:
      - conv: {out: 4, name: output}
      - layer_scale: {name: value}
    stages: {block: basic, count: 2, channels: 4}
"""


@pytest.mark.parametrize(
    "outputs",
    [
        "",
        "    outputs: [output, value, layer1.0, layer1]\n",
        "    outputs: {input: head}\n",
        "    outputs: {input: head, also: head}\n",
        "    outputs: {output: stem, input: output, value: stem}\n",
        "    outputs: {input: stem, output: head}\n",
        "    outputs: {value: {training: head}, input: value}\n",
    ],
)
def test_no_two_values_have_one_name(outputs: str) -> None:
    graph = compiled(NAMES + outputs)
    model, exported = pair(graph)
    assert compare(model, exported, (2, 3, 8, 8)) < 1e-5
    produced = [name for node in exported.graph.node for name in node.output]
    weights = {each.name for each in exported.graph.initializer}
    everything = [*produced, *weights, *(each.name for each in exported.graph.input)]
    assert len(everything) == len(set(everything))
    assert [each.name for each in exported.graph.input] == ["input"]
    labels = [label for label in graph.outputs if label not in graph.training]
    renamed = [f"{label}:output" if label in {*weights, "input"} else label for label in labels]
    assert [each.name for each in exported.graph.output] == renamed


def test_what_is_returned_as_it_came() -> None:
    """A dropout at the end is nothing in inference, and a network may be nothing at all."""
    for text in ("stem: [dropout: {p: 0.5}]", "stem: [conv: {out: 3}, dropout: {p: 0.5}]"):
        graph = compiled(f"input: [3, 4, 4]\n{text}\nstages: []\nhead: []\n")
        model, exported = pair(graph)
        assert compare(model, exported, (2, 3, 4, 4)) < 1e-6


def test_counters_are_left_out() -> None:
    assert not [key for key in needed(archspec.compile("resnet18")) if key.endswith("num_batches_tracked")]
