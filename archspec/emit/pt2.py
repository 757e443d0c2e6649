"""A network with its weights as a program exported by torch (``.pt2``), which runs without archspec."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from archspec.diagnostics import Diagnostic, SpecError, in_one_line
from archspec.emit.metadata import metadata
from archspec.emit.refusal import refusal
from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.shapes import ShapeFault

Mode = Literal["eval", "training"]
Dynamic = Literal["none", "batch", "size"]


def write_pt2(graph: Graph, model: nn.Module, path: Path, *, mode: Mode = "eval", dynamic: Dynamic = "batch") -> None:
    """Write an exported program; its extra files are those of :func:`archspec.emit.metadata.metadata` and ``mode``.

    Raises:
        SpecError: E830, torch cannot export the network, or not with a free size.
        OSError: the file cannot be written.
    """
    program = export(graph, model, mode=mode, dynamic=dynamic)
    # In memory first: torch ends the process if it cannot write to a disk.
    stream = io.BytesIO()
    torch.export.save(program, stream, extra_files={**metadata(graph), "mode": mode})
    path.write_bytes(stream.getbuffer())


def export(graph: Graph, model: nn.Module, *, mode: Mode = "eval", dynamic: Dynamic = "batch") -> ExportedProgram:
    """The exported program of a model.

    Args:
        graph: the network.
        model: its model, with weights. The program shares them.
        mode: the mode of the program. It cannot change, because norms and dropout differ between the modes.
        dynamic: which dimensions of the input are free: none, the batch, or the batch and the spatial sizes.

    Raises:
        SpecError: E830, torch cannot export the network, or not with a free size.

    >>> import archspec
    >>> graph = archspec.compile("resnet20_cifar")
    >>> program = export(graph, archspec.build(graph), dynamic="size")
    >>> program.module()(torch.zeros(3, 3, 40, 40)).shape
    torch.Size([3, 10])
    """
    if dynamic == "size" and (node := tied_to_size(graph)):
        help = "leave out the free size, or put a global pool before `flatten`"
        raise SpecError([refusal("`.pt2`", node, "its weights fix the size of the input", help)])
    free: dict[int, Any] = {} if dynamic == "none" else {0: Dim("batch", min=1)}
    if dynamic == "size":
        free |= dict.fromkeys(range(2, len(graph.input) + 1), Dim.DYNAMIC)
    example = torch.zeros(2, *graph.input)  # torch would treat a batch of 1 as fixed
    model.train(mode == "training")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about torch's own plans
            program = torch.export.export(model, (example,), dynamic_shapes=(free,), strict=False)
    except Exception as error:  # torch raises many kinds of errors for what it cannot trace
        message = f"torch cannot export this network: {in_one_line(error)}"
        raise SpecError([Diagnostic("E830", message, graph.written_at("name"))]) from None
    for node in program.graph.nodes:
        for key in ("stack_trace", "from_node"):  # they contain paths on this machine and memory addresses
            node.meta.pop(key, None)
    program.example_inputs = None
    return program


def tied_to_size(graph: Graph) -> Node | None:
    """The first node that does not accept another input size, or would need other weights; None if all accept it."""
    shapes = {INPUT: (graph.input[0], *[2 * size for size in graph.input[1:]])}
    for node in graph.nodes:
        inputs = tuple([shapes[name] for name in node.inputs])
        try:
            shapes[node.name] = node.operation.shape(inputs)
        except ShapeFault:
            return node
        if node.operation.weights(inputs) != node.operation.weights(graph.input_shapes(node)):
            return node
    return None
