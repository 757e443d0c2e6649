"""The straight-line ``forward`` of a definition, with the names that a person gives to values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain, count

from archspec.emit.source.literals import identifier
from archspec.emit.source.terms import SourceText, called, condition, in_place
from archspec.graph.formulas import Relation, Variable, names_in, show
from archspec.graph.graph import Graph
from archspec.graph.nesting import Call
from archspec.graph.patterns import DefinedPart, Definition, Leaf, Use

DEEPEST, LONGEST = 3, 64
"""How many calls are nested in a line, and how many characters they may have."""
MANY_PARTS = 20
"""From how many parts on a model calls several blocks in a line."""

RESERVED = frozenset({"torch", "nn", "F", "math", "self", "l", "O", "I"})
"""Names that a value cannot have; the last three look like digits."""


class Forward:
    """The body of ``forward``, a line a statement.

    By the attribute that holds each, ``kept`` has the parameters of the definition that it reads, and ``flags`` the
    conditions that it asks for.
    """

    def __init__(self, graph: Graph, definition: Definition, attributes: Mapping[str, str]) -> None:
        self.graph, self.definition = graph, definition
        self.attributes = attributes
        """How the module of a part is written, and a weight of a function: ``self.conv1``."""
        self.parts = definition.parts
        self.position = {part.path: index for index, part in enumerate(self.parts)}
        self.registered = {path.split(".")[0] for path in [*attributes, *(part.path for part in self.parts)]}
        self.kept: dict[str, str] = {}
        self.flags: dict[str, str] = {}
        self.lines: list[str] = []
        self.names: dict[str, str] = {"": "x"}
        self.outputs = definition.outputs or {"": definition.result}
        self.readers = self._readers()
        self.shared = {path for path, readers in self.readers.items() if len(readers) > 1}
        self._write()

    def _readers(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {"": []}
        for index, part in enumerate(self.parts):
            found[part.path] = []
            for path in dict.fromkeys((*part.inputs, *([part.instead] if part.when is not None else []))):
                found[path].append(index)
        for path in self.outputs.values():
            found[path].append(len(self.parts))
        return found

    def _write(self) -> None:
        pending: tuple[str, SourceText] | None = None
        for index, part in enumerate(self.parts):
            values = {path: SourceText(self.names[path]) for path in part.inputs if path in self.names}
            if pending:
                values[pending[0]] = pending[1]
            last = index == len(self.parts) - 1 and self.definition.outputs is None
            statement = self._statement(part, index, values, last)
            if statement:
                self.lines += statement
                if last:
                    return
                pending = None
                continue
            text = self._text(part, [values[path] for path in part.inputs])
            if self._nests(part, index, text):
                pending = (part.path, text)
                continue
            pending = None
            if last and part.path == self.definition.result:
                self.lines.append(f"return {text.text}")
                return
            self.names[part.path] = name = self._name(part, index)
            self.lines.append(f"{name} = {text.text}")
        if self.definition.outputs is None:
            self.lines.append(f"return {self.names[self.definition.result]}")
        else:
            items = [f"{label!r}: {self.names[path]}" for label, path in self.definition.outputs.items()]
            self.lines.append(f"return {{{', '.join(items)}}}")

    def _text(self, part: DefinedPart, inputs: list[SourceText]) -> SourceText:
        """The value of a part, with the choice of an optional one that is not a module."""
        depth = max(each.depth for each in inputs) + 1
        weighted = _is_weighted(part) or any(each.weighted for each in inputs)
        if isinstance(part.what, Use) or part.what.call.kind == "module":
            given = ", ".join([each.text for each in inputs])
            text = SourceText(f"{self.attributes[part.path]}({given})", depth, weighted=weighted)
        else:
            text = called(part.what, inputs, self._weights(part.path, part.what), self._own(part.what))
        if self._is_choice(part):
            chosen = f"{text.text} if {self._condition(part)} else {self.names[part.instead]}"
            return SourceText(chosen, DEEPEST, joined=True, weighted=weighted)
        return text

    def _weights(self, path: str, leaf: Leaf) -> list[str]:
        """The weights of a function, as attributes of the module."""
        return [self.attributes[f"{path}.{key}" if key else path] for key in leaf.weights]

    def _is_choice(self, part: DefinedPart) -> bool:
        """Whether an optional part is chosen here, and not by an ``nn.Identity`` in its place."""
        return part.when is not None and not is_replaced(part)

    def _own(self, leaf: Leaf) -> dict[str, Variable]:
        """The parameters that a function reads, as attributes of the module."""
        values = [*leaf.call.args, *leaf.call.kwargs.values()]
        names = sorted(set().union(*[names_in(value) for value in values]))
        return self._kept(names)

    def _kept(self, names: list[str]) -> dict[str, Variable]:
        """Parameters as attributes of the module. None has the name of a part."""
        found = {}
        for name in names:
            attribute = f"{name}_" if name in self.registered else name
            self.kept[attribute] = name
            found[name] = Variable(f"self.{attribute}")
        return found

    def _condition(self, part: DefinedPart) -> str:
        """A condition, kept as an attribute unless it is a parameter or whether one is there."""
        assert part.when is not None
        when = part.when
        if _is_module(part):
            return f"{self.attributes[part.path]} is not None"
        if isinstance(part.what, Leaf) and part.what.weights:
            return f"{self._weights(part.path, part.what)[0]} is not None"
        plain = isinstance(when, Variable) or (
            isinstance(when, Relation) and when.operator == "is not" and isinstance(when.left, Variable)
        )
        if plain:
            names = sorted(names_in(when))
            return show(condition(when, self._kept(names)))
        text = show(when)
        for name, known in self.flags.items():
            if known == text:
                return f"self.{name}"
        sums = isinstance(part.what, Leaf) and any(node.operation.sums for node in part.what.nodes if node)
        taken = {*self.flags, *self.kept, *[path.split(".")[0] for path in self.position]}
        name = _free("has_residual" if sums else f"has_{identifier(part.path.rpartition('.')[2])}", taken)
        self.flags[name] = text
        return f"self.{name}"

    def _statement(self, part: DefinedPart, index: int, values: Mapping[str, SourceText], last: bool) -> list[str]:
        """A part as an assignment that works in place, or an empty list."""
        if isinstance(part.what, Use):
            return []
        optional = self._is_choice(part)
        first = part.inputs[0]
        if (last and not optional) or values[first].depth:
            return []
        name = self.names[first]
        text = in_place(part.what.call, [values[path].text for path in part.inputs])
        if text is None or self._is_live(name, index) or (optional and self.names[part.instead] != name):
            return []
        self.names[part.path] = name
        lines = [f"if {self._condition(part)}:", f"    {text}"] if optional else [text]
        if last:
            lines.append(f"return {name}")
        return lines

    def _is_live(self, name: str, index: int) -> bool:
        """Whether a later part than that at ``index`` reads a value that has this name."""
        return any(self.readers[path][-1:] > [index] for path, known in self.names.items() if known == name)

    def _nests(self, part: DefinedPart, index: int, text: SourceText) -> bool:
        """Whether the value is written inside the call of its one reader, the next part."""
        if self.readers[part.path] != [index + 1] or index + 1 >= len(self.parts):
            return False
        reader = self.parts[index + 1]
        if len(reader.inputs) > 1:
            return self._nests_in_merge(part, reader, text)
        if self._is_choice(reader) or text.depth >= DEEPEST or len(text.text) > LONGEST:
            return False
        is_use = isinstance(part.what, Use) or isinstance(reader.what, Use)
        if self.definition.kind == "model" and is_use and len(self.parts) < MANY_PARTS:
            return False
        return not (text.weighted and _is_weighted(reader)) or (
            isinstance(part.what, Use) and isinstance(reader.what, Use)
        )

    def _nests_in_merge(self, part: DefinedPart, reader: DefinedPart, text: SourceText) -> bool:
        """Whether a short call is written as an operand, as in ``out += self.downsample(x)``."""
        if text.depth > 1 or text.joined or self._is_choice(reader) or len(reader.inputs) > 2:
            return False
        is_operator = isinstance(reader.what, Leaf) and not reader.what.call.packed
        return is_operator and reader.inputs[1] == part.path and reader.inputs[0] != part.path

    def _name(self, part: DefinedPart, index: int) -> str:
        """The name of a value: that of what it is computed from, where this is not read again."""
        for label, path in (self.definition.outputs or {}).items():
            if path == part.path:
                return self._free(identifier(label, "output"), index)
        if self.definition.kind == "block" and part.path in self.shared and _is_activation(part):
            return self._free("activated", index)
        start = part
        while len(start.inputs) == 1 and start.inputs[0] not in self.names:
            start = self.parts[self.position[start.inputs[0]]]
        if len(start.inputs) == 1 and start.inputs[0] in self.shared:
            return self._free(self._role(start, self.position[start.path]), index)
        for path in part.inputs:
            name = self.names.get(path, self._source(path))
            if not self._is_live(name, index):
                return name
        return self._free("x" if self.definition.kind == "model" else "out", index)

    def _source(self, path: str) -> str:
        """The name of the value that a nested expression starts from."""
        while path not in self.names:
            path = self.parts[self.position[path]].inputs[0]
        return self.names[path]

    def _role(self, part: DefinedPart, index: int) -> str:
        """The name of a branch, by what it is for at the place where it ends."""
        fork, path = part.inputs[0], part.path
        while len(self.readers[path]) == 1 and self.readers[path][0] < len(self.parts):
            merge = self.parts[self.readers[path][0]]
            if len(merge.inputs) > 1:
                break
            path = merge.path
        else:
            return "x" if self.definition.kind == "model" else "out"
        if path not in merge.inputs:  # it takes the place of a merge that is optional
            return "x" if self.definition.kind == "model" else "out"
        call = self._call(merge)
        gates = [call.node.inputs[each] for each in call.node.operation.gates(self.graph.input_shapes(call.node))]
        if call.inputs[merge.inputs.index(path)] in gates:
            return "scale"
        others = [each for each in merge.inputs if each != path]
        if len(others) == 1 and (others[0] == fork or call.node.operation.sums):
            first = min(self.readers[fork]) == index
            return "out" if first or others[0] == fork else "identity"
        return self._branch(part, path)

    def _branch(self, first: DefinedPart, last: str) -> str:
        """The name of a branch from its first part to its last: that of its last layer, without a number of its own."""
        parts = [self.parts[index] for index in range(self.position[first.path], self.position[last] + 1)]
        chain = [first]
        for part in parts[1:]:
            if part.inputs == (chain[-1].path,):
                chain.append(part)
        named = next((part for part in reversed(chain) if _is_weighted(part)), chain[-1])
        scope = named.path.split(".")[0]
        scope = re.sub(r"_\d+[a-z]?$", "", scope) if self._is_free(re.sub(r"_\d+[a-z]?$", "", scope)) else scope
        return identifier(scope if not scope.isdecimal() else f"branch{scope}", "branch")

    def _is_free(self, name: str) -> bool:
        return name not in self.names.values()

    def _call(self, part: DefinedPart) -> Call:
        """The operation of a part in the first use that has it."""
        assert isinstance(part.what, Leaf)
        name = next(node.name for node in part.what.nodes if node is not None)
        members = (member for use in self.definition.uses for member in use.members if isinstance(member, Call))
        return next(member for member in members if member.node.name == name)

    def _free(self, name: str, index: int) -> str:
        """A name that no value has that is read later."""
        taken = {known for known in self.names.values() if self._is_live(known, index)}
        return _free(f"{name}_" if name in RESERVED else name, taken)


def is_replaced(part: DefinedPart) -> bool:
    """Whether an optional part is a module, in whose place an ``nn.Identity`` can be."""
    return _is_module(part) and part.inputs == (part.instead,)


def _is_module(part: DefinedPart) -> bool:
    return isinstance(part.what, Use) or part.what.call.kind == "module"


def _is_activation(part: DefinedPart) -> bool:
    return isinstance(part.what, Leaf) and any(node.operation.nonlinear for node in part.what.nodes if node is not None)


def _is_weighted(part: DefinedPart) -> bool:
    if isinstance(part.what, Use):
        return True
    return any(node.operation.weighted for node in part.what.nodes if node is not None)


def _free(name: str, taken: set[str]) -> str:
    numbered = (f"{name}{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)
