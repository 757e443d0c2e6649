"""What an activation order puts after the merge of a block: the parts that it moves there from the last layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.diagnostics import Diagnostic, cut
from archspec.graph.environment import Environment
from archspec.graph.graph import Node
from archspec.graph.names import NameScope
from archspec.graph.orders import Flow
from archspec.graph.sequences import Sequences
from archspec.language.spec import NONE, Block, Setting, Step
from archspec.operations.discovery import operations


def after_merge(
    sequences: Sequences, flow: Flow, env: Environment, scope: NameScope, block: Block, value: Node, *, merged: bool
) -> Node:
    """The value after the norm and the activation that the order puts behind the merge.

    They are those of the last layer, by its own settings. Several last layers must agree; else the settings in force
    count, and each other setting gets a warning.
    """
    for part in flow.order.after:
        values = flow.setting(part)
        at: Step | Block = block
        if own := [step for step, _ in flow.lasts if step.settings and part in step.settings]:
            found = [sequences.layer_setting(part, step, inner, flow, value) for step, inner in flow.lasts]
            made = [_made(sequences, part, each, value) for each in found]
            if all(each == made[0] for each in made):
                values, at = found[0], own[0]
                if part == "act" and made[0] is None and merged:
                    _warn_of_none(sequences, own[0], env)
            else:
                in_force = _made(sequences, part, values, value)
                for (step, inner), each in zip(flow.lasts, made, strict=True):
                    setting = step.settings.get(part) if step.settings else None
                    if setting and each != in_force:
                        _warn_of_unlike(sequences, part, setting, inner, env)
        value = sequences.part(part, values, env, scope, at, value)
    return value


def _made(sequences: Sequences, part: str, values: Mapping[str, Any], value: Node) -> Any:
    """The operation that a setting gives, None for ``none``."""
    if values["type"] == NONE:
        return None
    return sequences.operation(operations()[part], operations()[part].settled(values, (value.shape,)))


def _warn_of_none(sequences: Sequences, last: Step, env: Environment) -> None:
    """Warn of an activation that is off after the merge, since many mean only the one before it."""
    term = last.settings["act"].term if last.settings else None
    if term is None or env.value(term) != NONE or not sequences.authors.wrote(term.span.source):
        return
    order = cut(env.values["activation_order"])
    message = (
        f"this `act: none` leaves out the activation after the merge, where the activation order `{order}` puts it"
    )
    help = "leave `act` out to have it there; for a block that ends linearly, write `activation_order: act-before-add`"
    sequences.faults.add(Diagnostic("W510", message, term.span, help=help))


def _warn_of_unlike(sequences: Sequences, part: str, setting: Setting, inner: Environment, env: Environment) -> None:
    order = env.values["activation_order"]
    found = f"this `{part}` has no effect: the activation order `{cut(order)}` puts one `{part}` after the merge"
    message = f"{found}, and the last layers of the block differ in it"
    help = f"give each last layer of the block the same `{part}`, or write `activation_order: act-before-add`"
    sequences.faults.add(Diagnostic("W301", message, inner.blame(setting.term).span, help=help))
