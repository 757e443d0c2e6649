"""Faults of operations that take maps with two spatial axes."""

from __future__ import annotations

from typing import Any

from archspec.language.text.yaml_writer import WrittenPath
from archspec.strategies.faults import Fault, RawSpec, head_of

_OF_MAPS: tuple[tuple[str, list[Any], WrittenPath], ...] = (
    ("E503", [{"conv": {"out": 6}}, {"pixel_shuffle": {"factor": 2}}], (1, "pixel_shuffle", "factor")),
    ("E506", [{"upsample": {"scale": 2, "mode": "trilinear"}}], (0, "upsample", "mode")),
    ("E508", [{"upsample": {"scale": 2}}, {"pixel_unshuffle": {"factor": 1000003}}], (1, "pixel_unshuffle", "factor")),
)
"""Heads: the code, the steps, and the path of the value that is reported."""


def _two_axes(document: RawSpec) -> bool:
    return "extends" not in document and len(document.get("input", (3, 224, 224))) == 3


OF_MAPS: tuple[Fault, ...] = tuple([Fault(code, head_of(steps, path), _two_axes) for code, steps, path in _OF_MAPS])
"""Faults that fit every spec whose input has a height and a width."""
