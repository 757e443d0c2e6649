"""The experiments at their smallest: what they compare, what they keep, and what they refuse."""

from __future__ import annotations

import inspect
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import archspec
from archspec import EnvironmentFault, SpecError, lab
from archspec.lab.experiments.asking import ExperimentArguments
from archspec.lab.experiments.experiment import Experiment
from archspec.lab.experiments.experiments import EXPERIMENTS, by_name
from archspec.lab.experiments.over import axes, grid, texts_of
from archspec.lab.results.number import Number
from archspec.lab.results.schema import results_schema
from archspec.lab.results.table import ResultTable
from archspec.screen import Screen, TextTable, lines
from tests.support.paths import ROOT
from tests.tools.lab import publish, run

TINY: dict[str, Any] = {"seeds": 1, "jobs": 0, "trainer": {"epochs": 1, "batch": 256}, "overrides": ["stages.count=1"]}
SHALLOW: dict[str, Any] = {**TINY, "plain": [1], "residual": [1], "overrides": []}


FAST = ("degradation", "shortcuts", "stochastic")


@pytest.mark.parametrize(
    ("experiment", "name"),
    [
        pytest.param(each, name, id=name, marks=[] if name in FAST else [pytest.mark.slow])
        for each in EXPERIMENTS
        for name in each.shown
    ],
)
def test_the_smallest_form_writes_a_whole_folder(experiment: Experiment, name: str, tmp_path: Path) -> None:
    """Every run of ``make lab``, which is not repeated elsewhere, and the names of the figures that it makes."""
    folder = tmp_path / "run"
    results = run(experiment, name, folder, jobs=0, smallest=True)
    publish(name, folder, tmp_path / "figures")
    shown = {path.name for path in (ROOT / "docs" / "learn" / "figures").glob(f"{name}-*.svg")}
    assert shown
    assert shown <= {path.name for path in (tmp_path / "figures").iterdir()}
    data = json.loads((folder / "results.json").read_text())
    Draft202012Validator(results_schema()).validate(data)
    assert data == results.as_data()
    files = {"report.md", "results.json", "cells", *(f"{table.name}.csv" for table in results.tables)}
    files |= {name for figure in data["figures"] for name in figure["files"]}
    assert {path.name for path in folder.iterdir()} == files
    assert results.plots
    assert results.tables
    for network in results.networks:
        assert archspec.compile(network.spec).fingerprint == network.fingerprint
    assert data["command"].startswith(f"archspec lab {experiment.name} ")
    for table in results.tables:
        if table.brief and "preset" not in experiment.shown[name]:  # whose rows name all keys of a grid
            assert fits(table, 80), table.name


def fits(table: ResultTable, width: int) -> bool:
    """Whether a table keeps its columns on a screen, with the head above them."""
    rows = [tuple(column.title for column in table.columns), *table.texts]
    how: dict[str, Any] = {"right": table.numeric, "spare": table.spare}
    head, *shown = lines([TextTable(rows, header=True, fold=True, **how)], Screen(width=width, person=True))
    return head.startswith(table.columns[0].title) and max(map(len, (head, *shown))) <= width


def test_every_experiment_is_a_function_of_the_lab() -> None:
    for name, experiment in by_name().items():
        assert getattr(lab, name) is experiment.load()
        assert set(experiment.smallest) - {"seeds", "trainer", "overrides", "spec", "data"} <= {
            option.name for option in experiment.options
        }


def test_the_lab_lists_its_experiments_without_importing_them() -> None:
    assert {*lab.__all__} <= {*dir(lab)}
    code = "import sys, archspec.lab; dir(archspec.lab); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("name", by_name())
def test_what_all_experiments_take_is_in_the_help_of_each(name: str) -> None:
    function = getattr(lab, name)
    parameters = inspect.signature(function).parameters
    for argument in ExperimentArguments.__annotations__:
        assert parameters[argument].kind is inspect.Parameter.KEYWORD_ONLY
        assert f"\n        {argument}: " in function.__doc__
    assert parameters["seeds"].default == by_name()[name].seeds
    with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument `seed`; did you mean `seeds`"):
        function(seed=3)


@pytest.mark.slow
def test_a_grid_that_is_killed_twice_and_resumed_gives_the_same_file(tmp_path: Path) -> None:
    code = (
        "import sys; from archspec import lab\n"
        "lab.degradation(plain=[1], residual=[1], seeds=2, jobs=0, "
        "trainer={'epochs': 1, 'batch': 256}, folder=sys.argv[1])"
    )
    folder = tmp_path / "killed"
    for done in (1, 2):
        process = subprocess.Popen(
            [sys.executable, "-c", code, folder], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        end = time.monotonic() + 300
        while len(list(folder.glob("cells/????????????????????????????????.json"))) < done:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (folder / "results.json").exists()
    lab.degradation(**{**SHALLOW, "seeds": 2}, folder=folder)
    lab.degradation(**{**SHALLOW, "seeds": 2}, folder=tmp_path / "whole")
    for name in ("results.json", "report.md", "networks.csv", "curves.svg"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_run_whose_loss_is_not_finite_is_said_and_the_others_are_kept(tmp_path: Path) -> None:
    found = lab.ablate(over={"lr": [0.05, 1e30]}, **TINY, folder=tmp_path)
    (lost,) = found.lost
    assert (lost.label, lost.seed, lost.diverged) == ("lr=1e+30", 0, True)
    step = lost.reason.partition("at step ")[2].partition(",")[0]
    assert 1 <= int(step) <= 5
    assert found.table("networks").column("diverged") == ("0 of 1", "1 of 1")
    good, bad = found.table("networks").column("test_accuracy")
    assert isinstance(good, Number)
    assert isinstance(bad, Number)
    assert (good.n, bad.n) == (1, 0)
    assert f"not finite at step {step}" in (tmp_path / "report.md").read_text()


def test_more_seeds_in_the_same_folder_keep_the_runs_that_are_done(tmp_path: Path) -> None:
    lab.degradation(**SHALLOW, folder=tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cells/????????*.json")}
    lab.degradation(**{**SHALLOW, "seeds": 2}, folder=tmp_path)
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cells/????????*.json")}
    assert before.items() < after.items()
    assert len(after) == len(before) + 2
    (tmp_path / "results.json").unlink()
    (tmp_path / "results.json").mkdir()
    with pytest.raises(EnvironmentFault, match=r"E806.*it is a folder") as raised:
        lab.degradation(**SHALLOW, folder=tmp_path)
    assert "run the same again: all runs are done and kept" in raised.value.diagnostic.help


def test_differences_are_paired_by_seed_and_by_the_other_keys() -> None:
    found = lab.ablate(over=["shortcut=zero-pad,none", "lr=0.02,0.05"], **{**TINY, "seeds": 2})
    networks: dict[str, Any] = {
        str(name): row
        for name, row in zip(found.table("networks").column("network"), found.table("networks").rows, strict=True)
    }
    names = [column.name for column in found.table("networks").columns]
    loss = {name: row[names.index("loss")].values for name, row in networks.items()}
    compared = {(row[0], row[1], row[3]): row for row in found.table("comparison").rows}
    assert compared.keys() == {
        ("shortcut", "none", "lr=0.02"),
        ("shortcut", "none", "lr=0.05"),
        ("lr", "0.05", "shortcut=zero-pad"),
        ("lr", "0.05", "shortcut=none"),
    }
    pairs = zip(loss["shortcut=none, lr=0.05"], loss["shortcut=zero-pad, lr=0.05"], strict=True)
    by_hand = [one - other for one, other in pairs]
    number = compared["shortcut", "none", "lr=0.05"][6]
    assert isinstance(number, Number)
    assert number.values == pytest.approx(by_hand)
    assert number.mean == pytest.approx(statistics.fmean(by_hand))


def test_equal_networks_of_two_experiments_are_equal(tmp_path: Path) -> None:
    """A residual network of `degradation` is the one of `ablate`: nothing but spec, training, data and seed decides."""
    one = lab.degradation(**SHALLOW).table("networks").column("test_accuracy")[1]
    table = lab.ablate(over={"shortcut": ["zero-pad"]}, **TINY).table("networks")
    assert fits(table, 80)
    other = table.column("test_accuracy")[0]
    assert isinstance(one, Number)
    assert isinstance(other, Number)
    assert one.values == other.values


def test_sub_networks_without_blocks_are_those_of_the_whole_network() -> None:
    found = lab.stochastic(**{**TINY, "overrides": ["stages.count=2"]}, deleted=[1, 4], draws=2, drop=0.2)
    table = found.table("subnetworks")
    assert table.column("deleted") == (0, 1, 4, 0, 1, 4)
    for worst, mean, best in zip(*(table.column(name) for name in ("worst", "accuracy", "best")), strict=True):
        values = [each.mean for each in (worst, mean, best) if isinstance(each, Number)]
        assert values == sorted(values, key=lambda value: value or 0.0)
    whole, _, all_four = table.column("accuracy")[:3]
    assert isinstance(all_four, Number)
    assert whole == found.table("networks").column("test_accuracy")[0]


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "code", "said"),
    [
        ((), "E891", "no key to vary"),
        (("shortcut",), "E891", "does not give a key and its values"),
        (("shortcut=",), "E891", "does not give a key and its values"),
        (("shortcut=none,,identity",), "E891", "does not give a key and its values"),
        (("=1,2",), "E891", "does not give a key and its values"),
        (("shortcut=none,none",), "E891", "is given twice"),
        (("lr=0.1", "lr=0.2"), "E891", "is given twice"),
        (("lr=0.1,fast",), "E891", "`lr` takes a number, got the text 'fast'"),
        (("batch=0",), "E891", "`batch` takes a whole number"),
        (("optimizer=adam",), "E891", "takes one of sgd, adamw"),
        (("lr=" + ",".join(map(str, range(1, 1002))),), "E891", "1,001 networks"),
        (("shrtcut=none,identity",), "E201", "unknown key `shrtcut`"),
        (("stages.count=1,0",), "E501", "must be at least 1"),
    ],
)
def test_what_is_not_a_grid(over: tuple[str, ...], code: str, said: str) -> None:
    with pytest.raises(SpecError) as raised:
        lab.ablate(over=over, **{**TINY, "overrides": []})
    (fault,) = raised.value.diagnostics
    assert (fault.code, said in fault.message) == (code, True), fault.message
    assert fault.span is not None


def test_a_value_that_makes_the_spec_invalid_names_the_network() -> None:
    with pytest.raises(SpecError) as raised:
        lab.ablate(over=["lr=0.1,0.2", "shortcut=zero-pad,projektion"], **TINY)
    (fault,) = raised.value.diagnostics
    assert (str(fault.span), fault.hint) == ("--over:1:10", "did you mean `projection`?")
    assert fault.notes == ("in the network `lr=0.1, shortcut=projektion` of the experiment",)


def test_a_preset_has_its_own_grid() -> None:
    with pytest.raises(SpecError, match="E891"):
        lab.ablate(over=["lr=0.1"], preset="norm")
    with pytest.raises(ValueError, match="`preset` takes one of shortcuts, norm, orders, got the text 'nrom'"):
        lab.ablate(preset="nrom")


def test_more_blocks_than_there_are_cannot_be_deleted() -> None:
    with pytest.raises(SpecError, match=r"E893.*has 1 residual block"):
        lab.stochastic(**TINY, deleted=[9])


def test_a_spec_whose_imports_have_taken_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blocks.yaml").write_text("archspec: 1\nfragments: {deep: {steps: [conv: {out: 8, kernel: 3}]}}\n")
    spec = tmp_path / "mine.yaml"
    spec.write_text("archspec: 1\nname: mine\nextends: resnet20_cifar\nimport: blocks.yaml\n")
    with pytest.raises(SpecError, match="E892"):
        lab.ablate(spec, over=["lr=0.1"], **TINY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seeds": 0},
        {"seeds": "3"},
        {"data": 3},
        {"trainer": {"epoch": 2}},
        {"trainer": {"epochs": 0}},
        {"trainer": [1]},
        {"plain": 3},
        {"plain": [0]},
        {"plain": "3"},
        {"residual": [1.5]},
        {"overrides": "stages.count=1"},
        {"allow_outside": 1},
        {"folder": 3},
    ],
    ids=str,
)
def test_wrong_arguments_are_said(wrong: Mapping[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises((TypeError, ValueError), match=f"`{name.rstrip('s')}|`epochs`"):
        lab.degradation(**{**SHALLOW, **wrong})


def test_a_grid_in_python_is_the_one_of_the_command_line() -> None:
    over = {"stages.channels": [[8, 16, 32], [16, 32, 64]], "lr": [0.1, 1], "norm": [{"type": "group", "groups": 4}]}
    found = axes(texts_of(over))
    assert [axis.values for axis in found] == [
        ("[8, 16, 32]", "[16, 32, 64]"),
        ("0.1", "1"),
        ("{type: group, groups: 4}",),
    ]
    points = grid(found)
    assert len(points) == 4
    assert points[1].settings == {"lr": 1}
    assert [source.text for source in points[1].overrides] == [
        "stages.channels=[8, 16, 32]",
        "norm={type: group, groups: 4}",
    ]


@pytest.mark.slow
def test_signs_of_the_literature_come_out() -> None:
    """One seed of the defaults: a deep plain network fits worse, and a 1x1 convolution on every shortcut hurts."""
    found = lab.degradation(plain=[3, 9], residual=[9], seeds=1, jobs=2)
    shallow, deep, residual = (
        each.mean or 0.0 for each in found.table("networks").column("train_accuracy") if isinstance(each, Number)
    )
    assert shallow > 0.95
    assert deep < 0.6
    assert residual > 0.98
    (a, c) = (
        each.mean or 0.0
        for each in lab.ablate(over=["shortcut=zero-pad,projection-all"], seeds=1, jobs=2)
        .table("networks")
        .column("loss")
        if isinstance(each, Number)
    )
    assert a < 0.05
    assert c > 0.3


@pytest.mark.parametrize(
    ("experiment", "option"),
    [(each, option) for each in EXPERIMENTS for option in each.options if option.takes in ("wholes", "numbers")],
    ids=lambda value: value.name,
)
def test_no_list_of_numbers_has_one_twice(experiment: Experiment, option: Any) -> None:
    """Two networks would have one label, and a claim would compare a network with itself."""
    with pytest.raises(ValueError, match=f"`{option.name}` takes each number once, got 2 twice"):
        getattr(lab, experiment.name)(**{option.name: [2, 3, 2]}, seeds=1, jobs=0)


def test_degradation_without_networks_is_refused() -> None:
    with pytest.raises(ValueError, match="`plain` and `residual` are both empty"):
        lab.degradation(plain=[], residual=[], seeds=1, jobs=0)
