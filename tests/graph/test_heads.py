"""Several heads: where they begin, their names, what the model returns, and the values that they read."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.emit.graph_json import to_json
from tests.support.equivalence import scramble
from tests.support.sources import assert_same_network

TEXT = """
archspec: 1
name: two
input: [3, 20, 23]
classes: 5
stem: cifar
stages: {block: basic, count: 2, channels: [8, 16], stride: [1, 2]}
heads:
  dense:
    - conv: {out: classes, bias: true}
    - upsample: {like: input, mode: bilinear}
  side:
    - from: layer2.0
    - pool: {type: avg, output: 1}
    - flatten
    - linear: {out: 8}
    - act
    - linear: {out: classes}
"""
SHAPES = {"dense": (5, 20, 23), "side": (5,)}


def test_heads_are_scopes_whose_steps_are_numbered() -> None:
    graph = archspec.compile(TEXT)
    assert {name: graph.shape(node) for name, node in graph.outputs.items()} == SHAPES
    keys = list(archspec.build(graph, device="meta").state_dict())[-6:]
    assert keys == ["dense.0.weight", "dense.0.bias", "side.2.weight", "side.2.bias", "side.4.weight", "side.4.bias"]


class Written(nn.Module):
    """The same heads by hand, on the backbone of a built model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        inner, weights = self.model, self.model.state_dict(keep_vars=True)
        value = inner.layer1(torch.relu(inner.bn1(inner.conv1(x))))
        blocks = dict(inner.layer2.named_children())  # a stage whose value is read inside is not an nn.Sequential
        first = blocks["0"](value)
        dense = nn.functional.conv2d(blocks["1"](first), weights["dense.0.weight"], weights["dense.0.bias"])
        dense = nn.functional.interpolate(dense, size=x.shape[2:], mode="bilinear", align_corners=False)
        side = first.mean((2, 3))
        for key, then in (("side.2", torch.relu), ("side.4", lambda each: each)):
            side = then(nn.functional.linear(side, weights[f"{key}.weight"], weights[f"{key}.bias"]))
        return {"dense": dense, "side": side}


@pytest.mark.parametrize("size", [(20, 23), (31, 17), (16, 16)])
def test_they_compute_what_is_written_by_hand_at_every_size(size: tuple[int, int]) -> None:
    model = archspec.build(TEXT, seed=0)
    scramble(model)
    model.eval()
    x = torch.randn(2, 3, *size)
    with torch.no_grad():
        found, wanted = model(x), Written(model)(x)
    assert list(found) == ["dense", "side"]
    assert torch.equal(found["dense"], wanted["dense"])
    assert torch.allclose(found["side"], wanted["side"], atol=1e-6)  # a mean and a pool add up in another order


FORMS: dict[str, tuple[str, Callable[[Any], list[Tensor]]]] = {
    "dict": ("", lambda found: [found["dense"], found["side"]]),
    "list": ("outputs: [side, dense]", lambda found: [found["dense"], found["side"]]),
    "keys": ("outputs: {out: dense, aux: side}", lambda found: [found["out"], found["aux"]]),
    "tuple": ("returns: tuple", list),
    "tuple of a list": ("outputs: [side, dense]\nreturns: tuple", lambda found: [found[1], found[0]]),
}


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
def test_what_the_model_returns(form: str, flat: bool) -> None:
    more, of = FORMS[form]
    x = torch.randn(2, 3, 20, 23)
    plain = archspec.build(TEXT, seed=0).eval()
    graph = archspec.compile(f"{TEXT}{more}\n")
    model = archspec.build(graph, flat=flat, seed=0).eval()
    with torch.no_grad():
        wanted = list(plain(x).values())
        for each in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            found = each(x)
            assert type(found) is (tuple if "tuple" in form else dict)
            assert all(torch.equal(one, other) for one, other in zip(of(found), wanted, strict=True))
        exported = torch.export.export(model, (x,)).module()(x)
        assert isinstance(exported, type(found))
    assert archspec.graph_from_json(to_json(graph)) == graph
    assert_same_network(archspec.source(graph), graph)


def test_the_form_of_the_result_is_part_of_the_network() -> None:
    prints = [archspec.compile(f"{TEXT}{more}\n").fingerprint for more, _ in FORMS.values()]
    assert len(set(prints)) == len(FORMS)
    assert archspec.compile(f"{TEXT}returns: dict\n").fingerprint == prints[0]
    assert json.loads(to_json(archspec.compile(f"{TEXT}returns: tuple\n")))["returns"] == "tuple"


def test_onnx_has_an_output_for_each_key(tmp_path: Any) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    graph = archspec.compile(f"{TEXT}outputs: {{out: dense, aux: side}}\n")
    model = archspec.build(graph, seed=0).eval()
    path = tmp_path / "two.onnx"
    archspec.write(graph, path, weights=model.state_dict())
    x = torch.randn(2, 3, 20, 23)
    with torch.no_grad():
        wanted = model(x)
    session = onnxruntime.InferenceSession(path)
    assert [each.name for each in session.get_outputs()] == ["out", "aux"]
    for found, value in zip(session.run(None, {"input": x.numpy()}), wanted.values(), strict=True):
        numpy.testing.assert_allclose(found, value.numpy(), atol=1e-4)


UNREAD = {
    "outputs: dense": ["side"],
    "outputs: [layer1, layer2]": ["dense", "side"],
    "outputs: {map: dense}\nhead: classifier": ["side"],
    "outputs: {map: dense}\nfrozen: [side]": ["side"],
    "outputs: [dense]\nhead: [act: {from: side}]": ["side"],
    "outputs: [dense, head]\nhead: [act: {from: side}]": [],
    "outputs: [dense, {training: side}]": [],
    "outputs: [dense, side.2]": [],
    "outputs: [dense]\nsilence: [W310]": [],
    "returns: tuple": [],
}


@pytest.mark.parametrize("more", UNREAD)
def test_a_head_that_nothing_returns_or_reads(more: str) -> None:
    text = f"{TEXT}{more}\n"
    graph = archspec.compile(text)
    found = [each for each in graph.warnings if each.code == "W310"]
    places = [(each.span.line, each.span.column) if each.span else None for each in found]
    lines = [line.strip() for line in text.splitlines()]
    assert places == [(lines.index(f"{name}:") + 1, 3) for name in UNREAD[more]]


def test_a_head_of_another_spec_may_be_left_out(tmp_path: Path) -> None:
    """The warning is for the file that writes the head, and for what is set from outside in vain."""
    (tmp_path / "two.yaml").write_text(TEXT + "outputs: [dense, side]\n")
    child = "archspec: 1\nname: one\nextends: two\n"
    (tmp_path / "one.yaml").write_text(child + "outputs: dense\n")
    (tmp_path / "three.yaml").write_text(child + "heads: {more: [conv: {out: 3}]}\n")

    def warned(name: str, *overrides: str) -> list[str]:
        graph = archspec.compile(archspec.load(tmp_path / f"{name}.yaml", overrides=overrides))
        return [f"{each.code} {each.message.split('`')[1]}" for each in graph.warnings]

    assert warned("one") == []
    assert warned("two", "outputs=dense") == warned("two", "outputs.1={training: side}") == []
    assert warned("three") == ["W310 more"]
    assert warned("two", "heads.late=[conv: {out: 3}]") == ["W310 late"]
    assert warned("two", "outputs=side", "heads.late=[conv: {out: 3}]") == ["W310 late"]


def test_a_head_beside_the_others_comes_last() -> None:
    graph = archspec.compile(f"{TEXT}head: classifier\n")
    assert list(graph.outputs) == ["dense", "side", "head"]
    assert list(archspec.build(graph, device="meta").state_dict())[-2:] == ["fc.weight", "fc.bias"]
    assert list(archspec.compile(f"{TEXT}head: classifier\noutputs: head\n").outputs) == ["head"]


@pytest.mark.parametrize("key", ["outputs: head", "outputs: [head, {training: side}]", "frozen: [head]"])
def test_the_head_that_a_spec_with_heads_lacks_is_explained(key: str) -> None:
    """And what the help says to write is accepted."""
    for more in ("", "head: null\n"):
        with pytest.raises(archspec.SpecError) as caught:
            archspec.compile(f"{TEXT}{more}{key}\n")
        (fault,) = caught.value.diagnostics
        assert (fault.code, fault.span and fault.span.line) == ("E310", TEXT.count("\n") + 1 + more.count("\n"))
        assert fault.help == ("a spec with `heads` has no default head; to add the usual one, write `head: classifier`")
    assert archspec.compile(f"{TEXT}head: classifier\n{key}\n").nodes[-1].name == "fc"


@pytest.mark.parametrize("stem", ["cifar", "[]"])
@pytest.mark.parametrize("head", ["head: classifier\n", ""])
def test_only_parts_that_are_there_are_offered_for_outputs(stem: str, head: str) -> None:
    text = f"{TEXT}{head}outputs: nowhere\n".replace("cifar", stem)
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(text)
    (fault,) = caught.value.diagnostics
    for part, there in (("stem", stem != "[]"), ("head", head != "")):
        assert (f"`{part}`" in (fault.help or "")) == there
        if there:
            archspec.compile(text.replace("nowhere", part))


def test_a_head_reads_another_by_name() -> None:
    more = "  after: [linear: {out: 3, from: side}]\n"
    assert archspec.compile(TEXT + more).by_name["after.0"].inputs == ("side.4",)


def test_the_naming_may_put_heads_and_the_rest_elsewhere() -> None:
    naming = 'naming: {heads: "heads.{name}", backbone: trunk}\n'
    keys = list(archspec.build(TEXT.replace("layer2.0", "trunk.layer2.0") + naming, device="meta").state_dict())
    assert {key.split(".")[0] for key in keys} == {"trunk", "heads"}
    plain = list(archspec.build(TEXT, device="meta").state_dict())
    assert [key.split(".", 1)[1] for key in keys] == plain
    without = list(archspec.build(f'{TEXT}naming: {{heads: ""}}\n', device="meta").state_dict())
    assert without[-6:] == ["conv2.weight", "conv2.bias", "fc.weight", "fc.bias", "fc2.weight", "fc2.bias"]


def test_a_variant_takes_a_head_away() -> None:
    heads = "archspec: 1\nname: one\nextends: resnet18\nhead: null\nheads:\n  a: [flatten, linear: {out: 3}]\n"
    assert not archspec.compile(heads).warnings
    assert list(archspec.compile(heads).outputs) == ["a"]
    assert isinstance(archspec.build(heads, device="meta")(torch.empty(1, 3, 224, 224, device="meta")), dict)


@pytest.mark.parametrize("heads", ["", "heads: {}", "heads: {a: null}"])
def test_without_a_head_there_is_the_classifier(heads: str) -> None:
    """Heads that are null are not set, and nor is `head: null`."""
    text = f"archspec: 1\nname: one\nextends: resnet18\nhead: null\n{heads}\n"
    graph = archspec.compile(text)
    assert graph.outputs == {"output": "fc"}
    assert graph.single


@pytest.mark.parametrize("outputs", ["[head, {training: head}]", "[{training: head}, head]"])
def test_what_is_returned_in_both_modes_is_not_left_out_of_one(outputs: str) -> None:
    graph = archspec.compile(f"archspec: 1\nname: one\nextends: resnet18\noutputs: {outputs}\n")
    assert [each.code for each in graph.warnings] == ["W309"]
    assert graph.training == frozenset()
    assert archspec.analyze(graph).totals.layers == 18


FCN = """
archspec: 1
name: fcn
input: [3, 20, 24]
classes: 5
fragments:
  fcn:
    inputs: [features, image]
    steps:
      - conv: {out: width // 4, kernel: 3, from: features}
      - norm
      - conv: {out: classes, bias: true}
      - upsample: {like: image, mode: bilinear}
stem: cifar
stages: {block: basic, count: 1, channels: [8, 16], stride: [1, 2]}
heads:
  main: {use: fcn, features: layer2, image: input}
  side: {use: fcn, features: layer1, image: input}
"""


@pytest.mark.parametrize("outputs", ["[main, side]", "[side]", "{out: main, aux: {training: side}}"])
def test_a_head_that_calls_a_fragment_with_inputs_is_a_class_whose_forward_takes_them(outputs: str) -> None:
    graph = archspec.compile(f"{FCN}outputs: {outputs}\n")
    text = archspec.source(graph)
    assert "class Fcn(nn.ModuleDict):" in text  # its modules have numbers, as torchvision's have
    assert "def forward(self, x: Tensor, image: Tensor) -> Tensor:" in text
    assert_same_network(text, graph)
    assert_same_network(archspec.source(graph), graph, (17, 31))
    assert archspec.graph_from_json(to_json(graph)) == graph
