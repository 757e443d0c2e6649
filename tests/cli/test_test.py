"""`archspec test`: lines, JSON and JUnit, what is selected, many at a time, and values written into files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from archspec.language.text.locate import zoo_names
from archspec_cli.suite_select import selection
from tests.support.paths import SPECS

from . import process
from .conftest import SMALL, Run
from .test_imports import blocking, imported

PARAMS = 1401  # counted by hand in tests/testing/test_harness.py

GOOD = SMALL + f"expect: {{params: {PARAMS}, output: [5]}}\n"
WRONG = SMALL + "expect:\n  params: 7  # seven\n  output: [5]\n"


@pytest.fixture
def folder(here: Path) -> Path:
    """A folder with two specs, one of them wrong, and with files that are none."""
    (here / "nets" / "more").mkdir(parents=True)
    (here / "nets" / "good.yaml").write_text(GOOD)
    (here / "nets" / "more" / "wrong.yaml").write_text(WRONG)
    (here / "nets" / "mkdocs.yml").write_text("site_name: docs\n")
    (here / "nets" / "parts.yaml").write_text("archspec: 1\nblocks: {mine: {steps: [act]}}\n")
    (here / "nets" / ".hidden").mkdir()
    (here / "nets" / ".hidden" / "other.yaml").write_text(WRONG)
    return here


def test_a_line_a_spec_and_what_failed_as_a_diff(folder: Path, run: Run) -> None:
    found = run("test", "--level", "check")
    assert found.status == 1
    assert found.out == "nets/good.yaml: ok, 2 expectations\nnets/more/wrong.yaml: failed: expect.params\n"
    first, *_, before, after, _, last = found.err.splitlines()
    assert first.startswith("nets/more/wrong.yaml:8:11: error[E701]: ")
    assert (before, after) == ("  - params: 7  # seven", "  + params: 1_401  # seven")
    assert last.startswith("1 error; 1 of 2 specs passed in ")


def test_with_torch_it_is_built_and_run(folder: Path, run: Run) -> None:
    found = run("test", "nets/good.yaml")
    assert found.status == 0
    assert found.out == "nets/good.yaml: ok, 2 expectations, built as inferred, run on 2x3x4x4\n"
    found = run("test", "nets/good.yaml", "--level", "build")
    assert found.out == "nets/good.yaml: ok, 2 expectations, built as inferred\n"
    found = run("test", "nets/good.yaml", "--largest", "1400")
    assert found.status == 0
    assert found.out.endswith(", built as inferred, not run: 1,401 parameters, more than 1,400\n")


def test_a_network_that_overflows_fails_in_its_pass(here: Path, run: Run) -> None:
    squares = ", ".join(["multiply: [[], []]"] * 11)
    Path("squares.yaml").write_text(SMALL.replace("conv: {out: 4, kernel: 3}", squares))
    found = run("test", "squares.yaml")
    assert (found.status, found.out) == (1, "squares.yaml: failed: pass\n")
    assert found.err.startswith("squares.yaml:5:")
    assert "error[E706]" in found.err
    assert "first in multiply7" in found.err


def test_the_whole_zoo_holds(run: Run) -> None:
    zoo = str(SPECS)
    found = run("test", zoo, "--level", "check", "--format", "json")
    assert (found.status, found.err) == (0, "")
    assert sorted(Path(each["file"]).stem for each in found.json["specs"]) == sorted(zoo_names())


def test_json(folder: Path, run: Run) -> None:
    found = run("test", "nets", "--format", "json")
    assert (found.status, found.err) == (1, "")
    assert (found.json["passed"], found.json["torch"]) == (False, True)
    good, wrong = found.json["specs"]
    assert (good["spec"], good["passed"], wrong["passed"]) == ("nets/good.yaml", True, False)
    names = ["valid", "expect.params", "expect.output", "shapes", "weights", "seed", "reload", "pass"]
    assert [case["name"] for case in good["cases"]] == names
    assert [case["line"] for case in wrong["cases"][:3]] == [2, 8, 9]
    assert [case["status"] for case in wrong["cases"]] == ["passed", "failed", *["passed"] * 6]
    (fault,) = wrong["cases"][1]["diagnostics"]
    assert [fault[key] for key in ("code", "line", "column")] == ["E701", 8, 11]
    assert found.out.isascii()


def test_junit(folder: Path, run: Run) -> None:
    (folder / "nets" / "odd.yaml").write_text(SMALL.replace("name: small", 'name: "\\u0001]]>"'))
    found = run("test", "nets", "--level", "check", "--format", "junit")
    assert (found.status, found.err) == (1, "")
    suites = list(ElementTree.fromstring(found.out))
    assert [suite.get("name") for suite in suites] == ["nets/good.yaml", "nets/odd.yaml", "nets/more/wrong.yaml"]
    assert [(suite.get("tests"), suite.get("failures")) for suite in suites] == [("3", "0"), ("1", "1"), ("3", "1")]
    case = suites[2].findall("testcase")[1]
    assert (case.get("classname"), case.get("name")) == ("nets/more/wrong.yaml", "expect.params")
    assert (case.get("file"), case.get("line")) == ("nets/more/wrong.yaml", "8")
    (failure,) = case
    assert failure.get("type") == "E701"
    assert failure.text.startswith("nets/more/wrong.yaml:8:11: error[E701]: ")
    skipped = run("test", "nets/good.yaml", "--largest", "1", "--format", "junit")
    assert len(ElementTree.fromstring(skipped.out).findall(".//skipped")) == 3


def test_the_forms_of_code_hosts(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    found = run("test", ".", "--level", "check", "--format", "github")
    assert (found.status, found.err) == (1, "")
    # In `SMALL`, 6 lines, then `expect:` and two spaces before `params: 7`.
    assert found.out.startswith("::error file=nets/more/wrong.yaml,line=8,col=11,title=E701 ")
    assert found.out.count("\n") == 1
    found = run("test", ".", "--level", "check", "--format", "sarif")
    assert (found.status, found.err) == (1, "")
    (result,) = found.json["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], place["artifactLocation"]["uri"]) == ("E701", "nets/more/wrong.yaml")
    assert [place["region"][key] for key in ("startLine", "startColumn")] == [8, 11]
    checked = run("check", ".", "--format", "sarif")
    assert checked.json == found.json
    assert run("test", "nets/good.yaml", "--level", "check", "--format", "github").out == ""
    for missing in ("nothing.yaml", "-"):
        found = run("test", missing, "--format", "sarif", stdin="archspec: 2\n")
        uri = found.json["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri == ("nothing.yaml" if missing != "-" else "%3Cstdin%3E")


def test_what_torch_finds_is_in_the_forms_of_code_hosts(here: Path, run: Run) -> None:
    squares = ", ".join(["multiply: [[], []]"] * 11)
    Path("squares.yaml").write_text(SMALL.replace("conv: {out: 4, kernel: 3}", squares))
    found = run("test", "squares.yaml", "--format", "github")
    assert found.status == 1
    assert found.out.startswith("::error file=squares.yaml,line=5,")
    assert "E706" in found.out


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("res", ["resnet.yaml", "wide/resnet.yaml"]),
        ("RESNET and not wide", ["resnet.yaml"]),
        ("vgg or wide", ["wide/resnet.yaml", "vgg.yaml"]),
        ("not (vgg or wide)", ["resnet.yaml"]),
        ("not vgg or wide", ["resnet.yaml", "wide/resnet.yaml"]),
        ("vgg or res and wide", ["wide/resnet.yaml", "vgg.yaml"]),
        ("not not vgg", ["vgg.yaml"]),
        ("wide/", ["wide/resnet.yaml"]),
    ],
)
def test_what_an_expression_selects(expression: str, selected: list[str]) -> None:
    assert [*filter(selection(expression), ["resnet.yaml", "wide/resnet.yaml", "vgg.yaml"])] == selected


@pytest.mark.parametrize(
    "expression", ["", "and", "a b", "(a", "a)", "not", "a or", "a and or b", "(" * 199, "a " * 300]
)
def test_what_is_no_expression(expression: str, folder: Path, run: Run) -> None:
    found = run("test", "-k", expression)
    assert (found.status, found.out) == (2, "")
    assert "Invalid value for '-k'" in found.err


def test_selecting(folder: Path, run: Run) -> None:
    assert run("test", "--level", "check", "-k", "good").out.count("\n") == 1
    found = run("test", "-k", "nothing")
    assert found.status == 2
    assert "-k selects none of the 2 specs" in found.err


def test_what_there_is_not(here: Path, run: Run) -> None:
    Path("empty").mkdir()
    for arguments, code in ((["empty"], "E803"), (["nothing.yaml"], "E801"), ([], "E803"), (["\0"], "E801")):
        found = run("test", *arguments)
        assert found.status == 1, arguments
        assert f"error[{code}]" in found.err
    os.mkfifo("empty/pipe.yaml")
    assert run("test", "empty").status == 1


def test_standard_input_and_names(run: Run) -> None:
    found = run("test", "-", "resnet18", "--level", "check", stdin=GOOD)
    assert found.out == "<stdin>: ok, 2 expectations\nresnet18.yaml: ok, 6 expectations\n"
    assert run("test", "-", "--level", "check", stdin="x: [").status == 1


def test_set_makes_another_network(run: Run) -> None:
    found = run("test", "resnet18", "--set", "classes=10", "--level", "check")
    assert (found.status, found.out) == (0, "resnet18.yaml: ok, no expectations\n")


# -- --update ----------------------------------------------------------------------------------------------------------


def test_update_writes_what_was_measured_and_shows_it(folder: Path, run: Run) -> None:
    path = folder / "nets" / "more" / "wrong.yaml"
    path.chmod(0o640)
    found = run("test", "nets", "--update", "--level", "check")
    assert found.status == 0
    assert path.read_text() == WRONG.replace("params: 7", "params: 1_401")
    assert path.stat().st_mode & 0o777 == 0o640
    shown = found.out.splitlines()
    assert shown[:2] == ["nets/good.yaml: ok, 2 expectations", "nets/more/wrong.yaml: ok, 2 expectations"]
    assert {"-  params: 7  # seven", "+  params: 1_401  # seven"} <= set(shown)
    assert (folder / "nets" / "good.yaml").read_text() == GOOD
    assert sorted(each.name for each in path.parent.iterdir()) == ["wrong.yaml"]
    again = run("test", "nets", "--update", "--level", "check")
    assert (again.status, again.out.count("\n")) == (0, 2)


def test_update_keeps_the_bytes_around(here: Path, run: Run) -> None:
    before = b"\xef\xbb\xbf" + WRONG.replace("\n", "\r\n").replace("# seven", "# siebzehn \u2713").encode()
    Path("wrong.yaml").write_bytes(before)
    assert run("test", "wrong.yaml", "--update", "--level", "check").status == 0
    assert Path("wrong.yaml").read_bytes() == before.replace(b"params: 7", b"params: 1_401")


def test_update_leaves_bounds_and_stays_honest(here: Path, run: Run) -> None:
    text = SMALL + "expect: {params: {max: 1k}, output: [4]}\n"
    Path("bound.yaml").write_text(text)
    found = run("test", "bound.yaml", "--update", "--level", "check", "--format", "json")
    assert found.status == 1
    assert Path("bound.yaml").read_text() == text.replace("[4]", "[5]")
    (spec,) = found.json["specs"]
    assert spec["update"]["left"] == {"params": "a bound is a decision: change it by hand"}
    assert "+expect: {params: {max: 1k}, output: [5]}" in spec["update"]["diff"].splitlines()
    assert "params is unchanged: a bound" in run("test", "bound.yaml", "--update", "--level", "check").err


def test_update_writes_expectations_where_there_are_none(small: Path, run: Run) -> None:
    found = run("test", "small.yaml", "--update", "--level", "check")
    assert found.status == 0
    first, rest = small.read_text().removeprefix(SMALL).split(", macs: ")
    assert first == f"expect: {{params: {PARAMS:_}"
    assert rest.endswith(", output: [5]}\n")
    assert found.out.startswith("small.yaml: ok, 3 expectations\n")


def test_update_changes_no_refused_spec(here: Path, run: Run) -> None:
    text = WRONG.replace("basic", "basik")
    Path("bad.yaml").write_text(text)
    found = run("test", "bad.yaml", "--update")
    assert (found.status, found.out) == (1, "bad.yaml: failed: the spec is not valid\n")
    assert Path("bad.yaml").read_text() == text


@pytest.mark.parametrize("arguments", [["resnet18"], ["-"], ["wrong.yaml", "--set", "classes=3"]])
def test_what_cannot_be_updated(arguments: list[str], here: Path, run: Run) -> None:
    Path("wrong.yaml").write_text(WRONG)
    found = run("test", *arguments, "--update", stdin=WRONG)
    assert (found.status, found.out) == (2, "")
    assert "--update" in found.err
    assert Path("wrong.yaml").read_text() == WRONG


def test_a_link_is_not_written_through(here: Path, run: Run) -> None:
    Path("real").mkdir()
    Path("real/wrong.yaml").write_text(WRONG)
    Path("link.yaml").symlink_to("real/wrong.yaml")
    found = run("test", "link.yaml", "--update", "--level", "check")
    assert found.status == 3
    assert "error[E806]" in found.err
    assert Path("real/wrong.yaml").read_text() == WRONG


# -- as a process ------------------------------------------------------------------------------------------------------


def test_many_at_a_time_give_the_same(folder: Path) -> None:
    one, two = (process.archspec("test", "--level", "check", "--jobs", jobs, cwd=folder) for jobs in "12")
    assert (one.returncode, one.stdout) == (two.returncode, two.stdout) == (1, one.stdout)
    assert one.stderr.splitlines()[:-1] == two.stderr.splitlines()[:-1]
    found = process.archspec("test", "-", "nets", "--jobs", "2", "--level", "check", cwd=folder, stdin=GOOD.encode())
    assert found.stdout.startswith(b"<stdin>: ok, 2 expectations\nnets/good.yaml: ok")


def test_without_torch_it_says_what_it_left_out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    env = blocking(tmp_path_factory.mktemp("blocked"), "torch", "numpy", "safetensors")
    found = process.archspec("test", "nets/good.yaml", env=env, cwd=folder)
    assert (found.returncode, found.stdout) == (0, b"nets/good.yaml: ok, 2 expectations\n")
    assert (
        b"torch is not installed, so nothing was built or run; pip install 'archspec-compiler[torch]'" in found.stderr
    )
    found = process.archspec("test", "nets/good.yaml", "--format", "json", env=env, cwd=folder)
    data = json.loads(found.stdout)
    assert (found.returncode, data["torch"]) == (0, False)
    assert [case["left_out"] for case in data["specs"][0]["cases"]] == [""] * 3 + ["torch is not installed"] * 5
    found = process.archspec("test", "nets/good.yaml", "--level", "build", env=env, cwd=folder)
    assert (found.returncode, found.stdout) == (3, b"")
    assert found.stderr.startswith(b"error[E809]")


def test_checking_imports_nothing_heavy() -> None:
    assert imported("test", "resnet50", "--level", "check") == (0, [])


def test_on_a_terminal_a_bar_comes_and_goes(folder: Path) -> None:
    status, shown = process.on_terminal(["test", "nets", "--level", "check"])
    assert status == 1
    assert "nets/good.yaml: ok, 2 expectations\n" in shown
    assert "\x1b[?25l" in shown  # the cursor is hidden while the bar moves


def test_an_interrupt_leaves_no_process_and_no_traceback(folder: Path) -> None:
    for number in range(40):
        (folder / f"net{number}.yaml").write_text(GOOD)
    words = process.words("test", "--jobs", "2", "-k", "net")
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": process.environment(), "cwd": folder}
    with subprocess.Popen(words, start_new_session=True, **streams) as running:
        assert running.stdout.readline().startswith(b"net0.yaml: ok")
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to all of them
        _, said = running.communicate(timeout=60)
    assert (running.returncode, said.strip()) == (130, b"archspec: interrupted")
    for _ in range(100):
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a process is left")
