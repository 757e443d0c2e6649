"""Nobody notices what is written in place: not in values, not in gradients, not in what a hook sees."""

from __future__ import annotations

import copy
import functools
import json
import pickle
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, fx, nn

import archspec
from archspec.emit.modules import resolve
from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.act import ACTIVATIONS
from archspec.operations.discovery import operations
from archspec.testing import graphs
from tests.analysis.networks import CHANNELS_LAST, LEAVES, Step
from tests.support.equivalence import compiled, scramble
from tests.support.properties import tries
from tests.support.returned import returned

torch.set_num_threads(1)

SHAPE = (4, 5, 5)


class Functional(nn.Module):
    """The network of a graph, node by node, as each operation says that it is in torch; nothing works in place."""

    def __init__(self, graph: Graph, model: nn.Module) -> None:
        super().__init__()
        self.graph = graph
        self.parts = nn.ModuleDict()
        for node in graph.nodes:
            call = node.operation.torch(graph.input_shapes(node))
            part = resolve(call.target)(*call.args, **call.kwargs) if call.kind == "module" else nn.Module()
            name = graph.state_of(node.name)
            if name.replace(".", "/") in self.parts:
                continue
            if call.kind != "module" and node.operation.weights(graph.input_shapes(node)):
                part.register_parameter("own", nn.Parameter(model.get_parameter(name).detach().clone()))
            elif list(part.state_dict()):
                part.load_state_dict(model.get_submodule(name).state_dict())
            self.parts[name.replace(".", "/")] = part.requires_grad_(node.name not in graph.frozen)

    def train(self, mode: bool = True) -> Functional:
        super().train(mode)
        for name in self.graph.frozen:
            self._part(name).eval()
        return self

    def _part(self, name: str) -> nn.Module:
        return self.parts[self.graph.state_of(name).replace(".", "/")]

    def forward(self, x: Tensor) -> Any:
        values = {INPUT: x}
        for node in self.graph.nodes:
            part = self._part(node.name)
            call = node.operation.torch(self.graph.input_shapes(node))
            inputs: list[Any] = [values[name] for name in node.inputs]
            if call.kind == "module":
                values[node.name] = part(*inputs)
            elif call.fold:
                values[node.name] = functools.reduce(resolve(call.target), inputs)
            else:
                given = [inputs] if call.packed else [*inputs, *part.parameters()]
                values[node.name] = resolve(call.target)(*given, *call.args, **call.kwargs)
        results = {label: values[name] for label, name in self.graph.outputs.items()}
        return results if not self.graph.single else next(iter(results.values()))

    def gradients(self) -> dict[str, Tensor | None]:
        """By the names of the state dict."""
        names = [
            name.removeprefix("parts.").removesuffix(".own").replace("/", ".") for name, _ in self.named_parameters()
        ]
        return {name: parameter.grad for name, parameter in zip(names, self.parameters(), strict=True)}


def run(model: nn.Module, example: Tensor, train: bool) -> tuple[list[Tensor], Tensor | None]:
    """The outputs, and the gradient of the input; parameters get theirs."""
    torch.manual_seed(0)
    x = example.clone().requires_grad_()
    outputs = returned(model.train(train)(x))
    weights = [torch.linspace(-1, 1, value.numel()).view(value.shape) for value in outputs]
    sum((value * weight).sum() for value, weight in zip(outputs, weights, strict=True)).backward()
    return [value.detach() for value in outputs], x.grad


def assert_same(found: Any, expected: Any, what: str) -> None:
    if found is None or expected is None:
        assert found is expected, what
    else:
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True, msg=what)


def assert_unnoticed(graph: Graph) -> None:
    """Outputs and all gradients are those of the functional network, bit for bit, in both modes, nested and flat."""
    example = torch.randn(2, *graph.input, generator=torch.Generator().manual_seed(1)) * 3
    for flat in (False, True):
        model = archspec.build(graph, seed=0, flat=flat)
        scramble(model)
        for train in (False, True):
            functional = Functional(graph, model)
            expected, wanted = run(functional, example, train)
            model.zero_grad()
            found, gradient = run(model, example, train)
            for value, other in zip(found, expected, strict=True):
                assert_same(value, other, f"an output, {flat=}, {train=}")
            assert_same(gradient, wanted, f"the gradient of the input, {flat=}, {train=}")
            gradients = functional.gradients()
            for name, parameter in model.named_parameters():
                assert_same(parameter.grad, gradients[name], f"the gradient of {name}, {flat=}, {train=}")
            with torch.no_grad():
                Watched(model).run(example.clone())
                watch_modules(graph, model, example.clone())


class Watched(fx.Interpreter):
    """Runs a model, and checks at each read of a value that nobody has written over it since it was made."""

    def run_node(self, n: fx.Node) -> Any:
        for source in n.all_input_nodes:
            value, version, before = self.made[source]
            assert value._version == version, f"{n} reads {source}, which was written over"
            assert_same(value, before, f"{n} reads {source}, which was written over")
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.made[n] = (result, result._version, result.clone())
        return result

    def run(self, *args: Any, **kwargs: Any) -> Any:
        self.made: dict[fx.Node, tuple[Tensor, int, Tensor]] = {}
        return super().run(*args, **kwargs)


def watch_modules(graph: Graph, model: nn.Module, example: Tensor) -> None:
    """What goes into a block, a stage and the model, and what comes out, stays as it was until the end."""
    seen: list[tuple[str, Tensor, Tensor]] = []

    def hook(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        seen.extend((name, value, value.clone()) for value in (*inputs, *returned(output)))

    scopes = {region.scope for region in graph.regions}
    handles = [
        module.register_forward_hook(functools.partial(hook, name))
        for name, module in model.named_modules()
        if name in scopes or not name
    ]
    model(example)
    for handle in handles:
        handle.remove()
    for name, value, before in seen:
        assert_same(value, before, f"a value of {name} was written over after it was seen")


# -- random graphs -----------------------------------------------------------------------------------------------------

KEEPING: list[tuple[str, dict[str, Any]]] = [
    *[("act", {"type": word}) for word in ACTIVATIONS if word != "glu"],  # it gives half of the channels
    *[(name, {"p": p}) for name in ("dropout", "drop_path") for p in (0, 0.5)],
    ("dropout", {"p": 1}),
    ("conv", {"out": 4, "kernel": 3}),
    ("linear", {"out": 4}),
    *[("norm", {"type": word, "groups": 2}) for word in ("batch", "group", "layer", "instance")],
    ("pool", {"type": "max", "kernel": 3, "stride": 1, "padding": 1}),
    ("pool", {"type": "avg", "kernel": 1}),
    ("layer_scale", {"initial": 0.5}),
    ("scale", {"by": 2}),
    ("slice", {}),
    ("subsample", {"stride": 1}),
    ("channel_shuffle", {"groups": 1}),
    ("pad_channels", {"out": 4}),
]
"""Operations that keep a shape, some of which do nothing."""


@st.composite
def wirings(draw: st.DrawFn) -> Graph:
    """Graphs by hand: merges of one branch or of one value, values that many read, outputs in the middle."""
    nodes: list[Node] = []
    names = [INPUT]
    for number in range(draw(st.integers(1, 9))):
        recent = st.sampled_from(names[-3:])
        if draw(st.integers(0, 2)):
            word, given = draw(st.sampled_from(KEEPING))
            inputs: tuple[str, ...] = (draw(recent),)
        else:
            word, given = draw(st.sampled_from(["add", "multiply"])), {}
            inputs = tuple(draw(st.lists(recent | st.sampled_from(names), min_size=1, max_size=3)))
        nodes.append(Node(f"n{number}", operations()[word](**given), inputs, SHAPE))
        names.append(f"n{number}")
    gate = Node("pool", operations()["pool"](type="avg", output=1), (draw(st.sampled_from(names)),), (4, 1, 1))
    gated = draw(st.permutations([draw(st.sampled_from(names)), "pool"]))
    last = Node("gated", operations()["multiply"](), tuple(gated), SHAPE)
    outputs = draw(st.lists(st.sampled_from(names[1:]), max_size=2, unique=True))
    return Graph("wired", SHAPE, (*nodes, gate, last), dict(zip("abc", [*outputs, "gated"], strict=False)), not outputs)


@given(graph=wirings())
@tries(60)
def test_any_wiring(graph: Graph) -> None:
    assert_unnoticed(graph)


ODD: list[Step] = [
    {"add": [[]]},
    {"multiply": [[]]},
    {"add": [[], []]},
    {"add": [[], [{"act": {"type": "silu"}}], [{"conv": {"out": 4}}]]},
    {"multiply": [[], [{"pool": {"type": "avg", "output": 1}}, {"act": {"type": "hardsigmoid"}}]]},
    {"add": [[{"dropout": {"p": 0.5}}], [{"drop_path": {"p": 0.5}}]]},
]
STEPS = st.lists(st.sampled_from([*LEAVES, *CHANNELS_LAST, *ODD, *ODD, *ODD]), min_size=1, max_size=4)


def in_blocks(before: list[Step], residual: list[Step], between: list[Step], settings: str = "") -> Graph:
    """Two blocks with odd steps in them, before them and between them."""
    table = {"block": "b", "count": 1, "channels": [4, 4], "before": [None, between or None]}
    return compiled(f"""
        input: [4, 5, 5]
        stem: {json.dumps(before)}
        stages: {json.dumps(table)}
        shortcut: identity
        norm: none
        activation_order: pre
        blocks: {{b: {{residual: {json.dumps(residual)}}}}}
        head: []
        {settings}
        """)


@given(before=STEPS, residual=STEPS, between=STEPS, several=st.booleans())
@example(before=[{"conv": {"out": 4}}], residual=[{"add": [[]]}, {"act": {}}], between=[], several=False)
@example(before=[{"conv": {"out": 4}}], residual=[{"multiply": [[]]}, {"act": {}}], between=[{"act": {}}], several=True)
@tries(30)
def test_any_steps_in_blocks(before: list[Step], residual: list[Step], between: list[Step], several: bool) -> None:
    assert_unnoticed(in_blocks(before, residual, between, "outputs: [layer1, layer2]" if several else ""))


@given(graph=graphs())
@tries(12)
def test_any_spec(graph: Graph) -> None:
    assert_unnoticed(graph)


def copies(model: fx.GraphModule) -> dict[str, nn.Module]:
    """What is made of a model: copied, compiled to code again, pickled, and traced again."""
    again = copy.deepcopy(model)
    again.recompile()
    return {
        "copied": copy.deepcopy(model),
        "recompiled": again,
        "pickled": pickle.loads(pickle.dumps(model)),
        "traced": fx.symbolic_trace(copy.deepcopy(model)),
    }


GATED: Step = ODD[4]


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
@pytest.mark.parametrize(
    "residual",
    [
        [{"conv": {"out": 4}}, {"act": {"type": "hardswish"}}, GATED, {"dropout": {}}],
        [{"conv": {"out": 4}}, {"norm": {}}, {"multiply": [[{"conv": {"out": 4}}], []]}, {"act": {"type": "silu"}}],
        [{"add": [[]]}, {"act": {}}, {"multiply": [[]]}],
        [{"add": [[]]}],
    ],
    ids=["gate", "product", "merges of one branch", "the input itself"],
)
def test_what_is_made_of_a_model_works_in_place_too(residual: list[Step], flat: bool) -> None:
    graph = in_blocks([{"conv": {"out": 4}}], residual, [{"act": {"type": "relu6"}}])
    model = archspec.build(graph, seed=0, flat=flat)
    scramble(model)
    example = torch.randn(2, *graph.input, generator=torch.Generator().manual_seed(1))
    for train in (False, True):
        for what, made in copies(model).items():
            functional = Functional(graph, model)
            expected, wanted = run(functional, example, train)
            found, gradient = run(made, example, train)
            assert_same(found, expected, f"outputs, {what}, {train=}")
            assert_same(gradient, wanted, f"the gradient of the input, {what}, {train=}")
            assert_same([p.grad for p in made.parameters()], list(in_order(functional, made)), f"{what}, {train=}")


def in_order(functional: Functional, model: nn.Module) -> list[Tensor | None]:
    """The gradients of the functional network in the order of a model's parameters."""
    gradients = functional.gradients()
    return [gradients[name] for name, _ in model.named_parameters()]


def table(*words: str) -> list[tuple[str, bool]]:
    return [(word, word in words) for word in ACTIVATIONS]


WITH_EQUAL_GRADIENTS = ("relu", "relu6", "leaky_relu", "silu", "mish", "hardswish", "hardsigmoid", "hardtanh")


@pytest.mark.parametrize(("word", "writes"), table(*WITH_EQUAL_GRADIENTS))
def test_which_activations_work_in_place(word: str, writes: bool) -> None:
    """By hand: those with `inplace` in torch, but for ELU, SELU and CELU, whose gradients would differ in rounding."""
    graph = compiled(f"input: [3, 5, 5]\nstem: [conv: {{out: 4}}, act: {{type: {word}}}]\nstages: []\nhead: []")
    assert bool(graph.in_place) is writes
    module = archspec.build(graph, flat=True, device="meta").get_submodule(graph.nodes[-1].name)
    assert getattr(module, "inplace", False) is writes


WRITTEN = {
    "a gate's map, which pooling only reads": (
        f"conv: {{out: 4}}, {json.dumps(GATED)[1:-1]}",
        ["hardsigmoid", "multiply"],
    ),
    "what a convolution saves": ("conv: {out: 4}, add: [[], [conv: {out: 4}]]", ["add"]),
    "the input": ("add: [[], []], multiply: [[]]", []),
    "a merge of one branch": ("conv: {out: 4}, add: [[]], act", ["relu"]),
    "what a sigmoid saves, through a dropout": ("conv: {out: 4}, act: {type: sigmoid}, dropout, act", []),
    "through a dropped path": ("conv: {out: 4}, drop_path: {p: 0.5}, act", ["relu"]),
    "a dropout": ("conv: {out: 4}, dropout", ["dropout"]),
    "a dropout of nothing": ("conv: {out: 4}, dropout: {p: 0}", []),
    "a slice": ("conv: {out: 4}, slice: {stop: 2}, act", []),
    "the first of a difference": ("conv: {out: 4}, subtract: [[conv: {out: 4}], []]", ["subtract"]),
    "never the second of a difference": ("conv: {out: 4}, subtract: [[], [conv: {out: 4}]]", []),
    "a difference of three": ("conv: {out: 4}, subtract: [[conv: {out: 4}], [], []]", ["subtract"]),
    "three, of which the last is free": ("conv: {out: 4}, add: [[], [], [conv: {out: 4}]]", []),
}


@pytest.mark.parametrize(("steps", "written"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_written_over(steps: str, written: list[str]) -> None:
    graph = compiled(f"input: [4, 5, 5]\nstem: [{steps}]\nstages: []\nhead: []")
    assert [graph.by_name[name].operation.kind for name in graph.in_place] == written
    assert_unnoticed(graph)
