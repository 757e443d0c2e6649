"""Steps that keep a value under a name and read it later, and keep the shape of what reaches them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.strategies.draw import Draw, RawStep, StepSite, lasting, part

DrawSteps = Callable[[Draw, StepSite, int], list[RawStep]]


@part
def named_values(draw: Draw, site: StepSite, keepers: DrawSteps) -> RawStep:
    """A group whose steps read values by name: as a sum, a product, beside each other, or one after the other."""
    inner = site.deeper()
    first, second = draw.value(), draw.value()
    begun: list[RawStep] = [{"as": first}, *keepers(draw, inner, 1)]
    merge = draw.pick(("add", "multiply"))
    match draw.pick(("values", "branch", "source", "joined", "again")):
        case "values":
            steps = [*begun, {"as": second}, {merge: {"from": [first, second]}}]
        case "branch":
            steps = [*begun, {merge: [[], [{"from": first}, *keepers(draw, inner, 1)]]}]
        case "source":
            other: dict[str, Any] = {"type": draw.pick(("sigmoid", "tanh")), "from": first, "as": draw.value()}
            steps = [*begun, {"as": second}, {"act": other}, {merge: {"from": [second, other["as"]]}}]
        case "joined":
            halves: dict[str, Any] = {"from": first, "left": [], "right": lasting(keepers(draw, inner, 1))}
            back = {"out": draw.word(site.width)}
            steps = [{"as": first}, {"concat": halves}, {"conv" if site.rank else "linear": back}]
        case _:
            steps = [*begun, {"as": second}, {"from": first}, *keepers(draw, inner, 1)]
            steps += [{merge: {"kept": [{"from": second}], "here": []}}]
    return {"sequence": {"steps": steps}}
