"""archspec: a compiler for convolutional networks. YAML in, a checked ``torch.fx`` graph out.

    >>> import archspec
    >>> model = archspec.build("resnet50")

``load`` reads a spec, ``compile`` infers every shape, ``analyze`` says what the network costs and ``diff`` how it
differs from another, all without torch; ``build`` makes the model, and ``verify`` compares it with a reference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import Diagnostic, EnvironmentFault, Source, Span, SpecError
from archspec.graph.graph import Graph, Limits
from archspec.language.load import load
from archspec.language.spec import Spec
from archspec.passes import compile_spec

if TYPE_CHECKING:
    import torch
    from torch import fx, nn

    from archspec.analysis.diff import Difference
    from archspec.analysis.report import Report
    from archspec.verification.verdict import Level, Verdict

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
    "Verdict",
    "__version__",
    "analyze",
    "build",
    "compile",
    "diff",
    "load",
    "verify",
]


def __getattr__(name: str) -> Any:
    """The types of results, imported when they are asked for: checking a spec needs none of them."""
    if name == "Report":
        from archspec.analysis.report import Report

        return Report
    if name == "Difference":
        from archspec.analysis.diff import Difference

        return Difference
    if name == "Verdict":
        from archspec.verification.verdict import Verdict

        return Verdict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def compile(spec: Spec | str | os.PathLike[str], *, limits: Limits | None = None) -> Graph:
    """The graph of a spec, every shape inferred; torch is not imported.

    Args:
        spec: a spec, or what :func:`load` takes: a path, a zoo name, YAML text.
        limits: how large a network may become.

    Raises:
        SpecError: with every fault of the phase that refused the spec.
    """
    return compile_spec(spec if isinstance(spec, Spec) else load(spec), limits)


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
    loaded = spec.origin if isinstance(spec, Graph) else spec if isinstance(spec, Spec) else load(spec)
    from archspec.analysis.report import with_input

    return compile(with_input(loaded, input), limits=limits)


def build(
    spec: Spec | Graph | str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    map: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    transfer: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    seed: int | None = None,
    flat: bool = False,
) -> fx.GraphModule:
    """The model of a spec, in training mode, as torch's own constructors return theirs.

    Args:
        spec: a spec, a compiled graph, or what :func:`load` takes: a path, a zoo name, YAML text.
        weights: a state dict, or a file of one (safetensors, or ``.pt`` and ``.pth`` read without running code); every
            key must match. A checkpoint with one state dict in it, or with ``module.`` before every key, stands for
            that. Without it the weights are initialised as the spec's ``init`` says.
        map: where the weights have other keys, which of them stands for which of the spec's: the file that ``archspec
            verify --map`` writes, what it holds, or the mapping of keys alone.
        transfer: whether weights that fit in part are taken: what has the same key and shape is loaded, and the rest
            initialised as the spec's ``init`` and the seed say.
        device: where the weights live; ``meta`` for a model without storage.
        dtype: of parameters and running statistics; torch's default otherwise.
        seed: for initialisation alone; torch's global generator is used, and moves on, without it.
        flat: one graph for the whole network instead of one for each block. State dict and results are the same.

    Returns:
        A ``torch.fx.GraphModule``. Input: (N, C, *spatial); output: (N, classes), or a dict by scope where the spec
        lists ``outputs``. Every fx node carries ``scope``, ``operation``, ``shape`` and ``span`` in its ``meta``. With
        weights, ``model.meta["weights"]`` is an :class:`archspec.weights.Loaded`: which keys were loaded, which
        initialised, and which of the weights were not used. On ``meta`` weights are checked, and not loaded.

    Warns (UserWarning) of what nobody asked for: weights that are cast to another dtype without ``dtype`` asking for
    it, that are not finite, or that were wrapped, and a map whose hash is that of another spec.

    Raises:
        SpecError: the spec is refused, the weights do not fit it, or the map does not.
        EnvironmentFault: torch is not installed.
        TypeError: ``dtype`` is not a floating-point one; ``map`` or ``transfer`` without ``weights``.
    """
    graph = spec if isinstance(spec, Graph) else compile(spec)
    with _torch_needed():
        from archspec.weights import building
    return building.build(
        graph, weights=weights, map=map, transfer=transfer, device=device, dtype=dtype, seed=seed, flat=flat
    )


def verify(
    spec: Spec | Graph | str | os.PathLike[str],
    against: str | nn.Module | Callable[[], Any] | None = None,
    *,
    input: Sequence[int] | None = None,
    batch: int = 2,
    seed: int = 0,
    tolerance: float = 0.0,
    levels: Collection[Level] = ("keys", "graph", "outputs"),
    limits: Limits | None = None,
    step: Callable[[str], None] = lambda text: None,
) -> Verdict:
    """Whether a network is the same as a reference: its keys, its graph, and what it computes with equal weights.

    Args:
        spec: a spec, a compiled graph, or what :func:`load` takes.
        against: ``torchvision:NAME``, ``timm:NAME`` or ``module.path:factory``, each with literal arguments in brackets
            where it takes any; or a network, which is left as it is; or a function without arguments that makes one.
            By default what the spec names as its ``reference``, which may be of torchvision or timm only.
        input: another input than the spec's, of the same rank: channels and one to three sizes.
        batch: examples that both networks are run on.
        seed: of the reference's weights, of the input, and of what is drawn in training.
        tolerance: how far results may be apart, relative to the reference's largest number.
        levels: what is looked at; without ``outputs`` neither network is run.
        limits: how large a network may become.
        step: told in a few words what is done, as it begins.

    Returns:
        A verdict, whose ``holds()`` says whether the graphs are one and the outputs equal.

    Raises:
        SpecError: the spec is refused; or the reference does not exist, cannot be imported or made, or is no network.
        EnvironmentFault: torch, or the library of the reference, is not installed.
        ValueError: a batch, a tolerance, a level or an input that cannot be; or nothing to compare with.
    """
    if batch < 1 or not 0 <= tolerance < float("inf"):
        raise ValueError(f"a batch is at least 1 and a tolerance at least 0, not {batch} and {tolerance}")
    if not set(levels) <= {"keys", "graph", "outputs"}:
        raise ValueError(f"levels are `keys`, `graph` and `outputs`, not {', '.join(levels)}")
    graph = _graph(spec, input, limits)
    with _torch_needed():
        from archspec.verification.verify import verify as verified

    place = None
    if against is None:
        against, place = _own_reference(graph)
    return verified(graph, against, place=place, batch=batch, seed=seed, tolerance=tolerance, levels=levels, step=step)


def _own_reference(graph: Graph) -> tuple[str, Span]:
    """What a graph's spec names as its reference, and where."""
    text = graph.origin.document.value.get("reference") if graph.origin else None
    if graph.origin is None or not isinstance(text, str):
        raise ValueError(f"there is nothing to compare `{graph.name}` with: it names no reference")
    return text, graph.origin.document.span(("reference",))


@contextmanager
def _torch_needed() -> Iterator[None]:
    """Around the imports that import torch: says what to install where it is missing."""
    try:
        yield
    except ImportError as error:
        help = "pip install 'archspec-compiler[torch]'"
        fault = Diagnostic("E809", f"building a model needs torch, which cannot be imported ({error})", help=help)
        raise EnvironmentFault(fault) from None
