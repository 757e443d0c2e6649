"""How tightly expressions of Python bind, and where ``ruff format`` puts parentheses around them."""

from __future__ import annotations

import ast

from archspec.emit.source.literals import literal

SIGNS: dict[type, tuple[str, int]] = {
    ast.Or: ("or", 2),
    ast.And: ("and", 3),
    ast.Not: ("not ", 4),
    ast.Eq: ("==", 5),
    ast.NotEq: ("!=", 5),
    ast.Lt: ("<", 5),
    ast.LtE: ("<=", 5),
    ast.Gt: (">", 5),
    ast.GtE: (">=", 5),
    ast.Is: ("is", 5),
    ast.IsNot: ("is not", 5),
    ast.In: ("in", 5),
    ast.NotIn: ("not in", 5),
    ast.BitOr: ("|", 6),
    ast.Add: ("+", 7),
    ast.Sub: ("-", 7),
    ast.Mult: ("*", 8),
    ast.Div: ("/", 8),
    ast.FloorDiv: ("//", 8),
    ast.Mod: ("%", 8),
    ast.MatMult: ("@", 8),
    ast.USub: ("-", 9),
    ast.UAdd: ("+", 9),
    ast.Invert: ("~", 9),
    ast.Pow: ("**", 10),
}
"""How each operator is written, and how tightly it binds."""

CONDITIONAL, BOOLEAN, COMPARISON, POWER, ATOM = 1, 3, 5, 10, 11


def binds_of(node: ast.expr) -> int:
    """How tightly the outermost operator of an expression binds."""
    match node:
        case ast.IfExp() | ast.Lambda() | ast.NamedExpr() | ast.Starred():
            return CONDITIONAL
        case ast.Compare():
            return COMPARISON
        case ast.BinOp() | ast.BoolOp() | ast.UnaryOp():
            return SIGNS[type(node.op)][1]
    return ATOM


def is_simple(node: ast.expr) -> bool:
    """Whether it is written without spaces in a slice."""
    if isinstance(node, ast.UnaryOp):
        return not isinstance(node.op, ast.Not) and is_simple(node.operand)
    return isinstance(node, ast.Name | ast.Constant)


def is_simple_power(left: object, right: object) -> bool:
    """Whether ``**`` is written without spaces between these."""

    def simple(node: object) -> bool:
        while isinstance(node, ast.Attribute | ast.UnaryOp):
            if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                return False
            node = node.value if isinstance(node, ast.Attribute) else node.operand
        if isinstance(node, ast.Constant):
            return node.value is None or isinstance(node.value, int | float | complex)
        return isinstance(node, ast.Name)

    in_parentheses = isinstance(left, ast.UnaryOp)
    return not in_parentheses and simple(left) and simple(right)


def is_fluent(node: ast.expr) -> bool:
    """Whether at least two attributes of a chain follow a call, a subscript, or parentheses."""
    count = 0
    while True:
        if isinstance(node, ast.Attribute):
            node = node.value
            count += isinstance(node, ast.Call | ast.Subscript) or binds_of(node) < ATOM
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            return count > 1


def is_solid(node: ast.expr) -> bool:
    """Whether it cannot break: a name, a constant, or an attribute of one."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    if isinstance(node, ast.Constant):
        return True
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def solid(node: ast.expr) -> str:
    """The text of an expression that is solid."""
    match node:
        case ast.Attribute():
            return f"{solid(node.value)}.{node.attr}"
        case ast.UnaryOp():
            return f"{SIGNS[type(node.op)][0]}{solid(node.operand)}"
        case ast.Constant():
            return literal(node.value)
    return ast.unparse(node)


def is_multiline(node: ast.expr) -> bool:
    """Whether it can break only inside parentheses: an operator, or a chain of several calls."""
    if isinstance(node, ast.UnaryOp):
        return binds_of(node.operand) >= SIGNS[type(node.op)][1] and is_multiline(node.operand)
    return isinstance(node, ast.IfExp | ast.BinOp | ast.BoolOp | ast.Compare) or is_fluent(node)


def may_omit_parentheses(node: ast.expr) -> bool:
    """Whether an expression that does not fit may expand one of its own brackets and needs no parentheses."""
    parts = _Operands(node)
    if not parts.has_brackets or parts.count > 1:
        return False
    if parts.loosest == ATOM:  # a single attribute of a call
        return True
    return any(each is not None and (each[1] or _is_bracket(each[0])) for each in (parts.first, parts.last))


class _Operands:
    """The loosest operators and the brackets of an expression, which decide whether it needs parentheses to break.

    ``first`` and ``last`` are the outermost operands, each with whether it is in parentheses.
    """

    def __init__(self, node: ast.expr) -> None:
        self.loosest, self.count = ATOM + 1, 0
        self.has_brackets = False
        self.first: tuple[ast.expr, bool] | None = None
        self.last: tuple[ast.expr, bool] | None = None
        self._walk(node, 0)

    def _operator(self, binds: int, count: int = 1) -> None:
        if binds < self.loosest:
            self.loosest, self.count = binds, count
        elif binds == self.loosest:
            self.count += count

    def _walk(self, node: ast.expr, least: int) -> None:
        parenthesized = binds_of(node) < least
        self.last = (node, parenthesized)
        if parenthesized:
            self.has_brackets = True
        else:
            self._inside(node)
        if self.first is None:
            self.first = (node, parenthesized)

    def _inside(self, node: ast.expr) -> None:
        binds = binds_of(node)
        match node:
            case ast.BinOp():
                self._operator(binds)
                power = isinstance(node.op, ast.Pow)
                self._walk(node.left, binds + power)
                self._walk(node.right, binds - 1 if power else binds + 1)
            case ast.BoolOp():
                self._operator(BOOLEAN, len(node.values) - 1)
                for each in node.values:
                    self._walk(each, binds + 1)
            case ast.Compare():
                self._operator(binds, len(node.ops))
                for each in (node.left, *node.comparators):
                    self._walk(each, binds + 1)
            case ast.IfExp():
                self._operator(binds, 2)
                for each in (node.body, node.test, node.orelse):
                    self._walk(each, binds + 1)
            case ast.UnaryOp():
                self.first = self.first or (ast.Name("sign"), False)
                self._walk(node.operand, binds)
            case ast.Attribute():
                self._walk(node.value, ATOM)
                if _has_brackets(node.value) or binds_of(node.value) < ATOM:
                    self._operator(ATOM)
                self.last = (node, False)
            case ast.Call() | ast.Subscript():
                self.has_brackets = True
                self._walk(node.func if isinstance(node, ast.Call) else node.value, ATOM)
                self.last = (node, False)
            case _ if _has_brackets(node):
                self.has_brackets = True


def _has_brackets(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript | ast.List | ast.Tuple | ast.Dict | ast.Call) or _is_bracket(node)


def _is_bracket(node: ast.expr) -> bool:
    """Whether it ends with a bracket that can expand; ruff does not let a subscript do so beside an operator."""
    match node:
        case ast.Call():
            return bool(node.args or node.keywords)
        case ast.List() | ast.Tuple():
            return bool(node.elts)
        case ast.Dict():
            return bool(node.keys)
    return isinstance(node, ast.Set | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
