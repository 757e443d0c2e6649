"""`--format github`: each diagnostic as one workflow command, read back by the rules of GitHub's runner."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from archspec.codes import CODES
from archspec.diagnostics import Diagnostic, Label, Source, Span
from archspec_cli.findings import Finding
from archspec_cli.github import as_annotation
from archspec_cli.render import Terminal
from tests.language.test_bad_specs import FOLDER

from .conftest import SMALL, Run

WRONG = SMALL.replace("channels: [4, 8]", "chanels: [4, 8]")


@pytest.fixture(autouse=True)
def _no_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)


class Command(NamedTuple):
    """What the runner makes of a line."""

    name: str
    properties: dict[str, str]
    message: str


def decoded(text: str, inside: bool) -> str:
    """The escapes of a message; inside a property two more. The one of the escape itself comes last."""
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), *((("%3A", ":"), ("%2C", ",")) if inside else ())):
        text = text.replace(escape, character)
    return text.replace("%25", "%")


def command(line: str) -> Command:
    """A line as the runner parses it: the command ends at the first `::` after its properties, which commas part."""
    match = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
    assert match, line
    pairs = (pair.split("=", 1) for pair in match[2].split(","))
    return Command(match[1], {key: decoded(value, True) for key, value in pairs}, decoded(match[3], False))


def commands(out: str) -> list[Command]:
    assert out.isprintable() or out.replace("\n", "").isprintable()
    return [command(line) for line in out.splitlines()]


def test_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    found = run("check", "odd.yaml", "resnet18", "--format", "github")
    assert (found.status, found.err) == (1, "")
    title = "E503 channels not divisible by groups"
    start = f"::error file=odd.yaml,line=8,col=51,title={title}::100 channels do not split into 32"
    assert found.out.startswith(start)
    (only,) = commands(found.out)
    assert only.message.split("\n") == [
        "100 channels do not split into 32 groups",
        "odd.yaml:7:22: the 100 channels come from here",
        "in layer1.0.conv2",
        "shapes: input 3x224x224 > conv1 64x112x112 > maxpool 64x56x56 > layer1.0.conv1 100x56x56",
        "help: both 100 and 64 must be multiples of `groups`; 4 divides both",
    ]


def test_a_warning_and_a_hint(small: Path, run: Run) -> None:
    small.write_text(SMALL.replace("stem: [conv: {out: 4, kernel: 3}]", "stem: imagenet"))
    Path("wrong.yaml").write_text(WRONG)
    found = run("check", "small.yaml", "wrong.yaml", "--format", "github")
    assert found.status == 1
    warning, error = commands(found.out)
    assert (warning.name, warning.properties["file"]) == ("warning", "small.yaml")
    assert error.name == "error"
    assert error.properties == {
        "file": "wrong.yaml",
        "line": "6",
        "col": "39",
        "title": f"E301 {CODES['E301']}",
    }
    assert error.message.split("\n")[0].endswith("(did you mean `channels`?)")
    assert run("check", "small.yaml", "--format", "github").status == 0


def test_good_specs_say_nothing(run: Run) -> None:
    found = run("check", "resnet18", "resnet34", "--format", "github")
    assert (found.status, found.out, found.err) == (0, "", "")


@pytest.mark.parametrize("name", ["a,b.yaml", "c:d.yaml", "50%25.yaml", "::error::.yaml", "e=f::g.yaml"])
def test_a_name_is_escaped(name: str, here: Path, run: Run) -> None:
    Path(name).write_text(WRONG)
    (only,) = commands(run("check", ".", "--format", "github").out)
    assert only.properties["file"] == name
    assert only.properties["line"] == "6"


def test_nothing_of_a_diagnostic_begins_a_command_of_its_own() -> None:
    """Line breaks of every kind, in every part; the runner takes `::` at the beginning of any line for a command."""
    for end in ("\n", "\r\n", "\r", "\x0b", "\x85", "\u2028"):
        evil = f"x{end}::add-mask::a{end}::stop-commands::t"
        source = Source(f"{evil}.yaml", f"{evil}\n")
        span = Span(source, 1, 1, 1, 2)
        fault = Diagnostic("E301", evil, span, evil, (Label(span, evil),), (evil,), evil)
        line = as_annotation(Finding(fault, evil), Terminal().safe)
        assert len(line.splitlines()) == 1
        only = command(line)
        assert only.name == "error"
        assert not re.search(r"^\s*::", only.message, re.MULTILINE)


def test_a_message_says_percent_as_it_is() -> None:
    line = as_annotation(Finding(Diagnostic("E301", "100%0A of 5%"), None), Terminal().safe)
    assert command(line).message == "100%0A of 5%"
    assert command(line).properties == {"title": "E301 unknown parameter"}


def test_a_hostile_folder(here: Path, run: Run) -> None:
    """A pull request may bring files of any name and content; each line of the output is a command of archspec's."""
    Path("::add-mask::x.yaml").write_text("archspec: 1\nblocks: {b: {steps: []}}\n")  # only definitions
    evil = r'"\n::add-mask::x\r::debug::y\u2028"'
    Path("a.yaml").write_text(SMALL + f"{evil}: 1\nact: {evil}\nstem: [{evil}]\n")
    Path("b.yaml").write_text(SMALL.replace("small", evil, 1))
    found = run("check", ".", "--format", "github")
    assert found.status == 1
    assert {each.name for each in commands(found.out)} == {"error"}
    assert "::" not in found.err


def test_what_has_no_place(small: Path, run: Run) -> None:
    found = run("check", "small.yaml", "nothing", "-", "--set", "stages.groupz=3", "--format", "github", stdin=SMALL)
    told = [(each.properties.get("file"), each.properties.get("line")) for each in commands(found.out)]
    assert told == [("small.yaml", None), ("nothing", None), (None, None)]
    assert "--set:1:8: " in found.out


def test_files_are_named_from_the_root_of_the_checkout(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("models").mkdir()
    Path("models/net.yaml").write_text(WRONG)
    monkeypatch.chdir("models")
    assert commands(run("check", "net.yaml", "--format", "github").out)[0].properties["file"] == "net.yaml"
    monkeypatch.setenv("GITHUB_WORKSPACE", str(here))
    assert commands(run("check", "net.yaml", "--format", "github").out)[0].properties["file"] == "models/net.yaml"


def test_fifty_are_shown_and_all_are_counted(here: Path, run: Run) -> None:
    Path("many.yaml").write_text(SMALL + "".join(f"key{number}: 1\n" for number in range(300)))
    found = run("check", "many.yaml", "--format", "github")
    assert len(commands(found.out)) == 50
    assert found.err == "300 diagnostics; the first 50 are shown\n"


def test_what_specs_share_is_said_once(here: Path, run: Run) -> None:
    Path("base.yaml").write_text(WRONG)
    for name in ("a", "b"):
        Path(f"{name}.yaml").write_text(f"archspec: 1\nname: {name}\nextends: base\n")
    assert len(commands(run("check", ".", "--format", "github").out)) == 1
    Path("base.yaml").write_text(SMALL)
    found = commands(run("check", ".", "--format", "github", "--expect", "pramas<3").out)
    assert [each.properties["title"][:4] for each in found] == ["E703"]
