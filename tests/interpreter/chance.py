"""Random choices, and texts of expressions whose value is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")


class Chance:
    """Choices from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.numbers: dict[str, int] = {}
        """Parameters of the spec that are numbers."""
        self.named = 0

    def pick(self, options: Sequence[T]) -> T:
        """One of them."""
        return self.random.choice(options)

    def one_in(self, of: int) -> bool:
        """True once in about ``of`` times."""
        return self.random.randrange(of) == 0

    def count(self, least: int, most: int) -> int:
        """A whole number."""
        return self.random.randint(least, most)

    def name(self) -> str:
        """A name that nothing else has."""
        self.named += 1
        return self.pick(("part{}", "extra.op{}", "u_v{}", "deep.er.w{}")).format(self.named)

    def number(self, value: int, names: Mapping[str, int] | None = None) -> int | str:
        """A whole number, now and then as an expression of that value."""
        if not self.one_in(4):
            return value
        return self.expression(value, {**self.numbers, **(names or {})})

    def expression(self, value: int, names: Mapping[str, int]) -> str:
        """An expression of a value."""
        known = [f"{value}"]
        for name, number in names.items():
            known.append(f"{name} + {value - number}" if value >= number else f"{name} - {number - value}")
            known.append(f"{value} * {name} // {name}" if number else f"{value} + {name}")
        inner = self.pick(known)
        forms = (
            *(f"({inner})", f"max({inner}, 1)" if value >= 1 else inner, f"min({inner}, 4096)", f"int({inner})"),
            *(f"{value * 3} / 3", f"{2 * value + 1} // 2", f"{value} % 10007", f"abs(-{value})", f"int({value}.7)"),
            f"sqrt({value * value})",
            *(f"round({value}.2)", f"floor({value}.9)", f"ceil({value} - 0.5)", f"round({value * 2 + 1} / 2 - 0.5)"),
            *(f"{inner} if {self.condition()} else {inner}", f"min({value}, {value + 8}, 99)", f"{value}.0"),
            *(f"0 + {inner}", f"-(-{value})", f"make_divisible({value}, 1)", f"{inner} if true else 0"),
        )
        return self.pick(forms)

    def condition(self, more: Sequence[str] = ()) -> str:
        """A condition that holds or does not."""
        left, right = self.count(0, 4), self.count(0, 4)
        compare = self.pick(("==", "!=", "<", "<=", ">", ">="))
        plain = [
            *(f"{left} {compare} {right}", f"0 < {left} < {right}", "classes > 2", "classes == 5", "true", "false"),
            *("'relu' == 'relu'", "'batch' != 'group'", *more),
        ]
        first, second = self.pick(plain), self.pick(plain)
        return self.pick((first, first, f"not {first}", f"{first} and {second}", f"{first} or {second}", f"({first})"))

    def word(self, words: Sequence[str], more: Sequence[str] = ()) -> str:
        """A word: plain, the name of a parameter, or as an expression."""
        if more and self.one_in(4):
            return self.pick(more)
        if self.one_in(6):
            return f"'{self.pick(words)}' if {self.condition()} else '{self.pick(words)}'"
        return self.pick(words)

    def size(self, value: int, rank: int) -> Any:
        """A size for every axis: one number or a list."""
        return [self.number(value) for _ in range(rank)] if self.one_in(4) else self.number(value)
