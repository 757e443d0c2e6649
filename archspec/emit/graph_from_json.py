"""A graph from its JSON. The text is not trusted: everything that follows from the network is computed and compared."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from archspec import arguments
from archspec.diagnostics import Diagnostic, Source, Span, SpecError, cut, did_you_mean
from archspec.door import door
from archspec.emit.garbage import uncollected
from archspec.emit.graph_json import to_data
from archspec.emit.graph_rules import Fault, check_nodes, check_rest
from archspec.emit.graph_schema import reading_schema
from archspec.emit.json_faults import diagnostics, shown, within
from archspec.emit.json_text import parse, place
from archspec.graph.builder import Builder, too_many_nodes
from archspec.graph.graph import INPUT, Graph, Node, Region
from archspec.graph.provenance import Recorded, TableCell
from archspec.graph.sharing import wrongly_shared
from archspec.language.acceptance import Accepts, acceptance
from archspec.operations.base import Operation
from archspec.operations.discovery import operations
from archspec.operations.shapes import ShapeFault
from archspec.work import READING, STEPS_OF_A_VALUE, Limits, Work

MAX_TEXT = 2**26
"""The most characters of a graph in JSON."""

MAX_FAULTS = 20
"""After so many faults, reading stops."""

Path = list[str | int]


@door
def graph_from_json(text: str | Source, *, limits: Limits | None = None) -> Graph:
    """The graph of a JSON text that ``archspec build -o FILE.json`` or ``archspec.write`` wrote.

    It is equal to the graph that was written: name, summary, paper, hash, input, nodes with their operations,
    arguments, inputs and shapes, outputs, initialization, regions, and for each node the place in the spec and the
    cells of the stage table. ``==`` compares all of these, and the graph gives the same text if it is written again. It
    has no ``origin``: places have the name of a file, but not its text. It has no warnings either, because they are
    about the spec.

    Shapes, costs and the hash follow from the rest, so the text may leave them out. If they are in the text, they must
    be right.

    Args:
        text: the JSON, or a :class:`archspec.Source` with the name of its file.
        limits: how large the network may be, and how many steps reading it may take.

    Raises:
        SpecError: E840, the text is not JSON, or not a graph; E841, the graph is invalid; E842, a shape, a cost or
            the hash does not match; E5, an operation does not accept what it reads; E601, E602 or E603, it is too
            large.
        TypeError: an argument of the wrong type.

    >>> from pathlib import Path
    >>> import archspec
    >>> written = archspec.write("resnet20_cifar", "resnet20.json")
    >>> text = Path("resnet20.json").read_text()
    >>> graph = archspec.graph_from_json(text)
    >>> graph == archspec.compile("resnet20_cifar")
    True
    >>> try:
    ...     archspec.graph_from_json(text.replace('"shape": [16, 32, 32]', '"shape": [16, 32, 31]', 1))
    ... except archspec.SpecError as error:
    ...     print(error.diagnostics[0].message)
    `nodes[0].shape[2]` is 31, but the network has 32 there
    """
    arguments.instance(text, "text", (str, Source), "the text of a graph in JSON, or a Source with it")
    source = text if isinstance(text, Source) else Source("<json>", str(text), "text")
    with uncollected():
        return _Reader(source, Work(Limits.of(limits))).graph()


@dataclass
class _Reader:
    """The reading of one text."""

    source: Source
    work: Work

    def graph(self) -> Graph:
        """The graph, after every check."""
        data = self._checked()
        self._refuse(check_nodes(data["nodes"]))
        self._refuse(check_rest(data))
        files = [Source(each["name"], "", each["kind"]) for each in data.get("files", [])]
        regions, named = (
            tuple([self._region(each, key, i, files) for i, each in enumerate(data.get(key, []))])
            for key in ("regions", "named")
        )
        graph = Graph(
            data["name"],
            tuple(data["input"]),
            self._nodes(data, files),
            data["outputs"],
            data.get("single", len(data["outputs"]) == 1),
            regions,
            data.get("init", {}),
            work=self.work.by,
            named=named,
            trimmed=frozenset(data.get("trimmed", [])),
            frozen=frozenset(data.get("frozen", [])),
            **{key: data.get(key, "") for key in ("stem", "head", "summary", "paper")},
            **{key: data.get(key, {}) for key in ("heads", "kept", "shared", "summaries")},
            returns=data.get("returns", "dict"),
            training=frozenset(data.get("training", [])),
        )
        self._refuse((["shared", name], told, "") for name, told in wrongly_shared(graph))
        self._refuse(islice(_differences(data, to_data(graph), []), MAX_FAULTS), "E842")
        return graph

    def _checked(self) -> Any:
        """The values of the text, after they are checked against the schema."""
        if len(self.source.text) > MAX_TEXT:
            message = f"a graph in JSON must have at most {MAX_TEXT:,} characters, got {len(self.source.text):,}"
            raise SpecError([Diagnostic("E840", message)])
        data = parse(self.source)
        if not isinstance(data, dict) or data.get("archspec") != "graph":
            help = (
                'a graph in JSON is an object with `"archspec": "graph"`; `archspec build SPEC -o FILE.json` writes it'
            )
            raise SpecError([Diagnostic("E840", "this is not a graph of archspec", self.source.part(0, 1), help=help)])
        nodes = data.get("nodes")
        if isinstance(nodes, list):
            if len(nodes) > self.work.limits.nodes:
                raise too_many_nodes(self.work.limits.nodes, self._place(["nodes"], key=True))
            self.work.spend(READING, STEPS_OF_A_VALUE * len(nodes))
        if not _accepts("")(data):
            self._refuse_errors(self._errors(data))
        return data

    def _errors(self, data: Any) -> Iterator[tuple[Any, Path]]:
        """What is wrong by the schema: first around the long lists, then in those of their items that need a look."""
        lists = {key: data[key] for key in ITEMS if isinstance(data.get(key), list)}
        for error in _validator("").iter_errors({**data, **{key: [] for key in lists}}):
            yield error, []
        for key, items in lists.items():
            for number, item in enumerate(items):
                if not _accepts(ITEMS[key])(item):
                    for error in _validator(ITEMS[key]).iter_errors(item):
                        yield error, [key, number]

    def _nodes(self, data: Any, files: list[Source]) -> tuple[Node, ...]:
        """The nodes, with the shapes that their operations give."""
        builder = Builder(tuple(data["input"]), self.work)
        made = {INPUT: Node(INPUT, Operation(), (), builder.input)}
        operations: dict[str, Operation] = {}
        for number, each in enumerate(data["nodes"]):
            path: Path = ["nodes", number]
            key = f"{each['operation']} {each.get('arguments')}"
            if key not in operations:
                operations[key] = self._operation(each, path)
            if len(each["inputs"]) > _most(operations[key]):  # a merge may have only one branch left
                told = f"`{each['operation']}` takes one value, got {len(each['inputs'])}"
                raise self._fault([*path, "inputs"], told)
            at = self._span(each.get("at"), [*path, "at"], files)
            cells = self._cells(each.get("cells", []), [*path, "cells"], files)
            provenance = Recorded(at or self.source.part(0, 1), cells)
            try:
                inputs = tuple([made[name] for name in each["inputs"]])
                node = builder.add(each["name"], operations[key], inputs, provenance)
            except ShapeFault as fault:
                message = f"`{cut(each['name'])}` does not fit what it reads: {fault}"
                raise SpecError([Diagnostic(fault.code, message, self._place(path), mentions=fault.mentions)]) from None
            made[node.name] = node = node if at else node._replace(provenance=None)
            builder.nodes[-1] = node
        return tuple(builder.nodes)

    def _operation(self, node: Mapping[str, Any], path: Path) -> Operation:
        """The operation of a node, after its arguments are checked against the schema of the operation."""
        name = node["operation"]
        if name not in operations():
            at, hint = self._place([*path, "operation"]), did_you_mean(name, operations())
            raise SpecError([Diagnostic("E841", f"there is no operation `{cut(name)}`", at, hint)])
        given = node.get("arguments", {})
        arguments = f"arguments of {name}"
        if not _accepts(arguments)(given):
            self._refuse_errors((error, [*path, "arguments"]) for error in _validator(arguments).iter_errors(given))
        kind = operations()[name]
        return kind(**{key: _value(value) for key, value in given.items()})

    def _cells(self, cells: Iterable[Any], path: Path, files: list[Source]) -> tuple[TableCell, ...]:
        found = []
        for number, (stage, column, at) in enumerate(cells):
            span = self._span(at, [*path, number, 2], files)
            if span is None:
                raise self._fault([*path, number, 2], "a cell must have a place")
            found.append(TableCell(stage, column, span))
        return tuple(found)

    def _region(self, each: Mapping[str, Any], key: str, number: int, files: list[Source]) -> Region:
        kept = {name: value for name, value in each.items() if name != "at"}
        return Region(**kept, span=self._span(each.get("at"), [key, number, "at"], files))

    def _span(self, at: list[int] | None, path: Path, files: list[Source]) -> Span | None:
        if at is None:
            return None
        number, line, column, last, after = at
        if number >= len(files):
            raise self._fault([*path, 0], f"there are only {len(files)} files")
        if min(line, column) < 1 or (line, column) > (last, after):
            raise self._fault(path, "lines and columns count from 1, and the end must not come before the start")
        return Span(files[number], line, column, last, after)

    # -- faults --------------------------------------------------------------------------------------------------------

    def _place(self, path: Path, *, key: bool = False) -> Span:
        return place(self.source, path, key=key)

    def _fault(self, path: Path, message: str) -> SpecError:
        return SpecError([Diagnostic("E841", f"{within(path)}: {message}", self._place(path))])

    def _refuse(self, faults: Iterable[Fault], code: str = "E841") -> None:
        found = []
        for path, message, hint in islice(faults, MAX_FAULTS):
            help = HASH if code == "E842" and path == ["hash"] else ""
            found.append(
                Diagnostic(
                    code,
                    f"{within(path)}: {message}" if code == "E841" else message,
                    self._place(path),
                    hint,
                    help=help,
                )
            )
        if found:
            raise SpecError(found)

    def _refuse_errors(self, errors: Iterable[tuple[Any, Path]]) -> None:
        """Raise what a validator found, each below a path."""
        found = [each for error, at in islice(errors, MAX_FAULTS) for each in diagnostics(self.source, error, at)]
        if found:
            raise SpecError(found)


HASH = "if you changed the network on purpose, leave out `hash`"


def _value(value: Any) -> Any:
    return tuple(map(_value, value)) if isinstance(value, list) else value


def _differences(given: Any, right: Any, path: Path) -> Iterator[Fault]:
    """Where given values differ from those of the network."""
    if isinstance(given, dict) and isinstance(right, dict):
        for key in given:
            if given[key] != right.get(key):
                yield from _differences(given[key], right.get(key), [*path, key])
    elif isinstance(given, list) and isinstance(right, list) and len(given) == len(right):
        for number, (one, other) in enumerate(zip(given, right, strict=True)):
            if one != other:
                yield from _differences(one, other, [*path, number])
    else:
        told = shown(right).strip("`") if right is not None else "nothing"
        yield path, f"{within(path)} is {shown(given).strip('`')}, but the network has {told} there", ""


ITEMS = {"nodes": "node", "regions": "region", "named": "region"}
"""The definition in the schema of the items of each list that grows with the network."""


def _most(operation: Operation) -> float:
    """How many inputs it takes at most."""
    more = [each for each in dataclasses.fields(operation) if each.metadata.get("kind") == "value"]
    return math.inf if operation.arity == "many" else 1 + len(more)


@functools.cache
def _schema(part: str) -> Any:
    """The schema of a graph, or of a part of it by the name of its definition."""
    whole = reading_schema()
    return {"$ref": f"#/$defs/{part}", "$defs": whole["$defs"]} if part else whole


@functools.cache
def _accepts(part: str) -> Accepts:
    return acceptance(_schema(part), _schema(part))


@functools.cache
def _validator(part: str) -> Any:
    """The validator of a graph, or of a part of it."""
    from jsonschema import validators  # slow to import, and needed only to read a graph

    draft = validators.Draft202012Validator
    whole = draft.TYPE_CHECKER.redefine("integer", lambda checker, value: type(value) is int)  # and not 8.0
    extend = cast(Any, validators.extend)
    return extend(draft, type_checker=whole)(_schema(part))
