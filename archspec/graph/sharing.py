"""Parts that share their weights: the steps of one scope with the same name under ``share``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import Diagnostic, Faults, Label, Span, cut
from archspec.display import counted
from archspec.graph.fingerprint import call_of
from archspec.graph.graph import INPUT, Graph, Node
from archspec.graph.text import contrasted, described
from archspec.language.silence import unless_meant
from archspec.language.spec import Step
from archspec.operations.facts import applied
from archspec.operations.shapes import Shape
from archspec.work import ENTRIES, EXPANDING

if TYPE_CHECKING:
    from archspec.graph.environment import Environment
    from archspec.graph.sequences import Sequences


class Stateful(NamedTuple):
    """A node with weights or buffers, and the shapes that it reads."""

    node: Node
    inputs: tuple[Shape, ...]


@dataclass(slots=True)
class FirstUse:
    """The first of the steps that share their weights under a name, and how many steps do so far."""

    name: str
    span: Span
    nodes: tuple[Stateful, ...]
    uses: int = 1
    normless: str = ""
    """Why a layer in it has no norm, if the activation order is the reason."""


@dataclass(slots=True)
class Sharing:
    """What is shared in a network: for each node that uses the tensors of another, the name that these have."""

    names: dict[str, str] = field(default_factory=dict)
    firsts: list[FirstUse] = field(default_factory=list)
    empty: dict[Span, str] = field(default_factory=dict)
    """The places of steps without weights to share, with their names."""
    normless: list[tuple[int, str]] = field(default_factory=list)
    """The layers that the activation order leaves without their norm: how many nodes are before, and the reason."""
    misfit: int = -1
    """The last node that does not fit its inputs, so that its shape and its weights are only assumed."""

    def end(self, start: int, reason: str) -> None:
        """Note the last layer of a place, whose nodes begin at ``start``; with a reason, it is without its norm."""
        if reason:
            self.normless.append((start, reason))

    def normless_since(self, start: int) -> str:
        """The reason why a layer since node ``start`` is without its norm; empty without such a layer."""
        last, reason = self.normless[-1] if self.normless else (-1, "")
        return reason if last >= start else ""

    def copied(self, name: str, copied: str, old: int, new: str) -> None:
        """Note the copy of a node of a block, whose scope of length ``old`` became ``new``."""
        if name in self.names:
            self.names[copied] = new + self.names[name][old:]

    def warn(self, faults: Faults) -> None:
        """Warn of steps that share nothing."""
        for span, name in self.empty.items():
            message = f"`share: {cut(name)}` has no effect: this step has no weights and no statistics"
            faults.record("W314", message, span, help=unless_meant("W314", "remove it"))
        used = {first.span for first in self.firsts if first.uses > 1}
        for first in {each.span: each for each in self.firsts if each.span not in used}.values():
            message = f"`share: {cut(first.name)}` has no effect: no other step of this scope has the same name"
            advice = "write it on each step that uses these weights; blocks and fragments have scopes of their own"
            faults.record("W314", message, first.span, help=unless_meant("W314", advice))


def share(sequences: Sequences, step: Step, env: Environment, start: int) -> None:
    """Let the nodes of a step, those from number ``start`` on, use the tensors of the first step that shares them."""
    assert step.share
    if sequences.sharing.misfit >= start:
        return
    name, span = step.share
    nodes, (*_, scope) = sequences.builder.nodes, env.kept.around()
    env.work.spend(EXPANDING, len(nodes) // ENTRIES + len(nodes) - start, span)
    shapes = {INPUT: sequences.builder.input, **{node.name: node.shape for node in nodes}}
    found = []
    for node in nodes[start:]:
        inputs = tuple([shapes[each] for each in node.inputs])
        if node.operation.weights(inputs) or node.operation.buffers(inputs):
            found.append(Stateful(node, inputs))
    first, normless = scope.shares.get(name), sequences.sharing.normless_since(start)
    if not found and first is None:
        sequences.sharing.empty[span] = name
    elif first is None:
        if name in scope.unshared:
            label = Label(scope.unshared[name], "left out by this condition")
            message = f"`when` leaves out the first step with `share: {cut(name)}`, whose weights this step would use"
            help = "give this step another name under `share`, or the same `when`"
            sequences.faults.add(Diagnostic("E324", message, span, labels=(label,), help=help))
        scope.shares[name] = FirstUse(name, span, tuple(found), normless=normless)
        sequences.sharing.firsts.append(scope.shares[name])
    elif fault := _difference(first, found, span, normless):
        first.uses += 1
        sequences.faults.add(fault)
    else:
        first.uses += 1
        _borrow(sequences, first, found)


def leave_out_shared(step: Step, env: Environment) -> None:
    """Note that a condition leaves out a step that shares its weights: a later one, or one that would be the first."""
    *_, scope = env.kept.around()
    if step.share and (first := scope.shares.get(step.share[0])):
        first.uses += 1
    elif step.share and step.when:
        scope.unshared.setdefault(step.share[0], step.when.span)


def _borrow(sequences: Sequences, first: FirstUse, found: list[Stateful]) -> None:
    names = sequences.sharing.names
    for own, other in zip(found, first.nodes, strict=True):
        names[own.node.name] = names.get(other.node.name, other.node.name)
        sequences.builder.weights -= applied(own.node.operation, own.inputs).params


def _difference(first: FirstUse, found: list[Stateful], span: Span, normless: str) -> Diagnostic | None:
    """Why some nodes cannot use the tensors of the first; None if they can."""
    name = cut(first.name)

    def fault(message: str, label: str, help: str) -> Diagnostic:
        # Repetitions of a step have one place.
        labels = (Label(first.span, label),) if first.span != span else ()
        return Diagnostic("E323", message, span, labels=labels, help=help)

    if normless and _only_norms(first.nodes, found):
        message = f"`share: {name}` has the weights of a norm, and this step has no norm: {normless}"
        return fault(message, "the weights are made here", OWN_NORM)
    if first.normless and _only_norms(found, first.nodes):
        message = f"`share: {name}` has no weights of a norm, and this step has a norm: {first.normless}"
        return fault(message, "the weights are made here, without a norm", OWN_NORM)
    for own, other in zip(found, first.nodes, strict=False):
        if same_tensors(own, other):
            continue
        if own.node.operation == other.node.operation and own.inputs[0][0] != other.inputs[0][0]:
            here, there = own.inputs[0][0], other.inputs[0][0]
            message = f"`share: {name}` has weights for {counted(there, 'channel')}, and reads {here} here"
            help = "bring both values to one width, for example with a `conv` of kernel 1 before each, or share less"
            return fault(message, f"the weights are made here, for {counted(there, 'channel')}", help)
        given, before = (cut(each, 200) for each in contrasted(own.node.operation, other.node.operation))
        message = f"`share: {name}` has the weights of `{before}`, but this step has `{given}` there"
        help = "give both steps the same arguments, or this one another name under `share`"
        return fault(message, "the weights are made here", help)
    if len(found) != len(first.nodes):
        given, before = (counted(len(each), "operation") for each in (found, first.nodes))
        message = f"`share: {name}` has the weights of {before}, and this step has {given} with weights"
        return fault(message, "the weights are made here", "write the same steps in both places")
    return None


OWN_NORM = "give the layers `norm: none`, or write each as steps: `conv`, `norm`, `act`"


def _only_norms(longer: Sequence[Stateful], shorter: Sequence[Stateful]) -> bool:
    """Whether ``shorter`` is ``longer`` without norms."""
    met = 0
    for each in longer:
        if met < len(shorter) and same_tensors(each, shorter[met]):
            met += 1
        elif each.node.operation.setting != "norm":
            return False
    return met == len(shorter) < len(longer)


def same_tensors(own: Stateful, other: Stateful) -> bool:
    """Whether one module of torch can be both nodes."""
    tensors: list[Any] = []
    for node, inputs in (own, other):
        weights = [(name, weight.shape) for name, weight in node.operation.weights(inputs).items()]
        tensors.append((weights, node.operation.buffers(inputs), call_of(node.operation, inputs)))
    return bool(tensors[0] == tensors[1])


def wrongly_shared(graph: Graph) -> Iterator[tuple[str, str]]:
    """The nodes of a graph that cannot use the tensors that they share, each with the reason."""
    firsts: dict[str, Stateful] = {}
    for node in graph.nodes:
        state, own = graph.state_of(node.name), Stateful(node, graph.input_shapes(node))
        if node.name not in graph.borrowing:
            firsts[state] = own
        elif not same_tensors(own, firsts[state]):
            there = described(firsts[state].node.operation)
            yield (
                node.name,
                f"`{cut(node.name)}` cannot use the weights of `{cut(state)}`, those of `{there}`",
            )
