"""One spec, by archspec and by the interpreter: names, shapes, keys, outputs, statistics and gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, fx

import archspec
from archspec.graph.graph import Graph
from tests.interpreter.network import interpret
from tests.interpreter.plan import Network
from tests.interpreter.reading import Refused

TOLERANCE = 1e-9
"""Of the largest element. Forward passes run the same kernels in the same order. Where a value is used twice, its
gradients may be added up in another order. In double precision that, amplified by norms, stays far below this."""
BATCH = 3
UNJUDGED = ("E1", "E2", "E407")
"""Faults of the text that the interpreter does not look for, and a condition that archspec must decide too early."""
State = dict[str, Tensor]


@dataclass(frozen=True)
class Outcome:
    """What a comparison found. ``kind``: the name of a difference, or one of these.

    ``equal``; ``refused`` by both; ``not judged``, where archspec reports what the interpreter does not look for,
    such as faults in definitions that nothing uses; ``unrunnable``, where torch refuses to run both networks.
    """

    kind: str
    detail: str = ""
    exact: bool = False
    """Whether every value was the same bit for bit."""

    @property
    def differs(self) -> bool:
        return self.kind not in ("equal", "refused", "not judged", "unrunnable")


class _Differs(Exception):
    """Two things that should be the same are not."""


def compare(text: str, path: Path | None = None, seed: int = 0) -> Outcome:
    """The outcome for a spec: its text, or also its path if it imports or extends files."""
    reason = ""
    network, graph = None, None
    try:
        network = interpret(text, path.parent if path else None, path.stem if path else None)
    except Refused as error:
        reason = str(error)
    try:
        graph = archspec.compile(path or text)
    except archspec.SpecError as error:
        first = next(each for each in error.diagnostics if each.severity == "error")
        if network is None:
            return Outcome("refused", f"{first.code} {first.message}; {reason}")
        if first.code.startswith(UNJUDGED) or network.unused:
            return Outcome("not judged", f"{first.code} {first.message}")
        return Outcome("only archspec refuses", f"{first.code} {first.message}")
    if network is None:
        return Outcome("only the interpreter refuses", reason)
    try:
        _structure(network, graph)
        with _chance_by_position():
            exact, ran = _values(network, graph, seed)
    except _Differs as error:
        return Outcome(str(error.args[0]), str(error.args[1]))
    return Outcome("equal" if ran else "unrunnable", exact=exact)


# -- structure ---------------------------------------------------------------------------------------------------------


def _same(what: str, ours: Iterable[object], theirs: Iterable[object]) -> None:
    ours, theirs = list(ours), list(theirs)
    if ours == theirs:
        return
    for place, (own, other) in enumerate(zip(ours, theirs, strict=False)):
        if own != other:
            raise _Differs(what, f"at {place}: archspec {other}, interpreter {own}")
    raise _Differs(what, f"archspec has {len(theirs)}, the interpreter {len(ours)}")


def _structure(network: Network, graph: Graph) -> None:
    nodes = network.kept()
    _same("node names", (network.plan.nodes[number].name for number in nodes), (node.name for node in graph.nodes))
    _same("shapes", (network.plan.shape(number) for number in nodes), (node.shape for node in graph.nodes))

    def elements(numbers: Iterable[int]) -> int:
        weights = {
            key: math.prod(shape)
            for number in numbers
            for name, (key, shape) in network.plan.nodes[number].keys().items()
            if name in network.plan.nodes[number].operation.weights
        }
        return sum(weights.values())

    counted = archspec.analyze(graph).totals.costs.params
    _same("parameter count", [elements(nodes)], [counted])
    trained = [number for number in nodes if not network.is_frozen(network.plan.nodes[number])]
    _same("trainable parameters", [elements(trained)], [archspec.analyze(graph).totals.costs.trainable])


# -- values ------------------------------------------------------------------------------------------------------------


def _values(network: Network, graph: Graph, seed: int) -> tuple[bool, bool]:
    """Whether all values are the same bit for bit, and whether the network runs at all."""
    models = [archspec.build(graph, seed=seed, flat=flat, dtype=torch.float64) for flat in (False, True)]
    shapes = network.keys()
    for model in models:
        _same("keys", shapes.items(), ((key, tuple(value.shape)) for key, value in model.state_dict().items()))
    drawn = torch.Generator().manual_seed(seed)
    state = {key: _random(key, value, drawn) for key, value in models[0].state_dict().items()}
    image = torch.randn(BATCH, *graph.input, generator=drawn, dtype=torch.float64)
    exact, ran = True, True
    for training in (False, True):
        own = _interpreted(network, state, image, training, seed)
        for model, form in zip(models, ("nested", "flat"), strict=True):
            if form == "flat" and not training:
                continue  # the same nodes as in training, without chance and statistics
            model.load_state_dict(state)
            other = _built(model.train(training), image, seed)
            where = f"{form}, {'train' if training else 'eval'}"
            if isinstance(own, str) or isinstance(other, str):
                if isinstance(own, str) != isinstance(other, str):
                    raise _Differs(
                        "one of them fails", f"{where}: archspec {str(other)[:200]}, interpreter {str(own)[:200]}"
                    )
                ran = False
                continue
            exact = _close(own, other, where) and exact
    return exact, ran


@contextmanager
def _chance_by_position() -> Iterator[None]:
    """Dropout draws by position. Torch's own draws in the order of memory, which is not part of the meaning."""

    def dropout(value: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or p == 0:
            return value
        return value * (torch.rand(value.shape, dtype=value.dtype) >= p) / (1 - p)

    own = torch.nn.functional.dropout
    torch.nn.functional.dropout = dropout  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.nn.functional.dropout = own


def _random(key: str, like: Tensor, drawn: torch.Generator) -> Tensor:
    """Values that hide nothing: no zeros, no ones, variances above zero."""
    if not like.is_floating_point():
        return torch.full_like(like, 5)
    value = torch.randn(like.shape, generator=drawn, dtype=like.dtype)
    return value.abs() + 0.5 if key.endswith("running_var") else value / max(1, math.prod(like.shape[1:])) ** 0.5


def _interpreted(network: Network, state: State, image: Tensor, training: bool, seed: int) -> dict[str, Tensor] | str:
    trained = {
        key
        for node in network.plan.nodes
        if not network.is_frozen(node)
        for name, (key, _) in node.keys().items()
        if name in node.operation.weights  # the weight and the bias of a frozen norm are buffers
    }
    own = {key: value.clone().requires_grad_(key in trained) for key, value in state.items()}
    image = image.clone().requires_grad_()
    torch.manual_seed(seed)
    try:
        outputs = network.run(own, image, training)
    except (RuntimeError, ValueError) as error:
        return str(error)
    weights = {key: value for key, value in own.items() if value.requires_grad}
    buffers = {key: own[key] for key in _buffers(network)}
    return _results(outputs, image, weights, buffers, seed)


def _buffers(network: Network) -> list[str]:
    nodes = [network.plan.nodes[number] for number in network.kept()]
    found = [key for node in nodes for name, (key, _) in node.keys().items() if name in node.operation.buffers]
    return list(dict.fromkeys(found))


def _built(model: fx.GraphModule, image: Tensor, seed: int) -> dict[str, Tensor] | str:
    model.zero_grad()
    image = image.clone().requires_grad_()
    torch.manual_seed(seed)
    try:
        outputs = model(image)
    except (RuntimeError, ValueError) as error:
        return str(error)
    trained = {key: parameter for key, parameter in model.named_parameters() if parameter.requires_grad}
    return _results(outputs, image, trained, dict(model.named_buffers()), seed)


def _results(
    outputs: dict[str, Tensor] | tuple[Tensor, ...] | Tensor, image: Tensor, weights: State, buffers: State, seed: int
) -> dict[str, Tensor]:
    """The outputs, the statistics, and the gradients of a random weighting of the outputs."""
    items = {"": outputs} if isinstance(outputs, Tensor) else outputs
    items = items if isinstance(items, dict) else {f"{key}": value for key, value in enumerate(items)}
    found = {f"output {key}": value for key, value in items.items()}
    drawn = torch.Generator().manual_seed(seed + 1)
    loss = sum((value * torch.randn(value.shape, generator=drawn, dtype=value.dtype)).sum() for value in found.values())
    gradients: list[Tensor | None] = [None] * (1 + len(weights))
    if isinstance(loss, Tensor) and loss.requires_grad:
        gradients = list(torch.autograd.grad(loss, [image, *weights.values()], allow_unused=True))
    result = {key: value.detach() for key, value in found.items()}
    result |= {f"buffer {key}": value.detach().clone() for key, value in buffers.items()}
    for key, gradient in zip(("input", *weights), gradients, strict=True):
        result[f"gradient of {key}"] = torch.zeros(()) if gradient is None else gradient
    return result


def _close(own: dict[str, Tensor], other: dict[str, Tensor], where: str) -> bool:
    """Whether all are the same bit for bit; raises if one differs by more than rounding."""
    if set(own) != set(other):
        raise _Differs("outputs", f"{where}: {sorted(set(own) ^ set(other))}")
    exact = True
    for key, value in own.items():
        if value.shape != other[key].shape:
            raise _Differs("shape of a value", f"{where}: {key}")
        if torch.equal(value, other[key]):
            continue
        exact = False
        bound = TOLERANCE * max(1.0, float(value.nan_to_num().abs().max()))
        if not torch.allclose(value, other[key], rtol=0, atol=bound, equal_nan=True):
            distance = float((value - other[key]).abs().max())
            raise _Differs("values", f"{where}: {key} by {distance:.3g}")
    return exact
