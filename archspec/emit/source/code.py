"""The layout of a Python file, as ``ruff format`` would make it, from statements of any length."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from archspec.emit.source.expressions import arguments, last_expression, parameters, plain
from archspec.emit.source.layout import Document, render
from archspec.emit.source.precedence import SIGNS


def laid_out(source: str, width: int = 120) -> str:
    """A file whose statements are broken into lines of at most ``width`` characters where possible.

    Blank lines, docstrings and comments stay as they are, and so do headers with a comment, ``elif``, and kinds of
    statements that the source does not use. A comment must be on a separate line or at the end of a statement.
    Parentheses that Python does not need are removed.

    Args:
        source: Python with an indentation of four spaces.
        width: the maximum length of a line.

    >>> print(laid_out("total = first_term(x) + second_term(x)", 24), end="")
    total = first_term(
        x
    ) + second_term(x)
    """
    lines = source.split("\n")
    for first, last, document, column in reversed(list(_statements(ast.parse(source).body, lines))):
        lines[first : last + 1] = [" " * column + render(document, width, column)]
    return "\n".join(lines)


def _statements(body: list[ast.stmt], lines: list[str]) -> Iterator[tuple[int, int, Document, int]]:
    """The first and the last line of each statement or header, from 0, with its document and its indentation."""
    for node in body:
        inside: list[ast.stmt] = getattr(node, "body", [])
        last = _end_of_header(node, inside[0], lines) if inside else (node.end_lineno or 0) - 1
        document = _header(node) if inside else _statement(node)
        if inside and (lines[last].rstrip()[-1:] != ":" or lines[node.lineno - 1].lstrip().startswith("elif")):
            document = None
        if document is not None:
            comment = "" if inside else lines[last].encode()[node.end_col_offset :].decode().strip()
            yield node.lineno - 1, last, (document, f"  {comment}" if comment else ""), node.col_offset
        yield from _statements(inside, lines)
        yield from _statements(getattr(node, "orelse", []), lines)


def _end_of_header(node: ast.stmt, first: ast.stmt, lines: list[str]) -> int:
    """The line on which the header of a compound statement ends."""
    decorators: list[ast.expr] = getattr(first, "decorator_list", [])
    line = min([first.lineno, *(each.lineno for each in decorators)]) - 2
    while line > node.lineno - 1 and (not lines[line].strip() or lines[line].lstrip().startswith("#")):
        line -= 1
    return line


def _statement(node: ast.stmt) -> Document | None:
    """A statement on a line of its own; None: leave it as it is."""
    match node:
        case ast.Expr() if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
            return last_expression(node.value)
        case ast.Assign():
            targets: list[Document] = [(plain(each), " = ") for each in node.targets]
            return (*targets, last_expression(node.value))
        case ast.AugAssign():
            return (plain(node.target), f" {SIGNS[type(node.op)][0]}= ", last_expression(node.value))
        case ast.AnnAssign() if node.value:
            return (plain(node.target), ": ", plain(node.annotation), " = ", last_expression(node.value))
        case ast.Return() if node.value:
            return ("return ", last_expression(node.value))
        case ast.Raise() if node.exc and not node.cause:
            return ("raise ", last_expression(node.exc))
    return None


def _header(node: ast.stmt) -> Document | None:
    """The header of a compound statement; None: leave it as it is."""
    match node:
        case ast.FunctionDef():
            returns: Document = (" -> ", plain(node.returns)) if node.returns else ""
            return (f"def {node.name}", parameters(node.args), returns, ":")
        case ast.ClassDef():
            bases = arguments(node.bases, node.keywords) if node.bases or node.keywords else ""
            return (f"class {node.name}", bases, ":")
        case ast.If():
            return ("if ", last_expression(node.test), ":")
        case ast.While():
            return ("while ", last_expression(node.test), ":")
        case ast.For():
            return ("for ", plain(node.target), " in ", last_expression(node.iter), ":")
    return None
