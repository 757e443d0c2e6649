"""A function that returns less in eval mode: there it does not compute what it returns in training only."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Sequence


def by_mode(lines: Sequence[str], training: str, evaluated: str, returned: str) -> list[str]:
    """The body of a function: its statements, and what it returns in each mode.

    Args:
        lines: the statements before the end.
        training: the text that is true in training.
        evaluated: what the function returns in eval mode.
        returned: what it returns in training.

    >>> print("\\n".join(by_mode(["y = f(x)", "aux = g(y)", "z = h(y)"], "self.training", "z", "(z, aux)")))
    y = f(x)
    if self.training:
        aux = g(y)
    z = h(y)
    if not self.training:
        return z
    return (z, aux)
    """
    text = "\n".join(lines)
    statements = ast.parse(text).body
    idle = _idle(statements, evaluated)
    found: list[str] = []
    before = False
    ending = len(statements)
    while ending and statements[ending - 1] in idle:
        ending -= 1
    for statement in statements[:ending]:
        own = _text(statement, text)
        if statement in idle:
            found += [*([] if before else [f"if {training}:"]), textwrap.indent(own, "    ")]
        else:
            found.append(own)
        before = statement in idle
    last = [_text(statement, text) for statement in statements[ending:]]
    found += [f"if not {training}:", f"    return {evaluated}", *last, f"return {returned}"]
    return "\n".join(found).split("\n")


def _idle(statements: Sequence[ast.stmt], result: str) -> set[ast.stmt]:
    """The statements whose values ``result`` does not need."""
    needed = _names(ast.parse(result), ast.Load)
    found = set[ast.stmt]()
    for statement in reversed(statements):
        written = _names(statement, ast.Store)
        if written and written.isdisjoint(needed):
            found.add(statement)
            continue
        if isinstance(statement, ast.Assign):
            needed -= written
        needed |= _names(statement, ast.Load)
    return found


def _names(node: ast.AST, use: type[ast.expr_context]) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, use)}


def _text(statement: ast.stmt, text: str) -> str:
    return ast.get_source_segment(text, statement) or ""
