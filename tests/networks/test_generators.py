"""Networks that make maps larger with transposed convolutions, from papers, against modules written by hand."""

from __future__ import annotations

import itertools
from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

import archspec
from tests.support.equivalence import assert_network, compiled
from tests.support.everywhere import assert_written

# -- DCGAN (Radford et al. 2016, figure 1) -----------------------------------------------------------------------------


def generator(noise: int, width: int) -> nn.Module:
    """The generator of PyTorch's example, with the names of its weights."""

    def unit(before: int, after: int, *how: int) -> list[nn.Module]:
        return [nn.ConvTranspose2d(before, after, 4, *how, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)]

    steps = unit(noise, 8 * width, 1, 0)
    for times in (8, 4, 2):
        steps += unit(times * width, times * width // 2, 2, 1)
    steps += [nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh()]
    return nn.Sequential(OrderedDict(main=nn.Sequential(*steps)))


DCGAN = """
    input: [100, 1, 1]
    params: {wide: 8}
    naming: {stem: main}
    stem:
      - layer: {out: 8 * wide, kernel: 4, transposed: true}
      - repeat: {times: 3, steps: [layer: {out: width // 2, kernel: 4, stride: 2, transposed: true}]}
      - conv: {out: 3, kernel: 4, stride: 2, transposed: true}
      - act: {type: tanh}
    stages: []
    head: []
"""


def test_the_generator_of_dcgan() -> None:
    model = assert_network(DCGAN, generator(100, 8))
    assert list(model.state_dict())[-1] == "main.12.weight"
    assert_written(compiled(DCGAN), generator(100, 8))


def test_the_generator_of_dcgan_at_its_size() -> None:
    graph = compiled(DCGAN.replace("wide: 8", "wide: 64"))
    counted = sum(each.numel() for each in generator(100, 64).parameters())
    assert (graph.output, archspec.analyze(graph).totals.costs.params) == ((3, 64, 64), counted)


# -- a convolutional autoencoder ---------------------------------------------------------------------------------------


class Autoencoder(nn.Module):
    """Strided convolutions, and as many transposed ones back to the size of the input."""

    def __init__(self, added: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        widths = (3, 8, 16, 32)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList([nn.Conv2d(a, b, 3, 2, 1) for a, b in pairs])
        back = zip(reversed(pairs), added, strict=True)
        self.up = nn.ModuleList([nn.ConvTranspose2d(b, a, 3, 2, 1, output_padding=more) for (a, b), more in back])

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.down:
            x = conv(x).relu()
        for conv in self.up[:2]:
            x = conv(x).relu()
        found: Tensor = self.up[2](x).sigmoid()
        return found


def autoencoder(size: tuple[int, int], added: tuple[tuple[int, int], ...]) -> str:
    """Its spec; ``added`` are the positions that an odd size has not, and an even one has, at each step back."""
    usual = "kernel: 3, stride: 2, bias: true"
    down = ", ".join(f"layer: {{out: {out}, {usual}}}" for out in (8, 16, 32))
    how = f"{usual}, transposed: true, padding: 1"
    up = ", ".join(
        f"layer: {{out: {out}, {how}, output_padding: {[*more]}, act: {act}}}"
        for out, more, act in zip((16, 8, 3), added, ("relu", "relu", "sigmoid"), strict=True)
    )
    return f"input: [3, {size[0]}, {size[1]}]\nnorm: none\nstem: [{down}]\nstages: []\nhead: [{up}]\n"


@pytest.mark.parametrize(
    ("size", "added"),
    [((32, 48), ((1, 1), (1, 1), (1, 1))), ((29, 42), ((1, 0), (0, 0), (0, 1))), ((17, 31), ((0, 1), (0, 1), (0, 0)))],
)
def test_an_autoencoder_returns_the_size_of_its_input(
    size: tuple[int, int], added: tuple[tuple[int, int], ...]
) -> None:
    text = autoencoder(size, added)
    assert compiled(text).output == (3, *size)
    assert_network(text, Autoencoder(added), by="order")
    assert_written(compiled(text), Autoencoder(added))


class Resized(nn.Module):
    """The same with nearest neighbors of the size that the encoder had, and a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(a, b, 3, 2, 1) for a, b in ((3, 8), (8, 16), (16, 32))])
        self.up = nn.ModuleList([nn.Conv2d(b, a, 3, 1, 1) for a, b in ((16, 32), (8, 16), (3, 8))])

    def forward(self, x: Tensor) -> Tensor:
        sizes = []
        for conv in self.down:
            sizes.append(x.shape[-2:])
            x = conv(x).relu()
        for number, conv in enumerate(self.up):
            x = conv(nn.functional.interpolate(x, size=sizes.pop()))
            x = x.sigmoid() if number == 2 else x.relu()
        return x


RESIZED = """
    input: [3, 29, 42]
    norm: none
    fragments:
      back:
        inputs: [like]
        params: {out: null, function: relu}
        steps:
          - upsample: {like: like}
          - layer: {out: out, kernel: 3, bias: true, act: function}
    stem:
      - as: image
      - layer: {out: 8, kernel: 3, stride: 2, bias: true, as: half}
      - layer: {out: 16, kernel: 3, stride: 2, bias: true, as: quarter}
      - layer: {out: 32, kernel: 3, stride: 2, bias: true}
    stages: []
    head:
      - back: {out: 16, like: quarter}
      - back: {out: 8, like: half}
      - back: {out: 3, like: image, function: sigmoid}
"""


def test_an_autoencoder_of_any_size() -> None:
    """What is built for one size returns the size of any other input, as the module does."""
    reference = Resized()
    model = assert_network(RESIZED, reference, by="order").eval()
    reference.load_state_dict(dict(zip(reference.state_dict(), model.state_dict().values(), strict=True)))
    for size in ((29, 42), (32, 32), (17, 8), (9, 23)):
        x = torch.randn(2, 3, *size)
        assert model(x).shape == x.shape
        assert torch.equal(model(x), reference.eval()(x))
    assert_written(compiled(RESIZED), Resized())
