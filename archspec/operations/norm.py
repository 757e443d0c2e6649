"""Normalization over the batch, over groups of channels, over channels, or over positions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.operations.base import Buffer, Doubt, Operation, TorchCall, Weight, argument, module_call
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Bytes, Layout, Reads, Saved
from archspec.operations.onnx import (
    Floats,
    Integers,
    OnnxCall,
    Operand,
    Result,
    State,
    X,
    channels_first,
    channels_last,
)
from archspec.operations.profiles import centered
from archspec.operations.shapes import Shape, ShapeFault, groups_fault, lies_both_ways, spatial_rank, unsplit
from archspec.operations.signal import Back, Gradient, Law, Signal, Usage, affine, joined, mixed, regrouped
from archspec.operations.traits import Local

KINDS = {"batch": "bn", "group": "gn", "layer": "ln", "instance": "inorm"}
"""The word of the language, and the kind under which nodes are named. The compiler itself drops ``none``."""


@dataclass(frozen=True)
class Norm(Local):
    """``torch.nn.BatchNorm1d`` to ``3d``, ``GroupNorm``, ``LayerNorm`` or ``InstanceNorm1d`` to ``3d``.

    ``layer`` normalizes over the channels at each position, as ConvNeXt does, and not over the positions.
    """

    name = "norm"
    summary = "Normalization: batch, group, layer (over channels) or instance."
    label = "{kind}{n}"
    setting = "norm"
    alternatives = (("groups", "group_size"),)
    look = "norm"
    attached = True

    type: str = argument("word", "What is normalized over.", default="batch", words=tuple(KINDS))
    eps: float = argument("number", "Added to the variance.", default=1e-5, minimum=0)
    momentum: float = argument(
        "number", "Weight of the new batch in the running statistics.", default=0.1, minimum=0, maximum=1
    )
    groups: int = argument("integer", "Groups of channels, for `group`.", default=32, minimum=1)
    group_size: int | None = argument(
        "integer", "Channels of a group, for `group`, in place of `groups`.", default=None, minimum=1
    )
    affine: bool = argument("boolean", "Whether a scale and a bias are learned for each channel.", default=True)
    zero_init: bool = argument("boolean", "Whether the scale starts at zero.", default=False)

    @classmethod
    def settled(cls, given: Mapping[str, Any], inputs: tuple[Shape, ...]) -> Mapping[str, Any]:
        size = given.get("group_size")
        if size is None or given.get("type") != "group" or inputs[0][0] % size:
            return given
        others = {name: value for name, value in given.items() if name != "group_size"}
        return {**others, "groups": inputs[0][0] // size}

    def _groups(self, channels: int) -> int:
        return self.groups if self.group_size is None else channels // self.group_size

    @property
    def kind(self) -> str:
        return KINDS[self.type]

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase(f"{self.type[0].upper()}N"),)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        shape = inputs[0]
        if self.type == "group" and self.group_size is not None and shape[0] % self.group_size:
            raise ShapeFault(
                "E503",
                f"{unsplit(shape[0])} into groups of {self.group_size}",
                argument="group_size",
                help=f"`group_size` must divide {shape[0]}; {math.gcd(shape[0], self.group_size)} does",
                assumed=shape,
                channels=True,
            )
        if self.type == "group" and self.group_size is None and shape[0] % self.groups:
            raise groups_fault(shape[0], self.groups, assumed=shape)
        if self.type == "instance":
            spatial_rank(shape, "norm: instance")
            if max(shape[1:]) == 1:
                raise ShapeFault(
                    "E506",
                    "`norm: instance` normalizes over positions, but the value here has only one",
                    help="use another `type` here",
                    assumed=shape,
                )
        return shape

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        if not self.affine:
            return {}
        shape = inputs[0][:1]
        return {"weight": Weight(shape, "zero" if self.zero_init else "one"), "bias": Weight(shape, "zero")}

    def buffers(self, inputs: tuple[Shape, ...]) -> dict[str, Buffer]:
        if self.type != "batch":
            return {}
        shape = inputs[0][:1]
        return {
            "running_mean": Buffer(shape, 0),
            "running_var": Buffer(shape, 1),
            "num_batches_tracked": Buffer((), 0, "int64"),
        }

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return 2 * math.prod(output)

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        if self.type == "batch":
            return Saved((0,), more=Bytes(shared=2 * inputs[0][0]))
        repeated = inputs[0][0] if self.type == "instance" and self.affine else 0  # the scale, for each example
        return Saved((0,), more=Bytes(repeated, statistics=self._statistics(inputs[0])))

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        repeated = inputs[0][0] if self.type == "instance" and self.affine else 0
        return Bytes(2 * repeated, statistics=self._statistics(inputs[0]))  # the scale and the bias, for each example

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        if self.type == "layer" and len(inputs[0]) > 1:
            return "last"
        if self.type == "batch" and lies_both_ways(inputs[0]):
            return "first"
        return "kept" if self.type != "instance" and len(inputs[0]) > 2 else "first"

    def reads(self, inputs: tuple[Shape, ...]) -> Reads:
        if self.type not in ("group", "instance"):
            return ""
        return "dense" if self.type == "group" and len(inputs[0]) > 2 else "first"

    def gives_view(self, inputs: tuple[Shape, ...]) -> bool:
        return self.type in ("layer", "instance") and len(inputs[0]) > 1

    def _statistics(self, shape: Shape) -> int:
        """How many means and inverse deviations one example has; running statistics are no part of an example."""
        groups = {"group": self._groups(shape[0]), "layer": math.prod(shape[1:]), "instance": shape[0]}
        return 2 * groups.get(self.type, 0)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        channels, rank = inputs[0][0], len(inputs[0]) - 1
        layer_norm = "archspec.emit.modules.ChannelLayerNorm" if rank else "torch.nn.LayerNorm"
        target, args = {
            "batch": (f"torch.nn.BatchNorm{max(rank, 1)}d", {"num_features": channels}),
            "group": ("torch.nn.GroupNorm", {"num_groups": self._groups(channels), "num_channels": channels}),
            "layer": (layer_norm, {"normalized_shape": channels}),
            "instance": (f"torch.nn.InstanceNorm{rank}d", {"num_features": channels}),
        }[self.type]
        momentum = {"momentum": self.momentum} if self.type == "batch" else {}
        affine = "elementwise_affine" if self.type == "layer" else "affine"
        defaults = {"eps": 1e-5, "momentum": 0.1, affine: None if self.type == "instance" else True}
        return module_call(target, args, {"eps": self.eps, **momentum, affine: self.affine}, defaults)

    def doubts(self) -> Iterator[Doubt]:
        if self.type == "batch" and self.momentum > 0.5:
            turned = f"{round(1 - self.momentum, 10):g}"
            told = f"`momentum: {self.momentum:g}` makes the running statistics follow almost only the last batch"
            yield Doubt("momentum", told, f"TensorFlow's {self.momentum:g} is `momentum: {turned}` here, as in torch")
        if self.type == "batch" and self.momentum == 0:
            told = "`momentum: 0` never updates the running statistics"
            yield Doubt("momentum", told, "it is the weight of the new batch, 0.1 by default")
        if self.eps == 0:
            yield Doubt("eps", "`eps: 0` divides by zero where all values are equal", "the default is 1e-5")
        if self.eps >= 0.01:
            told = f"`eps: {self.eps:g}` is not small beside a variance of 1"
            yield Doubt("eps", told, "usual values are 1e-3 to 1e-6")

    def after_logits(self) -> str:
        return "normalizes the logits"

    def unread(self) -> Mapping[str, str]:
        given = f"with `type: {self.type}`"
        unread = {} if self.type == "batch" else {"momentum": given}
        unread |= {} if self.type == "group" else {"groups": given, "group_size": given}
        return unread if self.affine else {**unread, "zero_init": "with `affine: false`"}

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        channels, rank = inputs[0][0], len(inputs[0]) - 1
        scale, shift = self._affine(channels)
        if self.type == "batch":
            statistics = (State("running_mean"), State("running_var"))
            return (OnnxCall("BatchNormalization", (X, scale, shift, *statistics), {"epsilon": self.eps}),)
        if self.type == "instance":
            return (OnnxCall("InstanceNormalization", (X, scale, shift), {"epsilon": self.eps}),)
        if self.type == "layer":
            operands = (Result(0) if rank else X, scale, shift)
            norm = OnnxCall("LayerNormalization", operands, {"axis": -1, "epsilon": self.eps})
            return (channels_last(rank), norm, channels_first(rank, 1)) if rank else (norm,)
        return self._group_onnx(channels, rank)

    def _affine(self, channels: int) -> tuple[Operand, Operand]:
        if self.affine:
            return State("weight"), State("bias")
        return Floats(1.0, (channels,)), Floats(0.0, (channels,))

    def _group_onnx(self, channels: int, rank: int) -> tuple[OnnxCall, ...]:
        """Each group as one instance: until opset 21 ONNX has no group norm with a scale for each channel."""
        groups = self._groups(channels)
        ones, zeros = Floats(1.0, (groups,)), Floats(0.0, (groups,))
        normalized = (
            OnnxCall("Reshape", (X, Integers((0, groups, -1)))),
            OnnxCall("InstanceNormalization", (Result(0), ones, zeros), {"epsilon": self.eps}),
            OnnxCall("Shape"),
            OnnxCall("Reshape", (Result(1), Result(2))),
        )
        if not self.affine:
            return normalized
        each = Integers((-1, *(1,) * rank))  # a scale and a shift for each channel, at every position
        return (
            *normalized,
            OnnxCall("Reshape", (State("weight"), each)),
            OnnxCall("Mul", (Result(3), Result(4))),
            OnnxCall("Reshape", (State("bias"), each)),
            OnnxCall("Add", (Result(5), Result(6))),
        )

    def zero_initialized(self) -> Operation:
        return replace(self, zero_init=True) if self.affine else self

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        if self.type == "batch":
            return joined([self._normalized(usage, law, law, 0.0) for law in values[0]])
        whole = mixed(values[0])
        left = 1 - 1 / self._members(usage)[0]  # of the variance between the means of channels
        return joined(
            [self._normalized(usage, law, law if self.type == "instance" else whole, left) for law in values[0]]
        )

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        wholes = (mixed(values[0]),) * len(values[0]) if self.type in ("group", "layer") else values[0]
        scales = [usage.once_of(Norm._scale, self, law) for law in wholes]
        arrived = regrouped(result, back, values[0])
        if self.type != "batch":
            arrived = tuple([self._projected(usage, each) for each in arrived])
        sides = 2 * max(len(usage.output) - 1, 1)
        found = []
        for law, scale, each in zip(values[0], scales, arrived, strict=True):
            # What padding alone gives a channel has a dimension for each side of the map, so that channels differ in
            # their variance, with a relative variance of 2 / sides; the mean of the inverses is larger by as much.
            share = law.fixed / law.variance if law.variance and self.type == "batch" else 0.0
            found.append(each.scaled(scale * scale * (1 + 2 / sides * share * share)))
        return (tuple(found),)

    def _members(self, usage: Usage) -> tuple[int, int]:
        """How many channels and positions of one example are normalized together; of a batch norm, those of many."""
        channels, positions = usage.inputs[0][0], usage.positions[0]
        return {
            "group": (channels // self._groups(channels), positions),
            "layer": (channels, 1),
            "instance": (1, positions),
        }[self.type]

    def _scale(self, usage: Usage, law: Law) -> float:
        """What it multiplies deviations by, at the start."""
        if self.affine and self.zero_init:
            return 0.0
        apart = (1 - law.root**2) * law.level  # means differ from position to position
        variance = law.within + apart
        if self.type != "batch":
            channels, positions = self._members(usage)
            variance = variance * (1 - 1 / (channels * positions)) + law.between * (1 - 1 / channels)
        if self.type == "layer":
            variance = law.variance
        return 1 / math.sqrt(variance + self.eps) if variance + self.eps > 0 else 0.0

    def _normalized(self, usage: Usage, law: Law, whole: Law, left: float) -> Law:
        """A law, of which the share ``left`` of the variance between channels stays."""
        root, level, power, removed = law.root, law.level, law.power, law.between * (1 - left)
        scale = usage.once_of(Norm._scale, self, whole)
        apart = 0.0 if self.type == "layer" else (1 - root * root) * level
        profile = () if self.type == "layer" else centered(law.profile, level / power if power else 0.0, root)
        pieces = tuple([(weight, m, v - removed + apart) for weight, m, v in law.pieces])
        if any(v < 0 for _, _, v in pieces):
            pieces = ()
        moved = Law(law.channels, law.mean, law.within + apart, law.between - removed, pieces, profile, law.fixed)
        return affine(moved, scale, -scale * whole.mean)

    def _projected(self, usage: Usage, back: Back) -> Back:
        """A gradient less its projections on a constant and on the normalized values, over what is normalized."""
        channels, positions = self._members(usage)
        energy, shared = back[:2]
        constant = (shared + (energy - shared) / positions) / channels
        others = energy / (channels * positions)
        left = max(energy - constant - others, 0.0)
        factor = left / energy if energy else 0.0
        shared_left = max(shared - constant, 0.0) if channels == 1 else shared * factor
        return Back(left, shared_left, tuple([factor * piece for piece in back.pieces]), back.profile)
