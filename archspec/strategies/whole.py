"""A whole spec: rank, parameters, definitions, stem, stages, head, naming."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.strategies.definitions import LIBRARY, ORDERS, SE, block, fragment, shortcut
from archspec.strategies.draw import Draw, FragmentFacts, part
from archspec.strategies.edges import EARLY, FeatureMap, head, stem
from archspec.strategies.table import CHANGING, SHORTCUTS, Row, TableContext, WidthScale, table

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
    ({"backbone": "trunk", "heads": "{name}_{n}"}, "trunk.layer{}"),
    ({"layer": "l{n}", "step": "op{position}", "stage": "s{letter(stage - 1)}"}, ""),
    ({"convention": "torchvision", "block": "{letter(index)}"}, "layer{}"),
    ("sequential", ""),
    ({"convention": "sequential", "residual": "conv"}, ""),
)
"""What ``naming`` may say, and how it calls a stage; empty where that is not worth knowing."""


def document(draw: Draw) -> dict[str, Any]:
    """The document of a valid spec."""
    if draw.chance(20):
        return _over_a_zoo_spec(draw)
    found: dict[str, Any] = {"archspec": 1, "name": "drawn"}
    if draw.chance(4):
        found |= {
            "summary": "A network that nobody asked for.",
            "tags": ["drawn"],
            "weights": {"skip": ["aux"], "aliases": {"c.1": "c1"}},
        }
    draw.rank = draw.pick((2, 2, 1, 3))
    if draw.chance(3):
        draw.params = {"wide": 8}
        found["params"] = {"wide": draw.pick((8, "4 + 4")), **({"gate": "sigmoid"} if draw.chance(2) else {})}
    sizes = (6, 10) if draw.rank == 3 else (8, 16)
    value = FeatureMap(draw.pick((3, 1, 8)), tuple(draw.count(*sizes) for _ in range(draw.rank)))
    found["input"] = [value.channels, *value.size]
    found["classes"] = draw.pick((5, 1, "2 * 3"))
    scale = _scale(draw, found)
    fragments = _fragments(draw, found)
    shortcuts = {"beside": shortcut(draw)} if draw.chance(3) else {}
    blocks = _blocks(draw, found, fragments, (*CHANGING, *shortcuts))
    settings = _settings(draw, found, (*SHORTCUTS, *shortcuts))
    if shortcuts:
        found["shortcuts"] = shortcuts
    scaled = {number: scale.channels(number) for number in (8, 16)}
    written, value = stem(draw, value, fragments, scaled if draw.chance(2) else {})
    stemmed = value
    if written is not None:
        found["stem"] = written
    context = TableContext(
        (*LIBRARY, *blocks) if draw.chance(2) else (blocks or LIBRARY), fragments, shortcuts, settings, scale
    )
    found["stages"], value, rows = table(draw, context, value)
    # A fragment is called at the root at most once: a second call would give its steps the same names.
    kept = {"stem": stemmed, **({EARLY: stemmed} if isinstance(written, list) and {"as": EARLY} in written else {})}
    used = isinstance(written, dict) and written["use"] in {called.name for called in fragments}
    last = head(draw, value, () if used else fragments, kept)
    if last is not None:
        found["head"] = last
    if draw.chance(5):
        _heads(draw, found, value, kept)
    _naming(draw, found, rows)
    if draw.chance(5):
        found["init"] = {key: draw.pick(values) for key, values in INIT.items() if draw.chance(2)}
    if draw.chance(6):
        found["expect"] = draw.pick(({"params": {"min": 1}}, {"macs": {"min": "1"}}, {"layers": {"max": "1k"}}))
    if draw.chance(12):
        found["silence"] = draw.pick((["W302"], ["W303", "W501"]))
    return found


@part
def _scale(draw: Draw, found: dict[str, Any]) -> WidthScale:
    if not draw.chance(6):
        return WidthScale()
    written: dict[str, Any] = {}
    if not draw.chance(3):
        written["width"] = draw.pick((2, 0.5, 1.5))
    if draw.chance(2):
        written["depth"] = draw.pick((2, 0.5, 1.5))
    if draw.chance(2):
        written["divisor"] = draw.pick((8, 16))
    found["scale"] = written
    return WidthScale(written.get("width", 1), written.get("depth", 1), written.get("divisor", 8))


@part
def _fragments(draw: Draw, found: dict[str, Any]) -> tuple[FragmentFacts, ...]:
    known: tuple[FragmentFacts, ...] = (SE,) if draw.chance(3) else ()
    definitions = {}
    for name in ("mixer", "squash")[: draw.pick((0, 0, 1, 2))]:
        definitions[name], called = fragment(draw, name, known)
        known += (called,)
    if definitions:
        found["fragments"] = definitions
    return known


@part
def _blocks(
    draw: Draw, found: dict[str, Any], fragments: tuple[FragmentFacts, ...], shortcuts: tuple[str, ...]
) -> tuple[Any, ...]:
    made = {name: block(draw, name, fragments, shortcuts) for name in ("own", "other")[: draw.pick((0, 1, 1, 2))]}
    if made:
        found["blocks"] = {name: definition for name, (definition, _) in made.items()}
    return tuple(known for _, known in made.values())


@part
def _settings(draw: Draw, found: dict[str, Any], shortcuts: tuple[str, ...]) -> dict[str, Any]:
    """Settings of the spec."""
    offered: dict[str, tuple[Any, ...]] = {
        "shortcut": shortcuts,
        "activation_order": ORDERS,
        "norm": ({"type": "group", "groups": 4}, "layer", "instance", "none", {"type": "batch", "eps": 0.001}),
        "act": ("silu", "leaky_relu", "none"),
        "drop_path": (0.1, "0.2 * number / blocks"),
    }
    settings = {key: draw.pick(values) for key, values in offered.items() if draw.chance(3)}
    found |= settings
    return settings


@part
def _naming(draw: Draw, found: dict[str, Any], rows: list[Row]) -> None:
    """The naming, and the scopes that the model returns."""
    naming, stage = draw.pick(NAMINGS) if draw.chance(3) else NAMINGS[0]
    if naming is not None:
        found["naming"] = naming
    plain = [stage.format(number) for number, row in enumerate(rows, 1) if not row.get("name")]
    if not stage or not plain or not draw.chance(4):
        return
    first = draw.pick(plain)
    if draw.chance(2):
        found["frozen"] = draw.pick((first, [first], plain))
        return
    if "outputs" in found:
        return
    found["outputs"] = draw.pick((first, [first], plain, {"last": plain[-1]}))
    if isinstance(found["outputs"], str):
        found.pop("returns", None)


@part
def _heads(draw: Draw, found: dict[str, Any], value: FeatureMap, kept: Mapping[str, FeatureMap]) -> None:
    """Several heads, and how the model returns their results."""
    names = ("auxiliary", "dense")[: draw.count(1, 2)]
    found["heads"] = {name: head(draw, value, (), kept) or "classifier" for name in names}
    if draw.chance(2):
        end = [{"conv": {"out": "classes"}}, {"upsample": {"like": "input"}}]
        found["heads"]["map"] = [*([{"from": "stem"}] if draw.chance(2) else []), *end]
    if draw.chance(2):
        found["head"] = None
    if draw.chance(3):
        found["returns"] = draw.pick(("tuple", "dict"))
    if draw.chance(3):
        found["outputs"] = {f"out{number}": name for number, name in enumerate(found["heads"])}
        if len(found["heads"]) > 1 and draw.chance(2):
            found["outputs"]["out1"] = {"training": found["outputs"]["out1"]}


@part
def _over_a_zoo_spec(draw: Draw) -> dict[str, Any]:
    """A zoo spec made small: ``extends`` with other columns, settings and a narrow stem."""
    base = draw.pick(("resnet18", "resnet50", "resnext50_32x4d"))
    draw.rank = 2
    found: dict[str, Any] = {"archspec": 1, "name": "drawn", "extends": base, "input": [3, 32, draw.count(32, 40)]}
    found["stem"] = {"use": "imagenet", "width": 8} if draw.chance(2) else "cifar"
    found["classes"] = 5
    stages: dict[str, Any] = {"count": 1, "channels": [8, 16, 16, 8]}
    if base == "resnext50_32x4d":
        stages |= {"groups": 2, "base_width": draw.pick((64, 32))}
    found["stages"] = stages
    if draw.chance(2):
        found["activation_order"] = draw.pick(ORDERS)
    if draw.chance(2):
        found["shortcut"] = draw.pick(CHANGING)
    if draw.chance(3):
        found["head"] = None
    return found
