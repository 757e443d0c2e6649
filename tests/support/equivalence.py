"""Comparing a compiled network with a hand-written module: keys, outputs, gradients, statistics, bit for bit."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

import archspec

torch.set_num_threads(1)  # sums are taken in one order, whatever machine this is

Result = Tensor | Mapping[str, Tensor]


def spec(text: str) -> str:
    """A whole spec from what makes it different; the text may be indented."""
    return f"archspec: 1\nname: tested\n{textwrap.dedent(text).lstrip()}"


def compiled(text: str) -> archspec.Graph:
    """The graph of a spec given by what makes it different."""
    return archspec.compile(spec(text))


def codes(found: archspec.Graph | archspec.SpecError) -> list[str]:
    """The codes of a graph's warnings, or of the faults that refused a spec."""
    return [d.code for d in (found.warnings if isinstance(found, archspec.Graph) else found.diagnostics)]


def assert_network(text: str, reference: nn.Module, *, by: str = "keys") -> fx.GraphModule:
    """A spec builds what ``reference`` does, nested and flat; the compiled graph agrees about shapes and parameters.

    Args:
        text: what makes the spec different, for :func:`spec`.
        reference: a module of the same network; its weights are changed.
        by: ``keys`` where both call their weights alike and in one order, ``sets`` where they call them alike,
            ``order`` where they only have the same shapes in the same order.

    Returns:
        The nested model.
    """
    graph = compiled(text)
    scramble(reference)
    example = torch.randn(2, *graph.input, generator=torch.Generator().manual_seed(1))
    for flat in (True, False):
        model = archspec.build(graph, seed=0, flat=flat)
        transfer(reference, model, by)
        assert_equivalent(model, copy.deepcopy(reference), example, by=by)
    if graph.single:
        with torch.no_grad():
            assert tuple(model.eval()(example).shape[1:]) == graph.output
    counted = sum(w.shape.numel() for w in reference.parameters())
    assert sum(weights(graph).values()) == counted
    return model


def weights(graph: archspec.Graph) -> dict[str, int]:
    """How many parameters each node of a graph has; a node that shares the weights of an earlier node counts 0."""
    found = dict.fromkeys(graph.borrowing, 0)
    for node in graph.nodes:
        if node.name in graph.borrowing:
            continue
        shapes = [torch.Size(w.shape) for w in node.operation.weights(graph.input_shapes(node)).values()]
        found[node.name] = sum(shape.numel() for shape in shapes)
    return found


def scramble(module: nn.Module, seed: int = 0) -> None:
    """Give scales, biases and running statistics values that none of them starts with, so that none can be mixed up."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name.endswith("running_var") or (name.endswith("weight") and value.dim() == 1):
                value.uniform_(0.5, 1.5, generator=generator)
            elif value.is_floating_point() and value.dim() == 1:
                value.normal_(0, 0.1, generator=generator)
            elif value.is_floating_point() and value.dim() > 1:
                spread = max(value[0].numel(), 1) ** -0.5
                value.normal_(0, spread, generator=generator)


def transfer(source: nn.Module, target: nn.Module, by: str) -> None:
    """Copy the weights and buffers of ``source`` into ``target``."""
    given, wanted = source.state_dict(), target.state_dict()
    if by == "keys":
        assert list(wanted) == list(given)
    elif by == "sets":
        assert set(wanted) == set(given)
    else:
        assert [value.shape for value in wanted.values()] == [value.shape for value in given.values()]
        given = dict(zip(wanted, given.values(), strict=True))
    target.load_state_dict(given)


def assert_equivalent(
    found: nn.Module, wanted: nn.Module, example: Tensor, *, by: str = "keys", lr: float = 0.01
) -> None:
    """Two models with equal weights give equal results before, during and after one step of training.

    Compared are the outputs in eval and in train mode (random numbers drawn from equal seeds), the gradients of the
    input and of every parameter, and all weights and running statistics after a step of SGD, which takes a small ``lr``
    where the network is deep.
    """
    for model in (found, wanted):
        model.eval()
    with torch.no_grad():
        assert_same(found(example), wanted(example), "eval")
    steps = [_step(model, example.clone(), lr) for model in (found, wanted)]
    for mode, one, other in zip(("train", "gradient of the input"), *steps, strict=True):
        assert_same(one, other, mode)
    order = sorted if by == "sets" else list
    names = zip(order(dict(found.named_parameters())), order(dict(wanted.named_parameters())), strict=True)
    for one, other in names:
        assert_same(found.get_parameter(one).grad, wanted.get_parameter(other).grad, f"gradient of {one}")
    left, right = found.state_dict(), wanted.state_dict()
    for one, other in zip(order(left), order(right), strict=True):
        assert_same(left[one], right[other], f"{one} after a step")
    for model in (found, wanted):
        model.eval()
    with torch.no_grad():
        assert_same(found(example), wanted(example), "eval after a step")


def _step(model: nn.Module, example: Tensor, lr: float) -> tuple[Result, Tensor]:
    """One step of SGD on ``model``: its output in training mode and the input's gradient."""
    model.train()
    example.requires_grad_()
    optimiser = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    torch.manual_seed(3)
    output = model(example)
    values = list(output.values()) if isinstance(output, Mapping) else [output]
    generator = torch.Generator().manual_seed(2)
    loss = sum((value * torch.randn(value.shape, generator=generator)).sum() for value in values)
    assert isinstance(loss, Tensor)
    loss.backward()
    optimiser.step()
    assert example.grad is not None
    return output, example.grad


def assert_same(found: Any, wanted: Any, what: str) -> None:
    """Two tensors, or mappings of tensors, are equal in every bit, and finite."""
    if isinstance(wanted, Mapping):
        assert list(found) == list(wanted), what
        for key, value in wanted.items():
            assert_same(found[key], value, f"{what}: {key}")
        return
    assert (found is None) == (wanted is None), what
    if wanted is None:
        return
    assert found.shape == wanted.shape, what
    assert wanted.isfinite().all(), f"{what}: the reference is not finite"
    difference = "" if torch.equal(found, wanted) else f"largest difference {(found - wanted).abs().max():.3g}"
    assert not difference, f"{what}: {difference}"
