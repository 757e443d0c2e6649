"""Expressions as tokens, with a clear message for every character that is not allowed."""

from __future__ import annotations

import re
import unicodedata

from archspec.diagnostics import cut
from archspec.language.expressions.values import LIMIT, ExpressionFault, Value, out_of_bounds

LENGTH = 500

# A kind (`name`, `number`, `word`, `truth`, `end`, or the symbol or keyword itself), the value, start and end.
Token = tuple[str, Value, int, int]

KEYWORDS = frozenset(("and", "or", "not", "if", "else"))
TRUTHS = {"true": True, "True": True, "false": False, "False": False}
SYMBOLS = frozenset(("+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "(", ")", ","))

# A number is read as far as its author can have meant it (`2x`, `1.2.3`, `0x1F`), so that it is refused whole.
_TOKEN = re.compile(
    r"[ \t\r\n]*(?:([A-Za-z_][A-Za-z0-9_]*)"
    r"|(\.?[0-9](?:[eE][+-][0-9]|[A-Za-z0-9_.])*)"
    r"|('[^']*'|\"[^\"]*\")"
    r"|(//|\*\*|==|!=|<=|>=|<<|>>|<>|:=|&&|\|\||.))",
    re.DOTALL,
)
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_WHOLE = re.compile(_DIGITS)
_DECIMAL = re.compile(rf"(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?[0-9]+)?")
_AMBIGUOUS = re.compile(r"0(?:_?[0-9]|[xXoObB])")
_WORD = re.compile(r"[ -\[\]-~]*")

_FOREIGN_WORDS = {
    "lambda": "there are no functions of one's own; a `let` gives a value a name",
    "in": "write one comparison for each value, joined by `or`",
    "is": "compare with `==`",
    "None": "the words are `true` and `false`",
    "null": "the words are `true` and `false`",
}
_FOREIGN = {
    **dict.fromkeys(("**", "^", "<<"), "write a product"),
    **dict.fromkeys(("&", "&&"), "write `and`"),
    **dict.fromkeys(("|", "||"), "write `or`"),
    **dict.fromkeys("[]", "there are no lists and no subscripts"),
    **dict.fromkeys("{}", "there are no mappings"),
    "=": "compare with `==`; arguments have no names",
    ":=": "a `let` gives a value a name",
    "!": "write `not`",
    "<>": "write `!=`",
    "?": "write `a if c else b`",
    ">>": "write `//`",
    ".": "a value has no attributes",
    "#": "there are no comments inside an expression",
}
_TWINS = {
    **dict.fromkeys("\u00d7\u22c5\u00b7", "*"),
    "\u00f7": "/",
    **dict.fromkeys("\u2212\u2010\u2011\u2013\u2014", "-"),
    **dict.fromkeys("\u2018\u2019", "'"),
    **dict.fromkeys("\u201c\u201d", '"'),
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2260": "!=",
}


def tokens(text: str) -> list[Token]:
    """The tokens of ``text``, the last of kind ``end``; raises :class:`ExpressionFault` for anything else."""
    if len(text) > LENGTH:
        raise ExpressionFault("E405", f"the expression is longer than {LENGTH} characters", 0, len(text))
    if not text.isascii():
        raise _foreign_character(text)
    end = len(text.rstrip(" \t\r\n"))
    found: list[Token] = []
    for match in _TOKEN.finditer(text, 0, end):
        kind = match.lastindex
        if kind == 1:
            start, stop = match.span(1)
            found.append(_name(match[1], start, stop))
        elif kind == 4:
            start, stop = match.span(4)
            symbol = match[4]
            if symbol not in SYMBOLS:
                raise _foreign_symbol(symbol, start, stop)
            found.append((symbol, None, start, stop))
        elif kind == 2:
            start, stop = match.span(2)
            found.append(("number", _number(match[2], start, stop), start, stop))
        else:
            start, stop = match.span(3)
            found.append(("word", _quoted(match[3], start), start, stop))
    found.append(("end", None, end, end))
    return found


def _name(text: str, start: int, end: int) -> Token:
    if text in KEYWORDS:
        return text, None, start, end
    if text in TRUTHS:
        return "truth", TRUTHS[text], start, end
    if text in _FOREIGN_WORDS:
        message = f"`{text}` is not part of the language; {_FOREIGN_WORDS[text]}"
        raise ExpressionFault("E401", message, start, end)
    return "name", text, start, end


def _number(text: str, start: int, end: int) -> int | float:
    if _AMBIGUOUS.match(text):
        reason = "starts with a zero, which some read as octal" if text[1] in "0123456789_" else "is not decimal"
        advice = "write the number in plain decimal digits"
        raise ExpressionFault("E110", f"`{cut(text)}` {reason}", start, end, advice)
    value: int | float
    if _WHOLE.fullmatch(text):
        value = int(text)
    elif _DECIMAL.fullmatch(text):
        value = float(text)
    else:
        raise ExpressionFault("E401", f"`{cut(text)}` is not a number", start, end, _number_help(text))
    if value > LIMIT:
        raise out_of_bounds(f"`{cut(text)}`", value, start, end)
    return value


def _number_help(text: str) -> str:
    product = re.fullmatch(r"([0-9]+)([A-Za-z_][A-Za-z0-9_]*)", text)
    return f"write `{product[1]} * {cut(product[2])}` for a product" if product else ""


def _quoted(text: str, start: int) -> str:
    inner = text[1:-1]
    plain = _WORD.match(inner)
    stop = plain.end() if plain else 0
    if stop < len(inner):
        message = "a quoted word has no escapes" if inner[stop] == "\\" else "a quoted word must be on one line"
        raise ExpressionFault("E401", message, start + 1 + stop, start + 2 + stop)
    return inner


def _foreign_symbol(symbol: str, start: int, end: int) -> ExpressionFault:
    if symbol in "'\"":
        return ExpressionFault("E401", f"the quote `{symbol}` is never closed", start, end)
    advice = f"; {_FOREIGN[symbol]}" if symbol in _FOREIGN else ""
    return ExpressionFault("E401", f"`{cut(symbol)}` is not part of the language{advice}", start, end)


def _foreign_character(text: str) -> ExpressionFault:
    place = next(i for i, character in enumerate(text) if not character.isascii())
    character = text[place]
    twin = _TWINS.get(character) or unicodedata.normalize("NFKC", character)
    name = unicodedata.name(character, "no name")
    message = f"`{cut(character)}` (U+{ord(character):04X}, {name}) is not an ASCII character"
    advice = f"write {'a space' if twin == ' ' else f'`{twin}`'}" if twin.isascii() and twin.isprintable() else ""
    return ExpressionFault("E401", message, place, place + 1, advice)
