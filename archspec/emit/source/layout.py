"""The printer: documents, which say where a line may break, laid out within a number of columns.

The algebra is that of Wadler, "A prettier printer" (2003), with two additions of ``ruff format``: a group may depend on
whether another group broke (optional parentheses), and a bracket may expand inside a line that otherwise fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, eq=False)
class LineBreak:
    """A line break if the group around it breaks, or if ``group`` does; if not, the text ``flat``."""

    flat: str = ""
    group: Group | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Indent:
    """Its lines are indented; if a ``group`` is given, only if that breaks."""

    inside: Document
    group: Group | None = None


@dataclass(frozen=True, slots=True, eq=False)
class IfBroken:
    """A text that is written only if the group around it breaks."""

    text: str


@dataclass(slots=True, eq=False)
class Group:
    """Its lines break together, and only if it does not fit on the rest of the line.

    ``only_in``: it is a group only if that group breaks.
    """

    inside: Document = ""
    only_in: Group | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Expandable:
    """A bracket that may expand without breaking ``group``, the optional parentheses around it."""

    inside: Document
    group: Group


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A text without a place to break. It is put into parentheses on a line of its own if it fits only there."""

    text: str


Document: TypeAlias = str | tuple["Document", ...] | LineBreak | Indent | IfBroken | Group | Expandable | Solid

SOFT, SPACE = LineBreak(), LineBreak(" ")
_STEP = 4


def join(separator: Document, items: Iterable[Document]) -> Document:
    """The items with a separator between each two.

    >>> render(Group(join((",", SPACE), ["a", "b"])), 80)
    'a, b'
    """
    found: list[Document] = []
    for item in items:
        found += [separator, item] if found else [item]
    return tuple(found)


def bracket(left: str, inside: Document, right: str, within: Group | None = None) -> Document:
    """A bracket whose inside is indented on separate lines if it does not fit.

    ``within`` are the optional parentheses around the expression, if it has any: the bracket expands rather than they.

    >>> print(render(bracket("f(", Group(join((",", SPACE), ["first", "second"])), ")"), 12))
    f(
        first,
        second
    )
    """
    group = Group((Indent((SOFT, inside)), SOFT))
    return (left, group if within is None else Expandable(group, within), right)


def render(document: Document, width: int, indent: int = 0) -> str:
    """The text of a document.

    Args:
        document: what to print.
        width: the maximum length of a line; a line is longer only if nothing in it may break.
        indent: the column at which the document starts, and to which its lines are indented. The text of the first line
            is without it.

    >>> print(render(Group(("x = ", bracket("f(", "argument", ")"))), 12))
    x = f(
        argument
    )
    """
    return _Printer(width, indent).print(document)


class _Mode:
    """How the groups around an item are printed: flat or broken. ``any_line`` measures every line of a bracket."""

    __slots__ = ("any_line", "broken", "indent")

    def __init__(self, indent: int, broken: bool, any_line: bool = False) -> None:
        self.indent, self.broken, self.any_line = indent, broken, any_line


_Item = tuple[_Mode, Document]


class _Printer:
    def __init__(self, width: int, indent: int) -> None:
        self.width, self.column, self.indent = width, indent, indent
        self.broken: dict[Group, bool] = {}
        self.measured = False
        """Whether the rest of the line, up to the next break, is known to fit."""

    def print(self, document: Document) -> str:
        texts: list[str] = []
        stack: list[_Item] = [(_Mode(self.indent, True), document)]
        while stack:
            mode, item = stack.pop()
            if isinstance(item, str):
                texts.append(item)
                self.column += len(item)
            elif isinstance(item, LineBreak):
                if _breaks(mode, item.group, self.broken):
                    texts.append("\n" + " " * mode.indent)
                    self.column, self.measured = mode.indent, False
                else:
                    texts.append(item.flat)
                    self.column += len(item.flat)
            elif isinstance(item, Group) and (item.only_in is None or self.broken.get(item.only_in)):
                broken = False
                if mode.broken or not self.measured:
                    self.measured, self.broken[item] = True, False
                    broken = not self._fits((_Mode(mode.indent, False), item.inside), stack)
                self.broken[item] = broken
                stack.append((_Mode(mode.indent, broken), item.inside))
            elif isinstance(item, Expandable):
                if not self.broken.get(item.group):
                    self.measured = False  # only the lines around it were measured
                stack.append((mode, item.inside))
            elif isinstance(item, Solid):
                alone = mode.indent + _STEP + len(item.text)
                if alone <= self.width and not self._fits((mode, item.text), stack):
                    stack.append((mode, ("(", Indent((SOFT, item.text)), SOFT, ")")))
                else:
                    stack.append((mode, item.text))
            else:
                stack.extend(_opened(mode, item, self.broken))
        return "".join(texts)

    def _fits(self, first: _Item, rest: list[_Item]) -> bool:
        """Whether an item fits on the line with what follows it up to the next break."""
        column, known, index = self.column, dict(self.broken), len(rest)
        stack = [first]
        while stack or index:
            if stack:
                mode, item = stack.pop()
            else:
                index -= 1
                mode, item = rest[index]
            if isinstance(item, str):
                column += len(item)
                if column > self.width and not mode.any_line:
                    return False
            elif isinstance(item, LineBreak):
                if not _breaks(mode, item.group, known):
                    column += len(item.flat)
                elif mode.any_line:
                    column = mode.indent
                else:
                    return True
            elif isinstance(item, Group):
                if item.only_in is None or known.get(item.only_in):
                    known[item] = mode.broken
                stack.append((mode, item.inside))
            elif isinstance(item, Expandable):
                expands = not mode.broken and not known.get(item.group)
                stack.append((_Mode(mode.indent, True, True) if expands else mode, item.inside))
            else:
                stack.extend(_opened(mode, item, known))
        return True


def _breaks(mode: _Mode, group: Group | None, broken: dict[Group, bool]) -> bool:
    return mode.broken if group is None else broken.get(group, False)


def _opened(mode: _Mode, item: Document, broken: dict[Group, bool]) -> list[_Item]:
    """The parts of an item, the last first."""
    if isinstance(item, tuple):
        return [(mode, part) for part in reversed(item)]
    if isinstance(item, IfBroken):
        return [(mode, item.text)] if mode.broken else []
    if isinstance(item, Indent):
        indented = item.group is None or broken.get(item.group, False)
        return [(_Mode(mode.indent + _STEP * indented, mode.broken, mode.any_line), item.inside)]
    if isinstance(item, Solid):
        return [(mode, item.text)]
    assert isinstance(item, Group)
    return [(mode, item.inside)]
