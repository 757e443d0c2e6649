"""Structured mutations: the values of a spec changed where the language has places for values, and written as YAML."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import yaml

from tests.tools.fuzz.choices import Choices
from tests.tools.fuzz.expressions import grown
from tests.tools.fuzz.texts import GOOD, ZOO, Text, load

EDGES = ("stem", "head", "before", "after", "around")
STEPS = ("steps", "residual", "same", "change", "of", *EDGES, "add", "multiply", "concat")
NUMBERS = (0, 1, 2, 3, 5, 7, 8, 16, 64, 100, 1000, 10**6, 10**9, -1, 0.5, 1.5, 1e-5)
ODD = (None, True, "", "x y", "1/0", "7 / 2", "in_channels", "relu", "none", [], {}, [[]], [1, 2, 3], {"a": 1}, "a.b")
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Site(NamedTuple):
    """A value, the collection that it stands in, and what kind of place that is."""

    parent: Any
    key: Any
    kind: str

    @property
    def value(self) -> Any:
        return self.parent[self.key]

    def put(self, value: Any) -> None:
        self.parent[self.key] = value


def sites(value: Any, kind: str = "") -> Iterator[Site]:
    """Every place below a value. Items of a list are of the list's kind, and all lists of steps are of one kind."""
    if isinstance(value, dict):
        for key in value:
            yield Site(value, key, key)
            yield from sites(value[key], key)
    elif isinstance(value, list):
        inner = "step" if kind in STEPS else kind + "[]"
        for index in range(len(value)):
            yield Site(value, index, inner)
            yield from sites(value[index], inner)


@cache
def material() -> tuple[list[Text], dict[str, list[Any]]]:
    """The specs to mutate, and what stands in them at each kind of place."""
    texts = [text for text in load(ZOO + GOOD) if isinstance(text.value, dict) and "name" in text.value]
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for text in texts:
        for site in sites(text.value):
            found[site.kind].setdefault(repr(site.value), site.value)
    return texts, {kind: list(values.values()) for kind, values in found.items()}


def structured(data: bytes) -> tuple[bytes, str]:
    """A spec with one to four of its values changed, and the path that it pretends to have."""
    choices = Choices(data)
    texts, pool = material()
    text = choices.pick(texts)
    value = copy.deepcopy(text.value)
    if choices.below(2):
        value.pop("expect", None)
    for _ in range(1 + choices.below(4)):
        found = list(sites(value))
        if not found:
            break
        choices.pick(ACTIONS)(choices.pick(found), pool, choices)
    written = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return written.encode("utf-8"), text.path


# -- what may happen at a place ----------------------------------------------------------------------------------------


def graft(site: Site, pool: dict[str, list[Any]], choices: Choices) -> None:
    """What some spec has at such a place."""
    site.put(copy.deepcopy(choices.pick(pool[site.kind])) if site.kind in pool else choices.pick(NUMBERS))


def number(site: Site, pool: dict[str, list[Any]], choices: Choices) -> None:
    """Another number, near or far; elsewhere a graft."""
    value = site.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        graft(site, pool, choices)
        return
    site.put(choices.pick((value + 1, value - 1, value * 2, value // 2, value * 3, *NUMBERS)))


def expression(site: Site, pool: dict[str, list[Any]], choices: Choices) -> None:
    """An expression where a number stands or an expression stood; elsewhere a graft."""
    if isinstance(site.value, bool | list | dict) or site.kind in ("archspec", "name", "type", "extends"):
        graft(site, pool, choices)
        return
    names = (
        "channels",
        "stride",
        "channels",
        "index",
        "in_channels",
        "stage",
        "count",
        "number",
        "blocks",
        "classes",
        "8",
        "2",
    )
    site.put(grown(choices, names, 2))


def remove(site: Site, pool: dict[str, list[Any]], choices: Choices) -> None:
    del site.parent[site.key]


def add(site: Site, pool: dict[str, list[Any]], choices: Choices) -> None:
    """One more item in a list, or a key that such a mapping has elsewhere."""
    if isinstance(site.parent, list):
        values = pool.get(site.kind, [site.value])
        site.parent.insert(choices.below(len(site.parent) + 1), copy.deepcopy(choices.pick(values)))
        return
    target = site.value if isinstance(site.value, dict) and choices.below(2) else site.parent
    kind = site.kind if target is site.value else ""
    others = [value for value in pool.get(kind, []) if isinstance(value, dict) and value]
    other = choices.pick(others) if others else {site.key: site.value}
    key = choices.pick(list(other))
    target[key] = copy.deepcopy(other[key])


def swap(site: Site, pool: dict[str, list[Any]], choices: Choices) -> None:
    """Two values of one collection, exchanged in a list; a graft where that would mix what keys mean."""
    if isinstance(site.parent, dict):
        graft(site, pool, choices)
        return
    other = choices.below(len(site.parent))
    site.parent[other], site.parent[site.key] = site.parent[site.key], site.parent[other]


def misspell(site: Site, pool: dict[str, list[Any]], choices: Choices) -> None:
    """A key with one letter lost, or in a list an odd value."""
    if isinstance(site.parent, list) or len(site.key) < 2:
        odd(site, pool, choices)
        return
    at = choices.below(len(site.key))
    site.parent[site.key[:at] + site.key[at + 1 :]] = site.parent.pop(site.key)


def odd(site: Site, pool: dict[str, list[Any]], choices: Choices) -> None:
    site.put(copy.deepcopy(choices.pick(ODD)))


Action = Callable[[Site, dict[str, list[Any]], Choices], None]
# How often each happens: most keep to the schema, so that what comes after it is tested too.
ACTIONS: tuple[Action, ...] = (
    *(graft,) * 8,
    *(number,) * 6,
    *(expression,) * 4,
    *(add,) * 4,
    *(swap,) * 2,
    *(remove,) * 2,
    *(misspell, odd),
)
