"""The largest or the smallest of several values: what ``maximum`` and ``minimum`` share."""

from __future__ import annotations

import functools
import math

from archspec.operations.base import TorchCall
from archspec.operations.broadcasting import gathered, merged, repeated
from archspec.operations.effects import Bytes, Saved
from archspec.operations.mixtures import RANKS, binned
from archspec.operations.onnx import Input, OnnxCall
from archspec.operations.shapes import Shape
from archspec.operations.signal import (
    Back,
    Gradient,
    Law,
    Piece,
    Signal,
    Usage,
    affine,
    aligned,
    joined,
    profile_of,
    regrouped,
)
from archspec.operations.traits import Merge


class Extreme(Merge):
    """The largest of the values; with a ``sign`` of -1, the smallest."""

    sign = 1.0
    broadcast: bool

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return merged("compared", inputs, broadcast=self.broadcast)

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        """Both that are compared, where a gradient is needed; of three and more, what was the largest so far too."""
        read: set[int] = set()
        between, so_far, before = 0, inputs[0], needed[0]
        for i in range(1, len(inputs)):
            before = before or needed[i]
            if before:
                read.add(i)
                if i == 1:
                    read.add(0)
                else:
                    between += math.prod(so_far)
            so_far = self.shape((so_far, inputs[i]))
        return Saved(tuple(sorted(read)), more=Bytes(between))

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", f"torch.{self.name}", fold=True)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        read = tuple([Input(i) for i in range(len(inputs))])
        return (OnnxCall("Max" if self.sign > 0 else "Min", read),) if len(inputs) > 1 else ()

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        if len(values) == 1:
            return values[0]
        ranges = aligned(repeated(values, usage))
        return joined([affine(_largest(self._signed(laws))[0], self.sign) for laws in ranges])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        """An input's is that of the output where the input is the largest."""
        if len(values) == 1:
            return (back,)
        whole = repeated(values, usage)
        ranges = aligned(whole)
        found = [_largest(self._signed(laws)) for laws in ranges]
        arrived = regrouped(result, back, tuple([law for law, _ in found]))
        gradients = []
        for i, (value, shape) in enumerate(zip(whole, usage.inputs, strict=True)):
            each = [
                Back(one.energy * chances[i], one.shared * chances[i] ** 2, (), one.profile)
                for one, (_, chances) in zip(arrived, found, strict=True)
            ]
            own = regrouped(tuple([laws[i] for laws in ranges]), tuple(each), value)
            gradients.append(own if shape == usage.output else gathered(own, value, shape, usage.output))
        return tuple(gradients)

    def _signed(self, laws: tuple[Law, ...]) -> tuple[Law, ...]:
        return laws if self.sign > 0 else tuple([affine(law, self.sign) for law in laws])


@functools.lru_cache(1024)
def _largest(laws: tuple[Law, ...]) -> tuple[Law, tuple[float, ...]]:
    """The law of the largest of independent elements, and for each the chance that it is the largest."""
    atoms = {m for law in laws for _, m, v in law.mixture if not v}
    edges = {law.mean + math.sqrt(law.variance) * rank for law in laws for rank in RANKS}
    edges |= {law.mean - math.sqrt(law.variance) * rank for law in laws for rank in RANKS}
    edges |= atoms | {math.nextafter(m, math.inf) for m in atoms}
    cut = [binned(law.mixture, sorted(edges)) for law in laws]
    below, reached = [0.0] * len(laws), 0.0
    pieces: list[Piece] = []
    chances = [0.0] * len(laws)
    for place in range(len(edges) + 1):
        here = [bins.weights[place] for bins in cut]
        before, below = below, [min(a + b, 1.0) for a, b in zip(below, here, strict=True)]
        chance = math.prod(below) - reached
        reached += chance
        if chance <= 1e-12:
            continue
        # How probable it is that each is the largest, if the largest is in this interval.
        wins = [
            own * math.prod([(b + a) / 2 for j, (b, a) in enumerate(zip(before, below, strict=True)) if j != i])
            for i, own in enumerate(here)
        ]
        scale = chance / (sum(wins) or 1.0)
        wins = [win * scale for win in wins]
        chances = [a + b for a, b in zip(chances, wins, strict=True)]
        middle = sum([win * bins.means[place] for win, bins in zip(wins, cut, strict=True)]) / chance
        power = [bins.variances[place] + bins.means[place] ** 2 for bins in cut]
        square = sum([win * each for win, each in zip(wins, power, strict=True)]) / chance
        pieces.append((chance, middle, max(square - middle * middle, 0.0)))
    mean = sum([w * m for w, m, _ in pieces])
    variance = max(sum([w * (m * m + v) for w, m, v in pieces]) - mean * mean, 0.0)
    spread = min(sum([chance**2 * law.between for chance, law in zip(chances, laws, strict=True)]), variance)
    found = Law(laws[0].channels, mean, variance - spread, spread, tuple(pieces), profile_of(laws))
    return found, tuple(chances)
