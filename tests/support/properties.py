"""What the property tests share: how many specs they try, and what makes two graphs the same."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

import archspec
from archspec import SpecLike
from archspec.diagnostics import Source

# Whole specs are large draws; that is no sign of a slow test.
SLOW_DRAWS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def tries(number: int) -> settings:
    """So many examples, or as many as ``ARCHSPEC_SPECS`` says."""
    count = int(os.environ.get("ARCHSPEC_SPECS", number))
    return settings(max_examples=count, suppress_health_check=SLOW_DRAWS)


def compiled(text: str) -> archspec.Graph:
    """The graph of a text, whatever it begins with."""
    return archspec.compile(archspec.load(Source("drawn.yaml", str(text))))


def fingerprint(spec: SpecLike) -> str:
    """The hash of a spec's network."""
    return archspec.compile(spec).fingerprint


def meaning(graph: archspec.Graph) -> dict[str, Any]:
    """Everything of a graph but the places and texts that it was read from."""
    return {
        "nodes": [(node.name, node.operation, node.inputs, node.shape, node.scope) for node in graph.nodes],
        "input": graph.input,
        "outputs": dict(graph.outputs),
        "single": graph.single,
        "regions": [(r.kind, r.scope, r.name, r.first, r.last, r.source, r.result, r.shortcut) for r in graph.regions],
        "init": {key: value for key, value in graph.init.items() if value is not None},
        "hash": graph.fingerprint,
    }
