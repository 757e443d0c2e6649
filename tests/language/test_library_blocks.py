"""The library's inverted residual against torchvision's, in a small EfficientNet."""

from __future__ import annotations

from functools import partial

import pytest
from torch import nn

from tests.support.equivalence import assert_network, codes, compiled
from tests.support.reference import torchvision_models

MBCONV = """
    input: [3, 64, 64]
    classes: 7
    stem: [layer: {out: 16, kernel: 3, stride: 2}]
    stages: {block: mbconv, count: [1, 3], channels: [16, 24], stride: [1, 2], expand: [1, 6], kernel: [3, 5]}
    head:
      - layer: {out: 4 * in_channels, kernel: 1, name: features.3}
      - pool: {type: avg, output: 1, name: avgpool}
      - flatten
      - dropout: {p: 0.1, name: classifier.0}
      - linear: {out: classes, name: classifier.1}
    norm: {eps: 0.001, momentum: 0.01}
    act: silu
    drop_path: 0.4 * number / blocks
    naming:
      stem: features
      stage: features.{stage}
      residual: block
      layer: "{position}"
      fragment: "{position}"
    """


def test_mbconv_is_torchvisions() -> None:
    torchvision_models()
    from torchvision.models.efficientnet import EfficientNet, MBConvConfig

    settings = [MBConvConfig(1, 3, 1, 16, 16, 1), MBConvConfig(6, 5, 2, 16, 24, 3)]
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
    reference = EfficientNet(settings, 0.1, stochastic_depth_prob=0.4, num_classes=7, norm_layer=norm)
    assert_network(MBCONV, reference)
    assert codes(compiled(MBCONV)) == []


@pytest.mark.parametrize(("column", "gates"), [("se: 0", 0), ("se: [0, 0.5]", 3)])
def test_mbconv_has_a_gate_only_where_it_squeezes(column: str, gates: int) -> None:
    graph = compiled(MBCONV.replace("block: mbconv,", f"block: mbconv, {column},"))
    squeezed = [node.shape[0] for node in graph.nodes if node.name.endswith("fc1")]
    assert squeezed == [8, 12, 12][:gates]
