"""Steps around the blocks of a stage: some before them, the blocks, and some after them or beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from archspec.strategies.draw import Draw, FragmentFacts, RawStep, part
from archspec.strategies.edges import FeatureMap, edge, halved


@part
def before_blocks(
    draw: Draw, stride: Any, value: FeatureMap, fragments: tuple[FragmentFacts, ...]
) -> tuple[list[RawStep], FeatureMap, bool]:
    """The steps before the blocks, the shape after them, and whether one of them has the stage's ``stride``."""
    steps, value = edge(draw, value, fragments, names=("index == 0",))
    if stride not in (2, "2") or draw.chance(3):
        return steps, value, False
    pool = {"type": draw.pick(("max", "avg")), "kernel": 3, "stride": "stride", "padding": 1}
    return [*steps, {"pool": pool}], halved(value), True


@part
def around_blocks(
    draw: Draw,
    begun: list[RawStep],
    entered: FeatureMap,
    value: FeatureMap,
    outs: Sequence[int],
    fragments: tuple[FragmentFacts, ...],
) -> tuple[list[RawStep], FeatureMap]:
    """All steps, and the shape after them.

    Args:
        begun: the steps before the blocks.
        entered: the shape that reaches the blocks.
        value: the shape after the last block.
        outs: the channels after each block; empty where blocks concatenate, because nothing is known then.
    """
    named = {"name": draw.name()} if draw.chance(3) else {}
    kinds = ["plain", "plain", "beside"]
    kinds += ["split", "skip"] if entered.size == value.size else []
    kinds += ["each"] if outs else []
    first, parts = draw.value(), draw.value()
    match draw.pick(kinds):
        case "each":
            middle: list[RawStep] = [{"blocks": {**named, "each": parts}}, {"concat": {"from": [parts]}}]
            value = replace(value, channels=sum(outs))
        case "split":
            wide = draw.pick((8, 4))
            middle = [{"concat": [[{"conv": {"out": wide}}], [{"blocks": named}]]}]
            value = replace(value, channels=wide + value.channels)
        case "skip":
            middle = [{"as": first}, {"blocks": {**named, "as": parts}}, {"concat": {"from": [first, parts]}}]
            value = replace(value, channels=entered.channels + value.channels)
        case "beside":
            merge = draw.pick(("add", "maximum"))
            middle = [{"blocks": named} if named else "blocks", {merge: [[], [{"conv": {"out": value.channels}}]]}]
        case _:
            middle = [{"blocks": named} if named else "blocks"]
    steps, value = edge(draw, value, fragments, entered=False)
    return [*begun, *middle, *steps], value
