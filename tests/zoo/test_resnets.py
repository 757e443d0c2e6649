"""The residual networks of the zoo against torchvision's, timm's, and modules written by hand from the papers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archspec
from tests.networks.test_families_of_torchvision import Plus1d
from tests.support.equivalence import assert_equivalent, scramble, transfer
from tests.support.reference import torchvision_model, torchvision_models
from tests.support.resnets_by_hand import ResNet, bottleneck

pytestmark = pytest.mark.usefixtures("freed")

torchvision_models()

# -- the references ----------------------------------------------------------------------------------------------------

IMAGENET = (64, 128, 256, 512)
GROUPED = ("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d")
DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}


def cifar(layers: int, **options: object) -> Callable[[], nn.Module]:
    """He et al. 2015, section 4.2: 6n + 2 layers."""
    return partial(ResNet, ((layers - 2) // 6,) * 3, **options)


def cifar_of_bottlenecks(layers: int) -> Callable[[], nn.Module]:
    """He et al. 2016, section 5: 9n + 2 layers, the stride on the first 1x1 as in the authors' code."""
    units = ((layers - 2) // 9,) * 3
    return partial(ResNet, units, bottleneck(stride_at=1), order="pre", shortcut="B")


def wide(layers: int, k: int) -> Callable[[], nn.Module]:
    """Zagoruyko and Komodakis 2016, table 1: 6n + 4 layers, among which the paper counts the three projections."""
    channels = (16 * k, 32 * k, 64 * k)
    return partial(ResNet, ((layers - 4) // 6,) * 3, channels=channels, order="pre", shortcut="B", dropout=0.3)


def resnext29(groups: int) -> Callable[[], nn.Module]:
    """Xie et al. 2016, section 5.3."""
    return partial(ResNet, (3, 3, 3), bottleneck(groups), (64, 128, 256), width=64, shortcut="B")


def imagenet(layers: int, **options: object) -> Callable[[], nn.Module]:
    """He et al. 2015, table 1, and its pre-activation form."""
    return partial(ResNet, DEPTHS[layers], bottleneck(), IMAGENET, shortcut="B", **options)


def first_stride(layers: int) -> nn.Module:
    """torchvision's ResNet with the stride moved to the first 1x1, where the paper has it."""
    model = torchvision_model(f"resnet{layers}")
    for name, module in model.named_modules():
        if name.endswith("conv2") and module.stride == (2, 2):
            module.stride = (1, 1)
            model.get_submodule(name.replace("conv2", "conv1")).stride = (2, 2)
    return model


class Signals(nn.Module):
    """ResNet-18 over one dimension: every two-dimensional operation of He et al. 2015, table 1, with one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv1d(12, 64, 7, 2, 3, bias=False), nn.BatchNorm1d(64)
        inputs = 64
        for number, channels in enumerate(IMAGENET, 1):
            first = Plus1d(inputs, channels, 1 if number == 1 else 2)
            self.add_module(f"layer{number}", nn.Sequential(first, Plus1d(channels, channels, 1)))
            inputs = channels
        self.fc = nn.Linear(512, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool1d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(nn.functional.adaptive_avg_pool1d(x, 1).flatten(1))


def video_model(name: str) -> nn.Module:
    from torchvision.models import video

    return getattr(video, name)()


def timm_model(name: str) -> nn.Module:
    import timm

    return timm.create_model(name)


REFERENCES: dict[str, Callable[[], nn.Module]] = {
    "plain34": partial(ResNet, (3, 4, 6, 3), channels=IMAGENET, shortcut="plain"),
    "plain20_cifar": cifar(20, shortcut="plain"),
    "plain56_cifar": cifar(56, shortcut="plain"),
    **{f"resnet{layers}_cifar": cifar(layers) for layers in (20, 32, 44, 56, 110, 1202)},
    "resnet56_cifar_b": cifar(56, shortcut="B"),
    "resnet56_cifar_c": cifar(56, shortcut="C"),
    **{
        f"resnet110_cifar_{order}": cifar(110, order=order)
        for order in ("norm_after_add", "act_before_add", "act_only_pre")
    },
    "preact_resnet110_cifar": cifar(110, order="pre"),
    "resnet110_cifar_stochastic_depth": cifar(110, shortcut="pooled", last_drop=0.5),
    "preact_resnet164_cifar": cifar_of_bottlenecks(164),
    "preact_resnet1001_cifar": cifar_of_bottlenecks(1001),
    **{f"preact_resnet{layers}": imagenet(layers, order="pre") for layers in DEPTHS},
    **{f"resnet{layers}_v1": partial(first_stride, layers) for layers in (50, 101, 152)},
    "resnext29_8x64d_cifar": resnext29(8),
    "resnext29_16x64d_cifar": resnext29(16),
    "wrn16_8_cifar": wide(16, 8),
    "wrn28_10_cifar": wide(28, 10),
    "wrn40_4_cifar": wide(40, 4),
    "resnet18_1d": Signals,
    **{name: partial(torchvision_model, name) for name in (*GROUPED, "wide_resnet50_2", "wide_resnet101_2")},
    **{name: partial(video_model, name) for name in ("r3d_18", "mc3_18", "r2plus1d_18")},
    "seresnet50": partial(timm_model, "seresnet50"),
    "resnet50d": partial(timm_model, "resnet50d"),
}
"""A reference for each spec."""


def on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return REFERENCES[name]()


# -- equal keys, equal results -----------------------------------------------------------------------------------------

ELSEWHERE = {
    *(*GROUPED, "wide_resnet50_2", "wide_resnet101_2", "seresnet50", "resnet50d"),
    *("resnext29_16x64d_cifar", "resnet152_v1", "preact_resnet101", "preact_resnet152"),  # figures and keys, below
}
SLOW = {"resnet101_v1", "r3d_18", "mc3_18"}
"""Beside the largest networks, which tests/conftest.py knows."""
SIZES = {(32, 32): (16, 16), (224, 224): (64, 64), (16, 112, 112): (8, 32, 32), (5000,): (500,)}


def scrambled(name: str) -> nn.Module:
    """A reference with weights that tell every key from every other, without the time of drawing its own."""
    model = on_meta(name).to_empty(device="cpu")
    for buffer in model.buffers():
        buffer.zero_()
    scramble(model)
    if name == "resnet1202_cifar":  # what 600 residuals add would pass the largest number
        for key, value in model.named_parameters():
            value.data.mul_(0.1 if key.endswith("bn2.weight") else 1)
    return model


def small(graph: archspec.Graph) -> Tensor:
    """Two small examples: global pooling takes any size."""
    channels, *size = graph.input
    return torch.randn(2, channels, *SIZES[tuple(size)], generator=torch.Generator().manual_seed(1))


def parameters_of(names: Iterable[str], slow: set[str]) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.slow) if name in slow else name for name in names]


@pytest.mark.parametrize("name", parameters_of((name for name in REFERENCES if name not in ELSEWHERE), SLOW))
def test_network_is_its_reference_bit_for_bit(name: str) -> None:
    graph, reference = archspec.compile(name), scrambled(name)
    model = archspec.build(graph, weights=reference.state_dict())
    assert list(model.state_dict()) == list(reference.state_dict())
    assert_equivalent(model, reference, small(graph), lr=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["seresnet50", "resnet50d"])
def test_network_is_timms_bit_for_bit(name: str) -> None:
    graph, reference = archspec.compile(name), scrambled(name)
    model = archspec.build(graph, seed=0)
    transfer(reference, model, "keys")
    assert_equivalent(model, reference, small(graph), lr=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("layers", [50, 101, 152])
def test_pre_activation_is_timms(layers: int) -> None:
    """timm names the parts otherwise, and ends with a 1x1 convolution for the linear layer, which sums otherwise."""
    with torch.device("meta"):
        reference = timm_model(f"resnetv2_{layers}").to_empty(device="cpu")
    scramble(reference)
    model = archspec.build(f"preact_resnet{layers}", seed=0)
    given = {preact_key(key): value for key, value in reference.state_dict().items()}
    given["fc.weight"] = given["fc.weight"].flatten(1)
    model.load_state_dict(given)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x), reference.eval()(x), rtol=1e-5, atol=1e-5)


def preact_key(key: str) -> str:
    """Our key for one of timm's: ``stages.0.blocks.1.norm2.weight`` is ``layer1.1.bn2.weight``."""
    if key.startswith("stages."):
        _, stage, _, block, *rest = key.split(".")
        key = ".".join([f"layer{int(stage) + 1}", block, *rest])
    key = key.replace("stem.conv.", "conv1.").replace("head.fc", "fc").replace("downsample.conv", "downsample.0")
    return f"bn1.{key[5:]}" if key.startswith("norm.") else key.replace(".norm", ".bn")


# -- figures -----------------------------------------------------------------------------------------------------------

PAPERS = {
    # He et al. 2015, table 6.
    "resnet20_cifar": "0.27M",
    "resnet32_cifar": "0.46M",
    "resnet44_cifar": "0.66M",
    "resnet56_cifar": "0.85M",
    "resnet110_cifar": "1.7M",
    "resnet1202_cifar": "19.4M",
    # Zagoruyko and Komodakis 2016, table 5, also for the networks of He et al. 2016.
    "preact_resnet110_cifar": "1.7M",
    "preact_resnet164_cifar": "1.7M",
    "preact_resnet1001_cifar": "10.2M",
    "wrn40_4_cifar": "8.9M",
    "wrn16_8_cifar": "11.0M",
    "wrn28_10_cifar": "36.5M",
    # Xie et al. 2016, table 7.
    "resnext29_8x64d_cifar": "34.4M",
    "resnext29_16x64d_cifar": "68.1M",
}
WITHOUT_NORM = {"preact_resnet1001_cifar", "resnext29_16x64d_cifar"}
"""The figures agree where the scales and biases of the normalisation are left out, as the notes of these specs say."""


@pytest.mark.parametrize("name", parameters_of(REFERENCES, {"resnet1202_cifar", "preact_resnet1001_cifar"}))
def test_figures_and_keys_are_the_references(name: str) -> None:
    """What the spec expects was counted on the reference, by its parameters and by FlopCounterMode."""
    graph, reference = archspec.compile(name), on_meta(name).eval()
    with FlopCounterMode(display=False) as counter:
        reference(torch.empty(1, *graph.input, device="meta"))
    expected = graph.origin.document.value["expect"]
    params = parameters(reference)
    assert expected["params"] in (params, PAPERS.get(name))
    assert expected["macs"] == counter.get_total_flops() // 2
    ours, theirs = (model.state_dict() for model in (archspec.build(graph, device="meta"), reference))
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs.values()]
    assert list(ours) == list(theirs)
    if name in PAPERS:
        norms = sum(parameters(module) for module in reference.modules() if isinstance(module, nn.BatchNorm2d))
        assert rounded(params - (norms if name in WITHOUT_NORM else 0), PAPERS[name]) == PAPERS[name]


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def rounded(number: int, like: str) -> str:
    """A number in millions with as many places as ``like``, a paper's figure."""
    return f"{number / 1e6:.{len(like.partition('.')[2]) - 1}f}M"


# -- beginnings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18", "r2plus1d_18"])
def test_video_networks_start_as_torchvisions(name: str) -> None:
    """Other than its ResNets, they start their last layer from a normal distribution and without a bias."""
    model = archspec.build(name, seed=0)
    weight, bias = (model.state_dict()[f"fc.{key}"] for key in ("weight", "bias"))
    assert not bias.any()
    assert abs(float(weight.std()) - 0.01) < 2e-4
    assert float(weight.abs().max()) > 0.03  # no uniform distribution of that deviation
    first = model.state_dict()["stem.0.weight"]
    fan_out = first.shape[0] * first[0, 0].numel()
    assert abs(float(first.std()) / (2 / fan_out) ** 0.5 - 1) < 0.1


def test_depth_is_dropped_linearly_to_one_half() -> None:
    """Huang et al. 2016, equation 4: the first of 54 units survives with 1 - 1/108, the last with one half."""
    model = archspec.build("resnet110_cifar_stochastic_depth", device="meta")
    chances = [module.p for name, module in model.named_modules() if name.endswith("drop_path")]
    assert len(chances) == 54
    assert chances[0] == pytest.approx(1 / 108)
    assert chances[53] == 0.5
    assert chances == sorted(chances)
