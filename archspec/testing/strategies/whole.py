"""A whole spec: rank, parameters, definitions, stem, stages, head, and how things are called."""

from __future__ import annotations

from typing import Any

from archspec.testing.strategies.definitions import LIBRARY, ORDERS, SE, block, fragment, shortcut
from archspec.testing.strategies.edges import Value, head, stem
from archspec.testing.strategies.pen import Called, Pen
from archspec.testing.strategies.table import CHANGING, SHORTCUTS, Around, Row, Scale, table

INIT: dict[str, tuple[Any, ...]] = {
    "conv": ("he-fan-in", "xavier", "normal", "truncated-normal", "torch", "he-fan-out"),
    "linear": ("xavier", "normal", "he-fan-in", "torch"),
    "bias": ("zero", "torch"),
    "zero_init_residual": (True, False),
}
NAMINGS: tuple[tuple[Any, str], ...] = (
    (None, "layer{}"),
    ("timm", "layer{}"),
    ("torchvision", "layer{}"),
    ({"stage": "trunk.block{stage}", "block": "b{index}", "residual": "f", "shortcut": "proj"}, "trunk.block{}"),
    ({"stem": "stem", "head": "top", "conv": "c{n}", "norm": "{kind}_{n}", "before": "in{stage}"}, "layer{}"),
    ({"layer": "l{n}", "step": "op{position}", "stage": "s{letter(stage - 1)}"}, ""),
    ({"convention": "torchvision", "block": "{letter(index)}"}, "layer{}"),
    ("sequential", ""),
    ({"convention": "sequential", "residual": "conv"}, ""),
)
"""What ``naming`` may say, and how it calls a stage; empty where that is not worth knowing."""


def document(pen: Pen) -> dict[str, Any]:
    """The document of a valid spec."""
    if pen.chance(20):
        return _over_a_zoo_spec(pen)
    found: dict[str, Any] = {"archspec": 1, "name": "drawn"}
    if pen.chance(4):
        found |= {"summary": "A network that nobody asked for.", "tags": ["drawn"]}
    pen.rank = pen.pick((2, 2, 1, 3))
    if pen.chance(3):
        pen.params = {"wide": 8}
        found["params"] = {"wide": pen.pick((8, "4 + 4")), **({"gate": "sigmoid"} if pen.chance(2) else {})}
    value = Value(
        pen.pick((3, 1, 8)), tuple(pen.count(*((6, 10) if pen.rank == 3 else (8, 16))) for _ in range(pen.rank))
    )
    found["input"] = [value.channels, *value.size]
    found["classes"] = pen.pick((5, 1, "2 * 3"))
    scale = _scale(pen, found)
    fragments = _fragments(pen, found)
    shortcuts = {"beside": shortcut(pen)} if pen.chance(4) else {}
    blocks = _blocks(pen, found, fragments, (*CHANGING, *shortcuts))
    settings = _settings(pen, found, (*SHORTCUTS, *shortcuts))
    if shortcuts:
        found["shortcuts"] = shortcuts
    scaled = {number: scale.channels(number) for number in (8, 16)}
    written, value = stem(pen, value, fragments, scaled if pen.chance(2) else {})
    if written is not None:
        found["stem"] = written
    around = Around(
        (*LIBRARY, *blocks) if pen.chance(2) else (blocks or LIBRARY), fragments, shortcuts, settings, scale
    )
    found["stages"], value, rows = table(pen, around, value)
    # A fragment stands at the root once at most: there its steps would have the same names a second time.
    used = isinstance(written, dict) and written["use"] in {called.name for called in fragments}
    last = head(pen, value, () if used else fragments)
    if last is not None:
        found["head"] = last
    _naming(pen, found, rows)
    if pen.chance(5):
        found["init"] = {key: pen.pick(values) for key, values in INIT.items() if pen.chance(2)}
    if pen.chance(6):
        found["expect"] = pen.pick(
            ({"params": {"min": 1}}, {"macs": {"min": "1"}, "nodes": None}, {"layers": {"max": "1k"}})
        )
        found["expect"] = {key: item for key, item in found["expect"].items() if item is not None}
    return found


def _scale(pen: Pen, found: dict[str, Any]) -> Scale:
    if not pen.chance(6):
        return Scale()
    written: dict[str, Any] = {}
    if not pen.chance(3):
        written["width"] = pen.pick((2, 0.5, 1.5))
    if pen.chance(2):
        written["depth"] = pen.pick((2, 0.5, 1.5))
    if pen.chance(2):
        written["divisor"] = pen.pick((8, 16))
    found["scale"] = written
    return Scale(written.get("width", 1), written.get("depth", 1), written.get("divisor", 8))


def _fragments(pen: Pen, found: dict[str, Any]) -> tuple[Called, ...]:
    known: tuple[Called, ...] = (SE,) if pen.chance(3) else ()
    definitions = {}
    for name in ("mixer", "squash")[: pen.pick((0, 0, 1, 2))]:
        definitions[name], called = fragment(pen, name, known)
        known += (called,)
    if definitions:
        found["fragments"] = definitions
    return known


def _blocks(
    pen: Pen, found: dict[str, Any], fragments: tuple[Called, ...], shortcuts: tuple[str, ...]
) -> tuple[Any, ...]:
    made = {name: block(pen, name, fragments, shortcuts) for name in ("own", "other")[: pen.pick((0, 1, 1, 2))]}
    if made:
        found["blocks"] = {name: definition for name, (definition, _) in made.items()}
    return tuple(known for _, known in made.values())


def _settings(pen: Pen, found: dict[str, Any], shortcuts: tuple[str, ...]) -> dict[str, Any]:
    """Settings of the spec."""
    offered: dict[str, tuple[Any, ...]] = {
        "shortcut": shortcuts,
        "activation_order": ORDERS,
        "norm": ({"type": "group", "groups": 4}, "layer", "instance", "none", {"type": "batch", "eps": 0.001}),
        "act": ("silu", "leaky_relu", "none"),
        "drop_path": (0.1, "0.2 * number / blocks"),
    }
    settings = {key: pen.pick(values) for key, values in offered.items() if pen.chance(3)}
    found |= settings
    return settings


def _naming(pen: Pen, found: dict[str, Any], rows: list[Row]) -> None:
    """How scopes are called, and which of them the model returns."""
    naming, stage = pen.pick(NAMINGS) if pen.chance(3) else NAMINGS[0]
    if naming is not None:
        found["naming"] = naming
    plain = [stage.format(number) for number, row in enumerate(rows, 1) if not row.get("name")]
    if not stage or not plain or not pen.chance(5):
        return
    first = pen.pick(plain)
    found["outputs"] = pen.pick((first, [first], plain))


def _over_a_zoo_spec(pen: Pen) -> dict[str, Any]:
    """A zoo spec made small by what changes: ``extends`` with columns, settings and a stem of another width."""
    base = pen.pick(("resnet18", "resnet50", "resnext50_32x4d"))
    pen.rank = 2
    found: dict[str, Any] = {"archspec": 1, "name": "drawn", "extends": base, "input": [3, 32, pen.count(32, 40)]}
    found["stem"] = {"use": "imagenet", "width": 8} if pen.chance(2) else "cifar"
    found["classes"] = 5
    stages: dict[str, Any] = {"count": 1, "channels": [8, 16, 16, 8]}
    if base == "resnext50_32x4d":
        stages |= {"groups": 2, "base_width": pen.pick((64, 32))}
    found["stages"] = stages
    if pen.chance(2):
        found["activation_order"] = pen.pick(ORDERS)
    if pen.chance(2):
        found["shortcut"] = pen.pick(CHANGING)
    if pen.chance(3):
        found["head"] = None
    return found
