"""What an author reads when an operation does not fit: the words, the argument, and how inference goes on."""

from __future__ import annotations

from typing import Any

import pytest

from archspec.operations.base import Operation
from archspec.operations.discovery import operations
from archspec.operations.shapes import Shape, ShapeFault

MAP = (64, 56, 56)

# operation, arguments, shapes, code, message, argument, help, assumed shape
FAULTS: list[tuple[str, dict[str, Any], tuple[Shape, ...], str, str, str, str, Shape | None]] = [
    (
        "conv",
        {"out": 8, "kernel": 9, "padding": 1},
        ((3, 4, 4),),
        "E502",
        "a kernel of 9x9 does not fit an input of 4x4 padded by 1x1",
        "kernel",
        "use a larger `input`, fewer strides before this step, or a smaller kernel",
        None,
    ),
    (
        "conv",
        {"out": 8, "kernel": 3, "padding": 0, "dilation": 4},
        ((3, 8),),
        "E502",
        "a kernel of 3 dilated by 4 does not fit an input of 8",
        "kernel",
        "use a larger `input`, fewer strides before this step, or a smaller kernel",
        None,
    ),
    (
        "conv",
        {"out": 64, "kernel": 3, "groups": 32},
        ((100, 56, 56),),
        "E503",
        "100 channels do not split into 32 groups",
        "groups",
        "both 100 and 64 must be multiples of `groups`; 4 divides both",
        (64, 56, 56),
    ),
    (
        "conv",
        {"out": 64, "kernel": (3,)},
        (MAP,),
        "E506",
        "`kernel` has 1 number, but the value here has 2 spatial axes",
        "kernel",
        "write one number for every axis, or a list of 2",
        None,
    ),
    (
        "conv",
        {"out": 64},
        ((512,),),
        "E506",
        "`conv` needs a spatial value, but its input is flat, with 512 features",
        "",
        "",
        None,
    ),
    (
        "norm",
        {"type": "group"},
        ((20, 8, 8),),
        "E503",
        "20 channels do not split into 32 groups",
        "groups",
        "`groups` must divide 20; 4 does",
        (20, 8, 8),
    ),
    (
        "norm",
        {"type": "instance"},
        ((20, 1, 1),),
        "E506",
        "`norm: instance` normalizes over positions, but the value here has only one",
        "",
        "use another `type` here",
        (20, 1, 1),
    ),
    (
        "pool",
        {"type": "max"},
        (MAP,),
        "E206",
        "`pool` needs `kernel`, or `output` for a given output size",
        "kernel",
        "",
        None,
    ),
    (
        "pool",
        {"type": "avg", "kernel": 7, "output": 1},
        (MAP,),
        "E206",
        "`pool` takes `output` or `kernel`, not both",
        "kernel",
        "`output` sets the windows itself",
        (64, 1, 1),
    ),
    (
        "pool",
        {"type": "avg", "kernel": 3, "dilation": 2},
        (MAP,),
        "E206",
        "`dilation` is for `max` pooling only",
        "dilation",
        "",
        (64, 18, 18),
    ),
    (
        "pool",
        {"type": "max", "kernel": 3, "stride": 2, "padding": 2},
        (MAP,),
        "E205",
        "a padding of 2x2 is more than half of the kernel, 3x3",
        "padding",
        "use at most 1x1",
        (64, 29, 29),
    ),
    (
        "pool",
        {"type": "max", "kernel": 3},
        ((64, 2, 7),),
        "E502",
        "a kernel of 3x3 does not fit an input of 2x7",
        "kernel",
        "use a larger `input`, fewer strides before this step, or a smaller kernel",
        None,
    ),
    (
        "pool",
        {"type": "avg", "kernel": 3, "padding": 1},
        ((64, 2, 7, 7),),
        "E502",
        "a kernel of 3x3x3 does not fit an input of 2x7x7",
        "kernel",
        "average pooling over three dimensions takes no kernel larger than its input, padded or not",
        None,
    ),
    (
        "pad_channels",
        {"out": 32},
        (MAP,),
        "E507",
        "64 channels cannot be padded to 32",
        "out",
        "a 1x1 `conv` or `slice` takes channels away",
        (32, 56, 56),
    ),
    (
        "slice",
        {"start": 32, "stop": 128},
        (MAP,),
        "E507",
        "channels 32 up to 128 cannot be taken from 64",
        "stop",
        "use 0 <= start < stop <= 64; the channel `stop` itself is not taken",
        (96, 56, 56),
    ),
    (
        "slice",
        {"start": 32, "stop": 32},
        (MAP,),
        "E507",
        "channels 32 up to 32 cannot be taken from 64",
        "start",
        "use 0 <= start < stop <= 64; the channel `stop` itself is not taken",
        None,
    ),
    (
        "channel_shuffle",
        {"groups": 3},
        (MAP,),
        "E503",
        "64 channels do not split into 3 groups",
        "groups",
        "`groups` must divide 64; 1 does",
        MAP,
    ),
    (
        "add",
        {},
        (MAP, MAP, (128, 28, 28)),
        "E504",
        "64x56x56 and 128x28x28 cannot be added",
        "",
        "give both the same channels, with a 1x1 `conv` or `pad_channels`; "
        "give both the same size, with equal strides and padding",
        MAP,
    ),
    (
        "add",
        {},
        (MAP, (64, 1, 1)),
        "E504",
        "64x56x56 and 64x1x1 cannot be added",
        "",
        "give both the same size, with equal strides and padding; "
        "or `multiply`, which lets a 1x1 map scale a larger one; "
        "or `broadcast: true` beside named branches, to repeat what has one channel or position",
        MAP,
    ),
    (
        "add",
        {},
        ((512,), (256,)),
        "E504",
        "512 and 256 cannot be added",
        "",
        "give both the same channels, with a `linear`",
        (512,),
    ),
    (
        "multiply",
        {},
        ((64, 1, 1), MAP, (32, 1, 1)),
        "E504",
        "64x56x56 and 32x1x1 cannot be multiplied",
        "",
        "give both the same channels, with a 1x1 `conv` or `pad_channels`; "
        "give both the same size, with equal strides and padding",
        MAP,
    ),
    (
        "concat",
        {},
        (MAP, (32, 28, 28)),
        "E504",
        "64x56x56 and 32x28x28 cannot be concatenated",
        "",
        "give both the same size, with equal strides and padding",
        (96, 56, 56),
    ),
    (
        "concat",
        {},
        (MAP, (64,)),
        "E504",
        "64x56x56 and 64 cannot be concatenated",
        "",
        "`flatten` both or neither",
        None,
    ),
    (
        "add",
        {},
        ((64, 1, 1), MAP),
        "E504",
        "64x1x1 and 64x56x56 cannot be added",
        "",
        "give both the same size, with equal strides and padding; "
        "or `multiply`, which lets a 1x1 map scale a larger one; "
        "or `broadcast: true` beside named branches, to repeat what has one channel or position",
        (64, 1, 1),
    ),
    (
        "add",
        {},
        (MAP, (32, 1, 1)),
        "E504",
        "64x56x56 and 32x1x1 cannot be added",
        "",
        "give both the same channels, with a 1x1 `conv` or `pad_channels`; "
        "give both the same size, with equal strides and padding",
        MAP,
    ),
    (
        "add",
        {},
        (MAP, (64, 1)),
        "E504",
        "64x56x56 and 64x1 cannot be added",
        "",
        "`flatten` both or neither",
        MAP,
    ),
    (
        "add",
        {},
        ((64, 56), (64, 28)),
        "E504",
        "64x56 and 64x28 cannot be added",
        "",
        "give both the same size, with equal strides and padding",
        (64, 56),
    ),
    (
        "add",
        {},
        ((64, 56), (32, 56)),
        "E504",
        "64x56 and 32x56 cannot be added",
        "",
        "give both the same channels, with a 1x1 `conv` or `pad_channels`",
        (64, 56),
    ),
    (
        "multiply",
        {},
        (MAP, (64, 28, 28)),
        "E504",
        "64x56x56 and 64x28x28 cannot be multiplied",
        "",
        "give both the same size, with equal strides and padding",
        MAP,
    ),
    (
        "multiply",
        {},
        ((64, 1, 1), (32, 1, 1)),
        "E504",
        "64x1x1 and 32x1x1 cannot be multiplied",
        "",
        "give both the same channels, with a 1x1 `conv` or `pad_channels`",
        (64, 1, 1),
    ),
    (
        "multiply",
        {},
        ((64,), MAP),
        "E504",
        "64x56x56 and 64 cannot be multiplied",
        "",
        "`flatten` both or neither",
        MAP,
    ),
    (
        "concat",
        {},
        (MAP, (32, 56, 28), (16, 56, 28)),
        "E504",
        "64x56x56 and 32x56x28 cannot be concatenated",
        "",
        "give both the same size, with equal strides and padding",
        (112, 56, 56),
    ),
    (
        "conv",
        {"out": 8, "kernel": 3, "padding": (0, 1), "dilation": (1, 3)},
        ((3, 8, 4),),
        "E502",
        "a kernel of 3x3 dilated by 1x3 does not fit an input of 8x4 padded by 0x1",
        "kernel",
        "use a larger `input`, fewer strides before this step, or a smaller kernel",
        None,
    ),
    (
        "conv",
        {"out": 90, "kernel": 3, "stride": 2, "groups": 32},
        ((64, 56, 56),),
        "E503",
        "90 channels do not split into 32 groups",
        "groups",
        "both 64 and 90 must be multiples of `groups`; 2 divides both",
        (90, 28, 28),
    ),
    (
        "conv",
        {"out": 64, "stride": (1, 2)},
        ((64, 56),),
        "E506",
        "`stride` has 2 numbers, but the value here has 1 spatial axis",
        "stride",
        "write one number for every axis, or a list of 1",
        None,
    ),
    (
        "conv",
        {"out": 64, "padding": (1, 1, 1)},
        (MAP,),
        "E506",
        "`padding` has 3 numbers, but the value here has 2 spatial axes",
        "padding",
        "write one number for every axis, or a list of 2",
        None,
    ),
    (
        "conv",
        {"out": 64, "dilation": (1,)},
        (MAP,),
        "E506",
        "`dilation` has 1 number, but the value here has 2 spatial axes",
        "dilation",
        "write one number for every axis, or a list of 2",
        None,
    ),
    *(
        (
            "pool",
            {"type": "max", "kernel": 3, name: (1, 1, 1)},
            (MAP,),
            "E506",
            f"`{name}` has 3 numbers, but the value here has 2 spatial axes",
            name,
            "write one number for every axis, or a list of 2",
            None,
        )
        for name in ("kernel", "stride", "padding", "dilation")
    ),
    (
        "pool",
        {"type": "avg", "output": (1, 1)},
        ((64, 56),),
        "E506",
        "`output` has 2 numbers, but the value here has 1 spatial axis",
        "output",
        "write one number for every axis, or a list of 1",
        None,
    ),
    *(
        (
            name,
            given,
            ((512,),),
            "E506",
            f"`{name}` needs a spatial value, but its input is flat, with 512 features",
            "",
            "",
            None,
        )
        for name, given in (
            ("pool", {"type": "avg", "output": 1}),
            ("subsample", {"stride": 2}),
            ("channel_shuffle", {"groups": 2}),
        )
    ),
    (
        "norm",
        {"type": "instance"},
        ((512,),),
        "E506",
        "`norm: instance` needs a spatial value, but its input is flat, with 512 features",
        "",
        "",
        None,
    ),
    (
        "subsample",
        {"stride": (2, 2)},
        ((64, 4, 56, 56),),
        "E506",
        "`stride` has 2 numbers, but the value here has 3 spatial axes",
        "stride",
        "write one number for every axis, or a list of 3",
        None,
    ),
    *(
        (
            "pool",
            {"type": kind, "output": (1, 2), name: value},
            (MAP,),
            "E206",
            f"`pool` takes `output` or `{name}`, not both",
            name,
            "`output` sets the windows itself",
            (64, 1, 2),
        )
        for kind, name, value in (
            ("avg", "stride", 2),
            ("avg", "padding", 1),
            ("avg", "padding", (0, 1)),
            ("max", "dilation", 2),
            ("max", "dilation", (1, 2)),
            ("avg", "ceil", True),
            ("avg", "count_padding", False),
        )
    ),
    (
        "pool",
        {"type": "max", "kernel": 3, "count_padding": False},
        (MAP,),
        "E206",
        "`count_padding` is for `avg` pooling only",
        "count_padding",
        "",
        (64, 18, 18),
    ),
    (
        "pool",
        {"type": "avg", "kernel": 2, "dilation": (1, 2)},
        (MAP,),
        "E206",
        "`dilation` is for `max` pooling only",
        "dilation",
        "",
        (64, 28, 27),
    ),
    (
        "pool",
        {"type": "avg", "kernel": 7, "dilation": 2},
        ((64, 8, 8),),
        "E206",
        "`dilation` is for `max` pooling only",
        "dilation",
        "",
        None,
    ),
    (
        "pool",
        {"type": "max", "kernel": (3, 4), "stride": 1, "padding": (1, 3)},
        (MAP,),
        "E205",
        "a padding of 1x3 is more than half of the kernel, 3x4",
        "padding",
        "use at most 1x2",
        (64, 56, 59),
    ),
    (
        "pool",
        {"type": "max", "kernel": 1, "padding": 1},
        (MAP,),
        "E205",
        "a padding of 1x1 is more than half of the kernel, 1x1",
        "padding",
        "use at most 0x0",
        (64, 58, 58),
    ),
    (
        "slice",
        {"stop": 65},
        (MAP,),
        "E507",
        "channels 0 up to 65 cannot be taken from 64",
        "stop",
        "use 0 <= start < stop <= 64; the channel `stop` itself is not taken",
        (65, 56, 56),
    ),
    (
        "slice",
        {"start": 64},
        (MAP,),
        "E507",
        "channels 64 up to 64 cannot be taken from 64",
        "start",
        "use 0 <= start < stop <= 64; the channel `stop` itself is not taken",
        None,
    ),
    (
        "slice",
        {"start": 70, "stop": 66},
        (MAP,),
        "E507",
        "channels 70 up to 66 cannot be taken from 64",
        "stop",
        "use 0 <= start < stop <= 64; the channel `stop` itself is not taken",
        None,
    ),
]


@pytest.mark.parametrize(
    ("name", "arguments", "inputs", "code", "message", "argument", "advice", "assumed"),
    FAULTS,
    ids=[f"{fault[0]}-{fault[3]}-{index}" for index, fault in enumerate(FAULTS)],
)
def test_fault_says(
    name: str,
    arguments: dict[str, Any],
    inputs: tuple[Shape, ...],
    code: str,
    message: str,
    argument: str,
    advice: str,
    assumed: Shape | None,
) -> None:
    operation: Operation = operations()[name](**arguments)
    with pytest.raises(ShapeFault) as caught:
        operation.shape(inputs)
    fault = caught.value
    said = (fault.code, fault.message, fault.argument, fault.help, fault.assumed)
    assert said == (code, message, argument, advice, assumed)
    assert str(fault) == message


@pytest.mark.parametrize(
    ("name", "arguments", "inputs", "blamed"),
    [
        ("conv", {"out": 64, "groups": 32}, ((100, 8, 8),), True),
        ("conv", {"out": 100, "groups": 32}, ((64, 8, 8),), False),
        ("norm", {"type": "group"}, ((20, 8, 8),), True),
        ("pad_channels", {"out": 8}, ((20, 8, 8),), True),
        ("slice", {"stop": 32}, ((20, 8, 8),), True),
        ("slice", {"start": 8, "stop": 4}, ((20, 8, 8),), False),
        ("slice", {"start": 20}, ((20, 8, 8),), True),
        ("slice", {"start": 20, "stop": 20}, ((20, 8, 8),), False),
        ("channel_shuffle", {"groups": 3}, ((20, 8, 8),), True),
        ("norm", {"type": "instance"}, ((20, 1, 1),), False),
        ("conv", {"out": 8, "kernel": 9, "padding": 0}, ((3, 4, 4),), False),
        ("conv", {"out": 8, "kernel": (3,)}, ((3, 4, 4),), False),
        ("conv", {"out": 8}, ((3,),), False),
        ("pool", {"type": "max"}, ((3, 4, 4),), False),
        ("pool", {"type": "max", "kernel": 3, "padding": 2}, ((3, 4, 4),), False),
        ("multiply", {}, ((20, 8, 8), (24, 1, 1)), True),
        ("multiply", {}, ((20, 8, 8), (20, 4, 4)), False),
        ("add", {}, ((20, 8, 8), (24, 8, 8)), True),
        ("add", {}, ((20, 8, 8), (20, 4, 4)), False),
        ("concat", {}, ((20, 8, 8), (24, 4, 4)), False),
    ],
)
def test_the_channels_that_arrive_are_blamed(
    name: str, arguments: dict[str, Any], inputs: tuple[Shape, ...], blamed: bool
) -> None:
    with pytest.raises(ShapeFault) as caught:
        operations()[name](**arguments).shape(inputs)
    assert caught.value.channels is blamed


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ({"padding": (0, 0), "dilation": (1, 1)}, (64, 3, 3)),
        (
            {"padding": 0, "dilation": 1, "ceil": False, "count_padding": True, "kernel": None, "stride": None},
            (64, 3, 3),
        ),
    ],
)
def test_what_a_pool_to_a_size_may_say_besides(given: dict[str, Any], shape: Shape) -> None:
    """What means the same as nothing."""
    assert operations()["pool"](type="max", output=3, **given).shape((MAP,)) == shape


@pytest.mark.parametrize("shape", [(20, 1, 2), (20, 2, 1), (20, 2), (20, 1, 1, 2)])
def test_an_instance_norm_takes_two_positions(shape: Shape) -> None:
    assert operations()["norm"](type="instance").shape((shape,)) == shape


@pytest.mark.parametrize(("start", "stop", "channels"), [(0, 64, 64), (63, 64, 1), (0, 1, 1), (63, None, 1)])
def test_a_slice_at_the_ends(start: int, stop: int | None, channels: int) -> None:
    assert operations()["slice"](start=start, stop=stop).shape((MAP,)) == (channels, 56, 56)
