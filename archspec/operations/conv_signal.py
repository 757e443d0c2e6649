"""How a signal and its gradient pass through a convolution at initialization: plain, transposed or standardized."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from archspec.operations.base import Weight
from archspec.operations.borders import bordered, unbordered
from archspec.operations.fans import bias_variance, weight_variance
from archspec.operations.following import layered
from archspec.operations.profiles import along, reached, root, seen
from archspec.operations.signal import Back, Gradient, Law, Signal, Usage, averaged, joined, mixed, regrouped
from archspec.operations.windows import Windows


class Filter(NamedTuple):
    """The weights of a convolution at its start.

    ``taps`` is the variance of a sum over all weights of an output channel, ``back`` that over all weights of an input
    channel, and ``bias`` that of the biases. ``read`` is how many input channels an output channel reads. ``zero_sum``:
    the weights of an output channel sum to zero. ``mode`` is what the padding contains.
    """

    windows: Windows
    taps: float
    back: float
    bias: float
    read: int
    transposed: bool
    zero_sum: bool
    mode: str


def filter_of(
    windows: Windows,
    weights: Mapping[str, Weight],
    init: Mapping[str, Any],
    *,
    groups: int,
    transposed: bool,
    mode: str,
    standardized: tuple[float, float | None] | None,
) -> Filter:
    """What the rules ask. ``standardized`` are the ``eps`` and, with a gain, the factor of the weights."""
    first, second, *kernel = weights["weight"].shape
    variance = weight_variance(weights["weight"].shape, weights["weight"].start(init))
    if standardized is not None:
        eps, scale = standardized
        variance = variance / (variance + eps) * (1.0 if scale is None else scale * scale)
    read, written = (first // groups, second) if transposed else (second, first // groups)
    each = variance * math.prod(kernel)
    start = weights.get("bias")
    spread = bias_variance(start.fan_in, start.start(init)) if start else 0.0
    zero_sum = standardized is not None
    return Filter(windows, each * read, each * written, spread, read, transposed, zero_sum, mode)


def forward(filter: Filter, usage: Usage, value: Signal) -> Signal:
    """The law of its output."""
    channels, out = usage.inputs[0][0], usage.output[0]
    found = []
    for law in value if filter.read == 1 else (mixed(value),):
        size, windows = usage.inputs[0][1:], filter.windows
        if filter.mode != "zeros":
            law = bordered(law, size, windows, filter.mode)
            size, windows = windows.padded(size), windows.inner
        if filter.transposed:
            gain, profile = reached(law.profile, usage.output[1:], size, windows)
            level = along(law.profile, usage.output[1:], size, windows)
        else:
            gain, level, profile = seen(law.profile, size, usage.output[1:], windows)
        same, power = law.level, law.power
        if filter.zero_sum:
            # Weights of zero sum do not see what all their inputs have in common, apart from the borders.
            shared = law.mean * law.mean + law.between / filter.read
            inside = gain - gain * gain * math.prod([_square(axis) for axis in profile])
            power -= shared * (1 - inside / gain) if gain else 0.0
            same -= shared
        power, common = filter.taps * gain * power, filter.taps * level * same
        between = min(common / root(profile) ** 2 if common else 0.0, power)
        fixed = filter.taps * gain * (same + law.fixed) - common
        found.append(
            Law(out * law.channels // channels, 0.0, power - between, between + filter.bias, (), profile, fixed)
        )
    return joined(found)


def _square(axis: tuple[float, ...]) -> float:
    return sum([each * each for each in axis]) / len(axis) if axis else 1.0


def backward(filter: Filter, usage: Usage, value: Signal, result: Signal, back: Gradient) -> Gradient:
    """The gradient with respect to its input."""
    before, after = usage.positions
    channels, out = usage.inputs[0][0], usage.output[0]
    found = []
    for each in back if filter.read == 1 else (averaged(result, back),):
        size, windows = usage.inputs[0][1:], filter.windows
        if filter.mode != "zeros":
            size, windows = windows.padded(size), windows.inner
        if filter.transposed:
            gain, _, profile = seen(each.profile, usage.output[1:], size, windows)
            shared = each.shared * gain
        else:
            gain, profile = reached(each.profile, size, usage.output[1:], windows)
            shared = each.shared * gain * min(after / before, 1.0)
        arrived = Back(filter.back * gain * each.energy, filter.back * shared, (), profile)
        if filter.mode != "zeros":
            arrived = unbordered(arrived, usage.inputs[0][1:], filter.windows, filter.mode)
        found.append(arrived)
    if len(found) == 1:
        (whole,) = found
        if back[0].following and len(result) == 1 and filter.read == channels and not filter.zero_sum:
            whole = layered(whole, value, before, result[0], back[0], after, filter.bias)
        return (whole,) * len(value)
    source = tuple([law._replace(channels=law.channels * channels // out) for law in result])
    return regrouped(source, tuple(found), value)
