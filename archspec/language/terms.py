"""From values of a document to terms: constants, expressions, words, settings, name templates, each with its span."""

from __future__ import annotations

import keyword
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from archspec.diagnostics import Advice, Diagnostic, Faults, Span, cut
from archspec.language.expressions.closures import ScaleWidth
from archspec.language.expressions.parser import Expression, parse
from archspec.language.expressions.values import ExpressionFault, Value, integer, number
from archspec.language.foreign_values import advise_text
from archspec.language.look_up import Definitions
from archspec.language.readable import readable
from archspec.language.spec import WORD, Setting, Term
from archspec.language.templates import Template
from archspec.language.text.document import Document, Path, value_at
from archspec.operations.base import arguments
from archspec.operations.discovery import operations
from archspec.work import DEFINING

QUOTES = 'inside `{...}` an expression with a comma, colon or brace needs quotes: `out: "min(a, b)"`'


LISTS = ("size", "sides", "numbers")
"""The kinds of arguments that also take a list."""


class Cursor:
    """A value of a document with its path, so that whatever is read from it knows its place."""

    __slots__ = ("document", "path", "value")

    def __init__(self, document: Document, path: Path = (), value: Any = None) -> None:
        self.document = document
        self.path = path
        self.value = document.value if not path else value

    def child(self, key: str | int) -> Cursor:
        return Cursor(self.document, (*self.path, key), self.value[key])

    def get(self, key: str) -> Cursor | None:
        """The value under ``key``; None where the key is missing or null."""
        return self.child(key) if isinstance(self.value, dict) and self.value.get(key) is not None else None

    def children(self) -> Iterable[Cursor]:
        keys = self.value if isinstance(self.value, dict) else range(len(self.value))
        return (self.child(key) for key in keys)

    def filled(self) -> dict[str, Cursor]:
        """The values of a mapping that are not null, by their keys."""
        return {key: self.child(key) for key, value in self.value.items() if value is not None}

    @property
    def key(self) -> str:
        """The last part of the path."""
        return str(self.path[-1])

    @property
    def span(self) -> Span:
        return self.document.span(self.path)

    @property
    def key_span(self) -> Span:
        return self.document.key_span(self.path)


def written(value: object) -> str:
    """A value in words, for the end of a sentence: ``the number 3``, ``a list``, ``nothing``."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the number {cut(value)}"
    if isinstance(value, str):
        return f"the text `{cut(value)}`"
    return "a list" if isinstance(value, list) else "a mapping"


def ambiguous(document: Document, path: Path, kind: str = "") -> Diagnostic:
    """The fault of a scalar that YAML versions read differently, where the spec needs a number or a truth value.

    ``kind`` is that of the argument, if an expression is possible there. A text is then the name of a parameter.
    """
    text = value_at(document.value, path)
    if not text.isidentifier():
        advice = "write a plain decimal number"
    elif kind in ("integer", "number", *LISTS):
        advice = "write a number; if this is the name of a parameter, choose another name"
    else:
        named = "; if this is the name of a parameter, choose another name" if kind else ""
        advice = f"write `true` or `false`{named}"
    return ambiguous_text(text, document.span(path), f"{document.ambiguous[path]}; {advice}")


def ambiguous_text(text: str, span: Span, help: str) -> Diagnostic:
    """The fault of a text that YAML versions read differently."""
    return Diagnostic("E110", f"`{cut(text)}` has different meanings in different YAML readers", span, help=help)


def read_term(cursor: Cursor, kind: str, faults: Faults) -> Term:
    """The term at ``cursor``, of an argument kind of ``operations/base.py``, or ``any`` for an untyped parameter.

    Text is an expression, except for a bare word where a word is possible.
    """
    value, span = cursor.value, cursor.span
    if isinstance(value, list | dict):
        if kind not in LISTS or isinstance(value, dict):
            message = f"expected a number, a word or an expression, not {written(value)}"
            faults.record("E202", message, span)
            return Term(span, 1)
        return Term(span, items=tuple(read_term(item, kind, faults) for item in cursor.children()))
    if not isinstance(value, str):
        return Term(span, value)
    if kind in ("word", "any") and WORD.fullmatch(value):
        return Term(span, value)
    if kind != "word" and cursor.path in cursor.document.ambiguous:
        faults.add(ambiguous(cursor.document, cursor.path, kind))
        return Term(span, 1)
    expression = read_expression(value, span, faults, cursor.path, kind)
    return Term(span, expression=expression) if expression else Term(span, 1)


def plain_word(span: Span, word: str, names: Container[str]) -> Term:
    """A listed word of an argument, also where ``names`` has it: ``over: channels`` means the word in a block too."""
    return Term(span, expression=parse(f"'{word}'")) if word in names else Term(span, word)


def read_expression(text: str, span: Span, faults: Faults, path: Path = (), kind: str = "") -> Expression | None:
    """``text`` as an expression; None, with a fault that points into it, if it does not parse.

    ``path`` and ``kind`` are of the argument that it is written for, if there is one.
    """
    faults.work.spend(DEFINING, 5 + 5 * len(text), span)
    try:
        return parse(text)
    except ExpressionFault as fault:
        told = advise_text(text, path, kind) if faults.few else Advice()
        faults.add(expression_fault(fault, text, span, told.hint, told.help))
        return None


def expression_fault(fault: ExpressionFault, text: str, span: Span, hint: str = "", help: str = "") -> Diagnostic:
    """The diagnostic for a fault in an expression that is written at ``span``; ``help`` replaces its own."""
    help = help or fault.help
    if fault.code == "E401" and text.count("(") != text.count(")"):
        help = QUOTES
    return Diagnostic(fault.code, fault.message, _within(span, text, fault.start, fault.end), hint, help=help)


def _within(span: Span, text: str, start: int, end: int) -> Span:
    """The part of a one-line scalar from ``start`` to ``end``; the whole scalar where its layout hides offsets."""
    width = span.end_column - span.column
    if span.line != span.end_line or width not in (len(text), len(text) + 2):
        return span
    first = span.column + (width - len(text)) // 2
    return span._replace(column=first + start, end_column=first + max(end, start + 1))


def read_setting(cursor: Cursor, key: str, scope: Definitions, faults: Faults) -> Setting:
    """A setting: a word, a number for ``drop_path``, or a mapping whose ``type`` is the word."""
    if not isinstance(cursor.value, dict):
        return Setting(read_term(cursor, "number" if key == "drop_path" else "word", faults), {}, scope)
    kind = cursor.get("type")
    known = arguments(operations()[key]) if key in operations() and operations()[key].setting else {}
    term = read_term(kind, "word", faults) if kind else Term(cursor.span, str(known["type"].default) if known else None)
    filled = cursor.filled().items()
    given = {
        name: read_term(item, known[name].metadata["kind"] if name in known else "number", faults)
        for name, item in filled
        if name != "type"
    }
    return Setting(term, given, scope, typed=kind is not None)


def evaluate(term: Term, values: Mapping[str, Value], scale: ScaleWidth) -> Value:
    """The value of a scalar term. A bare word is looked up as a name first. ``scale`` is what ``scaled`` does.

    Raises:
        ExpressionFault: from the expression.
    """
    if term.expression is not None:
        return term.expression.evaluate(values, scale)
    return values.get(term.constant, term.constant) if isinstance(term.constant, str) else term.constant


def whole(
    term: Term, values: Mapping[str, Value], scale: ScaleWidth, faults: Faults, *, minimum: int = 1, key: str = ""
) -> int:
    """The whole number that a term evaluates to, at least ``minimum``; otherwise ``minimum``, with a fault.

    ``key`` is where the term is written.
    """
    found = real(term, values, scale, faults, key)
    try:
        number = integer(found)
    except ExpressionFault as fault:
        faults.record(fault.code, fault.message, term.span, help=fault.help)
        return minimum
    if number < minimum:
        faults.record("E501", f"this must be at least {minimum}, not {number}", term.span)
        return minimum
    return number


def real(term: Term, values: Mapping[str, Value], scale: ScaleWidth, faults: Faults, key: str = "") -> int | float:
    """The number that a term evaluates to; 1, with a fault, if it is not a number."""
    text = term.expression.text if term.expression else str(term.constant)
    try:
        return number(evaluate(term, values, scale))
    except ExpressionFault as fault:
        found = faults.advise(fault.name, values, f"values of {key}", "names") if fault.name else Advice()
        help = readable(fault.name, values, found.meant) if fault.name in term.names and faults.few else ""
        help = "; ".join(filter(None, (found.help, help)))
        faults.add(expression_fault(fault, text, term.span, found.hint, help))
        return 1


NAME_PART = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*|[0-9]{1,9}", re.ASCII)
"""A part of a name in a model, between the dots."""

NAME_HELP = (
    "use ASCII letters, digits and `_`, with `-` only between them, in parts joined by dots; "
    "a part starts with a letter or `_`, or is a number"
)


def check_name(name: str, span: Span, faults: Faults) -> None:
    """Refuse a name that a model cannot have: ``torch.fx`` writes names into source code, which Python executes."""
    for part in name.split("."):
        if keyword.iskeyword(part):
            faults.record("E305", f"`{part}` cannot be a name: it is a Python keyword", span)
        elif not NAME_PART.fullmatch(part):
            faults.record("E305", f"`{cut(name)}` cannot be a name in a model", span, help=NAME_HELP)


_BRACES = re.compile(r"\{([^{}]*)\}")


def read_template(cursor: Cursor, faults: Faults) -> Template:
    """A name template: text with expressions in braces."""
    parts: list[str | Expression] = []
    text, end = str(cursor.value), 0
    for match in _BRACES.finditer(text):
        parts.append(text[end : match.start()])
        expression = read_expression(match[1], cursor.span, faults)
        parts.extend([expression] if expression else [])
        end = match.end()
    parts.append(text[end:])
    if any(isinstance(part, str) and ("{" in part or "}" in part) for part in parts):
        faults.record("E401", f"the braces of `{cut(text)}` do not match", cursor.span)
    return Template(tuple(part for part in parts if part != ""), cursor.span)
