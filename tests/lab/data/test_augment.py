"""Random crops and flips, compared with slices of padded images."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from archspec.lab.data.augment import PAD, crop_flip


@given(seed=st.integers(0, 9), epoch=st.integers(0, 9), height=st.integers(1, 9), width=st.integers(1, 9))
def test_every_image_is_a_crop_of_the_padded_one_or_its_mirror(seed: int, epoch: int, height: int, width: int) -> None:
    images = torch.randn(5, 2, height, width)
    found = crop_flip(seed, epoch, 5)(images, torch.arange(5))
    padded = functional.pad(images, (PAD,) * 4)
    for image, around in zip(found, padded, strict=True):
        crops = [around[:, y : y + height, x : x + width] for y in range(2 * PAD + 1) for x in range(2 * PAD + 1)]
        assert any(torch.equal(image, crop) or torch.equal(image, crop.flip(2)) for crop in crops)


def test_every_corner_and_both_sides_occur() -> None:
    """On an image whose pixels all differ, a crop says where it is."""
    one = torch.arange(1.0, 82).reshape(1, 1, 9, 9).expand(2000, 1, 9, 9)
    found = crop_flip(0, 0, 2000)(one, torch.arange(2000))
    assert len({tuple(image.flatten().tolist()) for image in found}) == 2 * (2 * PAD + 1) ** 2


def test_what_happens_to_an_image_depends_on_the_seed_and_the_epoch_and_not_on_its_batch() -> None:
    images = torch.randn(40, 3, 8, 8)
    change = crop_flip(3, 1, 40)
    whole = change(images, torch.arange(40))
    chosen = torch.tensor([7, 3, 39])
    assert torch.equal(change(images[chosen], chosen), whole[chosen])
    assert torch.equal(crop_flip(3, 1, 40)(images, torch.arange(40)), whole)
    for other in (crop_flip(4, 1, 40), crop_flip(3, 2, 40)):
        assert not torch.equal(other(images, torch.arange(40)), whole)
