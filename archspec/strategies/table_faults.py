"""Faults of the stage table: in an existing cell, or in a small table that replaces it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from archspec.language.lengths import SEQUENCES
from archspec.language.text.document import value_at
from archspec.language.text.yaml_writer import WrittenPath
from archspec.strategies.faults import Fault, Made, RawSpec

# -- a cell that is there ----------------------------------------------------------------------------------------------


def cells(document: RawSpec, column: str) -> list[WrittenPath]:
    """The paths of all scalars in a column of the table."""
    table = document.get("stages") or {}
    if isinstance(table, dict):
        return list(_scalars(table.get(column), ("stages", column)))
    return [path for number, row in enumerate(table) for path in _scalars(row.get(column), ("stages", number, column))]


def _scalars(value: Any, path: WrittenPath) -> Iterator[WrittenPath]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _scalars(item, (*path, number))
    elif value is not None:
        yield path


def _cell(column: str, value: Any) -> Callable[[st.DrawFn, RawSpec], Made]:
    def make(draw: st.DrawFn, document: RawSpec) -> Made:
        path = draw(st.sampled_from(cells(document, column)))
        value_at(document, path[:-1])[path[-1]] = value
        return Made(document, path)

    return make


def _has(column: str) -> Callable[[RawSpec], bool]:
    return lambda document: bool(cells(document, column))


def _exact(column: str) -> Callable[[RawSpec], bool]:
    """Cells whose numbers are used as written: no scaling, and one value for each stage."""
    return lambda document: (
        _has(column)(document) and "scale" not in document and not _by_block(document) and "extends" not in document
    )


def _by_block(document: RawSpec) -> bool:
    table = document.get("stages") or {}
    if isinstance(table, list):
        return any(isinstance(cell, list) and key not in SEQUENCES for row in table for key, cell in row.items())
    columns = [column for key, column in table.items() if isinstance(column, list) and key not in SEQUENCES]
    return any(isinstance(cell, list) for column in columns for cell in column)


IN_CELLS: tuple[tuple[str, str, Any], ...] = (
    ("E202", "channels", 64.5),
    ("E202", "count", True),
    ("E302", "block", "botleneck"),
    ("E401", "channels", "8 +"),
    ("E402", "channels", "chanels"),
    ("E402", "count", "index"),
    ("E403", "count", "7 / 2"),
    ("E404", "count", "1 // 0"),
    ("E405", "channels", "10000000000 * 10000000000"),
    ("E406", "count", "'three'"),
    ("E501", "count", 0),
)
IN_EXACT_CELLS: tuple[tuple[str, str, Any], ...] = (
    ("E403", "channels", "9 / 2"),
    ("E501", "channels", 0),
    ("E601", "count", 1_000_000_000),
)


def _unknown_column(draw: st.DrawFn, document: RawSpec) -> Made:
    """A parameter that no block of the table has."""
    table, name = document["stages"], draw(st.sampled_from(["chanels", "base_widht", "anything"]))
    if isinstance(table, dict):
        table[name] = 8
        return Made(document, ("stages", name), True)
    number = draw(st.integers(0, len(table) - 1))
    table[number][name] = 8
    return Made(document, ("stages", number, name), True)


def _length(draw: st.DrawFn, document: RawSpec) -> Made:
    """A cell for more blocks than its stage has."""
    return _cell("channels", [8] * 50)(draw, document)


def _empty_cell(draw: st.DrawFn, document: RawSpec) -> Made:
    """A stage without its block or its count."""
    table = document["stages"]
    column = draw(st.sampled_from(["block", "count"]))
    number = draw(st.integers(0, len(table) - 1))
    table[number][column] = None
    return Made(document, ("stages", number, column))


# -- a table of their own ----------------------------------------------------------------------------------------------

SHARING: tuple[list[Any], list[Any]] = (
    [{"sequence": {"name": f"s{n}", "share": "same", "steps": [{"conv": {"out": n}}]}} for n in (3, 5)],
    [{"conv": {"out": 8, "share": "same", **more}} for more in ({"when": False}, {"name": "other"})],
)
"""Heads whose steps cannot share their weights."""

KEPT = ("archspec", "name", "summary", "params", "input", "classes", "blocks", "shortcuts", "fragments", "init")

OWN = {"blocks": {"b": {"steps": [{"layer": {"out": "channels"}}]}}}
LINEAR = {
    "blocks": {
        "b": {"channels": "output width", "residual": [{"layer": {"out": "channels", "kernel": 1, "act": "none"}}]}
    }
}
NEEDY = {"blocks": {"b": {"params": {"a": None}, "steps": []}}}
LATE = {
    "fragments": {"late": {"steps": [{"layer": {"out": 8, "when": "in_channels > 8"}}]}},
    "blocks": {"b": {"residual": [{"layer": {"out": "channels"}}, "late"]}},
}
RULE = {"depth": 1, "w_0": 8, "w_a": 8, "w_m": 2}


def basic(**cells: Any) -> dict[str, Any]:
    """A row, or a table of one row, of basic blocks."""
    return {"block": "basic", "count": 1, "channels": 8, **cells}


def rows(*found: dict[str, Any]) -> dict[str, Any]:
    return {"stages": list(found)}


def labelled(**claims: Any) -> dict[str, Any]:
    return {"expect": {"stages": {"layer1": claims}}}


PRE_POST = (basic(activation_order="pre"), basic(activation_order="post"))
TABLES: tuple[tuple[str, dict[str, Any], WrittenPath, bool], ...] = (
    ("E505", rows(basic(), basic(channels=16, shortcut="identity")), ("stages", 1, "shortcut"), False),
    ("E505", {**rows(basic(stride=2)), "shortcut": "identity"}, ("shortcut",), False),
    ("E507", rows(basic(), basic(channels=4, shortcut="zero-pad")), ("stages", 1, "shortcut"), False),
    ("E602", rows(basic(), basic(channels=10**12)), ("stages", 1, "channels"), False),
    ("E603", {**rows(basic()), "naming": {"stage": "a." * 4000 + "{stage}"}}, ("naming", "stage"), False),
    ("E311", {"stages": basic(count=[1, 2], stride=[1, 2, 2])}, ("stages", "stride"), False),
    ("E309", rows(basic(block="mbconv", activation_order="pre")), ("stages", 0, "activation_order"), False),
    ("E407", {**LATE, **rows(basic(block="b"))}, ("fragments", "late", "steps", 0, "layer", "when"), False),
    ("E306", {**NEEDY, **rows({"block": "b", "count": 1})}, ("stages", 0, "block"), False),
    ("E702", {**rows(basic()), **labelled(skip_paths=2)}, ("expect", "stages", "layer1", "skip_paths"), True),
    ("E701", {**rows(basic()), **labelled(output=[8, 1])}, ("expect", "stages", "layer1", "output"), False),
    ("W301", {**rows(basic(block="mbconv")), "shortcut": "projection"}, ("shortcut",), True),
    ("W301", {**OWN, "stages": basic(block="b", stride=2)}, ("stages", "stride"), True),
    ("W302", rows(*PRE_POST), ("stages", 1, "activation_order"), False),
    ("W303", {"stages": basic(block=["basic", "bottleneck"])}, ("stages", "channels"), True),
    ("W304", {"stages": basic(quantized_linear=RULE)}, ("stages", "count"), True),
    ("W306", {**rows(basic()), "scale": {"width": 20}}, ("scale", "width"), False),
    ("E317", {**rows(basic()), "head": [{"act": {"from": "nowhere"}}]}, ("head", 0, "act", "from"), False),
    (
        "E318",
        {**rows(basic()), "head": [{"add": {"from": ["late"]}}, {"act": {"as": "late"}}]},
        ("head", 0, "add", "from", 0),
        False,
    ),
    ("E319", {**rows(basic()), "head": [{"as": "same"}, {"act": {"as": "same"}}]}, ("head", 1, "act", "as"), False),
    (
        "E320",
        {**rows(basic()), "head": [{"act": {"as": "gone", "when": False}}, {"from": "gone"}]},
        ("head", 1, "from"),
        False,
    ),
    (
        "E321",
        rows(basic(before=[{"act": {"from": "layer1"}}])),
        ("stages", 0, "before", 0, "act", "from"),
        False,
    ),
    ("E322", rows(basic(around=[{"act": {"type": "silu"}}])), ("stages", 0, "around"), False),
    ("W310", {**rows(basic()), "head": [{"act": {"as": "unread"}}]}, ("head", 0, "act", "as"), False),
    ("W310", {**rows(basic()), "heads": {"a": ["act"], "b": ["act"]}, "outputs": ["a"]}, ("heads", "b"), True),
    ("W311", {**rows(basic()), "head": ["act", {"dropout": {"from": "layer1"}}]}, ("head", 0), False),
    ("E323", {**rows(basic()), "head": SHARING[0]}, ("head", 1, "sequence", "share"), False),
    ("E324", {**rows(basic()), "head": SHARING[1]}, ("head", 1, "conv", "share"), False),
    ("W314", {**rows(basic()), "head": [{"conv": {"out": 8, "share": "once"}}]}, ("head", 0, "conv", "share"), False),
    ("W312", {**rows(basic()), "head": [{"act": {"name": "still"}}], "frozen": ["still"]}, ("frozen", 0), False),
    ("W313", {**rows(basic()), "stem": [], "head": [], "frozen": ["layer1"]}, ("frozen",), False),
    ("W504", {**rows(basic()), "input": [28, 28, 1]}, ("input",), False),
    ("W309", {**rows(basic()), "outputs": ["layer1", "layer1"]}, ("outputs", 1), False),
    ("W505", {**rows(basic(), basic(stride=32), basic(stride=2), basic())}, ("input",), False),
    ("W506", {**rows(basic()), "head": [{"linear": {"out": 5}}]}, ("head", 0, "linear"), True),
    (
        "W509",
        {**rows(basic()), "head": ["flatten", {"linear": {"out": 8}}, {"linear": {"out": 5, "name": "last"}}]},
        ("head", 2, "linear"),
        True,
    ),
    (
        "W510",
        {**LINEAR, **rows(basic(block="b", activation_order="post", shortcut="projection"))},
        ("blocks", "b", "residual", 0, "layer", "act"),
        False,
    ),
    ("W507", {**rows(basic()), "head": ["flatten", {"linear": {"out": 5}}, "act"]}, ("head", 2), False),
    ("W501", {**rows(basic()), "input": [3, 32, 32], "stem": {"use": "imagenet", "width": 8}}, ("stem",), False),
    ("W502", {**rows(basic()), "scale": {"width": 1.3}}, ("scale",), False),
)
"""A table in place of the spec's own, and what else it takes. Definitions and parameters stay."""


def _table(values: dict[str, Any], path: WrittenPath, key: bool) -> Callable[[st.DrawFn, RawSpec], Made]:
    def make(draw: st.DrawFn, document: RawSpec) -> Made:
        kept = {name: document[name] for name in KEPT if name in document}
        found = {**kept, "stem": {"use": "cifar", "width": 8}, "classes": 5}
        for name, value in copy.deepcopy(values).items():
            found[name] = {**(found.get(name) or {}), **value} if name in ("blocks", "fragments") else value
        if "input" in found and "input" not in values:
            found["input"] = [3, *(32 for _ in found["input"][1:])]
        return Made(found, path, key)

    return make


def _doubling(draw: st.DrawFn, document: RawSpec) -> Made:
    """Fragments that each call the next twice."""
    levels = draw(st.integers(16, 30))
    chain: dict[str, Any] = {f"f{n}": {"steps": [f"f{n + 1}"] * 2} for n in range(levels)}
    chain[f"f{levels}"] = {"steps": ["act"]}
    document["fragments"] = {**(document.get("fragments") or {}), **chain}
    return Made(document, ("fragments", f"f{levels - 13}", "steps"), True)


def _too_few_macs(draw: st.DrawFn, document: RawSpec) -> Made:
    document["expect"] = {"macs": {"min": "900T"}}
    return Made(document, ("expect", "macs"))


def _has_macs(document: RawSpec) -> bool:
    """Whether the MACs of a network are known: not with a layer of torch by name."""
    return "torch.nn." not in str(document)


def _has_lists(document: RawSpec) -> bool:
    """Whether the table says how many stages there are: in rows, or in two lists, with which a longer one disagrees."""
    table = document["stages"]
    return isinstance(table, list) or sum(isinstance(column, list) for column in table.values()) > 1


def _own_table(document: RawSpec) -> bool:
    return bool(document.get("stages")) and "extends" not in document


TABLE_FAULTS: tuple[Fault, ...] = (
    *(Fault(code, _cell(column, value), _has(column)) for code, column, value in IN_CELLS),
    *(Fault(code, _cell(column, value), _exact(column)) for code, column, value in IN_EXACT_CELLS),
    Fault("E301", _unknown_column, _own_table),
    Fault("E311", _length, lambda document: _exact("channels")(document) and _has_lists(document)),
    Fault("E203", _empty_cell, lambda document: isinstance(document.get("stages"), list) and _own_table(document)),
    *(Fault(code, _table(values, path, key)) for code, values, path, key in TABLES),
    Fault("E601", _doubling),
    Fault("E701", _too_few_macs, _has_macs),
)
