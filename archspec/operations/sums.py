"""Sums of values, some of them with a minus: what ``add`` and ``subtract`` share."""

from __future__ import annotations

from archspec.operations.broadcasting import gathered, repeated
from archspec.operations.following import before_sum
from archspec.operations.signal import (
    Back,
    Gradient,
    Law,
    Signal,
    Usage,
    affine,
    aligned,
    joined,
    profile_of,
    regrouped,
)
from archspec.operations.traits import Merge


class Sum(Merge):
    """The first value, and all others with one ``sign``."""

    sums = True
    sign = 1.0

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return joined([total(laws) for laws in aligned(self._signed(usage, values))])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        """Each input's is that of the output; its pieces go to the input that gave them."""
        values = self._signed(usage, values)
        ranges = aligned(values)
        arrived = back
        if len(result) < len(ranges):
            arrived = regrouped(result, back, tuple([total(laws) for laws in ranges]))
        shaped = [_shaped(laws) for laws in ranges] if arrived is not back else list(map(_kept, ranges, result))
        found = []
        for i, value in enumerate(values):
            if len(value) == len(ranges):  # it is cut as the ranges are
                ways = zip(value, shaped, arrived, strict=True)
                kept = [
                    each if at == i and len(each.pieces) == len(law.pieces) else each.plain for law, at, each in ways
                ]
                if back[0].following:
                    kept = [self._branch(each, laws, i) for each, laws in zip(kept, ranges, strict=True)]
                found.append(tuple(kept))
                continue
            own = tuple([laws[i] for laws in ranges])
            known = [each if at == i else each.plain for at, each in zip(shaped, arrived, strict=True)]
            if back[0].following:
                known = [self._branch(each, laws, i) for each, laws in zip(known, ranges, strict=True)]
            found.append(regrouped(own, tuple(known), value))
        if all(shape == usage.output for shape in usage.inputs):
            return tuple(found)
        repeats = zip(found, values, usage.inputs, strict=True)
        return tuple([gathered(each, value, shape, usage.output) for each, value, shape in repeats])

    def _branch(self, back: Back, laws: tuple[Law, ...], i: int) -> Back:
        """What comes to one branch, with the part that follows it."""
        if not back.following:
            return back
        others = sum([law.mean for j, law in enumerate(laws) if j != i])
        return back._replace(following=before_sum(back.following, others, self.sign if i else 1.0))

    def _signed(self, usage: Usage, values: tuple[Signal, ...]) -> tuple[Signal, ...]:
        values = repeated(values, usage)
        if self.sign > 0:
            return values
        return (values[0], *[tuple([affine(law, self.sign) for law in value]) for value in values[1:]])


def total(laws: tuple[Law, ...]) -> Law:
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


def _kept(laws: tuple[Law, ...], result: Law) -> int:
    """The position of the law whose pieces the sum of all has."""
    having = [i for i, law in enumerate(laws) if law.pieces]
    return having[0] if result.pieces and len(having) == 1 else _shaped(laws)
