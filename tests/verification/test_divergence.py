"""Mutations of a network: the graphs differ, and the message names the node, the line and the difference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import archspec
from tests.support.equivalence import spec
from tests.support.networks import RESIDUAL, Residual, changed, verdict


class Unconnected(Residual):
    def first(self, x: Tensor) -> Tensor:
        y = torch.relu(self.part("bn2")(self.part("conv2")(x)))
        return torch.relu(self.part("bn3")(self.part("conv3")(y)))


class Rewired(Residual):
    def second(self, x: Tensor) -> Tensor:
        y = self.part("bn4")(self.part("conv4")(x))
        return torch.relu(self.part("bn5")(self.part("conv5")(torch.relu(y))) + y)


class Bounded(Residual):
    def stem(self, x: Tensor) -> Tensor:
        return nn.functional.relu6(self.part("bn1")(self.part("conv1")(x)))


class Restless(Residual):
    def stem(self, x: Tensor) -> Tensor:
        return torch.tanh(super().stem(x))


class Linear(Residual):
    def stem(self, x: Tensor) -> Tensor:
        return self.part("bn1")(self.part("conv1")(x))  # type: ignore[no-any-return]


class Swapped(Residual):
    def stem(self, x: Tensor) -> Tensor:
        return self.part("bn1")(torch.relu(self.part("conv1")(x)))  # type: ignore[no-any-return]


class Later(Linear):
    def head(self, x: Tensor) -> Tensor:
        return super().head(torch.relu(x))


class Earlier(Residual):
    def stem(self, x: Tensor) -> Tensor:
        return torch.relu(super().stem(x))

    def second(self, x: Tensor) -> Tensor:
        y = self.part("bn5")(self.part("conv5")(self.part("bn4")(self.part("conv4")(x))))
        return torch.relu(y + self.part("norm")(self.part("project")(x)))


class LateTanh(Residual):
    def head(self, x: Tensor) -> Tensor:
        return super().head(torch.tanh(x))


class Twofold(Residual):
    def head(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        found = super().head(x)
        return found, x


class Tied(Residual):
    def first(self, x: Tensor) -> Tensor:
        y = torch.relu(self.part("bn2")(self.part("conv2")(x)))
        return torch.relu(self.part("bn3")(self.part("conv2")(y)) + x)


def assign(name: str, module: nn.Module) -> Callable[[Residual], None]:
    return lambda network: setattr(network, name, module)


def attribute(name: str, attribute: str, value: object) -> Callable[[Residual], None]:
    return lambda network: setattr(network.part(name), attribute, value)


MUTATIONS: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "stride": (
        lambda: changed(lambda m: (attribute("conv4", "stride", (1, 1))(m), attribute("project", "stride", (1, 1))(m))),
        "layer2.0.conv1",
        "`layer2.0.conv1` has stride 2 where the reference's `conv4` has stride 1",
    ),
    "eps": (
        lambda: changed(attribute("bn3", "eps", 1e-3)),
        "layer1.0.bn2",
        "`layer1.0.bn2` has eps 1e-05 where the reference's `bn3` has eps 0.001",
    ),
    "momentum": (
        lambda: changed(attribute("norm", "momentum", 0.2)),
        "layer2.0.downsample.1",
        "`layer2.0.downsample.1` has momentum 0.1 where the reference's `norm` has momentum 0.2",
    ),
    "padding": (
        lambda: changed(
            lambda m: (attribute("conv2", "padding", (2, 2))(m), attribute("conv2", "dilation", (2, 2))(m))
        ),
        "layer1.0.conv1",
        "`layer1.0.conv1` has dilation 1 and padding 1 where the reference's `conv2` has dilation 2 and padding 2",
    ),
    "width": (
        lambda: changed(lambda m: assign("fc", nn.Linear(12, 7))(m)),
        "fc",
        "`fc` has a weight of 5x12 and a bias of 5 where the reference's `fc` has a weight of 7x12 and a bias of 7",
    ),
    "bias": (
        lambda: changed(assign("conv5", nn.Conv2d(12, 12, 3, 1, 1))),
        "layer2.0.conv2",
        "`layer2.0.conv2` has no bias where the reference's `conv5` has a bias of 12",
    ),
    "another activation": (Bounded, "relu", "`relu` is a relu where the reference's `relu6` is a relu6"),
    "one activation more": (
        Restless,
        "layer1.0.conv1",
        "before `layer1.0.conv1`, the reference has a tanh, `tanh`, which reads `relu`; here it is missing",
    ),
    "one activation less": (
        Linear,
        "relu",
        "`relu` (a relu) has no counterpart: in the reference, `conv2` reads `bn1` directly",
    ),
    "two that changed places": (
        Swapped,
        "bn1",
        "`bn1` (a batch normalization) comes before `relu` (a relu), but the reference has them in reverse order: "
        "`relu` before `bn1`",
    ),
    "a step that moved back": (
        Later,
        "relu",
        "`relu` (a relu) is elsewhere: in the reference, `conv2` reads `bn1` directly",
    ),
    "a step that moved forward": (
        Earlier,
        "layer1.0.conv1",
        "before `layer1.0.conv1`, the reference has a relu, `relu_1`, which reads `relu`; here it is at another place",
    ),
    "no shortcut": (
        Unconnected,
        "layer1.0.add",
        "`layer1.0.add` (an addition) has no counterpart: in the reference, `relu_2` reads `bn3` directly",
    ),
    "another shortcut": (
        Rewired,
        "layer2.0.downsample.0",
        "`layer2.0.downsample.0` has no counterpart in the reference",
    ),
    "two results": (Twofold, "fc", "the network returns one value where the reference returns 2 values"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_refused_where_it_is(name: str) -> None:
    make, place, message = MUTATIONS[name]
    found = verdict(make(), levels=("graph",))
    assert not found.graph.held
    difference = found.graph.difference
    assert difference is not None
    assert (difference.code, difference.message) == ("E906", message)
    assert difference.notes == ((f"in {place}",) if name != "two results" else ())
    assert difference.span is not None
    assert not found.key_map


def test_the_new_place_of_a_step_that_moved_is_given() -> None:
    text = RESIDUAL.replace("{out: 8, kernel: 3}", "{out: 8, kernel: 3}\n      - act: {type: tanh}")
    found = verdict(LateTanh(), text).graph.difference
    assert found is not None
    told = "in the reference, `conv2` reads `relu` directly, and `tanh` reads `relu_4`"
    assert found.message == f"`tanh` (a tanh) is elsewhere: {told}"


@pytest.mark.parametrize(
    ("p", "word"), [(0.5, "p 0.2 where the reference's `dropout` has p 0.5"), (0.0, "has no counterpart")]
)
def test_dropout(p: float, word: str) -> None:
    class Dropped(Residual):
        def head(self, x: Tensor) -> Tensor:
            return self.part("fc")(nn.functional.dropout(x.mean((2, 3)), p, self.training))  # type: ignore[no-any-return]

    found = verdict(Dropped(), levels=("graph",))
    assert found.graph.difference is not None
    assert word in found.graph.difference.message
    assert "in dropout" in found.graph.difference.notes


def test_shared_weights() -> None:
    found = verdict(Tied(), levels=("graph",))
    assert found.graph.difference is not None
    assert found.graph.difference.message == (
        "`layer1.0.conv1` has weights of its own where the reference's `conv2` shares its weights"
    )


TEXT = spec("""
    input: [3, 8, 8]
    classes: 5
    stem:
      - conv: {out: 4, kernel: 3}
      - conv: {out: 4, kernel: 3, stride: 2}
      - concat:
          one: [conv: {out: 4, kernel: 3}]
          two: [conv: {out: 4, kernel: 3}, act]
    stages: {block: basic, count: 1, channels: 8}
    """)


def test_the_place_is_that_of_the_spec() -> None:
    reference = archspec.build(TEXT.replace("stride: 2", "stride: 1"), flat=True)
    found = archspec.verify(TEXT, reference, levels=("graph",)).graph.difference
    assert found is not None
    assert found.span is not None
    assert (found.span.line, found.span.column) == (7, 5)
    assert found.span.source.text.splitlines()[6] == "  - conv: {out: 4, kernel: 3, stride: 2}"


def test_swapped_branches_of_a_concatenation() -> None:
    network = archspec.build(TEXT, flat=True)
    for node in network.graph.nodes:
        if node.target is torch.cat:
            node.args = (list(reversed(node.args[0])), 1)
    network.recompile()
    found = archspec.verify(TEXT, network, levels=("graph",)).graph.difference
    assert found is not None
    assert found.message == (
        "`concat` reads `one.conv1` and `two.relu` where the reference's `concat` reads `two.relu` and `one.conv1`"
    )


def test_the_unchanged_network_is_the_same() -> None:
    """Otherwise the mutations above would prove nothing."""
    assert verdict(Residual(), RESIDUAL, levels=("graph",)).graph.held
