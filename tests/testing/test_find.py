"""Which files of a folder are specs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archspec.testing.find import find_specs

SPECS = {
    "plain": "archspec: 1\nname: a\n",
    "with a byte order mark": "\ufeffarchspec: 1\nname: a\n",
    "quoted": '"archspec": 1\n',
    "behind a comment and a marker": "# a\n---\narchspec: 1\n",
    "indented as a whole": "  archspec: 1\n  name: a\n",
    "a misspelt version": "archspce: 1\nname: a\nextends: resnet50\n",
    "without a version": "name: a\nstages: {block: basic}\n",
    "as JSON": '{"archspec": 1, "name": "a"}',
    "as JSON that ends too early": '{"archspec": 1, "name": ',
    "definitions of its own": "archspec: 1\nname: a\nblocks: {}\nstages: {}\n",
}
OTHERS = {
    "empty": "",
    "a workflow": "name: check\non: push\njobs: {}\n",
    "nested": "dependencies:\n  archspec: 1.2\n",
    "nested JSON": '{"dependencies": {"archspec": "1.2"}}',
    "definitions": "archspec: 1\nblocks: {}\n",
    "definitions as JSON": '{"archspec": 1, "blocks": {}}',
    "a template": "{{ if .Values.on }}\nname: a\n{{ end }}\n",
    "a value": "name: archspec: 1\n",
}


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS)
def test_specs(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert find_specs(tmp_path) == [str(tmp_path / "a.yaml")]


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_other_yaml(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert find_specs(tmp_path) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    assert find_specs(tmp_path) == [str(locked)]
