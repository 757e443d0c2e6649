"""Weights start as torch.nn.init starts them, number by number."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from archspec.emit.initialize import INITIALIZERS, initialize
from archspec.operations.base import INIT, Weight
from archspec.operations.discovery import operations
from archspec.operations.shapes import Shape

REFERENCES: dict[str, Callable[[Tensor], Tensor]] = {
    "he-fan-out": lambda t: nn.init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"),
    "he-fan-in": lambda t: nn.init.kaiming_normal_(t, mode="fan_in", nonlinearity="relu"),
    "xavier": nn.init.xavier_uniform_,
    "normal": lambda t: nn.init.normal_(t, 0, 0.01),
    "truncated-normal": lambda t: nn.init.trunc_normal_(t, std=0.02),
    "torch": lambda t: nn.init.kaiming_uniform_(t, a=math.sqrt(5)),
}
SHAPES: dict[str, Shape] = {"conv": (32, 16, 3, 3), "linear": (10, 512)}


@pytest.mark.parametrize("word", REFERENCES)
@pytest.mark.parametrize("kind", SHAPES)
def test_weight_is_torchs_under_the_same_seed(kind: str, word: str) -> None:
    expected, found = torch.empty(SHAPES[kind]), torch.empty(SHAPES[kind])
    torch.manual_seed(7)
    REFERENCES[word](expected)
    torch.manual_seed(7)
    initialize(found, Weight(SHAPES[kind], kind), {kind: word})
    assert torch.equal(found, expected)


@pytest.mark.parametrize("word", REFERENCES)
def test_a_generator_takes_the_place_of_the_global_one(word: str) -> None:
    weight = Weight((16, 8), "linear")
    expected, found = torch.empty(16, 8), torch.empty(16, 8)
    torch.manual_seed(7)
    initialize(expected, weight, {"linear": word})
    before = torch.get_rng_state()
    initialize(found, weight, {"linear": word}, torch.Generator().manual_seed(7))
    assert torch.equal(found, expected)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("conv", {"out": 24, "kernel": 3, "groups": 4, "bias": True}, (8, 5, 5)),
        ("conv", {"out": 24, "kernel": (3, 5), "bias": True}, (8, 5, 5)),
        ("linear", {"out": 10}, (512,)),
        ("linear", {"out": 10}, (512, 4)),
    ],
)
def test_torch_words_are_what_torchs_own_layers_do(name: str, arguments: dict[str, object], shape: Shape) -> None:
    operation = operations()[name](**arguments)
    call = operation.torch((shape,))
    torch.manual_seed(3)
    layer = getattr(nn, "Linear" if name == "linear" else "Conv2d")(*call.args, **call.kwargs)
    torch.manual_seed(3)
    for key, weight in operation.weights((shape,)).items():
        found = torch.empty(weight.shape)
        initialize(found, weight, {"conv": "torch", "linear": "torch", "bias": "torch"})
        assert torch.equal(found, layer.get_parameter(key)), key


def test_what_init_leaves_out_has_the_default() -> None:
    for kind, shape in SHAPES.items():
        found = torch.empty(shape)
        torch.manual_seed(5)
        initialize(found, Weight(shape, kind), {})
        expected = torch.empty(shape)
        torch.manual_seed(5)
        REFERENCES[{"conv": "he-fan-out", "linear": "torch"}[kind]](expected)
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("weight", "init", "value"),
    [
        (Weight((4,), "one"), {}, 1),
        (Weight((4,), "zero"), {}, 0),
        (Weight((4, 1, 1), "constant:1e-06"), {}, 1e-6),
        (Weight((4,), "bias", fan_in=9), {"bias": "zero"}, 0),
        (Weight((4,), "linear_bias", fan_in=9), {"bias": "zero"}, 0),
    ],
)
def test_constants(weight: Weight, init: dict[str, str], value: float) -> None:
    found = torch.full(weight.shape, 5.0)
    initialize(found, weight, init)
    assert torch.equal(found, torch.full(weight.shape, value))


def test_a_parameter_that_needs_gradients_can_be_filled() -> None:
    for weight in (Weight((4, 4), "linear"), Weight((4,), "bias", fan_in=4), Weight((4,), "one")):
        parameter = nn.Parameter(torch.empty(weight.shape))
        initialize(parameter, weight, {})
        assert parameter.grad_fn is None


@pytest.mark.parametrize("init", [{"conv": "zero"}, {"conv": "kaiming"}, {"conv": 3}])
def test_an_unknown_word_is_refused(init: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no initializer for `conv`"):
        initialize(torch.empty(4, 4), Weight((4, 4), "conv"), init)


def test_the_words_of_the_language_are_the_words_of_the_table() -> None:
    assert set(INIT["conv"]) == set(INIT["linear"]) == set(INITIALIZERS) == set(REFERENCES)
