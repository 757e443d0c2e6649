"""First convolutions for another number of input channels: timm's rule, and only where it applies."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import archspec
from archspec.verification.importing import timm
from archspec.weights.adapting import adapt
from tests.support.equivalence import scramble, spec


def network(channels: int, stem: str = "[layer: {out: 8, kernel: 3}]", size: str = "16, 16") -> str:
    return spec(f"""
        input: [{channels}, {size}]
        classes: 5
        stem: {stem}
        stages: {{block: basic, count: 1, channels: 8}}
        """)


def trained(text: str) -> dict[str, Tensor]:
    model = archspec.build(text)
    scramble(model)
    return dict(model.state_dict())


def transferred(after: str, state: dict[str, Tensor]) -> nn.Module:
    return archspec.build(after, weights=state, transfer=True, seed=0)


@given(before=st.integers(1, 8), after=st.integers(1, 17), out=st.integers(1, 4), seed=st.integers(0, 100))
def test_the_rule_is_that_of_timm(before: int, after: int, out: int, seed: int) -> None:
    weight = torch.randn(out, before, 3, 2, generator=torch.Generator().manual_seed(seed))
    expected = timm().models.adapt_input_conv(after, weight.clone(), base_chans=before)
    if before != after:
        assert torch.equal(adapt(weight, after), expected)
        half = timm().models.adapt_input_conv(after, weight.half(), base_chans=before)
        assert torch.equal(adapt(weight.half(), after), half)


@pytest.mark.parametrize(("before", "after"), [(3, 1), (3, 4), (3, 13), (3, 2), (1, 3), (4, 3), (13, 1)])
def test_a_transfer_adapts_the_stem(before: int, after: int) -> None:
    state = trained(network(before))
    model = transferred(network(after), state)
    record = model.meta["weights"]
    assert record.adapted == {"conv1.weight": ((8, before, 3, 3), (8, after, 3, 3))}
    assert (record.initialized, record.reshaped, record.unused) == ((), {}, ())
    assert torch.equal(model.conv1.weight, timm().models.adapt_input_conv(after, state["conv1.weight"], before))
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items() if k != "conv1.weight")


@pytest.mark.parametrize("channels", [1, 4, 13])
def test_the_same_weights_as_timm_gives_its_own_network(channels: int) -> None:
    """timm's loader adapts a ResNet-18 of three channels; `in_chans` is its argument for the others."""
    source = timm().create_model("resnet18", pretrained=False)
    scramble(source)
    model = transferred(archspec.load("resnet18", overrides=[f"input=[{channels}, 64, 64]"]), source.state_dict())
    state = dict(source.state_dict())
    state["conv1.weight"] = timm().models.adapt_input_conv(channels, state["conv1.weight"])
    reference = timm().create_model("resnet18", pretrained=False, in_chans=channels)
    reference.load_state_dict(state)
    x = torch.randn(2, channels, 64, 64)
    assert torch.equal(model.eval()(x), reference.eval()(x))


def test_equal_channels_give_the_same_result() -> None:
    """What the scale is for: a gray image in every channel. Up to rounding, because the order of the sums differs."""
    state = trained(network(3))
    image = torch.rand(2, 1, 16, 16)
    results = []
    for channels in (1, 3, 6, 12):
        model = transferred(network(channels), state).eval()
        results.append(model(image.repeat(1, channels, 1, 1)))
    for one, other in itertools.pairwise(results):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


OTHER_STEMS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "two convolutions": (
        "[concat: [[layer: {out: 4, kernel: 3}], [conv: {out: 4}]]]",
        "16, 16",
        ("conv1.weight", "conv2.weight"),
    ),
    "behind a pool": ("[pool: {type: avg, kernel: 2}, layer: {out: 8}]", "16, 16", ("conv1.weight",)),
    "behind a scale": ("[scale: {by: 0.5}, layer: {out: 8}]", "16, 16", ("conv1.weight",)),
    "with a bias": ("[conv: {out: 8, kernel: 3, bias: true}]", "16, 16", ("conv1.weight",)),
    "video": ("[layer: {out: 8, kernel: 3}]", "4, 8, 8", ("conv1.weight",)),
    "signal": ("[layer: {out: 8, kernel: 3}]", "32", ("conv1.weight",)),
}


@pytest.mark.parametrize("kind", OTHER_STEMS)
def test_every_convolution_that_reads_the_input(kind: str) -> None:
    stem, size, keys = OTHER_STEMS[kind]
    state = trained(network(3, stem, size))
    for channels in (1, 4):
        model = transferred(network(channels, stem, size), state)
        assert tuple(model.meta["weights"].adapted) == keys
        assert model.meta["weights"].initialized == ()
        for key in keys:
            assert torch.equal(model.state_dict()[key], adapt(state[key], channels)), key


def test_groups_of_channels() -> None:
    """Each group of filters is adapted to the channels of its group."""
    stem = "[layer: {out: 8, kernel: 3, groups: 2}]"
    state = trained(network(6, stem))
    for channels in (2, 4, 8):
        model = transferred(network(channels, stem), state)
        assert torch.equal(model.conv1.weight, adapt(state["conv1.weight"], channels // 2))
        assert list(model.meta["weights"].adapted) == ["conv1.weight"]


NOT_ADAPTED: dict[str, tuple[str, str]] = {
    "other groups of the same input": (network(4), network(4, "[layer: {out: 8, kernel: 3, groups: 2}]")),
    "another width": (network(3), network(1, "[layer: {out: 6, kernel: 3}]")),
    "another kernel": (network(3), network(1, "[layer: {out: 8, kernel: 5}]")),
    "a depthwise stem": (
        network(3, "[layer: {out: 3, kernel: 3, groups: 3}]"),
        network(6, "[layer: {out: 6, kernel: 3, groups: 6}]"),
    ),
}


@pytest.mark.parametrize("kind", NOT_ADAPTED)
def test_other_differences_are_not_adapted(kind: str) -> None:
    before, after = NOT_ADAPTED[kind]
    state = trained(before)
    model = transferred(after, state)
    record = model.meta["weights"]
    assert record.adapted == {}
    assert set(record.reshaped) >= ({"conv1.weight"} if kind != "a depthwise stem" else {"bn1.weight"})


def test_only_the_first_convolutions() -> None:
    """A convolution behind the stem with another number of channels is initialized."""
    wide = network(3).replace("channels: 8", "channels: 12")
    record = transferred(wide, trained(network(3))).meta["weights"]
    assert record.adapted == {}
    assert "layer1.0.conv1.weight" in record.reshaped


def test_without_a_transfer_nothing_is_adapted() -> None:
    with pytest.raises(archspec.SpecError) as error:
        archspec.build(network(1), weights=trained(network(3)))
    (fault,) = error.value.diagnostics
    assert (fault.code, "transfer=True" in fault.help) == ("E807", True)


def test_a_stem_alone_is_worth_a_transfer() -> None:
    state: dict[str, Any] = {"conv1.weight": torch.randn(8, 3, 3, 3)}
    assert transferred(network(4), state).meta["weights"].loaded == ("conv1.weight",)


def test_the_network_is_as_seeded_elsewhere() -> None:
    state = {key: value for key, value in trained(network(3)).items() if not key.startswith("fc")}
    model = transferred(network(4), state)
    assert torch.equal(model.fc.weight, archspec.build(network(4), seed=0).fc.weight)
