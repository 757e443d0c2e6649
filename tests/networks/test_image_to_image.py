"""Networks from papers that return an image or a map as large as the image, against modules written by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import archspec
from tests.support.equivalence import assert_network, compiled
from tests.support.everywhere import assert_written

# -- the generator of CycleGAN (Zhu et al. 2017, appendix 7.2: c7s1-64, d128, d256, R256, u128, u64, c7s1-3) -----------


class Reflected(nn.Module):
    """R: two 3x3 convolutions over reflected borders, with no activation behind the sum."""

    def __init__(self, width: int) -> None:
        super().__init__()

        def unit() -> list[nn.Module]:
            return [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)]

        self.conv_block = nn.Sequential(*unit(), nn.ReLU(True), *unit())

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x + self.conv_block(x)
        return found


class Translator(nn.Module):
    """The generator, with the names of the authors' weights."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        steps = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU(True)]
        for now in (width, 2 * width):
            steps += [nn.Conv2d(now, 2 * now, 3, 2, 1), nn.InstanceNorm2d(2 * now), nn.ReLU(True)]
        steps += [Reflected(4 * width) for _ in range(blocks)]
        for now in (4 * width, 2 * width):
            steps += [nn.ConvTranspose2d(now, now // 2, 3, 2, 1, 1), nn.InstanceNorm2d(now // 2), nn.ReLU(True)]
        self.model = nn.Sequential(*steps, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.model(x)
        return found


CYCLEGAN = """
    input: [3, 24, 32]
    silence: [W501]
    params: {wide: 8, deep: 3}
    norm: {type: instance, affine: false}
    naming: {stem: model, stage: model, block: "{position}", residual: conv_block, head: model}
    blocks:
      reflected:
        channels: width
        fixed: {shortcut: identity, activation_order: act-before-add}
        residual:
          - pad: {sides: 1, mode: reflect}
          - layer: {out: channels, kernel: 3, padding: 0, bias: true}
          - pad: {sides: 1, mode: reflect}
          - layer: {out: channels, kernel: 3, padding: 0, bias: true, act: none}
    stem:
      - pad: {sides: 3, mode: reflect}
      - layer: {out: wide, kernel: 7, padding: 0, bias: true}
      - layer: {out: 2 * wide, kernel: 3, stride: 2, bias: true}
      - layer: {out: 4 * wide, kernel: 3, stride: 2, bias: true}
    stages: {block: reflected, count: deep, channels: 4 * wide}
    head:
      - layer: {out: 2 * wide, kernel: 3, stride: 2, transposed: true, padding: 1, output_padding: 1, bias: true}
      - layer: {out: wide, kernel: 3, stride: 2, transposed: true, padding: 1, output_padding: 1, bias: true}
      - pad: {sides: 3, mode: reflect}
      - conv: {out: 3, kernel: 7, padding: 0, bias: true}
      - act: {type: tanh}
"""


def test_the_generator_of_cyclegan() -> None:
    reference = Translator(8, 3)
    model = assert_network(CYCLEGAN, reference)
    assert "model.10.conv_block.5.weight" in model.state_dict()
    assert archspec.verify(compiled(CYCLEGAN), reference).holds("keys", "graph", "outputs")
    assert_written(compiled(CYCLEGAN), reference)


def test_the_generator_of_cyclegan_at_its_size() -> None:
    """With 9 blocks it has 11.378 million parameters, as the authors' code prints."""
    graph = compiled(CYCLEGAN.replace("24, 32", "256, 256").replace("wide: 8, deep: 3", "wide: 64, deep: 9"))
    found = archspec.analyze(graph).totals.costs.params
    assert found == sum(each.numel() for each in Translator(64, 9).parameters())
    assert (graph.output, round(found / 1e3)) == ((3, 256, 256), 11378)


# -- NAFNet (Chen et al. 2022, figure 2e and figure 3) -----------------------------------------------------------------


class Norm(nn.LayerNorm):
    """A layer norm over the channels of each pixel."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def halves(x: Tensor) -> Tensor:
    """The simple gate: one half of the channels times the other."""
    return x[:, : x.shape[1] // 2] * x[:, x.shape[1] // 2 :]


class Naf(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = Norm(width, eps=1e-6), nn.Conv2d(width, 2 * width, 1)
        self.conv2 = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.sca, self.conv3 = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.beta = nn.Parameter(torch.zeros(width, 1, 1))
        self.norm2, self.conv4 = Norm(width, eps=1e-6), nn.Conv2d(width, 2 * width, 1)
        self.conv5 = nn.Conv2d(width, width, 1)
        self.gamma = nn.Parameter(torch.zeros(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = halves(self.conv2(self.conv1(self.norm1(x))))
        y = self.conv3(y * self.sca(y.mean((2, 3), keepdim=True)))
        x = x + y * self.beta
        y = self.conv5(halves(self.conv4(self.norm2(x))))
        return x + y * self.gamma


class NafNet(nn.Module):
    """Encoders, each before a convolution that halves the map; the block in the middle; decoders that add."""

    def __init__(self, width: int, counts: tuple[int, ...]) -> None:
        super().__init__()
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        wide = [width * 2**number for number in range(len(counts))]
        sizes = zip(wide, counts, strict=True)
        self.encoders = nn.ModuleList([nn.Sequential(*[Naf(w) for _ in range(n)]) for w, n in sizes])
        self.downs = nn.ModuleList([nn.Conv2d(w, 2 * w, 2, 2) for w in wide])
        self.middle = Naf(2 * wide[-1])
        self.ups = nn.ModuleList([nn.Conv2d(2 * w, 4 * w, 1, bias=False) for w in reversed(wide)])
        self.decoders = nn.ModuleList([Naf(w) for w in reversed(wide)])
        self.ending = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        image, kept = x, []
        x = self.intro(x)
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            kept.append(encoder(x))
            x = down(kept[-1])
        x = self.middle(x)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            x = decoder(nn.functional.pixel_shuffle(up(x), 2) + kept.pop())
        return image + self.ending(x)  # type: ignore[no-any-return]


NAFNET = """
    input: [3, 16, 24]
    norm: {type: layer, eps: 1e-6}
    naming:
      {fragment: "", stage: "encoders.{stage - 1}", after: downs, norm: "norm{n}",
       layer_scale: "{'beta' if n == 1 else 'gamma'}"}
    fragments:
      down: {steps: [conv: {out: 2 * width, kernel: 2, stride: 2, bias: true}]}
      gate: {steps: [multiply: [[slice: {stop: in_channels // 2}], [slice: {start: in_channels // 2}]]]}
      naf:
        steps:
          - add:
              - []
              - - norm
                - conv: {out: 2 * width, bias: true, name: conv1}
                - conv: {out: width, kernel: 3, groups: depthwise, bias: true, name: conv2}
                - gate
                - multiply: [[], [pool: {type: avg, output: 1}, conv: {out: width, bias: true, name: sca}]]
                - conv: {out: width, bias: true, name: conv3}
                - layer_scale: {initial: 0}
          - add:
              - []
              - - norm
                - conv: {out: 2 * width, bias: true, name: conv4}
                - gate
                - conv: {out: width, bias: true, name: conv5}
                - layer_scale: {initial: 0}
    blocks: {naf: {steps: [naf]}}
    stem: [conv: {out: 8, kernel: 3, bias: true, name: intro}]
    stages:
      block: naf
      count: [1, 2]
      after: {use: down}
    head:
      - naf: {name: middle}
      - conv: {out: 2 * width, name: ups.0}
      - pixel_shuffle: {factor: 2}
      - add: [[], [from: encoders.1]]
      - naf: {name: decoders.0}
      - conv: {out: 2 * width, name: ups.1}
      - pixel_shuffle: {factor: 2}
      - add: [[], [from: encoders.0]]
      - naf: {name: decoders.1}
      - conv: {out: 3, kernel: 3, bias: true, name: ending}
      - add: [[from: input], []]
"""


def test_nafnet() -> None:
    reference = NafNet(8, (1, 2))
    assert_network(NAFNET, reference)
    assert archspec.verify(compiled(NAFNET), reference).holds("keys", "graph", "outputs")
    assert_written(compiled(NAFNET), reference)


# -- Attention U-Net (Oktay et al. 2018, figures 1 and 2) --------------------------------------------------------------


def twice(before: int, after: int) -> nn.Module:
    """Two 3x3 convolutions, each with its norm and activation."""
    steps: list[nn.Module] = []
    for number in (before, after):
        steps += [nn.Conv2d(number, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(True)]
    return nn.Sequential(*steps)


class Attended(nn.Module):
    """A map made larger, which decides where the map of the encoder is read: the additive gate."""

    def __init__(self, width: int) -> None:
        super().__init__()

        def unit(before: int, after: int, kernel: int, act: nn.Module) -> nn.Module:
            return nn.Sequential(nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.BatchNorm2d(after), act)

        self.up = unit(2 * width, width, 3, nn.ReLU(True))
        self.w_g = unit(width, width // 2, 1, nn.Identity())
        self.w_x = unit(width, width // 2, 1, nn.Identity())
        self.psi = unit(width // 2, 1, 1, nn.Sigmoid())
        self.conv = twice(2 * width, width)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        g = self.up(nn.functional.interpolate(x, scale_factor=2))
        alpha = self.psi((self.w_g(g) + self.w_x(skip)).relu())
        found: Tensor = self.conv(torch.cat([alpha * skip, g], 1))
        return found


class AttentionUnet(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.down1, self.down2, self.down3 = twice(3, width), twice(width, 2 * width), twice(2 * width, 4 * width)
        self.up2, self.up1, self.out = Attended(2 * width), Attended(width), nn.Conv2d(width, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(nn.functional.max_pool2d(first, 2))
        x = self.down3(nn.functional.max_pool2d(second, 2))
        found: Tensor = self.out(self.up1(self.up2(x, second), first))
        return found


ATTENTION_UNET = """
    input: [3, 16, 24]
    naming: {layer: "{position}"}
    fragments:
      twice:
        params: {out: null}
        steps:
          - sequence: {steps: [conv: {out: out, kernel: 3, bias: true, name: "0"}, norm: {name: "1"}, act]}
          - sequence: {steps: [conv: {out: out, kernel: 3, bias: true, name: "3"}, norm: {name: "4"}, act]}
      up:
        inputs: [skip]
        params: {out: null}
        steps:
          - upsample: {scale: 2}
          - layer: {out: out, kernel: 3, bias: true, as: g, name: up}
          - layer: {out: out // 2, bias: true, act: none, as: g1, name: w_g}
          - layer: {out: out // 2, bias: true, act: none, from: skip, name: w_x}
          - add: [[from: g1], []]
          - act
          - layer: {out: 1, bias: true, act: sigmoid, as: psi, name: psi}
          - multiply: {from: [psi, skip], broadcast: true}
          - concat: [[], [from: g]]
          - twice: {out: out, name: conv}
    stem:
      - twice: {out: 8, as: e1, name: down1}
      - pool: {type: max, kernel: 2}
      - twice: {out: 16, as: e2, name: down2}
      - pool: {type: max, kernel: 2}
      - twice: {out: 32, name: down3}
    stages: []
    head:
      - up: {out: 16, skip: e2, name: up2}
      - up: {out: 8, skip: e1, name: up1}
      - conv: {out: 2, bias: true, name: out}
"""


def test_attention_unet() -> None:
    assert_network(ATTENTION_UNET, AttentionUnet(8))
    assert archspec.verify(compiled(ATTENTION_UNET), AttentionUnet(8)).holds("keys", "graph", "outputs")
    assert_written(compiled(ATTENTION_UNET), AttentionUnet(8))
