"""Diagnostics: a code, a sentence, a place in a source text. Nothing here prints; ``cli/render.py`` draws.

A phase collects its diagnostics in a :class:`Faults` and raises one :class:`SpecError` that holds them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from archspec import arguments
from archspec.codes import CODES
from archspec.excerpts import Refusal
from archspec.hints import Hints
from archspec.spans import Label as Label  # a part of each diagnostic, and so importable from here too
from archspec.spans import Source as Source
from archspec.spans import Span as Span
from archspec.vocabulary import find
from archspec.wording import LONGEST, bounded, brief, first_of, tagged

if TYPE_CHECKING:
    from archspec.work import Work

Severity = Literal["error", "warning"]

MAX_HINTS = 50
MAX_FOUND = 1000
"""After so many, a phase stops."""


WAYS = ("extended here", "imported here")
"""The texts of labels that show how a file was reached. They are not part of the fault."""


class Mention(NamedTuple):
    """An argument of a Python function that a ``help`` mentions, so that another interface can show its own name.

    ``text`` is what the help says, ``name`` the argument, and ``value`` what to pass, if that varies.
    """

    name: str
    text: str
    value: str = ""

    def __repr__(self) -> str:
        return brief(self)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault or warning.

    ``message`` is a sentence without a final period. If it ends in a list, ``items`` has all of it. ``hint`` is shown
    beside the caret. ``labels`` are second places, and ``notes`` lines of context such as the chain of shapes. ``help``
    says what to do, and ``mentions`` are the arguments of Python functions in it.

    >>> from archspec import Diagnostic, Source
    >>> place = Source("mine.yaml", "clases: 10").part(0, 6)
    >>> print(Diagnostic("E201", "unknown key `clases`", place, "did you mean `classes`?"))
    mine.yaml:1:1: error[E201]: unknown key `clases` (did you mean `classes`?)
    """

    code: str
    message: str
    span: Span | None = None
    hint: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str = ""
    items: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()

    @classmethod
    def listing(cls, code: str, message: str, items: Iterable[str], separator: str = ", ", **more: Any) -> Self:
        """A diagnostic whose message ends in a list, of which it shows the start; ``more`` are further fields."""
        items = arguments.several(items, "items", "a list of texts such as ['conv1.weight']", str)
        arguments.text(separator, "separator")
        return cls(code, f"{message}: {first_of(items, separator)}", items=items, **more)

    def __post_init__(self) -> None:
        if arguments.text(self.code, "code", "a code such as 'E201'") not in CODES:
            raise ValueError(f"the code {self.code} is not in the table of codes")
        for name in ("message", "hint", "help"):
            arguments.text(getattr(self, name), name)
        if self.span is not None:
            arguments.instance(self.span, "span", Span, "a Span or None", "`Source.part` gives one")
        for name, kind in (("labels", Label), ("notes", str), ("items", str), ("mentions", Mention)):
            value = arguments.instance(getattr(self, name), name, tuple, f"a tuple of {kind.__name__}")
            arguments.several(value, name, f"a tuple of {kind.__name__}", kind)
        texts = (self.message, self.hint, self.help, *self.notes, *(label.text for label in self.labels))
        if max(map(len, texts)) > LONGEST:
            for name in ("message", "hint", "help"):
                object.__setattr__(self, name, bounded(getattr(self, name)))
            object.__setattr__(self, "notes", tuple(map(bounded, self.notes)))
            object.__setattr__(self, "labels", tuple(Label(span, bounded(text)) for span, text in self.labels))

    @property
    def severity(self) -> Severity:
        return "warning" if self.code.startswith("W") else "error"

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON. Lines and columns count from 1, ends are exclusive; all are None without a place."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            **_place(self.span),
            "hint": self.hint,
            "labels": [{**_place(label.span), "text": label.text} for label in self.labels],
            "notes": list(self.notes),
            "help": self.help,
            "items": list(self.items),
        }

    def __repr__(self) -> str:
        return tagged(self, str(self))

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.severity}[{self.code}]: {self.message}{hint}"


def _place(span: Span | None) -> dict[str, Any]:
    names = ("line", "column", "end_line", "end_column")
    numbers = span[1:] if span else (None,) * len(names)
    return {"file": span.source.name if span else None, **dict(zip(names, numbers, strict=True))}


class SpecError(Refusal):
    """A spec is refused. ``diagnostics`` holds every fault of the phase that refused it, in the order of the text.

    As text it has each fault with the line of the spec that it points to, and what to do.

    >>> import archspec
    >>> try:
    ...     archspec.load("resnet5O")
    ... except archspec.SpecError as error:
    ...     print(error)
    error[E801]: the spec `resnet5O` does not exist, neither as a file nor in the zoo
      did you mean `resnet50`?
      help: `archspec.zoo()` lists the zoo
    """

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = arguments.several(diagnostics, "diagnostics", "a list of Diagnostics", Diagnostic)
        super().__init__(self.diagnostics)

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


class EnvironmentFault(Refusal):
    """The machine, not the spec, is at fault: a missing extra, an unwritable file. The command line exits with 3.

    >>> import archspec
    >>> try:
    ...     archspec.save(archspec.build("resnet20_cifar"), "resnet20_cifar", "missing/cifar.safetensors")
    ... except archspec.EnvironmentFault as fault:
    ...     print(fault)
    error[E806]: `missing/cifar.safetensors` cannot be written: the folder `missing` does not exist
      help: make it with `mkdir -p missing`, or write to a folder that exists
    """

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = arguments.instance(diagnostic, "diagnostic", Diagnostic, "a Diagnostic")
        super().__init__((diagnostic,))

    def __reduce__(self) -> tuple[type[EnvironmentFault], tuple[Diagnostic]]:
        return type(self), (self.diagnostic,)


@dataclass(slots=True)
class Faults:
    """The diagnostics of one phase, and the work that it draws on. The same fault at the same place is kept once."""

    work: Work
    found: dict[tuple[str, Span | None, str], Diagnostic] = field(default_factory=dict)
    hints: Hints = field(default_factory=Hints)
    failed: bool = False
    """Whether any of them is an error."""

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic.

        Raises:
            SpecError: there are too many diagnostics.
        """
        self.found.setdefault((diagnostic.code, diagnostic.span, diagnostic.message), diagnostic)
        self.failed = self.failed or diagnostic.severity == "error"
        if len(self.found) >= MAX_FOUND:
            self.raise_errors()

    def record(self, code: str, message: str, span: Span | None, hint: str = "", **more: Any) -> None:
        """Add a diagnostic made of these fields."""
        self.add(Diagnostic(code, message, span, hint, **more))

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.found.values())

    def hint(self, word: str, words: Iterable[str]) -> str:
        """:func:`did_you_mean`, for the first faults only, because the search is too slow for thousands."""
        return suggest(self.nearest(word, words))

    def nearest(self, word: str, words: Iterable[str]) -> str:
        """The word closest to a misspelled ``word``, for the first faults only; or an empty text."""
        return self.hints.nearest(word, words) if self.few else ""

    def advise(self, word: str, words: Iterable[str], *places: str) -> Advice:
        """:func:`advise`, for the first faults only."""
        return advise(word, words, *places, hints=self.hints) if self.few else Advice()

    @property
    def few(self) -> bool:
        """Whether there are so few diagnostics that somebody will read them all. Only these have hints."""
        return len(self.found) < MAX_HINTS and self.hints.left > 0

    @property
    def errors(self) -> list[Diagnostic]:
        return [d for d in self if d.severity == "error"]

    @property
    def warnings(self) -> list[Diagnostic]:
        return [d for d in self if d.severity == "warning"]

    def raise_errors(self) -> None:
        """Raise :class:`SpecError` with everything found if any of it is an error."""
        if self.failed:
            raise SpecError(sorted(self, key=_by_place))


def _by_place(diagnostic: Diagnostic) -> tuple[int, int]:
    return (diagnostic.span.line, diagnostic.span.column) if diagnostic.span else (0, 0)


class Advice(NamedTuple):
    """What an unknown word may mean: a ``hint``, a ``help``, the known word that is ``meant``; each may be empty."""

    hint: str = ""
    help: str = ""
    meant: str = ""


def advise(word: str, words: Iterable[str], *places: str, hints: Hints | None = None) -> Advice:
    """What a word that is not one of ``words`` may mean.

    ``places`` are those of the vocabulary of other libraries. Only a word that it lacks may be a misspelling.

    >>> advise("swish", ["relu", "silu"], "act").hint, advise("rleu", ["relu", "silu"], "act").meant
    ('did you mean `silu`?', 'relu')
    """
    words = tuple(words)
    if entry := find(word, *places):
        meant = entry.meant if entry.meant in words else ""
        return Advice(suggest(meant), entry.help, meant)
    close = (hints or Hints()).nearest(word, words)
    return Advice(suggest(close), "", close)


def suggest(close: str) -> str:
    """The hint that ``close`` may be meant; empty if no word is close."""
    return f"did you mean `{cut(close)}`?" if close else ""


def nearest(word: str, words: Iterable[str]) -> str:
    """The word closest to a misspelled ``word``, or an empty text if no word is close; for a single fault."""
    return Hints().nearest(word, words)


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The hint for a misspelled ``word``, or an empty text; for a single fault."""
    return suggest(nearest(word, words))


def cut(text: object, length: int = 60) -> str:
    """``text`` shortened for a message, with control and direction characters made visible."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in str(text)[: length * 4])
    return shown if len(shown) <= length else shown[: length - 3] + "..."


def in_one_line(error: BaseException) -> str:
    """An exception for a message: its class, and the first line of its text.

    >>> in_one_line(ValueError("shapes differ:\\n(2, 3)"))
    'ValueError: shapes differ:'
    """
    try:
        text = str(error).strip().partition("\n")[0]
    except Exception:  # the class may be a user's, with a `__str__` that fails
        text = ""
    return f"{type(error).__name__}: {cut(text, 200)}" if text else type(error).__name__
