"""How names of definitions are looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from archspec.diagnostics import Faults

if TYPE_CHECKING:
    from archspec.language.spec import Block, Fragment, Shortcut


class Definitions(Protocol):
    """The definitions that the names in one text refer to."""

    def fragment(self, name: str, wanted: Any, faults: Faults, level: int = 0) -> Fragment | None: ...

    def block(self, name: str) -> Block | None: ...

    def shortcut(self, name: str) -> Shortcut | None: ...

    def visible(self, section: str) -> Mapping[str, object]: ...
