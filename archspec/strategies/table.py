"""The stage table: blocks, their cells in every form, and shortcuts that fit what each block does to the shape."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from archspec.language.expressions.values import make_divisible
from archspec.language.regnet import ROUNDINGS, in_groups, quantized_linear
from archspec.strategies.around import around_blocks, before_blocks
from archspec.strategies.definitions import ORDERS, BlockFacts
from archspec.strategies.draw import Draw, FragmentFacts, RawStep, part
from archspec.strategies.edges import FeatureMap, edge, halved

Row = dict[str, Any]
CHANGING = ("projection", "none", "projection-all", "avg-projection", "inverted")
"""Shortcuts of the library that fit every change of shape."""

SHORTCUTS = ("projection", "identity", "zero-pad", *CHANGING[1:])


@dataclass(frozen=True, slots=True)
class WidthScale:
    """The spec's ``scale``, as far as the table depends on it."""

    width: float = 1
    depth: float = 1
    divisor: int | None = None

    def channels(self, number: int) -> int:
        """A width after scaling."""
        return number if self.divisor is None else make_divisible(number * self.width, self.divisor)

    def count(self, number: int) -> int:
        """A number of blocks after scaling."""
        return math.ceil(number * self.depth)


@dataclass(frozen=True, slots=True)
class TableContext:
    """What the rows of a table depend on: definitions, the settings of the spec, its scale."""

    blocks: tuple[BlockFacts, ...]
    fragments: tuple[FragmentFacts, ...]
    shortcuts: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]
    scale: WidthScale


@part
def table(
    draw: Draw, context: TableContext, value: FeatureMap
) -> tuple[dict[str, Any] | list[Row], FeatureMap, list[Row]]:
    """A stage table by row or by column, what leaves the last stage, and the same table by row."""
    rule = _rule(draw) if draw.chance(8) else None
    lengths = rule[1] if rule else [(None, None)] * draw.count(1, 3)
    rows: list[Row] = []
    number = 0
    for place, generated in enumerate(lengths, 1):
        row, value, count = _row(draw, context, value, place, number, generated)
        number += count
        rows.append(row)
    if rule:
        kept = [{key: cell for key, cell in row.items() if key not in ("count", "channels")} for row in rows]
        return {"quantized_linear": rule[0], **columns(draw, kept)}, value, rows
    return (rows if draw.chance(2) else columns(draw, rows)), value, rows


@part
def _rule(draw: Draw) -> tuple[dict[str, Any], list[tuple[int | None, int | None]]]:
    """RegNet's rule with few blocks, and the counts and widths that it gives."""
    depth = draw.count(1, 4)
    rule: dict[str, Any] = {"depth": depth, "w_0": 8, "w_a": draw.pick((8, 4.5)), "w_m": draw.pick((2, 2.5))}
    group = draw.pick((None, None, 8, 16))
    widths, counts = quantized_linear(depth, 8, rule["w_a"], rule["w_m"])
    if group:
        rule["group_width"] = group
        if rounding := draw.pick((None, None, *ROUNDINGS)):
            rule["rounding"] = rounding
        widths, _ = in_groups(widths, group, rounding or "paper")
    return rule, list(zip(counts, widths, strict=True))


@part
def columns(draw: Draw, rows: Sequence[Row]) -> dict[str, Any]:
    """The table by column. A column that is the same for all stages is sometimes one value."""
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        cells = [row.get(key) for row in rows]
        scalar = not isinstance(cells[0], list | dict) and all(cell == cells[0] for cell in cells)
        one = scalar and (len(rows) == 1 or key != "count") and not draw.chance(2)
        found[key] = cells[0] if one else cells
    return found


# -- one row -----------------------------------------------------------------------------------------------------------


@part
def _row(
    draw: Draw,
    context: TableContext,
    value: FeatureMap,
    place: int,
    number: int,
    generated: tuple[int | None, int | None],
) -> tuple[Row, FeatureMap, int]:
    """One stage from block ``number`` of the network on, what leaves it, and how many blocks it has."""
    block = draw.pick(context.blocks)
    written = generated[0] or draw.pick((1, 1, 2, 3))
    count = context.scale.count(written)
    row: Row = {
        "block": block.name,
        "count": written if written > 1 or draw.chance(4) else draw.pick((1, "stages // stages")),
    }
    if draw.chance(6):
        steps, value = edge(draw, value, context.fragments, names=("index == 0", "stride > 1"))
        row["before"] = steps
    widths = [0] * count
    if generated[1]:
        widths = [context.scale.channels(generated[1])] * count
    elif block.reads_channels:
        row["channels"], numbers = _channels(draw, count)
        widths = [context.scale.channels(width) for width in numbers]
    strides = _strides(draw, row, block, value, count)
    params = _params(draw, row, block)
    _settings(draw, row, block, number, count)
    begun: list[RawStep] | None = None
    if draw.chance(6):
        begun, value, strided = before_blocks(draw, row.get("stride"), value, context.fragments)
        strides = [1] * count if strided else strides
    entered = value
    outs = _outs(block, params, widths, value.channels)
    value = _shortcut(draw, row, context, block, value, outs, strides)
    if begun is not None:
        known = () if block.joins else outs
        row["around"], value = around_blocks(draw, begun, entered, value, known, context.fragments)
    if draw.chance(6):
        row["after"], value = edge(draw, value, context.fragments)
        if not row["after"]:
            row["after"] = draw.pick(([], None, [{"act": {"type": "tanh"}}]))
    if draw.chance(8):
        row["name"] = draw.pick((f"zone{place}", "{letter(stage - 1)}", "trunk.s{stage}"))
    return row, value, count


@part
def _channels(draw: Draw, count: int) -> tuple[Any, list[int]]:
    """A cell of channels, and the width of each block."""
    first = draw.pick((8, 16, 24))
    second = draw.pick((16, 8))
    match draw.pick(("one", "one", "blocks", "index")):
        case "blocks" if count < 4:
            widths = [first, *[second] * (count - 1)]
            return list(widths), widths
        case "index":
            return f"{first} if index == 0 else {second}", [first, *[second] * (count - 1)]
        case _:
            return draw.word(draw.known(first)), [first] * count


@part
def _strides(draw: Draw, row: Row, block: BlockFacts, value: FeatureMap, count: int) -> list[int]:
    """The stride of each block. A block that keeps the size gets none, because its shortcut would not fit."""
    strides = [1] * count
    if block.strided and value.halves and draw.chance(2):
        strides[0] = 2
        listed = [[2, *[1] * (count - 1)]] if count < 4 else []
        row["stride"] = draw.pick((2, "2", "2 if index == 0 else 1", *listed))
    elif draw.chance(6):
        row["stride"] = 1
    if draw.chance(8):
        row["dilation"] = draw.pick((2, [2] * count if count < 4 else 1, "1 + index % 2"))
    return strides


@part
def _params(draw: Draw, row: Row, block: BlockFacts) -> dict[str, Any]:
    """Cells for some of the block's parameters, and for all that it needs; one value for every block of the stage."""
    given: dict[str, Any] = {}
    for key, values in block.params.items():
        if key in block.required or draw.chance(4):
            given[key] = row[key] = draw.pick(values)
    return given


@part
def _settings(draw: Draw, row: Row, block: BlockFacts, number: int, count: int) -> None:
    """Settings of this stage only, except for those that the block fixes."""
    offered: dict[str, Any] = {
        "activation_order": ORDERS,
        "norm": ("layer", {"type": "group", "groups": 4}, "none", "instance"),
        "act": ("silu", "none", "'gelu' if index == 0 else 'relu'"),
        "drop_path": (0.1, "0.2 * number / blocks", 0),
    }
    for key, values in offered.items():
        if key not in block.fixed and draw.chance(6):
            row[key] = draw.pick(values)
    if row.get("act") == "silu" and 1 < count < 4 and draw.chance(2):
        row["act"] = ["silu", *[None] * (count - 1)]


def _outs(block: BlockFacts, params: Mapping[str, Any], widths: Sequence[int], before: int) -> list[int]:
    """The channels after each block's steps, or those that it joins, given the channels before the first block."""
    return list(accumulate(widths, lambda before, width: block.out(before, width, params), initial=before))[1:]


@part
def _shortcut(
    draw: Draw,
    row: Row,
    context: TableContext,
    block: BlockFacts,
    value: FeatureMap,
    outs: Sequence[int],
    strides: Sequence[int],
) -> FeatureMap:
    """The shape after the stage. A shortcut is written into the row if the default does not fit."""
    size = value
    for stride in strides:
        size = halved(size) if stride > 1 else size
    size = replace(size, channels=outs[-1])
    if not block.residual:
        return size
    befores = [value.channels, *outs[:-1]]
    changes = [stride > 1 or b != o for stride, b, o in zip(strides, befores, outs, strict=True)]
    fitting: list[str] = [*CHANGING, *[*context.shortcuts] * 3]
    if block.joins or not any(changes):
        fitting = ["identity", *fitting]
    if block.joins or all(out >= before for before, out in zip(befores, outs, strict=True)):
        fitting.append("zero-pad")
    written = block.fixed.get("shortcut")
    if written is None:
        written = context.settings.get("shortcut") or block.settings.get("shortcut", "projection")
        if written not in fitting or draw.chance(5):
            written = row["shortcut"] = draw.pick(fitting)
    if not block.joins:
        return size
    beside = value.channels
    for out in outs:
        beside = _joined(beside, out, context.shortcuts.get(written, {}).get("same", written))
    return replace(size, channels=beside)


def _joined(before: int, added: int, shortcut: Any) -> int:
    """Channels after a block that joins what it adds to its shortcut's."""
    if shortcut == "none":
        return added
    return 2 * added if shortcut == "projection-all" else before + added
