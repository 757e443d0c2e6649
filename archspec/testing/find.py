"""The specs in a folder: files of YAML that say ``archspec:``, also in the folders below."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from archspec.diagnostics import Source, SpecError
from archspec.language.text.locate import SUFFIXES
from archspec.language.text.reader import read

_BOM = b"\xef\xbb\xbf"
_KEYS = re.compile(rb"^([ ]*)[\"']?([A-Za-z_][\w-]*)[\"']?[ \t]*:(?=\s|$)", re.MULTILINE)
_FLOW = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n|%[^\n]*\n|---\s)*\{")
_DEFINES = frozenset({"blocks", "shortcuts", "fragments", "naming"})
_OF_A_NETWORK = frozenset({"name", "stages", "extends"})
MAX_BYTES = 1 << 20


def find_specs(folder: str | os.PathLike[str]) -> list[str]:
    """The paths of the specs in a folder and below it, in order; links to folders are not followed.

    Hidden files and folders are passed over, and so is YAML that is something else: what has no key ``archspec`` at its
    top, nor two others that only a spec has, and definitions that specs import. A folder that cannot be read is in the
    list, so that somebody hears of it.
    """
    locked: list[str] = []
    found = [path for path in find_yaml(folder, locked) if is_spec(path)]
    return [*found, *locked]


def find_yaml(folder: str | os.PathLike[str], locked: list[str] | None = None) -> Iterator[str]:
    """The paths of the files of YAML in a folder and below it, in order, hidden ones and links to folders aside.

    Folders that cannot be read are added to ``locked``.
    """

    def note(error: OSError) -> None:
        if locked is not None:
            locked.append(str(error.filename))

    for above, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = sorted(name for name in files if name.endswith(SUFFIXES) and not name.startswith("."))
        yield from (str(Path(above, name)) for name in names)


def is_spec(path: str | os.PathLike[str]) -> bool:
    """Whether a file of YAML is meant to be a spec. What cannot be read is, so that somebody hears of it."""
    try:
        if not Path(path).is_file():  # a pipe would wait for somebody to write into it
            return False
        with Path(path).open("rb") as stream:
            text = stream.read(MAX_BYTES)
    except OSError:
        return True
    keys = _flow_keys(text) if _FLOW.match(text) else _block_keys(text)
    meant = "archspec" in keys or len(keys & _OF_A_NETWORK) > 1  # whose version is missing or misspelt
    return meant and not (keys & _DEFINES and not keys & _OF_A_NETWORK)


def _block_keys(text: bytes) -> set[str]:
    """The keys at the top of YAML, as far as its lines tell: all that stand as far left as the first."""
    found = [(len(match[1]), match[2].decode("ascii", "replace")) for match in _KEYS.finditer(text.removeprefix(_BOM))]
    return {key for indent, key in found if indent == found[0][0]}


def _flow_keys(text: bytes) -> set[str]:
    """The keys at the top of what is written as JSON is."""
    try:
        return {str(key) for key in read(Source("", text.removeprefix(_BOM).decode(), "text")).value}
    except (SpecError, UnicodeDecodeError):
        return {"archspec"} if b"archspec" in text else set()
