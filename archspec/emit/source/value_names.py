"""The names that a person would give to the values in a ``forward``."""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from archspec.emit.source.literals import identifier
from archspec.emit.source.registration import unused
from archspec.emit.source.terms import in_place
from archspec.graph.graph import Graph
from archspec.graph.patterns import DefinedPart, Definition, Leaf, Use
from archspec.graph.plan import Call

MOST_WRITTEN_OVER = 4
"""How many operations that work in place on one value are looked at for its name."""

RESERVED = frozenset({"torch", "nn", "F", "math", "self", "l", "O", "I", *dir(builtins)})
"""Names that a value cannot have, with those of Python, which the source calls; `l`, `O` and `I` look like digits."""


class ValueNames:
    """The names of the values of a definition; ``names`` has those so far, by path, ``told`` the spec's own."""

    graph: Graph
    definition: Definition
    parts: Sequence[DefinedPart]
    position: Mapping[str, int]
    names: dict[str, str]
    readers: Mapping[str, Sequence[int]]
    shared: set[str]
    told: set[str]

    def _name(self, part: DefinedPart, index: int) -> str:
        """The name of a value: that of the value it is computed from, if that is not read again."""
        for label, path in (self.definition.outputs or {}).items():
            if path == part.path:
                return self._free(identifier(label, "output"), index)
        if kept := self._kept_name(part):
            found = self._free(identifier(kept, "kept"), index)
            self.told.add(found)
            return found
        if self.definition.kind == "block" and part.path in self.shared and _is_activation(part):
            if not self._is_convolved(part):
                return self._free("activated", index)
            if any(self._sums(self.parts[each]) for each in self.readers[part.path] if each < len(self.parts)):
                return self._free("inner", index)
        start = part
        while len(start.inputs) == 1 and start.inputs[0] not in self.names:
            start = self.parts[self.position[start.inputs[0]]]
        if len(start.inputs) == 1 and start.inputs[0] in self.shared:
            role = self._role(start, self.position[start.path])
            is_nested = role == "out" and self._free(role, index) != role
            return self._free("residual" if is_nested and self.definition.kind == "block" else role, index)
        if part.inputs[0] not in self.names and len(part.inputs) > 1 and self.definition.kind == "block":
            first = self.parts[self.position[part.inputs[0]]]
            return self._free(self._branch(first, first.path), index)
        for path in part.inputs:
            name = self.names.get(path, self._source(path))
            if not self._is_live(name, index) and name not in self.told:
                return name
        return self._free("x" if self.definition.kind == "model" else "out", index)

    def _kept_name(self, part: DefinedPart) -> str:
        """The name under which the spec keeps the value of a part, or of one that is written over it; else nothing."""
        if not self.graph.kept:
            return ""
        for _ in range(MOST_WRITTEN_OVER):
            own, readers = self._own_kept_name(part), self.readers[part.path]
            if own or len(readers) != 1 or readers[0] >= len(self.parts):
                return own
            before, part = part, self.parts[readers[0]]
            if isinstance(part.what, Use) or part.inputs[0] != before.path:
                break
            if in_place(part.what.call, ["x"] * len(part.inputs)) is None:
                break
        return ""

    def _own_kept_name(self, part: DefinedPart) -> str:
        """The name of the value of this part itself."""
        return next((self.graph.kept[name] for name in self._nodes(part) if name in self.graph.kept), "")

    def _nodes(self, part: DefinedPart) -> list[str]:
        """The nodes that compute the value of a part, of all uses."""
        if isinstance(part.what, Leaf):
            return [node.name for node in part.what.nodes if node is not None]
        uses = self.definition.uses
        return [each.result for use in uses for each in use.members if use.relative(each) == part.path]

    def _is_convolved(self, part: DefinedPart) -> bool:
        """Whether a layer with weights comes before it. In a block that starts with its norm, no layer does."""
        while len(part.inputs) == 1 and part.inputs[0] in self.position:
            part = self.parts[self.position[part.inputs[0]]]
            if is_weighted(part):
                return True
        return len(part.inputs) > 1

    def _sums(self, part: DefinedPart) -> bool:
        return isinstance(part.what, Leaf) and any(node.operation.sums for node in part.what.nodes if node is not None)

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
        # Without it, a part takes the place of a merge that is optional.
        if path not in merge.inputs or isinstance(merge.what, Use):
            return "x" if self.definition.kind == "model" else "out"
        call = self._call(merge)
        gates = [call.node.inputs[each] for each in call.node.operation.gates(self.graph.input_shapes(call.node))]
        if call.inputs[merge.inputs.index(path)] in gates:
            return "scale"
        others = [each for each in merge.inputs if each != path]
        if len(others) == 1 and (others[0] == fork or call.node.operation.sums):
            if self._is_shortcut(path):
                return "identity"
            is_first = min(self.readers[fork]) == index
            if is_first or others[0] == fork or self._is_shortcut(others[0]):
                return "out"
        return self._branch(part, path)

    def _is_shortcut(self, path: str) -> bool:
        """Whether a value is that of a shortcut of a block, in any of its uses."""
        return path in self.position and not self.shortcuts.isdisjoint(self._nodes(self.parts[self.position[path]]))

    @cached_property
    def shortcuts(self) -> frozenset[str]:
        """The nodes with the values of shortcuts."""
        regions = (*self.graph.regions, *self.graph.named)
        return frozenset([each.result for each in regions if each.kind == "shortcut" and each.first < each.last])

    def _branch(self, first: DefinedPart, last: str) -> str:
        """The name of a branch from its first part to its last: that of its last layer, without a number of its own."""
        parts = [self.parts[index] for index in range(self.position[first.path], self.position[last] + 1)]
        chain = [first]
        for part in parts[1:]:
            if part.inputs == (chain[-1].path,):
                chain.append(part)
        named = next((part for part in reversed(chain) if is_weighted(part)), chain[-1])
        scope = named.path.split(".")[0]
        if any(use.region and scope in use.region.given for use in self.definition.uses):  # the name of a number
            return "out"
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
        """A name that no value that is read later has."""
        taken = {known for known in self.names.values() if self._is_live(known, index)}
        return unused(f"{name}_" if name in RESERVED else name, taken)

    def _is_live(self, name: str, index: int) -> bool:
        """Whether a later part than that at ``index`` reads a value that has this name."""
        return any(max(self.readers[path], default=-1) > index for path, known in self.names.items() if known == name)


def _is_activation(part: DefinedPart) -> bool:
    return isinstance(part.what, Leaf) and any(node.operation.nonlinear for node in part.what.nodes if node is not None)


def is_weighted(part: DefinedPart) -> bool:
    if isinstance(part.what, Use):
        return True
    return any(node.operation.weighted for node in part.what.nodes if node is not None)
