"""Checks of what callers in Python pass: each function returns the value, or says what it takes and what it got.

They raise TypeError for a value of the wrong type, and ValueError for one of the right type that is not possible. These
are mistakes in a program and not faults of a spec, so they are not diagnostics. Nothing here imports torch or numpy.
"""

from __future__ import annotations

import math
import operator
import os
import reprlib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")

_REPR = reprlib.Repr()
_REPR.maxstring = 80


def wrong(name: str, takes: str, value: object, advice: str = "") -> TypeError:
    """The error for an argument of the wrong kind; ``advice`` says where it is, or what to write.

    >>> print(wrong("count", "a whole number", "three"))
    `count` takes a whole number, got the text 'three'
    """
    return TypeError(f"`{name}` takes {takes}, got {given(value)}{f' ({advice})' if advice else ''}")


def given(value: object) -> str:
    """An argument in words: plain values as they are, others by their type."""
    if value is None or type(value) in (bool, float, complex):
        return repr(value)
    if type(value) is int:  # Python refuses to write out very many digits
        return str(value) if value.bit_length() < 256 else f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        return f"the text {_REPR.repr(str(value))}"
    if isinstance(value, bytes | bytearray):
        return "bytes"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def instance(value: object, name: str, kind: type[T] | tuple[type[T], ...], takes: str, advice: str = "") -> T:
    """A value of one of these types."""
    if not isinstance(value, kind):
        raise wrong(name, takes, value, advice)
    return value


def whole(value: object, name: str, least: int | None = None, most: int | None = None) -> int:
    """A whole number, also one of numpy, within bounds if there are any.

    >>> whole(3, "seed"), whole(True, "batch")
    Traceback (most recent call last):
        ...
    TypeError: `batch` takes a whole number, got True
    """
    bounds = "" if least is None else f" of at least {least}" if most is None else f" from {least} to {most}"
    takes = f"a whole number{bounds}"
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise wrong(name, takes, value)
    try:
        found = operator.index(value)  # type: ignore[arg-type]  # a tensor has the method, and may refuse
    except (TypeError, ValueError, RuntimeError):
        raise wrong(name, takes, value) from None
    if (least is not None and found < least) or (most is not None and found > most):
        raise ValueError(f"`{name}` takes {takes}, got {given(found)}")
    return found


def seed(value: object, name: str = "seed") -> int:
    """A seed as torch takes it."""
    return whole(value, name, -(2**63), 2**64 - 1)


def number(value: object, name: str) -> float:
    """A number, also one of numpy."""
    if isinstance(value, bool | str | bytes) or not hasattr(type(value), "__float__"):
        raise wrong(name, "a number", value)
    try:
        return float(value)  # type: ignore[arg-type]  # an array has the method, and may refuse
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise wrong(name, "a number", value) from None


def finite(value: object, name: str) -> float:
    """A number that is neither infinite nor NaN."""
    found = number(value, name)
    if not math.isfinite(found):
        raise ValueError(f"`{name}` takes a finite number, got {given(found)}")
    return found


def flag(value: object, name: str) -> bool:
    """True or False, also one of numpy."""
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        raise wrong(name, "True or False", value)
    return bool(value)


def text(value: object, name: str, takes: str = "a text") -> str:
    """A text."""
    return str(instance(value, name, str, takes))


def word(value: object, name: str, words: tuple[str, ...]) -> None:
    """One of some words."""
    if not isinstance(value, str) or value not in words:  # an array compares with each word by itself
        raise ValueError(f"`{name}` takes one of {', '.join(words)}, got {given(value)}")


def several(value: object, name: str, takes: str, kind: type[T] | tuple[type[T], ...]) -> tuple[T, ...]:
    """All that a list has, or anything else that can be iterated. ``takes`` has an example of it."""
    if isinstance(value, str):
        raise TypeError(f"`{name}` takes {takes}, got a single text: write [{_REPR.repr(str(value))}]")
    found = None if isinstance(value, bytes | bytearray | Mapping) else items(value)
    if found is None:
        raise wrong(name, takes, value)
    return tuple([instance(item, name, kind, takes, f"entry {number}") for number, item in enumerate(found)])


def items(value: object) -> tuple[object, ...] | None:
    """What can be iterated as a tuple; None for what cannot, such as an array without axes."""
    if not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        return None
    return tuple(value)


def function(value: object, name: str, takes: str) -> None:
    """Something that can be called."""
    if not callable(value):
        raise wrong(name, takes, value)


def path(value: object, name: str, takes: str = "a path") -> str:
    """A path as text."""
    found: object = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    return instance(found, name, str, takes)


def dtype(value: object, name: str = "dtype") -> str:
    """The name of a dtype, given by name or as torch has it.

    >>> dtype("torch.bfloat16")
    'bfloat16'
    """
    if not isinstance(value, str) and (type(value).__module__, type(value).__name__) != ("torch", "dtype"):
        raise wrong(name, "the name of a dtype, such as 'float32', or a dtype of torch", value)
    return str(value).removeprefix("torch.")
