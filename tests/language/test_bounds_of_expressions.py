"""Where the numbers of expressions end: at 10^15, and no later than the step that passes it."""

from __future__ import annotations

import pytest

from archspec.language.expressions.parser import parse
from archspec.language.expressions.values import ExpressionFault, Value


@pytest.mark.parametrize(
    ("text", "value", "blamed"),
    [
        ("1 + a * 0.5", 10**400, "a * 0.5"),  # more than a float of Python holds
        ("1 + -a", 10**16, "-a"),
        ("1 + int(a)", 10**16, "a"),
        ("1 + scaled(a)", 1e16, "a"),
        # 10^15 is 6 more than a multiple of 7, so that the next multiple is the nearest, one past the bound.
        ("1 + make_divisible(a, 7)", 10**15, "make_divisible(a, 7)"),
    ],
)
def test_the_step_that_passes_the_bound_is_blamed(text: str, value: Value, blamed: str) -> None:
    with pytest.raises(ExpressionFault) as raised:
        parse(text).evaluate({"a": value})
    fault = raised.value
    assert (fault.code, text[fault.start : fault.end]) == ("E405", blamed)
    assert "10^15" in fault.message


@pytest.mark.parametrize(
    ("text", "value"), [("-a", 10**15), ("int(a)", -1e15), ("make_divisible(a, 7)", 10**15 - 6), ("a * 1.0", 10**15)]
)
def test_the_bound_itself_is_a_number(text: str, value: int | float) -> None:
    """10^15 - 6 is a multiple of 7; what Python gives for the others."""
    python = {"a": value, "make_divisible": lambda number, divisor: number}
    assert parse(text).evaluate({"a": value}) == eval(text, {}, python)
