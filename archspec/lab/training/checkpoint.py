"""Checkpoints: everything that a training needs to continue, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from archspec.diagnostics import Diagnostic, SpecError, cut
from archspec.files import regular_file, replacing

KIND, VERSION = "archspec training checkpoint", 1
AGAIN = "remove the file to begin anew, or name another one"


def network_hash(model: nn.Module) -> str:
    """A hash of a model's structure: its modules, the code of their graphs, and the shapes of its tensors."""
    digest = hashlib.sha256()
    for name, module in model.named_modules():
        code = module.code if isinstance(module, fx.GraphModule) else ""
        digest.update(repr((name, type(module).__name__, module.extra_repr(), code)).encode())
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    if frozen:
        digest.update(repr(frozen).encode())
    for key, value in model.state_dict().items():
        digest.update(repr((key, tuple(value.shape), str(value.dtype))).encode())
    return digest.hexdigest()


def write_checkpoint(path: Path, run: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write a checkpoint in place of the one before.

    Args:
        path: the file.
        run: what the training is: a checkpoint of another one does not continue it.
        state: tensors, numbers, texts, and lists and mappings of these.

    Raises:
        EnvironmentFault: E806, the file cannot be written, for example because the disk is full; the old one stays.
    """
    whole = io.BytesIO()  # torch reports a full disk as an error of its own, and the system as an OSError
    torch.save({"kind": KIND, "version": VERSION, "run": dict(run), "state": dict(state)}, whole)
    digest = hashlib.sha256(whole.getbuffer()).digest()
    with replacing(path, force=True) as temporary, temporary.open("wb") as stream:
        stream.write(whole.getbuffer())
        stream.write(digest)
        stream.flush()


def read_checkpoint(path: Path, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state that a checkpoint holds; None if there is no file.

    Raises:
        SpecError: E866, the file is damaged or not a checkpoint; E867, it belongs to another training; E803 and E804,
            it cannot be read.
    """
    if not path.exists():
        return None
    with regular_file(path, str(path), "checkpoint") as stream:
        found = stream.read()
    content, digest = found[:-32], found[-32:]
    if hashlib.sha256(content).digest() != digest:
        raise unreadable(path, "it is damaged, or another program wrote it")
    whole = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    if not isinstance(whole, dict) or (whole.get("kind"), whole.get("version")) != (KIND, VERSION):
        raise unreadable(path, "another version of archspec wrote it")
    theirs = whole["run"]
    differing = [name for name in run if theirs.get(name) != run[name]]
    if differing:
        raise _foreign(path, [_difference(name, theirs.get(name), run[name]) for name in differing])
    state: dict[str, Any] = whole["state"]
    return state


def unreadable(path: Path, reason: str) -> SpecError:
    """E866, for a reason."""
    message = f"`{cut(path)}` cannot be read as a training checkpoint: {reason}"
    return SpecError([Diagnostic("E866", message, help=AGAIN)])


def _foreign(path: Path, differences: list[str]) -> SpecError:
    message = f"the checkpoint `{cut(path)}` belongs to another training run"
    help = f"train with the same network, data and settings; or {AGAIN}"
    return SpecError([Diagnostic.listing("E867", message, differences, "; ", help=help)])


def _difference(name: str, theirs: object, ours: object) -> str:
    if name in ("network", "data"):
        return f"the {name} differs"
    return f"`{name}` is {cut(theirs)} there and {cut(ours)} here"
