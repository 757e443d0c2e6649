"""Receptive fields behind adaptive pools, also those that enlarge, against the support of gradients in torch."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

import archspec
from archspec.analysis.receptive_field import MAX_PATTERN, ReceptiveField
from tests.support.equivalence import compiled

Layer = tuple[str, int] | tuple[str, int, int, int]
"""``("pool", output)`` or ``("conv", kernel, stride, padding)``, along one axis."""


def text_of(size: int, layers: list[Layer]) -> str:
    steps = []
    for layer in layers:
        if layer[0] == "pool":
            steps.append(f"pool: {{type: avg, output: {layer[1]}}}")
        else:
            _, kernel, stride, padding = layer
            steps.append(f"conv: {{out: 1, kernel: {kernel}, stride: {stride}, padding: {padding}}}")
    return f"input: [1, {size}]\nstem: [{', '.join(f'{{{step}}}' for step in steps)}]\nstages: []\nhead: []\n"


def field_of(size: int, layers: list[Layer]) -> ReceptiveField:
    found = archspec.analyze(compiled(text_of(size, layers))).receptive_field
    assert found is not None
    return found


def seen(size: int, layers: list[Layer]) -> list[tuple[int, int] | None]:
    """What each position of the output sees: the support of its gradient; None if it reads padding on the way.

    All weights are positive, so nothing cancels. Padding is NaN, and so is what is computed from it.
    """
    pixels = torch.ones(1, 1, size, dtype=torch.float64, requires_grad=True)
    value: torch.Tensor = pixels
    for layer in layers:
        if layer[0] == "pool":
            value = nn.functional.adaptive_avg_pool1d(value, layer[1])
        else:
            _, kernel, stride, padding = layer
            value = nn.functional.pad(value, (padding, padding), value=torch.nan)
            value = nn.functional.conv1d(value, torch.ones(1, 1, kernel, dtype=torch.float64), None, stride)
    found: list[tuple[int, int] | None] = []
    for each in value[0, 0]:
        (gradient,) = torch.autograd.grad(each, pixels, retain_graph=True)
        touched = gradient[0, 0].nonzero().flatten()
        found.append(None if each.isnan() else (int(touched[0]), int(touched[-1])))
    return found


@st.composite
def networks(draw: st.DrawFn, padded: bool) -> tuple[int, list[Layer]]:
    """An input's size and layers that fit it: up to two convolutions, a pool, and more of both."""
    size = now = draw(st.integers(3, 24))
    layers: list[Layer] = []
    first = draw(st.integers(0, 2))
    for number in range(first + draw(st.integers(1, 5))):
        if not now:
            break
        if number == first or (number > first and draw(st.booleans())):
            now = draw(st.integers(2, 24))
            layers.append(("pool", now))
        else:
            kernel, stride = draw(st.integers(1, min(now, 4))), draw(st.integers(1, 3))
            padding = draw(st.integers(0, kernel // 2)) if padded else 0
            layers.append(("conv", kernel, stride, padding))
            now = (now + 2 * padding - kernel) // stride + 1
    return size, layers if now else layers[:-1]


@given(networks(padded=False))
@example((1, [("pool", 3)]))
@example((3, [("pool", 5)]))
@example((7, [("pool", 14), ("conv", 3, 1, 0), ("pool", 5), ("conv", 2, 2, 0)]))
@example((10, [("pool", 4), ("pool", 10)]))
@example((24, [("pool", 23), ("pool", 22), ("pool", 21), ("pool", 24)]))
@settings(max_examples=300, deadline=None)
def test_without_padding_every_position_is_exact(network: tuple[int, list[Layer]]) -> None:
    """The size is the largest of all positions, and the center that of the first."""
    if not network[1]:
        return
    spans = [span for span in seen(*network) if span]
    found = field_of(*network)
    assert found.size == max(last - first + 1 for first, last in spans)
    assert found.center == ((spans[0][0] + spans[0][1]) / 2,)


@given(networks(padded=True))
@example((1, [("pool", 3), ("conv", 3, 1, 1)]))
@settings(max_examples=200, deadline=None)
def test_with_padding_no_position_sees_more(network: tuple[int, list[Layer]]) -> None:
    spans = [span for span in seen(*network) if span]
    assert field_of(*network).size >= max([last - first + 1 for first, last in spans], default=0)


@given(st.integers(1, 9), st.integers(2, 9), st.integers(1, 3), st.integers(0, 1), st.sampled_from([1, 3]))
@settings(max_examples=100, deadline=None)
def test_away_from_the_borders_a_long_map_repeats(size: int, output: int, stride: int, pad: int, kernel: int) -> None:
    """Size and stride of a long map between padded convolutions are those of the positions that read no padding."""
    times = 24
    layers: list[Layer] = [("conv", 3, 1, 1), ("pool", output * times), ("conv", kernel, stride, pad)]
    found, spans = field_of(size * times, layers), seen(size * times, layers)
    inside = [span for span in spans if span]
    assert found.size == max(last - first + 1 for first, last in inside)
    pattern = output  # so many positions further, `size * stride` further in the input
    begin = spans.index(inside[0])
    assert inside[pattern][0] - inside[0][0] == size * stride == spans[begin + pattern][1] - spans[begin][1]  # type: ignore[index]
    assert found.stride == pytest.approx(float(Fraction(size * stride, output)), rel=1e-15)


# By hand: the input's size, the layers, and the size and the stride of the field.
BY_HAND: list[tuple[int, list[Layer], int, float]] = [
    (1, [("pool", 3)], 1, 1 / 3),  # one position, three times
    (2, [("pool", 4)], 1, 0.5),
    (2, [("pool", 3)], 2, 2 / 3),  # the middle one reads both
    (3, [("pool", 5)], 2, 0.6),
    (4, [("conv", 2, 2, 0), ("pool", 4)], 2, 1),
    (8, [("conv", 2, 2, 0), ("pool", 8), ("conv", 3, 1, 1)], 4, 1),
    (5, [("pool", 3)], 3, 5 / 3),
    (8, [("pool", 7)], 2, 8 / 7),
]


@pytest.mark.parametrize(("size", "layers", "extent", "stride"), BY_HAND, ids=str)
def test_fields_by_hand(size: int, layers: list[Layer], extent: int, stride: float) -> None:
    found = field_of(size, layers)
    assert (found.size, found.stride) == (extent, stride)


def test_each_axis_has_its_own_pool() -> None:
    text = "input: [1, 6, 4]\nstem: [pool: {type: avg, output: [4, 8]}]\nstages: []\nhead: []\n"
    found = archspec.analyze(compiled(text)).receptive_field
    assert found is not None
    assert (found.size, found.stride, found.center) == ((2, 1), (1.5, 0.5), (0.5, 0.0))


def test_vgg_at_another_size_has_a_field_behind_its_pool() -> None:
    """At 256 the last map has 8 positions, of which the pool makes 7; its windows of two are 32 pixels further."""
    before: Any = archspec.analyze("vgg11").receptive_field
    found: Any = archspec.analyze("vgg11", input=(3, 256, 256)).receptive_field
    assert (before.scope, found.scope) == ("avgpool", "avgpool")
    assert (found.size, found.stride) == (before.size + 32, 32 * 8 / 7)
    totals = archspec.analyze("vgg11", input=(3, 256, 256)).totals
    assert totals.activations_without_global_pools == totals.costs.activations


def test_a_pattern_that_does_not_repeat_counts_as_everything() -> None:
    sizes = (MAX_PATTERN - 1, MAX_PATTERN + 1)
    found = [archspec.analyze(compiled(text_of(2 * size - 1, [("pool", size)]))).receptive_field for size in sizes]
    assert [each and each.scope for each in found] == ["avgpool", None]


def test_many_pools_end_in_time() -> None:
    """The patterns of thousands of pools would have a length with thousands of digits."""
    layers = [("pool", 230 + number % 23) for number in range(600)]
    found = archspec.analyze(compiled(text_of(255, layers))).receptive_field  # type: ignore[arg-type]
    assert found is not None
    assert found.scope == "avgpool600"
