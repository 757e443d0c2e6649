"""The shape of the code: sizes, names and imports, as CONTRIBUTING.md states them."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.tools import rooms

FILES = sorted([*ROOT.glob("archspec/**/*.py"), *ROOT.glob("cli/*.py"), ROOT / "archspec_pytest.py"])
ANY = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())

TWO_THINGS = {
    "Cell": "a cell of the stage table, and one of a grid of experiments: both are what their tables are made of",
    "DropPath": "the operation, and the torch module that it becomes",
    "Split": "where the ways of a figure part, and a part of a data set; both are the field's word",
}
"""Class names that two files may have, and why."""


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@ANY
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 300
    too_long = {f.name: f.end_lineno - f.lineno + 1 for f in functions(ast.parse(text)) if f.end_lineno}
    assert {name: lines for name, lines in too_long.items() if lines > 60} == {}


@ANY
def test_an_import_in_a_function_says_why(path: Path) -> None:
    """Only what keeps a start fast is imported late, and a comment on the line says so."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    late = {
        node.lineno
        for function in functions(ast.parse(text))
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert [lines[number - 1].strip() for number in sorted(late) if "  # " not in lines[number - 1]] == []


def test_one_class_name_means_one_thing() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found[node.name.lstrip("_")].append(path.relative_to(ROOT).as_posix())
    twice = {name: paths for name, paths in found.items() if len(paths) > 1}
    assert {name: paths for name, paths in twice.items() if name not in TWO_THINGS} == {}


def test_the_picture_of_the_rooms_is_what_the_code_says() -> None:
    """`python -m tests.tools.rooms` draws it anew."""
    assert rooms.PICTURE.read_text(encoding="utf-8") == rooms.draw()
