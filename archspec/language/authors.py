"""Which texts of a compilation the author wrote, and how a fault that lies elsewhere is shown in one of them.

The zoo and the language's library are correct by themselves. So a fault in them, in a spec that builds on them, follows
from something that the author wrote: that is its first place, and the library's is the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from archspec.diagnostics import Diagnostic, Label, Source, Span, SpecError
from archspec.language.text.document import Document, Path
from archspec.language.text.locate import ships
from archspec.wording import Brief

FOUND = "it shows up here"
"""The text at a place of the zoo or the library."""

OTHERS = frozenset({"archspec", "name", "summary", "paper", "notes", "extends", "import", "expect", "reference"})
"""The keys of a spec that decide nothing in the network."""


DEFINITIONS = frozenset({("blocks",), ("fragments",), ("shortcuts",)})
"""The paths of the keys that hold definitions."""


class Reached:
    """How a file was reached: by a line of another, with ``extends`` or ``import``."""

    __slots__ = ("span", "text")

    def __init__(self, span: Span, text: str) -> None:
        self.span = span
        self.text = text


@dataclass(slots=True, repr=False)
class Authors(Brief):
    """The texts that one spec is made of.

    ``root`` is the text of the spec itself, ``reached`` has the files that it reads, and ``given`` are what a caller
    passed beside it: overrides, another input. :func:`archspec.load` fills these in while it reads. ``document`` is
    what all of it says together, once that is known.
    """

    root: Source | None = None
    reached: dict[Source, Reached] = field(default_factory=dict)
    given: tuple[Span, ...] = ()
    document: Document | None = None
    _own: dict[Path, Span] = field(default_factory=dict)
    _paths: dict[Span, Path] = field(default_factory=dict)
    _ships: dict[Source, bool] = field(default_factory=dict)

    def reach(self, source: Source, span: Span, text: str) -> None:
        """Remember that the line at ``span`` names the file ``source``."""
        self.reached.setdefault(source, Reached(span, text))

    def given_also(self, span: Span) -> Authors:
        """These texts, and an argument that a caller passed."""
        return replace(self, given=(*self.given, span), _own={}, _paths={}, _ships={})

    def wrote(self, source: Source) -> bool:
        """Whether the author wrote this text. The zoo is its own author if it is checked as it is."""
        if source.kind == "library":
            return False
        return not self._in_zoo(source) or (not self.given and self.root is not None and self._in_zoo(self.root))

    def own(self, source: Source) -> bool:
        """Whether a text is the spec itself, or what a caller passed beside it."""
        return source is self.root or source.kind in ("override", "argument")

    def of_input(self) -> Span | None:
        """Where the author wrote the input, if the author did."""
        if self.given and self.given[-1].source.kind == "argument":
            return self.given[-1]
        place = self.document.places.get(("input",)) if self.document else None
        return place.value if place and self.wrote(place.value.source) else None

    def _in_zoo(self, source: Source) -> bool:
        if source not in self._ships:
            self._ships[source] = ships(source)
        return self._ships[source]

    @contextmanager
    def come_first(self) -> Iterator[None]:
        """Every fault that is raised inside has its first place in a text of the author's."""
        try:
            yield
        except SpecError as error:
            raise SpecError(self.first(error.diagnostics)) from error.__cause__

    @contextmanager
    def inside(self, span: Span) -> Iterator[None]:
        """A fault that is raised inside, away from the author's texts, is in what the author's ``span`` asks for."""
        try:
            yield
        except SpecError as error:
            if not self.wrote(span.source):
                raise
            raise SpecError([self._inside(found, span) for found in error.diagnostics]) from error.__cause__

    def _inside(self, found: Diagnostic, span: Span) -> Diagnostic:
        sources = [place.source for place in (found.span, *(label.span for label in found.labels)) if place]
        if not sources or any(map(self.wrote, sources)):
            return found
        return replace(found, labels=(*found.labels, Label(span, "")))

    def first(self, diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """The diagnostics, each with its first place in a text of the author's."""
        return tuple(dict.fromkeys(map(self._first, diagnostics)))

    def _first(self, found: Diagnostic) -> Diagnostic:
        span, labels = found.span, found.labels
        if span is None:
            return found
        if not self.wrote(span.source):
            label = next((each for each in labels if self.wrote(each.span.source)), None)
            place = label.span if label else self.nearest(span)
            if place is None:
                return found
            hint = found.hint or (label.text if label else "")
            others = [Label(span, FOUND), *(each for each in labels if each is not label)]
            found = replace(found, span=place, hint=hint, labels=tuple(others))
        return self._with_way(found)

    def _with_way(self, found: Diagnostic) -> Diagnostic:
        """A fault in a file that the spec reads also shows the lines that lead there."""
        places = [span.source for span in (found.span, *(label.span for label in found.labels)) if span]
        if self.root in places or any(source.kind == "override" for source in places):
            return found
        way: list[Label] = []
        source = places[0]
        while source in self.reached and len(way) < MAX_WAY:
            way.append(Label(self.reached[source].span, self.reached[source].text))
            source = way[-1].span.source
        return replace(found, labels=(*found.labels, *way)) if way else found

    def nearest(self, span: Span) -> Span | None:
        """The author's place that is most likely to take part in a fault at ``span``, which somebody else wrote.

        It is what the author wrote in the same part of the spec, else what a caller passed, else the line that reads
        the file.
        """
        self._index()
        path = self._paths.get(span, ())
        while path and path not in DEFINITIONS:  # to define one of a kind says nothing about the others
            if path in self._own:
                return self._own[path]
            path = path[:-1]
        if self.given:
            return self.given[-1]
        source = span.source
        while source in self.reached:
            span = self.reached[source].span
            if self.wrote(span.source):
                return span
            source = span.source
        line = self.document and self.document.places.get(("extends",))
        if line and self.wrote(line.value.source):
            return line.value
        return self.document.span(()) if self.document and self.wrote(self.document.span(()).source) else None

    def _index(self) -> None:
        """Find the paths of all places, and what the author wrote below each."""
        if self._paths or self.document is None:
            return
        for path, place in self.document.places.items():
            self._paths.setdefault(place.value, path)
            if place.key:
                self._paths.setdefault(place.key, path)
            if not path or path[0] in OTHERS or not (self.wrote(place.value.source)):
                continue
            span = place.key or place.value
            for length in range(len(path), 0, -1):
                before = self._own.get(path[:length])
                if before is None or (span.source.kind == "override" and before.source.kind != "override"):
                    self._own[path[:length]] = span


MAX_WAY = 8
"""The most lines that are shown of how a file was reached."""
