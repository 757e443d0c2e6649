"""Expressions of Python as documents that break where ``ruff format`` breaks them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from archspec.emit.source.layout import SOFT, SPACE, Document, Group, IfBroken, Indent, LineBreak, Solid, bracket, join
from archspec.emit.source.literals import literal
from archspec.emit.source.precedence import (
    ATOM,
    BOOLEAN,
    COMPARISON,
    CONDITIONAL,
    POWER,
    SIGNS,
    binds_of,
    is_fluent,
    is_multiline,
    is_simple,
    is_simple_power,
    is_solid,
    may_omit_parentheses,
    solid,
)


def last_expression(node: ast.expr) -> Document:
    """An expression that a statement ends with, such as the value of an assignment.

    If it does not fit, it is put into parentheses, unless one of its own brackets can expand instead.
    """
    if is_solid(node):
        return Solid(solid(node))
    if not is_multiline(node):
        return _expression(node, _OUTSIDE)
    parentheses = Group()
    if may_omit_parentheses(node):
        inside = _expression(node, _Level(parentheses))
        parentheses.inside = (IfBroken("("), Indent((SOFT, inside), parentheses), SOFT, IfBroken(")"))
    else:
        parentheses.inside = (IfBroken("("), Indent((SOFT, _expression(node, _INSIDE))), SOFT, IfBroken(")"))
    return parentheses


def plain(node: ast.expr) -> Document:
    """An expression with nothing around it: the target of an assignment, a base class, an annotation."""
    if isinstance(node, ast.Tuple):
        return join(", ", [_expression(each, _OUTSIDE) for each in node.elts])
    return _expression(node, _OUTSIDE)


def arguments(args: Sequence[ast.expr], keywords: Sequence[ast.keyword]) -> Document:
    """The arguments of a call or the bases of a class, with their parentheses."""
    return _arguments(args, keywords, _OUTSIDE)


def parameters(node: ast.arguments) -> Document:
    """The parameters of a function, with their parentheses."""
    named = [*node.posonlyargs, *node.args]
    defaults: list[ast.expr | None] = [None] * (len(named) - len(node.defaults)) + list(node.defaults)
    items = [_parameter(each, default) for each, default in zip(named, defaults, strict=True)]
    if node.vararg:
        items.append(("*", _parameter(node.vararg, None)))
    elif node.kwonlyargs:
        items.append("*")
    items += [_parameter(each, default) for each, default in zip(node.kwonlyargs, node.kw_defaults, strict=True)]
    if node.kwarg:
        items.append(("**", _parameter(node.kwarg, None)))
    return bracket("(", Group(_listed(items)), ")") if items else "()"


def _parameter(node: ast.arg, default: ast.expr | None) -> Document:
    annotation: Document = (": ", _expression(node.annotation, _INSIDE)) if node.annotation else ""
    if default is None:
        return (node.arg, annotation)
    return (node.arg, annotation, " = " if node.annotation else "=", _expression(default, _INSIDE))


class _Level:
    """Where an expression is: in no bracket, in ``parentheses`` that are there only if they break, or in a bracket."""

    __slots__ = ("inside", "parentheses")

    def __init__(self, parentheses: Group | None = None, *, inside: bool = False) -> None:
        self.parentheses, self.inside = parentheses, inside

    def line(self, flat: str = " ") -> Document:
        """Where the line may break if there are brackets around."""
        if self.inside:
            return LineBreak(flat)
        return LineBreak(flat, self.parentheses) if self.parentheses else flat

    def group(self, inside: Document) -> Document:
        """A group, if there are brackets around."""
        if self.inside:
            return Group(inside)
        return Group(inside, self.parentheses) if self.parentheses else inside

    def bracket(self, left: str, inside: Document, right: str) -> Document:
        return bracket(left, inside, right, self.parentheses)


_OUTSIDE, _INSIDE = _Level(), _Level(inside=True)


def _expression(node: ast.expr, level: _Level) -> Document:
    if is_solid(node):
        return solid(node)
    match node:
        case ast.BinOp() | ast.BoolOp() | ast.Compare():
            return level.group(_operation(list(_flat(node)), level))
        case ast.IfExp():
            return level.group(_conditional(node, level))
        case ast.UnaryOp():
            sign, binds = SIGNS[type(node.op)]
            is_power = isinstance(node.operand, ast.BinOp) and isinstance(node.operand.op, ast.Pow)
            return (sign, _operand(node.operand, ATOM if is_power else binds, level))
        case ast.Attribute() | ast.Call() | ast.Subscript():
            fluent = is_fluent(node)
            chain = _chain(node, level, fluent=fluent)
            return level.group(chain) if fluent else chain
        case ast.Starred():
            return ("*", _operand(node.value, COMPARISON, level))
        case ast.List() | ast.Set() | ast.Tuple() | ast.Dict():
            return _display(node, level)
        case ast.ListComp():
            return level.bracket("[", _comprehension(_expression(node.elt, _INSIDE), node.generators), "]")
        case ast.SetComp():
            return level.bracket("{", _comprehension(_expression(node.elt, _INSIDE), node.generators), "}")
        case ast.GeneratorExp():
            return level.bracket("(", _comprehension(_expression(node.elt, _INSIDE), node.generators), ")")
        case ast.JoinedStr():
            text = ast.unparse(node)
            return f'f"{text[2:-1]}"' if '"' not in text else text
        case ast.DictComp():
            return level.bracket("{", _comprehension(_pair(node.key, node.value), node.generators), "}")
    return ast.unparse(node)


def _conditional(node: ast.IfExp, level: _Level) -> Document:
    first, test = _operand(node.body, CONDITIONAL + 1, level), _operand(node.test, CONDITIONAL + 1, level)
    last = node.orelse
    other = _conditional(last, level) if isinstance(last, ast.IfExp) else _expression(last, level)
    return (first, level.line(), "if ", test, level.line(), "else ", other)


def _display(node: ast.List | ast.Set | ast.Tuple | ast.Dict, level: _Level) -> Document:
    if isinstance(node, ast.Dict):
        pairs = [_pair(key, value) for key, value in zip(node.keys, node.values, strict=True)]
        return level.bracket("{", _listed(pairs), "}") if pairs else "{}"
    left, right = {ast.List: ("[", "]"), ast.Set: ("{", "}"), ast.Tuple: ("(", ")")}[type(node)]
    if not node.elts:
        return left + right
    items: Document = _listed([_expression(each, _INSIDE) for each in node.elts])
    if isinstance(node, ast.Tuple) and len(node.elts) == 1:
        items = (items, ",")
    return level.bracket(left, items, right)


def _pair(key: ast.expr | None, value: ast.expr) -> Document:
    if key is None:
        return ("**", _operand(value, COMPARISON, _INSIDE))
    return (_expression(key, _INSIDE), ": ", _expression(value, _INSIDE))


def _listed(items: Sequence[Document]) -> Document:
    """Items of a bracket; if each of several items has its own line, a comma follows the last."""
    return (join((",", SPACE), items), IfBroken(",") if len(items) > 1 else "")


def _comprehension(element: Document, generators: Iterable[ast.comprehension]) -> Document:
    parts: list[Document] = [Group(element)]
    for each in generators:
        target, source = plain(each.target), _operand(each.iter, CONDITIONAL + 1, _INSIDE)
        parts += [SPACE, ("for ", target, " in ", source)]
        for condition in each.ifs:
            parts += [SPACE, ("if ", _operand(condition, CONDITIONAL + 1, _INSIDE))]
    return Group(tuple(parts))


def _arguments(args: Sequence[ast.expr], keywords: Sequence[ast.keyword], level: _Level) -> Document:
    if not args and not keywords:
        return "()"
    if len(args) == 1 and not keywords and isinstance(args[0], ast.GeneratorExp):
        comprehension = _comprehension(_expression(args[0].elt, _INSIDE), args[0].generators)
        return level.bracket("(", comprehension, ")")
    items = [_expression(each, _INSIDE) for each in args]
    items += [(f"{each.arg}=" if each.arg else "**", _expression(each.value, _INSIDE)) for each in keywords]
    return level.bracket("(", Group(_listed(items)), ")")


def _chain(node: ast.expr, level: _Level, *, fluent: bool) -> Document:
    match node:
        case ast.Attribute():
            parenthesized = binds_of(node.value) < ATOM
            breaks = fluent and (parenthesized or isinstance(node.value, ast.Call | ast.Subscript))
            return (_chain(node.value, level, fluent=fluent), level.line("") if breaks else "", f".{node.attr}")
        case ast.Call():
            return (_chain(node.func, level, fluent=fluent), _arguments(node.args, node.keywords, level))
        case ast.Subscript():
            return (_chain(node.value, level, fluent=fluent), level.bracket("[", _index(node.slice), "]"))
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return f"({literal(node.value)})"  # `2.real` would be a number followed by a name
    return _operand(node, ATOM, level)


def _index(node: ast.expr) -> Document:
    if isinstance(node, ast.Tuple) and node.elts:
        items = [_index(each) if isinstance(each, ast.Slice) else _expression(each, _INSIDE) for each in node.elts]
        return (items[0], ",") if len(items) == 1 else Group(_listed(items))
    if not isinstance(node, ast.Slice):
        return _expression(node, _INSIDE)
    given = [each for each in (node.lower, node.upper, node.step) if each]
    space = "" if all(is_simple(each) for each in given) else " "
    parts: list[Document] = [(_expression(node.lower, _INSIDE), space)] if node.lower else []
    parts.append(":")
    if node.upper:
        parts.append((space, _expression(node.upper, _INSIDE)))
    if node.step:
        parts += [(space if node.upper else "", ":"), (space, _expression(node.step, _INSIDE))]
    return tuple(parts)


@dataclass(frozen=True)
class _Sign:
    """An operator between two operands."""

    text: str
    binds: int


def _operand(node: ast.expr, least: int, level: _Level) -> Document:
    """An operand, in parentheses if its own operator binds less tightly than ``least``."""
    if binds_of(node) >= least:
        return _expression(node, level)
    return level.bracket("(", _expression(node, _INSIDE), ")")


def _flat(node: ast.expr, least: int = 0) -> Iterator[ast.expr | _Sign | tuple[ast.expr]]:
    """The operands and operators of an expression in order; an operand in parentheses is a tuple of itself."""
    binds = binds_of(node)
    if binds < least:
        yield (node,)
    elif isinstance(node, ast.BinOp):
        power = isinstance(node.op, ast.Pow)
        yield from _flat(node.left, binds + power)
        yield _Sign(*SIGNS[type(node.op)])
        yield from _flat(node.right, binds - 1 if power else binds + 1)  # a power takes a minus at its right
    elif isinstance(node, ast.BoolOp):
        for position, each in enumerate(node.values):
            if position:  # those that are not in parentheses break together
                yield _Sign(SIGNS[type(node.op)][0], BOOLEAN)
            yield from _flat(each, binds + 1)
    elif isinstance(node, ast.Compare):
        yield from _flat(node.left, binds + 1)
        for operator, each in zip(node.ops, node.comparators, strict=True):
            yield _Sign(*SIGNS[type(operator)])
            yield from _flat(each, binds + 1)
    else:
        yield node


def _operation(parts: list[ast.expr | _Sign | tuple[ast.expr]], level: _Level) -> Document:
    """Operands and operators, with a group for each run of operators that bind more tightly than the loosest."""
    signs = [part for part in parts if isinstance(part, _Sign)]
    if not signs:
        (only,) = parts
        if isinstance(only, tuple):
            return level.bracket("(", _expression(only[0], _INSIDE), ")")
        assert isinstance(only, ast.expr)
        return _expression(only, level)
    loosest = min(sign.binds for sign in signs)
    found: list[Document] = []
    start = 0
    for index, part in enumerate(parts):
        if isinstance(part, _Sign) and part.binds == loosest:
            found.append(_run(parts[start:index], level))
            close = loosest == POWER and is_simple_power(parts[index - 1], parts[index + 1])
            found += [level.line("" if close else " "), part.text, "" if close else " "]
            start = index + 1
    found.append(_run(parts[start:], level))
    return tuple(found)


def _run(parts: list[ast.expr | _Sign | tuple[ast.expr]], level: _Level) -> Document:
    return _operation(parts, level) if len(parts) == 1 else level.group(_operation(parts, level))
