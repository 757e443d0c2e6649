"""The parameters and buffers of a network that ``torch.fx`` cannot trace, in the order in which it uses them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archspec.tracing.canonical_form import Slot
from archspec.tracing.trace import weightless


def executed(module: nn.Module, example: Tensor) -> list[Slot]:
    """Run a network, and list the parameters and buffers of each module when its ``forward`` first returns.

    The network runs on the meta device or, if it fails there, on zeros. If it fails on zeros too, the list ends there.

    Args:
        module: the network, which is left as it is.
        example: an input on the meta device, (N, C, *spatial).

    >>> network = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2, bias=False))
    >>> [(slot.key, slot.shape) for slot in executed(network, torch.empty(1, 8, device="meta"))]
    [('0.weight', (4, 8)), ('0.bias', (4,)), ('2.weight', (2, 4))]
    """
    found: dict[str, Slot] = {}

    def listen(path: str, part: nn.Module) -> torch.utils.hooks.RemovableHandle:
        own = {**part._parameters, **part._buffers}

        def hear(*_: object) -> None:
            for name, tensor in own.items():
                key = f"{path}.{name}".lstrip(".")
                if tensor is not None:
                    found.setdefault(key, Slot(name, key, tuple(tensor.shape)))

        return part.register_forward_hook(hear)

    handles = [listen(path, part) for path, part in module.named_modules() if part._parameters or part._buffers]
    try:
        with weightless(module):
            module(example)
    except (Exception, SystemExit):
        found.clear()
        _run_on_zeros(module, example)
    finally:
        for handle in handles:
            handle.remove()
    return list(found.values())


def _run_on_zeros(module: nn.Module, example: Tensor) -> None:
    """A network whose ``forward`` looks at values cannot run on the meta device."""
    kept = {key: tensor.clone() for key, tensor in module.named_buffers()}
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    try:
        with torch.no_grad():
            module(torch.zeros(example.shape, dtype=example.dtype, device=device))
    except (Exception, SystemExit):
        return  # comparing outputs will say what it raises
    finally:
        for key, tensor in module.named_buffers():
            tensor.data.copy_(kept[key])
