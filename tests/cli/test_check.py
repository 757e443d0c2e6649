"""`archspec check`: many specs, their figures, JSON, folders, standard input, expectations."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archspec.language.text.locate import zoo_names

from . import process
from .conftest import SMALL, Run

# Counted by torchvision (resnet*, resnext*), and by the papers' formulas for the networks of CIFAR-10.
PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904,
}

KEYS = {"spec", "file", "valid", "name", "hash", "params", "macs", "layers", "nodes", "output", "diagnostics"}


def test_every_spec_of_the_zoo_holds_what_it_expects(run: Run) -> None:
    found = run("check", *zoo_names(), "--format", "json")
    assert (found.status, found.err) == (0, "")
    assert [each["name"] for each in found.json] == zoo_names()
    for each in found.json:
        assert set(each) == KEYS
        assert each["valid"] is True
        assert each["diagnostics"] == []
        assert each["params"] == PARAMETERS.get(each["name"], each["params"])
        assert len(each["hash"]) == 64


def test_a_good_spec_is_a_line_on_standard_output(run: Run) -> None:
    found = run("check", "resnet18")
    assert (found.status, found.err) == (0, "")
    assert found.out == "resnet18.yaml: ok, 11,689,512 parameters, 1.81 G MACs, 18 layers\n"


def test_many_specs_are_counted_at_the_end(here: Path, run: Run) -> None:
    Path("bad.yaml").write_text("archspec: 1\nname: bad\nstages: 3\n")
    found = run("check", "resnet18", "bad.yaml", "resnet34")
    assert found.status == 1
    assert [line.split(":")[0] for line in found.out.splitlines()] == ["resnet18.yaml", "resnet34.yaml"]
    assert found.err.splitlines()[-1].endswith("; 2 of 3 specs are valid")
    assert run("check", "resnet18", "resnet34").err == "2 of 2 specs are valid\n"


def test_json_tells_of_every_spec(here: Path, run: Run) -> None:
    Path("bad.yaml").write_text("archspec: 1\nname: bad\nextends: resnet18\nstages: {chanels: 3}\n")
    found = run("check", "bad.yaml", "resnet18", "nothing", "--format", "json")
    assert (found.status, found.err) == (1, "")
    bad, good, missing = found.json
    assert set(bad) == set(missing) == {"spec", "file", "valid", "diagnostics"}
    assert set(good) == KEYS
    assert [each["valid"] for each in found.json] == [False, True, False]
    assert good["output"] == [1000]
    (fault,) = bad["diagnostics"]
    assert set(fault) == {
        *("code", "severity", "message", "file", "line", "column", "end_line", "end_column"),
        *("hint", "labels", "notes", "help", "items"),
    }
    assert [fault[key] for key in ("code", "file", "line", "column", "end_line", "end_column")] == [
        *("E301", "bad.yaml"),
        *(4, 10, 4, 17),
    ]
    assert [fault["code"] for fault in missing["diagnostics"]] == ["E801"]
    assert found.out.isascii()


def rows_of(table: str) -> int:
    return len(table.split("\n\n")[0].splitlines()) - 1  # less its head


@pytest.fixture
def nets(here: Path) -> list[str]:
    """A folder with specs, also below, with what is none, and the paths of the specs in it."""
    flow = '# as JSON\n{"archspec": 1, "name": "flow", "extends": "resnet18"}\n'
    files = {
        **dict.fromkeys(("a.yml", "b.yaml", "below/c.yaml", "below/again/d.yaml"), SMALL),
        "below/flow.yaml": flow,
        ".hidden.yaml": SMALL,
        ".git/e.yaml": SMALL,
        "below/notes.txt": SMALL,
        "mkdocs.yml": "site_name: docs\nnav:\n  archspec: 1\n",
        "chart.yaml": "{{ if .Values }}\nname: x\n{{ end }}\n",
        "compose.json.yaml": '{"services": {}}\n',
        "parts.yaml": "archspec: 1\nblocks: {mine: {steps: [act]}}\n",
    }
    for name, text in files.items():
        (here / "nets" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "nets" / name).write_text(text)
    return [f"nets/{name}" for name in ("a.yml", "b.yaml", "below/c.yaml", "below/flow.yaml", "below/again/d.yaml")]


def test_a_folder_stands_for_the_same_specs_everywhere(nets: list[str], run: Run) -> None:
    found = run("check", "nets", "--format", "json")
    assert (found.status, [each["file"] for each in found.json]) == (0, nets)
    found = run("test", "nets", "--level", "check", "--format", "json")
    assert (found.status, [each["spec"] for each in found.json["specs"]]) == (0, nets)
    found = run("analyze", "nets")
    assert (found.status, rows_of(found.out)) == (0, len(nets))


def test_a_file_that_is_named_is_read_whatever_it_holds(nets: list[str], run: Run) -> None:
    for command in ("check", "test", "analyze"):
        found = run(command, "nets/mkdocs.yml")
        assert (found.status, "E203" in found.err) == (1, True), command
        assert run(command, "nets/.hidden.yaml").status == 0


def test_a_folder_without_specs(nets: list[str], run: Run) -> None:
    Path("empty/.git").mkdir(parents=True)
    Path("empty/.git/net.yaml").write_text(SMALL)
    for command in ("check", "test", "analyze"):
        found = run(command, "empty")
        assert found.status == 1
        assert "error[E803]: the folder `empty` contains no specs" in found.err
        assert "ends in `.yaml` or `.yml`" in found.err
    Path("empty/mkdocs.yml").write_text("site_name: docs\n")
    assert "1 YAML file there has no `archspec:` at the top" in run("check", "empty").err
    found = run("check", "empty", "nets")
    assert found.status == 1
    assert found.err.endswith("1 error; 5 of 6 specs are valid\n")


def test_a_file_of_definitions_in_a_folder_is_checked_with_what_imports_it(here: Path, run: Run) -> None:
    Path("mine.yaml").write_text("archspec: 1\nblocks:\n  mine:\n    residual: [layer: {out: channels, kernel: 3}]\n")
    net = "archspec: 1\nname: net\nimport: [mine.yaml]\nstages: {block: mine, count: [1], channels: [8]}\n"
    Path("net.yaml").write_text(net)
    found = run("check", ".")
    assert found.status == 0, found.err
    assert (found.out.startswith("net.yaml: ok"), found.err) == (True, "")
    assert run("check", "mine.yaml").status == 1


def test_a_zoo_name_is_not_shadowed_by_a_folder(here: Path, run: Run) -> None:
    Path("resnet18").mkdir()
    assert run("check", "resnet18").out.startswith("resnet18.yaml: ok")


def test_standard_input(run: Run) -> None:
    found = run("check", "-", stdin=SMALL)
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith("<stdin>: ok")
    found = run("check", "-", stdin=SMALL.replace("basic", "basik"))
    assert found.status == 1
    assert found.err.startswith("<stdin>:6:17: error[E302]")
    for text in ("", "\0", "x: ["):
        found = run("check", "-", stdin=text)
        assert (found.status, found.out) == (1, "")
        assert "error[E1" in found.err


def test_expectations_are_verified(small: Path, run: Run) -> None:
    small.write_text(SMALL + "expect:\n  params: 7\n")
    found = run("check", "small.yaml")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("small.yaml:8:11: error[E701]")


def test_an_expectation_that_cannot_be_measured_is_no_pass(small: Path, run: Run) -> None:
    small.write_text(SMALL + "expect: {stages: {layer1: {skip_paths: 4}}}\n")
    found = run("check", "small.yaml")
    assert (found.status, found.out) == (1, "")
    assert "error[E702]" in found.err


def test_warnings_are_shown_and_are_no_fault(small: Path, run: Run) -> None:
    small.write_text(SMALL.replace("stem: [conv: {out: 4, kernel: 3}]", "stem: imagenet"))
    found = run("check", "small.yaml")
    assert found.status == 0
    assert "warning[W" in found.err
    assert found.out.startswith("small.yaml: ok")
    assert found.err.endswith("1 warning\n")


@pytest.mark.parametrize(
    ("changes", "params"),
    [
        (["classes=10", "expect=null"], 11_689_512 - 990 * 513),
        (["stages.count=[3, 4, 6, 3]", "expect=null"], 21_797_672),
        (["stages.count.0=3", "expect.params=11763496", "expect.macs=null", "expect.layers=20"], 11_763_496),
    ],
)
def test_set_changes_a_spec(changes: list[str], params: int, run: Run) -> None:
    options = [word for change in changes for word in ("--set", change)]
    (found,) = run("check", "resnet18", *options, "--format", "json").json
    assert found["valid"], found["diagnostics"]
    assert found["params"] == params


def test_limits_can_be_lowered_and_raised(run: Run) -> None:
    assert run("check", "resnet18", "--limit", "nodes=69").status == 0
    found = run("check", "resnet18", "--limit", "nodes=68")
    assert found.status == 1
    assert "error[E601]" in found.err
    assert "error[E602]" in run("check", "resnet18", "--limit", "elements=1000").err


def test_reading_outside_the_folder_needs_leave(here: Path, run: Run) -> None:
    Path("base.yaml").write_text(SMALL)
    Path("inner").mkdir()
    Path("inner/net.yaml").write_text("archspec: 1\nname: net\nextends: ../base.yaml\n")
    found = run("check", "inner/net.yaml")
    assert (found.status, found.out) == (1, "")
    assert "error[E802]" in found.err
    assert "--allow-outside" in found.err
    assert run("check", "inner/net.yaml", "--allow-outside").status == 0


def test_a_pipe_in_a_folder_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    found = process.archspec("check", str(tmp_path))
    assert found.returncode == 1
    assert b"error[E803]" in found.stderr


@pytest.mark.parametrize("command", [("check",), ("test", "--level", "check")])
def test_a_fault_in_a_file_that_several_specs_read_is_shown_once(
    command: tuple[str, ...], here: Path, run: Run
) -> None:
    """With the line that leads there; the specs are all at fault."""
    base = "archspec: 1\nname: base\nstages: {block: basic, count: 1, chanels: 8}\n"
    Path("base.yaml").write_text(base, encoding="utf-8")
    for name in ("a", "b", "c"):
        Path(f"{name}.yaml").write_text(f"archspec: 1\nname: {name}\nextends: base\n", encoding="utf-8")
    found = run(*command, ".")
    assert found.status == 1
    assert found.err.count("error[E301]") == 1
    assert "at a.yaml:3:10" in found.err
    assert "1 error; 0 of 4 specs" in found.err
