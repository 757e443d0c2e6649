"""Random stage tables: by row and by column, cells of every form, generated stages."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from tests.interpreter.chance import Chance
from tests.interpreter.expressions import ORDERS, make_divisible
from tests.interpreter.random_definitions import CHANGING, Block
from tests.interpreter.random_edges import Edges, Map
from tests.interpreter.random_steps import Fragment

Row = dict[str, Any]


WRAPPER = {
    "params": {"bounded": True},
    "steps": [{"act": {"when": "bounded", "type": "tanh"}}, {"sequence": {"name": "inside", "steps": ["blocks"]}}],
}
"""A fragment around the blocks of a stage."""


@dataclass(frozen=True)
class Context:
    """What the rows depend on."""

    blocks: tuple[Block, ...]
    fragments: tuple[Fragment, ...]
    shortcuts: tuple[str, ...]
    settings: dict[str, Any]
    scale: dict[str, Any] | None


class Tables:
    """Draws a stage table."""

    def __init__(self, chance: Chance, edges: Edges, context: Context) -> None:
        self.chance, self.edges, self.context = chance, edges, context
        self.wraps = False

    def scaled(self, width: int) -> int:
        """A width under the spec's scale."""
        scale = self.context.scale
        return width if scale is None else make_divisible(width * scale.get("width", 1), scale.get("divisor", 8))

    def table(self, value: Map) -> tuple[Any, Map]:
        """The table as it is written, and the shape after it."""
        if self.chance.one_in(12):
            return self._generated(value)
        rows: list[Row] = []
        for place in range(1, self.chance.pick((1, 1, 2, 2, 3)) + 1):
            row, value = self._row(place, value)
            rows.append(row)
        return (rows if self.chance.one_in(2) else self._columns(rows)), value

    def _columns(self, rows: list[Row]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key in dict.fromkeys(key for row in rows for key in row):
            cells = [row.get(key) for row in rows]
            single = all(cell == cells[0] for cell in cells) and not isinstance(cells[0], list)
            found[key] = cells[0] if single and not self.chance.one_in(3) else cells
        if not any(isinstance(value, list) for value in found.values()) and len(rows) > 1:
            found["count"] = [row["count"] for row in rows]
        return found

    def _generated(self, value: Map) -> tuple[Any, Map]:
        """RegNet's rule; the shape after it is not known, so the shortcut fits every change."""
        chance = self.chance
        rule: dict[str, Any] = {
            "depth": chance.count(1, 4),
            "w_0": 8,
            "w_a": chance.pick((8, 4.5, 0)),
            "w_m": chance.pick((2, 2.5)),
        }
        found: dict[str, Any] = {"block": "basic", "quantized_linear": rule}
        declared = [block for block in self.context.blocks if "group_width" in block.params]
        if declared:
            found["block"] = declared[0].name
        if chance.one_in(2):
            rule["group_width"] = chance.pick((8, 4, 16))
            if chance.one_in(2):
                rule["rounding"] = chance.pick(("paper", "torchvision"))
        elif declared and chance.one_in(2):
            found["group_width"] = chance.pick((8, 4))
        if chance.one_in(2):
            found["stride"] = chance.pick((1, "2 if stage == 1 else 1"))
        if "shortcut" not in (declared[0].fixed if declared else {}):
            found["shortcut"] = chance.pick(CHANGING)
        return found, Map(0, ())

    def _row(self, place: int, value: Map) -> tuple[Row, Map]:
        chance = self.chance
        block = chance.pick(self.context.blocks)
        count = chance.pick((1, 1, 2, 2, 3))
        row: Row = {
            "block": block.name,
            "count": count if not chance.one_in(5) else chance.expression(count, {"stages // stages": 1}),
        }
        blocks = count
        if self.context.scale is not None:
            blocks = math.ceil(count * self.context.scale.get("depth", 1))
        if chance.one_in(5):
            conditions = ("index == 0", "stage == 1", "stride > 1", "number == 0")
            row["before"], value = self.edges.between(value, self.context.fragments, conditions)
        first = chance.pick((8, 16, 4))
        widths = [first] * blocks
        row["channels"] = chance.number(first, {"stage": place})
        if blocks > 1 and chance.one_in(4):
            widths = [first, *[8] * (blocks - 1)]
            row["channels"] = chance.pick((list(widths), f"{first} if index == 0 else 8"))
        widths = [self.scaled(width) for width in widths]
        strides = self._strides(row, block, value, blocks)
        self._params(row, block, blocks)
        self._settings(row, block, blocks)
        begun: list[Any] | None = None
        if chance.one_in(5):
            begun, value = self.edges.between(value, self.context.fragments, ("stage == 1", "channels > 8"))
            if row.get("stride") == 2 and chance.one_in(2):
                begun.append({"pool": {"type": "max", "kernel": "3", "stride": "stride", "padding": 1}})
                value, strides = replace(value, size=tuple(-(-each // 2) for each in value.size)), [1] * blocks
        entered = value
        value = self._after_blocks(row, block, value, widths, strides)
        if begun is not None:
            row["around"], value = self._around(begun, block, entered, value, widths)
        if chance.one_in(5):
            row["after"], value = self.edges.between(value, self.context.fragments, ("stage == stages", "index > 0"))
        keeping = [each for each in self.context.fragments if not each.takes_out and not each.required]
        if keeping and chance.one_in(8):
            name = chance.pick(keeping).name
            row["after" if chance.one_in(2) and "after" not in row else "before"] = (
                chance.pick((name, {"use": name})) if "before" not in row else []
            )
        if chance.one_in(8):
            row["name"] = chance.pick((f"zone{place}", "{letter(stage - 1)}", "trunk.s{stage}", "s{stages}x{stage}"))
        return row, value

    def _around(self, begun: list[Any], block: Block, entered: Map, value: Map, widths: list[int]) -> tuple[Any, Map]:
        """The steps around blocks, which begin with some, and the shape after them."""
        chance = self.chance
        kinds = ["alone", "named", "branch", "call"]
        kinds += ["list"] if block.factor and not block.joins else []
        kinds += ["kept"] if entered.size == value.size and entered.channels else []
        middle: list[Any] = ["blocks"]
        match chance.pick(kinds):
            case "list":
                middle = [{"blocks": {"each": "parts", "as": "last"}}, {"concat": {"from": ["parts", "last"]}}]
                outs = [(block.factor or 1) * width for width in widths]
                value = replace(value, channels=sum(outs) + outs[-1])
            case "kept":
                middle = [{"as": "entered"}, {"blocks": {"as": "last"}}, {"concat": {"from": ["entered", "last"]}}]
                if chance.one_in(2):
                    middle = [{"concat": {"left": [], "right": [{"blocks": {"name": "inner"}}]}}]
                value = replace(value, channels=entered.channels + value.channels)
            case "call":
                self.wraps = True
                middle = [{"wrapper": {"bounded": chance.one_in(2)}}]
                if not begun:
                    return chance.pick(("wrapper", {"use": "wrapper", "bounded": False})), value
            case "branch":
                middle = [{"multiply": [["blocks", {"act": {"type": "sigmoid"}}]]}]
            case "named":
                inner = {"blocks": {"name": "units", "when": "classes > 0"}}
                middle = [{"sequence": {"name": "body", "steps": [inner]}}]
        return [*begun, *middle], value

    def _strides(self, row: Row, block: Block, value: Map, blocks: int) -> list[int]:
        chance = self.chance
        strides = [1] * blocks
        if block.strided and min(value.size or (9,)) >= 4 and chance.one_in(2):
            strides[0] = 2
            row["stride"] = chance.pick((2, chance.number(2), "2 if index == 0 else 1", [2, *[1] * (blocks - 1)]))
        elif chance.one_in(5):
            row["stride"] = chance.pick((1, "1"))
        if chance.one_in(6):
            row["dilation"] = chance.pick((2, [2] * blocks, "1 + index % 2", "1 + number // blocks"))
        return strides

    def _params(self, row: Row, block: Block, blocks: int) -> None:
        for key, values in block.params.items():
            if key in block.required or self.chance.one_in(3):
                value = self.chance.pick(values)
                if isinstance(value, list):
                    value = value * blocks
                elif self.chance.one_in(6):
                    value = [value] * blocks
                row[key] = value

    def _settings(self, row: Row, block: Block, blocks: int) -> None:
        offered: dict[str, Any] = {
            "activation_order": (
                *ORDERS,
                "'pre' if index == 0 else 'post'",
                "'post' if number > 0 else 'act-only-pre'",
            ),
            "norm": (
                "layer",
                {"type": "group", "groups": "2 * 2"},
                "none",
                "batch",
                {"momentum": 0.3},
                {"type": "layer", "affine": False},
            ),
            "act": ("silu", "none", "'gelu' if index == 0 else 'relu'", *self.edges.words),
            "drop_path": (0.1, "0.2 * number / blocks", 0, "0.5 if index > 0 else 0"),
        }
        for key, values in offered.items():
            if key not in block.fixed and self.chance.one_in(5):
                row[key] = self.chance.pick(values)
                if self.chance.one_in(5):
                    row[key] = [self.chance.pick((row[key], None)) for _ in range(blocks)]

    def _after_blocks(self, row: Row, block: Block, value: Map, widths: list[int], strides: list[int]) -> Map:
        """The shape after the blocks, with a shortcut in the row that fits."""
        size = value.size
        for stride in strides:
            size = tuple(-(-each // stride) for each in size)
        if block.factor is None:
            return replace(value, size=size)
        outs = [block.factor * width for width in widths]
        fitting: list[str] = [*CHANGING, *self.context.shortcuts]
        grows = all(a <= b for a, b in zip((value.channels, *outs), outs, strict=False))
        if block.joins or grows:
            fitting.append("zero-pad")
        if block.joins or (max(strides) == 1 and set(outs) == {value.channels}):
            fitting.append("identity")
        written = (
            block.fixed.get("shortcut")
            or self.context.settings.get("shortcut")
            or block.own.get("shortcut", "projection")
        )
        if block.residual and "shortcut" not in block.fixed and (written not in fitting or self.chance.one_in(4)):
            written = row["shortcut"] = self.chance.pick(fitting)
        if not block.joins:
            return Map(outs[-1], size)
        channels = value.channels
        for out in outs:
            channels = out if written == "none" else 2 * out if written == "projection-all" else channels + out
        return Map(channels, size)
