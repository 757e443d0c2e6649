"""A merged spec as one document that depends on no other file."""

from __future__ import annotations

import dataclasses
import os
from pathlib import PurePath

from archspec.language.fingerprint import stands_alone, with_definitions
from archspec.language.spec import Spec
from archspec.language.text.document import Document


def standalone(spec: Spec) -> Document:
    """The document of a spec without ``extends``, and with the imported definitions written out.

    Definitions stay in their files, under ``import``, if one of them has the name of another or of one in the library:
    in one text, such names could mean something else.
    """
    document = spec.document
    value = {key: item for key, item in document.value.items() if key not in ("extends", "import")}
    places = dict(document.places)
    if spec.imported and not stands_alone(spec):
        value["import"] = _relative(spec) or document.value["import"]
    elif spec.imported:
        value = with_definitions(value, [imported.value for imported in spec.imported])
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
