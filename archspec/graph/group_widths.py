"""Warnings of groups that follow from another width than that of the value that is split into them."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.diagnostics import Faults
from archspec.graph.environment import Environment
from archspec.graph.graph import Node
from archspec.language.spec import Setting, Term
from archspec.operations.base import Operation
from archspec.work import ENTRIES, EXPANDING

ENTRY = "in_channels"
"""The name of the width at the entry of a block, stem, head or fragment."""
CHANNELS = "channels"
"""The name of the width of a stage, which is seldom that of every step in its blocks."""
OF_BLOCKS = "index"
"""A name that only blocks see: elsewhere, `channels` is a parameter of the author's."""
INSTEAD = {"conv": "write `groups: depthwise`", "norm": "write `group_size`, the channels of a group"}


def warn_of_groups(
    faults: Faults, operation: Operation | type[Operation], groups: Term | None, env: Environment, value: Node
) -> None:
    """Warn of groups that follow from the width at the entry, where another width reaches the operation.

    A convolution may have a fraction of the entry's width as groups; groups of a norm are meant of its own width.
    """
    if groups is None:
        return
    name = _source(groups, env, in_any_way=operation.name == "norm")
    if not name or env.values.get(name) == value.shape[0]:
        return
    reach = f"this `{operation.name}` gets {value.shape[0]} channels"
    message = f"`{name}` is {env.values.get(name)}, but {reach}"
    help = f"{INSTEAD.get(operation.name, 'write `groups: width`')}, or read `width`, the input width of the step"
    found = env.located("W503", message, groups, help)
    if not any((code, span) == (found.code, found.span) for code, span, _ in faults.found):
        faults.add(found)


def warn_of_setting(faults: Faults, setting: Setting, env: Environment, made: Sequence[Node]) -> None:
    """The same for the groups of a setting ``norm``, which is read at the entry of what ``made`` are the nodes of."""
    groups = setting.arguments.get("groups")
    if groups is None or env.values["norm"] != "group":
        return
    env.work.spend(EXPANDING, len(made) // ENTRIES, env.span)
    other = next((n for n in made if n.operation.kind == "gn" and n.shape[0] != env.values[ENTRY]), None)
    if other:
        warn_of_groups(faults, other.operation, groups, env, other)


def _source(term: Term, env: Environment, *, in_any_way: bool) -> str:
    """The width whose value ``term`` has by whatever names, or follows from in any way; else an empty text."""
    if in_any_way:
        return ENTRY if any(name == ENTRY for name, _ in env.reached(term.names)) else ""
    while term.expression and term.expression.text.strip() in term.names:
        name = term.expression.text.strip()
        if name == ENTRY or (name == CHANNELS and OF_BLOCKS in env.values):
            return name
        written, other = env.written.get(name, (None, None))
        if written is None:
            return ""
        term, env = written, other or env
    return ""
