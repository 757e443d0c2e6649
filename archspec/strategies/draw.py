"""The tools that draw the parts of a spec: choices, the width of a value, the site of a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, TypeVar, cast

from hypothesis import strategies as st

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
RawStep = str | dict[str, Any]

UNIT = 8
"""Every width is a multiple of this, so that halves and quarters of it split into groups too."""


@dataclass(frozen=True, slots=True)
class Width:
    """A number of channels, in all the ways that an author may write it.

    ``parts`` divides it; ``number`` is its value, if known.
    """

    words: tuple[int | str, ...]
    parts: int = UNIT
    number: int | None = None

    def times(self, factor: int) -> Width:
        """A multiple of this width."""
        words = tuple(w * factor if isinstance(w, int) else f"{factor} * {_bracketed(w)}" for w in self.words)
        return Width(words, self.parts * factor, self.number and self.number * factor)

    def half(self) -> Width:
        """Half of this width."""
        words = tuple(word // 2 if isinstance(word, int) else f"{_bracketed(word)} // 2" for word in self.words)
        return Width(words, self.parts // 2, self.number and self.number // 2)

    def __add__(self, other: Width) -> Width:
        number = self.number + other.number if self.number and other.number else None
        both = f"{_bracketed(str(self.words[0]))} + {_bracketed(str(other.words[0]))}"
        return Width((both,) if number is None else (number,), min(self.parts, other.parts), number)


def _bracketed(word: str) -> str:
    return word if word.replace("_", "a").isalnum() else f"({word})"


@dataclass(frozen=True, slots=True)
class FragmentFacts:
    """A fragment that steps may call: its parameters with values that fit, and whether it takes ``out``.

    ``required`` are those without a default, ``inputs`` the values that a call gives, each of the shape of what reaches
    the fragment. One without ``out`` keeps the shape of what reaches it; ``layered`` says
    that it contains layers.
    """

    name: str
    params: dict[str, tuple[Any, ...]]
    takes_out: bool
    layered: bool
    required: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepSite:
    """The place of a step, and what the step may use there.

    ``rank`` is the number of spatial axes, 0 for a flat value. ``many`` says that there is more than one position.
    ``acts``, ``kernels`` and ``conditions`` are what the names in scope offer; ``layers`` whether layers may stand
    here.
    """

    width: Width
    rank: int
    many: bool = True
    acts: tuple[str, ...] = ()
    kernels: tuple[Any, ...] = ()
    conditions: tuple[str | bool, ...] = (True, False)
    fragments: tuple[FragmentFacts, ...] = ()
    layers: bool = True
    depth: int = 2

    def deeper(self, **changes: Any) -> StepSite:
        """The site inside a merge or a group at this site."""
        return replace(self, **{"depth": self.depth - 1, **changes})

    def plain(self) -> StepSite:
        """The same without layers."""
        return replace(self, layers=False, fragments=tuple(f for f in self.fragments if not f.layered))


@dataclass(slots=True)
class Draw:
    """Draws the parts of one spec. The first choice is the plainest, because Hypothesis shrinks towards it."""

    from_strategy: st.DrawFn
    rank: int = 2
    params: dict[str, Any] = field(default_factory=dict)
    named: int = 0

    def pick(self, options: Sequence[T]) -> T:
        """One of them."""
        return self.from_strategy(st.sampled_from(options))

    def chance(self, of: int) -> bool:
        """True once in about ``of`` times."""
        return self.pick((False,) * (of - 1) + (True,))

    def count(self, least: int, most: int) -> int:
        """A whole number."""
        return self.from_strategy(st.integers(least, most))

    def name(self) -> str:
        """A name that no other step of the spec has."""
        self.named += 1
        return f"{self.pick(('part', 'extra.op', 'u-v'))}{self.named}"

    def value(self) -> str:
        """A name that no other value of the spec has."""
        self.named += 1
        return f"{self.pick(('v', 'kept_'))}{self.named}"

    def word(self, width: Width) -> int | str:
        """A width as it may be written."""
        return self.pick(width.words)

    def known(self, number: int) -> Width:
        """A known width, also written with a parameter of the spec if one fits."""
        words: tuple[int | str, ...] = (number,)
        wide = self.params.get("wide")
        if wide and number % wide == 0:
            words += (f"{number // wide} * wide" if number != wide else "wide",)
        return Width((*words, f"max({number}, 4)"), UNIT, number)

    def size(self, number: int) -> int | list[int]:
        """A number for every axis, or the same as a list."""
        return [number] * self.rank if self.chance(4) else number


def part(make: F) -> F:
    """``make``, whose choices Hypothesis then shrinks together: to the plainest of their kind at once."""

    @wraps(make)
    def drawn(draw: Draw, *args: Any, **given: Any) -> Any:
        return draw.from_strategy(st.just(draw).map(lambda draw: make(draw, *args, **given)))

    return cast(F, drawn)


def lasting(steps: list[RawStep]) -> list[RawStep]:
    """The steps, the first of them without a condition, so that ``when`` never leaves out all."""
    if not steps or isinstance(steps[0], str):
        return steps
    ((word, given),) = steps[0].items()
    if isinstance(given, dict):
        given = {key: value for key, value in given.items() if key != "when"}
        given = {**given, "steps": lasting(given["steps"])} if word in ("sequence", "repeat") else given
        given = {**given, "times": given["times"] or 1} if word == "repeat" else given
    return [{word: given}, *steps[1:]]
