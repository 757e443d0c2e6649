"""Normalization over the batch, over groups of channels, over channels, or over positions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.operations.base import Buffer, Doubt, Operation, TorchCall, Weight, argument, arguments, module_call
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Bytes, Layout, Reads, Saved
from archspec.operations.norm_onnx import exported
from archspec.operations.norm_signal import Normalizing
from archspec.operations.onnx import OnnxCall
from archspec.operations.shapes import Shape, ShapeFault, groups_fault, lies_both_ways, spatial_rank, unsplit

KINDS = {
    "batch": "bn",
    "group": "gn",
    "layer": "ln",
    "instance": "inorm",
    "rms": "rms",
    "grn": "grn",
    "local_response": "lrn",
    "frozen": "bn",
}
"""The word of the language, and the kind under which nodes are named. The compiler itself drops ``none``."""

LEARNED = ("batch", "group", "layer", "instance", "rms")
"""Those whose scale and bias ``affine`` and ``zero_init`` are about."""


@dataclass(frozen=True)
class Norm(Normalizing):
    """``torch.nn.BatchNorm1d`` to ``3d``, ``GroupNorm``, ``LayerNorm``, ``InstanceNorm1d`` to ``3d``, and others.

    ``layer`` and ``rms`` normalize over the channels at each position, as ConvNeXt does, and not over the positions.
    ``grn`` is the global response normalization of ConvNeXt V2, and ``local_response`` that of AlexNet. ``frozen`` is a
    batch norm that training does not change, as in torchvision's detectors.
    """

    name = "norm"
    summary = "Normalization: over the batch, groups, channels or positions."
    label = "{kind}{n}"
    setting = "norm"
    alternatives = (("groups", "group_size"),)
    look = "norm"
    attached = True

    type: str = argument("word", "What to normalize over.", default="batch", words=tuple(KINDS))
    eps: float = argument("number", "Added to the variance.", default=1e-5, minimum=0)
    momentum: float = argument(
        "number", "Weight of the new batch in the running statistics.", default=0.1, minimum=0, maximum=1
    )
    groups: int = argument("integer", "Groups of channels, for `group`.", default=32, minimum=1)
    group_size: int | None = argument(
        "integer", "Channels per group, for `group`, in place of `groups`.", default=None, minimum=1
    )
    affine: bool = argument("boolean", "Whether a scale and a bias are learned for each channel.", default=True)
    zero_init: bool = argument("boolean", "Whether the scale starts at zero.", default=False)
    size: int = argument("integer", "How many neighboring channels `local_response` sums.", default=5, minimum=1)
    alpha: float = argument("number", "The factor of the mean square, for `local_response`.", default=1e-4)
    beta: float = argument("number", "The exponent, for `local_response`.", default=0.75)
    k: float = argument("number", "Added to the mean square, for `local_response`.", default=1.0)

    @classmethod
    def settled(cls, given: Mapping[str, Any], inputs: tuple[Shape, ...], rank: int = 2) -> Mapping[str, Any]:
        size = given.get("group_size")
        if size is None or given.get("type") != "group" or inputs[0][0] % size:
            return given
        others = {name: value for name, value in given.items() if name != "group_size"}
        return {**others, "groups": inputs[0][0] // size}

    def _groups(self, channels: int) -> int:
        return self.groups if self.group_size is None else channels // self.group_size

    @property
    def has_state(self) -> bool:
        return self.type != "local_response"

    @property
    def kind(self) -> str:
        return KINDS[self.type]

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        told = {"rms": "RMSN", "grn": "GRN", "local_response": "LRN", "frozen": "BN"}
        return (Phrase(told.get(self.type, f"{self.type[0].upper()}N")),)

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
        if self.type in ("instance", "grn", "local_response"):
            spatial_rank(shape, f"norm: {self.type}")
            if self.type == "instance" and max(shape[1:]) == 1:
                raise ShapeFault(
                    "E506",
                    "`norm: instance` normalizes over positions, but the value here has only one",
                    help="use another `type` here",
                    assumed=shape,
                )
        return shape

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        shape = inputs[0][:1]
        if self.type == "grn":
            return {name: Weight(shape, "zero", by_torch=True) for name in ("weight", "bias")}
        if not self.affine or self.type not in LEARNED:
            return {}
        if self.type == "rms":
            return {"weight": Weight(shape, "zero" if self.zero_init else "one")}
        return {"weight": Weight(shape, "zero" if self.zero_init else "one"), "bias": Weight(shape, "zero")}

    def buffers(self, inputs: tuple[Shape, ...]) -> dict[str, Buffer]:
        shape = inputs[0][:1]
        if self.type == "frozen":
            starts = {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}
            return {name: Buffer(shape, start) for name, start in starts.items()}
        if self.type != "batch":
            return {}
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
        if self.type not in LEARNED or self.type == "rms":
            return self._others_saved(inputs[0], trainable, needed[0])
        repeated = inputs[0][0] if self.type == "instance" and self.affine else 0  # the scale, for each example
        return Saved((0,), more=Bytes(repeated, statistics=self._statistics(inputs[0])))

    def saved_in_eval(self, inputs: tuple[Shape, ...], needed: tuple[bool, ...]) -> Saved | None:
        return Saved((0,)) if self.type == "batch" else self.saved(inputs, False, needed)

    def in_eval(self) -> Norm:
        # One whose scale starts at zero gives zeros in both modes.
        return replace(self, type="frozen") if self.type == "batch" and not (self.affine and self.zero_init) else self

    def _others_saved(self, shape: Shape, trainable: bool, needed: bool) -> Saved:
        elements, positions = math.prod(shape), math.prod(shape[1:])
        if self.type == "frozen":
            return Saved(more=Bytes(shared=shape[0]))  # the scale by which it multiplies
        if self.type == "local_response":
            return Saved((0,), more=Bytes((shape[0] + self.size - 1) * positions + 2 * elements))
        own = elements if trainable else 0  # what its scale multiplies
        if not needed:
            return Saved(more=Bytes(own))
        if self.type == "rms":
            return Saved((0,), more=Bytes(own, statistics=positions))
        return Saved((0,), more=Bytes(own + 2 * shape[0] + 1))

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        elements, channels = math.prod(output), output[0]
        positions = elements // channels
        if self.type == "frozen":
            return Bytes(elements, shared=2 * channels)
        if self.type == "local_response":
            return Bytes(max((channels + self.size - 1) * positions, 2 * elements))
        if self.type == "grn":
            return Bytes(elements + 2 * channels)
        if self.type == "rms":
            flat = len(output) == 1 and not self.affine
            return Bytes(statistics=2) if flat else Bytes(elements, statistics=positions)
        repeated = inputs[0][0] if self.type == "instance" and self.affine else 0
        return Bytes(2 * repeated, statistics=self._statistics(inputs[0]))  # the scale and the bias, for each example

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        if self.type in ("layer", "rms") and len(inputs[0]) > 1:
            return "last"
        if self.type not in LEARNED:
            return "kept"
        if self.type == "batch" and lies_both_ways(inputs[0]):
            return "first"
        return "kept" if self.type != "instance" and len(inputs[0]) > 2 else "first"

    def reads(self, inputs: tuple[Shape, ...]) -> Reads:
        if self.type not in ("group", "instance"):
            return ""
        return "dense" if self.type == "group" and len(inputs[0]) > 2 else "first"

    def gives_view(self, inputs: tuple[Shape, ...]) -> bool:
        return self.type in ("layer", "instance", "rms") and len(inputs[0]) > 1

    def _statistics(self, shape: Shape) -> int:
        """How many means and inverse deviations one example has; running statistics are no part of an example."""
        groups = {"group": self._groups(shape[0]), "layer": math.prod(shape[1:]), "instance": shape[0]}
        return 2 * groups.get(self.type, 0)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        channels, rank = inputs[0][0], len(inputs[0]) - 1
        features, over = {"num_features": channels}, {"normalized_shape": channels}
        layer = "archspec.emit.modules.ChannelLayerNorm" if rank else "torch.nn.LayerNorm"
        rms = "archspec.emit.norms.ChannelRMSNorm" if rank else "torch.nn.RMSNorm"
        target, args = {
            "batch": (f"torch.nn.BatchNorm{max(rank, 1)}d", features),
            "group": ("torch.nn.GroupNorm", {"num_groups": self._groups(channels), "num_channels": channels}),
            "layer": (layer, over),
            "instance": (f"torch.nn.InstanceNorm{rank}d", features),
            "rms": (rms, over),
            "grn": ("archspec.emit.norms.GlobalResponseNorm", features),
            "local_response": ("torch.nn.LocalResponseNorm", {"size": self.size}),
            "frozen": ("archspec.emit.norms.FrozenBatchNorm", features),
        }[self.type]
        if self.type == "local_response":
            given: dict[str, Any] = {"alpha": self.alpha, "beta": self.beta, "k": self.k}
            return module_call(target, args, given, {"alpha": 1e-4, "beta": 0.75, "k": 1.0})
        if self.type not in LEARNED:
            return module_call(target, args, {"eps": self.eps}, {"eps": 1e-6 if self.type == "grn" else 1e-5})
        momentum = {"momentum": self.momentum} if self.type == "batch" else {}
        affine = "elementwise_affine" if self.type in ("layer", "rms") else "affine"
        usual = None if self.type == "rms" else 1e-5
        defaults = {"eps": usual, "momentum": 0.1, affine: None if self.type == "instance" else True}
        return module_call(target, args, {"eps": self.eps, **momentum, affine: self.affine}, defaults)

    def doubts(self) -> Iterator[Doubt]:
        if self.type == "batch" and self.momentum > 0.5:
            turned = f"{round(1 - self.momentum, 10):g}"
            told = f"`momentum: {self.momentum:g}` makes the running statistics follow almost only the last batch"
            yield Doubt("momentum", told, f"TensorFlow's {self.momentum:g} is `momentum: {turned}` here, as in torch")
        if self.type == "batch" and self.momentum == 0:
            told = "`momentum: 0` never updates the running statistics"
            yield Doubt("momentum", told, "it is the weight of the new batch, 0.1 by default")
        if self.type == "local_response":
            return
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
        local = self.type == "local_response"
        unread |= {"eps": given} if local else dict.fromkeys(("size", "alpha", "beta", "k"), given)
        if self.type not in LEARNED:
            return {**unread, "affine": given, "zero_init": given}
        return unread if self.affine else {**unread, "zero_init": "with `affine: false`"}

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        given = {name: getattr(self, name) for name in arguments(Norm)}
        return exported(self.type, {**given, "groups": self._groups(inputs[0][0])}, inputs[0])

    def zero_initialized(self) -> Operation:
        return replace(self, zero_init=True) if self.affine and self.type in LEARNED else self
