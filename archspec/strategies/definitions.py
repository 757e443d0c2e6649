"""Fragments, blocks and shortcuts of a spec, and facts about those of the library."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec.strategies.convolutions import conv_arguments
from archspec.strategies.draw import Draw, FragmentFacts, RawStep, StepSite, Width, part
from archspec.strategies.steps import branches, call, keeper, keepers, layer

ORDERS = ("post", "norm-after-add", "act-before-add", "act-only-pre", "pre")
NUMBERS: Mapping[str, tuple[Any, ...]] = {"squeeze": (4, 8, 1), "size": (3, 1, 5), "expand": (1, 2)}
SE = FragmentFacts(
    "se",
    {"squeeze": (4, 1), "gate": ("sigmoid", "hardsigmoid"), "activation": ("relu", "silu")},
    False,
    False,
    ("squeeze",),
)


# -- fragments ---------------------------------------------------------------------------------------------------------


@part
def fragment(draw: Draw, name: str, known: tuple[FragmentFacts, ...]) -> tuple[dict[str, Any], FragmentFacts]:
    """A fragment's definition, and the facts that a caller needs."""
    takes_out = draw.chance(2)
    params: dict[str, tuple[Any, ...]] = {}
    if draw.chance(2):
        params["deep"] = (True, False)
    if draw.chance(3):
        params["gating"] = ("sigmoid", "tanh")
    if draw.chance(3):
        params["size"] = (3, 1)
    entry = Width(("in_channels",))
    layers = draw.chance(2)
    site = StepSite(
        entry,
        draw.rank,
        acts=("gating",) if "gating" in params else (),
        kernels=("size",) if "size" in params else (),
        conditions=("deep", "not deep") if "deep" in params else ("classes > 1", "norm == 'batch'"),
        fragments=known,
        layers=layers,
        depth=1,
    )
    site = site if layers else site.plain()
    steps = keepers(draw, site, 2)
    written: dict[str, Any] = {key: values[0] for key, values in params.items()}
    if takes_out:
        written = {"out": None, "step": 1, **written}
        wide = Width(("out",))
        kind = "layer" if layers and draw.chance(2) else "conv"
        steps.append({kind: conv_arguments(draw, site, wide, stride="step")})
        steps += keepers(draw, site.deeper(width=wide), 1)
    elif not steps:
        steps = ["act"]
    definition: dict[str, Any] = {"params": written} if written else {}
    if draw.chance(4):
        definition["let"] = {"twice": "2 * in_channels"}
        steps.insert(0, {"sequence": {"steps": [{"conv": {"out": "twice"}}, {"conv": {"out": "in_channels"}}]}})
    inputs = ("skip",) if draw.chance(4) else ()
    if inputs:
        definition["inputs"] = ["skip"]
        steps.insert(0, {draw.pick(("add", "multiply")): [[], [{"from": "skip"}, *keepers(draw, site.plain(), 1)]]})
    if draw.chance(4):
        definition["summary"] = "Steps of this spec."
    definition["steps"] = steps
    layered = holds_layers(steps, known)
    return definition, FragmentFacts(name, params, takes_out, layered, inputs=inputs)


def holds_layers(value: Any, known: tuple[FragmentFacts, ...]) -> bool:
    """Whether steps, or the fragments that they call, contain layers."""
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
class BlockFacts:
    """The facts about a block that the table needs.

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


LIBRARY: tuple[BlockFacts, ...] = (
    BlockFacts("basic", {}, lambda before, channels, params: channels),
    BlockFacts(
        "bottleneck",
        {"expansion": (1, 2, 4), "groups": (1, 2, 4), "base_width": (64, 128), "stride_at": (2, 1), "se": (0, 0.25)},
        lambda before, channels, params: channels * params.get("expansion", 4),
    ),
    BlockFacts(
        "mbconv",
        {"expand": (6, 1, 2), "kernel": (3, 5), "se": (0.25, 0)},
        lambda before, channels, params: channels,
        fixed={"activation_order": "act-before-add", "shortcut": "inverted"},
    ),
)


@part
def block(
    draw: Draw, name: str, known: tuple[FragmentFacts, ...], shortcuts: tuple[str, ...]
) -> tuple[dict[str, Any], BlockFacts]:
    """A block's definition, and the facts that the table needs."""
    residual = not draw.chance(3)
    joins = residual and draw.chance(4)
    written: dict[str, Any] = {}
    offered: dict[str, tuple[Any, ...]] = {}
    for key, values in (("size", (3, 1)), ("gating", ("sigmoid", "relu6")), ("deep", (False, True))):
        if draw.chance(3):
            written[key], offered[key] = values[0], values
    required = draw.chance(4)
    if required:
        written["inner"], offered["inner"] = None, (8, 16)
    entry, channels = Width(("in_channels",)), Width(("channels",))
    let: dict[str, Any] = {}
    if draw.chance(3):
        let["hidden"] = draw.pick(("2 * channels", "in_channels * 2", "16"))
    middle = [channels, entry, *([Width(("hidden",))] if let else []), *([Width(("inner",))] if required else [])]
    site = StepSite(
        entry,
        draw.rank,
        acts=("gating",) if "gating" in written else (),
        kernels=("size",) if "size" in written else (),
        conditions=("deep", *CONDITIONS) if "deep" in written else CONDITIONS,
        fragments=known,
    )
    strided = not joins and not draw.chance(4)
    out, count = _out(draw, keeps=not strided and not joins)
    steps = _body(draw, site, draw.pick(middle), out, "stride" if strided else None)
    definition: dict[str, Any] = {"channels": draw.pick(("output width", None))} if draw.chance(3) else {}
    if written:
        definition["params"] = written
    if let:
        definition["let"] = let
    if joins:
        definition["merge"] = "concat"
    if residual and draw.chance(4):
        definition["first"] = draw.pick(("shortcut", "residual"))
    fixed, settings = _settings(draw, residual, shortcuts)
    if fixed:
        definition["fixed"] = fixed
    definition |= settings
    definition["residual" if residual else "steps"] = steps
    needs = ("inner",) if required else ()
    reads = re.search(r"\bchannels\b", str([out.words, steps, let])) is not None
    return definition, BlockFacts(name, offered, count, strided, reads, residual, joins, needs, fixed, settings)


CONDITIONS: tuple[str | bool, ...] = (
    *("index == 0", "stride > 1", "number < blocks - 1", "in_channels == channels", "channels > 8"),
    *("activation_order != 'pre'", "stage == stages and count >= 1"),
)


def _out(draw: Draw, *, keeps: bool) -> tuple[Width, Out]:
    """The width after a block's steps, as text and as a rule."""
    kind = draw.pick(("channels", "twice", "same") if keeps else ("channels", "channels", "twice"))
    if kind == "same":
        return Width(("in_channels",)), lambda before, channels, params: before
    if kind == "twice":
        return Width(("2 * channels", "channels * 2")), lambda before, channels, params: 2 * channels
    return Width(("channels",)), lambda before, channels, params: channels


@part
def _settings(draw: Draw, residual: bool, shortcuts: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings that a block fixes, and its own defaults; their shortcuts fit every change of shape."""
    offered: dict[str, tuple[Any, ...]] = {"activation_order": ORDERS, "act": ("silu", "none"), "norm": ("layer",)}
    if residual:
        offered["shortcut"] = shortcuts
    fixed = {key: draw.pick(values) for key, values in offered.items() if draw.chance(8)}
    own = {key: draw.pick(values) for key, values in offered.items() if key not in fixed and draw.chance(8)}
    return fixed, own


@part
def _body(draw: Draw, site: StepSite, middle: Width, out: Width, stride: str | None) -> list[RawStep]:
    """Steps from ``in_channels`` to ``out``; every path through them has ``stride`` once.

    The steps before the first of them keep the shape, because their widths and strides follow from the block's.
    """
    before = [keeper(draw, site.plain())] if draw.chance(4) else []
    makers = [_layers, _layers, _plain, _branched]
    if any(called.takes_out for called in site.fragments):
        makers.append(_called)
    made = draw.pick(makers)(draw, site, middle, out, stride)
    after = site.deeper(width=out) if holds_layers(made, site.fragments) else site.deeper(width=out).plain()
    return [*before, *made, *([keeper(draw, after)] if draw.chance(3) else [])]


def _layers(draw: Draw, site: StepSite, middle: Width, out: Width, stride: str | None) -> list[RawStep]:
    if draw.chance(3):
        return [layer(draw, site, out, stride=stride)]
    first, second = (stride, None) if draw.chance(2) else (None, stride)
    inside = site.deeper(width=middle)
    begin: RawStep = layer(draw, site, middle, stride=first)
    if draw.chance(5):
        begin = {"conv": conv_arguments(draw, site, middle, stride=first)}
    return [
        begin,
        *keepers(draw, inside, 1),
        layer(draw, inside, out, stride=second),
    ]


def _plain(draw: Draw, site: StepSite, middle: Width, out: Width, stride: str | None) -> list[RawStep]:
    """Steps without layers."""
    steps: list[RawStep] = [{"conv": conv_arguments(draw, site, out, stride=stride)}]
    return [*steps, *keepers(draw, site.deeper(width=out).plain(), 2)]


def _branched(draw: Draw, site: StepSite, middle: Width, out: Width, stride: str | None) -> list[RawStep]:
    """Parallel branches, each with the stride: Inception's, or a sum of two kernels."""
    merge = draw.pick(("concat", "add"))
    width = out.half() if merge == "concat" else out
    window: dict[str, Any] = {"kernel": 3, "stride": stride or 1, "padding": 1}
    second: list[RawStep] = [{"pool": {"type": "max", **window}}] if draw.chance(2) else []
    parts = [
        [layer(draw, site, width, stride=stride)],
        [*second, layer(draw, site, width, stride=None if second else stride)],
    ]
    return [{merge: branches(draw, parts)}]


def _called(draw: Draw, site: StepSite, middle: Width, out: Width, stride: str | None) -> list[RawStep]:
    """A fragment that changes the width, alone or in a convolution's place."""
    wide = draw.pick([called for called in site.fragments if called.takes_out])
    step = call(draw, wide, out=draw.word(out), **({"step": stride} if stride else {}))
    return [step] if wide.layered or draw.chance(2) else [{"layer": {"of": [step]}}]


# -- shortcuts ---------------------------------------------------------------------------------------------------------


@part
def shortcut(draw: Draw) -> dict[str, Any]:
    """A shortcut that fits every change of shape."""
    beside = StepSite(Width(("in_channels",)), draw.rank, conditions=("stride > 1", "index == 0"), depth=0)
    same: Any = keepers(draw, beside, 2)
    if draw.chance(6):
        same = "none"
    change: Any = "none"
    if not draw.chance(5):
        down = draw.pick(("conv", "pool", "subsample"))
        change = {
            "conv": [{"conv": conv_arguments(draw, beside, Width(("out_channels",)), stride="stride")}],
            "pool": [{"pool": {"type": "avg", "kernel": "stride", "ceil": True}}, {"conv": {"out": "out_channels"}}],
            "subsample": [{"subsample": {"stride": "stride"}}, {"linear": {"out": "out_channels"}}],
        }[down]
        if draw.chance(2):
            change = [*change, draw.pick(("norm", {"norm": {"when": "activation_order != 'pre'"}}))]
    return {"same": same, "change": change}
