"""What a caller in Python may pass wrongly: mistakes in a program, which are no faults of a spec."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch

import archspec
from archspec.diagnostics import Diagnostic
from archspec.operations.base import Operation
from archspec.testing import check
from archspec.testing.expectations import check_expectations

SPEC = "archspec: 1\nname: t\ninput: [3, 8, 8]\nclasses: 2\nstem: [conv: {out: 4}]\nstages: []\n"
UNASKED = "a.reference:that_is_not_looked_for"


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: archspec.build(SPEC, dtype=torch.int32), TypeError, "not torch.int32"),
        (lambda: archspec.verify(SPEC, UNASKED, batch=0), ValueError, "batch must be at least 1"),
        (lambda: archspec.verify(SPEC, UNASKED, tolerance=-1e-9), ValueError, "tolerance at least 0"),
        (lambda: archspec.verify(SPEC, UNASKED, tolerance=float("nan")), ValueError, "tolerance at least 0"),
        (lambda: archspec.verify(SPEC, UNASKED, tolerance=float("inf")), ValueError, "tolerance at least 0"),
        (lambda: archspec.verify(SPEC, UNASKED, levels=["graphs"]), ValueError, "`keys`, `graph` and `outputs`"),
        (lambda: check(SPEC, level="built"), ValueError, "check, build, run, not 'built'"),  # type: ignore[arg-type]
        (lambda: Diagnostic("E999", "nothing is known of it"), ValueError, "E999"),
    ],
    ids=["dtype", "batch", "tolerance", "nan", "inf", "levels", "level", "code"],
)
def test_arguments_that_cannot_be(call: Callable[[], Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call()


@pytest.mark.parametrize(("transfer", "code"), [(False, "E807"), (True, "E824")])
def test_a_state_dict_of_nothing(transfer: bool, code: str) -> None:
    """A checkpoint that was emptied by a filter: nothing of it fits, and it is no wrapper of something else."""
    with pytest.raises(archspec.SpecError) as raised:
        archspec.build(SPEC, weights={}, transfer=transfer)
    (fault,) = raised.value.diagnostics
    assert fault.code == code


class Mystery(Operation):
    """An operation of a user, who gave it no rule for any cost."""

    name = "mystery"
    summary = "?"


@pytest.mark.parametrize(("key", "value"), [("receptive_field", 1), ("params", 4 * 3 + 4 * 2 + 2)])
def test_an_expectation_that_an_operation_keeps_from_being_measured(key: str, value: int) -> None:
    """What cannot be measured does not hold, and the operation without a rule is named; what can be, is measured."""
    graph = archspec.compile(f"{SPEC}expect: {{{key}: {value}}}\n")
    assert check_expectations(graph) == []
    nodes = [node._replace(operation=Mystery()) if node.name == "flatten" else node for node in graph.nodes]
    found = check_expectations(dataclasses.replace(graph, nodes=tuple(nodes)))
    if key == "params":
        assert found == []
        return
    (fault,) = found
    assert (fault.code, fault.help) == ("E702", "archspec has no rule for `mystery`")
