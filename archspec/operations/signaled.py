"""What an operation does to the signal at initialization: the part of every operation that says so."""

from __future__ import annotations

from archspec.operations.effects import Everywhere, Reach
from archspec.operations.shapes import Shape
from archspec.operations.signal import Gradient, Signal, Usage


class Signaled:
    """An operation as the prediction of the signal sees it."""

    ordered = False
    """Whether exchanging its inputs changes more than how a result is rounded, as in a subtraction."""
    joins = False
    """Whether its output has the channels of its inputs side by side: whether it is a concatenation."""

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        """Its output at initialization, in training mode, given its inputs; None without a rule."""
        return None

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        """The gradient with respect to each input, given that of its output.

        Asked only if it has a rule for ``signal``, whose answer ``result`` is.
        """
        raise NotImplementedError

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        """What one output position reads, for each spatial axis; None without a rule."""
        return None

    def measured(self, inputs: tuple[Shape, ...]) -> frozenset[int]:
        """The positions of inputs of which only the size is read; they are among its gates."""
        return frozenset()

    def spread(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[float, ...]:
        """The variance of the places that one output position reads, for each spatial axis, if it has a ``reach``."""
        reach = self.reach(inputs, output)
        axes = () if reach is None or isinstance(reach, Everywhere) else reach
        return tuple([(axis.extent**2 - 1) / 12 for axis in axes])
