"""A formula that a class repeats gets the name that the spec has for it: ``width = in_channels * expand``."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Literal, TypeGuard

from archspec.graph.formulas import Constant, Expression, Formula, Variable, evaluate, names_in
from archspec.graph.patterns import Definition

FEWEST = 4
"""How often a formula occurs that gets a name."""
_OPERATORS: Mapping[type[ast.operator], Literal["+", "-", "*", "//"]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
}


def shortened(definition: Definition, lines: Sequence[str], taken: set[str]) -> list[str]:
    """The statements of ``__init__``, with names for formulas that they repeat.

    Args:
        definition: what they make.
        lines: the statements.
        taken: names that a formula cannot have.
    """
    found = list(lines)
    for name, column in _named(definition).items():
        text = "\n".join(found)
        places = [each for each in ast.walk(ast.parse(text)) if _gives(each, definition, column)]
        if len(places) < FEWEST or name in taken or _mentions(text, name):
            continue
        for each in sorted(places, key=lambda each: (each.lineno, each.col_offset), reverse=True):
            line = found[each.lineno - 1]
            found[each.lineno - 1] = f"{line[: each.col_offset]}{name}{line[each.end_col_offset :]}"
        found.insert(0, f"{name} = {ast.unparse(places[0])}")
    return found


def _named(definition: Definition) -> dict[str, list[Constant]]:
    """The values that the spec names in all uses and that are no parameters."""
    rows = [use.region.given if use.region else {} for use in definition.uses]
    parameters = {parameter.name for parameter in definition.parameters}
    names = [name for name in rows[0] if name not in parameters and all(name in row for row in rows)]
    return {name: [row[name] for row in rows] for name in names}


def _gives(node: ast.AST, definition: Definition, column: Sequence[Constant]) -> TypeGuard[ast.BinOp]:
    """Whether it is a formula of the parameters that gives these values."""
    formula = _formula(node) if isinstance(node, ast.BinOp) else None
    columns = {parameter.name: parameter.values for parameter in definition.parameters}
    if formula is None or not names_in(formula) <= columns.keys():
        return False
    rows = [{name: values[place] for name, values in columns.items()} for place in range(len(column))]
    return [evaluate(formula, row) for row in rows] == column


def _formula(node: ast.AST) -> Expression:
    """Arithmetic of names and whole numbers; None for any other expression."""
    if isinstance(node, ast.Name):
        return Variable(node.id)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATORS:
        return None
    left, right = _formula(node.left), _formula(node.right)
    return None if left is None or right is None else Formula(_OPERATORS[type(node.op)], left, right)


def _mentions(text: str, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(ast.parse(text)))
