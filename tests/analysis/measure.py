"""What torch itself uses of memory, by watching its storages; the reference of the memory analysis."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveStorages(TorchDispatchMode):
    """Follows every storage that operations make, from there to its end; those of ``apart`` are not counted.

    ``peak`` is the largest sum of live bytes after any operation, whose inputs and outputs are then all alive.
    """

    def __init__(self, apart: Iterable[Tensor]) -> None:
        super().__init__()
        self.known = {_storage(tensor) for tensor in apart}
        self.live = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and _storage(tensor) not in self.known:
                storage = tensor.untyped_storage()
                self.known.add(_storage(tensor))
                self.live += storage.nbytes()
                weakref.finalize(storage, self._free, _storage(tensor), storage.nbytes())
        self.peak = max(self.peak, self.live)
        return result

    def _free(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.live -= size


def inference_peak(model: nn.Module, example: Tensor) -> int:
    """The most bytes alive at once while ``model`` runs in eval mode, without its state and without ``example``."""
    model.eval()
    with torch.no_grad(), LiveStorages([*_state(model), example]) as storages:
        model(example)
    return storages.peak


def training_peak(model: nn.Module, example: Tensor, optimiser: torch.optim.Optimizer) -> int:
    """The most bytes alive at once in two steps of training, the model's state among them, without ``example``."""
    model.train()
    state = _state(model)
    with LiveStorages([*state, example]) as storages:
        for _ in range(2):
            optimiser.zero_grad()
            torch.stack([value.sum() for value in tree_leaves(model(example))]).sum().backward()
            optimiser.step()
    return storages.peak + sum(tensor.untyped_storage().nbytes() for tensor in state)


def saved_for_backward(model: nn.Module, example: Tensor) -> int:
    """The bytes that autograd keeps of a run in training mode, the example's included and the model's state not."""
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        # Held, so that its address is given to no other; detached, as an output that its own node holds is never freed.
        kept[_storage(tensor)] = tensor.detach()
        return tensor.detach()

    model.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = model(example)
    for tensor in _state(model):
        kept.pop(_storage(tensor), None)
    del result
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def _state(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
