"""Random steps that keep values by name and read them, some under a condition or by a template of the name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.interpreter.chance import Chance


def named_values(chance: Chance, several: Callable[[int], list[Any]]) -> list[Any]:
    """A few steps that keep the shape. ``several`` draws up to so many others."""
    chance.named += 1
    a, b, c = (f"{letter}{chance.named}" for letter in "abc")
    merge = chance.pick(("add", "multiply"))
    steps: list[Any] = [{"as": a}, *several(2), {"act": {"type": "tanh", "as": b}}]
    match chance.pick(("values", "branches", "source", "nested", "condition")):
        case "values":
            steps += [{merge: {"from": chance.pick(([a, b], [b, a], [b], [a, a, b])), "as": c}}]
            return [*steps, *several(1), {"add": [[], [{"from": c}]]}]
        case "branches":
            inner = [{"from": a}, *several(1), {"as": c}, *several(1), {"add": {"from": [c, b]}}]
            return [*steps, {merge: {"one": inner, "two": []}}]
        case "source":
            steps += [{"act": {"type": "sigmoid", "from": a, "as": c}}, *several(1)]
            return [*steps, {merge: [[], [{"from": c}], [{"from": b}]]}]
        case "nested":
            group: dict[str, Any] = {"steps": [*several(1), {"act": {"as": c}}, *several(1)], "from": b}
            return [*steps, {"sequence": group}, {"add": {"from": a, "x": [], "y": [{"from": c}]}}]
        case _:
            when = chance.condition()
            other = {"act": {"type": "silu", "as": c, "when": f"not ({when})"}}
            steps += [{"act": {"type": "elu", "from": a, "as": c, "when": when}}, other]
            return [*steps, {merge: {"from": [b, c]}}]


def carried(chance: Chance, repeat: dict[str, Any], several: Callable[[int], list[Any]]) -> list[Any]:
    """A ``repeat`` each of whose repetitions reads what the two before it kept, and a step that reads the last two."""
    name, counter, times = f"c{chance.named}_", repeat["index"], repeat["times"]
    merge = {chance.pick(("add", "multiply")): {"from": [f"{name}{{{counter}}}", f"{name}{{{counter} + 1}}"]}}
    repeat["steps"] = [*repeat["steps"], {"as": f"own{name}"}, merge, *several(1), {"as": f"{name}{{{counter} + 2}}"}]
    repeat["steps"] += [{"add": [[], [{"from": f"own{name}"}]]}]
    last = {"add": {"from": [f"{name}{{{times} + 1}}", f"{name}{{{times}}}"]}}
    return [{"as": f"{name}0"}, *several(1), {"as": f"{name}1"}, {"repeat": repeat}, *several(1), last]
