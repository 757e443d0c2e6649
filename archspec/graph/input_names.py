"""The names of the values that a definition reads: those that the fragment has for them in the spec."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from archspec.graph.columns import safe
from archspec.graph.plan import Module

LOCAL = frozenset({"p", "name", "training", "extra", "out"})
"""Names that functions of source have for other things."""


def input_names(modules: Sequence[Module], taken: Collection[str]) -> tuple[str, ...]:
    """The names of the values that modules of one structure read: ``x``, and those that their fragment has for others.

    Where the uses have several names for one, or a parameter has its name, it has a number in place of a name.
    """
    found = ["x"]
    for place in range(1, len(modules[0].inputs)):
        names = {_input_name(module, place) for module in modules}
        name = safe(names.pop()) if len(names) == 1 else ""
        found.append(f"x{place + 1}" if not name or name in taken or name in found or name in LOCAL else name)
    return tuple(found)


def _input_name(module: Module, place: int) -> str:
    inputs = module.region.inputs if module.region else {}
    return next((name for name, value in inputs.items() if value == module.inputs[place]), "")
