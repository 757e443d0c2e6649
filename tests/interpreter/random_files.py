"""Odd values in a spec, and the same spec spread over several files."""

from __future__ import annotations

import copy
from typing import Any

from tests.interpreter.chance import Chance

# -- odd values --------------------------------------------------------------------------------------------------------


def changed(chance: Chance, document: dict[str, Any]) -> None:
    """One number, order or length of the spec is another."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            places.append((value, key))
            if isinstance(item, dict | list):
                walk(item)

    for part in ("stem", "head", "stages", "blocks", "fragments", "shortcuts", "input", "params"):
        if isinstance(document.get(part), dict | list):
            walk(document[part])
    for _ in range(20 if places else 0):
        holder, key = chance.pick(places)
        value = holder[key]
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, int):
            holder[key] = chance.pick((value + 1, value - 1, 2 * value, 3, 0))
        elif isinstance(value, list) and len(value) > 1:
            holder[key] = chance.pick((list(reversed(value)), value[1:], [*value, value[0]]))
        elif isinstance(holder, dict) and key in (
            "kernel",
            "stride",
            "padding",
            "when",
            "act",
            "norm",
            "groups",
            "dilation",
        ):
            del holder[key]
        else:
            continue
        return


# -- other files -------------------------------------------------------------------------------------------------------


def imported(chance: Chance, document: dict[str, Any], files: dict[str, dict[str, Any]]) -> None:
    """Definitions move into a file, or into one that this one imports; other definitions have the same names."""
    kinds = [kind for kind in ("blocks", "shortcuts", "fragments") if document.get(kind)]
    if not kinds:
        return
    outer: dict[str, Any] = {"archspec": 1, "summary": "Definitions."}
    moved = ["fragments"] if "fragments" in kinds else []
    moved += [kind for kind in kinds if kind not in moved and chance.one_in(2)]
    for kind in moved or kinds:
        outer[kind] = document.pop(kind)
    names: list[str] = ["outer"]
    if "fragments" in outer and chance.one_in(2):
        files["inner"] = {"archspec": 1, "fragments": outer.pop("fragments")}
        outer["import"] = "inner"
    decoy = {name: {"steps": ["act"]} for name in (*files.get("inner", outer).get("fragments", {}), "se")}
    if chance.one_in(2):
        files["other"] = {"archspec": 1, "fragments": decoy}
        names.insert(0, "other")
    files["outer"] = outer
    document["import"] = names[0] if len(names) == 1 and chance.one_in(2) else names


def extending(chance: Chance, document: dict[str, Any], files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The same document as an overlay of another, which may be one too."""
    name = f"base{sum(key.startswith('base') for key in files)}"
    base, over = _split(chance, document)
    for key, junk in (
        ("notes", "junk"),
        ("summary", "a base"),
        ("act", "tanh"),
        ("outputs", "conv1"),
        ("drop_path", 0.5),
    ):
        if key not in base and chance.one_in(4):
            base[key] = junk
            over.setdefault(key, document.get(key))
    base["stages"].setdefault("dilation", 2)
    if (
        isinstance(over.get("stages", {}), dict)
        and base["stages"]["dilation"] == 2
        and "dilation" not in columns(document)
    ):
        over.setdefault("stages", {})["dilation"] = None
    base |= {"archspec": 1, "name": name, "expect": {"params": 1}, "reference": "torchvision:resnet18"}
    files[name] = base
    if chance.one_in(3):
        files[name] = extending(chance, base, files) if chance.one_in(2) else base
    return {
        "archspec": 1,
        "name": "drawn",
        "extends": name,
        **{k: v for k, v in over.items() if k not in ("archspec", "name")},
    }


def columns(document: dict[str, Any]) -> dict[str, Any]:
    """The stage table by column."""
    rows = document["stages"]
    if not isinstance(rows, list):
        return dict(rows)
    return {key: [row.get(key) for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}


def _split(chance: Chance, document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A base and an overlay whose merge is the document."""
    base: dict[str, Any] = {}
    over: dict[str, Any] = {}
    document = {**document, "stages": columns(document)}
    for key, value in document.items():
        if key in ("archspec", "name"):
            continue
        if key in ("stages", "params", "blocks", "fragments") and isinstance(value, dict):
            # A null in an overlay removes what it covers, and a parameter that must be given is a null.
            inner = {
                name: chance.pick(("base", "over") if "None" in str(value) else ("base", "over", "both"))
                for name in value
            }
            base[key] = {name: value[name] for name, where in inner.items() if where != "over"}
            over[key] = {name: value[name] for name, where in inner.items() if where != "base"}
            over[key] = {name: item for name, item in over[key].items() if item is not None}
            continue
        where = chance.pick(("base", "base", "over", "both"))
        if where != "over":
            base[key] = value
        if where != "base":
            over[key] = value
    base.setdefault("stages", {})
    return copy.deepcopy(base), copy.deepcopy({key: value for key, value in over.items() if value not in ({}, None)})
