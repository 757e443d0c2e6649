"""How a figure shows operations: what it writes in their boxes, as data, and what the boxes look like."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

from archspec.operations.shapes import Shape

Look = Literal["conv", "linear", "pool", "norm", "act", "regularization", "merge", "view", "other"]
"""What a box looks like: one color a look. A ``view`` only rearranges; figures of blocks and stages leave it out."""


class Phrase(NamedTuple):
    """A part of a caption: ``{}`` in ``text`` is where ``value`` goes, the value of ``argument``.

    Several numbers are written with ``between`` between them. With ``through``, the last of them ends a range that does
    not contain it, and one less is written. A piece whose value is ``usual`` is left out; without a value that can be
    written, ``without`` is written instead. Commas separate the pieces.
    """

    text: str
    argument: str = ""
    value: float | str | tuple[float | str, ...] = 0
    usual: float | tuple[float, ...] | None = None
    without: str = ""
    between: str = "\N{MULTIPLICATION SIGN}"
    through: bool = False


Caption = tuple[Phrase, ...]


class Captioned:
    """What an operation is in a figure."""

    name: ClassVar[str]
    look: ClassVar[Look] = "other"
    symbol: ClassVar[str] = ""
    """The sign of a merge, drawn in a circle; without one, its name is drawn in a bar."""
    attached: ClassVar[bool] = False
    """Whether a figure writes it into the box of the layer that it follows, as a norm and an activation."""

    @property
    def called(self) -> str:
        """How a sentence calls it: the word of the language, or the module of torch that it names."""
        return self.name

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        """What a figure writes in its box."""
        return (Phrase(self.name.replace("_", " ")),)


def windowed(what: str, kernel: tuple[int, ...]) -> Phrase:
    """A kernel and what slides: `3x3 conv` with a multiplication sign; `conv 3` over one axis."""
    text = f"{{}} {what}" if len(kernel) > 1 else f"{what} {{}}"
    return Phrase(text, "kernel", kernel, without=what)


def strided(stride: Any) -> Phrase:
    """``/2``; nothing for a stride of 1."""
    return Phrase("/{}", "stride", stride, usual=1)
