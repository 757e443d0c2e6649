"""What a source says: plain values, and the place of each of them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from archspec.diagnostics import Source, Span, cut
from archspec.wording import Brief, brief

Path = tuple[str | int, ...]
YamlValue = None | bool | int | float | str | list[Any] | dict[str, Any]


def value_at(value: Any, path: Iterable[Any]) -> Any:
    """The value at a path below ``value``."""
    return functools.reduce(operator.getitem, path, value)


def dotted(path: Path) -> str:
    """A path as a message writes it: ``stem[0].conv``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{cut(part)}" for part in path).lstrip(".")


class Place(NamedTuple):
    """The place of a value, and of its key if it has one."""

    key: Span | None
    value: Span

    def __repr__(self) -> str:
        return brief(self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Document(Brief):
    """What a source says. ``value`` is shared where aliases share it, and is never mutated.

    ``places`` has the path of every value, ``()`` being the root. ``ambiguous`` has the paths of plain scalars that
    YAML 1.1 and 1.2 read differently, with the reason; their value is the text as written.
    """

    source: Source
    value: Any
    places: Mapping[Path, Place]
    ambiguous: Mapping[Path, str] = field(default_factory=dict)

    def span(self, path: Path) -> Span:
        """The place of the value at ``path``, or of the nearest value around it."""
        return self._place(path).value

    def key_span(self, path: Path) -> Span:
        """The place of the key at ``path``, or of the value if it has no key."""
        place = self._place(path)
        return place.key or place.value

    def _place(self, path: Path) -> Place:
        while path and path not in self.places:
            path = path[:-1]
        return self.places[path]
