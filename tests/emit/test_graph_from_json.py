"""JSON that is not a graph, or not one that can be: a coded diagnostic at its place, and never a traceback."""

from __future__ import annotations

import copy
import gc
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import archspec
from archspec.diagnostics import Source, SpecError
from archspec.emit.graph_json import to_json
from archspec.emit.graph_schema import graph_schema
from archspec.graph.nesting import nest
from archspec.graph.state import state as state_of

SPEC = """\
archspec: 1
name: small
input: [3, 16, 16]
classes: 5
stem: [conv: {out: 4, kernel: 3}]
stages: {block: basic, count: [1, 2], channels: [4, 8], stride: [1, 2]}
"""
TEXT = to_json(archspec.compile(SPEC))
DATA = json.loads(TEXT)
SCHEMA = Draft202012Validator(graph_schema())
DERIVED = ("scope", "shape", "params", "buffers", "macs", "activations", "elementwise")


def bare() -> dict[str, Any]:
    """The network without what follows from it, so that only one thing is wrong after a change."""
    data = copy.deepcopy(DATA)
    del data["hash"], data["totals"]
    for node in data["nodes"]:
        for key in DERIVED:
            del node[key]
    return data


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    data = bare()
    change(data)
    return json.dumps(data, indent=1)


def faults(text: str | Source, **how: Any) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as raised:
        archspec.graph_from_json(text, **how)
    return [(each.code, each.message) for each in raised.value.diagnostics]


def node(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in data["nodes"] if each["name"] == name)


def put(*path: Any) -> Callable[[dict[str, Any]], object]:
    """A change: what the last item is, at the path before it."""
    *above, key, value = path

    def change(data: Any) -> None:
        for step in above:
            data = data[step]
        data[key] = value

    return change


NOT_JSON = {
    "nothing": "",
    "text": "archspec: 1",
    "cut off": TEXT[:-40],
    "a trailing comma": '{"archspec": "graph",}',
    "a key twice": '{"archspec": "graph", "archspec": "graph"}',
    "NaN": '{"archspec": "graph", "nodes": NaN}',
    "infinity": '{"archspec": "graph", "nodes": 1e999}',
    "many digits": f'{{"archspec": "graph", "nodes": {"9" * 5000}}}',
    "deep": "[" * 200_000,
    "rather deep": '{"archspec": "graph", "nodes": ' + "[" * 50 + "]" * 50 + "}",
    "a list": "[]",
    "null": "null",
    "another file": '{"name": "net", "version": 1}',
}


@pytest.mark.parametrize("text", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_a_graph(text: str) -> None:
    assert [code for code, _ in faults(text)] == ["E840"]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda data: data.pop("nodes"), "E840", "the graph has no `nodes`"),
        (put("format", 2), "E840", "`format` must be `1`, got `2`"),
        (put("nods", []), "E840", "the graph has the unknown key `nods`"),
        (put("input", [3]), "E840", "`input` must have at least 2 entries, got 1"),
        (put("input", 0, 3.0), "E840", "`input[0]` must be a whole number, got `3.0`"),
        (put("name", "a b"), "E840", '`name` cannot be `"a b"`'),
        (put("nodes", 0, "inputs", []), "E840", "`nodes[0].inputs` must have at least 1 entries, got 0"),
        (put("nodes", 0, "arguments", "kernel", 0), "E840", "`nodes[0].arguments.kernel` must be at least 1, got `0`"),
        (put("nodes", 0, "arguments", "out", True), "E840", "must be a whole number, got `true`"),
        (put("nodes", 0, "arguments", "kernal", 3), "E840", "`nodes[0].arguments` has the unknown key `kernal`"),
        (lambda data: data["nodes"][0]["arguments"].pop("out"), "E840", "`nodes[0].arguments` has no `out`"),
        (put("nodes", 0, "operation", "cnov"), "E841", "there is no operation `cnov`"),
        (put("nodes", 0, "name", "forward"), "E841", "`forward` cannot be a name"),
        (put("nodes", 0, "name", "a.__class__"), "E841", "`__class__` cannot be a name"),
        (put("nodes", 0, "name", "x = 1"), "E840", "`nodes[0].name` cannot be"),
        (put("nodes", 1, "name", "conv1"), "E841", "`nodes[0]` also has the name `conv1`"),
        (put("nodes", 0, "name", "layer1"), "E841", "`layer1` is the scope of other nodes"),
        (put("nodes", 1, "inputs", ["conv"]), "E841", "reads `conv`: there is no such node"),
        (put("nodes", 1, "inputs", ["fc"]), "E841", "reads `fc`: it comes later"),
        (put("nodes", 0, "inputs", ["conv1"]), "E841", "reads `conv1`: it comes later"),
        (put("nodes", 0, "inputs", ["input", "input"]), "E841", "`conv` takes one value, got 2"),
        (put("nodes", 5, "inputs", ["conv1", "conv1"]), "E841", "takes one value, got 2"),
        (put("outputs", {}), "E840", "`outputs`"),
        (put("outputs", {"output": "nowhere"}), "E841", "the graph has no node `nowhere`"),
        (
            put("outputs", {"a": "conv1", "b": "fc"}),
            "E841",
            "a network with several outputs cannot return a single value",
        ),
        (put("outputs", {"__import__('os')": "fc"}), "E840", "cannot be"),
        (put("heads", {"head": 999}), "E841", "there are only"),
        (put("regions", 0, "last", 999), "E841", "it must be from `first`"),
        (put("regions", 0, "source", "nowhere"), "E841", "the graph has no node `nowhere`"),
        (put("regions", 0, "source", "fc"), "E841", "it must come before the region"),
        (put("regions", 0, "kind", "shortcut"), "E841", "a shortcut belongs in `named`"),
        (put("regions", 0, "scope", "layer1.class"), "E841", "`class` cannot be a name"),
        (put("regions", 0, "values", {"a b": 1}), "E840", "cannot be"),
        (put("nodes", 0, "at", [7, 1, 1, 1, 1]), "E841", "there are only"),
        (put("nodes", 0, "at", [0, 0, 1, 1, 1]), "E841", "count from 1"),
        (put("nodes", 0, "cells", [[1, "block", None]]), "E841", "a cell must have a place"),
        (put("init", {"conv": "magic"}), "E840", "`init.conv` must be one of"),
        (put("nodes", 0, "shape", [4, 16, 15]), "E842", "`nodes[0].shape[2]` is 15, but the network has 16 there"),
        (put("nodes", 0, "macs", 1), "E842", "`nodes[0].macs` is 1"),
        (put("totals", {"params": 1}), "E842", "`totals.params` is 1"),
        (put("hash", "0" * 64), "E842", "`hash` is"),
        (put("nodes", 0, "arguments", "groups", 2), "E503", "`conv1` does not fit what it reads"),
        (put("nodes", 0, "arguments", {"out": 4, "kernel": 99, "padding": 0}), "E502", "does not fit"),
        (put("nodes", 0, "arguments", "out", 10**15), "E602", "more than"),
    ],
)
def test_what_cannot_be(change: Callable[[dict[str, Any]], object], code: str, said: str) -> None:
    found = faults(changed(change))
    assert found[0][0] == code
    assert said in found[0][1]


SHARED = """\
archspec: 1
name: shared
input: [4, 8, 8]
classes: 5
stem:
  - conv: {out: 4, kernel: 3, share: twin}
  - norm
  - act
  - conv: {out: 4, kernel: 3, share: twin}
  - sequence: {name: own, steps: [norm, conv: {out: 8, kernel: 3}]}
stages: []
head: [pool: {type: avg, output: 1}, flatten, linear: {out: classes}]
"""


def sharing(shared: Any) -> str:
    """The network whose second convolution has the weights of the first, with another ``shared``."""
    data = json.loads(to_json(archspec.compile(SHARED)))
    assert data["shared"] == {"conv2": "conv1"}
    del data["hash"], data["totals"]
    data["nodes"] = [{key: value for key, value in each.items() if key not in DERIVED} for each in data["nodes"]]
    return json.dumps({**data, "shared": shared})


@pytest.mark.parametrize(
    ("shared", "code", "said"),
    [
        ({"cnov2": "conv1"}, "E841", "the graph has no node `cnov2`"),
        ({"input": "conv1"}, "E841", "the graph has no node `input`"),
        ({"conv1": "conv2"}, "E841", "`conv1` cannot use the weights of `conv2`: it comes later"),
        ({"conv1": "conv1"}, "E841", "`conv1` cannot use the weights of `conv1`: these are its own"),
        ({"conv2": "conv1", "own.conv1": "conv2"}, "E841", "of `conv2`: it uses the weights of another node"),
        ({"conv2": "bn1"}, "E841", "`conv2` cannot use the weights of `bn1`, those of `norm`"),
        ({"conv2": "relu"}, "E841", "`conv2` cannot use the weights of `relu`, those of `act`"),
        ({"own.conv1": "conv1"}, "E841", "cannot use the weights of `conv1`, those of `conv(out=4, kernel=3)`"),
        ({"conv2": "own"}, "E841", "`own` cannot be both a node and the scope of nodes"),
        ({"conv2": "conv1.again"}, "E841", "`conv1` cannot be both a node and the scope of nodes"),
        ({"conv1": "first", "conv2": "first.again"}, "E841", "`first` cannot be both a node and the scope of nodes"),
        ({"conv2": "a.class"}, "E841", "`class` cannot be a name: it is a Python keyword"),
        ({"conv2": "a.b c"}, "E840", '`shared.conv2` cannot be `"a.b c"`'),
        ({"conv2": 3}, "E840", "`shared.conv2` must be"),
        (["conv2"], "E840", "`shared` must be"),
    ],
)
def test_whose_weights_a_node_cannot_use(shared: Any, code: str, said: str) -> None:
    found = faults(sharing(shared))[0]
    assert found[0] == code
    assert said in found[1]


def test_any_weights_of_another_node_are_refused_or_built() -> None:
    """Every pair of names, of nodes, of scopes, and of names that the network lacks."""
    names = [each["name"] for each in json.loads(sharing({}))["nodes"]]
    names += ["own", "own.bn1.deep", "conv1.deep", "elsewhere", "input", "output"]
    built = 0
    for name in names:
        for state in names:
            try:
                graph = archspec.graph_from_json(sharing({name: state}))
            except SpecError:
                continue
            model, built = archspec.build(graph), built + 1
            assert list(model.state_dict()) == list(state_of(graph))
    assert len(names) < built < len(names) ** 2


def test_a_place_is_that_of_the_value() -> None:
    text = changed(put("nodes", 1, "inputs", ["cnov1"]))
    with pytest.raises(SpecError) as raised:
        archspec.graph_from_json(Source("net.json", text))
    (fault,) = raised.value.diagnostics
    assert fault.span is not None
    line = text.splitlines()[fault.span.line - 1]
    assert (fault.span.source.name, fault.hint) == ("net.json", "did you mean `conv1`?")
    assert line[fault.span.column - 1 : fault.span.end_column - 1] == '"cnov1"'


def test_a_place_after_an_odd_line_break_is_that_of_the_diagnostics() -> None:
    """U+2028 stands in a text of JSON as it is, and ends a line for everybody else."""
    text = '{"archspec": "graph", "a\u2028b": 1,\n "nodes": 1}'
    with pytest.raises(SpecError) as raised:
        archspec.graph_from_json(text)
    for fault in raised.value.diagnostics:
        assert fault.span
        assert fault.span.source.line(fault.span.line)
    str(raised.value)


def test_limits_hold() -> None:
    assert [code for code, _ in faults(TEXT, limits=archspec.Limits(nodes=3))] == ["E601"]
    assert [code for code, _ in faults(TEXT, limits=archspec.Limits(elements=100))] == ["E602"]
    assert [code for code, _ in faults(TEXT, limits=archspec.Limits(work=100))] == ["E603"]
    many = [{"name": f"n{i}", "operation": "act", "inputs": ["input"]} for i in range(200_000)]
    assert [code for code, _ in faults(json.dumps({**bare(), "nodes": many}))] == ["E601"]


def test_an_excerpt_of_a_place_whose_text_is_gone() -> None:
    """A graph that was read has the places of its spec, without the text."""
    graph = archspec.graph_from_json(TEXT)
    span = graph.nodes[0].span
    assert span is not None
    assert str(SpecError([archspec.Diagnostic("E504", "it cannot be", span)])).startswith("<text>:5:8: error[E504]")


ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 2, 10**30, 1.5, 8.0, "", "a", "input", "conv1", "layer1", "__class__", "for", "a.b", "\u202e"),
    *("\ud800", "x" * 3000, [], [1], {}, {"a": 1}, [[[[]]]], "conv", "'\"</text>", [3, 4, 5, 6, 7]),
)


def paths(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(path for key, each in inside for path in paths(each, (*above, key)))]


def mutated(data: dict[str, Any], random: random.Random) -> None:
    """Take something away, move it, repeat it, or put something else in its place."""
    *above, key = random.choice(paths(data)[1:])
    holder: Any = data
    for step in above:
        holder = holder[step]
    kind = random.randrange(4)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(random.randrange(len(holder) + 1), copy.deepcopy(holder[key]))
    elif kind == 2 and isinstance(holder[key], int):
        holder[key] += random.choice((-1, 1, 5))
    else:
        holder[key] = random.choice(ODD)


@pytest.mark.parametrize("seed", range(20))
def test_a_mutated_graph_is_refused_or_is_a_graph(seed: int) -> None:
    """What the reader takes, the schema takes, the analyses take, and it reads back from its own text."""
    chance = random.Random(seed)
    for _ in range(6):
        data = copy.deepcopy(DATA) if chance.random() < 0.3 else bare()
        mutated(data, chance)
        try:
            graph = archspec.graph_from_json(json.dumps(data))
        except SpecError:
            continue
        assert not list(SCHEMA.iter_errors(data))
        text = to_json(graph)
        assert to_json(archspec.graph_from_json(text)) == text
        assert str(archspec.analyze(graph))
        assert nest(graph).members
        assert nest(graph, fine=True).members


def test_what_the_schema_refuses_the_reader_refuses() -> None:
    """The reader checks with the parts of the schema that are quick: nothing falls between them."""
    chance = random.Random(0)
    for _ in range(80):
        data = bare()
        mutated(data, chance)
        if list(SCHEMA.iter_errors(data)):
            assert faults(json.dumps(data))


def test_a_graph_is_not_a_spec() -> None:
    with pytest.raises(archspec.SpecError, match="this is a graph") as caught:
        archspec.load(to_json(archspec.compile("resnet20_cifar")))
    (found,) = caught.value.diagnostics
    assert found.code == "E207"
    assert "graph_from_json" in found.help


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was(enabled: bool) -> None:
    """Also after a text that is refused."""
    text = to_json(archspec.compile("resnet20_cifar"))
    try:
        gc.enable() if enabled else gc.disable()
        archspec.graph_from_json(text)
        assert gc.isenabled() == enabled
        with pytest.raises(archspec.SpecError):
            archspec.graph_from_json(text.replace("conv", "cnov"))
        assert gc.isenabled() == enabled
    finally:
        gc.enable()
