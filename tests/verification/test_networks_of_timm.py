"""Networks of timm that add to some channels, take channels apart in lists, or amplify rounding, from specs."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec

SPECS = {path.stem: path for path in sorted((Path(__file__).parent / "specs").glob("*.yaml"))}

pytestmark = pytest.mark.usefixtures("freed")


@pytest.mark.parametrize("name", SPECS)
def test_the_graph_is_timms(name: str) -> None:
    found = archspec.verify(SPECS[name], f"timm:{name}", levels=("graph",))
    assert found.graph.held, [fault.message for fault in found.diagnostics]
    assert len(found.key_map) == found.keys.count


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_the_outputs_are_timms(name: str) -> None:
    found = archspec.verify(SPECS[name], f"timm:{name}")
    assert found.outputs is not None
    assert found.holds("graph", "outputs"), found.outputs.difference
