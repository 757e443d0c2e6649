"""The rule for each call of torch: for functions, for methods of tensors, and for modules.

A call without a rule keeps its own name and arguments in the form, so that two equal ones still match.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Mapping
from types import FunctionType
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from archspec.tracing import activations as act
from archspec.tracing import arithmetic as a
from archspec.tracing import joining as j
from archspec.tracing import layers as l
from archspec.tracing import rearranging as r
from archspec.tracing import resampling as u
from archspec.tracing import slicing as s
from archspec.tracing import windows as w
from archspec.tracing.activations import unary
from archspec.tracing.copies import original, original_function
from archspec.tracing.form_builder import Rule

_leaky_relu = unary("leaky_relu", negative_slope=0.01)
_elu, _celu = unary("elu", alpha=1.0), unary("celu", alpha=1.0)
_gelu = unary("gelu", approximate="none")
_softplus = unary("softplus", beta=1.0, threshold=20.0)
_max, _avg = l.adaptive("adaptive_max_pool"), l.adaptive("adaptive_avg_pool")
_dropout, _alpha_dropout = act.dropout("dropout"), act.dropout("alpha_dropout")
_softmax, _log_softmax = act.softmax("softmax"), act.softmax("log_softmax")

_PLAIN: tuple[type[nn.Module], ...] = (
    *(nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardsigmoid, nn.LogSigmoid),
    *(nn.Softsign, nn.Tanhshrink, nn.Sigmoid, nn.Tanh),
)
"""Elementwise modules without arguments. Their functions have the same names in lower case."""

_FURTHER = ("exp", "sqrt", "rsqrt", "abs", "neg", "log", "square", "reciprocal", "erf", "sin", "cos")

UNARY: Mapping[str, Rule] = {
    **{name: unary(name) for name in (*(kind.__name__.lower() for kind in _PLAIN), *_FURTHER)},
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "celu": _celu,
    "gelu": _gelu,
    "softplus": _softplus,
}
"""Elementwise functions. torch has them as functions, some also as methods, and most also in place."""

BINARY: Mapping[str, Rule] = {name: a.binary(name) for name in ("add", "mul", "sub", "div", "maximum", "minimum")}

METHODS: Mapping[str, Rule] = {
    **UNARY,
    **BINARY,
    "multiply": BINARY["mul"],
    "subtract": BINARY["sub"],
    **dict.fromkeys(("divide", "true_divide"), BINARY["div"]),
    **dict.fromkeys(("clamp", "clip"), act.clamp),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "mean": r.mean,
    "amax": r.amax,
    "pow": a.power,
    "sum": a.total,
    **dict.fromkeys(("chunk", "split", "split_with_sizes", "tensor_split"), s.chunk),
    **dict.fromkeys(("unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes"), s.chunk),
    **{name: s.split_along(dim) for dim, name in enumerate(("vsplit", "hsplit", "dsplit"))},
    "unbind": s.unbind,
    "narrow": s.narrow,
    "select": s.select,
    "new_zeros": j.zeros,
    "permute": r.permute,
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), r.transpose),
    **dict.fromkeys(("movedim", "moveaxis"), r.movedim),
    **dict.fromkeys(("flatten", "unflatten", "squeeze", "unsqueeze"), r.reshape),
    **dict.fromkeys(("view", "view_as", "reshape", "reshape_as"), r.reshape),
    **dict.fromkeys(("expand", "expand_as"), r.expand),
    "contiguous": r.same,
    "clone": r.copy,
    "prelu": act.prelu,
}
"""Methods of tensors. A name that ends in an underscore is the same method in place."""

FUNCTIONS: Mapping[Any, Rule] = {
    **{
        getattr(module, f"{name}{end}"): rule
        for name, rule in METHODS.items()
        for module in (torch, F)
        for end in ("", "_")
        if hasattr(module, f"{name}{end}")
    },
    **dict.fromkeys((operator.add, operator.iadd), BINARY["add"]),
    **dict.fromkeys((operator.mul, operator.imul), BINARY["mul"]),
    operator.sub: BINARY["sub"],
    operator.truediv: BINARY["div"],
    operator.neg: UNARY["neg"],
    operator.pow: a.power,
    operator.getitem: s.item,
    **dict.fromkeys((torch.cat, torch.concat, torch.concatenate), j.concat),
    torch.stack: j.stack,
    **dict.fromkeys((torch.zeros, torch.zeros_like), j.zeros),
    **dict.fromkeys((F.conv1d, F.conv2d, F.conv3d, torch.conv1d, torch.conv2d, torch.conv3d), l.conv),
    **dict.fromkeys((F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d), w.conv_transpose),
    **dict.fromkeys((F.lp_pool1d, F.lp_pool2d, F.lp_pool3d), w.lp_pool),
    F.linear: l.linear,
    F.batch_norm: l.batch_norm,
    F.group_norm: l.group_norm,
    F.layer_norm: l.layer_norm,
    F.instance_norm: l.instance_norm,
    F.rms_norm: l.rms_norm,
    F.local_response_norm: l.local_response_norm,
    **dict.fromkeys((F.max_pool1d, F.max_pool2d, F.max_pool3d, torch.max_pool1d, torch.max_pool2d), l.max_pool),
    **dict.fromkeys((F.avg_pool1d, F.avg_pool2d, F.avg_pool3d), l.avg_pool),
    **dict.fromkeys((F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d), _max),
    **dict.fromkeys((F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d), _avg),
    F.hardtanh: act.hardtanh,
    F.glu: act.glu,
    **dict.fromkeys((F.dropout, torch.dropout), _dropout),
    F.alpha_dropout: _alpha_dropout,
    **dict.fromkeys((F.dropout1d, F.dropout2d, F.dropout3d), act.feature_dropout),
    F.pad: j.pad,
    F.channel_shuffle: r.channel_shuffle,
    F.interpolate: u.interpolate,
    **dict.fromkeys((F.pixel_shuffle, torch.pixel_shuffle), u.pixel_shuffle),
    **dict.fromkeys((F.pixel_unshuffle, torch.pixel_unshuffle), u.pixel_unshuffle),
    "archspec.emit.modules.blur": u.blur,
    "archspec.emit.modules.upsample_like": u.upsample_like,
    "archspec.emit.modules.as_maps": r.reshape,
    torch.permute_copy: r.permuted_copy,
    "torchvision.ops.stochastic_depth.stochastic_depth": act.stochastic_depth,
    "timm.layers.drop.drop_path": act.drop_path,
    "archspec.emit.modules.scale_channels": a.by_channel("mul"),
    "archspec.emit.modules.shift_channels": a.by_channel("add"),
}

_CONV = (l.conv, "weight bias stride padding dilation groups padding_mode")
_TRANSPOSED = (w.conv_transpose, "weight bias stride padding output_padding groups dilation")
_LP_POOL = (w.lp_pool, "norm_type kernel_size stride ceil_mode")
_BATCH = (l.batch_norm, "running_mean running_var weight bias training momentum eps")
_MAX_POOL = (l.max_pool, "kernel_size stride padding dilation ceil_mode return_indices")
_AVG_POOL = (l.avg_pool, "kernel_size stride padding ceil_mode count_include_pad")
_FEATURES = (act.feature_dropout, "p training")


def _instance_norm(b: Any, input: Any, mean: Any, var: Any, weight: Any, bias: Any, momentum: Any, eps: Any) -> Any:
    return l.instance_norm(b, input, mean, var, weight, bias, momentum=momentum, eps=eps)


def _frozen_norm(b: Any, input: Any, mean: Any, var: Any, weight: Any, bias: Any, eps: float) -> Any:
    return l.batch_norm(b, input, mean, var, weight, bias, False, None, eps)


MODULES: Mapping[Any, tuple[Rule, str]] = {
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), _CONV),
    **dict.fromkeys((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), _TRANSPOSED),
    nn.Linear: (l.linear, "weight bias"),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), _BATCH),
    **dict.fromkeys(
        (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
        (_instance_norm, "running_mean running_var weight bias momentum eps"),
    ),
    nn.GroupNorm: (l.group_norm, "num_groups weight bias eps"),
    nn.LayerNorm: (l.layer_norm, "normalized_shape weight bias eps"),
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d), _MAX_POOL),
    nn.AvgPool1d: _AVG_POOL,
    **dict.fromkeys((nn.LPPool1d, nn.LPPool2d, nn.LPPool3d), _LP_POOL),
    **dict.fromkeys((nn.AvgPool2d, nn.AvgPool3d), (l.avg_pool, f"{_AVG_POOL[1]} divisor_override")),
    **dict.fromkeys(
        (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d), (_max, "output_size return_indices")
    ),
    **dict.fromkeys((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d), (_avg, "output_size")),
    **{kind: (UNARY[kind.__name__.lower()], "") for kind in _PLAIN},
    nn.Hardtanh: (act.hardtanh, "min_val max_val"),
    nn.LeakyReLU: (_leaky_relu, "negative_slope"),
    nn.PReLU: (act.prelu, "weight"),
    nn.ELU: (_elu, "alpha"),
    nn.CELU: (_celu, "alpha"),
    nn.GELU: (_gelu, "approximate"),
    nn.GLU: (act.glu, "dim"),
    nn.Softplus: (_softplus, "beta threshold"),
    nn.Softmax: (_softmax, "dim"),
    nn.LogSoftmax: (_log_softmax, "dim"),
    nn.Dropout: (_dropout, "p training"),
    nn.AlphaDropout: (_alpha_dropout, "p training"),
    **dict.fromkeys((nn.Dropout1d, nn.Dropout2d, nn.Dropout3d), _FEATURES),
    **dict.fromkeys((nn.Flatten, nn.Unflatten), (r.reshape, "")),
    nn.Identity: (r.same, ""),
    **dict.fromkeys((nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d), (j.constant_pad, "padding value")),
    **dict.fromkeys((nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d), (w.border("reflect"), "padding")),
    **dict.fromkeys(
        (nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d), (w.border("replicate"), "padding")
    ),
    **dict.fromkeys((nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d), (w.border("circular"), "padding")),
    **w.BY_NAME,
    nn.ChannelShuffle: (r.channel_shuffle, "groups"),
    nn.Upsample: (u.upsample, "size scale_factor mode align_corners"),
    nn.PixelShuffle: (u.pixel_shuffle, "upscale_factor"),
    nn.PixelUnshuffle: (u.pixel_unshuffle, "downscale_factor"),
    "timm.layers.space_to_depth.SpaceToDepth": (u.space_to_depth, "bs"),
    "timm.layers.blur_pool.BlurPool2d": (u.blur_of_timm, "filt_size stride padding pad_mode"),
    "archspec.emit.modules.ConvOfChannels": (l.channel_conv, "weight bias"),
    "archspec.emit.modules.DropPath": (act.drop_path, "p training"),
    "archspec.emit.modules.ChannelLayerNorm": (l.channel_norm, "weight bias eps"),
    nn.RMSNorm: (l.rms_norm, "normalized_shape weight eps"),
    nn.LocalResponseNorm: (l.local_response_norm, "size alpha beta k"),
    "archspec.emit.norms.ChannelRMSNorm": (l.channel_rms_norm, "weight eps"),
    "timm.layers.norm.RmsNorm2d": (l.channel_rms_norm, "weight eps"),
    "archspec.emit.norms.GlobalResponseNorm": (l.global_response_norm, "weight bias eps"),
    "timm.layers.grn.GlobalResponseNorm": (l.global_response_norm, "weight bias eps channel_dim"),
    "archspec.emit.norms.FrozenBatchNorm": (_frozen_norm, "running_mean running_var weight bias eps"),
    "torchvision.ops.misc.FrozenBatchNorm2d": (_frozen_norm, "running_mean running_var weight bias eps"),
    "archspec.emit.modules.PointwiseGELU": (_gelu, "approximate"),
    "archspec.emit.modules.GroupSoftmax": (act.group_softmax, "groups rivals"),
    "archspec.emit.modules.PointwiseLinear": (l.pointwise_linear, "weight bias"),
    "torchvision.ops.stochastic_depth.StochasticDepth": (act.stochastic_depth, "p mode training"),
    "timm.layers.drop.DropPath": (act.drop_path, "drop_prob training scale_by_keep"),
}
"""The rule for each module class, and the module's attributes that the rule takes after the input."""


def qualified(thing: Any) -> str:
    """The full name of a class or function, for the tables and for messages."""
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None) or type(thing).__qualname__
    return f"{getattr(thing, '__module__', None) or 'torch'}.{name}"


def module_rule(kind: type[nn.Module]) -> tuple[Rule, str] | None:
    """The rule for a module class, or for the class in ``MODULES`` from which it inherits its ``forward``."""
    key: Any = kind  # mypy considers the class of a module unhashable
    return _module_rule(key)


@functools.cache
def _module_rule(kind: type[nn.Module]) -> tuple[Rule, str] | None:
    for base in kind.__mro__:
        found = MODULES.get(base) or MODULES.get(qualified(base))
        found = found or MODULES.get(original(base))
        if found is not None:
            return found
        if "forward" in vars(base):
            return None
    return None


def function_rule(target: Any) -> Rule | None:
    """The rule for a function, or for the one of archspec's that it copies."""
    try:
        found = FUNCTIONS.get(target) or FUNCTIONS.get(qualified(target))
    except TypeError:  # not hashable
        return None
    return found or (FUNCTIONS.get(original_function(target)) if isinstance(target, FunctionType) else None)


def method_rule(name: str) -> Rule | None:
    """The rule for a method of a tensor, in place or not."""
    return METHODS.get(name) or METHODS.get(name.removesuffix("_"))


def writes(target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call writes over its first argument."""
    if isinstance(target, nn.Module):
        return bool(getattr(target, "inplace", False))
    name = target if isinstance(target, str) else getattr(target, "__name__", "")
    if (name.endswith("_") and not name.endswith("__")) or target in (operator.iadd, operator.imul):
        return True
    if isinstance(target, str):
        return False
    return bool(kwargs.get("inplace")) or bool(_arguments(target, args).get("inplace"))


def _arguments(target: Any, args: tuple[Any, ...]) -> Mapping[str, Any]:
    """Positional arguments by name, where Python knows the function's signature."""
    if len(args) < 2 or not any(arg is True for arg in args):
        return {}
    try:
        return inspect.signature(target).bind_partial(*args).arguments
    except (TypeError, ValueError):
        return {}
