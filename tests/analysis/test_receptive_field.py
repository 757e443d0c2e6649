"""Receptive fields against the extent of gradients, and the figures of the papers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import archspec
from archspec.analysis.receptive_field import ReceptiveField
from archspec.analysis.report import analyze
from tests.analysis.families import family
from tests.support.equivalence import compiled

FIGURES = {
    "resnet18": 435,
    "resnet34": 899,
    "resnet50": 427,
    "resnet101": 971,
    "resnet152": 1451,
    "resnet50_v1": 483,
    "resnet101_v1": 1027,
    "resnet152_v1": 1507,
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name: str) -> None:
    base = name.removesuffix("_v1")
    graph = compiled(f"extends: {base}\nstages: {{stride_at: 1}}") if base != name else archspec.compile(name)
    found = analyze(graph).receptive_field
    assert found is not None
    assert (found.size, found.stride, found.gates_left_out) == (FIGURES[name], 32, 0)
    assert found.scope.startswith("layer4.")


def field(text: str) -> ReceptiveField:
    found = analyze(compiled(text)).receptive_field
    assert found is not None
    return found


def assert_seen(text: str) -> ReceptiveField:
    """The field's size, stride and center are those of the pixels from which a gradient comes.

    All weights are positive, so that nothing cancels, and the output's middle is far enough from the borders.
    """
    graph = compiled(f"{text}\noutputs: [{compiled(text).stages[-1].scope}]")
    found = analyze(graph).receptive_field
    assert found is not None
    model = archspec.build(graph, seed=0, dtype=torch.float64).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0 if parameter.dim() == 1 else 1 / parameter[0].numel())
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.weight.fill_(1)
    rank = len(graph.input) - 1
    sizes, strides = ((value,) * rank if isinstance(value, int) else value for value in (found.size, found.stride))
    middle = [size // 2 for size in graph.output[1:]]
    for axis in range(rank):
        spans = []
        for step in (0, 1):
            at = [position + step * (other == axis) for other, position in enumerate(middle)]
            # Positive, so that no ReLU is at rest, and without equal pixels, of which max pooling would take the first.
            pixels = torch.rand(1, *graph.input, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
            spans.append(extent(model, pixels, at, axis))
        first, last = spans[0]
        assert last - first + 1 == sizes[axis]
        assert spans[1][0] - first == spans[1][1] - last == strides[axis]
        assert (first + last) / 2 == found.center[axis] + middle[axis] * strides[axis]
    return found


def extent(model: nn.Module, pixels: torch.Tensor, at: list[int], axis: int) -> tuple[int, int]:
    """The first and the last position along ``axis`` of the pixels that one output position depends on."""
    pixels.requires_grad_()
    (value,) = model(pixels).values()
    value[(0, slice(None), *at)].sum().backward()
    assert pixels.grad is not None
    others = [dim for dim in range(pixels.dim()) if dim != axis + 2]
    seen = pixels.grad.abs().amax(others).nonzero().flatten()
    return int(seen.min()), int(seen.max())


HEAD = "head: [pool: {type: avg, output: 1}, flatten, linear: {out: 3}]"
STEM = """
input: [1, 41, 41]
norm: none
act: none
stem: [{stem}]
stages: {{block: basic, count: 1, channels: 2}}
"""


@pytest.mark.parametrize(
    ("stem", "size", "stride"),
    [
        ("conv: {out: 2, kernel: 5}", 9, 1),
        ("conv: {out: 2, kernel: 4, stride: 3}", 16, 3),
        ("conv: {out: 2, kernel: 3, dilation: 3}", 11, 1),
        ("conv: {out: 2, kernel: 2, padding: 1}", 6, 1),
        ("conv: {out: 2, kernel: [1, 5], stride: [1, 2]}", (5, 13), (1, 2)),
        ("conv: {out: 2}, subsample: {stride: [2, 3]}", (9, 13), (2, 3)),
        ("conv: {out: 2}, pool: {type: avg, kernel: 4, padding: 1}", 20, 4),
        ("conv: {out: 2, kernel: 3, stride: 2}, pool: {type: avg, kernel: 3, stride: 2, padding: 1}", 23, 4),
        ("conv: {out: 2}, pool: {type: avg, kernel: 2, stride: 1}, slice: {start: 1}, pad_channels: {out: 2}", 6, 1),
        ("conv: {out: 2, padding: 2}, pool: {type: avg, output: 15}", 15, 3),
        ("add: [[conv: {out: 2, kernel: 7}], [conv: {out: 2}]]", 11, 1),
        ("concat: [[conv: {out: 1, kernel: 1}], [conv: {out: 1, kernel: [3, 1]}]]", (7, 5), 1),
        ("conv: {out: 2}, multiply: [[], [conv: {out: 2, kernel: 9}]]", 13, 1),
        ("conv: {out: 2}, multiply: [[conv: {out: 2, kernel: 5}], [conv: {out: 2, kernel: 3}]]", 9, 1),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value),
)
def test_operations_before_a_block(stem: str, size: object, stride: object) -> None:
    """The block behind them adds two 3x3 convolutions."""
    steps = ", ".join(f"{{{step}}}" for step in split(stem))
    found = assert_seen(STEM.format(stem=steps) + HEAD)
    assert (found.size, found.stride) == (size, stride)


def split(steps: str) -> list[str]:
    """``conv: {...}, pool: {...}`` as a list: at the commas outside of any brackets."""
    parts, depth = [""], 0
    for character in steps:
        depth += (character in "{[") - (character in "}]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


@pytest.mark.parametrize(
    "text",
    [
        "extends: resnet18\ninput: [3, 512, 512]\nstages: {channels: 4}",
        "input: [2, 201]\nstages: {block: basic, count: 1, channels: [4, 6], stride: [1, 2]}",
        "input: [1, 20, 30, 30]\nstem: [layer: {out: 2, kernel: [3, 5, 5], stride: [1, 2, 2]}]\n"
        "stages: {block: basic, count: 1, channels: 2}",
        "input: [3, 41, 41]\nstem: {use: cifar, width: 4}\n"
        "stages: {block: bottleneck, count: 2, channels: 4, stride: [1, 2], dilation: [2, 1]}",
    ],
    ids=["resnet18", "one dimension", "three dimensions", "dilated"],
)
def test_whole_networks(text: str) -> None:
    """Max pooling passes a gradient to one pixel of each window only, so it is averaging here; widths do not matter."""
    stem = "stem: [layer: {out: 4, kernel: 7, stride: 2}, pool: {type: avg, kernel: 3, stride: 2, padding: 1}]"
    assert_seen(text if "stem" in text else f"{text}\n{stem}")


def test_max_pooling_reads_what_average_pooling_reads() -> None:
    stem = "conv: {{out: 2}}, pool: {{type: {}, kernel: 3, stride: 2, padding: 1}}"
    fields = []
    for kind in ("max", "avg"):
        steps = ", ".join(f"{{{step}}}" for step in split(stem.format(kind)))
        fields.append(field(STEM.format(stem=steps)))
    assert (fields[0].size, fields[0].stride, fields[0].center) == (fields[1].size, fields[1].stride, fields[1].center)


def test_squeeze_gates_are_left_out_and_counted() -> None:
    text = (
        "input: [3, 32, 32]\nstem: {use: cifar, width: 8}\nstages: {block: bottleneck, count: 2, channels: 4, se: SE}"
    )
    gated, plain = (field(text.replace("SE", value)) for value in ("0.5", "0"))
    assert (gated.size, gated.stride) == (plain.size, plain.stride) == (7, 1)
    assert (gated.gates_left_out, plain.gates_left_out) == (2, 0)
    found = analyze(family("regnet_y_400mf")).receptive_field
    assert found is not None
    assert found.gates_left_out == 16


def test_a_gate_on_one_position_is_left_out_too() -> None:
    """Where the map has only one position, a squeeze gate is as large as the map, and still sees all of it."""
    stem = "input: [3, 8, 8]\nstem: [layer: {out: 16, kernel: 8}]"
    found = field(f"{stem}\nstages: {{block: bottleneck, count: 1, channels: 4, se: 0.5}}")
    assert (found.size, found.gates_left_out) == (10, 1)


def test_no_map_no_field() -> None:
    text = "input: [3, 8, 8]\nstem: []\nstages: {block: rows, count: 1, channels: 4}\nhead: [linear: {out: 3}]"
    rows = "blocks: {rows: {channels: width, steps: [flatten, linear: {out: channels}]}}"
    assert analyze(compiled(f"{rows}\n{text}")).receptive_field is None


def test_pooling_to_a_size_that_does_not_divide_has_overlapping_windows() -> None:
    """By hand: four windows of 3 from 10 positions start at 0, 2, 5 and 7, and three of them span 8 at most."""
    text = "input: [3, 10, 10]\nstem: {use: cifar, width: 4}\nstages: {block: basic, count: 1, channels: 4}\n"
    head = "head: [pool: {type: avg, output: 4}, conv: {out: 3, kernel: 3}, flatten, linear: {out: 3}]"
    found = field(text + head)
    assert (found.scope, found.size, found.stride) == ("conv2", 8 + 6, 2.5)
    assert math.isclose(found.center[0], (-3 + 4) / 2)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 1000])
@pytest.mark.parametrize("blocks", [39, 45, 3000])
def test_a_field_that_no_input_has_is_that_of_the_whole_map(blocks: int, stride: int, dilation: int) -> None:
    """On a map of one position, thousands of strides are possible, and their product has thousands of digits."""
    step = f"conv: {{out: 1, kernel: 3, stride: {stride}, dilation: {dilation}, padding: {dilation}}}"
    graph = compiled(
        f"input: [1, 1, 1]\nstem: []\nhead: []\nblocks: {{b: {{steps: [{step}]}}}}\n"
        f"stages: {{block: b, count: {blocks}, channels: 1}}"
    )
    size, shift, within = 1, 1, 0
    for number in range(blocks):
        size, shift = size + 2 * dilation * shift, shift * stride
        if size <= 2**40 and shift <= 2**40:
            within = number + 1, size, shift
    found = analyze(graph).receptive_field
    assert found is not None
    assert (found.scope, found.size, found.stride) == (graph.nodes[within[0] - 1].name, *within[1:])
