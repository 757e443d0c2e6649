"""State dicts: reading and writing files of them, and building a model with them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx

from archspec.diagnostics import Diagnostic, SpecError, cut
from archspec.emit.fx import emit, materialise, state_shapes
from archspec.graph.graph import Graph
from archspec.operations.base import show_shape

MAX_LISTED = 20


def build(
    graph: Graph,
    *,
    weights: str | os.PathLike[str] | Mapping[str, Tensor] | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    seed: int | None = None,
    flat: bool = False,
) -> fx.GraphModule:
    """The model of a compiled network; see :func:`archspec.build`."""
    state = read(weights) if isinstance(weights, str | os.PathLike) else weights
    if state is not None:
        check(graph, state)
    module = emit(graph, flat=flat)
    target = torch.device(device) if device is not None else torch.get_default_device()
    if target.type == "meta":
        return module if dtype is None else module.to(dtype)
    generator = torch.Generator(target).manual_seed(seed) if seed is not None else None
    materialise(module, graph, device=target, dtype=dtype, generator=generator, initialised=state is None)
    if state is not None:
        module.load_state_dict(state)
    return module


def read(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a file, by key: safetensors, or a pickled state dict read with ``weights_only=True``.

    Raises:
        SpecError: E801 where there is no such file, E808 where it is no weights file.
    """
    name = os.fspath(path)
    if not Path(name).is_file():
        raise SpecError([Diagnostic("E801", f"there is no weights file `{cut(name)}`")])
    try:
        if name.endswith(".safetensors"):
            from safetensors.torch import load_file

            return dict(load_file(name))
        found: Any = torch.load(name, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise whatever their parsers do
        message = f"`{cut(name)}` is not a weights file that can be read without running code ({cut(error, 120)})"
        raise SpecError(
            [Diagnostic("E808", message, help="save a state dict, as safetensors or with `torch.save`")]
        ) from None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise SpecError([Diagnostic("E808", f"`{cut(name)}` holds something else than a state dict")])
    return found


def check(graph: Graph, state: Mapping[str, Tensor]) -> None:
    """Refuse a state dict that does not fit the network, with every missing, extra and misshapen key at once.

    Raises:
        SpecError: E807.
    """
    wanted = state_shapes(graph)
    optional = {key for key in wanted if key.endswith("num_batches_tracked")}
    faults = [f"`{key}` is missing" for key in wanted if key not in state and key not in optional]
    faults += [f"`{cut(key)}` is not part of the network" for key in state if key not in wanted]
    for key in wanted.keys() & state.keys():
        if tuple(state[key].shape) != wanted[key]:
            faults.append(f"`{key}` is {_shown(tuple(state[key].shape))}, and the network has {_shown(wanted[key])}")
    if not faults:
        return
    notes = tuple(faults[:MAX_LISTED]) + ((f"and {len(faults) - MAX_LISTED} more",) if len(faults) > MAX_LISTED else ())
    message = f"the weights do not fit `{graph.spec.name}`: {len(faults)} of their keys differ"
    raise SpecError([Diagnostic("E807", message, notes=notes, help="build the spec that they were saved from")])


def _shown(shape: tuple[int, ...]) -> str:
    return show_shape(shape) if shape else "a single number"


def save(module: torch.nn.Module, graph: Graph, text: str, path: str) -> None:
    """Write a model's state dict as safetensors, with the spec's text, its name and its hash in the metadata."""
    from safetensors.torch import save_file

    metadata = {"archspec": text, "name": graph.spec.name, "hash": graph.spec.hash}
    save_file({key: value.contiguous() for key, value in module.state_dict().items()}, path, metadata)
