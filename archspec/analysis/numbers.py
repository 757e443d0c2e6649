"""Counts as text: exact, and in a form that stays readable where they are very long."""

from __future__ import annotations

MAX_BITS = 14_000
"""Python refuses to print longer integers, those of more than 4,300 digits."""

ALWAYS_BITS, ALWAYS_DIGITS = 2_000, 600
"""The longest integer that Python prints with any setting: 640 digits are always allowed."""

SHORT_BITS = 40
"""The longest factor that a person is shown, of 12 digits."""

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def exact(number: int) -> int | str:
    """``number`` itself; as a product of powers, ``2^14300``, where it is too long to print."""
    return number if number.bit_length() <= MAX_BITS else powers(number)


def shown(number: int) -> str:
    """A count for a person: ``65,536``, and from 10^15 on as a product of powers, ``2^54``."""
    return f"{number:,}" if abs(number) < 10**15 else powers(number, SHORT_BITS)


def decimal(number: int) -> str:
    """The digits of a count. Python's own conversion depends on a setting, which may allow no more than 640 of them."""
    parts = []
    while number.bit_length() > ALWAYS_BITS:
        number, part = divmod(number, 10**ALWAYS_DIGITS)
        parts.append(f"{part:0{ALWAYS_DIGITS}}")
    return "".join([str(number), *reversed(parts)])


def powers(number: int, bits: int = MAX_BITS) -> str:
    """A positive integer as a product of powers of small primes, ``2^54 * 3``.

    What is left is a factor of its own, or its magnitude, ``about 10^5000``, where it has more than ``bits`` bits.
    """
    factors = []
    for prime in PRIMES:
        number, exponent = _divided(number, prime)
        if exponent:
            factors.append(f"{prime}^{exponent}" if exponent > 1 else str(prime))
    if number.bit_length() > bits:
        factors.append(f"about 10^{number.bit_length() * 30103 // 100000}")
    elif number > 1 or not factors:
        factors.append(decimal(number))
    return " * ".join(factors)


def _divided(number: int, prime: int) -> tuple[int, int]:
    """``number`` without its factors ``prime``, and how many these are; by squaring, since there may be very many."""
    squares = [prime]
    while number % squares[-1] == 0:
        squares.append(squares[-1] ** 2)
    exponent = 0
    for place in range(len(squares) - 1, -1, -1):
        while number % squares[place] == 0 and number:
            number //= squares[place]
            exponent += 2**place
    return number, exponent
