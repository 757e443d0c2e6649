"""Definitions of known networks: how many there are, what they are called, and when their optional parts are there."""

from __future__ import annotations

import inspect
import keyword
from dataclasses import replace

import pytest
import torch

import archspec
from archspec.graph.class_names import MODULES
from archspec.graph.definitions import Definition
from archspec.graph.formulas import show
from archspec.graph.graph import Graph
from archspec.graph.patterns import Leaf, Repeat, Use, definitions, patterns, runs
from tests.graph.test_patterns import is_class
from tests.support.properties import compiled

IN_TORCHVISION = {  # classes that torchvision's own source has for a network, without the network and its stages
    "resnet50": {"Bottleneck"},  # its downsample is a sequence in place
    "googlenet": {"BasicConv2d", "Inception"},  # its branches are sequences in place
    "densenet121": {"_DenseLayer", "_Transition"},
    "mobilenet_v2": {"Conv2dNormActivation", "InvertedResidual"},  # its `conv` is a list of layers in place
    "mobilenet_v3_large": {"Conv2dNormActivation", "SqueezeExcitation", "InvertedResidual"},
    "efficientnet_b0": {"Conv2dNormActivation", "SqueezeExcitation", "MBConv"},
    "efficientnet_v2_s": {"Conv2dNormActivation", "SqueezeExcitation", "MBConv", "FusedMBConv"},
    "inception_v3": {"BasicConv2d", "InceptionA", "InceptionB", "InceptionC", "InceptionD", "InceptionE"},
    "squeezenet1_1": {"Fire"},
    "mnasnet1_0": {"_InvertedResidual"},
    "vgg16": set(),
}

FURTHER = {
    "googlenet": {"Branch2"},  # two branches of each module; torchvision writes out both
    "inception_v3": {"Normalize"},  # a method there, `_transform_input`
}

SIGNATURES = {
    "resnet18": "Projection(in_channels, out_channels, stride) Basic(in_channels, channels, stride)",
    "resnet50": "Projection(in_channels, out_channels, stride) Bottleneck(in_channels, channels, stride)",
    "googlenet": "ConvNormAct(in_channels, out_channels, kernel, stride)"
    " Branch2(in_channels, hidden, out_channels) Branch4(in_channels, project)"
    " Inception(in_channels, one, reduce3, three, reduce5, five, project)",
    "densenet121": "Dense(in_channels) Transition(in_channels)",
    "mobilenet_v2": "ConvNormAct(in_channels, out_channels, kernel, stride, groups)"
    " Conv(in_channels, channels, expand, stride) Inverted(in_channels, channels, expand, stride)",
    "mobilenet_v3_large": "ConvNormAct(in_channels, out_channels, kernel, stride, groups, act)"
    " SqueezeExcite(in_channels, squeeze) Block(in_channels, channels, width, kernel, stride, act, squeeze)"
    " Bneck(in_channels, channels, width, kernel, stride, act, squeeze)",
    "efficientnet_b0": "ConvNormAct(in_channels, out_channels, kernel, stride, groups, act)"
    " SqueezeExcite(in_channels, squeeze) Block(in_channels, channels, expand, kernel, stride)"
    " MBConv(in_channels, channels, expand, kernel, stride, drop_path)",
    "convnext_tiny": "Block(channels) ConvNeXt(channels, drop_path) Downsample(in_channels)",
    "inception_v3": "ConvNormAct(in_channels, out_channels, kernel, stride, padding) BlockA(in_channels, project)"
    " BlockC(width) BlockE(in_channels)",
}

CONDITIONS = {
    "resnet50": {"Bottleneck.downsample": "stride != 1 or in_channels != 4 * channels"},
    "resnet50d": {
        "AvgProjection.0": "stride != 1",
        "Bottleneck.downsample": "stride != 1 or in_channels != 4 * channels",
    },
    "preact_resnet50": {"Bottleneck.downsample": "stride != 1 or in_channels != 4 * channels"},
    "resnet18": {"Basic.downsample": "stride != 1 or in_channels != channels"},
    "mobilenet_v2": {"Conv.0": "expand != 1", "Inverted.1": "stride == 1 and in_channels == channels"},
    "mobilenet_v3_large": {
        "ConvNormAct.2": "act is not None",
        "Block.0": "in_channels != width",
        "Block.2": "squeeze > 0",
        "Bneck.1": "stride == 1 and in_channels == channels",
    },
    "efficientnet_b0": {
        "ConvNormAct.2": "act",
        "Block.0": "expand != 1",
        **dict.fromkeys(("MBConv.drop_path", "MBConv.add"), "stride == 1 and in_channels == channels"),
    },
    "shufflenet_v2_x1_0": {
        "Unit.branch1.left": "stride == 1",
        "Unit.branch2.right": "stride == 1",
        "Unit.branch1": "stride != 1",
    },
}

LOOPS = {
    "densenet121": ["64 + 32 * i", "128 + 32 * i", "256 + 32 * i", "512 + 32 * i"],
    "convnext_tiny": ["0.1 * i / 17", "0.1 * (i + 3) / 17", "0.1 * (i + 6) / 17", "0.1 * (i + 15) / 17"],
    # the first block of a stage has no shortcut; 5, 8 and 11 blocks are before the stages of three, three and four
    "efficientnet_b0": ["0.2 * (i + 6) / 16", "0.2 * (i + 9) / 16", "0.2 * (i + 12) / 16"],
}


def of(name: str) -> tuple[Definition, ...]:
    return definitions(patterns(archspec.compile(name)))


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_there_are_the_classes_that_torchvision_has(name: str) -> None:
    """A sequence that is used at one place is written there, as a projection is in torchvision."""
    found = of(name)
    places = [id(part.what.definition) for each in found for part in each.parts if isinstance(part.what, Use)]
    classes = [each for each in found if is_class(each) and (each.kind == "block" or places.count(id(each)) > 1)]
    names = {each.class_name for each in classes} - FURTHER.get(name, set())
    assert len(names) == len(IN_TORCHVISION[name])


@pytest.mark.parametrize("name", SIGNATURES)
def test_parameters_have_the_names_of_the_spec(name: str) -> None:
    signatures = [(each.class_name, [parameter.name for parameter in each.parameters]) for each in of(name)]
    found = [f"{class_name}({', '.join(names)})" for class_name, names in signatures if names]
    assert " ".join(found) == SIGNATURES[name]


@pytest.mark.parametrize("name", CONDITIONS)
def test_optional_parts_have_the_condition_that_a_person_writes(name: str) -> None:
    parts = [(f"{each.class_name}.{part.path}", part.when) for each in of(name) for part in each.parts]
    assert {path: show(when) for path, when in parts if when is not None} == CONDITIONS[name]


@pytest.mark.parametrize("name", LOOPS)
def test_runs_progress_by_a_formula(name: str) -> None:
    found = [run for each in of(name) for run in runs(each) if isinstance(run, Repeat)]
    uses = [run.part.what for run in found if isinstance(run.part.what, Use)]
    shown = [show(value) for use in uses for value in use.arguments.values()]
    assert [text for text in shown if "i" in text.replace("nn.SiLU", "")] == LOOPS[name]


HOSTILE = """
archspec: 1
name: {name}
input: [3, 8, 8]
classes: 4
blocks:
  {block}:
    params: {{{param}: 3}}
    residual:
      - layer: {{out: channels, kernel: {param}}}
stem: []
stages: {{block: {block}, count: [2, 1], channels: [3, 3], {param}: [3, 5]}}
head: classifier
"""


@pytest.mark.parametrize("param", ["lambda_", "x", "self", "i", "torch", "filter", "nn", "in_features"])
@pytest.mark.parametrize("block", ["b", "conv2d", "sequential", "tensor", "f", "import", "list", "_", "exception"])
def test_names_are_safe_in_python(block: str, param: str) -> None:
    safe_names(compiled(HOSTILE.format(name="m", block=block, param=param)))


@pytest.mark.parametrize("name", ["2plus1d", "", "…", 'a b"""', "class", "été", "7"])
def test_any_name_in_a_graph_is_safe(name: str) -> None:
    """A spec cannot have such names, but a graph that is made by hand can."""
    graph = archspec.compile("mobilenet_v3_small")
    regions, named = (tuple([replace(each, name=name) for each in several]) for several in (graph.regions, graph.named))
    safe_names(replace(graph, name=name, regions=regions, named=named))


def safe_names(graph: Graph) -> None:
    found = definitions(patterns(graph))
    names = [each.class_name for each in found]
    assert len(set(names)) == len(names)
    assert [name for name in names if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name)] == []
    assert not {*names} & {"Tensor", "F", "OrderedDict", *dir(torch.nn), *dir(__builtins__)}
    parameters = [parameter.name for each in found for parameter in each.parameters]
    assert [name for name in parameters if not name.isidentifier() or keyword.iskeyword(name)] == []
    assert not {*parameters} & {"self", "x", "i", "torch", "nn", "F"}


def test_no_class_has_the_name_of_one_in_torch() -> None:
    assert {name for name, each in vars(torch.nn).items() if inspect.isclass(each)} <= MODULES


ACTIVATIONS = """
archspec: 1
name: acts
input: [3, 8, 8]
classes: 4
blocks:
  plain:
    steps:
      - layer: {out: channels, kernel: 3, name: first}
      - layer: {out: channels, kernel: 3, name: second}
stem: []
stages: {block: plain, count: [1, 1, 1], channels: [4, 8, 16], act: [relu, silu, gelu]}
head: []
"""


@pytest.mark.parametrize("naming", ["", "naming: {act: act}\n", "naming: {convention: sequential}\n"])
def test_activations_that_differ_are_a_parameter(naming: str) -> None:
    """Also where their names follow from their kinds, because no key of the state dict has these."""
    plain = next(each for each in definitions(patterns(compiled(ACTIVATIONS + naming))) if each.name == "plain")
    values = {each.name: [show(value) for value in each.values] for each in plain.parameters}
    assert values["act"] == ["nn.ReLU", "nn.SiLU", "PointwiseGELU"]


MANY = """
archspec: 1
name: many
input: [3, 64, 64]
classes: 4
stem: imagenet
stages:
  block: bottleneck
  count: [2, 2, 3, 2]
  channels: [16, 32, 64, 128]
  stride: [1, 2, 2, 2]
  se: [0, 0, 0.25, 0.25]
  groups: [1, 2, 4, 8]
  dilation: [1, 1, 1, 2]
head: classifier
activation_order: pre
shortcut: avg-projection
drop_path: 0.1 * number / blocks
"""


def test_a_block_with_three_optional_parts_is_one_definition() -> None:
    block = next(each for each in definitions(patterns(compiled(MANY))) if each.kind == "block" and each.name != "se")
    assert len(block.uses) == 9
    assert [each.name for each in block.parameters] == [
        *("in_channels", "channels", "groups", "se", "stride", "dilation", "drop_path"),
    ]
    assert {part.path: show(part.when) for part in block.parts if part.when is not None} == {
        "se": "se > 0",
        "downsample": "stride != 1 or in_channels != 4 * channels",
        "drop_path": "drop_path > 0",
    }
    conv = next(part.what for part in block.parts if part.path == "conv2")
    assert isinstance(conv, Leaf)
    assert {name: show(value) for name, value in conv.call.kwargs.items()} == {
        "kernel_size": "3",
        "stride": "stride",
        "padding": "dilation",
        "dilation": "dilation",
        "groups": "groups",
        "bias": "False",
    }
    assert show(conv.call.args[1]) == "channels * groups"


TOLD = """
archspec: 1
name: told
input: [3, 32, 32]
classes: 10
blocks:
  own:
    params: {gate: false, squeeze: 0, twice: true}
    residual:
      - layer: {out: channels, kernel: 3, stride: stride}
      - layer: {out: channels, kernel: 3, when: twice}
      - multiply:
          when: gate
          skip: []
          gate:
            - pool: {type: avg, output: 1}
            - conv: {out: squeeze, name: down}
            - conv: {out: channels, name: up}
stem: cifar
stages:
  block: own
  count: [2, 2, 2]
  channels: [16, 32, 64]
  stride: [1, 2, 2]
  gate: [false, true, true]
  squeeze: [0, 5, 11]
  twice: [true, true, false]
head: classifier
"""


def test_parameters_of_the_spec_that_are_true_or_false_tell_what_is_there() -> None:
    own = next(each for each in definitions(patterns(compiled(TOLD))) if each.name == "own")
    conditions = {part.path: show(part.when) for part in own.parts if part.when is not None}
    assert conditions == {
        **dict.fromkeys(("relu", "conv2", "bn2"), "twice"),
        **dict.fromkeys(("gate", "multiply"), "gate"),
        "downsample": "stride != 1 or in_channels != channels",
    }
    assert [each.name for each in own.parameters] == ["in_channels", "channels", "gate", "squeeze", "twice", "stride"]
