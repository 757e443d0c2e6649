"""``scale`` and ``shift`` against networks that do the same by hand: equal graphs and equal results."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn

import archspec
from archspec.emit.modules import scale_channels
from tests.support.equivalence import compiled

HEAD = "stages: {block: basic, count: 1, channels: 8}\nhead: [conv: {out: 2}, pool: {type: avg, output: 1}, flatten]"


class Tail(nn.Module):
    """What follows the constants: the spec's own network, so that a test says only what comes before it."""

    def __init__(self, before: Callable[[Tensor], Tensor], text: str) -> None:
        super().__init__()
        self.before = before
        self.rest = archspec.build(compiled(text), seed=0)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.rest(self.before(x))
        return found


def one_by_one(factors: list[float], added: list[float]) -> Callable[[Tensor], Tensor]:
    """As torchvision writes it."""

    def run(x: Tensor) -> Tensor:
        parts = [torch.unsqueeze(x[:, n], 1) * f + a for n, (f, a) in enumerate(zip(factors, added, strict=True))]
        return torch.cat(parts, 1)

    return run


def sliced(factors: list[float], added: list[float]) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.cat(
        [torch.add(f * x[:, n : n + 1], a) for n, (f, a) in enumerate(zip(factors, added, strict=True))], dim=1
    )


def parted(factors: list[float], added: list[float]) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        parts = x.chunk(3, 1)
        return torch.cat([parts[n].mul(f).add(a) for n, (f, a) in enumerate(zip(factors, added, strict=True))], 1)

    return run


NUMBERS = {
    "different": ([0.458, 0.448, 0.45], [-0.03, -0.088, -0.188]),
    "one is 1, one is 0": ([1.0, 0.5, 2.0], [0.25, 0.0, 0.5]),
    "negative": ([-1.0, 0.0, 3.0], [1e-3, -2.0, 0.1]),
}


def text(factors: object, added: object, input: str = "[3, 8, 8]") -> str:
    return f"input: {input}\nstem: [scale: {{by: {factors}}}, shift: {{by: {added}}}, layer: {{out: 8}}]\n{HEAD}"


REST = f"input: [3, 8, 8]\nstem: [layer: {{out: 8}}]\n{HEAD}"


@pytest.mark.parametrize("by_hand", [one_by_one, sliced, parted])
@pytest.mark.parametrize("numbers", NUMBERS)
def test_a_constant_for_each_channel(by_hand: Callable[..., Callable[[Tensor], Tensor]], numbers: str) -> None:
    verdict = archspec.verify(archspec.load(spec(text(*NUMBERS[numbers]))), Tail(by_hand(*NUMBERS[numbers]), REST))
    assert (verdict.levels["graph"], verdict.levels["outputs"]) == (True, True), verdict
    assert verdict.outputs.eval.largest == verdict.outputs.train.largest == 0


def spec(text: str) -> str:
    return f"archspec: 1\nname: tested\n{text}"


@pytest.mark.parametrize(
    ("factors", "added", "by_hand"),
    [
        (2, -0.5, lambda x: x * 2 + -0.5),
        ([2, 2, 2], [-0.5, -0.5, -0.5], lambda x: x.mul(2).add(-0.5)),
        ([1, 1, 1], 0, lambda x: x),
    ],
)
def test_one_constant(factors: object, added: object, by_hand: Callable[[Tensor], Tensor]) -> None:
    verdict = archspec.verify(archspec.load(spec(text(factors, added))), Tail(by_hand, REST))
    assert verdict.holds("graph", "outputs"), verdict


def test_another_constant_is_another_network() -> None:
    factors, added = NUMBERS["different"]
    for changed in (([0.458, 0.448, 0.46], added), (factors, [-0.03, -0.088, -0.1])):
        verdict = archspec.verify(archspec.load(spec(text(*changed))), Tail(one_by_one(factors, added), REST))
        assert not verdict.levels["graph"]
        assert not verdict.levels["outputs"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("format", [torch.contiguous_format, torch.channels_last])
def test_every_dtype_rounds_once(dtype: torch.dtype, format: torch.memory_format) -> None:
    """The constants are Python numbers, so a model that is cast has them exactly, and adds nothing to the keys."""
    factors, added = NUMBERS["different"]
    model = archspec.build(compiled(text(factors, added).replace("layer: {out: 8}", "")), seed=0, flat=True).to(dtype)
    steps = [node for node in model.graph.nodes if node.op == "call_function"][:2]
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype).to(memory_format=format)
    found = x
    for step in steps:
        found = step.target(found, *step.args[1:])
    assert torch.equal(found, one_by_one(factors, added)(x))
    assert found.stride() == one_by_one(factors, added)(x).stride()
    assert set(model.state_dict()) == set(archspec.build(compiled(REST.replace("layer: {out: 8}", ""))).state_dict())


def test_it_survives_another_trace() -> None:
    model = archspec.build(compiled(text(*NUMBERS["different"])), seed=0).eval()
    again = fx.symbolic_trace(model)
    assert scale_channels not in [node.target for node in again.graph.nodes]
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(model(x), again(x))


@pytest.mark.parametrize(("factors", "input"), [("[1, 2]", "[3, 8, 8]"), ("[1, 2, 3]", "[1, 8, 8]"), ("[4]", "[3, 8]")])
@pytest.mark.parametrize("word", ["scale", "shift"])
def test_as_many_numbers_as_channels(word: str, factors: str, input: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        compiled(f"input: {input}\nstem: [{word}: {{by: {factors}}}]\n{HEAD}")
    (found,) = refused.value.diagnostics
    assert found.code == "E507"
    assert f"{len(factors.split(','))} number" in found.message


def test_the_text_shows_a_list() -> None:
    shown = str(compiled(text([1, "2 / 4", -0.030000000000000027], 2)))
    assert "scale(by=[1, 0.5, -0.03])" in shown
    assert "shift(by=2)" in shown
