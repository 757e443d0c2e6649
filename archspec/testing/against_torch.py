"""Whether torch agrees: the emitted graphs are sound, and torch computes every inferred shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from archspec.diagnostics import Diagnostic, SpecError
from archspec.display import counted
from archspec.emit.fx import emit
from archspec.graph.blame import fault_at
from archspec.graph.graph import Graph, Node
from archspec.operations.shapes import Shape, show_shape

BATCH = 2
"""More than one, so that a shape that took the batch for a channel would not pass."""


def lint(module: nn.Module) -> None:
    """Lint the fx graph of a model and of every block in it.

    Raises:
        RuntimeError: a graph is not well formed, which is a defect of the backend.
    """
    for part in module.modules():
        if isinstance(part, fx.GraphModule):
            part.graph.lint()


def confirm(graph: Graph, step: Callable[[str], None]) -> None:
    """Lint the emitted graphs, and compare every shape; see :func:`archspec.confirm`."""
    model = emit(graph)
    step(f"confirming the shapes of {counted(len(graph.nodes), 'node')}")
    lint(model)
    faults = compare_shapes(graph)
    if faults:
        raise SpecError(faults)


def compare_shapes(graph: Graph) -> list[Diagnostic]:
    """Run the flat graph on the meta device and compare the shape of every node: E704 for each that differs.

    A node that torch refuses to run ends the comparison: nothing after it has a shape.
    """
    runner = _Comparison(graph)
    try:
        with torch.no_grad():
            runner.run(torch.empty((BATCH, *graph.input), device="meta"))
    except Exception as error:  # whatever a kernel raises on shapes that do not fit
        raise_interrupt(error)
        runner.refused(error)
    return runner.found


def raise_interrupt(error: BaseException | None) -> None:
    """Raise the interrupt, or the exit, that an exception came of.

    The first pass imports hundreds of modules from inside kernels. An interrupt that meets one of their `except:`, or
    compiled code that goes on in spite of it, comes out as an ordinary exception, and says nothing about a network.
    """
    while error is not None:
        if not isinstance(error, Exception):
            raise error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class _Comparison(fx.Interpreter):
    """Interprets the flat graph and collects what differs from the inferred shapes."""

    def __init__(self, graph: Graph) -> None:
        model = emit(graph, flat=True)
        whole = model.graph  # in training mode, with every output
        super().__init__(model.eval(), graph=whole)
        self.expected = graph
        self.found: list[Diagnostic] = []
        self.confirmed: set[str] = set()
        self.current: fx.Node | None = None

    def run(self, *args: Any, **kwargs: Any) -> Any:
        result = super().run(*args, **kwargs)
        for node in self.expected.nodes:
            alone = node.operation.arity == "many" and len(node.inputs) == 1  # its one branch is all there is to run
            if node.name not in self.confirmed and not alone:
                self.report(node, "torch runs no operation for this node")
        return result

    def run_node(self, n: fx.Node) -> Any:
        self.current = n
        result = super().run_node(n)
        if n.op not in ("placeholder", "get_attr", "output"):  # weights that are read have no batch
            self.compare(self.expected.by_name[n.meta["scope"]], n.meta["shape"], result)
        return result

    def compare(self, node: Node, expected: Shape, result: torch.Tensor) -> None:
        self.confirmed.add(node.name)
        shape = tuple(result.shape)
        if shape != (BATCH, *expected):
            self.report(node, f"torch computes {_shown(shape)} where {show_shape(expected)} was inferred")

    def report(self, node: Node, message: str) -> None:
        inputs = " and ".join(show_shape(shape) for shape in self.expected.input_shapes(node))
        notes = (f"in {node.name}, from {inputs}",)
        help = "this is a bug in archspec: please report it with the spec"
        self.found.append(fault_at(self.expected, node, "E704", message, notes=notes, help=help))

    def refused(self, error: Exception) -> None:
        """Report a node that torch refuses to run."""
        scope = self.current.meta.get("scope") if self.current else None
        node = self.expected.by_name.get(str(scope))
        if node is None:
            raise error
        self.report(
            node, f"torch refuses what was inferred to be {show_shape(node.shape)}: {str(error).splitlines()[0]}"
        )


def _shown(shape: Shape) -> str:
    batch, *rest = shape if shape else (0,)
    return show_shape(tuple(rest)) if batch == BATCH else f"{show_shape(shape)}, the batch of {BATCH} lost,"
