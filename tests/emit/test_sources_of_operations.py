"""Both sources of each operation: they compute what `build` does, and `verify` proves the readable one."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from archspec.emit.source.auxiliary import names_of_auxiliary
from archspec.tracing.copies import OWN
from tests.emit.test_lowlevel import assert_same_outputs
from tests.operations.entries import CASES, MORE, Case
from tests.support.sources import TARGETS, assert_same_network, executed, network_class


def target(case: Case) -> str:
    return case.operation.torch(case.inputs).target


def fits(case: Case) -> bool:
    """Whether the further inputs of a case can be pools of the first."""
    channels = {shape[0] for shape in case.inputs}
    return len(case.inputs) == 1 or (len(channels) == 1 and len(case.inputs[0]) > 1)


LIKE = Case("upsample", {"like": "other", "mode": "bilinear"}, ((4, 6, 5), (4, 9, 7)))
NUMBERS = [case for case in (*CASES, *MORE, LIKE) if not case.given.get("power", 2) % 2]
"""Without odd powers: of negative values they are not numbers, and do not compare."""
USES = [case for case in NUMBERS if fits(case)]
COPIED = [case for case in USES if target(case).startswith("archspec.emit.")]


@pytest.mark.parametrize("case", USES, ids=str)
def test_readable_source_gives_what_is_built(case: Case) -> None:
    assert_same_network(archspec.source(case.graph), case.graph, batch=3)


@pytest.mark.parametrize("case", USES, ids=str)
def test_low_level_source_computes_what_is_built(case: Case) -> None:
    graph = case.graph
    lowlevel = executed(archspec.source(graph, level="lowlevel"))
    assert_same_outputs(lowlevel, graph, archspec.build(graph, seed=0))


@pytest.mark.parametrize("case", COPIED, ids=str)
def test_a_copied_class_or_function_is_known(case: Case, tmp_path: Path) -> None:
    graph, path = case.graph, tmp_path / "a file.py"
    source = archspec.source(graph)
    path.write_text(source, encoding="utf-8")
    verdict = archspec.verify(graph, f"{path}:{network_class(executed(source)).__name__}")
    assert verdict.holds("keys", "graph", "outputs"), verdict


def test_all_that_is_copied_is_tried() -> None:
    """A new file of such definitions must be known to the tracing; a new definition needs a case."""
    modules, names = ({target(case).rpartition(".")[part] for case in COPIED} for part in (0, 2))
    assert modules == set(OWN)
    assert names >= TARGETS & names_of_auxiliary()
