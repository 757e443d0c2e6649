"""What holds of every target in the table: bad outputs, options of others, and specs with hostile texts.

A target is tried from the moment that it is in the table.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

import archspec
from archspec.diagnostics import EnvironmentFault
from archspec.emit.graph_json import to_json
from archspec.emit.target import Target
from archspec.emit.targets import TARGETS, options

from .conftest import SMALL, Run

EVERY = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
TEXTS = pytest.mark.parametrize("target", [each for each in TARGETS if each.text], ids=lambda target: target.name)
OLD = b"what was there"

HOSTILE = (
    '"""\nimport os\nos.system("false")\n"""',
    "'''\\",
    "</text></svg><script>alert(1)</script>",
    "]]>--><!-- {{ }} <%= %>",
    '"]; evil -> "x" [label="',
    '"] --> end\nsubgraph x; click a "javascript:alert(1)"',
    "\u202edlrow\u2066 \u200f\u200d",
    "\n::stop-commands::x\n##[group]y",
    "# type: ignore\n# coding: rot13\\N{DIGIT ONE}\\x00\\u000a",
    "%s {name} ${HOME} `id` $(id)",
    "b\u00e9 \u6771\u4eac \U0001f600",
)
UNSEEN = ("\x00\x1b[31m", "\u2028\u0085\ufeff", "a\nb\rc\td", "\ud800")
"""Characters that no spec can have; other arguments can."""


def hostile(text: str) -> str:
    """A spec that has the text wherever an author can write one."""
    value = json.dumps(text)
    return SMALL + "".join(f"{key}: {value}\n" for key in ("summary", "paper", "notes")) + f"tags: [{value}]\n"


def output(target: Target) -> str:
    return f"out{target.suffix}"


def leftovers() -> list[str]:
    return [path.name for path in Path().rglob(".archspec-*")]


def build(run: Run, target: Target, *more: str, spec: str = "small.yaml", file: str = "") -> Any:
    return run("build", spec, "-o", file or output(target), "--to", target.name, *more)


# -- the file ----------------------------------------------------------------------------------------------------------


@EVERY
def test_a_target_is_written_and_says_so(target: Target, small: Path, run: Run) -> None:
    found = build(run, target)
    assert (found.status, found.err) == (0, "")
    size = Path(output(target)).stat().st_size
    assert size > 0
    *_, saved, following = found.out.splitlines()
    assert saved.startswith(f"Saved {output(target)}: ")
    assert following.startswith("Next: ")
    assert ("every shape confirmed by torch" in found.out) == (target.reads != "graph")
    data = build(run, target, "--force", "--format", "json").json
    assert data["written"] == {"target": target.name, "files": [output(target)], "size": data["written"]["size"]}
    assert (data["saved"], data["confirmed"]) == (output(target), target.reads != "graph")
    assert not leftovers()


@EVERY
@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("exists", "E805", "--force"),
        ("folder", "E806", "it is a folder"),
        ("link", "E806", "it is a link"),
        ("pipe", "E806", "not a regular file"),
        ("missing folder", "E806", "the folder `missing` does not exist"),
        ("no permission", "E806", "cannot be written"),
        ("long name", "E806", "cannot be written"),
        ("input", "E806", "the spec itself"),
    ],
)
def test_an_output_that_cannot_be_written(
    kind: str, code: str, said: str, target: Target, small: Path, run: Run
) -> None:
    """It is refused before any work, and what was there stays."""
    file = Path(output(target))
    match kind:
        case "exists":
            file.write_bytes(OLD)
        case "folder":
            file.mkdir()
        case "link":
            file.symlink_to("small.yaml")
        case "pipe":
            os.mkfifo(file)
        case "missing folder":
            file = Path("missing") / file
        case "no permission":
            file = Path("/proc") / file
        case "long name":
            file = Path("x" * 300 + target.suffix)
        case "input":
            os.link("small.yaml", file)
    before = small.read_bytes()
    force = () if kind == "exists" else ("--force",)
    found = build(run, target, *force, file=str(file))
    assert (found.status, found.out) == (3, "")
    assert found.err.startswith(f"error[{code}]: ")
    assert said in found.err
    assert kind != "missing folder" or "make it with `mkdir -p missing`" in found.err
    assert small.read_bytes() == before
    assert kind != "exists" or file.read_bytes() == OLD
    assert not leftovers()


@EVERY
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_what_fails_at_the_end_leaves_the_old_file(
    error: BaseException, target: Target, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As late as it can: the new file is complete, and is about to be made safe."""

    def failing(descriptor: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", failing)
    Path(output(target)).write_bytes(OLD)
    with pytest.raises((EnvironmentFault, KeyboardInterrupt)) as raised:
        archspec.write(small, output(target), to=target.name, force=True)
    assert isinstance(raised.value, KeyboardInterrupt) or raised.value.diagnostic.code == "E806"
    assert Path(output(target)).read_bytes() == OLD
    assert not leftovers()


@pytest.mark.parametrize("target", [each for each in TARGETS if each.packages], ids=lambda target: target.name)
def test_a_missing_package_says_what_to_install(
    target: Target, small: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in target.packages:
        monkeypatch.setitem(sys.modules, package, None)
    found = build(run, target)
    assert (found.status, found.out) == (3, "")
    assert found.err.startswith("error[E809]: ")
    assert f"pip install 'archspec-compiler[{target.extra}]'" in found.err
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


@TEXTS
@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5", "googlenet"])
def test_a_graph_that_was_read_from_json_gives_the_same_file(name: str, target: Target, here: Path) -> None:
    graph = archspec.compile(name)
    back = archspec.graph_from_json(to_json(graph))
    for number, each in enumerate((graph, back)):
        archspec.write(each, f"{number}{target.suffix}", to=target.name)
    assert Path(f"0{target.suffix}").read_bytes() == Path(f"1{target.suffix}").read_bytes()


# -- options -----------------------------------------------------------------------------------------------------------


@EVERY
def test_an_option_of_another_target_is_refused_by_name(target: Target, small: Path, run: Run) -> None:
    own = {option.name for option in target.options}
    others = [option for option in options().values() if option.name not in own]
    assert others
    for option in others:
        value = option.words[0] if option.words else str(option.least or "text")
        found = build(run, target, f"--{option.name}", value)
        assert (found.status, found.out) == (2, "")
        assert f"error[E832]: `{target.name}` does not take `{option.name}`, which is for " in found.err
        takers = [each.name for each in TARGETS if option.name in {every.name for every in each.options}]
        assert all(f"`{name}`" in found.err for name in takers)
        assert f"leave out `--{option.name}`" in found.err
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


@pytest.mark.parametrize("target", [each for each in TARGETS if not each.takes_weights], ids=lambda target: target.name)
@pytest.mark.parametrize(
    "words", [["--weights", "w.pth"], ["--seed", "1"], ["--flat"], ["--weights", "w", "--transfer"]], ids=" ".join
)
def test_weights_for_a_target_without_any(words: list[str], target: Target, small: Path, run: Run) -> None:
    found = build(run, target, *words)
    assert (found.status, found.out) == (2, "")
    assert f"error[E832]: `{target.name}` does not take `{words[0][2:]}`" in found.err


@EVERY
def test_flat_changes_no_file(target: Target, small: Path, run: Run) -> None:
    found = build(run, target, "--flat")
    assert (found.status, found.out) == (2, "")
    assert f"error[E832]: `{target.name}` does not take `flat`" in found.err
    assert "leave out `--flat`" in found.err
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


@EVERY
def test_a_wrong_value_of_an_option_names_it(target: Target, small: Path) -> None:
    for option in target.options:
        for value in ("wrong", -1, 10**6) if option.words or option.least is not None else (5, b"a", ["a"]):
            with pytest.raises((TypeError, ValueError), match=f"`{option.name}`"):
                archspec.write(small, output(target), to=target.name, **{option.name: value})
    with pytest.raises(TypeError, match="no target takes the option `nowhere`"):
        archspec.write(small, output(target), to=target.name, nowhere=1)


# -- standard output ---------------------------------------------------------------------------------------------------


@EVERY
def test_standard_output_is_for_texts(target: Target, small: Path, run: Run) -> None:
    found = build(run, target, file="-")
    if not target.text:
        assert (found.status, found.out) == (2, "")
        assert f"error[E831]: `{target.name}` is not a text format and needs a file" in found.err
        return
    assert (found.status, found.err) == (0, "")
    archspec.write(small, output(target), to=target.name)
    written = Path(output(target)).read_text(encoding="utf-8")
    told = re.compile(r"^# Written by .*\n(# .*\n)*?(?=# Network)", re.MULTILINE) if target.signed else re.compile("$^")
    assert told.sub("", found.out) == told.sub("", written)
    both = build(run, target, "--format", "json", file="-")
    assert (both.status, both.out) == (2, "")


# -- hostile texts -----------------------------------------------------------------------------------------------------


@TEXTS
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_gives_a_safe_file(text: str, target: Target, here: Path) -> None:
    """Nothing in it controls a terminal or ends what it stands in."""
    archspec.write(hostile(text), output(target), to=target.name)
    check(target, Path(output(target)).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "target", [each for each in TARGETS if each.text and each.options], ids=lambda target: target.name
)
@pytest.mark.parametrize("text", [*HOSTILE, *UNSEEN], ids=range(len(HOSTILE) + len(UNSEEN)))
def test_a_hostile_option_gives_a_safe_file(text: str, target: Target, here: Path) -> None:
    free = [option.name for option in target.options if not option.words and option.least is None]
    archspec.write(SMALL, output(target), to=target.name, **dict.fromkeys(free, text))
    check(target, Path(output(target)).read_text(encoding="utf-8"))


@pytest.mark.parametrize("target", [each for each in TARGETS if not each.text], ids=lambda target: target.name)
def test_hostile_texts_in_a_binary_target(target: Target, here: Path) -> None:
    archspec.write(hostile(" ".join(HOSTILE)), output(target), to=target.name)
    assert Path(output(target)).stat().st_size


@TEXTS
def test_a_hostile_command_and_file(target: Target, here: Path, run: Run) -> None:
    """A source says by which command it was made, with the name of the spec's file and what `--set` changes."""
    name = 'a"""\n\u202e<text>.yaml'
    Path(name).write_text(SMALL)
    found = build(run, target, "--set", f"summary={json.dumps(HOSTILE[0])}", spec=name)
    assert found.status == 0, found.err
    check(target, Path(output(target)).read_text(encoding="utf-8"))


@TEXTS
@pytest.mark.parametrize("name", ["a-b", "a.b", "class", "_", "torch", "x" * 100])
def test_a_network_whose_name_is_no_identifier(name: str, target: Target, here: Path) -> None:
    spec = SMALL.replace("name: small", f"name: {name}")
    archspec.write(spec, output(target), to=target.name)
    check(target, Path(output(target)).read_text(encoding="utf-8"))


@TEXTS
def test_a_file_whose_name_is_no_identifier(target: Target, small: Path, run: Run) -> None:
    found = build(run, target, file=f"2plus1d{target.suffix}")
    assert (found.status, found.err) == (0, "")
    check(target, Path(f"2plus1d{target.suffix}").read_text(encoding="utf-8"))


def check(target: Target, text: str) -> None:
    """The text is what it should be, and no more."""
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]", text)
    CHECKS[target.suffix](text)


def _python(text: str) -> None:
    """It compiles, and its module runs nothing but imports, definitions and what is under ``__main__``."""
    tree = ast.parse(text)
    compile(text, "net.py", "exec")
    allowed = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.Assign, ast.AnnAssign, ast.If)
    assert all(isinstance(each, allowed) for each in tree.body[1:])
    names = {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
    assert {name.partition(".")[0] for name in names} <= {"torch", "collections", "math", "functools", "__future__"}


def _svg(text: str) -> None:
    root = ET.fromstring(text)
    tags = {each.tag.rpartition("}")[2] for each in root.iter()}
    assert not tags & {"script", "foreignObject", "a", "image", "use", "animate"}
    assert not [key for each in root.iter() for key in each.attrib if key.lower().startswith("on") or "href" in key]


def _dot(text: str) -> None:
    """All outside quoted strings is of the language's own words, and braces close."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text, flags=re.DOTALL)
    assert '"' not in bare
    assert bare.count("{") == bare.count("}")
    assert "evil" not in bare


def _mermaid(text: str) -> None:
    """Every label is in quotes on its own line, without another quote, and nothing can be clicked."""
    _, front, text = text.split("---\n", 2)
    assert list(yaml.safe_load(front)) == ["title"]
    assert not re.search(r"^\s*(click|call|href|%%\{)", text, re.MULTILINE)
    assert all(line.count('"') % 2 == 0 for line in text.splitlines())
    bare = re.sub(r'"[^"]*"', "", text)
    assert "evil" not in bare
    assert "javascript" not in bare


CHECKS = {".py": _python, ".json": json.loads, ".svg": _svg, ".dot": _dot, ".mmd": _mermaid}


# -- the next step -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", ["net", "a b", "it's $HOME", "-net", "--help"])
def test_the_next_command_reads_the_file(stem: str, small: Path, run: Run) -> None:
    """A shell that runs the command passes the file, and only it, to a program that reads no option from it."""
    found = run("build", "small.yaml", "--to", "lowlevel", "-o", f"{stem}.py")
    command = found.out.splitlines()[-1].removeprefix("Next: `").partition("` ")[0]
    assert ("'" in command) == (stem in ("a b", "it's $HOME"))
    trained = stem == "--help"  # others are shown, which takes a thousandth of the time
    program = sys.executable if trained else "cat"
    told = subprocess.run(
        ["sh", "-c", command.replace("python", program, 1)], capture_output=True, text=True, check=True
    )
    assert told.stdout.startswith("step 0: loss ") if trained else told.stdout == Path(f"{stem}.py").read_text()
