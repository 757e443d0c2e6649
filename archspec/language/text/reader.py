"""Text to :class:`Document`, in one pass over the events of PyYAML's parser.

PyYAML composes and constructs nothing. So no tag makes an object, everything that an alias repeats is counted, and
nesting stops before the recursion runs out of stack.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, cast

import yaml
from yaml.events import AliasEvent, MappingEndEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent, StreamEndEvent

from archspec.diagnostics import Diagnostic, Faults, Label, Source, Span, cut
from archspec.display import counted
from archspec.language.text.document import Document, Path, Place, YamlValue
from archspec.language.text.files import ReadLimits, after, check_text, unreadable
from archspec.language.text.scalars import NotFinite, Scalar, ambiguity, read_scalar
from archspec.language.text.surrogates import SurrogatePairs
from archspec.language.text.yaml_slips import explain
from archspec.work import ENTRIES, READING, STEPS_OF_A_VALUE, Work

_PROPERTY = re.compile(r"(!<[^>\s]*>|[&!][^\s,\[\]{}]*)(?:\s+(?:#[^\r\n]*)?)*")
# The C parser where PyYAML has it; the Python one gives the same events, some twenty times slower.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LIMITS = ReadLimits()
_A_MAPPING = "a spec is a single mapping of keys to values"


class _Anchor(NamedTuple):
    value: Any
    path: Path
    size: int


def read(source: Source, limits: ReadLimits = _LIMITS, *, fragment: bool = False, work: Work | None = None) -> Document:
    """Read one YAML document. Raises :class:`SpecError` with every fault of reading.

    ``fragment`` allows any value as the root; an empty text is null. ``work`` is the budget of the compilation.
    """
    if source.text.startswith("\ufeff"):  # the parser does not count a byte order mark as a column
        source = dataclasses.replace(source, text=source.text[1:])
    check_text(source, limits)
    work = work or Work()
    work.spend(READING, len(source.text) // ENTRIES, Span(source, 1, 1, 1, 1))
    reader = _EventReader(source, limits, work)
    try:
        value = reader.document(fragment)
    except yaml.YAMLError as error:
        reader.stop(explain(source, error))
    except (ValueError, KeyError, AttributeError, OverflowError):  # PyYAML on some odd input
        last = next(reversed(reader.places.values())).value if reader.places else Span(source, 1, 1, 1, 1)
        reader.stop(Diagnostic("E102", "the text cannot be read as YAML after this place", last))
    reader.faults.raise_errors()
    return Document(source, value, reader.places, reader.ambiguous)


class _EventReader:
    """The state of one reading: what was found so far, and how much of the limits is used."""

    next: Callable[[], Any]

    def __init__(self, source: Source, limits: ReadLimits, work: Work) -> None:
        self.source = source
        self.limits = limits
        self.faults = Faults(work)
        self.fault = self.faults.record
        self.places: dict[Path, Place] = {}
        self.ambiguous: dict[Path, str] = {}
        self.anchors: dict[str, _Anchor | None] = {}  # None while the anchored value is being read
        self.count = 0
        self.pairs = SurrogatePairs(source.text)

    def stop(self, diagnostic: Diagnostic) -> NoReturn:
        self.faults.add(diagnostic)
        self.faults.raise_errors()
        raise AssertionError("a warning cannot stop a reading")

    def document(self, fragment: bool) -> YamlValue:
        self.next = _Parser(self.pairs.readable).get_event
        self.next()
        start = self.next()
        if type(start) is StreamEndEvent:
            self.places[()] = Place(None, Span(self.source, 1, 1, 1, 1))
            if not fragment:
                self.wrong_root(None)
            return None
        self.directives(start)
        value = self.node(self.next(), (), None)
        self.next()
        end = self.next()
        if type(end) is not StreamEndEvent:
            self.fault("E109", "a second document begins here", self.span(end), help=f"{_A_MAPPING}; remove the `---`")
        elif not fragment and not isinstance(value, dict):
            self.wrong_root(value)
        return value

    def wrong_root(self, value: YamlValue) -> None:
        message = "the text is empty" if value is None else f"this is {_kind(value)}, not a spec"
        no_space = isinstance(value, str) and ":" in value
        help = "write a space after every colon: `key: value`" if no_space else _A_MAPPING
        self.fault("E109", message, self.places[()].value, help=help)

    def directives(self, start: Any) -> None:
        if start.version and tuple(start.version) != (1, 2):
            self.fault("E102", "a spec is YAML 1.2", self.span(start), help="remove the `%YAML` line")
        if start.tags:
            self.fault("E107", "a tag directive is not allowed", self.span(start), help="remove the `%TAG` line")

    def node(self, event: Any, path: Path, key: Span | None) -> YamlValue:
        """The value that begins with ``event``. Leaves its place, and those of everything in it, in ``places``."""
        self.spend(1, event)
        kind = type(event)
        if kind is AliasEvent:
            return self.alias(event, path, key)
        before = self.count
        span = self.span(event)
        if event.anchor is not None or event.tag is not None:
            span = self.properties(event, span)
        value: YamlValue
        if kind is ScalarEvent:
            value, end = self.scalar(event, path, span)
        elif len(path) >= self.limits.depth:
            self.too_deep(span)
        elif kind is SequenceStartEvent:
            value, end = self.sequence(event, path)
        else:
            value, end = self.mapping(event, path)
        self.places[path] = Place(key, span if end is span else Span(*span[:3], *end[3:]))
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchor(value, path, self.count - before + 1)
        return value

    def sequence(self, start: Any, path: Path) -> tuple[list[Any], Span]:
        values: list[Any] = []
        child = path
        while type(event := self.next()) is not SequenceEndEvent:
            child = (*path, len(values))
            values.append(self.node(event, child, None))
        # For the parser a block ends at the next token, maybe lines below; for a reader, with its last value.
        return values, self.span(event) if start.flow_style else self.places[child].value

    def mapping(self, start: Any, path: Path) -> tuple[dict[str, Any], Span]:
        values: dict[str, Any] = {}
        child = path
        while type(event := self.next()) is not MappingEndEvent:
            name, span = self.key(event, path)
            child = (*path, name)
            if name in values:
                label = Label(self.places[child].key or span, "already written here")
                self.fault("E104", f"the key `{cut(name)}` is written twice", span, labels=(label,))
            values[name] = self.node(self.next(), child, span)
        return values, self.span(event) if start.flow_style else self.places[child].value

    def key(self, event: Any, path: Path) -> tuple[str, Span]:
        """The text and the place of a key. Other keys are a fault, and are read as they are written."""
        if type(event) is not ScalarEvent or event.anchor is not None or event.tag is not None:
            return self.unusual_key(event, path)
        span = self.span(event)
        value = self.literal(event, span)
        if type(value) is not str or not value:
            self.not_text(event.value, value, span)
        elif value == "<<" and not event.style:
            help = "use `extends` to build on another spec"
            self.fault("E105", "merge keys are not part of YAML 1.2", span, help=help)
        return (value if type(value) is str else event.value), span

    def unusual_key(self, event: Any, path: Path) -> tuple[str, Span]:
        """A key with an anchor or a tag, an alias, a list or a mapping; read like a value, then checked."""
        at = (*path, -1)
        value = self.node(event, at, None)
        span = self.places.pop(at).value
        self.ambiguous.pop(at, None)
        if type(value) is str and value:
            return value, span
        self.not_text(event.value if type(event) is ScalarEvent else "", value, span)
        return f"{span.line}:{span.column}", span

    def not_text(self, written: str, value: YamlValue, span: Span) -> None:
        help = f'put it in quotes: `"{cut(written)}"`' if written else "write a text before the colon"
        if type(value) is int:
            help = f"{help}; a list is written in brackets: `[3, 3]`"
        self.fault("E108", f"a key must be text, not {_kind(value) if value != '' else 'empty'}", span, help=help)

    def scalar(self, event: Any, path: Path, span: Span) -> tuple[YamlValue, Span]:
        value = self.literal(event, span)
        if not event.style:
            if type(value) is str and (reason := ambiguity(value)):
                self.ambiguous[path] = reason
        elif event.style in "|>":
            first = event.start_mark
            block = self.source.text[first.index : event.end_mark.index].rstrip()
            return value, Span(*span[:3], *after(first.line + 1, first.column + 1, block))
        return value, span

    def literal(self, event: Any, span: Span) -> Scalar:
        at = event.start_mark.index, event.end_mark.index
        text = self.pairs.restore(event.value, *at, event.style)
        if not event.style:
            try:
                return read_scalar(text)
            except NotFinite as reason:
                self.fault("E111", str(reason), span)
        elif event.style == '"' and (bad := unreadable(text, span)):
            self.faults.add(bad)
        return text

    def properties(self, event: Any, span: Span) -> Span:
        """Open the anchor and refuse the tag of a node; the place of what follows them."""
        text, first = self.source.text, event.start_mark.index
        at, tag, tag_span, tag_at = first, str(event.tag), span, -1
        while match := _PROPERTY.match(text, at):
            if match[1].startswith("!"):
                tag, tag_at = match[1], at
            at = match.end()
        if tag_at >= 0:
            line, column = after(span.line, span.column, text[first:tag_at])
            tag_span = Span(self.source, line, column, line, column + len(tag))
        if event.tag is not None:
            help = "remove it; put a text that begins with `!` in quotes"
            self.fault("E107", f"the tag `{cut(tag)}` is not allowed", tag_span, help=help)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if at > event.end_mark.index:  # an empty value: the next text belongs to something else
            return span
        return Span(self.source, *after(span.line, span.column, text[first:at]), *span[3:])

    def alias(self, event: Any, path: Path, key: Span | None) -> YamlValue:
        """The anchored value itself. The alias has its own place; what is in the value has its places at the anchor."""
        span = self.span(event)
        self.places[path] = Place(key, span)
        anchor = self.anchors.get(event.anchor)
        if anchor is None:
            name, inside = cut(event.anchor), event.anchor in self.anchors
            fault = "is inside the value that it repeats" if inside else "refers to nothing above it"
            help = "" if inside else "put a text that begins with `*` in quotes"
            self.fault("E106", f"the alias `*{name}` {fault}", span, help=help)
            return None
        self.spend(anchor.size - 1, event)
        if anchor.path in self.ambiguous:
            self.ambiguous[path] = self.ambiguous[anchor.path]
        self.repeat(anchor.value, anchor.path, path, span)
        return cast(YamlValue, anchor.value)

    def repeat(self, value: YamlValue, old: Path, new: Path, alias: Span) -> None:
        """Give what is in an aliased ``value`` the places under ``new`` that it has under ``old``."""
        if not isinstance(value, list | dict):
            return
        if len(new) >= self.limits.depth:
            self.too_deep(alias)
        for name, child in value.items() if isinstance(value, dict) else enumerate(value):
            there, here = (*old, name), (*new, name)
            self.places[here] = self.places[there]
            if there in self.ambiguous:
                self.ambiguous[here] = self.ambiguous[there]
            self.repeat(child, there, here, alias)

    def spend(self, values: int, event: Any) -> None:
        """Count values, and stop at more than the limit."""
        self.count += values
        work, steps = self.faults.work, values * STEPS_OF_A_VALUE
        work.spend(READING, steps, self.span(event) if work.spent + steps > work.most else None)  # a span takes time
        if self.count > self.limits.values:
            message = f"more than {counted(self.limits.values, 'value')}, counting those that aliases repeat"
            self.stop(Diagnostic("E103", message, self.span(event)))

    def too_deep(self, span: Span) -> NoReturn:
        self.stop(Diagnostic("E103", f"nested more than {counted(self.limits.depth, 'level')} deep", span))

    def span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        if end.column == 0 and end.index >= len(self.source.text) and self.source.text[-1:] not in ("", "\r", "\n"):
            last = after(1, 1, self.source.text)  # the parser ends the text with a line break that is not there
            line, column = last if start.index >= end.index else (start.line + 1, start.column + 1)
            return Span(self.source, line, column, *last)
        return Span(self.source, start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _kind(value: YamlValue) -> str:
    if isinstance(value, bool):
        return "a truth value"
    kinds = {str: "a text", list: "a list", dict: "a mapping", type(None): "null"}
    return kinds.get(type(value), "a number")
