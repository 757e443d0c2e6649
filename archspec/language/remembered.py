"""The documents of files that several specs build on, read once: checking a folder reads the same base for many specs.

A document follows from its text alone and nothing changes it, so it is remembered by the text and by what messages call
it. The file itself is read each time.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from archspec.diagnostics import Source, SpecError
from archspec.language.merge import columns
from archspec.language.schema_faults import validate
from archspec.language.text.document import Document
from archspec.language.text.reader import read
from archspec.spans import SourceKind
from archspec.work import Work

MEMORY = 64
"""How many documents a process remembers."""
LONGEST = 8192
"""The most characters of a text that is remembered: a longer one may have thousands of values."""


def read_base(source: Source, work: Work) -> Document:
    """The document of a file that a spec extends, its stage table by column. It takes the same steps each time.

    Raises:
        SpecError: as reading and validating it do.
    """
    if len(source.text) <= LONGEST:
        try:
            document, steps = _remembered(source.name, source.text, source.kind, source.path)
        except SpecError:  # which the text raises again, in its own source and with the work that is left
            pass
        else:
            if work.spent + sum(steps.values()) <= work.most:  # else the refusal points to a value
                for what, number in steps.items():
                    work.spend(what, number)
                return document
    return read_by_column(source, work)


def read_by_column(source: Source, work: Work) -> Document:
    """The document of a spec that follows the schema, its stage table by column."""
    return columns(validate(read(source, work=work), work=work), work)


@functools.lru_cache(MEMORY)
def _remembered(name: str, text: str, kind: SourceKind, path: str | None) -> tuple[Document, Mapping[str, int]]:
    """A document, and the steps that it takes."""
    work = Work()
    return read_by_column(Source(name, text, kind, path), work), {key: steps for key, steps in work.by.items() if steps}
