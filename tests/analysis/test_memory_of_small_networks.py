"""Memory of networks of a few operations against torch's storages: in each, one thing that decides what is alive."""

from __future__ import annotations

import pytest
import torch

import archspec
from archspec.analysis.report import analyze
from tests.analysis.test_memory import assert_measured
from tests.support.equivalence import compiled

pytestmark = pytest.mark.usefixtures("freed")

# Steps on a map of 4x6x6, behind a convolution of 4 and before another of 4.
STEPS = {
    "a chain": "conv: {out: 8}, conv: {out: 2}, conv: {out: 16}, conv: {out: 4}",
    "wide first": "conv: {out: 64}, conv: {out: 2}",
    "wide last": "conv: {out: 2}, conv: {out: 64}",
    "a relu in place": "act, conv: {out: 8}, act, act: {type: silu}, act",
    "a relu on what is read twice": "add: [[act], [conv: {out: 4}]]",
    "a relu on a view": "slice: {stop: 2}, act, pad_channels: {out: 4}",
    "a relu on a dropout": "dropout, act, conv: {out: 4}, act",
    "a relu on a dropout of nothing": "dropout: {p: 0}, act, conv: {out: 4}",
    "a relu on an output that is saved": "act: {type: sigmoid}, act, act: {type: tanh}, act",
    "views of views": "slice: {stop: 3}, subsample: {stride: 2}, slice: {start: 1}, conv: {out: 4}",
    "a view outlives what it views": "concat: [[slice: {stop: 1}], [conv: {out: 32}, conv: {out: 3}]], conv: {out: 4}",
    "dropouts": "dropout, dropout: {p: 0}, drop_path: {p: 0}, drop_path: {p: 0.5}, dropout: {p: 1}",
    "a dropped path beside another": "add: [[drop_path: {p: 0.5}], [conv: {out: 4}, dropout: {p: 0.2}]]",
    "an addition in place": "add: [[conv: {out: 4}], []]",
    "an addition of one value": "add: [[], []], conv: {out: 4}",
    "an addition of three": "add: [[], [conv: {out: 4}], [conv: {out: 8}, conv: {out: 4}]]",
    "an addition of four": "add: [[act: {type: silu}], [act: {type: gelu}], [act: {type: elu}], []]",
    "a sum of three of one value": "conv: {out: 32}, add: [[], [], [act: {type: silu}]], conv: {out: 4}",
    "a product of two": "multiply: [[], [conv: {out: 4}]]",
    "a product of three": "conv: {out: 16}, multiply: [[], [conv: {out: 16}], [act: {type: silu}]], conv: {out: 4}",
    "a product of four of one value": "conv: {out: 16}, multiply: [[], [], [], []], conv: {out: 4}",
    "a gate first": "multiply: [[pool: {type: avg, output: 1}, conv: {out: 4}, act: {type: sigmoid}], []]",
    "a gate last": "multiply: [[], [pool: {type: avg, output: 1}, conv: {out: 4}, act: {type: hardsigmoid}]]",
    "two gates first": "multiply: [[pool: {type: avg, output: 1}], [pool: {type: max, output: 1}], []]",
    "a concatenation": "concat: [[], [conv: {out: 4}], []], conv: {out: 4}",
    "a wide branch first": "concat: [[conv: {out: 64}, conv: {out: 2}], [conv: {out: 2}]]",
    "a wide branch last": "concat: [[conv: {out: 2}], [conv: {out: 64}, conv: {out: 2}]]",
    "pools": "pool: {type: max, kernel: 3, stride: 1, padding: 1}, pool: {type: avg, kernel: 3, stride: 1, padding: 1}",
    "a pool on what is wide": "conv: {out: 32}, pool: {type: max, kernel: 2}, conv: {out: 4}",
    "norms": "norm, norm: {type: group, groups: 2}, norm: {type: instance}, norm: {type: batch, affine: false}",
    "an instance norm that is wide": "conv: {out: 64}, norm: {type: instance}, conv: {out: 4}",
    "a norm and a relu": "norm, act, norm: {type: group, groups: 4}, act",
    "a layer norm": "norm: {type: layer}, conv: {out: 4}",
    "a linear layer everywhere": "linear: {out: 8}, act: {type: gelu}, linear: {out: 4}, conv: {out: 4}",
    "a linear layer that is wide": "linear: {out: 64}, linear: {out: 4, bias: false}",
    "a linear layer without bias that is wide": "linear: {out: 64, bias: false}, conv: {out: 4}",
    "channels last, and a group norm": "linear: {out: 8}, norm: {type: group, groups: 2}, linear: {out: 4}",
    "channels last, and an instance norm": "linear: {out: 8}, norm: {type: instance}, linear: {out: 4}",
    "channels last, kept by a convolution": "linear: {out: 8}, conv: {out: 8, kernel: 3}, linear: {out: 4}",
    "channels last, in one branch": "concat: [[linear: {out: 2}], [conv: {out: 2}]], linear: {out: 4}",
    "channels last, in both branches": "concat: [[linear: {out: 2}], [linear: {out: 2}]], linear: {out: 4}",
    "channels last, added to": "add: [[linear: {out: 4}], [conv: {out: 4}]], linear: {out: 4}, act",
    "channels last, added": "add: [[conv: {out: 4}], [linear: {out: 4}]], linear: {out: 4}, act",
    "channels last, as a gate": "multiply: [[pool: {type: avg, output: 1}, linear: {out: 4}], []], linear: {out: 4}",
    "channels last, gated": "multiply: [[pool: {type: avg, output: 1}], [linear: {out: 4}]], linear: {out: 4}",
    "one channel": "linear: {out: 1}, norm: {type: instance}, conv: {out: 4}",
    "a scale": "layer_scale, add: [[layer_scale], []]",
    "a shuffle": "channel_shuffle: {groups: 2}, channel_shuffle: {groups: 4}",
    "channels that are added": "pad_channels: {out: 32}, conv: {out: 4}, pad_channels: {out: 6, at: both}",
}  # fmt: skip


def network(steps: str, *, size: str = "6, 6") -> archspec.Graph:
    return compiled(f"""
        input: [3, {size}]
        classes: 3
        stem: [conv: {{out: 4}}, sequence: {{steps: [{steps}]}}]
        blocks: {{last: {{channels: width, steps: [conv: {{out: channels}}]}}}}
        stages: {{block: last, count: 1, channels: 4}}
        """)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_steps(steps: str, batch: int) -> None:
    assert_measured(network(steps), batch=batch, dtype=torch.float64 if batch == 1 else torch.float32)


@pytest.mark.parametrize("name", [name for name in STEPS if "pools" not in name])
def test_steps_over_one_dimension(name: str) -> None:
    assert_measured(network(STEPS[name], size="6"), batch=2)


# Steps, and the first words of the names of what is frozen: weights before a step, behind it, or those within.
FROZEN = {
    "what comes first": ("conv: {out: 4}, norm, act, conv: {out: 8}, act: {type: silu}", ("conv1", "conv2", "bn1")),
    "the norm within": ("conv: {out: 4}, norm, act: {type: silu}, conv: {out: 8}", ("bn1",)),
    "linear layers": ("linear: {out: 8}, act: {type: silu}, linear: {out: 4}", ("fc", "fc2")),
    "the second linear layer": ("linear: {out: 8}, act: {type: silu}, linear: {out: 4}", ("fc2",)),
    "the first of all, and a linear layer": ("linear: {out: 8}, act: {type: silu}", ("conv1", "fc")),
    "a scale": ("act: {type: silu}, layer_scale, act: {type: silu}", ("layer_scale",)),
    "a scale and what is before": ("act: {type: silu}, layer_scale, act: {type: silu}", ("conv1", "layer_scale")),
    "a product's first factor": ("multiply: [[], [conv: {out: 4}]]", ("conv1",)),
    "a product's other factor": ("multiply: [[norm, conv: {out: 4}], [conv: {out: 4}]]", ("conv1", "conv2", "bn1")),
    "three factors": ("multiply: [[], [act: {type: silu}], [conv: {out: 4}]]", ("conv1",)),
    "two of three factors": ("multiply: [[conv: {out: 4}], [], [conv: {out: 4}]]", ("conv1", "conv2")),
}


@pytest.mark.parametrize(("steps", "scopes"), FROZEN.values(), ids=FROZEN)
def test_what_is_frozen(steps: str, scopes: tuple[str, ...]) -> None:
    graph = network(steps)
    names = [node.name for node in graph.nodes]
    frozen = tuple(name for name in names if name.rpartition(".")[2] in scopes)
    assert len(frozen) >= len(scopes)
    for batch in (1, 2):
        assert_measured(graph, batch=batch, frozen=frozen)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("shape", "norm"),
    [
        ("1, 6, 6", "instance"),
        ("2, 6, 6", "instance"),
        ("1, 6", "instance"),
        ("1, 6", "group, groups: 1"),
        ("2, 6", "group, groups: 1"),
        ("2, 1", "group, groups: 1"),
        ("2, 2", "group, groups: 1"),
    ],
)
def test_one_channel_or_position_lies_first_and_last(shape: str, norm: str, batch: int) -> None:
    """A norm that reads channels first, behind a linear layer that leaves them last, and what it reads is kept too."""
    graph = compiled(f"""
        input: [{shape}]
        stem: [linear: {{out: {shape[0]}}}, add: [[norm: {{type: {norm}}}], [act: {{type: silu}}]]]
        stages: []
        head: [linear: {{out: 1}}, flatten, linear: {{out: 1}}]
        """)
    assert_measured(graph, batch=batch)


OUTPUTS = {
    "an output that is read on": "outputs: [first, second]",
    "only the first": "outputs: first",
    "both, the other way round": "outputs: [second, first]",
}


@pytest.mark.parametrize("outputs", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("step", ["conv: {out: channels}", "act", "dropout", "slice: {stop: 2}"])
def test_outputs_are_alive_to_the_end(outputs: str, step: str) -> None:
    graph = compiled(f"""
        input: [3, 6, 6]
        {outputs}
        stem: [conv: {{out: 4}}]
        blocks: {{one: {{channels: width, steps: [{step}]}}}}
        stages: {{block: one, count: 1, channels: [16, 2], name: [first, second], before: [null, [conv: {{out: 4}}]]}}
        """)
    for batch in (1, 2):
        assert_measured(graph, batch=batch)


@pytest.mark.parametrize(
    ("steps", "at"),
    [
        ("conv: {out: 64}, conv: {out: 2}", "conv2"),
        ("conv: {out: 2}, conv: {out: 64}", "last"),
        ("act: {type: silu}, act: {type: gelu}, act: {type: elu}", "gelu"),  # the first writes over its input
        ("conv: {out: 8}, pool: {type: max, kernel: 2}", "maxpool"),
    ],
)
def test_where_the_peak_is(steps: str, at: str) -> None:
    """By hand: where the widest values meet, at the first such operation."""
    graph = network(steps)
    found = analyze(graph).memory
    name = graph.nodes[graph.stages[0].first].name if at == "last" else at
    assert found.peak_at.rpartition(".")[2] == name.rpartition(".")[2]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_figures_by_hand(dtype: str, batch: int) -> None:
    """A convolution of 4 over 3x6x6, a batch norm, a ReLU in place, another convolution, pooling and a linear layer.

    Two maps are alive where the second convolution runs. Saved are the input of each but the pool and the ReLU, which
    keeps its output, that is the input of the next; and of the norm a mean and a deviation of each channel, in float32
    at least.
    """
    graph = compiled("""
        input: [3, 6, 6]
        classes: 5
        stem: [conv: {out: 4}, norm, act]
        blocks: {last: {channels: width, steps: [conv: {out: channels}]}}
        stages: {block: last, count: 1, channels: 4}
        """)
    item = {"float64": 8, "float32": 4}.get(dtype, 2)
    found = analyze(graph, batch=batch, dtype=dtype).memory
    weights = 4 * 3 + 2 * 4 + 4 * 4 + 4 * 5 + 5
    example, value = 3 * 36, 4 * 36
    assert (found.weights, found.buffers, found.input) == (item * weights, 2 * 4 * item + 8, item * batch * example)
    assert found.inference_peak == 2 * item * batch * value
    saved = item * batch * (example + value + value + 4) + 2 * 4 * max(item, 4)
    assert found.saved_for_backward == saved
    # Weights, their gradients and momenta (Adam: two moments, and two more while it computes), buffers, what is saved,
    # and the live values with their gradients, no two in one storage: the norm's input and output, its ReLU's.
    rest = found.buffers + saved + 2 * (2 * item * batch * value)
    assert found.training_sgd == 3 * found.weights + rest
    assert found.training_adam == 5 * found.weights + rest
