"""The specs of timm's networks as a whole, and one network of each module, compared with timm's graph and keys.

`make prove` compares every one of them, and what they compute.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archspec
from archspec.verification.importing import timm
from tests.support.paths import ROOT, SPECS
from tests.support.sources import assert_source
from tests.zoo.timm import also

pytestmark = pytest.mark.usefixtures("freed")

FOLDER = SPECS / "timm"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))}
QUICK = (
    "gernet_s",
    "convmixer_768_32",
    "convnextv2_atto",
    "test_efficientnet",
    "mobilenetv3_small_100",
    "starnet_s050",
    "cs3darknet_s",
    "ese_vovnet19b_dw",
)
OF_MODULES = (
    *("mobileone_s0", "repvgg_b1g4", "eca_resnext26ts", "densenetblur121d", "efficientnet_es", "mixnet_s"),
    *("hardcorenas_a", "lcnetv2_base", "mobilenetv4_conv_small", "rexnet_100", "ghostnet_050", "repghostnet_100"),
    *("repvit_m0_9", "mambaout_femto"),
    *("dla46_c", "dpn48b", "selecsls42", "hrnet_w18_small", "inception_v3.tv_in1k", "inception_v4"),
    *("inception_resnet_v2", "nasnetalarge", "pnasnet5large"),
    *("cspdarknet53", "cs3sedarknet_xdw", "darknetaa53", "cspnext_tiny", "eca_vovnet39b", "hgnet_tiny", "hgnetv2_b4"),
)
"""At least one network of each of byobnet, convmixer, convnext, cspnet, cspnext, densenet, dla, dpn, efficientnet,
ghostnet, hardcorenas, hgnet, hrnet, inception_v3, inception_v4, inception_resnet_v2, lcnetv2, mambaout, mobilenetv3,
nasnet, pnasnet, repghost, repvit, rexnet, selecsls, starnet and vovnet, the smallest or the one with the most of its
blocks."""
OTHER_KEYS = ("fasternet_t0", "dla60_res2net", "hgnetv2_b0")
"""Networks whose keys are timm's in another order, or by key map: of fasternet, and of dla with scales; in hgnet,
timm's learned factors have one axis, and here none."""


SOURCES = ("tresnet_m", "dm_nfnet_f0", "dla34", "hrnet_w18_small")
"""Networks with blurs, with factors of one number, with sums in another order, and with parts that have numbers."""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*QUICK, *OTHER_KEYS, *OF_MODULES, *SOURCES} & TEXTS.keys()))
def test_the_source_gives_the_network(name: str) -> None:
    """`python -m tests.zoo --source` compares all of them."""
    exactly = assert_source(archspec.compile(name, overrides=["input=[3, 96, 96]"]))
    assert exactly or name.startswith("dla")  # whose gradients are added in another order


@pytest.mark.parametrize("name", TEXTS)
def test_a_spec_is_short_and_names_the_network_of_its_name(name: str) -> None:
    lines = [line for line in TEXTS[name].splitlines() if line.strip()]
    assert len(lines) <= (10 if re.search("^extends:", TEXTS[name], re.MULTILINE) else 60)
    assert any(re.fullmatch(rf"reference: timm:{re.escape(name)}(\(.*\))?", line) for line in lines)
    assert not (SPECS / f"{name}.yaml").exists()


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in OF_MODULES)])
def test_keys_and_graph_are_timms(name: str) -> None:
    timm()
    size = 96 if name.startswith("inception") else 64
    verdict = archspec.verify(_path(name), f"timm:{name}", input=(3, size, size), levels=("keys", "graph"))
    assert verdict.graph.held, [fault.message for fault in verdict.diagnostics]
    assert verdict.keys.held, [fault.message for fault in verdict.diagnostics]


@pytest.mark.parametrize("name", OTHER_KEYS)
def test_the_graph_is_timms_and_pairs_every_key(name: str) -> None:
    timm()
    verdict = archspec.verify(_path(name), f"timm:{name}", input=(3, 64, 64), levels=("graph",))
    assert verdict.graph.held, [fault.message for fault in verdict.diagnostics]
    assert len(verdict.key_map) == verdict.keys.count


@pytest.mark.parametrize("name", QUICK)
def test_parameters_are_those_that_timm_has(name: str) -> None:
    timm()
    from timm.models import create_model

    wanted = sum(parameter.numel() for parameter in create_model(name).parameters())
    assert archspec.analyze(_path(name)).totals.costs.params == wanted


def test_the_page_says_of_every_network_that_it_is_timms() -> None:
    cells = [line.split("|") for line in (ROOT / "docs" / "timm.md").read_text(encoding="utf-8").splitlines()]
    rows = {row[1].strip(" `"): [cell.strip() for cell in row[5:7]] for row in cells if len(row) == 10}
    assert {*TEXTS, *also()} == {*rows} - {"spec", "---"}
    for name in (*TEXTS, *also()):
        assert rows[name] in (["isomorphic", "0"], ["isomorphic", "rounding"]), name


def _path(name: str) -> Path:
    return FOLDER / f"{name}.yaml"
