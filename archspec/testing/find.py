"""The specs in a folder and in the folders below it: YAML files with the key ``archspec``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from archspec.diagnostics import Source, SpecError
from archspec.files import regular_file
from archspec.language.text.locate import SUFFIXES
from archspec.language.text.reader import read

_BOM = b"\xef\xbb\xbf"
_KEYS = re.compile(rb"^([ ]*)[\"']?([A-Za-z_][\w-]*)[\"']?[ \t]*:(?=\s|$)", re.MULTILINE)
_FLOW = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n|%[^\n]*\n|---\s)*\{")
_DEFINES = frozenset({"blocks", "shortcuts", "fragments", "naming"})
_OF_A_NETWORK = frozenset({"name", "stages", "extends"})
MAX_BYTES = 1 << 20


def find_specs(folder: str | os.PathLike[str]) -> list[str]:
    """The sorted paths of the specs in a folder and below it. Links to folders, or out of the folder, are not followed.

    Hidden files and folders are left out, and so is other YAML: files with neither a top-level key ``archspec`` nor two
    other keys of a spec, and definitions that specs import. A folder that cannot be read stays in the list, so that
    its fault is reported.
    """
    locked: list[str] = []
    found = [path for path in find_yaml(folder, locked) if is_spec(path)]
    return [*found, *locked]


def find_yaml(folder: str | os.PathLike[str], locked: list[str] | None = None) -> Iterator[str]:
    """The sorted paths of the YAML files in a folder and below it, without hidden files and such links.

    Folders that cannot be read are added to ``locked``.
    """

    def note(error: OSError) -> None:
        if locked is not None:
            locked.append(str(error.filename))

    for above, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = sorted(name for name in files if name.endswith(SUFFIXES) and not name.startswith("."))
        yield from (str(Path(above, name)) for name in names if not leads_outside(Path(above, name), folder))


def leads_outside(path: Path, folder: str | os.PathLike[str]) -> bool:
    """Whether a path is a link to a file that is not in the folder: its lines would be shown as those of a spec."""
    if not path.is_symlink() or not path.is_file():
        return False
    real, root = os.path.realpath(path), os.path.realpath(folder)
    return os.path.commonpath([real, root]) != root


def is_spec(path: str | os.PathLike[str]) -> bool:
    """Whether a YAML file is meant to be a spec.

    What cannot be read counts, so that its fault is reported: a file without permission, a pipe, a link to nothing.
    """
    try:
        with regular_file(Path(path), str(path)) as stream:
            text = stream.read(MAX_BYTES)
    except SpecError:
        return True
    keys = _flow_keys(text) if _FLOW.match(text) else _block_keys(text)
    meant = "archspec" in keys or len(keys & _OF_A_NETWORK) > 1  # the version may be missing or misspelled
    return meant and not (keys & _DEFINES and not keys & _OF_A_NETWORK)


def _block_keys(text: bytes) -> set[str]:
    """The top-level keys of YAML, found line by line: all with the same indent as the first key."""
    found = [(len(match[1]), match[2].decode("ascii", "replace")) for match in _KEYS.finditer(text.removeprefix(_BOM))]
    return {key for indent, key in found if indent == found[0][0]}


def _flow_keys(text: bytes) -> set[str]:
    """The top-level keys of YAML that is written like JSON."""
    try:
        return {str(key) for key in read(Source("", text.removeprefix(_BOM).decode(), "text")).value}
    except (SpecError, UnicodeDecodeError):
        return {"archspec"} if b"archspec" in text else set()
