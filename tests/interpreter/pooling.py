"""Pools in plain torch: the largest or the mean of each window, or the root of its sum of powers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.interpreter.convolution import by_side
from tests.interpreter.expressions import Names, number, truth, word
from tests.interpreter.operation import Arguments, Operation, State, at_least, no_others, sizes, spatial
from tests.interpreter.reading import Refused

KNOWN = {"type", "kernel", "stride", "padding", "dilation", "ceil", "count_padding", "power", "output"}


def pool(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """A pool of windows, or of each part for an output size."""
    no_others(set(given) - KNOWN, "pool")
    rank = spatial(inputs[0], "a pool")
    kind = word(given["type"], names)
    name = f"{kind}pool"
    if ("output" in given) == ("kernel" in given):
        raise Refused("a pool takes a kernel or an output")
    if "output" in given:
        size = sizes(given["output"], names, rank)
        at_least(size, 1, "output")
        if kind == "lp":
            raise Refused("powers are pooled by windows only")
        adaptive: Callable[..., Tensor] = getattr(F, f"adaptive_{kind}_pool{rank}d")
        return Operation("pool", name, lambda values, state, training: adaptive(values[0], size))
    kernel = sizes(given["kernel"], names, rank)
    stride = sizes(given["stride"], names, rank) if "stride" in given else kernel
    dilation = sizes(given.get("dilation", 1), names, rank)
    at_least((*kernel, *stride, *dilation), 1, "a pool")
    axes = list(zip(kernel, stride, dilation, strict=True))
    padded = by_side(given.get("padding", 0), names, tuple(inputs[0].shape[2:]), axes)
    ceil, counted = truth(given.get("ceil", False), names), truth(given.get("count_padding", True), names)
    power = float(number(given.get("power", 2), names))
    function: Callable[..., Tensor] = getattr(F, f"{kind}_pool{rank}d")
    even = all(before == after <= size // 2 for (before, after), size in zip(padded, kernel, strict=True))
    both = tuple(before for before, _ in padded) if even else (0,) * rank
    around = [] if even else [each for pair in reversed(padded) for each in pair]

    def compute(values: list[Tensor], state: State, training: bool) -> Tensor:
        x = values[0]
        if kind == "lp":
            return function(x, power, kernel, stride, ceil)
        if kind == "max":
            x = F.pad(x, around, value=float("-inf")) if around else x
            return function(x, kernel, stride, both, dilation, ceil)
        if not around:
            return function(x, kernel, stride, both, ceil, counted)
        found = function(F.pad(x, around), kernel, stride)
        return found if counted else found / function(F.pad(torch.ones_like(x[:1, :1]), around), kernel, stride)

    if kind == "max" and max(dilation) > 1:
        try:
            alone = compute([torch.zeros(1, 1, *inputs[0].shape[2:])], {}, False).isinf().any()
        except RuntimeError as error:
            raise Refused(str(error)) from error
        if alone:
            raise Refused("a window has no element of the input")
    return Operation("pool", name, compute)
