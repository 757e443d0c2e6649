"""Faults of shapes: whose line is at fault, and the shapes that led there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from archspec.diagnostics import Diagnostic, Faults, Label, Span
from archspec.display import counted
from archspec.graph.graph import Node
from archspec.graph.lineage import Lineage
from archspec.graph.merge_ways import Causes, MergeWays
from archspec.graph.odd_sizes import odd_size
from archspec.graph.provenance import Blamed
from archspec.language.authors import FOUND, Authors
from archspec.language.spec import Block, Step
from archspec.operations.shapes import ShapeFault


@dataclass(slots=True)
class ShapeFaults:
    """Explains faults of shapes. ``told`` has each that was told, and in how many places it is the same."""

    lineage: Lineage
    authors: Authors
    causes: Causes = field(init=False)
    told: dict[tuple[object, ...], tuple[Diagnostic, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.causes = Causes(self.lineage, self.authors)

    def explain(
        self,
        faults: Faults,
        fault: ShapeFault,
        path: str,
        inputs: tuple[Node, ...],
        at: Step | Block | None,
        blamed: Blamed,
        why: tuple[str, ...] = (),
    ) -> None:
        """Add the diagnostic for a fault at the node ``path``, with the shapes that led there.

        A step may have the same fault in each of many blocks, so that it is told of the first, and counted.

        Args:
            at: the step at fault, or the block whose merge is; None if a setting is, which many steps read.
            blamed: the place at fault, and second places.
            why: how the value at fault follows from names.
        """
        key = (fault.code, id(at), fault.argument, None if isinstance(at, Block) else blamed.span)
        if key in self.told:
            first, number = self.told[key]
            first = replace(first, help=faults.found.get((first.code, first.span, first.message), first).help)
            self.told[key] = first, number + 1
            note = f"the same in {counted(number, 'more block' if isinstance(at, Block) else 'more place')}"
            faults.found[first.code, first.span, first.message] = replace(first, notes=(*first.notes, note))
            return
        found = self._diagnostic(fault, path, inputs, at, blamed)
        found = replace(found, notes=(*found.notes, *why))
        if (found.code, found.span, found.message) not in faults.found:
            faults.add(found)
            self.told[key] = found, 1

    def _diagnostic(
        self, fault: ShapeFault, path: str, inputs: tuple[Node, ...], at: Step | Block | None, blamed: Blamed
    ) -> Diagnostic:
        labels, nearer = list(blamed.labels), None
        if fault.channels and (found := self.lineage.source_of_channels(inputs[0])):
            term, env = found
            source = env.blame(term)
            nearer = source.span if source.certain else None
            origin = nearer or env.origin(term)
            if origin != blamed.span:
                channels = inputs[0].shape[0]
                come = f"{counted(channels, 'channel')} come{'s' if channels == 1 else ''} from here"
                labels.insert(0, Label(origin, f"the {come}"))
        place, ways = blamed.span, MergeWays(inputs, self.lineage)
        if not (blamed.certain and self.authors.own(place.source)):
            nearer = nearer or self.causes.of(ways)
            if nearer and nearer != place and (not blamed.certain or self.authors.own(nearer.source)):
                labels = [label for label in labels if label.span != nearer]
                if blamed.certain or not labels:
                    labels.insert(0, Label(place, FOUND))
                place = nearer
        notes = [f"in {path}", f"shapes: {self.lineage.chain(ways.fork)}"]
        if at and len(inputs) > 1:
            notes += ways.told(at)
        help = fault.help
        if len(inputs) > 1 and (odd := odd_size(ways)):
            notes.append(odd.note)
            help = f"{help}; {odd.help}" if fault.channels else odd.help
        return Diagnostic(
            fault.code, fault.message, place, labels=tuple(labels), notes=tuple(notes), help=help,
            mentions=fault.mentions,
        )  # fmt: skip


def nearer(blamed: Blamed, places: Iterator[Span], authors: Authors) -> Blamed:
    """Where a fault is shown, or the nearer of the places that decide what is at fault: in the spec itself."""
    if blamed.certain and authors.own(blamed.span.source):
        return blamed
    decided = list(places)
    own = [span for span in decided if authors.own(span.source)]
    found = next(iter(own or ([] if blamed.certain else decided)), None)
    if found is None:
        return blamed
    return Blamed(found, (Label(blamed.span, FOUND), *(each for each in blamed.labels if each.span != found)), True)
