"""What an experiment refuses before any work: settings without effect, and those that no run could have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archspec import SpecError
from archspec.lab import ablate, stochastic
from archspec.lab.data import load_data

QUICK: dict[str, Any] = {"seeds": 1, "jobs": 0}


@pytest.mark.parametrize(
    ("over", "how"),
    [
        ({"lr": [0.1, 0.2]}, {"trainer": {"lr": 0.5}}),
        ({"norm": ["batch", "none"]}, {"overrides": ["norm=group"]}),
    ],
)
def test_a_key_is_not_both_varied_and_set(over: dict[str, list[Any]], how: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="E891") as caught:
        ablate(over=over, **how, **QUICK)
    (found,) = caught.value.diagnostics
    assert [label.text for label in found.labels] == ["this has no effect"]


@pytest.mark.parametrize("how", [{"trainer": {"batch": 9999}}, {"over": ["batch=64,9999"]}])
def test_a_batch_larger_than_the_data_is_refused_once(how: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="E869"):
        ablate(**{"over": ["act=relu,silu"], **how}, **QUICK)


SIDE = [
    "heads={side: [pool: {type: avg, output: 1, from: layer1}, flatten, linear: {out: classes}]}",
    "head=classifier",
]
SIDE += ["outputs=[head, {training: side}]", "stages.count=1"]


def test_an_auxiliary_loss_without_a_weight_is_refused_in_the_network_that_has_it() -> None:
    over = {"outputs": ["head", ["head", {"training": "side"}]]}
    with pytest.raises(SpecError, match="E869") as caught:
        ablate(over=over, overrides=[*SIDE[:2], SIDE[3]], **QUICK)
    (found,) = caught.value.diagnostics
    assert found.notes == ("in the network `outputs=[head, {training: side}]` of the experiment",)
    assert "`trainer={'auxiliary': 0.3}`" in found.help
    assert found.mentions[0].value == "auxiliary=0.3"


def test_the_weight_of_an_auxiliary_loss_can_be_varied() -> None:
    """The command in the results asks for the same, also if the weights have names."""
    small: dict[str, Any] = {**QUICK, "overrides": SIDE, "data": "synthetic", "size": 8}
    found = ablate(over={"auxiliary": [0, {"side": 0.5}]}, trainer={"epochs": 1}, **small)
    assert found.table("networks").column("auxiliary") == ("0", "{side: 0.5}")
    loss = found.table("curves").column("loss")
    assert loss[0] != loss[1]
    named = ablate(over=["lr=0.01"], trainer={"epochs": 1, "auxiliary": {"side": 0.5}}, **small)
    assert "--trainer 'auxiliary={side: 0.5}'" in named.circumstances.command
    assert named.circumstances.trainer["auxiliary"] == {"side": 0.5}


def test_random_depth_needs_a_probability() -> None:
    with pytest.raises(ValueError, match=r"`drop` takes numbers from 0\.01"):
        stochastic(drop=0, **QUICK)


def test_a_folder_of_images_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "only" / "train" / "a").mkdir(parents=True)
    with pytest.raises(SpecError, match="is not a folder"):
        load_data(f"folder:{tmp_path / 'file'}")
    with pytest.raises(SpecError, match="`test/` is missing"):
        load_data(f"folder:{tmp_path / 'only'}")
