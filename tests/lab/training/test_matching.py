"""The network of a spec for some data: its input and classes, and what is said if it cannot have them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

import archspec
from archspec.diagnostics import Diagnostic, SpecError
from archspec.emit.metadata import metadata
from archspec.lab.data import load_data
from archspec.lab.training import Settings, evaluate, for_data, train

LARGE = ("resnet1202_cifar", "preact_resnet1001_cifar")

DIGITS, COLORED = load_data("digits"), load_data("synthetic")
HEAD = """
archspec: 1
name: mine
input: [3, 16, 16]
classes: 5
stem: [conv: {out: 8}]
stages: []
head: HEAD
"""


def refused(spec: archspec.SpecLike) -> Diagnostic:
    with pytest.raises(SpecError) as error:
        for_data(spec, DIGITS)
    return error.value.diagnostics[0]


def test_a_spec_however_it_is_given() -> None:
    spec = archspec.load("resnet20_cifar", overrides={"params.width": 4})
    graphs = [
        for_data(given, DIGITS) for given in (spec, archspec.compile(spec), archspec.compile(spec, input=(3, 16, 16)))
    ]
    graphs.append(for_data("resnet20_cifar", DIGITS, overrides=["params.width=4"]))
    assert {graph.input for graph in graphs} == {(1, 8, 8)}
    assert {graph.output for graph in graphs} == {(10,)}
    assert len({graph.fingerprint for graph in graphs}) == 1


def test_the_spec_that_is_saved_is_that_of_the_data() -> None:
    """A file of weights has the spec; it compiles to the network whose weights they are."""
    graph = for_data(archspec.load("resnet20_cifar"), DIGITS)
    assert archspec.compile(metadata(graph)["archspec"]).fingerprint == graph.fingerprint


def test_a_spec_that_imports_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "parts.yaml").write_text("archspec: 1\nfragments:\n  cifar:\n    steps: [conv: {out: 4}]\n")
    (tmp_path / "mine.yaml").write_text(
        HEAD.replace("HEAD", "classifier").replace("name: mine", "name: mine\nimport: parts.yaml")
    )
    spec = archspec.load(tmp_path / "mine.yaml")
    assert for_data(spec, DIGITS).input == (1, 8, 8)
    assert for_data(tmp_path / "mine.yaml", DIGITS).fingerprint == for_data(spec, DIGITS).fingerprint


@pytest.mark.parametrize(
    ("spec", "step", "size"),
    [("vgg11", "features.15", 32), ("densenet121", "features.transition2.pool", 32), ("inception_v3", "maxpool", 96)],
)
def test_a_network_that_shrinks_to_nothing(spec: str, step: str, size: int) -> None:
    """The fault has the place of the step, and the help the first size that fits."""
    found = refused(spec)
    assert found.code == "E864"
    assert found.span is not None
    assert found.span.source.name == f"{spec}.yaml"
    assert f"in {step}" in found.notes
    assert f"`load_data('digits', size={size})`" in found.help
    assert for_data(spec, load_data("digits", size=size)).output == (10,)


@pytest.mark.parametrize(("sizes", "words"), [("64", "1 size"), ("8, 8, 8", "3 sizes")])
def test_a_spec_of_sequences_or_volumes_is_not_made_one_of_images(sizes: str, words: str) -> None:
    text = HEAD.replace("HEAD", "classifier").replace("[3, 16, 16]", f"[1, {sizes}]")
    for spec in (text, archspec.load(text), archspec.compile(text)):
        found = refused(spec)
        assert found.code == "E864"
        assert f"the input of `mine` has {words} besides its channels, but the images" in found.message
        assert found.span is not None
        assert "overrides=['input=[1, 8, 8]']" in found.help
    assert for_data(text, DIGITS, overrides=["input=[1, 8, 8]"]).input == (1, 8, 8)


def test_the_networks_for_cifar_fit_the_digits_and_are_narrow_with_one_setting() -> None:
    names = [each.name for each in archspec.zoo("*_cifar")]
    assert len(names) > 15
    for name in names:
        if name in LARGE or name.startswith("densenet"):  # of which `params.growth` is the width
            continue
        graph = for_data(name, DIGITS, overrides={"params.width": 8})
        assert graph.by_name["conv1"].shape[0] == 8, name
        assert graph.shape(graph.stages[-1].result)[1] >= 2, name


@pytest.mark.parametrize(
    "head",
    [
        "[pool: {type: avg, output: 1}, flatten, linear: {out: 5}]",
        "[conv: {out: classes}]",
        "[flatten, linear: {out: classes + 1}]",
    ],
)
def test_a_head_that_does_not_give_a_number_for_each_class(head: str) -> None:
    found = refused(HEAD.replace("HEAD", head))
    assert found.code == "E863"
    assert found.span is not None
    assert found.span.line == 8
    assert "`digits` has 10 classes" in found.message


def test_a_network_with_several_outputs() -> None:
    found = refused(archspec.load("resnet20_cifar", overrides={"outputs": ["layer1", "layer3"]}))
    assert (found.code, "gives 2 outputs" in found.message) == ("E863", True)


SEVERAL = {
    "head: classifier\nheads: {side: classifier}\n": (7, "write `outputs: side`"),
    "heads: {side: [conv: {out: 10}]}\n": (6, "end the head with `linear: {out: classes}`"),
    "head: classifier\noutputs: {low: layer1, high: head}\nreturns: tuple\n": (7, "write `outputs: head`"),
    "head: classifier\noutputs: [layer1]\n": (7, "end a head, or what is returned here, with `linear: {out: classes}`"),
    "head: classifier\noutputs: [layer1, stem]\n": (7, "end a head with `linear: {out: classes}`"),
    "head: classifier\nheads: {side: [conv: {out: classes}]}\noutputs: [head, {training: side}]\n": (
        7,
        "end the head with `linear: {out: classes}`",
    ),
    "head: classifier\noutputs:\n  - head\n  - {training: layer1}\n": (
        9,
        "end a head, or what is returned here, with `linear: {out: classes}`",
    ),
}


@pytest.mark.parametrize("text", SEVERAL, ids=lambda text: text.replace("\n", " "))
def test_what_to_write_for_a_model_of_several_outputs(text: str) -> None:
    """Also of a wrong one in a dict; what the help says to write makes a network that can be trained."""
    start = "archspec: 1\nname: t\ninput: [1, 8, 8]\nstem: [conv: {out: 4}]\n"
    start += "stages: {block: basic, count: 1, channels: 4}\n"
    found, (line, help) = refused(start + text), SEVERAL[text]
    assert found.span is not None
    assert (found.code, found.span.line) == ("E863", line)
    assert found.help.startswith(help)
    if help.startswith("write"):
        assert for_data(start + text, DIGITS, overrides=[found.help.split("`")[1].replace(": ", "=")]).output == (10,)


ONE = [
    "heads: {side: classifier}\n",
    "head: null\nheads: {side: classifier}\n",
    "head: classifier\noutputs: [head]\n",
    "head: classifier\nheads: {side: classifier}\noutputs: [head, {training: side}]\n",
    "head: classifier\nheads: {side: classifier}\noutputs: [{training: side}, head]\nreturns: tuple\n",
    "heads: {first: classifier, side: classifier}\noutputs: {out: first, aux: {training: side}}\n",
]


@pytest.mark.parametrize("text", ONE, ids=lambda text: text.replace("\n", " "))
def test_a_model_that_returns_one_value_in_eval_mode(text: str) -> None:
    """It can be trained and tested, however it returns that value."""
    start = "archspec: 1\nname: t\ninput: [1, 8, 8]\nstem: [conv: {out: 4}]\n"
    graph = for_data(start + "stages: {block: basic, count: 1, channels: 4}\n" + text, DIGITS)
    model = archspec.build(graph, seed=0)
    history = train(model, DIGITS, Settings(epochs=1, auxiliary=0.3))
    with torch.no_grad():
        returned = model.eval()(DIGITS.test.images)
    (output,) = returned.values() if isinstance(returned, dict) else (returned,)
    wanted = functional.cross_entropy(output, DIGITS.test.labels).item()
    assert history.final.test_loss == pytest.approx(wanted, rel=1e-4)
    assert history.final.test_accuracy == evaluate(model, DIGITS.test).accuracy


def test_a_graph_without_a_spec_is_for_its_own_input() -> None:
    graph = replace(for_data("resnet20_cifar", DIGITS), origin=None)
    assert for_data(graph, DIGITS) is graph
    with pytest.raises(SpecError, match="E864"):
        for_data(graph, COLORED)


def test_a_fault_of_the_spec_stays_what_it_is() -> None:
    assert refused(HEAD.replace("HEAD", "[flaten]")).code == "E302"


@pytest.mark.parametrize(
    ("setting", "code", "said"),
    [
        ("classes=7", "E863", "`classes` is set to 7, but `digits` has 10"),
        (" classes = 7", "E863", "`classes` is set to 7, but `digits` has 10"),
        ("input=[3, 8, 8]", "E864", "`input` is set to [3, 8, 8], but `digits` has [1, 8, 8]"),
    ],
)
def test_an_override_that_differs_from_the_data_is_not_ignored(setting: str, code: str, said: str) -> None:
    with pytest.raises(SpecError) as error:
        for_data("resnet20_cifar", DIGITS, overrides=[setting])
    [found] = error.value.diagnostics
    assert (found.code, found.message) == (code, said)
    assert found.span is not None
    assert found.span.source.text == setting


def test_an_override_that_agrees_with_the_data_is_taken() -> None:
    graph = for_data("resnet20_cifar", DIGITS, overrides={"classes": 10, "input": [1, 8, 8]})
    assert graph.output == (10,)
