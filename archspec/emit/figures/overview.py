"""The figure of whole stages: one box for the layers around them, and the costs of each part."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby

from archspec.analysis.indexed import index_graph, total
from archspec.display import short
from archspec.emit.figures.parts import Box, Part, Parts, boxes
from archspec.graph.graph import Graph
from archspec.graph.scopes import BETWEEN, HEAD, STEM
from archspec.operations.facts import Facts

HEADINGS = ("output", "parameters", "MACs")
"""The notes at the right of each part."""

_LINES = 8
"""The most layers that a box lists."""


def grouped(parts: Parts, returned: Collection[str]) -> Parts:
    """The parts with all layers before, between and after the stages in one box each.

    A part that splits, or whose value the model returns before the end, stays as it is.
    """
    runs = [(stage, list(run)) for stage, run in groupby(parts, _is_stage)]
    if not any(stage for stage, _ in runs):
        return parts
    found: list[Part] = []
    for number, (stage, run) in enumerate(runs):
        name = STEM if number == 0 else HEAD if number == len(runs) - 1 else BETWEEN
        plain = [part for part in run if isinstance(part, Box)]
        inner = [node for part in plain for node in part.nodes][:-1]
        alone = name == BETWEEN and len(run) == 1
        if stage or alone or len(plain) < len(run) or any(node in returned for node in inner):
            found += run
        else:
            found.append(_box(name, plain))
    return tuple(found)


def _is_stage(part: Part) -> bool:
    return isinstance(part, Box) and part.look == "stage"


def _box(name: str, run: Sequence[Box]) -> Box:
    lines = [part.text for part in run]
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"and {len(lines) - _LINES + 1} more"]
    nodes = tuple([node for part in run for node in part.nodes])
    return Box(nodes, "other", name, shape=run[-1].shape, lines=tuple(lines))


def costs(graph: Graph, parts: Parts) -> tuple[tuple[str, ...], ...]:
    """The parameters and MACs of each part, and last those of the network."""
    facts = dict(zip(graph.by_name, index_graph(graph).facts, strict=True))
    each = [[facts[name] for box in boxes((part,)) for name in box.nodes] for part in parts]
    return tuple([_written(found) for found in [*each, list(facts.values())]])


def _written(facts: Sequence[Facts]) -> tuple[str, ...]:
    return short(sum([each.params for each in facts])), short(total([each.macs for each in facts]))
