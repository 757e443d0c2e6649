"""Interpolation, pixel shuffles and blurring have one form, however a network writes them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import archspec
from archspec.emit.modules import blur
from archspec.tracing.canonicalize import canonicalize
from archspec.tracing.trace import trace
from archspec.verification.importing import timm
from archspec.verification.match import match
from tests.support.equivalence import compiled
from tests.tracing.test_canonicalize import form, plain


def shuffled_by_hand(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    parts = x.view(batch, channels // 4, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
    return parts.reshape(batch, channels // 4, 2 * height, 2 * width)


def unshuffled_by_hand(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    parts = x.view(batch, channels, height // 2, 2, width // 2, 2).permute(0, 1, 3, 5, 2, 4).contiguous()
    return parts.view(batch, -1, height // 2, width // 2)


def blur_of_timm(**given: int) -> nn.Module:
    module: nn.Module = timm().layers.BlurPool2d(8, **given)
    return module


def space_to_depth_of_timm() -> nn.Module:
    module: nn.Module = timm().layers.SpaceToDepth(4)
    return module


SAME: dict[str, list[nn.Module]] = {
    "nearest": [
        nn.Upsample(scale_factor=2),
        nn.Upsample((24, 24)),
        plain(lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest")),
        plain(lambda x: F.interpolate(x, (24, 24))),
    ],
    "bilinear": [
        nn.Upsample(scale_factor=2, mode="bilinear"),
        plain(lambda x: F.interpolate(x, scale_factor=(2, 2), mode="bilinear", align_corners=False)),
        nn.Upsample((24, 24), mode="bilinear"),
    ],
    "shuffle": [nn.PixelShuffle(2), plain(lambda x: F.pixel_shuffle(x, 2)), plain(shuffled_by_hand)],
    "unshuffle": [nn.PixelUnshuffle(2), plain(lambda x: F.pixel_unshuffle(x, 2)), plain(unshuffled_by_hand)],
    "space to depth": [space_to_depth_of_timm(), plain(lambda x: F.channel_shuffle(F.pixel_unshuffle(x, 4), 8))],
}

OTHER: dict[str, list[nn.Module]] = {
    "modes": [nn.Upsample(scale_factor=2, mode=mode) for mode in ("nearest", "bilinear", "bicubic")],
    "corners": [nn.Upsample(scale_factor=2, mode="bilinear", align_corners=each) for each in (True, False)],
    "sizes": [nn.Upsample(scale_factor=2), nn.Upsample((12, 11))],
    "factors": [nn.PixelUnshuffle(2), nn.PixelUnshuffle(3)],
    "blurs": [blur_of_timm(), blur_of_timm(stride=1), blur_of_timm(filt_size=5)],
}


@pytest.mark.parametrize("name", SAME)
def test_ways_to_write_it_have_one_form(name: str) -> None:
    first, *others = SAME[name]
    x = torch.randn(2, 8, 12, 12)
    for other in others:
        assert torch.equal(first(x), other(x))
        assert match(form(first, (2, 8, 12, 12)), form(other, (2, 8, 12, 12))) is not None


@pytest.mark.parametrize("name", OTHER)
def test_what_computes_something_else_has_another_form(name: str) -> None:
    first, *others = OTHER[name]
    for other in others:
        assert match(form(first), form(other)) is None


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_blur_is_that_of_timm(kernel: int, stride: int) -> None:
    x = torch.randn(2, 8, 11, 14)
    assert torch.equal(blur(x, kernel, (stride, stride)), blur_of_timm(filt_size=kernel, stride=stride)(x))


@pytest.mark.parametrize("kernel", [3, 5])
def test_a_built_blur_has_the_form_of_timms(kernel: int) -> None:
    step = f"blur: {{kernel: {kernel}, stride: 2}}"
    model = archspec.build(compiled(f"input: [8, 6, 6]\nstages: []\nstem: [{step}]\nhead: []"))
    found = canonicalize(trace(model.train(), torch.empty(2, 8, 6, 6, device="meta")), frozenset())
    assert match(found, form(blur_of_timm(filt_size=kernel))) is not None
    assert match(found, form(blur_of_timm(filt_size=kernel, stride=1))) is None
