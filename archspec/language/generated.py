"""The columns of a stage table that ``quantized_linear`` generates."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.diagnostics import Faults, cut
from archspec.language.expressions.closures import ScaleWidth
from archspec.language.expressions.values import Value
from archspec.language.regnet import QUANTIZED, in_groups, quantized_linear
from archspec.language.spec import Term
from archspec.language.terms import Cursor, read_term, real, whole

Columns = dict[str, list[Term]]


def generated_columns(
    table: Cursor, params: Mapping[str, Value], scale: ScaleWidth, faults: Faults
) -> tuple[frozenset[str], Columns]:
    """The columns that the rule of a stage table generates, and their values.

    Both are empty without a rule. A faulty rule gives no values; its faults are collected.
    """
    rule = table.get("quantized_linear")
    if rule is None:
        return frozenset(), {}
    own = rule.get("group_width")
    columns = frozenset({"count", "channels", "group_width"} if own else {"count", "channels"})
    cells = rule.filled()
    rounding = str(cells.pop("rounding").value) if "rounding" in cells else "paper"
    values = {key: read_term(item, "number", faults) for key, item in cells.items()}
    numbers = {key: real(term, params, scale, faults) for key, term in values.items()}
    if missing := [f"`{key}`" for key in ("depth", "w_0", "w_a", "w_m") if key not in values]:
        faults.record("E203", f"`quantized_linear` needs {', '.join(missing)}", rule.key_span)
        return columns, {}
    beside = table.get("group_width") if own is None else None
    term = values.get("group_width") or (read_term(beside, "number", faults) if beside else None)
    group = whole(term, params, scale, faults) if term else 1
    for key in sorted(columns):
        if table.get(key):
            message = f"`quantized_linear` generates `{key}`, so the value here is not used"
            faults.record("W304", message, table.child(key).key_span)
    depth = whole(values["depth"], params, scale, faults)
    faulty = [key for key, (fits, _) in QUANTIZED.items() if not fits(numbers[key])]
    for key in faulty:
        message = f"`quantized_linear.{key}` must be {QUANTIZED[key][1]}, not {cut(numbers[key])}"
        faults.record("E205", message, values[key].span)
    if faulty:
        return columns, {}
    widths, counts = quantized_linear(depth, numbers["w_0"], numbers["w_a"], numbers["w_m"])
    fitting, groups = in_groups(widths, group, rounding)
    if own is None:  # a rule with a group width asks for widths and groups that fit each other
        _warn(rule, widths, fitting, group, faults)
    found = {
        key: [Term(rule.span, value) for value in column] for key, column in (("count", counts), ("channels", fitting))
    }
    return columns, found | ({"group_width": [Term(term.span, value) for value in groups]} if term else {})


def _warn(rule: Cursor, widths: list[int], fitting: list[int], group: int, faults: Faults) -> None:
    """Warn if the table's group width changes the widths of the rule, or has to be smaller in a stage."""
    if fitting != widths:
        faults.record("W502", f"widths {widths} become {fitting}, multiples of the group width {group}", rule.key_span)
    elif group > widths[0]:
        message = f"the group width {group} becomes {widths[0]} in stage 1, which has only {widths[0]} channels"
        faults.record("W502", message, rule.key_span)
