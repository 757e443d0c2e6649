"""YAML's own faults in plain words: what PyYAML's parser says, what the author most likely did, and where."""

from __future__ import annotations

import re
from typing import NamedTuple

import yaml

from archspec.diagnostics import Diagnostic, Label, Source, Span, cut


class _Slip(NamedTuple):
    """One slip. ``problem`` is part of the parser's words, chosen to fit both the C and the Python parser.

    ``opening`` labels the place where the construct began; ``at_opening`` makes that the place of the fault.
    ``or_no_space``: if a colon above has no space after it, that is the more likely cause.
    """

    problem: str
    message: str
    help: str = ""
    opening: str = ""
    at_opening: bool = False
    or_no_space: bool = False
    code: str = "E102"


_QUOTE = "put the whole text in quotes"
_SPACE = "write a space after every colon: `key: value`"
_ALIGN = "start all keys of a mapping, and all items of a list, in the same column"
_CLOSE = "close it, or put a text that begins with a quote in quotes of the other kind"
_TAGS = "a spec has no tags; put a text that begins with `!` in quotes"
_DIRECTIVES = "remove the line; a spec needs no lines that begin with `%`"
_NEXT_LINE = "start it on the next line, or put the text in quotes"

_SLIPS = (
    _Slip(
        "expected ',' or ']'",
        "the list is not closed, or a comma is missing",
        "close the list with `]`; inside `[...]` a text with a comma, colon or bracket needs quotes",
        "the list opens here",
    ),
    _Slip(
        "expected ',' or '}'",
        "the mapping is not closed, or a comma is missing",
        "close the mapping with `}`; inside `{...}` an expression with a comma, colon or brace needs quotes",
        "the mapping opens here",
    ),
    _Slip("could not find expected ':'", "this line has no `: ` after its key", _SPACE, at_opening=True),
    _Slip("sequence entries are not allowed", "a list item cannot start here", _NEXT_LINE),
    _Slip("mapping keys are not allowed", "`? ` is not allowed here", _QUOTE),
    _Slip("unexpected end of stream", "the quote is never closed", _CLOSE, at_opening=True),
    _Slip("unexpected document", "the quote is not closed before the document ends", _CLOSE, at_opening=True),
    _Slip(
        "Unicode character",
        "this escape is not a character",
        "write the character itself; two halves of a character, as in JSON, must follow each other",
    ),
    _Slip(
        "escape", "unknown escape in a text with double quotes", "write `\\\\` for a backslash, or use single quotes"
    ),
    _Slip("hexdecimal", "the escape lacks hexadecimal digits", "write `\\\\` for a backslash, or use single quotes"),
    _Slip(
        "alphabetic or numeric",
        "a name is missing after `&` or `*`",
        "put a text that begins with `&` or `*` in quotes",
        at_opening=True,
    ),
    _Slip("indentation indicator", "the indentation of `|` and `>` must be from 1 to 9"),
    _Slip("chomping or indentation", "the text of `|` or `>` must start on the next line", _NEXT_LINE),
    _Slip("expected comment or line break", "the text of `|` or `>` must start on the next line", _NEXT_LINE),
    _Slip("tab character", "a tab is not allowed here", "indent with spaces"),
    _Slip(
        "document start",
        "there is text after the end of the document",
        "a spec is a single mapping; check the brackets and quotes before this place",
        or_no_space=True,
    ),
)
_TAG = _Slip("", "tags are not allowed", _TAGS, at_opening=True, code="E107")
_DIRECTIVE = _Slip("", "directives are not allowed", _DIRECTIVES, at_opening=True)
_NO_SPACE = re.compile(r"(\s*(?:- )*[\w.-]+):(?=[^\s/])")


MAX_KEY = 1024
"""How many characters YAML allows before the colon of a key."""


def explain(source: Source, error: yaml.YAMLError) -> Diagnostic:
    """The fault that stopped the parser, as an author would put it."""
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    context = str(getattr(error, "context", None) or "")
    opening = _place(source, getattr(error, "context_mark", None))
    stopped = _place(source, getattr(error, "problem_mark", None)) or opening or Span(source, 1, 1, 1, 1)
    slip = _slip(source, problem, context, stopped)
    if slip.or_no_space and (glued := _glued_colon(source, stopped.line)):
        label = Label(glued, "this colon has no space after it")
        return Diagnostic("E102", slip.message, stopped, labels=(label,), help=_SPACE)
    end = _end(source)
    primary = opening if opening and (slip.at_opening or stopped > end) else stopped
    primary = min(primary, end)
    labels = (Label(opening, slip.opening),) if opening and slip.opening and primary is not opening else ()
    return Diagnostic(slip.code, slip.message, primary, labels=labels, help=slip.help)


def _slip(source: Source, problem: str, context: str, at: Span) -> _Slip:
    if "tag" in context or "tag handle" in problem:
        return _TAG
    if "directive" in context or "directive" in problem or "incompatible" in problem:
        return _DIRECTIVE
    if "document start" in problem and source.text.startswith("%"):
        return _DIRECTIVE
    if "mapping values" in problem:
        return _misplaced_colon(source, at)
    character = cut(source.line(at.line)[at.column - 1 : at.column])
    if "cannot start any token" in problem:
        if character == cut("\t"):
            return _Slip("", "a tab is not allowed here", "indent with spaces")
        return _Slip("", "a text cannot start with this character", _QUOTE)
    if "node content" in problem:
        if not character:
            return _Slip("", "the text ends where a value is expected")
        help = "put a text that begins with a comma or a bracket in quotes"
        return _Slip("", f"expected a value, not `{character}`", help)
    if "block mapping" in context or "block collection" in context:
        return _misfit(source, context, at)
    for slip in _SLIPS:
        if slip.problem in problem:
            return slip
    return _Slip("", f"this is not YAML: {cut(problem)}")


def _misplaced_colon(source: Source, at: Span) -> _Slip:
    message = "a colon is not allowed here"
    if re.search(r":\s", source.line(at.line)[: at.column - 1]):
        return _Slip("", message, "put a value that holds `: ` in quotes")
    if at.column > MAX_KEY:
        return _Slip("", f"{message}: a key has at most {MAX_KEY:,} characters", "write a shorter key")
    return _Slip("", message, _ALIGN, or_no_space=True)


def _misfit(source: Source, context: str, at: Span) -> _Slip:
    if source.line(at.line)[: at.column - 1].strip(" -"):
        return _Slip("", "there is text after the end of the value", f"{_QUOTE}; quotes inside it are written twice")
    if source.line(at.line)[at.column - 1 :].startswith(":"):
        return _Slip("", "a key is missing before this colon")
    kind = "list" if "collection" in context else "mapping"
    return _Slip("", f"this line does not belong to the {kind} above it", _ALIGN, f"the {kind} starts here")


def _glued_colon(source: Source, line: int) -> Span | None:
    """The colon of ``key:value`` on the nearest line above that says anything."""
    lines = source.text.splitlines()[: line - 1]
    while lines and not lines[-1].partition("#")[0].strip():
        lines.pop()
    match = _NO_SPACE.match(lines[-1]) if lines else None
    return Span(source, len(lines), match.end(), len(lines), match.end() + 1) if match else None


def _end(source: Source) -> Span:
    """The last character that says anything."""
    lines = source.text.rstrip().splitlines() or [" "]
    return Span(source, len(lines), len(lines[-1]), len(lines), len(lines[-1]) + 1)


def _place(source: Source, mark: yaml.Mark | None) -> Span | None:
    return Span(source, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2) if mark else None
