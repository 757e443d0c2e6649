"""What a user with a wrong file reads: each message says what to do, in the words of Python and of the command line."""

from __future__ import annotations

import io
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import archspec
from tests.support.equivalence import spec

from .conftest import Run

SMALL = spec("""
    input: [3, 8, 8]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 1, channels: 4}
    """)
STATE = dict(archspec.build(SMALL, seed=0).state_dict())
WHOLE = io.BytesIO()
torch.save(STATE, WHOLE)
CUT = WHOLE.getvalue()[:900]
OTHER = {"body.weight": torch.zeros(3), "body.bias": torch.zeros(1)}


def saved(name: str, content: object) -> str:
    torch.save(content, name)
    return name


def written(name: str, content: bytes) -> str:
    Path(name).write_bytes(content)
    return name


def folder(name: str) -> str:
    Path(name).mkdir()
    return name


def pipe(name: str) -> str:
    os.mkfifo(name)
    return name


def mapped(map: object) -> dict[str, Any]:
    Path("map.json").write_text(map if isinstance(map, str) else json.dumps(map))
    return {"weights": saved("w.pth", STATE), "map": "map.json"}


def safe(name: str, state: dict[str, Any]) -> str:
    save_file(state, name)
    return name


WRONG: dict[str, tuple[str, Callable[[], dict[str, Any]], str]] = {
    "misspelled": ("E801", lambda: {"weights": saved("weights.pth", STATE) and "wieghts.pth"}, "`weights.pth`"),
    "missing": ("E801", lambda: {"weights": "no/such/file.pth"}, "current folder"),
    "no map": ("E801", lambda: {"weights": saved("w.pth", STATE), "map": "map.json"}, "current folder"),
    "folder": ("E803", lambda: {"weights": folder("w")}, "name a file"),
    "pipe": ("E803", lambda: {"weights": pipe("w.pth")}, "save"),
    "other network": ("E807", lambda: {"weights": saved("w.pth", OTHER)}, "build the spec"),
    "other classes": ("E807", lambda: {"weights": saved("w.pth", {**STATE, "fc.bias": torch.zeros(7)})}, "transfer"),
    "a list": ("E807", lambda: {"weights": {**STATE, "fc.bias": [1]}, "transfer": True}, "dense tensors"),
    "empty": ("E808", lambda: {"weights": written("w.pth", b"")}, "download it again"),
    "page": ("E808", lambda: {"weights": written("w.pth", b"\n<!DOCTYPE html><html>")}, "download it again"),
    "pointer": ("E808", lambda: {"weights": written("w.pth", b"version https://git-lfs.github.com")}, "git lfs"),
    "text": ("E808", lambda: {"weights": written("w.pth", b"weights\n")}, "safetensors file"),
    "cut": ("E808", lambda: {"weights": written("w.pth", CUT)}, "download it again"),
    "model": ("E808", lambda: {"weights": saved("w.pth", nn.Linear(2, 2))}, "save its state dict"),
    "tensor": ("E808", lambda: {"weights": saved("w.pth", torch.zeros(3))}, "model.state_dict()"),
    "pickle called safe": ("E808", lambda: {"weights": saved("w.safetensors", STATE)}, "`.pth`"),
    "safe called pth": (
        "E808",
        lambda: {"weights": str(Path(safe("w.safetensors", STATE)).rename("w.pth"))},
        "`.safetensors`",
    ),
    "no keys": ("E820", lambda: mapped({"a": "b"}), '`{"keys"'),
    "no json": ("E820", lambda: mapped("x"), '`{"keys"'),
    "unknown": ("E821", lambda: mapped({"keys": {"a.b": "c.d"}}), "archspec.compile(SPEC)"),
    "direction": ("E821", lambda: mapped({"keys": {"linear.bias": "fc.bias"}}), '"fc.bias": "linear.bias"'),
    "twice": ("E822", lambda: mapped({"keys": {"fc.bias": "a", "bn1.bias": "a"}}), "one key of the spec"),
    "itself": ("E822", lambda: mapped({"keys": {"fc.bias": "bn1.bias"}}), "is the same in the weights"),
    "several": ("E823", lambda: {"weights": saved("w.pth", {"a": STATE, "b": STATE})}, "entry='a'"),
    "nothing": ("E824", lambda: {"weights": saved("w.pth", OTHER), "transfer": True}, "`map="),
    "entry": ("E825", lambda: {"weights": saved("w.pth", {"a": STATE}), "entry": "b"}, "`a` ("),
    "prefix": ("E826", lambda: {"weights": saved("w.pth", STATE), "prefix": "b"}, "`layer1.` ("),
    "rename": ("E827", lambda: {"weights": saved("w.pth", STATE), "rename": {"fc.bias": "fc.weight"}}, "prefix="),
}  # fmt: skip
OPTIONS = ("archspec.", "transfer=True`", "entry=", "prefix=", "map=", "rename=")
"""How Python says what the command line calls otherwise."""


@pytest.mark.parametrize("kind", WRONG)
def test_every_message_says_what_to_do(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    code, arguments, told = WRONG[kind]
    monkeypatch.chdir(tmp_path)
    given = arguments()
    with pytest.raises(archspec.SpecError) as error:
        archspec.build(SMALL, **given)
    for fault in error.value.diagnostics:
        assert fault.code == code
        assert told in fault.help + fault.hint
        assert "`archspec list" not in fault.help
        assert "--" not in fault.help.replace("`archspec verify --map`", "")
    if isinstance(given["weights"], dict):
        return
    Path("net.yaml").write_text(SMALL)
    command = ["build", "net.yaml"]
    for name, value in given.items():
        values = [f"{old}={new}" for old, new in value.items()] if name == "rename" else [value]
        command += [f"--{name}"] if value is True else [word for each in values for word in (f"--{name}", each)]
    found = run(*command)
    assert found.status == 1
    assert f"error[{code}]" in found.err
    assert "help: " in found.err or "did you mean" in found.err
    shown = found.err.replace("in Python `transfer=True`", "")
    assert not any(f"`{word}" in shown for word in OPTIONS), shown


def test_every_warning_says_what_to_do() -> None:
    double = {key: value.double() if value.is_floating_point() else value for key, value in STATE.items()}
    double["fc.bias"] = torch.full((5,), float("nan"), dtype=torch.float64)
    map = {"keys": {"fc.bias": "fc.bias"}, "hash": "0"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = archspec.build(SMALL, weights={"state_dict": double}, map=map)
    remarks = model.meta["weights"].remarks
    assert {remark.code for remark in remarks} == {"W820", "W821", "W822", "W823"}
    assert all(remark.help for remark in remarks)


def test_an_unknown_spec_names_what_lists_the_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(archspec.SpecError) as error:
        archspec.build("no_such_network")
    (fault,) = error.value.diagnostics
    assert (fault.code, fault.help) == ("E801", "`archspec.zoo()` lists the zoo")
    assert "`archspec list zoo` lists the zoo" in run("build", "no_such_network").err
