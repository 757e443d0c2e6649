"""What names mean before and after a stage, words in quotes as defaults, and one hash for one slice."""

from __future__ import annotations

import pytest

import archspec
from tests.support.properties import fingerprint

HEAD = "archspec: 1\nname: t\nextends: resnet18\n"


@pytest.mark.parametrize("key", ["before", "after"])
@pytest.mark.parametrize("where", ["spec", "stage", "nowhere"])
def test_the_name_of_a_setting_is_what_the_step_takes(key: str, where: str) -> None:
    """The block has settings of its own, which the steps beside the stage do not take."""
    blocks = "blocks: {b: {act: gelu, norm: layer, residual: [layer: {out: channels, stride: stride}]}}\n"
    own = {"spec": "act: silu\nnorm: instance\n", "stage": "", "nowhere": ""}[where]
    cells = ", act: tanh, norm: {type: group, groups: 4}" if where == "stage" else ""
    step = "conv: {out: 64, bias: \"norm == 'batch'\"}, norm, act: {type: ACT}"
    text = f"{HEAD}{own}{blocks}stages: {{block: b, {key}: [[{step}], null, null, null]{cells}}}\n"
    found = archspec.compile(text.replace("ACT", "act"))
    assert found.fingerprint == archspec.compile(text.replace("{type: ACT}", "{}")).fingerprint
    kinds = [node.operation.kind for node in found.nodes if node.name.startswith(f"{key}1.")]
    assert kinds == {"spec": ["conv", "inorm", "silu"], "stage": ["conv", "gn", "tanh"]}.get(
        where, ["conv", "bn", "relu"]
    )


@pytest.mark.parametrize("default", ["elu", "\"'elu'\"", "null"])
@pytest.mark.parametrize("given", ["tanh", "\"'tanh'\"", "\"'tanh' if classes > 1 else 'elu'\""])
def test_a_default_in_quotes_is_a_word(default: str, given: str) -> None:
    text = f"{HEAD}fragments: {{f: {{params: {{kind: {default}}}, steps: [act: {{type: kind}}]}}}}\n"
    assert fingerprint(f"{text}stem: [conv: {{out: 64, stride: 4}}, f: {{kind: {given}}}]\n") == fingerprint(
        f"{text}stem: [conv: {{out: 64, stride: 4}}, f: {{kind: tanh}}]\n"
    )


def test_one_slice_has_one_hash() -> None:
    text = f"{HEAD}stem: [conv: {{out: 64, stride: 4}}, slice: SLICE]\n"
    forms = ["{}", "{start: 0}", "{stop: 64}", "{start: 0, stop: width}", "{stop: 32 * 2}"]
    assert len({fingerprint(text.replace("SLICE", form)) for form in forms}) == 1
    assert fingerprint(text.replace("SLICE", "{stop: 63}, pad_channels: {out: 64}")) != fingerprint(
        text.replace("SLICE", "{}")
    )
