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


class Repeated(NamedTuple):
    """The tensors of the reference alone, computed twice with different rounding.

    ``eps`` is that of the less precise dtype, and ``precision`` how much smaller the eps of what is judged is.
    """

    rows: Sequence[Row]
    precision: float = 1.0
    eps: float = torch.finfo(torch.float32).eps


def judge(rows: Sequence[Row], measures: Sequence[Repeated]) -> Judged:
    """Whether rounding explains the differences of tensors.

    Args:
        rows: what both networks computed.
        measures: what the reference's rounding was measured by, at least once. The largest counts.

    A tensor may round well by chance, if it has few elements. So at least the median of all tensors is allowed. The
    median leaves out tensors that are all rounding, such as the gradient of a bias before a batch normalization.
    """
    found = []
    every = [_own_rounding(measure) for measure in measures]
    for place, (row, own) in enumerate(zip(rows, zip(*every, strict=True), strict=True)):
        apart = gap(row.found, row.wanted, row.name)
        size, rounding = _size(measures[0].rows[place].found) or 1.0, max(own)
        held = apart.largest <= FACTOR * rounding and math.isfinite(apart.largest)
        excess = apart.largest / rounding if rounding else float("inf") if apart.largest else 0.0
        found.append((not held, excess, Judged(apart, rounding / size, FACTOR * rounding / size, held)))
    return max(found, key=lambda each: each[:2], default=(False, 0.0, Judged(Gap(), 0.0, 0.0, True)))[2]


def _own_rounding(measure: Repeated) -> list[float]:
    """The rounding of each tensor, at the precision of what is judged by it."""
    own = [(_size(row.found), gap(row.found, row.wanted, row.name).largest) for row in measure.rows]
    own = [(scale, error if math.isfinite(error) else 0.0) for scale, error in own]
    typical = median([error / scale for scale, error in own if error < scale] or [0.0])
    return [max(error, typical * scale, measure.eps * scale) * measure.precision for scale, error in own]


def _size(tensor: Tensor | None) -> float:
    """The largest number of a tensor."""
    if tensor is None or not tensor.numel():
        return 0.0
    largest = float(tensor.to(torch.complex128 if tensor.is_complex() else torch.float64).abs().max())
    return largest if math.isfinite(largest) else 0.0
