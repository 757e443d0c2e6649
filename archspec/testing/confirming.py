"""Torch computes the shape of every node of a network, and both agree."""

from __future__ import annotations

from collections.abc import Callable

from archspec import arguments
from archspec.door import door
from archspec.graph.graph import Graph
from archspec.import_path import torch_needed
from archspec.language.overrides import Overrides
from archspec.passes.compiling import SpecLike, compile
from archspec.work import Limits


def _silent(text: str) -> None:
    """Report no step."""


@door
def confirm(
    spec: SpecLike,
    *,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
    step: Callable[[str], None] = _silent,
) -> Graph:
    """The graph of a spec, after torch has computed the same shape for every node, on its meta device.

    Args:
        spec: a spec, a compiled graph, or what :func:`archspec.load` takes.
        overrides: values to set in the spec, as in :func:`archspec.load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.
        step: called with a few words when a step begins.

    Raises:
        SpecError: the spec is refused; or torch computes another shape (E704), which is a defect of archspec.
        EnvironmentFault: torch is not installed.
        TypeError: an argument of the wrong type.

    >>> import archspec
    >>> archspec.confirm("resnet20_cifar").output
    (10,)
    """
    arguments.function(step, "step", "a function of a text")
    graph = compile(spec, overrides=overrides, allow_outside=allow_outside, limits=limits)
    step("building with torch")
    with torch_needed(graph.files):
        from archspec.testing import against_torch  # it imports torch
    against_torch.confirm(graph, step)
    return graph
