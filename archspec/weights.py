"""State dicts: reading and writing files of them, and building a model with them."""

from __future__ import annotations

import os
import pickle
import re
import stat
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError, cut
from archspec.emit.fx import emit
from archspec.emit.initialise import materialise
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.operations.base import Buffer, Weight, show_shape


def build(
    graph: Graph,
    *,
    weights: str | os.PathLike[str] | Mapping[str, Tensor] | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    seed: int | None = None,
    flat: bool = False,
) -> fx.GraphModule:
    """The model of a compiled network; see :func:`archspec.build`.

    Warns (:class:`UserWarning`) of weights that are cast to another dtype without being asked for, and of weights that
    are not finite.

    Raises:
        TypeError: ``dtype`` is not a floating-point one.
    """
    if dtype is not None and not dtype.is_floating_point:
        raise TypeError(f"the weights of a network are floating-point numbers, not {dtype}")
    given = read(weights) if isinstance(weights, str | os.PathLike) else weights
    if given is not None:
        check(graph, given)
    module = emit(graph, flat=flat)
    target = torch.device(device) if device is not None else torch.get_default_device()
    if target.type == "meta":
        return module if dtype is None else module.to(dtype)
    generator = torch.Generator(target).manual_seed(seed) if seed is not None else None
    materialise(module, graph, device=target, dtype=dtype, generator=generator, initialised=given is None)
    if given is not None:
        # As a plain dict: with the versions that torch keeps beside its own, a counter of batches may not be missing.
        module.load_state_dict(dict(given))
        for remark in _remarks(module, given, asked=dtype is not None):
            warnings.warn(remark, stacklevel=3)  # at the line that calls `archspec.build`
    return module


def read(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a file, by key: safetensors, or a pickled state dict read with ``weights_only=True``.

    Raises:
        SpecError: E801 where there is no such file, E803 where it is a folder or a pipe, E804 where it cannot be read,
            E808 where it is no weights file.
        EnvironmentFault: E809, safetensors is not installed.
    """
    name = os.fspath(path)
    try:
        regular = stat.S_ISREG(Path(name).stat().st_mode)
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        raise SpecError([Diagnostic("E801", f"there is no weights file `{cut(name)}`")]) from None
    if not regular:
        raise SpecError([Diagnostic("E803", f"the weights `{cut(name)}` are not a regular file")])
    try:
        found = _tensors(name)
    except ImportError as error:
        message = f"reading `{cut(name)}` needs safetensors, which cannot be imported ({error})"
        raise EnvironmentFault(Diagnostic("E809", message, help="pip install 'archspec-compiler[torch]'")) from None
    except PermissionError as error:
        raise SpecError([Diagnostic("E804", f"`{cut(name)}` cannot be read: {error.strerror}")]) from None
    except Exception as error:  # the readers raise whatever their parsers do
        message = f"`{cut(name)}` is not a weights file that can be read without running code: {_reason(error)}"
        help = "save a state dict, as safetensors or with `torch.save`"
        raise SpecError([Diagnostic("E808", message, help=help)]) from None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        message = f"`{cut(name)}` holds something else than a state dict"
        help = "save the state dict alone, without the optimiser's or other data around it"
        raise SpecError([Diagnostic("E808", message, help=help)])
    return found


def _tensors(name: str) -> Any:
    if name.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch asks to report files that it may not read; they are refused if so
        return torch.load(name, map_location="cpu", weights_only=True)


def _reason(error: Exception) -> str:
    """Why a reader gave up, without torch's advice to load the file in the dangerous way."""
    if wanted := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it asks for `{cut(wanted[1])}`"
    if isinstance(error, pickle.UnpicklingError):
        return "it is no pickle, or one with more than tensors in it"
    return cut(str(error).partition("\n")[0] or type(error).__name__, 120)


def check(graph: Graph, given: Mapping[str, Tensor]) -> None:
    """Refuse a state dict that does not fit the network, with every missing, extra and misshapen key at once.

    Raises:
        SpecError: E807, once for each of the three kinds.
    """
    wanted = state(graph)
    name = graph.spec.name
    # Files from before torch 0.4.1 lack the counter of batches, which only `momentum=None` reads.
    missing = [f"`{key}`" for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    extra = [f"`{cut(key)}`" for key in given if key not in wanted]
    misfits = list(_misfits(wanted, given))
    found = []
    if missing:
        found.append(f"the weights lack {_counted(missing, 'key')} of `{name}`: {', '.join(missing)}")
    if extra:
        found.append(f"the weights have {_counted(extra, 'key')} that `{name}` has not: {', '.join(extra)}")
    if misfits:
        found.append(f"the weights have {_counted(misfits, 'value')} that `{name}` cannot take: {'; '.join(misfits)}")
    if not found:
        return
    help = "build the spec that they were saved from"
    prefix = str(next(iter(given), "")).partition(".")[0] + "."  # wrappers such as DistributedDataParallel add one
    if {str(key).removeprefix(prefix) for key in given} == wanted.keys():
        help = f"every key begins with `{cut(prefix)}`: take that off"
    raise SpecError([Diagnostic("E807", message, help=help) for message in found])


def _misfits(wanted: Mapping[str, Weight | Buffer], given: Mapping[str, Any]) -> Iterator[str]:
    """The values that cannot be copied into the network, each with what it is and what it should be."""
    for key, tensor in wanted.items():
        if key not in given:
            continue
        value = given[key]
        if not isinstance(value, Tensor):
            yield f"`{key}` is {cut(type(value).__name__)}, not a tensor"
        elif tuple(value.shape) != tensor.shape:
            yield f"`{key}` is {_shown(tuple(value.shape))}, not {_shown(tensor.shape)}"
        elif value.is_complex():
            yield f"`{key}` is complex"
        elif value.is_meta:
            yield f"`{key}` has no storage"
        elif value.layout is not torch.strided:
            yield f"`{key}` is sparse"


def _counted(things: list[str], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _shown(shape: tuple[int, ...]) -> str:
    return show_shape(shape) if shape else "one number"


def _remarks(module: nn.Module, given: Mapping[str, Tensor], asked: bool) -> Iterator[str]:
    """What became of a state dict that an author would want to know: another dtype, numbers that are none.

    Args:
        module: the model with the weights.
        given: the weights as they came.
        asked: whether the caller chose the model's dtype, so that a cast between floating-point numbers is no surprise.
    """
    loaded = {key: value for key, value in module.state_dict().items() if key in given}
    casts = Counter((given[key].dtype, value.dtype) for key, value in loaded.items() if given[key].dtype != value.dtype)
    for (before, after), count in casts.items():
        if before.is_floating_point and after.is_floating_point:
            if asked:
                continue
            advice = f"; `dtype={before}` keeps what they are, `dtype={after}` says that this is meant"
        else:
            advice = ""
        yield f"{count} tensor{'' if count == 1 else 's'} of the weights became {after} from {before}{advice}"
    broken = [key for key, value in loaded.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        listed = ", ".join(f"`{key}`" for key in broken[:3])
        yield f"the weights have numbers that are not finite (NaN or infinity) in {listed}{more}"


def save(module: nn.Module, graph: Graph, text: str, path: str) -> None:
    """Write a model's state dict as safetensors, with the spec's text, its name and its hash in the metadata."""
    from safetensors.torch import save_file

    metadata = {"archspec": text, "name": graph.spec.name, "hash": graph.spec.hash}
    save_file({key: value.contiguous() for key, value in module.state_dict().items()}, path, metadata)
