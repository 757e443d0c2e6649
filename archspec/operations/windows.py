"""Windows that slide over the spatial axes: what convolution and pooling share."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from archspec.operations.effects import Everywhere, Reach
from archspec.operations.shapes import Shape, ShapeFault, collapse, show_shape
from archspec.operations.traits import KeepsFormat, Lean


class Windows(NamedTuple):
    """The windows of an operation, each field for every spatial axis.

    ``padding`` is before each axis, and also after it, unless ``after`` says otherwise.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    after: tuple[int, ...] = ()

    @property
    def behind(self) -> tuple[int, ...]:
        """The padding after each axis."""
        return self.after or self.padding

    @property
    def lopsided(self) -> bool:
        """Whether the padding before an axis differs from that after it, which torch's layers do not have."""
        return self.behind != self.padding

    @property
    def sides(self) -> tuple[int, ...]:
        """The padding as ``torch.nn.functional.pad`` takes it: before and after, from the last axis to the first."""
        return tuple([each for pair in reversed([*zip(self.padding, self.behind, strict=True)]) for each in pair])

    @property
    def inner(self) -> Windows:
        """They over the padded input, without padding of their own."""
        return self._replace(padding=(0,) * len(self.padding), after=())

    def padded(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """The size of the padded input."""
        return tuple([sum(axis) for axis in zip(size, self.padding, self.behind, strict=True)])

    def counts(self, size: tuple[int, ...], *, ceil: bool = False) -> tuple[int, ...]:
        """How many windows fit along each axis; 0 or less where the kernel does not fit."""
        if self.lopsided:  # such a padding is not combined with `ceil`
            return self.inner.counts(self.padded(size))
        return tuple([window(*axis, ceil=ceil) for axis in zip(size, *self[:4], strict=True)])

    def skips(self, size: tuple[int, ...], counts: tuple[int, ...]) -> bool:
        """Whether a window, dilated over an axis shorter than its steps, has no element inside the input.

        No window lies behind the input, and none ends before it.
        """
        axes = zip(size, counts, self.stride, self.padding, self.dilation, strict=True)
        return any(_skips(*axis) for axis in axes)

    def beyond(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """How far the last, partial windows reach behind the padded input, along each axis."""
        found = []
        for length, count, axis in zip(size, self.counts(size, ceil=True), zip(*self[:4], strict=True), strict=True):
            kernel, stride, padding, dilation = axis
            end = (count - 1) * stride + dilation * (kernel - 1) + 1
            found.append(max(0, end - length - 2 * padding))
        return tuple(found)

    def arguments(self) -> dict[str, Any]:
        """They as the keyword arguments of torch's modules."""
        return dict(zip(("kernel_size", "stride", "padding", "dilation"), map(collapse, self[:4]), strict=True))

    def onnx(self, more: tuple[int, ...] = ()) -> dict[str, tuple[int, ...]]:
        """They as the attributes of ONNX; ``more``: further padding behind each axis."""
        behind = tuple([p + q for p, q in zip(self.behind, more or (0,) * len(self.padding), strict=True)])
        return {
            "kernel_shape": self.kernel,
            "strides": self.stride,
            "pads": (*self.padding, *behind),
            "dilations": self.dilation,
        }

    def fault(self, size: tuple[int, ...]) -> ShapeFault:
        """The fault of a window that does not fit even once."""
        spread = f" dilated by {show_shape(self.dilation)}" if max(self.dilation) > 1 else ""
        padded = f" padded by {show_shape(self.padding)}" if any(self.padding) else ""
        if self.lopsided:
            padded = f" padded by {show_shape(self.padding)} before and {show_shape(self.behind)} after"
        return ShapeFault(
            "E502",
            f"a kernel of {show_shape(self.kernel)}{spread} does not fit an input of {show_shape(size)}{padded}",
            argument="kernel",
            help="use a larger `input`, fewer strides before this step, or a smaller kernel",
        )


class Windowed(Lean, KeepsFormat):
    """Each position of the output reads a window of its input."""

    def windows(self, shape: Shape) -> Windows:
        """Its windows over an input of this shape. Raises ShapeFault where they cannot be."""
        raise NotImplementedError

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        axes = zip(*self.windows(inputs[0])[:4], strict=True)
        return tuple(
            [Reach(dilation * (kernel - 1) + 1, stride, padding) for kernel, stride, padding, dilation in axes]
        )

    def spread(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[float, ...]:
        if isinstance(self.reach(inputs, output), Everywhere):
            return super().spread(inputs, output)
        windows = self.windows(inputs[0])
        return tuple([d * d * (k * k - 1) / 12 for k, d in zip(windows.kernel, windows.dilation, strict=True)])


def _skips(size: int, count: int, stride: int, before: int, dilation: int) -> bool:
    early = min(count, -(-before // stride))  # the windows that start in the padding before the axis
    if dilation <= size or early <= 0:
        return False
    start = -before % dilation  # of each of these, the first element behind that padding is at its start modulo this
    return _wraps(early, stride, start + dilation - size, dilation) > _wraps(early, stride, start, dilation)


def _wraps(terms: int, step: int, start: int, modulus: int) -> int:
    """The sum of ``(start + step * i) // modulus`` over so many terms, in as many steps as Euclid's algorithm takes.

    >>> _wraps(4, 3, 2, 5), sum((2 + 3 * i) // 5 for i in range(4))
    (4, 4)
    """
    total = 0
    while terms > 0:
        total += terms * (terms - 1) // 2 * (step // modulus) + terms * (start // modulus)
        step, start = step % modulus, start % modulus
        end = start + step * terms
        terms, step, start, modulus = end // modulus, modulus, end % modulus, step
    return total


def share(size: int, parts: int) -> Reach:
    """How adaptive pooling divides ``size`` positions into ``parts`` windows, which overlap if these do not divide it.

    Window ``p`` is from ``floor(p * size / parts)`` up to, and without, ``ceil((p + 1) * size / parts)``, the last of
    which is ``floor(p * stride + end)``.

    >>> share(6, 2), share(3, 5).extent
    (Reach(extent=3, stride=3, padding=0, end=None), 2)
    """
    stride = Fraction(size, parts)
    if stride.denominator == 1:
        return Reach(stride.numerator, stride.numerator)
    # In lowest terms n / d, a window starts r / d behind a whole position, with every r from 0 to d - 1.
    n, d = stride.numerator, stride.denominator
    return Reach(-(-(d - 1 + n) // d), stride, end=Fraction(n - 1, d))


def window(size: int, kernel: int, stride: int, padding: int, dilation: int, *, ceil: bool = False) -> int:
    """How many windows fit along one axis, as torch counts them; 0 or less where the kernel does not fit.

    With ``ceil`` a last, partial window is counted if it starts inside the input or its left padding, even where it is
    the only one.
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count
