"""The specs in a folder: files of YAML that say `archspec:`, also in the folders below."""

from __future__ import annotations

import os
import re
from pathlib import Path

from archspec.language.locate import SUFFIXES

_SPEC = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?archspec[\"']?\s*:|^\s*\{", re.MULTILINE)
_IMPORTED = re.compile(rb"^(?:blocks|shortcuts|fragments|naming)\s*:", re.MULTILINE)
_OF_A_SPEC = re.compile(rb"^(?:name|stages|extends)\s*:", re.MULTILINE)
MAX_BYTES = 1 << 20


def find_specs(folder: str | os.PathLike[str]) -> list[str]:
    """The paths of the specs in a folder and below it, in order; links to folders are not followed.

    Hidden files and folders are passed over, and so is YAML that is something else: what has no key ``archspec``, and
    definitions that specs import.
    """
    found: list[str] = []
    for above, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = sorted(name for name in files if name.endswith(SUFFIXES) and not name.startswith("."))
        found += [path for name in names if is_spec(path := str(Path(above, name)))]
    return found


def is_spec(path: str | os.PathLike[str]) -> bool:
    """Whether a file of YAML is meant to be a spec. What cannot be read is, so that somebody hears of it."""
    try:
        if not Path(path).is_file():  # a pipe would wait for somebody to write into it
            return False
        with Path(path).open("rb") as stream:
            text = stream.read(MAX_BYTES)
    except OSError:
        return True
    return bool(_SPEC.search(text)) and not (_IMPORTED.search(text) and not _OF_A_SPEC.search(text))
