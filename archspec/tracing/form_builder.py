"""Building a canonical form step by step, and the values that the rules pass from call to call.

Permuting a value adds no step: it only changes the value's ``axes``. So a linear layer over the last axis of a
channels-last value and a linear layer over the channels become the same step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from archspec.tracing.canonical_form import CanonicalForm, CanonicalStep, Shape, Slot

VIEWS = frozenset({"reshape", "permute", "expand", "slice", "concat", "zeros"})
"""Operations that only rearrange. Repeating one on the same values gives the step that is already there."""

ALIASES = frozenset({"reshape", "permute", "expand", "slice"})
"""Operations whose result may share the storage of their input, so that a write to one changes the other."""


class Value(NamedTuple):
    """A tensor that the network computes.

    ``shape`` is in the form's order of axes. ``axes`` maps each axis that torch sees to the form's. Values
    that share a ``storage`` change together where a call writes in place.
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


class StateTensor(NamedTuple):
    """A parameter or buffer, by its state-dict key. Its shape may have more or fewer axes of length 1 than stored."""

    key: str
    shape: Shape


Operand: TypeAlias = Value | StateTensor
State: TypeAlias = Operand | None

Rule: TypeAlias = Callable[..., Any]
"""Takes a :class:`FormBuilder` and a call's arguments, and returns the call's result in the form."""


class UnknownCall(Exception):
    """A rule does not cover this call. The form then has the call by its own name and arguments."""


@dataclass(slots=True)
class FormBuilder:
    """A form under construction. ``place``, ``source`` and ``result`` describe the call that is being converted."""

    steps: list[CanonicalStep] = field(default_factory=list)
    views: dict[tuple[Any, ...], int] = field(default_factory=dict)
    place: str = ""
    source: int = -1
    result: Any = None
    storages: int = 0
    dtype: Any = None
    """The input's."""
    keys: frozenset[str] = frozenset()
    """Every key of the state dict."""

    def add(
        self,
        operation: str,
        inputs: Iterable[Operand],
        shape: Shape,
        /,
        *,
        axes: tuple[int, ...] | None = None,
        state: Mapping[str, State] | None = None,
        **attributes: Any,
    ) -> Value:
        """Add a step and return its value.

        Args:
            operation: its name in the form.
            inputs: the operands, in order.
            shape: the result's, in the form's order of axes.
            axes: how torch sees the result; by default in the same order.
            state: tensors by role. One that the network computes becomes an operand.
            attributes: all other arguments that change the result, defaults included.

        Raises:
            UnknownCall: an attribute is a value that the network computes.
        """
        operands = [self.value(item) for item in inputs]
        slots = []
        for role, item in (state or {}).items():
            if isinstance(item, StateTensor):
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
        number = self.views.get(found[:4]) if operation in VIEWS else None
        if number is None:
            number = len(self.steps)
            self.steps.append(found)
            if operation in VIEWS:
                self.views[found[:4]] = number
        return Value(number, shape, axes, operands[0].storage if operation in ALIASES else self.new_storage())

    def new_storage(self) -> int:
        self.storages += 1
        return self.storages

    @property
    def shape(self) -> Shape:
        """The shape that torch computed for the call that is being converted."""
        return tuple(self.result.shape)

    def value(self, item: Operand) -> Value:
        """An operand as a value; a tensor of the state dict becomes a step of its own."""
        if isinstance(item, Value):
            return item
        return self.add("parameter", (), item.shape, state={"": item})

    def plain(self, item: Operand) -> Value:
        """An operand as torch sees it: if its axes are not in the form's order, a step permutes them."""
        value = self.value(item)
        if value.straight:
            return value
        long = [axis for axis in value.axes if value.shape[axis] != 1]
        if long == sorted(long):  # moving an axis of length 1 only reshapes
            return self.viewed(value._replace(axes=tuple(range(len(value.axes)))), value.seen)
        return self.add("permute", (value,), value.seen, order=value.axes)

    def viewed(self, value: Value, shape: Shape) -> Value:
        """A straight value in another shape. Reshaping a reshaped value starts from the original."""
        step = self.steps[value.step]
        while step.operation == "reshape":
            number = step.inputs[0]
            step = self.steps[number]
            value = Value(number, step.shape, tuple(range(len(step.shape))), value.storage)
        return value if value.shape == shape else self.add("reshape", (value,), shape, shape=shape)

    def copied(self, value: Value) -> Value:
        """The same value in another storage."""
        return value._replace(storage=self.new_storage())

    def finish(self, results: Iterable[Value]) -> CanonicalForm:
        """The form, without the steps that ``results`` do not depend on."""
        values = [self.plain(value) for value in results]
        self.place = "the output"
        last = self.add("output", values, ())
        needed = {last.step}
        for number in range(len(self.steps) - 1, -1, -1):
            if number in needed:
                needed.update(self.steps[number].inputs)
        order = {old: new for new, old in enumerate(sorted(needed))}
        kept = [self.steps[old] for old in order]
        return CanonicalForm(tuple([step._replace(inputs=tuple([order[old] for old in step.inputs])) for step in kept]))


def _frozen(item: Any) -> Any:
    if isinstance(item, Operand):
        raise UnknownCall
    return tuple(map(_frozen, item)) if isinstance(item, list | tuple) else item
