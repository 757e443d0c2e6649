"""Steps that change the size or the channels of a map, and steps back."""

from __future__ import annotations

from typing import Any

from archspec.strategies.draw import Draw, RawStep, StepSite


def resized(draw: Draw, site: StepSite) -> RawStep:
    """A map twice as large, blocks of it as channels and back, and then as small as before."""
    if draw.chance(4):
        name = draw.value()
        smaller = draw.pick(({"pool": {"type": "max", "kernel": 2, "ceil": True}}, {"subsample": {"stride": 2}}))
        return {"sequence": {"steps": [{"as": name}, smaller, {"upsample": {"like": name}}]}}
    modes = {1: ("linear",), 2: ("bilinear", "bicubic"), 3: ("trilinear",)}[site.rank]
    larger: dict[str, Any] = {"scale": draw.size(2)}
    if draw.chance(2):
        larger["mode"] = draw.pick(modes)
        larger |= {"align_corners": draw.pick((True, False))} if draw.chance(2) else {}
    shuffled = [{"pixel_unshuffle": {"factor": 2}}, {"pixel_shuffle": {"factor": "1 + 1"}}]
    back = draw.pick(
        (
            {"blur": {"stride": draw.size(2)}},
            {"blur": {"kernel": 2, "stride": 2}},
            {"pool": {"type": "avg", "kernel": 2}},
            {"subsample": {"stride": 2}},
        )
    )
    between = shuffled if site.rank == 2 and not draw.chance(4) else []
    return {"sequence": {"steps": [{"upsample": larger}, *between, back]}}


def reduced(draw: Draw, site: StepSite) -> RawStep:
    """One number for each position, of which a convolution makes the width; or one for each channel, as a gate."""
    what = draw.pick(("mean", "max"))
    if draw.chance(4):
        return {"sequence": {"steps": [{what: {"over": "channels"}}, {"conv": {"out": draw.word(site.width)}}]}}
    gate: list[RawStep] = [{what: {"over": "positions"}}]
    if not draw.chance(3):
        gate.append({"channel_conv": draw.pick(({}, {"kernel": 5, "bias": True}))})
    if draw.pick((False, True, True)):
        gate.append({"reshape": {"size": draw.size(1)}})
    if site.rank < 3 and draw.pick((False, True, True)):
        order = [1, 0] if site.rank == 1 else draw.pick(([0, 2, 1], [2, 1, 0]))
        gate += [{"permute": {"order": order}}, {"permute": {"order": order}}]
    gate.append({"act": {"type": "sigmoid"}})
    if draw.pick((False, True, True)):
        gate.append({"power": {"by": draw.pick((2, 0.5))}})
    return {"multiply": [[], gate]}


def cut(draw: Draw, site: StepSite) -> RawStep:
    """Channels taken away, and as many zeros put there."""
    some = draw.pick(({"stop": 4}, {"start": 2}, {"start": 2, "stop": 4}))
    pad = {"out": draw.word(site.width), **({"at": "both"} if draw.chance(2) else {})}
    return {"sequence": {"steps": [{"slice": some}, {"pad_channels": pad}]}}
