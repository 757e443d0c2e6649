"""Specs of families with a width parameter, at other widths, against their references."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

import archspec
from archspec.graph.state import state
from archspec.verification.importing import timm
from tests.support.equivalence import scramble
from tests.support.reference import torchvision_model, torchvision_models

pytestmark = pytest.mark.usefixtures("freed")

WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.1, 1.3, 1.4, 2.0)


def efficientnet(width: float, depth: float) -> nn.Module:
    torchvision_models()
    from torchvision.models import efficientnet as family

    settings, last = family._efficientnet_conf("efficientnet_b0", width_mult=width, depth_mult=depth)
    return family.EfficientNet(settings, dropout=0.2, last_channel=last)


def mnasnet(width: float) -> nn.Module:
    torchvision_models()
    from torchvision.models.mnasnet import MNASNet

    return MNASNet(width)


def timms(name: str, **arguments: Any) -> nn.Module:
    model: nn.Module = timm().create_model(name, pretrained=False, **arguments)
    return model


@dataclass(frozen=True)
class Wide:
    """A network at another width: the overrides of the spec, the reference, and whether the keys are the same too."""

    spec: str
    overrides: Mapping[str, Any]
    reference: Callable[[], nn.Module] = field(repr=False)
    same_keys: bool = True

    def __str__(self) -> str:
        return "-".join([self.spec, *(f"{key}={value}" for key, value in self.overrides.items())])

    def load(self) -> archspec.Spec:
        return archspec.load(self.spec, overrides=[f"{key}={value}" for key, value in self.overrides.items()])


def scaled(spec: str, reference: Callable[[float], nn.Module], widths: tuple[float, ...] = WIDTHS, **more: Any) -> Any:
    """``scale.width`` of a spec, against a reference that takes the width."""
    for width in widths:
        yield Wide(spec, {"scale.width": width, "scale.divisor": 8}, partial(reference, width), **more)


def by_width(name: str, argument: str = "width_mult") -> Callable[[float], nn.Module]:
    return lambda width: torchvision_model(name, **{argument: width})


def resnet(layers: tuple[int, ...], groups: int, base: int) -> nn.Module:
    torchvision_models()
    from torchvision.models.resnet import Bottleneck, ResNet

    return ResNet(Bottleneck, list(layers), groups=groups, width_per_group=base)


BASES = (22, 32, 48, 64, 70, 83, 90, 128)
"""The inner width of a bottleneck of 64 channels at these widths, which is what `width_per_group` says."""

SCALED = [
    *(
        wide
        for name in ("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small")
        for wide in scaled(name, by_width(name))
    ),
    *(
        Wide(
            "mobilenet_v2",
            {"scale.width": width, "scale.divisor": 4},
            partial(torchvision_model, "mobilenet_v2", width_mult=width, round_nearest=4),
        )
        for width in (0.35, 1.3)
    ),
    *scaled("mnasnet1_0", mnasnet),
    *(
        Wide(f"mnasnet{name}", {"scale.width": width}, partial(mnasnet, width))
        for name, width in (("0_5", 0.35), ("0_75", 1.1), ("1_3", 1.4))
    ),
    *scaled("efficientnet_b0", partial(efficientnet, depth=1.0)),
    *(
        Wide(
            "efficientnet_b0",
            {"scale.width": 1.1, "scale.depth": depth, "scale.divisor": 8},
            partial(efficientnet, 1.1, depth),
        )
        for depth in (0.5, 1.4, 3.1)
    ),
    # A RegNet, DenseNet, VGG, ConvNeXt or SqueezeNet has no width parameter, and a ShuffleNet has a table.
    *(
        Wide(name, {"stages.base_width": base}, partial(resnet, layers, 1, base))
        for name, layers in (("resnet50", (3, 4, 6, 3)), ("wide_resnet101_2", (3, 4, 23, 3)))
        for base in BASES
    ),
    *(
        Wide("resnext50_32x4d", {"stages.base_width": base}, partial(resnet, (3, 4, 6, 3), 32, base))
        for base in (1, 2, 4, 8, 64)
    ),
    *(
        Wide("seresnet50", {"stages.base_width": base}, partial(timms, "seresnet50", base_width=base))
        for base in BASES[::3]
    ),
    *(
        Wide("resnet50d", {"stages.base_width": base}, partial(timms, "resnet50d", base_width=base))
        for base in BASES[::3]
    ),
    # Its widths are rounded before they are divided by four, so only those that need no rounding are the same.
    *scaled(
        "preact_resnet50",
        lambda width: timms("resnetv2_50", width_factor=width),
        (0.5, 0.75, 1.0, 1.25, 2.0),
        same_keys=False,
    ),
]
OF_TIMM = {  # the same families by another hand: only the number of parameters is compared
    ("mobilenet_v2", 0.35): "mobilenetv2_035",
    ("mobilenet_v2", 0.5): "mobilenetv2_050",
    ("mobilenet_v2", 0.75): "mobilenetv2_075",
    ("mobilenet_v2", 1.4): "mobilenetv2_140",
    ("mnasnet1_0", 0.5): "mnasnet_050",
    ("mnasnet1_0", 0.75): "mnasnet_075",
    ("mnasnet1_0", 1.4): "mnasnet_140",
}


def shapes(module: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    return [(key, tuple(tensor.shape)) for key, tensor in module.state_dict().items()]


@pytest.mark.parametrize("wide", SCALED, ids=str)
def test_a_width_is_that_of_the_family(wide: Wide) -> None:
    """Keys, shapes and parameters; no number is computed."""
    graph = archspec.compile(wide.load())
    with torch.device("meta"):
        expected = shapes(wide.reference())
    found = [(key, tensor.shape) for key, tensor in state(graph).items()]
    if wide.same_keys:
        assert found == expected
    long = [[tuple(n for n in shape if n != 1) for _, shape in side] for side in (found, expected)]  # 1x1 or linear
    assert sorted(long[0]) == sorted(long[1])
    assert graph.warnings == ()


def parameters(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize(("name", "width"), OF_TIMM, ids=str)
def test_timm_has_as_many_parameters(name: str, width: float) -> None:
    with torch.device("meta"):
        expected = parameters(timms(OF_TIMM[name, width]))
    graph = archspec.compile(Wide(name, {"scale.width": width, "scale.divisor": 8}, nn.Identity).load())
    assert archspec.analyze(graph).totals.costs.params == expected


@pytest.mark.parametrize(
    ("name", "width", "params"), [("mobilenet_v2", 1.4, 6_108_776), ("mobilenet_v3_large", 0.75, 3_377_576)]
)
def test_figures_of_two_widths(name: str, width: float, params: int) -> None:
    graph = archspec.compile(Wide(name, {"scale.width": width, "scale.divisor": 8}, nn.Identity).load())
    assert archspec.analyze(graph).totals.costs.params == params


COMPUTED = [
    *scaled("mobilenet_v2", by_width("mobilenet_v2"), (0.35, 1.4)),
    *scaled("mobilenet_v3_large", by_width("mobilenet_v3_large"), (0.75,)),
    *scaled("mobilenet_v3_small", by_width("mobilenet_v3_small"), (1.3,)),
    *scaled("mnasnet1_0", mnasnet, (1.1,)),
    *scaled("efficientnet_b0", partial(efficientnet, depth=1.0), (0.5,)),
]


@pytest.mark.parametrize("wide", COMPUTED, ids=str)
def test_it_computes_the_same(wide: Wide) -> None:
    reference = wide.reference()
    scramble(reference)
    model = archspec.build(wide.load(), weights=reference.state_dict())
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(model.eval()(x), reference.eval()(x))
