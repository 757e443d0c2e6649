"""The nodes of a network in ONNX, without its weights."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy
import onnx

from archspec.diagnostics import Diagnostic, EnvironmentFault, Span, SpecError
from archspec.emit.metadata import metadata
from archspec.emit.refusal import refusal
from archspec.graph.graph import INPUT, Graph, Node
from archspec.graph.state import Tensor, key_of, state
from archspec.operations.base import Buffer
from archspec.operations.onnx import Floats, Input, Integers, NotInOnnx, Omitted, OnnxCall, Operand, Result, State

Dynamic = Literal["none", "batch", "size"]
"""Which dimensions of the input are free: none, the batch, or the batch and the spatial sizes."""

OPSET = 20
AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def needed(graph: Graph) -> dict[str, Tensor]:
    """The tensors of the state dict that inference reads: all but the counters of batches."""
    return {
        key: tensor
        for key, tensor in state(graph).items()
        if not (isinstance(tensor, Buffer) and tensor.dtype == "int64")
    }


def add_tensor(graph: onnx.GraphProto, name: str, values: numpy.ndarray) -> None:
    """Add a tensor with its values to a graph."""
    kind = onnx.TensorProto.INT64 if values.dtype == numpy.int64 else onnx.TensorProto.FLOAT
    graph.initializer.add(name=name, dims=values.shape, data_type=kind, raw_data=values.tobytes())


def without_weights(graph: Graph, dynamic: Dynamic, opset: int) -> onnx.ModelProto:
    """The model with its constants; see :func:`archspec.emit.onnx.to_onnx`."""
    newest = onnx.defs.onnx_opset_version()
    if opset > newest:
        message = f"opset {opset} needs a newer onnx: the installed version, {onnx.__version__}, ends at opset {newest}"
        raise EnvironmentFault(Diagnostic("E809", message, help="pip install --upgrade onnx"))
    writer = _Writer(graph, dynamic, opset)
    for node in graph.nodes:
        writer.node(node)
    if writer.faults:
        raise SpecError(writer.faults)
    writer.outputs()
    made = onnx.helper.make_graph(
        writer.nodes,
        graph.name,
        [writer.info(writer.names[INPUT], graph.input)],
        [writer.info(writer.labels[label], graph.shape(name)) for label, name in graph.outputs.items()],
        value_info=writer.values,
    )
    for constant, name in writer.constants.items():
        add_tensor(made, name, writer.values_of(constant))
    version = onnx.helper.make_opsetid("", opset)
    model = onnx.helper.make_model(
        made,
        opset_imports=[version],
        ir_version=onnx.helper.find_min_ir_version_for([version]),
        producer_name="archspec",
        doc_string=graph.origin.summary if graph.origin else "",
    )
    onnx.helper.set_model_props(model, metadata(graph))
    return model


@dataclass
class _Writer:
    """The nodes so far.

    ``names`` has the name in ONNX of each value of the graph, ``said`` the place and reason of each fault, and
    ``refused`` the values whose sizes are unknown because of one.
    """

    graph: Graph
    dynamic: Dynamic
    opset: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    values: list[onnx.ValueInfoProto] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    constants: dict[Integers | Floats, str] = field(default_factory=dict)
    faults: list[Diagnostic] = field(default_factory=list)
    said: set[tuple[Span | None, str]] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        weights = needed(self.graph)
        # A weight and the input keep their names. The weight of a layer scale has its node's name.
        kept = {*weights, INPUT}
        self.labels = {label: f"{label}:output" if label in kept else label for label in self.graph.outputs}
        self.returned = {name: self.labels[label] for label, name in [*self.graph.outputs.items()][::-1]}
        self.taken = {*weights, *self.labels.values()}
        self.names[INPUT] = INPUT  # no node and no weight can have this name

    def _free(self, name: str) -> str:
        """A name for a value: the node's, unless a weight or an output has that name. Names of nodes have no colons."""
        return f"{name}:value" if name in self.taken else name

    def node(self, node: Node) -> None:
        """The nodes of an operation."""
        self.names[node.name] = self.names[node.inputs[0]]  # it stays if the operation does nothing in eval mode
        calls = self._calls(node)
        if not calls:
            return
        results: list[str] = []
        inputs = [self.names[name] for name in node.inputs]
        for call, name in zip(calls, _names(node.name, calls), strict=True):
            self._call(call, [self._operand(each, node, inputs, results) for each in call.inputs], name, name)
            results.append(name)
        result = self.returned.get(node.name) or self._free(node.name)
        self.nodes[-1].output[0] = self.names[node.name] = result
        if node.name not in self.returned:
            self.values.append(self.info(result, node.shape))

    def _calls(self, node: Node) -> tuple[OnnxCall, ...]:
        """The ONNX form of an operation; empty if ONNX cannot express it."""
        after_fault = any(name in self.refused for name in node.inputs)
        try:
            calls = node.operation.onnx(self.graph.input_shapes(node), fixed=self.dynamic != "size")
        except NotInOnnx as reason:
            calls = ()
            if not after_fault:  # after a fault, this one may only result from it
                self._refuse(node, reason)
            after_fault = True
        if after_fault:
            self.refused.add(node.name)
        try:
            for call in calls:
                self._check(call.op)
        except NotInOnnx as reason:
            self._refuse(node, reason)
        return calls

    def _refuse(self, node: Node, reason: NotInOnnx) -> None:
        """Note a fault; if one line of the spec made several nodes, only once."""
        fault = refusal("ONNX", node, str(reason))
        if node.span is None or (node.span, str(reason)) not in self.said:
            self.faults.append(fault)
        self.said.add((node.span, str(reason)))

    def _check(self, op: str) -> None:
        """Refuse an operator that is newer than the opset."""
        try:
            onnx.defs.get_schema(op, self.opset)
        except onnx.defs.SchemaError:
            versions = [each.since_version for each in onnx.defs.get_all_schemas_with_history() if each.name == op]
            raise NotInOnnx(f"`{op}` needs opset {min(versions)} or later, got {self.opset}") from None

    def _operand(self, operand: Operand, node: Node, inputs: list[str], results: list[str]) -> str:
        match operand:
            case Input(position):
                return inputs[position]
            case State(name):
                return key_of(self.graph, node, name)
            case Result(call):
                return results[call]
            case Omitted():
                return ""
            case Integers() | Floats():
                return self.constants.setdefault(
                    operand, f"constant:{len(self.constants) + 1}"
                )  # equal constants are shared

    def values_of(self, constant: Integers | Floats) -> numpy.ndarray:
        """A constant in numpy."""
        if isinstance(constant, Integers):
            return numpy.array(constant.values, "<i8")
        many = isinstance(constant.values, tuple)
        given = numpy.array(constant.values, "<f4").reshape(constant.shape if many else ())
        return numpy.broadcast_to(given, constant.shape)

    def _call(self, call: OnnxCall, inputs: list[str], result: str, name: str) -> None:
        self.nodes.append(onnx.helper.make_node(call.op, inputs, [result], name=name, **call.attributes))

    def outputs(self) -> None:
        """Add a node for each output whose label no node has: a second label of a value, or the input."""
        for label, name in self.graph.outputs.items():
            if self.names[name] != self.labels[label]:
                self._call(OnnxCall("Identity"), [self.names[name]], self.labels[label], f"output:{label}")

    def info(self, name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
        """The type and shape of a value, its free dimensions by name."""
        batch: int | str = 1 if self.dynamic == "none" else "batch"
        dims: list[int | str | None] = [batch, shape[0], *self._sizes(name, shape[1:])]
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims)

    def _sizes(self, name: str, sizes: tuple[int, ...]) -> Iterator[int | str | None]:
        if self.dynamic != "size":
            return iter(sizes)
        return iter(AXES[len(sizes)]) if sizes and name == self.names[INPUT] else itertools.repeat(None, len(sizes))


def _names(scope: str, calls: tuple[OnnxCall, ...]) -> Iterator[str]:
    """The names of the nodes of an operation: its own for a single node, else also with the operator and a number.

    >>> list(_names("fc", (OnnxCall("Transpose"), OnnxCall("MatMul"), OnnxCall("Transpose"))))
    ['fc:Transpose', 'fc:MatMul', 'fc:Transpose2']
    """
    seen = Counter[str]()
    for call in calls:
        seen[call.op] += 1
        number = seen[call.op] if seen[call.op] > 1 else ""
        yield scope if len(calls) == 1 else f"{scope}:{call.op}{number}"
