"""The least and the greatest value of every argument that has one: taken there, refused one step beyond."""

from __future__ import annotations

import inspect

import pytest
import torch

import archspec
from archspec.operations.discovery import operations

# An operation and an argument; what is taken, what is refused, and the arguments beside it. Sizes are of a 3x8x8 input.
BOUNDS = [
    ("channel_shuffle", "groups", 1, 0, {}),
    ("conv", "out", 1, 0, {}),
    ("conv", "kernel", 1, 0, {"out": 4}),
    ("conv", "stride", 1, 0, {"out": 4}),
    ("conv", "padding", 0, -1, {"out": 4}),
    ("conv", "dilation", 1, 0, {"out": 4}),
    ("conv", "groups", 1, 0, {"out": 4}),
    ("drop_path", "p", 0, -0.01, {}),
    ("drop_path", "p", 1, 1.01, {}),
    ("dropout", "p", 0, -0.01, {}),
    ("dropout", "p", 1, 1.01, {}),
    ("linear", "out", 1, 0, {}),
    ("norm", "eps", 0, -1e-9, {}),
    ("norm", "momentum", 0, -0.01, {}),
    ("norm", "momentum", 1, 1.01, {}),
    ("norm", "groups", 1, 0, {"type": "group"}),
    ("pad_channels", "out", 3, 0, {}),
    ("pool", "kernel", 1, 0, {"type": "max"}),
    ("pool", "stride", 1, 0, {"type": "max", "kernel": 1}),
    ("pool", "padding", 0, -1, {"type": "max", "kernel": 1}),
    ("pool", "dilation", 1, 0, {"type": "max", "kernel": 1}),
    ("pool", "output", 1, 0, {"type": "avg"}),
    ("slice", "start", 0, -1, {"stop": 2}),
    ("slice", "stop", 1, 0, {}),
    ("subsample", "stride", 1, 0, {}),
]


def spec(operation: str, arguments: dict[str, object]) -> str:
    written = ", ".join(f"{name}: {value}" for name, value in arguments.items())
    step = f"- sequence: {{steps: [{{{operation}: {{{written}}}}}]}}"
    return f"archspec: 1\nname: t\ninput: [3, 8, 8]\nstem:\n  {step}\nstages: {{block: basic, count: 1, channels: 8}}\n"


def codes(operation: str, arguments: dict[str, object]) -> list[str]:
    try:
        archspec.compile(spec(operation, arguments))
    except archspec.SpecError as error:
        return [diagnostic.code for diagnostic in error.diagnostics if diagnostic.severity == "error"]
    return []


@pytest.mark.parametrize(("operation", "argument", "taken", "refused", "beside"), BOUNDS, ids=lambda value: str(value))
def test_a_bound_is_taken_and_what_is_beyond_refused(
    operation: str, argument: str, taken: float, refused: float, beside: dict[str, object]
) -> None:
    for written, code in (("{}", "E205"), ("0 + ({})", "E501")):  # a number the schema sees, a value only the compiler
        assert codes(operation, {**beside, argument: written.format(taken)}) == []
        assert codes(operation, {**beside, argument: written.format(refused)}) == [code]


def test_no_bound_is_left_out() -> None:
    declared = {
        (name, field.name, kind)
        for name, operation in operations().items()
        for field in operation.__dataclass_fields__.values()
        for kind in ("minimum", "maximum")
        if field.metadata and field.metadata[kind] is not None
    }
    table = {
        (name, argument, "minimum" if refused < taken else "maximum") for name, argument, taken, refused, _ in BOUNDS
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
