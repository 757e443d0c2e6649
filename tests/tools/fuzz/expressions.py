"""Expressions from bytes: any text, tokens in any order, and what the grammar allows, bent a little."""

from __future__ import annotations

from collections.abc import Sequence

from tests.tools.fuzz.choices import Choices
from tests.tools.fuzz.promise import NAMES

ATOMS = (
    "a",
    "b",
    "c",
    "a",
    "b",
    "zero",
    "1",
    "2",
    "3",
    "8",
    "64",
    "0.5",
    "1e3",
    "1_000",
    "2.5",
    "7",
    *NAMES,
    "0",
    "'relu'",
    "missing",
)
ARITHMETIC = ("+", "-", "*", "/", "//", "%")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
OPERATORS = (*ARITHMETIC, *COMPARISONS, "and", "or", "not", "true", "false")
CALLS = ("int", "round", "floor", "ceil", "abs", "sqrt", "letter", "scaled", "make_divisible")
TOKENS = (*ATOMS, *OPERATORS, *CALLS, *("not", "if", "else", "(", ")", ",", "min(", "max(", "in", "is", "lambda", "**"))
TOKENS += (
    ".",
    "[",
    "]",
    "'",
    '"',
    "\\",
    "=",
    ":",
    ":=",
    "@",
    "0x1f",
    "1e400",
    "9" * 20,
    "é",
    "\uff11",
    "\x00",
    "#",
    "\n",
)


def expression(data: bytes) -> str:
    """An expression, or something like one."""
    choices = Choices(data)
    match choices.below(8):
        case 0:
            return choices.rest().decode("utf-8", "surrogateescape")
        case 1:
            return " ".join(choices.pick(TOKENS) for _ in range(1 + choices.below(24)))
        case 2 | 3:
            return bent(grown(choices, ATOMS, 3), choices)
        case _:
            return grown(choices, ATOMS, 5)


def grown(choices: Choices, atoms: Sequence[str], depth: int) -> str:
    """A text of the grammar that means a number, or a word if an atom is one, at most ``depth`` levels deep."""
    if depth == 0:
        return choices.pick(atoms)

    def inner() -> str:
        return grown(choices, atoms, depth - 1)

    match choices.below(8):
        case 0:
            return choices.pick(atoms)
        case 1 | 2 | 3:
            return f"{inner()} {choices.pick(ARITHMETIC)} {inner()}"
        case 4:
            return f"({inner()})"
        case 5:
            return f"{inner()} if {condition(choices, atoms, depth - 1)} else {inner()}"
        case 6:
            return f"{choices.pick(('-', '+'))}{inner()}"
        case _ if choices.below(4) == 0:
            return f"{choices.pick(('min', 'max', 'make_divisible'))}({inner()}, {inner()})"
        case _:
            return f"{choices.pick(CALLS)}({inner()})"


def condition(choices: Choices, atoms: Sequence[str], depth: int) -> str:
    """A text of the grammar that means true or false."""
    if depth <= 0 or choices.below(2):
        pair = grown(choices, atoms, max(depth - 1, 0)), grown(choices, atoms, max(depth - 1, 0))
        return f"{pair[0]} {choices.pick(COMPARISONS)} {pair[1]}"

    def inner() -> str:
        return condition(choices, atoms, depth - 1)

    match choices.below(4):
        case 0:
            return f"not {inner()}"
        case 1:
            return f"({inner()})"
        case _:
            return f"{inner()} {choices.pick(('and', 'or'))} {inner()}"


def bent(text: str, choices: Choices) -> str:
    """A text with a few words dropped, doubled or replaced."""
    words = text.split(" ")
    for _ in range(1 + choices.below(3)):
        at = choices.below(len(words))
        words[at : at + 1] = choices.pick(([], [words[at]] * 2, [choices.pick(TOKENS)], [words[at], "("]))
        words = words or [""]
    return " ".join(words)
