"""The text of a spec to its merged mapping and its definitions: YAML 1.2, ``extends``, ``import``, the library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "archspec" / "language" / "library"
ZOO = ROOT / "specs"
KINDS = ("blocks", "shortcuts", "fragments")


class Refused(Exception):
    """The spec is not valid, as far as the interpreter can tell."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML with the scalars of YAML 1.2 in place of those of 1.1."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"~|null|", "~n"),
    ("int", r"[-+]?[0-9][0-9_]*", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), [*_first, ""])
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value.replace("_", "")))


def parse(text: str) -> Any:
    """The values of one YAML document."""
    return yaml.load(text, Loader=_Loader)


@dataclass
class File:
    """One file of definitions, or the merged spec; and the files that it imports, in order."""

    definitions: Mapping[str, Mapping[str, Any]]
    imports: list[File] = field(default_factory=list)
    used: set[tuple[str, str]] = field(default_factory=set)

    def unused(self) -> bool:
        """Whether this file or one of its imports has definitions that were never looked up."""
        own = {(kind, name) for kind, some in self.definitions.items() for name in some}
        return bool(own - self.used) or any(other.unused() for other in self.imports)

    def find(self, kind: str, name: str) -> tuple[Mapping[str, Any], File] | None:
        """A definition and the file that it is written in: this file, its imports from the last, the library."""
        here = self.imported(kind, name)
        return here or (None if self is library() else library().imported(kind, name))

    def names(self, kind: str) -> set[str]:
        """The names of all definitions that can be found from here."""
        own = set(self.definitions[kind]).union(*(other.names(kind) for other in self.imports))
        return own if self is library() else own | set(library().definitions[kind])

    def imported(self, kind: str, name: str) -> tuple[Mapping[str, Any], File] | None:
        """The same without the library."""
        if name in self.definitions[kind]:
            self.used.add((kind, name))
            return self.definitions[kind][name], self
        for other in reversed(self.imports):
            found = other.imported(kind, name)
            if found:
                return found
        return None


def _definitions(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {kind: {k: v for k, v in (document.get(kind) or {}).items() if v is not None} for kind in KINDS}


@cache
def library() -> File:
    """The library that is written in the language."""
    found: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for path in sorted(LIBRARY.glob("*.yaml")):
        for kind, definitions in _definitions(parse(path.read_text())).items():
            found[kind].update(definitions)
    return File(found)


@cache
def conventions() -> Mapping[str, Mapping[str, str]]:
    """The templates of each convention."""
    found: dict[str, Mapping[str, str]] = {}
    for path in sorted(LIBRARY.glob("*.yaml")):
        found.update(parse(path.read_text()).get("naming") or {})
    return found


def read(text: str, folder: Path | None = None, name: str | None = None) -> tuple[dict[str, Any], File]:
    """The merged spec, and where its names are looked up. ``folder`` has the files that it extends and imports."""
    document = _extended(parse(text), folder, frozenset({name} if name else ()))
    return document, _file(document, folder, ())


def _file(document: Mapping[str, Any], folder: Path | None, above: tuple[Path, ...]) -> File:
    named = document.get("import") or []
    imports = []
    for name in [named] if isinstance(named, str) else named:
        if folder is None:
            raise Refused(f"`{name}` is imported by a text without a folder")
        path = folder / (name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
        if path in above or not path.is_file():
            raise Refused(f"`{name}` cannot be imported")
        imports.append(_file(parse(path.read_text()), path.parent, (*above, path)))
    return File(_definitions(document), imports)


def _extended(document: dict[str, Any], folder: Path | None, above: frozenset[str]) -> dict[str, Any]:
    """The document over the one that it extends, and that over its own."""
    document = _by_column(document)
    name = document.pop("extends", None)
    if name is None:
        return without_nulls(document)
    own = folder / f"{name}.yaml" if folder else None
    if own and own.is_file() and name not in above:
        text, place = own.read_text(), folder
    else:
        text, place = (ZOO / f"{name}.yaml").read_text(), ZOO
    base = _extended(parse(text), place, above | {name})
    for key in ("expect", "reference"):
        base.pop(key, None)
    return without_nulls(merge(base, document))


def _by_column(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its stage table by column."""
    rows = document.get("stages")
    if not isinstance(rows, list):
        return dict(document)
    keys = dict.fromkeys(key for row in rows for key in row)
    return {**document, "stages": {key: [row.get(key) for row in rows] for key in keys}}


def merge(under: Any, over: Any, path: tuple[str, ...] = ()) -> Any:
    """Mappings merge key by key, null removes, anything else replaces. A parameter of a definition may be null."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    found = dict(under)
    for key, value in over.items():
        if value is None and not (len(path) == 3 and path[0] != "stages" and path[2] == "params"):
            found.pop(key, None)
        else:
            found[key] = merge(found[key], value, (*path, key)) if key in found else value
    return found


def without_nulls(document: dict[str, Any]) -> dict[str, Any]:
    """The document without the keys that are not set. A parameter whose default is null stays: it must be given."""
    return {key: value for key, value in document.items() if value is not None}
