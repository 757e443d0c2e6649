"""What is equated is equal for every batch: the rules that rewrite calls, and code that holds for one size only."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import archspec
from archspec.tracing.trace import Untraceable
from archspec.verification.graphs import compare_graphs
from tests.support.equivalence import compiled
from tests.support.networks import RESIDUAL, Residual, verdict

F = functional
Function = Callable[[Tensor], Tensor]
BATCHES = (1, 2, 3, 4, 6)

ONE = (6, 1, 1)
"""An input of one position, where squeezing is flattening."""

FLATTENING: dict[str, Function] = {
    "flatten": lambda x: x.flatten(1),
    "torch.flatten": lambda x: torch.flatten(x, 1),
    "view of the size": lambda x: x.view(x.size(0), -1),
    "view of the shape": lambda x: x.view(x.shape[0], x.shape[1]),
    "view of -1": lambda x: x.view(-1, 6),
    "reshape of -1": lambda x: x.reshape(-1, 6),
    "reshape of the channels": lambda x: x.reshape(-1, x.size(1)),
    "constant batch": lambda x: x.view(2, -1),
    "constant shape": lambda x: x.reshape(2, 6),
    "constant batch of 1": lambda x: x.reshape(1, -1),
    "squeeze": lambda x: x.squeeze(),
    "torch.squeeze": torch.squeeze,
    "squeeze of axes": lambda x: x.squeeze(3).squeeze(2),
    "squeeze of negative axes": lambda x: x.squeeze(-1).squeeze(-1),
    "squeeze of the batch": lambda x: x.squeeze(0).flatten(-3),
    "squeeze of two axes": lambda x: x.squeeze((2, 3)),
    "mean": lambda x: x.mean((2, 3)),
    "mean of the last": lambda x: x.mean(-1).mean(-1),
    "mean of all but the channels": lambda x: x.mean((0, 2, 3)),
    "mean of the batch": lambda x: x.mean(0).flatten(),
    "pool and flatten": lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1),
    "pool and squeeze": lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(),
    "fixed pool": lambda x: F.avg_pool2d(x, 1).flatten(1),
    "max pool": lambda x: F.adaptive_max_pool2d(x, 1).flatten(1),
    "position": lambda x: x[:, :, 0, 0],
    "position of all": lambda x: x[..., 0, 0],
    "the first": lambda x: x[0].flatten(),
    "two of the batch": lambda x: x[:2].flatten(1),
    "many of the batch": lambda x: x[:100].flatten(1),
    "all of the batch": lambda x: x[:].flatten(1),
    "from the first": lambda x: x[0:].flatten(1),
    "the last two": lambda x: x[-2:].flatten(1),
    "every other": lambda x: x[::2].flatten(1),
    "narrow": lambda x: x.narrow(0, 0, 1).flatten(1),
    "split": lambda x: x.split(2)[0].flatten(1),
    "chunk": lambda x: x.chunk(2)[0].flatten(1),
    "split and joined": lambda x: torch.cat(x.split(2)).flatten(1),
    "expanded": lambda x: x.expand(2, -1, -1, -1).flatten(1),
    "expanded by -1": lambda x: x.expand(-1, -1, 1, 1).flatten(1),
    "broadcast": lambda x: (x + torch.zeros(2, 1, 1, 1)).flatten(1),
    "transposed": lambda x: x.transpose(0, 1).flatten(1),
    "transposed twice": lambda x: x.transpose(0, 1).transpose(1, 0).flatten(1),
    "transposed and viewed": lambda x: x.transpose(0, 1).reshape(x.size(0), -1),
    "permuted": lambda x: x.permute(0, 2, 3, 1).flatten(1),
    "permuted by the batch": lambda x: x.permute(2, 0, 1, 3).flatten(0, 1).flatten(1),
    "interpolated": lambda x: F.interpolate(x, scale_factor=1.0).flatten(1),
    "unflattened": lambda x: x.flatten(1).unflatten(1, (2, 3)).flatten(1),
    "unflattened and transposed": lambda x: x.flatten(1).unflatten(1, (2, 3)).transpose(1, 2).flatten(1),
    "half and half": lambda x: x.reshape(-1, 3).reshape(-1, 6),
    "rolled": lambda x: x.flatten(0).view(-1, 6),
    "viewed across the batch": lambda x: x.view(6, -1).t(),
    "viewed across and back": lambda x: x.view(6, -1, 1, 1).view(-1, 6),
    "shuffled": lambda x: F.channel_shuffle(x, 2).flatten(1),
    "padded": lambda x: F.pad(x, (0, 0)).flatten(1),
    "twice": lambda x: torch.cat([x, x]).flatten(1),
    "stacked": lambda x: torch.stack([x]).flatten(0, 1).flatten(1),
    "as another": lambda x: x.view_as(x).flatten(1),
    "contiguous": lambda x: x.contiguous().clone().flatten(1),
    "sum of parts": lambda x: torch.cat([x[:, :3], x[:, 3:]], 1).flatten(1),
    "parts swapped": lambda x: torch.cat([x[:, 3:], x[:, :3]], 1).flatten(1),
}

WIDE = (4, 2, 2)
"""An input whose axes are easily confused: 2 positions on each side, and for a batch of 2 or 4 more equal sizes."""

MOVING: dict[str, Function] = {
    "nothing": lambda x: x,
    "turned": lambda x: x.transpose(2, 3),
    "turned by name": lambda x: x.permute(0, 1, 3, 2),
    "turned twice": lambda x: x.mT.mT,
    "flat and back": lambda x: x.flatten(1).view(-1, 4, 2, 2),
    "flat and back for 2": lambda x: x.flatten().view(2, 4, 2, 2),
    "channels last and back": lambda x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2),
    "channels last and viewed": lambda x: x.permute(0, 2, 3, 1).reshape(x.shape),
    "batch and channels": lambda x: x.transpose(0, 1).reshape(x.shape),
    "batch and channels as one": lambda x: x.flatten(0, 1).view(-1, 4, 2, 2),
    "shuffled": lambda x: F.channel_shuffle(x, 2),
    "shuffled by hand": lambda x: x.view(x.size(0), 2, 2, 2, 2).transpose(1, 2).reshape(x.shape),
    "shuffled by a constant": lambda x: x.view(2, 2, 2, 2, 2).transpose(1, 2).reshape(2, 4, 2, 2),
    "shuffled with the batch": lambda x: x.view(-1, 2, 2, 2, 2).transpose(0, 1).reshape(x.shape),
    "padded and cut": lambda x: F.pad(x, (1, 1))[..., 1:-1],
    "the same size": lambda x: F.adaptive_avg_pool2d(x, 2),
    "the same size of a pool": lambda x: F.avg_pool2d(x, 1),
    "the same size of a max pool": lambda x: F.max_pool2d(x, 1),
    "one row": lambda x: x[:, :, :1].expand(-1, -1, 2, -1),
    "one example": lambda x: x[:1].expand(x.shape),
    "centered": lambda x: x - x.mean((2, 3), keepdim=True),
    "centered over the batch": lambda x: x - x.mean((0, 2, 3), keepdim=True),
    "centered over all": lambda x: x - x.mean((0, 1, 2, 3), keepdim=True),
    "normalized": lambda x: F.layer_norm(x, (2, 2)),
    "normalized by groups": lambda x: F.group_norm(x, 4),
    "normalized by instance": lambda x: F.instance_norm(x),
    "softmax of the channels": lambda x: x.softmax(1),
    "softmax of the batch": lambda x: x.softmax(0),
    "softmax of negative axes": lambda x: x.softmax(-3),
    "softmax moved": lambda x: x.movedim(1, -1).softmax(-1).movedim(-1, 1),
    "softmax of the batch moved": lambda x: x.transpose(0, 1).softmax(1).transpose(0, 1),
    "a matrix": lambda x: x @ torch.eye(2),
    "a row": lambda x: x * torch.tensor([1.0, 2.0]),
    "a column": lambda x: x * torch.tensor([1.0, 2.0]).view(2, 1),
    "by the batch": lambda x: x * torch.tensor([1.0, 2.0]).view(2, 1, 1, 1),
}


class Written(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@functools.cache
def graph_on(size: tuple[int, ...]) -> archspec.Graph:
    return compiled(f"input: [{', '.join(map(str, size))}]\nstages: []\nstem: [act]")


def equated(one: Function, other: Function, size: tuple[int, ...], batch: int = 2) -> bool:
    with contextlib.suppress(Untraceable):
        return compare_graphs(graph_on(size), Written(one), Written(other), batch)[0].held
    return False


def value(function: Function, x: Tensor) -> Tensor | None:
    try:
        return function(x)
    except (RuntimeError, IndexError, ValueError):
        return None


def equal(one: Function, other: Function, size: tuple[int, ...]) -> bool:
    """Whether two functions are equal, or both fail, for each batch."""
    for batch in BATCHES:
        x = torch.randn(batch, *size, generator=torch.Generator().manual_seed(batch))
        left, right = value(one, x), value(other, x)
        if left is None or right is None:
            if left is not right:
                return False
        elif left.shape != right.shape or not torch.allclose(left, right, rtol=1e-5, atol=1e-6):
            return False
    return True


def shape(function: Function, size: tuple[int, ...]) -> torch.Size | None:
    result = value(function, torch.ones(2, *size))
    return None if result is None else result.shape


def always(function: Function, size: tuple[int, ...]) -> bool:
    """Whether a function runs for every batch, as a spec's network does."""
    return all(value(function, torch.ones(batch, *size)) is not None for batch in BATCHES)


def assert_equated_are_equal(first: Function, functions: dict[str, Function], size: tuple[int, ...]) -> None:
    for name, second in functions.items():
        if shape(first, size) == shape(second, size) and equated(first, second, size):
            assert equal(first, second, size), name


@pytest.mark.parametrize("first", ["flatten", "mean", "max pool", "transposed", "parts swapped", "shuffled"])
def test_ways_to_flatten(first: str) -> None:
    assert_equated_are_equal(FLATTENING[first], FLATTENING, ONE)


@pytest.mark.parametrize("first", ["nothing", "turned", "batch and channels", "shuffled", "centered", "softmax moved"])
def test_ways_to_move_elements(first: str) -> None:
    assert_equated_are_equal(MOVING[first], MOVING, WIDE)


@pytest.mark.parametrize(
    "same",
    [
        ("flatten", "torch.flatten", "view of the size", "view of -1", "reshape of the channels", "squeeze of axes"),
        ("flatten", "squeeze of two axes", "position", "all of the batch", "from the first", "unflattened"),
        ("mean", "pool and flatten"),
    ],
    ids=" = ".join,
)
def test_what_is_the_same_is_equated(same: tuple[str, ...]) -> None:
    for one, other in itertools.combinations(same, 2):
        assert equated(FLATTENING[one], FLATTENING[other], ONE), (one, other)


STEPS: dict[str, Function] = {
    "flatten": lambda x: x.flatten(1),
    "squeeze": lambda x: x.squeeze(),
    "unsqueeze": lambda x: x.unsqueeze(-1),
    "transpose": lambda x: x.transpose(0, 1),
    "last": lambda x: x.transpose(-1, -2),
    "view": lambda x: x.reshape(2, -1),
    "rows": lambda x: x.reshape(-1, 4),
    "first": lambda x: x[:1],
    "two": lambda x: x[:2],
    "columns": lambda x: x[..., :2],
    "mean": lambda x: x.mean(-1, keepdim=True),
    "join": lambda x: torch.cat([x, x], 0),
    "softmax": lambda x: x.softmax(-1),
    "all": lambda x: x.flatten(),
}


def chain(names: list[str]) -> Function:
    def function(x: Tensor) -> Tensor:
        for name in names:
            x = STEPS[name](x)
        return x

    return function


@given(*[st.lists(st.sampled_from([*STEPS]), max_size=4)] * 2, st.integers(2, 4))
@settings(max_examples=100)
def test_chains_that_are_equated_are_equal(one: list[str], other: list[str], batch: int) -> None:
    left, right = chain(one), chain(other)
    for size in (ONE, WIDE):
        if always(left, size) and shape(left, size) == shape(right, size) and equated(left, right, size, batch):
            assert equal(left, right, size)


class Squeezed(Residual):
    def head(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(x, 1).squeeze()
        return self.part("fc")(F.dropout(x, 0.2, self.training))  # type: ignore[no-any-return]


class Fixed(Residual):
    def head(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(x, 1).reshape(2, 12)
        return self.part("fc")(F.dropout(x, 0.2, self.training))  # type: ignore[no-any-return]


@pytest.mark.parametrize("reference", [Squeezed, Fixed])
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_a_network_that_is_equal_for_one_batch(reference: type[Residual], batch: int) -> None:
    found = verdict(reference(), RESIDUAL, batch=batch)
    assert not found.holds("graph")
    assert not found.holds("outputs")
    assert {fault.code for fault in found.diagnostics} <= {"E906", "E907", "E908", "E909"}


def _own_forward(m: nn.Module) -> None:
    m.register_forward_hook(lambda part, inputs, output: output * 2 if len(output) > 20 else None)


def _own_input(m: nn.Module) -> None:
    m.register_forward_pre_hook(lambda part, inputs: (inputs[0] * 2,) if len(inputs[0]) > 20 else None)


def _backward(m: nn.Module) -> None:
    part = next(part for part in m.modules() if isinstance(part, nn.Conv2d))
    part.register_full_backward_hook(lambda part, wanted, found: (wanted[0] * 2,) if len(found[0]) > 20 else None)


def _backward_before(m: nn.Module) -> None:
    m.register_full_backward_pre_hook(lambda part, found: (found[0] * 2,) if len(found[0]) > 20 else None)


@pytest.mark.parametrize("entered", [True, False])
@pytest.mark.parametrize("hook", [_own_forward, _own_input, _backward, _backward_before])
def test_a_hook_that_seldom_changes_something_is_no_proof(hook: Callable[[nn.Module], None], entered: bool) -> None:
    network = compiled(RESIDUAL)
    reference = Residual() if entered else archspec.build(network)
    assert archspec.verify(network, reference).holds()
    hook(reference)
    found = archspec.verify(network, reference)
    assert (found.levels["graph"], found.levels["outputs"], found.holds()) == (False, True, False)
