"""The signature of a definition's class, and its calls: which arguments are given by position, by name, or left out."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.emit.source.terms import written
from archspec.graph.formulas import Class, Constant, Expression
from archspec.graph.patterns import Definition, Parameter

_BY_POSITION = ("in_channels", "channels", "out_channels")
"""The parameters that are given by position, in this order."""
_FEWEST_USES = 3
_RATE = "drop_path"
"""The parameter with the rate of a block's stochastic depth."""
_NEUTRAL: tuple[Constant, ...] = (1, 0, 0.0, 3, False, True, None)
"""The values that a default may have; for a kernel size it is 3."""
_NEUTRAL_WORDS = ("stride", "dilation", "groups", "drop_path")
"""Parameters that have a default even if only some uses leave it unchanged."""


def signature(definition: Definition) -> str:
    """The parameters with their types and defaults: ``in_channels: int, channels: int, stride: int = 1``."""
    known = defaults(definition)
    shown = []
    for parameter in _ordered(definition):
        text = f"{parameter.name}: {_type(parameter.values)}"
        shown.append(f"{text} = {written(known[parameter.name])}" if parameter.name in known else text)
    return ", ".join(shown)


def use(definition: Definition, name: str, given: Mapping[str, Expression]) -> str:
    """The text that makes an instance: ``Bottleneck(256, 128, stride=2)``."""
    known = defaults(definition)
    shown = []
    for parameter in _ordered(definition):
        value = given[parameter.name]
        if parameter.name in known and _same(known[parameter.name], value):
            continue
        number = definition.rates.number(value) if definition.rates and parameter.name == _RATE else None
        if definition.rates and number:
            value = definition.rates.formula(number)
        by_position = parameter.name in _BY_POSITION or len(definition.parameters) == 1
        shown.append(written(value) if by_position else f"{parameter.name}={written(value)}")
    return f"{name}({', '.join(shown)})"


def defaults(definition: Definition) -> dict[str, Constant]:
    """The parameters whose default is a neutral value, because most uses have it."""
    found: dict[str, Constant] = {}
    for parameter in definition.parameters:
        if parameter.name in _BY_POSITION or len(parameter.values) < _FEWEST_USES:
            continue
        for value in _NEUTRAL:
            times = sum(_same(value, each) for each in parameter.values)
            if times * 2 > len(parameter.values) or (times > 1 and parameter.name in _NEUTRAL_WORDS):
                found[parameter.name] = value
                break
    return found


def _same(first: Constant, second: Expression) -> bool:
    return type(first) is type(second) and repr(first) == repr(second)


def _ordered(definition: Definition) -> list[Parameter]:
    """Those that are given by position, then those without a default, then the rest."""
    known = defaults(definition)

    def place(parameter: Parameter) -> tuple[int, bool]:
        at = _BY_POSITION.index(parameter.name) if parameter.name in _BY_POSITION else len(_BY_POSITION)
        return at, parameter.name in known

    return sorted(definition.parameters, key=place)


def _type(values: tuple[Constant, ...]) -> str:
    kinds = {_kind(value) for value in values}
    if kinds == {"int", "float"}:
        kinds = {"float"}
    return " | ".join(sorted(kinds, key=lambda kind: (kind == "None", kind)))


def _kind(value: Constant) -> str:
    if value is None:
        return "None"
    if isinstance(value, Class):
        return "type[nn.Module]"
    if isinstance(value, tuple):
        inner = sorted({_kind(each) for each in value if not isinstance(each, tuple)})  # type: ignore[arg-type]
        return f"tuple[{inner[0]}, ...]" if len(inner) == 1 else "tuple"
    return type(value).__name__
