"""Writing a network to a file: completely or not at all, and never over a file that it was read from."""

from __future__ import annotations

import contextlib
import importlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec import arguments
from archspec.diagnostics import Diagnostic, EnvironmentFault
from archspec.door import door
from archspec.emit.choosing import check_options, choose, refuse_weights
from archspec.emit.target import Target
from archspec.files import staging
from archspec.graph.graph import Graph
from archspec.import_path import only_installed, torch_needed
from archspec.language.overrides import Overrides
from archspec.passes.compiling import SpecLike, compile
from archspec.wording import Brief
from archspec.work import Limits

if TYPE_CHECKING:
    from archspec.weights import Loaded


@dataclass(frozen=True, slots=True, repr=False)
class WrittenFiles(Brief):
    """What :func:`write` wrote: the target's name, the files, and their total size in bytes.

    ``weights`` says which weights were loaded; None if the file has none, or initial ones.

    >>> import archspec
    >>> written = archspec.write("resnet20_cifar", "cifar.json")
    >>> written.target, written.files, written.weights
    ('json', ('cifar.json',), None)
    """

    target: str
    files: tuple[str, ...]
    size: int
    weights: Loaded | None = None


def needs_torch(target: Target, how: Mapping[str, Any]) -> bool:
    """Whether writing the target needs torch, given the arguments about weights (see :func:`archspec.build`)."""
    if target.reads != "tensors":
        return target.reads == "model"
    from archspec.weights.arrays import needs_torch as needed  # it imports what the compiler does not need

    return needed(how.get("weights"), transfer=bool(how.get("transfer")))


@door
def write(
    spec: SpecLike,
    path: str | os.PathLike[str],
    *,
    to: str | None = None,
    force: bool = False,
    weights: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    map: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    entry: str | None = None,
    prefix: str | None = None,
    rename: Mapping[str, str] | None = None,
    transfer: bool = False,
    seed: int | None = None,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
    **options: Any,
) -> WrittenFiles:
    """Write a network to a file as source code, weights, ONNX, a figure or another target.

    ``archspec list targets`` lists the targets with their options. The file is written completely or not at all: an
    error or an interrupt leaves what was there before. :func:`archspec.confirm` compares shapes with torch's.

    Args:
        spec: a spec, a compiled graph, or what :func:`archspec.load` takes.
        path: the file, whose suffix chooses the target. Files of the spec and of the weights are never replaced.
        to: the name of the target, if several share the suffix.
        force: whether to replace an existing file.
        weights: weights to write, as :func:`archspec.build` takes them; without them, the file has initial weights.
        map: likewise; the arguments from ``weights`` to ``seed`` are only for a target that has weights.
        entry: likewise.
        prefix: likewise.
        rename: likewise.
        transfer: likewise.
        seed: the seed for the initial weights.
        overrides: values to set in the spec, as in :func:`archspec.load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.
        options: the target's options.

    Raises:
        SpecError: the spec or the weights are refused; E831, no target has the suffix or the name; E832, the target
            does not take one of these arguments.
        EnvironmentFault: E805, the file exists; E806, it cannot be written; E809, a package is missing.
        TypeError, ValueError: a value that an argument or an option does not take.

    >>> import archspec
    >>> archspec.write("resnet20_cifar", "cifar20.safetensors", seed=0).files
    ('cifar20.safetensors',)
    """
    given = {"map": map, "entry": entry, "prefix": prefix, "rename": rename, "seed": seed, "weights": weights}
    how = {name: value for name, value in given.items() if value is not None}
    how |= {"transfer": True} if arguments.flag(transfer, "transfer") else {}
    graph = compile(spec, overrides=overrides, allow_outside=allow_outside, limits=limits)
    found = write_graph(graph, path, to=to, force=force, how=how, options=options)
    for remark in found.weights.remarks if found.weights else ():
        from archspec.weights.remarks import as_written  # the compiler starts faster without it

        warnings.warn(as_written(remark.message), stacklevel=3)  # at the line that calls it, past the door
    return found


def write_graph(
    graph: Graph,
    path: str | os.PathLike[str],
    *,
    to: str | None = None,
    force: bool = False,
    how: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    command: str = "",
    step: Callable[[str], None] = lambda text: None,
) -> WrittenFiles:
    """Write a compiled network; see :func:`write`.

    Args:
        graph: the network.
        path: the file.
        to: the name of the target; without it, the suffix of the path chooses.
        force: whether to replace an existing file.
        how: the arguments of :func:`archspec.build` about weights, or a ``seed``.
        options: the options of the target by name; those that are None are not set.
        command: the command line that asks for the file, for a target that records it.
        step: called with a few words when a step begins.
    """
    file, force = arguments.path(path, "path", "the path of a file"), arguments.flag(force, "force")
    target = choose(file, None if to is None else arguments.text(to, "to", "the name of a target"))
    how = how or {}
    refuse_weights(target, how)
    chosen = check_options(target, options or {})
    read = [os.fspath(each) for name in ("weights", "map") if isinstance(each := how.get(name), str | os.PathLike)]
    loaded = None
    with (
        staging(Path(file), force=force, inputs=graph.files, weights=read) as staged,
        installed(target, graph.files),
    ):
        make = target.load()
        name = f"writing {Path(file).name}"
        if target.reads == "graph":
            step(name)
            made = make(graph, **chosen, **({"command": command} if target.signed else {}))
            staged.write_bytes(made.encode() if target.text else made)
        else:
            step("loading weights" if "weights" in how else "initializing weights")
            from archspec.weights.arrays import arrays  # the compiler starts faster without it

            given, loaded = arrays(graph, **how) if target.reads == "tensors" else _model(graph, how)
            step(name)
            make(graph, given, staged, **chosen)
        found = sorted(staged.parent.iterdir(), key=lambda each: each.name != staged.name)
        size = sum(each.stat().st_size for each in found)
    return WrittenFiles(target.name, tuple([str(Path(file).with_name(each.name)) for each in found]), size, loaded)


def text(graph: Graph, target: Target, options: Mapping[str, Any], command: str = "") -> str:
    """The text of a target whose file is text, for standard output. The options are those of :func:`write_graph`."""
    chosen = check_options(target, options)
    with installed(target, graph.files):
        return str(target.load()(graph, **chosen, **({"command": command} if target.signed else {})))


@contextlib.contextmanager
def installed(target: Target, files: Iterable[str]) -> Iterator[None]:
    """Import what a target needs, and keep the spec's folders out of Python's search path until the body ends.

    Raises:
        EnvironmentFault: E809, a package is missing.
    """
    with only_installed(files):
        for package in target.packages:
            try:
                importlib.import_module(package)
            except (ImportError, OSError) as error:  # OSError: a library of the system that the package loads
                message = f"writing `{target.suffix}` needs {package}, which cannot be imported ({error})"
                help = f"pip install 'archspec-compiler[{target.extra}]'"
                if isinstance(error, OSError) and target.library:
                    help = f"install the system's {target.library}"
                raise EnvironmentFault(Diagnostic("E809", message, help=help)) from None
        yield


def _model(graph: Graph, how: Mapping[str, Any]) -> tuple[Any, Loaded | None]:
    """The model with its weights, and which of them were loaded."""
    with torch_needed(graph.files):
        from archspec.weights import building  # it imports torch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the record of the weights has them as diagnostics
        model = building.build(graph, **how)
    return model, model.meta.get("weights")
