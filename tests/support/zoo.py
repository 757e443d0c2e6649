"""The specs of the zoo, as what a test is asked of."""

from __future__ import annotations

import re

import pytest

from tests.support.paths import SPECS

ZOO = {path.stem: path for path in sorted(SPECS.glob("*.yaml"))}
EXTENDS = re.compile("^extends:", re.MULTILINE)
FAMILIES = [name for name, path in ZOO.items() if not EXTENDS.search(path.read_text(encoding="utf-8"))]
"""One network of each family, of which the others are variants."""


def variants_slow() -> list[object]:
    """Every network, for a parameter: one of each family among the fast tests, its variants among the slow ones."""
    return [name if name in FAMILIES else pytest.param(name, marks=pytest.mark.slow) for name in ZOO]
