"""Arguments of steps that keep the shape of what reaches them."""

from __future__ import annotations

from typing import Any

from archspec.operations.act import ACTIVATIONS
from archspec.strategies.draw import Draw, StepSite, part

KEEPING_ACTS = tuple([word for word in ACTIVATIONS if word != "glu"])
"""The activations that keep the shape."""


@part
def norm_arguments(draw: Draw, *, many: bool) -> dict[str, Any]:
    """Arguments of a norm that fit every width."""
    everywhere = ("batch", "layer", "group", "rms", "frozen")
    kind = draw.pick((*everywhere, *("instance", "grn", "local_response") * 2) if many else everywhere)
    found: dict[str, Any] = {"type": kind}
    if kind == "group":
        found |= draw.pick(({"groups": 2}, {"groups": 4}, {"groups": "2 * 2"}, {"group_size": 2}))
    if kind == "local_response":
        return {**found, **draw.pick(({}, {"size": 3, "k": 2}, {"alpha": 0.1, "beta": 0.5}, {"size": "1 + 1"}))}
    if kind == "rms":
        return {**found, "eps": draw.pick((0.5, 1e-3))}
    for key, values in (("eps", (1e-3, 0.5)), ("momentum", (0.01, 1)), ("affine", (False, True))):
        if draw.chance(4):
            found[key] = draw.pick(values)
    return found


LAYERS: tuple[dict[str, Any], ...] = (
    {"module": "torch.nn.Softsign"},
    {"module": "torch.nn.Tanhshrink"},
    {"module": "torch.nn.Softshrink", "lambd": 0.25},
    {"module": "torch.nn.Softshrink", "lambd": "1 / 8"},
    {"module": "torch.nn.RReLU", "lower": 0.25, "upper": 0.5},
    {"module": "torch.nn.Softmin", "dim": "2 - 1"},
    {"module": "torch.nn.AlphaDropout", "p": 0.25},
)
"""Layers of torch by their names that keep every shape."""


@part
def act_arguments(draw: Draw, site: StepSite) -> dict[str, Any]:
    """Arguments of an activation that keeps the shape."""
    kind = draw.pick((*KEEPING_ACTS, *site.acts))
    offered: dict[str, dict[str, tuple[Any, ...]]] = {
        "leaky_relu": {"slope": (0.1, 0, -0.5)},
        "prelu": {"per_channel": (True, False), "initial": (0.5, 0.25)},
        "elu": {"alpha": (0.5, 2)},
        "celu": {"alpha": (0.5, 2)},
        "gelu": {"approximate": ("tanh", "none")},
        "hardtanh": {"min": (-2, "0 - 1"), "max": (0, 2.5)},
        "softplus": {"beta": (2, 0.5)},
        "softmax": {draw.pick(("groups", "branches")): (2, "1 + 1")},
    }
    found = {"type": kind}
    for name, values in offered.get(kind, {}).items():
        if draw.chance(3):
            found[name] = draw.pick(values)
    return found
