"""What repeats in a network: its modules as few definitions with parameters, as a person writes classes.

Modules of the plan (:mod:`archspec.graph.nesting`) that differ only in numbers are uses of one definition. Each number
that differs is a parameter, or a formula of parameters. A part that some of them lack is optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from archspec import arguments
from archspec.graph.formulas import Condition, Constant, Expression, Variable, show
from archspec.graph.graph import Graph, Node
from archspec.graph.nesting import Call, Module, alike, nest
from archspec.operations.base import TorchCall
from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Parameter(Brief):
    """A parameter of a definition: ``values`` are those of the uses, in the order of the network."""

    name: str
    values: tuple[Constant, ...]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Leaf(Brief):
    """An operation: ``call`` has expressions in place of what differs between the uses of the definition.

    ``target`` is the parameter that holds the class where the classes differ, as those of activations may. ``weights``
    are the shapes of the parameters that a function or a method reads, by name. ``nodes`` has the node of each use,
    None where the part is absent. It works in place only where all of them may.
    """

    call: TorchCall
    weights: Mapping[str, tuple[Expression, ...]]
    nodes: tuple[Node | None, ...]
    target: Variable | None = None


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Use(Brief):
    """A use of another definition."""

    definition: Definition
    arguments: Mapping[str, Expression]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class DefinedPart(Brief):
    """A part of a definition.

    ``path`` is relative to the definition. ``inputs`` are the paths of the parts whose values it reads; an empty path
    is the definition's input. An optional part is there where ``when`` is true; where it is not, the value of
    ``instead``, one of its inputs, takes the place of its own.
    """

    path: str
    inputs: tuple[str, ...]
    what: Leaf | Use
    when: Condition | None = None
    instead: str = ""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Definition(Brief):
    """What all of ``uses``, modules of the plan in the order of the network, have in common.

    ``name`` is that of the block, fragment or shortcut in the spec, empty for any other scope; ``class_name`` is unique
    in the network. ``parameters`` are in the order of a signature. ``result`` is the path of the part whose value it
    gives; ``outputs`` are those of a model with several outputs, by label. ``positional``: whether the parts of a
    sequence are numbered without those that are absent, so that a part's key is its position among those that are
    there. Otherwise its key is its path.
    """

    kind: Literal["sequential", "block", "model"]
    name: str
    class_name: str
    parameters: tuple[Parameter, ...]
    parts: tuple[DefinedPart, ...]
    result: str
    uses: tuple[Module, ...]
    outputs: Mapping[str, str] | None = None
    positional: bool = False

    def __str__(self) -> str:
        """Its parts, a line each."""
        heading = f"{self.class_name}({', '.join([each.name for each in self.parameters])})"
        lines = [f"{heading}: {self.kind}, {len(self.uses)} uses"]
        before = ""
        for part in self.parts:
            reads = "" if part.inputs == (before,) else f"  <- {', '.join([each or 'x' for each in part.inputs])}"
            when = f"  if {show(part.when)} else {part.instead or 'x'}" if part.when is not None else ""
            lines.append(f"    {part.path}: {_shown(part.what)}{reads}{when}")
            before = part.path
        return "\n".join(lines)


def _shown(what: Leaf | Use) -> str:
    if isinstance(what, Use):
        given = [f"{name}={show(value)}" for name, value in what.arguments.items()]
        return f"{what.definition.class_name}({', '.join(given)})"
    given = [*map(show, what.call.args), *[f"{name}={show(value)}" for name, value in what.call.kwargs.items()]]
    given += [f"{name or 'weight'}: {show(shape)}" for name, shape in what.weights.items()]
    return f"{what.target.name if what.target else what.call.target}({', '.join(given)})"


def patterns(graph: Graph) -> Definition:
    """The definition of the whole model; the others are reached through its parts.

        >>> import archspec
        >>> model = patterns(archspec.compile("resnet18"))
        >>> model.kind, [part.path for part in model.parts][3:6]
        ('model', ['maxpool', 'layer1', 'layer2'])

    Raises:
        TypeError: not a Graph.
    """
    arguments.instance(graph, "graph", Graph, "a Graph, which `archspec.compile` gives")
    return _Patterns(graph).definition(nest(graph, fine=True))


def definitions(model: Definition) -> tuple[Definition, ...]:
    """All definitions of a model, each after those that it uses; the model is the last.

    >>> import archspec
    >>> [each.kind for each in definitions(patterns(archspec.compile("resnet18")))][-1]
    'model'
    """
    found: dict[int, Definition] = {}

    def visit(definition: Definition) -> None:
        if id(definition) not in found:
            for part in definition.parts:
                if isinstance(part.what, Use):
                    visit(part.what.definition)
            found[id(definition)] = definition

    visit(model)
    return tuple(found.values())


class _Patterns:
    """The definitions of one network."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.model = nest(graph, fine=True)
        self.numbers = alike(graph, self.model)
        self.uses: dict[int, list[Module]] = {}
        for module in self.model.modules():
            self.uses.setdefault(self.numbers[module.path], []).append(module)
        self.made: dict[int, Definition] = {}
        self.taken: set[str] = set()

    def definition(self, module: Module) -> Definition:
        number = self.numbers[module.path]
        if number not in self.made:
            uses = tuple(self.uses[number])
            paths = {module.inputs[0]: ""} | {each.result: module.relative(each) for each in module.members}
            parts = []
            for place, member in enumerate(module.members):
                what: Leaf | Use
                if isinstance(member, Module):
                    what = Use(self.definition(member), {})
                else:
                    calls = [use.members[place] for use in uses]
                    nodes = tuple([call.node for call in calls if isinstance(call, Call)])
                    weights = member.node.operation.weights(self.graph.input_shapes(member.node))
                    read = {} if member.torch.kind == "module" else {name: w.shape for name, w in weights.items()}
                    what = Leaf(member.torch, read, nodes)
                parts.append(DefinedPart(module.relative(member), tuple([paths[name] for name in member.inputs]), what))
            name = module.region.name if module.region else ""
            outputs = module.outputs and {label: paths[value] for label, value in module.outputs.items()}
            class_name = self._class_name(module)
            result = paths[module.result]
            self.made[number] = Definition(module.kind, name, class_name, (), tuple(parts), result, uses, outputs)
        return self.made[number]

    def _class_name(self, module: Module) -> str:
        name, number = module.class_name, 2
        while name in self.taken:
            name, number = f"{module.class_name}{number}", number + 1
        self.taken.add(name)
        return name


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Repeat(Brief):
    """Neighbors of a sequence that are equal, or whose arguments progress with ``i``, which counts from 0."""

    count: int
    part: DefinedPart


def runs(definition: Definition) -> tuple[DefinedPart | Repeat, ...]:
    """The parts of a sequence, with those that repeat as runs.

    >>> import archspec
    >>> sorted(each.count for each in runs(patterns(archspec.compile("resnet18"))) if isinstance(each, Repeat))
    []
    """
    return definition.parts
