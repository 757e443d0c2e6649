"""Giving two networks equal weights, none of which can be mistaken for another."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from archspec.diagnostics import cut
from archspec.verification.keys import tensors_of


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
                trained = tensor.requires_grad
                held[name] = nn.Parameter(values, trained) if isinstance(tensor, nn.Parameter) else values.clone()


def sample_weight(module: nn.Module) -> Tensor:
    """A parameter of a network; the input must have its device and dtype. Without parameters, an empty tensor."""
    return next((weight for weight in module.parameters() if weight.is_floating_point()), torch.empty(0))
