"""A target: a kind of file that a network can be written as, and the options that it takes."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from archspec import arguments
from archspec.wording import Brief

Reads = Literal["graph", "tensors", "model"]
"""What a target is made from: the graph alone; the graph and tensors, in numpy; or the graph and torch's model."""


@dataclass(frozen=True, slots=True, repr=False)
class Option(Brief):
    """A choice that some targets offer: one of ``words``, an integer from ``least`` to ``most``, or a text.

    ``default`` describes the behavior without the option.
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

    ``function`` is the qualified name of the function that makes it. The function takes what the target ``reads`` (the
    graph, then the tensors or the model if it needs them), the ``options`` by name, and for a target of tensors or of a
    model also the path to write to. A target made from the graph alone returns text if it is ``text``, and bytes if
    not. If it is ``signed``, the function also takes ``command``, the command line that asks for the file.

    ``extra`` is the extra to install. It contains ``packages``, which load the system's ``library``.

    ``contents`` says what is in the file. ``use`` says how to use the file, or is the qualified name of a function that
    takes the file and says so. In both, ``{kind}`` is ``initialized `` or empty, ``{file}`` and ``{spec}`` are Python
    expressions, and ``{path}`` is the file as a word of a shell.
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
        """Whether the file has weights, given or initial."""
        return self.reads != "graph"

    def usage(self, file: str, names: Mapping[str, str]) -> str:
        """How to use a file of the target."""
        return str(_load(self.use)(file)) if re.fullmatch(r"[\w.]+:\w+", self.use) else self.use.format(**names)

    def load(self) -> Callable[..., Any]:
        """The function that makes the file."""
        return _load(self.function)

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


def _load(name: str) -> Callable[..., Any]:
    """The object with this qualified name."""
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found
