"""Plain scalars by YAML 1.2's core schema, and what an older reader would make of them.

YAML 1.1 takes ``010`` for 8, ``12:30`` for 750 and ``no`` for false. :func:`read_scalar` reads such a scalar as text,
and :func:`ambiguity` says why, so that whoever needs a number or a word there can refuse it.
"""

from __future__ import annotations

import math
import re

from archspec.diagnostics import cut

Scalar = None | bool | int | float | str

MAX_DIGITS = 100

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# YAML 1.1 lists `y` and `n` too, but PyYAML and YAML 1.2 read single letters as text.
_TRUTH = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_NUMERIC = frozenset("0123456789+-._")

_INTEGER = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*")
_FLOAT = re.compile(r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_PREFIXED = re.compile(r"[-+]?0[xob][0-9a-f_]+", re.IGNORECASE)
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9:.]+[ \t]*(?:Z|[-+][0-9:]+)?)?")


class NotFinite(ValueError):
    """A number without a finite value, or with more digits than anyone means. Its text is the message for E111."""


def read_scalar(text: str) -> Scalar:
    """The value of a plain scalar. Raises :class:`NotFinite`.

    Besides the core schema, digits may be grouped by single underscores (``25_557_032``); ``0x1F`` and numbers with a
    leading zero stay text.
    """
    return _number(text) if text[:1] in _NUMERIC else _CONSTANTS.get(text, text)


def is_plain_text(text: str) -> bool:
    """Whether every reader takes ``text``, written without quotes, for the text itself."""
    try:
        return read_scalar(text) == text and not ambiguity(text)
    except NotFinite:
        return False


def _number(text: str) -> int | float | str:
    if _INTEGER.fullmatch(text):
        _check_digits(text)
        return text if _LEADING_ZERO.fullmatch(text) else int(text)
    if _FLOAT.fullmatch(text):
        _check_digits(text)
        value = float(text)
        if math.isinf(value):
            raise NotFinite(f"`{cut(text)}` is too large for a number")
        return value
    if _NOT_FINITE.fullmatch(text):
        raise NotFinite(f"`{text}` is not a finite number")
    return text


def _check_digits(text: str) -> None:
    digits = sum(c.isdigit() for c in text) if len(text) > MAX_DIGITS else 0
    if digits > MAX_DIGITS:
        raise NotFinite(f"a number of {digits:,} digits is refused; at most {MAX_DIGITS} make sense")


def ambiguity(text: str) -> str:
    """Why YAML versions read this plain scalar differently; empty where they agree.

    Ask only for what :func:`read_scalar` returned as text.
    """
    if text[:1] in _NUMERIC:
        return _numeric_ambiguity(text)
    truth = _TRUTH.get(text.lower()) if len(text) <= 3 else None
    return f"YAML 1.1 reads `{text}` as {truth}, YAML 1.2 as text" if truth else ""


def _numeric_ambiguity(text: str) -> str:
    shown = cut(text)
    if _LEADING_ZERO.fullmatch(text):
        return _leading_zero(text.replace("_", ""), shown)
    if _PREFIXED.fullmatch(text):
        return f"YAML readers differ on `{shown}`: a number or text"
    if _BASE_60.fullmatch(text):
        return f"YAML 1.1 reads `{shown}` as a number in base 60, YAML 1.2 as text"
    if _DATE.fullmatch(text):
        return f"YAML 1.1 reads `{shown}` as a date, YAML 1.2 as text"
    bare = text.replace("_", "")
    if len(bare) < len(text) and (_INTEGER.fullmatch(bare) or _FLOAT.fullmatch(bare)):
        return f"YAML readers differ on the underscores of `{shown}`: a number or text"
    return ""


def _leading_zero(digits: str, shown: str) -> str:
    if len(digits) > MAX_DIGITS:
        return f"YAML readers differ on `{shown}`: a number or text"
    octal = str(int(digits, 8)) if not set(digits) & set("89") else "text"
    return f"YAML 1.1 reads `{shown}` as {octal}, YAML 1.2 as {int(digits)}"
