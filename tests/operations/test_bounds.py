"""The least and the greatest value of every argument that has one: taken there, refused one step beyond."""

from __future__ import annotations

import inspect

import pytest
import torch

import archspec
from archspec.operations.discovery import operations
from tests.operations.entries import BOUNDS


def spec(operation: str, arguments: dict[str, object], before: str) -> str:
    written = ", ".join(f"{name}: {value}" for name, value in arguments.items())
    first = f"{{{before}}}, " if before else ""
    step = f"- sequence: {{steps: [{first}{{{operation}: {{{written}}}}}]}}"
    return f"archspec: 1\nname: t\ninput: [3, 8, 8]\nstem:\n  {step}\nstages: {{block: basic, count: 1, channels: 8}}\n"


def codes(operation: str, arguments: dict[str, object], before: str) -> list[str]:
    try:
        archspec.compile(spec(operation, arguments, before))
    except archspec.SpecError as error:
        return [diagnostic.code for diagnostic in error.diagnostics if diagnostic.severity == "error"]
    return []


@pytest.mark.parametrize(
    ("operation", "argument", "taken", "refused", "beside", "before"), BOUNDS, ids=lambda value: str(value)
)
def test_a_bound_is_taken_and_what_is_beyond_refused(
    operation: str, argument: str, taken: float, refused: float, beside: dict[str, object], before: str
) -> None:
    for written, code in (("{}", "E205"), ("0 + ({})", "E501")):  # a number the schema sees, a value only the compiler
        assert codes(operation, {**beside, argument: written.format(taken)}, before) == []
        assert codes(operation, {**beside, argument: written.format(refused)}, before) == [code]


def test_no_bound_is_left_out() -> None:
    declared = {
        (name, field.name, kind)
        for name, operation in operations().items()
        for field in operation.__dataclass_fields__.values()
        for kind in ("minimum", "maximum")
        if field.metadata and field.metadata[kind] is not None
    }
    table = {
        (name, argument, "minimum" if refused < taken else "maximum") for name, argument, taken, refused, *_ in BOUNDS
    }
    assert declared == table


@pytest.mark.parametrize(
    ("operation", "argument", "module", "parameter"),
    [
        ("conv", "stride", torch.nn.Conv2d, "stride"),
        ("conv", "dilation", torch.nn.Conv2d, "dilation"),
        ("conv", "groups", torch.nn.Conv2d, "groups"),
        ("dropout", "p", torch.nn.Dropout, "p"),
        ("norm", "eps", torch.nn.BatchNorm2d, "eps"),
        ("norm", "momentum", torch.nn.BatchNorm2d, "momentum"),
        ("norm", "affine", torch.nn.BatchNorm2d, "affine"),
        ("pool", "padding", torch.nn.MaxPool2d, "padding"),
        ("pool", "dilation", torch.nn.MaxPool2d, "dilation"),
        ("pool", "ceil", torch.nn.MaxPool2d, "ceil_mode"),
        ("pool", "count_padding", torch.nn.AvgPool2d, "count_include_pad"),
        ("linear", "bias", torch.nn.Linear, "bias"),
    ],
)
def test_a_default_is_that_of_torch(operation: str, argument: str, module: type, parameter: str) -> None:
    ours = operations()[operation].__dataclass_fields__[argument].default
    assert ours == inspect.signature(module).parameters[parameter].default
