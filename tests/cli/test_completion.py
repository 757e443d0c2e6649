"""What shells make of the completions: the lines are parsed as the scripts that `archspec completion` prints do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.codes import CODES
from archspec_cli.main import COMMANDS

from . import process
from .conftest import Run

CALLS = {
    "": COMMANDS,
    "explain ": CODES,
    "explain E3": {code: text for code, text in CODES.items() if code.startswith("E3")},
}
"""A line, and the words with their descriptions."""


def answer(shell: str, line: str, tmp_path: Path) -> str:
    """What the command answers to a shell that asks how a line goes on."""
    words = f"archspec {line}"
    last = words.split(" ")[-1]
    number = last if shell == "fish" else str(len(words.split(" ")) - 1)
    env = {"_ARCHSPEC_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": number}
    return process.archspec(env=env, cwd=tmp_path).stdout.decode()


def script(shell: str, tmp_path: Path) -> str:
    return process.archspec("completion", shell, cwd=tmp_path).stdout.decode()


@pytest.mark.parametrize("line", CALLS)
def test_fish_shows_whole_descriptions(line: str, tmp_path: Path) -> None:
    (most,) = re.findall(r'string split (?:--max (\d+) )?","', script("fish", tmp_path))
    found = {}
    for each in answer("fish", line, tmp_path).splitlines():
        kind, *rest = each.split(",", int(most) if most else -1)
        if kind == "plain":
            word, _, description = rest[0].partition("\t")
            found[word] = description
    assert {**found, **CALLS[line]} == found
    assert any("," in text for text in found.values()) or line


@pytest.mark.parametrize("line", CALLS)
def test_zsh_shows_whole_descriptions(line: str, tmp_path: Path) -> None:
    """The script takes three lines for each word, and `_describe` splits at the first colon that is not escaped."""
    assert "for type key descr in ${response}" in script("zsh", tmp_path)
    lines = answer("zsh", line, tmp_path).splitlines()
    assert len(lines) % 3 == 0
    found = {}
    for kind, key, description in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        if kind == "plain" and description != "_":
            word, told = re.split(r"(?<!\\):", f"{key}:{description}", maxsplit=1)
            found[word.replace("\\:", ":")] = told
    assert {**found, **CALLS[line]} == found


@pytest.mark.parametrize("line", CALLS)
def test_bash_gets_the_words(line: str, tmp_path: Path) -> None:
    assert "IFS=',' read type value" in script("bash", tmp_path)
    found = [each.split(",", 1) for each in answer("bash", line, tmp_path).splitlines()]
    words = [value for kind, value in found if kind == "plain"]
    assert {*CALLS[line]} <= {*words}
    assert all(re.fullmatch(r"[\w./-]+", word) for word in words)


@pytest.mark.parametrize("command", ["check", "analyze", "diff", "build", "test"])
@pytest.mark.parametrize("name", ["-x.yaml", "-o.yaml", "--set.yml", "-k b.yaml"])
def test_a_file_that_looks_like_an_option_has_advice(run: Run, here: Path, command: str, name: str) -> None:
    (here / name).write_text("archspec: 1\nname: x\nstages: []\n")
    found = run(command, name)
    assert (found.status, found.out) == (2, "")
    assert f"the name of the file `{name}` begins with `-`" in found.err
    for advised in ([f"./{name}"], ["--", name]):
        again = run("check", *advised)
        assert "begins with" not in again.err
        assert again.status in (0, 1)
