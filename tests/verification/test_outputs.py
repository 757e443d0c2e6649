"""Comparing what two networks compute: numbers show differences that the graphs do not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from archspec.verification.gaps import gap
from archspec.verification.results import Gap, Outputs
from archspec.verification.sharing import scramble
from tests.support.networks import RESIDUAL, Residual, verdict


class Untraced(Residual):
    """A network that fx cannot trace, so that only its outputs can differ from the spec's."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def stem(self, x: Tensor) -> Tensor:
        self.asked += int(bool((x == x).all()))
        return super().stem(x)


class Shifted(Untraced):
    def head(self, x: Tensor) -> Tensor:
        return super().head(x) + 1e-3


class OnlyInEval(Untraced):
    def head(self, x: Tensor) -> Tensor:
        return super().head(x) * (1 if self.training else 2)


class OnlyInTraining(Untraced):
    def head(self, x: Tensor) -> Tensor:
        return super().head(x) * (2 if self.training else 1)


class OnlyTheGradient(Untraced):
    def first(self, x: Tensor) -> Tensor:
        y = super().first(x)
        return y + (y.detach() - y)  # the same number, and no gradient


class OnlyOneGradient(Untraced):
    def head(self, x: Tensor) -> Tensor:
        fc = self.part("fc")
        x = nn.functional.dropout(x.mean((2, 3)), 0.2, self.training)
        fc(x)  # so that its weights are seen to be used
        return nn.functional.linear(x, fc.weight.detach(), fc.bias)


class OnlyTheStatistics(Untraced):
    def __init__(self) -> None:
        super().__init__()
        self.part("bn5").momentum = 0.5


@pytest.mark.parametrize(
    ("reference", "apart"),
    [
        (Untraced, []),
        (Shifted, ["in eval mode", "in training"]),
        (OnlyInEval, ["in eval mode"]),
        (OnlyInTraining, ["in training", "of gradients"]),
        (OnlyTheGradient, ["of gradients"]),
        (OnlyOneGradient, ["of gradients"]),
        (OnlyTheStatistics, ["of statistics"]),
    ],
)
def test_each_difference_is_found(reference: type[Untraced], apart: list[str]) -> None:
    found = verdict(reference())
    outputs = found.outputs
    assert outputs is not None
    assert not outputs.reason
    # The gradient is the same number only up to rounding where it is taken through `y + (y.detach() - y)`.
    assert [name for name, gap in outputs.gaps.items() if gap.relative > 1e-5] == apart
    assert outputs.held == (not apart)
    assert [d.code for d in found.diagnostics if d.code == "E909"] == (["E909"] if apart else [])


class OneNumber(Untraced):
    """One of the ten outputs is larger, only in eval mode."""

    def head(self, x: Tensor) -> Tensor:
        found = super().head(x)
        return found if self.training else found + nn.functional.pad(torch.ones(1, 1), (3, 1, 1, 0))[: len(x)]


def test_where_the_largest_difference_is() -> None:
    found = verdict(OneNumber(), tolerance=1e-3)
    (fault,) = [d for d in found.diagnostics if d.code == "E909"]
    assert found.outputs is not None
    assert found.outputs.eval is not None
    assert (found.outputs.eval.at, found.outputs.eval.index) == ("output", (1, 3))
    assert fault.message.startswith("with equal weights the largest difference in eval mode is 1 (")
    assert fault.message.endswith("at [1, 3] of `output`, where 0.001 of the largest value is allowed")
    assert fault.notes[0].startswith("in eval mode: 1 (")
    assert fault.notes[1:4] == tuple(
        f"{name}: no difference" for name in ("in training", "of gradients", "of statistics")
    )
    assert fault.notes[4].endswith("256 times the rounding is allowed")
    assert "`tolerance=X`" in fault.help


def test_the_weight_and_the_statistic_that_differ_are_named() -> None:
    outputs = verdict(OnlyTheStatistics()).outputs
    assert outputs is not None
    assert outputs.buffers is not None
    assert outputs.buffers.at in ("layer2.0.bn2.running_mean", "layer2.0.bn2.running_var")
    (index,) = outputs.buffers.index
    assert 0 <= index < 12
    outputs = verdict(OnlyOneGradient()).outputs
    assert outputs is not None
    assert outputs.gradients is not None
    assert (outputs.gradients.at, len(outputs.gradients.index)) == ("fc.weight", 2)


def test_a_difference_of_the_graph_is_reported_once() -> None:
    class Tanh(Residual):
        def stem(self, x: Tensor) -> Tensor:
            return torch.tanh(self.part("bn1")(self.part("conv1")(x)))

    found = verdict(Tanh())
    assert [d.code for d in found.diagnostics] == ["E908", "E906"]
    assert found.diagnostics[1].notes[-1] == "therefore the outputs are not compared"
    assert not found.holds("outputs")
    (alone,) = [d for d in verdict(Tanh(), levels=("outputs",)).diagnostics if d.code == "E909"]
    assert alone.message.startswith("outputs cannot be compared: ")
    assert alone.notes == ("`relu` is a relu where the reference's `tanh` is a tanh",)


def test_several_outputs_have_the_names_of_the_spec() -> None:
    text = RESIDUAL + "\n    outputs: [layer1, layer2]\n"

    class Both(Untraced):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
            one = self.first(self.stem(x))
            return one, self.second(one) * (1 if self.training else 2)

    outputs = verdict(Both(), text).outputs
    assert outputs is not None
    assert outputs.eval is not None, outputs.reason
    assert (outputs.eval.at, len(outputs.eval.index)) == ("output['layer2']", 4)


def test_a_tolerance_is_relative() -> None:
    reference = Shifted()
    outputs = verdict(reference).outputs
    assert outputs is not None
    assert outputs.eval is not None
    assert outputs.eval.largest == pytest.approx(1e-3, rel=1e-2)
    worst = max(outputs.eval.relative, outputs.train.relative if outputs.train else math.inf)
    assert verdict(reference, tolerance=worst * 1.01).holds("outputs")
    assert not verdict(reference, tolerance=worst * 0.99).holds("outputs")


def test_an_exception_of_the_reference_is_the_reason() -> None:
    class Broken(Residual):
        def head(self, x: Tensor) -> Tensor:
            if not self.training:
                raise RuntimeError("no\nsuch mode")
            return super().head(x)

    outputs = verdict(Broken()).outputs
    assert outputs is not None
    assert outputs.reason == "the reference cannot run on an input of 2x3x16x16: RuntimeError: no"


def test_outputs_that_are_not_finite_are_not_equal() -> None:
    class Endless(Untraced):
        def head(self, x: Tensor) -> Tensor:
            return super().head(x) / 0

    outputs = verdict(Endless()).outputs
    assert outputs is not None
    assert not outputs.held
    assert "not finite" in outputs.reason


def test_random_numbers_in_another_order() -> None:
    text = """
        input: [3, 8, 8]
        classes: 5
        stem:
          - add:
              one: [conv: {out: 4, kernel: 3}, dropout: {p: 0.5}]
              two: [conv: {out: 4, kernel: 1}, dropout: {p: 0.25}]
        stages: {block: basic, count: 1, channels: 4}
        """

    class Reordered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.Conv2d(3, 4, 1, bias=False)
            self.c, self.d = (nn.Conv2d(4, 4, 3, padding=1, bias=False) for _ in range(2))
            self.n, self.m = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
            self.fc = nn.Linear(4, 5)

        def forward(self, x: Tensor) -> Tensor:
            two = nn.functional.dropout(self.b(x), 0.25, self.training)
            x = nn.functional.dropout(self.a(x), 0.5, self.training) + two
            x = torch.relu(x + self.m(self.d(torch.relu(self.n(self.c(x))))))
            return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]

    found = verdict(Reordered(), text)
    assert found.holds("graph", "outputs")
    assert found.outputs is not None
    assert "a different order" in found.outputs.random
    assert list(found.outputs.gaps) == ["in eval mode"]


def test_gap() -> None:
    one, other = torch.tensor([1.0, -4.0, 2.0]), torch.tensor([1.0, -5.0, 2.5])
    assert gap(one, other, "x") == (found := gap(one, other, "x"))
    assert (found.largest, found.relative, found.at, found.index) == (1.0, 0.2, "x", (1,))
    assert gap(torch.tensor(1.0), torch.tensor(2.0), "x").index == ()
    assert gap(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4).index_fill(2, torch.tensor(3), 1), "x").index == (0, 0, 3)
    assert gap(one, one.clone(), "x").largest == 0
    assert gap(None, other, "x").largest == 5
    assert gap(None, None, "x").largest == 0
    assert gap(torch.tensor([float("nan")]), torch.tensor([1.0]), "x").relative == math.inf
    assert gap(one.double(), other.double(), "x").relative == 0.2
    assert gap(torch.ones(2), torch.tensor([1.0, math.inf]), "x").relative == math.inf
    assert Outputs(True, gradients=Gap(math.nan, math.nan, "x", (0,))).failing


def test_gradients_that_are_not_finite_are_not_equal() -> None:
    """The reference computes the same, but with a square root at zero, whose gradient is infinite."""

    class Rooted(Untraced):
        def head(self, x: Tensor) -> Tensor:
            weight = next(self.parameters())
            return super().head(x) + (weight - weight.detach()).sum().sqrt()

    outputs = verdict(Rooted()).outputs
    assert outputs is not None
    assert (outputs.held, "of gradients" in outputs.failing) == (False, True)


def test_scrambling_makes_all_values_different() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 4))
    nn.init.zeros_(module[2].weight)
    kept = module[0].weight.clone()
    scramble(module, 0)
    assert torch.equal(module[0].weight, kept)
    for key, tensor in module.state_dict().items():
        assert not tensor.is_floating_point() or tensor.unique().numel() == tensor.numel(), key
    assert module[1].running_var.min() >= 0.5
