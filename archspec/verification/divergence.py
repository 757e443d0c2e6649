"""Where two networks part, in words: the first step, in the order of the spec's network, that the reference has not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from archspec.operations.shapes import show_shape
from archspec.tracing.canonical_form import CanonicalForm, CanonicalStep, Slot
from archspec.verification.colors import Palette, forward, label, operands

WORDS = {
    "conv": "convolution",
    "linear": "linear layer",
    "batch_norm": "batch normalisation",
    "frozen_batch_norm": "batch normalisation that never trains",
    "layer_norm": "layer normalisation",
    "group_norm": "group normalisation",
    "instance_norm": "instance normalisation",
    "max_pool": "max pool",
    "avg_pool": "average pool",
    "adaptive_avg_pool": "adaptive average pool",
    "adaptive_max_pool": "adaptive max pool",
    "add": "addition",
    "mul": "multiplication",
    "concat": "concatenation",
    "mul a parameter": "multiplication by a parameter",
    "add a parameter": "addition of a parameter",
    "drop_path": "stochastic depth",
}
"""Operations as a message calls them, where not by their own name."""


@dataclass(frozen=True)
class Divergence:
    """The first place where two networks differ.

    ``place`` is the node of the spec's network, and ``reference`` what stands there in the other, empty where nothing
    does. ``message`` is a sentence. ``arguments`` are those that differ, by the names that a spec has for them.
    """

    place: str
    reference: str
    message: str
    arguments: tuple[str, ...] = ()


def find_divergence(ours: CanonicalForm, theirs: CanonicalForm) -> Divergence:
    """Where two forms part that are not the same."""
    return _DivergenceSearch(ours, theirs).found()


class _DivergenceSearch:
    """Looks for the first step that has no counterpart, and for what the reference has instead."""

    def __init__(self, ours: CanonicalForm, theirs: CanonicalForm) -> None:
        self.ours, self.theirs = ours, theirs
        palette = Palette()
        self.one, self.other = forward(ours, palette), forward(theirs, palette)
        self.readers = _readers(ours), _readers(theirs)
        known = Counter(self.one)
        self.left = []
        for number, color in enumerate(self.other):
            if known[color] > 0:
                known[color] -= 1
            else:
                self.left.append(number)

    def found(self) -> Divergence:
        available = Counter(self.other)
        for number, color in enumerate(self.one):
            if available[color] == 0:
                return self.part(number)
            available[color] -= 1
        if self.left:
            extra = self.theirs.steps[self.left[0]]
            message = (
                f"the reference computes {_the(extra, theirs=True)} once more, where the spec reads one result twice"
            )
            first = self.one.index(self.other[self.left[0]])
            return Divergence(self.ours.steps[first].place, extra.place, message)
        last = next((step for step in self.ours.steps if step.state), self.ours.steps[-1])
        return Divergence(last.place, "", "the two networks share their weights in different ways")

    def part(self, number: int) -> Divergence:
        step = self.ours.steps[number]
        if self.one[number] in self.other:
            twin = self.ours.steps[self.one.index(self.one[number])]
            message = f"{_the(step)} computes the same as {_the(twin)}, which the reference computes once for both"
            return Divergence(step.place, "", message)
        other = self.counterpart(number)
        if other is None:
            message = f"{_the(step)} has no counterpart in the reference"
            return Divergence(step.place, "", message)
        reference = self.theirs.steps[other]
        arguments = tuple(_arguments(step, reference)) if step.operation == reference.operation else ()
        return Divergence(step.place, reference.place, self.difference(number, other), arguments)

    def counterpart(self, number: int) -> int | None:
        """The step that the reference has in place of one: that reads the same, or is the same and reads another."""
        step = self.ours.steps[number]
        reads = operands(step, self.one)

        def closeness(other: int) -> tuple[bool, int, bool, bool, int]:
            reference = self.theirs.steps[other]
            theirs = operands(reference, self.other)
            common = (Counter(reads) & Counter(theirs)).total()
            same = reference.operation == step.operation
            return (
                reads == theirs or sorted(reads) == sorted(theirs),
                common,
                same and label(reference) == label(step),
                same,
                _same_end(reference.place, step.place),
            )

        ranked = sorted(self.left, key=lambda other: (closeness(other), -other), reverse=True)
        if not ranked:
            return None
        best = closeness(ranked[0])
        return ranked[0] if any(best[:4]) else None

    def difference(self, number: int, other: int) -> str:
        """In words, what differs between a step and its counterpart."""
        step, reference = self.ours.steps[number], self.theirs.steps[other]
        mine, yours = _the(step), _the(reference, theirs=True)
        if step.operation == "output" and len(step.inputs) != len(reference.inputs):
            return f"the network returns {_results(step)} where the reference returns {_results(reference)}"
        if step.operation != reference.operation and (told := self.surplus(number, other)):
            return told
        if step.operation != reference.operation:
            return f"{mine} is {_article(_word(step))} where {yours} is {_article(_word(reference))}"
        if told := " and ".join(_attributes(step, reference)):
            owned = " and ".join(_attributes(reference, step))
            return f"{mine} has {told} where {yours} has {owned}"
        reads, theirs = operands(step, self.one), operands(reference, self.other)
        if reads != theirs:
            return f"{mine} reads {self.read(number)} where {yours} reads {self.read_there(other)}"
        shared = [self.sharing(self.ours, step), self.sharing(self.theirs, reference)]
        return f"the weights of {mine} {shared[0]} where those of {yours} {shared[1]}"

    def surplus(self, number: int, other: int) -> str:
        """Whether one of two steps is all that one network has more than the other; empty where that is not so."""
        step, reference = self.ours.steps[number], self.theirs.steps[other]
        after = [reader for reader in self.readers[0][number] if label(self.ours.steps[reader]) == label(reference)]
        there = [reader for reader in self.readers[1][other] if label(self.theirs.steps[reader]) == label(step)]
        if after and there:
            one, two = _the(self.ours.steps[after[0]]), _the(self.theirs.steps[there[0]])
            return (
                f"{_the(step)} ({_article(_word(step))}) comes before {one} ({_article(_word(reference))}), "
                f"where the reference has them the other way round: {_the(reference)} before {two}"
            )
        if after:
            told = f"in the reference {_the(reference)} reads {self.read_there(other)} directly"
            if self.more(self.theirs, self.ours, step) >= 0:
                return f"{_the(step)} ({_article(_word(step))}) stands elsewhere there: {told}{self.instead(step)}"
            return f"{_the(step)} ({_article(_word(step))}) has no counterpart: {told}"
        if there:
            told = (
                f"before {_the(step)} the reference has {_article(_word(reference))}, `{reference.place}` "
                f"of {self.read_there(other)}, that is"
            )
            moved = self.more(self.ours, self.theirs, reference) >= 0
            return f"{told.removesuffix('is')}stands elsewhere here" if moved else f"{told} missing here"
        return ""

    @staticmethod
    def more(form: CanonicalForm, other: CanonicalForm, step: CanonicalStep) -> int:
        """How many more steps of a kind one form has than another."""
        counts = [sum(_kind(each) == _kind(step) for each in steps) for steps in (form.steps, other.steps)]
        return counts[0] - counts[1]

    def instead(self, step: CanonicalStep) -> str:
        """Where the reference has a step that stands at another place, if only one of its steps can be it."""
        found = [number for number in self.left if _kind(self.theirs.steps[number]) == _kind(step)]
        if len(found) != 1:
            return ""
        return f", and {_the(self.theirs.steps[found[0]])} reads {self.read_there(found[0])}"

    def read(self, number: int) -> str:
        step = self.ours.steps[number]
        return _listed([_the(self.ours.steps[source]) for source in step.inputs])

    def read_there(self, other: int) -> str:
        """What a step of the reference reads, in its names."""
        return _listed([_the(self.theirs.steps[source]) for source in self.theirs.steps[other].inputs])

    @staticmethod
    def sharing(form: CanonicalForm, step: CanonicalStep) -> str:
        uses = form.uses()
        return "are shared with another" if any(uses[slot.key] > 1 for slot in step.state) else "are its own"


def _readers(form: CanonicalForm) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in form.steps]
    for number, step in enumerate(form.steps):
        for source in step.inputs:
            found[source].append(number)
    return found


def _arguments(step: CanonicalStep, other: CanonicalStep) -> Iterator[str]:
    theirs = dict(other.attributes)
    yield from (name for name, value in step.attributes if theirs.get(name) != value)
    if [slot.shape for slot in step.state] != [slot.shape for slot in other.state]:
        yield "channels"


def _attributes(step: CanonicalStep, other: CanonicalStep) -> Iterator[str]:
    """What a step has that another of its operation has not, as ``stride 2``."""
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
    """A value of an attribute; one number where all axes agree."""
    if isinstance(value, tuple) and value and all(isinstance(item, int) for item in value):
        return show_shape((value[0],) if len(set(value)) == 1 else value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _kind(step: CanonicalStep) -> tuple[Any, ...]:
    """What a step is wherever it stands: its weights have other shapes where a network is wider."""
    return step.operation, step.attributes


def _word(step: CanonicalStep) -> str:
    return WORDS.get(step.operation, step.operation.replace("_", " "))


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _the(step: CanonicalStep, *, theirs: bool = False) -> str:
    owner = "the reference's " if theirs else ""
    if step.operation == "input":
        return f"{owner or 'the '}input"
    return f"{owner or 'the '}output" if step.operation == "output" else f"{owner}`{step.place}`"


def _results(step: CanonicalStep) -> str:
    return "one value" if len(step.inputs) == 1 else f"{len(step.inputs)} values"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if names[:-1] else "") + names[-1] if names else "nothing"


def _same_end(one: str, other: str) -> int:
    """How many parts two dotted names have in common at their ends."""
    count = 0
    for left, right in zip(reversed(one.split(".")), reversed(other.split(".")), strict=False):
        if left != right:
            break
        count += 1
    return count
