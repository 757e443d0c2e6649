"""The figure of a spec, for Python and for notebooks."""

from __future__ import annotations

from archspec import arguments
from archspec.door import door
from archspec.emit.figure import Figure, figure
from archspec.emit.figures.contents import DEPTHS, Depth
from archspec.language.overrides import Overrides
from archspec.passes.compiling import SpecLike, compile
from archspec.work import Limits


@door
def draw(
    spec: SpecLike,
    *,
    depth: Depth = "block",
    title: str | None = None,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> Figure:
    """The figure of a network, as a paper would print it. It does not import torch, and a notebook shows it.

    Stages are bands on one spine. Each kind of block has a letter, and its inside is drawn once, beside the spine. A
    thin line is an identity shortcut, and a thick line is a shortcut with weights. :func:`archspec.write` writes the
    figure as ``.svg``, ``.png``, ``.pdf``, ``.dot`` or ``.mmd``, with the same options.

    Args:
        spec: a spec, a compiled graph, or what :func:`archspec.load` takes.
        depth: ``model`` draws whole stages with their parameters and MACs, ``stage`` draws blocks, ``block`` also draws
            the inside of each kind of block, and ``op`` draws every operation.
        title: the text above the figure; the network's name by default.
        overrides: values to set in the spec, as in :func:`archspec.load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.

    Returns:
        The :class:`Figure`; ``svg`` is its text, ``width`` and ``height`` are in pixels.

    Raises:
        SpecError: the spec is refused.
        TypeError, ValueError: a value that an argument does not take.

    >>> import archspec
    >>> archspec.draw("resnet50", title="ResNet-50")
    Figure(title='ResNet-50', width=601, height=889)
    """
    arguments.word(depth, "depth", DEPTHS)
    title = None if title is None else arguments.text(title, "title")
    graph = compile(spec, overrides=overrides, allow_outside=allow_outside, limits=limits)
    return figure(graph, depth=depth, title=title)
