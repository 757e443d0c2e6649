"""What an operation is.

Each operation is a frozen dataclass in a file of its own. Its fields are its arguments as a spec writes them. The JSON
Schema of the step, the shape, the weights, the MACs, and the torch module or function all follow from them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

from archspec.operations.captions import Captioned
from archspec.operations.effects import Alias, Bytes, Layout, Reads, Saved, Strides
from archspec.operations.freezing import Freezable
from archspec.operations.onnx import Exported
from archspec.operations.shapes import Shape
from archspec.operations.signaled import Signaled

Kind = Literal["integer", "number", "boolean", "word", "size", "sides", "numbers", "value"]
"""What an argument takes: a ``size`` is an integer, or a list with one integer a spatial axis; in ``sides``, an axis
may have a pair, before and after it; ``numbers`` are a number, or one a channel; a ``value`` is a further input."""

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
    ``zero`` or ``constant:VALUE``. ``fan_in`` is for a bias, whose shape does not tell how many elements reach it.
    ``by_torch``: the module that torch makes starts it so.
    """

    shape: Shape
    initial: str
    fan_in: int = 0
    by_torch: bool = False

    def start(self, init: Mapping[str, Any]) -> str | float:
        """The word of ``init`` that says how it starts, or of its default; or the constant at which it starts.

        >>> Weight((8,), "bias", fan_in=27).start({}), Weight((8,), "bias").start({"bias": "zero"})
        ('torch', 0.0)
        """
        kind, _, value = self.initial.removeprefix("linear_").partition(":")
        word = init.get(kind, INIT[kind][0]) if kind in INIT else kind
        if kind in ("conv", "linear"):
            return word
        return float(value) if value else {"zero": 0.0, "one": 1.0}.get(word, word)


class Buffer(NamedTuple):
    """A tensor that is state but not trained: running statistics."""

    shape: Shape
    initial: float
    dtype: Literal["float", "int64"] = "float"


class Doubt(NamedTuple):
    """An argument whose value is allowed but hardly ever meant: what it does, and what may be meant."""

    argument: str
    message: str
    help: str


@dataclass(frozen=True, slots=True)
class TorchCall:
    """What an operation is in torch, as data: a qualified name and its arguments.

    ``module``: ``target(*args, **kwargs)`` makes a module that is called on the inputs. ``function``: ``target`` is
    called on the inputs, then the operation's own weights, then ``args`` and ``kwargs``. ``method``: the same, but
    ``target`` is the bare name of a method of the first input (``add_``).

    ``fold`` marks a function or method of two values that is folded over the inputs from the left, as ``a + b + c`` is.
    ``packed`` marks a function that takes its inputs as one list. ``takes`` are torch's names of ``args``, and
    ``defaults`` has torch's values of the keyword arguments that may be left out.
    """

    kind: Literal["module", "function", "method"]
    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fold: bool = False
    packed: bool = False
    takes: tuple[str, ...] = dataclasses.field(default=(), compare=False, repr=False)
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)


def module_call(
    target: str, args: Mapping[str, Any], kwargs: Mapping[str, Any], defaults: Mapping[str, Any]
) -> TorchCall:
    """A module, given ``args`` by position, and those keyword arguments that differ from torch's ``defaults``."""
    given = {name: value for name, value in kwargs.items() if defaults.get(name) != value}
    return TorchCall("module", target, tuple(args.values()), given, takes=tuple(args), defaults=defaults)


def argument(
    kind: Kind,
    doc: str,
    *,
    default: Any = dataclasses.MISSING,
    minimum: int | float | None = None,
    maximum: int | float | None = None,
    words: tuple[str, ...] = (),
    named: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that is an argument of the operation.

    Args:
        kind: what it takes; text is an expression except for a ``word``, and for one of ``named``.
        doc: one sentence for the schema, the reference and editors.
        default: left out, the argument is required; None means "not set".
        minimum, maximum: inclusive bounds of a number, or of each number of a size.
        words: what a ``word`` may be.
        named: words that an ``integer`` or ``sides`` take beside numbers; ``settled`` may make numbers of them.
    """
    metadata = {"kind": kind, "doc": doc, "minimum": minimum, "maximum": maximum, "words": words, "named": named}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Operation(Captioned, Exported, Freezable, Signaled):
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
    alternatives: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of arguments that say the same, of which a spec writes one."""
    weighted: ClassVar[bool] = False
    """Whether it is a layer in a paper's count: convolution and linear layers are."""
    of_features: ClassVar[bool] = False
    """Whether it is usually applied to a flat list of features, although it also takes maps."""
    nonlinear: ClassVar[bool] = False
    """Whether it is an activation function."""
    sums: ClassVar[bool] = False
    """Whether each of its inputs alone is a way through it, as those of an addition are."""
    activation: ClassVar[bool] = False
    """Whether its output counts as activations (Radosavovic et al. 2020): of convolutions, linear layers and pools."""

    @classmethod
    def settled(cls, given: Mapping[str, Any], inputs: tuple[Shape, ...], rank: int = 2) -> Mapping[str, Any]:
        """The arguments, with numbers for what follows from ``inputs`` (``depthwise``) or the network's ``rank``."""
        return given

    @property
    def kind(self) -> str:
        """The word under which nodes are counted and named: ``conv``, ``bn``, ``relu``, ``maxpool``."""
        return self.name

    @property
    def has_state(self) -> bool:
        """Whether it may have weights or buffers, whose keys in the state dict have its name."""
        return type(self).weights is not Operation.weights or type(self).buffers is not Operation.buffers

    @property
    def filters(self) -> tuple[str, ...]:
        """The names of its weights that are filters over the input channels: (out, in, *kernel)."""
        return ()

    @property
    def saves_output(self) -> bool:
        """Whether its backward pass reads its output, so that nobody may write over it."""
        return False

    @property
    def saves_output_in_place(self) -> bool:
        """The same where it writes over an input. If its backward pass needs that input instead, torch keeps a copy."""
        return self.saves_output

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """The output's shape. Raises ShapeFault where the operation does not fit ``inputs``."""
        return inputs[0]

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        """Its parameters by name, in torch's order. A parameter with an empty name has the node's own name."""
        return {}

    def buffers(self, inputs: tuple[Shape, ...]) -> dict[str, Buffer]:
        """Its buffers by name, in torch's order."""
        return {}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        """Multiply-adds for one example, of convolutions and linear layers, without the bias; None without a rule."""
        return 0

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        """Arithmetic on single elements for one example, apart from the MACs; None without a rule."""
        return 0 if self.weighted else None

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        """What torch saves for the backward pass, in training mode; None without a rule.

        Parameters are not counted. Asked only where there is a backward pass: ``trainable`` says that its own weights
        need a gradient, ``needed`` which of its inputs do.
        """
        return None

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        """Scratch memory in eval mode, beside the output and freed afterwards; None without a rule.

        The input lies in memory as ``reads`` says. Results between the steps of a folded call are not counted.
        """
        return None

    def scratch_rearranged(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes:
        """Scratch memory after it has rearranged its input and freed the copy."""
        return Bytes()

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        """Where the channels of its output lie in memory."""
        return "kept"

    def reads(self, inputs: tuple[Shape, ...]) -> Reads:
        """The layout that its input must have in memory; empty: any. An input with another layout is copied."""
        return ""

    def view_strides(self, inputs: tuple[Shape, ...], strides: Strides) -> Strides | None:
        """The strides of its output where that is its first input or a view of it; None where torch has to copy."""
        return strides

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        """The torch module or function. ``in_place``: nobody else reads the input, so it may be written over."""
        raise NotImplementedError

    def alias(self, inputs: tuple[Shape, ...], *, training: bool) -> Alias:
        """How its output shares the storage of its first input, in training or in eval mode.

        Writing over such an output also writes over the input. A dropout returns its input in eval mode.
        """
        return ""

    def gives_view(self, inputs: tuple[Shape, ...]) -> bool:
        """Whether torch gives its result as a view of a tensor that it made.

        Writing over a view changes how autograd rounds gradients.
        """
        return False

    def may_write_in_place(self) -> bool:
        """Whether torch can put its result into an input's storage, with equal values and gradients (a ReLU, a sum)."""
        return False

    def gates(self, inputs: tuple[Shape, ...]) -> frozenset[int]:
        """The positions of inputs that only scale another: gates do not count as paths."""
        return frozenset()

    def with_bias(self) -> Operation | None:
        """The same layer with a bias; None where it has no weight that begins with the output's channels."""
        return None

    def doubts(self) -> Iterator[Doubt]:
        """The arguments whose values are hardly ever meant."""
        return iter(())

    def unread(self) -> Mapping[str, str]:
        """The arguments that have no effect beside the others, each with the reason: with or without another."""
        return {}

    def after_logits(self) -> str:
        """What it does to logits that an author hardly wants; an empty text if nothing."""
        return ""

    def zero_initialized(self) -> Operation:
        """The same operation starting as the zero function where that can be (a norm whose scale starts at 0)."""
        return self

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        """The position of an input that makes the whole output zero if it is zero; None without such an input."""
        return None


def arguments(operation: type[Operation]) -> dict[str, dataclasses.Field[Any]]:
    """The arguments of an operation class by name, in the order in which it declares them."""
    key: Any = operation  # mypy calls the class of a frozen dataclass unhashable
    return _arguments(key)


@functools.cache
def _arguments(operation: type[Operation]) -> dict[str, dataclasses.Field[Any]]:
    return {f.name: f for f in dataclasses.fields(operation) if "kind" in f.metadata}
