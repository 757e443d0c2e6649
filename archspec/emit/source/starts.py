"""The method that draws the initial weights, if the spec's initialization differs from that of torch's layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archspec.emit.source.literals import literal
from archspec.emit.source.terms import target, written
from archspec.graph.formulas import Expression
from archspec.graph.graph import Graph, Node
from archspec.graph.patterns import Definition, Leaf
from archspec.graph.plan import Module
from archspec.graph.state import key_of, state
from archspec.operations.base import INIT

METHOD = "init_weights"

_DRAWN = {
    "he-fan-out": 'nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")',
    "he-fan-in": 'nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")',
    "xavier": "nn.init.xavier_uniform_(module.weight)",
    "normal": "nn.init.normal_(module.weight, std=0.01)",
    "truncated-normal": "nn.init.trunc_normal_(module.weight, std=0.02)",
    "torch": "nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5))",
}
"""The initializers by the words of the language; the tests compare them with :mod:`archspec.emit.initialize`."""

_KINDS = ("conv", "linear")
_USUAL = {"weight": 1.0, "bias": 0.0, "gain": 1.0}
"""The initial values of torch's norms, and of the factors of standardized weights."""
_BASES = {
    "archspec.emit.modules.PointwiseLinear": "torch.nn.Linear",
    **{
        f"archspec.emit.padded.{kind}Conv{rank}d": f"torch.nn.Conv{rank}d"
        for kind in ("Padded", "Standardized", "PaddedStandardized")
        for rank in (1, 2, 3)
    },
}


@dataclass
class _Layers:
    """The layers of one kind, ``conv`` or ``linear``: their classes, how many there are, and how many have a bias."""

    targets: dict[str, None] = field(default_factory=dict)
    count: int = 0
    biases: int = 0


def statements(graph: Graph, classes: Sequence[Definition], name: Callable[[Definition], str]) -> list[str]:
    """The body of the method; empty if torch's layers already start as the spec says.

    Args:
        graph: the network.
        classes: the definitions that are classes, the inner ones first; the model is the last.
        name: the name of a definition's class.
    """
    layers = {kind: _Layers() for kind in _KINDS}
    constants: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.name in graph.borrowing:
            continue
        shapes = graph.input_shapes(node)
        call = node.operation.torch(shapes)
        for key, weight in node.operation.weights(shapes).items():
            if weight.initial in layers:
                layers[weight.initial].targets[call.target] = None
                layers[weight.initial].count += 1
            elif weight.initial in ("bias", "linear_bias"):
                layers["linear" if weight.initial == "linear_bias" else "conv"].biases += 1
            elif call.kind == "module" and not weight.by_torch and weight.start(graph.init) != _USUAL[key]:
                kind, statement = _constant(classes, name, node, key, weight.start(graph.init))
                constants.setdefault(kind, [])
                if statement not in constants[kind]:
                    constants[kind].append(statement)
    drawn, filled = list(_drawn(graph, layers)), list(_filled(constants))
    over = "for module in self.modules():"
    lines: list[str] = []
    if drawn and (names := _own_order(graph)):
        shown = ", ".join([literal(name) for name in names])
        lines = [f"for name in ({shown},):", "    module = self.get_submodule(name)", *_indented(drawn)]
        drawn = []
    if drawn or filled:
        lines += [over, *_indented([*drawn, *filled])]
    return [*lines, *constants.get("", [])]


def _own_order(graph: Graph) -> list[str]:
    """The layers in the order in which the network runs them; empty if ``modules()`` gives them in that order."""
    drawn = [
        (graph.state_of(node.name), key_of(graph, node, key))
        for node in graph.nodes
        if node.name not in graph.borrowing
        for key, weight in node.operation.weights(graph.input_shapes(node)).items()
        if weight.initial in _KINDS
    ]
    keys = [key for _, key in drawn]
    wanted = set(keys)
    return [] if keys == [key for key in state(graph) if key in wanted] else [name for name, _ in drawn]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _drawn(graph: Graph, layers: Mapping[str, _Layers]) -> Iterator[str]:
    """The branches for convolutions and linear layers."""
    branches: dict[tuple[str, ...], list[str]] = {}
    for kind, found in layers.items():
        if found.count:
            body = _branch(graph.init.get(kind, INIT[kind][0]), graph.init.get("bias", INIT["bias"][0]), found)
            branches[tuple(body)] = [*branches.get(tuple(body), []), *found.targets]
    if not branches or (list(branches) == [("module.reset_parameters()",)] and not _own_order(graph)):
        return
    word = "if"
    for lines, targets in branches.items():
        yield f"{word} isinstance(module, {_classes(targets)}):"
        yield from _indented(lines)
        word = "elif"


def _branch(word: object, bias: object, found: _Layers) -> list[str]:
    """The statements that draw one layer: its weight, then its bias."""
    if word == "torch" and (bias == "torch" or not found.biases):
        return ["module.reset_parameters()"]
    lines = [_DRAWN[str(word)]]
    if found.biases:
        fill = ["nn.init.zeros_(module.bias)"]
        if bias == "torch":
            fill = ["bound = 1 / math.sqrt(module.weight[0].numel())", "nn.init.uniform_(module.bias, -bound, bound)"]
        if found.biases < found.count:
            fill = ["if module.bias is not None:", *[f"    {line}" for line in fill]]
        lines += fill
    return lines


def _classes(targets: Sequence[str]) -> str:
    """The classes for ``isinstance``, which also covers subclasses of a torch layer."""
    names = list(dict.fromkeys([target(_BASES.get(each, each)) for each in targets]))
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _filled(constants: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The branches for classes in which a norm starts at another value than usual."""
    for kind, statements in constants.items():
        if kind:
            yield f"if isinstance(module, {kind}):"
            yield from [f"    {line}" for line in statements]


def _constant(
    classes: Sequence[Definition], name: Callable[[Definition], str], node: Node, key: str, start: object
) -> tuple[str, str]:
    """The innermost class in whose uses a weight always starts alike, or the model; and the statement."""
    for definition in classes[:-1]:
        path = _path_in(definition, node)
        if path is not None and all(_starts(use, path, key, start) for use in definition.uses):
            return name(definition), _fill(f"module{_reached(path, definition.uses[0])}.{key}", start)
    return "", _fill(f"self{_reached(node.name, classes[-1].uses[0])}.{key}", start)


def _path_in(definition: Definition, node: Node) -> str | None:
    for use in definition.uses:
        if node.name.startswith(f"{use.path}."):
            return node.name[len(use.path) + 1 :]
    return None


def _starts(use: Module, path: str, key: str, start: object) -> bool:
    """Whether a module has a norm at this path whose weight starts at ``start``."""
    node = _nodes(use).get(f"{use.path}.{path}")
    return node is not None and node.operation.weights((node.shape,))[key].start({}) == start


def _nodes(module: Module) -> dict[str, Node]:
    return {call.path: call.node for call in module.calls()}


def _reached(path: str, module: Module) -> str:
    """A path inside a module as Python text: numbers are members of a sequence, and keys of what else has them."""
    sequences = {each.path for each in module.modules() if each.kind == "sequential"}
    parts, text, scope = path.split("."), "", module.path
    for place, part in enumerate(parts):
        if not part.isidentifier() and not (part.isdecimal() and scope in sequences):
            return f"{text}.get_submodule({literal('.'.join(parts[place:]))})"
        text += f"[{part}]" if part.isdecimal() else f".{part}"
        scope = f"{scope}.{part}" if scope else part
    return text


def _fill(tensor: str, start: object) -> str:
    if start == 0.0:
        return f"nn.init.zeros_({tensor})"
    return f"nn.init.constant_({tensor}, {literal(start)})"


def start_of(graph: Graph, leaf: Leaf, key: str, shape: Expression) -> str:
    """A tensor that a function reads, at its start."""
    nodes = [node for node in leaf.nodes if node is not None]
    starts = {node.operation.weights(graph.input_shapes(node))[key].start(graph.init) for node in nodes}
    (start,) = starts if len(starts) == 1 else (0.0,)
    if start in (0.0, 1.0):
        sizes = written(shape)[1:-1].removesuffix(",") or "()"
        return f"torch.{'ones' if start else 'zeros'}({sizes})"
    return f"torch.full({written(shape)}, {literal(start)})"
