"""Checks of what callers ask of ``archspec.verify``."""

from __future__ import annotations

from typing import Any

from archspec import arguments


def checked(
    against: object, batch: object, seed: object, tolerance: object, levels: object, step: object
) -> tuple[int, int, float, Any]:
    """The batch, the seed, the tolerance and the levels, if all that is asked is possible.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a batch, a tolerance or a level that cannot be.
    """
    found = arguments.whole(batch, "batch"), arguments.seed(seed), arguments.number(tolerance, "tolerance")
    asked = arguments.several(levels, "levels", "a list of levels such as ['keys', 'graph']", object)
    if against is not None and not isinstance(against, str):
        arguments.function(against, "against", "the text of a reference, a network, or a function that makes one")
    arguments.function(step, "step", "a function of a text")
    if found[0] < 1 or not 0 <= found[2] < float("inf"):
        raise ValueError(f"batch must be at least 1 and tolerance at least 0, got {found[0]} and {found[2]}")
    if unknown := [each for each in asked if not isinstance(each, str) or each not in ("keys", "graph", "outputs")]:
        raise ValueError(f"the levels are `keys`, `graph` and `outputs`, not {arguments.given(unknown[0])}")
    return *found, asked
