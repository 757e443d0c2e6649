"""Any node or scope as an output, against torchvision's own extraction of features."""

from __future__ import annotations

import pytest
import torch

import archspec
from archspec.emit.lowlevel import lowlevel_source
from tests.support.equivalence import compiled, scramble
from tests.support.properties import fingerprint
from tests.support.reference import torchvision_models
from tests.support.sources import assert_same_network, executed

IMAGE = (2, 3, 64, 64)


def theirs(name: str) -> str:
    """torchvision's name of a node: it counts the calls of one module from 1, archspec counts nodes from 2."""
    scope, _, last = name.rpartition(".")
    return f"{scope}.relu_{int(last[4:]) - 1}" if last.startswith("relu") and last[4:] else name


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("resnet18", ["conv1", "relu", "maxpool", "layer1.0.conv1", "layer1.0.bn2", "layer1.0.add", "layer1.0.relu2"]),
        ("resnet18", ["layer2.0.downsample.0", "layer2.0.downsample", "layer2.0", "layer2", "avgpool", "fc"]),
        ("resnet50", ["layer1.0.bn3", "layer3.4.relu2", "layer4.2"]),
        ("vgg16", ["features.3", "features.8", "features.15", "features.22"]),
        ("vgg16", ["features.29", "features", "classifier.0", "classifier"]),
        ("squeezenet1_1", ["features.3.squeeze", "features.4.expand3x3", "features.7"]),
        ("mobilenet_v2", ["features.2.conv.0", "features.2.conv.1", "features.7", "features.18"]),
        ("mobilenet_v2", ["features.2.conv", "features.3.conv.2", "features"]),
        ("densenet121", ["features.denseblock1.denselayer2.norm1", "features.denseblock2.denselayer3.conv2"]),
    ],
)
@pytest.mark.parametrize("flat", [False, True])
def test_the_value_is_torchvisions(spec: str, names: list[str], flat: bool) -> None:
    with torch.device("meta"):
        whole = getattr(torchvision_models(), spec)(weights=None).eval()
    scramble(whole.to_empty(device="cpu"))
    from torchvision.models.feature_extraction import create_feature_extractor

    for module in whole.modules():  # it returns what the activation after a node writes over it
        if hasattr(module, "inplace"):
            module.inplace = False
    reference = create_feature_extractor(whole, {theirs(name): name for name in names})
    model = archspec.build(archspec.load(spec, overrides=[f"outputs={names}"]), device="meta", flat=flat).eval()
    state = whole.state_dict()
    assert model.state_dict().keys() <= state.keys()
    model.load_state_dict({key: state[key] for key in model.state_dict()}, assign=True)
    image = torch.randn(IMAGE)
    expected, found = reference(image), model(image)
    assert list(found) == names
    for name in names:
        assert torch.equal(found[name], expected[name]), name


@pytest.mark.parametrize("spec", ["resnet18", "vgg11", "squeezenet1_1", "shufflenet_v2_x0_5", "densenet121"])
def test_every_node_and_every_scope_is_an_output(spec: str) -> None:
    graph = archspec.compile(spec)
    nodes = [node.name for node in graph.nodes]
    scopes = {name.rsplit(".", depth)[0] for name in nodes for depth in range(1, name.count(".") + 1)}
    names = [*nodes, *sorted(scopes - set(nodes))]
    found = archspec.compile(archspec.load(spec, overrides=[f"outputs={names}"]))
    assert list(found.outputs) == names
    for name, value in found.outputs.items():
        inside = [each for each in nodes if each == name or each.startswith(f"{name}.")]
        assert value == inside[-1]


def test_keys_do_not_depend_on_what_is_returned() -> None:
    names = ["layer1.0.conv1", "layer3.1.bn1", "fc"]
    state = archspec.build("resnet18", device="meta").state_dict()
    model = archspec.build(archspec.load("resnet18", overrides=[f"outputs={names}"]), device="meta")
    assert list(model.state_dict()) == list(state)
    assert isinstance(model.get_submodule("layer1.1"), torch.fx.GraphModule)


def test_a_value_that_is_returned_is_not_written_over() -> None:
    """In training too: the activation after it would work in place."""
    names = ["layer1.0.bn1", "layer1.0.relu", "bn1"]
    overrides = [f"outputs={names}"]
    model = archspec.build(archspec.load("resnet18", overrides=overrides), seed=0).train()
    found = model(torch.randn(IMAGE))
    assert (found["layer1.0.bn1"] < 0).any()
    assert torch.equal(found["layer1.0.relu"], found["layer1.0.bn1"].relu())
    assert (found["bn1"] < 0).any()


ACTIVATED = """
input: [3, 16, 16]
classes: 5
stem: [conv: {out: 4, kernel: 3}, act, norm]
stages: {block: basic, count: 2, channels: [4, 8], stride: [1, 2], after: [[act: {type: silu}], []]}
head: [act: {type: tanh}, pool: {type: avg, output: 1}, act: {type: sigmoid}, flatten, linear: {out: classes}]
"""
"""Each kind of part, with an activation that a line of source could write around it."""


@pytest.mark.parametrize("together", [False, True], ids=["each with the head", "all at once"])
def test_sources_keep_what_is_returned(together: bool) -> None:
    names = [node.name for node in compiled(ACTIVATED).nodes]
    for outputs in [names] if together else [[name, "head"] for name in names]:
        graph = compiled(f"{ACTIVATED}outputs: {outputs}\nreturns: {'tuple' if together else 'dict'}")
        assert_same_network(archspec.source(graph), graph)
        model = archspec.build(graph, seed=0).eval()
        image = torch.randn(2, *graph.input)
        with torch.no_grad():
            found = executed(lowlevel_source(graph)).forward(image, model.state_dict())
            wanted = model(image)
        assert type(found) is type(wanted)
        torch.testing.assert_close(found, wanted)


def test_a_value_that_a_merge_reads_twice_is_computed_once() -> None:
    table = "stages: {block: basic, count: 2, channels: 4, around: {use: twice}}\n"
    steps = "[blocks: {each: parts, as: last}, concat: {from: [parts, last]}]"
    graph = compiled(f"input: [3, 8, 8]\n{table}fragments: {{twice: {{steps: {steps}}}}}\n")
    assert_same_network(archspec.source(graph), graph)


HEAD = "archspec: 1\nname: t\nextends: resnet18\n"


@pytest.mark.parametrize(
    ("part", "node"),
    [("stem", "maxpool"), ("head", "fc"), ("layer2", "layer2.1.relu2"), ("layer1.0", "layer1.0.relu2")],
)
def test_a_part_is_its_last_node(part: str, node: str) -> None:
    assert fingerprint(f"{HEAD}outputs: {part}\n") == fingerprint(f"{HEAD}outputs: {node}\n")


def test_the_stages_of_one_scope_have_numbers() -> None:
    graph = archspec.compile(archspec.load("vgg11", overrides=['outputs=["features (1)", "features (3)", features]']))
    assert list(graph.outputs.values()) == ["features.1", "features.9", "features.20"]


def test_without_stages_too() -> None:
    text = "archspec: 1\nname: t\ninput: [1, 8, 8]\nstages: []\nstem: [conv: {out: 2}, act]\nhead: [flatten]\n"
    graph = archspec.compile(f"{text}outputs: [stem, head, conv1]\n")
    assert list(graph.outputs.values()) == ["relu", "flatten", "conv1"]


@pytest.mark.parametrize("name", ["stem", "head"])
def test_a_name_of_two_values_is_refused(name: str) -> None:
    step = f"[conv: {{out: 64, stride: 4, name: {name}.a}}, act]"
    text = f"{HEAD}stem: {step}\noutputs: [layer1, {name}]\n"
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(text)
    (fault,) = caught.value.diagnostics
    assert (fault.code, str(fault.span)) == ("E316", "<text>:5:19")
    archspec.compile(f"{HEAD}naming: {{stem: stem}}\noutputs: [layer1, stem]\n")


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile("archspec: 1\nname: t\nextends: vgg11\noutputs: [features.3x, hed]\n")
    assert [fault.code for fault in caught.value.diagnostics] == ["E310", "E310"]
    assert caught.value.diagnostics[1].hint == "did you mean `head`?"
    assert "features, features" not in caught.value.diagnostics[0].help


@pytest.mark.parametrize(
    ("frozen", "same"),
    [("stem", ["conv1", "bn1"]), ("head", ["fc"]), ("layer1", ["layer1.0", "layer1.1"])],
)
def test_a_part_is_frozen(frozen: str, same: list[str]) -> None:
    by_part, by_node = (archspec.analyze("resnet18", frozen=each).totals.costs.trainable for each in (frozen, same))
    assert by_part == by_node < archspec.analyze("resnet18").totals.costs.trainable


def test_every_name_of_the_table_can_be_frozen() -> None:
    report = archspec.analyze("vgg11")
    for row in report.rows:
        found = archspec.analyze("vgg11", frozen=f"{row.name} ({row.number})" if row.number else row.name)
        assert found.totals.costs.trainable == report.totals.costs.params - row.costs.params, row.name


def test_a_frozen_name_of_two_parts_is_refused() -> None:
    text = f"{HEAD}stem: [conv: {{out: 64, stride: 4, name: stem.a}}, norm]\n"
    with pytest.raises(archspec.SpecError) as caught:
        archspec.analyze(archspec.load(text), frozen="stem")
    assert [fault.code for fault in caught.value.diagnostics] == ["E316"]
