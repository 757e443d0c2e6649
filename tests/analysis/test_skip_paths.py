"""Skip paths of any graph of networkx: those of a report, those of a list of all paths, and those of the papers."""

from __future__ import annotations

import operator
import random
from collections import Counter
from collections.abc import Hashable
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn

import archspec
from archspec.strategies import graphs
from tests.support.equivalence import compiled
from tests.support.properties import tries
from tests.support.reference import torchvision_model

# -- archspec's own graphs ---------------------------------------------------------------------------------------------


@tries(60)
@given(graph=graphs(), gates=st.booleans(), seed=st.integers(0, 9))
def test_paths_are_those_of_the_report(graph: archspec.Graph, gates: bool, seed: int) -> None:
    """To each output, also under other names and with nodes and edges in another order."""
    dag = graph.to_networkx()
    report = archspec.analyze(graph, gates=gates)
    wanted = report.paths_by_output
    assert archspec.skip_paths(dag, gates=gates) == report.paths
    other = shuffled(dag, seed)
    for label, name in dag.graph["outputs"].items():
        assert archspec.skip_paths(dag, to=name, gates=gates) == wanted[label]
        assert archspec.skip_paths(other, to=("renamed", name), gates=gates) == wanted[label]


def shuffled(dag: networkx.MultiDiGraph, seed: int) -> networkx.MultiDiGraph:
    dice, found = random.Random(seed), networkx.MultiDiGraph()
    nodes, edges = [*dag.nodes(data=True)], [*dag.edges(data=True)]
    dice.shuffle(nodes)
    dice.shuffle(edges)
    found.add_nodes_from([(("renamed", name), data) for name, data in nodes])
    found.add_edges_from([(("renamed", source), ("renamed", reader), data) for source, reader, data in edges])
    return found


@pytest.mark.parametrize("name", ["preact_resnet1001_cifar", "densenet121", "googlenet", "regnet_y_400mf", "vgg11"])
@pytest.mark.parametrize("gates", [False, True])
def test_the_zoo(name: str, gates: bool) -> None:
    dag = archspec.compile(name).to_networkx()
    assert archspec.skip_paths(dag, gates=gates) == archspec.analyze(name, gates=gates).paths
    assert archspec.skip_paths(dag, lengths=False).in_layers.counts is None


def test_the_first_output_is_the_end_even_if_another_lies_behind_it() -> None:
    graph = archspec.compile(archspec.load("resnet18", overrides=["outputs=[layer2, layer4]"]))
    report, dag = archspec.analyze(graph), graph.to_networkx()
    assert archspec.skip_paths(dag) == report.paths == report.paths_by_output["layer2"]
    dag.graph.clear()
    assert archspec.skip_paths(dag) == report.paths_by_output["layer4"]


def test_a_network_without_nodes_has_one_path() -> None:
    graph = compiled("input: [3, 8, 8]\nstem: []\nstages: []\nhead: []\n")
    assert archspec.skip_paths(graph.to_networkx()) == archspec.analyze(graph).paths


def test_nodes_carry_what_a_report_says_of_them() -> None:
    graph = archspec.compile("resnet50")
    report, dag = archspec.analyze(graph), graph.to_networkx()
    for part in report.nodes:
        data, costs = dag.nodes[part.name], part.costs
        figures = (costs.params, costs.macs, costs.activations, costs.elementwise, part.output)
        assert (data["params"], data["macs"], data["activations"], data["elementwise"], data["shape"]) == figures
        assert data["operation"] is graph.by_name[part.name].operation
        assert (data["file"], data["line"]) == ("resnet50.yaml", graph.by_name[part.name].span.line)  # type: ignore[union-attr]
    for part in (*report.stages, *report.blocks):
        inside = [data for name, data in dag.nodes(data=True) if part.name in (data["stage"], data["block"])]
        assert sum(data["macs"] for data in inside) == part.costs.macs
        assert sum(data["params"] for data in inside) == part.costs.params
    keys = {key: set(data) for key, data in dag.nodes(data=True)}
    assert len({frozenset(each) for each in keys.values()}) == 1
    assert sum(data["adds"] for _, data in dag.nodes(data=True)) == 16
    assert sum(data["layer"] for _, data in dag.nodes(data=True)) == 54  # 50, and four projections
    assert dag.nodes["input"]["bytes"] == 4 * 3 * 224 * 224
    assert (dag.nodes["fc"]["stage"], dag.nodes["fc"]["block"]) == (None, None)


def test_stages_that_share_a_scope_are_numbered_as_in_the_table() -> None:
    report, dag = archspec.analyze("vgg11"), archspec.compile("vgg11").to_networkx()
    params = Counter[str]()
    for _, data in dag.nodes(data=True):
        params[data["stage"]] += data["params"]
    assert {stage.label: stage.costs.params for stage in report.stages} == {k: n for k, n in params.items() if k}


def test_a_graph_without_a_spec_has_no_lines() -> None:
    graph = compiled("input: [3, 8, 8]\nstem: []\nstages: []\nhead: [flatten]\n")
    bare = archspec.Graph(
        "bare", graph.input, tuple(node._replace(provenance=None) for node in graph.nodes), graph.outputs
    )
    assert {(data["file"], data["line"]) for _, data in bare.to_networkx().nodes(data=True)} == {(None, None)}


# -- graphs of others --------------------------------------------------------------------------------------------------


def drawn(module: nn.Module) -> networkx.MultiDiGraph:
    """The graph of a module that torch.fx traces, and that has no gates."""
    traced, dag = fx.symbolic_trace(module), networkx.MultiDiGraph()
    modules = dict(traced.named_modules())
    for node in traced.graph.nodes:
        layer = node.op == "call_module" and isinstance(modules[str(node.target)], nn.Conv2d | nn.Linear)
        dag.add_node(node, adds=node.target in (operator.add, operator.iadd), layer=layer)
        for source in node.all_input_nodes:
            dag.add_edge(source, node)
    return dag


@pytest.mark.parametrize(
    ("name", "power", "least", "most"),
    [("resnet18", 8, 5, 18), ("resnet50", 16, 6, 50), ("mobilenet_v2", 10, 23, 53), ("vgg11", 0, 11, 11)],
)
def test_a_traced_network_of_torchvision(name: str, power: int, least: int, most: int) -> None:
    """Two to the number of its shortcuts; the longest path has the layers of the paper."""
    paths = archspec.skip_paths(drawn(torchvision_model(name)))
    assert paths.skip_paths == 2**power
    assert (paths.in_layers.least, paths.in_layers.most) == (least, most)
    ours = archspec.analyze(name).paths
    assert (paths.in_layers, paths.in_blocks) == (ours.in_layers, ours.in_blocks)


def test_a_dense_network_of_torchvision() -> None:
    """58 layers that concatenate their input with what they compute: 2^58."""
    traced = fx.symbolic_trace(torchvision_model("densenet121"))
    module = drawn(traced)
    found = archspec.skip_paths(module)
    assert found.graph_paths >= found.skip_paths == archspec.analyze("densenet121").paths.skip_paths == 2**58


@st.composite
def dags(draw: st.DrawFn) -> networkx.MultiDiGraph:
    """A small graph with one first and one last node, drawn as a whole; a node may read a value twice."""
    size = draw(st.integers(1, 9))
    dag = networkx.MultiDiGraph()
    for node in range(size):
        dag.add_node(node, adds=draw(st.booleans()), layer=draw(st.booleans()))
        for source in draw(st.lists(st.integers(0, node - 1), min_size=1, max_size=3)) if node else []:
            dag.add_edge(source, node)
    ends = [node for node in dag if not dag.out_degree(node)]
    dag.add_node("end", adds=True, layer=False)
    dag.add_edges_from([(node, "end") for node in ends])
    return dag


def listed(dag: networkx.MultiDiGraph) -> dict[Hashable, list[tuple[frozenset[Any], int]]]:
    """Every skip path to every node: the branches that it takes, and how many layers it crosses. By the definitions."""
    found: dict[Hashable, list[tuple[frozenset[Any], int]]] = {}
    for name in networkx.topological_sort(dag):
        sources = [source for source, _ in dag.in_edges(name)]
        ways = [found[source] for source in sources]
        taken = range(len(ways))
        identity = [
            number
            for number, one in enumerate(sources)
            if all(other == one or networkx.has_path(dag, one, other) for other in sources)
        ]
        if len(ways) > 1 and not (dag.nodes[name]["adds"] or identity):
            best = max(taken, key=lambda i: (len(ways[i]), max(layers for _, layers in ways[i])))
            ways, taken = [ways[best]], range(1)
        shortest = min(taken, key=lambda i: min(layers for _, layers in ways[i]), default=0)
        shortcut = identity[0] if len(ways) > 1 and identity else shortest
        layer = int(dag.nodes[name]["layer"])
        found[name] = [
            (branches | ({(name, i)} if i != shortcut else set()), layers + layer)
            for i, way in enumerate(ways)
            for branches, layers in way
        ] or [(frozenset(), layer)]
    return found


@given(dags())
@settings(max_examples=400, deadline=None)
def test_random_graphs_against_a_list_of_all_paths(dag: networkx.MultiDiGraph) -> None:
    paths = listed(dag)["end"]
    found = archspec.skip_paths(dag)
    assert found.skip_paths == len(paths)
    assert found.residual_blocks == len(frozenset().union(*(branches for branches, _ in paths)))
    for counts, wanted in (
        (found.in_blocks.counts, Counter(len(branches) for branches, _ in paths)),
        (found.in_layers.counts, Counter(layers for _, layers in paths)),
    ):
        assert counts == tuple(wanted[length] for length in range(max(wanted) + 1))
    every = {name: 1 if not dag.in_degree(name) else 0 for name in dag}
    for name in networkx.topological_sort(dag):
        every[name] += sum(every[source] for source, _ in dag.in_edges(name))
    assert found.graph_paths == every["end"]


def residual(gate: bool = False) -> networkx.DiGraph:
    """A convolution beside an identity, added or scaled."""
    dag = networkx.DiGraph([("image", "merge"), ("image", "conv"), ("conv", "merge")])
    networkx.set_node_attributes(dag, {name: name == "conv" for name in dag}, "layer")
    networkx.set_node_attributes(dag, {name: name == "merge" and not gate for name in dag}, "adds")
    if gate:
        dag.edges["conv", "merge"]["gate"] = True
    return dag


def test_gates_are_ways_only_if_they_are_counted() -> None:
    assert archspec.skip_paths(residual()).in_layers.counts == (1, 1)
    assert archspec.skip_paths(residual(gate=True)).in_layers.counts == (1,)
    assert archspec.skip_paths(residual(gate=True), gates=True).in_layers.counts == (1, 1)


@pytest.mark.parametrize(("first", "counts"), [("a", (1, 1, 1)), ("b2", (1, 2))])
def test_position_decides_which_of_two_equal_ways_is_the_shortcut(first: str, counts: tuple[int, ...]) -> None:
    """Both ways have one layer at least; the one by `b2` has a choice of its own."""
    edges = [("image", "a"), ("image", "b"), ("b", "b1"), ("b", "b2"), ("b1", "b2"), ("a", "sum"), ("b2", "sum")]
    dag = networkx.DiGraph(edges)
    networkx.set_node_attributes(dag, {name: name in ("a", "b", "b1") for name in dag}, "layer")
    networkx.set_node_attributes(dag, {name: name in ("b2", "sum") for name in dag}, "adds")
    assert archspec.skip_paths(dag).in_blocks.counts == (1, 1, 1)  # in the order of the edges
    for source in ("a", "b2"):
        dag.edges[source, "sum"]["position"] = int(source != first)
    assert archspec.skip_paths(dag).in_blocks.counts == counts


def test_the_first_node_may_be_a_layer() -> None:
    dag = residual()
    dag.nodes["image"]["layer"] = True
    assert archspec.skip_paths(dag).in_layers.counts == (0, 1, 1)


# -- what is refused ---------------------------------------------------------------------------------------------------


def changed(**edges: Any) -> networkx.DiGraph:
    dag = residual()
    dag.add_nodes_from(edges.get("nodes", ()), adds=False, layer=False)
    dag.add_edges_from(edges.get("more", ()))
    return dag


@pytest.mark.parametrize(
    ("dag", "said"),
    [
        (networkx.DiGraph(), "the graph has no nodes"),
        (changed(more=[("merge", "conv")]), "the graph has a cycle: `merge` -> `conv` -> `merge`"),
        (changed(more=[("merge", "image")]), "the graph has a cycle: `image` -> `merge` -> `image`"),
        (changed(more=[("conv", "conv")]), "the graph has a cycle: `conv` -> `conv`"),
        (changed(nodes=["w"], more=[("w", "conv")]), "2 nodes of the graph read nothing: `image`, `w`"),
        (changed(nodes=["b"], more=[("conv", "b")]), "2 nodes of the graph have no reader: `merge`, `b`"),
    ],
    ids=["empty", "cycle", "all in a cycle", "loop", "two inputs", "two outputs"],
)
def test_a_graph_whose_paths_cannot_be_counted(dag: networkx.DiGraph, said: str) -> None:
    with pytest.raises(archspec.SpecError) as error:
        archspec.skip_paths(dag)
    (fault,) = error.value.diagnostics
    assert fault.code == "E920"
    assert said in fault.message


def test_a_node_that_reads_gates_only() -> None:
    dag = residual(gate=True)
    dag.edges["image", "merge"]["gate"] = True
    with pytest.raises(archspec.SpecError, match=r"E920.*every input is marked as a gate, at `merge`"):
        archspec.skip_paths(dag)


def test_one_of_several_last_nodes() -> None:
    """What does not lead to it is not looked at."""
    dag = changed(nodes=["b", "c"], more=[("conv", "b"), ("c", "b"), ("b", "d"), ("d", "b")])
    assert archspec.skip_paths(dag, to="merge") == archspec.skip_paths(residual())


@pytest.mark.parametrize("value", [None, "yes", 1, 0.0, [True]])
@pytest.mark.parametrize("attribute", ["adds", "layer"])
def test_an_attribute_is_true_or_false(attribute: str, value: object) -> None:
    dag = residual()
    dag.nodes["conv"][attribute] = value
    with pytest.raises(archspec.SpecError) as error:
        archspec.skip_paths(dag)
    (fault,) = error.value.diagnostics
    assert (fault.code, fault.message) == ("E921", f"1 node without `{attribute}`, which must be True or False: `conv`")


def test_both_attributes_may_be_missing_of_many_nodes() -> None:
    with pytest.raises(archspec.SpecError) as error:
        archspec.skip_paths(networkx.path_graph(1000, networkx.DiGraph))
    assert [fault.code for fault in error.value.diagnostics] == ["E921", "E921"]
    assert all("1,000 nodes" in fault.message and "988 more" in fault.message for fault in error.value.diagnostics)
