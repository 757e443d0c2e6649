"""The pages of the documentation as the tests read them: blocks, prose, and what a spec on them gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import archspec
from archspec.language.schema_faults import validate
from archspec.language.text.files import read_file
from archspec.language.text.reader import read
from archspec.testing.expectations import check_expectations
from tests.support.paths import ROOT

PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block: where its text begins, and what the comments before it say."""

    page: str
    line: int
    language: str
    text: str
    said: Mapping[str, str]


_FENCE = re.compile(r"((?:^<!-- [^\n]* -->\n)*)^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SAID = re.compile(r"<!-- (over|gives|exit): (.*) -->")


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = text_of(page)
    for match in _FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, match.start(3)) + 1, match[2], match[3], dict(_SAID.findall(match[1])))


def prose(page: str) -> str:
    """A page without its blocks."""
    return _FENCE.sub("", text_of(page))


def part(text: str, base: str) -> str:
    """A whole spec from a part of one, without the base's expectations."""
    if re.match(r"(#.*\n)*- ", text):
        text = "stem:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    if re.search(r"^archspec:", text, re.MULTILINE):
        return text
    extends = "" if base == "nothing" or "\nextends:" in f"\n{text}" else f"extends: {base}\n"
    expect = "" if "\nexpect:" in f"\n{text}" or not extends else "expect: null\n"
    return f"archspec: 1\nname: part\n{extends}{expect}{text}"


def diagnostics(spec: Path | str) -> list[str]:
    """The codes that a spec, or a file of definitions, gives."""
    try:
        if isinstance(spec, Path) and "\nname:" not in spec.read_text(encoding="utf-8"):
            validate(read(read_file(spec)), library=True)
            return []
        graph = archspec.compile(spec)
    except archspec.SpecError as refused:
        return sorted(diagnostic.code for diagnostic in refused.diagnostics)
    return sorted(diagnostic.code for diagnostic in (*graph.warnings, *check_expectations(graph)))
