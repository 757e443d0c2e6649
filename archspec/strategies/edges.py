"""Stem, head, and what stands before and after a stage: places where the shape is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.strategies.chooser import Called, Chooser, Step, StepSite, Width
from archspec.strategies.steps import call, conv_arguments, keeper, keepers, layer, norm_arguments

SMALLEST = 4
"""What is halved has at least so many positions an axis, so that two are left and every norm has something to do."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What reaches a place: channels, and a size for each spatial axis."""

    channels: int
    size: tuple[int, ...]

    @property
    def halves(self) -> bool:
        return min(self.size) >= SMALLEST


def halved(value: Reached, *, up: bool = True) -> Reached:
    """Every size halved, rounded up or down."""
    return replace(value, size=tuple(-(-n // 2) if up else n // 2 for n in value.size))


# -- stem --------------------------------------------------------------------------------------------------------------


def stem(
    choose: Chooser, value: Reached, fragments: tuple[Called, ...], scaled: Mapping[int, int]
) -> tuple[Any, Reached]:
    """A stem, None where none is written, and what leaves it. ``scaled`` is what ``scaled(n)`` gives."""
    kinds = ["cifar", "list"]
    if min(value.size) >= 2 * SMALLEST:
        kinds += ["imagenet", "deep", *(["default"] if choose.rank < 3 else [])]
    wide = [called for called in fragments if called.takes_out]
    if value.channels % 8 == 0:
        kinds += ["empty", *(["own"] if wide else [])]
    kind = choose.pick(kinds)
    width, number = _scalable(choose, scaled)
    match kind:
        case "cifar":
            return {"use": "cifar", "width": width}, replace(value, channels=number)
        case "imagenet":
            return {"use": "imagenet", "width": width}, halved(halved(replace(value, channels=number)))
        case "deep":
            narrow = {"narrow": 8} if choose.chance(2) else {"narrow": "max(classes // classes * 8, 8)"}
            return {"use": "deep", "width": width, **narrow}, halved(halved(replace(value, channels=number)))
        case "default":
            return choose.pick((None, "imagenet")), halved(halved(replace(value, channels=64)))
        case "own":
            chosen = choose.pick(wide)
            ((name, given),) = call(choose, chosen, out=width).items()  # type: ignore[union-attr]
            return {"use": name, **given}, replace(value, channels=number)
        case "empty":
            return [], value
        case _:
            return _own_stem(choose, value, fragments, width, number)


def _scalable(choose: Chooser, scaled: Mapping[int, int]) -> tuple[int | str, int]:
    number = choose.pick((8, 16))
    if scaled and choose.chance(2):
        return f"scaled({number})", scaled[number]
    return choose.word(choose.known(number)), number


def _own_stem(
    choose: Chooser, value: Reached, fragments: tuple[Called, ...], width: int | str, number: int
) -> tuple[list[Step], Reached]:
    first: Step = choose.pick(
        ({"layer": {"out": width, "kernel": 3}}, {"conv": {"out": width}}, {"linear": {"out": width}})
    )
    if choose.chance(6):
        first, number = {"pad_channels": {"out": 8, "at": choose.pick(("both", "end"))}}, 8
        if value.channels > 8:
            number, first = value.channels, {"pad_channels": {"out": "in_channels"}}
    steps, value = edge(choose, replace(value, channels=number), fragments, entered=False)
    return [first, *steps], value


# -- before and after a stage ------------------------------------------------------------------------------------------


def edge(
    choose: Chooser,
    value: Reached,
    fragments: tuple[Called, ...],
    *,
    entered: bool = True,
    names: tuple[str, ...] = (),
) -> tuple[list[Step], Reached]:
    """A few steps on a known shape. ``entered``: ``in_channels`` is the width here."""
    steps: list[Step] = []
    for _ in range(choose.count(0, 2)):
        width = choose.known(value.channels)
        if entered and not steps:
            width = replace(width, words=(*width.words, "in_channels"))
        place = StepSite(
            width, choose.rank, fragments=fragments, conditions=(True, False, "classes > 1", *names), depth=1
        )
        kind = choose.pick(("keep", "width", "size") if value.halves else ("keep", "width"))
        if kind == "keep":
            steps.append(keeper(choose, place))
        elif kind == "width":
            step, value = _widened(choose, place, value)
            steps.append(step)
        else:
            step, value = _shrunk(choose, place, value)
            steps.append(step)
    return steps, value


def _widened(choose: Chooser, place: StepSite, value: Reached) -> tuple[Step, Reached]:
    """Another number of channels."""
    out = choose.known(choose.pick((16, 8, 24)))
    number = out.number or 0
    kinds = ["conv", "layer", "linear", "concat", *(["pad"] if number >= value.channels else ["slice"])]
    wide = [called for called in place.fragments if called.takes_out]
    kinds += ["call"] if wide else []
    kind, word = choose.pick(kinds), choose.word(out)
    step: Step
    match kind:
        case "conv":
            step = {"conv": conv_arguments(choose, place, out)}
        case "layer":
            step = layer(choose, place, out)
        case "linear":
            step = {"linear": {"out": word}}
        case "pad":
            step = {"pad_channels": {"out": word, **({"at": "both"} if choose.chance(2) else {})}}
        case "slice":
            step = {"slice": {"stop": word}}
        case "call":
            step = call(choose, choose.pick(wide), out=word)
        case _:
            step = {"concat": [[], [{"conv": {"out": word}}]]}
            return step, replace(value, channels=value.channels + number)
    return step, replace(value, channels=number)


def _shrunk(choose: Chooser, place: StepSite, value: Reached) -> tuple[Step, Reached]:
    """A smaller map."""
    kind, word = choose.pick(("pool", "conv", "even", "subsample", "output", "branches")), choose.word(place.width)
    window: dict[str, Any] = {"kernel": 3, "stride": choose.size(2), "padding": 1}
    match kind:
        case "pool":
            return _pooled(choose, value)
        case "conv":
            return {"conv": conv_arguments(choose, place, place.width, stride=2)}, halved(value)
        case "even":
            return {"conv": {"out": word, "kernel": 2, "stride": 2}}, halved(value, up=False)
        case "subsample":
            return {"subsample": {"stride": choose.size(2)}}, halved(value)
        case "branches":
            parts: list[list[Step]] = [[{"conv": {"out": word, **window}}], [{"pool": {"type": "max", **window}}]]
            return {"add": parts}, halved(value)
    size = tuple(choose.count(2, n) for n in value.size)
    step: Step = {"pool": {"type": choose.pick(("avg", "max")), "output": list(size)}}
    return step, replace(value, size=size)


def _pooled(choose: Chooser, value: Reached) -> tuple[Step, Reached]:
    found: dict[str, Any] = {"type": choose.pick(("max", "avg")), "kernel": choose.size(2)}
    if choose.chance(4):  # windows that leave gaps: of the last, partial one some start past the end
        return {"pool": {**found, "stride": 3, "ceil": True}}, replace(
            value, size=tuple(-(-n // 3) for n in value.size)
        )
    if choose.chance(2):
        return {"pool": {**found, "ceil": True}}, halved(value)
    if choose.chance(2):
        return {"pool": {**found, "kernel": 3, "stride": 2, "padding": choose.size(1)}}, halved(value)
    return {"pool": found}, halved(value, up=False)


# -- head --------------------------------------------------------------------------------------------------------------


def head(choose: Chooser, value: Reached, fragments: tuple[Called, ...]) -> Any:
    """A head; None where none is written."""
    kind = choose.pick(("default", "own", "wide", "map", "empty", "fragment"))
    if kind == "default":
        return choose.pick((None, "classifier", {"use": "classifier"}))
    if kind == "empty":
        return []
    steps, value = edge(choose, value, fragments, names=("in_channels > 8",)) if choose.chance(3) else ([], value)
    if kind == "map":
        return [*steps, {"conv": {"out": "classes"}}, {"pool": {"type": "avg", "output": 1}}, "flatten"]
    keeping = [called for called in fragments if not called.takes_out]
    if kind == "fragment" and keeping and not steps:
        step = call(choose, choose.pick(keeping))
        ((name, given),) = ({step: {}} if isinstance(step, str) else step).items()
        return {"use": name, **given}
    steps += [{"pool": {"type": choose.pick(("avg", "max")), "output": choose.size(1)}}, "flatten"]
    flat = StepSite(choose.known(value.channels), 0, many=False, depth=1)
    if kind == "wide":
        steps += [
            *keepers(choose, flat, 2),
            {"linear": {"out": 16}},
            {"norm": norm_arguments(choose, many=False)},
            "act",
        ]
        flat = replace(flat, width=Width((16,), 8, 16))
    steps += keepers(choose, flat, 1)
    last: Step = {"linear": {"out": "classes", **({"bias": False} if choose.chance(4) else {})}}
    return [*steps, *(["dropout"] if choose.chance(3) else []), last]
