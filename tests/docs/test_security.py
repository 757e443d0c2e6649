"""The page about security: each promise has tests, and each test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.support.pages import text_of
from tests.support.paths import ROOT

PAGE = "docs/security.md"


def rows() -> list[tuple[str, str]]:
    """The promises, each with the cell of its tests."""
    found = re.findall(r"^\| (.+?) \| (.+) \|$", text_of(PAGE), re.MULTILINE)
    return [row for row in found if row[0] not in ("promise", "---")]


@cache
def names_in(file: str) -> frozenset[str]:
    """The tests of a file, those of a class as `Class::test`."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return frozenset(found)


@pytest.mark.parametrize(("promise", "tests"), rows(), ids=lambda value: value[:40])
def test_each_promise_names_tests_that_exist(promise: str, tests: str) -> None:
    names = re.findall(r"`([^`]+)`", tests)
    assert names
    assert re.sub(r"`[^`]+`|, ", "", tests) == ""
    for name in names:
        file, _, test = name.partition("::")
        assert test.rpartition("::")[2].startswith("test_"), name
        assert test in names_in(file), name
    assert promise.endswith(".")


def test_there_are_promises() -> None:
    assert len(rows()) > 15


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "mkdocs.yml"])
def test_the_page_can_be_found(page: str) -> None:
    assert "security.md" in (ROOT / page).read_text(encoding="utf-8")
