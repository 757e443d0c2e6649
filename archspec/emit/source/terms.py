"""Operations and uses of definitions as Python text that makes a module or calls a function."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from archspec.diagnostics import SpecError
from archspec.emit.refusal import refusal
from archspec.emit.source.literals import literal
from archspec.graph.formulas import Class, Condition, Expression, Formula, Joined, Relation, Variable, show
from archspec.graph.patterns import Leaf
from archspec.operations.base import TorchCall

AUXILIARY = ("archspec.emit.modules.", "archspec.emit.padded.", "archspec.emit.norms.")
"""The prefixes of names that torch lacks, whose text is copied into the file."""

_INFIX: Mapping[str, str] = {
    "operator.add": "+",
    "operator.sub": "-",
    "operator.mul": "*",
    "torch.add": "+",
    "torch.mul": "*",
}
_OPERATORS = frozenset({"operator.add", "operator.sub", "operator.mul", "operator.getitem"})
_IN_PLACE: Mapping[str, str] = {"add_": "+=", "mul_": "*=", "sub_": "-="}
_BY_POSITION = ("p", "kernel_size", "stride", "padding")
"""The first keyword arguments of torch's layers in the order of their positions; the first is that of dropouts."""


@dataclass(frozen=True)
class SourceText:
    """An expression: its text, how deep its calls are nested, whether an operator joins it, and layers with weights."""

    text: str
    depth: int = 0
    joined: bool = False
    weighted: bool = False

    @property
    def operand(self) -> str:
        """The text where an operator or a dot follows."""
        return f"({self.text})" if self.joined else self.text


def substituted(expression: Expression, given: Mapping[str, Expression]) -> Expression:
    """An expression with other ones in place of names.

    >>> show(substituted(Formula("*", 4, Variable("channels")), {"channels": Formula("+", Variable("width"), 1)}))
    '4 * (width + 1)'
    """
    if isinstance(expression, Variable):
        return given.get(expression.name, expression)
    if isinstance(expression, Formula):
        return replace(expression, left=substituted(expression.left, given), right=substituted(expression.right, given))
    if isinstance(expression, tuple):
        return tuple([substituted(each, given) for each in expression])
    if isinstance(expression, slice):
        parts = (expression.start, expression.stop, expression.step)
        return slice(*[substituted(each, given) for each in parts])
    return expression


def condition(given: Condition, names: Mapping[str, Expression]) -> Condition:
    """A condition with other expressions in place of names."""
    if isinstance(given, Relation):
        return replace(given, left=substituted(given.left, names), right=substituted(given.right, names))
    if isinstance(given, Joined):
        return replace(given, conditions=tuple([condition(each, names) for each in given.conditions]))
    found = names.get(given.name, given)
    return found if isinstance(found, Variable) else Relation("==", found, True)


def written(expression: Expression) -> str:
    """The text of an expression.

    >>> written((Variable("kernel"), 1e-05, Class("torch.nn.ReLU")))
    '(kernel, 1e-5, nn.ReLU)'
    """
    if isinstance(expression, tuple):
        return f"({', '.join(map(written, expression))}{',' * (len(expression) == 1)})"
    if isinstance(expression, Variable | Formula | slice | Class):
        return show(expression)
    return literal(expression)


def target(name: str) -> str:
    """The name in the file for a qualified name of torch."""
    own = [(prefix, "") for prefix in AUXILIARY]
    for prefix, short in (("torch.nn.functional.", "F."), ("torch.nn.", "nn."), *own, ("torch.", "torch.")):
        if name.startswith(prefix):
            return short + name.removeprefix(prefix)
    return name


def made(leaf: Leaf, given: Mapping[str, Expression]) -> str:
    """The text that makes the module of an operation: ``nn.Conv2d(3, 64, kernel_size=7)``."""
    kwargs = {name: substituted(value, given) for name, value in leaf.call.kwargs.items()}
    args = [written(substituted(value, given)) for value in leaf.call.args]
    for name in _BY_POSITION:
        # As in nn.Dropout(0.2), nn.Conv2d(3, 64, 7) and nn.Conv2d(in_channels, out_channels, kernel_size, stride).
        if next(iter(kwargs), None) != name or not _may_be_by_position(name, kwargs[name]):
            if name != "p":
                break
        else:
            args.append(written(kwargs.pop(name)))
    args += [f"{name}={written(value)}" for name, value in kwargs.items()]
    called = written(substituted(leaf.target, given)) if leaf.target else target(leaf.call.target)
    return f"{called}({', '.join(args)})"


def _may_be_by_position(name: str, value: Expression) -> bool:
    """A stride or a padding is given by position only if its text says what it is."""
    if name == "stride":
        return value == Variable(name)
    return name != "padding" or isinstance(value, Variable | Formula)


def called(
    leaf: Leaf, inputs: Sequence[SourceText], weights: Sequence[str], given: Mapping[str, Expression]
) -> SourceText:
    """A call of a function or a method on ``inputs``, then on the operation's own ``weights``."""
    call = leaf.call
    depth = max(each.depth for each in inputs) + 1
    weighted = any(each.weighted for each in inputs)
    args = [substituted(value, given) for value in call.args]
    kwargs = [f"{name}={written(substituted(value, given))}" for name, value in call.kwargs.items()]
    operands = [*[each.operand for each in inputs], *weights]
    if call.target == "operator.getitem":
        return SourceText(f"{operands[0]}[{_index(args[0])}]", depth, weighted=weighted)
    if call.target in _INFIX and not kwargs:
        text = f" {_INFIX[call.target]} ".join([*operands, *map(written, args)])
        return SourceText(text, depth, joined=True, weighted=weighted)
    rest = [*map(written, args), *kwargs]
    if call.kind == "method":
        if not call.fold:
            return SourceText(
                f"{operands[0]}.{call.target}({', '.join([*operands[1:], *rest])})", depth, weighted=weighted
            )
        text = operands[0] + "".join([f".{call.target}({', '.join([each, *rest])})" for each in _plain(inputs[1:])])
        return SourceText(text, depth, weighted=weighted)
    if call.fold and not weights and not rest:
        text = functools.reduce(lambda left, right: f"{target(call.target)}({left}, {right})", _plain(inputs))
        return SourceText(text, depth, weighted=weighted)
    given_inputs = [f"[{', '.join(_plain(inputs))}]"] if call.packed else _plain(inputs)
    return SourceText(f"{target(call.target)}({', '.join([*given_inputs, *weights, *rest])})", depth, weighted=weighted)


def in_place(call: TorchCall, inputs: Sequence[str]) -> str | None:
    """The statement that overwrites the first input, such as ``x += y``, or None."""
    if call.kind == "method" and call.target in _IN_PLACE and len(inputs) == 2 and not call.args and not call.kwargs:
        return f"{inputs[0]} {_IN_PLACE[call.target]} {inputs[1]}"
    return None


def _plain(inputs: Sequence[SourceText]) -> list[str]:
    return [each.text for each in inputs]


def _index(items: Expression) -> str:
    """The index inside the brackets of ``x[:, 1:]``, or the parameter with it."""
    if not isinstance(items, tuple):
        return written(items)
    return ", ".join([_slice(each) if isinstance(each, slice) else written(each) for each in items])


def _slice(item: slice) -> str:
    start, stop, step = ["" if each is None else written(each) for each in (item.start, item.stop, item.step)]
    return f"{start if start != '0' else ''}:{stop}" + (f":{step}" if step else "")


def check(leaf: Leaf) -> None:
    """Refuse an operation whose torch call the file cannot name.

    Raises:
        SpecError: E830, the operation is neither in torch nor among archspec's own modules.
    """
    name = leaf.call.target
    known = leaf.call.kind == "method" or name.startswith(("torch.", *AUXILIARY)) or name in _OPERATORS
    if not known:
        node = next(each for each in leaf.nodes if each is not None)
        reason = f"it is `{name}` in Python, which is not part of torch"
        raise SpecError([refusal("the source", node, reason, "build the network with `archspec.build` instead")])
