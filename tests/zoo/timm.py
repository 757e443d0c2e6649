"""What docs/timm.md says of each module of timm: how many of its networks are proved, and what the language lacks."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

from archspec.verification.importing import timm
from tests.support.paths import SPECS
from tests.zoo.page import Page

FOLDER = SPECS / "timm"
LARGEST = 128
"""The largest size at which networks of timm are compared: at 224, gradients take four times as long."""

_HEADER = (
    "| module | networks | proved | identical keys | what the rest needs |",
    "| --- | ---: | ---: | ---: | --- |",
)


@cache
def also() -> dict[str, str]:
    """The specs of ``specs/`` that are also a network of timm, with its reference."""
    return {spec: f"timm:{name}" for spec, name in _told()["also"].items()}


def page(path: Path) -> Page:
    """The page of timm: a table of specs, and one of modules."""
    return Page(path, [*sorted(path.stem for path in FOLDER.glob("*.yaml")), *sorted(also())], modules)


def smallest(path: Path) -> set[str]:
    """Of the networks on the page, the one with the fewest MACs of each module."""
    rows = [line.split("|") for line in path.read_text(encoding="utf-8").splitlines() if "`timm:" in line]
    found: dict[str, tuple[float, str]] = {}
    for row in rows:
        module = _modules()[_network("|".join(row))]
        macs = float(row[8].strip(" G").replace(",", ""))
        found[module] = min(found.get(module, (macs, row[1])), (macs, row[1]))
    return {name.strip(" `") for _, name in found.values()}


def modules(lines: list[str]) -> str:
    """A table of the convolutional modules, of the lines of the table of specs."""
    identical = {_network(line): line.split("|")[4].strip() == "identical" for line in lines}
    rows, reached = [], 0
    for module, lacks in _told()["modules"].items():
        names = [name for name, own in _modules().items() if own == module]
        proved = [identical[name] for name in names if name in identical]
        rows.append(f"| `{module}` | {len(names)} | {len(proved)} | {sum(proved)} | {lacks or ''} |")
        reached += bool(proved)
    total = f"These are {len(identical)} networks, in {reached} of {len(rows)} modules."
    return "\n".join(["## By module", "", total, "", *_HEADER, *rows])


@cache
def _modules() -> dict[str, str]:
    """The module of each network of timm that this page is about."""
    timm()
    from timm.models import list_models

    return {name: module for module in _told()["modules"] for name in list_models(module=module)}


def _network(line: str) -> str:
    found = re.search(r"`timm:(\w+)", line)
    assert found, line
    return found[1]


@cache
def _told() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return found
