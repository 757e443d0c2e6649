"""Steps that repeat others, and keep the shape of what reaches them."""

from __future__ import annotations

import copy
from typing import Any

from archspec.strategies.draw import Draw, RawStep, StepSite, part
from archspec.strategies.named import DrawSteps
from archspec.strategies.step_arguments import norm_arguments


@part
def repeated(draw: Draw, site: StepSite, keepers: DrawSteps) -> RawStep:
    """A ``repeat`` whose steps keep the shape; perhaps with the sum of what each repetition gave.

    Or each repetition reads what the two before it kept, and a step after them the last two.
    """
    counter = f"turn{draw.count(0, 9)}_{draw.value()}"
    inner = site.deeper(conditions=(*site.conditions, f"{counter} < 1", f"{counter} % 2 == 1"))
    found: dict[str, Any] = {"times": draw.pick((2, 1, 3, 0, "6 // 3")), "index": counter}
    found["name"] = f"{draw.name()}.{{{counter}}}"
    found["steps"] = keepers(draw, inner, 2)
    if not draw.chance(3):
        return {"repeat": found}
    begin = draw.value()
    merge = draw.pick(("add", "multiply", "maximum"))
    if draw.chance(2):
        earlier = [f"{begin}_{{{counter}}}", f"{begin}_{{{counter} + 1}}"]
        found["steps"] = [{merge: {"from": earlier}}, *found["steps"], {"as": f"{begin}_{{{counter} + 2}}"}]
        last = {"from": [f"{begin}_{{{found['times']} + 1}}", f"{begin}_{{{found['times']}}}"]}
        begun = [{"as": f"{begin}_0"}, *keepers(draw, site.deeper(), 1), {"as": f"{begin}_1"}]
        return {"sequence": {"steps": [*begun, {"repeat": found}, {merge: last}]}}
    found["each"] = draw.value()
    return {"sequence": {"steps": [{"as": begin}, {"repeat": found}, {merge: {"from": [begin, found["each"]]}}]}}


@part
def shared(draw: Draw, site: StepSite) -> RawStep:
    """Steps that keep the shape, twice with the same weights."""
    name = draw.value()
    word = "conv" if site.rank else "linear"
    step: dict[str, Any] = {word: {"out": draw.word(site.width)}}
    if draw.chance(2):
        step[word]["share"] = name
        return {"sequence": {"steps": [step, "act", copy.deepcopy(step)]}}
    steps = [step, {"norm": norm_arguments(draw, many=site.many)}]
    parts = [{"share": name, "name": draw.name(), "steps": copy.deepcopy(steps)} for _ in range(2)]
    return {"sequence": {"steps": [{"sequence": each} for each in parts]}}
