"""Fragments, blocks and shortcuts of a spec's own, and what the library's are known to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec.testing.strategies.pen import Called, Pen, Place, Step, Width
from archspec.testing.strategies.steps import branches, call, conv_arguments, keeper, keepers, layer

ORDERS = ("post", "norm-after-add", "act-before-add", "act-only-pre", "pre")
NUMBERS: Mapping[str, tuple[Any, ...]] = {"squeeze": (4, 8, 1), "size": (3, 1, 5), "expand": (1, 2)}
SE = Called(
    "se",
    {"squeeze": (4, 1), "gate": ("sigmoid", "hardsigmoid"), "activation": ("relu", "silu")},
    False,
    False,
    ("squeeze",),
)


# -- fragments ---------------------------------------------------------------------------------------------------------


def fragment(pen: Pen, name: str, known: tuple[Called, ...]) -> tuple[dict[str, Any], Called]:
    """A fragment's definition, and what a caller has to know of it."""
    takes_out = pen.chance(2)
    params: dict[str, tuple[Any, ...]] = {}
    if pen.chance(2):
        params["deep"] = (True, False)
    if pen.chance(3):
        params["gating"] = ("sigmoid", "tanh")
    if pen.chance(3):
        params["size"] = (3, 1)
    entry = Width(("in_channels",))
    layers = pen.chance(2)
    place = Place(
        entry,
        pen.rank,
        acts=("gating",) if "gating" in params else (),
        kernels=("size",) if "size" in params else (),
        conditions=("deep", "not deep") if "deep" in params else ("classes > 1", "norm == 'batch'"),
        fragments=known,
        layers=layers,
        depth=1,
    )
    place = place if layers else place.plain()
    steps = keepers(pen, place, 2)
    written: dict[str, Any] = {key: values[0] for key, values in params.items()}
    if takes_out:
        written = {"out": None, "step": 1, **written}
        wide = Width(("out",))
        kind = "layer" if layers and pen.chance(2) else "conv"
        steps.append({kind: conv_arguments(pen, place, wide, stride="step")})
        steps += keepers(pen, place.deeper(width=wide), 1)
    elif not steps:
        steps = ["act"]
    definition: dict[str, Any] = {"params": written} if written else {}
    if pen.chance(4):
        definition["let"] = {"twice": "2 * in_channels"}
        steps.insert(0, {"sequence": {"steps": [{"conv": {"out": "twice"}}, {"conv": {"out": "in_channels"}}]}})
    if pen.chance(4):
        definition["summary"] = "Steps of this spec."
    definition["steps"] = steps
    layered = holds_layers(steps, known)
    return definition, Called(name, params, takes_out, layered)


def holds_layers(value: Any, known: tuple[Called, ...]) -> bool:
    """Whether layers stand in steps, or in the fragments that they call."""
    if isinstance(value, str):
        return any(value == called.name and called.layered for called in known)
    inside = list(value) if isinstance(value, list) else []
    if isinstance(value, dict):
        inside = [*value.keys(), *value.values()]
    return "layer" in inside or any(holds_layers(item, known) for item in inside)


# -- blocks ------------------------------------------------------------------------------------------------------------

Out = Callable[[int, int, Mapping[str, Any]], int]
"""The channels after a block's steps, by those before it, the table's, and its parameters."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the table has to know of a block.

    ``params`` has values that fit, ``required`` those without a default. ``out`` counts the residual's channels, or for
    a block of ``steps`` its own. A block that is not ``strided`` keeps the size whatever its stride.
    """

    name: str
    params: Mapping[str, tuple[Any, ...]]
    out: Out
    strided: bool = True
    reads_channels: bool = True
    residual: bool = True
    joins: bool = False
    required: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


LIBRARY: tuple[Known, ...] = (
    Known("basic", {}, lambda before, channels, params: channels),
    Known(
        "bottleneck",
        {"expansion": (1, 2, 4), "groups": (1, 2, 4), "base_width": (64, 128), "stride_at": (2, 1), "se": (0, 0.25)},
        lambda before, channels, params: channels * params.get("expansion", 4),
    ),
    Known(
        "mbconv",
        {"expand": (6, 1, 2), "kernel": (3, 5), "se": (0.25, 0)},
        lambda before, channels, params: channels,
        fixed={"activation_order": "act-before-add", "shortcut": "inverted"},
    ),
)


def block(pen: Pen, name: str, known: tuple[Called, ...], shortcuts: tuple[str, ...]) -> tuple[dict[str, Any], Known]:
    """A block's definition, and what the table has to know of it."""
    residual = not pen.chance(3)
    joins = residual and pen.chance(4)
    written: dict[str, Any] = {}
    offered: dict[str, tuple[Any, ...]] = {}
    for key, values in (("size", (3, 1)), ("gating", ("sigmoid", "relu6")), ("deep", (False, True))):
        if pen.chance(3):
            written[key], offered[key] = values[0], values
    required = pen.chance(4)
    if required:
        written["inner"], offered["inner"] = None, (8, 16)
    entry, channels = Width(("in_channels",)), Width(("channels",))
    let: dict[str, Any] = {}
    if pen.chance(3):
        let["hidden"] = pen.pick(("2 * channels", "in_channels * 2", "16"))
    middle = [channels, entry, *([Width(("hidden",))] if let else []), *([Width(("inner",))] if required else [])]
    place = Place(
        entry,
        pen.rank,
        acts=("gating",) if "gating" in written else (),
        kernels=("size",) if "size" in written else (),
        conditions=("deep", *CONDITIONS) if "deep" in written else CONDITIONS,
        fragments=known,
    )
    strided = not joins and not pen.chance(4)
    out, count = _out(pen, keeps=not strided and not joins)
    steps = _body(pen, place, pen.pick(middle), out, "stride" if strided else None)
    definition: dict[str, Any] = {"channels": pen.pick(("output width", None))} if pen.chance(3) else {}
    if written:
        definition["params"] = written
    if let:
        definition["let"] = let
    if joins:
        definition["merge"] = "concat"
    if residual and pen.chance(4):
        definition["first"] = pen.pick(("shortcut", "residual"))
    fixed, settings = _settings(pen, residual, shortcuts)
    if fixed:
        definition["fixed"] = fixed
    definition |= settings
    definition["residual" if residual else "steps"] = steps
    needs = ("inner",) if required else ()
    reads = "channels" in str(out.words) or "channels" in str([steps, let]).replace("in_channels", "").replace(
        "pad_channels", ""
    )
    return definition, Known(name, offered, count, strided, reads, residual, joins, needs, fixed, settings)


CONDITIONS: tuple[str | bool, ...] = (
    *("index == 0", "stride > 1", "number < blocks - 1", "in_channels == channels", "channels > 8"),
    *("activation_order != 'pre'", "stage == stages and count >= 1"),
)


def _out(pen: Pen, *, keeps: bool) -> tuple[Width, Out]:
    """What a block's steps end with, as a width and as a rule."""
    kind = pen.pick(("channels", "twice", "same") if keeps else ("channels", "channels", "twice"))
    if kind == "same":
        return Width(("in_channels",)), lambda before, channels, params: before
    if kind == "twice":
        return Width(("2 * channels", "channels * 2")), lambda before, channels, params: 2 * channels
    return Width(("channels",)), lambda before, channels, params: channels


def _settings(pen: Pen, residual: bool, shortcuts: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a block fixes, and the settings of its own; shortcuts among these fit every change of shape."""
    offered: dict[str, tuple[Any, ...]] = {"activation_order": ORDERS, "act": ("silu", "none"), "norm": ("layer",)}
    if residual:
        offered["shortcut"] = shortcuts
    fixed = {key: pen.pick(values) for key, values in offered.items() if pen.chance(8)}
    own = {key: pen.pick(values) for key, values in offered.items() if key not in fixed and pen.chance(8)}
    return fixed, own


def _body(pen: Pen, place: Place, middle: Width, out: Width, stride: str | None) -> list[Step]:
    """Steps from ``in_channels`` to ``out``; ``stride`` is applied once on every way through them.

    In the pre-activation orders a shortcut reads what the first layer's convolution reads. So before that layer nothing
    changes the shape.
    """
    before = [keeper(pen, place.plain())] if pen.chance(4) else []
    makers = [_layers, _layers, _plain, _branched]
    if any(called.takes_out for called in place.fragments):
        makers.append(_called)
    made = pen.pick(makers)(pen, place, middle, out, stride)
    after = place.deeper(width=out) if holds_layers(made, place.fragments) else place.deeper(width=out).plain()
    return [*before, *made, *([keeper(pen, after)] if pen.chance(3) else [])]


def _layers(pen: Pen, place: Place, middle: Width, out: Width, stride: str | None) -> list[Step]:
    if pen.chance(3):
        return [layer(pen, place, out, stride=stride)]
    first, second = (stride, None) if pen.chance(2) else (None, stride)
    inside = place.deeper(width=middle)
    return [
        layer(pen, place, middle, stride=first),
        *keepers(pen, inside, 1),
        layer(pen, inside, out, stride=second),
    ]


def _plain(pen: Pen, place: Place, middle: Width, out: Width, stride: str | None) -> list[Step]:
    """No layers: what stands where is up to the author."""
    steps: list[Step] = [{"conv": conv_arguments(pen, place, out, stride=stride)}]
    return [*steps, *keepers(pen, place.deeper(width=out).plain(), 2)]


def _branched(pen: Pen, place: Place, middle: Width, out: Width, stride: str | None) -> list[Step]:
    """Branches side by side, each of which has the stride: Inception's, or a sum of two kernels."""
    merge = pen.pick(("concat", "add"))
    width = out.half() if merge == "concat" else out
    window: dict[str, Any] = {"kernel": 3, "stride": stride or 1, "padding": 1}
    second: list[Step] = [{"pool": {"type": "max", **window}}] if pen.chance(2) else []
    parts = [
        [layer(pen, place, width, stride=stride)],
        [*second, layer(pen, place, width, stride=None if second else stride)],
    ]
    return [{merge: branches(pen, parts)}]


def _called(pen: Pen, place: Place, middle: Width, out: Width, stride: str | None) -> list[Step]:
    """A fragment that changes the width, alone or in a convolution's place."""
    wide = pen.pick([called for called in place.fragments if called.takes_out])
    step = call(pen, wide, out=pen.word(out), **({"step": stride} if stride else {}))
    return [step] if wide.layered or pen.chance(2) else [{"layer": {"of": [step]}}]


# -- shortcuts ---------------------------------------------------------------------------------------------------------


def shortcut(pen: Pen) -> dict[str, Any]:
    """A shortcut that fits every change of shape."""
    beside = Place(Width(("in_channels",)), pen.rank, conditions=("stride > 1", "index == 0"), depth=0)
    same: Any = keepers(pen, beside, 2)
    if pen.chance(6):
        same = "none"
    change: Any = "none"
    if not pen.chance(5):
        down = pen.pick(("conv", "pool", "subsample"))
        change = {
            "conv": [{"conv": conv_arguments(pen, beside, Width(("out_channels",)), stride="stride")}],
            "pool": [{"pool": {"type": "avg", "kernel": "stride", "ceil": True}}, {"conv": {"out": "out_channels"}}],
            "subsample": [{"subsample": {"stride": "stride"}}, {"linear": {"out": "out_channels"}}],
        }[down]
        if pen.chance(2):
            change = [*change, pen.pick(("norm", {"norm": {"when": "activation_order != 'pre'"}}))]
    return {"same": same, "change": change}
