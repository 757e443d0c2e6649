"""``weights.aliases``: other names of parts of keys in a published file."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import archspec
from tests.support.equivalence import compiled

TEXT = """\
input: [3, 16, 16]
classes: 5
stem: cifar
stages: {block: basic, count: 2, channels: 8}
"""
ALIASED = TEXT + "weights: {aliases: {norm.1: bn1, norm.2: bn2, body: layer1, head.last: fc}}\n"


def published(**changes: str) -> dict[str, Any]:
    """The network's weights under the names of the aliases."""
    state = archspec.build(compiled(TEXT), seed=1).state_dict()
    found = {}
    for key, value in state.items():
        for old, new in {"layer1.": "body.", ".bn1.": ".norm.1.", ".bn2.": ".norm.2.", "fc.": "head.last."}.items():
            key = key.replace(old, new)
        found[key] = value
    return found


@pytest.mark.parametrize("prefix", ["", "module.", "model."])
@pytest.mark.filterwarnings("ignore:wrappers around")
def test_a_part_of_a_key_has_another_name(prefix: str) -> None:
    file = {prefix + key: value for key, value in published().items()}
    assert f"{prefix}body.0.norm.1.weight" in file
    model = archspec.build(compiled(ALIASED), weights=file)
    expected = archspec.build(compiled(TEXT), seed=1).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())


def test_the_networks_own_names_are_taken_too() -> None:
    state = archspec.build(compiled(TEXT), seed=1).state_dict()
    model = archspec.build(compiled(ALIASED), weights=state)
    assert torch.equal(model.fc.weight, state["fc.weight"])


@pytest.mark.parametrize("key", ["head.lasting.weight", "xnorm.1.weight", "other.norm.1.weight"])
def test_what_names_no_key_of_the_network_is_refused(key: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        archspec.build(compiled(ALIASED), weights={**published(), key: torch.ones(1)})
    (found,) = refused.value.diagnostics
    assert (found.code, key in found.message) == ("E807", True)


def test_two_names_of_one_key_are_refused() -> None:
    file = published()
    with pytest.raises(archspec.SpecError) as refused:
        archspec.build(compiled(ALIASED), weights={**file, "fc.bias": file["head.last.bias"]})
    (found,) = refused.value.diagnostics
    assert (found.code, "head.last.bias" in found.message) == ("E807", True)


def test_it_is_not_part_of_the_network() -> None:
    assert compiled(ALIASED).fingerprint == compiled(TEXT).fingerprint


@pytest.mark.parametrize("value", ["norm", "[a]", "{a: 1}", "{a: [b]}"])
def test_what_it_takes(value: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        compiled(TEXT + f"weights: {{aliases: {value}}}\n")
    assert all(diagnostic.code.startswith("E20") for diagnostic in refused.value.diagnostics)
