"""Names of files and texts of specs command neither a terminal nor a workflow, whatever the command and its format."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec_cli.inert import inert
from tests.cli import process
from tests.cli.conftest import SMALL, Result, Run

NAMES = {
    "command": "::stop-commands::x",
    "command after a space": "  ::error::x",
    "command after another space": "\xa0\u3000::error::x",
    "old command": "##[add-mask]x",
    "command of Azure": "a##vso[task.setvariable]x",
    "line break": "a\n::error::x",
    "other line breaks": "a\r::error::x\x0b::error::y\x85::error::z\u2028::error::u",
    "title of the window": "\x1b]0;title\x07x",
    "link": "\x1b]8;;mailto:a\x1b\\x",
    "colors": "\x1b[31mred\x1b[8m",
    "control of one byte": "\x9b2Jx",
    "direction": "\u202egpj\u2066x\u200f",
    "invisible": "a\u200bb\ufeffc\u00ad",
    "not UTF-8": os.fsdecode(b"a\xff\x80"),
    "of a shell": "$(touch ran);`touch ran`",
    "of a formula": "=cmd|' -C calc'!A0",
    "of a page": "<script>](https:",
}

FAULTY = SMALL.replace("count: [1, 1]", "count: [1, 0]")
TEXTS = {
    "valid": SMALL,
    "faulty": FAULTY,
    "not YAML": "archspec: 1\n::error::x: [",
    "key": SMALL + '"::error::x\\e]0;t\\a##[group]": 1\n',
    "value": SMALL.replace("basic", '"::error::x##[group]"'),
    "multi-line": SMALL + "expect:\n  ? |\n    ::error::x\n    ##[group]\n  : 1\n",
    "extends": SMALL + 'extends: "::error::x##[group].yaml"\n',
    "reference": SMALL + 'reference: "::error::x##[group]"\nsummary: "::error::x##[group]"\n',
    "comment": SMALL.replace("stem:", "::x: 1 # ##[group]\nstem:"),
}

COMMANDS = (
    *(("check", "{}"), ("check", "{}", "--format", "json"), ("check", "{}", "--format", "sarif"), ("check", ".")),
    *(("test", "{}", "--level", "check"), ("test", "--level", "check", ".", "--update")),
    *(("test", "{}", "--level", "check", "--format", form) for form in ("json", "junit", "sarif")),
    *(("analyze", "{}", "--format", form) for form in ("text", "json", "csv", "markdown")),
    *(("analyze", "{}", "{}"), ("diff", "{}", "resnet20_cifar"), ("diff", "resnet20_cifar", "{}", "--format", "json")),
    *(("draw", "{}", "-o", "-"), ("show", "{}"), ("show", "{}", "--graph"), ("show", "{}", "--format", "json")),
    *(("check", "missing{}"), ("check", "resnet18", "--set", "{}=1"), ("check", "resnet18", "--expect", "{}")),
    *(("explain", "{}"), ("list", "{}"), ("{}",), ("check", "resnet18", "--format", "{}"), ("test", ".", "-k", "{}")),
)


def write(name: str, text: str) -> str:
    Path(f"{name}.yaml").write_text(text, encoding="utf-8")
    return f"{name}.yaml"


def commands(text: str) -> list[str]:
    """The lines with which a text commands a terminal or a workflow."""
    found = [
        line for line in re.split(r"[\r\n]", text) if line.strip().startswith("::") or re.search(r"##(vso)?\[", line)
    ]
    controls = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") and c != "\n"}
    return found + sorted(controls)


def shown(found: Result) -> str:
    return found.out + found.err


@pytest.mark.parametrize("kind", list(NAMES))
def test_the_name_of_a_file(run: Run, here: Path, kind: str) -> None:
    name = NAMES[kind]
    for text in ("valid", "faulty"):
        file = write(name, TEXTS[text])
        for command in COMMANDS:
            found = run(*(word.format(file) if word != "." else word for word in command))
            assert commands(shown(found)) == [], command
            assert "Traceback" not in shown(found)
            assert found.status in (0, 1, 2), (command, found.err)
            assert shown(found), command
    assert {path.name for path in here.iterdir()} == {file}


@pytest.mark.parametrize("kind", list(TEXTS))
def test_the_text_of_a_spec(run: Run, here: Path, kind: str) -> None:
    file = write("spec", TEXTS[kind])
    for command in COMMANDS:
        found = run(*(word.format(file) if word != "." else word for word in command))
        assert commands(shown(found)) == [], command


@pytest.mark.parametrize("kind", list(NAMES))
@pytest.mark.parametrize("command", [("check",), ("test", "--level", "check")])
def test_annotations_are_one_line_each(run: Run, here: Path, kind: str, command: tuple[str, ...]) -> None:
    for text in TEXTS.values():
        found = run(*command, write(NAMES[kind], text), "--format", "github")
        assert commands(found.err) == []
        for line in found.out.splitlines():
            assert re.match(r"::(error|warning) (file|title)=[^:]*::[^:]", line)
            assert commands(line.removeprefix("::")) in ([], [line.removeprefix("::")])


@pytest.mark.parametrize("kind", list(NAMES))
def test_data_keeps_the_name(run: Run, here: Path, kind: str) -> None:
    file = write(NAMES[kind], FAULTY)
    assert run("check", file, "--format", "json").json[0]["spec"] == file
    assert run("test", file, "--level", "check", "--format", "json").json["specs"][0]["spec"] == file
    ElementTree.fromstring(run("test", file, "--level", "check", "--format", "junit").out)
    log = run("check", file, "--format", "sarif").out
    assert log.isascii()
    json.loads(log)


def test_what_is_built_has_any_name(run: Run, here: Path) -> None:
    for name in NAMES.values():
        found = run("build", write(name, SMALL), "-o", f"{name}.safetensors")
        assert (found.status, commands(shown(found))) == (0, []), found.err
        found = run("build", f"{name}.yaml", "--weights", f"{name}.safetensors")
        readable = name != NAMES["not UTF-8"]  # safetensors reads no file with such a name
        assert (found.status, commands(shown(found))) == (0 if readable else 1, []), found.err
        found = run("build", f"{name}.yaml", "--weights", f"{name}.yaml", "--map", f"{name}.yaml")
        assert (found.status, commands(shown(found))) == (1, [])
        Path(f"{name}.yaml").unlink()


def test_the_pytest_plugin(here: Path) -> None:
    for name in ("::stop-commands::x", "a\n::error::x", "\x1b]0;title\x07x", "##[group]x"):
        write(name, FAULTY)
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--archspec", "."]
    done = subprocess.run(command, capture_output=True, cwd=here, env=process.environment(), check=False)
    text = (done.stdout + done.stderr).decode()
    assert commands(text) == []
    assert done.returncode == 1, text
    assert text.count("FAILED") >= 4


@given(st.text(st.characters(codec=None) | st.sampled_from("::##[vso[\r\n \t\x1b[31m]"), max_size=60))
def test_any_text_becomes_inert(text: str) -> None:
    found = inert(text)
    assert not [line for line in found.splitlines() if line.strip().startswith("::")]
    assert "##[" not in found
    assert "##vso[" not in found
    controls = {c for c in re.sub(r"\x1b\[[0-9;]*m", "", found) if unicodedata.category(c) == "Cc"}
    assert controls <= {"\n", "\t"}
    assert inert(found) == found
