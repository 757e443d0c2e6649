"""Networks of torchvision that are not in the zoo, whole, as specs made of the small ones of the family tests."""

from __future__ import annotations

import archspec
from tests.networks.test_families import DENSENET
from tests.networks.test_families_of_torchvision import MOBILENET, REGNET
from tests.support.equivalence import compiled

DENSENET121 = (
    DENSENET.replace("[3, 64, 64]", "[3, 224, 224]")
    .replace("classes: 5", "classes: 1000")
    .replace("out: 8,", "out: 64,")
    .replace("count: [2, 3], channels: 4", "count: [6, 12, 24, 16], channels: 32")
    .replace("[transition, null]", "[transition, transition, transition, null]")
)
MOBILENET_V2 = MOBILENET.replace("[3, 64, 64]", "[3, 224, 224]").replace("classes: 7", "classes: 1000")
MOBILENET_V2 = (
    MOBILENET_V2[: MOBILENET_V2.index("count:")]
    + """count: [1, 2, 3, 4, 3, 3, 1]
      channels: [16, 24, 32, 64, 96, 160, 320]
      stride:   [1, 2, 2, 2, 1, 2, 1]
      expand:   [1, 6, 6, 6, 6, 6, 6]
      after:    [null, null, null, null, null, null, [layer: {out: 1280, kernel: 1}]]
    head:
      - pool: {type: avg, output: 1}
      - flatten
      - dropout: {p: 0.2}
      - linear: {out: classes}
    """
)
REGNET_Y_400MF = (
    REGNET.replace("[3, 64, 64]", "[3, 224, 224]")
    .replace("classes: 7", "classes: 1000")
    .replace("{depth: 6, w_0: 16, w_a: 20.0, w_m: 2.2}", "{depth: 16, w_0: 48, w_a: 27.89, w_m: 2.09}")
)

ALEXNET = """
    input: [3, 224, 224]
    norm: none
    blocks:
      plain:
        channels: output width
        params: {kernel: 3}
        steps: [layer: {out: channels, kernel: kernel, bias: true}]
    fragments:
      halve: {steps: [pool: {type: max, kernel: 3, stride: 2}]}
    stem:
      - layer: {out: 64, kernel: 11, stride: 4, padding: 2, bias: true}
      - halve
    stages: {block: plain, count: [1, 3], channels: [192, [384, 256, 256]], kernel: [5, 3], after: halve}
    head:
      - pool: {type: avg, output: 6}
      - flatten
      - dropout
      - linear: {out: 4096}
      - act
      - dropout
      - linear: {out: 4096}
      - act
      - linear: {out: classes}
    """

SQUEEZENET1_0 = """
    input: [3, 224, 224]
    norm: none
    blocks:
      fire:
        channels: output width
        params: {squeeze: null}
        steps:
          - layer: {out: squeeze, bias: true}
          - concat:
              - [layer: {out: channels // 2, bias: true}]
              - [layer: {out: channels // 2, kernel: 3, bias: true}]
    fragments:
      halve: {steps: [pool: {type: max, kernel: 3, stride: 2, ceil: true}]}
    stem:
      - layer: {out: 96, kernel: 7, stride: 2, padding: 0, bias: true}
      - halve
    stages:
      block: fire
      count: [3, 4, 1]
      channels: [[128, 128, 256], [256, 384, 384, 512], 512]
      squeeze: [[16, 16, 32], [32, 48, 48, 64], 64]
      after: [halve, halve, null]
    head:
      - dropout
      - layer: {out: classes, bias: true}
      - pool: {type: avg, output: 1}
      - flatten
    """

SPECS = {
    "densenet121": DENSENET121,
    "mobilenet_v2": MOBILENET_V2,
    "regnet_y_400mf": REGNET_Y_400MF,
    "alexnet": ALEXNET,
    "squeezenet1_0": SQUEEZENET1_0,
}


def family(name: str) -> archspec.Graph:
    """The graph of a network of torchvision, by torchvision's name."""
    return compiled(SPECS[name])
