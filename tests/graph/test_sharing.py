"""Steps that share their weights: one set of tensors for several nodes, in every form of the network."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import numpy
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.graph.state import state
from archspec.passes import INFERENCE, Trained, run
from tests.graph.test_patterns import proved
from tests.support.equivalence import compiled
from tests.support.everywhere import assert_close
from tests.support.reference import torchvision_models
from tests.support.returned import returned
from tests.support.sources import assert_source, executed, network_class, written_names

TOWER = """
fragments:
  tower:
    params: {wide: 8}
    steps: [conv: {out: 8, kernel: 3}, norm, act, layer_scale, conv: {out: wide, kernel: 3, bias: true}]
"""
PYRAMID = f"""
input: [3, 16, 16]
classes: 5
{TOWER}
stem: [conv: {{out: 8, kernel: 3}}, act]
stages: {{block: basic, count: 2, channels: 8, stride: [1, 2]}}
head:
  - tower: {{share: all, from: layer1, as: p1}}
  - tower: {{share: all, from: layer2, as: p2}}
  - pool: {{type: max, kernel: 2}}
  - tower: {{share: all, as: p3}}
outputs: [p3, p1, p2]
"""
RECURRENT = """
input: [3, 8, 8]
classes: 5
blocks:
  recurrent:
    residual:
      - conv: {out: channels, kernel: 1}
      - repeat: {times: 3, steps: [{sequence: {share: cell, steps: [conv: {out: channels, kernel: 3}, norm]}}, act]}
stem: [conv: {out: 8, kernel: 3}]
stages: {block: recurrent, count: [4, 2], channels: [8, 12]}
"""
SIAMESE = """
input: [3, 8, 8]
classes: 4
stem:
  - subtract:
    - [slice: {stop: 1}, conv: {out: 8, kernel: 3, share: twin}, norm: {type: group, groups: 2, share: scale}]
    - [slice: {start: 1, stop: 2}, conv: {out: 8, kernel: 3, share: twin}, norm: {type: group, groups: 2, share: scale}]
stages: []
head: [pool: {type: avg, output: 1}, flatten, linear: {out: classes}]
"""
TWICE = """
input: [3, 8, 8]
classes: 4
fragments:
  part: {steps: [act, conv: {out: 8, kernel: 3}, norm]}
  tower:
    steps:
      - part: {share: part}
      - add: [[part: {share: part}], [act]]
      - pool: {type: avg, kernel: 2}
  mixed:
    inputs: [low]
    steps:
      - conv: {out: 8, kernel: 3, as: high}
      - conv: {out: 8, from: low, kernel: 3, as: other}
      - add: {from: [high, other]}
stem: [conv: {out: 8, kernel: 3}]
stages: []
head:
  - as: c1
  - pool: {type: max, kernel: 2, as: c2}
  - tower: {share: t, from: c1, as: d1}
  - tower: {share: t, from: d1, as: d2}
  - add: [[from: d1], [pool: {type: max, kernel: 2, from: c1}]]
  - mixed: {low: c2, share: m}
  - mixed: {low: d1, share: m, as: e}
outputs: [e, d2, d1]
"""
"""A part that is shared inside a shared part, and one that reads two values."""
BLOCKS = """
input: [3, 8, 8]
classes: 4
fragments:
  look: {params: {k: 3}, steps: [layer: {out: in_channels, kernel: k}, act: {type: sigmoid}]}
blocks:
  twin:
    residual:
      - multiply:
        - [layer: {out: channels, kernel: 1}, look: {share: look, name: a}]
        - [layer: {out: channels, kernel: 1}, look: {share: look, name: b}]
stem: [conv: {out: 8, kernel: 3}]
stages: {block: twin, count: [3, 2], channels: [8, 12]}
head: [pool: {type: avg, output: 1}, flatten, linear: {out: classes}]
"""
"""A part that the branches of each block share."""
SEQUENCES = """
input: [3, 8, 8]
classes: 4
stem:
  - concat:
    - [sequence: {name: one, share: s, steps: [slice: {stop: 2}, conv: {out: 8, kernel: 3}, norm, act]}]
    - [sequence: {name: two, share: s, steps: [slice: {stop: 2}, conv: {out: 8, kernel: 3}, norm, act]}]
  - concat:
    - [sequence: {name: three, share: u, steps: [conv: {out: 8, kernel: 3}, act: {type: relu}]}]
    - [sequence: {name: four, share: u, steps: [conv: {out: 8, kernel: 3}, act: {type: silu}]}]
  - layer: {out: 16, kernel: 3, share: l}
  - layer: {out: 16, kernel: 3, share: l}
stages: []
head: [pool: {type: avg, output: 1}, flatten, linear: {out: classes}]
"""
"""Sequences that begin with a function; the second pair differs in an operation without weights."""
OVERWRITING = """
input: [3, 8, 8]
classes: 4
fragments:
  look: {steps: [act, conv: {out: 8, kernel: 3}, act]}
stem: [conv: {out: 8, kernel: 3}]
stages: []
head:
  - look: {share: s}
  - conv: {out: 8, kernel: 3, as: c1}
  - look: {share: s, as: c2}
  - look: {share: s, as: c3}
outputs: [c1, c2, c3]
"""
"""The first call may overwrite what it reads; the later ones may not."""
NETWORKS = {
    "pyramid": PYRAMID,
    "recurrent": RECURRENT,
    "siamese": SIAMESE,
    "twice": TWICE,
    "blocks": BLOCKS,
    "sequences": SEQUENCES,
    "overwriting": OVERWRITING,
}
ALL = pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.layer_scale, self.conv2 = nn.Parameter(torch.ones(8, 1, 1)), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(torch.relu(self.bn1(self.conv1(x))) * self.layer_scale)


def results(model: nn.Module, images: Tensor) -> list[Tensor]:
    return returned(model(images))


def test_against_a_module_that_is_called_several_times() -> None:
    """Results, running statistics after each call, and gradients that add up."""
    graph = compiled(PYRAMID)
    model = archspec.build(graph, seed=0)
    tower = Tower()
    with torch.no_grad():
        model.tower.layer_scale.copy_(torch.rand_like(model.tower.layer_scale))
    tower.load_state_dict(model.tower.state_dict())
    backbone = archspec.build(compiled(PYRAMID.replace("outputs: [p3, p1, p2]", "outputs: [layer1, layer2]")), seed=1)
    backbone.load_state_dict({key: value for key, value in model.state_dict().items() if not key.startswith("tower.")})
    images = torch.randn(2, 3, 16, 16)
    maps = backbone(images)
    p1 = tower(maps["layer1"])
    p2 = tower(maps["layer2"])
    expected = [tower(torch.max_pool2d(p2, 2)), p1, p2]
    found = results(model, images)
    for own, other in zip(found, expected, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=0)
    sum(each.square().sum() for each in expected).backward()  # type: ignore[union-attr]
    sum(each.square().sum() for each in found).backward()  # type: ignore[union-attr]
    for (name, own), (_, other) in zip(model.tower.named_parameters(), tower.named_parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, msg=name)
    for key, value in tower.state_dict().items():
        assert torch.equal(value, model.tower.state_dict()[key]), key
    assert int(model.tower.bn1.num_batches_tracked) == 3


@ALL
def test_counted_once(text: str) -> None:
    graph = compiled(text)
    apart = archspec.compile(archspec.load(unshared(text)))
    assert graph.shared
    for flat in (False, True):
        model = archspec.build(graph, flat=flat)
        report = archspec.analyze(graph)
        assert report.totals.costs.params == sum(each.numel() for each in model.parameters())
        assert report.totals.costs.buffers == sum(each.numel() for each in model.buffers())
        assert list(state(graph)) == list(model.state_dict())
        assert report.memory.buffers == sum(each.nbytes for each in model.buffers())
    others = archspec.analyze(apart).totals.costs
    assert report.totals.costs.macs == others.macs
    assert report.totals.costs.params < others.params
    assert sum(part.costs.params for part in report.nodes) == report.totals.costs.params


def unshared(text: str) -> str:
    return re.sub(r"share: \w+,? ?", "", text).replace("conv: {, ", "conv: {") + "\narchspec: 1\nname: apart"


@ALL
def test_other_forms(text: str, tmp_path: Path) -> None:
    graph = compiled(text)
    model = archspec.build(graph, seed=0)
    weights = copy.deepcopy(model.state_dict())
    images = torch.randn(4, *graph.input)
    expected = results(model, images)
    after = model.state_dict()
    archspec.write(graph, tmp_path / "net.json")
    assert archspec.graph_from_json((tmp_path / "net.json").read_text()) == graph
    other = written_names(graph, tmp_path / "net.py", "python")["Model"]()
    assert list(other.state_dict()) == list(weights)
    other.load_state_dict(weights)
    for one, two in zip(results(other, images), expected, strict=True):
        assert torch.equal(one, two)
    assert all(torch.equal(value, after[key]) for key, value in other.state_dict().items())
    low = written_names(graph, tmp_path / "low.py", "lowlevel")
    assert set(low["new_params"]()) == set(weights)
    p = {key: value.clone() for key, value in weights.items()}
    found = low["forward"](images, p, training=True)
    for one, two in zip(returned(found), expected, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4)
    for key, value in p.items():
        torch.testing.assert_close(value, after[key], rtol=1e-3, atol=1e-4)


CALLS = {
    ("pyramid", "tower"): 3,
    ("recurrent", "conv2"): 2 * 3,
    ("twice", "tower"): 2,
    ("twice", "part"): 2,
    ("twice", "mixed3"): 2,
    ("blocks", "a"): 2 * 2,
    ("sequences", "one"): 2,
    ("overwriting", "look"): 3,
}


@pytest.mark.parametrize(("name", "part"), CALLS, ids=map("-".join, CALLS))
def test_source_calls_a_shared_part_as_a_whole(name: str, part: str, tmp_path: Path) -> None:
    """As a person writes it, in place of the operations inside it."""
    graph = compiled(NETWORKS[name])
    archspec.write(graph, tmp_path / "net.py", to="python")
    assert (tmp_path / "net.py").read_text().count(f"self.{part}(") == CALLS[name, part]
    archspec.write(graph, tmp_path / "low.py", to="lowlevel")
    lines = (tmp_path / "low.py").read_text().splitlines()
    calls = [line for line in lines if re.search(rf'\(.*p, (f"{{name}}\.|"){part}"', line) and "new_" not in line]
    assert len(calls) == CALLS[name, part]


@ALL
def test_onnx(text: str, tmp_path: Path) -> None:
    graph = compiled(text)
    model = archspec.build(graph, seed=0)
    results(model, torch.randn(4, *graph.input))  # statistics that are not those at the start
    archspec.write(graph, tmp_path / "net.onnx", weights=model.state_dict())
    names = [each.name for each in onnx.load(tmp_path / "net.onnx").graph.initializer]
    assert len(names) == len(set(names))
    assert sum(key in names for key in model.state_dict()) == len([k for k in state(graph) if "num_batches" not in k])
    images = torch.randn(2, *graph.input)
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    found = session.run(None, {"input": images.numpy()})
    with torch.no_grad():
        for one, two in zip(found, results(model.eval(), images), strict=True):
            numpy.testing.assert_allclose(one, two.numpy(), rtol=1e-3, atol=1e-4)


@ALL
def test_loaded_verified_and_folded(text: str) -> None:
    graph = compiled(text)
    model = archspec.build(graph, seed=0)
    again = archspec.build(graph, weights=model.state_dict())
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in again.state_dict().items())
    assert archspec.verify(graph, lambda: archspec.build(graph)).holds("keys", "graph", "outputs")
    folded = run(Trained(graph, model.state_dict()), INFERENCE)
    images = torch.randn(2, *graph.input)
    small = archspec.build(folded.graph, weights=dict(folded.state))
    for one, two in zip(results(small.eval(), images), results(model.eval(), images), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4)


def test_verification_tells_shared_from_separate() -> None:
    graph, apart = compiled(SIAMESE), archspec.compile(archspec.load(unshared(SIAMESE)))
    assert not archspec.verify(graph, lambda: archspec.build(apart)).holds("graph")
    assert not archspec.verify(apart, lambda: archspec.build(graph)).holds("graph")


def test_outputs_that_leave_out_the_first() -> None:
    """The keys stay those of the first step."""
    graph = compiled(PYRAMID.replace("[p3, p1, p2]", "p2"))
    whole = archspec.build(compiled(PYRAMID), seed=0)
    keys = [key for key in whole.state_dict() if key.startswith("tower.")]
    assert [key for key in archspec.build(graph).state_dict() if key.startswith("tower")] == keys
    model = archspec.build(graph, weights=whole.state_dict())
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(model.eval()(images), whole.eval()(images)["p2"])
    archspec.confirm(graph)


@pytest.mark.parametrize("outputs", ["[p3, p1, p2]", "p2", "[p2, p3]"])
def test_definitions_give_back_the_plan(outputs: str) -> None:
    """Also where the first step is not needed, so that a later one has the weights under the first one's name."""
    proved(compiled(PYRAMID.replace("[p3, p1, p2]", outputs)))


def test_freezing_one_use_freezes_all() -> None:
    graph = compiled(PYRAMID + "frozen: [tower2]")
    model = archspec.build(graph)
    model(torch.randn(2, 3, 16, 16))
    assert not any(each.requires_grad for each in model.tower.parameters())
    assert int(model.tower.bn1.num_batches_tracked) == 0
    own = sum(each.numel() for each in model.parameters() if each.requires_grad)
    assert archspec.analyze(graph).totals.costs.trainable == own


USES = """
input: [3, 8, 8]
classes: 3
stem: []
stages: []
head:
  - sequence: {name: x, share: s, steps: [conv: {out: 3}, layer_scale, dropout]}
  - sequence: {name: y, share: s, steps: [conv: {out: 3}, layer_scale, dropout], as: y}
  - sequence: {name: z, share: s, steps: [conv: {out: 3}, layer_scale, dropout]}
  - classifier
"""


@pytest.mark.parametrize("outputs", ["z", "[y, classifier]", "[z, {training: y}]"])
@pytest.mark.parametrize(
    "scopes", [["x"], ["y"], ["z"], ["x", "z"], ["y.dropout"], ["x.conv1"], ["z", "classifier"]], ids=str
)
def test_each_use_has_its_own_mode_though_weights_are_frozen_together(scopes: str, outputs: str) -> None:
    """A dropout that is not frozen stays in training mode, in every form, and is not called as one that is."""
    graph = compiled(f"{USES}frozen: {scopes}\noutputs: {outputs}\n")
    archspec.confirm(graph)
    assert assert_source(graph)
    model = archspec.build(graph, seed=0)
    made = network_class(executed(archspec.source(graph)))()
    trained = [{key: each.requires_grad for key, each in one.named_parameters()} for one in (model, made)]
    assert trained[0] == trained[1]
    weights = model.state_dict()
    x = torch.randn(2, 3, 8, 8)
    lowlevel = executed(archspec.source(graph, level="lowlevel"))
    results = []
    for form in (model.train(), lambda images: lowlevel.forward(images, weights, training=True)):
        torch.manual_seed(3)
        results.append(returned(form(x.clone())))
    for one, other in zip(*results, strict=True):
        assert_close(one.detach(), other.detach())


LEFT_OUT = """
input: [3, 8, 8]
classes: 3
stem: [layer: {out: 8, kernel: 3}]
stages: []
heads:
  a: [conv: {out: 3, share: x}, layer_scale: {share: y}]
  b: [conv: {out: 3, share: x, from: stem}, layer_scale: {share: y}]
outputs: b
"""


@pytest.mark.parametrize("scopes", [["b"], ["b.0"], ["stem"], ["stem", "b"]], ids=str)
def test_what_has_the_weights_of_a_part_that_is_left_out(scopes: list[str]) -> None:
    graph = compiled(f"{LEFT_OUT}frozen: {scopes}\nsilence: [W313]\n")
    archspec.confirm(graph)
    assert assert_source(graph)
    built, made = archspec.build(graph), network_class(executed(archspec.source(graph)))()
    trained = [{key: each.requires_grad for key, each in one.named_parameters()} for one in (built, made)]
    assert trained[0] == trained[1]
    assert not all(trained[0].values())


def test_torchvisions_retinanet() -> None:
    """Its classification head, applied to every level of a pyramid."""
    torchvision_models()
    from torchvision.models.detection.retinanet import RetinaNetClassificationHead  # type: ignore[import-untyped]

    theirs = RetinaNetClassificationHead(16, num_anchors=3, num_classes=5).eval()
    conv = "conv: {out: 16, kernel: 3, bias: true, name: '0'}"
    layers = "\n".join([f"      - sequence: {{name: conv.{n}, steps: [{conv}, act]}}" for n in range(4)])
    text = f"""
input: [16, 32, 32]
fragments:
  tower:
    steps:
{layers}
      - conv: {{out: 15, kernel: 3, bias: true, name: cls_logits}}
stem: []
stages: []
head:
  - as: p3
  - tower: {{share: tower, name: head, as: a}}
  - pool: {{type: max, kernel: 2, from: p3, as: p4}}
  - tower: {{share: tower, name: again, as: b}}
  - pool: {{type: max, kernel: 2, from: p4, as: p5}}
  - tower: {{share: tower, name: third, as: c}}
outputs: [a, b, c]
"""
    graph = compiled(text)
    weights = {f"head.{key}": value for key, value in theirs.state_dict().items()}
    ours = archspec.build(graph)
    assert {key: value.shape for key, value in ours.state_dict().items()} == {k: v.shape for k, v in weights.items()}
    ours.load_state_dict(weights)
    maps = [torch.randn(2, 16, 32, 32)]
    maps += [torch.max_pool2d(maps[0], 2)]
    maps += [torch.max_pool2d(maps[1], 2)]
    with torch.no_grad():
        expected = theirs(maps)
        found = ours.eval()(maps[0])
    flat = [each.view(2, 3, 5, -1).permute(0, 3, 1, 2).reshape(2, -1, 5) for each in found.values()]
    assert torch.equal(torch.cat(flat, 1), expected)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("conv: {out: 8, kernel: 3", "conv: {out: 8", ("conv(out=8, kernel=3)", "conv(out=8, kernel=1)")),
        ("conv: {out: 8", "conv: {out: 8, bias: true", ("conv(out=8, bias=false)", "conv(out=8, bias=true)")),
        (
            "conv: {out: 8, groups: 2",
            "conv: {out: 8, stride: 2",
            ("(out=8, stride=1, groups=2)", "(out=8, stride=2, groups=1)"),
        ),
        ("norm: {eps: 0.1", "norm: {type: batch", ("norm(eps=0.1)", "norm(eps=1e-05)")),
        ("conv: {out: 8", "linear: {out: 8", ("conv(out=8)", "linear(out=8)")),
    ],
)
def test_what_differs_is_shown_on_both_sides(first: str, second: str, told: tuple[str, str]) -> None:
    """Also where one side has the default."""
    with pytest.raises(archspec.SpecError) as caught:
        compiled(f"input: [8, 4, 4]\nstages: []\nhead: []\nstem: [{first}, share: a}}, {second}, share: a}}]")
    (fault,) = (each for each in caught.value.diagnostics if each.code == "E323")
    before, given = told
    assert re.fullmatch(rf".*`.*{re.escape(before)}`, but .* has `.*{re.escape(given)}` there", fault.message)


@pytest.mark.parametrize(
    ("code", "step"),
    [
        *(("E506", "norm: {type: instance}"), ("E206", "norm: {type: grn}")),
        *(
            ("E503", "norm: {type: group, groups: 3}"),
            ("E502", "conv: {out: 8, kernel: 3, padding: 0}"),
            ("E503", "conv: {out: 8, groups: 3}"),
        ),
        *(("E503", "conv: {out: 9, groups: 2}"), ("E502", "layer: {out: 8, kernel: 5, padding: 0}")),
        ("E506", "conv: {out: 8, kernel: [1, 1, 1]}"),
    ],
)
@pytest.mark.parametrize("fits", ["neither", "the first", "the second"])
def test_a_shared_step_that_does_not_fit_has_its_own_fault_alone(code: str, step: str, fits: str) -> None:
    """Its shape and its weights are only assumed."""
    shared = f"sequence: {{share: a, steps: [{step}]}}"
    steps = {
        "neither": [shared, shared],
        "the first": ["norm: {type: batch, share: a}", shared],
        "the second": [shared, "norm: {type: batch, share: a}"],
    }
    size = "[8]" if "grn" in step else "[8, 1, 1]"
    with pytest.raises(archspec.SpecError) as caught:
        compiled(f"input: {size}\nstages: []\nhead: []\nstem: [{', '.join(steps[fits])}]")
    assert {each.code for each in caught.value.diagnostics if each.severity == "error"} == {code}


WITHOUT_NORM = {
    "stem: STEPS\nstages: {block: basic, count: 1, channels: 3, activation_order: pre}": (
        "the last layer of the stem leaves its norm to the first block"
    ),
    "stem: []\nblocks: {b: {residual: STEPS}}\nstages: {block: b, count: 1, activation_order: norm-after-add}": (
        "the norm of a block's last layer comes after the merge"
    ),
}
AGAIN = {
    "[repeat: {times: 2, steps: [SHARED]}]": True,
    "[SHARED, SHARED]": True,
    "[repeat: {times: 2, steps: [sequence: {share: s, steps: [ONE, ONE]}]}]": True,
    "[add: {a: [SHARED], b: [SHARED, ONE]}]": False,
}


@pytest.mark.parametrize("steps", AGAIN)
@pytest.mark.parametrize("place", WITHOUT_NORM)
def test_the_order_that_leaves_a_shared_layer_without_its_norm_is_told(place: str, steps: str) -> None:
    """Of the same steps in both places; and what the help says to write is accepted."""
    text = "input: [3, 8, 8]\nclasses: 5\n" + place.replace("STEPS", steps)

    def written(layer: str) -> str:
        shared = (
            layer.replace("}", ", share: s}") if layer.startswith("layer") else layer.replace("{", "{share: s, ", 1)
        )
        return text.replace("SHARED", shared).replace("ONE", layer)

    with pytest.raises(archspec.SpecError) as caught:
        compiled(written("layer: {out: 3, kernel: 3}"))
    (fault,) = caught.value.diagnostics
    has, here = ("the weights of a norm", "no norm") if AGAIN[steps] else ("no weights of a norm", "a norm")
    assert (fault.code, fault.message) == (
        "E323",
        f"`share: s` has {has}, and this step has {here}: {WITHOUT_NORM[place]}",
    )
    assert fault.help == "give the layers `norm: none`, or write each as steps: `conv`, `norm`, `act`"
    assert fault.span not in [label.span for label in fault.labels]
    compiled(written("layer: {out: 3, kernel: 3, norm: none}"))
    compiled(written("sequence: {steps: [conv: {out: 3, kernel: 3}, norm, act]}"))
