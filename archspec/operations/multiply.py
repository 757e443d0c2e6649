"""Multiplication of branches, with gates."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.broadcasting import asking, gathered, met, repeated
from archspec.operations.effects import Bytes, Saved
from archspec.operations.onnx import OnnxCall, folded
from archspec.operations.shapes import Shape, merge_fault
from archspec.operations.signal import Back, Gradient, Law, Signal, Usage, aligned, joined, regrouped
from archspec.operations.traits import Merge


@dataclass(frozen=True)
class Multiply(Merge):
    """``a * b``, of values of one shape, or with a gate: one number for each channel of a larger map.

    Its backward pass reads every input.
    """

    name = "multiply"
    summary = "Multiplies branches; a 1x1 map scales the channels of a larger one."
    symbol = "\N{MULTIPLICATION SIGN}"

    broadcast: bool = argument("boolean", "Whether axes of length 1 are repeated to fit.", default=False)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if self.broadcast and (shape := met(inputs)) is not None:
            return shape
        largest = max(inputs, key=_positions)
        gate = (largest[0], *(1 for _ in largest[1:]))
        for other in inputs:
            if other not in (largest, gate):
                fault = merge_fault("multiplied", largest, other, assumed=largest)
                if other[1:] == gate[1:]:  # its size fits as it is
                    fault.help = merge_fault("multiplied", gate, other, assumed=None).help
                raise asking(fault, inputs)
        return largest

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        """Each factor where the other's gradient is needed; of three and more, the products on the way are factors."""
        read: set[int] = set()
        products, product, before = 0, inputs[0], needed[0]
        for i in range(1, len(inputs)):
            if before:
                read.add(i)
            if needed[i] and i == 1:
                read.add(0)
            elif needed[i]:
                products += math.prod(product)
            product, before = self.shape((product, inputs[i])), before or needed[i]
        return Saved(tuple(sorted(read)), more=Bytes(products))

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        if in_place:
            return TorchCall("method", "mul_", fold=True)  # a method, as for an addition
        return TorchCall("function", "operator.mul", fold=True)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return folded("Mul", len(inputs))

    def may_write_in_place(self) -> bool:
        return True

    def gates(self, inputs: tuple[Shape, ...]) -> frozenset[int]:
        """All but the first of the largest size."""
        largest = inputs.index(max(inputs, key=math.prod))
        return frozenset(range(len(inputs))) - {largest}

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        return min(set(range(len(inputs))) - self.gates(inputs))

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return joined([self._product(usage, laws) for laws in aligned(repeated(values, usage))])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        whole = repeated(values, usage)
        ranges = aligned(whole)
        products = tuple([self._product(usage, laws) for laws in ranges])
        arrived = regrouped(result, back, products)
        found = []
        for i, value in enumerate(whole):
            own = tuple([laws[i] for laws in ranges])
            each = [self._factor(usage, laws, i, arriving) for laws, arriving in zip(ranges, arrived, strict=True)]
            factor = regrouped(own, tuple(each), value)
            found.append(gathered(factor, value, usage.inputs[i], usage.output))
        return tuple(found)

    def _product(self, usage: Usage, laws: tuple[Law, ...]) -> Law:
        """The law of a product of independent values; its pieces are those of the largest."""
        mean, power, level = (math.prod([getattr(law, name) for law in laws]) for name in ("mean", "power", "level"))
        main = min(set(range(len(laws))) - self.gates(usage.inputs))
        others = [law for i, law in enumerate(laws) if i != main]
        by, square = math.prod([law.mean for law in others]), math.prod([law.power for law in others])
        pieces = tuple([(w, m * by, v * square + m * m * (square - by * by)) for w, m, v in laws[main].pieces])
        return Law(laws[0].channels, mean, power - level, max(level - mean * mean, 0.0), pieces, laws[main].profile)

    def _factor(self, usage: Usage, laws: tuple[Law, ...], i: int, back: Back) -> Back:
        """The gradient with respect to one factor, at every position, also of a gate."""
        energy, shared = back[:2]
        small = usage.inputs[i] != usage.output
        for j, law in enumerate(laws):
            if j == i:
                continue
            energy *= law.power
            shared *= law.level if small or usage.inputs[j] == usage.output else law.power
        scale = energy / back.energy if back.energy else 0.0
        known = laws[i].pieces and not small and i not in self.gates(usage.inputs)
        pieces = tuple([scale * piece for piece in back.pieces]) if known else ()
        return Back(energy, shared, pieces, () if small else back.profile)


def _positions(shape: Shape) -> int:
    """The largest spatial size: 1 for a gate and for a flat value."""
    return max(shape[1:], default=1)
