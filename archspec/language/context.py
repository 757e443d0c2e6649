"""The context of the steps of a sequence: the definitions and the names that they can use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from archspec.diagnostics import Diagnostic, Faults, Label
from archspec.language.expressions.tokens import tokens
from archspec.language.expressions.values import undefined
from archspec.language.foreign_values import key_of
from archspec.language.look_up import Definitions
from archspec.language.readable import readable
from archspec.language.spec import Setting, Term
from archspec.language.terms import Cursor, expression_fault, read_setting, read_term
from archspec.operations.base import Operation
from archspec.operations.discovery import operations
from archspec.work import DEFINING

WIDTH = "width"
"""The name of the width that reaches a step, which a parameter or ``let`` may hide."""


@dataclass(frozen=True, slots=True)
class Context:
    """The context of one sequence: the visible definitions, the names in scope, and where faults go.

    ``level`` is the number of sequences around it, and ``read`` collects the names that its terms read. ``steps``: the
    name `width` means the width that reaches a step, because no parameter hides it.
    """

    lookup: Definitions
    names: frozenset[str]
    faults: Faults
    read: set[str] = field(default_factory=set)
    level: int = 0
    steps: bool = False

    def of_steps(self) -> Context:
        """The context of the arguments of steps."""
        if self.steps or WIDTH in self.names:
            return self
        return replace(self, names=self.names | {WIDTH}, steps=True)

    def deeper(self) -> Context:
        """The context of a nested sequence."""
        inner = self.of_steps()
        return Context(inner.lookup, inner.names, inner.faults, inner.read, inner.level + 1, inner.steps)

    def check(self, term: Term, key: str = "") -> Term:
        """``term``, with a fault for every name that is not in scope; ``key`` is where its value is written."""
        for item in term.items or (term,):
            self.read.update(item.names)
            if isinstance(item.constant, str):
                self.read.add(item.constant)
            if item.expression:
                unknown = item.expression.names - self.names
                if unknown:
                    for name, fault in _unknown(unknown, item):
                        places = (f"values of {key}", "names")
                        few = self.faults.few
                        found = self.faults.advise(name, sorted(self.names) if few else (), *places)
                        self.faults.work.spend(DEFINING, len(self.names) if few else 1, item.span)
                        words = self.lookup.visible("shortcuts") if key == "shortcut" else ()
                        told = readable(name, self.names, found.meant, words=words) if few else fault.help
                        help = self.elsewhere(name, key) or told
                        help = "; ".join(filter(None, (found.help, help)))
                        self.faults.add(replace(fault, hint=found.hint, help=help))
        return term

    def elsewhere(self, name: str, key: str) -> str:
        """The help for a name that only arguments of steps can read, in the value of ``key``."""
        if name != WIDTH:
            return ""
        entry = "; here, write `in_channels`" if "in_channels" in self.names else ""
        entry = "; here, write a number as the `group_size`" if key in ("groups", "group_size") else entry
        return f"only arguments of steps read `{WIDTH}`, the width that reaches the step{entry}"

    def term(self, cursor: Cursor, kind: str) -> Term:
        return self.check(read_term(cursor, kind, self.faults), key_of(cursor.path))

    def setting(self, cursor: Cursor, key: str) -> Setting:
        setting = read_setting(cursor, key, self.lookup, self.faults)
        self.check(setting.term, key)
        for name, term in setting.arguments.items():
            self.check(term, name)
        if key in operations():
            self.check_alternatives(operations()[key], setting.arguments)
        return setting

    def check_alternatives(self, operation: type[Operation], terms: Mapping[str, Term]) -> None:
        """Refuse an argument beside another that says the same."""
        for one, other in operation.alternatives:
            if one in terms and other in terms:
                message = f"`{operation.name}` takes `{one}` or `{other}`, not both"
                labels = (Label(terms[one].span, f"`{one}` is here"),)
                self.faults.record("E206", message, terms[other].span, labels=labels, help="leave one of them out")


def _unknown(unknown: frozenset[str], term: Term) -> Iterator[tuple[str, Diagnostic]]:
    """The faults of an expression's unknown names, each at the first place where it is read."""
    text = term.expression.text if term.expression else ""
    places = {str(value): start for kind, value, start, _ in reversed(tokens(text)) if kind == "name"}
    for name in sorted(unknown):
        start = places.get(name, 0)
        yield name, expression_fault(undefined(name, start, start + len(name)), text, term.span)
