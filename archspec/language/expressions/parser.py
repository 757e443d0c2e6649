"""The expressions of the language: text to a closure, in one pass.

The grammar is a small part of Python's, with Python's precedence and meaning, and nothing is handed to Python to
parse. Every expression ends: there are no loops, no definitions, and its length, depth and magnitudes are bounded.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, cast

from archspec.diagnostics import advise, cut
from archspec.language.expressions import closures
from archspec.language.expressions.closures import Check, Operand, Run, ScaleWidth, Values
from archspec.language.expressions.tokens import Token, tokens
from archspec.language.expressions.values import ARGUMENTS, FUNCTIONS, ExpressionFault, Value, integer

DEPTH = 32


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. ``names`` are the free names that it reads, ``cost`` the steps of work that it takes."""

    text: str
    names: frozenset[str] = field(compare=False)
    run: Run = field(compare=False, repr=False)
    cost: int = field(default=1, compare=False, repr=False)

    def evaluate(self, values: Values, scale: ScaleWidth = integer) -> Value:
        """The value for these values of its names. ``scale`` is what ``scaled`` does with a width.

        Raises:
            ExpressionFault: it has no value.
        """
        return self.run(values, scale)

    def __reduce__(self) -> tuple[Callable[[str], Expression], tuple[str]]:
        return parse, (self.text,)


@functools.lru_cache(1024)
def parse(text: str) -> Expression:
    """Read ``text`` as one expression; raises :class:`ExpressionFault` if it does not parse."""
    found = tokens(text)
    parser = _ExpressionParser(text, found)
    run = parser.whole()
    return Expression(text, frozenset(parser.names), run, len(found) // 2)


# How tightly an operator binds the operand before it; the tables below follow Python's precedence.
_TERNARY, _OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _SIGN = range(1, 9)
_COMPARISONS = frozenset(("==", "!=", *closures.ORDER))
_POWERS = {"if": _TERNARY, "or": _OR, "and": _AND, "+": _SUM, "-": _SUM}
_POWERS |= dict.fromkeys(_COMPARISONS, _COMPARISON) | dict.fromkeys(("*", "/", "//", "%"), _PRODUCT)
_MISPLACED = {
    ")": "`)` closes nothing",
    ",": "`,` is only allowed between the arguments of a function",
    "else": "`else` without an `if` before it",
}
_FLOW_HELP = "inside `{...}` of YAML, an expression with a comma, colon or brace needs quotes"


class _ExpressionParser:
    """Precedence climbing over the tokens of one expression; nodes are closures from the start."""

    __slots__ = ("depth", "names", "place", "text", "tokens")

    def __init__(self, text: str, found: list[Token]) -> None:
        self.text = text
        self.tokens = found
        self.place = 0
        self.depth = -1
        self.names: set[str] = set()

    def whole(self) -> Run:
        run, _, _ = self.expression(0)
        if self.tokens[self.place][0] != "end":
            self.unexpected()
        return run

    def expression(self, power: int) -> Operand:
        """What binds tighter than ``power``, from the current token on."""
        self.depth += 1
        if self.depth > DEPTH:
            _, _, start, end = self.tokens[self.place - 1]
            raise ExpressionFault("E405", f"the expression is nested deeper than {DEPTH} levels", start, end)
        node = self.operand(power)
        while (binding := _POWERS.get(self.tokens[self.place][0], 0)) > power:
            node = self.operation(node, binding)
        self.depth -= 1
        return node

    def operand(self, power: int) -> Operand:
        kind, value, start, end = self.tokens[self.place]
        self.place += 1
        if kind == "name":
            name = cast(str, value)
            if self.tokens[self.place][0] == "(":
                return self.call(name, start, end)
            return self.name(name, start, end)
        if kind in ("number", "word", "truth"):
            return (lambda values, scale: value), start, end
        if kind == "(":
            run, _, _ = self.expression(0)
            return run, start, self.close(start)
        if kind in ("-", "+"):
            return closures.signed(kind, self.expression(_SIGN), start)
        if kind == "not" and power <= _NOT:
            return closures.negated(self.expression(_NOT), start)
        if kind == "not":
            raise ExpressionFault("E401", "`not` needs parentheses here", start, end, "write `(not ...)`")
        if kind == "end":
            message = "the expression ends where a value is expected" if start else "the expression is empty"
            raise ExpressionFault("E401", message, start, end)
        raise ExpressionFault("E401", f"expected a value, not `{kind}`", start, end)

    def operation(self, left: Operand, binding: int) -> Operand:
        symbol = self.tokens[self.place][0]
        if binding == _COMPARISON:
            return self.comparison(left)
        self.place += 1
        if binding >= _SUM:
            return closures.arithmetic(symbol, left, self.expression(binding))
        if binding == _TERNARY:
            return self.conditional(left)
        return closures.junction(symbol, left, self.expression(binding))

    def conditional(self, chosen: Operand) -> Operand:
        condition = self.expression(_TERNARY)
        kind, _, start, end = self.tokens[self.place]
        if kind != "else":
            raise ExpressionFault("E401", "`else` is expected here: `a if c else b`", start, end)
        self.place += 1
        return closures.conditional(chosen, condition, self.expression(0))

    def comparison(self, left: Operand) -> Operand:
        steps: list[tuple[Run, Check]] = []
        first, start, end = left
        while (symbol := self.tokens[self.place][0]) in _COMPARISONS:
            self.place += 1
            right = self.expression(_COMPARISON)
            steps.append((right[0], closures.comparator(symbol, left, right)))
            left = right
            end = right[2]
        return closures.compared(first, steps), start, end

    def name(self, name: str, start: int, end: int) -> Operand:
        if name in FUNCTIONS:
            message = f"`{name}` is a function of the language, not a value"
            raise ExpressionFault("E401", message, start, end, f"call it: `{name}(...)`")
        self.names.add(name)
        return closures.read(name, start, end), start, end

    def call(self, name: str, start: int, end: int) -> Operand:
        if name not in FUNCTIONS:
            found = advise(name, FUNCTIONS, "functions")
            advice = found.hint or f"{f'{found.help}; ' if found.help else ''}the functions are {', '.join(FUNCTIONS)}"
            raise ExpressionFault("E402", f"`{cut(name)}` is not a function of the language", start, end, advice, name)
        arguments, stop = self.arguments()
        least, greatest, wanted = ARGUMENTS[name]
        if not least <= len(arguments) <= greatest:
            raise ExpressionFault("E401", f"`{name}` takes {wanted}, not {len(arguments)}", start, end)
        if len(arguments) == 1:
            return closures.called(name, arguments[0]), start, stop
        return closures.called_with(name, arguments, start, stop), start, stop

    def arguments(self) -> tuple[list[Operand], int]:
        opened = self.tokens[self.place][2]
        self.place += 1
        found: list[Operand] = []
        if self.tokens[self.place][0] != ")":
            found.append(self.expression(0))
        while self.tokens[self.place][0] == ",":
            self.place += 1
            found.append(self.expression(0))
        return found, self.close(opened)

    def close(self, opened: int) -> int:
        """Pass the parenthesis that closes the one at ``opened``, and give the place after it."""
        kind, _, _, end = self.tokens[self.place]
        if kind == "end":
            raise ExpressionFault("E401", "the `(` is never closed", opened, opened + 1, _FLOW_HELP)
        if kind != ")":
            self.unexpected()
        self.place += 1
        return end

    def unexpected(self) -> NoReturn:
        kind, _, start, end = self.tokens[self.place]
        missing = f"an operator is missing before `{cut(self.text[start:end])}`"
        raise ExpressionFault("E401", _MISPLACED.get(kind, missing), start, end)
