"""Pairing the tensors of weights with those of a network without their names: by order and shape, or by shape alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from archspec.operations.base import Buffer, Weight
from archspec.operations.shapes import Shape
from archspec.weights.checkpoints import COUNTER
from archspec.weights.tensors import has_shape

TORCH = frozenset({"weight", "bias", "running_mean", "running_var", COUNTER})
"""The names of tensors in torch's modules."""

_SEPARATOR = re.compile("[./:]")

By = Literal["in order and shape", "by shapes that occur once"]


class Pairs(NamedTuple):
    """The key of the weights for each key of the network, and how they were paired."""

    keys: dict[str, str]
    by: By


def pair(wanted: Mapping[str, Weight | Buffer], given: Mapping[Any, Any]) -> Pairs | None:
    """The only sensible pairs of the tensors of a network and of weights; None if there are none, or several.

    They are paired in order if each has the shape of its partner, or by shape if no shape occurs twice: all of them, or
    those without a partner of the same key and shape. The last parts of the names must agree too: what is a ``weight``
    here may be a ``gamma`` there, but not also a ``beta``. Batch counters need no partner.

    >>> import torch
    >>> pair({"fc.bias": Weight((2,), "bias")}, {"head.b": torch.zeros(2)})
    Pairs(keys={'fc.bias': 'head.b'}, by='in order and shape')
    """
    ours = {key: each.shape for key, each in wanted.items()}
    shapes = {}
    for key, value in given.items():
        if not isinstance(key, str) or not has_shape(value):
            return None
        shapes[key] = tuple(value.shape)
    whole = _paired(ours, shapes)
    if whole:
        return whole
    same = {key: key for key, shape in ours.items() if shapes.get(key) == shape}
    left, right = ({key: shape for key, shape in side.items() if key not in same} for side in (ours, shapes))
    rest = _paired(left, right) if same and left else None
    return (
        Pairs({key: rest.keys.get(key, key) for key in ours if key in same or key in rest.keys}, rest.by)
        if rest
        else None
    )


def _paired(ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> Pairs | None:
    for counters in (True, False):
        left, right = (
            [(key, shape) for key, shape in side.items() if counters or not key.endswith(COUNTER)]
            for side in (ours, theirs)
        )
        if left and [shape for _, shape in left] == [shape for _, shape in right]:
            keys = {key: other for (key, _), (other, _) in zip(left, right, strict=True)}
            return _agreeing(keys, "in order and shape")
    times = Counter(shape for _, shape in left)
    if not left or max(times.values()) > 1 or times != Counter(shape for _, shape in right):
        return None
    owners = {shape: key for key, shape in right}
    return _agreeing({key: owners[shape] for key, shape in left}, "by shapes that occur once")


def _agreeing(keys: dict[str, str], by: By) -> Pairs | None:
    """The pairs, if the last part of each of their names always means the same."""
    meaning: dict[str, str] = {}
    for ours, theirs in keys.items():
        kind, last = ours.rpartition(".")[2], _SEPARATOR.split(theirs)[-1]
        if meaning.setdefault(last, kind) != kind or (last in TORCH and last != kind):
            return None
    return Pairs(keys, by)
