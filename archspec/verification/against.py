"""Comparing a network with a reference: the public function. It imports torch only when it is called."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from archspec.door import door
from archspec.import_path import torch_needed
from archspec.language.overrides import Overrides
from archspec.passes.compiling import SpecLike, compile
from archspec.verification.asked import checked
from archspec.work import Limits

if TYPE_CHECKING:
    from torch import nn

    from archspec.verification.verdict import Level, Verdict


def silent(text: str) -> None:
    """Report no step."""


@door
def verify(
    spec: SpecLike,
    against: str | nn.Module | Callable[[], Any] | None = None,
    *,
    input: Sequence[int] | None = None,
    batch: int = 2,
    seed: int = 0,
    tolerance: float = 0.0,
    levels: Collection[Level] = ("keys", "graph", "outputs"),
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
    step: Callable[[str], None] = silent,
) -> Verdict:
    """Whether a network is the same as a reference: its keys, its graph, and what it computes with equal weights.

    Args:
        spec: a spec, a compiled graph, or what :func:`load` takes.
        against: ``torchvision:NAME``, ``timm:NAME`` or ``module.path:factory``, optionally with literal arguments in
            parentheses, as in ``torchvision:googlenet(aux_logits=False)``; or a network, which is not changed; or a
            function without arguments that returns a network. The default is the ``reference`` of the spec, which
            must be of torchvision or timm.
        input: another input than the spec's, of the same rank: channels and one to three sizes.
        batch: how many examples both networks run on.
        seed: for the reference's weights, the input, and random operations in training.
        tolerance: a difference that is always allowed, relative to the reference's largest number. For larger
            differences, the reference's own rounding is measured, and those that it explains are allowed.
        levels: what to compare; without ``outputs``, neither network runs.
        overrides: values to set in the spec, as in :func:`load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.
        step: called with a few words when a step begins.

    Returns:
        A verdict, whose ``holds()`` says whether the graphs are the same and the outputs equal.

    Raises:
        SpecError: the spec is refused; or the reference does not exist, cannot be made, or is not a network.
        EnvironmentFault: torch, or the library of the reference, is not installed.
        TypeError: an argument of the wrong type.
        ValueError: an invalid batch, tolerance, level or input; or nothing to compare with.

    >>> import archspec
    >>> archspec.verify("resnet20_cifar", lambda: archspec.build("resnet20_cifar"), levels=["keys", "graph"]).levels
    {'keys': True, 'graph': True}
    """
    batch, seed, tolerance, asked = checked(against, batch, seed, tolerance, levels, step)
    graph = compile(spec, input=input, overrides=overrides, allow_outside=allow_outside, limits=limits)
    with torch_needed(graph.files):
        from archspec.verification.own_reference import named_reference  # it imports torch
        from archspec.verification.verify import verify as verified  # it imports torch
    against, place = named_reference(graph) if against is None else (against, None)
    return verified(graph, against, place=place, batch=batch, seed=seed, tolerance=tolerance, levels=asked, step=step)
