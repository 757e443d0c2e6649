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
