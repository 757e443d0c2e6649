"""The values of names at one place of the network, and where they were written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from archspec.diagnostics import Diagnostic, Label, Source, Span, SpecError, cut, nearest, suggest
from archspec.graph.kept import NOTHING_KEPT
from archspec.graph.provenance import Blamed, FindCell, Provenance, Site, TableCell, no_cell, reads
from archspec.graph.wrong_kinds import of_a_name
from archspec.language.authors import FOUND, Authors
from archspec.language.context import WIDTH
from archspec.language.expressions.closures import ScaleWidth
from archspec.language.expressions.values import ExpressionFault, Value, describe, integer, number, truth
from archspec.language.readable import readable
from archspec.language.spec import Block, Shortcut, Step, Term
from archspec.language.terms import expression_fault
from archspec.operations.base import Operation
from archspec.wording import listed
from archspec.work import ENTRIES, EXPANDING, EXPRESSIONS, Work

INHERITED = ("norm", "act", "activation_order", "classes")
"""The names that a fragment sees of the place where it is called, beside its parameters and the spec's."""

SCALE = "scale."
"""What the outermost environment has the place of ``scale`` under; no name has a period."""

Written = dict[str, tuple[Term, "Environment | None"]]


class Environment:
    """The values of the names that one block, fragment or shortcut sees.

    ``written`` maps a name to the term that gave its value, and the environment in which that term was evaluated, None
    for itself. ``span`` is where the spec uses the block or fragment, ``outer`` the environment there, and ``root``
    the outermost, which has what every fragment sees. ``scale`` is what ``scaled`` does with a width, ``work`` what
    evaluation draws on, and ``authors`` knows which places are the author's. ``kept`` are the values that steps keep.
    """

    __slots__ = ("_root", "authors", "kept", "lacking", "outer", "place", "scale", "span", "values", "work", "written")

    def __init__(
        self,
        values: dict[str, Value],
        span: Span,
        outer: Environment | None = None,
        *,
        place: Site | None = None,
        written: Written | None = None,
        scale: ScaleWidth = integer,
        work: Work | None = None,
        authors: Authors | None = None,
    ) -> None:
        self.values = values
        self.kept = NOTHING_KEPT
        self.lacking: tuple[str, ...] = ()
        self.span = span
        self.outer = outer
        self._root: Environment | None = outer.root if outer else None
        self.scale: ScaleWidth = outer.scale if outer else scale
        self.place: Site = place or (outer.place if outer else Site(no_cell))
        self.written = {} if written is None else written
        self.work: Work = outer.work if outer else work or Work()
        self.authors: Authors = outer.authors if outer else authors or Authors()
        self.work.spend(EXPANDING, 4 + len(values) // ENTRIES, span)

    @property
    def root(self) -> Environment:
        """The outermost environment."""
        return self._root or self

    def copy(self) -> Environment:
        """An environment of its own with the same values."""
        found = Environment.__new__(Environment)
        found.values, found.kept, found.lacking, found.span = self.values, self.kept, self.lacking, self.span
        found.outer, found._root, found.scale, found.place = self.outer, self._root, self.scale, self.place
        found.written, found.work, found.authors = self.written, self.work, self.authors
        return found

    def at(self, width: int) -> Environment:
        """The environment of a step that reads the width that reaches it."""
        self.work.spend(EXPANDING, 4 + len(self.values) // ENTRIES, self.span)
        found = self.copy()
        found.values = {**self.values, WIDTH: width}
        return found

    def value(self, term: Term) -> Value:
        """The value of a scalar term. Raises SpecError, at the author's line, if it does not have a value."""
        expression = term.expression
        if expression is None:
            constant = term.constant
            return self.values.get(constant, constant) if type(constant) is str else constant
        self.work.spend(EXPRESSIONS, expression.cost, term.span)
        try:
            return expression.run(self.values, self.scale)
        except ExpressionFault as fault:
            raise SpecError([self.fault(fault, term)]) from None

    def truth(self, term: Term) -> bool:
        """The value of ``when``."""
        value = self.value(term)
        return value if type(value) is bool else bool(self.converted(truth, value, term))

    def number(self, term: Term) -> int | float:
        """The value of a term that is a number."""
        return number(self.converted(number, self.value(term), term))

    def whole(self, term: Term, minimum: int = 1) -> int:
        """The value of a term that is a whole number of at least ``minimum``."""
        value = self.value(term)
        found: int = value if type(value) is int else self.converted(integer, value, term)
        if found < minimum:
            raise SpecError([self.out_of_bounds(f"this must be at least {minimum}, not {found}", term)])
        return found

    def width(self, term: Term) -> Value:
        """The value of a term that is a width, scaled."""
        found: Value = self.converted(self.scale, self.number(term), term)
        return found

    def out_of_bounds(self, message: str, term: Term, help: str = "") -> Diagnostic:
        """The diagnostic for a value of ``term`` that is too small or too large, with the way to the value."""
        return self.located("E501", message, term, help, self.why(term))

    def why(self, term: Term) -> tuple[str, ...]:
        """How the value of ``term`` follows from names: its expression, and those that these names are read from."""
        found = []
        reached = [(env, env.written.get(name, (None, None))) for name, env in self.reached(term.names)]
        terms = [(self, term), *[(other or env, each) for env, (each, other) in reached if each]]
        for env, each in terms:
            names = sorted(each.names & env.values.keys())
            if each.expression and names:
                values = listed([f"`{cut(name)}` is {describe(env.values[name])}" for name in names[:4]])
                text = each.expression.text.strip()
                found.append(f"{values} here" if text in names else f"`{cut(text)}`: {values} here")
        return tuple(found[:3])

    def converted(self, convert: Callable[[Any], Any], value: Value, term: Term) -> Any:
        """A value of ``term`` as another kind. Raises SpecError where it is not of that kind."""
        try:
            return convert(value)
        except ExpressionFault as fault:
            raise SpecError([replace(self.fault(fault, term), notes=self.why(term))]) from None

    def fault(self, fault: ExpressionFault, term: Term) -> Diagnostic:
        """The diagnostic for a fault of ``term``'s value; ``scale`` may have a part in it."""
        found = self._fault(fault, term)
        scale = self.root.written.get(SCALE) if fault.code == "E405" and "`scale`" in fault.message else None
        if scale is None:
            return found
        place = scale[0].span
        if found.span and not self.blame(term).certain:
            return replace(found, span=place, labels=(Label(self.origin(term), "this width"),))
        return replace(found, labels=(*found.labels, Label(place, "scaled by this")))

    def _fault(self, fault: ExpressionFault, term: Term) -> Diagnostic:
        if term.expression is None:
            return self.located(fault.code, fault.message, term, fault.help)
        close = nearest(fault.name, self.values) if fault.name else ""
        found = expression_fault(fault, term.expression.text, term.span, suggest(close))
        if fault.name and not fault.help.startswith("the functions"):
            found = replace(found, help=readable(fault.name, self.values, close), notes=self.lacking)
        author = self.blame(term).span
        if author == term.span:
            return found
        label = Label(found.span or term.span, "evaluated here")
        found = of_a_name(self, fault, term.expression.text, found) or replace(found, span=author)
        return replace(found, labels=(label,))

    def located(self, code: str, message: str, term: Term, help: str = "", notes: tuple[str, ...] = ()) -> Diagnostic:
        """A diagnostic at the author's line for ``term``, and at the library's second."""
        author, labels, _ = self.blame(term)
        return Diagnostic(code, message, author, labels=labels, notes=notes, help=help)

    def blame(self, term: Term) -> Blamed:
        """The author's place for ``term``: its own, that of a value which it reads, or of the call that expands it."""
        wrote = self.authors.wrote
        if wrote(term.span.source):
            return Blamed(term.span, (), True)
        terms = [env.written[name][0] for name, env in self.reached(term.names) if name in env.written]
        author = next((found.span for found in terms if wrote(found.span.source)), None) or self._asked(wrote)
        asked = self.author_of(term.span)
        certain = author is not None
        author = author or (asked if wrote(asked.source) else self.authors.nearest(asked) or asked)
        labels = [Label(asked, "asked for here")] if asked != term.span and not wrote(asked.source) else []
        if term.span.source.kind == "library":
            labels.append(Label(term.span, "used here in the library"))
        elif term.span != author:
            labels.append(Label(term.span, FOUND))
        return Blamed(author, tuple([label for label in labels if label.span != author]), certain)

    def origin(self, term: Term) -> Span:
        """Where a spec, which may be of the zoo, gives ``term`` its value."""
        if term.span.source.kind != "library":
            return term.span
        terms = [env.written[name][0] for name, env in self.reached(term.names) if name in env.written]
        return next((each.span for each in terms if _of_a_spec(each.span.source)), self.author_of(term.span))

    def setting(self, at: Step | Block, key: str, argument: str) -> Term | None:
        """Where an argument of the norm or the activation of ``at`` is written, or the setting; None if nowhere."""
        own = at.settings.get(key) if at.settings else None
        if own:
            return own.arguments.get(argument, own.term)
        env: Environment | None = self
        while env:
            for name in (f"{key}.{argument}", key):
                if name in env.written:
                    return env.written[name][0]
            env = env.outer
        return None

    def author_of(self, span: Span) -> Span:
        """Where a spec, which may be of the zoo, asks for what is at ``span``."""
        return span if span.source.kind != "library" else self._asked(_of_a_spec) or self.root.span

    def _asked(self, fits: Callable[[Source], bool]) -> Span | None:
        """The nearest place in a text that fits where what is being expanded is asked for."""
        env = self
        while env.outer:
            if fits(env.span.source):
                return env.span
            env = env.outer
        return None

    def decided(self, written: Step | Block, operation: Operation) -> Iterator[Span]:
        """The author's places that decide an operation, the most specific first.

        They are the step, the values that its arguments read, and what asks for the block or the fragment around it.
        """
        wrote = self.authors.wrote
        if isinstance(written, Step) and wrote(written.span.source):
            yield written.span
        for name, env in self.reached(reads(written, operation)):
            term, _ = env.written.get(name, (None, None))
            if term and wrote(term.span.source):
                yield term.span
        env = self
        while env.outer:
            if wrote(env.span.source):
                yield env.span
            env = env.outer

    def reached(self, names: Iterable[str]) -> Iterator[tuple[str, Environment]]:
        """``names``, and those from which their values follow: through ``let``, parameters and calls."""
        seen: set[tuple[int, str]] = set()
        waiting = self._sorted(names)
        while waiting:  # a chain of `let` may be longer than the stack is deep
            name, env = waiting.pop()
            if (id(env), name) in seen:
                continue
            seen.add((id(env), name))
            yield name, env
            term, other = env.written.get(name, (None, None))
            if term:
                waiting += (other or env)._sorted(term.reads)
            elif env.outer and name in INHERITED and not env.place.cell(name):
                waiting.append((name, env.outer))
            elif env.outer and name in env.root.written:
                waiting.append((name, env.root))

    def _sorted(self, names: Iterable[str]) -> list[tuple[str, Environment]]:
        """Names with their environment, in reverse order of search. Fractions come first, as the likelier mistake."""
        order = sorted(names, key=lambda name: (not isinstance(self.values.get(name), float), name), reverse=True)
        return [(name, self) for name in order]

    def provenance(self, written: Step | Block) -> Provenance:
        """Where a node was written that a step becomes here, or that a block puts around its steps."""
        span = self.author_of(written.span if isinstance(written, Step) else self.span)
        return Provenance(span, written, self)

    def inside(self, what: Step | Shortcut, names: Iterable[str], cell: FindCell) -> Site:
        """The place of a fragment's call or a shortcut, which is there because of the values of ``names``."""
        place = self.place.inside.get(id(what))
        if place is None:
            place = self.place.inside[id(what)] = Site(cell, names=names)
        return place

    def cells(self, written: Step | Block, operation: Operation) -> tuple[TableCell, ...]:
        """The cells of the stage table that decide an operation that a step becomes here, or a block puts around it."""
        return tuple(dict.fromkeys([*self._always(), *self._cells_of(reads(written, operation))]))

    def _always(self) -> list[TableCell]:
        """The cells that decide every node here."""
        around = [*self.outer._always(), *self.outer._cells_of(self.place.names)] if self.outer else []
        return [*around, *self._cells_of(self.place.always)]

    def _cells_of(self, names: Iterable[str]) -> list[TableCell]:
        """The cells from which the values of ``names`` follow."""
        return [cell for name, env in self.reached(names) if (cell := env.place.cell(name))]


def _of_a_spec(source: Source) -> bool:
    return source.kind != "library"
