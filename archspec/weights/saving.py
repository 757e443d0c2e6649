"""Saving a model's state dict, with the spec that it was built from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn

from archspec import arguments
from archspec.diagnostics import Diagnostic, EnvironmentFault
from archspec.emit.metadata import metadata
from archspec.files import replacing
from archspec.graph.graph import Graph
from archspec.weights.same_network import check_model

SUFFIX = ".safetensors"
"""How a file of weights that archspec writes ends."""


def save(model: nn.Module, graph: Graph, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Save a model's weights; see :func:`archspec.save`."""
    arguments.instance(model, "model", nn.Module, "a model that `archspec.build` made")
    path, force = arguments.path(path, "path", "the path of a file"), arguments.flag(force, "force")
    if Path(path).suffix != SUFFIX:
        raise ValueError(f"`path` takes the path of a {SUFFIX} file: name a file such as `model{SUFFIX}`, not `{path}`")
    if state := model.state_dict():
        check_model(graph, state)  # another network's weights would carry the name and the hash of this one
    loaded = getattr(model, "meta", {}).get("weights")
    read = (loaded.file, loaded.map) if loaded else ()
    with replacing(Path(path), force=force, inputs=graph.files, weights=read) as temporary:
        write_weights(graph, model, temporary)


def write_weights(graph: Graph, model: nn.Module, path: Path) -> None:
    """Write a model's weights, with the network's name, hash and spec in the metadata: the target ``safetensors``.

    Raises:
        OSError: the file cannot be written.
    """
    write(model, path, metadata(graph))


def writer() -> Callable[..., None]:
    """What writes a file of safetensors; a caller that works for long before it saves asks for it first.

    Raises:
        EnvironmentFault: E809, safetensors is not installed.
    """
    try:
        from safetensors.torch import save_file  # not installed with torch itself
    except ImportError as error:
        help = "pip install 'archspec-compiler[torch]'"
        message = f"saving weights needs safetensors, which cannot be imported ({error})"
        raise EnvironmentFault(Diagnostic("E809", message, help=help)) from None
    return save_file


def write(model: nn.Module, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
    """Write a model's state dict to a file of safetensors.

    Args:
        model: the model.
        path: the file.
        metadata: what the file says besides the tensors.

    Raises:
        OSError: the file cannot be written.
        EnvironmentFault: E809, safetensors is not installed.
    """
    save_file = writer()
    tensors = {key: value.contiguous() for key, value in model.state_dict().items()}
    try:
        # Without tensors an empty mapping would make a file that safetensors cannot read.
        save_file(tensors, path, dict(metadata) if metadata else None)
    except Exception as error:
        if type(error).__name__ != "SafetensorError":  # how safetensors, written in Rust, reports a full disk
            raise
        raise OSError(str(error)) from None
