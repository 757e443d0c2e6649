"""Bytes to :class:`Source`: UTF-8, and the characters that a spec may hold."""

from __future__ import annotations

import codecs
import os
import pathlib
import re
from dataclasses import dataclass

from archspec.diagnostics import Diagnostic, Source, Span, SpecError, cut
from archspec.display import counted
from archspec.files import regular_file
from archspec.spans import SourceKind

# What YAML 1.2 may not hold, and U+0085, U+2028 and U+2029, which end a line in YAML 1.1 but not in YAML 1.2.
_UNREADABLE = "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_UNREADABLE_ASCII = re.compile("[^\t\n\r\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How large a spec may be: ``bytes`` of UTF-8, ``depth`` of nesting, ``values`` after aliases are expanded."""

    bytes: int = 262_144
    depth: int = 64
    values: int = 20_000


_LIMITS = ReadLimits()


def read_file(path: pathlib.Path, *, name: str | None = None, limits: ReadLimits = _LIMITS) -> Source:
    """The text of a regular file, called ``name`` in diagnostics.

    Raises:
        SpecError: E103, E801, E803 or E804, without a place, which the caller knows; or E101 at the first byte that is
            not UTF-8.
    """
    name = str(path) if name is None else name
    with regular_file(path, name) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > limits.bytes:
            raise SpecError([_too_many_bytes(name, size, limits)])
        data = stream.read(limits.bytes + 1) or b""
    return decode(data, name, limits=limits, path=str(path.absolute()))


def decode(
    data: bytes, name: str, *, kind: SourceKind = "file", path: str | None = None, limits: ReadLimits = _LIMITS
) -> Source:
    """The text of ``data``, which is UTF-8, a byte order mark allowed.

    Raises:
        SpecError: E103, or E101 at the first byte that is not UTF-8.
    """
    if len(data) > limits.bytes:
        raise SpecError([_too_many_bytes(name, len(data), limits)])
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return Source(name, data.decode("utf-8"), kind, path)
    except UnicodeDecodeError as error:
        line, column = after(1, 1, data[: error.start].decode("utf-8"))
        span = Span(Source(name, data.decode("utf-8", "replace"), kind, path), line, column, line, column + 1)
        utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8 text"
        help = f"{'this looks like UTF-16; ' if utf16 else ''}save the file as UTF-8"
        raise SpecError([Diagnostic("E101", message, span, help=help)]) from None


def _first_unreadable(text: str) -> re.Match[str] | None:
    """The first character that no spec may contain. The full pattern is slow to compile, and few specs need it."""
    return _UNREADABLE_ASCII.search(text) if text.isascii() else re.search(_UNREADABLE, text)


def check_text(source: Source, limits: ReadLimits) -> None:
    """Refuse a text that is too long (E103) or has characters that no spec may contain (E101)."""
    size = len(source.text.encode("utf-8", "surrogatepass"))
    if size > limits.bytes:
        raise SpecError([_too_many_bytes(source.name, size, limits, Span(source, 1, 1, 1, 1))])
    bad = _first_unreadable(source.text)
    if bad:
        line, column = after(1, 1, source.text[: bad.start()])
        raise SpecError([_refused(bad[0], Span(source, line, column, line, column + 1))])


def unreadable(text: str, span: Span) -> Diagnostic | None:
    """The fault of a text whose escapes are characters that no spec may contain."""
    bad = _first_unreadable(text)
    return _refused(bad[0], span) if bad else None


def _refused(character: str, span: Span) -> Diagnostic:
    name = f"U+{ord(character):04X}"
    if character in "\x85\u2028\u2029":
        return Diagnostic("E101", f"{name} ends a line for some readers of YAML and not for others", span)
    kinds = {"\0": "NUL ", "\ufeff": "byte order mark "}
    kind = kinds.get(character, "lone surrogate " if "\ud800" <= character <= "\udfff" else "character ")
    return Diagnostic("E101", f"the {kind}{name} is not allowed in a spec", span)


def after(line: int, column: int, passed: str) -> tuple[int, int]:
    """The place right after the text ``passed``, which begins at ``line`` and ``column``."""
    lines = (passed + ".").splitlines()  # the full stop keeps a line break at the end
    return line + len(lines) - 1, len(lines[-1]) if len(lines) > 1 else column + len(passed)


def _too_many_bytes(name: str, size: int, limits: ReadLimits, span: Span | None = None) -> Diagnostic:
    return Diagnostic("E103", f"`{cut(name)}` has {counted(size, 'byte')}; the limit is {limits.bytes:,}", span)
