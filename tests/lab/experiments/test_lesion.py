"""``lesion``: its numbers against networks that are built one by one, and what it says of them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec import SpecError
from archspec.diagnostics import EnvironmentFault
from archspec.lab.data import load_data
from archspec.lab.experiments.lesion import lesion
from archspec.lab.experiments.lesioned import kendall_tau, movable
from archspec.lab.results.number import Number
from archspec.lab.training import evaluate, for_data
from archspec.passes import without_residual

NARROW = ["stages.channels=[4,8,8]", "stem={use: cifar, width: 4}", "stages.count=2"]
SMALL: dict[str, Any] = {"overrides": NARROW, "trainer": {"epochs": 1}, "seeds": 2, "jobs": 0, "deleted": [1, 2]}


@functools.cache
def found() -> Any:
    return lesion("resnet20_cifar", draws=2, sets=2, **SMALL)


def test_the_tables_have_every_block_and_pair() -> None:
    results = found()
    blocks = [block.scope for block in archspec.residual_blocks("resnet20_cifar", overrides={"stages.count": 2})]
    assert results.table("blocks").column("block") == (*blocks, *blocks)
    assert results.table("blocks").column("downsamples") == ("no", "no", "yes", "no", "yes", "no") * 2
    assert len(results.table("pairs").rows) == 2 * 15
    assert results.table("medians").column("network") == ("resnet20_cifar", "resnet20_cifar without shortcuts")
    assert [claim.statement for claim in results.claims][3] == "Only blocks that downsample hurt when they are deleted"
    assert [len(plot.panels) for plot in results.plots] == [2, 2]
    assert "--sets 2" in results.circumstances.command
    assert all(isinstance(each, Number) and each.n == 2 for each in results.table("blocks").column("accuracy"))


def test_pairs_lose_as_many_points_as_their_networks_do(tmp_path: Path) -> None:
    """With a file of weights nothing is trained, and each number is that of a network built by hand."""
    data = load_data("digits")
    graph = for_data("resnet20_cifar", data, overrides=NARROW)
    model = archspec.build(graph, seed=1)
    file = tmp_path / "w.safetensors"
    archspec.save(model, graph, file)
    results = lesion("resnet20_cifar", weights=file, draws=1, sets=2, **{**SMALL, "seeds": 1, "trainer": {}})
    assert results.table("networks").column("network") == (graph.name,)
    state = model.state_dict()

    def without(*scopes: str) -> float:
        return evaluate(archspec.build(without_residual(graph, scopes), weights=state), data.test).accuracy

    for row in json.loads(json.dumps(results.as_data()))["tables"]:
        if row["name"] == "blocks":
            for each in row["rows"]:
                assert each["accuracy"]["mean"] == pytest.approx(without(each["block"]), abs=1e-9)
        if row["name"] == "pairs":
            for each in row["rows"][:4]:
                assert each["accuracy"]["mean"] == pytest.approx(without(each["first"], each["second"]), abs=1e-9)
    assert any("weights come from one file" in each for each in results.remarks)


def test_what_cannot_be_lesioned_is_said(tmp_path: Path) -> None:
    flat = (
        "archspec: 1\nname: flat\ninput: [1, 8, 8]\nclasses: 10\nstem: [conv: {out: 4}]\nstages: []\nhead: classifier\n"
    )
    with pytest.raises(SpecError, match="E873"):
        lesion(flat, **{**SMALL, "overrides": []})
    with pytest.raises((SpecError, EnvironmentFault), match="E801"):
        lesion("resnet20_cifar", weights=tmp_path / "none.pt", **SMALL)
    with pytest.raises(SpecError, match=r"E874.*do not go with `train`"):
        lesion("resnet20_cifar", weights=tmp_path / "none.pt", train=True, **SMALL)
    results = lesion("densenet_bc_100_12_cifar", draws=1, **{**SMALL, "overrides": ["stages.count=1"], "seeds": 1})
    assert results.table("medians").column("network") == ("densenet_bc_100_12_cifar",)
    assert any("No plain network" in each for each in results.remarks)


@pytest.mark.parametrize("name", ["weights", "map"])
def test_a_file_that_is_no_path_is_refused_by_its_argument(name: str) -> None:
    with pytest.raises(TypeError, match=f"`{name}` takes a path, got 3"):
        lesion("resnet20_cifar", **{name: 3}, **SMALL)  # type: ignore[arg-type]


def test_a_map_without_weights_is_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"E874.*no weights whose keys it renames"):
        lesion("resnet20_cifar", map=tmp_path / "map.json", **SMALL)


def test_blocks_that_can_change_places() -> None:
    graph = archspec.compile("resnet20_cifar")
    assert movable(graph)[:2] == [["layer1.0", "layer1.1", "layer1.2"], ["layer2.1", "layer2.2"]]
    assert movable(archspec.compile("densenet_bc_100_12_cifar")) == []
    assert movable(archspec.compile("alexnet")) == []
    assert kendall_tau([[1, 0, 2], [0, 1]]) == (3 - 1) / 4


def test_a_network_without_shortcuts_has_no_claims_of_residual_ones() -> None:
    results = lesion("plain20_cifar", draws=1, **{**SMALL, "seeds": 1})
    assert results.claims == ()
    assert any("no shortcuts" in remark for remark in results.remarks)


def test_medians_that_are_missing_are_explained() -> None:
    small = {**SMALL, "seeds": 1, "deleted": [1], "overrides": {"stages.count": 2}}
    results = lesion("densenet_bc_100_12_cifar", draws=1, **small)
    assert any("there are no medians" in remark for remark in results.remarks)


def test_weights_of_another_network_are_told(tmp_path: Path) -> None:
    """Keys and shapes fit without the shortcuts, too: the report and the command say whose weights these are."""
    how: dict[str, Any] = {"overrides": ["stages.count=1", "input=[1,8,8]", "classes=10"]}
    graph = archspec.compile("resnet20_cifar", **how)
    archspec.save(archspec.build(graph, seed=0), graph, tmp_path / "own.safetensors")
    remarks: list[archspec.Diagnostic] = []
    how = {"overrides": [*how["overrides"], "shortcut=none"], "remark": remarks.append, "trainer": {}}
    results = lesion("resnet20_cifar", weights=tmp_path / "own.safetensors", draws=1, seeds=1, jobs=0, **how)
    assert [each.code for each in remarks] == ["W824"]
    assert "transfer" not in remarks[0].help
    assert any("another network, `resnet20_cifar`" in each for each in results.remarks)
