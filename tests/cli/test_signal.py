"""`archspec signal`: text, JSON, CSV and a figure; several specs; faults."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import archspec
from tests.cli.conftest import Run


def test_text_has_a_line_for_each_figure(run: Run) -> None:
    found = run("signal", "resnet20_cifar", "plain20_cifar")
    assert found.status == 0
    first, second = found.out.split("\n\n")
    assert [line[:19].rstrip() for line in first.splitlines()[1:]] == [
        "activation variance",
        "gradient norm",
        "effective field",
        "gradient by length",
        "score",
    ]
    assert "gradient by length" not in second  # without shortcuts there is one path
    assert "█" in first


def test_json_has_what_python_has(run: Run) -> None:
    found = run("signal", "resnet20_cifar", "--format", "json").json
    report = archspec.signal("resnet20_cifar")
    assert found == {"spec": "resnet20_cifar", **report.as_data()}
    assert {"name", "blocks", "gradient_span", "effective_receptive_field", "path_length", "score"} <= set(found)
    assert set(found["blocks"][0]) == {"scope", "activation_variance", "gradient_norm", "residual_share"}
    assert set(found["effective_receptive_field"]) == {"deviation", "size"}
    assert set(found["path_length"]) == {"mean", "counts"}


def test_csv_has_a_row_for_each_block(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("signal", "resnet20_cifar", "plain20_cifar", "--format", "csv").out)))
    assert [row["scope"] for row in rows] == [f"layer{i}.{j}" for i in (1, 2, 3) for j in range(3)] * 2
    assert {row["residual_share"] for row in rows[9:]} == {""}


def test_settings_and_another_input(run: Run) -> None:
    changed = run("signal", "resnet20_cifar", "--set", "shortcut=none", "--input", "3x16x16", "--format", "json").json
    assert changed["path_length"] is None
    assert changed["gradient_span"] == archspec.signal("plain20_cifar", input=(3, 16, 16)).gradient_span


def test_a_figure_of_all_networks(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    assert run("signal", "resnet20_cifar", "plain20_cifar", "-o", str(file)).status == 0
    root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("resnet20_cifar") == 3
    assert texts.count("plain20_cifar") == 2
    first = file.read_bytes()
    again = run("signal", "resnet20_cifar", "plain20_cifar", "-o", str(file))
    assert again.status == 3
    assert "E805" in again.err
    assert run("signal", "resnet20_cifar", "plain20_cifar", "-o", str(file), "--force").status == 0
    assert file.read_bytes() == first
    image = tmp_path / "a.png"
    assert run("signal", "resnet20_cifar", "-o", str(image)).status == 0
    assert image.read_bytes()[1:4] == b"PNG"


def test_a_file_that_is_no_figure_is_refused(run: Run, tmp_path: Path) -> None:
    found = run("signal", "resnet20_cifar", "-o", str(tmp_path / "a.onnx"))
    assert found.status == 2
    assert "E831" in found.err
    assert not list(tmp_path.iterdir())


def test_a_budget_is_compared_with_every_spec(run: Run) -> None:
    specs = "resnet20_cifar", "plain20_cifar"
    spans = [archspec.signal(spec).gradient_span or 0.0 for spec in specs]
    between = f"gradient_span<={sum(spans) / 2:.2f}"
    found = run("signal", *specs, "--expect", between)
    assert found.status == 1
    assert found.err.count("E701") == 1
    assert "`plain20_cifar` has" in found.err
    assert found.out == run("signal", *specs).out
    first, second = run("signal", *specs, "--expect", between, "--format", "json").json
    assert first["diagnostics"] == []
    assert [each["code"] for each in second["diagnostics"]] == ["E701"]
    assert run("signal", *specs, "--expect", f"gradient_span<={max(spans) + 1:.2f}").status == 0
    # The spec's own expectations are those of `archspec check`, with --set and without.
    assert run("signal", specs[0], "--set", "classes=7", "--expect", between).status == 0


def test_a_budget_that_does_not_parse_is_told_once(run: Run) -> None:
    found = run("signal", "resnet20_cifar", "plain20_cifar", "--expect", "gradient_spam<=2")
    assert found.status == 1
    assert found.err.count("E703") == 1
    assert "gradient_span" in found.err


def test_a_network_without_blocks_has_layers(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    head = "[pool: {type: avg, output: 1}, flatten, linear: {out: 10}]"
    steps = f"stem: [conv: {{out: 8}}, norm, act]\nstages: []\nhead: {head}\n"
    file.write_text(f"archspec: 1\nname: tiny\ninput: [3, 8, 8]\n{steps}")
    found = run("signal", str(file))
    assert found.status == 0
    assert "2 layers, predicted" in found.out
    assert "block" not in found.out
    data = run("signal", str(file), "--format", "json").json
    assert data["unit"] == "layer"
    assert data["fluctuation"] > 0


def test_a_spec_at_fault_leaves_the_others(run: Run, tmp_path: Path) -> None:
    found = run("signal", "nowhere.yaml", "resnet20_cifar")
    assert found.status == 1
    assert "E801" in found.err
    assert "resnet20_cifar" in found.out
    data = run("signal", "nowhere.yaml", "resnet20_cifar", "--format", "json").json
    assert [each.get("name") for each in data] == [None, "resnet20_cifar"]
