"""Comparing what two networks compute with equal weights: in training, with gradients, and in eval mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from archspec.diagnostics import cut
from archspec.verification.gaps import gap, worst
from archspec.verification.results import Gap, Judged, Kind, Measured, Outputs
from archspec.verification.rounding import measure
from archspec.verification.running import Computed, computed_by_both, named, rows_of
from archspec.verification.sharing import Incomparable, sample_weight, scramble, share

SUMS = 16
"""How many times the eps of the dtype gradients may differ, relative to the largest, if all else is equal bit for bit.

If a value is read several times, autograd adds up its gradients in an order that depends on how the forward pass is
written. This needs no measuring: a layer whose backward pass differs differs by more.
"""


def compare_outputs(
    ours: nn.Module,
    theirs: nn.Module,
    pairs: Mapping[str, str],
    shape: Sequence[int],
    *,
    seed: int,
    tolerance: float,
    random: str,
    certain: bool = True,
) -> Outputs:
    """Run both networks with equal random weights on random input, and compare the results.

    Where results differ by more than ``tolerance``, the reference's own rounding is measured; see ``rounding``.

    Args:
        ours: the spec's network, on the meta device.
        theirs: the reference. Its parameters are shared with ours, and its weights and running statistics change.
        pairs: our keys to the reference's; empty if they are not known, or if both have no weights.
        shape: the input's, (N, C, *spatial).
        seed: the seed of the weights, of the input, of random operations in training, and of the loss.
        tolerance: a difference that is always allowed, relative to the reference's largest absolute value.
        random: why training cannot be compared value by value; empty if it can.
        certain: whether the pairs are right. If not, and outputs are far apart, rounding is not measured.
    """
    if not pairs and (ours.state_dict() or theirs.state_dict()):
        reason = "graphs, keys and order of execution do not show which weights belong together"
        return Outputs(False, reason=reason, paired=False, tolerance=tolerance)
    try:
        with named("the reference's weights cannot be randomized"):
            scramble(theirs, seed)
        like = sample_weight(theirs)
        example = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(like.device, like.dtype)
        with named("the reference's weights cannot be shared with the spec's network"):
            share(ours, theirs, pairs)
            before = _sums(theirs)
        start = {key: tensor.clone() for key, tensor in theirs.named_buffers(remove_duplicate=False)}
        native = computed_by_both(ours, theirs, pairs, example, seed)
        with named("the reference's parameters cannot be compared with those before it ran"):
            _refuse_changes(before, _sums(theirs))
        found = _apart(native, pairs, tolerance, random)
        found = replace(found, dtype=str(example.dtype).removeprefix("torch."))
        kinds = tuple(found.beyond)
        if kinds and (sums := _only_sums(found, example.dtype)):
            found = replace(found, measured={"gradients": sums})
        elif kinds and (certain or not _far(found)):
            measured, narrow = measure(ours, theirs, pairs, example, seed, start=start, native=native, kinds=kinds)
            found = replace(found, measured=measured, narrow=narrow)
    except Incomparable as error:
        return Outputs(False, reason=str(error), tolerance=tolerance)
    return replace(found, held=not found.failing)


def _apart(native: tuple[Computed, Computed], pairs: Mapping[str, str], tolerance: float, random: str) -> Outputs:
    """How far apart the results of both networks are."""
    gaps: dict[Kind, Gap] = {
        kind: worst(gap(row.found, row.wanted, row.name) for row in rows)
        for kind, rows in rows_of(*native, pairs).items()
    }
    if random and gaps["train"].largest:
        return Outputs(True, tolerance=tolerance, random=random, eval=gaps["eval"])
    return Outputs(True, tolerance=tolerance, **gaps)  # type: ignore[arg-type]  # the kinds are its fields


def _only_sums(found: Outputs, dtype: torch.dtype) -> Measured | None:
    """What is allowed if gradients differ by a few units of rounding, and all else is equal bit for bit."""
    exact = not any(gap.largest for kind, gap in found.found.items() if kind != "gradients")
    eps = torch.finfo(dtype).eps
    if found.gradients is None or not exact or dtype not in (torch.float32, torch.float64):
        return None
    if not found.gradients.relative <= SUMS * eps:
        return None
    return Measured(Judged(found.gradients, eps, SUMS * eps, True))


def _far(found: Outputs) -> bool:
    """Whether outputs are a percent apart: the pairs of weights are wrong, or the networks are different."""
    return any(gap is not None and not gap.relative <= 0.01 for gap in (found.eval, found.train))


def _sums(module: nn.Module) -> dict[str, Tensor]:
    """The sum of each parameter, which shows whether a network writes to what it shares with ours."""
    return {key: parameter.detach().sum() for key, parameter in module.named_parameters()}


def _refuse_changes(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    for key, total in before.items():
        if key not in after or not torch.equal(total, after[key]):
            raise Incomparable(f"the reference changes its parameter `{cut(key)}` when it runs")
