"""Building a model, with weights or initialized."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from archspec import arguments
from archspec.analysis.memory import ITEM_BYTES
from archspec.diagnostics import Diagnostic, cut, in_one_line
from archspec.emit.fx import emit
from archspec.emit.initialize import materialize
from archspec.graph.graph import Graph
from archspec.weights.fitting import fit
from archspec.weights.remarks import value_remarks
from archspec.weights.selection import Selection


def build(
    graph: Graph,
    *,
    weights: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    map: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    entry: str | None = None,
    prefix: str | None = None,
    rename: Mapping[str, str] | None = None,
    transfer: bool = False,
    device: torch.device | str | None = None,
    dtype: str | torch.dtype | None = None,
    seed: int | None = None,
    flat: bool = False,
) -> fx.GraphModule:
    """The model of a compiled network; see :func:`archspec.build`.

    Everything that can be refused is refused before the model is made, so that none is ever loaded in part.

    Raises:
        TypeError: ``dtype`` is not a floating-point one; an argument about ``weights`` is given and they are not.
        ValueError: the machine does not have the device.
    """
    wanted = None if dtype is None else _floating(dtype)
    target = torch.get_default_device() if device is None else _device(device)
    seed = None if seed is None else arguments.seed(seed)
    transfer, flat = arguments.flag(transfer, "transfer"), arguments.flag(flat, "flat")
    selection = Selection(entry, prefix, rename)
    about = {"map": map, "entry": entry, "prefix": prefix, "rename": rename, "transfer": transfer or None}
    if weights is None and (given := [name for name, value in about.items() if value is not None]):
        raise TypeError(f"`{given[0]}` needs `weights`")
    found = None if weights is None else fit(graph, weights, map, transfer=transfer, selection=selection)
    module = emit(graph, flat=flat)
    if target.type == "meta":
        return module if wanted is None else module.to(wanted)
    generator = torch.Generator(target).manual_seed(seed) if seed is not None else None
    # In a transfer all is initialized first: what is left of it is then what the seed gives without any weights.
    initialized = found is None or transfer
    materialize(module, graph, device=target, dtype=wanted, generator=generator, initialized=initialized)
    if found is not None:
        # As a plain dict: with the versions that torch keeps beside its own, a counter of batches may not be missing.
        module.load_state_dict(found.tensors, strict=not transfer)
        remarks = (*found.loaded.remarks, *_remarks(module, found.tensors, asked=wanted is not None))
        module.meta["weights"] = replace(found.loaded, remarks=remarks)
        for remark in remarks:
            warnings.warn(remark.message, stacklevel=4)  # at the line that calls `archspec.build`, past its door
    return module


def _floating(dtype: str | torch.dtype) -> torch.dtype:
    """The dtype of torch that a caller named or passed."""
    name = arguments.dtype(dtype)
    if name not in ITEM_BYTES:
        raise TypeError(f"`dtype` takes a floating-point dtype, one of {', '.join(ITEM_BYTES)}, not {dtype}")
    found: torch.dtype = getattr(torch, name)
    return found


def _device(device: object) -> torch.device:
    """The device of torch that a caller named or passed, if it can hold tensors here."""
    takes = "a device of torch that this machine has, such as 'cpu', 'cuda:0' or 'meta'"
    if not isinstance(device, torch.device | str):
        device = arguments.whole(device, "device", 0)  # the number of an accelerator, as torch takes it
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except Exception as error:  # each backend of torch reports in its own way that it is not there
        reason = cut(in_one_line(error), 100)
        raise ValueError(f"`device` takes {takes}, got {arguments.given(str(device))}: {reason}") from None
    return found


def _remarks(module: nn.Module, given: Mapping[str, Tensor], asked: bool) -> Iterator[Diagnostic]:
    """The warnings about the weights that were copied from ``given``; ``asked``: the caller chose the dtype."""
    loaded = {key: value for key, value in module.state_dict().items() if key in given}
    casts = [(_named(given[key].dtype), _named(value.dtype)) for key, value in loaded.items()]
    broken = [key for key, value in loaded.items() if value.is_floating_point() and not value.isfinite().all()]
    return value_remarks(casts, broken, asked=asked)


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
