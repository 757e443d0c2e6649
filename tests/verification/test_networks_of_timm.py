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


OF_THE_ZOO = (
    *("dm_nfnet_f0", "inception_next_atto", "rdnet_tiny", "res2net50_48w_2s", "resnest14d", "resnetv2_50x1_bit"),
    *("resnetrs50", "skresnet18", "xception41p"),
)
"""One network of each module whose keys differ from those of the spec."""


@pytest.mark.parametrize("name", OF_THE_ZOO)
def test_the_graph_of_a_spec_of_the_zoo_is_timms(name: str) -> None:
    found = archspec.verify(name, f"timm:{name}", levels=("graph",), input=(3, 64, 64))
    assert found.graph.held, [fault.message for fault in found.diagnostics]
    assert len(found.key_map) == found.keys.count


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_the_outputs_are_timms(name: str) -> None:
    found = archspec.verify(SPECS[name], f"timm:{name}")
    assert found.outputs is not None
    assert found.holds("graph", "outputs"), found.outputs.difference
