"""Warnings of what a spec may say but hardly ever means: sizes in another order, ``null`` for "none", unused names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from archspec.diagnostics import Faults, Span, cut
from archspec.language.authors import Authors
from archspec.language.silence import unless_meant
from archspec.language.spec import Spec
from archspec.language.terms import Cursor
from archspec.language.text.document import Document
from archspec.language.unread_values import warn_of_unread_values
from archspec.work import DEFINING, ENTRIES

IMAGE_CHANNELS = (1, 3, 4)
"""Gray, color, and color with transparency."""
IMAGE_SIZES = frozenset(
    {28, 32, 48, 64, 96, 112, 128, 160, 176, 192, 224, 227, 240, 256, 260, 288, 299, 300, 320, 331, 352, 380, 384, 416,
     448, 456, 480, 512, 528, 600, 608, 640}
)  # fmt: skip
"""Sizes that images have in benchmarks and papers."""

MAX_FACTOR = 10
"""A larger factor of compound scaling is probably a number of layers or percents."""

NOTHING = {"stem": "[]", "head": "[]", "norm": "none", "act": "none"}
"""How a spec says that it has none of these."""
TOLD = frozenset({"summary", "notes", "paper", "tags", "name", "extends", "import", "reference"})
"""Keys whose texts name nothing of the network."""


def warn_of_slips(spec: Spec, root: Cursor, faults: Faults) -> None:
    """Add a warning for each slip of a resolved spec; ``root`` is its merged document."""
    if root.get("input"):
        _input(root, spec.input, faults)
    _nulls(root.document, spec.authors, faults)
    seen: set[str] = set()
    single = not isinstance(root.value.get("outputs"), list | dict) and (spec.outputs or not spec.heads)
    if single and root.get("returns"):
        message, place = "`returns` has no effect, because the model returns one value", root.child("returns")
        faults.record("W301", message, place.key_span, help="remove it, or list several `outputs`")
    for label, _, span, _ in spec.outputs:
        if label in seen:
            message = f"`outputs` names `{cut(label)}` twice, but the model returns it once"
            faults.record("W309", message, span, help="remove one of them")
        seen.add(label)
    for key in ("width", "depth"):
        factor = getattr(spec.scale, key, 1)
        if factor > MAX_FACTOR:
            message = f"`scale.{key}` multiplies by {factor:g}"
            help = unless_meant("W306", "a factor is usually between 0.1 and 4")
            faults.record("W306", message, root.document.span(("scale", key)), help=help)
    _gates(spec, root, faults)
    _unused(root, spec.imported, spec.authors, faults)
    warn_of_unread_values(spec, root, faults)


def _gates(spec: Spec, root: Cursor, faults: Faults) -> None:
    """Warn of a reduction where the library's blocks take the part that remains."""
    table = root.get("stages")
    column = table.get("se") if table else None
    if column is None or not any(b.span.source.kind == "library" for s in spec.stages for b in s.blocks.entries):
        return
    for item in column.children() if isinstance(column.value, list) else (column,):
        if isinstance(item.value, int | float) and item.value > 1:
            message = f"`se: {item.value:g}` makes the gate {item.value:g} times as wide as the value that it scales"
            help = unless_meant("W306", f"for a reduction by {item.value:g}, write `se: 1 / {item.value:g}`")
            faults.record("W306", message, item.span, help=help)
            return


def _input(root: Cursor, size: tuple[int, ...], faults: Faults) -> None:
    read, meant = _misread(size)
    if read:
        shown = ", ".join(map(str, size))
        hint = f"did you mean `[{', '.join(map(str, meant))}]`?"
        message = f"`input: [{shown}]` is read as {read}"
        help = unless_meant("W504", "write channels, then sizes, without a batch")
        faults.record("W504", message, root.document.span(("input",)), hint, help=help)


def _misread(size: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """How an input is read that probably means something else, and what it probably means."""
    channels, sizes = size[0], size[1:]
    shown = "x".join(map(str, sizes))
    read = f"{channels} {'channel' if channels == 1 else 'channels'} and {len(sizes)} spatial sizes, {shown}"
    if len(size) == 4 and size[1] in IMAGE_CHANNELS and min(size[2:]) >= 8:
        return f"{read}: `input` has no batch", size[1:]
    if len(size) == 4 and size[3] in IMAGE_CHANNELS and min(size[1:3]) >= 8 and _of_an_image(size[1:]):
        return f"{read}: channels come first, and `input` has no batch", (size[3], *size[1:3])
    if len(size) == 3 and size[2] in IMAGE_CHANNELS and min(size[:2]) >= 8 and _of_an_image(size):
        return f"{read}: channels come first", (size[2], *size[:2])
    if len(size) == 2:
        read = f"{read.replace('spatial sizes', 'spatial size')}: a signal, not an image"
        if channels == sizes[0] and channels in IMAGE_SIZES:
            return read, (3 if channels > 28 else 1, *size)
        if channels in (3, 4) and sizes[0] in IMAGE_SIZES:
            return read, (*size, sizes[0])
        if 1 < sizes[0] <= 4 and channels >= 8:
            return f"{read.partition(':')[0]}: channels come first", (sizes[0], channels)
    return "", ()


def _of_an_image(size: tuple[int, ...]) -> bool:
    """Whether sizes with channels last are an image's. A gray one could also be a signal with one column."""
    return size[2] > 1 or size[0] == size[1] or {size[0], size[1]} <= IMAGE_SIZES


def _nulls(document: Document, authors: Authors, faults: Faults) -> None:
    for key, word in NOTHING.items():
        place = document.places.get((key,))
        if key == "head" and document.value.get("heads"):
            continue
        if place and document.value.get(key) is None and authors.own(place.value.source):
            default = {"stem": "imagenet", "head": "classifier", "norm": "batch", "act": "relu"}[key]
            message = f"`{key}: null` means the default, `{default}`"
            help = f"write `{key}: {word}` for none, or `{key}: {default}` for the default"
            faults.record("W308", message, place.value, help=help)


def _unused(root: Cursor, imported: tuple[Document, ...], authors: Authors, faults: Faults) -> None:
    """Warn of parameters and definitions of the spec itself whose names occur nowhere else."""
    own = [
        (section, name, root.document.key_span((section, name)))
        for section in ("params", "blocks", "shortcuts", "fragments")
        for name in root.value.get(section) or ()
        if authors.own(root.document.key_span((section, name)).source)
    ]
    if not own:
        return
    span: Span = root.document.span(())
    used: set[str] = set()
    for document in (root.document, *imported):
        faults.work.spend(DEFINING, len(document.places) // ENTRIES, span)
        for text in _texts({key: value for key, value in document.value.items() if key not in TOLD}):
            used.update(_WORDS.findall(text))
            used.update(_NAMES.findall(text))
    for section, name, place in own:
        if name not in used:
            what = "the parameter" if section == "params" else f"the {section[:-1]}"
            help = unless_meant("W307", "check its spelling here and where it should be used")
            faults.record("W307", f"nothing uses {what} `{cut(name)}`", place, help=help)


_WORDS = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NAMES = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


def _texts(value: Any, *, defines: bool = False) -> Iterator[str]:
    """All texts of a value, and all keys but the names of definitions and parameters."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not defines:
                yield key
            yield from _texts(item, defines=key in DEFINING_KEYS)


DEFINING_KEYS = frozenset({"params", "blocks", "shortcuts", "fragments", "let"})
