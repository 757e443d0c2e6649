"""A merged spec as one document that depends on no other file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from archspec.language.definitions import library
from archspec.language.spec import Spec
from archspec.language.text.document import Document

SECTIONS = ("blocks", "shortcuts", "fragments")
"""The keys of definitions."""


def standalone(spec: Spec) -> Document:
    """The document of a spec without ``extends``, and with the imported definitions written out.

    Definitions stay in their files, under ``import``, if one of them has the name of another or of one in the library:
    in one text, such names could mean something else.
    """
    document = spec.document
    value = {key: item for key, item in document.value.items() if key not in ("extends", "import")}
    places = dict(document.places)
    if spec.imported and not _stands_alone(spec):
        value["import"] = _relative(spec) or document.value["import"]
    elif spec.imported:
        value = _with_definitions(value, [imported.value for imported in spec.imported])
        for imported in spec.imported:
            places.update({path: place for path, place in imported.places.items() if len(path) > 1})
    return dataclasses.replace(document, value=value, places=places)


def _relative(spec: Spec) -> list[str]:
    """The imported files as seen from the folder of the spec; empty if one of the two is not a file."""
    main = spec.document.source
    paths = [imported.source.path for imported in spec.imported]
    if main.path is None or None in paths:
        return []
    folder = PurePath(main.path).parent
    return [PurePath(os.path.relpath(path, folder)).as_posix() for path in paths if path]


def _with_definitions(own: dict[str, Any], imported: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The values of a spec with the definitions that it imports."""
    values = (own, *imported)
    found = {section: {n: d for each in values for n, d in (each.get(section) or {}).items()} for section in SECTIONS}
    return {**own, **{section: definitions for section, definitions in found.items() if definitions}}


def _stands_alone(spec: Spec) -> bool:
    """Whether the definitions that a spec imports mean the same when they are written into the spec itself.

    They may mean something else if one has the name of another or of one in the library, or if a naming is imported.
    """
    documents = (spec.document, *spec.imported)
    for section in SECTIONS:
        names = [name for document in documents for name in document.value.get(section) or ()]
        if len(set(names)) < len(names) or (spec.imported and set(names) & set(library().visible(section))):
            return False
    return not any(document.value.get("naming") for document in spec.imported)
