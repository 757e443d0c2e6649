"""How a document differs from the schema; most documents do not, which takes no validator to find."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from archspec.diagnostics import MAX_FOUND
from archspec.language.acceptance import Accepts, acceptance
from archspec.language.schema import library_schema, read_schema

ValidationError = Any
"""An error of jsonschema, which is imported only with the validator."""


def errors_of(value: Any, library: bool) -> Iterator[ValidationError]:
    """The errors of a spec, or of a file of definitions, as far as they are told."""
    if _accepts(library)(value):
        return iter(())
    return itertools.islice(_validator(library).iter_errors(value), MAX_FOUND)


@functools.cache
def schema_of(library: bool) -> Mapping[str, Any]:
    """The schema of a spec, or of a file of definitions."""
    return library_schema() if library else read_schema()


@functools.cache
def _accepts(library: bool) -> Accepts:
    return acceptance(schema_of(library), schema_of(library))


@functools.cache
def _validator(library: bool) -> Any:
    from jsonschema.validators import Draft202012Validator  # slow to import, and needed only where there is a fault

    return Draft202012Validator(schema_of(library))
