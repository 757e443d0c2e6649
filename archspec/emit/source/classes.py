"""Definitions as classes, with ``__init__`` and ``forward``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from archspec.emit.source.freezing import freezes
from archspec.emit.source.literals import identifier, literal
from archspec.emit.source.registration import (
    Holding,
    assigned,
    attribute,
    head,
    holders,
    indented,
    index,
    is_activation,
    is_listed,
    is_numbered,
    items,
    lent,
    numbered,
    renamed,
    scopes_of_numbers,
    unused,
    weight_attribute,
    with_lists,
)
from archspec.emit.source.sequences import has_tensors, with_chosen_names
from archspec.emit.source.shortening import shortened
from archspec.emit.source.signatures import use
from archspec.emit.source.starts import METHOD, start_of, statements
from archspec.emit.source.straight import Forward, is_module, is_replaced
from archspec.emit.source.terms import check, condition, made, substituted
from archspec.graph.formulas import Expression, show
from archspec.graph.graph import Graph
from archspec.graph.patterns import DefinedPart, Definition, Leaf, Repeat, Use, definitions, runs

_Names = Mapping[str, Expression]
_FEWEST_STATEMENTS = 3
"""The fewest members with names for which a sequence is filled by statements."""
_LONGEST_CHOICE = 108
"""The most characters of a conditional assignment of an optional part; a longer one becomes an `if` statement."""


class Classes:
    """The classes of a network as lines, inner ones first. ``taken`` are names that they cannot have."""

    def __init__(self, graph: Graph, model: Definition, taken: Iterator[str] | Sequence[str]) -> None:
        self.graph, self.model = graph, with_chosen_names(graph, model)
        self.all = definitions(self.model)
        self.names = self._class_names(set(taken))
        self.references = self._references()
        self.in_statements = {
            id(part.what.definition)
            for definition in self.all
            if definition.kind != "sequential"
            for part in definition.parts
            if isinstance(part.what, Use) and part.when is None
        }
        """The definitions that are used by a class with its own statements, where a list can be made first."""
        self.written = [each for each in self.all if not self.is_inline(each)]

    def _class_names(self, taken: set[str]) -> dict[int, str]:
        found: dict[int, str] = {}
        for definition in reversed(self.all):  # the model first, which keeps its name
            name = identifier(definition.class_name, "Network")
            name = unused(f"Block{name}" if len(name) == 1 else name, taken)
            taken.add(name)
            found[id(definition)] = name
        return found

    def _references(self) -> dict[int, int]:
        """The number of places in the source that use each definition."""
        found = {id(each): 0 for each in self.all}
        for definition in self.all:
            for item in items(definition):
                part = item.part if isinstance(item, Repeat) else item
                if isinstance(part.what, Use) and not part.state:
                    found[id(part.what.definition)] += 1
        return found

    def name(self, definition: Definition) -> str:
        return self.names[id(definition)]

    def is_inline(self, definition: Definition) -> bool:
        """Whether it is an ``nn.Sequential`` at the one place that uses it."""
        if definition.kind != "sequential" or self.references[id(definition)] != 1:
            return False
        return not is_listed(definition) or id(definition) in self.in_statements

    def lines(self, definition: Definition) -> list[str]:
        """The class of a definition."""
        if definition.kind == "sequential":
            return self._sequential_class(definition)
        base, setup, attributes = self._setup(definition)
        start = statements(self.graph, self.written, self.name) if definition is self.model else []
        method = f"{METHOD}_" if any(path.split(".")[0] == METHOD for path in attributes) else METHOD
        forward = Forward(self.graph, definition, attributes)
        kept = [f"self.{attribute} = {name}" for attribute, name in forward.kept.items()]
        kept += [f"self.{name} = {text}" for name, text in forward.flags.items()]
        draws = ["", f"    def {method}(self) -> None:", *indented(indented(start))] if start else []
        values = {word for line in forward.lines for word in re.findall(r"\w+", line)}
        body, computed = shortened(definition, [*kept, *setup], forward.lines, values)
        freezing, modes = freezes(self.graph) if definition is self.model else ((), ())
        body += [*([f"self.{method}()"] if start else []), *freezing]
        init = [head(definition), *indented(["super().__init__()", *body])] if body else []
        return [
            f"class {self.name(definition)}({base}):",
            *indented(init),
            *draws,
            *indented(modes),
            *([""] if init else []),
            f"    def forward(self, {definition.taken}) -> {definition.type}:",
            *indented(indented(computed)),
        ]

    def _sequential_class(self, definition: Definition) -> list[str]:
        body: list[str]
        if is_listed(definition):
            body = [*self._list(definition, {}, "layers"), "super().__init__(*layers)"]
        elif is_numbered(definition):
            body = [f"super().__init__({', '.join(self._members(definition, {}))})"]
        elif any(isinstance(item, Repeat) for item in runs(definition)):
            body = [f"super().__init__({self._ordered(definition, {})})"]
        else:
            setup = [assigned(part.path, self._member(part, {})) for part in definition.parts]
            body = ["super().__init__()", *setup]
        return [
            f"class {self.name(definition)}(nn.Sequential):",
            f"    {head(definition)}",
            *indented(indented(body)),
        ]

    def _setup(self, definition: Definition) -> tuple[str, list[str], dict[str, str]]:
        """The base class, the statements that make the parts, and the text of each part in ``forward``."""
        lines: list[str] = []
        attributes: dict[str, str] = {}
        held: set[str] = set()
        names = renamed(definition, lambda part: has_tensors(self.graph, part))
        holding = scopes_of_numbers(*self._registered(definition, names))
        activations: dict[str, str] = {}
        for part in self._in_order(definition):
            if part.state:
                attributes |= lent(part, holding)
                continue
            own = self._own_statements(part, definition)
            if own:
                attributes[part.path] = attribute(part.path, holding)
                lines += [*holders(part.path, held, holding), *own]
                continue
            for path, text in self._made(part, {}):
                path = names.get(path, path)
                is_weight = text.startswith("nn.Parameter(")
                key = part.path if path == names.get(part.path) else path
                attributes[key] = weight_attribute(path, holding) if is_weight else attribute(path, holding)
                same = f"{text} if {show(part.when)}" if part.when is not None else text
                if same in activations:
                    attributes[part.path] = activations[same]
                    continue
                if is_activation(part):
                    activations[same] = attribute(path, holding)
                lines += [*holders(path, held, holding), *self._chosen(part, path, text, holding)]
        return "nn.ModuleDict" if "" in holding else "nn.Module", with_lists(lines), attributes

    def _chosen(self, part: DefinedPart, path: str, text: str, holding: Holding) -> list[str]:
        """The statements that register a part, with a replacement where it is absent."""
        if part.when is None:
            return [assigned(path, text, holding)]
        other = "nn.Identity()" if is_replaced(part) else "None"
        line = assigned(path, f"{text} if {show(part.when)} else {other}", holding)
        if len(line) <= _LONGEST_CHOICE or not path.rpartition(".")[2].isidentifier():
            return [line]
        return [assigned(path, other, holding), f"if {show(part.when)}:", f"    {assigned(path, text, holding)}"]

    def _own_statements(self, part: DefinedPart, owner: Definition) -> list[str]:
        """The statements that fill a sequence in place, if that reads better than one expression; else none."""
        if not isinstance(part.what, Use) or part.when is not None or not self.is_inline(part.what.definition):
            return []
        inner, given = part.what.definition, part.what.arguments
        if is_listed(inner):
            name = unused("layers", {parameter.name for parameter in owner.parameters})
            return [*self._list(inner, given, name), assigned(part.path, f"nn.Sequential(*{name})")]
        items = runs(inner)
        if is_numbered(inner) or len(items) < _FEWEST_STATEMENTS or any(isinstance(item, Repeat) for item in items):
            return []
        made = [assigned(f"{part.path}.{each.path}", self._member(each, given)) for each in inner.parts]
        return [assigned(part.path, "nn.Sequential()"), *made]

    def _in_order(self, definition: Definition) -> list[DefinedPart]:
        """The parts in the order in which they are registered, so that a scope comes with its first tensor."""
        parts = list(definition.parts)
        if any("." in part.path for part in parts):
            parts.sort(key=lambda part: not has_tensors(self.graph, part))
        return parts

    def _registered(self, definition: Definition, names: Mapping[str, str]) -> tuple[list[str], set[str]]:
        """The paths of modules and weights, in the order in which a class registers them; those that are in no list."""
        paths: list[str] = []
        kept: set[str] = set()
        for part in self._in_order(definition):
            if part.state:
                continue
            if is_module(part):
                paths.append(names.get(part.path, part.path))
                kept |= {paths[-1]} if part.when is not None and not is_replaced(part) else set()
            elif isinstance(part.what, Leaf):
                weights = [f"{part.path}.{key}" if key else part.path for key in part.what.weights]
                paths += weights
                kept.update(weights)
        return paths, kept

    def _made(self, part: DefinedPart, names: _Names) -> Iterator[tuple[str, str]]:
        """The module that a part registers, or the weights of its function, each by its path."""
        what = part.what
        if isinstance(what, Leaf) and what.call.kind != "module":
            check(what)
            for key, shape in what.weights.items():
                text = f"nn.Parameter({start_of(self.graph, what, key, substituted(shape, names))})"
                yield f"{part.path}.{key}" if key else part.path, text
            return
        yield part.path, self.expression(part, names)

    def expression(self, part: DefinedPart, names: _Names) -> str:
        """The expression that makes the module of a part."""
        what = part.what
        if isinstance(what, Leaf):
            check(what)
            return made(what, names)
        given = {name: substituted(value, names) for name, value in what.arguments.items()}
        if not self.is_inline(what.definition):
            return use(what.definition, self.name(what.definition), given)
        if is_numbered(what.definition):
            return f"nn.Sequential({', '.join(self._members(what.definition, given))})"
        return f"nn.Sequential({self._ordered(what.definition, given)})"

    def _members(self, definition: Definition, names: _Names) -> Iterator[str]:
        """The arguments of an ``nn.Sequential`` whose members are numbered."""
        place = 0
        for item in runs(definition):
            path = item.paths[0] if isinstance(item, Repeat) else item.path
            if not definition.positional:
                yield from ["nn.Identity()"] * (int(path) - place)
                place = int(path) + (item.count if isinstance(item, Repeat) else 1)
            if isinstance(item, Repeat):
                yield f"*[{self.expression(item.part, names)} for {index(item)} in range({item.count})]"
            else:
                yield self._member(item, names)

    def _member(self, part: DefinedPart, names: _Names) -> str:
        """A part of a sequence, with an ``nn.Identity`` in its place where it is absent."""
        text = self.expression(part, names)
        return text if part.when is None else f"{text} if {show(condition(part.when, names))} else nn.Identity()"

    def _ordered(self, definition: Definition, names: _Names) -> str:
        """The argument of an ``nn.Sequential`` whose members have names."""
        groups: list[str] = []
        for item in runs(definition):
            if isinstance(item, Repeat):
                pair = f"({numbered(item.paths)}, {self.expression(item.part, names)})"
                groups.append(f"*[{pair} for i in range({item.count})]")
            else:
                groups.append(f"({literal(item.path)}, {self._member(item, names)})")
        if len(groups) == 1 and groups[0].startswith("*["):
            return f"OrderedDict({groups[0][1:]})"
        return f"OrderedDict([{', '.join(groups)}])"

    def _list(self, definition: Definition, names: _Names, name: str) -> list[str]:
        """Statements that make a list of the members of a sequence, some of which are optional."""
        lines: list[str] = []
        plain: list[str] = []
        last = ""

        def flush() -> None:
            if not lines:
                lines.append(f"{name}: list[nn.Module] = [{', '.join(plain)}]")
            elif plain:
                one = len(plain) == 1 and not plain[0].startswith("*")
                lines.append(f"{name}.append({plain[0]})" if one else f"{name} += [{', '.join(plain)}]")
            plain.clear()

        for item in runs(definition):
            if isinstance(item, Repeat):
                plain.append(f"*[{self.expression(item.part, names)} for {index(item)} in range({item.count})]")
            elif item.when is None:
                plain.append(self.expression(item, names))
            else:
                flush()
                test = f"if {show(condition(item.when, names))}:"
                lines += [] if test == last else [test]
                lines += [f"    {name}.append({self.expression(item, names)})"]
                last = test
                continue
            last = ""
        if plain:
            flush()
        return lines
