"""The values of expressions: what counts as a number, a word or a truth value, the functions, and the fault.

Every check raises :class:`ExpressionFault`. A caller that has no text to point into leaves the place at 0, 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from archspec.diagnostics import cut

Value = int | float | bool | str | None
Number = int | float

LIMIT = 10**15
NUMBERS = frozenset((int, float))
TRUTH_HELP = "write a comparison, such as `se > 0`"


@dataclass(eq=False)
class ExpressionFault(Exception):
    """An expression is refused, or has no value.

    ``start`` and ``end`` are character offsets into its text; 0, 0 is the whole text. ``name`` is the unknown name
    of an E402, for a caller that knows what the author may have meant; an unknown function brings its own ``help``.
    """

    code: str
    message: str
    start: int = 0
    end: int = 0
    help: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __reduce__(self) -> tuple[type[ExpressionFault], tuple[str, str, int, int, str, str]]:
        return type(self), (self.code, self.message, self.start, self.end, self.help, self.name)

    def at(self, start: int, end: int) -> ExpressionFault:
        """The same fault at another place."""
        return replace(self, start=start, end=end)


def undefined(name: str, start: int, end: int) -> ExpressionFault:
    """The fault of a name that an expression cannot read, at these offsets."""
    help = "declare it in `params`, or use another name"
    return ExpressionFault("E402", f"`{cut(name)}` is not defined here", start, end, help, name)


def describe(value: object) -> str:
    """``value`` for the end of a sentence: ``3.5``, ``the word 'relu'``, ``the truth value true``, ``null``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, str):
        return f"the word '{cut(value, 40)}'"
    if isinstance(value, int | float):
        # Python refuses to print an integer of very many digits.
        return repr(value) if -LIMIT <= value <= LIMIT else "a number beyond 10^15"
    return f"a {type(value).__name__}"


def wrong_kind(value: object, wanted: str, start: int = 0, end: int = 0, advice: str = "") -> ExpressionFault:
    """The fault for a value of the wrong kind; ``wanted`` begins the sentence, as in "`+` takes numbers"."""
    return ExpressionFault("E406", f"{wanted}, not {describe(value)}", start, end, advice)


def number(value: object) -> Number:
    """``value`` if it is a finite number within the bounds; a truth value is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_kind(value, "a number is needed here")
    if -LIMIT <= value <= LIMIT:
        return value
    raise out_of_bounds("the number", value)


def integer(value: object) -> int:
    """The whole number that ``value`` is: 96 for 96 and for 96.0; a fraction is refused, not rounded."""
    if type(value) is int and -LIMIT <= value <= LIMIT:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_kind(value, "a whole number is needed here")
    whole = int(number(value))
    if whole != value:
        advice = "choose how to round: `int`, `round`, `floor`, `ceil`, `//` or `make_divisible`"
        raise ExpressionFault("E403", f"a whole number is needed here, not {value!r}", help=advice)
    return whole


def truth(value: object) -> bool:
    """``value`` if it is true or false; a number or a word is neither."""
    if isinstance(value, bool):
        return value
    raise wrong_kind(value, "a truth value is needed here", advice=TRUTH_HELP)


def word(value: object) -> str:
    """``value`` if it is a word."""
    if isinstance(value, str):
        return value
    raise wrong_kind(value, "a word is needed here", advice="put words in quotes, such as `'relu'`")


def out_of_bounds(what: str, value: Number, start: int = 0, end: int = 0) -> ExpressionFault:
    """The fault for a number that is not finite, or whose magnitude is beyond the limit."""
    finite = isinstance(value, int) or math.isfinite(value)
    return ExpressionFault("E405", f"{what} is {'larger than 10^15' if finite else 'not finite'}", start, end)


def make_divisible(value: Number, divisor: Number = 8) -> int:
    """The multiple of ``divisor`` nearest to ``value``.

    At least ``divisor``, and one step up where rounding down would lose more than a tenth of ``value``.
    """
    value, step = number(value), integer(divisor)
    if step == 0:
        raise ExpressionFault("E404", "the divisor of `make_divisible` is zero")
    if step < 0:
        raise ExpressionFault("E406", f"the divisor of `make_divisible` must be at least 1, not {step}")
    nearest = max(step, int(value + step / 2) // step * step)
    return nearest + step if nearest < 0.9 * value else nearest


def sqrt(value: Number) -> float:
    """The square root."""
    if value < 0:
        raise ExpressionFault("E406", f"`sqrt` takes a number of at least 0, not {value}")
    return math.sqrt(value)


def letter(index: Number) -> str:
    """The letter at ``index`` in the alphabet: ``a`` for 0, ``z`` for 25."""
    place = integer(index)
    if 0 <= place < 26:
        return chr(ord("a") + place)
    raise ExpressionFault("E406", f"`letter` takes 0 to 25, not {place}")


FUNCTIONS: dict[str, str] = {
    "int": "the whole part of a number: int(2.7) is 2, int(-2.7) is -2",
    "round": "the nearest whole number, a half to the even one: round(2.5) is 2",
    "floor": "the next whole number below",
    "ceil": "the next whole number above",
    "min": "the smallest of two or more numbers",
    "max": "the largest of two or more numbers",
    "abs": "a number without its sign",
    "sqrt": "the square root of a number of at least 0: sqrt(9) is 3",
    "make_divisible": "make_divisible(v, d): the nearest multiple of d (8 if left out), losing at most a tenth of v",
    "scaled": "a width under the spec's compound `scale`; the nearest whole number without a `scale`",
    "letter": "the letter of a number: letter(0) is 'a'",
}

# With one argument and with several. `scaled` is in neither: what it does depends on the network.
UNARY: dict[str, Callable[[Number], Value]] = {
    "int": int,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
    "abs": abs,
    "sqrt": sqrt,
    "make_divisible": make_divisible,
    "letter": letter,
}
SEVERAL: dict[str, Callable[..., Number]] = {"min": min, "max": max, "make_divisible": make_divisible}

# The least and the greatest number of arguments, and how to say it.
ARGUMENTS: dict[str, tuple[int, int, str]] = dict.fromkeys(FUNCTIONS, (1, 1, "one argument")) | {
    "min": (2, 500, "two or more arguments"),
    "max": (2, 500, "two or more arguments"),
    "make_divisible": (1, 2, "one or two arguments"),
}
