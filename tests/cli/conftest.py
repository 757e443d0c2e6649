"""The command in this process, which is all that a result or a message needs."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archspec_cli import main


@dataclass(frozen=True)
class Result:
    """What a call left: the exit status, and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("check", "resnet18")` calls the command; `stdin` is what it reads for `-`."""

    def call(*arguments: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        capsys.readouterr()
        status = main.run(list(arguments))
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


SMALL = """\
archspec: 1
name: small
input: [3, 16, 16]
classes: 5
stem: [conv: {out: 4, kernel: 3}]
stages: {block: basic, count: [1, 1], channels: [4, 8], stride: [1, 2]}
"""


@pytest.fixture
def small(here: Path) -> Path:
    """`small.yaml`, a network of a few thousand parameters, in the working directory."""
    path = here / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    return path
