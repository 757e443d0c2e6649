"""The tensors of a network in numpy: from a file of safetensors without torch, or from a model that torch builds."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archspec import arguments
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.import_path import torch_needed
from archspec.operations.base import Buffer
from archspec.weights.fitting import Fit, fit
from archspec.weights.loaded import Loaded
from archspec.weights.remarks import value_remarks
from archspec.weights.selection import Selection
from archspec.weights.tensors import StoredTensor

if TYPE_CHECKING:
    import numpy

Arrays = Mapping[str, "numpy.ndarray"]


def needs_torch(weights: object, *, transfer: bool = False) -> bool:
    """Whether :func:`arrays` takes torch: for initial values, and for weights that are not a file of safetensors."""
    return transfer or not (isinstance(weights, str | os.PathLike) and os.fspath(weights).endswith(".safetensors"))


def arrays(graph: Graph, **how: Any) -> tuple[Arrays, Loaded | None]:
    """The weights and buffers of a network by their keys, and the record of the weights that were loaded.

    Args:
        graph: the compiled network.
        how: what :func:`archspec.build` takes about weights: these and how they are read, or a ``seed``.

    Returns:
        The values that the model has which :func:`archspec.build` makes from the same arguments, in the same dtypes: of
        weights, float32. Without torch, a batch counter that the file lacks is left out.

    Raises the errors of :func:`archspec.build`, and E809 if torch is needed and missing.
    """
    if not needs_torch(how.get("weights"), transfer=bool(how.get("transfer"))) and (found := _stored(graph, **how)):
        return found
    with torch_needed(graph.files):
        from archspec.weights import building  # it imports torch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the record of the weights has them as diagnostics
        model = building.build(graph, device="cpu", **how)
    tensors = {key: value.numpy() for key, value in model.state_dict().items()}
    return tensors, model.meta.get("weights")


def _stored(graph: Graph, weights: Any, **how: Any) -> tuple[Arrays, Loaded] | None:
    """What a file of safetensors gives; None if it has tensors that only torch can read."""
    if how.get("seed") is not None:
        arguments.seed(how["seed"])
    selection = Selection(how.get("entry"), how.get("prefix"), how.get("rename"))
    found = fit(graph, weights, how.get("map"), selection=selection, stored=True)
    if not all(isinstance(tensor, StoredTensor) for tensor in found.tensors.values()):
        return None
    return _converted(graph, found)


def _converted(graph: Graph, found: Fit) -> tuple[Arrays, Loaded]:
    import numpy  # the compiler works without it

    from archspec.weights.stored import as_array  # it imports numpy

    wanted = state(graph)
    whole = {key for key, tensor in wanted.items() if isinstance(tensor, Buffer) and tensor.dtype == "int64"}
    dtypes = {key: "int64" if key in whole else "float32" for key in wanted}
    tensors = {key: as_array(tensor, dtypes[key]) for key, tensor in found.tensors.items()}
    casts = [(found.tensors[key].dtype, dtypes[key]) for key in wanted if key in tensors]
    broken = [key for key in wanted if key in tensors and not numpy.isfinite(tensors[key]).all()]
    record = replace(found.loaded, remarks=(*found.loaded.remarks, *value_remarks(casts, broken)))
    return tensors, record
