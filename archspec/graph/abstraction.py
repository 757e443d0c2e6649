"""Groups of modules to definitions: common values stay, and each number that differs becomes an expression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archspec.graph.called_again import nodes_called_again
from archspec.graph.class_names import ClassNames
from archspec.graph.columns import ABSENT, Column, KnownColumn, Role, role_of, safe
from archspec.graph.conditions import condition
from archspec.graph.definitions import DefinedPart, Definition, Leaf, Parameter, Use
from archspec.graph.fitting import Fitting
from archspec.graph.formulas import Class, Condition, Expression, Variable, names_in
from archspec.graph.graph import Graph, Region
from archspec.graph.input_names import input_names
from archspec.graph.module_groups import SOURCE, ModuleGroup
from archspec.graph.nesting import nest
from archspec.graph.plan import Call, Module
from archspec.graph.rates import rates_of
from archspec.graph.skeletons import Grouping, is_activation, plain

SIZES = ("channels", "out_channels", "stride", "dilation")
"""The parameters that the stage table gives, or that a shortcut is given, widths first."""


class Abstraction:
    """The definitions of one network."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.rates = rates_of(graph)
        plan = nest(graph, fine=True)
        self.regions: dict[str, Region | None] = {}
        self._enter(plan, None)
        self.repeated = nodes_called_again(plan)
        grouping = Grouping(graph, plan)
        self.groups = grouping.group_of
        self.optional = frozenset(_optional(grouping))
        self.made: dict[int, Definition] = {}
        self.roles: dict[tuple[int, str], Role | None] = {}
        """The roles of the parameters of each definition."""
        self.number: dict[str, int] = {}
        """The position of each module among the uses of its definition."""
        self.class_names = ClassNames({call.torch.target for call in plan.calls() if call.torch.kind == "module"})
        for group in grouping.groups:
            self.number.update({module.path: number for number, (module, _) in enumerate(group.uses)})
            definer = _Definer(self, group)
            made = self.made[id(group)] = definer.definition()
            self.roles.update({(id(made), known.name): known.role for known in definer.fitting.known})
        self.model = self.made[id(grouping.group_of[""])]

    def _enter(self, module: Module, around: Region | None) -> None:
        """Note the named part of the spec that each module is in."""
        region = module.region
        own = region if region and region.name and region.kind not in ("stage", "layer") else None
        self.regions[module.path] = own or around
        for member in module.members:
            if isinstance(member, Module):
                self._enter(member, own or around)

    def definition(self, module: Module) -> Definition:
        return self.made[id(self.groups[module.made])]


def _optional(grouping: Grouping) -> Iterator[int]:
    """The groups of modules that are absent from some uses of a definition."""
    for group in grouping.groups:
        for members in group.members():
            if None in members:
                yield from (id(grouping.group_of[each.made]) for each in members if isinstance(each, Module))


class _Definer:
    """One definition under construction."""

    def __init__(self, whole: Abstraction, group: ModuleGroup) -> None:
        self.whole, self.graph, self.group = whole, whole.graph, group
        self.modules = [module for module, _ in group.uses]
        self.members = group.members()
        self.paths = {number: part.path for number, part in enumerate(group.parts)}
        if group.numbered:
            self.paths.update({number: str(number) for number in range(len(group.parts))})
        given, let = self._named()
        self.inputs = input_names(self.modules, {*given, *let})
        self.paths |= {SOURCE - place: f":{name}" if place else "" for place, name in enumerate(self.inputs)}
        source = tuple([self.graph.shape(module.inputs[0])[0] for module in self.modules])
        flat = all(len(self.graph.shape(module.inputs[0])) == 1 for module in self.modules)
        known = [KnownColumn(name, column, role_of(name), True) for name, column in given.items()]
        known.append(KnownColumn("in_features" if flat else "in_channels", source, "width", True))
        for place, name in enumerate(self.inputs[1:], start=1):
            widths = tuple([self.graph.shape(module.inputs[place])[0] for module in self.modules])
            known.append(KnownColumn(f"{name}_channels", widths, "width", True))
        output = tuple([self.graph.shape(module.result)[0] for module in self.modules])
        self.fitting = Fitting(known, let, output, optional=id(group) in whole.optional)

    def _named(self) -> tuple[dict[str, Column], dict[str, Column]]:
        """The values that the spec names, as parameters and in ``let``, if all uses have them."""
        regions = [self.whole.regions[module.path] for module in self.modules]
        first = regions[0]
        if first is None or any(module.region and module.region.kind == "layer" for module in self.modules):
            return {}, {}
        pairs = zip(self.modules, regions, strict=True)
        if len({module.path[len(each.scope) :] if each else None for module, each in pairs}) > 1:
            return {}, {}
        names = (*first.values, *first.given)
        if any(each is None or (each.kind, each.name) != (first.kind, first.name) for each in regions):
            names = SIZES  # all blocks have these
        given: dict[str, Column] = {}
        let: dict[str, Column] = {}
        rows = [{**each.given, **each.values} for each in regions if each]
        for name in sorted(names, key=lambda each: each not in SIZES[:2]):
            if all(name in row for row in rows):
                into, free = given if name in first.values or name in SIZES else let, safe(name)
                while free in given or free in let:
                    free = f"{free}_"
                into[free] = tuple([row[name] for row in rows])
        return given, let

    def definition(self) -> Definition:
        group, fitting = self.group, self.fitting
        presence = [tuple([member is not None for member in members]) for members in self.members]
        made: dict[int, Leaf | Use] = {}
        for number in sorted(range(len(group.parts)), key=lambda each: not all(presence[each])):
            made[number] = self._what(number)  # parts that are always present first: they determine the parameters best
        fitting.fill()
        self._name_activations(made)
        conditions = self._conditions(made, presence)
        parts = []
        for number, part in enumerate(group.parts):
            what, inputs, when = made[number], part.inputs, conditions.get(presence[number])
            if isinstance(what, Leaf):
                what, inputs = self._in_place(what, inputs)
            instead = "" if part.instead is None else self.paths[part.instead]
            paths = tuple([self.paths[each] for each in inputs])
            parts.append(DefinedPart(self.paths[number], paths, what, when, instead, part.key.partition("=")[2]))
        module = self.modules[0]
        names = {
            module.region.name if module.region and module.region.kind not in ("layer", "stage") else ""
            for module in self.modules
        }
        outputs = None
        if module.outputs is not None:
            results = {each.result: self.paths[place] for place, each in enumerate(module.members)}
            outputs = {label: results.get(value, "") for label, value in module.outputs.items()}
        return Definition(
            group.like.kind,
            names.pop() if len(names) == 1 else "",
            self.whole.class_names.of(self.modules, [part.what for part in parts]),
            self._parameters(),
            tuple(parts),
            self.paths[group.result],
            tuple(self.modules),
            outputs,
            group.numbered and any(part.when is not None for part in parts),
            self.whole.rates,
            self.inputs,
            module.returns,
            module.training,
        )

    def _conditions(
        self, made: Mapping[int, Leaf | Use], presence: Sequence[tuple[bool, ...]]
    ) -> dict[tuple[bool, ...], Condition]:
        """The conditions of optional parts; parts that are present together share one."""
        found: dict[tuple[bool, ...], Condition] = {}
        for there in [each for each in dict.fromkeys(presence) if not all(each)]:
            together = [number for number, each in enumerate(presence) if each == there]
            names, others = set[str](), set[str]()
            for number, what in made.items():
                (names if number in together else others).update(names_in_what(what))
            beside = any(map(self._beside, together))
            own = frozenset(names - others)
            found[there] = condition(there, self.fitting, own, beside=beside, name=self._flag(together[0]))
        return found

    def _name_activations(self, made: Mapping[int, Leaf | Use]) -> None:
        """Call activations whose class is a parameter ``act``, if their names follow from the class."""
        for number, what in made.items():
            names = {member.path.rpartition(".")[2] for member in self.members[number] if member}
            if isinstance(what, Leaf) and what.target and len(names) > 1 and not self.group.numbered:
                scope, count = self.paths[number].rpartition(".")[0], 1
                path = name = f"{scope}.act" if scope else "act"
                while path in self.paths.values():
                    count += 1
                    path = f"{name}{count}"
                self.paths[number] = path

    def _parameters(self) -> tuple[Parameter, ...]:
        """The used parameters: the width of the input, then those of the spec, then the invented ones."""
        used = [each for each in self.fitting.known if each.name in self.fitting.used]
        used.sort(key=lambda each: (each.name not in ("in_channels", "in_features"), not each.given))
        return tuple([Parameter(each.name, each.column) for each in used])

    def _beside(self, number: int) -> bool:
        """Whether a part is a shortcut or a merge."""
        member = next(member for member in self.members[number] if member is not None)
        if isinstance(member, Module):
            return bool(member.region and member.region.kind == "shortcut")
        return len(member.inputs) > 1

    def _flag(self, number: int) -> str:
        """The name of a parameter that says whether a part is present."""
        member = next(member for member in self.members[number] if member is not None)
        if isinstance(member, Module):
            name = member.region.name if member.region and member.region.kind != "layer" else member.path
        else:
            name = member.path if self.group.like.kind == "block" else member.node.operation.name
            name = "act" if is_activation(member) else name
        last = name.rpartition(".")[2]
        return safe(last) if last.isidentifier() else "extra"

    def _what(self, number: int) -> Leaf | Use:
        members = self.members[number]
        first = next(member for member in members if member is not None)
        path = self.paths[number]
        if isinstance(first, Module):
            definition = self.whole.definition(first)
            places = [self.whole.number[member.made] if isinstance(member, Module) else None for member in members]
            arguments: dict[str, Expression] = {}
            for parameter in definition.parameters:
                column = tuple([ABSENT if place is None else parameter.values[place] for place in places])
                role = self.whole.roles.get((id(definition), parameter.name))
                arguments[parameter.name] = self.fitting.fit(column, parameter.name, path, role)
            return Use(definition, arguments)
        calls = [member if isinstance(member, Call) else None for member in members]
        return self._leaf(calls, first, path)

    def _leaf(self, calls: list[Call | None], first: Call, path: str) -> Leaf:
        plains = [plain(self.graph, call) if call else None for call in calls]
        like = plain(self.graph, first)
        target = None
        if is_activation(first):
            classes = tuple([Class(each.target) if each else ABSENT for each in plains])
            found = self.fitting.fit(classes, "act", path)
            target = found if isinstance(found, Variable) else None
        args = []
        for place in range(len(like.args)):
            name = like.takes[place] if place < len(like.takes) else first.node.operation.name
            args.append(self.fitting.fit(tuple([each.args[place] if each else ABSENT for each in plains]), name, path))
        kwargs: dict[str, Expression] = {}
        names = dict.fromkeys(name for each in plains if each for name in (*each.kwargs, *each.defaults))
        order = list(like.defaults)
        for name in sorted(names, key=lambda each: order.index(each) if each in order else -1):
            column = tuple([each.kwargs.get(name, each.defaults.get(name)) if each else ABSENT for each in plains])
            if all(name not in each.kwargs for each in plains if each):
                continue
            kwargs[name] = self.fitting.fit(column, first.node.operation.name if name == "p" else name, path)
        weights = {} if like.kind == "module" else self._weights(calls, first, path)
        nodes = tuple([call.node if call else None for call in calls])
        return Leaf(replace(like, args=tuple(args), kwargs=kwargs), weights, nodes, target)

    def _weights(self, calls: list[Call | None], first: Call, path: str) -> Mapping[str, tuple[Expression, ...]]:
        found = [call.node.operation.weights(self.graph.input_shapes(call.node)) if call else None for call in calls]
        shapes: dict[str, tuple[Expression, ...]] = {}
        for name, weight in first.node.operation.weights(self.graph.input_shapes(first.node)).items():
            columns = [
                tuple([each[name].shape[axis] if each else ABSENT for each in found])
                for axis in range(len(weight.shape))
            ]
            shapes[name] = tuple([self.fitting.fit(column, "channels", path) for column in columns])
        return shapes

    def _in_place(self, leaf: Leaf, inputs: tuple[int, ...]) -> tuple[Leaf, tuple[int, ...]]:
        """The same, in place if all uses may be."""
        nodes = [node for node in leaf.nodes if node]
        for node in nodes:  # which grows
            nodes += self.whole.repeated.get(node.name, ())
        over = {self.graph.in_place.get(node.name) for node in nodes}
        if None in over or len(over) > 1:
            return leaf, inputs
        which = over.pop()
        node = nodes[0]
        torch = node.operation.torch(self.graph.input_shapes(node), in_place=True)
        assert which is not None
        if torch.kind != "module":
            call = replace(leaf.call, kind=torch.kind, target=torch.target)
            return replace(leaf, call=call), (inputs[which], *inputs[:which], *inputs[which + 1 :])
        if all(
            "inplace" in each.operation.torch(self.graph.input_shapes(each), in_place=True).kwargs for each in nodes
        ):
            return replace(leaf, call=replace(leaf.call, kwargs={**leaf.call.kwargs, "inplace": True})), inputs
        return leaf, inputs


def names_in_what(what: Leaf | Use) -> frozenset[str]:
    """The names that the expressions of a part read."""
    if isinstance(what, Use):
        given: list[Any] = list(what.arguments.values())
    else:
        given = [*what.call.args, *what.call.kwargs.values(), *what.weights.values()]
        given += [what.target] if what.target else []
    return frozenset[str]().union(*map(names_in, given))
