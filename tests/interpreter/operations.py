"""The operations in plain torch: for each its weights, and what it does to its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.interpreter.convolution import conv, pad
from tests.interpreter.expressions import ACTIVATIONS, Names, integer, number, truth, word
from tests.interpreter.operation import (
    Arguments,
    Make,
    Operation,
    State,
    at_least,
    channels_of,
    no_others,
    rank_of,
    sizes,
    spatial,
)
from tests.interpreter.pooling import pool
from tests.interpreter.reading import Refused

# -- linear layers -----------------------------------------------------------------------------------------------------


def linear(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """A linear layer over the channels, at each position if there are several."""
    no_others(set(given) - {"out", "bias"}, "linear")
    out = integer(given["out"], names)
    at_least((out,), 1, "out")
    weights: dict[str, tuple[int, ...]] = {"weight": (out, channels_of(inputs[0]))}
    if truth(given.get("bias", True), names):
        weights["bias"] = (out,)

    def compute(values: list[Tensor], state: State, training: bool) -> Tensor:
        return F.linear(values[0].movedim(1, -1), state["weight"], state.get("bias")).movedim(-1, 1)

    return Operation("linear", "linear", compute, weights)


# -- norms and activations ---------------------------------------------------------------------------------------------


def norm(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """A normalization."""
    numbers = ("size", "alpha", "beta", "k")
    no_others(set(given) - {"type", "eps", "momentum", "groups", "group_size", "affine", "zero_init", *numbers}, "norm")
    if {"groups", "group_size"} <= given.keys():
        raise Refused("groups and their size")
    kind = word(given.get("type", "batch"), names)
    eps, momentum = float(number(given.get("eps", 1e-5), names)), float(number(given.get("momentum", 0.1), names))
    groups, channels = integer(given.get("groups", 32), names), channels_of(inputs[0])
    if "group_size" in given:
        size = integer(given["group_size"], names)
        at_least((size,), 1, "group_size")
        if kind == "group" and channels % size:
            raise Refused("the channels do not split into groups of this size")
        groups = max(channels // size, 1)
    if kind == "group" and (groups < 1 or channels % groups):
        raise Refused(f"{channels} channels do not split into {groups} groups")
    weights: dict[str, tuple[int, ...]] = {}
    if truth(given.get("affine", True), names):
        weights = {"weight": (channels,), "bias": (channels,)}
    if kind in ("instance", "grn", "local_response"):
        spatial(inputs[0], f"a norm of type {kind}")
    if kind == "rms":
        weights.pop("bias", None)
    if kind == "grn":
        weights = {"weight": (channels,), "bias": (channels,)}
    if kind in ("frozen", "local_response"):
        weights = {}
    size = integer(given.get("size", 5), names)
    at_least((size,), 1, "size")
    alpha, beta, k = (float(number(given.get(n, v), names)) for n, v in (("alpha", 1e-4), ("beta", 0.75), ("k", 1)))
    buffers: dict[str, tuple[int, ...]] = {}
    if kind == "batch":
        buffers = {"running_mean": (channels,), "running_var": (channels,), "num_batches_tracked": ()}
    elif kind == "frozen":
        buffers = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (channels,))

    def compute(values: list[Tensor], state: State, training: bool) -> Tensor:
        value, weight, bias = values[0], state.get("weight"), state.get("bias")
        match kind:
            case "batch":
                if training:
                    state["num_batches_tracked"].add_(1)
                mean, variance = state["running_mean"], state["running_var"]
                return F.batch_norm(value, mean, variance, weight, bias, training, momentum, eps)
            case "group":
                return F.group_norm(value, groups, weight, bias, eps)
            case "frozen":
                return F.batch_norm(value, state["running_mean"], state["running_var"], weight, bias, False, 0.0, eps)
            case "rms":
                return F.rms_norm(value.movedim(1, -1), (channels,), weight, eps).movedim(-1, 1)
            case "local_response":
                return F.local_response_norm(value, size, alpha, beta, k)
            case "grn":
                positions = list(range(2, value.dim()))
                response = torch.linalg.vector_norm(value, dim=positions, keepdim=True)  # its gradient at 0 is 0
                relative = response / (response.mean(1, keepdim=True) + eps)
                each = (-1, *(1,) * rank_of(value))
                return value + state["weight"].view(each) * (value * relative) + state["bias"].view(each)
            case "instance":
                return F.instance_norm(value, None, None, weight, bias, True, momentum, eps)
            case _:
                return F.layer_norm(value.movedim(1, -1), (channels,), weight, bias, eps).movedim(-1, 1)

    short = {"batch": "bn", "group": "gn", "layer": "ln", "instance": "inorm"}
    short |= {"rms": "rms", "grn": "grn", "local_response": "lrn", "frozen": "bn"}
    if kind not in short:
        raise Refused(f"`{kind}` is not a normalization")
    return Operation("norm", short[kind], compute, weights, buffers)


def act(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """An activation function."""
    numbers = {
        key: float(number(given[key], names)) for key in ("slope", "alpha", "beta", "min", "max") if key in given
    }
    no_others(set(given) - {*numbers, "type", "initial", "per_channel", "approximate", "groups", "branches"}, "act")
    kind = word(given.get("type", "relu"), names)
    channels = channels_of(inputs[0])
    if kind == "prelu":
        number(given.get("initial", 0.25), names)
        count = channels if truth(given.get("per_channel", False), names) else 1
        return Operation(
            "act", kind, lambda values, state, training: F.prelu(values[0], state["weight"]), {"weight": (count,)}
        )
    if kind == "softmax":
        groups = integer(given.get("groups", 1), names)
        rivals = integer(given["branches"], names) if "branches" in given else channels // max(groups, 1)
        at_least((groups, rivals), 1, "a softmax")
        if channels % (groups * rivals):
            raise Refused("the channels do not split")
        split = (-1, groups, rivals, channels // (groups * rivals), *inputs[0].shape[2:])
        return Operation("act", kind, lambda values, state, training: _softmax(values[0], split))
    if kind == "glu" and channels % 2:
        raise Refused("the channels have no halves")
    if kind not in (*ACTIVATIONS, "glu"):
        raise Refused(f"`{kind}` is not an activation function")
    function = _activation(kind, numbers, word(given.get("approximate", "none"), names))
    return Operation("act", kind, lambda values, state, training: function(values[0]))


def _softmax(value: Tensor, split: tuple[int, ...]) -> Tensor:
    return F.softmax(value.reshape(split), 2).reshape(value.shape)


def _activation(kind: str, given: Mapping[str, float], approximate: str) -> Callable[[Tensor], Tensor]:
    """The function with its arguments."""
    match kind:
        case "leaky_relu":
            return lambda x: F.leaky_relu(x, given.get("slope", 0.01))
        case "elu" | "celu":
            function = F.elu if kind == "elu" else F.celu
            return lambda x: function(x, given.get("alpha", 1.0))
        case "softplus":
            return lambda x: F.softplus(x, given.get("beta", 1.0))
        case "hardtanh":
            least, most = given.get("min", -1.0), given.get("max", 1.0)
            if least >= most:
                raise Refused("there is nothing between the least and the greatest value")
            return lambda x: F.hardtanh(x, least, most)
        case "gelu":
            return lambda x: F.gelu(x, approximate=approximate)
        case "log_sigmoid":
            return F.logsigmoid
        case "glu":
            return lambda x: F.glu(x, 1)
    found: Callable[[Tensor], Tensor] = getattr(torch if kind in ("sigmoid", "tanh") else F, kind)
    return found


# -- pools and positions -----------------------------------------------------------------------------------------------


def subsample(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """Every so many positions of each axis."""
    no_others(set(given) - {"stride"}, "subsample")
    stride = sizes(given["stride"], names, spatial(inputs[0], "subsampling"))
    at_least(stride, 1, "stride")
    steps = (slice(None), slice(None), *(slice(None, None, step) for step in stride))
    return Operation("subsample", "subsample", lambda values, state, training: values[0][steps])


def upsample(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """A map enlarged by interpolation."""
    no_others(set(given) - {"scale", "size", "like", "mode", "align_corners"}, "upsample")
    rank = spatial(inputs[0], "an upsampling")
    if sum(key in given for key in ("scale", "size", "like")) != 1:
        raise Refused("an upsampling takes a scale, a size or a value")
    mode, corners = word(given.get("mode", "nearest"), names), truth(given.get("align_corners", False), names)
    modes = {1: ("linear",), 2: ("bilinear", "bicubic"), 3: ("trilinear",)}[rank]
    if mode != "nearest" and mode not in modes:
        raise Refused(f"`{mode}` is for another number of axes")
    if mode == "nearest" and corners:
        raise Refused("nearest neighbors have no corners")
    by = sizes(given.get("scale", 1), names, rank)
    at_least(by, 1, "scale")
    size = tuple(length * each for length, each in zip(inputs[0].shape[2:], by, strict=True))
    if "size" in given:
        size = sizes(given["size"], names, rank)
        at_least(size, 1, "size")
    if "like" in given:
        size = tuple(inputs[1].shape[2:])
        if len(size) != rank:
            raise Refused("the values have other numbers of axes")
    told = {} if mode == "nearest" else {"align_corners": corners}
    return Operation(
        "upsample", "upsample", lambda values, state, training: F.interpolate(values[0], size, mode=mode, **told)
    )


def reduction(kind: str, given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """The mean or the largest of channels or of positions."""
    no_others(set(given) - {"over"}, kind)
    rank = spatial(inputs[0], kind)
    axes = {"channels": (1,), "positions": tuple(range(2, rank + 2))}
    over = given["over"] if given["over"] in axes else word(given["over"], names)
    if over not in axes:
        raise Refused(f"nothing is reduced over `{over}`")
    function: Callable[..., Tensor] = torch.mean if kind == "mean" else torch.amax
    return Operation(kind, kind, lambda values, state, training: function(values[0], axes[over], keepdim=True))


def power(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """Each element to a power."""
    no_others(set(given) - {"by"}, "power")
    by = float(number(given["by"], names))
    return Operation("power", "power", lambda values, state, training: values[0] ** by)


def channel_conv(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """A convolution over the channels of one position (Wang et al. 2019)."""
    no_others(set(given) - {"kernel", "bias"}, "channel_conv")
    kernel, bias = integer(given.get("kernel", 3), names), truth(given.get("bias", False), names)
    if kernel < 1 or not kernel % 2 or inputs[0][0, 0].numel() != 1:
        raise Refused("it takes an odd kernel and one position")

    def compute(values: list[Tensor], state: State, training: bool) -> Tensor:
        signal = values[0].reshape(len(values[0]), 1, -1)
        return F.conv1d(signal, state["weight"], state.get("bias"), padding=kernel // 2).reshape(values[0].shape)

    weights: dict[str, tuple[int, ...]] = {"weight": (1, 1, kernel), **({"bias": (1,)} if bias else {})}
    return Operation("channel_conv", "channel_conv", compute, weights)


def permute(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """Axes in another order, the channels being axis 0."""
    no_others(set(given) - {"order"}, "permute")
    order = [integer(item, names) for item in given["order"]]
    if sorted(order) != list(range(rank_of(inputs[0]) + 1)) or rank_of(inputs[0]) > 2:
        raise Refused("there are no such axes")
    return Operation(
        "permute",
        "permute",
        lambda values, state, training: values[0].permute(0, *(axis + 1 for axis in order)).contiguous(),
    )


def reshape(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """All elements as maps of a size."""
    no_others(set(given) - {"size"}, "reshape")
    size = sizes(given["size"], names, rank_of(inputs[0]) or 2)
    if any(each < 1 for each in size) or inputs[0][0].numel() % torch.Size(size).numel():
        raise Refused("the elements do not make maps of this size")
    return Operation("reshape", "reshape", lambda values, state, training: values[0].reshape(len(values[0]), -1, *size))


def pixel_shuffle(kind: str, given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """Channels as blocks of positions (Shi et al. 2016), or blocks of positions as channels."""
    no_others(set(given) - {"factor"}, kind)
    factor = integer(given["factor"], names)
    if factor < 1 or spatial(inputs[0], kind) != 2:
        raise Refused("the factor is too small, or the value no map")
    up = kind == "pixel_shuffle"
    split = (channels_of(inputs[0]) % factor**2,) if up else tuple(size % factor for size in inputs[0].shape[2:])
    if any(split):
        raise Refused("there is no whole number of blocks")

    def compute(values: list[Tensor], state: State, training: bool) -> Tensor:
        (value,) = values
        if up:
            parts = value.unflatten(1, (-1, factor, factor))
            return parts.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)
        parts = value.unflatten(3, (-1, factor)).unflatten(2, (-1, factor))
        return parts.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)

    return Operation(kind, kind, compute)


def blur(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """Each channel averaged with binomial weights, along one axis after the other (Zhang 2019)."""
    no_others(set(given) - {"kernel", "stride"}, "blur")
    rank = spatial(inputs[0], "a blur")
    kernel, stride = integer(given.get("kernel", 3), names), sizes(given.get("stride", 1), names, rank)
    at_least(stride, 1, "stride")
    if kernel < 2 or min(inputs[0].shape[2:]) <= kernel // 2:
        raise Refused("the kernel is too small, or too large to be reflected")
    row = [1.0]
    for _ in range(kernel - 1):
        row = [(a + b) / 2 for a, b in zip([0.0, *row], [*row, 0.0], strict=True)]

    def compute(values: list[Tensor], state: State, training: bool) -> Tensor:
        found = F.pad(values[0], ((kernel - 1) // 2, kernel // 2) * rank, mode="reflect")
        for axis, step in enumerate(stride, start=2):
            windows = found.unfold(axis, kernel, step)
            found = (windows * found.new_tensor(row)).sum(-1)
        return found

    return Operation("blur", "blur", compute)


def flatten(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """Channels and positions as one list."""
    no_others(set(given), "flatten")
    return Operation("flatten", "flatten", lambda values, state, training: torch.flatten(values[0], 1))


# -- channels ----------------------------------------------------------------------------------------------------------


def channel_shuffle(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """The channels of all groups in turn (Zhang et al. 2017)."""
    no_others(set(given) - {"groups"}, "channel_shuffle")
    groups = integer(given["groups"], names)
    if groups < 1 or channels_of(inputs[0]) % groups:
        raise Refused("the channels do not split into groups")

    def compute(values: list[Tensor], state: State, training: bool) -> Tensor:
        split: Tensor = values[0].unflatten(1, (groups, -1))
        return split.transpose(1, 2).flatten(1, 2)

    return Operation("channel_shuffle", "channel_shuffle", compute)


def pad_channels(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """Channels of zeros."""
    no_others(set(given) - {"out", "at"}, "pad_channels")
    missing = integer(given["out"], names) - channels_of(inputs[0])
    at = word(given.get("at", "end"), names)
    if missing < 0:
        raise Refused("fewer channels than the input has")
    first = missing // 2 if at == "both" else 0

    def compute(values: list[Tensor], state: State, training: bool) -> Tensor:
        rest = (0, 0) * rank_of(values[0])
        return F.pad(values[0], (*rest, first, missing - first))

    return Operation("pad_channels", "pad_channels", compute)


def cut(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """Some of the channels."""
    no_others(set(given) - {"start", "stop"}, "slice")
    start, channels = integer(given.get("start", 0), names), channels_of(inputs[0])
    stop = integer(given["stop"], names) if "stop" in given else channels
    if not 0 <= start < stop <= channels:
        raise Refused("there are no such channels")
    return Operation("slice", "slice", lambda values, state, training: values[0][:, start:stop])


# -- factors and chance ------------------------------------------------------------------------------------------------


def constant(kind: str, given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """``scale`` or ``shift`` by a number, or by one for each channel."""
    no_others(set(given) - {"by", "learned", "per"}, kind)
    function = torch.mul if kind == "scale" else torch.add
    per = word(given.get("per", "channel"), names)
    if truth(given.get("learned", False), names):
        if isinstance(given["by"], list):
            raise Refused("learned numbers start alike")
        number(given["by"], names)
        shape = () if per == "whole" else (channels_of(inputs[0]), *(1,) * rank_of(inputs[0]))
        return Operation(
            kind, kind, lambda values, state, training: function(values[0], state[""]), {"": shape}, direct=True
        )
    by = given["by"] if isinstance(given["by"], list) else [given["by"]]
    if isinstance(given["by"], list) and len(by) != channels_of(inputs[0]):
        raise Refused("the numbers are not one for each channel")
    constants = [float(number(item, names)) for item in by]
    exact = torch.tensor(constants, dtype=torch.float64).reshape(-1, *(1,) * rank_of(inputs[0]))
    return Operation(kind, kind, lambda values, state, training: function(values[0], exact.to(values[0].dtype)))


def layer_scale(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """A learned factor for each channel (Touvron et al. 2021)."""
    no_others(set(given) - {"initial"}, "layer_scale")
    number(given.get("initial", 1e-6), names)
    shape = (channels_of(inputs[0]), *(1,) * rank_of(inputs[0]))
    return Operation(
        "layer_scale", "layer_scale", lambda values, state, training: values[0] * state[""], {"": shape}, direct=True
    )


def dropout(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """Elements dropped in training."""
    no_others(set(given) - {"p"}, "dropout")
    p = float(number(given.get("p", 0.5), names))
    return Operation("dropout", "dropout", lambda values, state, training: F.dropout(values[0], p, training))


def drop_path(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """Examples dropped in training (Huang et al. 2016)."""
    no_others(set(given) - {"p"}, "drop_path")
    p = float(number(given["p"], names))
    if not 0 <= p < 1:
        raise Refused("a probability must be at least 0 and less than 1")

    def compute(values: list[Tensor], state: State, training: bool) -> Tensor:
        value = values[0]
        if not training or p == 0:
            return value
        kept = value.new_empty((len(value), *(1,) * (value.dim() - 1))).bernoulli_(1 - p)
        return value * (kept / (1 - p))

    return Operation("drop_path", "drop_path", compute)


def layer(given: Arguments, names: Names, inputs: list[Tensor]) -> Operation:
    """A layer of torch by its name, of those that have neither weights nor another shape."""
    called = word(given["module"], names, [f"torch.nn.{name}" for name in _LAYERS]).removeprefix("torch.nn.")
    needed, other = _LAYERS.get(called, ((), ()))
    if called not in _LAYERS or not set(needed) <= set(given) - {"module"} <= {*needed, *other}:
        raise Refused(f"no {called} with {sorted(given)}")
    values = {name: float(number(value, names)) for name, value in given.items() if name != "module"}
    if "dim" in values:
        values["dim"] = integer(given["dim"], names)
        if not 1 <= values["dim"] < inputs[0].dim():
            raise Refused("there is no such axis")

    def compute(inputs: list[Tensor], state: State, training: bool) -> Tensor:
        own: torch.nn.Module = getattr(torch.nn, called)(**values)
        result: Tensor = own.train(training)(inputs[0])
        return result

    return Operation("torch", called.lower(), compute)


_LAYERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Softsign": ((), ()),
    "Tanhshrink": ((), ()),
    "Hardshrink": ((), ("lambd",)),
    "Softshrink": ((), ("lambd",)),
    "Threshold": (("threshold", "value"), ()),
    "RReLU": ((), ("lower", "upper")),
    "LogSoftmax": (("dim",), ()),
    "Softmin": (("dim",), ()),
    "AlphaDropout": ((), ("p",)),
}
"""Layers of torch, with the arguments that they need and the others that they take."""


# -- merges ------------------------------------------------------------------------------------------------------------


def merge(kind: str, inputs: list[Tensor], broadcast: bool = False) -> Operation:
    """``concat`` of branches, or another merge that takes them two at a time, in order."""
    shapes = [tuple(value.shape[1:]) for value in inputs]
    if kind == "concat":
        if len({(len(shape), shape[1:]) for shape in shapes}) > 1:
            raise Refused(f"{shapes} cannot be joined")
        return Operation(kind, kind, lambda values, state, training: torch.cat(values, 1))
    largest = max(shapes, key=lambda shape: torch.Size(shape).numel())
    single = (largest[0], *(1,) * (len(largest) - 1))
    if broadcast and len(set(map(len, shapes))) == 1:
        sizes = [{size for size in axis if size != 1} for axis in zip(*shapes, strict=True)]
        if any(len(each) > 1 for each in sizes):
            raise Refused(f"{shapes} do not meet")
    elif any(shape != largest and not (kind == "multiply" and shape == single) for shape in shapes):
        raise Refused(f"{shapes} do not fit")
    return Operation(kind, kind, lambda values, state, training: reduce(_FOLDED[kind], values))


_FOLDED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "multiply": torch.mul,
    "subtract": torch.sub,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
MERGES = (*_FOLDED, "concat")
OPERATIONS: dict[str, Make] = {
    "conv": conv,
    "linear": linear,
    "norm": norm,
    "act": act,
    "pool": pool,
    "subsample": subsample,
    "upsample": upsample,
    "mean": partial(reduction, "mean"),
    "max": partial(reduction, "max"),
    "power": power,
    "channel_conv": channel_conv,
    "permute": permute,
    "reshape": reshape,
    "pixel_shuffle": partial(pixel_shuffle, "pixel_shuffle"),
    "pixel_unshuffle": partial(pixel_shuffle, "pixel_unshuffle"),
    "blur": blur,
    "flatten": flatten,
    "channel_shuffle": channel_shuffle,
    "pad": pad,
    "pad_channels": pad_channels,
    "slice": cut,
    "scale": partial(constant, "scale"),
    "shift": partial(constant, "shift"),
    "layer_scale": layer_scale,
    "dropout": dropout,
    "drop_path": drop_path,
    "torch": layer,
}
