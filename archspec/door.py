"""The door of the public functions: what they raise about a spec has no frames of archspec in its traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from archspec.diagnostics import EnvironmentFault, SpecError

P = ParamSpec("P")
R = TypeVar("R")


def door(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, with the traceback of what it says about a spec cut to the caller's frames and this one."""

    @functools.wraps(function)
    def entered(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (SpecError, EnvironmentFault) as error:
            raise error.with_traceback(None) from None  # the text says where the fault is, in the author's file

    return entered
