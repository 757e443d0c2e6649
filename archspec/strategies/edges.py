"""Stem, head, and steps before and after a stage: places where the shape is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.strategies.convolutions import conv_arguments
from archspec.strategies.draw import Draw, FragmentFacts, RawStep, StepSite, Width, part
from archspec.strategies.step_arguments import norm_arguments
from archspec.strategies.steps import call, keeper, keepers, layer

EARLY = "early"
"""The name under which a stem may keep its result."""

SMALLEST = 4
"""What is halved has at least so many positions an axis, so that two are left and every norm has something to do."""


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """The shape of a value: channels, and a size for each spatial axis."""

    channels: int
    size: tuple[int, ...]

    @property
    def halves(self) -> bool:
        return min(self.size) >= SMALLEST


def halved(value: FeatureMap, *, up: bool = True) -> FeatureMap:
    """Every size halved, rounded up or down."""
    return replace(value, size=tuple(-(-n // 2) if up else n // 2 for n in value.size))


# -- stem --------------------------------------------------------------------------------------------------------------


@part
def stem(
    draw: Draw, value: FeatureMap, fragments: tuple[FragmentFacts, ...], scaled: Mapping[int, int]
) -> tuple[Any, FeatureMap]:
    """A stem, or None for the default, and the shape after it. ``scaled`` has the values of ``scaled(n)``."""
    kinds = ["cifar", "list"]
    if min(value.size) >= 2 * SMALLEST:
        kinds += ["imagenet", "deep", *(["default"] if draw.rank < 3 else [])]
    wide = [called for called in fragments if called.takes_out and not called.inputs]
    if value.channels % 8 == 0:
        kinds += ["empty", *(["own"] if wide else [])]
    kind = draw.pick(kinds)
    width, number = _scalable(draw, scaled)
    if kind in ("cifar", "imagenet", "deep"):
        narrow = {"narrow": draw.pick((8, "max(classes // classes * 8, 8)"))} if kind == "deep" else {}
        wider = replace(value, channels=number)
        return {"use": kind, "width": width, **narrow}, wider if kind == "cifar" else halved(halved(wider))
    match kind:
        case "default":
            return draw.pick((None, "imagenet")), halved(halved(replace(value, channels=64)))
        case "own":
            chosen = draw.pick(wide)
            ((name, given),) = call(draw, chosen, out=width).items()  # type: ignore[union-attr]
            return {"use": name, **given}, replace(value, channels=number)
        case "empty":
            return [], value
        case _:
            return _own_stem(draw, value, fragments, width, number)


def _scalable(draw: Draw, scaled: Mapping[int, int]) -> tuple[int | str, int]:
    number = draw.pick((8, 16))
    if scaled and draw.chance(2):
        return f"scaled({number})", scaled[number]
    return draw.word(draw.known(number)), number


def _own_stem(
    draw: Draw, value: FeatureMap, fragments: tuple[FragmentFacts, ...], width: int | str, number: int
) -> tuple[list[RawStep], FeatureMap]:
    first: RawStep = draw.pick(
        ({"layer": {"out": width, "kernel": 3}}, {"conv": {"out": width}}, {"linear": {"out": width}})
    )
    if draw.chance(6):
        first, number = {"pad_channels": {"out": 8, "at": draw.pick(("both", "end"))}}, 8
        if value.channels > 8:
            number, first = value.channels, {"pad_channels": {"out": "in_channels"}}
    steps, value = edge(draw, replace(value, channels=number), fragments, entered=False)
    return [first, *steps, *([{"as": EARLY}] if draw.chance(3) else [])], value


# -- before and after a stage ------------------------------------------------------------------------------------------


@part
def edge(
    draw: Draw,
    value: FeatureMap,
    fragments: tuple[FragmentFacts, ...],
    *,
    entered: bool = True,
    names: tuple[str, ...] = (),
) -> tuple[list[RawStep], FeatureMap]:
    """A few steps on a known shape. ``entered``: ``in_channels`` is the width here."""
    steps: list[RawStep] = []
    for _ in range(draw.count(0, 2)):
        width = draw.known(value.channels)
        if entered and not steps:
            width = replace(width, words=(*width.words, "in_channels"))
        site = StepSite(width, draw.rank, fragments=fragments, conditions=(True, False, "classes > 1", *names), depth=1)
        kind = draw.pick(("keep", "width", "size") if value.halves else ("keep", "width"))
        if kind == "keep":
            steps.append(keeper(draw, site))
        elif kind == "width":
            step, value = _widened(draw, site, value)
            steps.append(step)
        else:
            step, value = _shrunk(draw, site, value)
            steps.append(step)
    return steps, value


def _widened(draw: Draw, site: StepSite, value: FeatureMap) -> tuple[RawStep, FeatureMap]:
    """Another number of channels."""
    out = draw.known(draw.pick((16, 8, 24)))
    number = out.number or 0
    kinds = ["conv", "layer", "linear", "concat", *(["pad"] if number >= value.channels else ["slice"])]
    wide = [called for called in site.fragments if called.takes_out]
    kinds += ["call"] if wide else []
    kind, word = draw.pick(kinds), draw.word(out)
    match kind:
        case "conv":
            step: RawStep = {"conv": conv_arguments(draw, site, out)}
        case "layer":
            step = layer(draw, site, out)
        case "pad":
            step = {"pad_channels": {"out": word, **({"at": "both"} if draw.chance(2) else {})}}
        case "slice":
            step = {"slice": {"stop": word}}
        case "call":
            step = call(draw, draw.pick(wide), out=word)
        case "concat":
            step, number = {"concat": [[], [{"conv": {"out": word}}]]}, value.channels + number
        case _:
            step = {"linear": {"out": word}}
    return step, replace(value, channels=number)


def _shrunk(draw: Draw, site: StepSite, value: FeatureMap) -> tuple[RawStep, FeatureMap]:
    """A smaller map."""
    kind, word = draw.pick(("pool", "conv", "even", "subsample", "output", "branches")), draw.word(site.width)
    window: dict[str, Any] = {"kernel": 3, "stride": draw.size(2), "padding": 1}
    match kind:
        case "pool":
            return _pooled(draw, value)
        case "conv":
            return {"conv": conv_arguments(draw, site, site.width, stride=2)}, halved(value)
        case "even":
            return {"conv": {"out": word, "kernel": 2, "stride": 2}}, halved(value, up=False)
        case "subsample":
            return {"subsample": {"stride": draw.size(2)}}, halved(value)
        case "branches":
            parts: list[list[RawStep]] = [[{"conv": {"out": word, **window}}], [{"pool": {"type": "max", **window}}]]
            return {"add": parts}, halved(value)
    size = tuple(draw.count(2, n) for n in value.size)
    step: RawStep = {"pool": {"type": draw.pick(("avg", "max")), "output": list(size)}}
    return step, replace(value, size=size)


def _pooled(draw: Draw, value: FeatureMap) -> tuple[RawStep, FeatureMap]:
    found: dict[str, Any] = {"type": draw.pick(("max", "avg")), "kernel": draw.size(2)}
    if draw.chance(4):  # windows with gaps between them; the last, partial one may start past the end
        third = replace(value, size=tuple(-(-n // 3) for n in value.size))
        return {"pool": {**found, "stride": 3, "ceil": True}}, third
    if draw.chance(2):
        return {"pool": {**found, "ceil": True}}, halved(value)
    if draw.chance(2):
        return {"pool": {**found, "kernel": 3, "stride": 2, "padding": draw.size(1)}}, halved(value)
    return {"pool": found}, halved(value, up=False)


# -- head --------------------------------------------------------------------------------------------------------------


@part
def head(draw: Draw, value: FeatureMap, fragments: tuple[FragmentFacts, ...], kept: Mapping[str, FeatureMap]) -> Any:
    """A head, or None for the default. ``kept`` are values of the network that it may read."""
    kind = draw.pick(("default", "own", "wide", "map", "empty", "fragment"))
    if kind == "default":
        return draw.pick((None, "classifier", {"use": "classifier"}))
    if kind == "empty":
        return []
    steps, value = edge(draw, value, fragments, names=("in_channels > 8",)) if draw.chance(3) else ([], value)
    if kind == "map":
        return [*steps, {"conv": {"out": "classes"}}, {"pool": {"type": "avg", "output": 1}}, "flatten"]
    # A head opens no scope for its fragment, and `se` would have an `fc2` beside that of a stem of linear layers.
    keeping = [called for called in fragments if not (called.takes_out or called.inputs or called.name == "se")]
    if kind == "fragment" and keeping and not steps:
        step = call(draw, draw.pick(keeping))
        ((name, given),) = ({step: {}} if isinstance(step, str) else step).items()
        return {"use": name, **given}
    pool: dict[str, Any] = {"type": draw.pick(("avg", "max")), "output": draw.size(1)}
    if kept and draw.chance(3):
        name, read = draw.pick(tuple(kept.items()))
        steps += [{"concat": [[{"pool": pool}], [{"pool": {**pool, "from": name}}]]}, "flatten"]
        value = replace(value, channels=value.channels + read.channels)
    else:
        steps += [{"pool": pool}, "flatten"]
    flat = StepSite(draw.known(value.channels), 0, many=False, depth=1)
    if kind == "wide":
        steps += [
            *keepers(draw, flat, 2),
            {"linear": {"out": 16}},
            {"norm": norm_arguments(draw, many=False)},
            "act",
        ]
        flat = replace(flat, width=Width((16,), 8, 16))
    steps += keepers(draw, flat, 1)
    last: RawStep = {"linear": {"out": "classes", **({"bias": False} if draw.chance(4) else {})}}
    return [*steps, *(["dropout"] if draw.chance(3) else []), last]
