"""`archspec lab --smallest`: it goes with every preset, and leaves a spec whose weights are given as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archspec.lab.experiments.experiments import by_name

from .conftest import Run


def test_a_preset_has_its_own_grid() -> None:
    ablate = by_name()["ablate"]
    assert "over" in ablate.smallest_with(())
    assert set(ablate.smallest_with(["preset"])) == set(ablate.smallest) - {"over"}


def test_given_weights_keep_their_network() -> None:
    lesion = by_name()["lesion"]
    assert "overrides" not in lesion.smallest_with(["weights"])
    assert "overrides" not in lesion.smallest_with((), ["resnet20_cifar"])


def test_the_smallest_preset_runs(here: Path, run: Run) -> None:
    found = run("lab", "ablate", "--preset", "shortcuts", "--smallest", "--seeds", "1", "-o", "out")
    assert (found.status, found.err) == (0, "")
    assert (here / "out" / "report.md").read_text().count("$ archspec lab ablate --preset shortcuts") == 1


@pytest.mark.parametrize("command", ["lab"])
def test_files_are_shown_as_files(command: str, run: Run) -> None:
    assert "--weights FILE" in run(command, "--help").out


def test_an_experiment_advises_a_size_that_it_takes(here: Path, run: Run) -> None:
    found = run("lab", "lesion", "vgg11", "-o", "out")
    assert found.status == 1
    assert "resize the images with `--size 32`" in found.err
    assert not list(here.iterdir())


def test_the_size_of_the_images_reaches_the_runs_and_the_command(here: Path, run: Run) -> None:
    found = run(
        "lab", "degradation", "--smallest", "--seeds", "1", "--plain", "1", "--residual", "1", "--size", "4", "-o", "o"
    )
    assert (found.status, found.err) == (0, "")
    data = json.loads((here / "o" / "results.json").read_text())
    assert data["data"]["input"] == [1, 4, 4]
    assert "--size 4" in data["command"]
