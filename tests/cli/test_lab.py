"""`archspec lab`: the list, the options of the table, and what is refused before anything is trained."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspec.lab.cells import GridProgress
from archspec.lab.experiments.experiment import Experiment
from archspec.lab.experiments.experiments import EXPERIMENTS, options

from .conftest import Run


def test_without_a_name_it_lists_the_experiments(run: Run) -> None:
    found = run("lab")
    assert found.status == 0
    for experiment in EXPERIMENTS:
        assert f"{experiment.summary}" in found.out
        assert f"archspec lab {experiment.example}" in found.out
    assert run("lab", "--list").out == found.out
    listed = run("lab", "--format", "json").json["experiments"]
    assert [each["name"] for each in listed] == [each.name for each in EXPERIMENTS]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("degradtion", "there is no experiment `degradtion`; did you mean `degradation`?"),
        ("degradation", "name it with `-o FOLDER`"),
        ("-o out", "name an experiment: degradation, ablate"),
        ("degradation -o out --over lr=1", "`degradation` does not take `--over`, which is for `ablate`"),
        ("ablate a b -o out", "`ablate` takes one SPEC, got 2"),
        ("degradation -o out --plain 3,x", "`--plain` takes whole numbers such as 3,9, got the text 'x'"),
        ("degradation -o out --plain 0", "`--plain` takes a whole number from 1 to 1000, got 0"),
        ("stochastic -o out --drop 2", "`--drop` takes numbers from 0.01 to 0.99, got 2"),
        ("stochastic -o out --draws 2,3", "`--draws` takes one number, got the text '2,3'"),
        ("ablate -o out --preset nrom", "`--preset` takes one of shortcuts, norm, orders, got the text 'nrom'"),
        ("ablate -o out --trainer epoch=3", "training has no setting `epoch`; did you mean `epochs`?"),
        ("ablate -o out --trainer epochs", "`--trainer epochs` sets nothing; write `--trainer KEY=VALUE`"),
        ("ablate -o out --trainer epochs=x", "`epochs` takes a whole number"),
        ("ablate -o out --seeds 0", "Invalid value for '--seeds'"),
    ],
)
def test_wrong_usage_is_said_and_nothing_is_written(arguments: str, said: str, here: Path, run: Run) -> None:
    found = run("lab", *shlex.split(arguments))
    assert (found.status, found.out) == (2, "")
    assert said in found.err
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ("degradation -o .", 3, "error[E890]: `.` cannot be the folder of an experiment: it contains `mine.txt`"),
        ("degradation -o out --data digit", 2, "error[E860]"),
        ("degradation -o out --engine locl", 2, "error[E883]"),
        ("degradation -o out --address host:1", 2, "error[E885]"),
        ("degradation -o out --engine ray --address host", 2, "error[E885]"),
        ("degradation -o no/out", 3, "make it with `mkdir -p no`"),
        ("degradation -o mine.txt/out", 3, "`mine.txt` is not a folder"),
        ("lesion resnet20_cifar --weights no.safetensors --train -o out", 2, "error[E874]"),
        ("lesion resnet20_cifar --map map.json -o out", 2, "error[E874]"),
        ("degradation nosuch -o out", 1, "error[E801]"),
        ("ablate -o out --over shrtcut=a,b", 1, "--over:1:1: error[E201]: unknown key `shrtcut`"),
        ("ablate -o out --over lr", 2, "write `--over KEY=V1,V2`"),
        ("degradation -o out --set clases=3", 1, "--set:1:1: error[E201]: unknown key `clases`"),
    ],
)
def test_faults_come_before_any_training(arguments: str, status: int, said: str, here: Path, run: Run) -> None:
    (here / "mine.txt").write_text("mine")
    found = run("lab", *shlex.split(arguments))
    assert (found.status, found.out) == (status, "")
    assert said in found.err
    assert [path.name for path in here.iterdir()] == ["mine.txt"]


def test_an_experiment_prints_its_tables_and_its_verdicts(here: Path, run: Run) -> None:
    arguments = [
        "lab",
        "ablate",
        "--over",
        "shortcut=zero-pad,none",
        "--set",
        "stages.count=1",
        "--trainer",
        "epochs=1",
    ]
    found = run(*arguments, "--seeds", "1", "-o", "out")
    assert (found.status, found.err) == (0, "")
    assert "shortcut=none" in found.out
    assert found.out.rstrip().endswith("Next: read `out/report.md`, which says what to look for.")
    data = json.loads((here / "out" / "results.json").read_text())
    assert shlex.split(data["command"]) == [
        *("archspec", "lab", "ablate", "--over", "shortcut=zero-pad,none", "--seeds", "1", "--data", "digits"),
        *("--trainer", "epochs=1", "--set", "stages.count=1"),
    ]
    again = run(*arguments, "--seeds", "1", "-o", "out", "--format", "json")
    assert again.json == data


def test_every_option_of_the_table_is_named_as_it_is_written(here: Path, run: Run) -> None:
    """A wrong value is said of `--path-images`, and not of `path_images`, which is its name in Python."""
    for experiment in EXPERIMENTS:
        for option in experiment.options:
            if option.takes in ("whole", "wholes", "number", "word"):
                name = f"--{option.name.replace('_', '-')}"
                found = run("lab", experiment.name, name, "x", "-o", "out")
                assert found.status == 2
                assert f"`{name}` takes" in found.err
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("module", "arguments", "says"),
    [
        (
            "lab",
            ["lab", "degradation", "-o", "out"],
            "run the same command again to continue; `out` keeps what is done, 1 of 2",
        ),
        ("train", ["train", "resnet20_cifar"], "with `--checkpoint FILE --resume`, the same command continues"),
        (
            "train",
            ["train", "resnet20_cifar", "--checkpoint", "c"],
            "run the same command again; no epoch was complete",
        ),
    ],
)
def test_an_interrupt_says_how_to_go_on(
    module: str, arguments: list[str], says: str, here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes after the first of two runs, or in the first epoch."""

    def interrupted(*_: Any, progress: Callable[[GridProgress], None], **how: Any) -> None:
        if module == "lab":
            progress(GridProgress(1, 2, 0, 1.0, 1.0))
        raise KeyboardInterrupt

    if module == "lab":
        monkeypatch.setattr(Experiment, "load", lambda self: interrupted)
    else:
        monkeypatch.setattr("archspec.lab.training.train", interrupted)
    found = run(*arguments)
    assert (found.status, found.err.splitlines()[-2:][0]) == (130, "archspec: interrupted")
    assert says in found.err


def test_an_interrupt_names_the_checkpoint_that_continues(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **how: Any) -> None:
        (here / "c").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("archspec.lab.training.train", interrupted)
    assert (
        "run the same command with `--resume`; `c` has the training"
        in run("train", "resnet20_cifar", "--checkpoint", "c").err
    )


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda each: each.name)
def test_the_help_of_an_experiment_has_its_example_and_its_options_alone(experiment: Experiment, run: Run) -> None:
    found = run("lab", experiment.name, "--help")
    assert found.status == 0
    assert f"archspec lab {experiment.example}" in found.out
    shown = {line.split()[0] for line in found.out.splitlines() if line.startswith("  --")}
    own = {f"--{option.name.replace('_', '-')}" for option in experiment.options}
    every = {f"--{name.replace('_', '-')}" for name in options()}
    assert shown & every == own
    assert {"--seeds", "--size", "--set"} <= shown
    assert every <= {line.split()[0] for line in run("lab", "--help").out.splitlines() if line.startswith("  --")}
