"""Graph to ONNX, for inference: nodes written directly from what each operation says of itself, without torch.

Weights keep the names and values of the state dict, and a node has the name of its scope, so that a layer is found in
the file as it is found in the model.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import numpy
import onnx

from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError
from archspec.emit.refusal import refusal
from archspec.graph.graph import INPUT, Graph, Node
from archspec.graph.state import Tensor, state
from archspec.language.standalone import standalone
from archspec.language.text.yaml_writer import to_yaml
from archspec.operations.base import Buffer
from archspec.operations.onnx import Floats, Integers, NotInOnnx, OnnxCall, Operand, Result, State, Value

Dynamic = Literal["none", "batch", "size"]
"""Which dimensions of the input are free: none, the batch, or the batch and the spatial sizes."""

OPSET = 20
AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}

LARGEST = 2_000_000_000
"""The most bytes of weights inside the file. protobuf refuses a message of 2 GiB, and the nodes need a part of them."""

PAGE = 4096
"""Where a tensor may begin in a file of its own, so that a runtime can map it into memory."""


def write_onnx(
    graph: Graph,
    tensors: Mapping[str, numpy.ndarray],
    path: Path,
    *,
    dynamic: Dynamic = "batch",
    opset: int = OPSET,
    largest: int = LARGEST,
) -> None:
    """Write the file; weights of more than ``largest`` bytes go into a second one beside it, ``FILE.onnx.data``.

    Args:
        graph: the compiled network.
        tensors: the weights and buffers, as :func:`to_onnx` takes them.
        path: the file. The name of the other one is in it.
        dynamic: which dimensions of the input are free.
        opset: the version of ONNX's operators.
        largest: the most bytes of weights inside the file.

    Raises:
        SpecError: E830, as :func:`to_onnx`.
        OSError: a file cannot be written.
    """
    model, weights = _without_weights(graph, dynamic, opset), _floats(graph, tensors)
    if sum(values.nbytes for _, values in weights) <= largest:
        _add_weights(model, itertools.starmap(_inside, weights))
    else:
        beside = path.with_name(f"{path.name}.data")
        with beside.open("wb") as stream:
            _add_weights(model, [_outside(key, values, stream, beside.name) for key, values in weights])
    path.write_bytes(model.SerializeToString(deterministic=True))


def to_onnx(
    graph: Graph, tensors: Mapping[str, numpy.ndarray], *, dynamic: Dynamic = "batch", opset: int = OPSET
) -> onnx.ModelProto:
    """The model as ONNX has it, in eval mode, with its weights inside.

    Args:
        graph: the compiled network.
        tensors: the weights and buffers by the keys of the state dict; they are written as float32. A counter of
            batches is not needed.
        dynamic: which dimensions of the input are free.
        opset: the version of ONNX's operators, from 18 on.

    Raises:
        SpecError: E830, ONNX cannot express an operation, or not in this opset; one diagnostic for each.
        EnvironmentFault: E809, the installed onnx is older than the opset.

    >>> import archspec, numpy
    >>> graph = archspec.compile("resnet20_cifar")
    >>> weights = {key: numpy.zeros(tensor.shape, "float32") for key, tensor in state(graph).items()}
    >>> model = to_onnx(graph, weights)
    >>> model.graph.node[0].op_type, model.graph.node[0].name, list(model.graph.node[0].input)
    ('Conv', 'conv1', ['input', 'conv1.weight'])
    """
    model = _without_weights(graph, dynamic, opset)
    _add_weights(model, itertools.starmap(_inside, _floats(graph, tensors)))
    return model


def needed(graph: Graph) -> dict[str, Tensor]:
    """The tensors of the state dict that inference reads: all but the counters of batches."""
    return {
        key: tensor
        for key, tensor in state(graph).items()
        if not (isinstance(tensor, Buffer) and tensor.dtype == "int64")
    }


# -- weights ----------------------------------------------------------------------------------------------------------


def _floats(graph: Graph, tensors: Mapping[str, numpy.ndarray]) -> list[tuple[str, numpy.ndarray]]:
    return [(key, tensors[key].astype("<f4", copy=False)) for key in needed(graph)]


def _add_weights(model: onnx.ModelProto, weights: Iterable[onnx.TensorProto]) -> None:
    """Put weights before the constants of a model."""
    constants = list(model.graph.initializer)
    del model.graph.initializer[:]
    model.graph.initializer.extend(weights)
    model.graph.initializer.extend(constants)


def _inside(name: str, values: numpy.ndarray) -> onnx.TensorProto:
    """A tensor with its values."""
    kind = onnx.TensorProto.INT64 if values.dtype == numpy.int64 else onnx.TensorProto.FLOAT
    return onnx.TensorProto(name=name, dims=values.shape, data_type=kind, raw_data=values.tobytes())


def _outside(name: str, values: numpy.ndarray, stream: BinaryIO, file: str) -> onnx.TensorProto:
    """A tensor whose values are in another file."""
    start = -(-stream.tell() // PAGE) * PAGE
    stream.write(bytes(start - stream.tell()))
    stream.write(numpy.ascontiguousarray(values).reshape(-1).view(numpy.uint8).data)
    tensor = onnx.TensorProto(name=name, dims=values.shape, data_type=onnx.TensorProto.FLOAT)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", start), ("length", values.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


# -- the graph --------------------------------------------------------------------------------------------------------


def _without_weights(graph: Graph, dynamic: Dynamic, opset: int) -> onnx.ModelProto:
    newest = onnx.defs.onnx_opset_version()
    if opset > newest:
        message = f"opset {opset} needs a newer onnx: {onnx.__version__}, which is installed, ends at opset {newest}"
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
        [_inside(name, writer.values_of(constant)) for constant, name in writer.constants.items()],
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
    onnx.helper.set_model_props(model, {"name": graph.name, "hash": graph.fingerprint, **spec})
    return model


@dataclass
class _Writer:
    """The nodes so far. ``names`` has the name in ONNX of each value of the graph."""

    graph: Graph
    dynamic: Dynamic
    opset: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    values: list[onnx.ValueInfoProto] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    constants: dict[Integers | Floats, str] = field(default_factory=dict)
    faults: list[Diagnostic] = field(default_factory=list)

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
        self.names[node.name] = self.names[node.inputs[0]]  # as it stays where nothing happens to the value
        try:
            calls = node.operation.onnx(self.graph.input_shapes(node), fixed=self.dynamic != "size")
            for call in calls:
                self._check(call.op)
        except NotInOnnx as reason:
            self.faults.append(refusal("ONNX", node, str(reason)))
            return
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

    def _check(self, op: str) -> None:
        """Refuse an operator that is newer than the opset."""
        try:
            onnx.defs.get_schema(op, self.opset)
        except onnx.defs.SchemaError:
            versions = [each.since_version for each in onnx.defs.get_all_schemas_with_history() if each.name == op]
            raise NotInOnnx(f"`{op}` needs opset {min(versions)} or later, got {self.opset}") from None

    def _operand(self, operand: Operand, node: Node, inputs: list[str], results: list[str]) -> str:
        match operand:
            case Value(position):
                return inputs[position]
            case State(name):
                return f"{node.name}.{name}" if name else node.name
            case Result(call):
                return results[call]
            case Integers() | Floats():
                return self.constants.setdefault(operand, f"constant:{len(self.constants) + 1}")  # equal ones are one

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
        """A node for each output that no node gives under its label: one value with two labels, or the input."""
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
    """The names of the nodes of an operation: its own if they are one, otherwise also the operator's, and a number.

    >>> list(_names("fc", (OnnxCall("Transpose"), OnnxCall("MatMul"), OnnxCall("Transpose"))))
    ['fc:Transpose', 'fc:MatMul', 'fc:Transpose2']
    """
    seen = Counter[str]()
    for call in calls:
        seen[call.op] += 1
        number = seen[call.op] if seen[call.op] > 1 else ""
        yield scope if len(calls) == 1 else f"{scope}:{call.op}{number}"
