"""Scopes and node names, by the naming templates of the spec.

A scope is a prefix of state-dict keys. Its counters number its nodes and scopes; equal paths share one scope.
"""

from __future__ import annotations

import functools
import keyword
import re
from collections.abc import Mapping

from archspec.diagnostics import Diagnostic, Faults, Label, Span, SpecError, cut, nearest, suggest
from archspec.graph.reserved_names import RESERVED, why_reserved
from archspec.language.expressions.closures import ScaleWidth
from archspec.language.expressions.parser import Expression, parse
from archspec.language.expressions.values import ExpressionFault, Value
from archspec.language.readable import readable
from archspec.language.spec import Stage
from archspec.language.templates import Template
from archspec.language.terms import NAME_HELP, NAME_PART
from archspec.operations.base import Operation
from archspec.work import ENTRIES, NAMES

POSITIONAL = frozenset({"layer", "shortcut", "residual", "stem", "deep", "head", "heads", "before", "after"})
"""Scopes that name their steps by position where a template opens them, as ``torch.nn.Sequential`` does."""

OF_A_FRAGMENT = (
    "a fragment that is called as a step opens a scope with its name: give the step a `name:`, such as "
    "`- double: {name: twice}`, or change `naming.fragment`"
)
"""The help for a fragment whose own name cannot be that of a scope."""


class NameScope:
    """A prefix of names, with counters of what it already has."""

    __slots__ = ("counts", "labels", "path", "position", "positional")

    def __init__(self, path: str, positional: bool = False) -> None:
        self.path = path
        self.positional = positional
        self.counts: dict[str, int] = {}
        self.labels: set[str] = set()
        self.position = 0

    @property
    def fresh(self) -> bool:
        """Whether it is still empty."""
        return not self.position and not self.counts

    def count(self, kind: str) -> tuple[int, int]:
        """Count one more of ``kind``: which one it is, from 1, and its position among all, from 0."""
        number = self.counts[kind] = self.counts.get(kind, 0) + 1
        position = self.position
        self.position += 1
        return number, position

    def label(self, label: str, kind: str, number: int) -> str:
        """The label of a bare step, the ``number``-th of its kind, or of the next number whose label is free.

        The sixth ``relu`` and the first ``relu6`` have one label.
        """
        found = _labelled(label, kind, number)
        while found in self.labels:
            number += 1
            further = _labelled(label, kind, number)
            if further == found:  # a label without its number
                break
            found = further
        self.counts[kind] = number
        self.labels.add(found)
        return found


class Names:
    """The scopes of one network and the names given so far.

    ``faults`` collects names that no model may have, with which the search for more faults goes on, and has the budget
    for making names. ``scale`` is what ``scaled`` does with a width.
    """

    def __init__(self, naming: Mapping[str, Template], faults: Faults, scale: ScaleWidth) -> None:
        self.naming = naming
        self.faults = faults
        self.work = faults.work
        self.scale = scale
        self.root = NameScope("")
        self.backbone = self.root
        self._scopes: dict[str, NameScope] = {"": self.root}
        self.opened: list[NameScope] = []
        self.own_names: set[str] = set()
        """The paths of scopes in which a step has a name of its own."""
        self.edge = ""
        """The path of the stem, or of the head once that is lowered."""
        self.counts_left_out = "left_out" in naming and naming["left_out"].parts == ("counted",)
        self._deep = (self.root, self.root)
        self._left = 0
        self._taken: dict[str, Span | None] = {}
        self._opened_at: dict[str, Span] = {}
        self._checked: set[str] = set()
        self._refused: set[Span] = set()

    def render(self, template: Template, values: Mapping[str, Value]) -> str:
        """The name that a template gives. Raises SpecError where one of its expressions has no value."""
        self.work.spend(NAMES, template.cost + len(values) // ENTRIES, template.span)
        try:
            return template.render(values, self.scale)
        except ExpressionFault as fault:
            message, unknown = f"in a name template: {fault.message}", fault.name in template.names
            close = nearest(fault.name, values) if unknown else ""
            help = readable(fault.name, values, close) if unknown else fault.help
            raise SpecError([Diagnostic(fault.code, message, template.span, suggest(close), help=help)]) from None

    def open(self, parent: NameScope, kind: str, values: Mapping[str, Value], span: Span, name: str = "") -> NameScope:
        """The scope that the template for ``kind`` opens in ``parent``, or that ``name`` opens where it is given.

        An empty template, or none, opens no scope.
        """
        template, own = self.naming.get(kind), bool(name)
        if name:
            self.own_names.add(parent.path)
        else:
            if template is None or not template.parts:
                return parent
            parent = self._deepened(parent)
            number, position = parent.count(kind)
            name = self.render(template, {"name": kind, **values, "n": number, "position": position})
            span = _author(template, span)
        help = OF_A_FRAGMENT if kind == "fragment" and not own else ""
        ordered = kind in POSITIONAL and template is not None and bool(template.parts)
        return self._scope(parent, name, ordered, span, help)

    def open_backbone(self, values: Mapping[str, Value], span: Span) -> None:
        """Put everything up to the heads into the scope of the backbone, where the naming has one."""
        self.backbone = self.open(self.root, "backbone", values, span)

    def of_stage(self, stage: Stage, values: Mapping[str, Value]) -> str:
        """The scope that a stage will open, for messages; empty if it opens none, or cannot be known yet."""
        own: Template | None = stage.cells["name"].at(0) if "name" in stage.cells else self.naming.get("stage")
        number = stage.number + 1
        try:
            name = self.render(own, {"name": "stage", **values, "n": number, "position": stage.number}) if own else ""
        except SpecError:
            return ""
        return f"{self.backbone.path}.{name}" if name and self.backbone.path else name

    def deepen(self, scope: NameScope, values: Mapping[str, Value], span: Span, nodes: int) -> None:
        """Put the next nodes of ``scope`` into the scope of a deep stem, which counts as one of its convolutions."""
        number, position = scope.count("conv")
        name = self.render(self.naming["deep"], {"name": "deep", **values, "n": number, "position": position})
        self._deep, self._left = (scope, self._scope(scope, name, True, _author(self.naming["deep"], span))), nodes

    def _deepened(self, scope: NameScope) -> NameScope:
        return self._deep[1] if self._left and scope is self._deep[0] else scope

    def leave_out(self, scope: NameScope) -> None:
        """Count a step that ``when`` leaves out, if the naming says so."""
        scope = self._deepened(scope)
        if self.counts_left_out and scope.positional:
            scope.position += 1

    def _scope(self, parent: NameScope, name: str, positional: bool, span: Span, help: str = "") -> NameScope:
        if not name:
            return parent
        path = f"{parent.path}.{name}" if parent.path else name
        self.work.spend(NAMES, 1 + len(path) // ENTRIES, span)
        found = self._scopes.get(path)
        if found is None:
            if name not in self._checked:
                self._check(name, span, help)
            found = self._scopes[path] = NameScope(path, positional)
            self.opened.append(found)
            self._opened_at[path] = span
            self._claim_scope(path, span)
        return found

    def reopen(self, scope: NameScope, path: str) -> None:
        """Open at ``path`` a scope whose counters are those of ``scope``."""
        copy = self._scopes.setdefault(path, NameScope(path, scope.positional))
        copy.counts, copy.labels, copy.position = dict(scope.counts), set(scope.labels), scope.position

    def take(self, path: str, span: Span | None) -> None:
        """Give a node the name ``path``. Raises SpecError, E304, if the name is taken."""
        if path in self._taken or path in self._scopes:
            raise self._twice(path, span, self._taken.get(path) or self._opened_at.get(path))
        self._taken[path] = span

    def _claim_scope(self, path: str, span: Span) -> None:
        """A scope may not stand where a node does, nor under one."""
        self.work.spend(NAMES, path.count(".") * (3 + len(path) // ENTRIES), span)
        while path:
            if path in self._taken:
                raise self._twice(path, span, self._taken[path])
            if path not in self._scopes:
                self._scopes[path] = scope = NameScope(path)
                self.opened.append(scope)
            path = path.rpartition(".")[0]

    def node(self, scope: NameScope, operation: Operation, name: str, values: Mapping[str, Value], span: Span) -> str:
        """The name of a new node: ``name`` where the step gives one, else by template, position or kind.

        Raises:
            SpecError: E304, the name is taken.
        """
        automatic = not name
        if name:
            self.own_names.add(scope.path)
        scope, self._left = self._deepened(scope), max(self._left - 1, 0)
        if automatic:
            name = self._automatic(scope, operation, values)
        if name not in self._checked:
            self._check(name, _author(self._template(operation), span) if automatic else span)
        path = f"{scope.path}.{name}" if scope.path else name
        if "." in name:
            self._claim_scope(path.rpartition(".")[0], span)
        if path in self._taken or path in self._scopes:
            template = self._template(operation) if automatic else None
            labels = (Label(template.span, "named by this"),) if template and template.span != span else ()
            raise self._twice(path, span, self._taken.get(path) or self._opened_at.get(path), labels)
        self._taken[path] = span
        return path

    def _template(self, operation: Operation) -> Template | None:
        """The template of a name that no step writes."""
        return self.naming.get(operation.name) or self.naming.get("step")

    def _automatic(self, scope: NameScope, operation: Operation, values: Mapping[str, Value]) -> str:
        kind = operation.kind
        number, position = scope.count(kind)
        template = self.naming.get(operation.name)
        if template is None:
            if scope.positional:
                return str(position)
            template = self.naming.get("step")
        if template is None:
            return scope.label(operation.label, kind, number)
        return self.render(template, {**values, "name": kind, "kind": kind, "n": number, "position": position})

    def _twice(self, path: str, span: Span | None, first: Span | None, labels: tuple[Label, ...] = ()) -> SpecError:
        """E304; where names were refused, they are all that is said, because other names follow from them."""
        return SpecError(self.faults) if self._refused else _taken_twice(path, span, first, labels)

    def _check(self, name: str, span: Span, help: str = "") -> None:
        self._checked.add(name)
        if span in self._refused:  # a template makes many names
            return
        for part in name.split("."):
            if not NAME_PART.fullmatch(part):
                self.faults.record("E305", f"`{cut(name)}` cannot be a name in a model", span, help=NAME_HELP)
            elif keyword.iskeyword(part) or part in RESERVED or part.startswith("__"):
                what = "a name" if not help else "the name of a scope"
                message = f"`{cut(part)}` cannot be {what}: {why_reserved(part)}"
                self.faults.record("E305", message, span, help=help or "choose another name")
            else:
                continue
            self._refused.add(span)
            return


def _author(template: Template | None, span: Span) -> Span:
    """Where a name was written: in the spec's own template, else at the step that got it."""
    return span if template is None or template.span.source.kind == "library" else template.span


def _taken_twice(path: str, span: Span | None, first: Span | None, labels: tuple[Label, ...] = ()) -> SpecError:
    labels += (Label(first, "the first is here"),) if first and first != span else ()
    help = "give one a `name:`, or change the `naming` template"
    return SpecError([Diagnostic("E304", f"two nodes would be called `{cut(path)}`", span, labels=labels, help=help)])


@functools.cache
def _label(text: str) -> tuple[str | Expression, ...]:
    """The parts of an operation's label: text, and expressions over ``kind`` and ``n``."""
    pieces = re.split(r"\{([^}]*)\}", text)
    return tuple(parse(piece) if number % 2 else piece for number, piece in enumerate(pieces) if piece)


@functools.lru_cache(4096)
def _labelled(label: str, kind: str, number: int) -> str:
    if not label:
        between = "_" if kind[-1].isdigit() else ""
        return f"{kind}{between}{number}" if number > 1 else kind
    values: dict[str, Value] = {"kind": kind, "n": number}
    return "".join(part if isinstance(part, str) else str(part.evaluate(values)) for part in _label(label))
