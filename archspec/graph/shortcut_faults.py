"""Faults of shortcuts: one that does not define a case, and the first, which meets the width of the stem."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

from archspec.diagnostics import Diagnostic, Faults, Label, Span, SpecError
from archspec.graph.environment import Environment
from archspec.graph.graph import Node
from archspec.language.spec import Shortcut, Spec, Stage
from archspec.operations.shapes import show_shape

OF_WIDTHS = frozenset({"E504", "E505", "E507"})
"""The faults that a shortcut has between two widths."""


def refused(shortcut: Shortcut, spans: tuple[Span, Span], same: bool, value: Node, result: Node) -> Diagnostic:
    """The fault of a shortcut that says nothing, at the author's place; and where the shortcut is asked for."""
    case = "keeps the shape" if same else "changes the shape"
    turned = f"this block turns {show_shape(value.shape)} into {show_shape(result.shape)}"
    message = f"the shortcut `{shortcut.name}` has no steps for a block that {case}, and {turned}"
    advice = "`projection` adds a 1x1 convolution, `zero-pad` subsamples and pads; or keep the channels and the stride"
    notes = (f"in {result.scope or result.name}",)
    places = {result.span: "in this block", spans[1]: "this asks for the shortcut"}
    labels = [Label(span, text) for span, text in places.items() if span and span != spans[0]]
    return Diagnostic("E505", message, spans[0], labels=tuple(labels), notes=notes, help="" if same else advice)


def stem_advised(
    faults: Faults, stage: Stage, index: int, spec: Spec, value: Node, result: Node, env: Environment
) -> AbstractContextManager[None]:
    """Where the first block's ``channels`` are not the width of the stem, faults of its shortcut say so.

    Args:
        value: what reaches the block.
        result: what its residual gives.
        env: the names in the block.
    """
    own, given, beside = result.shape[0], value.shape[0], {"before", "around"} & stage.cells.keys()
    if stage.number or index or own == given or own != env.values.get("channels") or beside:
        return nullcontext()
    call = spec.stem.call
    takes = call and call.definition and "width" in call.definition.params
    example = f": `stem: {{use: {call.word}, width: {own}}}`" if call and takes else ""
    advice = f"the stem gives {given} channels, but the first block has {own}; give the stem {own}{example}"
    return _advised(faults, advice)


@contextmanager
def _advised(faults: Faults, advice: str) -> Iterator[None]:
    """Adds a help to the faults that are found inside."""
    before = set(faults.found)

    def told(fault: Diagnostic) -> Diagnostic:
        new = (fault.code, fault.span, fault.message) not in before and fault.code in OF_WIDTHS
        return replace(fault, help=f"{advice}; or {fault.help}" if fault.help else advice) if new else fault

    try:
        yield
    except SpecError as error:
        raise SpecError(map(told, error.diagnostics)) from None
    for key, fault in list(faults.found.items()):
        faults.found[key] = told(fault)
