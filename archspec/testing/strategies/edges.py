"""Stem, head, and what stands before and after a stage: places where the shape is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.testing.strategies.pen import Called, Pen, Place, Step, Width
from archspec.testing.strategies.steps import call, conv_arguments, keeper, keepers, layer, norm_arguments

SMALLEST = 4
"""What is halved has at least so many positions an axis, so that two are left and every norm has something to do."""


@dataclass(frozen=True, slots=True)
class Value:
    """What reaches a place: channels, and a size for each spatial axis."""

    channels: int
    size: tuple[int, ...]

    @property
    def halves(self) -> bool:
        return min(self.size) >= SMALLEST


def halved(value: Value, *, up: bool = True) -> Value:
    """Every size halved, rounded up or down."""
    return replace(value, size=tuple(-(-n // 2) if up else n // 2 for n in value.size))


# -- stem --------------------------------------------------------------------------------------------------------------


def stem(pen: Pen, value: Value, fragments: tuple[Called, ...], scaled: Mapping[int, int]) -> tuple[Any, Value]:
    """A stem, None where none is written, and what leaves it. ``scaled`` is what ``scaled(n)`` gives."""
    kinds = ["cifar", "list"]
    if min(value.size) >= 2 * SMALLEST:
        kinds += ["imagenet", "deep", *(["default"] if pen.rank < 3 else [])]
    wide = [called for called in fragments if called.takes_out]
    if value.channels % 8 == 0:
        kinds += ["empty", *(["own"] if wide else [])]
    kind = pen.pick(kinds)
    width, number = _scalable(pen, scaled)
    match kind:
        case "cifar":
            return {"use": "cifar", "width": width}, replace(value, channels=number)
        case "imagenet":
            return {"use": "imagenet", "width": width}, halved(halved(replace(value, channels=number)))
        case "deep":
            narrow = {"narrow": 8} if pen.chance(2) else {"narrow": "max(classes // classes * 8, 8)"}
            return {"use": "deep", "width": width, **narrow}, halved(halved(replace(value, channels=number)))
        case "default":
            return pen.pick((None, "imagenet")), halved(halved(replace(value, channels=64)))
        case "own":
            chosen = pen.pick(wide)
            ((name, given),) = call(pen, chosen, out=width).items()  # type: ignore[union-attr]
            return {"use": name, **given}, replace(value, channels=number)
        case "empty":
            return [], value
        case _:
            return _own_stem(pen, value, fragments, width, number)


def _scalable(pen: Pen, scaled: Mapping[int, int]) -> tuple[int | str, int]:
    number = pen.pick((8, 16))
    if scaled and pen.chance(2):
        return f"scaled({number})", scaled[number]
    return pen.word(pen.known(number)), number


def _own_stem(
    pen: Pen, value: Value, fragments: tuple[Called, ...], width: int | str, number: int
) -> tuple[list[Step], Value]:
    first: Step = pen.pick(
        ({"layer": {"out": width, "kernel": 3}}, {"conv": {"out": width}}, {"linear": {"out": width}})
    )
    if pen.chance(6):
        first, number = {"pad_channels": {"out": 8, "at": pen.pick(("both", "end"))}}, 8
        if value.channels > 8:
            number, first = value.channels, {"pad_channels": {"out": "in_channels"}}
    steps, value = edge(pen, replace(value, channels=number), fragments, entered=False)
    return [first, *steps], value


# -- before and after a stage ------------------------------------------------------------------------------------------


def edge(
    pen: Pen, value: Value, fragments: tuple[Called, ...], *, entered: bool = True, names: tuple[str, ...] = ()
) -> tuple[list[Step], Value]:
    """A few steps on a known shape. ``entered``: ``in_channels`` is the width here."""
    steps: list[Step] = []
    for _ in range(pen.count(0, 2)):
        width = pen.known(value.channels)
        if entered and not steps:
            width = replace(width, words=(*width.words, "in_channels"))
        place = Place(width, pen.rank, fragments=fragments, conditions=(True, False, "classes > 1", *names), depth=1)
        kind = pen.pick(("keep", "width", "size") if value.halves else ("keep", "width"))
        if kind == "keep":
            steps.append(keeper(pen, place))
        elif kind == "width":
            step, value = _widened(pen, place, value)
            steps.append(step)
        else:
            step, value = _shrunk(pen, place, value)
            steps.append(step)
    return steps, value


def _widened(pen: Pen, place: Place, value: Value) -> tuple[Step, Value]:
    """Another number of channels."""
    out = pen.known(pen.pick((16, 8, 24)))
    number = out.number or 0
    kinds = ["conv", "layer", "linear", "concat", *(["pad"] if number >= value.channels else ["slice"])]
    wide = [called for called in place.fragments if called.takes_out]
    kinds += ["call"] if wide else []
    kind, word = pen.pick(kinds), pen.word(out)
    step: Step
    match kind:
        case "conv":
            step = {"conv": conv_arguments(pen, place, out)}
        case "layer":
            step = layer(pen, place, out)
        case "linear":
            step = {"linear": {"out": word}}
        case "pad":
            step = {"pad_channels": {"out": word, **({"at": "both"} if pen.chance(2) else {})}}
        case "slice":
            step = {"slice": {"stop": word}}
        case "call":
            step = call(pen, pen.pick(wide), out=word)
        case _:
            step = {"concat": [[], [{"conv": {"out": word}}]]}
            return step, replace(value, channels=value.channels + number)
    return step, replace(value, channels=number)


def _shrunk(pen: Pen, place: Place, value: Value) -> tuple[Step, Value]:
    """A smaller map."""
    kind, word = pen.pick(("pool", "conv", "even", "subsample", "output", "branches")), pen.word(place.width)
    window: dict[str, Any] = {"kernel": 3, "stride": pen.size(2), "padding": 1}
    match kind:
        case "pool":
            return _pooled(pen, value)
        case "conv":
            return {"conv": conv_arguments(pen, place, place.width, stride=2)}, halved(value)
        case "even":
            return {"conv": {"out": word, "kernel": 2, "stride": 2}}, halved(value, up=False)
        case "subsample":
            return {"subsample": {"stride": pen.size(2)}}, halved(value)
        case "branches":
            parts: list[list[Step]] = [[{"conv": {"out": word, **window}}], [{"pool": {"type": "max", **window}}]]
            return {"add": parts}, halved(value)
    size = tuple(pen.count(2, n) for n in value.size)
    step: Step = {"pool": {"type": pen.pick(("avg", "max")), "output": list(size)}}
    return step, replace(value, size=size)


def _pooled(pen: Pen, value: Value) -> tuple[Step, Value]:
    found: dict[str, Any] = {"type": pen.pick(("max", "avg")), "kernel": pen.size(2)}
    if pen.chance(4):  # windows that leave gaps: of the last, partial one some start past the end
        return {"pool": {**found, "stride": 3, "ceil": True}}, replace(
            value, size=tuple(-(-n // 3) for n in value.size)
        )
    if pen.chance(2):
        return {"pool": {**found, "ceil": True}}, halved(value)
    if pen.chance(2):
        return {"pool": {**found, "kernel": 3, "stride": 2, "padding": pen.size(1)}}, halved(value)
    return {"pool": found}, halved(value, up=False)


# -- head --------------------------------------------------------------------------------------------------------------


def head(pen: Pen, value: Value, fragments: tuple[Called, ...]) -> Any:
    """A head; None where none is written."""
    kind = pen.pick(("default", "own", "wide", "map", "empty", "fragment"))
    if kind == "default":
        return pen.pick((None, "classifier", {"use": "classifier"}))
    if kind == "empty":
        return []
    steps, value = edge(pen, value, fragments, names=("in_channels > 8",)) if pen.chance(3) else ([], value)
    if kind == "map":
        return [*steps, {"conv": {"out": "classes"}}, {"pool": {"type": "avg", "output": 1}}, "flatten"]
    keeping = [called for called in fragments if not called.takes_out]
    if kind == "fragment" and keeping and not steps:
        step = call(pen, pen.pick(keeping))
        ((name, given),) = ({step: {}} if isinstance(step, str) else step).items()
        return {"use": name, **given}
    steps += [{"pool": {"type": pen.pick(("avg", "max")), "output": pen.size(1)}}, "flatten"]
    flat = Place(pen.known(value.channels), 0, many=False, depth=1)
    if kind == "wide":
        steps += [*keepers(pen, flat, 2), {"linear": {"out": 16}}, {"norm": norm_arguments(pen, many=False)}, "act"]
        flat = replace(flat, width=Width((16,), 8, 16))
    steps += keepers(pen, flat, 1)
    last: Step = {"linear": {"out": "classes", **({"bias": False} if pen.chance(4) else {})}}
    return [*steps, *(["dropout"] if pen.chance(3) else []), last]
