"""Costs against torch, torchvision and the papers, by node, stage and in total."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.analysis.report import analyze
from archspec.graph.graph import Graph, Node
from archspec.operations.base import Operation, Weight
from archspec.operations.effects import HERE, NOTHING, Bytes, Reach, Saved
from archspec.operations.shapes import Shape
from tests.analysis.families import family
from tests.support.equivalence import compiled
from tests.support.reference import torchvision_model
from tests.support.zoo import variants_slow

pytestmark = pytest.mark.usefixtures("freed")

# -- the references' figures -------------------------------------------------------------------------------------------

PAPER_LAYERS = {
    "resnet18": 18,
    "resnet34": 34,
    "resnet50": 50,
    "resnet101": 101,
    "resnet152": 152,
    "resnet50_v1": 50,
    "resnext50_32x4d": 50,
    "resnet56_cifar": 56,
    "plain56_cifar": 56,
    "preact_resnet110_cifar": 110,
}
TORCHVISION = {
    "densenet121": (7_978_856, 2_834_161_664),
    "regnet_y_400mf": (4_344_144, 401_842_848),
    "mobilenet_v2": (3_504_872, 300_774_272),
}


@pytest.mark.parametrize("name", PAPER_LAYERS)
def test_layers_are_the_papers_count(name: str) -> None:
    assert analyze(archspec.compile(name)).totals.layers == PAPER_LAYERS[name]


def test_shortcuts_and_gates_are_no_layers() -> None:
    gated = """
        input: [3, 8, 8]
        stem: {use: cifar, width: 4}
        stages: {block: bottleneck, count: 2, channels: 4, se: 0.5}
        shortcut: projection-all
        """
    assert analyze(compiled(gated)).totals.layers == 2 + 2 * 3


@pytest.mark.parametrize("name", TORCHVISION)
def test_figures_of_torchvisions_networks(name: str) -> None:
    costs = analyze(family(name)).totals.costs
    assert (costs.params, costs.macs) == TORCHVISION[name]
    assert costs.flops == 2 * TORCHVISION[name][1]
    assert costs.buffers == sum(buffer.numel() for buffer in torchvision_model(name).buffers())


# -- torch -------------------------------------------------------------------------------------------------------------

COUNTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
ADAPTIVE = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool2d)


def hooked(model: nn.Module, example: torch.Tensor, count: Callable[..., int]) -> dict[str, int]:
    """What ``count(module, input, output)`` gives for each module without children, by name."""
    found: dict[str, int] = {}
    for name, module in model.named_modules():
        if not list(module.children()):
            module.register_forward_hook(
                lambda module, inputs, output, name=name: found.update({name: count(module, inputs[0], output)})
            )
    model(example)
    return found


GROUPED = """
    input: [4, 12, 12]
    stem: {use: cifar, width: 8}
    stages: {block: bottleneck, count: 2, channels: 16, groups: 4, se: 0.25, stride: 2}
    """
SIGNAL = "input: [2, 65]\nclasses: 5\nstages: {block: basic, count: 2, channels: [8, 16], stride: [1, 2]}"
VIDEO = "input: [3, 4, 16, 16]\nstages: {block: basic, count: 1, channels: [4, 8], stride: [1, 2]}"
POINTWISE = """
    input: [3, 9, 9]
    norm: layer
    stem: [conv: {out: 4, kernel: 3}, norm, linear: {out: 6, bias: false}, layer_scale, pool: {type: max, kernel: 2}]
    stages: {block: basic, count: 1, channels: 6}
    """
GRAPHS = {"grouped": GROUPED, "signal": SIGNAL, "video": VIDEO, "pointwise": POINTWISE}


def graph_of(name: str) -> Graph:
    return compiled(GRAPHS[name]) if name in GRAPHS else archspec.compile(name)


@pytest.mark.parametrize("name", [*variants_slow(), *GRAPHS])
def test_every_node_costs_what_torch_counts(name: str) -> None:
    graph = graph_of(name)
    found = analyze(graph)
    assert found.unavailable == {}
    model = archspec.build(graph, device="meta").eval()
    example = torch.empty(1, *graph.input, device="meta")
    costs = found.totals.costs
    assert costs.params == costs.trainable == sum(weight.numel() for weight in model.parameters())
    assert costs.buffers == sum(buffer.numel() for buffer in model.buffers())
    with FlopCounterMode(display=False) as counter:
        outputs = hooked(model, example, lambda module, value, output: output.numel())
    assert 2 * costs.macs == costs.flops == counter.get_total_flops()
    kinds = (*COUNTED, *POOLS, *ADAPTIVE)
    active = {name: count for name, count in outputs.items() if isinstance(model.get_submodule(name), kinds)}
    assert {part.name: part.costs.activations for part in found.nodes if part.costs.activations} == active
    assert costs.activations == sum(active.values())
    modules = dict(model.named_modules())
    for part in found.nodes:
        own = modules.get(part.name)
        if own is not None and type(own).__name__ != "Network":
            assert part.costs.params == sum(weight.numel() for weight in own.parameters())
            assert part.costs.buffers == sum(buffer.numel() for buffer in own.buffers())
    kinds_of_params = found.totals.params_by_operation
    assert sum(kinds_of_params.values()) == costs.params
    assert kinds_of_params["conv"] == sum(
        weight.numel()
        for module in model.modules()
        if isinstance(module, COUNTED[:3])
        for weight in module.parameters()
    )


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d", "resnet56_cifar", "grouped"])
def test_stages_and_blocks_cost_what_their_modules_do(name: str) -> None:
    graph = graph_of(name)
    found = analyze(graph)
    model = archspec.build(graph, device="meta").eval()
    with FlopCounterMode(display=False) as counter:
        outputs = hooked(model, torch.empty(1, *graph.input, device="meta"), lambda m, x, y: y.numel())
    for part in (*found.stages, *found.blocks):
        module = model.get_submodule(part.name)
        flops = counter.flop_counts[f"{type(model).__name__}.{part.name}"]
        inside = [n for n in outputs if n.startswith(f"{part.name}.")]
        kinds = (*COUNTED, *POOLS, *ADAPTIVE)
        active = [outputs[n] for n in inside if isinstance(model.get_submodule(n), kinds)]
        assert part.costs.params == sum(weight.numel() for weight in module.parameters())
        assert part.costs.flops == sum(flops.values())
        assert part.costs.activations == sum(active)
    for cost in ("params", "buffers", "macs", "activations", "elementwise", "trainable"):
        whole = getattr(found.totals.costs, cost)
        assert sum(getattr(part.costs, cost) for part in found.rows) == whole
        assert sum(getattr(part.costs, cost) for part in found.nodes) == whole
        stages = [getattr(part.costs, cost) for part in found.stages]
        assert sum(getattr(part.costs, cost) for part in found.blocks) == sum(stages)


def test_elementwise_work() -> None:
    """Twice each normalised element, once each activated or added one, each element that a pool's window reads."""

    def work(module: nn.Module, value: torch.Tensor, output: torch.Tensor) -> int:
        if isinstance(module, nn.BatchNorm2d):
            return 2 * output.numel()
        if isinstance(module, nn.MaxPool2d):
            return output.numel() * 9
        if isinstance(module, nn.AdaptiveAvgPool2d):
            return value.numel()
        return output.numel() if isinstance(module, (nn.ReLU, nn.Sigmoid)) else 0

    for text in ("extends: resnet18", "extends: resnet50\nstages: {se: 0.25}"):
        graph = compiled(text)
        model = archspec.build(graph, device="meta").eval()
        total = sum(hooked(model, torch.empty(1, *graph.input, device="meta"), work).values())
        merges = [node for node in graph.nodes if node.operation.name in ("add", "multiply")]
        total += sum(torch.Size(node.shape).numel() for node in merges)
        assert analyze(graph).totals.costs.elementwise == total


def test_intensity_is_flops_by_bytes_moved() -> None:
    graph = compiled("input: [2, 4]\nstem: []\nstages: {block: one, count: 1}\nhead: [flatten, linear: {out: 5}]\n"
                     "blocks: {one: {steps: [conv: {out: 3}]}}")  # fmt: skip
    convolution, flattening, linear = 2 * 4 + 3 * 4 + 3 * 2, 12 + 12, 12 + 5 + 5 * 12 + 5
    flops = 2 * (3 * 4 * 2 + 5 * 12)
    assert analyze(graph).totals.intensity == flops / (4 * (convolution + flattening + linear))
    assert analyze(graph, dtype="float16").totals.intensity == flops / (2 * (convolution + flattening + linear))


# -- operations that lack a rule ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Silent(Operation):
    """An operation of a user that says nothing but its shape."""

    name = "silent"
    summary = "Nothing is known of it."


@dataclasses.dataclass(frozen=True)
class Weighted(Silent):
    """One that says everything but how many MACs it has."""

    name = "weighted"
    weighted = True

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        return {"weight": Weight((7,), "one")}

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved()

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return NOTHING

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | None:
        return HERE * (len(output) - 1)


PLAIN = "input: [3, 8, 8]\nstem: {use: cifar, width: 4}\nstages: {block: basic, count: 1, channels: 4}"


def with_operation(operation: Operation, inputs: int = 1) -> Graph:
    """A small network behind whose stem stands ``operation``, reading the stem's result so many times."""
    graph = compiled(PLAIN)
    stem = graph.nodes[graph.stages[0].first - 1]
    odd = Node("odd", operation, (stem.name,) * inputs, stem.shape, stem.provenance)
    nodes = [
        node._replace(inputs=tuple("odd" if name == stem.name else name for name in node.inputs))
        for node in graph.nodes
    ]
    nodes.insert(graph.stages[0].first, odd)
    regions = [dataclasses.replace(r, first=r.first + 1, last=r.last + 1) for r in graph.regions]
    return dataclasses.replace(graph, nodes=tuple(nodes), regions=tuple(regions))


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_a_missing_rule_makes_its_costs_unavailable(inputs: int) -> None:
    found, plain = analyze(with_operation(Silent(), inputs)), analyze(compiled(PLAIN))
    memory = found.memory
    missing = ("elementwise", "inference_peak", "saved_for_backward", "receptive_field")
    assert found.unavailable == dict.fromkeys(missing, ("silent",))
    assert found.totals.costs.elementwise is None
    assert (memory.inference_peak, memory.saved_for_backward) == (None, None)
    assert (memory.training_sgd, memory.training_adam, found.receptive_field) == (None, None, None)
    assert found.totals.costs.macs == plain.totals.costs.macs
    assert found.totals.costs.params == plain.totals.costs.params
    assert found.stages[0].costs == plain.stages[0].costs
    assert "odd" in [part.name for part in found.nodes if part.costs.elementwise is None]
    assert found._repr_html_()


def test_missing_macs_are_not_taken_for_none() -> None:
    found = analyze(with_operation(Weighted()))
    assert found.unavailable == {"macs": ("weighted",)}
    assert (found.totals.costs.macs, found.totals.costs.flops, found.totals.intensity) == (None, None, None)
    assert found.totals.costs.params == analyze(compiled(PLAIN)).totals.costs.params + 7
    assert found.memory.inference_peak is not None
    assert "unavailable" in found._repr_html_()
