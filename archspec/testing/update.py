"""Puts measured values in the place of what a spec expects, and keeps the layout of the text.

Only the characters of a value change. Its form stays: grouped digits, quotes, the last place of a rounded figure, a
power. Every change is read back, and dropped if the text would then mean anything else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from archspec.analysis.numbers import MAX_BITS
from archspec.diagnostics import Source, SpecError
from archspec.graph.graph import Graph
from archspec.language.text.document import Document, Path
from archspec.language.text.reader import read
from archspec.language.text.yaml_writer import Raw, flow
from archspec.operations.shapes import Shape
from archspec.testing.edits import Edit, Writing, between, holds, just_before
from archspec.testing.expectations import Compared, Measures, claims_of
from archspec.testing.figures import UNITS, is_bound

ADDED = ("params", "macs", "output")
"""The expectations that are written into a spec without any."""


@dataclass(frozen=True, slots=True)
class Update:
    """The text of a spec with measured values. ``left`` says why a wrong expectation did not change."""

    source: Source
    text: str
    left: Mapping[str, str]

    @property
    def changed(self) -> bool:
        return self.text != self.source.text

    def diff(self) -> str:
        """The change as a unified diff, or an empty text."""
        before, after = (text.splitlines(keepends=True) for text in (self.source.text, self.text))
        lines = difflib.unified_diff(before, after, self.source.name, self.source.name, n=1)
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def update(graph: Graph) -> Update:
    """The text of a graph's spec, with measured values in place of expectations that do not hold.

    Bounds do not change, because they are decisions and not measurements. A key without a value gets one. A spec
    without ``expect`` gets one, with :data:`ADDED`.

    Raises:
        ValueError: the graph has no spec.
    """
    if graph.origin is None:
        raise ValueError(f"`{graph.name}` has no spec, so there is no text to update")
    document, measures = graph.origin.document, Measures(graph)
    text = document.source.text
    left: dict[str, str] = {}
    if "expect" not in document.value:
        added = _with_expect(document.source, measures)
        if added is None:
            return Update(document.source, text, {"expect": "the layout has no place for another key"})
        return Update(document.source, added, {})
    edits = [*_changes(measures, document, left), *_fillings(measures, document)]
    edits.sort(key=lambda edit: edit.span[1:], reverse=True)
    writing = Writing(text)
    writing.write(edits)
    why = "the value cannot be replaced in its place, such as one that an alias shares"
    return Update(document.source, writing.text, {**left, **dict.fromkeys(map(_name, writing.left), why)})


def edit_of(compared: Compared) -> Edit | None:
    """The edit that makes an expectation hold. None for a bound, and for a number that cannot be written."""
    claim, measured, _ = compared
    if measured is None or not claim.path or is_bound(claim.value):
        return None
    old = between(claim.span)
    new = _list(old, measured) if isinstance(measured, tuple) else figure(old, measured)
    return Edit(claim.path, claim.span, new, measured) if new else None


def _changes(measures: Measures, document: Document, left: dict[str, str]) -> Iterator[Edit]:
    """An edit for each expectation that does not hold."""
    for claim in claims_of(document):
        compared = measures.compare(claim)
        if compared.fault is None:
            continue
        edit = edit_of(compared)
        if edit:
            yield edit
        elif is_bound(claim.value):
            left[claim.name] = "a bound is a decision: change it by hand"
        elif compared.measured is None:
            left[claim.name] = "it cannot be measured"
        else:
            left[claim.name] = "its value cannot be written in this form"


def _fillings(measures: Measures, document: Document) -> Iterator[Edit]:
    """An edit for each key of ``expect`` that has no value yet."""
    expect = document.value["expect"] or {}
    stages = {scope: inner for scope, inner in (expect.get("stages") or {}).items() if scope in measures.stages}
    owners = [("", ("expect",), expect), *((scope, ("expect", "stages", scope), stages[scope]) for scope in stages)]
    for stage, path, inner in owners:
        for key, value in (inner or {}).items():
            here = (*path, key)
            measured = measures.measure(stage, key) if value is None and key != "stages" else None
            if measured is None:
                continue
            span = document.span(here)
            old = between(span)
            new = _list("", measured) if isinstance(measured, tuple) else figure("", measured)
            gap = "" if old or just_before(span) == " " else " "
            yield Edit(here, span, gap + new, measured)


def _with_expect(source: Source, measures: Measures) -> str | None:
    """The text with an ``expect`` at its end, or None if the spec does not end there."""
    found = {key: measured for key in ADDED if (measured := measures.measure("", key)) is not None}
    values = {key: Raw(_list("", each) if isinstance(each, tuple) else figure("", each)) for key, each in found.items()}
    line_break = "\r\n" if "\r\n" in source.text else "\n"
    beginning = source.text if source.text.endswith(("\n", "\r")) else source.text + line_break
    text = f"{beginning}expect: {flow(values)}{line_break}"
    try:
        added = read(Source(source.name, text, "text")).value
    except SpecError:
        return None
    same = {key: value for key, value in added.items() if key != "expect"} == read(source).value
    hold = all(holds(added.get("expect", {}).get(key), measured) for key, measured in found.items())
    return text if same and hold else None


# -- the form of a value -----------------------------------------------------------------------------------------------

_POWER = re.compile(r"2\^[0-9]+")
_ROUNDED = re.compile(r"[0-9][0-9_,]*(?:\.([0-9]+))?(\s*)([kKMGBT])")


def figure(old: str, measured: int | Fraction) -> str:
    """A measured figure in the form of ``old``, the value in the text. Empty if the figure cannot be written.

    A rounded figure keeps its unit and last place, or its number of digits if nothing would remain. A power of two
    becomes a plain number if the figure is not a power of two.
    """
    quote = old[0] if old[:1] in ("'", '"') else ""
    inner = old.strip(quote) if quote else old
    if isinstance(measured, Fraction):
        return f"{quote}{float(measured):g}{quote}"
    if measured.bit_length() > MAX_BITS:
        inner = "2^"
    if inner.startswith("2^") and measured & (measured - 1) == 0 and measured:
        return f"{quote}2^{measured.bit_length() - 1}{quote}"
    if measured.bit_length() > MAX_BITS:
        return ""
    if match := _ROUNDED.fullmatch(inner):
        return f"{quote}{_rounded(measured, len(match[1] or ''), match[2], match[3], _digits(inner))}{quote}"
    separator = "," if "," in inner else "" if len(_digits(inner)) > 3 and "_" not in inner else "_"
    return f"{quote}{measured:{separator}}{quote}" if separator else f"{quote}{measured}{quote}"


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def _rounded(measured: int, places: int, space: str, unit: str, digits: str) -> str:
    """A figure in a unit, with ``places`` decimal places. Below one, it has a smaller unit and as many digits."""
    if measured >= UNITS[unit]:
        return f"{_in_unit(measured, UNITS[unit], places)}{space}{unit}"
    for smaller in [each for each in "TGMk" if UNITS[each] < UNITS[unit]]:
        if measured >= UNITS[smaller]:
            places = max(0, len(digits) - len(str(measured // UNITS[smaller])))
            return f"{_in_unit(measured, UNITS[smaller], places)}{space}{smaller}"
    return str(measured)


def _in_unit(measured: int, unit: int, places: int) -> str:
    whole, part = divmod(round(Fraction(measured * 10**places, unit)), 10**places)
    return f"{whole}.{part:0{places}}" if places else str(whole)


def _list(old: str, measured: Shape) -> str:
    """A shape in the form of ``old`` if both have as many numbers, else a new list. Empty if neither is possible.

    A list with one element a line has no brackets to hold another list, and its comments would be lost.
    """
    numbers = list(re.finditer(r"[0-9][0-9_]*", old))
    if "#" in old or (old and len(numbers) != len(measured) and not old.startswith("[")):
        return ""
    if len(numbers) != len(measured):
        return str(list(measured))
    for number, value in reversed(list(zip(numbers, measured, strict=True))):
        old = old[: number.start()] + str(value) + old[number.end() :]
    return old


def _name(path: Path) -> str:
    return ".".join(str(each) for each in path if each not in ("expect", "stages"))
