"""Work, counted: the calls that an action makes, which are the same on every machine and however busy it is.

A test of time whose bound is near fails where the machine is slow; where work is many small calls, that it does not
grow out of bounds shows in their number. What one call does in a loop of its own, or in an extension, does not.
"""

from __future__ import annotations

import cProfile
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def calls(action: Callable[[], Result]) -> tuple[Result, int]:
    """What an action returns, and how many calls of functions it makes, those of built-in ones too."""
    profile = cProfile.Profile()
    result = profile.runcall(action)
    return result, sum(entry.callcount for entry in profile.getstats())
