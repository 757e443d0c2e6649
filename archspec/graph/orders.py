"""Activation orders: what a layer becomes, and what is known while the layers of one place are lowered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archspec.graph.graph import Node
from archspec.language.spec import Step

if TYPE_CHECKING:
    from archspec.graph.environment import Environment
    from archspec.graph.names import NameScope

LowerBlocks = Callable[["NameScope", Node], list[Node]]
"""The blocks of a stage to nodes, in this scope and from this value on: the result of each."""


@dataclass(frozen=True, slots=True)
class Order:
    """What an activation order makes of a layer, of a block's last layer, and what it puts after the merge."""

    layer: tuple[str, ...]
    last: tuple[str, ...]
    after: tuple[str, ...] = ()


ORDERS: Mapping[str, Order] = {
    "post": Order(("conv", "norm", "act"), ("conv", "norm"), ("act",)),
    "norm-after-add": Order(("conv", "norm", "act"), ("conv",), ("norm", "act")),
    "act-before-add": Order(("conv", "norm", "act"), ("conv", "norm", "act")),
    "act-only-pre": Order(("act", "conv", "norm"), ("act", "conv", "norm")),
    "pre": Order(("norm", "act", "conv"), ("norm", "act", "conv")),
}
"""He et al. 2016, figure 4 (a) to (e)."""

OUTSIDE = Order(("conv", "norm", "act"), ("conv", "norm", "act"))
"""A layer outside a block."""

PRE_ACTIVATED = ("pre", "act-only-pre")
"""The orders in which a shortcut with steps reads what the first layer of the residual activates."""


@dataclass(slots=True)
class Flow:
    """How layers are arranged in one block, stem, head or edge of a stage.

    ``norm`` and ``act`` are the settings in force, already evaluated: the word and the operation's arguments.
    ``source`` is what reaches a block. If the first layer of its residual reads ``source``, ``activated`` becomes the
    value that this layer's convolution reads. ``lasts`` are the last layers, if the order moves parts of them after the
    merge. ``blocks`` lowers the blocks that the steps are around.
    """

    order: Order
    norm: Mapping[str, Any]
    act: Mapping[str, Any]
    omit_last: tuple[str, ...] = ()
    source: Node | None = None
    activated: Node | None = None
    lasts: list[tuple[Step, Environment]] = field(default_factory=list)
    blocks: LowerBlocks | None = None

    @property
    def alike(self) -> bool:
        """Whether the last layer is like the others, so that no layer has to know what follows it."""
        return self.order.layer == self.order.last and not self.order.after and not self.omit_last

    def end(self, step: Step, env: Environment) -> str:
        """Note a last layer if the order moves parts of it, and say what leaves it without its norm, if anything."""
        if self.order.after:
            self.lasts.append((step, env))
        if "norm" in self.order.after:
            return "the norm of a block's last layer comes after the merge"
        return "the last layer of the stem leaves its norm to the first block" if "norm" in self.omit_last else ""

    def setting(self, key: str) -> Mapping[str, Any]:
        return self.norm if key == "norm" else self.act
