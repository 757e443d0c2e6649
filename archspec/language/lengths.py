"""How many stages a table has: the length of its lists, which must be equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from archspec.diagnostics import Diagnostic, Faults, Label, cut
from archspec.display import counted
from archspec.language.sequences import is_step
from archspec.language.terms import Cursor
from archspec.wording import listed

GENERATED = frozenset({"count", "channels", "group_width"})
"""The columns that ``quantized_linear`` may generate; lists of other lengths there are not used."""


SEQUENCES = ("before", "after", "around")
"""The columns of sequences of steps."""

STAGES = frozenset({"block", "count", "channels", "stride"})
"""The columns that an author writes to have other stages; other columns set something in the stages there are."""
MAX_TOLD = 8
"""How many columns a message lists."""


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
    lengths = {key: len(lists[key]) for key in (*own, *[key for key in lists if key not in own])}
    if len(set(lengths.values())) > 1:
        faults.add(_unequal_lists(table, lengths, own))
    return min(lengths.values())


def is_own(table: Cursor, key: str) -> bool:
    """Whether a column was written in the spec itself or in an override, not in a spec that it extends."""
    source = table.child(key).span.source
    return source is table.document.span(("name",)).source or source.kind == "override"


def _unequal(table: Cursor, key: str, message: str, other: str, length: int, faults: Faults) -> None:
    label = Label(table.child(other).span, f"{counted(length, 'stage')} here")
    faults.record("E311", message, table.child(key).span, labels=(label,))


def _meant(lengths: Mapping[str, int], own: Collection[str]) -> int:
    """The number of stages that lists of different lengths are taken to mean.

    It is that of the author's own lists, if these agree with each other, disagree with all inherited ones, and change
    the stages; otherwise that of the most lists, own ones first.
    """
    inherited = [length for key, length in lengths.items() if key not in own]
    said = [lengths[key] for key in own]
    if not inherited or STAGES.intersection(own):
        if len(set(said)) == 1 and said[0] not in inherited:
            return said[0]
        inherited += said
    votes, first = Counter(inherited or said), Counter(said)
    return max(lengths.values(), key=lambda length: (votes[length], first[length]))


def _unequal_lists(table: Cursor, lengths: Mapping[str, int], own: list[str]) -> Diagnostic:
    """The fault of lists of different lengths, at the author's first list that differs from what is meant."""
    length = _meant(lengths, own)
    wrong = [key for key in own or lengths if lengths[key] != length]
    lacking = [key for key in lengths if own and key not in own and lengths[key] != length][:MAX_TOLD]
    if not wrong:
        return _unlike_the_base(table, lengths, own, lacking)
    right = [key for key in lengths if lengths[key] == length][:MAX_TOLD]
    base = "in the base spec " if own and not set(right).intersection(own) else ""
    first, *others = [f"`{cut(key)}` has {lengths[key]}" for key in wrong[:MAX_TOLD]]
    found = listed([f"{first} value{'s' if lengths[wrong[0]] != 1 else ''}", *others])
    message = f"{found}, but {base}{_told(right, lengths)}: a list must have one value for each stage"
    labels = tuple([_label(table, key, lengths) for key in (*right, *wrong[1:MAX_TOLD])])
    span, help = table.child(wrong[0]).span, f"write {counted(length, 'value')} in {_names(wrong[:MAX_TOLD])}"
    if _by_row(table, wrong[0]):
        rows = counted(lengths[wrong[0]], "row")
        message = f"the table has {rows}, but {base}{_told(right, lengths)}: a list must have one value for each stage"
        span, help = table.key_span, f"write {counted(length, 'row')}"
    if lacking:
        help += f", and write {_too(lacking, length)}"
    return Diagnostic("E311", message, span, labels=labels, help=help)


def _unlike_the_base(table: Cursor, lengths: Mapping[str, int], own: list[str], others: list[str]) -> Diagnostic:
    """The fault of a spec's own lists whose length differs from that of lists in a spec that it extends."""
    key, length = own[0], lengths[own[0]]
    labels = tuple([_label(table, name, lengths) for name in others])
    told = f"in the base spec {_told(others, lengths)}: a list must have one value for each stage"
    if _by_row(table, key):
        message = f"the table has {counted(length, 'row')}, but {told}"
        help = f"write {_names(others)} in every row too, or {counted(lengths[others[0]], 'row')}"
        return Diagnostic("E311", message, table.key_span, labels=labels, help=help)
    help = f"write {_too(others, length)}"
    if len(own) == 1 and len({lengths[name] for name in others}) == 1:
        help += f", or write {counted(lengths[others[0]], 'value')} in {_names(own)}"
    message = f"`{cut(key)}` has {counted(length, 'value')}, but {told}"
    return Diagnostic("E311", message, table.child(key).span, labels=labels, help=help)


def _by_row(table: Cursor, key: str) -> bool:
    """Whether a column was written row by row: then its place is that of its first cell."""
    column = table.child(key)
    return bool(column.value) and column.span == column.child(0).span


def _told(keys: Sequence[str], lengths: Mapping[str, int]) -> str:
    return listed([f"`{cut(key)}` has {lengths[key]}" for key in keys])


def _names(keys: Sequence[str]) -> str:
    return listed([f"`{cut(key)}`" for key in keys])


def _too(keys: Sequence[str], length: int) -> str:
    return f"{_names(keys)} too, with {counted(length, 'value')}{' each' if len(keys) > 1 else ''}"


def _label(table: Cursor, key: str, lengths: Mapping[str, int]) -> Label:
    return Label(table.child(key).span, f"{counted(lengths[key], 'stage')} here")
