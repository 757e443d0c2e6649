"""archspec: a compiler for convolutional networks. YAML in, a checked ``torch.fx`` graph out.

    >>> import archspec
    >>> model = archspec.build("resnet50")

``load`` reads a spec, ``compile`` infers every shape, ``analyze`` says what the network costs and ``diff`` how it
differs from another, all without torch; ``build`` makes the model.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import Diagnostic, EnvironmentFault, Source, SpecError
from archspec.graph.graph import Graph, Limits
from archspec.graph.lower import lower
from archspec.language.load import load
from archspec.language.spec import Spec

if TYPE_CHECKING:
    import torch
    from torch import fx

    from archspec.analysis.diff import Difference
    from archspec.analysis.report import Report

__version__ = "0.1.0"

__all__ = [
    "Diagnostic",
    "Difference",
    "EnvironmentFault",
    "Graph",
    "Limits",
    "Report",
    "Source",
    "Spec",
    "SpecError",
    "__version__",
    "analyze",
    "build",
    "compile",
    "diff",
    "load",
]


def __getattr__(name: str) -> Any:
    """The types of results, imported when they are asked for: checking a spec needs none of them."""
    if name == "Report":
        from archspec.analysis.report import Report

        return Report
    if name == "Difference":
        from archspec.analysis.diff import Difference

        return Difference
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def compile(spec: Spec | str | os.PathLike[str], *, limits: Limits | None = None) -> Graph:
    """The graph of a spec, every shape inferred; torch is not imported.

    Args:
        spec: a spec, or what :func:`load` takes: a path, a zoo name, YAML text.
        limits: how large a network may become.

    Raises:
        SpecError: with every fault of the phase that refused the spec.
    """
    return lower(spec if isinstance(spec, Spec) else load(spec), limits)


def analyze(
    spec: Spec | Graph | str | os.PathLike[str],
    *,
    input: Sequence[int] | None = None,
    batch: int = 1,
    dtype: str = "float32",
    frozen: str | Iterable[str] = (),
    lengths: bool | None = None,
    gates: bool = False,
    limits: Limits | None = None,
) -> Report:
    """What a network costs, and the paths through it; torch is not imported.

    Args:
        spec: a spec, a compiled graph, or what :func:`load` takes: a path, a zoo name, YAML text.
        input: another input than the spec's, of the same rank: channels and one to three sizes.
        batch: examples in a batch, for memory.
        dtype: of weights and values, for memory: ``float32``, ``float64``, ``float16`` or ``bfloat16``.
        frozen: a scope whose weights are not trained, such as ``layer1``, or several.
        lengths: whether the distributions of path lengths are computed; by default up to 2,000 blocks.
        gates: whether the edges of gates count as paths.
        limits: how large a network may become.

    Raises:
        SpecError: the spec is refused, the input is of another rank, or a frozen scope is not there.
        ValueError: a batch, a dtype or an input that cannot be.
    """
    graph = _graph(spec, input, limits)
    from archspec.analysis.report import report

    return report(graph, batch=batch, dtype=dtype, frozen=frozen, lengths=lengths, gates=gates)


def diff(
    before: Spec | Graph | str | os.PathLike[str],
    after: Spec | Graph | str | os.PathLike[str],
    *,
    limits: Limits | None = None,
) -> Difference:
    """What differs between two networks: keys, stages, totals, and which weights of the first fit the second.

    Args:
        before: a spec, a compiled graph, or what :func:`load` takes.
        after: likewise, the other one.
        limits: how large a network may become.

    Raises:
        SpecError: a spec is refused.
    """
    from archspec.analysis.diff import compare

    return compare(_graph(before, None, limits), _graph(after, None, limits))


def _graph(spec: Spec | Graph | str | os.PathLike[str], input: Sequence[int] | None, limits: Limits | None) -> Graph:
    if input is None:
        return spec if isinstance(spec, Graph) else compile(spec, limits=limits)
    loaded = spec.spec if isinstance(spec, Graph) else spec if isinstance(spec, Spec) else load(spec)
    from archspec.analysis.report import with_input

    return compile(with_input(loaded, input), limits=limits)


def build(
    spec: Spec | Graph | str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | Mapping[str, torch.Tensor] | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    seed: int | None = None,
    flat: bool = False,
) -> fx.GraphModule:
    """The model of a spec, in training mode, as torch's own constructors return theirs.

    Args:
        spec: a spec, a compiled graph, or what :func:`load` takes: a path, a zoo name, YAML text.
        weights: a state dict, or a file of one (safetensors, or ``.pt`` and ``.pth`` read without running code); every
            key must match. Without it the weights are initialised as the spec's ``init`` says.
        device: where the weights live; ``meta`` for a model without storage.
        dtype: of parameters and running statistics; torch's default otherwise.
        seed: for initialisation alone; torch's global generator is used, and moves on, without it.
        flat: one graph for the whole network instead of one for each block. State dict and results are the same.

    Returns:
        A ``torch.fx.GraphModule``. Input: (N, C, *spatial); output: (N, classes), or a dict by scope where the spec
        lists ``outputs``. Every fx node carries ``scope``, ``operation``, ``shape`` and ``span`` in its ``meta``.

    Warns (UserWarning) of weights that are cast to another dtype without ``dtype`` asking for it, and of weights that
    are not finite.

    Raises:
        SpecError: the spec is refused, or the weights do not fit it.
        EnvironmentFault: torch is not installed.
        TypeError: ``dtype`` is not a floating-point one.
    """
    graph = spec if isinstance(spec, Graph) else compile(spec)
    backend = _backend()
    model: fx.GraphModule = backend.build(graph, weights=weights, device=device, dtype=dtype, seed=seed, flat=flat)
    return model


def _backend() -> ModuleType:
    """The fx backend; says what to install where torch is missing."""
    try:
        from archspec import weights
    except ImportError as error:
        help = "pip install 'archspec-compiler[torch]'"
        fault = Diagnostic("E809", f"building a model needs torch, which cannot be imported ({error})", help=help)
        raise EnvironmentFault(fault) from None
    return weights
