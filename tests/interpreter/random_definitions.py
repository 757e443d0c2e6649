"""Random definitions: fragments, shortcuts and blocks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from tests.interpreter.chance import Chance
from tests.interpreter.expressions import ORDERS
from tests.interpreter.random_steps import Fragment, Place, Step, Steps

OF_BLOCKS = (
    *("index == 0", "stride > 1", "number < blocks - 1", "stage == stages", "in_channels == channels", "channels > 8"),
    *(
        "activation_order != 'pre'",
        "count >= 2 and index == count - 1",
        "norm == 'batch'",
        "act == 'relu' or dilation > 1",
    ),
)
CHANGING = ("projection", "none", "projection-all", "avg-projection", "inverted")
"""Shortcuts of the library that fit every change of shape."""
SE = Fragment(
    "se",
    False,
    False,
    {"squeeze": (2, "in_channels // 4"), "activation": ("silu", "relu"), "gate": ("tanh",)},
    ("squeeze",),
)


@dataclass(frozen=True)
class Block:
    """What the table has to know about a block. ``factor``: output width by `channels`; None if it keeps the width."""

    name: str
    params: dict[str, tuple[Any, ...]]
    factor: int | None = 1
    strided: bool = True
    joins: bool = False
    residual: bool = True
    required: tuple[str, ...] = ()
    fixed: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)


LIBRARY = (
    Block("basic", {}),
    Block(
        "bottleneck",
        {"groups": (1, 2), "base_width": (64, 32), "stride_at": (1, 2), "se": (0.25, 0, "0.25 if index == 0 else 0")},
        factor=4,
    ),
    Block(
        "mbconv",
        {"expand": (1, 2, "1 + stage"), "kernel": (3, 5), "se": (0, 0.25)},
        fixed={"shortcut": "inverted", "activation_order": ""},
    ),
)


class Definitions:
    """Draws fragments, shortcuts and blocks."""

    def __init__(self, chance: Chance, rank: int, words: tuple[str, ...]) -> None:
        self.chance, self.rank, self.words = chance, rank, words
        self.steps = Steps(chance)

    def fragment(self, name: str, known: tuple[Fragment, ...]) -> tuple[dict[str, Any], Fragment]:
        """A fragment that keeps the shape, or one that takes a width."""
        chance = self.chance
        takes_out = chance.one_in(3)
        definition: dict[str, Any] = {}
        params: dict[str, Any] = {}
        offered: dict[str, tuple[Any, ...]] = {}
        for key, values in (
            ("size", (3, 1, "1 + 2")),
            ("kind", ("silu", "tanh", "'elu'")),
            ("switch", (True, False, "1 < 2")),
        ):
            if chance.one_in(3):
                params[key], offered[key] = chance.pick(values), values
        if "kind" in params and chance.one_in(3):
            params["kind"] = chance.pick(("act", *self.words)) if self.words else "act"
        required = ("amount",) if chance.one_in(4) else ()
        if required:
            params["amount"], offered["amount"] = None, (0.5, "1 / 4", 2)
        place = Place(
            ("in_channels",),
            self.rank,
            known,
            ("switch",) if "switch" in params else (),
            ("kind",) if "kind" in params else (),
            depth=1,
        )
        layered = chance.one_in(2)
        steps = self.steps.several(place if layered else place.plain(), 3)
        if "size" in params:
            steps.append({"conv": {"out": "in_channels", "kernel": "size", "groups": chance.pick(("in_channels", 1))}})
        if required:
            steps.insert(0, {"scale": {"by": "amount"}})
        if chance.one_in(3):
            definition["let"] = chance.pick(
                ({"wide": "2 * half", "half": "in_channels // 2"}, {"wide": "in_channels", "w": "'silu'"})
            )
            steps += [{"conv": {"out": "wide"}}, {"linear": {"out": "in_channels"}}]
            if "w" in definition["let"]:
                steps.append({"act": {"type": "w"}})
        if takes_out:
            params["out"] = None
            if chance.one_in(2):
                params["step"] = 1
            arguments = {"kernel": 3, "stride": "step"} if "step" in params else {}
            steps.append({"layer" if layered else "conv": {"out": "out", **arguments}})
        if params:
            definition["params"] = params
        definition["steps"] = steps
        return definition, Fragment(name, takes_out, layered, offered, required)

    def shortcut(self) -> dict[str, Any]:
        """A shortcut of one's own."""
        chance = self.chance
        place = Place(
            ("in_channels",),
            self.rank,
            (),
            ("stride > 1", "index == 0", "count > 1", "stage < 2"),
            layers=True,
            depth=1,
        )
        same: Any = chance.pick(([], [], "none", self.steps.several(place, 2), self.steps.several(place, 2)))
        changes: tuple[Any, ...] = (
            "none",
            [{"conv": self.steps.conv_arguments(place, "out_channels", "stride", groups=False)}],
            [{"layer": {"out": "out_channels", "kernel": 1, "stride": "stride"}}],
            [
                {"pool": {"type": "avg", "kernel": "stride", "ceil": True, "when": "stride > 1"}},
                {"linear": {"out": "out_channels"}},
            ],
            [
                {"subsample": {"stride": "stride"}},
                {"conv": {"out": "out_channels"}},
                {"norm": {"when": "activation_order != 'pre'"}},
            ],
        )
        return {"same": same, "change": chance.pick(changes)}

    def block(self, name: str, known: tuple[Fragment, ...], shortcuts: tuple[str, ...]) -> tuple[dict[str, Any], Block]:
        """A block of one's own."""
        chance = self.chance
        residual = not chance.one_in(3)
        joins = residual and chance.one_in(4)
        strided = not joins and not chance.one_in(4)
        params: dict[str, Any] = {}
        offered: dict[str, tuple[Any, ...]] = {}
        for key, values in (
            ("size", (3, 1)),
            ("gating", ("sigmoid", "relu6")),
            ("deep", (False, True)),
            ("more", ("channels", 8)),
        ):
            if chance.one_in(3):
                params[key], offered[key] = chance.pick(values), values
        required = ("inner",) if chance.one_in(4) else ()
        if required:
            params["inner"], offered["inner"] = None, (8, 4, "4 * 2", "channels", [8])
        let = chance.pick(
            (
                None,
                None,
                {"twice": "2 * channels"},
                {"twice": "half * 4", "half": "channels // 2"},
                {"twice": "in_channels"},
            )
        )
        conditions = ("deep", *OF_BLOCKS) if "deep" in params else OF_BLOCKS
        place = Place(("in_channels",), self.rank, known, conditions, ("gating",) if "gating" in params else ())
        factor = chance.pick((1, 1, 2)) if strided or joins else chance.pick((1, None, 2))
        out = {None: "in_channels", 1: "channels", 2: "2 * channels"}[factor]
        middle = chance.pick(
            ["channels", "in_channels", *(["twice"] if let else []), *required, *(["more"] if "more" in params else [])]
        )
        definition: dict[str, Any] = {"params": params} if params else {}
        if let:
            definition["let"] = let
        if joins:
            definition["merge"] = "concat"
        elif residual and chance.one_in(6):
            definition["merge"] = "add"
        if residual and chance.one_in(3):
            definition["first"] = chance.pick(("shortcut", "shortcut", "residual"))
        fixed, own = self._settings(residual, shortcuts)
        if fixed:
            definition["fixed"] = fixed
        definition |= own
        definition["residual" if residual else "steps"] = self._body(place, middle, out, "stride" if strided else None)
        return definition, Block(name, offered, factor, strided, joins, residual, required, fixed, own)

    def _settings(self, residual: bool, shortcuts: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        offered: dict[str, tuple[Any, ...]] = {
            "activation_order": ORDERS,
            "act": ("silu", "none", "'elu' if index == 0 else 'relu'"),
            "norm": ("layer", {"type": "group", "groups": 4}, {"eps": 0.1}),
            "drop_path": (0, 0.1, "0.2 * number / blocks"),
        }
        if residual:
            offered["shortcut"] = shortcuts
        fixed = {key: self.chance.pick(values) for key, values in offered.items() if self.chance.one_in(9)}
        own = {
            key: self.chance.pick(values)
            for key, values in offered.items()
            if key not in fixed and self.chance.one_in(9)
        }
        return fixed, own

    def _body(self, place: Place, middle: str, out: str, stride: str | None) -> list[Step]:
        """Steps from ``in_channels`` to ``out`` with the stride once on every path."""
        chance, steps = self.chance, self.steps
        inside, after = replace(place, widths=(middle,)), replace(place, widths=(out,))
        first, second = (stride, None) if chance.one_in(2) else (None, stride)
        forms: list[list[Step]] = [
            [steps.layer_to(place, middle, first), *steps.several(inside, 1), steps.layer_to(inside, out, second)],
            [steps.layer_to(place, middle, first), steps.layer_to(inside, middle), steps.layer_to(inside, out, second)],
            [steps.layer_to(place, out, stride)],
            [{"conv": steps.conv_arguments(place, out, stride, groups=False)}, *steps.several(after, 2)],
            [
                {
                    "add": steps.branches(
                        [[steps.layer_to(place, out, stride)], [*self._down(stride), {"layer": {"out": out}}]]
                    )
                }
            ],
            [
                {
                    "concat": steps.branches(
                        [
                            [{"layer": {"out": f"({out}) // 2", "stride": stride or 1}}],
                            [steps.layer_to(place, f"({out}) // 2", stride)],
                        ]
                    )
                }
            ],
            [
                {
                    "sequence": {
                        "name": "inner",
                        "steps": [steps.layer_to(place, middle, stride), steps.layer_to(inside, out)],
                    }
                }
            ],
        ]
        wide = [each for each in place.fragments if each.takes_out]
        if wide and stride is None:
            call = steps.calling(chance.pick(wide), out=out)
            forms.append([call])
            forms.append([{"layer": {"of": [call]}}] if not wide[0].layered and len(wide) == 1 else [call])
        before = steps.several(place, 1) if chance.one_in(4) else []
        return [*before, *chance.pick(forms), *(steps.several(after, 1) if chance.one_in(2) else [])]

    def _down(self, stride: str | None) -> list[Step]:
        if stride is None:
            return []
        pool: Step = {"pool": {"type": "max", "kernel": 3, "stride": stride, "padding": 1}}
        options: list[Step] = [{"subsample": {"stride": stride}}, pool]
        return [self.chance.pick(options)]
