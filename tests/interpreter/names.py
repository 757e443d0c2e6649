"""The names of nodes and scopes: the templates of ``naming``, and what is counted where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.interpreter.expressions import Names, template
from tests.interpreter.reading import Refused, conventions

DEFAULTS = {
    "backbone": "",
    "stem": "",
    "deep": "",
    "head": "",
    "heads": "{name}",
    "stage": "layer{stage}",
    "block": "{index}",
    "residual": "",
    "shortcut": "downsample",
    "layer": "",
    "fragment": "{name}{n if n > 1 else ''}",
    "before": "before{stage}",
    "after": "after{stage}",
}
BY_POSITION = {"stem", "deep", "head", "heads", "residual", "shortcut", "layer", "before", "after"}
NUMBERED = {"conv", "bn", "gn", "ln", "inorm", "rms", "grn", "lrn"}
"""Kinds whose first node has a number too: convolutions and norms."""
SHORT = {"linear": "fc"}
"""Kinds with another default name."""


@dataclass
class Counts:
    """What is counted in one path, by all scopes that have it."""

    kinds: Counter[str] = field(default_factory=Counter)
    position: int = 0
    by_position: bool | None = None
    """Whether nodes are named by position; the first scope with the path decides."""

    def take(self, kind: str) -> tuple[int, int]:
        """The number of this kind, from 1, and the position, from 0."""
        self.kinds[kind] += 1
        self.position += 1
        return self.kinds[kind], self.position - 1


def above(path: str) -> list[str]:
    """The scopes around a path, from the outermost on."""
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


@dataclass(frozen=True)
class Scope:
    """A prefix of names. ``by_position``: its nodes are named by position."""

    path: str = ""
    by_position: bool = False

    def join(self, name: str) -> str:
        """The full name of something in the scope."""
        return f"{self.path}.{name}" if self.path else name


class Naming:
    """The templates of a spec, and the counts of every scope so far."""

    def __init__(self, written: Any) -> None:
        given: Mapping[str, str] = written if isinstance(written, Mapping) else {}
        convention = written if isinstance(written, str) else given.get("convention", "torchvision")
        if convention not in conventions():
            raise Refused(f"`{convention}` is not a convention")
        own = {key: value for key, value in given.items() if key != "convention" and value is not None}
        self.templates = {**DEFAULTS, **conventions()[convention], **own}
        self._counts: dict[str, Counts] = {}
        self.own_names: set[str] = set()
        """The paths in which a step has a name of its own."""
        self.scopes: set[str] = set()
        """The paths of all scopes, those without nodes too."""
        self._outer, self._deep, self._left = Scope(), Scope(), 0

    def _count(self, path: str) -> Counts:
        return self._counts.setdefault(path, Counts())

    def node(self, scope: Scope, operation: str, kind: str, names: Names, own: str | None) -> str:
        """The full name of a node."""
        if own is not None:
            self.own_names.add(scope.path)
        scope, self._left = self._deepened(scope), max(self._left - 1, 0)
        if own is not None:
            return scope.join(own)
        n, position = self._count(scope.path).take(kind)
        place = names.with_(n=n, position=position, kind=kind, name=kind)
        if self.templates.get(operation):
            return scope.join(template(self.templates[operation], place))
        if scope.by_position:
            return scope.join(str(position))
        if self.templates.get("step"):
            return scope.join(template(self.templates["step"], place))
        first = SHORT.get(kind, kind)
        between = "_" if first[-1].isdigit() else ""
        return scope.join(f"{first}{between}{n}" if n > 1 or kind in NUMBERED else first)

    def scope(self, inside: Scope, kind: str, names: Names, own: str | None = None, called: str = "") -> Scope:
        """The scope of a stem, stage, block, layer, fragment and so on. ``called``: the fragment's name."""
        written = self.templates[kind]
        ordered = kind in BY_POSITION and written != ""
        if own == "":
            return inside
        if own is not None:
            self.own_names.add(inside.path)
            return self._opened(inside.join(own), ordered)
        if written == "":
            return inside
        inside = self._deepened(inside)
        n, position = self._count(inside.path).take(kind)
        name = template(written, names.with_(n=n, position=position, name=called or kind))
        return self._opened(inside.join(name), ordered) if name else inside

    def deepen(self, scope: Scope, names: Names, nodes: int) -> None:
        """Put the next nodes of the stem into a scope that counts as one of its convolutions."""
        if nodes:
            n, position = self._count(scope.path).take("conv")
            name = template(self.templates["deep"], names.with_(n=n, position=position, name="deep"))
            self._outer, self._deep, self._left = scope, self._opened(scope.join(name), True), nodes

    def _deepened(self, scope: Scope) -> Scope:
        return self._deep if self._left and scope.path == self._outer.path else scope

    def leave_out(self, scope: Scope) -> None:
        """A step that its condition leaves out: some namings count it."""
        scope = self._deepened(scope)
        if self.templates.get("left_out") == "counted" and scope.by_position:
            self._count(scope.path).position += 1

    def _opened(self, path: str, by_position: bool) -> Scope:
        self.scopes.add(path)
        for scope in above(path):
            self.scopes.add(scope)
            counts = self._count(scope)
            counts.by_position = bool(counts.by_position)
        counts = self._count(path)
        if counts.by_position is None:
            counts.by_position = by_position
        return Scope(path, counts.by_position)

    def named(self, inside: Scope, own: str) -> Scope:
        """The scope that a name alone opens: of a sequence, or of a branch."""
        self.own_names.add(inside.path)
        return self._opened(inside.join(own), False)
