"""Comparing the graphs of a compiled network and a reference, for batches of several sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from archspec.diagnostics import Diagnostic, Label, cut
from archspec.graph.blame import fault_at
from archspec.graph.graph import INPUT, Graph
from archspec.tracing.canonical_form import CanonicalForm
from archspec.tracing.canonicalize import canonicalize
from archspec.tracing.foreign import defined_at
from archspec.tracing.trace import Trace, Untraceable, executed, rerun, trace
from archspec.verification.divergence import Divergence, find_divergence
from archspec.verification.keys import tensors_of
from archspec.verification.match import key_pairs, match, random_order
from archspec.verification.order import pair_by_order, pair_where_graphs_differ
from archspec.verification.sharing import sample_weight
from archspec.verification.verdict import Graphs

OTHER_BATCHES = (1, 3)
"""Batches that both graphs are compared with, besides the one that was asked for.

A form contains the sizes of one batch, so two networks are the same only if their forms agree for several batches.
``x.squeeze()`` differs from ``x.flatten(1)`` for a batch of 1, and ``x.view(2, -1)`` for every batch but 2.
"""


def compare_graphs(
    graph: Graph, ours: nn.Module, reference: nn.Module, batch: int, file: str = ""
) -> tuple[Graphs, Mapping[str, str], str]:
    """The comparison of the graphs, our keys to the reference's, and why training cannot be compared, if so.

    ``file`` is the file of Python that the reference is in, if it was given by one.
    """
    sample = torch.empty((batch, *graph.input), device="meta")
    like = torch.empty_like(sample, dtype=sample_weight(reference).dtype)
    known, theirs_known = frozenset(ours.state_dict()), frozenset(tensors_of(reference))
    traced = trace(ours, sample)
    form = canonicalize(traced, known)
    try:
        other = trace(reference, like)
        theirs = canonicalize(other, theirs_known)
    except Untraceable as error:
        slots, runs = executed(reference, like)
        pairs, reason = pair_by_order(form, slots), f"the reference {error}"
        return Graphs(False, len(form.steps), untraceable=reason, by_order=bool(pairs), runs=runs), pairs, ""
    matched = match(form, theirs)
    sizes = len(form.steps), len(theirs.steps)
    if matched is None:
        divergence = find_divergence(form, theirs)
        found = _at_class(_difference(graph, divergence), reference, divergence.there, file)
        pairs = pair_where_graphs_differ(form, theirs)
        return Graphs(False, *sizes, difference=found, by_order=bool(pairs)), pairs, ""
    pairs = dict(key_pairs(form, theirs, matched))
    apart = _apart_for_other_batches((traced, other), (known, theirs_known), (sample, like))
    if apart is not None:
        size, divergence = apart
        found = _difference(graph, divergence)
        found = replace(found, notes=(*found.notes, f"for a batch of {size}; the graphs agree for a batch of {batch}"))
        return Graphs(False, *sizes, difference=found), pairs, ""
    in_order = [matched[number] for number in random_order(form)] == random_order(theirs)
    random = "" if in_order else "the reference draws its random numbers in a different order"
    return Graphs(True, *sizes), pairs, random


def _apart_for_other_batches(
    traces: tuple[Trace, Trace], keys: Sequence[frozenset[str]], samples: Sequence[Tensor]
) -> tuple[int, Divergence] | None:
    """The first batch for which two traces differ, and where."""
    for size in OTHER_BATCHES:
        ours, theirs = (sample.new_empty((size, *sample.shape[1:])) for sample in samples)
        try:
            form = canonicalize(rerun(traces[0], ours), keys[0])
        except Untraceable:  # in training, batch normalization needs several values of each channel
            continue
        try:
            other: CanonicalForm = canonicalize(rerun(traces[1], theirs), keys[1])
        except Untraceable as error:
            return size, Divergence(INPUT, f"the reference {error}")
        if match(form, other) is None:
            return size, find_divergence(form, other)
    return None


def _at_class(difference: Diagnostic, reference: nn.Module, place: str, file: str) -> Diagnostic:
    """The difference with the line of the file where the class around a step of the reference is written."""
    scope = place
    while file and place:
        scope = scope.rpartition(".")[0]
        try:
            part = reference.get_submodule(scope)
        except AttributeError:  # the place of a step that is not a module's
            part = reference
        if line := defined_at(part, file):
            kind = f"`{cut(type(part).__name__)}`, which is written at {line}"
            note = f"there, `{scope}` is {kind}" if scope else f"there, it is in {kind}"
            return replace(difference, notes=(*difference.notes, note))
        if not scope:
            break
    return difference


def _difference(graph: Graph, divergence: Divergence) -> Diagnostic:
    node = graph.by_name.get(divergence.place)
    if node is None:
        node = graph.by_name.get(graph.main)
    at = graph.by_name.get(divergence.place)
    cells = [cell for cell in (at.cells if at else ()) if cell.column in divergence.arguments]
    labels = [Label(cell.span, f"the stage's {cell.column}") for cell in cells]
    notes = (f"in {divergence.place}",) if at else ()
    if node is None or divergence.place == INPUT:
        found = Diagnostic("E906", divergence.message, graph.written_at("input"), labels=tuple(labels), notes=notes)
        return graph.origin.authors.first([found])[0] if graph.origin else found
    return fault_at(graph, node, "E906", divergence.message, labels=tuple(labels), notes=notes)
