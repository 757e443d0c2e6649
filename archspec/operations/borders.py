"""How a signal and its gradient pass through padding that repeats what is inside, or is filled with a constant."""

from __future__ import annotations

from archspec.operations.padding import left, places
from archspec.operations.profiles import LONGEST, Axis, Profile
from archspec.operations.signal import Back, Law, affine
from archspec.operations.windows import Windows


def bordered(law: Law, size: tuple[int, ...], windows: Windows, mode: str) -> Law:
    """The law of a map of this size that is padded as ``windows`` are, with what ``mode`` says.

    Zeros take energy away, and a border that is repeated has the energy of what it repeats.
    """
    gain, axes = 1.0, []
    for axis, length, before, after in _axes(law.profile, size, windows):
        each, profile = _padded(axis, length, before, after, mode)
        gain *= each
        axes.append(profile)
    return affine(law, gain**0.5)._replace(profile=tuple(axes) if any(axes) else ())


def filled(law: Law, share: float, value: float) -> Law:
    """The law of elements that are this share of all; the others are ``value``."""
    rest = 1 - share
    mean, between = share * law.mean * law.root + rest * value, share * share * law.between
    power = share * law.power + rest * value * value
    within = max(power - mean * mean - between, 0.0)
    pieces = (*[(share * weight, m, v) for weight, m, v in law.mixture], (rest, value, 0.0))
    fixed = min(share * law.fixed + share * rest * (law.mean - value) ** 2, within)
    return Law(law.channels, mean, within, between, pieces, (), fixed)


def unbordered(back: Back, size: tuple[int, ...], windows: Windows, mode: str) -> Back:
    """The gradient with respect to a map of this size, given that of the padded map.

    The gradients of a position and of those that repeat it are counted as independent.
    """
    gain, axes = 1.0, []
    for axis, length, before, after in _axes(back.profile, size, windows):
        each, profile = _unpadded(axis, length, before, after, mode)
        gain *= each
        axes.append(profile)
    return Back(back.energy * gain, back.shared, (), tuple(axes) if any(axes) else ())


def _axes(profile: Profile, size: tuple[int, ...], windows: Windows) -> list[tuple[Axis, int, int, int]]:
    profiles = profile or ((),) * len(size)
    return list(zip(profiles, size, windows.padding, windows.behind, strict=True))


def _padded(axis: Axis, size: int, before: int, after: int, mode: str) -> tuple[float, Axis]:
    total = before + size + after
    if not before and not after:
        return 1.0, axis
    if total > LONGEST:
        return (left(size, before, after) / total if mode == "zeros" else 1.0), ()
    energies = axis or (1.0,) * size
    found = [energies[at] if at >= 0 else 0.0 for at in places(size, before, after, mode)]
    gain = sum(found) / total
    return (gain, tuple([each / gain for each in found])) if gain else (0.0, ())


def _unpadded(axis: Axis, size: int, before: int, after: int, mode: str) -> tuple[float, Axis]:
    total = before + size + after
    if not before and not after:
        return 1.0, axis
    if total > LONGEST:
        return (left(size, before, after) / size if mode == "zeros" else total / size), ()
    energies = axis or (1.0,) * total
    found = [0.0] * size
    for at, energy in zip(places(size, before, after, mode), energies, strict=True):
        if at >= 0:
            found[at] += energy
    gain = sum(found) / size
    return (gain, tuple([each / gain for each in found])) if gain else (0.0, ())
