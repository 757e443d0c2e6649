"""A whole random spec with the files that it imports and extends, from a seed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.interpreter.chance import Chance
from tests.interpreter.expressions import ORDERS, make_divisible
from tests.interpreter.network import interpret
from tests.interpreter.random_definitions import CHANGING, LIBRARY, SE, Block, Definitions
from tests.interpreter.random_edges import Edges, Map
from tests.interpreter.random_files import changed, extending, imported
from tests.interpreter.random_steps import Fragment
from tests.interpreter.random_table import WRAPPER, Context, Tables
from tests.interpreter.reading import Refused

NAMINGS: tuple[Any, ...] = (
    *("timm", "torchvision", "sequential", {"convention": "sequential", "residual": "conv", "head": "top"}),
    {"stage": "trunk.block{stage}", "block": "b{index}", "residual": "f", "shortcut": "proj"},
    {
        "stem": "stem",
        "head": "top",
        "conv": "c{n}",
        "norm": "{kind}_{n}",
        "before": "in{stage}",
        "after": "out{stage}_{n}",
    },
    {"layer": "l{n}", "step": "op{position}", "stage": "s{letter(stage - 1)}"},
    {"convention": "timm", "block": "{letter(index)}", "fragment": "{name}_{n}", "act": "a{position}"},
    {
        "stem": "s{position}_{n}",
        "stage": "t{position}_{n}_{stages}",
        "head": "h{position}_{n}",
        "after": "c{position}_{n}",
    },
    {"block": "k{n}_{position}_{channels}", "shortcut": "t{n}_{position}{name}", "layer": "{name}{position}"},
    {"stem": "in{position}", "deep": "c{n}_{position}", "residual": "r", "layer": "", "left_out": "counted"},
    {"residual": "res{number}", "block": "{position}", "shortcut": "", "fragment": ""},
    {
        "stem": "features",
        "stage": "features",
        "block": "{position}",
        "head": "features",
        "pool": "p{n}",
        "linear": "{kind}{n}",
    },
    {"residual": "body", "layer": "{position}", "fragment": "{position}", "step": "x{n}{kind}"},
    {"shortcut": "", "residual": "", "stage": "", "block": "z{number}"},
    {"backbone": "trunk", "heads": "{name}_{n}"},
    {
        "add": "sum{n}",
        "dropout": "drop{n}",
        "layer_scale": "gamma{n}",
        "concat": "cat{n}",
        "conv": "{position}",
        "norm": "{position}",
    },
)
INIT: dict[str, tuple[Any, ...]] = {
    "conv": ("he-fan-in", "xavier", "normal", "truncated-normal", "torch", "he-fan-out"),
    "linear": ("xavier", "normal", "he-fan-in", "he-fan-out", "truncated-normal", "torch"),
    "bias": ("zero", "torch"),
    "zero_init_residual": (True, False),
}


@dataclass(frozen=True)
class Drawn:
    """A spec as text, and the files next to it."""

    text: str
    files: dict[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> Path:
        """The path of the spec, written with its files."""
        for name, text in self.files.items():
            (folder / f"{name}.yaml").write_text(text)
        path = folder / "drawn.yaml"
        path.write_text(self.text)
        return path


def drawn(seed: int) -> Drawn:
    """A random spec. Most are valid."""
    chance = Chance(seed)
    document = _Whole(chance).document()
    if chance.one_in(5):
        changed(chance, document)
    files: dict[str, dict[str, Any]] = {}
    if chance.one_in(5):
        imported(chance, document, files)
    if chance.one_in(6):
        document = extending(chance, document, files)
    if chance.one_in(6) and not files:
        _with_scopes(chance, document, chance.pick(("outputs", "outputs", "frozen")))
    return Drawn(_text(chance, document), {name: _text(chance, value) for name, value in files.items()})


def _text(chance: Chance, document: dict[str, Any]) -> str:
    """The document as YAML, with anchors now and then."""
    document = copy.deepcopy(document)
    if chance.one_in(4):
        _shared(document, {})
        return yaml.dump(document, sort_keys=False, default_flow_style=chance.pick((None, False)))
    yaml_text = yaml.dump(_apart(document), sort_keys=False, default_flow_style=chance.pick((None, None, False, True)))
    return str(yaml_text)


def _shared(value: Any, seen: dict[str, Any]) -> Any:
    """Equal parts become one object, which PyYAML writes once with an anchor."""
    if not isinstance(value, dict | list) or not value:
        return value
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        value[key] = _shared(item, seen)
    return seen.setdefault(repr(value), value)


def _apart(value: Any) -> Any:
    """The same with no object in two places."""
    if isinstance(value, dict):
        return {key: _apart(item) for key, item in value.items()}
    return [_apart(item) for item in value] if isinstance(value, list) else value


def _with_scopes(chance: Chance, document: dict[str, Any], key: str) -> None:
    """Outputs in the middle, or what does not train, by names that the interpreter gives."""
    try:
        network = interpret(yaml.dump(_apart(document), sort_keys=False))
    except Refused:
        return
    names = [name for name in network.scopes if name and (key == "outputs" or name not in ("stem", "head"))]
    if names:
        some = [chance.pick(names) for _ in range(chance.count(1, 3))]
        listed = list(dict.fromkeys(some))
        document[key] = chance.pick((some[0], listed))
        if key == "outputs" and chance.one_in(3):
            document[key] = {f"key{i}": name for i, name in enumerate(listed)}
        if key == "outputs" and isinstance(document[key], list) and len(listed) > 1 and chance.one_in(2):
            document[key] = [listed[0], *({"training": name} for name in listed[1:])]
        if key == "outputs" and not isinstance(document[key], str):
            document["returns"] = chance.pick((None, "dict", "tuple"))


# -- the whole ---------------------------------------------------------------------------------------------------------


class _Whole:
    """One spec being drawn."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.found: dict[str, Any] = {"archspec": 1, "name": "drawn"}
        self.words: tuple[str, ...] = ()

    def _some(self, of: int, draw: Callable[[], Any], key: str) -> None:
        if self.chance.one_in(of):
            self.found[key] = draw()

    def document(self) -> dict[str, Any]:
        """The document."""
        chance, found = self.chance, self.found
        rank = chance.pick((2, 2, 1, 3))
        if chance.one_in(2):
            found["params"] = {"wide": chance.pick((8, "4 + 4")), "gate": "sigmoid", "some": chance.pick((2, 0.5))}
            chance.numbers["wide"] = 8
            self.words = ("gate",)
        low, high = {1: (8, 20), 2: (6, 14), 3: (4, 8)}[rank]
        equal = chance.count(low, high)
        value = Map(
            chance.pick((3, 1, 8, 4)),
            tuple(equal if chance.one_in(2) else chance.count(low, high) for _ in range(rank)),
        )
        found["input"] = [value.channels, *value.size]
        found["classes"] = chance.pick((5, 2, 3))
        scale = self._scale()
        parts = Definitions(chance, rank, self.words)
        edges = Edges(chance, rank, self.words)
        fragments = self._fragments(parts)
        shortcuts = ("beside",) if chance.one_in(3) else ()
        if shortcuts:
            found["shortcuts"] = {"beside": parts.shortcut()}
        blocks = self._blocks(parts, fragments, (*CHANGING, *shortcuts))
        self._settings((*CHANGING, *shortcuts))
        scaled = (
            {}
            if scale is None
            else {n: make_divisible(n * scale.get("width", 1), scale.get("divisor", 8)) for n in (4, 8, 16)}
        )
        settings = {key: found[key] for key in ("shortcut",) if key in found}
        found["stem"], value = edges.stem(value, fragments, scaled)
        tables = Tables(chance, edges, Context(blocks, fragments, shortcuts, settings, scale))
        found["stages"], value = tables.table(value)
        if tables.wraps:
            found.setdefault("fragments", {})["wrapper"] = WRAPPER
        head = edges.head(value, fragments) if value.channels else "classifier"
        if head is not None:
            found["head"] = head
        if value.channels and chance.one_in(4):
            found["heads"] = {name: self._head(edges, value) for name in ("aux", "classes")[: chance.count(1, 2)]}
            if chance.one_in(2):
                found["head"] = None
            if chance.one_in(2):
                found["returns"] = chance.pick(("dict", "tuple"))
        self._some(2, lambda: chance.pick(NAMINGS), "naming")
        self._some(5, lambda: {key: chance.pick(values) for key, values in INIT.items() if chance.one_in(2)}, "init")
        return found

    def _head(self, edges: Edges, value: Map) -> Any:
        """One of several heads; it may read an earlier value, or the size of the input."""
        start = self.chance.pick(([], [], [{"from": "stem"}]))
        end = {"upsample": {"like": "input"}}
        flat = ["flatten", {"linear": {"out": "classes"}}]
        return [
            *start,
            {"linear": {"out": 4}},
            *self.chance.pick((flat, [{"pool": {"type": "avg", "output": 1}}, end])),
        ]

    def _scale(self) -> dict[str, Any] | None:
        if not self.chance.one_in(6):
            return None
        offered = {"width": (2, 0.5, 1.5), "depth": (2, 0.5, 1.5), "divisor": (8, 4)}
        self.found["scale"] = {
            key: self.chance.pick(values) for key, values in offered.items() if self.chance.one_in(2)
        }
        return dict(self.found["scale"])

    def _fragments(self, parts: Definitions) -> tuple[Fragment, ...]:
        known: tuple[Fragment, ...] = (SE,) if self.chance.one_in(2) else ()
        definitions = {}
        for name in ("mixer", "squash", "third")[: self.chance.pick((0, 1, 2, 3))]:
            definitions[name], called = parts.fragment(name, known)
            known += (called,)
        if definitions:
            self.found["fragments"] = definitions
        return known

    def _blocks(self, parts: Definitions, known: tuple[Fragment, ...], shortcuts: tuple[str, ...]) -> tuple[Block, ...]:
        made = {
            name: parts.block(name, known, shortcuts)
            for name in ("own", "basic2", "third")[: self.chance.pick((0, 1, 1, 2))]
        }
        if self.chance.one_in(8):
            made["x"] = (_GROUPED, Block("x", {"group_width": (4, 8)}))
        if made:
            self.found["blocks"] = {name: copy.deepcopy(definition) for name, (definition, _) in made.items()}
        own = tuple(known for _, known in made.values())
        return own if own and self.chance.one_in(2) else (*LIBRARY, *own)

    def _settings(self, shortcuts: tuple[str, ...]) -> None:
        pick = self.chance.pick
        self._some(3, lambda: pick(shortcuts), "shortcut")
        self._some(2, lambda: pick(ORDERS), "activation_order")
        norms = (
            "layer",
            "none",
            {"type": "group", "groups": 4},
            "instance",
            {"eps": 0.001},
            {"type": "batch", "affine": False},
        )
        self._some(4, lambda: pick(norms), "norm")
        self._some(4, lambda: pick(self._acts()), "act")
        self._some(4, lambda: pick((0.1, "0.2 * number / blocks", "some / 8" if self.words else 0.3)), "drop_path")

    def _acts(self) -> tuple[Any, ...]:
        slope = {"type": "leaky_relu", "slope": 0.1}
        return ("silu", "none", "leaky_relu", slope, "'elu' if classes > 2 else 'relu'", *self.words)


_GROUPED: dict[str, Any] = {
    "params": {"group_width": 1},
    "residual": [
        {"layer": {"out": "channels", "kernel": 1}},
        {"layer": {"out": "channels", "kernel": 3, "stride": "stride", "groups": "channels // group_width"}},
    ],
}
