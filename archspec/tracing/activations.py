"""Rules for activation functions, and for what drops values at random; see ``layers``."""

from __future__ import annotations

from typing import Any

from archspec.tracing.canonical_form import Recorder, Traced, Unknown
from archspec.tracing.layers import Rule, Tensor


def unary(operation: str, **defaults: Any) -> Rule:
    """The rule of a function of each element with these further arguments, which wherever the axes lie is the same."""

    def rule(b: Recorder, input: Tensor, *args: Any, **kwargs: Any) -> Traced:
        kwargs.pop("inplace", None)
        given = dict(zip(defaults, args, strict=False)) | kwargs
        if not given.keys() <= defaults.keys() or len(args) > len(defaults) + 1:  # the last may be `inplace`
            raise Unknown
        x = b.value(input)
        return b.add(operation, (x,), x.shape, axes=x.axes, **(defaults | given))

    return rule


def hardtanh(b: Recorder, input: Tensor, min_val: Any = -1.0, max_val: Any = 1.0, inplace: bool = False) -> Traced:
    return clamp(b, input, min_val, max_val)


def clamp(b: Recorder, input: Tensor, min: Any = None, max: Any = None) -> Traced:
    """Also ReLU and ReLU6, which are bounds."""
    if min == 0 and max in (None, 6):
        return unary("relu" if max is None else "relu6")(b, input)  # type: ignore[no-any-return]
    return unary("clamp", min=None, max=None)(b, input, min, max)  # type: ignore[no-any-return]


def prelu(b: Recorder, input: Tensor, weight: Tensor) -> Traced:
    x = b.plain(input)
    return b.add("prelu", (x,), x.shape, state={"weight": weight})


def softmax(operation: str) -> Rule:
    """The rule of a softmax over one axis."""

    def rule(b: Recorder, input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Traced:
        if dim is None or dtype is not None:
            raise Unknown
        x = b.value(input)
        return b.add(operation, (x,), x.shape, axes=x.axes, over=x.axes[dim])

    return rule


def dropout(operation: str) -> Rule:
    """The rule of a dropout: one that drops nothing is no step."""

    def rule(b: Recorder, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Traced:
        x = b.value(input)
        if not training or p == 0:
            return x
        return b.add(operation, (x,), x.shape, axes=x.axes, p=float(p))

    return rule


def feature_dropout(b: Recorder, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Traced:
    """Dropout of whole channels, which are the second axis that torch sees."""
    return dropout("feature_dropout")(b, b.plain(input), p, training)  # type: ignore[no-any-return]


def drop_path(b: Recorder, input: Tensor, p: float = 0.0, training: bool = True, scale: bool = True) -> Traced:
    """Stochastic depth of single examples."""
    x = b.value(input)
    if not training or not p:
        return x
    return b.add("drop_path", (x,), x.shape, axes=x.axes, p=float(p), scale=bool(scale))


def stochastic_depth(b: Recorder, input: Tensor, p: float, mode: str, training: bool = True) -> Traced:
    if mode == "row":
        return drop_path(b, input, p, training)
    return dropout("drop_batch")(b, input, p, training)  # type: ignore[no-any-return]
