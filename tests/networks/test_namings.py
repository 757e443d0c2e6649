"""The conventions: keys of timm's models, and of a plain nn.Sequential."""

from __future__ import annotations

import re
from collections import OrderedDict

import pytest
import torch
from torch import nn

import archspec
from archspec.verification.importing import timm
from tests.support.equivalence import scramble, spec

POOL = "pool: {type: max, kernel: 3, stride: 2, padding: 1}"
TIERED = (
    f"[layer: {{out: 24, kernel: 3, stride: 2}}, layer: {{out: 32, kernel: 3}}, layer: {{out: 64, kernel: 3}}, {POOL}]"
)
BARE = (
    "[conv: {out: 24, kernel: 3, stride: 2}, norm, act, conv: {out: 32, kernel: 3}, norm, act, "
    f"conv: {{out: 64, kernel: 3}}, norm, act, {POOL}]"
)
FRAGMENT = "{use: deep, narrow: 64, width: 128}"


def resnet(
    count: str, block: str = "bottleneck", stem: str = "imagenet", shortcut: str = "projection", more: str = ""
) -> str:
    return spec(f"""
        input: [3, 64, 64]
        classes: 1000
        naming: timm
        stem: {stem}
        shortcut: {shortcut}
        stages: {{block: {block}, count: {count}, channels: [64, 128, 256, 512], stride: [1, 2, 2, 2]{more}}}
        head: classifier
        """)


AVERAGE = "avg-projection"
GROUPS = ", groups: 32, base_width: 4"
MODELS = {
    "resnet18": resnet("[2, 2, 2, 2]", "basic"),
    "resnet26": resnet("[2, 2, 2, 2]"),
    "resnet50": resnet("[3, 4, 6, 3]"),
    "resnet18d": resnet("[2, 2, 2, 2]", "basic", "deep", AVERAGE),
    "resnet26d": resnet("[2, 2, 2, 2]", stem="deep", shortcut=AVERAGE),
    "resnet50d": resnet("[3, 4, 6, 3]", stem="deep", shortcut=AVERAGE),
    "resnet26t": resnet("[2, 2, 2, 2]", stem=TIERED, shortcut=AVERAGE),
    "resnet14t": resnet("[1, 1, 1, 1]", stem=BARE, shortcut=AVERAGE),
    "resnet10t": resnet("[1, 1, 1, 1]", "basic", TIERED, AVERAGE),
    "resnet50c": resnet("[3, 4, 6, 3]", stem="deep"),
    "resnet50s": resnet("[3, 4, 6, 3]", stem=FRAGMENT),
    "resnext50_32x4d": resnet("[3, 4, 6, 3]", more=GROUPS),
    "resnext50d_32x4d": resnet("[3, 4, 6, 3]", stem="deep", shortcut=AVERAGE, more=GROUPS),
    "seresnet50": resnet("[3, 4, 6, 3]", more=", se: 1 / 16"),
    "seresnext26d_32x4d": resnet("[2, 2, 2, 2]", stem="deep", shortcut=AVERAGE, more=f"{GROUPS}, se: 1 / 16"),
    "wide_resnet50_2": resnet("[3, 4, 6, 3]", more=", base_width: 128"),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_keys_of_timms_resnets(name: str) -> None:
    """In order and with their shapes; for one model of each kind of stem, also the outputs with its weights."""
    with torch.device("meta"):
        reference = timm().create_model(name, pretrained=False)
    found = archspec.build(MODELS[name], device="meta").state_dict()
    assert [(k, v.shape) for k, v in found.items()] == [(k, v.shape) for k, v in reference.state_dict().items()]


OF_THE_ZOO = (
    *("ecaresnet26t", "ecaresnetlight", "resnetaa34d", "resnetblur18", "resnetblur50d", "senet154", "seresnet50"),
    *("legacy_senet154", "legacy_seresnet18", "legacy_seresnext26_32x4d", "legacy_xception", "xception41"),
    *("regnetx_002", "regnety_008_tv", "regnety_040_sgn", "tresnet_m", "tresnet_v2_l"),
)


@pytest.mark.parametrize("name", OF_THE_ZOO)
def test_specs_of_the_zoo_have_timms_keys(name: str) -> None:
    with torch.device("meta"):
        reference = timm().create_model(name, pretrained=False)
    found = archspec.build(name, device="meta").state_dict()
    assert [(k, v.shape) for k, v in found.items()] == [(k, v.shape) for k, v in reference.state_dict().items()]


@pytest.mark.parametrize("name", ["resnet18", "resnet18d", "resnet10t", "resnet14t"])
def test_the_weights_of_timms_resnets(name: str) -> None:
    reference = timm().create_model(name, pretrained=False)
    scramble(reference)
    model = archspec.build(MODELS[name], weights=reference.state_dict())
    model.load_state_dict(reference.state_dict(), strict=True)
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(model.eval()(x), reference.eval()(x))


@pytest.mark.parametrize("name", ["resnet50", "resnet101", "resnet50d", "seresnet50", "wide_resnet50_2", "densenet121"])
def test_specs_of_the_zoo_with_timms_keys(name: str) -> None:
    with torch.device("meta"):
        reference = timm().create_model(name, pretrained=False)
    changes = [] if name == "densenet121" else ["naming=timm"]
    assert list(archspec.build(archspec.load(name, overrides=changes), device="meta").state_dict()) == list(
        reference.state_dict()
    )


@pytest.mark.parametrize(
    ("name", "theirs"), [("efficientnet_b0", "efficientnet_b0"), ("mobilenet_v2", "mobilenetv2_100")]
)
def test_other_models_of_timm_are_paired(name: str, theirs: str) -> None:
    """A map made from the order and the shapes alone gives timm's outputs."""
    reference = timm().create_model(theirs, pretrained=False)
    scramble(reference)
    state = reference.state_dict()
    model = archspec.build(name, weights=state, map=archspec.pair_keys(name, state))
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(model.eval()(x), reference.eval()(x))


# -- deep stems and left-out steps -------------------------------------------------------------------------------------


def names(stem: str, more: str = "", stages: str = "{block: basic, count: 1, channels: 8}") -> list[str]:
    text = spec(f"""
        input: [3, 32, 32]
        naming: {{convention: timm{more}}}
        stem: {stem}
        stages: {stages}
        """)
    graph = archspec.compile(text)
    return [node.name for node in graph.nodes if not node.name.startswith(("layer", "fc", "avgpool", "flatten"))]


@pytest.mark.parametrize(
    ("stem", "wanted"),
    [
        ("[layer: {out: 8}]", "conv1 bn1 relu"),
        ("[layer: {out: 8}, layer: {out: 8}]", "conv1.0 conv1.1 conv1.2 conv1.3 bn1 relu"),
        ("[pool: {type: avg, kernel: 2}, conv: {out: 8}]", "avgpool conv1"),
        ("[conv: {out: 8}, pool: {type: avg, kernel: 2}, conv: {out: 8}, norm]", "conv1.0 conv1.1 conv1.2 bn1"),
        ("[conv: {out: 8, when: classes > 1}, conv: {out: 8, when: classes < 1}]", "conv1"),
        ("[conv: {out: 8}, act: {when: classes < 1}, conv: {out: 8}]", "conv1.0 conv1.2"),
        ("[conv: {out: 8, name: a}, conv: {out: 8}]", "a conv1"),
        ("[conv: {out: 8}, se: {squeeze: 2}, conv: {out: 8}]", None),
    ],
)
def test_deep_stems(stem: str, wanted: str | None) -> None:
    found = names(stem)
    if wanted is None:
        assert found[0] == "conv1.0"
        assert all(re.match(r"conv1\.(0|2|se\.)", name) for name in found), found
    else:
        assert [name for name in found if name != "avgpool"] == [n for n in wanted.split() if n != "avgpool"]


def test_a_template_of_its_own_for_deep_stems() -> None:
    two = "[layer: {out: 8}, layer: {out: 8}]"
    assert names(two, ", deep: 'first{n}'")[0] == "first1.0"
    assert names(two, ", deep: ''") == ["conv1", "bn1", "relu", "conv2", "bn2", "relu2"]
    assert names(two, ", stem: stem, deep: conv")[:2] == ["stem.conv.0", "stem.conv.1"]


def test_a_network_without_stages_has_no_deep_stem() -> None:
    assert names("[layer: {out: 8}, layer: {out: 8}]", stages="[]")[:2] == ["conv1", "bn1"]


def test_a_step_that_is_left_out_keeps_its_position_if_the_naming_says_so() -> None:
    for left_out, wanted in (("counted", "layer1.0.downsample.1"), ("not-counted", "layer1.0.downsample.0")):
        text = spec(f"""
            input: [3, 8, 8]
            naming: {{left_out: {left_out}}}
            stem: cifar
            shortcut: avg-projection
            stages: {{block: basic, count: 1, channels: 8}}
            """)
        assert wanted in archspec.compile(text).by_name
    with pytest.raises(archspec.SpecError, match="E2"):
        archspec.load("resnet18", overrides=["naming={left_out: yes}"])


# -- sequential --------------------------------------------------------------------------------------------------------


def test_the_keys_of_nested_sequential_modules() -> None:
    def layer(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())

    def block(inputs: int, outputs: int) -> nn.Sequential:
        bare = (nn.Conv2d(outputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
        return nn.Sequential(layer(inputs, outputs), *bare, nn.MaxPool2d(2))

    features = nn.Sequential(layer(3, 8), nn.AvgPool2d(2), block(8, 8), block(8, 16), block(16, 16))
    classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 5))
    reference = nn.Sequential(OrderedDict(features=features, classifier=classifier))
    scramble(reference)
    text = spec("""
        input: [3, 32, 32]
        classes: 5
        naming: sequential
        stem: [layer: {out: 8, kernel: 3}, pool: {type: avg, kernel: 2, stride: 2}]
        blocks:
          own:
            steps:
              - layer: {out: channels, kernel: 3}
              - conv: {out: channels}
              - norm
              - act
              - pool: {type: max, kernel: 2, stride: 2}
        stages: {block: own, count: [1, 2], channels: [8, 16]}
        head: [pool: {type: avg, output: 1}, flatten, linear: {out: 12}, act, linear: {out: classes}]
        """)
    model = archspec.build(text, weights=reference.state_dict())
    assert list(model.state_dict()) == list(reference.state_dict())
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(model.eval()(x), reference.eval()(x))
