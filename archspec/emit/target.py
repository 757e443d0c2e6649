"""What a target is: a kind of file that a network can be written as, and the options that it takes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from archspec import arguments
from archspec.wording import Brief

Reads = Literal["graph", "tensors", "model"]
"""What a target is made from: the graph alone; the graph and tensors, in numpy; or the graph and torch's model."""


@dataclass(frozen=True, slots=True, repr=False)
class Option(Brief):
    """A choice that some targets offer: one of ``words``, a whole number from ``least`` to ``most``, or else a text.

    ``default`` is what a target does without it, in words.
    """

    name: str
    doc: str
    default: str = ""
    words: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None

    def check(self, value: object) -> None:
        """Refuse a value of the wrong type (TypeError), or one that is not possible (ValueError)."""
        if self.words:
            arguments.word(value, self.name, self.words)
        elif self.least is not None:
            arguments.whole(value, self.name, self.least, self.most)
        else:
            arguments.text(value, self.name)


@dataclass(frozen=True, slots=True, repr=False)
class Target(Brief):
    """A kind of file.

    ``function`` is the qualified name of what makes it. It takes what the target ``reads`` (the graph; then tensors or
    a model), for a target that is not ``text`` also the path to write, and the ``options`` by name. For ``text`` it
    returns the text. ``signed``: it also takes ``command``, the command line that asks for the file. ``extra`` is what
    to install, and has ``packages``, which load the system's ``library``. ``use`` shows how the file is used, in
    Python; ``{file}`` is its name.
    """

    name: str
    suffix: str
    summary: str
    function: str
    reads: Reads = "graph"
    text: bool = False
    signed: bool = False
    extra: str = ""
    packages: tuple[str, ...] = ()
    library: str = ""
    options: tuple[Option, ...] = ()
    contents: str = ""
    use: str = ""

    @property
    def takes_weights(self) -> bool:
        """Whether the file has weights: those that are named, or initial ones."""
        return self.reads != "graph"

    def load(self) -> Callable[..., Any]:
        """The function that makes it."""
        module, _, name = self.function.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return found

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "name": self.name,
            "suffix": self.suffix,
            "summary": self.summary,
            "extra": self.extra or None,
            "torch": {"graph": "no", "tensors": "initial weights", "model": "yes"}[self.reads],
            "weights": self.takes_weights,
            "options": {option.name: option.doc for option in self.options},
        }
