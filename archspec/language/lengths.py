"""How many stages a table has: the length of its lists, which must be equal."""

from __future__ import annotations

from collections.abc import Collection

from archspec.diagnostics import Diagnostic, Faults, Label, cut
from archspec.display import counted
from archspec.language.sequences import is_step
from archspec.language.terms import Cursor
from archspec.wording import listed

GENERATED = frozenset({"count", "channels", "group_width"})
"""The columns that ``quantized_linear`` may generate; lists of other lengths there are not used."""


SEQUENCES = ("before", "after")
"""The columns of sequences of steps."""


def generated_length(table: Cursor, length: int, left_out: Collection[str], faults: Faults) -> int:
    """The number of generated stages, with a fault for each list of another length, apart from columns left out."""
    for key, value in table.value.items():
        if isinstance(value, list) and len(value) != length and key not in GENERATED and key not in left_out:
            generated = f"`quantized_linear` generates {counted(length, 'stage')}"
            message = f"`{cut(key)}` has {counted(len(value), 'value')}, but {generated}"
            _unequal(table, key, message, "quantized_linear", length, faults)
    return length


def table_length(table: Cursor, left_out: Collection[str], faults: Faults) -> int | None:
    """The number of stages according to the lists of a table, apart from columns left out; None without a list."""
    steps = [key for key in SEQUENCES if isinstance(cells := table.value.get(key), list) and any(map(is_step, cells))]
    passed = {*left_out, *steps, *(GENERATED if "quantized_linear" in table.value else ())}
    lists = {key: value for key, value in table.value.items() if isinstance(value, list) and key not in passed}
    if not lists:
        return None
    own = [key for key in lists if is_own(table, key)]
    inherited = [key for key in lists if key not in own]
    for keys in (own, inherited):
        for key in [key for key in keys if len(lists[key]) != len(lists[keys[0]])]:
            found = f"`{cut(key)}` has {counted(len(lists[key]), 'value')}"
            found = (
                f"{found}, but `{cut(keys[0])}` has {len(lists[keys[0]])}: a list must have one value for each stage"
            )
            _unequal(table, key, found, keys[0], len(lists[keys[0]]), faults)
    others = [key for key in inherited if own and len(lists[key]) != len(lists[own[0]])]
    if others:
        faults.add(_unlike_the_base(table, own[0], others[:8]))
    return min(len(value) for value in lists.values())


def is_own(table: Cursor, key: str) -> bool:
    """Whether a column was written in the spec itself or in an override, not in a spec that it extends."""
    source = table.child(key).span.source
    return source is table.document.span(("name",)).source or source.kind == "override"


def _unequal(table: Cursor, key: str, message: str, other: str, length: int, faults: Faults) -> None:
    label = Label(table.child(other).span, f"{counted(length, 'stage')} here")
    faults.record("E311", message, table.child(key).span, labels=(label,))


def _unlike_the_base(table: Cursor, key: str, others: list[str]) -> Diagnostic:
    """The fault of a list in the spec whose length differs from lists in a spec that it extends."""
    length, value = len(table.value[key]), table.value
    told = listed([f"`{cut(name)}` has {len(value[name])}" for name in others])
    found = f"`{cut(key)}` has {counted(length, 'value')}, but in the base spec {told}"
    message = f"{found}: a list must have one value for each stage"
    labels = [Label(table.child(name).span, f"{counted(len(value[name]), 'stage')} here") for name in others]
    names = listed([f"`{cut(name)}`" for name in others])
    help = f"write {names} too, with {counted(length, 'value')}{' each' if len(others) > 1 else ''}"
    return Diagnostic("E311", message, table.child(key).span, labels=tuple(labels), help=help)
