"""One misspelled key is one fault, at its line, that names the right key; whatever follows from it is not said.

Every key of every spec in ``specs/typos`` is misspelled in every way that one slip of the hand allows: a letter left
out, written twice, or swapped with the next. Each spec is valid, and all but two extend another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.diagnostics import Diagnostic, Source
from archspec.language.text.document import value_at
from archspec.language.text.reader import read
from archspec.testing.edits import between
from tests.support.paths import ROOT

FILES = sorted((ROOT / "tests" / "specs" / "typos").glob("*.yaml"))
OTHERS = {"block", "e", "f", "s"}
"""Misspellings that are words of another place or of another library, which the fault is about."""

MERGES = ("add", "concat", "multiply")


def slips(word: str) -> set[str]:
    """All words one slip away: a letter left out, written twice, swapped with the next."""
    found = {word[:at] + more + word[at + 1 :] for at in range(len(word)) for more in ("", 2 * word[at])}
    found |= {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)}
    return found - {word, ""}


def declares(path: tuple[Any, ...]) -> bool:
    """Whether a key is a name that the author chose, which other places read."""
    inner = len(path) > 2 and path[-2] in ("params", "let")
    return path[0] in ("params", "fragments", "blocks", "shortcuts") and (len(path) == 2 or inner)


def misspelled(source: Source) -> Iterator[tuple[tuple[Any, ...], str, Source]]:
    """Every key of a spec in every misspelling: its path, the wrong key, and the text with it."""
    document = read(source)
    for path, place in document.places.items():
        branch = len(path) > 1 and path[-2] in MERGES and path[-1] not in ("name", "when")
        if place.key is None or branch:  # a branch may have any name
            continue
        start = source.offset(place.key.line, place.key.column)
        end = start + len(between(place.key))
        beside = value_at(document.value, path[:-1])
        for wrong in sorted(slips(source.text[start:end]) - set(map(str, beside))):
            yield path, wrong, Source(source.name, source.text[:start] + wrong + source.text[end:], path=source.path)


def names(fault: Diagnostic, word: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", f"{fault.message} {fault.hint} {fault.help}"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_specs_are_valid(path: Path) -> None:
    assert archspec.check(path).diagnostics == ()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_one_typo_is_one_fault(path: Path) -> None:
    source = Source(path.name, path.read_text(encoding="utf-8"), path=str(path))
    places, seen = read(source).places, 0
    for key, wrong, text in misspelled(source):
        seen += 1
        found = archspec.check(text).diagnostics
        said = f"{wrong} for {'.'.join(map(str, key))}: {list(map(str, found))}"
        assert len(found) == 1, said
        (fault,) = found
        span = places[key].key
        assert span
        assert fault.span
        lines = [(each.source.name, each.line) for each in (fault.span, *(label.span for label in fault.labels))]
        assert (path.name, span.line) in (lines if declares(key) else lines[:1]), said
        meant = re.findall(r"did you mean `(\w+)`", fault.hint)
        either = wrong in OTHERS or any(wrong in slips(word) for word in meant)  # `ste` may be `stem` or `step`
        assert names(fault, str(key[-1])) or either, said
    assert seen > 50


@pytest.mark.parametrize(
    ("key", "wrong"),
    [("stages.channels", "chanels"), ("stages.count", "coutn"), ("clases", "clases"), ("stages.stride", "sride")],
)
def test_a_typo_in_an_override_is_one_fault_in_the_override(key: str, wrong: str) -> None:
    setting = ".".join([*key.split(".")[:-1], wrong]) + "=[64]"
    (fault,) = archspec.check("resnet50", overrides=[setting]).diagnostics
    assert fault.span
    assert fault.span.source.kind == "override"


def test_a_row_that_says_nothing_of_an_inherited_column(tmp_path: Path) -> None:
    """A table by row has whole columns: one fault tells of all rows, at the author's first."""
    child = tmp_path / "child.yaml"
    rows = "stages:\n  - {}\n  - {}\n  - {count: 23}\n  - {}\n"
    child.write_text(f"archspec: 1\nname: child\nextends: resnet50\n{rows}", encoding="utf-8")
    (fault,) = archspec.check(child).diagnostics
    assert (fault.code, str(fault.span)) == ("E203", f"{child}:5:5")
    assert "1, 2 and 4" in fault.message
    assert "every row" in fault.help


BASE = """archspec: 1
name: base
stages:
  - {block: own, count: 1, channels: 64, deep: true}
  - {block: own, count: 1, channels: 64, deep: false}
blocks:
  own:
    params: {deep: false}
    residual:
      - layer: {out: channels, kernel: 3, stride: stride}
      - layer: {out: channels, kernel: 3, when: deep}
"""
CHILD = """archspec: 1
name: child
extends: base
blocks:
  plain:
    residual:
      - layer: {out: channels, kernel: 3, stride: stride}
stages:
  - {block: plain, count: 1, channels: 64}
  - {block: plain, count: 1, channels: 64}
  - {block: plain, count: 1, channels: 64}
"""


def test_an_inherited_column_that_no_block_reads_is_one_fault_of_the_child(tmp_path: Path) -> None:
    """Nothing is said of the length of a column that must go."""
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    child = tmp_path / "child.yaml"
    child.write_text(CHILD, encoding="utf-8")
    (fault,) = archspec.check(child).diagnostics
    assert (fault.code, str(fault.span)) == ("E301", f"{child}:9:13")
    assert [label.span.line for label in fault.labels] == [4]
