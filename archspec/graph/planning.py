"""What is known of a network before any of it is built: its stages, and how many blocks each has."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

from archspec.diagnostics import Diagnostic, Faults, Label
from archspec.display import counted
from archspec.graph.block_settings import StagePlan
from archspec.graph.environment import SCALE, Environment, Written
from archspec.language.expressions.values import Value
from archspec.language.spec import Spec, Term
from archspec.work import ENTRIES, EXPANDING


def plan(spec: Spec, root: Environment, faults: Faults) -> list[StagePlan]:
    """The stages, each with how many blocks it has after ``scale.depth``."""
    depth = spec.scale.depth if spec.scale else 1
    shared: dict[str, Value] = {**root.values, "stages": len(spec.stages)}
    counts = []
    inherited: list[Diagnostic] = []
    for stage in spec.stages:
        faults.work.spend(EXPANDING, 10 + len(stage.cells) + len(shared) // ENTRIES, stage.span)
        values = {**shared, "stage": stage.number + 1}
        count = math.ceil(Environment(values, stage.span, root).whole(stage.cells["count"].at(0)) * depth)
        counts.append(count)
        for key, column in (*stage.cells.items(), ("block", stage.blocks)):
            if column.by_block and len(column.entries) != count:
                found = f"this cell of `{key}` has {counted(len(column.entries), 'value')}"
                message = f"{found}, but stage {stage.number + 1} has {counted(count, 'block')}"
                labels = (Label(stage.cells["count"].span, f"{counted(count, 'block')} here"),)
                unequal = Diagnostic("E311", message, column.span, labels=labels)
                if spec.authors.wrote(column.span.source):
                    faults.add(unequal)
                else:  # these cells are correct with the count that they were written for
                    inherited.append(unequal)
    if inherited:
        notes = (f"the same in {counted(len(inherited) - 1, 'more cell')}",) if len(inherited) > 1 else ()
        faults.add(replace(inherited[0], notes=notes))
    faults.raise_errors()
    shared["blocks"] = sum(counts)
    firsts = itertools.accumulate(counts, initial=0)
    return [
        StagePlan(stage, count, first, root, {**shared, "stage": stage.number + 1, "count": count})
        for stage, count, first in zip(spec.stages, counts, firsts, strict=False)
    ]


def places(spec: Spec) -> Written:
    """Where the names that every expression sees are written."""
    paths = {"classes": ("classes",), **{name: ("params", name) for name in spec.params}}
    places = spec.document.places
    found: Written = {name: (Term(places[path].value), None) for name, path in paths.items() if path in places}
    return found | ({SCALE: (Term(spec.scale.span), None)} if spec.scale else {})
