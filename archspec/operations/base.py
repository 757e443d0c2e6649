"""What an operation is, and the window arithmetic that convolution and pooling share.

An operation is one frozen dataclass in one file of this folder. Its fields are its arguments as a spec writes them;
from them come the JSON Schema of the step, the shape, the weights, the MACs, and the torch module or function it stands
for.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import math
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

from archspec.operations.effects import Bytes, Everywhere, Layout, Reach, Saved

Shape = tuple[int, ...]
"""Channels first, without the batch: ``(C,)`` after flattening, else ``(C, *spatial)``."""

Size = int | tuple[int, ...]
"""One number for every spatial axis, or one number an axis."""

Kind = Literal["integer", "number", "boolean", "word", "size"]
"""What an argument takes. A ``size`` is an integer, or a list with one integer a spatial axis."""


_SPREADS = ("he-fan-in", "xavier", "normal", "truncated-normal")

INIT: Mapping[str, tuple[str, ...]] = {
    "conv": ("he-fan-out", *_SPREADS, "torch"),
    "linear": ("torch", "he-fan-out", *_SPREADS),
    "bias": ("torch", "zero"),
}
"""What the ``init`` of a spec may say of each kind of weight. The first word is the default."""


class Weight(NamedTuple):
    """A parameter of an operation: its shape, and how it starts.

    ``initial`` is ``conv``, ``linear``, ``bias`` or ``linear_bias``, which the ``init`` of a spec decides; or ``one``,
    ``zero`` or ``constant:VALUE``. ``fan_in`` is for a bias, whose own shape does not tell how many elements reach it.
    """

    shape: Shape
    initial: str
    fan_in: int = 0


class Buffer(NamedTuple):
    """A tensor that is state but not trained: running statistics."""

    shape: Shape
    initial: float
    dtype: Literal["float", "int64"] = "float"


@dataclass(frozen=True, slots=True)
class TorchCall:
    """What an operation is in torch, as data: a qualified name and its arguments.

    ``module``: ``target(*args, **kwargs)`` makes a module that is called on the inputs. ``function``: ``target`` is
    called on the inputs, then the operation's own weights, then ``args`` and ``kwargs``. ``method``: the same, but
    ``target`` is the bare name of a method of the first input (``add_``).

    ``fold`` marks a function or method of two values that is folded over the inputs from the left, as ``a + b + c`` is.
    ``packed`` marks a function that takes its inputs as one list.
    """

    kind: Literal["module", "function", "method"]
    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fold: bool = False
    packed: bool = False


class ShapeFault(Exception):
    """An operation does not fit its inputs.

    ``argument`` names the argument at fault, written or not (empty: the step as a whole); ``help`` says what would do;
    ``assumed`` is the shape with which inference may go on to find more faults, or None; ``channels`` says that the
    input's channel count is part of the fault, so that the place it comes from is worth showing.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        argument: str = "",
        help: str = "",
        assumed: Shape | None = None,
        channels: bool = False,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.argument = code, message, argument
        self.help, self.assumed, self.channels = help, assumed, channels


def argument(
    kind: Kind,
    doc: str,
    *,
    default: Any = dataclasses.MISSING,
    minimum: int | float | None = None,
    maximum: int | float | None = None,
    words: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that is an argument of the operation.

    Args:
        kind: what it takes; text is an expression except for a ``word``.
        doc: one sentence for the schema, the reference and editors.
        default: left out, the argument is required; None means "not set".
        minimum, maximum: inclusive bounds of a number, or of each number of a size.
        words: what a ``word`` may be.
    """
    metadata = {"kind": kind, "doc": doc, "minimum": minimum, "maximum": maximum, "words": words}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Operation:
    """The base of every operation. A subclass sets ``name``, ``label`` and ``summary`` and overrides what differs."""

    name: ClassVar[str]
    """The word of the language, as in ``- conv: {...}``."""
    summary: ClassVar[str]
    """One sentence for ``archspec list`` and the reference."""
    label: ClassVar[str] = ""
    """The template of a node's name in its scope, such as ``conv{n}``; else the kind, numbered from the second on."""
    setting: ClassVar[str] = ""
    """The setting of the spec (``norm``, ``act``) that gives this operation's arguments where a step does not."""
    arity: ClassVar[Literal["one", "many"]] = "one"
    """``many`` for a merge, which takes branches."""
    weighted: ClassVar[bool] = False
    """Whether it is a layer in a paper's count: convolution and linear layers are."""
    sums: ClassVar[bool] = False
    """Whether each of its inputs alone is a way through it, as those of an addition are."""
    activation: ClassVar[bool] = False
    """Whether its output counts as activations, in the sense of Radosavovic et al. 2020: of convolutions, linear layers
    and pools it does."""
    aliases: ClassVar[bool] = False
    """Whether its output may be its input's storage: a view, or a dropout that does nothing in eval mode. Who writes
    over such an output writes over the input."""

    @property
    def kind(self) -> str:
        """The word under which nodes are counted and named: ``conv``, ``bn``, ``relu``, ``maxpool``."""
        return self.name

    @property
    def saves_output(self) -> bool:
        """Whether its backward pass reads its output, so that nobody may write over it."""
        return False

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """The output's shape. Raises ShapeFault where the operation does not fit ``inputs``."""
        return inputs[0]

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        """Its parameters by name, in torch's order. An empty name is a parameter that stands at the node's own name."""
        return {}

    def buffers(self, inputs: tuple[Shape, ...]) -> dict[str, Buffer]:
        """Its buffers by name, in torch's order."""
        return {}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        """Multiply-adds for one example; convolution and linear layers only, without the bias."""
        return 0

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        """Arithmetic on single elements for one example, apart from the MACs; None where there is no rule for it."""
        return 0 if self.weighted or self.aliases else None

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        """What torch saves for the backward pass, in training mode; None where there is no rule for it.

        Parameters are not counted. Asked only where there is a backward pass: ``trainable`` says that its own weights
        need a gradient, ``needed`` which of its inputs do.
        """
        return None

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        """Memory that it takes and frees while it runs in eval mode, beside its output; None where there is no rule.

        The input lies in memory as ``reads`` says; and what lies between the steps of a folded call is not counted.
        """
        return None

    def scratch_rearranged(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes:
        """What it takes later where it rearranged the input, when the copy of it is freed again."""
        return Bytes()

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        """Where the channels of its output lie in memory."""
        return "kept"

    def reads(self, inputs: tuple[Shape, ...]) -> Literal["", "first", "last"]:
        """Where in memory its input's channels must lie that it need not rearrange them; empty: anywhere.

        A view of what lies otherwise is a copy of it.
        """
        return ""

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        """What one output position reads, for each spatial axis; None where there is no rule for it."""
        return None

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        """The torch module or function. ``in_place``: nobody else reads the input, so it may be written over."""
        raise NotImplementedError

    def views_input(self, *, training: bool) -> bool:
        """Whether its output is its input's storage, in training or in eval mode."""
        return self.aliases

    def may_write_in_place(self) -> bool:
        """Whether torch offers this operation on its input's storage (a ReLU, an addition)."""
        return False

    def gates(self, inputs: tuple[Shape, ...]) -> frozenset[int]:
        """The positions of inputs that only scale another: a squeeze-and-excitation gate is no path."""
        return frozenset()

    def zero_initialised(self) -> Operation:
        """The same operation starting as the zero function where that can be (a norm whose scale starts at 0)."""
        return self

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        """The position of the input that makes the output zero where it is zero; None where none does."""
        return None


def arguments(operation: type[Operation]) -> dict[str, dataclasses.Field[Any]]:
    """The arguments of an operation class by name, in the order in which it declares them."""
    key: Any = operation  # mypy calls the class of a frozen dataclass unhashable
    return _arguments(key)


@functools.cache
def _arguments(operation: type[Operation]) -> dict[str, dataclasses.Field[Any]]:
    return {f.name: f for f in dataclasses.fields(operation) if "kind" in f.metadata}


@functools.cache
def operations() -> Mapping[str, type[Operation]]:
    """Every operation by its word: each public class of each file in this folder that sets a ``name``."""
    found: dict[str, type[Operation]] = {}
    package = importlib.import_module("archspec.operations")
    for info in pkgutil.iter_modules(package.__path__):  # in order of names
        module = importlib.import_module(f"archspec.operations.{info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Operation) and "name" in vars(value):
                found[value.name] = value
    return found


def per_axis(value: Size, rank: int, name: str) -> tuple[int, ...]:
    """``value`` for each of ``rank`` spatial axes. Raises ShapeFault where a list has another length."""
    if isinstance(value, int):
        return (value,) * rank
    if len(value) != rank:
        numbers = "1 number" if len(value) == 1 else f"{len(value)} numbers"
        axes = "axis" if rank == 1 else "axes"
        raise ShapeFault(
            "E506",
            f"`{name}` has {numbers}, but the value here has {rank} spatial {axes}",
            argument=name,
            help=f"write one number for every axis, or a list of {rank}",
        )
    return value


def spatial_rank(shape: Shape, operation: str) -> int:
    """The number of spatial axes, one to three. Raises ShapeFault for a flattened value."""
    rank = len(shape) - 1
    if rank == 0:
        raise ShapeFault(
            "E506", f"`{operation}` needs a spatial value, but what reaches it is flat, with {shape[0]} features"
        )
    return rank


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


def collapse(values: tuple[int, ...]) -> Size:
    """One number where all axes agree, as a person would write it; else the tuple."""
    return values[0] if len(set(values)) == 1 else values


def show_shape(shape: Shape) -> str:
    """``64x56x56``, as messages and reports write a shape."""
    return "x".join(map(str, shape))


def window_fault(
    kernel: tuple[int, ...], size: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...]
) -> ShapeFault:
    """The fault of a window that does not fit even once."""
    spread = f" dilated by {show_shape(dilation)}" if any(d > 1 for d in dilation) else ""
    padded = f" padded by {show_shape(padding)}" if any(padding) else ""
    return ShapeFault(
        "E502",
        f"a kernel of {show_shape(kernel)}{spread} does not fit an input of {show_shape(size)}{padded}",
        argument="kernel",
        help="use a larger `input`, fewer strides before this step, or a smaller kernel",
    )


def groups_fault(channels: int, groups: int, assumed: Shape) -> ShapeFault:
    """The fault of an input whose channels do not split into groups."""
    return ShapeFault(
        "E503",
        f"{channels} channels do not split into {groups} groups",
        argument="groups",
        help=f"`groups` must divide {channels}; {math.gcd(channels, groups)} does",
        assumed=assumed,
        channels=True,
    )


def merge_fault(verb: str, first: Shape, other: Shape, assumed: Shape | None, *, channels: bool = True) -> ShapeFault:
    """The fault of a merge whose inputs disagree: ``64x56x56 and 128x28x28 cannot be added``.

    Args:
        verb: what cannot be done, as a participle.
        first, other: two shapes that disagree.
        assumed: the shape with which inference goes on.
        channels: whether the channels have to agree too.
    """
    channels = channels and first[0] != other[0]
    advice = []
    if len(first) != len(other):
        advice.append("`flatten` both or neither")
    else:
        if channels:
            means = "a 1x1 `conv` or `pad_channels`" if len(first) > 1 else "a `linear`"
            advice.append(f"give both the same channels, with {means}")
        if first[1:] != other[1:]:
            advice.append("give both the same size, with equal strides and padding")
    return ShapeFault(
        "E504",
        f"{show_shape(first)} and {show_shape(other)} cannot be {verb}",
        help="; ".join(advice),
        assumed=assumed,
        channels=channels,
    )
