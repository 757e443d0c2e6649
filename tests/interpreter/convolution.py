"""Convolutions in plain torch: what is padded, whether they enlarge, and whether their weights are standardized."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from tests.interpreter.expressions import Names, integer, number, truth, word
from tests.interpreter.operation import Arguments, Operation, State, at_least, channels_of, no_others, sizes, spatial
from tests.interpreter.reading import Refused

KNOWN = {
    *("out", "kernel", "stride", "padding", "dilation", "groups", "bias", "padding_mode", "transposed"),
    *("output_padding", "standardized", "gain", "gamma", "eps"),
}
MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}
Pair = tuple[int, int]


def by_side(
    given: Any, names: Names, size: tuple[int, ...], windows: list[tuple[int, int, int]], removes: bool = False
) -> list[Pair]:
    """What is padded before and after each axis. ``windows`` are the kernel, the stride and the dilation along each.

    A negative padding ``removes`` positions, or is refused.
    """
    if given == "valid":
        return [(0, 0)] * len(size)
    if given == "same":
        found = []
        for length, (kernel, stride, dilation) in zip(size, windows, strict=True):
            total = max((math.ceil(length / stride) - 1) * stride + dilation * (kernel - 1) + 1 - length, 0)
            found.append((total // 2, total - total // 2))
        return found
    axes = given if isinstance(given, list) else [given] * len(size)
    if len(axes) != len(size):
        raise Refused(f"{given} has not a padding for each axis")
    pairs = [axis if isinstance(axis, list) else [axis, axis] for axis in axes]
    if any(len(pair) != 2 for pair in pairs):
        raise Refused(f"{given} is not before and after each axis")
    found = [(integer(before, names), integer(after, names)) for before, after in pairs]
    if not removes:
        at_least([each for pair in found for each in pair], 0, "padding")
    return found


def usual(transposed: bool, kernel: int, stride: int, dilation: int) -> Pair:
    """The padding of an axis where none is given, and the output padding beside it."""
    if not transposed:
        return (dilation * (kernel - 1) // 2 if kernel % 2 else 0), 0
    # The size shall become `stride` times as large; an even kernel at stride 1 cannot.
    for more in range(max(stride, dilation)):
        padding, odd = divmod(dilation * (kernel - 1) + 1 - stride + more, 2)
        if padding >= 0 and not odd:
            return padding, more
    return 0, 0


def conv(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """A convolution; an odd kernel keeps the size, unless there is a stride."""
    no_others(set(given) - KNOWN, "conv")
    rank = spatial(inputs[0], "a convolution")
    out = integer(given["out"], names)
    kernel, stride, dilation = (sizes(given.get(key, 1), names, rank) for key in ("kernel", "stride", "dilation"))
    depthwise = given.get("groups") == "depthwise"
    groups = channels_of(inputs[0]) if depthwise else integer(given.get("groups", 1), names)
    at_least((out, groups, *kernel, *stride, *dilation), 1, "a convolution")
    transposed, standard, gained = (
        truth(given.get(key, False), names) for key in ("transposed", "standardized", "gain")
    )
    mode = word(given.get("padding_mode", "zeros"), names)
    if mode not in MODES or (transposed and (mode != "zeros" or standard or given.get("padding") == "same")):
        raise Refused("arguments that do not go together")
    windows = list(zip(kernel, stride, dilation, strict=True))
    both = [usual(transposed, *axis) for axis in windows]
    more = tuple(each for _, each in both) if "padding" not in given else (0,) * rank
    if "output_padding" in given:
        more = sizes(given["output_padding"], names, rank)
    padded = [(padding, padding) for padding, _ in both]
    if "padding" in given:
        padded = by_side(given["padding"], names, tuple(inputs[0].shape[2:]), windows)
    before = channels_of(inputs[0])
    if before % groups or out % groups:
        raise Refused("the channels do not split into groups")
    filters = (before, out // groups) if transposed else (out, before // groups)
    weights: dict[str, tuple[int, ...]] = {"weight": (*filters, *kernel)}
    if truth(given.get("bias", False), names):
        weights["bias"] = (out,)
    if standard and gained:
        weights["gain"] = (out, 1, *(1 for _ in kernel))
    if not all((*filters, *kernel)):
        raise Refused("there are no weights")
    if standard and filters[1] * math.prod(kernel) == 1:
        raise Refused("one weight has no variance")
    eps = float(number(given.get("eps", 1e-6), names))
    factor = float(number(given.get("gamma", 1.0), names)) * (filters[1] * math.prod(kernel)) ** -0.5
    function: Callable[..., Tensor] = getattr(F, f"conv{'_transpose' * transposed}{rank}d")

    def compute(values: list[Tensor], state: State, training: bool) -> Tensor:
        x, weight, bias = values[0], state["weight"], state.get("bias")
        if transposed:
            return function(x, weight, bias, stride, tuple(b for b, _ in padded), more, groups, dilation)
        if standard:
            scale = (state["gain"] * factor).flatten() if gained else None
            rows = weight.reshape(1, out, -1)
            weight = F.batch_norm(rows, None, None, scale, None, True, 0.0, eps).reshape(weight.shape)
        if mode == "zeros" and all(first == last for first, last in padded):
            return function(x, weight, bias, stride, tuple(first for first, _ in padded), dilation, groups)
        around = [each for pair in reversed(padded) for each in pair]
        x = F.pad(x, around, MODES[mode]) if any(around) else x
        return function(x, weight, bias, stride, 0, dilation, groups)

    return Operation("conv", "conv", compute, weights)


def pad(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """Positions added around a map, or removed from it."""
    no_others(set(given) - {"sides", "mode", "value"}, "pad")
    rank = spatial(inputs[0], "padding")
    mode, value = word(given.get("mode", "constant"), names), float(number(given.get("value", 0), names))
    if mode not in set(MODES.values()) or given["sides"] in ("same", "valid"):
        raise Refused("no such padding")
    pairs = by_side(given["sides"], names, tuple(inputs[0].shape[2:]), [(1, 1, 1)] * rank, removes=True)
    around = [each for pair in reversed(pairs) for each in pair]
    fill = {"value": value} if mode == "constant" else {}
    return Operation("pad", "pad", lambda values, state, training: F.pad(values[0], around, mode, **fill))
