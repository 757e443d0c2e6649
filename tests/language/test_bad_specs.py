"""Specs that are refused or warned about: each file of ``specs/bad`` says in comments what it must give, and where.

A file's comments, anywhere in it:

``# expect: E301 5:3`` for each diagnostic, all of them; ``parts/base.yaml:5:3`` for a place in another file, and no
place for a fault without one. What follows belongs to it: ``# label: 7:20`` for each second place, if any is given,
``library`` for one in the language's library, ``zoo`` for one in a spec of the zoo; ``# hint: channels`` for the word
that it must suggest.
``# set: classes=0`` gives the spec an override; places in it are ``overrides:1:9``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import archspec
from archspec.codes import CODES
from archspec.diagnostics import Diagnostic, Span
from archspec.language.text.locate import ships
from archspec.testing.expectations import check_expectations
from tests.support.paths import ROOT

FOLDER = ROOT / "tests" / "specs" / "bad"
FILES = sorted(FOLDER.glob("*.yaml"))

ELSEWHERE = {
    "E001": "a defect of archspec: tests/cli/test_several.py",
    "E002": "too little memory: tests/cli/test_several.py",
    "E704": "a defect of archspec; testing/against_torch.py compares shapes that no spec can make differ",
    "W508": "another input than the spec's: tests/language/test_slips.py",
    "E804": "a file without permission to read: tests/language/test_source.py",
    "E805": "an output of the command line",
    "E806": "an output of the command line",
    "E807": "weights, not a spec",
    "E808": "weights, not a spec",
    "E809": "a package that is missing",
    **dict.fromkeys(("E705", "E706", "E707"), "of `archspec test`: tests/testing/test_harness.py"),
    **dict.fromkeys(("E820", "E821", "E822"), "a key map, not a spec: tests/weights/test_key_maps.py"),
    **dict.fromkeys([f"E{n}" for n in range(823, 829)], "weights, not a spec: tests/weights"),
    **dict.fromkeys(("E831", "E832"), "an output of the command line"),
    "E830": "an output of the command line: tests/emit/test_onnx.py",
    **dict.fromkeys(("E870", "E871", "E872", "E873", "E874"), "surgery on a graph: tests/passes/test_surgery.py"),
    **dict.fromkeys(("E840", "E841", "E842"), "a graph in JSON, not a spec: tests/emit/test_graph_from_json.py"),
    **dict.fromkeys(("E860", "E861", "E862", "E868"), "data to train with, not a spec: tests/lab/data"),
    **dict.fromkeys([f"E{n}" for n in (863, 864, 865, 866, 867, 869)], "a training, not a spec: tests/lab/training"),
    **dict.fromkeys([f"E{n}" for n in range(880, 886)], "a grid of cells, not a spec: tests/lab/test_cells.py"),
    **dict.fromkeys(("E890", "E891", "E892", "E893"), "an experiment, not a spec: tests/lab/experiments"),
    **dict.fromkeys([f"W{n}" for n in range(880, 883)], "a grid of cells, not a spec: tests/lab/test_cells.py"),
    **dict.fromkeys([f"W{n}" for n in range(820, 825)], "weights, not a spec: tests/weights"),
    **dict.fromkeys(("E920", "E921"), "a graph of networkx, not a spec: tests/analysis/test_skip_paths.py"),
    **dict.fromkeys([f"E9{n:02}" for n in range(1, 11)], "a reference, not a spec: tests/verification"),
}
"""Codes that no spec file can provoke, and why."""


@dataclass
class Wanted:
    """One diagnostic as a file states it."""

    code: str
    place: str
    labels: list[str] = field(default_factory=list)
    hint: str = ""


def stated(text: str) -> tuple[list[Wanted], list[str]]:
    """The diagnostics that a file states, and the overrides that it asks for."""
    wanted: list[Wanted] = []
    overrides = []
    for word, value in re.findall(r"^# (expect|label|hint|set): (.*)$", text, re.MULTILINE):
        if word == "expect":
            code, _, place = value.partition(" ")
            wanted.append(Wanted(code, place))
        elif word == "label":
            wanted[-1].labels.append(value)
        elif word == "hint":
            wanted[-1].hint = value
        else:
            overrides.append(value)
    return wanted, overrides


def diagnosed(path: Path, overrides: list[str]) -> tuple[Diagnostic, ...]:
    """Every diagnostic of the first phase that refuses the spec; or its warnings and failed expectations."""
    try:
        graph = archspec.compile(archspec.load(path, overrides=overrides))
    except archspec.SpecError as error:
        return error.diagnostics
    return (*graph.warnings, *check_expectations(graph))


def placed(span: Span | None, path: Path) -> str:
    """``5:3`` in the file itself, ``parts/base.yaml:5:3`` in another, ``library`` or ``zoo`` in one that ships."""
    if span is None:
        return ""
    if span.source.kind == "library":
        return "library"
    name = span.source.name
    if span.source.path:
        if ships(span.source):
            return "zoo"
        name = Path(span.source.path).resolve().relative_to(FOLDER.resolve()).as_posix()
    here = f"{span.line}:{span.column}"
    return here if name == path.name else f"{name}:{here}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_diagnostics(path: Path) -> None:
    wanted, overrides = stated(path.read_text(encoding="utf-8"))
    assert wanted, "the file states no diagnostic"
    found = diagnosed(path, overrides)
    said = "\n".join(f"{d} [{', '.join(placed(label.span, path) for label in d.labels)}]" for d in found)
    assert sorted((d.code, placed(d.span, path)) for d in found) == sorted((w.code, w.place) for w in wanted), said
    for item in wanted:
        matches = [d for d in found if (d.code, placed(d.span, path)) == (item.code, item.place)]
        if item.labels:
            shown = [list(dict.fromkeys(placed(label.span, path) for label in d.labels)) for d in matches]
            assert item.labels in shown, said
        if item.hint:
            assert any(d.hint == f"did you mean `{item.hint}`?" for d in matches), said


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_sentence_can_be_read(path: Path) -> None:
    """No final stop, nothing unprintable, nothing endless; a place inside its text."""
    for found in diagnosed(path, stated(path.read_text(encoding="utf-8"))[1]):
        assert found.message
        assert not found.message.endswith(".")
        assert len(found.message) <= 400
        for text in (found.message, found.hint, found.help, *found.notes):
            assert text.isprintable()
        for span in (found.span, *(label.span for label in found.labels)):
            assert span is None or span.source.line(span.line)[span.column - 1 :] or span.line == 1


def test_every_code_is_provoked() -> None:
    """By a file here, or, for what no file can provoke, by the test that ``ELSEWHERE`` tells of."""
    here = {item.code for path in FILES for item in stated(path.read_text(encoding="utf-8"))[0]}
    assert here | ELSEWHERE.keys() == CODES.keys()
    assert not here & ELSEWHERE.keys()


def test_the_chain_of_shapes_is_shown() -> None:
    """What a reader of `odd.yaml` meets beside the two places."""
    (found,) = diagnosed(FOLDER / "odd.yaml", [])
    assert found.message == "100 channels do not split into 32 groups"
    assert [label.text for label in found.labels] == ["the 100 channels come from here"]
    chain = "input 3x224x224 > conv1 64x112x112 > maxpool 64x56x56 > layer1.0.conv1 100x56x56"
    assert found.notes == ("in layer1.0.conv2", f"shapes: {chain}")
    assert found.help == "both 100 and 64 must be multiples of `groups`; 4 divides both"
