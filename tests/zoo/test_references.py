"""The zoo as a whole: all of torchvision, each spec short, and each the network that it says it reproduces.

Here keys and graphs are compared, on the meta device, for one network of each family; `make prove` compares those of
every network, and what they compute.
"""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

import archspec
from tests.support.equivalence import assert_equivalent, scramble
from tests.support.paths import ROOT
from tests.support.reference import torchvision_models
from tests.support.zoo import FAMILIES
from tests.zoo.table import BEGIN, END, row_of, table
from tests.zoo.test_resnets import REFERENCES as BY_HAND

pytestmark = pytest.mark.usefixtures("freed")

torchvision_models()

SPECS = {path.stem: path for path in sorted((ROOT / "specs").glob("*.yaml"))}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in SPECS.items()}
CLAIMED = {name: found[1] for name, text in TEXTS.items() if (found := re.search(r"^reference: (.+)$", text, re.M))}
TRANSFORMERS = (
    *("maxvit_t", "swin_b", "swin_s", "swin_t", "swin_v2_b", "swin_v2_s", "swin_v2_t"),
    *("vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32"),
)


def test_all_convolutional_classifiers_of_torchvision_are_here() -> None:
    from torchvision import models

    classifiers = models.list_models(module=models)
    assert set(TRANSFORMERS) < set(classifiers)
    convolutional = set(classifiers) - set(TRANSFORMERS)
    assert len(convolutional) == 68
    named = {name for name, reference in CLAIMED.items() if reference.partition("(")[0] == f"torchvision:{name}"}
    assert convolutional <= named


def test_all_segmentation_networks_of_torchvision_are_here() -> None:
    from torchvision import models

    names = models.list_models(module=models.segmentation)
    assert len(names) == 6
    for name in names:
        (entry,) = models.get_model_weights(name)
        size = entry.transforms.keywords["resize_size"]
        costs = archspec.analyze(name, input=(3, size, size)).totals.costs
        assert (CLAIMED[name].partition("(")[0], costs.params) == (f"torchvision:{name}", entry.meta["num_params"])
        assert abs((costs.macs or 0) / 1e9 - entry.meta["_ops"]) <= 0.0006


def test_every_spec_is_compared_with_something() -> None:
    """With the reference that it names, or in tests/zoo/test_resnets.py or below with one that is written by hand."""
    assert set(SPECS) == {*CLAIMED, *BY_HAND, "densenet_bc_100_12_cifar"}


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if re.search("^extends:", text, re.M)])
def test_a_variant_is_at_most_ten_lines(name: str) -> None:
    assert sum(1 for line in TEXTS[name].splitlines() if line.strip()) <= 10


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FAMILIES if name in CLAIMED])
def test_keys_and_graph_are_the_references(name: str) -> None:
    verdict = archspec.verify(name, CLAIMED[name], levels=("keys", "graph"))
    assert verdict.graph.held, [fault.message for fault in verdict.diagnostics]
    if CLAIMED[name].startswith("torchvision:"):
        assert verdict.keys.held, [fault.message for fault in verdict.diagnostics]
    assert set(verdict.key_map) == set(archspec.build(name, device="meta").state_dict())


@pytest.mark.parametrize("name", [name for name in CLAIMED if CLAIMED[name] == f"torchvision:{name}"])
def test_figures_are_those_that_torchvision_publishes(name: str) -> None:
    """Parameters exactly, and MACs to the three places of its documentation, at the size of its weights' first crop."""
    from torchvision import models

    if name in models.list_models(module=models.segmentation):
        pytest.skip("figures of another size: test_all_segmentation_networks_of_torchvision_are_here")
    costs = archspec.analyze(name).totals.costs
    assert costs.macs is not None
    published = [(weights.meta["num_params"], weights.meta["_ops"]) for weights in models.get_model_weights(name)]
    assert any(costs.params == params and abs(costs.macs / 1e9 - macs) <= 0.0006 for params, macs in published)


def test_dense_blocks_for_cifar_are_torchvisions() -> None:
    """Huang et al. 2016: torchvision's DenseNet with 3 blocks of 16 layers, after one 3x3 convolution."""
    from torchvision.models import DenseNet

    reference = DenseNet(12, (16, 16, 16), 24, num_classes=10)
    stem = reference.features
    stem.conv0 = nn.Conv2d(3, 24, 3, padding=1, bias=False)
    for name in ("norm0", "relu0", "pool0"):
        setattr(stem, name, nn.Identity())
    scramble(reference)
    model = archspec.build("densenet_bc_100_12_cifar", weights=reference.state_dict())
    assert list(model.state_dict()) == list(reference.state_dict())
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert_equivalent(model, reference, x, lr=1e-6)


def test_the_page_has_the_figures_of_every_spec() -> None:
    """What a row says of the levels is compared by `make prove`, which finds it."""
    page = (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8")
    lines = page.partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    wanted = table([row_of(path, proved=False) for path in SPECS.values()]).splitlines()
    plain = [[cell.strip() for cell in line.split("|")] for line in lines]
    assert [[*cells[:4], *cells[7:]] for cells in plain] == [
        [*cells[:4], *cells[7:]] for cells in ([cell.strip() for cell in line.split("|")] for line in wanted)
    ]
