"""The rules for a graph beyond its schema: names, what reads what, outputs and regions."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from typing import Any

from archspec.diagnostics import cut, did_you_mean
from archspec.graph.graph import INPUT
from archspec.graph.reserved_names import RESERVED, why_reserved
from archspec.graph.scopes import around

Fault = tuple[list[str | int], str, str]
"""A fault: the path of the value, a message, and a hint."""


def check_nodes(nodes: list[Mapping[str, Any]]) -> Iterator[Fault]:
    """The faults of the names of nodes, and of what they read."""
    names, taken = {node["name"]: number for number, node in reversed([*enumerate(nodes)])}, set[str]()
    scopes = {name[:end] for name in names for end, character in enumerate(name) if character == "."}
    for number, node in enumerate(nodes):
        name: str = node["name"]
        path: list[str | int] = ["nodes", number]
        if why := why_not(name):
            yield [*path, "name"], why, ""
        elif name in taken:
            yield [*path, "name"], f"`nodes[{names[name]}]` also has the name `{cut(name)}`", ""
        elif name in scopes:
            yield [*path, "name"], f"`{cut(name)}` is the scope of other nodes, so no node can have its name", ""
        for position, source in enumerate(node["inputs"]):
            if source == INPUT or source in taken:
                continue
            later = source in names
            told = "it comes later, and the nodes must be in order" if later else "there is no such node"
            hint = "" if later else did_you_mean(source, names)
            yield [*path, "inputs", position], f"`{cut(name)}` reads `{cut(source)}`: {told}", hint
        taken.add(name)


def why_not(name: str) -> str:
    """Why a node or a scope cannot have a name; empty if it can."""
    for part in name.split("."):
        if keyword.iskeyword(part) or part in RESERVED or part.startswith("__"):
            return f"`{cut(part)}` cannot be a name: {why_reserved(part)}"
    return ""


def check_rest(data: Mapping[str, Any]) -> Iterator[Fault]:
    """The faults of the outputs, of the regions and of the head."""
    places = {INPUT: -1, **{node["name"]: number for number, node in enumerate(data["nodes"])}}
    last = len(data["nodes"])
    for label, name in data["outputs"].items():
        if name not in places:
            yield ["outputs", label], f"the graph has no node `{cut(name)}`", did_you_mean(name, places)
    if not data["outputs"]:
        yield ["outputs"], "the network returns nothing", ""
    if data.get("single", True) and len(data["outputs"]) > 1:
        yield (
            ["single"] if "single" in data else ["outputs"],
            "a network with several outputs cannot return a single value",
            "",
        )
    for number, label in enumerate(data.get("training", [])):
        if label not in data["outputs"]:
            yield ["training", number], f"the graph has no output `{cut(label)}`", did_you_mean(label, data["outputs"])
    if data["outputs"] and set(data["outputs"]) <= set(data.get("training", [])):
        yield ["training"], "the network returns nothing in eval mode", ""
    for name in data.get("kept", {}):
        if name not in places:
            yield ["kept", name], f"the graph has no node `{cut(name)}`", did_you_mean(name, places)
    yield from _of_shared(data.get("shared", {}), places)
    for number, name in enumerate(data.get("frozen", [])):
        if name == INPUT or name not in places:
            yield ["frozen", number], f"the graph has no node `{cut(name)}`", did_you_mean(name, places)
    for name, place in data.get("heads", {}).items():
        if place > last:
            yield ["heads", name], f"there are only {last} nodes", ""
    for key in ("regions", "named"):
        for number, region in enumerate(data.get(key, [])):
            for place, message in _of_region(region, places, last, stages=key == "regions"):
                yield [key, number, place], message, ""
    yield from _of_stages(data)


def _of_shared(shared: Mapping[str, str], places: Mapping[str, int]) -> Iterator[Fault]:
    """The faults of whose weights nodes use: those of a node before them, or of one that the network lacks."""
    keys = {*places, *shared.values()}
    scopes = {scope for key in keys for scope in around(key.rpartition(".")[0])}
    for name, state in shared.items():
        if name == INPUT or name not in places:
            yield ["shared", name], f"the graph has no node `{cut(name)}`", did_you_mean(name, places)
            continue
        inside = next((each for each in around(state) if each in keys and each in scopes), "")
        if state == name:
            told = "these are its own"
        elif state in shared:
            told = "it uses the weights of another node"
        elif places.get(state, -1) >= places[name]:
            told = "it comes later"
        elif inside:
            told = f"`{cut(inside)}` cannot be both a node and the scope of nodes"
        elif not (told := why_not(state)):
            continue
        yield ["shared", name], f"`{cut(name)}` cannot use the weights of `{cut(state)}`: {told}", ""


def _of_region(
    region: Mapping[str, Any], places: Mapping[str, int], last: int, *, stages: bool
) -> Iterator[tuple[str, str]]:
    if region["scope"] and (why := why_not(region["scope"])):
        yield "scope", why
    if (region["kind"] in ("stage", "block")) != stages:
        yield "kind", f"a {region['kind']} belongs in `{'named' if stages else 'regions'}`"
    if not region["first"] <= region["last"] <= last:
        yield "last", f"it must be from `first`, {region['first']}, to the number of nodes, {last}"
        return
    for key in ("source", "result"):
        if region[key] not in places:
            yield key, f"the graph has no node `{cut(region[key])}`"
    for name, node in region.get("inputs", {}).items():
        if places.get(node, last) >= region["first"]:
            yield "inputs", f"`{cut(name)}` must be a node before the region, not `{cut(node)}`"
    if places.get(region["source"], -1) >= region["first"]:
        yield "source", "it must come before the region"
    if places.get(region["result"], -1) >= region["last"]:
        yield "result", "it must not come after the region"


def _of_stages(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Stages must be in order and must not overlap, and heads come after them, in order too."""
    end = 0
    for number, region in enumerate(data.get("regions", [])):
        if region["kind"] != "stage":
            continue
        if region["first"] < end:
            yield ["regions", number, "first"], "stages must be in order, and must not overlap", ""
        end = max(end, region["last"])
    for name, place in data.get("heads", {}).items():
        if place < end:
            yield ["heads", name], "heads must be in order, and come after the stages", ""
        end = max(end, place)
