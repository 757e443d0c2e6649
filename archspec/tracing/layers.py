"""Rules for layers with weights and for pooling.

A rule has the signature of the torch function that it converts, and adds the equivalent step to the form.
"""

from __future__ import annotations

from typing import Any

from archspec.tracing.form_builder import FormBuilder, Operand, Rule, State, StateTensor, UnknownCall, Value
from archspec.tracing.rearranging import reshaped


def each(value: Any, rank: int) -> tuple[int, ...]:
    """One number for each spatial axis."""
    numbers = (value,) * rank if isinstance(value, int) else tuple(value)
    numbers = numbers * rank if len(numbers) == 1 else numbers
    if len(numbers) != rank or not all(isinstance(number, int) for number in numbers):
        raise UnknownCall
    return numbers


def spatial(b: FormBuilder, input: Operand) -> tuple[Value, int]:
    """A value as torch sees it, and the number of its spatial axes."""
    value = b.plain(input)
    if len(value.shape) < 3:
        raise UnknownCall
    return value, len(value.shape) - 2


def conv(
    b: FormBuilder,
    input: Operand,
    weight: Operand,
    bias: State = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Value:
    x, rank = spatial(b, input)
    dilation = each(dilation, rank)
    if padding == "same":
        span = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        if any(s % 2 for s in span):
            raise UnknownCall
        padding = tuple([s // 2 for s in span])
    padding = each(0 if padding == "valid" else padding, rank)
    one_position = {*weight.shape[2:], *x.shape[2:]} == {1} and not any(padding)
    if one_position and groups == 1 and isinstance(weight, StateTensor):
        return _linear_at_one_position(b, x, weight, bias)
    return b.add(
        "conv",
        (x,),
        b.shape,
        state={"weight": weight, "bias": bias},
        stride=each(stride, rank),
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode if any(padding) else "zeros",
    )


def _linear_at_one_position(b: FormBuilder, x: Value, weight: StateTensor, bias: State) -> Value:
    """Many heads and gates have a 1x1 convolution of a single position, which computes what a linear layer does."""
    flat = b.value(reshaped(b, x, x.shape[:2]))
    state = {"weight": StateTensor(weight.key, weight.shape[:2]), "bias": bias}
    return b.value(reshaped(b, b.add("linear", (flat,), b.shape[:2], state=state, axis=1), b.shape))


def channel_conv(b: FormBuilder, input: Operand, weight: Operand, bias: State = None) -> Operand:
    """A convolution over the channels of one position: those are the positions of a signal with one channel."""
    x = b.plain(input)
    signal = b.value(reshaped(b, x, (x.shape[0], 1, x.shape[1])))
    found = b.add(
        "conv",
        (signal,),
        signal.shape,
        state={"weight": weight, "bias": bias},
        stride=(1,),
        padding=(weight.shape[2] // 2,),
        dilation=(1,),
        groups=1,
        padding_mode="zeros",
    )
    return reshaped(b, found, x.shape)


def linear(b: FormBuilder, input: Operand, weight: Operand, bias: State = None) -> Value:
    """The last axis that torch sees may be any axis of the form; in a channels-last value it is the channels."""
    x = b.value(input)
    axis = x.axes[-1]
    size = b.result.shape[-1]
    shape = tuple([size if place == axis else length for place, length in enumerate(x.shape)])
    return b.add("linear", (x,), shape, axes=x.axes, state={"weight": weight, "bias": bias}, axis=axis)


def pointwise_linear(b: FormBuilder, input: Operand, weight: Operand, bias: State = None) -> Value:
    """A linear layer over the channels, at each position."""
    x = b.plain(input)
    return b.add("linear", (x,), b.shape, state={"weight": weight, "bias": bias}, axis=1)


def batch_norm(
    b: FormBuilder,
    input: Operand,
    running_mean: State,
    running_var: State,
    weight: State = None,
    bias: State = None,
    training: bool = False,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
) -> Value:
    x = b.plain(input)
    state = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    if isinstance(running_mean, StateTensor):
        counter = f"{running_mean.key.rpartition('.')[0]}.num_batches_tracked".lstrip(".")
        state["num_batches_tracked"] = StateTensor(counter, ()) if counter in b.keys else None
    operation = "batch_norm" if training else "frozen_batch_norm"
    return b.add(operation, (x,), x.shape, state=state, momentum=momentum, eps=eps)


def group_norm(
    b: FormBuilder, input: Operand, num_groups: int, weight: State = None, bias: State = None, eps: float = 1e-5
) -> Value:
    x = b.plain(input)
    return b.add("group_norm", (x,), x.shape, state={"weight": weight, "bias": bias}, groups=num_groups, eps=eps)


def instance_norm(
    b: FormBuilder,
    input: Operand,
    running_mean: State = None,
    running_var: State = None,
    weight: State = None,
    bias: State = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Value:
    if running_mean is not None or not use_input_stats:
        raise UnknownCall
    x = b.plain(input)
    return b.add("instance_norm", (x,), x.shape, state={"weight": weight, "bias": bias}, eps=eps)


def layer_norm(
    b: FormBuilder, input: Operand, normalized_shape: Any, weight: State = None, bias: State = None, eps: float = 1e-5
) -> Value:
    x = b.value(input)
    count = 1 if isinstance(normalized_shape, int) else len(normalized_shape)
    axes = x.axes[len(x.axes) - count :]
    if list(axes) != sorted(axes):
        x = b.plain(x)
        axes = x.axes[len(x.axes) - count :]
    state = {"weight": weight, "bias": bias}
    return b.add("layer_norm", (x,), x.shape, axes=x.axes, state=state, over=axes, eps=eps)


def channel_norm(b: FormBuilder, input: Operand, weight: State = None, bias: State = None, eps: float = 1e-5) -> Value:
    """Layer normalization over the channels, at each position."""
    x = b.plain(input)
    return b.add("layer_norm", (x,), x.shape, state={"weight": weight, "bias": bias}, over=(1,), eps=eps)


def rms_norm(b: FormBuilder, input: Operand, normalized_shape: Any, weight: State = None, eps: Any = None) -> Value:
    x = b.value(input)
    axes = x.axes[-1:]
    if not isinstance(normalized_shape, int) and len(normalized_shape) > 1:
        raise UnknownCall
    return b.add("rms_norm", (x,), x.shape, axes=x.axes, state={"weight": weight}, over=axes, eps=eps)


def channel_rms_norm(b: FormBuilder, input: Operand, weight: State = None, eps: Any = None) -> Value:
    """Root mean square normalization over the channels, at each position."""
    x = b.plain(input)
    return b.add("rms_norm", (x,), x.shape, state={"weight": weight}, over=(1,), eps=eps)


def local_response_norm(
    b: FormBuilder, input: Operand, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Value:
    x = b.plain(input)
    return b.add("local_response_norm", (x,), x.shape, size=size, alpha=float(alpha), beta=float(beta), k=float(k))


def global_response_norm(
    b: FormBuilder, input: Operand, weight: State, bias: State, eps: float = 1e-6, channel_dim: int = 1
) -> Value:
    x = b.value(input)
    if x.axes[channel_dim] != 1:
        raise UnknownCall
    return b.add("global_response_norm", (x,), x.shape, axes=x.axes, state={"weight": weight, "bias": bias}, eps=eps)


def max_pool(
    b: FormBuilder,
    input: Operand,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Value:
    if return_indices:
        raise UnknownCall
    x, rank = spatial(b, input)
    sizes = {"kernel": kernel_size, "stride": stride or kernel_size, "padding": padding, "dilation": dilation}
    windows: dict[str, Any] = {name: each(value, rank) for name, value in sizes.items()}
    return b.add("max_pool", (x,), b.shape, ceil_mode=bool(ceil_mode), **windows)


def avg_pool(
    b: FormBuilder,
    input: Operand,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Value:
    x, rank = spatial(b, input)
    padding = each(padding, rank)
    return b.add(
        "avg_pool",
        (x,),
        b.shape,
        kernel=each(kernel_size, rank),
        stride=each(stride or kernel_size, rank),
        padding=padding,
        ceil_mode=bool(ceil_mode),
        count_include_pad=bool(count_include_pad) or not any(padding),
        divisor_override=divisor_override,
    )


def adaptive(kind: str) -> Rule:
    """The rule for one kind of adaptive pooling."""

    def rule(b: FormBuilder, input: Operand, output_size: Any, return_indices: bool = False) -> Value:
        if return_indices:
            raise UnknownCall
        x, rank = spatial(b, input)
        wanted = (output_size,) * rank if output_size is None or isinstance(output_size, int) else tuple(output_size)
        output = tuple([out or size for out, size in zip(wanted, b.shape[2:], strict=True)])
        return b.add(kind, (x,), b.shape, output=output)

    return rule
