"""Other names for parameters of definitions, if a target uses their name for something else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from archspec.emit.source.terms import condition, substituted
from archspec.graph.formulas import Expression, Variable
from archspec.graph.patterns import DefinedPart, Definition, Leaf, Use, definitions


def renamed(model: Definition, taken: Collection[str]) -> Definition:
    """A model in which no parameter of a definition has a name in ``taken``; such names get an underscore.

    >>> import archspec
    >>> from archspec.graph.patterns import patterns
    >>> model = renamed(patterns(archspec.compile("resnet18")), {"stride"})
    >>> sorted({parameter.name for each in definitions(model) for parameter in each.parameters})
    ['channels', 'in_channels', 'out_channels', 'stride_']
    """
    made: dict[int, Definition] = {}
    names: dict[int, dict[str, str]] = {}
    for definition in definitions(model):  # each after those that it uses
        names[id(definition)] = new = {each.name: _free(each.name, taken) for each in definition.parameters}
        given = {old: Variable(name) for old, name in new.items()}
        parts = tuple([_part(part, given, made, names) for part in definition.parts])
        parameters = tuple([replace(each, name=new[each.name]) for each in definition.parameters])
        made[id(definition)] = replace(definition, parts=parts, parameters=parameters)
    return made[id(model)]


def _part(
    part: DefinedPart,
    given: Mapping[str, Variable],
    made: Mapping[int, Definition],
    names: Mapping[int, dict[str, str]],
) -> DefinedPart:
    what = part.what
    when = None if part.when is None else condition(part.when, given)
    if isinstance(what, Use):
        of = id(what.definition)
        values: dict[str, Expression] = {
            names[of][name]: substituted(value, given) for name, value in what.arguments.items()
        }
        return replace(part, what=Use(made[of], values), when=when)
    return replace(part, what=_leaf(what, given), when=when)


def _leaf(leaf: Leaf, given: Mapping[str, Variable]) -> Leaf:
    args = tuple([substituted(value, given) for value in leaf.call.args])
    kwargs = {name: substituted(value, given) for name, value in leaf.call.kwargs.items()}
    weights = {name: tuple([substituted(size, given) for size in shape]) for name, shape in leaf.weights.items()}
    target = None if leaf.target is None else given.get(leaf.target.name, leaf.target)
    return replace(leaf, call=replace(leaf.call, args=args, kwargs=kwargs), weights=weights, target=target)


def _free(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name
