"""Warnings of arguments that have no effect, and of values that are hardly ever meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.diagnostics import Diagnostic
from archspec.graph.environment import Environment
from archspec.graph.provenance import Blamed
from archspec.language.silence import unless_meant
from archspec.language.spec import Block, Step, Term
from archspec.operations.base import Doubt, Operation

NO_EFFECT = "leave it out, or change the other argument"


def doubtful(operation: Operation, given: Mapping[str, Any]) -> tuple[Doubt, ...]:
    """What is doubtful in an operation that was given these arguments."""
    unread = [
        Doubt(name, f"`{name}` has no effect {why}", NO_EFFECT)
        for name, why in operation.unread().items()
        if name in given
    ]
    return (*unread, *operation.doubts())


def doubted_term(
    doubt: Doubt, operation: Operation, at: Step | Block, terms: Mapping[str, Term] | None, env: Environment
) -> Term | None:
    """Where the argument is written: in the step, in the layer's own setting, in the stage table or in the spec."""
    if terms and doubt.argument in terms:
        return terms[doubt.argument]
    key = operation.setting or operation.name
    found = env.setting(at, key, doubt.argument)
    if found is None and (cell := env.place.cell(key)):
        return Term(cell.span)
    return found


def doubt_told(doubt: Doubt, blamed: Blamed) -> Diagnostic:
    """The warning."""
    code = "W305" if doubt.help == NO_EFFECT else "W306"
    help = unless_meant(code, doubt.help)
    return Diagnostic(code, doubt.message, blamed.span, labels=blamed.labels, help=help)
