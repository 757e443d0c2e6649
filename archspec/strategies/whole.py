"""A whole spec: rank, parameters, definitions, stem, stages, head, and how things are called."""

from __future__ import annotations

from typing import Any

from archspec.strategies.chooser import Called, Chooser
from archspec.strategies.definitions import LIBRARY, ORDERS, SE, block, fragment, shortcut
from archspec.strategies.edges import Reached, head, stem
from archspec.strategies.table import CHANGING, SHORTCUTS, Around, Row, WidthScale, table

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


def document(choose: Chooser) -> dict[str, Any]:
    """The document of a valid spec."""
    if choose.chance(20):
        return _over_a_zoo_spec(choose)
    found: dict[str, Any] = {"archspec": 1, "name": "drawn"}
    if choose.chance(4):
        found |= {"summary": "A network that nobody asked for.", "tags": ["drawn"]}
    choose.rank = choose.pick((2, 2, 1, 3))
    if choose.chance(3):
        choose.params = {"wide": 8}
        found["params"] = {"wide": choose.pick((8, "4 + 4")), **({"gate": "sigmoid"} if choose.chance(2) else {})}
    value = Reached(
        choose.pick((3, 1, 8)),
        tuple(choose.count(*((6, 10) if choose.rank == 3 else (8, 16))) for _ in range(choose.rank)),
    )
    found["input"] = [value.channels, *value.size]
    found["classes"] = choose.pick((5, 1, "2 * 3"))
    scale = _scale(choose, found)
    fragments = _fragments(choose, found)
    shortcuts = {"beside": shortcut(choose)} if choose.chance(4) else {}
    blocks = _blocks(choose, found, fragments, (*CHANGING, *shortcuts))
    settings = _settings(choose, found, (*SHORTCUTS, *shortcuts))
    if shortcuts:
        found["shortcuts"] = shortcuts
    scaled = {number: scale.channels(number) for number in (8, 16)}
    written, value = stem(choose, value, fragments, scaled if choose.chance(2) else {})
    if written is not None:
        found["stem"] = written
    around = Around(
        (*LIBRARY, *blocks) if choose.chance(2) else (blocks or LIBRARY), fragments, shortcuts, settings, scale
    )
    found["stages"], value, rows = table(choose, around, value)
    # A fragment stands at the root once at most: there its steps would have the same names a second time.
    used = isinstance(written, dict) and written["use"] in {called.name for called in fragments}
    last = head(choose, value, () if used else fragments)
    if last is not None:
        found["head"] = last
    _naming(choose, found, rows)
    if choose.chance(5):
        found["init"] = {key: choose.pick(values) for key, values in INIT.items() if choose.chance(2)}
    if choose.chance(6):
        found["expect"] = choose.pick(
            ({"params": {"min": 1}}, {"macs": {"min": "1"}, "nodes": None}, {"layers": {"max": "1k"}})
        )
        found["expect"] = {key: item for key, item in found["expect"].items() if item is not None}
    return found


def _scale(choose: Chooser, found: dict[str, Any]) -> WidthScale:
    if not choose.chance(6):
        return WidthScale()
    written: dict[str, Any] = {}
    if not choose.chance(3):
        written["width"] = choose.pick((2, 0.5, 1.5))
    if choose.chance(2):
        written["depth"] = choose.pick((2, 0.5, 1.5))
    if choose.chance(2):
        written["divisor"] = choose.pick((8, 16))
    found["scale"] = written
    return WidthScale(written.get("width", 1), written.get("depth", 1), written.get("divisor", 8))


def _fragments(choose: Chooser, found: dict[str, Any]) -> tuple[Called, ...]:
    known: tuple[Called, ...] = (SE,) if choose.chance(3) else ()
    definitions = {}
    for name in ("mixer", "squash")[: choose.pick((0, 0, 1, 2))]:
        definitions[name], called = fragment(choose, name, known)
        known += (called,)
    if definitions:
        found["fragments"] = definitions
    return known


def _blocks(
    choose: Chooser, found: dict[str, Any], fragments: tuple[Called, ...], shortcuts: tuple[str, ...]
) -> tuple[Any, ...]:
    made = {name: block(choose, name, fragments, shortcuts) for name in ("own", "other")[: choose.pick((0, 1, 1, 2))]}
    if made:
        found["blocks"] = {name: definition for name, (definition, _) in made.items()}
    return tuple(known for _, known in made.values())


def _settings(choose: Chooser, found: dict[str, Any], shortcuts: tuple[str, ...]) -> dict[str, Any]:
    """Settings of the spec."""
    offered: dict[str, tuple[Any, ...]] = {
        "shortcut": shortcuts,
        "activation_order": ORDERS,
        "norm": ({"type": "group", "groups": 4}, "layer", "instance", "none", {"type": "batch", "eps": 0.001}),
        "act": ("silu", "leaky_relu", "none"),
        "drop_path": (0.1, "0.2 * number / blocks"),
    }
    settings = {key: choose.pick(values) for key, values in offered.items() if choose.chance(3)}
    found |= settings
    return settings


def _naming(choose: Chooser, found: dict[str, Any], rows: list[Row]) -> None:
    """How scopes are called, and which of them the model returns."""
    naming, stage = choose.pick(NAMINGS) if choose.chance(3) else NAMINGS[0]
    if naming is not None:
        found["naming"] = naming
    plain = [stage.format(number) for number, row in enumerate(rows, 1) if not row.get("name")]
    if not stage or not plain or not choose.chance(5):
        return
    first = choose.pick(plain)
    found["outputs"] = choose.pick((first, [first], plain))


def _over_a_zoo_spec(choose: Chooser) -> dict[str, Any]:
    """A zoo spec made small by what changes: ``extends`` with columns, settings and a stem of another width."""
    base = choose.pick(("resnet18", "resnet50", "resnext50_32x4d"))
    choose.rank = 2
    found: dict[str, Any] = {"archspec": 1, "name": "drawn", "extends": base, "input": [3, 32, choose.count(32, 40)]}
    found["stem"] = {"use": "imagenet", "width": 8} if choose.chance(2) else "cifar"
    found["classes"] = 5
    stages: dict[str, Any] = {"count": 1, "channels": [8, 16, 16, 8]}
    if base == "resnext50_32x4d":
        stages |= {"groups": 2, "base_width": choose.pick((64, 32))}
    found["stages"] = stages
    if choose.chance(2):
        found["activation_order"] = choose.pick(ORDERS)
    if choose.chance(2):
        found["shortcut"] = choose.pick(CHANGING)
    if choose.chance(3):
        found["head"] = None
    return found
