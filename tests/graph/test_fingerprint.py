"""The hash of a network: equal if and only if networks, names and the start of weights are equal."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import fx, nn

import archspec
from archspec.diagnostics import Source
from archspec.graph.graph import INPUT, Graph, Node
from archspec.graph.state import state
from archspec.language.standalone import standalone
from archspec.language.text.yaml_writer import to_yaml, write
from archspec.operations.base import INIT
from archspec.operations.discovery import operations
from archspec.passes import Trained, fold_norm, prune
from archspec.strategies.specs import SpecText
from archspec.testing import graphs, specs
from tests.support.equivalence import compiled, spec
from tests.support.properties import compiled as compiled_text
from tests.support.properties import fingerprint, tries

NET = """
    input: [3, 16, 16]
    classes: 5
    stem: {use: cifar, width: 4}
    params: {wide: 4}
    blocks:
      two:
        params: {kernel: 3}
        residual:
          - layer: {out: channels, kernel: kernel, stride: stride}
          - layer: {out: channels, kernel: 3}
          - dropout: {p: 0.5}
          - act
    stages: {block: two, count: [2, 1], channels: [4, 6], stride: [1, 2]}
    """

# -- an independent comparison -----------------------------------------------------------------------------------------


def as_built(graph: Graph) -> tuple[Any, ...]:
    """What torch says of the network in one graph. Blocks only decide where a value is overwritten."""
    model = archspec.build(dataclasses.replace(graph, regions=()), device="meta", flat=True)
    calls = [
        (node.op, str(node.target), fx.node.map_arg(node.args, str), dict(node.kwargs), module_of(model, node))
        for node in model.graph.nodes
    ]
    tensors = [(key, value.shape, value.dtype) for key, value in model.state_dict().items()]
    kinds = {weight.initial for node in graph.nodes for weight in weights_of(graph, node)}
    words = {kind: graph.init.get(kind, INIT[kind][0]) for kind in INIT if {kind, f"linear_{kind}"} & kinds}
    constants = [weight.initial for node in graph.nodes for weight in weights_of(graph, node)]
    return graph.input, calls, tensors, words, [float(c.split(":")[1]) if ":" in c else c for c in constants]


def weights_of(graph: Graph, node: Node) -> list[Any]:
    return list(node.operation.weights(graph.input_shapes(node)).values())


def module_of(model: nn.Module, node: fx.Node) -> tuple[Any, ...]:
    """The class of a module and its arguments, which torch keeps as public attributes."""
    if node.op != "call_module":
        return ()
    module = model.get_submodule(str(node.target))
    return type(module), {name: value for name, value in vars(module).items() if not name.startswith("_")}


def assert_hash_follows(one: Graph, other: Graph) -> None:
    assert (one.fingerprint == other.fingerprint) == (as_built(one) == as_built(other))


# -- writing the same network otherwise --------------------------------------------------------------------------------

Document = dict[str, Any]


def reordered(value: Any, key: str = "") -> Any:
    """Keys in the other order, except where the order means something: branches, heads and outputs."""
    if isinstance(value, list):
        return [reordered(item) for item in value]
    if not isinstance(value, dict):
        return value
    merges = [name for name, operation in operations().items() if operation.arity == "many"]
    ordered = key in (*merges, "heads", "outputs")
    items = list(value.items()) if ordered else list(reversed(value.items()))
    return {name: reordered(item, name) for name, item in items}


def with_defaults(document: Document) -> Document:
    """The defaults of the spec written out, those of settings only where no block has a setting of its own."""
    head = {} if "heads" in document else {"head": "classifier"}
    found = {"stem": "imagenet", **head, **document} if "extends" not in document else dict(document)
    if "extends" not in document:
        found["init"] = {**{kind: words[0] for kind, words in INIT.items()}, **(document.get("init") or {})}
        if "blocks" not in document and "mbconv" not in str(document):
            found = {"act": "relu", "norm": "batch", "activation_order": "post", "drop_path": 0, **found}
    return found


def for_people(document: Document) -> Document:
    return {**document, "name": "renamed", "summary": "Other words.", "notes": "n", "tags": ["a"], "expect": {}}


def by_column(document: Document) -> Document:
    rows = document.get("stages")
    if not isinstance(rows, list) or not rows:
        return document
    keys = {key: None for row in rows for key in row}
    return {**document, "stages": {key: [row.get(key) for row in rows] for key in keys}}


def renamed(document: Document) -> Document:
    """Blocks and shortcuts called otherwise, wherever they are named."""
    names = {name: f"my-{name}" for section in ("blocks", "shortcuts") for name in document.get(section) or {}}

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {names.get(key, key): walk(item) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item) for item in value]
        return names.get(value, value) if isinstance(value, str) else value

    found: Document = walk(document)
    return found


def imported(document: Document) -> dict[str, Document]:
    """The definitions in a file of their own: the documents by the names of their files."""
    sections = {key: value for key, value in document.items() if key in ("blocks", "shortcuts", "fragments")}
    own = {key: value for key, value in document.items() if key not in sections}
    return {"net.yaml": {**own, "import": "lib.yaml"}, "lib.yaml": {"archspec": 1, **sections}}


def extended(document: Document) -> dict[str, Document]:
    """Everything inherited."""
    return {"net.yaml": {"archspec": 1, "name": "over", "extends": "base"}, "base.yaml": document}


def compiled_files(files: dict[str, Document]) -> Graph:
    with tempfile.TemporaryDirectory() as folder:
        for name, document in files.items():
            (Path(folder) / name).write_text(write(document).text)
        return archspec.compile(Path(folder) / "net.yaml")


REWRITINGS: tuple[Callable[[Document], Document], ...] = (reordered, with_defaults, for_people, by_column, renamed)


@given(spec=specs())
@tries(40)
def test_a_spec_written_otherwise_has_the_same_hash(spec: SpecText) -> None:
    graph, document = compiled_text(spec), spec.document
    for rewriting in REWRITINGS:
        text = write(rewriting(copy.deepcopy(document))).text
        assert compiled_text(text).fingerprint == graph.fingerprint, f"{rewriting.__name__}\n{text}"
    assert compiled_files(extended(document)).fingerprint == graph.fingerprint
    if {"blocks", "shortcuts", "fragments"} & document.keys():
        assert compiled_files(imported(document)).fingerprint == graph.fingerprint
    flat = to_yaml(standalone(archspec.load(Source("drawn.yaml", str(spec)))))
    assert compiled_text(flat).fingerprint == graph.fingerprint
    assert compiled_text(f"# a comment\n{flat}").fingerprint == graph.fingerprint
    assert dataclasses.replace(graph, origin=None, regions=(), name="x").fingerprint == graph.fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("classes: 5", "classes: 5\n    act: relu"),
        ("classes: 5", "classes: 2 + 3\n    norm: {type: batch, eps: 0.00001, momentum: 1e-1, groups: 7}"),
        ("classes: 5", "classes: 5\n    init: {conv: he-fan-out, zero_init_residual: false}"),
        ("classes: 5", "classes: 5\n    outputs: fc"),
        ("classes: 5", "classes: 5\n    scale: {width: 1.0, depth: 1, divisor: 2}"),
        ("channels, kernel: 3}", "channels, kernel: [3, 3], padding: 1, dilation: 1, bias: false, groups: 1}"),
        ("- dropout: {p: 0.5}", "- dropout"),
        ("p: 0.5", "p: 1 / 2"),
        ("- act\n", "- act: {type: relu}\n"),
        ("wide: 4", "wide: 5"),
        ("{out: channels, kernel: 3}", "{out: channels, kernel: 3, when: true}"),
        ("count: [2, 1]", "count: [&n 2, 1], drop_path: 0"),
    ],
)
def test_what_means_the_same_has_the_same_hash(old: str, new: str) -> None:
    assert old in NET
    assert compiled(NET.replace(old, new)).fingerprint == compiled(NET).fingerprint


@pytest.mark.parametrize("order", [("import: a\n", "import: b\n"), ("import: [b, a]\n", "")])
def test_what_a_name_means_where_it_is_used_counts(order: tuple[str, str], tmp_path: Path) -> None:
    """`f` calls an `se`: that of the library, or the one in a file that its own file imports."""
    (tmp_path / "net.yaml").write_text(
        f"archspec: 1\nname: net\n{order[0]}stem: f\nstages: {{block: basic, count: 1, channels: 8}}\n"
    )
    a = "fragments: {f: {steps: [se: {squeeze: 2}]}}\n"
    (tmp_path / "b.yaml").write_text(
        "archspec: 1\nfragments: {se: {params: {squeeze: null}, steps: [conv: {out: in_channels, kernel: 3}]}}\n"
    )
    (tmp_path / "a.yaml").write_text(f"archspec: 1\n{order[1]}{a}")
    own = archspec.compile(tmp_path / "net.yaml")
    (tmp_path / "a.yaml").write_text(f"archspec: 1\nimport: b\n{a}" if not order[1] else f"archspec: 1\n{a}")
    other = archspec.compile(tmp_path / "net.yaml")
    assert (own.fingerprint == other.fingerprint) == (as_built(own) == as_built(other))
    assert (own.fingerprint == other.fingerprint) == (len(own.nodes) == len(other.nodes))


# -- another network ---------------------------------------------------------------------------------------------------


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of the numbers, and of the lists of steps."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in paths(item, (*path, key))]
    if isinstance(value, list):
        return [path, *[found for key, item in enumerate(value) for found in paths(item, (*path, key))]]
    return [path] if type(value) in (int, float) else []


def mutated(draw: st.DrawFn, document: Document) -> Document:
    """The document with one change, which may change nothing: a number, a step, the start of weights, the naming."""
    found = copy.deepcopy(document)
    how = draw(st.sampled_from(("value", "value", "value", "init", "naming", "key")))
    if how == "init":
        kind = draw(st.sampled_from(tuple(INIT)))
        found["init"] = {**(found.get("init") or {}), kind: draw(st.sampled_from(INIT[kind]))}
    elif how == "naming":
        found["naming"] = draw(st.sampled_from(("timm", "torchvision", "sequential", {"act": "a{n}", "conv": "c{n}"})))
    elif how == "key":
        key, value = draw(st.sampled_from((("act", "gelu"), ("norm", "layer"), ("head", None), ("classes", 7))))
        found[key] = value
    else:
        *path, last = draw(st.sampled_from([path for path in paths(found) if path and path[0] != "archspec"]))
        inside = found
        for key in path:
            inside = inside[key]
        if isinstance(inside[last], list):
            inside[last].insert(0, draw(st.sampled_from(("act", {"norm": {"eps": 0.1}}, {"scale": {"by": 1}}, 1))))
        else:
            inside[last] = draw(st.sampled_from((inside[last] + 1, float(inside[last]), inside[last] * 2)))
    return found


@given(spec=specs(), data=st.data())
@tries(60)
def test_a_mutation_has_another_hash_exactly_if_the_network_differs(spec: SpecText, data: st.DataObject) -> None:
    draw: Any = data.draw
    try:
        other = archspec.compile(Source("drawn.yaml", write(mutated(draw, spec.document)).text))
    except archspec.SpecError:
        assume(False)
    assert_hash_follows(compiled_text(spec), other)


@given(st.lists(graphs(), min_size=2, max_size=4))
@tries(20)
def test_drawn_networks_have_one_hash_exactly_if_they_are_one(found: list[Graph]) -> None:
    for one, other in itertools.pairwise(found):
        assert_hash_follows(one, other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("classes: 5", "classes: 5\n    init: {conv: xavier}"),
        ("classes: 5", "classes: 5\n    init: {bias: zero}"),
        ("classes: 5", "classes: 5\n    init: {zero_init_residual: true}"),
        ("classes: 5", "classes: 5\n    outputs: layer1"),
        ("classes: 5", "classes: 5\n    outputs: [fc]"),
        ("classes: 5", "classes: 5\n    naming: {act: 'a{n}'}"),
        ("classes: 5", "classes: 5\n    naming: {conv: 'c{n}'}"),
        ("[3, 16, 16]", "[3, 16, 17]"),
        ("params: {kernel: 3}", "params: {kernel: 3}\n        first: shortcut"),
        ("p: 0.5", "p: 0.25"),
        ("- act\n", "- scale: {by: 1}\n"),
    ],
)
def test_another_network_has_another_hash(old: str, new: str) -> None:
    assert old in NET
    assert compiled(NET.replace(old, new)).fingerprint != compiled(NET).fingerprint


# -- graphs without a spec ---------------------------------------------------------------------------------------------


@given(graph=graphs(), data=st.data())
@tries(30)
def test_passes_change_the_hash_exactly_if_they_change_the_graph(graph: Graph, data: st.DataObject) -> None:
    last = data.draw(st.sampled_from([node.name for node in graph.nodes][-8:]))
    cut = dataclasses.replace(graph, outputs={"output": last}, single=True, origin=None)
    weights = {key: torch.ones(tensor.shape) for key, tensor in state(graph).items()}
    for before, after in ((cut, prune(cut)), (graph, fold_norm(Trained(graph, weights)).graph)):
        same = [node[:4] for node in before.nodes] == [node[:4] for node in after.nodes]
        assert (before.fingerprint == after.fingerprint) == same


def by_hand(**arguments: Any) -> Graph:
    conv, scale = operations()["conv"](out=4, kernel=arguments.pop("kernel", 3)), operations()["scale"](**arguments)
    nodes = Node("conv", conv, (INPUT,), (4, 8, 8)), Node("scale", scale, ("conv",), (4, 8, 8))
    return Graph("hand", (3, 8, 8), nodes, {"output": "scale"})


def test_equal_numbers_and_equal_arguments_are_the_same() -> None:
    same = [by_hand(by=8), by_hand(by=8.0), by_hand(by=8, kernel=(3, 3))]
    assert len({graph.fingerprint for graph in same}) == 1
    assert by_hand(by=0.0).fingerprint == by_hand(by=-0.0).fingerprint != by_hand(by=8).fingerprint


def test_an_operation_that_torch_lacks_is_told_by_its_arguments() -> None:
    @dataclasses.dataclass(frozen=True)
    class Odd(type(operations()["scale"](by=1))):  # type: ignore[misc]
        name = "odd"

        def torch(self, inputs: Any, *, in_place: bool = False) -> Any:
            raise NotImplementedError

    graph = by_hand(by=1)
    odd = [
        dataclasses.replace(graph, nodes=(graph.nodes[0], graph.nodes[1]._replace(operation=Odd(n)))) for n in (2, 3)
    ]
    assert len({graph.fingerprint, *(each.fingerprint for each in odd)}) == 3


def test_the_hash_of_a_network_stays_what_it_is() -> None:
    """Files carry it. Whoever changes these raises ENCODING and says so in the changelog."""
    expected = {
        "resnet18": "8b7cbcf8ea25aecc",
        "regnet_y_400mf": "9f259bca7bb92710",
        "convnext_tiny": "60fa8834ab617413",
    }
    assert {name: fingerprint(name)[:16] for name in expected} == expected


@pytest.mark.parametrize("key", ["resnet18", spec(NET)])
def test_saved_weights_carry_it(key: str, tmp_path: Path) -> None:
    from safetensors import safe_open

    archspec.save(archspec.build(key), key, tmp_path / "w.safetensors")
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert file.metadata()["hash"] == fingerprint(key)
