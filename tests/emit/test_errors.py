"""An error at run time names the scope and the line of the spec, whatever became of the model before."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archspec
from tests.support.equivalence import spec

NESTED_AND_FLAT = pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])

WAYS: dict[str, Callable[[Any], Any]] = {
    "built": lambda model: model,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
}

SMALL = """
    input: [3, 16, 16]
    classes: 5
    stem:
      - layer: {out: 8, kernel: 3}
    stages:
      block: basic
      count: [1, 2]
      channels: [8, 16]
      stride: [1, 2]
    head:
      - flatten
      - linear: {out: classes}
    """
LINES = spec(SMALL).splitlines()


def line(text: str) -> int:
    """The number of the line that holds ``text``."""
    return next(number for number, content in enumerate(LINES, start=1) if text in content)


def notes(model: nn.Module, x: Tensor) -> list[str]:
    """What is noted beside the error that ``model`` raises on ``x``."""
    with pytest.raises((RuntimeError, ValueError)) as error:
        model(x)
    return list(getattr(error.value, "__notes__", ()))


@NESTED_AND_FLAT
@pytest.mark.parametrize("way", WAYS)
def test_wrong_channels_are_an_error_of_the_first_convolution(way: str, flat: bool) -> None:
    model = WAYS[way](archspec.build(spec(SMALL), flat=flat))
    found = notes(model, torch.randn(2, 4, 16, 16))
    assert len(found) == 1
    assert found[0].startswith(f"in conv1, from <text>:{line('out: 8')}:")


@NESTED_AND_FLAT
@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_size_is_an_error_of_the_linear_layer(way: str, flat: bool) -> None:
    """The convolutions take any size; what is flattened does not."""
    model = WAYS[way](archspec.build(spec(SMALL), flat=flat))
    (found,) = notes(model, torch.randn(2, 3, 24, 24))
    assert found.startswith(f"in fc, from <text>:{line('linear')}:")


@NESTED_AND_FLAT
@pytest.mark.parametrize("way", WAYS)
def test_an_error_inside_a_block_names_its_node(way: str, flat: bool) -> None:
    """A module that was put in place of another gives the wrong shape; the addition, a method, is what fails."""
    model = WAYS[way](archspec.build(spec(SMALL), flat=flat))
    model.get_submodule("layer2.1").bn2 = nn.AvgPool2d(2)
    (found,) = notes(model, torch.randn(2, 3, 16, 16))
    assert found.startswith(f"in layer2.1.add, from <text>:{line('block: basic')}:")


@NESTED_AND_FLAT
def test_an_error_raised_by_a_users_module_is_placed_too(flat: bool) -> None:
    class Refuses(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("no")

    model = archspec.build(spec(SMALL), flat=flat)
    model.get_submodule("layer2.0").conv2 = Refuses()
    (found,) = notes(model, torch.randn(2, 3, 16, 16))
    assert found.startswith(f"in layer2.0.conv2, from <text>:{line('block: basic')}:")


def test_an_error_of_a_block_alone_is_placed() -> None:
    model = archspec.build(spec(SMALL))
    (found,) = notes(model.layer2[0], torch.randn(2, 3, 16, 16))
    assert found.startswith("in layer2.0.conv1, from <text>:")


def test_a_line_of_the_zoo_is_named() -> None:
    (found,) = notes(archspec.build("resnet50"), torch.randn(2, 1, 64, 64))
    file, number = found.split(", from ")[1].split(":")[:2]
    assert file == "resnet50.yaml"
    assert int(number) > 1


def test_the_error_is_torchs_own() -> None:
    """Its type and its message are those of the same model in torch."""
    with pytest.raises(RuntimeError) as wanted:
        nn.Conv2d(3, 8, 3, padding=1, bias=False)(torch.randn(2, 4, 16, 16))
    with pytest.raises(RuntimeError) as found:
        archspec.build(spec(SMALL))(torch.randn(2, 4, 16, 16))
    assert type(found.value) is type(wanted.value)
    assert str(found.value) == str(wanted.value)
