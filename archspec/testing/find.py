"""The specs in a folder: files of YAML that say ``archspec:``, also in the folders below."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from archspec.language.locate import SUFFIXES

_KEY = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?archspec[\"']?[ \t]*:", re.MULTILINE)
_FLOW = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n|%[^\n]*\n|---\s)*\{")
_KEY_IN_FLOW = re.compile(rb"[{,\s][\"']?archspec[\"']?\s*:")
_IMPORTED = re.compile(rb"^(?:blocks|shortcuts|fragments|naming)\s*:", re.MULTILINE)
_OF_A_SPEC = re.compile(rb"^(?:name|stages|extends)\s*:", re.MULTILINE)
MAX_BYTES = 1 << 20


def find_specs(folder: str | os.PathLike[str]) -> list[str]:
    """The paths of the specs in a folder and below it, in order; links to folders are not followed.

    Hidden files and folders are passed over, and so is YAML that is something else: what has no key ``archspec`` at its
    top, and definitions that specs import.
    """
    return [path for path in find_yaml(folder) if is_spec(path)]


def find_yaml(folder: str | os.PathLike[str]) -> Iterator[str]:
    """The paths of the files of YAML in a folder and below it, in order, hidden ones and links to folders aside."""
    for above, folders, files in os.walk(folder):
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
    if _FLOW.match(text):  # as JSON is
        return bool(_KEY_IN_FLOW.search(text))
    return bool(_KEY.search(text)) and not (_IMPORTED.search(text) and not _OF_A_SPEC.search(text))
