"""The fault of a value of the wrong kind that a name has, such as ``se: true``, at the place of that value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.diagnostics import Diagnostic, cut
from archspec.language.expressions.values import ExpressionFault, describe
from archspec.vocabulary import find

if TYPE_CHECKING:
    from archspec.graph.environment import Environment


def of_a_name(env: Environment, fault: ExpressionFault, text: str, found: Diagnostic) -> Diagnostic | None:
    """``found``, with the name and the place of the value that the expression ``text`` cannot use.

    None if the fault is another one, or about another part of the expression.
    """
    name = (text[fault.start : fault.end] or text).strip()
    told = f", not {describe(env.values.get(name))}"
    home = next((each for each in (env, env.root) if name in each.written), None)
    if fault.code != "E406" or home is None or not found.message.endswith(told):
        return None
    value = env.values[name]
    word = "null" if value is None else str(value).lower()
    shown = f"`{word}`" if value is None or isinstance(value, bool) else describe(value)
    entry = find(word, f"values of {name}")
    needed = "`true` or `false`" if "truth value" in fault.message.removesuffix(told) else "a number"
    help = entry.help if entry else found.help if "a word" in fault.message else f"write {needed}"
    term, other = home.written[name]
    message = f"`{cut(name)}` is {shown}, but {found.message.removesuffix(told)}"
    return replace(found, message=message, span=(other or home).blame(term).span, help=help)
