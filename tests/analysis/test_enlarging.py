"""Receptive fields of networks that enlarge a map, against the extent of gradients in torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from archspec.analysis.indexed import index_graph
from archspec.analysis.receptive_field import ReceptiveField, receptive_field
from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.add import Add
from archspec.operations.conv import Conv
from archspec.operations.effects import Everywhere, Reach
from archspec.operations.shapes import Shape
from archspec.operations.traits import Lean


@dataclass(frozen=True)
class Upsample(Lean):
    """Each position ``factor`` times, or by ``linear`` interpolation to twice as many."""

    name = "upsample"
    summary = "Enlarges."

    factor: int = 2
    linear: bool = False

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *sizes = inputs[0]
        return (channels, *(size * self.factor for size in sizes))

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        axes = len(output) - 1
        if self.linear:
            return (Reach(2, Fraction(1, 2), Fraction(1, 4)),) * axes
        return (Reach(1, Fraction(1, self.factor)),) * axes


# A network is a list of layers; a layer is a convolution, an upsampling, or a list of networks whose results are added.
Network = list[Conv | Upsample | list["Network"]]
SIZE = 2**5 * 3**4
PERIOD = 36
"""At most two layers enlarge, by 2 or by 3: after so many positions the pattern of what they see repeats."""


def conv(kernel: int, stride: int = 1, dilation: int = 1, padding: int | None = None) -> Conv:
    return Conv(out=1, kernel=kernel, stride=stride, dilation=dilation, padding=padding)


same = st.builds(conv, st.sampled_from([1, 3, 5]), dilation=st.integers(1, 3))
half = st.sampled_from([conv(3, 2), conv(2, 2), conv(1, 2), conv(4, 2, padding=1)])
third = st.sampled_from([conv(3, 3, padding=0), conv(1, 3), conv(5, 3, padding=1)])
double = st.sampled_from([Upsample(), Upsample(linear=True)])
sized = st.sampled_from([conv(2), conv(2, padding=1), conv(3, padding=0), conv(4, padding=1)])
detour = st.one_of(
    st.tuples(double, half), st.tuples(half, double), st.tuples(st.just(Upsample(3)), third), st.tuples(third, double)
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Some layers that keep the size, one or two that enlarge, and a merge of the one with the other."""
    found: Network = [*draw(st.lists(same, max_size=2)), *draw(st.lists(half, max_size=1))]
    around: Network = [*draw(st.lists(same, max_size=1)), *draw(st.sampled_from([[], [Upsample()]]))]
    ends = draw(st.sampled_from(["up and down", "down and up", "no merge"]))
    if ends == "no merge":
        return [*found, draw(st.one_of(double, st.just(Upsample(3)))), *around, draw(sized), *draw(st.lists(third))[:1]]
    first, last = (double, half) if ends == "up and down" else (half, double)
    way: Network = [draw(first), *draw(st.lists(same, max_size=2)), draw(last)]
    return [*found, [way, *([list(draw(st.lists(same, max_size=2)))])], *around, draw(st.one_of(same, sized))]


def graph_of(network: Network) -> Graph:
    """The network as a graph whose nodes are numbered."""
    nodes: list[Node] = []

    def put(layers: Network, source: str, shape: Shape) -> tuple[str, Shape]:
        for layer in layers:
            if isinstance(layer, list):
                ends = [put(branch, source, shape) for branch in layer]
                inputs, shapes = tuple(name for name, _ in ends), tuple(shape for _, shape in ends)
                operation: Add | Conv | Upsample = Add()
            else:
                inputs, shapes, operation = (source,), (shape,), layer
            source, shape = f"n{len(nodes)}", operation.shape(shapes)
            nodes.append(Node(source, operation, inputs, shape))
        return source, shape

    put(network, INPUT, (1, SIZE))
    return Graph("net", (1, SIZE), tuple(nodes), {"output": nodes[-1].name})


def run(network: Network, value: Tensor) -> Tensor:
    """The same in torch, with nothing negative, so that nothing cancels."""
    for layer in network:
        if isinstance(layer, list):
            value = sum((run(branch, value) for branch in layer), torch.zeros(()))
        elif isinstance(layer, Upsample):
            mode = "linear" if layer.linear else "nearest"
            value = functional.interpolate(value, scale_factor=layer.factor, mode=mode)
        else:
            kernel, stride, dilation = layer.kernel, layer.stride, layer.dilation
            assert isinstance(kernel, int)
            assert isinstance(stride, int)
            assert isinstance(dilation, int)
            padding = layer.padding
            if padding is None:
                padding = dilation * (kernel - 1) // 2 if kernel % 2 else 0
            weight = torch.full((1, 1, kernel), 1 / kernel, dtype=torch.float64)
            value = functional.conv1d(value, weight, None, stride, padding, dilation)
    return value


def seen(network: Network) -> tuple[int, dict[int, tuple[int, int]]]:
    """The position from which it was measured, and what each position of a period from there on sees of the input."""
    pixels = torch.ones(1, 1, SIZE, dtype=torch.float64, requires_grad=True)
    output = run(network, pixels)
    middle = output.shape[-1] // 2 // PERIOD * PERIOD
    found = {}
    for position in range(middle, middle + PERIOD + 1):
        (gradient,) = torch.autograd.grad(output[0, 0, position], pixels, retain_graph=True)
        touched = gradient[0, 0].nonzero().flatten()
        found[position] = (int(touched[0]), int(touched[-1]))
    assert min(first for first, _ in found.values()) > 0
    assert max(last for _, last in found.values()) < SIZE - 1
    return middle, found


def field_of(network: Network) -> ReceptiveField:
    graph = graph_of(network)
    found = receptive_field(index_graph(graph), len(graph.nodes) - 1)
    assert found is not None
    return found


@given(networks())
@example([Upsample(), conv(3)])
@example([Upsample(), conv(2)])
@example([Upsample(), conv(3, 2), conv(3, dilation=2)])
@example([[[Upsample(), conv(3, 2)], [conv(3, 2), Upsample()], []], conv(3, dilation=3)])
@example([conv(3, 3, padding=0), Upsample(), [[Upsample(), conv(4, 2, padding=1)], [conv(5)]], conv(3)])
@example([Upsample(linear=True), conv(3, dilation=2)])
@example([[[conv(3, 2), Upsample()], [conv(3, 3), Upsample(3)]], conv(3)])
@example([Upsample(3), Upsample(2), conv(2), conv(3, 3, padding=0)])
@settings(max_examples=80, deadline=None)
def test_extent_and_jump_are_those_of_the_gradient(network: Network) -> None:
    """Of all positions of a period the largest extent, of the period as a whole the jump, of its first the center."""
    field = field_of(network)
    middle, spans = seen(network)
    firsts, lasts = zip(*spans.values(), strict=True)
    assert field.size == max(last - first + 1 for first, last in spans.values())
    jump = Fraction(firsts[-1] - firsts[0], PERIOD)
    assert jump == Fraction(lasts[-1] - lasts[0], PERIOD)
    assert isinstance(field.stride, int | float)
    assert math.isclose(field.stride, jump, rel_tol=1e-15)
    assert isinstance(field.stride, int) == (jump.denominator == 1)
    assert field.center == ((firsts[0] + lasts[0]) / 2 - middle * jump,)


def test_fields_by_hand() -> None:
    """Araujo et al. (2019) have no enlarging layer; these are counted on paper."""
    for network, size, stride in (
        ([Upsample()], 1, 0.5),
        ([Upsample(), conv(3)], 2, 0.5),
        ([Upsample(), Upsample(), conv(3)], 2, 0.25),
        ([conv(3, 2), Upsample()], 3, 1),
        ([conv(2, 2), conv(3), Upsample(), conv(3)], 8, 1),
        ([Upsample(3), conv(5), conv(3, 3, padding=0)], 3, 1),
    ):
        found = field_of(network)
        assert (found.size, found.stride) == (size, stride), network


def test_two_axes_may_be_enlarged_otherwise() -> None:
    """One axis by 2, the other not; JSON has the stride of each."""

    @dataclass(frozen=True)
    class Wide(Upsample):
        def shape(self, inputs: tuple[Shape, ...]) -> Shape:
            return (1, inputs[0][1], inputs[0][2] * 2)

        def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...]:
            return (Reach(), Reach(1, Fraction(1, 2)))

    kernel = Conv(out=1, kernel=3)
    nodes = (Node("wide", Wide(), (INPUT,), (1, 9, 18)), Node("conv", kernel, ("wide",), (1, 9, 18)))
    found = receptive_field(index_graph(Graph("net", (1, 9, 9), nodes, {"output": "conv"})), 1)
    assert found is not None
    assert (found.size, found.stride, found.center) == ((3, 2), (1, 0.5), (0.0, -0.5))
