"""A network as definitions with parameters: what :func:`archspec.graph.patterns.patterns` gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from archspec.graph.formulas import Condition, Constant, Expression, Variable, show
from archspec.graph.graph import Node
from archspec.graph.plan import Module
from archspec.graph.rates import Rates
from archspec.operations.base import TorchCall
from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Parameter(Brief):
    """A parameter of a definition. ``values`` has its value in each use, in the order of the network."""

    name: str
    values: tuple[Constant, ...]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Leaf(Brief):
    """An operation. ``call`` has expressions for the arguments that differ between the uses of the definition.

    ``target`` is the parameter with the class, if the classes differ, as those of activations may. ``weights`` has the
    shapes of the parameters that a function or a method reads, by name. ``nodes`` has the node of each use, None where
    the part is absent. It works in place only if all nodes may.
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

    ``path`` is relative to the definition. An operation without weights and buffers has no keys in the state
    dict; its path is that of one use, and may differ in other uses. ``inputs`` are the paths of the parts whose values
    it reads; those in :attr:`Definition.sources` are the definition's own inputs. An optional part is present if
    ``when`` is true; if not, the value of ``instead``, usually the part's input, replaces its value. ``state`` is the
    path of the operation whose weights it uses, if not its own.
    """

    path: str
    inputs: tuple[str, ...]
    what: Leaf | Use
    when: Condition | None = None
    instead: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Definition(Brief):
    """The common form of ``uses``, modules of the plan in the order of the network.

    ``name`` is the name of the block, fragment or shortcut in the spec, empty for any other scope; ``class_name`` is
    unique in the network. ``parameters`` are in the order of a signature. ``result`` is the path of the part whose
    value it gives; ``outputs`` has those paths by label for a model with several outputs, which it returns in what
    ``returns`` says. If a sequence is ``positional``, its present parts are numbered, and the key of a part is its
    number; if not, its key is its path. ``rates`` are the drop rates of the blocks of the network. ``inputs`` are the
    names of the values that it reads.
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
    rates: Rates | None = None
    inputs: tuple[str, ...] = ("x",)
    returns: Literal["dict", "tuple"] = "dict"
    training: frozenset[str] = frozenset()

    @property
    def sources(self) -> dict[str, str]:
        """The names of the values that it reads, by path; that of the first is empty, and a colon begins the others."""
        return {f":{name}" if place else "": name for place, name in enumerate(self.inputs)}

    @property
    def taken(self) -> str:
        """What it reads, with annotations."""
        return ", ".join([f"{name}: Tensor" for name in self.inputs])

    @property
    def type(self) -> str:
        """The annotation of what it returns."""
        if self.outputs is None:
            return "Tensor"
        types = [self._type_of([each for each in self.outputs if each not in self.training])]
        return " | ".join(dict.fromkeys([self._type_of(list(self.outputs)), *(types if self.training else [])]))

    def _type_of(self, labels: list[str]) -> str:
        if self.returns == "dict":
            return "dict[str, Tensor]"
        alone = self.training and len(labels) == 1
        return "Tensor" if alone else f"tuple[{', '.join(['Tensor'] * len(labels))}]"

    def returned(self, names: Mapping[str, str], *, training: bool = True) -> str:
        """The expression of what it returns in a mode, by the names of its values."""
        if self.outputs is None:
            return names[self.result]
        found = {label: names[path] for label, path in self.outputs.items() if training or label not in self.training}
        if self.returns == "dict":
            return f"{{{', '.join([f'{label!r}: {name}' for label, name in found.items()])}}}"
        if len(found) == 1:
            return f"({next(iter(found.values()))}{'' if self.training else ','})"
        return ", ".join(found.values())

    def __str__(self) -> str:
        """Its parts, one per line."""
        heading = f"{self.class_name}({', '.join([each.name for each in self.parameters])})"
        reads = f" of {', '.join(self.inputs)}" if len(self.inputs) > 1 else ""
        lines = [f"{heading}: {self.kind}{reads}, {len(self.uses)} uses"]
        before = ""
        for part in self.parts:
            named = [self.sources.get(each, each) for each in (*part.inputs, part.instead)]
            read = "" if part.inputs == (before,) else f"  <- {', '.join(named[:-1])}"
            when = f"  if {show(part.when)} else {named[-1]}" if part.when is not None else ""
            lines.append(f"    {part.path}: {_shown(part.what)}{read}{when}")
            before = part.path
        return "\n".join(lines)


def _shown(what: Leaf | Use) -> str:
    if isinstance(what, Use):
        given = [f"{name}={show(value)}" for name, value in what.arguments.items()]
        return f"{what.definition.class_name}({', '.join(given)})"
    given = [*map(show, what.call.args), *[f"{name}={show(value)}" for name, value in what.call.kwargs.items()]]
    given += [f"{name or 'weight'}: {show(shape)}" for name, shape in what.weights.items()]
    return f"{what.target.name if what.target else what.call.target}({', '.join(given)})"
