"""Products and powers of polynomials whose coefficients are counts, however large."""

from __future__ import annotations

import math

Polynomial = list[int]
"""The coefficients, the constant first: the number of paths of each length."""

MANY_TERMS = 20
"""The most terms, besides the first, for which the recurrence of powers is faster than products."""


def power(polynomial: Polynomial, times: int) -> Polynomial:
    """A polynomial to the power of ``times``, coefficient by coefficient: Euler's recurrence (Knuth, The Art of
    Computer Programming, volume 2, section 4.7). Of two terms, as a residual block has, it is the binomial theorem.
    """
    first = _least(polynomial)
    constant = polynomial[first]
    terms = [(n, paths) for n, paths in enumerate(polynomial[first + 1 :], 1) if paths]
    if times == 1 or len(terms) > MANY_TERMS:
        return product([polynomial] * times)
    found = [constant**times]
    for n in range(1, (len(polynomial) - 1 - first) * times + 1):
        total = sum([(i * (times + 1) - n) * paths * found[n - i] for i, paths in terms if i <= n])
        found.append(total // (n * constant))
    return [0] * (first * times) + found


def product(factors: list[Polynomial]) -> Polynomial:
    """The product of polynomials, by that of integers: each coefficient has a slot of bytes that is wide enough
    for the sum of all (Kronecker substitution).
    """
    if len(factors) < 2:
        return factors[0] if factors else [1]
    least = list(map(_least, factors))
    steps = [n - first for each, first in zip(factors, least, strict=True) for n, paths in enumerate(each) if paths]
    step = math.gcd(*steps) or 1
    slot = sum([sum(each).bit_length() for each in factors]) // 8 + 1
    packed = []
    for each, first in zip(factors, least, strict=True):
        kept = [paths.to_bytes(slot, "little") for paths in each[first::step]]
        packed.append(int.from_bytes(b"".join(kept), "little"))
    length = sum([(len(each) - 1 - first) // step for each, first in zip(factors, least, strict=True)])
    while len(packed) > 1:  # in pairs: products of long integers are the fastest where both are equally long
        packed = [math.prod(packed[i : i + 2]) for i in range(0, len(packed), 2)]
    data = packed[0].to_bytes(slot * (length + 1), "little")
    offset = sum(least)
    found = [0] * (offset + length * step + 1)
    found[offset::step] = [int.from_bytes(data[i : i + slot], "little") for i in range(0, len(data), slot)]
    return found


def _least(polynomial: Polynomial) -> int:
    """The length of the shortest path."""
    return next(length for length, paths in enumerate(polynomial) if paths)
