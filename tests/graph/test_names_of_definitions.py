"""Names of definitions that no scope can have: refused only where one becomes the name of a scope."""

from __future__ import annotations

import pytest

import archspec
from tests.support.properties import fingerprint

HEAD = "archspec: 1\nname: t\nextends: resnet18\n"
NAMES = ["double", "float", "half", "train", "forward", "class", "self", "input"]
SIDE = "[conv: {out: out_channels, stride: stride}]"
RESIDUAL = "[layer: {out: channels, stride: stride}]"
STEPS = "steps: [conv: {out: 64, stride: 4}]"


@pytest.mark.parametrize("name", NAMES)
def test_they_are_allowed_where_there_is_no_scope(name: str) -> None:
    fragment = f"fragments: {{'{name}': {{{STEPS}}}}}\n"
    texts = [
        f"{fragment}stem: '{name}'\n",
        f"{fragment}stem: {{use: '{name}'}}\n",
        f"{fragment}stem: ['{name}']\nnaming: {{fragment: ''}}\n",
        f"{fragment}stem: ['{name}': {{name: other}}]\n",
        f"shortcuts: {{'{name}': {{same: [], change: {SIDE}}}}}\nshortcut: '{name}'\n",
        f"blocks: {{'{name}': {{residual: {RESIDUAL}}}}}\nstages: {{block: '{name}'}}\n",
    ]
    if name not in ("class",):  # a word of Python may not be read by an expression
        texts.append(
            f"fragments: {{f: {{params: {{'{name}': 64}}, steps: [conv: {{out: {name}, stride: 4}}]}}}}\nstem: f\n"
        )
        texts.append(f"params: {{'{name}': 64}}\nstem: [conv: {{out: {name}, stride: 4}}]\n")
    for text in texts:
        other = text.replace(f"'{name}'", "plain").replace(f"out: {name},", "out: plain,")
        assert fingerprint(HEAD + text) == fingerprint(HEAD + other), text


@pytest.mark.parametrize("name", NAMES)
def test_where_one_names_a_scope_the_fault_says_how_to_name_it(name: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(f"{HEAD}fragments: {{'{name}': {{{STEPS}}}}}\nstem: ['{name}']\n")
    (fault,) = caught.value.diagnostics
    assert (fault.code, "the name of a scope" in fault.message, "`name:`" in fault.help) == ("E305", True, True)


@pytest.mark.parametrize("name", ["double", "self"])
def test_another_scope_has_another_help(name: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(f"{HEAD}stem: [sequence: {{name: {name}, steps: [conv: {{out: 64, stride: 4}}]}}]\n")
    assert [fault.help for fault in caught.value.diagnostics] == ["choose another name"]
