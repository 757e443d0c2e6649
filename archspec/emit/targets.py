"""The table of targets: what a network can be written as, in which files, and what each target needs.

A target is one function in one file, which is imported only when it is asked for. Nothing else names a target.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from archspec import arguments
from archspec.diagnostics import Diagnostic, Mention, Source, Span, SpecError, cut, nearest, suggest
from archspec.wording import Brief, listed

Reads = Literal["graph", "tensors", "model"]
"""What a target is made from: the graph alone; the graph and tensors, in numpy; or the graph and torch's model."""

TO = Mention("option", "`to`", "to")


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


DEPTH = Option(
    "depth",
    "How much a figure shows: stages, blocks, also what is inside them, or every operation.",
    default="block",
    words=("model", "stage", "block", "op"),
)
CAIRO = "cairo: `apt install libcairo2`, `brew install cairo`"
TITLE = Option("title", "The text above a figure.", default="the network's name")

TARGETS: tuple[Target, ...] = (
    Target(
        "safetensors",
        ".safetensors",
        "Weights by the keys of the state dict, with the spec in the metadata.",
        "archspec.weights.saving:write_weights",
        reads="model",
        extra="torch",
        packages=("safetensors",),
        contents="{kind}weights, with the spec in the metadata",
        use="`archspec.build({spec}, weights={file})` gives the model with these weights",
    ),
    Target(
        "onnx",
        ".onnx",
        "ONNX for inference, with the weights by their keys and a node for each scope.",
        "archspec.emit.onnx:write_onnx",
        reads="tensors",
        extra="onnx",
        packages=("onnx",),
        options=(
            Option("dynamic", "Which dimensions of the input may vary.", "batch", words=("none", "batch", "size")),
            Option("opset", "The version of ONNX's operators.", "20", least=18, most=28),
        ),
        contents="ONNX with {kind}weights",
        use="`onnxruntime.InferenceSession({file})` runs it",
    ),
    Target(
        "json",
        ".json",
        "The graph as data, with shapes, costs, regions and the lines of the spec.",
        "archspec.emit.graph_json:to_json",
        text=True,
        contents="JSON: the graph with its shapes and costs",
        use="`archspec.graph_from_json(open({file}).read())` gives the graph again",
    ),
    Target(
        "svg",
        ".svg",
        "A figure of the architecture, light or dark as the viewer is set.",
        "archspec.emit.figure:to_svg",
        text=True,
        options=(DEPTH, TITLE),
        contents="SVG: a figure of the architecture",
        use="a browser, a README or a notebook shows {file}",
    ),
    Target(
        "png",
        ".png",
        "The figure as an image.",
        "archspec.emit.png:to_png",
        extra="figure",
        packages=("cairosvg",),
        library=CAIRO,
        options=(DEPTH, TITLE),
        contents="PNG: a figure of the architecture",
        use="an image viewer or a document shows {file}",
    ),
    Target(
        "pdf",
        ".pdf",
        "The figure as a page with vectors and text.",
        "archspec.emit.pdf:to_pdf",
        extra="figure",
        packages=("cairosvg",),
        library=CAIRO,
        options=(DEPTH, TITLE),
        contents="PDF: a figure of the architecture",
        use="a viewer or a document shows {file}",
    ),
    Target(
        "dot",
        ".dot",
        "The figure as a graph for Graphviz.",
        "archspec.emit.dot:to_dot",
        text=True,
        options=(DEPTH, TITLE),
        contents="DOT: a graph of the architecture",
        use="`dot -Tsvg {file}` draws it",
    ),
    Target(
        "mermaid",
        ".mmd",
        "The figure as a flowchart for Mermaid, which GitHub draws in Markdown.",
        "archspec.emit.mermaid:to_mermaid",
        text=True,
        options=(DEPTH, TITLE),
        contents="Mermaid: a flowchart of the architecture",
        use="put the text of {file} into a Markdown block of the language `mermaid`",
    ),
)
"""Every target. The first with a suffix is the one that the suffix chooses; the others are named."""

MEANT = {
    ".pt": (".pt2", ".safetensors"),
    ".pth": (".safetensors", ".pt2"),
    ".ckpt": (".safetensors",),
    ".bin": (".safetensors",),
    ".pkl": (".safetensors",),
    ".gv": (".dot",),
    ".mermaid": (".mmd",),
    ".md": (".mmd",),
    ".ipynb": (".py",),
    ".jpg": (".png", ".svg"),
    ".yaml": (".json",),
    ".yml": (".json",),
}
"""Suffixes of files that archspec does not write, with those of what may be meant."""


def by_name() -> Mapping[str, Target]:
    """Every target by its name."""
    return {target.name: target for target in TARGETS}


def suffixes() -> Mapping[str, Target]:
    """The target that each suffix chooses."""
    return {target.suffix: target for target in reversed(TARGETS)}


def options() -> Mapping[str, Option]:
    """Every option of a target, by its name."""
    return {option.name: option for target in TARGETS for option in target.options}


def takers(option: str) -> list[Target]:
    """The targets that take an option."""
    return [target for target in TARGETS if option in {each.name for each in target.options}]


def named(to: str) -> Target:
    """The target of this name.

    Raises:
        SpecError: E831, there is none.
    """
    if to in by_name():
        return by_name()[to]
    of_suffix = suffixes().get(f".{to.removeprefix('.')}")
    hint = suggest(of_suffix.name if of_suffix else nearest(to, by_name()))
    help = f"the targets are {', '.join(by_name())}"
    raise SpecError([Diagnostic("E831", f"there is no target `{cut(to)}`", _place("to", to), hint, help=help)])


def choose(path: str, to: str | None = None) -> Target:
    """The target of a file: the one that is named, or the one that the suffix of its path chooses.

    Raises:
        SpecError: E831, no target has the suffix or the name, or the two disagree.

    >>> choose("resnet50.safetensors").name
    'safetensors'
    """
    target = None if to is None else named(to)
    suffix = PurePath(path).suffix
    if target and suffix == target.suffix:
        return target
    if target:
        ends = f"ends in `{cut(suffix)}`" if suffix else "has no suffix"
        message = f"the target `{target.name}` writes `{target.suffix}` files, and `{cut(path)}` {ends}"
        advice = f"name a file such as `{cut(_with_suffix(path, target.suffix))}`"
        other = suffixes().get(suffix)
        help = f"{advice}, or leave out {TO.text}" if other else advice
        raise SpecError([Diagnostic("E831", message, _place("path", path), help=help, mentions=(TO,))])
    if found := suffixes().get(suffix):
        return found
    raise SpecError([_unknown(path, suffix)])


def _unknown(path: str, suffix: str) -> Diagnostic:
    """The fault of a path whose suffix chooses no target."""
    known, place = suffixes(), _place("path", path)
    every = f"the suffixes are {', '.join(known)}"
    if not suffix:
        only = PurePath(path).name  # such as `.onnx`, which names a hidden file
        help = f"name a file such as `{cut(_with_suffix(path, only if only in known else next(iter(known))))}`"
        return Diagnostic(
            "E831", f"`{cut(path)}` has no suffix, which says what to write", place, help=f"{help}; {every}"
        )
    message = f"archspec does not write `{cut(suffix)}` files"
    meant = [each for each in MEANT.get(suffix.lower(), ()) if each in known]
    meant = meant or list(filter(None, [nearest(suffix.lower(), known)]))
    named = " or ".join(f"`{cut(_with_suffix(path, each))}` ({known[each].name})" for each in meant)
    return Diagnostic(
        "E831", message, place, suggest(meant[0] if meant else ""), help=f"name it {named}" if meant else every
    )


def _with_suffix(path: str, suffix: str) -> str:
    """A path with another suffix; where it has no name, the file is called ``model``."""
    pure = PurePath(path)
    return str(pure.with_suffix(suffix)) if pure.name.strip(".") and pure.name[:1] != "." else f"model{suffix}"


def check_options(target: Target, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are set; those that are None are not.

    Raises:
        SpecError: E832, the target does not take one of them, and others do.
        TypeError: no target takes one of them, or a value is of the wrong type.
        ValueError: a value is not possible.
    """
    known, own = options(), {option.name for option in target.options}
    for name in given:
        if name not in known:
            hint = suggest(nearest(name, known))
            raise TypeError(f"no target takes the option `{cut(name)}`{hint and f'; {hint}'}")
    found = {name: value for name, value in given.items() if value is not None}
    faults = [
        _without_effect(target, name, takers(name), _place(name, str(value)))
        for name, value in found.items()
        if name not in own
    ]
    if faults:
        raise SpecError(faults)
    for name, value in found.items():
        known[name].check(value)
    return found


def refuse_weights(target: Target, given: Iterable[str]) -> None:
    """Refuse the arguments about weights that are given for a target without any.

    Raises:
        SpecError: E832.
    """
    others = [each for each in TARGETS if each.takes_weights]
    if not target.takes_weights and (faults := [_without_effect(target, name, others) for name in given]):
        raise SpecError(faults)


def _without_effect(target: Target, name: str, others: list[Target], place: Span | None = None) -> Diagnostic:
    mention = Mention("option", f"`{name}`", name)
    message = f"`{target.name}` does not take `{name}`, which is for {listed([f'`{each.name}`' for each in others])}"
    return Diagnostic("E832", message, place, help=f"leave out {mention.text}", mentions=(mention,))


def _place(name: str, text: str) -> Span:
    """A place in the argument of this name."""
    return Source(name, cut(text, 200), "argument").part()
