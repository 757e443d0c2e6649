"""Rules for layers that pad by side, for standardized weights, transposed convolutions and pools of powers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archspec.tracing import joining, layers
from archspec.tracing.form_builder import FormBuilder, Operand, Rule, State, Value

SAME = "same"


def _padded(b: FormBuilder, input: Operand, sides: Any, windows: Any, mode: str, filled: float = 0.0) -> Value:
    """The padded input. ``windows`` are the kernel, the stride and the dilation."""
    x, rank = layers.spatial(b, input)
    if sides == SAME:
        sides = []
        axes = zip(x.shape[2:], *[layers.each(size, rank) for size in windows], strict=True)
        for size, kernel, stride, dilation in reversed(list(axes)):
            total = max(dilation * (kernel - 1) - (size - 1) % stride, 0)
            sides += [total // 2, total - total // 2]
    return joining.pad(b, x, sides, mode, filled)


def padded_conv(
    b: FormBuilder,
    input: Operand,
    weight: Operand,
    bias: State,
    stride: Any,
    dilation: Any,
    groups: int,
    sides: Any = SAME,
    mode: str = "constant",
) -> Value:
    x = _padded(b, input, sides, (weight.shape[2:], stride, dilation), mode)
    return layers.conv(b, x, weight, bias, stride, 0, dilation, groups)


def standardized_conv(
    b: FormBuilder,
    input: Operand,
    weight: Operand,
    bias: State,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    padding_mode: str,
    eps: float,
    gain: State = None,
    scale: float = 1.0,
) -> Value:
    x, rank = layers.spatial(b, input)
    padding = layers.each(padding, rank)
    return b.add(
        "standardized_conv",
        (x,),
        b.shape,
        state={"weight": weight, "bias": bias, "gain": gain},
        stride=layers.each(stride, rank),
        padding=padding,
        dilation=layers.each(dilation, rank),
        groups=groups,
        padding_mode=padding_mode if any(padding) else "zeros",
        eps=eps,
        scale=scale if gain is not None else None,
    )


def padded_standardized_conv(b: FormBuilder, input: Operand, sides: Any, mode: str, *rest: Any) -> Value:
    weight, _, stride, _, dilation, *_ = rest
    return standardized_conv(b, _padded(b, input, sides, (weight.shape[2:], stride, dilation), mode), *rest)


def maybe_same_conv(b: FormBuilder, input: Operand, same_pad: bool, *rest: Any) -> Value:
    """timm's standardized convolution that pads as TensorFlow does, unless that is the same for every size."""
    return padded_standardized_conv(b, input, SAME if same_pad else (), "constant", *rest)


def padded_max_pool(
    b: FormBuilder, input: Operand, kernel: Any, stride: Any, dilation: Any, ceil: bool, sides: Any = SAME
) -> Value:
    x = _padded(b, input, sides, (kernel, stride, dilation), "constant", float("-inf"))
    return layers.max_pool(b, x, kernel, stride, 0, dilation, ceil)


def padded_avg_pool(
    b: FormBuilder, input: Operand, kernel: Any, stride: Any, ceil: bool, counted: bool, sides: Any = SAME
) -> Value:
    x = _padded(b, input, sides, (kernel, stride, 1), "constant")
    if counted:
        return layers.avg_pool(b, x, kernel, stride, 0, ceil)
    rank = len(x.shape) - 2
    windows: dict[str, Any] = {"kernel": layers.each(kernel, rank), "stride": layers.each(stride, rank)}
    return b.add("average_of_what_is_inside", (x,), b.shape, size=layers.spatial(b, input)[0].shape[2:], **windows)


def timm_avg_pool(b: FormBuilder, input: Operand, kernel: Any, stride: Any, ceil: bool, counted: bool) -> Value:
    """timm's counts the padding in any case."""
    return padded_avg_pool(b, input, kernel, stride, ceil, True)


def conv_transpose(
    b: FormBuilder,
    input: Operand,
    weight: Operand,
    bias: State = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Value:
    x, rank = layers.spatial(b, input)
    sizes = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
    windows: dict[str, Any] = {name: layers.each(value, rank) for name, value in sizes.items()}
    return b.add("conv_transpose", (x,), b.shape, state={"weight": weight, "bias": bias}, groups=groups, **windows)


def lp_pool(
    b: FormBuilder, input: Operand, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Value:
    x, rank = layers.spatial(b, input)
    kernel = layers.each(kernel_size, rank)
    steps = layers.each(stride or kernel_size, rank)
    return b.add("lp_pool", (x,), b.shape, power=float(norm_type), kernel=kernel, stride=steps, ceil_mode=ceil_mode)


def border(mode: str) -> Callable[..., Value]:
    """The rule for torch's modules that pad with what is inside."""

    def rule(b: FormBuilder, input: Operand, padding: Any) -> Value:
        return joining.pad(b, input, padding, mode)

    return rule


_STANDARD = "weight bias stride padding dilation groups padding_mode eps"
_GAIN = f"{_STANDARD} gain scale"
_OWN = "archspec.emit.padded."
_RANKS = (1, 2, 3)

BY_NAME: Mapping[str, tuple[Rule, str]] = {
    **{f"{_OWN}PaddedConv{rank}d": (padded_conv, "weight bias stride dilation groups sides mode") for rank in _RANKS},
    **{f"{_OWN}StandardizedConv{rank}d": (standardized_conv, _GAIN) for rank in _RANKS},
    **{f"{_OWN}PaddedStandardizedConv{r}d": (padded_standardized_conv, f"sides mode {_GAIN}") for r in _RANKS},
    **{
        f"{_OWN}PaddedMaxPool{rank}d": (padded_max_pool, "kernel_size stride dilation ceil_mode sides")
        for rank in _RANKS
    },
    **{
        f"{_OWN}PaddedAvgPool{rank}d": (padded_avg_pool, "kernel_size stride ceil_mode count_include_pad sides")
        for rank in _RANKS
    },
    "timm.layers.conv2d_same.Conv2dSame": (padded_conv, "weight bias stride dilation groups"),
    "timm.layers.std_conv.StdConv2d": (standardized_conv, _STANDARD),
    "timm.layers.std_conv.StdConv2dSame": (maybe_same_conv, f"same_pad {_STANDARD}"),
    "timm.layers.std_conv.ScaledStdConv2d": (standardized_conv, _GAIN),
    "timm.layers.std_conv.ScaledStdConv2dSame": (maybe_same_conv, f"same_pad {_GAIN}"),
    "timm.layers.pool2d_same.MaxPool2dSame": (padded_max_pool, "kernel_size stride dilation ceil_mode"),
    "timm.layers.pool2d_same.AvgPool2dSame": (timm_avg_pool, "kernel_size stride ceil_mode count_include_pad"),
}
"""The rules for modules that torch lacks, by their qualified names."""
