"""How a signal and its gradient pass through an operation at initialization: what the rules of all operations share.

The forward signal is that of a batch of independent images; expectations are over the initial weights, examples and
positions, in the limit of many channels (Poole et al. 2016, Schoenholz et al. 2017; for convolutions Xiao et al. 2018).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from archspec.operations.following import Following, averaged_following, joined_ways
from archspec.operations.profiles import Profile, blended, root
from archspec.operations.shapes import Shape

_T = TypeVar("_T")

Piece = tuple[float, float, float]
"""A Gaussian of a mixture: its weight, mean and variance."""


class Law(NamedTuple):
    """How the elements of some neighboring channels are distributed.

    ``within`` is the variance of one channel's elements over examples and positions, and ``between`` the variance of
    the means of channels. ``pieces`` are the Gaussians whose mixture all elements together are; empty: one Gaussian.
    All are those at a position of mean energy: elsewhere, elements are larger or smaller by the root of ``profile``.
    ``fixed`` is the part of ``within`` that is the same in all examples: what only the position decides.
    """

    channels: int
    mean: float
    within: float
    between: float = 0.0
    pieces: tuple[Piece, ...] = ()
    profile: Profile = ()
    fixed: float = 0.0

    @property
    def root(self) -> float:
        """The mean root of the energy over all positions."""
        return root(self.profile)

    @property
    def variance(self) -> float:
        """That of all elements."""
        return self.within + self.between

    @property
    def level(self) -> float:
        """The mean square of the means of channels."""
        return self.mean * self.mean + self.between

    @property
    def power(self) -> float:
        """The mean square of the elements."""
        return self.mean * self.mean + self.within + self.between

    @property
    def mixture(self) -> tuple[Piece, ...]:
        """The Gaussians, at least one."""
        return self.pieces or ((1.0, self.mean, self.within + self.between),)


Signal = tuple[Law, ...]
"""A value: the laws of its channels, in order."""


class Back(NamedTuple):
    """The gradient with respect to the elements of one law.

    ``energy`` is the mean square of an element, ``shared`` the mean product of two elements of one channel and one
    example at different positions; ``pieces`` have the energy of the elements of each piece of the law, if they differ.
    ``following`` is the part along the value itself, where no norm has met the gradient.
    """

    energy: float
    shared: float
    pieces: tuple[float, ...] = ()
    profile: Profile = ()
    following: Following | None = None

    def scaled(self, by: float) -> Back:
        """The gradient, of which the energy is multiplied by ``by``."""
        return Back(self.energy * by, self.shared * by, tuple([by * each for each in self.pieces]), self.profile)

    @property
    def plain(self) -> Back:
        """The gradient, of which all pieces have the same energy."""
        return self._replace(pieces=()) if self.pieces else self


Gradient = tuple[Back, ...]
"""The gradient with respect to a value, law by law."""


class Usage:
    """Where an operation is: the shapes of its inputs and its output, and the ``init`` of the spec.

    ``positions`` are the numbers of positions of the first input and of the output, ``elements`` those of the elements
    of each input. Many nodes of a network share one.
    """

    __slots__ = ("_known", "_laws", "elements", "init", "inputs", "output", "positions")

    def __init__(self, inputs: tuple[Shape, ...], output: Shape, init: Mapping[str, Any]) -> None:
        self.inputs, self.output, self.init = inputs, output, init
        self.positions = math.prod(inputs[0][1:]), math.prod(output[1:])
        self.elements = tuple([math.prod(shape) for shape in inputs])
        self._known: dict[object, tuple[object, Any]] = {}
        self._laws: dict[int, tuple[Law, object, Any]] = {}

    def once(self, rule: Callable[[Any, Usage], _T], operation: object) -> _T:
        """What ``rule`` says of the operation here, whatever the values are: found once."""
        known = self._known.get(rule)
        if known is None or known[0] is not operation:
            known = self._known[rule] = operation, rule(operation, self)
        found: _T = known[1]
        return found

    def once_of(self, rule: Callable[[Any, Usage, Law], _T], operation: object, law: Law) -> _T:
        """What the operation's one such rule says of a law: found forward, and known backward."""
        known = self._laws.get(id(law))
        if known is None or known[0] is not law or known[1] is not operation:
            known = self._laws[id(law)] = law, operation, rule(operation, self, law)
        found: _T = known[2]
        return found


def mixed(signal: Signal) -> Law:
    """The law of all channels together."""
    if len(signal) == 1:
        return signal[0]
    return _mixed(signal)


@functools.lru_cache(64)
def _mixed(signal: Signal) -> Law:
    channels = sum([law.channels for law in signal])
    mean = sum([law.channels * law.mean for law in signal]) / channels
    within = sum([law.channels * law.within for law in signal]) / channels
    level = sum([law.channels * law.level for law in signal]) / channels
    fixed = sum([law.channels * law.fixed for law in signal]) / channels
    return Law(channels, mean, within, max(level - mean * mean, 0.0), (), profile_of(signal), fixed)


def profile_of(laws: Sequence[Law]) -> Profile:
    """The profile of all these laws together."""
    found, total = laws[0].profile, laws[0].channels * laws[0].power
    for law in laws[1:]:
        more = law.channels * law.power
        if more:
            found = blended(found, law.profile, total / (total + more))
            total += more
    return found


def affine(law: Law, scale: float, shift: float = 0.0) -> Law:
    """The law of ``scale * x + shift``."""
    channels, mean, within, between, pieces, profile, fixed = law
    square = scale * scale
    moved = tuple([(weight, scale * m + shift, square * v) for weight, m, v in pieces])
    return Law(channels, scale * mean + shift, square * within, square * between, moved, profile, square * fixed)


def joined(laws: Iterable[Law]) -> Signal:
    """Laws one after another, neighbors that are alike as one."""
    found: list[Law] = []
    for law in laws:
        if found and law.within == found[-1].within and law[1:] == found[-1][1:]:
            found[-1] = found[-1]._replace(channels=found[-1].channels + law.channels)
        else:
            found.append(law)
    return tuple(found)


def cut(signal: Signal, start: int, stop: int) -> Signal:
    """The laws of the channels from ``start`` up to, and without, ``stop``."""
    found, first = [], 0
    for law in signal:
        size = min(first + law.channels, stop) - max(first, start)
        if size > 0:
            found.append(law._replace(channels=size))
        first += law.channels
    return tuple(found)


def aligned(signals: Sequence[Signal]) -> list[tuple[Law, ...]]:
    """Values of as many channels, cut where the law of any of them ends: for each range of channels, a law of each."""
    if max(map(len, signals)) == 1:
        return [tuple([signal[0] for signal in signals])]
    cuts = [[law.channels for law in signal] for signal in signals if len(signal) > 1]
    if cuts.count(cuts[0]) == len(cuts):
        whole = [s if len(s) > 1 else [Law(size, *s[0][1:]) for size in cuts[0]] for s in signals]
        return list(zip(*whole, strict=True))
    bounds = sorted({bound for signal in signals for bound in _bounds(signal)})
    ranges = list(zip([0, *bounds[:-1]], bounds, strict=True))
    return [tuple([cut(signal, *each)[0] for signal in signals]) for each in ranges]


def _bounds(signal: Signal) -> list[int]:
    found, last = [], 0
    for law in signal:
        last += law.channels
        found.append(last)
    return found


def uniform(signal: Signal, energy: float, shared: float, profile: Profile = ()) -> Gradient:
    """A gradient that is the same for all channels of a value."""
    return (Back(energy, shared, (), profile),) * len(signal)


def mean_energy(signal: Signal, gradient: Gradient) -> float:
    """The mean square of an element of the gradient of all channels together."""
    if len(signal) == 1:
        return gradient[0].energy
    total, channels = 0.0, 0
    for law, back in zip(signal, gradient, strict=True):
        total += law.channels * back.energy
        channels += law.channels
    return total / channels


def averaged(signal: Signal, gradient: Gradient) -> Back:
    """The gradient of all channels together."""
    if len(signal) == 1:
        return gradient[0]
    channels = sum([law.channels for law in signal])
    energy = sum([law.channels * back.energy for law, back in zip(signal, gradient, strict=True)])
    shared = sum([law.channels * back.shared for law, back in zip(signal, gradient, strict=True)])
    pairs = zip(signal, gradient, strict=True)
    return Back(energy / channels, shared / channels, (), _profile([(law.channels, back) for law, back in pairs]))


def _profile(taken: Sequence[tuple[int, Back]]) -> Profile:
    """The profile of gradients of so many channels."""
    found, total = taken[0][1].profile, taken[0][0] * taken[0][1].energy
    for size, back in taken[1:]:
        more = size * back.energy
        if more:
            found = blended(found, back.profile, total / (total + more))
            total += more
    return found


def regrouped(signal: Signal, gradient: Gradient, target: Signal, start: int = 0) -> Gradient:
    """The gradient with respect to ``target``, whose channels are those of ``signal`` from ``start`` on.

    Where they are cut alike, the energies of the pieces stay.
    """
    if len(target) == 1 == len(signal) and target[0].channels == signal[0].channels:
        return gradient if len(gradient[0].pieces) == len(target[0].pieces) else (gradient[0].plain,)
    if not start and [law.channels for law in signal] == [law.channels for law in target]:
        pairs = zip(gradient, target, strict=True)
        return tuple([back if len(back.pieces) == len(law.pieces) else back.plain for back, law in pairs])
    found, first = [], start
    for law in target:
        taken, place = [], 0
        for source, back in zip(signal, gradient, strict=True):
            size = min(place + source.channels, first + law.channels) - max(place, first)
            if size > 0:
                taken.append((size, back))
            place += source.channels
        found.append(_together(taken, law))
        first += law.channels
    return tuple(found)


def _together(taken: Sequence[tuple[int, Back]], law: Law) -> Back:
    """One gradient for a law, of those of parts of its channels; channels that none covers have none."""
    if len(taken) == 1 and taken[0][0] == law.channels and len(taken[0][1].pieces) == len(law.pieces):
        return taken[0][1]
    energy = sum([size * back.energy for size, back in taken]) / law.channels
    shared = sum([size * back.shared for size, back in taken]) / law.channels
    following = [(size / law.channels, back.following) for size, back in taken]
    return Back(energy, shared, (), _profile(taken) if taken else (), averaged_following(following))


def summed(law: Law, first: Back, other: Back) -> Back:
    """The gradient of a law whose value is read twice: what arrives on different ways is uncorrelated."""
    pieces: tuple[float, ...] = ()
    if first.pieces or other.pieces:
        of_first, of_other = (back.pieces or (back.energy,) * len(law.pieces) for back in (first, other))
        pieces = tuple([a + b for a, b in zip(of_first, of_other, strict=True)])
    energy = first.energy + other.energy
    following = None
    if first.following and other.following and energy:
        following, both = joined_ways(law, first.following, other.following)
        both = max(both, -0.5 * energy)
        pieces = tuple([piece * (1 + both / energy) for piece in pieces])
        energy += both
    profile = blended(first.profile, other.profile, first.energy / energy) if energy else ()
    return Back(energy, first.shared + other.shared, pieces, profile, following)
