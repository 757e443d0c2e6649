"""Convolutions: plain, depthwise, transposed, with padding of every kind and with standardized weights."""

from __future__ import annotations

from typing import Any

from archspec.strategies.draw import Draw, RawStep, StepSite, Width, part


@part
def conv_arguments(draw: Draw, site: StepSite, out: Width, *, stride: str | int | None = None) -> dict[str, Any]:
    """Arguments of a convolution to ``out``: an odd kernel, padded so that only the stride changes the size."""
    found: dict[str, Any] = {"out": draw.word(out)}
    kernel = draw.pick((1, 3, 3, 5, *site.kernels))
    if draw.rank > 1 and kernel == 3 and draw.chance(5):
        kernel = [3, 5, 1][: draw.rank]
    if kernel != 1:
        found["kernel"] = kernel
    if stride is not None:
        found["stride"] = stride
    if draw.chance(4):
        found["groups"] = draw.pick([g for g in (2, 4) if site.width.parts % g == 0 and out.parts % g == 0] or [1])
    if draw.chance(5):
        found["dilation"] = draw.size(2)
    if draw.chance(5):
        found["bias"] = draw.pick((True, False))
    if kernel == 3 and "dilation" not in found and draw.chance(4):
        found |= _padding(draw)
    if kernel in (3, 5) and draw.chance(8):
        more: tuple[dict[str, Any], ...] = ({}, {"gain": True}, {"gain": True, "gamma": 1.5}, {"eps": 1e-3})
        found |= {"standardized": True, **draw.pick(more)}
    return found


def _padding(draw: Draw) -> dict[str, Any]:
    """The padding of a kernel of 3: any that adds two positions to an axis."""
    by_side = [draw.pick((1, [2, 0], [0, 2])) for _ in range(draw.rank)]
    ways: tuple[dict[str, Any], ...] = ({"padding": draw.size(1)}, {"padding": "same"}, {"padding": by_side}, {})
    found = draw.pick(ways)
    modes = ("replicate",) if "padding" in found else ("replicate", "circular")
    return {**found, "padding_mode": draw.pick(modes)} if not found or draw.chance(3) else found


def conv_step(draw: Draw, site: StepSite) -> RawStep:
    if draw.chance(3):
        return {"conv": {"out": "width", "groups": "depthwise"}}
    if draw.chance(6):
        return {"conv": {"out": draw.word(site.width), "kernel": draw.pick((2, 4)), "padding": "same"}}
    if draw.chance(6):
        return {
            "conv": {"out": draw.word(site.width), "kernel": 3, "transposed": True, "bias": draw.pick((True, False))}
        }
    return {"conv": conv_arguments(draw, site, site.width)}


def padded(draw: Draw, site: StepSite) -> RawStep:
    """More positions around a map, and a convolution or a pool that takes as many away."""
    more: tuple[dict[str, Any], ...] = ({}, {"value": 0.5}, {"mode": "replicate"}, {"mode": "circular"})
    around: dict[str, Any] = {"sides": 1, **draw.pick(more)}
    if around.get("mode") != "circular" and draw.chance(2):
        lopsided = draw.pick((([2, 0], [0, 2]), ([2, 0], [3, -1]) if "mode" not in around else ([0, 2],)))
        around["sides"] = [draw.pick((1, *lopsided)) for _ in range(draw.rank)]
    conv = {"out": draw.word(site.width), "kernel": 3, "padding": draw.pick((0, "valid"))}
    pool = {"type": draw.pick(("avg", "max")), "kernel": 3, "stride": 1}
    return {"sequence": {"steps": [{"pad": around}, draw.pick(({"conv": conv}, {"pool": pool}))]}}
