"""The specs that inputs are made from, as text and as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from archspec.diagnostics import Source
from archspec.language.text.reader import read
from tests.support.paths import ROOT

ZOO = sorted((ROOT / "specs").glob("*.yaml"))
GOOD = sorted(path for path in (ROOT / "tests/specs/good").rglob("*.yaml") if path.is_file())
BAD = sorted(path for path in (ROOT / "tests/specs/bad").rglob("*.yaml") if path.is_file())


class Text(NamedTuple):
    """A spec's text, its values, and the path beside which it looks for what it extends."""

    text: str
    value: Any
    path: str


def load(paths: list[Path]) -> list[Text]:
    found = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        found.append(Text(text, read(Source(path.name, text)).value, str(path)))
    return found
