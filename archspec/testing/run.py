"""Whether the built network is what was compiled: its weights, one pass forward and back, seeds, and saved weights."""

from __future__ import annotations

import gc
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from archspec.analysis.parts import measure_totals
from archspec.diagnostics import Diagnostic, Span, SpecError
from archspec.emit.fx import emit
from archspec.files import unwritable
from archspec.graph.blame import fault_at
from archspec.graph.graph import Graph
from archspec.graph.state import key_of, state
from archspec.operations.shapes import show_shape
from archspec.passes.compiling import compile
from archspec.passes.in_eval_mode import in_eval_mode
from archspec.testing.against_torch import compare_shapes, lint, raise_interrupt
from archspec.weights.building import build
from archspec.weights.saving import write

BATCH = 2
MAX_ELEMENTS = 500_000_000
"""Of all values of a pass together; with their gradients, 4 GB."""

MANY = 20_000_000
"""Parameters above which what is done with is freed at once. Networks hold themselves in circles, and Python looks for
those by the count of objects, not by their size; looking takes tenths of a second."""

OURS = "this is a bug in archspec: please report it with the spec"


def keep_to_one_core() -> None:
    """Have torch run in one thread: passes on small inputs gain little from more, and specs are tested side by side."""
    torch.set_num_threads(1)


class RunStep(NamedTuple):
    """One thing that is tested: its name, what finds its faults, and how it is tested, where that is to be said."""

    name: str
    faults: Callable[[], list[Diagnostic]]
    note: str = ""


def on_meta(graph: Graph) -> Iterator[RunStep]:
    """What needs no storage: every inferred shape, and the weights."""
    yield RunStep("shapes", lambda: compare_shapes(graph))
    yield RunStep("weights", lambda: compare_weights(graph, emit(graph)))


def with_storage(graph: Graph, *, largest: int, seed: int = 0) -> tuple[Iterator[RunStep], str]:
    """What needs weights and values, on as small an input as the network is the same on; and why nothing is, if so.

    Args:
        graph: the network.
        largest: the most parameters that a network may have to be run.
        seed: of the weights and the input.
    """
    small = smallest(graph)
    params = measure_totals(graph).costs.params
    elements = BATCH * sum(math.prod(node.shape) for node in small.nodes)
    if params > largest:
        return iter(()), f"{params:,} parameters, more than {largest:,}"
    if elements > MAX_ELEMENTS:
        return iter(()), f"{elements:,} elements in a pass of {BATCH}x{show_shape(small.input)}"
    return _with_storage(small, seed, collect=params > MANY), ""


def _with_storage(graph: Graph, seed: int, collect: bool) -> Iterator[RunStep]:
    model = build(graph, seed=seed)
    yield RunStep(
        "seed", lambda: compare_states(graph, model, build(graph, seed=seed), f"built again with seed {seed}")
    )
    if collect:
        gc.collect()
    yield RunStep("reload", lambda: reload(graph, model))
    if collect:
        gc.collect()
    yield RunStep("pass", lambda: run(graph, model, seed), f"{BATCH}x{show_shape(graph.input)}")


def smallest(graph: Graph) -> Graph:
    """The same network for the smallest input that halving gives: equal weights, and no map that becomes one position.

    The graph itself if no smaller input works, or if it has no spec to compile.
    """
    expected, found = _shapes(graph), graph
    while graph.origin and max(found.input[1:]) > 1:
        sizes = [max(1, (size + 1) // 2) for size in found.input[1:]]
        try:
            smaller = compile(graph, input=(graph.input[0], *sizes))
        except SpecError:
            break
        if _shapes(smaller) != expected or _lost(graph, smaller):
            break
        found = smaller
    return found


def _shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in state(graph).items()}


def _lost(graph: Graph, smaller: Graph) -> bool:
    """Whether a map of several positions has become one of a single position: statistics over it would mean nothing."""
    pairs = zip(graph.nodes, smaller.nodes, strict=True)
    return any(math.prod(old.shape[1:]) > 1 == math.prod(new.shape[1:]) for old, new in pairs)


# -- the weights -------------------------------------------------------------------------------------------------------


def compare_weights(graph: Graph, model: fx.GraphModule) -> list[Diagnostic]:
    """E705 if a graph of the built model is not sound, or if its state dict or totals differ from the inferred ones."""
    expected, found = _shapes(graph), {key: tuple(value.shape) for key, value in model.state_dict().items()}
    place, faults = _of_network(graph), []
    try:
        lint(model)
    except RuntimeError as error:
        raise_interrupt(error)
        faults.append(_defect(f"the built graph is not sound: {str(error).partition(chr(10))[0]}", place))
    for key in [key for key in expected | found if expected.get(key) != found.get(key)][:3]:
        told = [f"of shape {show_shape(each[key])}" if key in each else "missing" for each in (found, expected)]
        faults.append(_defect(f"`{key}` is {told[0]} in the built network, and {told[1]} in what was inferred", place))
    if list(expected) != list(found) and not faults:
        faults.append(_defect("the state dict has another order than was inferred", place))
    costs = measure_totals(graph).costs
    built = sum(parameter.numel() for parameter in model.parameters())
    if built != costs.params:
        faults.append(_defect(f"the built network has {built:,} parameters where {costs.params:,} were counted", place))
    return faults


def compare_states(graph: Graph, model: nn.Module, other: nn.Module, how: str) -> list[Diagnostic]:
    """E707 for each tensor of the state dict, the first three, that is not bit for bit that of the other model."""
    one, two = model.state_dict(), other.state_dict()
    differ = [key for key in one | two if key not in one or key not in two or not _equal(one[key], two[key])]
    place = _of_network(graph)
    return [Diagnostic("E707", f"`{key}` is not the same when {how}", place, help=OURS) for key in differ[:3]]


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def reload(graph: Graph, model: nn.Module) -> list[Diagnostic]:
    """E707 where the weights, saved to a file and loaded from it, are not the same, or give another result."""
    with tempfile.TemporaryDirectory(prefix="archspec-") as folder:
        path = str(Path(folder, "model.safetensors"))
        try:
            write(model, path)
        except OSError as error:
            raise unwritable(path, error) from None
        other = build(graph, weights=path)
        faults = compare_states(graph, model, other, "saved and loaded")
        if not faults and not _same_results(graph, model, other):
            message = "the network gives another result when its weights were saved and loaded"
            faults = [Diagnostic("E707", message, _of_network(graph), help=OURS)]
    return faults


def _same_results(graph: Graph, model: nn.Module, other: nn.Module) -> bool:
    example, graph = _example(graph, 0), in_eval_mode(graph)
    with torch.inference_mode():
        one, two = (_by_label(graph, each.eval()(example)) for each in (model, other))
    model.train()
    return all(torch.equal(one[label].nan_to_num(), two[label].nan_to_num()) for label in one)


# -- a pass ------------------------------------------------------------------------------------------------------------


def run(graph: Graph, model: nn.Module, seed: int = 0) -> list[Diagnostic]:
    """One pass in training, forward and back: E706 where torch refuses, or something is not finite, E705 for a defect.

    The model is left in training mode, its running statistics moved on by one batch.
    """
    with _own_randomness(seed):
        try:
            results = _by_label(graph, model.train()(_example(graph, seed)))
            total = torch.stack([result.float().sum() for result in results.values()]).sum()
            if total.requires_grad:  # a network without parameters has nothing to train
                total.backward()
        except RuntimeError as error:
            raise_interrupt(error)
            told = str(error).strip().partition("\n")[0]
            shown = f"{BATCH}x{show_shape(graph.input)}"
            message = f"torch refuses to run the network on {shown}: {told}"
            return [Diagnostic("E706", message, _of_network(graph))]
    faults = _compare_results(graph, results)
    if not faults and not all(result.isfinite().all() for result in results.values()):
        faults = [_first_not_finite(graph, seed)]
    faults = faults or compare_gradients(graph, model)
    model.zero_grad(set_to_none=True)
    return faults


def _compare_results(graph: Graph, results: Mapping[str, Tensor]) -> list[Diagnostic]:
    faults = []
    for label, name in graph.outputs.items():
        found, shape = tuple(results[label].shape), (BATCH, *graph.shape(name))
        if found != shape:
            what = "the output" if graph.single else f"the output `{label}`"
            message = f"{what} is {show_shape(found)} where {show_shape(shape)} was inferred"
            faults.append(_defect(message, _of_network(graph)))
    return faults


RANGE = "numbers grow from step to step where no `norm` holds them; see also `init`"


def _first_not_finite(graph: Graph, seed: int) -> Diagnostic:
    """E706 at the first node whose value is not finite."""
    search = _SizeSearch(build(graph, seed=seed, flat=True))
    with torch.no_grad(), _own_randomness(seed):
        search.run(_example(graph, seed))
    node = graph.by_name.get(search.found)
    message = "the output is not finite with the weights as they are initialized"
    notes = (f"first in {node.name}",) if node else ()
    return fault_at(graph, node, "E706", message, notes=notes, help=RANGE)


class _SizeSearch(fx.Interpreter):
    """Interprets a flat graph, and remembers the scope of the first value that is not finite."""

    found = ""

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if not self.found and isinstance(result, Tensor) and not result.isfinite().all():
            self.found = str(n.meta.get("scope", ""))
        return result


def compare_gradients(graph: Graph, model: nn.Module) -> list[Diagnostic]:
    """E705 for a parameter that has no gradient, E706 for one whose gradient is not finite; the first three.

    A gradient of zero is correct behind a scale that starts at zero, or a ReLU that passes nothing.
    """
    nodes, faults = {}, []
    for node in graph.nodes:
        for name in node.operation.weights(graph.input_shapes(node)):
            nodes[key_of(graph, node, name)] = node
    for key, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            faults.append(fault_at(graph, nodes.get(key), "E705", f"`{key}` gets no gradient", help=OURS))
        elif not parameter.grad.isfinite().all():
            message = f"the gradient of `{key}` is not finite"
            faults.append(fault_at(graph, nodes.get(key), "E706", message, help=RANGE))
    return faults[:3]


def _by_label(graph: Graph, results: Any) -> dict[str, Tensor]:
    if graph.single:
        return {next(iter(graph.outputs)): results}
    return dict(results) if graph.returns == "dict" else dict(zip(graph.outputs, results, strict=True))


def _example(graph: Graph, seed: int) -> Tensor:
    return torch.randn((BATCH, *graph.input), generator=torch.Generator().manual_seed(seed))


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """What is random in training is drawn from the seed, and the caller's own generator stays where it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _of_network(graph: Graph) -> Span | None:
    return graph.origin.document.key_span(("name",)) if graph.origin else None


def _defect(message: str, span: Span | None) -> Diagnostic:
    return Diagnostic("E705", message, span, help=OURS)
