"""Plain data as JSON in one form, so that equal data has equal bytes and an equal hash."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from archspec import arguments


def canonical(value: object, name: str) -> str:
    """Plain data as JSON: keys in order, no spaces, every number with all its digits.

    Raises:
        TypeError: a part that is not plain data, with its place below ``name``.
        ValueError: a number that is not finite.

    >>> canonical({"b": (1, 2.5), "a": None}, "inputs")
    '{"a":null,"b":[1,2.5]}'
    >>> canonical({"b": [{1}]}, "inputs")
    Traceback (most recent call last):
        ...
    TypeError: `inputs.b[0]` takes plain data (texts, numbers, lists, mappings of these), got a set
    """
    return json.dumps(plain_data(value, name), sort_keys=True, separators=(",", ":"), allow_nan=False)


def plain_data(value: object, name: str) -> Any:
    """Plain data, with lists for tuples; the errors are those of :func:`canonical`."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"`{name}` is {value}, and not a finite number")
        return float(value)
    if isinstance(value, Mapping):
        for key in value:
            arguments.instance(key, name, str, "a mapping whose keys are texts")
        return {str(key): plain_data(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(item, f"{name}[{number}]") for number, item in enumerate(value)]
    raise arguments.wrong(name, "plain data (texts, numbers, lists, mappings of these)", value)
