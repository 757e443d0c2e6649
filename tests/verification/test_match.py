"""Matching forms, against networkx on a graph in which operands, weights and their roles are nodes of their own."""

from __future__ import annotations

import random
import time

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.tracing.canonical_form import CanonicalForm, CanonicalStep, Slot
from archspec.verification.match import agrees, key_pairs, match
from tests.support.timing import allowed


def brute_force(one: CanonicalForm, other: CanonicalForm) -> bool:
    """Whether two forms are isomorphic: every operand is a node labeled with its position, every tensor a node."""

    def expanded(form: CanonicalForm) -> networkx.DiGraph:
        graph = networkx.DiGraph()
        for number, step in enumerate(form.steps):
            shapes = tuple((slot.role, slot.shape) for slot in step.state)
            graph.add_node(number, label=(step.operation, step.attributes, shapes))
            for position, source in enumerate(step.inputs):
                where = "any" if step.operation in ("add", "mul") else position
                graph.add_node((number, position), label=("operand", where))
                graph.add_edge(source, (number, position))
                graph.add_edge((number, position), number)
            for slot in step.state:
                graph.add_node(("tensor", slot.key), label=("tensor",))
                graph.add_node((number, slot.role), label=("role", slot.role))
                graph.add_edge(("tensor", slot.key), (number, slot.role))
                graph.add_edge((number, slot.role), number)
        return graph

    return networkx.is_isomorphic(expanded(one), expanded(other), node_match=lambda a, b: a["label"] == b["label"])


@st.composite
def forms(draw: st.DrawFn) -> CanonicalForm:
    """Small forms with few kinds of steps, so that many have symmetries; all steps lead to the output."""
    steps = [CanonicalStep("input", (), (), (), (2, 4), "input")]
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["relu", "add", "cat", "conv", "conv", "conv"]))
        earlier = st.integers(0, len(steps) - 1)
        inputs = (draw(earlier),) if kind in ("relu", "conv") else (draw(earlier), draw(earlier))
        key = draw(st.sampled_from([f"{number}", "shared", "shared too"]))
        state = (Slot("weight", key, (4,)),) if kind == "conv" else ()
        steps.append(CanonicalStep(kind, inputs, (), state, (2, 4), f"step{number}"))
    used = {source for step in steps for source in step.inputs}
    ends = tuple(number for number in range(len(steps)) if number not in used)
    return CanonicalForm((*steps, CanonicalStep("output", ends, (), (), (), "output")))


def shuffled(form: CanonicalForm, chance: random.Random) -> CanonicalForm:
    """The same network: steps in another order, operands of additions swapped, everything renamed."""
    order: list[int] = []
    left = set(range(len(form.steps)))
    while left:
        ready = [number for number in left if not left & set(form.steps[number].inputs)]
        order.append(chance.choice(sorted(ready)))
        left.discard(order[-1])
    place = {old: new for new, old in enumerate(order)}
    keys: dict[str, str] = {}
    steps = []
    for old in order:
        step = form.steps[old]
        inputs = [place[source] for source in step.inputs]
        if step.operation == "add":
            chance.shuffle(inputs)
        state = tuple(slot._replace(key=keys.setdefault(slot.key, f"other{len(keys)}")) for slot in step.state)
        steps.append(step._replace(inputs=tuple(inputs), state=state, place=f"other.{step.place}"))
    return CanonicalForm(tuple(steps))


@given(forms(), st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_the_same_network_in_another_order_matches(form: CanonicalForm, chance: random.Random) -> None:
    other = shuffled(form, chance)
    pairs = match(form, other)
    assert pairs is not None
    assert agrees(form, other, pairs)
    assert all(form.steps[one].operation == other.steps[two].operation for one, two in pairs.items())


@given(forms(), forms(), st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_forms_match_if_and_only_if_they_are_isomorphic(
    one: CanonicalForm, other: CanonicalForm, chance: random.Random
) -> None:
    for second in (other, shuffled(one, chance), changed(one, chance)):
        assert (match(one, second) is not None) == brute_force(one, second)


def changed(form: CanonicalForm, chance: random.Random) -> CanonicalForm:
    """A form with one operand or key replaced, which may happen to give the same network."""
    number = chance.randrange(1, len(form.steps))
    step = form.steps[number]
    if step.state and chance.random() < 0.5:
        key = chance.choice(["shared", "shared too"])
        step = step._replace(state=(step.state[0]._replace(key=key),))
    elif step.inputs:
        place = chance.randrange(len(step.inputs))
        inputs = list(step.inputs)
        inputs[place] = chance.randrange(number)
        step = step._replace(inputs=tuple(inputs))
    return CanonicalForm((*form.steps[:number], step, *form.steps[number + 1 :]))


@pytest.mark.parametrize("keys", ["aabb", "abab", "abba"])
def test_networks_that_share_different_weights_do_not_match(keys: str) -> None:
    """In each of the three, every tensor is used twice."""

    def chain(keys: str) -> CanonicalForm:
        steps = [CanonicalStep("input", (), (), (), (2, 4), "input")]
        for number, key in enumerate(keys):
            steps.append(CanonicalStep("conv", (number,), (), (Slot("weight", key, (4,)),), (2, 4), f"step{number}"))
        return CanonicalForm((*steps, CanonicalStep("output", (len(keys),), (), (), (), "output")))

    others = {"aabb", "abab", "abba"} - {keys}
    assert match(chain(keys), chain(keys.translate(str.maketrans("ab", "yz")))) is not None
    assert all(match(chain(keys), chain(other)) is None for other in others)


def test_a_symmetry_that_the_walk_resolves_wrongly() -> None:
    """The walk contradicts itself; without colors there are thousands of isomorphisms, and few keep the branches."""
    kinds = [f"kind{number}" for number in range(7)]

    def network(name: str, sums: list[tuple[int, int]], ends: tuple[int, int], kinds: list[str]) -> CanonicalForm:
        """Sums of sums of the input, and beside them seven branches, each of its own kind."""
        steps = [CanonicalStep("input", (), (), (), (2, 4), "input")]
        steps += [CanonicalStep("add", read, (), (), (2, 4), f"{name}{number}") for number, read in enumerate(sums)]
        steps += [CanonicalStep(kind, (0,), (), (), (2, 4), kind) for kind in kinds]
        branches = sorted(range(len(sums) + 1, len(steps)), key=lambda number: steps[number].operation)
        return CanonicalForm((*steps, CanonicalStep("output", (*ends, *branches), (), (), (), "output")))

    one = network("a", [(0, 0), (0, 0), (0, 2), (1, 0), (1, 0), (3, 5)], (4, 6), kinds)
    other = network("b", [(0, 0), (0, 0), (0, 1), (2, 0), (0, 2), (4, 3)], (5, 6), kinds[::-1])
    pairs = match(one, other)
    assert pairs is not None
    assert agrees(one, other, pairs)


@given(st.permutations("abcd"), st.permutations("abcd"))
def test_branches_that_only_their_weights_tell_apart_are_paired_by_the_names_of_those(
    one: list[str], other: list[str]
) -> None:
    """A sum of like convolutions, as MobileOne has: any pairing is an isomorphism, and this one keeps the keys."""

    def network(name: str, keys: list[str]) -> CanonicalForm:
        steps = [CanonicalStep("input", (), (), (), (2, 4), "input")]
        steps += [CanonicalStep("conv", (0,), (), (Slot("weight", key, (4,)),), (2, 4), name + key) for key in keys]
        for _ in keys[1:]:
            read = (len(steps) - 1 if len(steps) > len(keys) + 1 else 1, len(steps) - len(keys) + 1)
            steps.append(CanonicalStep("add", read, (), (), (2, 4), f"{name}{len(steps)}"))
        return CanonicalForm((*steps, CanonicalStep("output", (len(steps) - 1,), (), (), (), "output")))

    other = [*sorted(one[:2], key=other.index), *one[2:]]  # the first two are added to each other, the others in order
    ours, theirs = network("x.", one), network("y.", other)
    pairs = match(ours, theirs)
    assert pairs is not None
    assert {(mine, yours) for mine, yours in key_pairs(ours, theirs, pairs)} == {(key, key) for key in one}


def test_ten_thousand_steps_take_seconds() -> None:
    steps = [CanonicalStep("input", (), (), (), (2, 4), "input")]
    for number in range(5000):
        slot = Slot("weight", f"{number}", (4,))
        steps.append(CanonicalStep("conv", (len(steps) - 1,), (), (slot,), (2, 4), f"{number}"))
        steps.append(CanonicalStep("add", (max(len(steps) - 3, 0), len(steps) - 1), (), (), (2, 4), f"{number}.add"))
    form = CanonicalForm((*steps, CanonicalStep("output", (len(steps) - 1,), (), (), (), "output")))
    renamed = [
        step._replace(inputs=step.inputs[::-1] if step.operation == "add" else step.inputs) for step in form.steps
    ]
    start = time.process_time()
    assert match(form, CanonicalForm(tuple(renamed))) is not None
    assert time.process_time() - start < allowed(5)
