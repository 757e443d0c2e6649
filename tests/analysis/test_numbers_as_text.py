"""Long counts as products of powers: every small prime is taken out, and the product is the number."""

from __future__ import annotations

import pytest

from archspec.analysis.numbers import powers, shown


@pytest.mark.parametrize("prime", [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37])
def test_powers_of_each_small_prime(prime: int) -> None:
    assert powers(prime) == str(prime)
    assert powers(prime**60) == shown(prime**60) == f"{prime}^60"


def test_what_is_left_is_a_factor() -> None:
    assert powers(41**2 * 37 * 2**3) == "2^3 * 37 * 1681"
