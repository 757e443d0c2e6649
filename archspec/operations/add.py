"""Addition of branches."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall
from archspec.operations.onnx import OnnxCall, folded
from archspec.operations.shapes import Shape, merge_fault
from archspec.operations.signal import Gradient, Law, Signal, Usage, aligned, joined, profile_of, regrouped
from archspec.operations.traits import Merge


@dataclass(frozen=True)
class Add(Merge):
    """``a + b``, of values of one shape: an addition never broadcasts."""

    name = "add"
    summary = "Adds branches of one shape."
    sums = True
    symbol = "+"

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        first = inputs[0]
        for other in inputs:
            if other == first:
                continue
            fault = merge_fault("added", first, other, assumed=first)
            if first[0] == other[0] and len(first) == len(other) and 1 in (max(first[1:]), max(other[1:])):
                fault.help += "; or `multiply`, which lets a 1x1 map scale a larger one"
            raise fault
        return first

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        if in_place:
            # A method, since fx can neither trace nor pickle a call of `torch.Tensor.add_`, and traces `+=` as `+`.
            return TorchCall("method", "add_", fold=True)
        return TorchCall("function", "operator.add", fold=True)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return folded("Add", len(inputs))

    def may_write_in_place(self) -> bool:
        return True

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return joined([_sum(laws) for laws in aligned(values)])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        """Each input's is that of the output; its pieces go to the input that gave them."""
        ranges = aligned(values)
        arrived = back
        if len(result) < len(ranges):
            arrived = regrouped(result, back, tuple([_sum(laws) for laws in ranges]))
        shaped = [_shaped(laws) for laws in ranges] if arrived is not back else list(map(_kept, ranges, result))
        found = []
        for i, value in enumerate(values):
            if len(value) == len(ranges):  # it is cut as the ranges are
                ways = zip(value, shaped, arrived, strict=True)
                kept = [
                    each if at == i and len(each.pieces) == len(law.pieces) else each.plain for law, at, each in ways
                ]
                found.append(tuple(kept))
                continue
            own = tuple([laws[i] for laws in ranges])
            known = [each if kept == i else each.plain for kept, each in zip(shaped, arrived, strict=True)]
            found.append(regrouped(own, tuple(known), value))
        return tuple(found)


def _sum(laws: tuple[Law, ...]) -> Law:
    """The law of a sum of independent values: all but one of them count as Gaussian."""
    kept = laws[_shaped(laws)]
    _, means, withins, betweens, _, _, fixes = zip(*laws, strict=True)
    mean, within, between, fixed = sum(means), sum(withins), sum(betweens), sum(fixes)
    shift, more = mean - kept.mean, within + between - kept.within - kept.between
    pieces = tuple([(weight, m + shift, v + more) for weight, m, v in kept.pieces])
    return Law(kept.channels, mean, within, between, pieces, profile_of(laws), fixed)


def _shaped(laws: tuple[Law, ...]) -> int:
    """The position of the law that is the least Gaussian, by its third cumulant."""
    found, largest = 0, 0.0
    for i, law in enumerate(laws):
        mean, third = law.mean, 0.0
        for w, m, v in law.pieces:
            apart = m - mean
            third += w * apart * (apart * apart + 3 * v)
        third = abs(third)
        if third > largest:
            found, largest = i, third
    return found


def _kept(laws: tuple[Law, ...], total: Law) -> int:
    """The position of the law whose pieces the sum of all has."""
    having = [i for i, law in enumerate(laws) if law.pieces]
    return having[0] if total.pieces and len(having) == 1 else _shaped(laws)
