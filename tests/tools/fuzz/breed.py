"""Changes that make a spec cost more: values repeated, lengthened, nested and raised, and parts of other specs."""

from __future__ import annotations

import copy
import random
from functools import cache
from typing import Any

import yaml

import archspec
from archspec.language.text.files import decode
from archspec.language.text.reader import read
from tests.tools.fuzz.bombs.bomb import FAMILIES
from tests.tools.fuzz.bombs.run import bomb
from tests.tools.fuzz.mutate import Site, sites
from tests.tools.fuzz.texts import GOOD, ZOO, load

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@cache
def founders() -> list[Any]:
    """The specs of the zoo and of the tests, as values."""
    return [text.value for text in load(ZOO + GOOD) if isinstance(text.value, dict) and "name" in text.value]


def fresh(source: random.Random) -> tuple[Any, str]:
    """A small bomb, one of two families, or a spec; with its text, where it is as its author wrote it."""
    if source.random() < 0.25:
        return source.choice(founders()), ""
    names = source.sample(sorted(FAMILIES), 2 if source.random() < 0.3 else 1)
    made = bomb("+".join(names), source.getrandbits(30), 0, source.choice((0.02, 0.1, 0.3)))
    try:
        return read(decode(made.data, "bomb")).value, made.text
    except archspec.SpecError:
        return None, made.text


def duplicate(site: Site, source: random.Random) -> None:
    """The value again and again beside itself; in a mapping, under new keys."""
    times = source.choice((1, 2, 10, 100))
    if isinstance(site.parent, list):
        site.parent[site.key : site.key] = [site.value] * times
    else:
        site.parent.update({f"{site.key}{number}": site.value for number in range(times)})


def lengthen(site: Site, source: random.Random) -> None:
    """A longer text, list or mapping."""
    value, times = site.value, source.choice((2, 5, 30))
    if isinstance(value, str):
        site.put(" + ".join([value] * times) if source.random() < 0.5 else value * times)
    elif isinstance(value, list):
        site.put(value * times)
    elif isinstance(value, dict):
        site.put({f"{key}{n or ''}": item for n in range(times) for key, item in value.items()})
    else:
        larger(site, source)


def nest(site: Site, source: random.Random) -> None:
    """A step, or an expression, inside others."""
    value = site.value
    for _ in range(source.choice((1, 3, 10))):
        if isinstance(value, str | int) and site.kind != "step":
            value = f"({value})"
        else:
            value = source.choice(
                ({"concat": [[value]]}, {"sequence": {"steps": [value, value]}}, {"add": [[], [value]]})
            )
    site.put(value)


def larger(site: Site, source: random.Random) -> None:
    """A larger number, or one where something else was."""
    value = site.value
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 3
    site.put(source.choice((number * 10, number * 1000, number + 1, 30_000, "index + 1", "number // 2 + 1")))


def insert(site: Site, source: random.Random) -> None:
    """What another spec has at such a place."""
    other = source.choice(founders())
    alike = [each.value for each in sites(other) if each.kind == site.kind]
    site.put(copy.deepcopy(source.choice(alike)) if alike else source.choice(("act", 1, [], {})))


ACTIONS = (duplicate, duplicate, lengthen, lengthen, nest, larger, larger, insert)


def changed(value: Any, source: random.Random) -> tuple[Any, str]:
    """A value with one to four of its places changed, and its text."""
    value = copy.deepcopy(value)
    for _ in range(source.randint(1, 4)):
        found = list(sites(value))
        if found:
            source.choice(ACTIONS)(source.choice(found), source)
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=None)
    return value, text
