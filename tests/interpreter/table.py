"""The stage table: columns, cells of stages and of blocks, and RegNet's rule."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.interpreter.expressions import Names, integer, make_divisible, number
from tests.interpreter.reading import Refused

OF_STAGES = ("count", "before", "after", "around", "name")
"""Columns with one value for a stage."""


@dataclass
class Stage:
    """One stage: its number from 1, its blocks, and its cells as written."""

    stage: int
    count: int
    cells: dict[str, Any]
    group_width: int | None = None
    first_number: int = 0

    def cell(self, column: str, index: int) -> Any:
        """What is written for a block, or None."""
        value = self.cells.get(column)
        if isinstance(value, list) and column not in OF_STAGES:
            return value[index]
        return value

    def stride(self, index: int, names: Names, beside: bool) -> int:
        """The stride of a block: the stage's for the first, unless the cell has one for each.

        A step around the blocks that reads it has it in place of the first. ``beside``: a step in no block asks.
        """
        written = self.cells.get("stride")
        each = isinstance(written, list) or (
            isinstance(written, str) and re.search(r"\b(index|number)\b", written) is not None
        )
        value = self.cell("stride", index)
        first = index == 0 and (beside or not reads(self.cells.get("around"), "stride"))
        return integer(value, names) if value is not None and (each or first) else 1


def reads(steps: Any, name: str) -> bool:
    """Whether an expression in some steps, apart from the names of values, reads a name."""
    if isinstance(steps, dict):
        own = ("as", "from", "each", "name")
        return any(reads(value, name) for key, value in steps.items() if key not in own)
    if isinstance(steps, list):
        return any(reads(item, name) for item in steps)
    return isinstance(steps, str) and re.search(rf"\b{name}\b", steps) is not None


@dataclass
class Table:
    """All stages, and the number of all blocks."""

    stages: list[Stage] = field(default_factory=list)
    blocks: int = 0


def table(columns: Mapping[str, Any], base: Names, scale: Mapping[str, Any] | None) -> Table:
    """The stages of the table by column."""
    columns = {key: value for key, value in columns.items() if value is not None}
    rule = columns.pop("quantized_linear", None)
    generated: list[tuple[int, int, int | None]] = []
    if rule is not None:
        for column in ("count", "channels"):
            columns.pop(column, None)
        generated = quantized_linear(rule, columns.get("group_width"), base)
    lengths = {len(value) for value in columns.values() if isinstance(value, list)}
    lengths |= {len(generated)} if generated else set()
    if len(lengths) > 1:
        raise Refused("the lists of the table differ in length")
    found = Table()
    stages = lengths.pop() if lengths else 1
    for place in range(stages):
        cells = {key: value[place] if isinstance(value, list) else value for key, value in columns.items()}
        group_width = None
        if generated:
            cells["count"], cells["channels"], group_width = generated[place]
        names = base.with_(stage=place + 1, stages=stages)
        if cells.get("count") is None:
            raise Refused("`count` is missing")
        count = integer(cells["count"], names)
        if scale is not None:
            count = math.ceil(count * number(scale.get("depth", 1), base))
        if count < 1:
            raise Refused("a stage without blocks")
        for column, cell in cells.items():
            if column not in OF_STAGES and isinstance(cell, list) and len(cell) != count:
                raise Refused(f"`{column}` has not one value for each block")
        found.stages.append(Stage(place + 1, count, cells, group_width, found.blocks))
        found.blocks += count
    return found


def quantized_linear(rule: Mapping[str, Any], column: Any, base: Names) -> list[tuple[int, int, int | None]]:
    """Counts, widths and group widths of the stages (Radosavovic et al. 2020, section 3.3)."""
    depth = integer(rule["depth"], base)
    w_0, w_a, w_m = (number(rule[key], base) for key in ("w_0", "w_a", "w_m"))
    if min(depth, w_0) < 1 or w_a < 0 or w_m <= 1:
        raise Refused("the widths must grow from at least 1")
    widths = []
    for block in range(depth):
        power = round(math.log((w_0 + w_a * block) / w_0) / math.log(w_m))
        widths.append(round(w_0 * w_m**power / 8) * 8)
    found: list[tuple[int, int, int | None]] = []
    given = column if rule.get("group_width") is None else rule["group_width"]
    for width in dict.fromkeys(widths):
        group = None if given is None else integer(given, base)
        fitted = width
        if group is not None:
            if group < 1:
                raise Refused("a group has at least one channel")
            group = min(group, width)
            paper = rule.get("rounding") in (None, "paper")
            fitted = max(group, round(width / group) * group) if paper else make_divisible(width, group)
        found.append((widths.count(width), fitted, group))
    return found
