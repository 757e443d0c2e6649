"""A formula that a class repeats gets the name that the spec has for it: ``width = in_channels * expand``."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from archspec.graph.formulas import Constant, Expression, Formula, Variable, evaluate, names_in
from archspec.graph.patterns import Definition

FEWEST = 4
"""How often a formula must occur to get a name."""
_OPERATORS: Mapping[type[ast.operator], Literal["+", "-", "*", "//"]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
}


def shortened(
    definition: Definition, made: Sequence[str], forward: Sequence[str], taken: Collection[str]
) -> tuple[list[str], list[str]]:
    """The statements of ``__init__`` and of ``forward``, with names for formulas that they repeat.

    Args:
        definition: what they make and compute.
        made: the statements of ``__init__``.
        forward: those of ``forward``, which read parameters as attributes.
        taken: names that a formula cannot have.
    """
    made, forward = list(made), list(forward)
    for name, column in _named(definition).items():
        inside, outside = _places(made, definition, column), _places(forward, definition, column)
        known = re.search(rf"\b{name}\b", " ".join(made)) or name in taken
        if known or not inside or len(inside) + len(outside) < FEWEST:
            continue
        formula = ast.unparse(inside[0])
        made, forward = _replaced(made, inside, name), _replaced(forward, outside, f"self.{name}")
        made = [f"{name} = {formula}", *([f"self.{name} = {name}"] if outside else []), *made]
    unread = [each.name for each in definition.parameters if f"self.{each.name}" not in " ".join(forward)]
    return [line for line in made if line not in [f"self.{name} = {name}" for name in unread]], forward


def _places(lines: Sequence[str], definition: Definition, column: Sequence[Constant]) -> list[ast.BinOp]:
    """The places where statements have a formula with these values."""
    found = ast.walk(ast.parse("\n".join(lines)))
    return [each for each in found if isinstance(each, ast.BinOp) and _gives(each, definition, column)]


def _replaced(lines: Sequence[str], places: Sequence[ast.BinOp], text: str) -> list[str]:
    found = list(lines)
    for each in sorted(places, key=lambda each: (each.lineno, each.col_offset), reverse=True):
        line = found[each.lineno - 1]
        found[each.lineno - 1] = f"{line[: each.col_offset]}{text}{line[each.end_col_offset :]}"
    return found


def _named(definition: Definition) -> dict[str, list[Constant]]:
    """The values that the spec names in all uses and that are not parameters."""
    rows = [use.region.given if use.region else {} for use in definition.uses]
    parameters = {parameter.name for parameter in definition.parameters}
    names = [name for name in rows[0] if name not in parameters and all(name in row for row in rows)]
    return {name: [row[name] for row in rows] for name in names}


def _gives(node: ast.BinOp, definition: Definition, column: Sequence[Constant]) -> bool:
    """Whether it is a formula of the parameters with these values."""
    formula = _formula(node)
    columns = {parameter.name: parameter.values for parameter in definition.parameters}
    if formula is None or not names_in(formula) <= columns.keys():
        return False
    rows = [{name: values[place] for name, values in columns.items()} for place in range(len(column))]
    return [evaluate(formula, row) for row in rows] == column


def _formula(node: ast.AST) -> Expression:
    """Arithmetic on names, attributes and integers; None for any other expression."""
    if isinstance(node, ast.Name):
        return Variable(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return Variable(node.attr)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATORS:
        return None
    left, right = _formula(node.left), _formula(node.right)
    return None if left is None or right is None else Formula(_OPERATORS[type(node.op)], left, right)
