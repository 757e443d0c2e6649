"""A layer of torch that the step ``torch`` cannot name: the step to write in its place does the same as the layer."""

from __future__ import annotations

import inspect
import re

import pytest
import torch
import yaml
from torch import nn

import archspec
from archspec.diagnostics import Diagnostic
from archspec.operations.torch_module import WORDS

SAME = [
    "PixelShuffle, upscale_factor: 2",
    "PixelUnshuffle, downscale_factor: 2",
    "ChannelShuffle, groups: 4",
    "AdaptiveMaxPool2d, output_size: 2",
    "AdaptiveAvgPool2d, output_size: [2, 4]",
    "LPPool2d, norm_type: 2, kernel_size: 2",
    "MaxPool2d, kernel_size: 2",
    "MaxPool2d, kernel_size: 3, stride: 2, padding: 1, ceil_mode: true",
    "AvgPool2d, kernel_size: 3, stride: 1, padding: 1, count_include_pad: false",
    "Conv2d, in_channels: 8, out_channels: 6, kernel_size: 3",
    "Conv2d, in_channels: 8, out_channels: 6, kernel_size: 3, padding: 1, groups: 2, bias: false",
    "ConvTranspose2d, in_channels: 8, out_channels: 6, kernel_size: 3, stride: 2",
    "LazyConv2d, out_channels: 6, kernel_size: 5, dilation: 1",
    "BatchNorm2d, num_features: 8, eps: 0.001",
    "GroupNorm, num_groups: 2, num_channels: 8",
    "InstanceNorm2d, num_features: 8",
    "LocalResponseNorm, size: 3",
    "Upsample, scale_factor: 2",
    "UpsamplingBilinear2d, scale_factor: 2",
    "UpsamplingNearest2d, size: 5",
    "ZeroPad2d, padding: 1",
    "ReflectionPad2d, padding: 2",
    "Flatten",
    "Dropout, p: 0.25",
    "Mish",
    "Sigmoid",
    "ReLU, inplace: true",
    "GELU, approximate: tanh",
    "LeakyReLU, negative_slope: 0.2",
    "ELU, alpha: 0.5",
    "Hardtanh, min_val: -2, max_val: 2",
    "PReLU, num_parameters: 8",
    "Softplus, beta: 2",
]


def refusal(step: str) -> Diagnostic:
    """The one fault of a spec with this step."""
    with pytest.raises(archspec.SpecError) as refused:
        archspec.compile(spec(f"torch: {{module: {step}}}"))
    (fault,) = refused.value.diagnostics
    assert fault.code == "E204"
    assert fault.span
    assert (fault.span.line, fault.span.column) == (7, 19)
    return fault


def spec(step: str) -> str:
    return f"archspec: 1\nname: t\ninput: [8, 8, 8]\nstem: []\nstages: []\nhead:\n- {step}\n"


@pytest.mark.parametrize("layer", SAME)
def test_the_step_to_write_does_the_same(layer: str) -> None:
    """With the author's own values, and torch's defaults."""
    found = re.fullmatch(r"write `- (.*)`", refusal(f"torch.nn.{layer}").help)
    assert found
    own = archspec.build(spec(found[1])).eval()
    given = yaml.safe_load(f"{{module: {layer}}}")
    other = getattr(nn, given.pop("module"))(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
    x = torch.randn(3, 8, 8, 8)
    expected = other.eval()(x)  # which also gives a lazy layer its weights
    for mine, theirs in zip(own.state_dict().values(), other.state_dict().values(), strict=True):
        mine.copy_(theirs)
    assert torch.allclose(own(x), expected, rtol=0, atol=1e-6)  # bilinear kernels differ by the form of the size


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ("torch.nn.MultiheadAttention, embed_dim: 64, num_heads: 4", "archspec has no attention"),
        ("torch.nn.FractionalMaxPool2d, kernel_size: 3, output_ratio: 0.5", "only max, average and power pools"),
        ("torch.nn.Bilinear, in1_features: 8, in2_features: 8", "no operation that does the same"),
        ("mine.Attention1, heads: 8", "code of yours is never imported"),
        ("PixelShuffle, upscale_factor: 2", "write `- pixel_shuffle: {factor: 2}`"),
        ("nn.PixelShuffle, upscale_factor: n", "write `- pixel_shuffle: {factor: n}`"),
        ("torch.nn.PixelShuffle", "write `- pixel_shuffle: {factor: ...}`"),
        ("torch.nn.ZeroPad2d, padding: [1, 2, 0, 0]", "write `- pad: {sides: ...}`"),
        (
            "torch.nn.MaxPool2d, kernel_size: 2, return_indices: true",
            "write `- pool: {type: max, kernel: 2}`, which has no `return_indices`",
        ),
    ],
)
def test_what_is_told_of_other_layers(layer: str, told: str) -> None:
    fault = refusal(layer)
    assert told in fault.help
    assert not fault.hint


@pytest.mark.parametrize("word", ["nn.Softshrink", "Softshrink", "torch.nn.softshrink", "torch.nn.modules.Softshrink"])
def test_a_layer_that_may_be_named_keeps_its_values(word: str) -> None:
    fault = refusal(f"{word}, lambd: 0.25")
    assert fault.hint == "did you mean `torch.nn.Softshrink`?"
    assert "lambd" not in fault.help


def test_the_keys_of_a_step_are_those_of_its_layer() -> None:
    with pytest.raises(archspec.SpecError) as refused:
        archspec.compile(spec("torch: {module: torch.nn.Softshrink, slopes: 0.25}"))
    (fault,) = refused.value.diagnostics
    assert fault.code == "E201"
    assert fault.help == "the keys here are `as`, `from`, `lambd`, `module`, `name`, `share`, `when`"


def test_a_missing_argument_is_added_to_those_that_are_written() -> None:
    with pytest.raises(archspec.SpecError) as refused:
        archspec.compile(spec("torch: {module: torch.nn.Threshold, threshold: 0.1}"))
    (fault,) = refused.value.diagnostics
    assert fault.help == "write `- torch: {module: torch.nn.Threshold, threshold: 0.1, value: ...}`"


def test_every_layer_of_torch_has_an_answer() -> None:
    for name, each in inspect.getmembers(nn, inspect.isclass):
        if issubclass(each, nn.Module) and f"torch.nn.{name}" not in WORDS:
            fault = refusal(f"torch.nn.{name}, foreign: 1")
            assert fault.help, name
            assert not fault.hint or name.endswith(("1d", "2d", "3d")), fault
