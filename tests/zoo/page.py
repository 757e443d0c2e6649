"""A page whose table is what `make prove` found: compared with it, or written."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.zoo.table import BEGIN, END, Row, table


@dataclass(frozen=True)
class Page:
    """The page at ``path`` of the specs ``names``; ``more`` makes further tables from the lines of the first."""

    path: Path
    names: list[str]
    more: Callable[[list[str]], str] = lambda lines: ""

    def text(self, found: list[Row]) -> str:
        """The page with the rows of ``found``; other specs of ``names`` keep theirs."""
        before, _, rest = self.path.read_text(encoding="utf-8").partition(BEGIN)
        old, _, after = rest.partition(END)
        head = table([]).splitlines()
        lines = [*head, *old.splitlines(), *table(found).splitlines()]
        rows = {_key(line): line for line in lines if line.count("|") == head[0].count("|")}
        kept = [rows[key] for key in self._keys if key in rows]
        tables = "\n\n".join(filter(None, ("\n".join(kept), self.more(kept[2:]))))
        return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"

    @property
    def _keys(self) -> list[str]:
        return [*map(_key, table([]).splitlines()), *self.names]

    def write(self, found: list[Row]) -> None:
        self.path.write_text(self.text(found), encoding="utf-8")

    def differs(self, found: list[Row]) -> bool:
        """Whether the page says something else than ``found``, which is then printed."""
        name, text = f"docs/{self.path.name}", self.path.read_text(encoding="utf-8")
        lines = list(difflib.unified_diff(text.splitlines(), self.text(found).splitlines(), name, "found", "", "", 0))
        if lines:
            print(*lines, sep="\n")
            print(f"\n{name} says something else: `python -m tests.zoo --write` writes what was found", file=sys.stderr)
        return bool(lines)


def _key(line: str) -> str:
    return line.split("|")[1].strip(" `")
