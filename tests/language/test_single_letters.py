"""Names of one letter, which YAML 1.1 lists as truth values, and which PyYAML and YAML 1.2 read as text."""

from __future__ import annotations

import pytest
import yaml

import archspec

PLACES = {
    "spec": "params: {NAME: 8}\nstem: [conv: {out: NAME}]\nstages: {block: basic, count: 1, channels: 2 * NAME}\n",
    "fragment": "fragments: {f: {params: {NAME: 8}, steps: [conv: {out: NAME}]}}\nstem: {use: f, NAME: 4}\n"
    "stages: {block: basic, count: 1, channels: 8}\n",
    "let": "fragments: {f: {let: {NAME: 8}, steps: [conv: {out: NAME}]}}\nstem: f\n"
    "stages: {block: basic, count: 1, channels: 8}\n",
    "required": "fragments: {f: {params: {NAME: null}, steps: [conv: {out: NAME}]}}\nstem: [f: {NAME: 8}]\n"
    "stages: {block: basic, count: 1, channels: 8}\n",
    "block": "blocks: {b: {params: {NAME: 1}, residual: [layer: {out: channels, groups: NAME}]}}\n"
    "stem: cifar\nstages: {block: b, count: 1, channels: [8, 8], NAME: [2, 4]}\n",
}
HEAD = "archspec: 1\nname: t\n"


@pytest.mark.parametrize("name", ["n", "N", "y", "Y"])
@pytest.mark.parametrize("place", PLACES)
def test_a_letter_names_a_parameter(place: str, name: str) -> None:
    text = HEAD + PLACES[place]
    found = archspec.compile(text.replace("NAME", name))
    assert found.fingerprint == archspec.compile(text.replace("NAME", "wide")).fingerprint


@pytest.mark.parametrize("name", ["n", "N", "y", "Y"])
def test_pyyaml_reads_the_same_text(name: str) -> None:
    assert yaml.safe_load(f"{{{name}: {name}}}") == {name: name}


@pytest.mark.parametrize("name", ["n", "Y"])
def test_the_counter_of_a_template_is_not_a_parameter(name: str) -> None:
    text = f"{HEAD}params: {{{name}: 8}}\nstem: [conv: {{out: {name}}}, act, act]\nnaming: {{act: 'a{{n}}'}}\n"
    graph = archspec.compile(text + "stages: {block: basic, count: 1, channels: 8}\n")
    assert [node.name for node in graph.nodes[:3]] == ["conv1", "a1", "a2"]


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "Yes", "NO"])
def test_a_value_that_readers_disagree_about_is_refused(word: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(f"{HEAD}extends: resnet18\nstem: [conv: {{out: 8, bias: {word}}}]\n")
    assert [fault.code for fault in caught.value.diagnostics] == ["E110"]
