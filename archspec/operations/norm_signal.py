"""What norms do to a signal at initialization."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from archspec.operations.profiles import centered
from archspec.operations.signal import Back, Gradient, Law, Signal, Usage, affine, joined, mixed, regrouped
from archspec.operations.traits import Local


def _factor(norm: Any, signal: Signal) -> float:
    """The factor by which a norm multiplies a value."""
    if norm.type == "grn":
        return 1.0  # its scale and bias are zero
    if norm.type == "frozen":
        return float(1 / math.sqrt(1 + norm.eps))  # the statistics are those of a new batch norm
    power = mixed(signal).power
    if norm.type == "local_response":
        return float((norm.k + norm.alpha * power) ** -norm.beta)
    if norm.affine and norm.zero_init:
        return 0.0
    return float(1 / math.sqrt(power + norm.eps)) if power + norm.eps > 0 else 0.0


def _scaled(norm: Any, signal: Signal) -> Signal:
    by = _factor(norm, signal)
    return joined([affine(law, by) for law in signal])


def _rms(norm: Any, signal: Signal) -> Signal:
    """Every position has the same energy afterward."""
    return tuple([law._replace(profile=()) for law in _scaled(norm, signal)])


PLAIN: Mapping[str, Callable[[Any, Signal], Signal]] = {
    "rms": _rms,
    "grn": _scaled,
    "local_response": _scaled,
    "frozen": _scaled,
}
"""The law behind each type, given the norm and its input."""


def before_plain(norm: Any, signal: Signal, result: Signal, back: Gradient) -> Gradient:
    """The gradient with respect to the input; of an RMS norm less its projection on what is normalized."""
    by = _factor(norm, signal)
    channels = sum([law.channels for law in signal])
    left = 1 - 1 / channels if norm.type == "rms" else 1.0
    return tuple([each.scaled(by * by * left) for each in regrouped(result, back, signal)])


class Normalizing(Local):
    """A norm as the prediction of the signal sees it."""

    type: str
    eps: float
    affine: bool
    zero_init: bool

    def _groups(self, channels: int) -> int:
        raise NotImplementedError

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        if self.type in PLAIN:
            return PLAIN[self.type](self, values[0])
        if self.type == "batch":
            return joined([self._normalized(usage, law, law, 0.0) for law in values[0]])
        whole = mixed(values[0])
        left = 1 - 1 / self._members(usage)[0]  # of the variance between the means of channels
        return joined(
            [self._normalized(usage, law, law if self.type == "instance" else whole, left) for law in values[0]]
        )

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        if self.type in PLAIN:
            return (before_plain(self, values[0], result, back),)
        wholes = (mixed(values[0]),) * len(values[0]) if self.type in ("group", "layer") else values[0]
        scales = [usage.once_of(Normalizing._scale, self, law) for law in wholes]
        arrived = regrouped(result, back, values[0])
        if self.type != "batch":
            arrived = tuple([self._projected(usage, each) for each in arrived])
        sides = 2 * max(len(usage.output) - 1, 1)
        found = []
        for law, scale, each in zip(values[0], scales, arrived, strict=True):
            # What padding alone gives a channel has a dimension for each side of the map, so that channels differ in
            # their variance, with a relative variance of 2 / sides; the mean of the inverses is larger by as much.
            share = law.fixed / law.variance if law.variance and self.type == "batch" else 0.0
            found.append(each.scaled(scale * scale * (1 + 2 / sides * share * share)))
        return (tuple(found),)

    def _members(self, usage: Usage) -> tuple[int, int]:
        """How many channels and positions of one example are normalized together; of a batch norm, those of many."""
        channels, positions = usage.inputs[0][0], usage.positions[0]
        return {
            "group": (channels // self._groups(channels), positions),
            "layer": (channels, 1),
            "instance": (1, positions),
        }[self.type]

    def _scale(self, usage: Usage, law: Law) -> float:
        """What it multiplies deviations by, at the start."""
        if self.affine and self.zero_init:
            return 0.0
        apart = (1 - law.root**2) * law.level  # means differ from position to position
        variance = law.within + apart
        if self.type != "batch":
            channels, positions = self._members(usage)
            variance = variance * (1 - 1 / (channels * positions)) + law.between * (1 - 1 / channels)
        if self.type == "layer":
            variance = law.variance
        return 1 / math.sqrt(variance + self.eps) if variance + self.eps > 0 else 0.0

    def _normalized(self, usage: Usage, law: Law, whole: Law, left: float) -> Law:
        """A law, of which the share ``left`` of the variance between channels stays."""
        root, level, power, removed = law.root, law.level, law.power, law.between * (1 - left)
        scale = usage.once_of(Normalizing._scale, self, whole)
        apart = 0.0 if self.type == "layer" else (1 - root * root) * level
        profile = () if self.type == "layer" else centered(law.profile, level / power if power else 0.0, root)
        pieces = tuple([(weight, m, v - removed + apart) for weight, m, v in law.pieces])
        if any(v < 0 for _, _, v in pieces):
            pieces = ()
        moved = Law(law.channels, law.mean, law.within + apart, law.between - removed, pieces, profile, law.fixed)
        return affine(moved, scale, -scale * whole.mean)

    def _projected(self, usage: Usage, back: Back) -> Back:
        """A gradient less its projections on a constant and on the normalized values, over what is normalized."""
        channels, positions = self._members(usage)
        energy, shared = back[:2]
        constant = (shared + (energy - shared) / positions) / channels
        others = energy / (channels * positions)
        left = max(energy - constant - others, 0.0)
        factor = left / energy if energy else 0.0
        shared_left = max(shared - constant, 0.0) if channels == 1 else shared * factor
        return Back(left, shared_left, tuple([factor * piece for piece in back.pieces]), back.profile)
