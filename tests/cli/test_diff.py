"""`archspec diff`: text and JSON, one spec and its changes, exit status, standard input, terminals."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from . import process
from .conftest import SMALL, Run


def sections(text: str) -> dict[str, list[list[str]]]:
    """The rows of each part of the text, by its heading, as words."""
    head, *parts = text.rstrip("\n").split("\n\n")
    return {
        "": [head.split()],
        **{part.split("\n")[0]: [row.split() for row in part.split("\n")[1:]] for part in parts},
    }


def test_the_text_tells_keys_stages_totals_and_weights(run: Run) -> None:
    """ResNeXt-50 is ResNet-50 with 32 groups of width 4: 25,028,904 parameters, 4,230,479,872 MACs."""
    found = run("diff", "resnet50", "resnext50_32x4d")
    assert (found.status, found.err) == (0, "")
    told = sections(found.out)
    assert told[""] == [["resnet50", "->", "resnext50_32x4d"]]
    assert told["keys"] == [["stages.groups", "1", "->", "32"], ["stages.base_width", "64", "->", "4"]]
    assert [row[0] for row in told["stages"] if row[1] == "params"] == ["layer1", "layer2", "layer3", "layer4"]
    assert told["totals"][0] == ["parameters", "25,557,032", "->", "25,028,904", "-2.1%"]
    assert told["totals"][1] == ["MACs", "4,089,184,256", "->", "4,230,479,872", "+3.5%"]
    assert ["layers", "50", "same"] in told["totals"]
    assert ["skip", "paths", "65,536", "same"] in told["totals"]
    weights = told["weights, by state-dict key"]
    assert ["layer1.0.conv2.weight", "64x64x3x3", "->", "128x4x3x3"] in weights
    assert "  144 keys unchanged" in found.out
    assert "and 164 more, which `--format json` lists" in found.out


def test_one_spec_is_compared_with_what_set_makes_of_it(run: Run) -> None:
    """The last layer alone: 2048 inputs, and a bias, for each class."""
    found = run("diff", "resnet50", "--set", "classes=10")
    assert found.out.splitlines()[0] == "resnet50 -> resnet50 --set classes=10"
    told = sections(found.out)
    assert told["keys"] == [["classes", "1000", "->", "10"]]
    assert told["stages"][0] == ["head", "output", "1000", "->", "10"]
    assert told["totals"][0] == ["parameters", "25,557,032", "->", f"{25_557_032 - 990 * 2049:,}", "-7.9%"]
    assert told["totals"][1][-1] == "-0.05%"
    assert told["weights, by state-dict key"] == [
        ["318", "keys", "unchanged"],
        ["2", "keys", "with", "another", "shape"],
        ["fc.weight", "1000x2048", "->", "10x2048"],
        ["fc.bias", "1000", "->", "10"],
    ]


def test_json_has_everything(run: Run) -> None:
    data = run("diff", "resnet50", "resnext50_32x4d", "--format", "json").json
    assert set(data) == {"specs", "files", "before", "after", "differs", "keys", "stages", "totals", "weights"}
    assert (data["before"], data["after"], data["differs"]) == ("resnet50", "resnext50_32x4d", True)
    assert data["keys"][0] == {"key": "stages.groups", "before": 1, "after": 32}
    stage = data["stages"][3]
    assert stage["name"] == "layer4"
    assert [stage[side]["output"] for side in ("before", "after")] == [[2048, 7, 7]] * 2
    assert data["totals"]["params"] == {"before": 25_557_032, "after": 25_028_904}
    weights = data["weights"]
    assert (len(weights["kept"]), len(weights["reshaped"]), weights["dropped"], weights["new"]) == (144, 176, [], [])
    assert weights["reshaped"]["layer1.0.conv2.weight"] == {"before": [64, 64, 3, 3], "after": [128, 4, 3, 3]}


def test_specs_that_mean_the_same(here: Path, run: Run) -> None:
    Path("rows.yaml").write_text(
        "archspec: 1\nname: rows\ninput: [3, 16, 16]\nclasses: 5\nstem: [conv: {out: 4, kernel: 3}]\nact: relu\n"
        "stages:\n  - {block: basic, count: 1, channels: 4}\n  - {block: basic, count: 1, channels: 8, stride: 2}\n"
    )
    found = run("diff", "rows.yaml", "-", "--exit-code", stdin=SMALL)
    assert (found.status, found.err) == (0, "")
    assert found.out == "rows.yaml -> -\nThere are no differences.\n"
    data = run("diff", "rows.yaml", "-", "--format", "json", stdin=SMALL).json
    assert (data["differs"], data["keys"], data["stages"]) == (False, [], [])


@pytest.mark.parametrize("form", ["text", "json"])
def test_exit_code_is_that_of_git(form: str, run: Run) -> None:
    assert run("diff", "resnet18", "resnet34", "--format", form).status == 0
    assert run("diff", "resnet18", "resnet34", "--exit-code", "--format", form).status == 1
    assert run("diff", "resnet18", "resnet18", "--exit-code", "--format", form).status == 0
    assert run("diff", "resnet18", "--set", "init.conv=normal", "--exit-code", "--format", form).status == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["resnet18"], "--set"),
        ([], "SPEC is missing"),
        (["-"], "--set"),
        (["-", "-"], "read only once"),
        (["-", "--set", "classes=3"], "read only once"),
        (["resnet18", "resnet34", "resnet50"], "resnet50"),
        (["resnet18", "resnet34", "--format", "csv"], "text, json"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else None,
)
def test_wrong_usage(arguments: list[str], told: str, run: Run) -> None:
    found = run("diff", *arguments, stdin=SMALL)
    assert (found.status, found.out) == (2, "")
    assert told in found.err


def test_a_spec_at_fault(run: Run) -> None:
    for arguments, place in (
        (["resnet18", "-"], "<stdin>:6:17: error[E302]"),
        (["-", "resnet18"], "<stdin>:6:17: error[E302]"),
        (["resnet18", "resnet17"], "error[E801]"),
        (["resnet18", "--set", "stages.cuont=3"], "--set:1:8: error[E301]"),
    ):
        found = run("diff", *arguments, stdin=SMALL.replace("basic", "basik"))
        assert (found.status, found.out) == (1, "")
        assert found.err.startswith(place)


def test_a_stage_and_keys_on_one_side_alone(here: Path, run: Run) -> None:
    longer = SMALL.replace("[1, 1]", "[1, 1, 1]").replace("[4, 8]", "[4, 8, 8]").replace("[1, 2]", "[1, 2, 1]")
    Path("longer.yaml").write_text(longer)
    told = sections(run("diff", "-", "longer.yaml", stdin=SMALL).out)
    assert ["stages.channels", "[4,", "8]", "->", "[4,", "8,", "8]"] in told["keys"]
    assert ["layer3", "block", "-", "->", "1", "x", "basic"] in told["stages"]
    assert ["12", "keys", "only", "in", "the", "second", "network"] in told["weights, by state-dict key"]
    told = sections(run("diff", "longer.yaml", "-", stdin=SMALL).out)
    assert ["layer3", "block", "1", "x", "basic", "->", "-"] in told["stages"]
    assert ["12", "keys", "only", "in", "the", "first", "network"] in told["weights, by state-dict key"]


def test_figures_that_percent_does_not_tell(run: Run) -> None:
    """2^27 paths and one; a hundredfold last layer."""
    told = sections(run("diff", "resnet56_cifar", "plain56_cifar").out)
    assert ["skip", "paths", "134,217,728", "->", "1"] in told["totals"]
    told = sections(run("diff", "resnet18", "--set", "classes=10").out)
    assert ["params", "513", "k", "->", "5.13", "k", "/", "100"] in told["stages"]


def test_values_are_shown_as_yaml(small: Path, run: Run) -> None:
    changes = ["norm={type: group, groups: 2}", "stages.before=[null, [act]]", "params={p: true, q: 'no'}"]
    found = run("diff", "small.yaml", *[word for change in changes for word in ("--set", change)])
    assert re.search(r"norm +batch +-> +{type: group, groups: 2}\n", found.out)
    assert re.search(r"stages.before +not set +-> +\[null, \[act\]\]\n", found.out)
    assert re.search(r'params.p +not set +-> +true\n +params.q +not set +-> +"no"\n', found.out)


def test_on_a_terminal_of_80_columns_nothing_is_folded() -> None:
    status, written = process.on_terminal(["diff", "resnet50", "resnet18"], columns=80, env={"NO_COLOR": "1"})
    assert (status, "\x1b" in written) == (0, False)
    assert max(map(len, written.splitlines())) <= 80
    for words in ("3 x bottleneck  ->  2 x basic", "4,089,184,256  ->  1,814,073,344  -55.6%"):
        assert words in written


def test_keys_that_fit_a_narrow_terminal_are_not_folded() -> None:
    _, written = process.on_terminal(["diff", "resnet18", "resnet34"], columns=60, env={"NO_COLOR": "1"})
    keys = [line.strip() for line in written.splitlines() if line.startswith("    layer")]
    assert len(keys) == 12
    assert "layer1.2.bn1.num_batches_tracked" in keys
