"""What the tests know of each operation: one entry for each, from which all of them run.

A new operation takes one entry here: how its arguments are drawn, and on which inputs it is compared with torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hypothesis import strategies as st

from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.act import ACTIVATIONS
from archspec.operations.base import Operation
from archspec.operations.discovery import operations
from archspec.operations.shapes import Shape
from archspec.operations.torch_module import MODULES, PREFIX

Strategies = dict[str, st.SearchStrategy[Any]]
Given = Mapping[str, Any]
Use = tuple[Given, tuple[Shape, ...]]
"""Arguments, and the shapes that reach the operation."""

SIGNAL, MAP, VIDEO = (4, 6), (4, 6, 5), (4, 3, 6, 5)
GATE = (4, 1, 1)
WIDE = (6, 4, 4)
ELEMENTS = 4 * 6 * 5
"""Those of a MAP."""


class Case(NamedTuple):
    """An operation, and the shapes that reach it."""

    name: str
    given: Given
    inputs: tuple[Shape, ...]

    @property
    def operation(self) -> Operation:
        return operations()[self.name](**self.given)

    @property
    def graph(self) -> Graph:
        """A network of this operation alone. Further values that it reads are pools of the input."""
        nodes, names = [], [INPUT]
        for number, shape in enumerate(self.inputs[1:]):
            pool = operations()["pool"](type="avg", output=shape[1:])
            nodes.append(Node(f"other{number}", pool, (INPUT,), (self.inputs[0][0], *shape[1:])))
            names.append(f"other{number}")
        nodes.append(Node("it", self.operation, tuple(names), self.operation.shape(self.inputs)))
        return Graph("one", self.inputs[0], tuple(nodes), {"output": "it"})

    def __str__(self) -> str:
        told = [f"{name}={value}" for name, value in self.given.items()]
        return "-".join([self.name, *told, *("x".join(map(str, shape)) for shape in self.inputs)])


class Bound(NamedTuple):
    """The least or greatest value of an argument, on an input of 3x8x8: what is taken, and what is refused."""

    argument: str
    taken: float
    refused: float
    beside: Given = {}
    before: str = ""
    """A step before it."""


@dataclass(frozen=True)
class Entry:
    """One operation.

    ``arguments`` draws its arguments for a value of a rank, fitting ones and others. ``stricter`` has the codes with
    which archspec refuses on purpose what torch would run, or what has no torch call that could be asked, and why.
    ``uses`` are compared with one run in torch in every respect, ``more`` in shapes, weights and MACs only, and
    ``traced`` survive fx, in place or not. ``arithmetic`` is counted by hand: one for each element that is computed,
    two where it is scaled and shifted, a window's size. ``unavailable``: on purpose it has no rule for any cost, its
    reach or the signal. ``in_onnx`` says of arguments whether there is a form of it in ONNX.
    """

    uses: Iterable[Use]
    arithmetic: Iterable[tuple[Use, int]]
    unavailable: bool = False
    in_onnx: Callable[[Given], bool] = lambda given: True
    arguments: Callable[[int], Strategies] = lambda rank: {}
    bounds: tuple[Bound, ...] = ()
    stricter: Mapping[str, str] = field(default_factory=dict)
    more: Iterable[Use] = ()
    traced: Iterable[tuple[Use, bool]] = ()


def on(*shapes: Shape, **given: Any) -> list[Use]:
    """One operation of one input on several."""
    return [(given, (shape,)) for shape in shapes]


def merging(*inputs: tuple[Shape, ...], **given: Any) -> list[Use]:
    """A merge of several groups of inputs."""
    return [(given, shapes) for shapes in inputs]


def counted(count: int, uses: list[Use]) -> list[tuple[Use, int]]:
    return [(use, count) for use in uses]


def traced(uses: list[Use], *, in_place: bool = False) -> list[tuple[Use, bool]]:
    return [(use, in_place) for use in uses]


# -- strategies --------------------------------------------------------------------------------------------------------


def size(low: int, high: int) -> Callable[[int], st.SearchStrategy[Any]]:
    """One number, one an axis, and now and then a list of any length."""
    number = st.integers(low, high)

    def for_rank(rank: int) -> st.SearchStrategy[Any]:
        fitting = st.tuples(*[number] * max(rank, 1))
        return st.one_of(number, number, number, fitting, fitting, st.lists(number, min_size=1, max_size=3).map(tuple))

    return for_rank


def sides(high: int) -> Callable[[int], st.SearchStrategy[Any]]:
    """A number or a pair, before and after, for each axis."""
    number = st.integers(0, high)
    return lambda rank: st.tuples(*[number | st.tuples(number, number)] * max(rank, 1))


def mostly(value: Any, other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(*[st.just(value)] * 4, other)


WINDOWED = st.shared(st.booleans(), key="windowed")


def if_windowed(strategy: st.SearchStrategy[Any], otherwise: Any) -> st.SearchStrategy[Any]:
    """For a pool by windows, mostly the strategy; for one to an output size, mostly the other value."""
    left_out = st.just(otherwise)
    return WINDOWED.flatmap(lambda windowed: st.one_of(*[strategy if windowed else left_out] * 6, strategy, left_out))


UPSCALED = st.shared(st.booleans(), key="upscaled")
PROBABILITY = st.floats(0, 1)
FACTOR = st.floats(-2, 2)
NUMBERS = st.one_of(FACTOR, st.lists(FACTOR, min_size=1, max_size=6).map(tuple))
GROUPS = st.sampled_from([1, 2, 3, 4, 6])
LAYER = st.shared(st.sampled_from(list(MODULES)), key="layer of torch")


def of_layer(name: str, strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An argument of a layer of torch, seldom where the layer does not take it, and mostly where it needs it."""
    return LAYER.flatmap(lambda word: mostly(None, strategy) if name not in MODULES[word] else usually(strategy))


def usually(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(*[strategy] * 6, st.none())


def layer(word: str, *shapes: Shape, **given: Any) -> list[Use]:
    """A layer of torch by its name."""
    return on(*shapes, module=PREFIX + word, **given)


NORMS, POOLS = ("batch", "group", "layer", "instance", "rms", "grn", "local_response", "frozen"), ("max", "avg")

# -- operations --------------------------------------------------------------------------------------------------------

MEETING = ((MAP, (1, 6, 5)), ((1, 6, 5), MAP), (MAP, GATE), ((1, 6), SIGNAL), (GATE, (1, 6, 5)), (MAP, (1, 6, 5), GATE))
"""Shapes that are repeated: what has one channel, what has one position."""

CONSTANTS: tuple[dict[str, Any], ...] = ({"by": 0.5}, {"by": (1, 2, 3, 4, 5, 6)}, {"by": 0.5, "learned": True})

ENTRIES: dict[str, Entry] = {
    "act": Entry(
        arguments=lambda rank: {
            "type": st.sampled_from(list(ACTIVATIONS)),
            **{name: st.sampled_from([0.01, 0.5, -0.5, 0]) for name in ("slope", "alpha", "beta", "initial")},
            "min": st.sampled_from([-1.0, 0, -0.25]),
            "max": st.sampled_from([1.0, 0, 6.0]),
            "approximate": st.sampled_from(["none", "tanh"]),
            "per_channel": st.booleans(),
            "groups": GROUPS,
            "branches": st.none() | GROUPS,
        },
        bounds=tuple(Bound(name, 1, 0, {"type": "softmax"}) for name in ("groups", "branches")),
        stricter={"E205": "torch's softplus divides by zero, and its CELU by the same where it is called"},
        uses=[
            *(use for word in ACTIVATIONS if word != "glu" for use in on((7,), SIGNAL, MAP, type=word)),
            *on((6,), SIGNAL, MAP, type="glu"),
            *on(SIGNAL, MAP, type="leaky_relu", slope=0.1),
            *on((7,), SIGNAL, MAP, type="prelu", per_channel=True, initial=0.5),
            *on(MAP, type="gelu", approximate="tanh"),
            *(use for word in ("elu", "celu") for use in on(MAP, type=word, alpha=0.5)),
            *on(MAP, type="softplus", beta=2.0),
            *on(MAP, type="hardtanh", min=-0.5, max=2.0),
            *on((8,), SIGNAL, MAP, type="softmax", branches=2),
            *on((8,), SIGNAL, MAP, type="softmax", groups=2),
            *on((8,), MAP, type="softmax", groups=2, branches=2),
        ],
        more=[*on(VIDEO, type="glu"), *on(VIDEO, type="softmax", branches=2), *on(VIDEO, type="softmax")],
        arithmetic=[
            *(pair for word in ("relu", "gelu", "softmax", "prelu") for pair in counted(ELEMENTS, on(MAP, type=word))),
            *counted(ELEMENTS, on(MAP, type="glu")),
        ],
    ),
    "add": Entry(
        arguments=lambda rank: {"broadcast": st.booleans()},
        stricter={"E504": "torch broadcasts; an addition of different shapes is a slip"},
        uses=[
            *merging(*((shape,) * count for shape in ((7,), SIGNAL, MAP) for count in (2, 3))),
            *merging(*MEETING, broadcast=True),
        ],
        arithmetic=[(({}, (MAP,) * count), (count - 1) * ELEMENTS) for count in (2, 3, 4)],
        traced=[*traced(merging((WIDE, WIDE))), *traced(merging((WIDE, WIDE)), in_place=True)],
    ),
    "blur": Entry(
        arguments=lambda rank: {"kernel": st.integers(2, 6), "stride": size(1, 3)(rank)},
        bounds=(Bound("kernel", 2, 1), Bound("kernel", 15, 32), Bound("stride", 1, 0)),
        stricter={"E506": "neither a flat value nor a list of another length has a torch call"},
        uses=[*on(SIGNAL, MAP), *on(MAP, kernel=4, stride=2), *on(MAP, kernel=5, stride=(2, 1))],
        more=on(VIDEO, kernel=2, stride=2),
        arithmetic=counted(0, on(MAP, stride=2)),
        traced=traced(on((6, 4), WIDE, (6, 4, 4, 4), stride=2)),
    ),
    "channel_conv": Entry(
        arguments=lambda rank: {"kernel": st.integers(1, 6), "bias": st.booleans()},
        bounds=(Bound("kernel", 1, 0, before="mean: {over: positions}"),),
        stricter={"E506": "torch takes more positions for more channels"},
        uses=[*on((7,), (12, 1), (12, 1, 1)), *on((12, 1, 1), kernel=5, bias=True)],
        more=on((8, 1, 1, 1), kernel=1),
        arithmetic=counted(0, on((12, 1, 1), kernel=5)),
    ),
    "channel_shuffle": Entry(
        arguments=lambda rank: {"groups": GROUPS},
        bounds=(Bound("groups", 1, 0),),
        uses=on(SIGNAL, MAP, groups=2),
        more=on(VIDEO, groups=4),
        arithmetic=counted(0, on(MAP, groups=2)),
        traced=traced(on((6, 4), WIDE, (6, 4, 4, 4), groups=3)),
    ),
    "concat": Entry(
        uses=merging((MAP, (2, 6, 5)), (SIGNAL, (2, 6), (3, 6)), ((3,), (4,))),
        arithmetic=counted(0, merging((MAP, MAP, MAP))),
        traced=traced(merging((WIDE, (3, 4, 4)))),
    ),
    "conv": Entry(
        arguments=lambda rank: {
            "out": st.sampled_from([1, 2, 4, 6, 12]),
            "kernel": size(1, 4)(rank),
            "stride": size(1, 3)(rank),
            "padding": st.one_of(st.none(), size(0, 3)(rank), sides(3)(rank), st.sampled_from(["same", "valid"])),
            "dilation": size(1, 3)(rank),
            "groups": GROUPS,
            "bias": st.booleans(),
            "padding_mode": mostly("zeros", st.sampled_from(["reflect", "replicate", "circular"])),
            "transposed": mostly(False, st.just(True)),
            "output_padding": mostly(None, size(0, 2)(rank)),
            "standardized": mostly(False, st.just(True)),
            "gain": st.booleans(),
            "gamma": FACTOR,
            "eps": st.floats(1e-6, 1),
        },
        bounds=(
            Bound("out", 1, 0),
            *(Bound(name, 1, 0, {"out": 4}) for name in ("kernel", "stride", "dilation", "groups")),
            Bound("padding", 0, -1, {"out": 4}),
            Bound("output_padding", 0, -1, {"out": 4, "transposed": "true"}),
            Bound("eps", 0, -1e-9, {"out": 4, "standardized": "true"}),
        ),
        stricter={
            "E506": "neither a flat value nor a list of another length has a torch call",
            "E206": "arguments that torch's transposed convolution does not take",
        },
        uses=[
            *on(SIGNAL, MAP, out=6, kernel=3, bias=True),
            *on(SIGNAL, MAP, out=6, kernel=3, stride=2, padding="same"),
            *on(MAP, out=6, kernel=4, padding="same"),
            *on(SIGNAL, out=6, kernel=3, padding=((2, 0),)),
            *on(MAP, out=6, kernel=3, padding=((2, 0), 1), bias=True),
            *(
                use
                for mode in ("reflect", "replicate", "circular")
                for use in on(SIGNAL, MAP, out=6, kernel=3, padding_mode=mode)
            ),
            *on(MAP, out=6, kernel=3, padding=((2, 0), 1), padding_mode="reflect"),
            *on(SIGNAL, MAP, out=6, kernel=3, stride=2, transposed=True),
            *on(MAP, out=6, kernel=2, stride=2, transposed=True, bias=True),
            *on(MAP, out=6, kernel=(4, 3), stride=(2, 3), transposed=True, groups=2),
            *on(MAP, out=6, kernel=4, transposed=True),
            *on(SIGNAL, out=6, kernel=(2,), stride=3, transposed=True),  # some positions read nothing
            *on(SIGNAL, MAP, out=6, kernel=3, standardized=True),
            *on(SIGNAL, MAP, out=6, kernel=3, standardized=True, gain=True, gamma=1.5, bias=True),
            *on(MAP, out=6, kernel=3, stride=2, padding="same", standardized=True, gain=True),
            *on(SIGNAL, MAP, out=6, kernel=4, stride=2, padding=1, groups=2),
            *on(MAP, out=6, kernel=(1, 3), stride=(2, 1), dilation=(1, 2)),
        ],
        more=[
            *on((4, 9), MAP, VIDEO, out=8, kernel=3, stride=2, padding=0, dilation=1, groups=4, bias=True),
            *on((4, 9), MAP, VIDEO, out=2, kernel=2, dilation=2),
            *on(MAP, out=2, kernel=(5, 2), stride=(1, 2), padding=(2, 0), dilation=(1, 3)),
            *on((4, 9), VIDEO, out=2, kernel=3, stride=2, transposed=True, dilation=2, output_padding=1, padding=1),
            *on(VIDEO, out=2, kernel=3, padding=((2, 0), 1, (0, 1))),
            *on(VIDEO, out=2, kernel=3, stride=2, padding="same", standardized=True, gain=True),
            *on(VIDEO, out=2, kernel=3, padding_mode="replicate"),
            *on((4, 9), MAP, VIDEO, out=2, kernel=3, padding="valid"),
        ],
        arithmetic=counted(0, on(MAP, out=6, kernel=3, bias=True)),
    ),
    "drop_path": Entry(
        arguments=lambda rank: {"p": PROBABILITY},
        bounds=(Bound("p", 0, -0.01), Bound("p", 1, 1.01)),
        uses=[use for p in (0.0, 0.5) for use in on((7,), MAP, p=p)],
        arithmetic=counted(0, on(MAP, p=0.5)),
    ),
    "dropout": Entry(
        arguments=lambda rank: {"p": PROBABILITY},
        bounds=(Bound("p", 0, -0.01), Bound("p", 1, 1.01)),
        uses=[use for p in (0.0, 0.5, 1.0) for use in on((7,), MAP, p=p)],
        arithmetic=counted(0, on(MAP)),
    ),
    "flatten": Entry(
        uses=on((7,), SIGNAL, MAP), more=on(VIDEO), arithmetic=counted(0, on(MAP)), traced=traced(on(WIDE))
    ),
    "layer_scale": Entry(
        arguments=lambda rank: {"initial": st.floats(-1, 1)},
        uses=on((7,), SIGNAL, MAP),
        more=on(VIDEO, initial=0.5),
        arithmetic=counted(ELEMENTS, on(MAP)),
        traced=traced(on(WIDE)),
    ),
    "linear": Entry(
        arguments=lambda rank: {"out": st.integers(1, 9), "bias": st.booleans()},
        bounds=(Bound("out", 1, 0),),
        uses=[use for bias in (True, False) for use in on((7,), SIGNAL, MAP, out=6, bias=bias)],
        more=on(VIDEO, out=3),
        arithmetic=counted(0, on(MAP, (7,), out=6)),
    ),
    "max": Entry(
        arguments=lambda rank: {"over": st.sampled_from(["channels", "positions"])},
        stricter={"E506": "a flat value has no positions"},
        uses=[use for over in ("channels", "positions") for use in on(SIGNAL, MAP, over=over)],
        more=[use for over in ("channels", "positions") for use in on(VIDEO, over=over)],
        arithmetic=[pair for over in ("channels", "positions") for pair in counted(ELEMENTS, on(MAP, over=over))],
        traced=[pair for over in ("channels", "positions") for pair in traced(on(WIDE, over=over))],
    ),
    "mean": Entry(
        arguments=lambda rank: {"over": st.sampled_from(["channels", "positions"])},
        stricter={"E506": "a flat value has no positions"},
        uses=[use for over in ("channels", "positions") for use in on(SIGNAL, MAP, over=over)],
        more=[use for over in ("channels", "positions") for use in on(VIDEO, over=over)],
        arithmetic=[pair for over in ("channels", "positions") for pair in counted(ELEMENTS, on(MAP, over=over))],
        traced=[pair for over in ("channels", "positions") for pair in traced(on(WIDE, over=over))],
    ),
    "maximum": Entry(
        arguments=lambda rank: {"broadcast": st.booleans()},
        stricter={"E504": "torch broadcasts without being asked"},
        uses=[
            *merging(*((shape,) * count for shape in ((7,), SIGNAL, MAP) for count in (2, 3))),
            *merging(*MEETING, broadcast=True),
        ],
        arithmetic=[(({}, (MAP,) * count), (count - 1) * ELEMENTS) for count in (2, 3, 4)],
        traced=traced(merging((WIDE, WIDE))),
    ),
    "minimum": Entry(
        arguments=lambda rank: {"broadcast": st.booleans()},
        stricter={"E504": "torch broadcasts without being asked"},
        uses=[
            *merging(*((shape,) * count for shape in ((7,), SIGNAL, MAP) for count in (2, 3))),
            *merging(*MEETING, broadcast=True),
        ],
        arithmetic=[(({}, (MAP,) * count), (count - 1) * ELEMENTS) for count in (2, 3, 4)],
        traced=traced(merging((WIDE, WIDE))),
    ),
    "multiply": Entry(
        arguments=lambda rank: {"broadcast": st.booleans()},
        stricter={"E504": "torch broadcasts more than a gate"},
        uses=merging(
            *((MAP, MAP), (GATE, MAP), (MAP, GATE), ((7,), (7,))), *((MAP, GATE, MAP), (GATE, GATE, MAP), (MAP,) * 4)
        )
        + merging(*MEETING, broadcast=True),
        arithmetic=[
            *((({}, (GATE, *(MAP,) * count)), count * ELEMENTS) for count in (1, 2, 3)),
            *counted(ELEMENTS, merging((MAP, GATE))),
        ],
        traced=[*traced(merging((WIDE, (6, 1, 1)))), *traced(merging((WIDE, (6, 1, 1))), in_place=True)],
    ),
    "norm": Entry(
        arguments=lambda rank: {
            "type": st.sampled_from(NORMS),
            "eps": st.floats(1e-6, 1),
            "momentum": PROBABILITY,
            "groups": GROUPS,
            "group_size": st.none() | st.just(1),  # torch has no size of groups that could be refused
            "affine": st.booleans(),
            "zero_init": st.booleans(),
            "size": st.integers(1, 5),
            "alpha": st.sampled_from([1e-4, 0.5]),
            "beta": st.sampled_from([0.75, 0.5]),
            "k": st.sampled_from([1.0, 2.0]),
        },
        bounds=(
            Bound("eps", 0, -1e-9),
            Bound("momentum", 0, -0.01),
            Bound("momentum", 1, 1.01),
            Bound("groups", 1, 0, {"type": "group"}),
            Bound("group_size", 1, 0, {"type": "group"}),
            Bound("size", 1, 0, {"type": "local_response"}),
        ),
        uses=[
            *(use for affine in (True, False) for use in on((4,), SIGNAL, MAP, type="batch", affine=affine)),
            *(use for affine in (True, False) for use in on(SIGNAL, MAP, type="instance", affine=affine)),
            *(use for affine in (True, False) for use in on((4,), SIGNAL, MAP, type="layer", affine=affine)),
            *(use for affine in (True, False) for use in on(SIGNAL, MAP, type="group", groups=4, affine=affine)),
            *on((4,), SIGNAL, MAP, type="group", groups=2),
            *on(SIGNAL, MAP, type="group", group_size=1),
            *on((4,), SIGNAL, MAP, type="rms"),
            *on(SIGNAL, MAP, type="grn"),
            *(use for size in (5, 2) for use in on(SIGNAL, MAP, type="local_response", size=size)),
            *on(MAP, type="local_response", size=3, alpha=0.5, beta=0.5, k=2.0),
            *on((4,), SIGNAL, MAP, type="frozen"),
        ],
        more=[
            *(use for word in NORMS for use in on(VIDEO, type=word, groups=2)),
            *on((4,), SIGNAL, MAP, type="rms", affine=False),
            *on(MAP, type="batch", eps=0.25, momentum=0.5),
            *on(MAP, type="batch", eps=1e-5, momentum=0.1, affine=False),
            *(use for word in ("group", "layer", "instance") for use in on(MAP, type=word, groups=2, eps=0.25)),
        ],
        arithmetic=[
            pair for word in ("batch", "group", "layer") for pair in counted(2 * ELEMENTS, on(MAP, type=word, groups=2))
        ],
    ),
    "pad": Entry(
        arguments=lambda rank: {
            "sides": st.one_of(size(0, 3)(rank), sides(4)(rank)),
            "mode": st.sampled_from(["constant", "reflect", "replicate", "circular"]),
            "value": mostly(0.0, FACTOR),
        },
        stricter={"E506": "a flat value has no sides, and a list of another length pads other axes"},
        uses=[
            *on(SIGNAL, MAP, sides=1),
            *on(MAP, sides=((2, 0), (0, 1)), value=0.5),
            *on(SIGNAL, MAP, sides=-1),
            *on(MAP, sides=((-1, 1), (2, -2))),
            *on(MAP, sides=((-1, 1), (0, -2)), value=0.5),
            *(use for mode in ("reflect", "replicate", "circular") for use in on(SIGNAL, MAP, sides=2, mode=mode)),
        ],
        more=[*on(VIDEO, sides=((1, 0), 1, (0, 2))), *on(VIDEO, sides=1, mode="replicate")],
        arithmetic=counted(0, on(MAP, sides=1)),
        traced=[
            *traced(on(WIDE, sides=((2, 0), 1), value=0.5)),
            *traced(on(WIDE, sides=((-1, 1), -1))),
            *(use for mode in ("reflect", "replicate", "circular") for use in traced(on(WIDE, sides=1, mode=mode))),
        ],
    ),
    "pad_channels": Entry(
        arguments=lambda rank: {"out": st.integers(1, 16), "at": st.sampled_from(["end", "both"])},
        bounds=(Bound("out", 3, 0),),
        stricter={"E507": "torch pads by a negative number, which crops"},
        uses=on((7,), SIGNAL, MAP, out=9, at="both"),
        arithmetic=counted(0, on(MAP, out=9)),
        traced=traced(on(WIDE, out=9, at="both")),
    ),
    "permute": Entry(
        arguments=lambda rank: {
            "order": st.permutations(range(rank + 1)).map(tuple) | size(0, 2)(rank),
        },
        stricter={"E506": "axes that torch's function does not have, or several times"},
        uses=[*on(SIGNAL, order=(1, 0)), *on(MAP, order=(0, 2, 1))],
        more=on(MAP, order=(2, 0, 1)),
        arithmetic=counted(0, on(MAP, order=(0, 2, 1))),
        traced=traced(on(WIDE, order=(1, 0, 2))),
    ),
    "pixel_shuffle": Entry(
        arguments=lambda rank: {"factor": st.integers(1, 3)},
        bounds=(Bound("factor", 1, 0),),
        stricter={"E506": "torch takes a signal for one map, and the first of many axes for a batch"},
        uses=on((8, 6, 5), (12, 3, 4), factor=2),
        more=on(MAP, factor=1),
        arithmetic=counted(0, on(MAP, factor=2)),
    ),
    "pixel_unshuffle": Entry(
        arguments=lambda rank: {"factor": st.integers(1, 3)},
        bounds=(Bound("factor", 1, 0),),
        stricter={"E506": "torch takes a signal for one map, and the first of many axes for a batch"},
        uses=[*on((4, 6, 4), (3, 4, 4), factor=2), *on((2, 6, 9), factor=3)],
        more=on(MAP, factor=1),
        arithmetic=counted(0, on((4, 6, 4), factor=2)),
    ),
    "pool": Entry(
        arguments=lambda rank: {
            "type": st.sampled_from(POOLS),
            "kernel": if_windowed(size(1, 4)(rank), None),
            "stride": if_windowed(st.none() | size(1, 3)(rank), None),
            "padding": if_windowed(
                st.one_of(mostly(1, size(0, 3)(rank)), sides(2)(rank), st.sampled_from(["same", "valid"])), 0
            ),
            "dilation": if_windowed(mostly(1, size(1, 2)(rank)), 1),
            "ceil": if_windowed(st.booleans(), False),
            "count_padding": mostly(True, st.just(False)),
            "power": mostly(2, st.sampled_from([1, 3, 2.5])),
            "output": WINDOWED.flatmap(
                lambda windowed: mostly(None, size(1, 4)(rank)) if windowed else size(1, 4)(rank)
            ),
        },
        bounds=(
            Bound("kernel", 1, 0, {"type": "max"}),
            Bound("stride", 1, 0, {"type": "max", "kernel": 1}),
            Bound("padding", 0, -1, {"type": "max", "kernel": 1}),
            Bound("dilation", 1, 0, {"type": "max", "kernel": 1}),
            Bound("output", 1, 0, {"type": "avg"}),
            Bound("power", 1, 0.9, {"type": "lp", "kernel": 2}),
        ),
        stricter={
            "E506": "neither a flat value nor a list of another length has a torch call",
            "E206": "arguments that torch's class does not take, or none of those that it needs",
        },
        uses=[
            *(use for word in POOLS for use in on(SIGNAL, MAP, type=word, kernel=3, stride=2, padding=1)),
            *(use for word in POOLS for use in on(SIGNAL, MAP, type=word, output=1)),
            *(use for word in POOLS for use in on(SIGNAL, MAP, type=word, kernel=3, stride=2, padding="same")),
            *(use for word in POOLS for use in on(MAP, type=word, kernel=2, stride=1, padding="same")),
            *on(SIGNAL, type="max", kernel=3, stride=1, padding=((2, 0),)),
            *on(MAP, type="max", kernel=3, stride=1, padding="same", dilation=2),
            *on(MAP, type="avg", kernel=3, stride=2, padding=((0, 1), 1), count_padding=False),
            *on(SIGNAL, MAP, type="lp", kernel=2),
            *on(MAP, type="lp", kernel=3, stride=1, power=4),  # a negative number has no root of an odd degree
            *on(MAP, type="lp", kernel=2, power=1),
            *(use for word in POOLS for use in on(SIGNAL, MAP, type=word, output=3)),
            *on(MAP, type="max", kernel=(2, 3), stride=1, dilation=2),
            *on(MAP, type="avg", output=(6, 1)),
        ],
        more=[
            *(use for word in POOLS for use in on(VIDEO, type=word, kernel=2, stride=1, ceil=True)),
            *(use for word in POOLS for use in on(SIGNAL, MAP, type=word, kernel=4, stride=3, ceil=True)),
            *on(MAP, type="avg", kernel=3, padding=1, count_padding=False),
            *on(MAP, type="max", kernel=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
            *on(VIDEO, type="avg", output=(1, 2, 3)),
            *(use for word in POOLS for use in on(VIDEO, type=word, kernel=2, stride=(1, 2, 2), padding="same")),
            *on(VIDEO, type="lp", kernel=2, stride=1, power=3),
            *on(MAP, type="max", kernel=3, padding="valid"),
        ],
        arithmetic=[
            *counted(4 * (5 * 3) * (2 * 3), on(MAP, type="max", kernel=(2, 3), stride=1)),
            *counted(4 * (3 * 3) * 9, on(MAP, type="avg", kernel=3, stride=2, padding=1)),
            *counted(4 * 3 * 2, on(SIGNAL, type="avg", kernel=2)),
            *(pair for word in POOLS for pair in counted(ELEMENTS, on(MAP, type=word, output=2))),
        ],
    ),
    "power": Entry(
        arguments=lambda rank: {"by": st.sampled_from([0, 1, 2, 3, -1])},
        uses=[use for by in (2, 3, -1) for use in on((7,), SIGNAL, MAP, by=by)],
        more=on(VIDEO, by=2),
        arithmetic=counted(ELEMENTS, on(MAP, by=2)),
        traced=traced(on(WIDE, by=3)),
    ),
    "reshape": Entry(
        arguments=lambda rank: {"size": size(1, 4)(rank)},
        bounds=(Bound("size", 1, 0),),
        uses=[*on((8,), size=2), *on(SIGNAL, size=4), *on(MAP, size=(10, 2)), *on((4, 6, 5), size=1)],
        more=on(VIDEO, size=(3, 2, 2)),
        arithmetic=counted(0, on(MAP, size=(6, 10))),
        traced=traced(on(WIDE, size=(2, 8))),
    ),
    "scale": Entry(
        arguments=lambda rank: {"by": NUMBERS, "learned": st.booleans(), "per": st.sampled_from(["channel", "whole"])},
        stricter={"E206": "learned numbers start alike", "E507": "torch broadcasts, or computes only some channels"},
        uses=[
            *(use for by in (0.5, -2, 0) for use in on((7,), SIGNAL, MAP, by=by)),
            *(use for by in ((0.5, 0.1, -1, 0), (3.0,) * 4) for use in on((4,), SIGNAL, MAP, by=by)),
            *(use for per in ("channel", "whole") for use in on((7,), MAP, by=0.5, learned=True, per=per)),
        ],
        more=[*on(VIDEO, by=0.1), *on(VIDEO, by=(1, 2, 3, 4))],
        arithmetic=[*counted(ELEMENTS, on(MAP, by=0.5)), *counted(ELEMENTS, on(MAP, by=(1, 2, 3, 4)))],
        traced=[
            *traced(on(WIDE, by=0.5, learned=True)),
            *traced(on(WIDE, by=0.5)),
            *traced(on(WIDE, by=(1, 2, 3, 4, 5, 6))),
        ],
    ),
    "shift": Entry(
        arguments=lambda rank: {"by": NUMBERS, "learned": st.booleans(), "per": st.sampled_from(["channel", "whole"])},
        stricter={"E206": "learned numbers start alike", "E507": "torch broadcasts, or computes only some channels"},
        uses=[
            *(use for by in (0.5, -2, 0) for use in on((7,), SIGNAL, MAP, by=by)),
            *(use for by in ((0.5, 0.1, -1, 0), (3.0,) * 4) for use in on((4,), SIGNAL, MAP, by=by)),
            *(use for per in ("channel", "whole") for use in on((7,), MAP, by=0.5, learned=True, per=per)),
        ],
        more=[*on(VIDEO, by=0.1), *on(VIDEO, by=(1, 2, 3, 4))],
        arithmetic=[*counted(ELEMENTS, on(MAP, by=0.5)), *counted(ELEMENTS, on(MAP, by=(1, 2, 3, 4)))],
        traced=[
            *traced(on(WIDE, by=0.5, learned=True)),
            *traced(on(WIDE, by=0.5)),
            *traced(on(WIDE, by=(1, 2, 3, 4, 5, 6))),
        ],
    ),
    "slice": Entry(
        arguments=lambda rank: {"start": st.integers(0, 6), "stop": st.none() | st.integers(1, 12)},
        bounds=(Bound("start", 0, -1, {"stop": 2}), Bound("stop", 1, 0)),
        stricter={"E507": "torch gives what there is, down to an empty tensor"},
        uses=on((7,), SIGNAL, MAP, start=1, stop=3),
        more=on(VIDEO, stop=2),
        arithmetic=counted(0, on(MAP, stop=2)),
        traced=traced(on(WIDE, start=2, stop=5)),
    ),
    "subsample": Entry(
        arguments=lambda rank: {"stride": size(1, 4)(rank)},
        bounds=(Bound("stride", 1, 0),),
        stricter={"E506": "a flat value has no positions"},
        uses=on(SIGNAL, MAP, stride=2),
        more=on(VIDEO, stride=(1, 2, 3)),
        arithmetic=counted(0, on(MAP, stride=2)),
        traced=traced(on(WIDE, stride=2)),
    ),
    "torch": Entry(
        arguments=lambda rank: {
            "module": LAYER.map(PREFIX.__add__),
            "dim": of_layer("dim", st.integers(1, 4)),
            "p": of_layer("p", PROBABILITY),
            "lambd": of_layer("lambd", st.floats(0, 2)),
            "threshold": of_layer("threshold", FACTOR),
            "value": of_layer("value", FACTOR),
            "lower": of_layer("lower", st.floats(0, 0.5)),
            "upper": of_layer("upper", st.floats(0, 0.5)),
            "normalized_shape": of_layer("normalized_shape", size(1, 5)(rank)),
            "eps": of_layer("eps", st.floats(1e-6, 1)),
            "elementwise_affine": of_layer("elementwise_affine", st.booleans()),
            "bias": of_layer("bias", st.booleans()),
            "output_size": of_layer("output_size", size(1, 4)(2)),
            "kernel_size": of_layer("kernel_size", size(1, 3)(2)),
            "dilation": of_layer("dilation", size(1, 2)(2)),
            "padding": of_layer("padding", size(0, 1)(2)),
            "stride": of_layer("stride", size(1, 2)(2)),
        },
        bounds=(
            Bound("dim", 1, 0, {"module": "torch.nn.Softmax"}),
            Bound("p", 0, -0.01, {"module": "torch.nn.AlphaDropout"}),
            Bound("p", 1, 1.01, {"module": "torch.nn.AlphaDropout"}),
            Bound("lambd", 0, -0.01, {"module": "torch.nn.Softshrink"}),
            Bound("normalized_shape", 1, 0, {"module": "torch.nn.LayerNorm"}, "mean: {over: positions}"),
            Bound("eps", 0, -1e-9, {"module": "torch.nn.LayerNorm", "normalized_shape": 8}),
            *(
                Bound(name, at, at - 1, {"module": "torch.nn.Unfold", "kernel_size": 1})
                for name, at in (("dilation", 1), ("padding", 0), ("stride", 1))
            ),
            Bound("kernel_size", 1, 0, {"module": "torch.nn.Unfold"}),
            Bound(
                *("output_size", 1, 0, {"module": "torch.nn.Fold", "kernel_size": 1}),
                "torch: {module: torch.nn.Unfold, kernel_size: 8}",
            ),
        ),
        stricter={
            "E301": "torch raises a TypeError, as Python does for any unknown argument",
            "E306": "torch raises a TypeError",
            "E506": "torch takes the examples of the batch for channels",
            "E509": "a layer that mixes the examples of a batch, which torch does not know",
        },
        uses=[
            *(use for word in ("Hardshrink", "Softshrink") for use in layer(word, (7,), SIGNAL, MAP)),
            *(use for word in ("Hardshrink", "Softshrink") for use in layer(word, MAP, lambd=0.25)),
            *(use for word in ("Tanhshrink", "Softsign") for use in layer(word, (7,), SIGNAL, MAP)),
            *layer("Threshold", (7,), MAP, threshold=0.1, value=-2.0),
            *layer("RReLU", (7,), MAP),
            *layer("RReLU", MAP, lower=0.25, upper=0.5),
            *(use for word in ("Softmax", "Softmin", "LogSoftmax") for use in layer(word, (7,), SIGNAL, MAP, dim=1)),
            *(use for word in ("Softmax", "Softmin", "LogSoftmax") for use in layer(word, MAP, dim=3)),
            *layer("Softmax2d", MAP),
            *(use for p in (0.0, 0.5) for use in layer("AlphaDropout", (7,), MAP, p=p)),
            *layer("FeatureAlphaDropout", MAP),
            *layer("Dropout1d", SIGNAL),
            *layer("Dropout2d", MAP, p=0.25),
            *layer("Dropout3d", VIDEO),
            *(use for word in ("LayerNorm", "RMSNorm") for use in layer(word, (7,), normalized_shape=7)),
            *(use for word in ("LayerNorm", "RMSNorm") for use in layer(word, MAP, normalized_shape=(6, 5), eps=0.25)),
            *layer("LayerNorm", MAP, normalized_shape=MAP, bias=False),
            *layer("RMSNorm", MAP, normalized_shape=5, elementwise_affine=False),
            *layer("Unfold", MAP, kernel_size=(3, 2), stride=2, padding=1, dilation=(1, 2)),
            *layer("Fold", (8, 12), output_size=(4, 5), kernel_size=2),
        ],
        arithmetic=(),
        unavailable=True,
        in_onnx=lambda given: given["module"] not in (f"{PREFIX}Unfold", f"{PREFIX}Fold"),
        more=[*layer("Softsign", VIDEO), *layer("Softmax", VIDEO, dim=4)],
    ),
    "upsample": Entry(
        arguments=lambda rank: {
            "scale": UPSCALED.flatmap(
                lambda by_scale: mostly(None, size(1, 3)(rank)) if not by_scale else size(1, 3)(rank)
            ),
            "size": UPSCALED.flatmap(lambda by_scale: mostly(None, size(1, 9)(rank)) if by_scale else size(1, 9)(rank)),
            "like": st.none(),  # it is an input
            "mode": st.sampled_from(["nearest", "linear", "bilinear", "bicubic", "trilinear"]),
            "align_corners": mostly(False, st.just(True)),
        },
        bounds=(Bound("scale", 1, 0), Bound("size", 1, 0)),
        stricter={
            "E506": "neither a flat value nor a list of another length has a torch call",
            "E206": "arguments that torch refuses together, or none of those that it needs",
        },
        uses=[
            *on(SIGNAL, MAP, scale=2),
            *on(SIGNAL, scale=3, mode="linear"),
            *on(MAP, scale=2, mode="bilinear"),
            *on(MAP, scale=(3, 2), mode="bilinear", align_corners=True),
            *on(MAP, scale=2, mode="bicubic"),
            *on(MAP, size=(9, 12)),
            *on(MAP, size=(9, 12), mode="bilinear"),
            *on((4, 3, 3, 3), scale=2, mode="trilinear"),
        ],
        more=[
            *on(VIDEO, scale=(1, 2, 3)),
            *on(MAP, size=4, mode="bicubic", align_corners=True),
            *on(MAP, size=1, mode="bilinear"),
        ],
        arithmetic=[
            *counted(0, on(MAP, scale=2)),
            *counted(4 * 4 * ELEMENTS, on(MAP, scale=2, mode="bilinear")),
            *counted(16 * 4 * ELEMENTS, on(MAP, scale=2, mode="bicubic")),
            *counted(2 * 3 * 4 * 6, on(SIGNAL, scale=3, mode="linear")),
        ],
    ),
    "subtract": Entry(
        arguments=lambda rank: {"broadcast": st.booleans()},
        stricter={"E504": "torch broadcasts without being asked"},
        uses=[
            *merging(*((shape,) * count for shape in ((7,), SIGNAL, MAP) for count in (2, 3))),
            *merging(*MEETING, broadcast=True),
        ],
        arithmetic=[(({}, (MAP,) * count), (count - 1) * ELEMENTS) for count in (2, 3, 4)],
        traced=traced(merging((WIDE, WIDE))),
    ),
}

CASES = [Case(name, given, inputs) for name, entry in ENTRIES.items() for given, inputs in entry.uses]
MORE = [Case(name, given, inputs) for name, entry in ENTRIES.items() for given, inputs in entry.more]
ARITHMETIC = [
    (Case(name, given, inputs), count) for name, entry in ENTRIES.items() for (given, inputs), count in entry.arithmetic
]
TRACED = [
    (Case(name, given, inputs), in_place)
    for name, entry in ENTRIES.items()
    for (given, inputs), in_place in entry.traced
]
BOUNDS = [(name, *bound) for name, entry in ENTRIES.items() for bound in entry.bounds]
