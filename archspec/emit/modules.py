"""The modules that torch lacks, and how those that a :class:`~archspec.operations.base.TorchCall` names are made."""

from __future__ import annotations

import functools
import importlib
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F


@functools.cache
def resolve(target: str) -> Any:
    """The object with a qualified name such as ``torch.nn.Conv2d`` or ``operator.add``.

    Raises:
        ImportError: no module of that name can be imported.
        AttributeError: the module has no such attribute.
    """
    parts = target.split(".")
    for length in range(len(parts) - 1, 0, -1):
        path = ".".join(parts[:length])
        try:
            found: Any = importlib.import_module(path)
        except ModuleNotFoundError as error:
            # `torch.Tensor` is not a module, so look in `torch`; but a module that lacks another one is broken.
            if length == 1 or not f"{path}.".startswith(f"{error.name}."):
                raise
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ImportError(f"`{target}` is not a qualified name")


def make(
    module: Callable[..., nn.Module], args: tuple[Any, ...], kwargs: Mapping[str, Any], *, has_weights: bool
) -> nn.Module:
    """An instance of a module class, its weights on the meta device and never given the values that torch starts with.

    Args:
        module: the class.
        args, kwargs: its arguments.
        has_weights: whether it may have weights or buffers, and so takes a ``device``.
    """
    if not has_weights:
        return module(*args, **kwargs)
    made = _without_values(module)(*args, **kwargs, device="meta")
    made.__class__ = module  # type: ignore[assignment]
    return made


@functools.cache
def _without_values(module: type[nn.Module]) -> type[nn.Module]:
    """A module class that skips its initial values, which take half of the time to make a convolution."""
    return type(module.__name__, (module,), {"reset_parameters": lambda self: None})


class Network(fx.GraphModule):
    """A GraphModule whose errors at run time name the scope and the line of the spec.

    The ``meta`` of its nodes says which part of the spec they come from, and survives copying and pickling.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except Exception as error:
            # The stage and the model around the block that failed know less than the block.
            if not any(note.startswith("in ") for note in getattr(error, "__notes__", ())):
                node = _failing_node(self, error)
                if node is not None and "scope" in node.meta:
                    place = f", from {node.meta['span']}" if node.meta["span"] else ""
                    error.add_note(f"in {node.meta['scope']}{place}")
            raise

    def train(self, mode: bool = True) -> Network:
        """Set the mode; what the spec freezes stays in eval mode."""
        super().train(mode)
        for path in self.meta.get("frozen", ()):
            self.get_submodule(path).eval()
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # torch pickles the code and traces it again, which loses what the nodes and the model carry, and the class.
        rebuild, (state, imports) = super().__reduce__()
        described = [{key: node.meta[key] for key in DESCRIPTION if key in node.meta} for node in self.graph.nodes]
        return _unpickled, (rebuild, state, imports, type(self).__name__, described)


DESCRIPTION = ("scope", "operation", "shape", "span")
"""The keys in the ``meta`` of each node of a :class:`Network`."""


def _unpickled(
    rebuild: Callable[..., fx.GraphModule],
    state: dict[str, Any],
    imports: str,
    name: str,
    described: list[dict[str, Any]],
) -> Network:
    traced = rebuild(state, imports)
    network = Network(traced, traced.graph, name)
    network.__dict__.update(state, _code=network._code)  # hooks and the user's own attributes too
    if len(network.graph.nodes) == len(described):
        for node, description in zip(network.graph.nodes, described, strict=True):
            node.meta.update(description)
    return network


def _failing_node(module: fx.GraphModule, error: Exception) -> fx.Node | None:
    """The node whose generated line was running when ``error`` was raised."""
    code = getattr(type(module).forward, "__code__", None)
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is code:
            line = module.code.splitlines()[trace.tb_lineno - 1 : trace.tb_lineno]
            match = re.match(r"\s*(\w+)(?::[^=]*)? = ", "".join(line))
            return next((node for node in module.graph.nodes if match and node.name == match[1]), None)
        trace = trace.tb_next
    return None


def scale_channels(x: Tensor, by: tuple[float, ...]) -> Tensor:
    """Multiply each channel by its own constant.

    Each product is that of a tensor and a Python number, so it is rounded once in every dtype, like torchvision's.

    Shape: (N, C, *); the output has the same.
    """
    return torch.cat([torch.unsqueeze(x[:, channel], 1) * factor for channel, factor in enumerate(by)], 1)


def shift_channels(x: Tensor, by: tuple[float, ...]) -> Tensor:
    """Add its own constant to each channel; see :func:`scale_channels`.

    Shape: (N, C, *); the output has the same.
    """
    return torch.cat([torch.unsqueeze(x[:, channel], 1) + added for channel, added in enumerate(by)], 1)


def blur(x: Tensor, kernel_size: int, stride: tuple[int, ...]) -> Tensor:
    """Convolve each channel with binomial coefficients, over a map whose border is reflected.

    Shape: (N, C, *spatial); the output has as many channels, and each size is divided by the stride, rounded up.
    """
    rank = len(stride)
    taps = [math.comb(kernel_size - 1, tap) / 2 ** (kernel_size - 1) for tap in range(kernel_size)]
    numbers = [1.0]
    for _ in range(rank):
        numbers = [before * tap for before in numbers for tap in taps]
    kernel = x.new_tensor(numbers).view(1, 1, *(kernel_size,) * rank).expand(x.shape[1], *(-1,) * (rank + 1))
    padded = F.pad(x, ((kernel_size - 1) // 2, kernel_size // 2) * rank, mode="reflect")
    convolve = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    return convolve(padded, kernel, stride=stride, groups=x.shape[1])


def as_maps(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """All elements of each example as maps of a size.

    Shape: (N, *) to (N, C, *size), with as many channels as there are elements for.
    """
    return torch.reshape(x, (x.shape[0], -1, *size))


def upsample_like(x: Tensor, like: Tensor, mode: str = "nearest", align_corners: bool | None = None) -> Tensor:
    """Interpolate a map to the size of another value.

    Shape: (N, C, *) and (N, D, *size) to (N, C, *size).
    """
    return F.interpolate(x, like.shape[2:], mode=mode, align_corners=align_corners)


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016): in training it drops whole examples of a residual branch.

    Draws as ``torchvision.ops.stochastic_depth(x, p, "row")`` does, so that equal seeds give equal results.

    Args:
        p: the probability with which an example is dropped.

    Shape: any, with the batch first; the output has the same.
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        keep = 1 - self.p
        mask = x.new_empty([x.shape[0]] + [1] * (x.ndim - 1)).bernoulli_(keep)
        return x * (mask.div_(keep) if keep else mask)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class ConvOfChannels(nn.Conv1d):
    """Convolution over the channels of a value with one position (Wang et al. 2019, section 3.2).

    Shape: (N, C, 1, ...); the output has the same. ``weight`` is (1, 1, kernel_size).
    """

    def __init__(
        self,
        kernel_size: int,
        *,
        bias: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(1, 1, kernel_size, padding=kernel_size // 2, bias=bias, device=device, dtype=dtype)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(1).unsqueeze(1)).view(input.shape)


class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalization over the channels at each position.

    Shape: (N, C, *spatial); the output has the same. ``weight`` and ``bias`` are (C,).
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class PointwiseGELU(nn.GELU):
    """GELU that reads values in the order in which a linear layer at every position leaves them in memory.

    torch has several kernels for GELU, which round differently, and chooses by that order.

    Shape: (N, C, *spatial); the output has the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        last = x.movedim(1, -1)
        return super().forward(last).movedim(-1, 1) if last.is_contiguous() else super().forward(x)


class GroupSoftmax(nn.Module):
    """A softmax of channels, in each group of them by itself.

    Args:
        groups: how many groups of channels there are.
        rivals: of how many elements each softmax is. A group is this many parts of equally many channels, and an
            element competes with those at its place in the other parts.

    Shape: (N, C, *); the output has the same.
    """

    def __init__(self, groups: int, rivals: int) -> None:
        super().__init__()
        self.groups = groups
        self.rivals = rivals

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(x.unflatten(1, (self.groups, self.rivals, -1)), dim=2).flatten(1, 3)

    def extra_repr(self) -> str:
        return f"groups={self.groups}, rivals={self.rivals}"


class PointwiseLinear(nn.Linear):
    """A linear layer over the channels at each position.

    Shape: (N, in_features, *spatial) to (N, out_features, *spatial). ``weight`` is (out_features, in_features).
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.movedim(1, -1), self.weight, self.bias).movedim(-1, 1)
