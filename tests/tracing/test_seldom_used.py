"""Operations that networks seldom use: two networks have the same form if, and only if, torch computes the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archspec.tracing.canonical_form import CanonicalForm
from archspec.tracing.canonicalize import canonicalize
from archspec.tracing.trace import trace
from archspec.verification.match import match

F = functional
SHAPE = (2, 8, 6, 6)

Call = Callable[..., Any]


class Network(nn.Module):
    """A network whose forward is a function of itself and the input. Parts are modules, parameters or plain tensors."""

    def __init__(self, function: Call, parts: dict[str, Any]) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def form(network: nn.Module) -> CanonicalForm:
    return canonicalize(trace(network.train(), torch.empty(SHAPE, device="meta")), frozenset(network.state_dict()))


def computed(network: nn.Module) -> Tensor:
    """The output of a network whose weights depend only on their shapes."""
    with torch.no_grad():
        for tensor in network.parameters():
            values = torch.randn(tensor.numel(), generator=torch.Generator().manual_seed(tensor.numel()))
            tensor.copy_(values.reshape(tensor.shape))
        found = network.train()(torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)))
    assert isinstance(found, Tensor)
    return found


def plain(function: Callable[[Tensor], Any]) -> Call:
    return lambda network, x: function(x)


def scale(*shape: int) -> Callable[[], dict[str, Any]]:
    return lambda: {"scale": nn.Parameter(torch.ones(shape))}


def constant(value: float) -> Callable[[], dict[str, Any]]:
    """A tensor outside the state dict."""
    return lambda: {"constant": torch.tensor(value)}


def table(first: float, *shape: int) -> Callable[[], dict[str, Any]]:
    """A buffer outside the state dict; its values count up from ``first``."""
    return lambda: {"table": nn.Buffer(torch.arange(math.prod(shape)).reshape(shape) + first, persistent=False)}


def nothing() -> dict[str, Any]:
    return {}


def recurrent() -> dict[str, Any]:
    return {"rnn": nn.LSTM(36, 4, batch_first=True)}


Writing = tuple[Call, Callable[[], dict[str, Any]]]


def weights_of(x: Tensor) -> Tensor:
    """Two numbers for each channel."""
    return torch.cat([x, torch.exp(x)], 1).mean((2, 3), keepdim=True)


def weighed_by_stack(x: Tensor) -> Tensor:
    """As SKNet does."""
    return (torch.stack([x, torch.tanh(x)], 1) * F.softmax(weights_of(x).view(2, 2, 8, 1, 1), dim=1)).sum(dim=1)


def weighed_by_slices(x: Tensor) -> Tensor:
    weights = F.softmax(weights_of(x).view(2, 2, 8), dim=1).view(2, 16, 1, 1)
    return x * weights[:, :8] + torch.tanh(x) * weights[:, 8:]


def weighed_with_axes_moved(x: Tensor) -> Tensor:
    """As ResNeSt does."""
    weights = F.softmax(weights_of(x).view(2, 1, 2, -1).transpose(1, 2), dim=1).reshape(2, -1)
    parts = torch.cat([x, torch.tanh(x)], 1).view(2, 2, 8, 6, 6)
    return (parts * weights.view(2, 2, 8, 1, 1)).sum(dim=1)


SAME: dict[str, list[Writing]] = {
    "nothing is done": [
        (plain(lambda x: x), nothing),
        (plain(lambda x: x + 0), nothing),
        (plain(lambda x: 1 * x / 1), nothing),
        (plain(lambda x: x - 0.0), nothing),
        (plain(lambda x: F.dropout(x, 0.5, training=False)), nothing),
        (plain(lambda x: F.dropout2d(x, 0.0)), nothing),
        (plain(lambda x: F.pad(x, (0, 0))), nothing),
        (plain(lambda x: torch.cat([x], 1)), nothing),
        (plain(lambda x: x[:, 0:8]), nothing),
        (plain(lambda x: x.expand(2, 8, 6, 6)), nothing),
    ],
    "a gate is expanded": [
        (plain(lambda x: x * x.mean((2, 3), keepdim=True)), nothing),
        (plain(lambda x: x * x.mean((2, 3), keepdim=True).expand_as(x)), nothing),
        (plain(lambda x: x.mean((2, 3), keepdim=True).expand(-1, -1, 6, 6) * x), nothing),
    ],
    "a sum is expanded on both sides": [
        (plain(lambda x: x.mean(2, keepdim=True) + x.mean(3, keepdim=True)), nothing),
        (plain(lambda x: x.mean(2, keepdim=True).expand_as(x) + x.mean(3, keepdim=True).expand_as(x)), nothing),
    ],
    "a sum of branches": [
        (plain(lambda x: torch.stack([x, torch.tanh(x), torch.exp(x)], 1).sum(1)), nothing),
        (plain(lambda x: x + torch.tanh(x) + torch.exp(x)), nothing),
    ],
    "a sum of groups": [
        (plain(lambda x: x.view(2, 2, 4, 6, 6).sum(dim=1)), nothing),
        (plain(lambda x: x[:, :4] + x[:, 4:]), nothing),
        (plain(lambda x: x.view(2, 2, 4, 6, 6)[:, 0] + x.view(2, 2, 4, 6, 6)[:, 1]), nothing),
        (plain(lambda x: x.view(2, 2, 4, 6, 6).sum(dim=1, keepdim=True).view(2, 4, 6, 6)), nothing),
    ],
    "branches weighed against each other": [
        (plain(weighed_by_stack), nothing),
        (plain(weighed_by_slices), nothing),
        (plain(weighed_with_axes_moved), nothing),
    ],
    "a multiple is added": [
        (plain(lambda x: torch.add(x, torch.tanh(x), alpha=2)), nothing),
        (plain(lambda x: x.add(torch.tanh(x), alpha=2)), nothing),
    ],
    "rounded down": [
        (plain(lambda x: torch.div(x, 3, rounding_mode="floor")), nothing),
        (plain(lambda x: x.div(3, rounding_mode="floor")), nothing),
    ],
    "a number first": [(plain(lambda x: 2 * x), nothing), (plain(lambda x: torch.mul(x, 2.0)), nothing)],
    "softmax": [
        (plain(lambda x: F.softmax(x, 1)), nothing),
        (plain(lambda x: x.softmax(dim=1)), nothing),
        (plain(lambda x: torch.softmax(x.permute(0, 2, 3, 1), -1).permute(0, 3, 1, 2)), nothing),
    ],
    "bounds": [(plain(lambda x: x.clamp(-1, 1)), nothing), (plain(lambda x: F.hardtanh(x)), nothing)],
    "axes moved": [(plain(lambda x: x.movedim(1, -1)), nothing), (plain(lambda x: x.permute(0, 2, 3, 1)), nothing)],
    "one channel": [
        (plain(lambda x: x[:, 7].unsqueeze(1)), nothing),
        (plain(lambda x: x[:, -1:]), nothing),
        (plain(lambda x: x.narrow(1, 7, 1)), nothing),
        (plain(lambda x: x.chunk(8, dim=1)[7]), nothing),
    ],
    "mean of channels": [
        (plain(lambda x: x.mean(1, keepdim=True)), nothing),
        (plain(lambda x: torch.mean(x, 1, True)), nothing),
        (plain(lambda x: x.mean(1).unsqueeze(1)), nothing),
    ],
    "a scale of channels": [
        (lambda m, x: m.scale * x, scale(8, 1, 1)),
        (lambda m, x: x * m.scale, scale(1, 8, 1, 1)),
    ],
    "a large table": [
        (lambda m, x: x * m.table, table(0.5, 8, 6, 6)),
        (lambda m, x: torch.mul(m.table, x), table(0.5, 8, 6, 6)),
    ],
    "a constant": [
        (lambda m, x: x * m.constant, constant(0.5)),
        (lambda m, x: torch.mul(m.constant, x), constant(0.5)),
    ],
    "results of several": [
        (lambda m, x: m.rnn(x.flatten(2))[0], recurrent),
        (lambda m, x: m.rnn(torch.flatten(x, 2))[0], recurrent),
    ],
}

DIFFERENT: dict[str, tuple[Writing, Writing]] = {
    "which is multiplied": (
        (plain(lambda x: torch.add(x, torch.tanh(x), alpha=2)), nothing),
        (plain(lambda x: torch.add(torch.tanh(x), x, alpha=2)), nothing),
    ),
    "whether it is multiplied": (
        (plain(lambda x: torch.add(x, torch.tanh(x), alpha=2)), nothing),
        (plain(lambda x: torch.add(x, torch.tanh(x))), nothing),
    ),
    "rounding": (
        (plain(lambda x: torch.div(x, 3, rounding_mode="floor")), nothing),
        (plain(lambda x: torch.div(x, 3, rounding_mode="trunc")), nothing),
    ),
    "minuend": ((plain(lambda x: 1 - x), nothing), (plain(lambda x: x - 1), nothing)),
    "divisor": ((plain(lambda x: 2 / (x.abs() + 1)), nothing), (plain(lambda x: (x.abs() + 1) / 2), nothing)),
    "minuend of a parameter": (
        (lambda m, x: m.scale - x, scale(8, 1, 1)),
        (lambda m, x: x - m.scale, scale(8, 1, 1)),
    ),
    "axis of a parameter": ((lambda m, x: x * m.scale, scale(6)), (lambda m, x: x * m.scale, scale(6, 1))),
    "shape of a product": (
        (lambda m, x: m.scale * x, scale(1, 1, 8, 1, 1)),
        (lambda m, x: m.scale * x, scale(1, 8, 1, 1)),
    ),
    "axis of a softmax": ((plain(lambda x: x.softmax(2)), nothing), (plain(lambda x: x.softmax(3)), nothing)),
    "precision of a softmax": (
        (plain(lambda x: F.softmax(x, 1, dtype=torch.float64)), nothing),
        (plain(lambda x: F.softmax(x, 1)), nothing),
    ),
    "softmax and its logarithm": (
        (plain(lambda x: F.log_softmax(x, 1)), nothing),
        (plain(lambda x: F.softmax(x, 1)), nothing),
    ),
    "bounds": ((plain(lambda x: x.clamp(0, 1)), nothing), (plain(lambda x: x.clamp(0, 2)), nothing)),
    "slopes by channel": (
        (lambda m, x: m.act(x), lambda: {"act": nn.PReLU(8)}),
        (lambda m, x: m.act(x), lambda: {"act": nn.PReLU(1)}),
    ),
    "what is padded with": (
        (plain(lambda x: F.pad(x, (1, 1))), nothing),
        (plain(lambda x: F.pad(x, (1, 1), value=1.0)), nothing),
    ),
    "how is padded": (
        (plain(lambda x: F.pad(x, (1, 1, 0, 0), mode="reflect")), nothing),
        (plain(lambda x: F.pad(x, (1, 1, 0, 0), mode="replicate")), nothing),
    ),
    "where is padded": ((plain(lambda x: F.pad(x, (1, 0))), nothing), (plain(lambda x: F.pad(x, (0, 1))), nothing)),
    "axes that are joined": (
        (plain(lambda x: torch.cat([x.transpose(2, 3), torch.tanh(x)], 1)), nothing),
        (plain(lambda x: torch.cat([x, torch.tanh(x)], 1)), nothing),
    ),
    "parts": ((plain(lambda x: x.chunk(2, 1)[0]), nothing), (plain(lambda x: x.chunk(2, 1)[1]), nothing)),
    "steps": ((plain(lambda x: x[:, ::2]), nothing), (plain(lambda x: x[:, 1::2]), nothing)),
    "picked by a list": ((plain(lambda x: x[:, [0, 2]]), nothing), (plain(lambda x: x[:, [0, 3]]), nothing)),
    "axes moved at once": (
        (plain(lambda x: x.movedim((1, 2), (2, 1))), nothing),
        (plain(lambda x: x.movedim((1, 2), (2, 3))), nothing),
    ),
    "mean of all": ((plain(lambda x: x.mean()), nothing), (plain(lambda x: x.mean((2, 3))), nothing)),
    "mean over the batch": (
        (plain(lambda x: x.mean(0, keepdim=True)), nothing),
        (plain(lambda x: x.mean(1, keepdim=True)), nothing),
    ),
    "expanded": (
        (plain(lambda x: x.mean((2, 3), keepdim=True).expand(2, 8, 6, 6)), nothing),
        (plain(lambda x: x.mean((2, 3), keepdim=True)), nothing),
    ),
    "expanded before a sum": (
        (plain(lambda x: x.mean((2, 3), keepdim=True).expand(2, 8, 6, 6) + x.mean((2, 3), keepdim=True)), nothing),
        (plain(lambda x: x.mean((2, 3), keepdim=True) + x.mean((2, 3), keepdim=True)), nothing),
    ),
    "which of two groups": (
        (plain(lambda x: x.view(2, 2, 4, 6, 6)[:, 0]), nothing),
        (plain(lambda x: x.view(2, 2, 4, 6, 6)[:, 1]), nothing),
    ),
    "groups or neighbors": (
        (plain(lambda x: x.view(2, 2, 4, 6, 6).sum(1)), nothing),
        (plain(lambda x: x.view(2, 4, 2, 6, 6).sum(2)), nothing),
    ),
    "weighed over branches or channels": (
        (plain(weighed_by_stack), nothing),
        (plain(lambda x: x * F.softmax(x.mean((2, 3), keepdim=True), 1) + torch.tanh(x)), nothing),
    ),
    "small tables": (
        (lambda m, x: x * m.table, table(0.5, 8, 1, 1)),
        (lambda m, x: x * m.table, table(1.5, 8, 1, 1)),
    ),
    "large tables": ((lambda m, x: x * m.table, table(0.5, 8, 6, 6)), (lambda m, x: x * m.table, table(1.5, 8, 6, 6))),
    "constants": ((lambda m, x: x * m.constant, constant(0.5)), (lambda m, x: x * m.constant, constant(0.25))),
    "which of several results": (
        (lambda m, x: m.rnn(x.flatten(2))[1][0], recurrent),
        (lambda m, x: m.rnn(x.flatten(2))[1][1], recurrent),
    ),
    "which of the largest": (
        (plain(lambda x: torch.topk(x, 2, 1).values), nothing),
        (plain(lambda x: torch.topk(x, 2, 1).indices), nothing),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_networks_that_compute_the_same_have_one_form(name: str) -> None:
    first, *others = [Network(function, parts()) for function, parts in SAME[name]]
    for other in others:
        torch.testing.assert_close(computed(other), computed(first))
        assert match(form(first), form(other)) is not None


@pytest.mark.parametrize("name", DIFFERENT)
def test_networks_that_compute_different_things_have_different_forms(name: str) -> None:
    one, other = (Network(function, parts()) for function, parts in DIFFERENT[name])
    with pytest.raises(AssertionError):
        torch.testing.assert_close(computed(one), computed(other))
    assert match(form(one), form(other)) is None
    assert match(form(one), form(one)) is not None
