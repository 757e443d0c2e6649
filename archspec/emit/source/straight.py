"""The straight-line ``forward`` of a definition, with the names that a person would give to values."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.emit.source.by_mode import by_mode
from archspec.emit.source.literals import identifier
from archspec.emit.source.registration import unused
from archspec.emit.source.terms import SourceText, called, condition, in_place
from archspec.emit.source.value_names import ValueNames, is_weighted
from archspec.graph.formulas import Relation, Variable, names_in, show
from archspec.graph.graph import Graph
from archspec.graph.patterns import DefinedPart, Definition, Leaf, Use

DEEPEST, LONGEST = 3, 64
"""The most calls nested in a line, and the most characters of such a line."""
MANY_PARTS = 20
"""The number of parts from which a model calls several blocks in a line."""


class Forward(ValueNames):
    """The body of ``forward``, one statement per line.

    ``kept`` has the parameters of the definition that it reads, and ``flags`` the conditions that it tests, each by its
    attribute.
    """

    def __init__(self, graph: Graph, definition: Definition, attributes: Mapping[str, str]) -> None:
        self.graph, self.definition = graph, definition
        self.attributes = attributes
        """The text of the module of a part or of a weight of a function: ``self.conv1``."""
        self.parts = definition.parts
        self.position = {part.path: index for index, part in enumerate(self.parts)}
        self.registered = {path.split(".")[0] for path in [*attributes, *(part.path for part in self.parts)]}
        self.kept: dict[str, str] = {}
        self.flags: dict[str, str] = {}
        self.lines: list[str] = []
        self.names: dict[str, str] = dict(definition.sources)
        self.told: set[str] = set(definition.inputs[1:])
        self.outputs = definition.outputs or {"": definition.result}
        self.readers = self._readers()
        self.nested: dict[str, SourceText] = {}
        """The values that are written inside the list of the part that concatenates them."""
        self.shared = {path for path, readers in self.readers.items() if len(readers) > 1}
        self._write()

    def _readers(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {path: [] for path in self.definition.sources}
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
            values |= {path: self.nested[path] for path in part.inputs if path in self.nested}
            if pending:
                values[pending[0]] = pending[1]
            if part.path in self.names:
                continue
            last = index == len(self.parts) - 1 and self.definition.outputs is None
            other = None if pending else self._other(part, index)
            if other is not None:
                self._write_either(part, other, index)
                continue
            if not pending and self._is_merged_if_present(part, index):
                self._write_merged(part, self.parts[index + 1], index + 1, [values[path] for path in part.inputs])
                continue
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
            if pending is None and self._is_operand(part, index, text):
                self.nested[part.path] = text
                continue
            pending = None
            if last and part.path == self.definition.result:
                self.lines.append(f"return {text.text}")
                return
            self.names[part.path] = name = self._name(part, index)
            self.lines.append(f"{name} = {text.text}")
        returned = self.definition.returned(self.names)
        if self.definition.training:
            evaluated = self.definition.returned(self.names, training=False)
            self.lines = by_mode(self.lines, "self.training", evaluated, returned)
        else:
            self.lines.append(f"return {returned}")

    def _other(self, part: DefinedPart, index: int) -> DefinedPart | None:
        """An optional part that is present if this one is not, reads the same value, and takes its place."""
        if part.when is None or not self._is_choice(part) or len(self.readers[part.path]) != 1:
            return None
        at = self.readers[part.path][0]
        other = self.parts[at] if at < len(self.parts) else part
        between = self.parts[index + 1 : at]
        fits = (other.instead, other.inputs) == (part.path, part.inputs) and other.path not in self.outputs.values()
        if not fits or not _are_opposite(part, other) or any(each.when != part.when for each in between):
            return None
        return other if self._is_choice(other) and set(part.inputs) <= self.names.keys() else None

    def _write_either(self, part: DefinedPart, other: DefinedPart, index: int) -> None:
        """A statement for two parts of which one is present."""
        values = [SourceText(self.names[path]) for path in part.inputs]
        text, instead = self._value(other, values).text, self._value(part, values).text
        name = self._name(part, index)
        self.lines.append(f"{name} = {text} if {self._condition(other)} else {instead}")
        self.names[part.path] = self.names[other.path] = name

    def _is_merged_if_present(self, part: DefinedPart, index: int) -> bool:
        """Whether an optional part is only read by the next one, a merge that is present with it."""
        if not self._is_choice(part) or self.readers[part.path] != [index + 1] or index + 1 >= len(self.parts):
            return False
        merge = self.parts[index + 1]
        together = merge.when == part.when and merge.instead == part.path and self._is_choice(merge)
        return together and isinstance(merge.what, Leaf) and set(merge.inputs) == {part.instead, part.path}

    def _write_merged(self, part: DefinedPart, merge: DefinedPart, index: int, inputs: list[SourceText]) -> None:
        """A statement for an optional part and its merge: ``if self.has_residual: out += self.pool(x)``."""
        assert isinstance(merge.what, Leaf)
        own, name = self._value(part, inputs), self.names[part.instead]
        condition = self._condition(part if self._is_none(part) else merge)
        given = [own if path == part.path else SourceText(name) for path in merge.inputs]
        text = in_place(merge.what.call, [each.text for each in given])
        self.names[part.path] = name
        if text is not None and merge.inputs[0] == part.instead and not self._is_live(name, index):
            self.lines += [f"if {condition}:", f"    {text}"]
            self.names[merge.path] = name
            return
        value = called(merge.what, given, self._weights(merge.path, merge.what), self._own(merge.what))
        self.names[merge.path] = found = self._name(merge, index)
        self.lines.append(f"{found} = {value.text} if {condition} else {name}")

    def _text(self, part: DefinedPart, inputs: list[SourceText]) -> SourceText:
        """The value of a part, with the choice of an optional one that is not a module."""
        text = self._value(part, inputs)
        if not self._is_choice(part):
            return text
        chosen = f"{text.text} if {self._condition(part)} else {self.names[part.instead]}"
        return SourceText(chosen, DEEPEST, joined=True, weighted=text.weighted)

    def _value(self, part: DefinedPart, inputs: list[SourceText]) -> SourceText:
        """The value of a part that is present."""
        depth = max(each.depth for each in inputs) + 1
        weighted = is_weighted(part) or any(each.weighted for each in inputs)
        if isinstance(part.what, Use) or part.what.call.kind == "module":
            given = ", ".join([each.text for each in inputs])
            return SourceText(f"{self.attributes[part.path]}({given})", depth, weighted=weighted)
        return called(part.what, inputs, self._weights(part.path, part.what), self._own(part.what))

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
        if is_module(part):
            return f"{self.attributes[part.path]} is not None"
        if isinstance(part.what, Leaf) and part.what.weights:
            return f"{self._weights(part.path, part.what)[0]} is not None"
        opposite = (each for each in self.parts if self._is_none(each) and _are_opposite(part, each))
        if (other := next(opposite, None)) is not None:
            return f"{self.attributes[other.path]} is None"
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
        name = unused("has_residual" if sums else f"has_{identifier(part.path.rpartition('.')[2])}", taken)
        self.flags[name] = text
        return f"self.{name}"

    def _is_none(self, part: DefinedPart) -> bool:
        """Whether a part is a module with None in its place where it is absent."""
        return is_module(part) and self._is_choice(part) and part.path in self.attributes

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
        return not (text.weighted and is_weighted(reader)) or (
            isinstance(part.what, Use) and isinstance(reader.what, Use)
        )

    def _is_operand(self, part: DefinedPart, index: int, text: SourceText) -> bool:
        """Whether a call is written in the list that a later part joins, as its last operands are, which run last."""
        if len(self.readers[part.path]) != 1 or self.readers[part.path][0] >= len(self.parts):
            return False
        at = self.readers[part.path][0]
        reader, left = self.parts[at], [each.path for each in self.parts[index:at]]
        packed = isinstance(reader.what, Leaf) and reader.what.call.packed and not self._is_choice(reader)
        plain = part.when is None and text.depth == 1 and len(text.text) * len(left) <= LONGEST
        once = reader.inputs.count(part.path) == 1
        return packed and plain and once and left == list(reader.inputs[-len(left) :])

    def _nests_in_merge(self, part: DefinedPart, reader: DefinedPart, text: SourceText) -> bool:
        """Whether a short call is written as an operand, as in ``out += self.downsample(x)``."""
        if text.depth > 1 or text.joined or self._is_choice(reader) or len(reader.inputs) > 2:
            return False
        is_operator = isinstance(reader.what, Leaf) and not reader.what.call.packed
        return is_operator and reader.inputs[1] == part.path and reader.inputs[0] != part.path


def _are_opposite(one: DefinedPart, other: DefinedPart) -> bool:
    """Whether exactly one of two optional parts is present."""
    first, second = one.when, other.when
    if not isinstance(first, Relation) or not isinstance(second, Relation):
        return False
    operators = {first.operator, second.operator}
    return operators == {"==", "!="} and (first.left, first.right) == (second.left, second.right)


def is_replaced(part: DefinedPart) -> bool:
    """Whether an optional part is a module, in whose place an ``nn.Identity`` can be."""
    return is_module(part) and part.inputs == (part.instead,)


def is_module(part: DefinedPart) -> bool:
    return isinstance(part.what, Use) or part.what.call.kind == "module"
