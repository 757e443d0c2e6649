"""Running a network: its outputs in training and in eval mode, its gradients, and its running statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from archspec.diagnostics import in_one_line
from archspec.operations.shapes import show_shape
from archspec.tracing.foreign import foreign
from archspec.verification.gaps import Row
from archspec.verification.results import Kind
from archspec.verification.sharing import Incomparable

Results = list[tuple[str, Tensor]]
"""The tensors that a network returns, each with its name."""

Within: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""Makes the context in which the code of a network runs."""

OURS, THEIRS = "the spec's network", "the reference"


@dataclass
class Computed:
    """What a network computed: outputs in training, gradients by parameter ("" is the input's), statistics, outputs."""

    train: Results
    gradients: Mapping[str, Tensor | None]
    buffers: Mapping[str, Tensor]
    eval: Results


def computed_by_both(
    ours: nn.Module,
    theirs: nn.Module,
    pairs: Mapping[str, str],
    example: Tensor,
    seed: int,
    within: Within = nullcontext,
) -> tuple[Computed, Computed]:
    """Run both networks on the same input.

    Training comes first. It moves the running statistics toward the activations', which keeps the outputs of deep
    networks finite in eval mode. Then our statistics are set to the reference's.
    """
    wanted = trained(theirs, example, seed, THEIRS, within)
    found = trained(ours, example, seed, OURS, within)
    _same_shapes(found.train, wanted.train)
    given = dict(theirs.named_buffers(remove_duplicate=False))
    for key, tensor in ours.named_buffers():
        tensor.copy_(given[pairs[key]].reshape(tensor.shape))
    for inputs in (example, resized(example)):
        there, here = evaluated(theirs, inputs, THEIRS, within), evaluated(ours, inputs, OURS, within)
        _same_shapes(here, there)
        wanted.eval += there
        found.eval += here
    return found, wanted


def computed_alone(module: nn.Module, example: Tensor, seed: int, within: Within = nullcontext) -> Computed:
    """Run the reference by itself, as :func:`computed_by_both` runs it."""
    found = trained(module, example, seed, THEIRS, within)
    for inputs in (example, resized(example)):
        found.eval += evaluated(module, inputs, THEIRS, within)
    return found


def rows_of(found: Computed, wanted: Computed, pairs: Mapping[str, str]) -> dict[Kind, list[Row]]:
    """The tensors of two networks, paired. ``pairs`` are keys of the one to keys of the other."""
    return {
        "eval": [Row(name, one, other) for (name, one), (_, other) in zip(found.eval, wanted.eval, strict=True)],
        "train": [Row(name, one, other) for (name, one), (_, other) in zip(found.train, wanted.train, strict=True)],
        "gradients": [
            Row(key or "input", slope, wanted.gradients.get(pairs.get(key, key) if key else ""))
            for key, slope in found.gradients.items()
        ],
        "buffers": [Row(key, one, wanted.buffers[pairs.get(key, key)]) for key, one in found.buffers.items()],
    }


def trained(module: nn.Module, example: Tensor, seed: int, name: str, within: Within) -> Computed:
    """Outputs in training mode, the gradients of a randomly weighted sum of them, and the statistics after it."""
    example = example.clone().requires_grad_()
    parameters = {key: tensor for key, tensor in module.named_parameters() if tensor.requires_grad}
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        outputs = _run(module, True, example, name, within)
    generator = torch.Generator().manual_seed(seed)
    if not outputs:
        raise Incomparable(f"{name} returns no tensors")
    tensors = [torch.view_as_real(out) if out.is_complex() else out for _, out in outputs]
    tensors = [out for out in tensors if out.is_floating_point()]
    drawn = [torch.randn(out.shape, generator=generator, dtype=torch.float32) for out in tensors]
    factors = [factor.to(out.device, out.dtype) for out, factor in zip(tensors, drawn, strict=True)]
    with torch.enable_grad():
        loss = sum((out * factor).sum() for out, factor in zip(tensors, factors, strict=True))
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        raise Incomparable(f"the outputs of {name} do not require gradients")
    with named(f"the gradients of {name} cannot be computed"):
        slopes = torch.autograd.grad(loss, [example, *parameters.values()], allow_unused=True)
    buffers = {key: tensor.clone() for key, tensor in module.named_buffers(remove_duplicate=False)}
    detached = [(label, out.detach()) for label, out in outputs]
    return Computed(detached, dict(zip(["", *parameters], slopes, strict=True)), buffers, [])


def evaluated(module: nn.Module, example: Tensor, name: str, within: Within) -> Results:
    """Outputs in eval mode."""
    with torch.no_grad():
        return _run(module, False, example, name, within)


def resized(example: Tensor) -> Tensor:
    """A batch of another size: 1, where many networks go wrong, or 2 if that is the first one's."""
    return example[:1] if len(example) > 1 else torch.cat([example, example.flip(-1)])


def named(what: str) -> AbstractContextManager[None]:
    """Code of the reference: whatever it raises says why the results cannot be compared."""
    return foreign(lambda error: Incomparable(f"{what}: {in_one_line(error)}"), passing=(Incomparable,))


def _run(module: nn.Module, training: bool, example: Tensor, name: str, within: Within) -> Results:
    with named(f"{name} cannot run on an input of {show_shape(example.shape)}"):
        module.train() if training else module.eval()
        with torch.set_grad_enabled(training), within():
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


def _same_shapes(found: Results, wanted: Results) -> None:
    if [out.shape for _, out in found] != [out.shape for _, out in wanted]:
        shapes = [" and ".join(show_shape(out.shape) for _, out in outs) or "nothing" for outs in (found, wanted)]
        raise Incomparable(f"the spec's network returns {shapes[0]}, and the reference {shapes[1]}")
