"""`archspec analyze`: text, JSON, CSV and Markdown; several specs; faults and wrong usage; terminals."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path

import pytest

from archspec.language.text.locate import zoo_names

from . import process
from .conftest import SMALL, Run

PLACES = {
    "": "spec file name input output convention totals memory receptive_field paths stages outside unavailable "
    "diagnostics",
    "totals": "params trainable buffers macs flops activations activations_without_global_pools elementwise layers "
    "nodes params_by_operation params_in_training_only flops_per_byte",
    "memory": "batch dtype weights_bytes buffers_bytes input_bytes inference_peak_bytes inference_peak_at "
    "saved_for_backward_bytes training_sgd_bytes training_adam_bytes",
    "receptive_field": "size stride center at gates_left_out",
    "paths": "residual_blocks skip_paths log2_skip_paths graph_paths gates_counted length_in_blocks length_in_layers",
}
LENGTHS = "min max mean std counts"
PART = "name block count output params trainable buffers macs flops activations elementwise"


def test_json_has_its_keys_in_their_places(run: Run) -> None:
    """The figures of ResNet-50 are torchvision's, torch's and the papers'."""
    found = run("analyze", "resnet50", "--format", "json")
    assert (found.status, found.err) == (0, "")
    data = found.json
    for place, keys in PLACES.items():
        assert set(data[place] if place else data) == set(keys.split()), place
    for key in ("length_in_blocks", "length_in_layers"):
        assert set(data["paths"][key]) == set(LENGTHS.split())
    for row in (*data["stages"], *data["outside"]):
        assert set(row) == set(PART.split())
    assert (data["name"], data["input"], data["output"]) == ("resnet50", [3, 224, 224], [1000])
    totals = data["totals"]
    assert [totals[key] for key in ("params", "trainable", "macs", "flops", "layers")] == [
        *(25_557_032, 25_557_032, 4_089_184_256, 8_178_368_512, 50)
    ]
    assert "multiply-add" in data["convention"]
    assert data["memory"]["inference_peak_bytes"] == 9_633_792
    assert data["memory"]["saved_for_backward_bytes"] == 86_121_984
    assert (data["receptive_field"]["size"], data["receptive_field"]["stride"]) == (427, 32)
    assert (data["paths"]["skip_paths"], data["paths"]["length_in_layers"]["mean"]) == (65_536, 28.0)
    assert [row["name"] for row in data["outside"]] == ["stem", "head"]
    assert (data["unavailable"], data["diagnostics"]) == ({}, [])
    assert found.out.isascii()


def test_none_of_the_zoo_has_a_cost_that_is_unavailable(run: Run) -> None:
    found = run("analyze", *zoo_names(), "--format", "json")
    assert [each["name"] for each in found.json] == zoo_names()
    assert all(each["unavailable"] == {} for each in found.json)
    assert "null" not in found.out


def test_one_spec_is_an_object_and_several_are_a_list(here: Path, run: Run) -> None:
    assert run("analyze", "resnet18", "--format", "json").json["name"] == "resnet18"
    assert [each["name"] for each in run("analyze", "resnet18", "resnet18", "--format", "json").json] == [
        *("resnet18", "resnet18")
    ]
    Path("specs").mkdir()
    for name in ("a", "b"):
        Path("specs", f"{name}.yaml").write_text(SMALL.replace("name: small", f"name: {name}"))
    Path("specs/mine.yaml").write_text("archspec: 1\nblocks: {mine: {residual: [act]}}\n")
    found = run("analyze", "specs", "--format", "csv")
    assert (found.status, [line.split(",")[0] for line in found.out.splitlines()]) == (0, ["name", "a", "b"])
    assert found.err == ""


def test_rows_of_blocks_and_layers(run: Run) -> None:
    blocks = run("analyze", "resnet18", "--per", "block", "--format", "json").json["blocks"]
    assert [block["name"] for block in blocks] == [f"layer{i}.{j}" for i in range(1, 5) for j in range(2)]
    layers = run("analyze", "resnet18", "--per", "layer", "--format", "json").json["layers"]
    assert len(layers) == 69
    assert layers[0] == {
        "name": "conv1",
        "block": "conv",
        "count": 0,
        "output": [64, 112, 112],
        "params": 9408,
        "trainable": 9408,
        "buffers": 0,
        "macs": 118_013_952,
        "flops": 236_027_904,
        "activations": 802_816,
        "elementwise": 0,
    }


def test_the_text_has_totals_stages_and_paths(run: Run) -> None:
    found = run("analyze", "resnet50")
    assert (found.status, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[0] == "resnet50: 3x224x224 to 1000"
    told = {re.split(r"  +", line)[0]: line for line in lines if "  " in line}
    for name, figure in {
        "parameters": "25,557,032",
        "MACs": "4.09 G  8.18 G FLOPs",
        "layers": " 50 ",
        "inference peak": "9.63 MB",
        "saved for backward": "86.1 MB",
        "receptive field": "427  stride 32",
        "skip paths": "65,536  2^16, from 16 skip connections",
        "layer4": "58.6%",
        "total": "100.0%",
    }.items():
        assert figure in told[name], name
    assert "one multiply-add as one, without biases; FLOPs are twice the MACs" in lines[-2]
    assert "activation functions held fixed" in lines[-1]


def test_rows_of_blocks_and_what_stands_elsewhere_make_the_total(run: Run) -> None:
    """Outside its blocks, ResNet-18 has a 7x7 convolution of 3 to 64 channels, a norm, and 512 to 1000 classes."""
    rows = [re.split(r"  +", line) for line in run("analyze", "resnet18", "--per", "block").out.splitlines()]
    blocks = [row for row in rows if row[0].startswith("layer") and len(row) > 3]
    (rest,) = [row for row in rows if row[0] == "elsewhere"]
    assert rest[1] == f"{3 * 64 * 49 + 2 * 64 + 512 * 1000 + 1000:,}"
    params = [int(row[3].replace(",", "")) for row in blocks]
    assert (len(params), sum(params)) == (8, 11_689_512 - int(rest[1].replace(",", "")))
    shares = [float(row[4].rstrip("%")) for row in blocks] + [float(rest[2].rstrip("%"))]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert "elsewhere" not in run("analyze", "resnet18").out
    everything = "archspec: 1\nname: all\ninput: [1, 2]\nstem: []\nhead: []\nstages: {block: b, count: 2}\n"
    everything += "blocks: {b: {steps: [conv: {out: 1}]}}\n"
    assert "elsewhere" not in run("analyze", "-", "--per", "block", stdin=everything).out


def test_rows_of_layers_name_operations(run: Run) -> None:
    header = [line.split()[:2] for line in run("analyze", "resnet18", "--per", "layer").out.splitlines()]
    assert ["operation", "output"] in header
    assert ["block", "output"] not in header


def test_flops_for_each_byte_have_three_digits(run: Run) -> None:
    """ResNet-18 has 31.03."""
    assert "3.63 G FLOPs, 31.0 FLOPs per byte moved" in run("analyze", "resnet18").out


def test_what_is_frozen_is_told(run: Run) -> None:
    """layer1 of ResNet-18 is four 3x3 convolutions of 64 to 64 channels, and four norms of 2 * 64."""
    data = run("analyze", "resnet18", "--frozen", "layer1", "--format", "json").json
    assert data["totals"]["params"] - data["totals"]["trainable"] == 4 * (64 * 64 * 9 + 2 * 64)
    assert [stage["trainable"] == stage["params"] for stage in data["stages"]] == [False, True, True, True]
    assert "147,968 of them frozen" in run("analyze", "resnet18", "--frozen", "layer1").out


def test_lengths_that_no_path_has_leave_no_gaps_in_a_histogram(run: Run) -> None:
    """Each of 27 blocks adds two layers or none."""
    layers, blocks = (line.split() for line in run("analyze", "resnet56_cifar").out.splitlines() if "█" in line)
    assert layers == ["2", blocks[1], "56"]
    assert (blocks[0], len(blocks[1]), blocks[2]) == ("0", 28, "27")


def test_the_histogram_of_lengths(run: Run) -> None:
    """54 blocks: C(54, k) paths of k, 98.017 % of them in 19 to 35 (Veit et al. 2016). 2 to 110 layers, 2 a block."""
    lines = run("analyze", "preact_resnet110_cifar").out.splitlines()
    layers, blocks = (line for line in lines if "█" in line)
    counts = [math.comb(54, k) for k in range(55)]
    bars = "".join("▁▂▃▄▅▆▇█"[min(8 * count // max(counts), 7)] for count in counts)
    assert layers == f"  2 {bars} 110"
    assert blocks == f"  0 {bars} 54"
    assert "98.017% of the paths take 19 to 35 of the 54 branches" in lines
    assert any(line.endswith("0 to 54, mean 27.0, deviation 3.67") for line in lines)
    assert not any("█" in line for line in run("analyze", "plain56_cifar").out.splitlines())


def test_above_2000_blocks_the_text_says_how_to_have_the_lengths(run: Run) -> None:
    deep = (
        "archspec: 1\nname: deep\ninput: [1, 2]\nstem: []\nhead: []\nstages: {block: tiny, count: 2001}\n"
        "blocks: {tiny: {residual: [conv: {out: 1}]}}\n"
    )
    found = run("analyze", "-", stdin=deep)
    assert (found.status, found.err) == (0, "")
    assert "2^2001  from 2,001 skip connections" in found.out
    assert "0 to 2,001, mean 1,000.5, deviation 22.37" in found.out
    assert "`--lengths` counts the paths of each length" in found.out
    assert "█" not in found.out
    assert "█" in run("analyze", "-", "--lengths", stdin=deep).out
    assert re.search(r"^layer1  tiny  +2,001  +1x2  +2,001 ", found.out, re.MULTILINE)  # one weight each, no buffers
    assert "buffers" not in found.out


GATED = """\
archspec: 1
name: gated
input: [3, 8, 8]
classes: 5
stem: cifar
stages: {block: bottleneck, count: 3, channels: 4, se: 0.25}
"""


def test_gates_are_no_paths_unless_they_are_asked_for(run: Run) -> None:
    """With its gate, a block has three ways: the shortcut, the residual, and the residual through the gate."""
    found = run("analyze", "-", "--format", "json", stdin=GATED).json
    assert (found["paths"]["skip_paths"], found["paths"]["gates_counted"]) == (2**3, False)
    assert found["receptive_field"]["gates_left_out"] == 3
    found = run("analyze", "-", "--gates", "--format", "json", stdin=GATED).json
    assert (found["paths"]["skip_paths"], found["paths"]["gates_counted"]) == (3**3, True)
    assert "The receptive field leaves out the gates" in run("analyze", "-", stdin=GATED).out
    assert "The paths through gates are counted." in run("analyze", "-", "--gates", stdin=GATED).out


def test_outputs_have_paths_of_their_own(small: Path, run: Run) -> None:
    small.write_text(SMALL + "outputs: [layer1, layer2]\n")
    found = run("analyze", "small.yaml", "--format", "json").json
    assert {label: output["paths"]["skip_paths"] for label, output in found["outputs"].items()} == {
        "layer1": 2,
        "layer2": 4,
    }
    text = run("analyze", "small.yaml").out
    assert "skip paths (layer1) by the layers" in text
    assert re.search(r"skip paths \(layer2\) +4 ", text)


# -- other forms -------------------------------------------------------------------------------------------------------


def table(text: str) -> list[list[str]]:
    """The rows of a Markdown table, without the line below the header."""
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines()]
    assert all(re.fullmatch(r"---:?", cell) for cell in rows[1])
    assert {len(row) for row in rows} == {len(rows[0])}
    return [rows[0], *rows[2:]]


@pytest.mark.parametrize("per", ["stage", "block", "layer"])
def test_csv_and_markdown_have_the_same_rows(per: str, run: Run) -> None:
    written = run("analyze", "resnet18", "resnet50", "--per", per, "--format", "csv")
    rows = list(csv.reader(io.StringIO(written.out)))
    assert table(run("analyze", "resnet18", "resnet50", "--per", per, "--format", "markdown").out) == rows
    assert rows[0] == ["spec", *PART.split()]
    if per != "block":  # stem and head are no blocks
        macs = {"resnet18": 1_814_073_344, "resnet50": 4_089_184_256}
        for name, total in macs.items():
            assert sum(int(row[8]) for row in rows[1:] if row[0] == name) == total


def test_one_spec_has_no_column_for_its_name(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("analyze", "resnet18", "--format", "csv").out)))
    assert list(rows[0]) == PART.split()
    assert [row["output"] for row in rows] == ["64x56x56", "64x56x56", "128x28x28", "256x14x14", "512x7x7", "1000"]


def test_several_specs_are_compared_in_one_table(run: Run) -> None:
    names = ["resnet18", "resnet50", "preact_resnet110_cifar"]
    rows = list(csv.DictReader(io.StringIO(run("analyze", *names, "--format", "csv").out)))
    assert [row["name"] for row in rows] == names
    assert [row["params"] for row in rows][:2] == ["11689512", "25557032"]
    assert [row["macs"] for row in rows][:2] == ["1814073344", "4089184256"]
    assert [row["skip_paths"] for row in rows] == [str(2**8), str(2**16), "18014398509481984"]
    assert [row["receptive_field"] for row in rows][:2] == ["435", "427"]
    assert [row["input"] for row in rows] == ["3x224x224", "3x224x224", "3x32x32"]  # figures of each are for its own
    assert table(run("analyze", *names, "--format", "markdown").out)[0] == list(rows[0])
    text = run("analyze", *names).out.splitlines()
    assert [line.split()[0] for line in text[1:4]] == names
    assert [re.search(r"2\^\d+", line)[0] for line in text[1:4]] == ["2^8", "2^16", "2^54"]
    assert [line.split()[1] for line in text[1:4]] == ["3x224x224", "3x224x224", "3x32x32"]
    assert "multiply-add" in "".join(text[4:])
    assert "The receptive field is in pixels" in text[-1]


# -- faults and usage --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--input", "3,8,8"], "`3x320x320`"),
        (["--input", "3x0x8"], "at least 1"),
        (["--input", "8"], "`3x320x320`"),
        (["--input", "3x8x8x8x8"], "`3x320x320`"),
        (["--dtype", "float31"], "did you mean `float32`?"),
        (["--per", "stages"], "did you mean `stage`?"),
        (["--format", "jso"], "did you mean `json`?"),
        (["--batch", "0"], "--batch"),
        (["--batch", "many"], "--batch"),
        (["--frozn", "layer1"], "--frozen"),
        (["-", "-"], "read only once"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage(arguments: list[str], told: str, run: Run) -> None:
    found = run("analyze", "resnet18", *arguments)
    assert (found.status, found.out) == (2, "")
    assert told in found.err


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["resnet18", "--input", "320x320"], "--input:1:1: error[E506]"),
        (["resnet18", "--frozen", "layr1"], "--frozen:1:1: error[E310]"),
        (["resnet18", "--set", "stages.chanels=3"], "--set:1:8: error[E301]"),
        (["resnet17"], "error[E801]"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_spec_at_fault(arguments: list[str], start: str, run: Run) -> None:
    found = run("analyze", *arguments)
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith(start)
    found = run("analyze", *arguments, "--format", "json")
    assert (found.status, found.err) == (1, "")
    assert (found.json["valid"], found.json["spec"]) == (False, arguments[0])
    assert [each["code"] for each in found.json["diagnostics"]] == [start[-5:-1]]


def test_an_input_too_small_for_the_net_shows_the_shapes_at_the_line(small: Path, run: Run) -> None:
    small.write_text(SMALL + "head: [conv: {out: 5, kernel: 4}, flatten]\n")
    assert run("analyze", "small.yaml").status == 0
    found = run("analyze", "small.yaml", "--input", "3x6x6")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("small.yaml:7:31: error[E502]")
    assert "shapes: input 3x6x6 > conv1 4x6x6 > " in found.err


def test_faults_among_several_specs_leave_the_figures_of_the_others(run: Run) -> None:
    found = run("analyze", "resnet18", "resnet17", "resnet16", "--format", "csv")
    header, row = csv.reader(io.StringIO(found.out))
    assert dict(zip(header, row, strict=True))["params"] == "11689512"
    assert found.status == 1
    assert found.err.count("E801") == 2


def test_warnings_are_told_beside_the_report(run: Run) -> None:
    found = run("analyze", "resnet18", "--input", "3x32x32")
    assert found.status == 0
    assert found.out.startswith("resnet18: 3x32x32")
    assert "warning[W501]" in found.err
    found = run("analyze", "resnet18", "--input", "3x32x32", "--format", "json")
    assert [each["code"] for each in found.json["diagnostics"]] == ["W501"]
    assert found.err == ""


# -- terminals ---------------------------------------------------------------------------------------------------------


def test_on_a_terminal_of_80_columns_nothing_is_folded() -> None:
    status, written = process.on_terminal(["analyze", "resnet50"], columns=80, env={"NO_COLOR": "1"})
    assert (status, "\x1b" in written) == (0, False)
    lines = written.splitlines()
    assert max(map(len, lines)) <= 80
    for word in ("25,557,032", "layer1.0.downsample.1", "bottleneck", "1024x14x14", "activations"):
        assert word in written
    header = next(line.split() for line in lines if line.split()[:1] == ["block"])
    assert header == ["block", "count", "output", "params", "MACs", "share", "activations"]
    _, wide = process.on_terminal(["analyze", "resnet50"], columns=120, env={"NO_COLOR": "1"})
    assert wide.count("share") == 2


def test_on_a_narrow_terminal_every_line_fits() -> None:
    """ResNet-110 has 55 lengths; where these do not fit, a bar stands for several."""
    env = {"NO_COLOR": "1"}
    status, written = process.on_terminal(["analyze", "preact_resnet110_cifar"], columns=50, env=env)
    assert status == 0
    assert max(map(len, written.splitlines())) <= 50
    assert re.search(r"^total +10 +1,727,962 +253 M *$", written, re.MULTILINE)  # no figure is broken
    bars = [re.sub("[^▁▂▃▄▅▆▇█]", "", line) for line in written.splitlines() if "█" in line]
    assert [len(line) for line in bars] == [28, 28]


def test_a_comparison_fits_80_columns_too() -> None:
    status, written = process.on_terminal(["analyze", "resnet50", "preact_resnet110_cifar"], columns=80)
    assert status == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", written)
    assert plain != written  # the header is bold
    assert max(map(len, plain.splitlines())) <= 80
    assert re.search(r"^preact_resnet110_cifar +3x32x32 +1,727,962 .* 2\^54 *$", plain, re.MULTILINE)


def test_bars_fall_back_to_ascii_where_blocks_cannot_be_shown() -> None:
    found = process.archspec("analyze", "resnet18", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert (found.returncode, found.stderr) == (0, b"")
    assert found.stdout.isascii()
    assert b"  0 ..=%b=.. 8" % b"#@#" in found.stdout


@pytest.mark.parametrize("command", [("analyze", "vgg11"), ("diff", "vgg11", "vgg11_bn")])
def test_stages_that_share_a_scope_are_told_apart(run: Run, command: tuple[str, ...]) -> None:
    """All five of VGG's stand in `features`."""
    found = run(*command)
    assert re.findall(r"^ *features \((\d)\)", found.out, re.MULTILINE) == list("12345")
    assert not re.search(r"^ *features  ", found.out, re.MULTILINE)


def test_a_stride_that_is_a_fraction_is_rounded_in_the_text(run: Run) -> None:
    told = run("analyze", "vgg11", "--input", "3x256x224").out
    assert "stride 36.57x32, at avgpool" in told
