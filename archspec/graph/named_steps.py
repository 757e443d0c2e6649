"""Steps that keep a value under a name or read one by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from archspec.diagnostics import Diagnostic
from archspec.graph.block_settings import StagePlan
from archspec.graph.data_flow import NOTHING_LATER, Follows, Later, layers_follow
from archspec.graph.environment import Environment
from archspec.graph.graph import Node
from archspec.graph.kept import NOTHING_KEPT, Kept, KeptValue, NetworkParts, Render
from archspec.graph.names import Names
from archspec.graph.orders import Flow
from archspec.graph.scopes import HEAD
from archspec.graph.sharing import leave_out_shared, share
from archspec.language.context import WIDTH
from archspec.language.named_values import wrong_name
from archspec.language.spec import Branch, Sequence, Spec, Step, Term
from archspec.language.templates import Template
from archspec.work import FAULTS

if TYPE_CHECKING:
    from archspec.graph.sequences import Sequences

STEPS_OF_A_LOOK = 4
"""Steps of work to look at a step for what it keeps."""


def open_scope(sequences: Sequences, steps: tuple[Step, ...], env: Environment, flow: Flow, after: bool) -> None:
    """Give the steps of a block, a fragment or a shortcut names of their own, if any of them names a value."""
    if any(step.named for step in steps):
        env.kept = Kept(lambda: iter(steps), len(sequences.builder.nodes))
        env.kept.follows = follows(sequences, steps, env, flow, Later(after))


def open_edge(sequences: Sequences, sequence: Sequence, env: Environment, flow: Flow, kept: Kept) -> None:
    """Give a stem, a head, ``before`` or ``after`` the names of the network."""
    env.kept = kept
    if any(step.named for step in sequence.steps):
        found = follows(sequences, sequence.steps, env, flow, NOTHING_LATER)
        kept.follows = kept.follows.joined(found) if kept.follows else found


def follows(sequences: Sequences, steps: tuple[Step, ...], env: Environment, flow: Flow, later: Later) -> Follows:
    """For each step of a scope, and each repetition in it, whether a layer follows its result, where that matters."""
    if flow.alike:
        return Follows()
    return layers_follow(steps, env, lambda template, env: sequences.names.render(template, env.values), later)


def give_inputs(sequences: Sequences, call: Step, env: Environment, inner: Environment, value: Node) -> dict[str, str]:
    """Give a fragment the values that its call names, and ``value`` for one that is not there. Returns their nodes."""
    given = {}
    for name, template in call.given.items():
        found = read(sequences, template, env) or value
        given[name] = found.name
        if inner.kept is not NOTHING_KEPT:
            inner.kept.values[name] = KeptValue(found, template.span)
    return given


def inside_branch(branch: Branch, env: Environment) -> Environment:
    """The environment of a branch, in which what it keeps is its own."""
    if not any(step.named for step in branch.steps):
        return env
    inner = env.copy()
    inner.kept = env.kept.branch()
    return inner


def source_of(sequences: Sequences, step: Step, env: Environment, value: Node) -> Node:
    """What a step reads: the value under ``from``, else the one that reaches it.

    A condition that does not depend on that value may leave the step out, and the value with it.
    """
    if step.source is None or (step.when is not None and not _reads_width(step) and not env.truth(step.when)):
        return value
    return read(sequences, step.source, env) or value


def _reads_width(step: Step) -> bool:
    return bool(step.reads_width and step.when and WIDTH in step.when.names)


def read(sequences: Sequences, template: Template, env: Environment) -> Node | None:
    """The value of a name; None, with a fault, if it cannot be read here."""
    render = _renderer(sequences, env)
    name = render(template)
    found = env.kept.find(name)
    if found is None:
        blamed = env.blame(Term(template.span))
        if sequences.faults.few:
            env.work.spend(FAULTS, STEPS_OF_A_LOOK * sum(1 for _ in env.kept.steps()), template.span)
        fault = env.kept.fault(name, blamed.span, sequences.faults, render)
        sequences.lose(fault)
    else:
        sequences.reads_by_name = True
    return found


def read_all(sequences: Sequences, template: Template, env: Environment, value: Node) -> tuple[Node, ...]:
    """The values of a name that a merge reads: one, or a list; ``value``, with a fault, if it cannot be read here."""
    found = env.kept.find_all(_renderer(sequences, env)(template))
    if found is None:
        return (read(sequences, template, env) or value,)
    sequences.reads_by_name = True
    return found


def keep_each(sequences: Sequences, step: Step, env: Environment, results: tuple[Node, ...]) -> None:
    """Keep what each repetition, or each block, gave, as a list."""
    assert step.each
    _keep(sequences, step.each, env, KeptValue(None, env.blame(Term(step.each.span)).span, results))


def reads(sequences: Sequences, step: Step, env: Environment, value: Node) -> tuple[Node, ...]:
    """What an operation reads: ``value``, and the values that its arguments name."""
    return (value, *[read(sequences, each, env) or value for each in step.given.values()])


def keep(sequences: Sequences, step: Step, env: Environment, value: Node, start: int) -> None:
    """Keep the result of a step under its name, and let its nodes, from number ``start`` on, share their weights."""
    if step.share:
        share(sequences, step, env, start)
    if not step.keep:
        return
    nodes, kept = sequences.builder.nodes, KeptValue(value, env.blame(Term(step.keep.span)).span)
    name = _keep(sequences, step.keep, env, kept)
    if name and len(nodes) > env.kept.start and nodes[-1] is value:
        sequences.kept_names.setdefault(value.name, name)


def _keep(sequences: Sequences, template: Template, env: Environment, value: KeptValue) -> str:
    """Keep a value, and return its name; empty, with a fault, if a template gives what cannot be a name."""
    name = _renderer(sequences, env)(template)
    if wrong := wrong_name(name, new=True):
        sequences.lose(Diagnostic("E305", wrong[0], value.span, help=wrong[1]))
        return ""
    if fault := env.kept.keep(name, template, value):
        sequences.lose(fault)
    return name


def leave_out(sequences: Sequences, step: Step, env: Environment) -> None:
    """Note that a condition leaves out a step that names values."""
    assert step.when
    leave_out_shared(step, env)
    env.kept.leave_out(step, step.when.span, _renderer(sequences, env))


def _renderer(sequences: Sequences, env: Environment) -> Render:
    return lambda template: sequences.names.render(template, env.values)


def of_network(spec: Spec, names: Names, plans: list[StagePlan], block: Callable[[str], Node | None]) -> Kept:
    """The scope that the stem, ``before``, ``after`` and the heads share; ``block`` finds results of blocks."""

    def steps() -> Iterator[Step]:
        yield from spec.stem.steps
        for stage in spec.stages:
            for key in ("before", "after"):
                cell = stage.cells.get(key)
                sequence: Sequence | None = cell.at(0) if cell else None
                yield from sequence.steps if sequence else ()
        for head in (*spec.heads.values(), *([spec.head] if spec.head else ())):
            yield from head.steps

    def coming() -> list[str]:
        return [names.of_stage(plan.stage, plan.at(0)) for plan in plans]

    heads = (*spec.heads, *((HEAD,) if spec.head else ()))
    return Kept(steps, parts=NetworkParts(coming=coming, heads=heads, block=block))
