"""Numbers with their spread and the rule of the verdicts, against scipy; tables, figures and the folder."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from PIL import Image
from scipy import stats

from archspec.diagnostics import EnvironmentFault
from archspec.lab.results.claim import AGREES, DISAGREES, UNRESOLVED, LiteratureClaim, sampling
from archspec.lab.results.drawing import drawn
from archspec.lab.results.folder import check_folder, write_results
from archspec.lab.results.number import Number, student
from archspec.lab.results.plot import Curve, Plot, PlotPanel
from archspec.lab.results.results import Circumstances, LabNetwork, LostRun, Results
from archspec.lab.results.schema import results_schema
from archspec.lab.results.table import ResultTable, TableColumn

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=12)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 31, 32, 60, 1000])
def test_quantiles_are_those_of_student(n: int) -> None:
    assert student(n) == pytest.approx(stats.t.ppf(0.975, n - 1), rel=2e-3)


@given(VALUES)
def test_the_verdict_is_that_of_a_paired_t_test(values: list[float]) -> None:
    assume(statistics.stdev(values) > 1e-6)
    p = stats.ttest_1samp(values, 0).pvalue
    assume(abs(p - 0.05) > 1e-3)
    mean = statistics.fmean(values)
    wanted = UNRESOLVED if p > 0.05 else AGREES if mean > 0 else DISAGREES
    assert LiteratureClaim("a", "b", "c", Number.of(values)).verdict == wanted


@pytest.mark.parametrize(
    ("values", "error", "verdict"),
    [
        ((0.1,), 0.0, UNRESOLVED),
        ((None, 0.1, None), 0.0, UNRESOLVED),
        ((), 0.0, UNRESOLVED),
        ((0.01, 0.01, 0.01), 0.0, AGREES),
        ((0.01, 0.01, 0.01), 0.007, UNRESOLVED),
        ((-0.02, -0.02, -0.02), 0.007, DISAGREES),
        ((0.0, 0.0, 0.0), 0.0, UNRESOLVED),
    ],
)
def test_the_test_images_widen_the_margin(values: tuple[float | None, ...], error: float, verdict: str) -> None:
    assert LiteratureClaim("a", "b", "c", Number(values), error).verdict == verdict


def test_the_sampling_error_of_accuracies_is_the_binomial_one() -> None:
    one, other = Number((0.9, 0.7)), Number((0.5,))
    assert sampling(one, images=450) == pytest.approx(stats.binom.std(450, 0.8) / 450)
    assert sampling(one, other, images=450) == pytest.approx(
        math.hypot(*(stats.binom.std(450, p) / 450 for p in (0.8, 0.5)))
    )


def test_a_number_that_is_not_finite_is_none() -> None:
    found = Number.of([1.0, math.nan, math.inf, None, 3.0])
    assert found.values == (1.0, None, None, None, 3.0)
    assert (found.mean, found.n, found.deviation) == (2.0, 2, pytest.approx(math.sqrt(2)))
    assert Number.of([]).text() == ""


COLUMNS = (TableColumn("net", "network"), TableColumn("loss", "loss"), TableColumn("note", "note"))
TABLE = ResultTable("nets", "Nets", COLUMNS, (("a,b", Number((1.0, 2.0)), None), ("c", Number((None, None)), "x")))
PLOT = Plot(
    "fig",
    "A figure",
    (
        PlotPanel("lines", "epoch", "loss", (Curve("one", (1, 2), (0.5, Number((0.1, 0.2)))),), log_y=True),
        PlotPanel(
            "marks",
            "",
            "",
            (Curve("two", (0, 1), (Number((1.0, 2.0)), None), 1, marks="points"),),
            categories=("a", "b"),
        ),
        PlotPanel("bars", "", "", (Curve("three", (0,), (Number((1.0,)),), marks="bars"),), level=(0.5, "chance")),
        PlotPanel("logs", "", "", (Curve("four", (0.1, 1.0), (1.0, 2.0), 3, dashed=True),), log_x=True),
    ),
    "look",
)
ABOUT = Circumstances(
    "archspec lab degradation",
    {"name": "digits", "input": [1, 8, 8], "train": 10, "test": 5, "classes": 2, "fingerprint": "f"},
    {"lr": 0.05},
    {"plain": [3]},
    (0, 1),
    {"python": "3"},
)
FOUND = Results(
    "degradation",
    "Degradation",
    "Why?",
    ABOUT,
    (LabNetwork("a", "archspec: 1\n", 10, None, 2, "f"),),
    (TABLE,),
    (LiteratureClaim("deep is good", "a paper", "accuracy", Number((0.1, -0.2))),),
    (replace(PLOT, panels=PLOT.panels[:1]),),
    ("a remark",),
    (LostRun("a", 1, "its loss was not finite at step 7, in epoch 2", diverged=True),),
)


def test_the_folder_has_every_file_and_equal_results_give_equal_bytes(tmp_path: Path) -> None:
    names = {"results.json", "nets.csv", "fig.svg", "fig.png", "report.md"}
    for folder in ("one", "two", "two"):
        (tmp_path / folder).mkdir(exist_ok=True)
        assert set(write_results(FOUND, tmp_path / folder)) == names
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / each).iterdir()} for each in ("one", "two"))
    assert one == two
    assert one.keys() == names
    assert b"<dc:date>" not in one["fig.svg"]
    assert Image.open(io.BytesIO(one["fig.png"])).info.keys() <= {"dpi"}
    rows = list(csv.reader(io.StringIO(one["nets.csv"].decode())))
    assert rows[:2] == [
        ["net", "loss", "loss_deviation", "loss_n", "note"],
        ["a,b", "1.5", str(math.sqrt(0.5)), "2", ""],
    ]
    assert rows[2] == ["c", "", "", "0", "x"]


def test_the_json_fits_its_schema_and_no_other_keys_do() -> None:
    schema = Draft202012Validator(results_schema())
    Draft202012Validator.check_schema(results_schema())
    data = json.loads(json.dumps(FOUND.as_data()))
    schema.validate(data)
    assert data["claims"][0]["verdict"] == UNRESOLVED
    for wrong in ({**data, "more": 1}, {key: value for key, value in data.items() if key != "seeds"}):
        assert not schema.is_valid(wrong)


def test_the_report_says_what_did_not_come_out(tmp_path: Path) -> None:
    write_results(FOUND, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "| deep is good (a paper) | **cannot be resolved with this data** | -0.050 | 1.906 |" in text
    assert "- deep is good (a paper). Measured: " in text
    assert "The effect is -0.050 ± 1.906 (by seed: " in text
    assert "It is closer to 0 than its margin, so chance alone could explain it." in text
    assert "- a, seed 1: its loss was not finite at step 7, in epoch 2" in text
    assert "What to look for: look" in text
    agreed = replace(FOUND, claims=(LiteratureClaim("deep is good", "a paper", "x", Number((0.1, 0.1))),), remarks=())
    write_results(agreed, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "### What agrees here" in text
    for absent in ("What cannot be resolved", "What disagrees", "What this cannot show"):
        assert absent not in text


def test_every_kind_of_mark_is_drawn_the_same_twice() -> None:
    assert drawn(PLOT) == drawn(PLOT)


def test_figures_need_no_color_to_be_read() -> None:
    """Curves differ in dashes or markers, and the ink has the contrast of text on the paper."""
    curves = tuple(Curve(f"curve {i}", (1, 2), (i, i + 1), i) for i in range(8))
    text = drawn(Plot("a", "A", (PlotPanel("", "x", "y", curves),), ""))[".svg"].decode()
    assert all(f">curve {i}<" in text for i in range(8))
    assert text.count('<g id="line2d_') >= 16


@pytest.mark.parametrize("kind", ["file", "strangers"])
def test_a_folder_with_something_else_is_refused(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    if kind == "file":
        folder.write_text("mine")
    else:
        folder.mkdir()
        (folder / "thesis.tex").write_text("mine")
    with pytest.raises(EnvironmentFault, match="E890"):
        check_folder(folder)
    assert len(list(tmp_path.rglob("*"))) == (1 if kind == "file" else 2)


def test_a_folder_that_cannot_take_all_files_keeps_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_results(FOUND, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    real = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name == "results.json":
            raise OSError(28, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(EnvironmentFault, match="no space left on device"):
        write_results(replace(FOUND, title="Another"), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
