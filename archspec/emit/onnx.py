"""Graph to ONNX, for inference: nodes written directly from what each operation says of itself, without torch.

Weights keep the names and values of the state dict, and a node has the name of its scope, so that a layer is found in
the file as it is found in the model.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from archspec.diagnostics import SpecError
from archspec.emit.refusal import refusal
from archspec.graph.graph import INPUT, Graph, Node
from archspec.graph.state import state
from archspec.language.standalone import standalone
from archspec.language.text.yaml_writer import to_yaml
from archspec.operations.base import Buffer
from archspec.operations.onnx import Floats, Integers, NotInOnnx, OnnxCall, Operand, Result, State, Value

if TYPE_CHECKING:
    import numpy
    import onnx

Dynamic = Literal["none", "batch", "size"]
"""Which dimensions of the input are free: none, the batch, or the batch and the spatial sizes."""

OPSET, OLDEST_OPSET = 20, 18
AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def to_onnx(
    graph: Graph, tensors: Mapping[str, numpy.ndarray], *, dynamic: Dynamic = "batch", opset: int = OPSET
) -> onnx.ModelProto:
    """The model as ONNX has it, in eval mode, with its weights inside.

    Args:
        graph: the compiled network.
        tensors: the weights and buffers by the keys of the state dict, in float32. A counter of batches is not needed.
        dynamic: which dimensions of the input are free.
        opset: the version of ONNX's operators, from 18 on.

    Raises:
        SpecError: E830, ONNX cannot express an operation, or not in this opset.

    >>> import archspec, numpy
    >>> graph = archspec.compile("resnet20_cifar")
    >>> weights = {key: numpy.zeros(tensor.shape, "float32") for key, tensor in state(graph).items()}
    >>> model = to_onnx(graph, weights)
    >>> model.graph.node[0].op_type, model.graph.node[0].name, list(model.graph.node[0].input)
    ('Conv', 'conv1', ['input', 'conv1.weight'])
    """
    import onnx  # the compiler works without it, and it takes a third of a second

    writer = _Writer(graph, dynamic, opset)
    for node in graph.nodes:
        writer.node(node)
    writer.outputs()
    for key, tensor in needed(graph).items():
        writer.initializer(key, tensor.shape, tensors[key].tobytes())
    made = onnx.helper.make_graph(
        writer.nodes,
        graph.name,
        [writer.info(writer.names[INPUT], graph.input)],
        [writer.info(writer.labels[label], graph.shape(name)) for label, name in graph.outputs.items()],
        writer.initializers,
        value_info=writer.values,
    )
    version = onnx.helper.make_opsetid("", opset)
    model = onnx.helper.make_model(
        made,
        opset_imports=[version],
        ir_version=onnx.helper.find_min_ir_version_for([version]),
        producer_name="archspec",
    )
    spec = {"archspec": to_yaml(standalone(graph.origin))} if graph.origin else {}
    onnx.helper.set_model_props(model, {**spec, "name": graph.name, "hash": graph.fingerprint})
    return model


def needed(graph: Graph) -> dict[str, Any]:
    """The tensors of the state dict that inference reads: all but the counters of batches."""
    return {
        key: tensor
        for key, tensor in state(graph).items()
        if not (isinstance(tensor, Buffer) and tensor.dtype == "int64")
    }


@dataclass
class _Writer:
    """The nodes so far. ``names`` has the name in ONNX of each value of the graph."""

    graph: Graph
    dynamic: Dynamic
    opset: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    values: list[onnx.ValueInfoProto] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    constants: dict[Integers | Floats, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weights = needed(self.graph)
        # A weight keeps its name; the scale of a layer scale has its node's, which may be that of an output too.
        self.labels = {label: f"{label}:output" if label in weights else label for label in self.graph.outputs}
        self.returned = {name: self.labels[label] for label, name in [*self.graph.outputs.items()][::-1]}
        self.taken = {*weights, *self.labels.values()}
        self.names[INPUT] = self._free(INPUT)

    def _free(self, name: str) -> str:
        """A name for a value: the node's, unless a weight or an output has it. No name of a node has a colon."""
        return f"{name}:value" if name in self.taken else name

    def node(self, node: Node) -> None:
        """The nodes of an operation."""
        inputs = self.graph.input_shapes(node)
        try:
            calls = node.operation.onnx(inputs, fixed=self.dynamic != "size")
            for call in calls:
                self._check(call.op)
        except NotInOnnx as reason:
            raise SpecError([refusal("ONNX", node, str(reason))]) from None
        if not calls:  # nothing happens to the value
            self.names[node.name] = self.names[node.inputs[0]]
            return
        results: list[str] = []
        for number, call in enumerate(calls, start=1):
            last = number == len(calls)
            result = self.returned.get(node.name) or self._free(node.name) if last else f"{node.name}:{number}"
            name = node.name if len(calls) == 1 else f"{node.name}:{number}"
            self._call(call, [self._operand(each, node, results) for each in call.inputs], result, name)
            results.append(result)
        self.names[node.name] = results[-1]
        if node.name not in self.returned:
            self.values.append(self.info(results[-1], node.shape))

    def _check(self, op: str) -> None:
        import onnx.defs

        try:
            onnx.defs.get_schema(op, self.opset)
        except onnx.defs.SchemaError:
            since = onnx.defs.get_schema(op).since_version
            raise NotInOnnx(f"`{op}` needs opset {since} or later, got {self.opset}") from None

    def _operand(self, operand: Operand, node: Node, results: list[str]) -> str:
        match operand:
            case Value(position):
                return self.names[node.inputs[position]]
            case State(name):
                return f"{node.name}.{name}" if name else node.name
            case Result(call):
                return results[call]
            case Integers() | Floats():
                return self._constant(operand)

    def _constant(self, constant: Integers | Floats) -> str:
        """The name of a constant; equal ones are one."""
        import numpy

        if constant not in self.constants:
            name = f"constant:{len(self.constants) + 1}"
            if isinstance(constant, Integers):
                data = numpy.array(constant.values, "<i8").tobytes()
                self.initializer(name, (len(constant.values),), data, integer=True)
            else:
                given = numpy.array(constant.values, "<f4").reshape(
                    constant.shape if isinstance(constant.values, tuple) else ()
                )
                self.initializer(name, constant.shape, numpy.broadcast_to(given, constant.shape).tobytes())
            self.constants[constant] = name
        return self.constants[constant]

    def _call(self, call: OnnxCall, inputs: list[str], result: str, name: str) -> None:
        import onnx

        self.nodes.append(onnx.helper.make_node(call.op, inputs, [result], name=name, **call.attributes))

    def outputs(self) -> None:
        """A node for each output that no node gives under its label: one value with two labels, or the input."""
        for label, name in self.graph.outputs.items():
            if self.names[name] != self.labels[label]:
                self._call(OnnxCall("Identity"), [self.names[name]], self.labels[label], f"output:{label}")

    def initializer(self, name: str, shape: tuple[int, ...], data: bytes, *, integer: bool = False) -> None:
        """A tensor by its name."""
        import onnx

        kind = onnx.TensorProto.INT64 if integer else onnx.TensorProto.FLOAT
        self.initializers.append(onnx.TensorProto(name=name, dims=shape, data_type=kind, raw_data=data))

    def info(self, name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
        """The type and shape of a value, its free dimensions by name."""
        import onnx

        batch = 1 if self.dynamic == "none" else "batch"
        return onnx.helper.make_tensor_value_info(
            name, onnx.TensorProto.FLOAT, (batch, shape[0], *self._sizes(name, shape[1:]))
        )

    def _sizes(self, name: str, sizes: tuple[int, ...]) -> Iterator[int | str | None]:
        if self.dynamic != "size":
            return iter(sizes)
        return iter(AXES[len(sizes)]) if sizes and name == self.names[INPUT] else itertools.repeat(None, len(sizes))
