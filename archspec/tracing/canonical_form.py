"""The form into which both networks are brought: steps on values, whatever torch calls them and however they lie.

A :class:`Traced` carries its axes: where torch permutes, only these change, and an operation over the last axis that is
the channels is one over the channels. Names stand beside a step, for messages; they are no part of its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import networkx

Shape: TypeAlias = tuple[int, ...]
"""With the batch, which comes first."""

RANDOM = frozenset({"dropout", "feature_dropout", "alpha_dropout", "drop_path", "drop_batch"})
"""Operations that draw random numbers in training."""

COMMUTATIVE = frozenset({"add", "mul"})
VIEWS = frozenset({"reshape", "permute", "slice", "concat"})
"""What only rearranges: the same one of the same values is one step, however often it is written."""
ALIASES = frozenset({"reshape", "permute", "slice"})
"""What may lie in the storage of its input, so that who writes over the one writes over the other."""


class Traced(NamedTuple):
    """A tensor on its way through the network.

    ``shape`` is in the form's order of axes; ``axes`` says for each axis that torch sees which of the form's it is.
    ``storage`` tells a copy from the value that it was copied from, which matters to who writes in place.
    """

    step: int
    shape: Shape
    axes: tuple[int, ...]
    storage: int

    @property
    def seen(self) -> Shape:
        """The shape that torch sees."""
        return tuple([self.shape[axis] for axis in self.axes])

    @property
    def straight(self) -> bool:
        """Whether torch sees the axes in the form's order."""
        return self.axes == tuple(range(len(self.axes)))


class State(NamedTuple):
    """A parameter or a buffer by its state-dict key, perhaps seen with more or fewer axes of length one."""

    key: str
    shape: Shape


class Slot(NamedTuple):
    """A tensor of the state dict in its role (``weight``, ``running_mean``) in a step."""

    role: str
    key: str
    shape: Shape


class CanonicalStep(NamedTuple):
    """One operation. ``inputs`` number earlier steps; ``place`` is where it stands, as its own network calls it.

    ``source`` numbers the fx node, and so the order of execution.
    """

    operation: str
    inputs: tuple[int, ...]
    attributes: tuple[tuple[str, Any], ...]
    state: tuple[Slot, ...]
    shape: Shape
    place: str
    source: int = -1

    @property
    def commutative(self) -> bool:
        return self.operation in COMMUTATIVE


@dataclass(frozen=True)
class Canonical:
    """A network in the one form: the steps that its outputs need, inputs before what reads them, the output last."""

    steps: tuple[CanonicalStep, ...]

    def uses(self) -> Mapping[str, int]:
        """How many roles each tensor of the state dict plays: more than one where weights are shared."""
        found: dict[str, int] = {}
        for step in self.steps:
            for slot in step.state:
                found[slot.key] = found.get(slot.key, 0) + 1
        return found

    def to_networkx(self, colors: Iterable[int]) -> networkx.MultiDiGraph:
        """The graph for networkx: a node a step with its ``step`` and its ``color``, an edge an operand."""
        graph = networkx.MultiDiGraph()
        for number, (step, color) in enumerate(zip(self.steps, colors, strict=True)):
            graph.add_node(number, step=step, color=color)
            for position, source in enumerate(step.inputs):
                graph.add_edge(source, number, position=position)
        return graph


class Unknown(Exception):
    """A call that a rule cannot put into the form; it stays as it is, by its name and arguments."""


@dataclass(slots=True)
class Recorder:
    """A form while it grows. ``place``, ``source`` and ``result`` belong to the call that is being brought over."""

    steps: list[CanonicalStep] = field(default_factory=list)
    views: dict[tuple[Any, ...], Traced] = field(default_factory=dict)
    place: str = ""
    source: int = -1
    result: Any = None
    copies: int = 0
    keys: frozenset[str] = frozenset()
    """Every key of the state dict."""

    def add(
        self,
        operation: str,
        inputs: Iterable[Traced | State],
        shape: Shape,
        /,
        *,
        axes: tuple[int, ...] | None = None,
        state: Mapping[str, Traced | State | None] | None = None,
        **attributes: Any,
    ) -> Traced:
        """A new step and its value.

        Args:
            operation: what it does.
            inputs: values in the order of operands.
            shape: the result's, in the form's order of axes.
            axes: how torch sees the result; straight by default.
            state: tensors by role. One that was computed, and is no tensor of the state dict, becomes an operand.
            attributes: what else changes the result, defaults written out.
        """
        operands = [self.value(item) for item in inputs]
        slots = []
        for role, item in (state or {}).items():
            if isinstance(item, State):
                slots.append(Slot(role, item.key, item.shape))
            elif item is not None:
                attributes[f"{role}_operand"] = len(operands)
                operands.append(self.plain(item))
        axes = tuple(range(len(shape))) if axes is None else axes
        found = CanonicalStep(
            operation,
            tuple([operand.step for operand in operands]),
            tuple(sorted((name, _frozen(item)) for name, item in attributes.items())),
            tuple(slots),
            shape,
            self.place,
            self.source,
        )
        if operation not in VIEWS:
            self.steps.append(found)
            number = len(self.steps) - 1
            return Traced(number, shape, axes, number)
        known = self.views.get(found[:4])
        if known is None:
            self.steps.append(found)
            number = len(self.steps) - 1
            known = self.views[found[:4]] = Traced(number, shape, axes, number)
        return known._replace(axes=axes)

    def value(self, item: Traced | State) -> Traced:
        """A tensor of the state dict as an operand; a value is one already."""
        if isinstance(item, Traced):
            return item
        return self.add("parameter", (), item.shape, state={"": item})

    def plain(self, item: Traced | State) -> Traced:
        """A value as torch sees it: where its axes are not straight, a step permutes them."""
        value = self.value(item)
        if value.straight:
            return value
        return self.add("permute", (value,), value.seen, order=value.axes)

    def copied(self, value: Traced) -> Traced:
        """The same value in another storage."""
        self.copies += 1
        return value._replace(storage=-self.copies)

    def finish(self, results: Iterable[Traced]) -> Canonical:
        """The form with all steps that ``results`` need, in their order."""
        values = [self.plain(value) for value in results]
        self.place = "the output"
        last = self.add("output", values, ())
        needed = {last.step}
        for number in range(len(self.steps) - 1, -1, -1):
            if number in needed:
                needed.update(self.steps[number].inputs)
        order = {old: new for new, old in enumerate(sorted(needed))}
        kept = [self.steps[old] for old in sorted(needed)]
        return Canonical(tuple([step._replace(inputs=tuple([order[old] for old in step.inputs])) for step in kept]))


def _frozen(item: Any) -> Any:
    if isinstance(item, Traced | State):  # a number that the network computes
        raise Unknown
    return tuple(map(_frozen, item)) if isinstance(item, list | tuple) else item
