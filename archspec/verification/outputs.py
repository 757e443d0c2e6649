"""Comparing what two networks compute with equal weights: in training, with gradients, and in eval mode."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from archspec.diagnostics import cut, in_one_line
from archspec.operations.shapes import show_shape
from archspec.tracing.foreign import foreign
from archspec.verification.keys import tensors_of
from archspec.verification.verdict import Gap, Outputs

Results = list[tuple[str, Tensor]]
"""The tensors that a network returns, each with its name."""


class Incomparable(Exception):
    """Results cannot be compared. The message is a sentence that says why."""


def scramble(module: nn.Module, seed: int) -> None:
    """Randomize the tensors that start out constant, so that swapping two of them changes the outputs.

    Scales and running variances lie between 0.5 and 1.5, so that activations keep their size through many layers.
    Weights that are random already are kept, because drawing them again takes as long as making them.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, tensor in tensors_of(module).items():
            if tensor.is_meta:
                raise Incomparable(f"`{cut(key)}` of the reference is on the meta device, without values")
            if not _plain(tensor) or not tensor.dim() or not tensor.numel() or not _constant(tensor):
                continue
            values = torch.empty(tensor.shape, dtype=tensor.dtype)
            if key.endswith("running_var") or (key.endswith("weight") and tensor.dim() == 1):
                values.uniform_(0.5, 1.5, generator=generator)
            elif tensor.dim() == 1:
                values.normal_(0, 0.1, generator=generator)
            else:
                values.normal_(0, max(tensor[0].numel(), 1) ** -0.5, generator=generator)
            tensor.copy_(values)


def _plain(tensor: Tensor) -> bool:
    """Whether a tensor is dense and has a floating-point dtype."""
    return tensor.is_floating_point() and tensor.layout == torch.strided and not tensor.is_nested


def _constant(tensor: Tensor) -> bool:
    """Whether a tensor may be constant, as far as its first values show; a vector always may."""
    first = tensor.flatten()[:64]
    return tensor.dim() == 1 or bool((first == first[:1]).all())


def share(ours: nn.Module, theirs: nn.Module, pairs: Mapping[str, str]) -> None:
    """Give our network the reference's parameters, in the same storage, and copies of its buffers.

    Raises:
        Incomparable: one of our tensors has no partner, or one with another number of elements.
    """
    given = tensors_of(theirs)
    for path, module in ours.named_modules():
        prefix = f"{path}." if path else ""
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                if tensor is None:
                    continue
                key = f"{prefix}{name}"
                source = given.get(pairs.get(key, ""))
                if source is None:
                    raise Incomparable(f"`{key}` has no counterpart in the reference's state dict")
                if source.numel() != tensor.numel():
                    raise Incomparable(f"`{key}` and the reference's `{pairs[key]}` have different shapes")
                values = source.detach().reshape(tensor.shape)
                held[name] = nn.Parameter(values) if isinstance(tensor, nn.Parameter) else values.clone()


def sample_weight(module: nn.Module) -> Tensor:
    """A parameter of a network; the input must have its device and dtype. Without parameters, an empty tensor."""
    return next((weight for weight in module.parameters() if weight.is_floating_point()), torch.empty(0))


def compare_outputs(
    ours: nn.Module,
    theirs: nn.Module,
    pairs: Mapping[str, str],
    shape: Sequence[int],
    *,
    seed: int,
    tolerance: float,
    random: str,
) -> Outputs:
    """Run both networks with equal random weights on random input, and compare the results.

    Training comes first. It moves the running statistics toward the activations', which keeps the outputs of deep
    networks finite in eval mode.

    Args:
        ours: the spec's network, on the meta device.
        theirs: the reference. Its parameters are shared with ours, and its weights and running statistics change.
        pairs: our keys to the reference's; empty if they are not known.
        shape: the input's, (N, C, *spatial).
        seed: the seed of the weights, of the input, of random operations in training, and of the loss.
        tolerance: the largest difference allowed, relative to the reference's largest absolute value.
        random: why training cannot be compared value by value; empty if it can.
    """
    if not pairs:
        reason = "neither the graphs nor the keys show which weights belong together"
        return Outputs(False, reason=reason, paired=False, tolerance=tolerance)
    try:
        with _named("the reference's weights cannot be randomized"):
            scramble(theirs, seed)
        like = sample_weight(theirs)
        example = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(like.device, like.dtype)
        with _named("the reference's weights cannot be shared with the spec's network"):
            share(ours, theirs, pairs)
            before = _sums(theirs)
        train, gradients = _training(ours, theirs, pairs, example, seed)
        buffers = _buffers(ours, theirs, pairs)
        evaluated = _worst([_evaluated(ours, theirs, each) for each in (example, _resized(example))])
        with _named("the reference's parameters cannot be compared with those before it ran"):
            _refuse_changes(before, _sums(theirs))
    except Incomparable as error:
        return Outputs(False, reason=str(error), tolerance=tolerance)
    found = Outputs(True, tolerance=tolerance, eval=evaluated)
    if random and train.largest:
        found = replace(found, random=random)
    else:
        found = replace(found, train=train, gradients=gradients, buffers=buffers)
    return replace(found, held=not found.failing)


def _resized(example: Tensor) -> Tensor:
    """A batch of another size: 1, where many networks go wrong, or 2 if that is the first one's."""
    return example[:1] if len(example) > 1 else torch.cat([example, example.flip(-1)])


def _evaluated(ours: nn.Module, theirs: nn.Module, example: Tensor) -> Gap:
    """The gap between outputs in eval mode."""
    with torch.no_grad():
        wanted = _run(theirs, False, example, "the reference")
        return _compared(_run(ours, False, example, "the spec's network"), wanted)


def _training(
    ours: nn.Module, theirs: nn.Module, pairs: Mapping[str, str], example: Tensor, seed: int
) -> tuple[Gap, Gap]:
    """The gaps between outputs in training mode, and between the gradients of parameters and input."""
    wanted, slopes = _step(theirs, example, seed, "the reference")
    found, own = _step(ours, example, seed, "the spec's network")
    train = _compared(found, wanted)
    gaps = [gap(slope, slopes.get(pairs[key] if key else ""), key or "input") for key, slope in own.items()]
    return train, _worst(gaps)


def _step(module: nn.Module, example: Tensor, seed: int, name: str) -> tuple[Results, dict[str, Tensor | None]]:
    """Outputs in training mode, and the gradients of a randomly weighted sum of them, by parameter; "" is the input."""
    example = example.clone().requires_grad_()
    parameters = {key: tensor for key, tensor in module.named_parameters() if tensor.requires_grad}
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        outputs = _run(module, True, example, name)
    generator = torch.Generator().manual_seed(seed)
    if not outputs:
        raise Incomparable(f"{name} returns no tensors")
    tensors = [torch.view_as_real(out) if out.is_complex() else out for _, out in outputs]
    tensors = [out for out in tensors if out.is_floating_point()]
    factors = [torch.randn(out.shape, generator=generator).to(out.device, out.dtype) for out in tensors]
    with torch.enable_grad():
        loss = sum((out * factor).sum() for out, factor in zip(tensors, factors, strict=True))
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        raise Incomparable(f"the outputs of {name} do not require gradients")
    with _named(f"the gradients of {name} cannot be computed"):
        slopes = torch.autograd.grad(loss, [example, *parameters.values()], allow_unused=True)
    detached = [(label, out.detach()) for label, out in outputs]
    return detached, dict(zip(["", *parameters], slopes, strict=True))


def _sums(module: nn.Module) -> dict[str, Tensor]:
    """The sum of each parameter, which shows whether a network writes to what it shares with ours."""
    return {key: parameter.detach().sum() for key, parameter in module.named_parameters()}


def _refuse_changes(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    for key, total in before.items():
        if key not in after or not torch.equal(total, after[key]):
            raise Incomparable(f"the reference changes its parameter `{cut(key)}` when it runs")


def _named(what: str) -> AbstractContextManager[None]:
    """Code of the reference: whatever it raises says why the results cannot be compared."""
    return foreign(lambda error: Incomparable(f"{what}: {in_one_line(error)}"), passing=(Incomparable,))


def _run(module: nn.Module, training: bool, example: Tensor, name: str) -> Results:
    with _named(f"{name} cannot run on an input of {show_shape(example.shape)}"):
        module.train() if training else module.eval()
        with torch.set_grad_enabled(training):
            found = _tensors(module(example))
    if not all(out.layout == torch.strided and not (out.is_quantized or out.is_nested) for _, out in found):
        raise Incomparable(f"the outputs of {name} include a sparse, quantized or nested tensor")
    if not all(bool(out.isfinite().all()) for _, out in found):
        raise Incomparable(f"the outputs of {name} are not finite (NaN or infinity)")
    return found


def _tensors(result: Any, name: str = "output") -> Results:
    """The tensors of an output, in order, each with its name."""
    if isinstance(result, Tensor):
        return [(name, result)]
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(result, Mapping):
        items = result.items()
    elif isinstance(result, Sequence) and not isinstance(result, str | bytes):
        items = enumerate(result)
    return [each for key, item in items for each in _tensors(item, f"{name}[{key!r}]")]


def _compared(found: Results, wanted: Results) -> Gap:
    """The largest gap between results, which are paired in order and named as in the spec's network."""
    if [out.shape for _, out in found] != [out.shape for _, out in wanted]:
        shapes = [" and ".join(show_shape(out.shape) for _, out in outs) or "nothing" for outs in (found, wanted)]
        raise Incomparable(f"the spec's network returns {shapes[0]}, and the reference {shapes[1]}")
    pairs = zip(found, wanted, strict=True)
    return _worst(gap(one, other, name) for (name, one), (_, other) in pairs)


def _buffers(ours: nn.Module, theirs: nn.Module, pairs: Mapping[str, str]) -> Gap:
    """The gap between running statistics after training. Ours are then set to the reference's."""
    given = dict(theirs.named_buffers(remove_duplicate=False))
    gaps = []
    for key, tensor in ours.named_buffers():
        source = given[pairs[key]].reshape(tensor.shape)
        gaps.append(gap(tensor, source, key))
        tensor.copy_(source)
    return _worst(gaps)


def gap(found: Tensor | None, wanted: Tensor | None, name: str) -> Gap:
    """The largest difference between two tensors; None, which is the gradient of an unused weight, counts as zeros.

    >>> str(gap(torch.tensor([1.0, -4.0]), torch.tensor([1.0, -5.0]), "output"))
    '1 (0.2 of the largest), at [1] of `output`'
    """
    present = [tensor for tensor in (found, wanted) if tensor is not None]
    if not present:
        return Gap()
    if found is not None and wanted is not None and torch.equal(found, wanted.reshape(found.shape)):
        return Gap()
    one = torch.zeros_like(present[0]) if found is None else found
    other = torch.zeros_like(one) if wanted is None else wanted.reshape(one.shape)
    kind = torch.complex128 if one.is_complex() or other.is_complex() else torch.float64
    apart = (one.to(kind) - other.to(kind)).abs()
    place = int(apart.argmax())  # the first NaN, if any
    index = tuple([int(axis) for axis in torch.unravel_index(torch.tensor(place), apart.shape)])
    largest, scale = float(apart.flatten()[place]), float(other.to(kind).abs().max())
    if not (math.isfinite(largest) and math.isfinite(scale)):  # NaN and infinity prove nothing
        return Gap(float("inf"), float("inf"), name, index)
    return Gap(largest, largest / scale if scale else float("inf"), name, index)


def _worst(gaps: Iterable[Gap]) -> Gap:
    return max(gaps, key=lambda gap: gap.relative, default=Gap())
