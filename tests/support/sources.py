"""Source that archspec writes, run and compared with what it builds."""

from __future__ import annotations

import re
import tempfile
import types
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import archspec
from archspec.graph.graph import Graph
from archspec.graph.state import state
from tests.support.paths import ROOT

TARGETS = {
    name
    for path in (ROOT / "archspec" / "operations").glob("*.py")
    for name in re.findall(r'"archspec\.emit\.\w+\.(\w+)"', path.read_text(encoding="utf-8"))
}
"""The names of archspec's own classes and functions that operations call."""


def executed(source: str, name: str = "written") -> types.ModuleType:
    """The module that a text is. Its annotations are evaluated, though those of this file are not."""
    module = types.ModuleType(name)
    exec(compile(source, f"{name}.py", "exec", dont_inherit=True), module.__dict__)
    return module


def written_names(graph: archspec.Graph, path: Path, target: str) -> dict[str, Any]:
    """What a written source defines; a class of the network is also called ``Model``."""
    archspec.write(graph, path, to=target)
    module = executed(path.read_text(encoding="utf-8"), path.stem)
    return {**vars(module), **({"Model": network_class(module)} if target == "python" else {})}


def network_class(module: types.ModuleType) -> type[nn.Module]:
    """The last class, which is the network."""
    classes = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    assert issubclass(classes[-1], nn.Module)
    return classes[-1]


def keys(module: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    return [(key, tuple(tensor.shape)) for key, tensor in module.state_dict().items()]


def assert_same_keys(source: str, graph: Graph) -> None:
    """The state dict has the keys, the order and the shapes of the network. Nothing is allocated."""
    with torch.device("meta"):
        made = network_class(executed(source))()
    assert keys(made) == [(key, tuple(tensor.shape)) for key, tensor in state(graph).items()]


def assert_same_network(
    source: str, graph: Graph, size: tuple[int, ...] | None = None, batch: int = 2, sums: float = 0.0
) -> None:
    """Equal weights from equal seeds, then equal outputs, gradients and statistics, bit for bit.

    Args:
        source: the text.
        graph: the network from which it was written.
        size: the spatial size to run at; by default the network's.
        batch: the number of examples.
        sums: how far apart gradients may be, relative to the largest value of each: where several branches read a
            value, its gradients are added in the order in which the branches run.
    """
    torch.manual_seed(1)
    made = network_class(executed(source))()
    draw = getattr(made, "init_weights", None)
    if draw is not None:
        torch.manual_seed(1)
        draw()
    built = archspec.build(graph, seed=1)
    _assert_equal(dict(made.state_dict()), dict(built.state_dict()))
    shape = (batch, graph.input[0], *(size or graph.input[1:]))
    images = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    for mode in (True, False):
        results = [_results(network.train(mode), images) for network in (made, built)]
        _assert_equal(*results, sums=sums)


def assert_proved(source: str, graph: Graph, exactly: bool = True) -> None:
    """`archspec verify` finds the file equal on every level, and if ``exactly`` its outputs without a difference."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a file.py")
        path.write_text(source, encoding="utf-8")
        verdict = archspec.verify(graph, f"{path}:{network_class(executed(source)).__name__}")
    assert verdict.holds("keys", "graph", "outputs")
    assert verdict.outputs
    assert not exactly or not any(gap.largest for gap in verdict.outputs.gaps.values())


SUMS = 1e-5
"""How far apart gradients may be, relative to the largest of a tensor, where branches run in another order."""


def assert_source(graph: Graph) -> bool:
    """The readable source gives the network, and `archspec verify` proves it; whether all is equal, bit for bit."""
    source = archspec.source(graph)
    exactly = True
    try:
        assert_same_network(source, graph)
    except AssertionError:
        assert_same_network(source, graph, sums=SUMS)
        exactly = False
    assert_proved(source, graph, exactly)
    return exactly


def _results(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """What a network gives and learns: its outputs, the gradients of the input and the weights, and its buffers."""
    network.zero_grad()
    images = images.clone().requires_grad_()
    torch.manual_seed(3)
    output = network(images * 1)  # a network may write over what it is given
    outputs = {"output": output} if isinstance(output, Tensor) else output
    outputs = dict(enumerate(outputs)) if isinstance(outputs, tuple) else outputs
    torch.manual_seed(4)
    sum((each * torch.randn_like(each)).sum() for each in outputs.values()).backward()  # type: ignore[union-attr]
    found = {f"output {label}": value.detach() for label, value in outputs.items()}
    found |= {f"gradient of {name}": each.grad for name, each in network.named_parameters() if each.grad is not None}
    if images.grad is not None:
        found["gradient of the input"] = images.grad
    return found | {f"buffer {name}": each.clone() for name, each in network.named_buffers()}


def _assert_equal(first: dict[str, Tensor], second: dict[str, Tensor], sums: float = 0.0) -> None:
    assert list(first) == list(second)
    different = [key for key, value in first.items() if not _are_equal(value, second[key], sums * ("gradient" in key))]
    assert not different, f"{len(different)} differ: {different[:3]}"


def _are_equal(first: Tensor, second: Tensor, rounding: float) -> bool:
    if not rounding or first.shape != second.shape:
        return torch.equal(first, second)
    return torch.allclose(first, second, rtol=0, atol=rounding * second.abs().max().item())
