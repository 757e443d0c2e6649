"""The intermediate representation: a network as nodes in topological order, each with its inferred shape.

A :class:`Graph` is frozen. ``builder.py`` has what grows one.
"""

from __future__ import annotations

import importlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from archspec import arguments
from archspec.diagnostics import Diagnostic, Span
from archspec.display import counted
from archspec.graph.fingerprint import fingerprint
from archspec.graph.in_place import writable
from archspec.graph.provenance import Provenance, TableCell
from archspec.graph.text import text
from archspec.language.expressions.values import Value
from archspec.language.spec import Spec
from archspec.operations.base import Operation
from archspec.operations.shapes import Shape, show_shape
from archspec.wording import Brief, brief, first_of, tagged

if TYPE_CHECKING:
    import networkx

INPUT = "input"
"""The name under which nodes read the network's input."""


class Node(NamedTuple):
    """One operation on named values.

    ``name`` is unique and is the prefix of the node's state-dict keys; ``inputs`` name earlier nodes or :data:`INPUT`;
    ``shape`` is the output's, channels first, without the batch; ``provenance`` is where it was written, None where no
    spec asked for it.
    """

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    shape: Shape
    provenance: Provenance | None = None

    def __repr__(self) -> str:
        return brief(self)

    @property
    def span(self) -> Span | None:
        """The author's line that asked for it."""
        return self.provenance.span if self.provenance else None

    @property
    def cells(self) -> tuple[TableCell, ...]:
        """The cells of the stage table that decided it."""
        return self.provenance.cells(self.operation) if self.provenance else ()

    @property
    def scope(self) -> str:
        """The name without its last part."""
        return self.name.rpartition(".")[0]


@dataclass(frozen=True, slots=True, repr=False)
class Region(Brief):
    """A part of the spec: the nodes from ``first`` up to, and without, ``last``, which turn ``source`` into ``result``.

    ``scope`` is its name in the model (``layer1``, ``layer1.0``), ``name`` that of the block, fragment or shortcut in
    the spec; ``before`` and ``after`` have the name of the fragment that they call. ``shortcut``: whether one is merged
    with what the block computes. ``values`` are those of its parameters, by name; ``given`` are those of the other
    names that it sees: ``channels``, ``stride`` and ``dilation`` of the stage table, and its ``let``. ``inputs`` are
    the nodes whose values a fragment reads beside ``source``, by the fragment's names for them.
    """

    kind: Literal["stage", "block", "fragment", "shortcut", "layer", "before", "after"]
    scope: str
    name: str
    first: int
    last: int
    source: str
    result: str
    span: Span | None = None
    shortcut: bool = False
    values: Mapping[str, Value] = field(default_factory=dict)
    given: Mapping[str, Value] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False, eq=False)
class Graph:
    """A network: it can be analyzed, built, saved, compared and verified, wherever it comes from.

    ``input`` is the shape of one example: channels, then sizes. ``nodes`` are in topological order. ``outputs`` maps a
    label to the node it names; ``single`` says that the model returns that one value; else ``returns`` says whether it
    returns them in a ``dict`` by label or in a ``tuple``, and ``training`` has the labels of those that it returns in
    training only. ``regions`` are stages and blocks in order, a stage before its blocks. ``init`` says by which words
    weights are initialized, by kind (:data:`archspec.operations.base.INIT` has the defaults). ``stem`` and ``head``
    name the fragments that these call, and ``heads`` has the position at which each head begins, by name and in order;
    it is empty if these are not known. ``origin`` is the spec, only to point into its text; None for a graph that comes
    from elsewhere. ``work`` is how many steps its compilation took, and for what. ``trimmed`` has the keys of the nodes
    that no output needs, and that were removed. ``named`` are the regions of fragments, shortcuts, layers,
    ``before`` and ``after`` that have a scope, each after those inside it. ``kept`` has the names that the spec gives
    values, by node, and ``frozen`` the names of the nodes that do not train: their weights need no gradient, and they
    stay in eval mode. ``shared`` names the weights of nodes that use those of an earlier one. ``summary`` and ``paper``
    are those of the spec. ``summaries`` has those of blocks, shortcuts and fragments, by kind and name, if there is no
    ``origin`` to ask.

    Two graphs are equal if they are the same network with the same names, regions and texts. Where they were written
    does not count: ``origin``, ``summaries``, ``warnings``, ``work``, ``trimmed``, and the places of nodes and regions.

    >>> from archspec.operations.discovery import operations
    >>> conv, relu = operations()["conv"](out=8, kernel=3), operations()["act"](type="relu")
    >>> first = Node("conv", conv, (INPUT,), conv.shape(((3, 32, 32),)))
    >>> graph = Graph("tiny", (3, 32, 32), (first, Node("relu", relu, ("conv",), (8, 32, 32))), {"output": "relu"})
    >>> graph.output, graph.shape("input"), graph.input_shapes(first), graph.state_of("conv"), graph.uses()
    ((8, 32, 32), (3, 32, 32), ((3, 32, 32),), 'conv', {'input': 1, 'conv': 1, 'relu': 1})
    >>> graph.written_at("input"), [graph.blocks(stage) for stage in graph.stages], graph.to_networkx().edges()
    (None, [], OutMultiEdgeDataView([('input', 'conv'), ('conv', 'relu')]))
    """

    name: str
    input: Shape
    nodes: tuple[Node, ...]
    outputs: Mapping[str, str]
    single: bool = True
    regions: tuple[Region, ...] = ()
    init: Mapping[str, Value] = field(default_factory=dict)
    stem: str = ""
    head: str = ""
    heads: Mapping[str, int] = field(default_factory=dict)
    origin: Spec | None = None
    warnings: tuple[Diagnostic, ...] = ()
    work: Mapping[str, int] = field(default_factory=dict)
    trimmed: frozenset[str] = frozenset()
    named: Sequence[Region] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()
    shared: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""
    paper: str = ""
    summaries: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    returns: Literal["dict", "tuple"] = "dict"
    training: frozenset[str] = frozenset()

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if isinstance(other, Graph) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it has mappings; `fingerprint` is a hash of the network

    def _compared(self) -> tuple[object, ...]:
        """What equal graphs agree in, the order of the outputs included."""
        regions = [replace(region, span=None) for region in (*self.regions, *self.named)]
        return (
            *(self.name, self.summary, self.paper, self.input, self.single, self.returns, self.training),
            *([node[:4] for node in self.nodes], [*self.outputs.items()], dict(self.init), [*self.heads.items()]),
            *(regions, len(self.regions), dict(self.kept), self.frozen, dict(self.shared), self.stem, self.head),
        )

    def __str__(self) -> str:
        """A line a node: name, operation, inputs, shape, and the line of the spec, as ``archspec show --graph``."""
        return text(self)

    def __repr__(self) -> str:
        blocks = sum(region.kind == "block" for region in self.regions)
        known = {INPUT, *self.by_name}
        ends = [show_shape(self.shape(name)) for name in self.outputs.values() if name in known]
        shapes = f"{show_shape(self.input)} to {first_of(ends, most=3)}"
        return tagged(self, f"{self.name}: {counted(blocks, 'block')}, {counted(len(self.nodes), 'node')}, {shapes}")

    def _repr_svg_(self) -> str:
        """The figure, which a notebook shows."""
        made: str = importlib.import_module("archspec.emit.figure").to_svg(self)  # a graph knows no target
        return made

    @property
    def files(self) -> frozenset[str]:
        """The paths of the files that its spec was read from."""
        return self.origin.files if self.origin else frozenset()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the network, however it is written: nodes, names, wiring, input, outputs, and how weights start.

        >>> import archspec
        >>> written_out = archspec.load("resnet18", overrides=["act=relu", "name=another"])
        >>> archspec.compile(written_out).fingerprint == archspec.compile("resnet18").fingerprint
        True
        """
        return fingerprint(self)

    def written_at(self, key: str) -> Span | None:
        """Where the spec writes the value of ``key``; None without a spec."""
        arguments.text(key, "key", "a key of the spec such as 'input'")
        return self.origin.document.span((key,)) if self.origin else None

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Every node by its name."""
        return {node.name: node for node in self.nodes}

    def state_of(self, name: str) -> str:
        """The prefix of a node's keys: its own name, unless it uses the tensors of another node."""
        return self.shared.get(arguments.text(name, "name", "the name of a node"), name)

    @cached_property
    def borrowing(self) -> frozenset[str]:
        """The names of the nodes whose weights and buffers an earlier node has."""
        found, nodes = dict[str, str](), self.nodes if self.shared else ()
        return frozenset(n.name for n in nodes if found.setdefault(self.state_of(n.name), n.name) != n.name)

    @property
    def main(self) -> str:
        """The node of the main output: the first that the model returns in eval mode."""
        return next(name for label, name in self.outputs.items() if label not in self.training)

    @property
    def output(self) -> Shape:
        """The shape of the main output."""
        return self.shape(self.main)

    @property
    def stages(self) -> tuple[Region, ...]:
        """The stages in order."""
        return tuple(region for region in self.regions if region.kind == "stage")

    def shape(self, name: str) -> Shape:
        """The shape of a value by its name, the input's included.

        Raises:
            ValueError: the network has no value of this name.
        """
        try:
            return self.input if name == INPUT else self.by_name[name].shape
        except (KeyError, TypeError, ValueError, RuntimeError):  # a list or an array, say, cannot be a key
            raise ValueError(f"`{self.name}` has no value with this `name`: {arguments.given(name)}") from None

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """The shapes of a node's inputs, in order."""
        arguments.instance(node, "node", Node, "a Node of the graph", "`graph.by_name` has them by name")
        return tuple(self.shape(name) for name in node.inputs)

    def blocks(self, stage: Region) -> tuple[Region, ...]:
        """The blocks of a stage, in order."""
        arguments.instance(stage, "stage", Region, "a stage", "`graph.stages` has them")
        places, blocks = self._blocks
        near = slice(bisect_left(places, (stage.first, 0)), bisect_left(places, (stage.last + 1, 0)))
        found = sorted(zip(places[near], blocks[near], strict=True), key=lambda each: each[0][1])
        return tuple([block for _, block in found if block.last <= stage.last])

    @cached_property
    def _blocks(self) -> tuple[list[tuple[int, int]], list[Region]]:
        """All blocks sorted by their first nodes, with that and with their number in order."""
        blocks = [region for region in self.regions if region.kind == "block"]
        places = sorted([(block.first, number) for number, block in enumerate(blocks)])
        return places, [blocks[number] for _, number in places]

    def uses(self) -> dict[str, int]:
        """How many times each value is read; an output of the model counts as a reader."""
        found = dict.fromkeys([INPUT, *self.by_name], 0)
        for name in (*[name for node in self.nodes for name in node.inputs], *self.outputs.values()):
            found[name] += 1
        return found

    @cached_property
    def in_place(self) -> Mapping[str, int]:
        """For each node that may write over an input, as ``x.add_(y)`` does, the input's position."""
        return writable(self)

    def to_networkx(self, *, plain: bool = False) -> networkx.MultiDiGraph:
        """The graph for networkx, to analyze it with any of its algorithms: nodes by name, and an edge for each input.

        It is a multigraph, because a merge may read one value twice. The network's input is the node ``input``. A node
        carries, for one example:

        - ``operation``, None for the input; ``shape`` of the output, channels first, and its ``bytes`` in float32;
        - ``params``, ``macs``, ``activations`` and ``elementwise``, as in a row of a report; None without a rule;
        - ``adds``: whether it adds its inputs; ``layer``: whether it is a convolution or a linear layer;
        - ``stage`` and ``block``: the scopes around it, numbered if several share one; ``file`` and ``line``: where the
          spec creates it. Each may be None.

        An edge carries ``position``, the index of the value among the inputs; ``gate``: whether it does not enter the
        result itself, as what only scales another; and ``measured``: whether only its size is read.
        ``dag.graph["outputs"]`` are the names of the outputs by label. :func:`archspec.skip_paths` counts the paths.

        Args:
            plain: whether all attributes are numbers, texts and truth values, as formats such as GraphML need them:
                operation, shape and outputs become texts, and what is None is left out.

        >>> import archspec
        >>> node = archspec.compile("resnet50").to_networkx().nodes["layer4.0.conv2"]
        >>> node["params"], node["macs"], node["bytes"], node["stage"], node["block"], node["line"]
        (2359296, 115605504, 100352, 'layer4', 'layer4.0', 10)
        """
        from archspec.graph.networkx_form import networkx_form  # networkx takes a tenth of a second

        return networkx_form(self, INPUT, plain=arguments.flag(plain, "plain"))
