"""The mutants of a file: what could have been written instead, one small difference each."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Place = tuple[ast.AST, str, int | None]
"""A parent, the field in which the node stands, and its number where that is a list."""

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.Break: ast.Continue,
    ast.Continue: ast.Break,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor", "sum": "len"}
SKIPPED_FIELDS = frozenset({"annotation", "returns", "decorator_list", "type_params", "bases"})
SKIPPED_NODES = (
    ast.Import,
    ast.ImportFrom,
    ast.JoinedStr,
    ast.Global,
    ast.TypeAlias if hasattr(ast, "TypeAlias") else ast.Global,
)


@dataclass(frozen=True)
class Mutant:
    """One difference: the ``number``-th of its file, between two lines, named by what is replaced.

    ``imported``: an import runs its lines, which stand in no function, or are a default of one.
    """

    path: str
    number: int
    first: int
    last: int
    imported: bool
    name: str


def mutants(path: Path, root: Path) -> list[Mutant]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found, seen = [], Counter[str]()
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for number, (owner, statement, place, new) in enumerate(_differences(tree)):
        before, after = _text(_node(place)), _text(new)
        name = f"{path.relative_to(root).as_posix()} {owner}: {_shown(statement, place, before, after)}"
        seen[name] += 1
        name += f" #{seen[name]}" if seen[name] > 1 else ""
        first, last = _lines(statement, place)
        imported = not any(function.body[0].lineno <= first <= (function.end_lineno or 0) for function in functions)
        found.append(Mutant(str(path), number, first, last, imported, name))
    return found


def mutated(path: Path, number: int) -> ast.Module:
    """The tree of a file with its ``number``-th difference."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for at, (_, _, (parent, name, index), new) in enumerate(_differences(tree)):
        if at == number:
            if index is None:
                setattr(parent, name, new)
            else:
                getattr(parent, name)[index] = new
            return ast.fix_missing_locations(tree)
    raise IndexError(number)


SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr, ast.Raise, ast.Assert, ast.Delete)


def _lines(statement: ast.stmt, place: Place) -> tuple[int, int]:
    """The lines that run what differs: the statement, or where that holds others, its head."""
    if isinstance(statement, SIMPLE):
        return statement.lineno, statement.end_lineno or statement.lineno
    line = getattr(_node(place), "lineno", getattr(place[0], "lineno", statement.lineno))
    return line, line


def _node(place: Place) -> ast.AST:
    parent, name, index = place
    value = getattr(parent, name)
    return value if index is None else value[index]


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.operator | ast.cmpop | ast.boolop | ast.unaryop):
        return type(node).__name__
    return " ".join(ast.unparse(node).split())


def _shown(statement: ast.stmt, place: Place, before: str, after: str) -> str:
    around = _text(place[0]) if isinstance(place[0], ast.expr) else _text(statement).split(" else:")[0]
    return f"`{around[:110]}`: {before[:80]} -> {after[:80]}"


def _differences(tree: ast.Module) -> Iterator[tuple[str, ast.stmt, Place, ast.AST]]:
    for owner, statement, place in _walk(tree, "module", None):
        for new in _alternatives(_node(place), place):
            yield owner, statement, place, new


def _walk(node: ast.AST, owner: str, statement: ast.stmt | None) -> Iterator[tuple[str, ast.stmt, Place]]:
    """Every place below a node that may differ, with the function and the statement it stands in."""
    for name, value in ast.iter_fields(node):
        if name in SKIPPED_FIELDS:
            continue
        for index, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(child, ast.AST) or isinstance(child, SKIPPED_NODES) or _is_text(child):
                continue
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.keyword) and child.arg == "strict":  # of a zip: an assertion
                continue
            inner = child if isinstance(child, ast.stmt) else statement
            named = isinstance(child, ast.FunctionDef | ast.ClassDef)
            below = f"{owner}.{child.name}".removeprefix("module.") if named else owner
            if inner is not None:
                yield owner, inner, (node, name, index)
            yield from _walk(child, below, inner)


def _is_text(node: ast.AST) -> bool:
    """Documentation, which no test should repeat, and declarations that only typing reads."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return True
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
        return True
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("__slots__", "summary")


def _alternatives(node: ast.AST, place: Place) -> Iterator[ast.AST]:
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str(value)) if value and " " not in value and not isinstance(place[0], ast.JoinedStr):
            yield ast.Constant(value + "_")
        case ast.If() | ast.IfExp() | ast.While():
            new = copy.copy(node)
            new.test = ast.UnaryOp(ast.Not(), node.test)
            yield new
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.Return(value=ast.AST()) if not isinstance(node.value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise():
            yield ast.Pass()
        case ast.Name(id=name) if name in NAMES and isinstance(place[0], ast.Call) and place[1] == "func":
            yield ast.Name(NAMES[name], ast.Load())
        case ast.Attribute(attr=name) if name in NAMES and isinstance(place[0], ast.Call) and place[1] == "func":
            yield ast.Attribute(node.value, NAMES[name], ast.Load())
        case ast.comprehension(ifs=[_, *_]):
            new = copy.copy(node)
            new.ifs = []
            yield new
        case ast.Call(keywords=[_, *_]):
            for index, keyword in enumerate(node.keywords):
                if keyword.arg and keyword.arg not in ("help", "hint", "labels", "notes", "strict"):
                    new = copy.copy(node)
                    new.keywords = node.keywords[:index] + node.keywords[index + 1 :]
                    yield new
        case _ if type(node) in SWAPS:
            yield SWAPS[type(node)]()
