"""Copies of archspec's own modules and functions, as the source that archspec writes has them."""

from __future__ import annotations
import __future__

import importlib
import inspect
from types import CodeType, FunctionType
from typing import Any

from torch import nn

OWN = ("archspec.emit.modules", "archspec.emit.norms", "archspec.emit.padded")
"""Known here by name alone, as in the table of rules."""


def copied_functions(network: nn.Module) -> list[FunctionType]:
    """The functions among the globals of a network's code that are copies of archspec's own."""
    codes = [getattr(type(module).forward, "__globals__", {}) for module in network.modules()]
    known = {id(names): names for names in codes}
    functions = [each for names in known.values() for each in names.values() if isinstance(each, FunctionType)]
    return [each for each in functions if original_function(each)]


def original_function(function: FunctionType) -> str:
    """The qualified name of the function of archspec that this one copies without a change; else an empty text."""
    found = _own(function.__name__)
    return _qualified(found) if isinstance(found, FunctionType) and _same(function, found) else ""


def original(kind: type) -> str:
    """The qualified name of the module class that ``kind`` copies without a change; an empty text if it copies none.

    A class with that name alone is not enough: its bases, its methods and the functions that these call have the same
    code, and its attributes the same values. A copy may leave out what only its ``repr`` needs.
    """
    found = _own(kind.__name__)
    if not isinstance(found, type) or len(kind.__bases__) != len(found.__bases__):
        return ""
    for one, other in zip(kind.__bases__, found.__bases__, strict=True):
        if one is not other and original(one) != _qualified(other):
            return ""
    methods, others = ({name: each for name, each in vars(one).items() if callable(each)} for one in (kind, found))
    shown = {"extra_repr"} - methods.keys()
    same = methods.keys() == others.keys() - shown and all(_same(methods[name], others[name]) for name in methods)
    return _qualified(found) if same and _values(kind) == _values(found) else ""


def _own(name: str) -> Any:
    """What archspec's own modules have under a name; None if they do not have it."""
    found = [getattr(importlib.import_module(module), name, None) for module in OWN]
    return next((each for each in found if each is not None), None)


def _qualified(thing: type | FunctionType) -> str:
    return f"{thing.__module__}.{thing.__name__}"


def _values(kind: type) -> dict[str, Any]:
    """The attributes of a class that are numbers or texts, such as ``rank``."""
    own = vars(kind).items()
    return {name: value for name, value in own if isinstance(value, int | float | str) and not name.startswith("__")}


def _same(first: Any, second: Any) -> bool:
    """Whether two functions have the same code, and the names in it mean the same."""
    first, second = inspect.unwrap(first), inspect.unwrap(second)  # torch.fx wraps functions while it traces
    if not isinstance(first, FunctionType) or not isinstance(second, FunctionType):
        return first is second
    if first.__defaults__ != second.__defaults__ or first.__kwdefaults__ != second.__kwdefaults__:
        return False
    if not _same_code(first.__code__, second.__code__, (first.__doc__, second.__doc__)):
        return False
    missing = object()
    for name in first.__code__.co_names:
        one, other = first.__globals__.get(name, missing), second.__globals__.get(name, missing)
        if one is not other and not (callable(one) and callable(other) and _same(one, other)):
            return False
    return True


def _same_code(first: CodeType, second: CodeType, docs: tuple[str | None, str | None]) -> bool:
    parts = ("co_code", "co_names", "co_varnames", "co_freevars", "co_argcount", "co_kwonlyargcount")
    if any(getattr(first, part) != getattr(second, part) for part in parts):
        return False
    # How a file reads annotations changes no code.
    if (first.co_flags ^ second.co_flags) & ~__future__.annotations.compiler_flag:
        return False
    if len(first.co_consts) != len(second.co_consts):
        return False
    for one, other in zip(first.co_consts, second.co_consts, strict=True):
        if isinstance(one, CodeType) and isinstance(other, CodeType):
            if not _same_code(one, other, (None, None)):
                return False
        elif (one, other) != docs and (type(one) is not type(other) or one != other):
            return False
    return True
