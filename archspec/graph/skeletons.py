"""Modules of a plan grouped by structure, with the numbers taken out: each group will be one definition.

A skeleton is a module without its numbers: its parts, their operations and their wiring. Modules with equal skeletons
form a group. Groups of one block, fragment or place are merged if the parts that only some of them have can be
optional; ``alignment.py`` finds that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from archspec.graph.alignment import MOST_GROUPS, merge, merged
from archspec.graph.graph import Graph
from archspec.graph.module_groups import SOURCE, AlignedPart, ModuleGroup, Skeleton, SkeletonPart
from archspec.graph.plan import Call, Module
from archspec.operations.base import TorchCall

Family = tuple[object, ...]
"""The common key of modules that may become one definition although their parts differ."""

LEAVES: Family = ("leaves",)
"""The family of all sequences of operations, wherever they are."""


class Grouping:
    """The groups of one network, each after those of its members; ``group_of`` finds them by the path of a module."""

    def __init__(self, graph: Graph, model: Module) -> None:
        self.graph = graph
        self.labels: dict[object, int] = {}
        self.group_of: dict[str, ModuleGroup] = {}
        self.known: dict[Skeleton, ModuleGroup] = {}
        self.named: list[ModuleGroup] = []
        """Those of blocks, fragments and shortcuts."""
        self.groups: list[ModuleGroup] = []
        order = {module.path: number for number, module in enumerate(model.modules())}
        for family, modules in _families(model):
            places = family == LEAVES or "layer" in family
            self._group(modules, alone=family[0] == "own", anywhere=places, named=family[0] == "named")
        self.groups = self._in_order()
        for group in self.groups:
            group.uses.sort(key=lambda use: order[use[0].path])

    def _group(self, modules: list[Module], *, alone: bool, anywhere: bool, named: bool) -> None:
        """Group the modules of a family.

        Args:
            alone: the module is a stage or the model, which joins no group.
            anywhere: the modules are in different places, so they may differ in only one part.
            named: the modules are of a block, a fragment or a shortcut, which may equal one with another name.
        """
        places: dict[Skeleton, list[Module]] = {}
        for module in modules:
            places.setdefault(self._skeleton(module), []).append(module)
        made: list[ModuleGroup] = []
        for skeleton in sorted(places, key=lambda each: -len(each.pieces)):
            group = None if alone else self.known.get(skeleton)
            if group is None:
                first = places[skeleton][0]
                pairs = zip(first.members, skeleton.pieces, strict=True)
                parts = [AlignedPart(first.relative(each), *piece, _written(each)) for each, piece in pairs]
                group = ModuleGroup(parts, skeleton.result, {skeleton: tuple(range(len(parts)))})
                made.append(group)
            group.uses += [(module, skeleton) for module in places[skeleton]]
        shares = any("=" in piece.key for skeleton in places for piece in skeleton.pieces)
        groups = made if shares else merged(made, anywhere)
        if named and not shares:
            groups = [self._joined(group) for group in groups]
        found = {skeleton: group for group in groups for skeleton in group.variants}
        self.groups += [group for group in dict.fromkeys(groups) if group not in self.groups]
        if not alone:
            self.known.update(found)
        if named:
            self.named += [group for group in groups if group not in self.named]
        for skeleton, several in places.items():
            group = found.get(skeleton) or self.known[skeleton]
            self.group_of.update(dict.fromkeys([module.path for module in several], group))

    def _joined(self, group: ModuleGroup) -> ModuleGroup:
        """The group, or a group of another name that differs in one part only and has taken over its modules."""
        for other in self.named if len(self.named) <= MOST_GROUPS else ():
            one = merge(other, group, anywhere=True, most=1)
            if one:
                other.parts, other.result, other.variants, other.uses = one.parts, one.result, one.variants, one.uses
                return other
        return group

    def _in_order(self) -> list[ModuleGroup]:
        """The groups, each after those of its members."""
        found: dict[ModuleGroup, None] = {}

        def visit(group: ModuleGroup) -> None:
            if group not in found:
                for module, _ in group.uses:
                    for member in module.members:
                        if isinstance(member, Module):
                            visit(self.group_of[member.made])
                found[group] = None

        for group in self.groups:
            visit(group)
        return list(found)

    def _skeleton(self, module: Module) -> Skeleton:
        values = {name: SOURCE - place for place, name in enumerate(module.inputs)}
        pieces, numbered = [], module.kind == "sequential"
        for position, member in enumerate(module.members):
            if isinstance(member, Module):
                kind: object = id(self.group_of[member.made])
                read: tuple[str, ...] = member.inputs
            else:
                kind, read = self._kind(member), member.node.inputs
            path = module.relative(member)
            numbered = numbered and path == str(position)
            label = self.labels.setdefault(kind, len(self.labels))
            key = path if isinstance(member, Module) or member.node.operation.has_state else ""
            if member.state:
                key = f"{path}={module.within(member.state)}"
            pieces.append(SkeletonPart(key, label, tuple([values[name] for name in read])))
            values[member.result] = position
        return Skeleton(module.kind, tuple(pieces), values[module.result], numbered, len(module.inputs))

    def _kind(self, member: Call) -> object:
        """An operation without its numbers. All activation functions are alike: their class may be a parameter."""
        if is_activation(member):
            return "activation"
        torch = plain(self.graph, member)
        read = () if torch.kind == "module" else member.node.operation.weights(self.graph.input_shapes(member.node))
        return (torch.kind, torch.target, len(torch.args), torch.fold, torch.packed, *read)


def is_activation(member: Call) -> bool:
    """Whether it is a module of an activation function without arguments and weights."""
    operation = member.node.operation
    return (
        operation.nonlinear
        and not operation.has_state
        and member.torch.kind == "module"
        and not member.torch.args
        and member.torch.kwargs.keys() <= {"inplace"}
    )


def plain(graph: Graph, member: Call) -> TorchCall:
    """The call of a node that does not work in place, on inputs in the order of the node."""
    torch = member.torch
    if torch.kind == "module":
        return torch if "inplace" not in torch.kwargs else replace(torch, kwargs=_without(torch.kwargs))
    return member.node.operation.torch(graph.input_shapes(member.node)) if torch.kind == "method" else torch


def _without(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name != "inplace"}


def _written(member: Call | Module) -> object:
    """Where the spec asks for a member, to tell steps of one kind apart."""
    if isinstance(member, Call):
        return member.node.provenance.step if member.node.provenance else None
    return member.region.span if member.region else None


def _families(model: Module) -> Iterator[tuple[Family, list[Module]]]:
    """The modules by family, each family after the families of the modules inside it."""
    modules: dict[Family, list[Module]] = {}
    entered: dict[str, tuple[Family, int]] = {}
    inside: dict[Family, dict[Family, None]] = {}

    def enter(module: Module, around: Family) -> tuple[Family, int]:
        if module.state:  # it is there already
            return entered[module.state]
        family = _family(module, around)
        met = [enter(member, family) for member in module.members if isinstance(member, Module)]
        height = max([height for _, height in met], default=-1) + 1
        if any(other == family for other, _ in met):  # a definition inside itself
            family = (*family, height)
        modules.setdefault(family, []).append(module)
        inside.setdefault(family, {}).update(dict.fromkeys([other for other, _ in met]))
        entered[module.path] = family, height
        return family, height

    enter(model, ())
    done: set[Family] = set()

    def visit(family: Family) -> Iterator[Family]:
        if family not in done:
            done.add(family)
            for other in inside[family]:
                yield from visit(other)
            yield family

    for family in [each for start in modules for each in visit(start)]:
        yield family, modules[family]


def _family(module: Module, around: Family) -> Family:
    """The family of a module, from that of the module around it."""
    region = module.region
    if module.kind == "model" or (region and region.kind == "stage"):
        return ("own", module.path)
    if module.kind == "sequential" and all(isinstance(member, Call) for member in module.members):
        return LEAVES
    if region and region.name and region.kind != "layer":
        kind = "fragment" if region.kind in ("before", "after") else region.kind
        return ("named", kind, region.name)
    layer = bool(region and region.kind == "layer")
    if around[:1] == ("own",) and not layer:
        return ("own", module.path)
    return ("within", around, "layer" if layer else module.path.rpartition(".")[2])
