"""What a spec says of the values that the model returns."""

from __future__ import annotations

from typing import NamedTuple

from archspec.diagnostics import Span

RETURNS = ("dict", "tuple")
"""How a model may return several values."""


class Returned(NamedTuple):
    """A value that the model returns: its key, and the name of a scope, a part or a kept value.

    ``training``: it is returned in training mode only.
    """

    label: str
    name: str
    span: Span
    training: bool = False
