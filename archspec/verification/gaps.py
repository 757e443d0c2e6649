"""The largest difference of tensors, and whether rounding explains it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from archspec.verification.results import FACTOR, Gap, Judged


class Row(NamedTuple):
    """A tensor that both networks computed; None is the gradient of an unused weight, and counts as zeros."""

    name: str
    found: Tensor | None
    wanted: Tensor | None


def gap(found: Tensor | None, wanted: Tensor | None, name: str) -> Gap:
    """The largest difference between two tensors; None, which is the gradient of an unused weight, counts as zeros.

    >>> str(gap(torch.tensor([1.0, -4.0]), torch.tensor([1.0, -5.0]), "output"))
    '1 (0.2 of the largest value), at [1] of `output`'
    """
    present = [tensor for tensor in (found, wanted) if tensor is not None]
    if not present:
        return Gap()
    if found is not None and wanted is not None and torch.equal(found, wanted.reshape(found.shape).to(found.dtype)):
        return Gap()
    one = torch.zeros_like(present[0]) if found is None else found
    other = torch.zeros_like(one) if wanted is None else wanted.reshape(one.shape)
    kind = torch.complex128 if one.is_complex() or other.is_complex() else torch.float64
    apart = (one.to(kind) - other.to(kind)).abs()
    place = int(apart.argmax())  # the first NaN, if any
    index = tuple([int(axis) for axis in torch.unravel_index(torch.tensor(place), apart.shape)])
    largest, scale = float(apart.flatten()[place]), float(other.to(kind).abs().max())
    if not (math.isfinite(largest) and math.isfinite(scale)):  # NaN and infinity prove nothing
        return Gap(float("inf"), float("inf"), name, index)
    return Gap(largest, largest / scale if scale else float("inf"), name, index)


def worst(gaps: Iterable[Gap]) -> Gap:
    """The gap that is largest relative to its tensor."""
    return max(gaps, key=lambda gap: gap.relative, default=Gap())


def judge(rows: Sequence[Row], repeated: Sequence[Row], precision: float) -> Judged:
    """Whether rounding explains the differences of tensors.

    Args:
        rows: what both networks computed.
        repeated: the same tensors of the reference alone, computed twice with different rounding.
        precision: how much more precise ``rows`` are than ``repeated``: the ratio of the dtypes' eps.

    A tensor may round well by chance, if it has few elements. So at least the median of all tensors is allowed. The
    median leaves out tensors that are all rounding, such as the gradient of a bias before a batch normalization.
    """
    own = [(_size(row.found), gap(row.found, row.wanted, row.name).largest) for row in repeated]
    own = [(scale, error if math.isfinite(error) else 0.0) for scale, error in own]
    typical = median([error / scale for scale, error in own if error < scale] or [0.0])
    found = []
    for row, (scale, error) in zip(rows, own, strict=True):
        apart = gap(row.found, row.wanted, row.name)
        rounding = max(error, typical * scale, torch.finfo(torch.float32).eps * scale) * precision
        held = apart.largest <= FACTOR * rounding and math.isfinite(apart.largest)
        size = scale or 1.0
        excess = apart.largest / rounding if rounding else float("inf") if apart.largest else 0.0
        found.append((not held, excess, Judged(apart, rounding / size, FACTOR * rounding / size, held)))
    return max(found, key=lambda each: each[:2], default=(False, 0.0, Judged(Gap(), 0.0, 0.0, True)))[2]


def _size(tensor: Tensor | None) -> float:
    """The largest number of a tensor."""
    if tensor is None or not tensor.numel():
        return 0.0
    largest = float(tensor.to(torch.complex128 if tensor.is_complex() else torch.float64).abs().max())
    return largest if math.isfinite(largest) else 0.0
