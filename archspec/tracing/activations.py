"""Rules for activation functions, dropout and stochastic depth; see ``layers``."""

from __future__ import annotations

from typing import Any

from archspec.tracing.form_builder import FormBuilder, Operand, Rule, UnknownCall, Value
from archspec.tracing.rearranging import reshaped
from archspec.tracing.slicing import sliced


def unary(operation: str, **defaults: Any) -> Rule:
    """The rule for an elementwise function; ``defaults`` are its arguments after the input, in order."""

    def rule(b: FormBuilder, input: Operand, *args: Any, **kwargs: Any) -> Value:
        kwargs.pop("inplace", None)
        given = dict(zip(defaults, args, strict=False)) | kwargs
        if not given.keys() <= defaults.keys() or len(args) > len(defaults) + 1:  # the last may be `inplace`
            raise UnknownCall
        x = b.value(input)
        step = b.steps[x.step]
        if step.operation == "reshape" and x.straight:  # of the value before it, wherever a network reshapes
            number = step.inputs[0]
            shape = b.steps[number].shape
            source = Value(number, shape, tuple(range(len(shape))), x.storage)
            return b.value(reshaped(b, b.add(operation, (source,), shape, **(defaults | given)), x.shape))
        return b.add(operation, (x,), x.shape, axes=x.axes, **(defaults | given))

    return rule


def hardtanh(b: FormBuilder, input: Operand, min_val: Any = -1.0, max_val: Any = 1.0, inplace: bool = False) -> Value:
    return clamp(b, input, min_val, max_val)


def clamp(b: FormBuilder, input: Operand, min: Any = None, max: Any = None) -> Value:
    """Clamping to [0, inf] is ReLU, and to [0, 6] ReLU6."""
    if min == 0 and max in (None, 6):
        return unary("relu" if max is None else "relu6")(b, input)  # type: ignore[no-any-return]
    return unary("clamp", min=None, max=None)(b, input, min, max)  # type: ignore[no-any-return]


def prelu(b: FormBuilder, input: Operand, weight: Operand) -> Value:
    x = b.plain(input)
    return b.add("prelu", (x,), x.shape, state={"weight": weight})


def softmax(operation: str) -> Rule:
    """The rule for a softmax over one axis."""

    def rule(b: FormBuilder, input: Operand, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Value:
        if dim is None or dtype is not None:
            raise UnknownCall
        x = b.value(input)
        over = x.axes[dim]
        long = [axis for axis, size in enumerate(x.shape) if size != 1 or axis in (0, over)]
        straight = x._replace(axes=tuple(range(len(x.shape))))
        short = b.value(reshaped(b, straight, tuple([x.shape[axis] for axis in long])))
        found = b.add(operation, (short,), short.shape, over=long.index(over))
        return b.value(reshaped(b, found, x.shape))._replace(axes=x.axes)

    return rule


def dropout(operation: str) -> Rule:
    """The rule for a dropout. One that drops nothing adds no step."""

    def rule(b: FormBuilder, input: Operand, p: float = 0.5, training: bool = True, inplace: bool = False) -> Value:
        x = b.value(input)
        if not training or p == 0:
            return x
        return b.add(operation, (x,), x.shape, axes=x.axes, p=rate(p))

    return rule


def rate(p: float) -> float:
    """A probability to six digits: networks that compute their rates with torch have them in single precision."""
    return float(f"{p:.6g}")


def feature_dropout(
    b: FormBuilder, input: Operand, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Value:
    """Dropout of whole channels: the second axis that torch sees."""
    return dropout("feature_dropout")(b, b.plain(input), p, training)  # type: ignore[no-any-return]


def drop_path(b: FormBuilder, input: Operand, p: float = 0.0, training: bool = True, scale: bool = True) -> Value:
    """Stochastic depth, drawn for each example by itself."""
    x = b.value(input)
    if not training or not p:
        return x
    return b.add("drop_path", (x,), x.shape, axes=x.axes, p=rate(p), scale=bool(scale))


def stochastic_depth(b: FormBuilder, input: Operand, p: float, mode: str, training: bool = True) -> Value:
    if mode == "row":
        return drop_path(b, input, p, training)
    return dropout("drop_batch")(b, input, p, training)  # type: ignore[no-any-return]


def glu(b: FormBuilder, input: Operand, dim: int = -1) -> Value:
    """A gated linear unit is the product that networks also write by hand."""
    x = b.value(input)
    axis = x.axes[dim]
    half = x.shape[axis] // 2
    value, gate = (sliced(b, x, {axis: slice(start, start + half)}) for start in (0, half))
    opened = unary("sigmoid")(b, gate)
    return b.add("mul", (value, opened), value.shape, axes=value.axes)


def group_softmax(b: FormBuilder, input: Operand, groups: int, rivals: int) -> Operand:
    """As networks write it by hand: a softmax over one axis of another shape."""
    x = b.plain(input)
    split = (x.shape[0], groups, rivals, x.shape[1] // (groups * rivals), *x.shape[2:])
    chosen = softmax("softmax")(b, reshaped(b, x, split), 2)
    return reshaped(b, chosen, x.shape)
