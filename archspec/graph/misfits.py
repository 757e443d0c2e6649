"""A node whose operation does not fit its inputs: what is told, and whether lowering goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archspec.diagnostics import SpecError
from archspec.graph.environment import Environment
from archspec.graph.graph import Node
from archspec.graph.shape_faults import nearer
from archspec.language.spec import Block, Step, Term
from archspec.operations.base import Operation
from archspec.operations.shapes import ShapeFault
from archspec.work import FAULTS

if TYPE_CHECKING:
    from archspec.graph.sequences import Sequences

STEPS_OF_A_FAULT = 50
"""Steps of work to explain a fault of shapes."""
MAX_FAULTS = 200
"""After so many faults of shapes, the rest of the network is not looked at."""


def misfit(
    sequences: Sequences,
    fault: ShapeFault,
    path: str,
    operation: Operation,
    inputs: tuple[Node, ...],
    env: Environment,
    at: Step | Block,
    terms: Mapping[str, Term],
) -> Node:
    """The node with the shape that the fault assumes, so that more faults can be found; the fault is explained.

    After a value that a step names and that is not there, shapes say nothing, and the fault is not told.

    Raises:
        SpecError: all faults so far, if no shape can be assumed.
    """
    provenance = sequences.provenances.of(at, env)
    env.work.spend(FAULTS, STEPS_OF_A_FAULT, env.span)
    if not sequences.lost:
        at_fault = terms.get(fault.argument)
        written = at.span if isinstance(at, Step) else provenance.span
        setting = env.setting(at, operation.setting, fault.argument) if operation.setting and not at_fault else None
        blamed = env.blame(at_fault or setting or Term(written))
        blamed = nearer(blamed, env.decided(at, operation), sequences.authors)
        why = env.why(at_fault) if at_fault else ()
        named = None if setting else at
        sequences.shape_faults.explain(sequences.faults, fault, path, inputs, named, blamed, why)
    if fault.assumed is None or len(sequences.faults.found) > MAX_FAULTS:
        raise SpecError(tuple(sequences.faults)) from None
    sequences.sharing.misfit = len(sequences.builder.nodes)
    return sequences.builder.place(path, operation, inputs, fault.assumed, provenance)
