"""JSON text as plain values, and the place of a value in the text. Only a fault makes it read the text twice."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from archspec.diagnostics import Diagnostic, Source, Span, SpecError, cut
from archspec.spans import LINE_BREAKS

DECODER = json.JSONDecoder()
SPACE = re.compile(r"[ \t\n\r,:]*")

MAX_DEPTH = 20
"""How deep lists and objects may be nested. A graph needs six levels."""


class _Refused(Exception):
    """Raised by the parser's hooks."""


def parse(source: Source) -> Any:
    """The values of a JSON text.

    Raises:
        SpecError: E840, the text is not JSON, repeats a key, has a number that is not finite, or is nested too deeply.
    """
    try:
        found = json.loads(source.text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        raise refused(message, _span(source, error.pos, error.pos + 1)) from None
    except RecursionError:
        raise refused("lists and objects are nested too deeply", source.part(0, 1)) from None
    except (_Refused, ValueError) as error:  # ValueError: an integer with thousands of digits
        told = str(error) if isinstance(error, _Refused) else "a number has too many digits"
        raise refused(told, source.part(0, 1)) from None
    if _depth(found) > MAX_DEPTH:
        raise refused(f"lists and objects are nested more than {MAX_DEPTH} deep", source.part(0, 1))
    return found


def refused(message: str, span: Span, help: str = "") -> SpecError:
    """E840 at a place."""
    return SpecError([Diagnostic("E840", message, span, help=help)])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1) if len(keys) < 1000 else "a key"
        raise _Refused(f"an object has the key `{cut(twice)}` twice")
    return found


def _constant(text: str) -> NoReturn:
    raise _Refused(f"`{text}` is not a JSON number")


def _float(text: str) -> float:
    found = float(text)
    if found in (float("inf"), float("-inf")):
        raise _Refused(f"the number `{cut(text, 30)}` is too large")
    return found


def _depth(value: Any) -> int:
    """How deep lists and objects are nested, up to one level more than is allowed."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        inside: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is dict:
                inside += each.values()
            elif kind is list:
                inside += each
        level, depth = inside, depth + 1
    return depth


def place(source: Source, path: Sequence[str | int], *, key: bool = False) -> Span:
    """The place of the value at a path, or of its key. If it does not exist, the place of the last part that does."""
    text, index = source.text, _skip(source.text, 0)
    start = index
    for number, step in enumerate(path):
        found = _inside(text, index, step)
        if found is None:
            break
        start, index = found
        if not (key and number == len(path) - 1):
            start = index
    end = DECODER.raw_decode(text, start)[1]
    return _span(source, start, end)


def _inside(text: str, index: int, step: str | int) -> tuple[int, int] | None:
    """Where an entry of the object or list at ``index`` begins, and where its value begins."""
    is_object = text[index] == "{"
    if not is_object and text[index] != "[":
        return None
    index, number = _skip(text, index + 1), 0
    while text[index] not in "}]":
        begin = index
        name: Any = number
        if is_object:
            name, index = DECODER.raw_decode(text, index)
            index = _skip(text, index)
        if name == step:
            return begin, index
        index, number = _skip(text, DECODER.raw_decode(text, index)[1]), number + 1
    return None


def _skip(text: str, index: int) -> int:
    found = SPACE.match(text, index)
    return found.end() if found else index


def _span(source: Source, start: int, end: int) -> Span:
    """The stretch between two offsets, cut to its first line."""
    before = source.text[:start].splitlines(keepends=True)
    if before and before[-1][-1] not in LINE_BREAKS:
        line, column = len(before), len(before[-1]) + 1
    else:
        line, column = len(before) + 1, 1
    after = min(column + end - start, max(column, len(source.line(line))) + 1)
    return Span(source, line, column, line, after)
