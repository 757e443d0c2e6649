"""A table of results: columns with a format, rows of words and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archspec.lab.results.number import Number
from archspec.wording import Brief

TableValue = str | int | float | Number | None


@dataclass(frozen=True, slots=True, repr=False)
class TableColumn(Brief):
    """A column: its name in data, its title for a person, and the format of its numbers.

    ``spare`` columns are left out on a narrow screen, those with the largest number first.
    """

    name: str
    title: str
    form: str = ".3f"
    spare: int = 0

    def text(self, value: TableValue) -> str:
        """A value for a person."""
        if isinstance(value, Number):
            return value.text(self.form)
        if isinstance(value, float):
            return f"{value:{self.form}}"
        return "" if value is None else f"{value:,}" if isinstance(value, int) else value


@dataclass(frozen=True, slots=True, repr=False)
class ResultTable(Brief):
    """A table. ``brief`` ones are shown in the report and on the screen; every table is a ``.csv`` and in the JSON.

    >>> columns = (TableColumn("net", "network"), TableColumn("loss", "loss", ".1f"))
    >>> table = ResultTable("a", "A", columns, (("x", 0.52),))
    >>> table.texts
    (('x', '0.5'),)
    """

    name: str
    title: str
    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[TableValue, ...], ...]
    brief: bool = True

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The rows for a person."""
        return tuple([tuple([c.text(v) for c, v in zip(self.columns, row, strict=True)]) for row in self.rows])

    @property
    def numeric(self) -> tuple[int, ...]:
        """The places of the columns that have numbers."""
        columns = enumerate(zip(*self.rows, strict=True))
        return tuple([i for i, column in columns if any(isinstance(value, int | float | Number) for value in column)])

    @property
    def spare(self) -> tuple[int, ...]:
        """The places of the columns that a narrow screen leaves out, in this order."""
        found = [i for i, column in enumerate(self.columns) if column.spare]
        return tuple(sorted(found, key=lambda i: -self.columns[i].spare))

    def column(self, name: str) -> tuple[TableValue, ...]:
        """The values of a column.

        Raises:
            KeyError: there is no such column.
        """
        names = [column.name for column in self.columns]
        if name not in names:
            raise KeyError(name)
        return tuple([row[names.index(name)] for row in self.rows])

    def flat(self) -> list[list[Any]]:
        """The table for ``.csv``, with its head: three columns for each that has numbers with a spread."""
        wide = [any(isinstance(row[i], Number) for row in self.rows) for i in range(len(self.columns))]
        head = [_head(column.name, spread) for column, spread in zip(self.columns, wide, strict=True)]
        return [_joined(head), *(_joined([_flat(*each) for each in zip(row, wide, strict=True)]) for row in self.rows)]

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        names = [column.name for column in self.columns]
        rows = [{name: _data(value) for name, value in zip(names, row, strict=True)} for row in self.rows]
        return {"name": self.name, "title": self.title, "columns": names, "rows": rows}


def _head(name: str, spread: bool) -> list[str]:
    return [name, f"{name}_deviation", f"{name}_n"] if spread else [name]


def _flat(value: TableValue, spread: bool) -> list[Any]:
    if isinstance(value, Number):
        return [value.mean, value.deviation, value.n]
    return [value, None, None] if spread else [value]


def _joined(parts: Sequence[list[Any]]) -> list[Any]:
    return [each for part in parts for each in part]


def _data(value: TableValue) -> Any:
    return value.as_data() if isinstance(value, Number) else value
