"""Valid specs with exactly one fault, and the diagnostic that must be reported."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

from archspec import arguments
from archspec.diagnostics import Source
from archspec.language.text.reader import read
from archspec.language.text.yaml_writer import write
from archspec.strategies.faults import GENERAL, Fault, RawSpec
from archspec.strategies.map_faults import OF_MAPS
from archspec.strategies.specs import SpecText
from archspec.strategies.table_faults import TABLE_FAULTS

__all__ = ["CODES", "Mutation", "mutations"]

FAULTS: tuple[Fault, ...] = (*GENERAL, *OF_MAPS, *TABLE_FAULTS)
CODES: tuple[str, ...] = tuple(sorted({fault.code for fault in FAULTS}))
"""The codes for which there are faults."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A spec with one fault: its text, the code that must be reported, and the line.

    A few faults need more than the text: ``overrides``, whose line 1 then has the fault, and
    ``files`` beside the spec, by name; None is a folder. :meth:`save` writes all of it into a folder.
    """

    text: str
    code: str
    line: int
    overrides: tuple[str, ...] = ()
    files: Mapping[str, str | None] = field(default_factory=dict)

    def save(self, folder: Path) -> Path:
        """The path of the spec, which is called ``drawn.yaml``, in ``folder`` with what it needs beside it."""
        folder = Path(arguments.path(folder, "folder", "the path of a folder"))
        for name, text in self.files.items():
            if text is None:
                (folder / name).mkdir(exist_ok=True)
            else:
                (folder / name).write_text(text, encoding="utf-8")
        path = folder / "drawn.yaml"
        path.write_text(self.text, encoding="utf-8")
        return path

    def __repr__(self) -> str:
        more = f", overrides={self.overrides}" if self.overrides else ""
        return f'Mutation("""\\\n{self.text}""", {self.code!r}, line={self.line}{more})'


def mutations(spec: str, *codes: str) -> st.SearchStrategy[Mutation]:
    """``spec`` with one fault put in, somewhere: a :class:`Mutation`.

    Args:
        spec: the text of a valid spec that :func:`archspec.testing.specs` drew, or of any other, which is then written
            anew; its expectations should hold.
        codes: which faults; by default all for which there are faults (:data:`CODES`).

    The code is the only error that is reported. Of one that begins with ``W``, a warning, the spec may have more.

    Raises:
        TypeError: the spec is not a text.
        ValueError: a code without a fault that can be put into a spec.
    """
    arguments.text(spec, "spec", "the text of a spec")
    for code in codes:
        arguments.word(code, "codes", CODES)
    return _mutations(spec, codes)


@st.composite
def _mutations(draw: st.DrawFn, spec: str, codes: tuple[str, ...]) -> Mutation:
    document = read(Source("drawn.yaml", str(spec))).value if not isinstance(spec, SpecText) else spec.document
    fitting = [fault for fault in FAULTS if (not codes or fault.code in codes) and fault.fits(document)]
    fault = draw(st.sampled_from(fitting))
    return made(draw, fault, document)


def made(draw: st.DrawFn, fault: Fault, document: RawSpec) -> Mutation:
    """A mutation by one kind of fault."""
    found = fault.make(draw, copy.deepcopy(document))
    written = write(found.document)
    line = (written.keys if found.key else written.values).get(found.path, 1)
    if found.tail:
        line = written.text.count("\n") + 1
    if found.overrides:
        line = 1
    return Mutation(written.text + found.tail, fault.code, line, found.overrides, found.files)
