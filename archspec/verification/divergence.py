"""Where two networks diverge, in words: the first step of the spec's network that the reference does not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any

from archspec.operations.shapes import show_shape
from archspec.tracing.canonical_form import CanonicalForm, CanonicalStep, Slot
from archspec.verification.match import Palette, forward, label, operands
from archspec.verification.surroundings import Surroundings, alike
from archspec.verification.whole_blocks import in_order, lacking

WORDS = {
    "conv": "convolution",
    "linear": "linear layer",
    "batch_norm": "batch normalization",
    "frozen_batch_norm": "frozen batch normalization",
    "layer_norm": "layer normalization",
    "group_norm": "group normalization",
    "instance_norm": "instance normalization",
    "max_pool": "max pool",
    "avg_pool": "average pool",
    "adaptive_avg_pool": "adaptive average pool",
    "adaptive_max_pool": "adaptive max pool",
    "add": "addition",
    "sub": "subtraction",
    "mul": "multiplication",
    "concat": "concatenation",
    "mul a parameter": "multiplication by a parameter",
    "add a parameter": "addition of a parameter",
    "drop_path": "stochastic depth",
}
"""The words for operations in messages, if they differ from the operation's name."""

THEIRS = "the reference's "


@dataclass(frozen=True)
class Divergence:
    """The first place where two networks differ.

    ``place`` is the node of the spec's network. ``message`` is a sentence. ``arguments`` are the ones that differ, by
    their names in a spec. ``there`` is the step of the reference.
    """

    place: str
    message: str
    arguments: tuple[str, ...] = ()
    there: str = ""


def find_divergence(ours: CanonicalForm, theirs: CanonicalForm) -> Divergence:
    """Where two forms diverge that :func:`archspec.verification.match.match` does not match."""
    palette = Palette()
    return _Search(_Side(ours, palette), _Side(theirs, palette)).divergence()


class _Side:
    """One of the two forms, its colors, and its steps in words."""

    def __init__(self, form: CanonicalForm, palette: Palette) -> None:
        self.form, self.steps, self.uses, self.colors = form, form.steps, form.uses(), forward(form, palette)
        self.surroundings = Surroundings(form, palette)

    @cached_property
    def readers(self) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in self.steps]
        for number, step in enumerate(self.steps):
            for source in step.inputs:
                found[source].append(number)
        return found

    def reader_like(self, number: int, step: CanonicalStep) -> int | None:
        """A reader of a step that is like another step."""
        return next((reader for reader in self.readers[number] if label(self.steps[reader]) == label(step)), None)

    def operands(self, number: int) -> tuple[int, ...]:
        return operands(self.steps[number], self.colors)

    def count(self, step: CanonicalStep) -> int:
        """How many steps do the same as a step, whatever the shapes of their weights."""
        return sum(_kind(each) == _kind(step) for each in self.steps)

    def the(self, number: int, owner: str = "") -> str:
        step = self.steps[number]
        if step.operation in ("input", "output"):
            return f"{owner or 'the '}{step.operation}"
        return f"{owner}`{step.place}`"

    def reads(self, number: int) -> str:
        *others, last = [self.the(source) for source in self.steps[number].inputs] or ["nothing"]
        return f"{', '.join(others)} and {last}" if others else last

    def sharing(self, number: int) -> str:
        shared = any(self.uses[slot.key] > 1 for slot in self.steps[number].state)
        return "shares its weights" if shared else "has weights of its own"


class _Search:
    """Looks for the first step without a counterpart, and for what the reference has in its place."""

    def __init__(self, ours: _Side, theirs: _Side) -> None:
        self.ours, self.theirs = ours, theirs
        known = Counter(ours.colors)
        self.left = []
        for number, color in enumerate(theirs.colors):
            known[color] -= 1
            if known[color] < 0:
                self.left.append(number)

    def divergence(self) -> Divergence:
        ours, theirs = self.ours, self.theirs
        available = Counter(theirs.colors)
        for number, color in enumerate(ours.colors):
            available[color] -= 1
            if available[color] < 0:
                return self.at(number)
        if self.left:
            extra = self.left[0]
            first = ours.steps[ours.colors.index(theirs.colors[extra])]
            message = f"{theirs.the(extra, THEIRS)} is computed a second time, while here one result is read twice"
            return Divergence(first.place, message)
        last = next((step for step in ours.steps if step.state), ours.steps[-1])
        return Divergence(last.place, "the two networks share their weights in different ways")

    def at(self, number: int) -> Divergence:
        step = self.ours.steps[number]
        if self.ours.colors[number] in self.theirs.colors:
            twin = self.ours.the(self.ours.colors.index(self.ours.colors[number]))
            message = f"{self.ours.the(number)} repeats {twin}, which the reference computes only once"
            return Divergence(step.place, message)
        other = self.counterpart(number)
        if other is not None and (found := self.whole(step, self.theirs.steps[other])):
            return found
        if other is None:
            return Divergence(step.place, f"{self.ours.the(number)} has no counterpart in the reference")
        reference = self.theirs.steps[other]
        arguments = tuple(_arguments(step, reference)) if step.operation == reference.operation else ()
        return Divergence(step.place, self.difference(number, other), arguments, reference.place)

    def counterpart(self, number: int) -> int | None:
        """The unpaired step of the reference that is closest: it reads the same, or is the same, at the same place."""
        step, reads = self.ours.steps[number], self.ours.operands(number)
        around = self.ours.surroundings.of(number)

        def closeness(other: int) -> tuple[bool, int, bool, bool, int, int, int]:
            reference, theirs = self.theirs.steps[other], self.theirs.operands(other)
            same = reference.operation == step.operation
            return (
                sorted(reads) == sorted(theirs),
                (Counter(reads) & Counter(theirs)).total(),
                same and label(reference) == label(step),
                same,
                alike(around, self.theirs.surroundings.of(other)),
                _same_end(reference.place, step.place),
                -other,
            )

        best = max(self.left, key=closeness, default=None)
        return best if best is not None and any(closeness(best)[:4]) else None

    def whole(self, step: CanonicalStep, reference: CanonicalStep) -> Divergence | None:
        """That one of the networks lacks a block or several layers; None if neither does."""
        mine, yours = in_order(self.ours.form), in_order(self.theirs.form)
        if missing := lacking(yours, mine, reference, step):
            inside = [each for each in mine if missing.parent and each.place.startswith(f"{missing.parent}.")]
            before = (missing.before or step).place
            message = f"before `{before}`, the reference has {missing}, which {missing.verb} missing here"
            return Divergence(inside[-1].place if inside else step.place, message, there=reference.place)
        if extra := lacking(mine, yours, step, reference):
            after = (extra.before or reference).place
            message = f"{extra} {extra.verb} only here: the reference has its `{after}` at this place"
            return Divergence(step.place, message, there=reference.place)
        return None

    def difference(self, number: int, other: int) -> str:
        """The difference between a step and its counterpart, in words."""
        step, reference = self.ours.steps[number], self.theirs.steps[other]
        mine, yours = self.ours.the(number), self.theirs.the(other, THEIRS)
        if step.operation == "output" and len(step.inputs) != len(reference.inputs):
            return f"the network returns {_results(step)} where the reference returns {_results(reference)}"
        if step.operation != reference.operation:
            return self.moved(number, other) or f"{mine} is {_word(step)} where {yours} is {_word(reference)}"
        if told := " and ".join(_attributes(step, reference)):
            return f"{mine} has {told} where {yours} has {' and '.join(_attributes(reference, step))}"
        if self.ours.operands(number) != self.theirs.operands(other):
            return f"{mine} reads {self.ours.reads(number)} where {yours} reads {self.theirs.reads(other)}"
        return f"{mine} {self.ours.sharing(number)} where {yours} {self.theirs.sharing(other)}"

    def moved(self, number: int, other: int) -> str:
        """In words, that one of two steps is missing or elsewhere in the other network; empty if neither is."""
        step, reference = self.ours.steps[number], self.theirs.steps[other]
        mine, yours = self.ours.the(number), self.theirs.the(other)
        after = self.ours.reader_like(number, reference)
        there = self.theirs.reader_like(other, step)
        directly = f"in the reference, {yours} reads {self.theirs.reads(other)} directly"
        if after is not None and there is not None:
            return (
                f"{mine} ({_word(step)}) comes before {self.ours.the(after)} ({_word(reference)}), "
                f"but the reference has them in reverse order: {yours} before {self.theirs.the(there)}"
            )
        if after is not None and self.theirs.count(step) >= self.ours.count(step):
            return f"{mine} ({_word(step)}) is elsewhere: {directly}{self.instead(step)}"
        if after is not None:
            return f"{mine} ({_word(step)}) has no counterpart: {directly}"
        if there is not None:
            here = "at another place" if self.ours.count(reference) >= self.theirs.count(reference) else "missing"
            read = f"{yours}, which reads {self.theirs.reads(other)}"
            return f"before {mine}, the reference has {_word(reference)}, {read}; here it is {here}"
        return ""

    def instead(self, step: CanonicalStep) -> str:
        """The place of a step in the reference, if only one of the unpaired steps can be it."""
        found = [number for number in self.left if _kind(self.theirs.steps[number]) == _kind(step)]
        return f", and {self.theirs.the(found[0])} reads {self.theirs.reads(found[0])}" if len(found) == 1 else ""


def _arguments(step: CanonicalStep, other: CanonicalStep) -> Iterator[str]:
    theirs = dict(other.attributes)
    yield from (name for name, value in step.attributes if theirs.get(name) != value)
    if [slot.shape for slot in step.state] != [slot.shape for slot in other.state]:
        yield "channels"


def _attributes(step: CanonicalStep, other: CanonicalStep) -> Iterator[str]:
    """What a step has and another of the same operation does not, such as ``stride 2``."""
    theirs = dict(other.attributes)
    for name, value in step.attributes:
        if name not in theirs or theirs[name] != value:
            yield f"{name.replace('_', ' ')} {_shown(value)}"
    for name in theirs.keys() - dict(step.attributes).keys():
        yield f"no {name.replace('_', ' ')}"
    slots = {slot.role: slot for slot in step.state}
    others = {slot.role: slot for slot in other.state}
    for role in dict.fromkeys([*slots, *others]):
        if role not in slots:
            yield f"no {role}"
        elif role not in others or slots[role].shape != others[role].shape:
            yield _weight(slots[role])


def _weight(slot: Slot) -> str:
    return f"a {slot.role} of {show_shape(slot.shape)}" if slot.shape else f"a {slot.role}"


def _shown(value: Any) -> str:
    """The value of an attribute; a single number if all axes agree."""
    if isinstance(value, tuple) and value and all(isinstance(item, int) for item in value):
        return show_shape((value[0],) if len(set(value)) == 1 else value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _kind(step: CanonicalStep) -> tuple[Any, ...]:
    """What a step does, without the shapes of its weights, which depend on its place in the network."""
    return step.operation, step.attributes


def _word(step: CanonicalStep) -> str:
    """A step's operation in words, with its article."""
    word = WORDS.get(step.operation, step.operation.replace("_", " "))
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _results(step: CanonicalStep) -> str:
    return "one value" if len(step.inputs) == 1 else f"{len(step.inputs)} values"


def _same_end(one: str, other: str) -> int:
    """How many parts two dotted names share at their ends."""
    ends = zip(reversed(one.split(".")), reversed(other.split(".")), strict=False)
    return sum(1 for _ in takewhile(lambda parts: parts[0] == parts[1], ends))
