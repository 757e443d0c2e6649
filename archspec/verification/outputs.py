"""Comparing what two networks compute with equal weights: in training with its gradients, and in eval mode."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from archspec.tracing.trace import reason
from archspec.verification.verdict import Gap, Outputs

Results = list[tuple[str, Tensor]]
"""The tensors that a network returns, each with what it is called."""


class Incomparable(Exception):
    """Why results cannot be compared, in a sentence."""


def scramble(module: nn.Module, seed: int) -> None:
    """Give random values to what starts with the same one everywhere, so that none can be mistaken for another.

    Scales and running variances lie between 0.5 and 1.5, so that values keep their size through many layers. Weights
    that are random already stay, as drawing them again would take as long as making them.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            if not tensor.is_floating_point() or not tensor.dim() or not _monotonous(tensor):
                continue
            values = torch.empty(tensor.shape, dtype=tensor.dtype)
            if key.endswith("running_var") or (key.endswith("weight") and tensor.dim() == 1):
                values.uniform_(0.5, 1.5, generator=generator)
            elif tensor.dim() == 1:
                values.normal_(0, 0.1, generator=generator)
            else:
                values.normal_(0, max(tensor[0].numel(), 1) ** -0.5, generator=generator)
            tensor.copy_(values)


def _monotonous(tensor: Tensor) -> bool:
    """Whether a tensor may well be the same everywhere; all that is one-dimensional counts."""
    if tensor.dim() == 1:
        return True
    first = tensor.flatten()[:64]
    return bool((first == first[:1]).all())


def share(ours: nn.Module, theirs: nn.Module, pairs: Mapping[str, str]) -> None:
    """Give our network the reference's parameters, in the same storage, and copies of its buffers.

    Raises:
        Incomparable: tensors that are paired differ in more than axes of length one, or some of ours have no pair.
    """
    given = theirs.state_dict(keep_vars=True)
    for path, module in ours.named_modules():
        prefix = f"{path}." if path else ""
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                key = f"{prefix}{name}"
                if tensor is None:
                    continue
                source = given.get(pairs.get(key, ""))
                if source is None:
                    raise Incomparable(f"`{key}` has no counterpart among the reference's weights")
                if source.numel() != tensor.numel():
                    raise Incomparable(f"`{key}` has another shape than the reference's `{pairs[key]}`")
                values = source.detach().reshape(tensor.shape)
                held[name] = nn.Parameter(values) if isinstance(tensor, nn.Parameter) else values.clone()


def compare_outputs(
    ours: nn.Module,
    theirs: nn.Module,
    pairs: Mapping[str, str],
    example: Tensor,
    *,
    seed: int,
    tolerance: float,
    random: str,
) -> Outputs:
    """Run both networks with equal weights.

    Training comes first: it moves the running statistics towards what the values are, and so keeps the numbers of deep
    networks finite in eval mode.

    Args:
        ours: without values on the meta device.
        theirs: the reference; its parameters are shared, and its statistics change.
        pairs: our keys to the reference's.
        example: the input.
        seed: of what is drawn in training, and of the loss.
        tolerance: how far results may be apart, relative to the reference's largest number.
        random: why training cannot be compared number by number; empty where it can.
    """
    try:
        share(ours, theirs, pairs)
        train, gradients = _training(ours, theirs, pairs, example, seed)
        buffers = _buffers(ours, theirs, pairs)
        with torch.no_grad():
            wanted = _run(theirs.eval(), example, "the reference")
            results = _run(ours.eval(), example, "the spec's network")
            evaluated = _compared(results, wanted)
    except Incomparable as error:
        return Outputs(False, reason=str(error), tolerance=tolerance)
    found = Outputs(True, tolerance=tolerance, eval=evaluated)
    if random and train.largest:
        found = replace(found, random=random)
    else:
        found = replace(found, train=train, gradients=gradients, buffers=buffers)
    return replace(found, held=not found.failing)


def _training(
    ours: nn.Module, theirs: nn.Module, pairs: Mapping[str, str], example: Tensor, seed: int
) -> tuple[Gap, Gap]:
    """The gaps between outputs in training mode, and between the gradients of parameters and input."""
    wanted, slopes = _step(theirs.train(), example, seed, "the reference")
    found, own = _step(ours.train(), example, seed, "the spec's network")
    train = _compared(found, wanted)
    gaps = [gap([own[""]], [slopes[""]], "input")]
    parameters = {key: slope for key, slope in own.items() if key}
    gaps += [gap([slope], [slopes.get(pairs[key])], key) for key, slope in parameters.items()]
    return train, _worst(gaps)


def _step(module: nn.Module, example: Tensor, seed: int, name: str) -> tuple[Results, dict[str, Tensor | None]]:
    """Outputs in training mode, and the gradients of a random sum of them by parameter; the input's has no name."""
    example = example.clone().requires_grad_()
    parameters = {key: tensor for key, tensor in module.named_parameters() if tensor.requires_grad}
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        outputs = _run(module, example, name)
    generator = torch.Generator().manual_seed(seed)
    tensors = [out for _, out in outputs]
    factors = [torch.randn(out.shape, generator=generator, dtype=out.dtype).to(out.device) for out in tensors]
    with torch.enable_grad():
        loss = sum((out * factor).sum() for out, factor in zip(tensors, factors, strict=True))
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        raise Incomparable(f"the outputs of {name} have no gradient")
    slopes = torch.autograd.grad(loss, [example, *parameters.values()], allow_unused=True)
    detached = [(label, out.detach()) for label, out in outputs]
    return detached, dict(zip(["", *parameters], slopes, strict=True))


def _run(module: nn.Module, example: Tensor, name: str) -> Results:
    try:
        found = _tensors(module(example))
    except (Exception, SystemExit) as error:  # whatever a network raises on this input
        raise Incomparable(f"{name} cannot be run on an input of {_shown(example.shape)}: {reason(error)}") from None
    if not all(bool(out.isfinite().all()) for _, out in found):
        raise Incomparable(f"the outputs of {name} are not finite, so that they prove nothing")
    return found


def _tensors(result: Any, name: str = "output") -> Results:
    """The tensors of an output, in order, each with what it is called."""
    if isinstance(result, Tensor):
        return [(name, result)]
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(result, Mapping):
        items = result.items()
    elif isinstance(result, Sequence):
        items = enumerate(result)
    return [each for key, item in items for each in _tensors(item, f"{name}[{key!r}]")]


def _compared(found: Results, wanted: Results) -> Gap:
    """The largest gap between results, which are paired in order, and are called as the spec's network calls them."""
    if [out.shape for _, out in found] != [out.shape for _, out in wanted]:
        shapes = [" and ".join(_shown(out.shape) for _, out in outs) or "nothing" for outs in (found, wanted)]
        raise Incomparable(f"the spec's network gives {shapes[0]}, the reference {shapes[1]}")
    pairs = zip(found, wanted, strict=True)
    return _worst(gap([one], [other], name) for (name, one), (_, other) in pairs)


def _shown(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _buffers(ours: nn.Module, theirs: nn.Module, pairs: Mapping[str, str]) -> Gap:
    """The gap between running statistics after training, which then become the same for what follows."""
    given = dict(theirs.named_buffers(remove_duplicate=False))
    gaps = []
    for key, tensor in ours.named_buffers():
        source = given[pairs[key]].reshape(tensor.shape)
        gaps.append(gap([tensor], [source], key))
        tensor.copy_(source)
    return _worst(gaps)


def gap(found: Sequence[Tensor | None], wanted: Sequence[Tensor | None], name: str) -> Gap:
    """The largest difference between two lists of tensors. None stands for zeros, as an unused weight's gradient."""
    gaps = [_difference(one, other, name) for one, other in zip(found, wanted, strict=True)]
    return _worst(gaps)


def _difference(found: Tensor | None, wanted: Tensor | None, name: str) -> Gap:
    present = [tensor for tensor in (found, wanted) if tensor is not None]
    if not present:
        return Gap()
    if found is not None and wanted is not None and torch.equal(found, wanted.reshape(found.shape)):
        return Gap()
    one = torch.zeros_like(present[0]) if found is None else found
    other = torch.zeros_like(one) if wanted is None else wanted.reshape(one.shape)
    apart = (one.double() - other.double()).abs()
    place = int(apart.argmax())  # the first NaN, if there is one
    index = tuple([int(axis) for axis in torch.unravel_index(torch.tensor(place), apart.shape)])
    largest, scale = float(apart.flatten()[place]), float(other.double().abs().max())
    if not (math.isfinite(largest) and math.isfinite(scale)):  # what is not a number proves nothing
        return Gap(float("inf"), float("inf"), name, index)
    return Gap(largest, largest / scale if scale else float("inf"), name, index)


def _worst(gaps: Iterable[Gap]) -> Gap:
    return max(gaps, key=lambda gap: gap.relative, default=Gap())
