"""From a reference to a spec: read, validate, extend, resolve."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from archspec import arguments
from archspec.diagnostics import WAYS, Diagnostic, Source, Span, SpecError, cut
from archspec.door import door
from archspec.language.authors import Authors
from archspec.language.merge import overlay, without_claims
from archspec.language.overrides import Overrides, settings_of, with_overrides
from archspec.language.remembered import read_base, read_by_column
from archspec.language.resolve import Import, resolve
from archspec.language.schema_faults import validate
from archspec.language.spec import Spec
from archspec.language.text.document import Document
from archspec.language.text.locate import open_beside, open_spec
from archspec.language.text.reader import read
from archspec.work import ENTRIES, READING, STEPS_OF_A_FILE, Limits, Work

SPEC = "a path, the name of a spec that ships with archspec, YAML text or an archspec.Source"

MAX_CHAIN = 32
MAX_IMPORTS = 64


@door
def load(
    spec: str | os.PathLike[str] | Source,
    *,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> Spec:
    """Read, validate and resolve a spec.

    Args:
        spec: a path, the name of a spec of the zoo, or the YAML text itself (anything with a line break).
        overrides: what to set in the spec: a mapping such as ``{"classes": 10, "stages.base_width": 128}``, whose keys
            are nested or joined by dots; or texts such as ``["classes=10"]``.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder and the zoo.
        limits: how much work the compilation may take.

    Returns:
        The resolved spec; its warnings are in ``warnings``.

    Raises:
        SpecError: with every fault of the phase that refused the spec.
        TypeError: an argument of the wrong type, such as one text as ``overrides``.

    >>> load("resnet50", overrides={"classes": 10}).classes
    10
    """
    source, limits = source_of(spec), Limits.of(limits)
    settings = settings_of(overrides)
    allow_outside = arguments.flag(allow_outside, "allow_outside")
    root = str(Path(source.path).parent) if source.path else None
    work, authors = Work(limits), Authors(source)
    with authors.come_first():
        document = merged(source, root, allow_outside, work, authors)
        document = with_overrides(document, settings, work, authors)
        return resolve(document, _imports(document, root, allow_outside, work, authors), work, authors)


def source_of(spec: str | os.PathLike[str] | Source) -> Source:
    """The text of a spec: a path, the name of a spec of the zoo, or the YAML text itself.

    Raises:
        SpecError: the spec does not exist, or its file cannot be read.
    """
    if isinstance(spec, Source):
        return spec
    advice = "it is loaded already" if isinstance(spec, Spec) else ""
    arguments.instance(spec, "spec", (str, os.PathLike), SPEC, advice)
    text = str(arguments.path(spec, "spec", SPEC))  # of a subclass too: PyYAML takes nothing else
    return Source("<text>", text, "text") if isinstance(spec, str) and "\n" in text else open_spec(text)


def merged(source: Source, root: str | None, allow_outside: bool, work: Work, authors: Authors) -> Document:
    """The document of ``source`` over everything that it extends, its stage table by column."""
    chain = [read_by_column(source, work)]
    while chain[-1].value.get("extends") is not None:
        base = _base(chain, root, allow_outside)
        span = chain[-1].span(("extends",))
        authors.reach(base, span, WAYS[0])
        chain.append(read_base(base, work))
        authors.reach(chain[-1].source, span, WAYS[0])  # of an earlier reading, if it is remembered
    document = chain.pop()
    while chain:
        document = overlay(without_claims(document), chain.pop(), work)
    return document


def _base(chain: list[Document], root: str | None, outside: bool) -> Source:
    """The file that the last document extends, unless that closes a circle or makes the chain too long."""
    span = chain[-1].span(("extends",))
    found = open_beside(chain[-1].value["extends"], span, root, outside=outside)
    seen = [document.source for document in chain]
    if found.path and os.path.realpath(found.path) in [os.path.realpath(each.path) for each in seen if each.path]:
        names = [Path(source.name).stem for source in (*seen, found)]
        message = f"specs extend each other in a circle: {cut(' > '.join(names), 400)}"
        raise SpecError([Diagnostic("E303", message, span)])
    if len(seen) >= MAX_CHAIN:
        raise SpecError([Diagnostic("E303", f"a chain of more than {MAX_CHAIN} specs that extend each other", span)])
    return found


def _imports(document: Document, root: str | None, outside: bool, work: Work, authors: Authors) -> tuple[Import, ...]:
    """The files of definitions that the document imports, each after what it imports itself."""
    if not document.value.get("import"):
        return ()
    own = document.span(()).source.path
    reading = _ImportReader(root, outside, work, authors)
    uses = reading.visit(document, (os.path.realpath(own),) if own else ())
    return tuple(item._replace(by_spec=number in uses) for number, item in enumerate(reading.found.values()))


@dataclass(frozen=True)
class _ImportReader:
    """The state of reading imports; ``found`` has those that are read, by their real paths."""

    root: str | None
    outside: bool
    work: Work
    authors: Authors
    found: dict[str, Import] = field(default_factory=dict)

    def visit(self, document: Document, above: tuple[str, ...]) -> tuple[int, ...]:
        """Read what a document imports. Returns the numbers of these files."""
        value = document.value.get("import") or ()
        names = [value] if isinstance(value, str) else value
        uses = []
        for number, name in enumerate(names):
            span = document.span(("import",) if isinstance(value, str) else ("import", number))
            source = open_beside(name, span, self.root, outside=self.outside, definitions=True)
            real = os.path.realpath(source.path or source.name)
            _check_import(real, above, len(self.found), span)
            if real not in self.found:
                self.authors.reach(source, span, WAYS[1])
                imported = validate(read(source, work=self.work), library=True, work=self.work)
                below = self.visit(imported, (*above, real))
                self.found[real] = Import(imported, below, False)
            else:
                self.work.spend(READING, STEPS_OF_A_FILE + len(source.text) // ENTRIES, span)
            uses.append(list(self.found).index(real))
        return tuple(uses)


def _check_import(real: str, above: tuple[str, ...], count: int, span: Span) -> None:
    """Refuse an import that closes a circle, and too many imports."""
    if real in above or len(above) >= MAX_CHAIN:
        names = cut(" > ".join(Path(path).name for path in (*above, real)), 400)
        raise SpecError([Diagnostic("E303", f"files import each other in a circle: {names}", span)])
    if count >= MAX_IMPORTS:
        raise SpecError([Diagnostic("E103", f"a spec imports at most {MAX_IMPORTS} files", span)])
