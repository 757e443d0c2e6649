"""`archspec list PATTERN`: the case does not count, and the beginning of a name is not yet a pattern."""

from __future__ import annotations

import pytest

import archspec

from .conftest import Run


@pytest.mark.parametrize("word", ["resnet", "ResNet", "regnet", "vgg", "VGG1", "mobile"])
def test_the_beginning_of_names_suggests_a_pattern(run: Run, word: str) -> None:
    found = run("list", word)
    assert found.status == 2
    assert f"did you mean `'{word.lower()}*'`?" in " ".join(found.err.split())


@pytest.mark.parametrize("pattern", ["ResNet*", "VGG1[13]", "RESNET18", "*_V2"])
def test_patterns_ignore_case(run: Run, pattern: str) -> None:
    names = [each.name for each in archspec.zoo(pattern.lower())]
    assert names
    assert [each.name for each in archspec.zoo(pattern)] == names
    assert [each["name"] for each in run("list", pattern, "--format", "json").json] == names


def test_a_line_of_yaml_gets_the_advice_of_the_command(run: Run) -> None:
    assert "pass `-` to read it from standard input" in " ".join(run("check", "name: x").err.split())
