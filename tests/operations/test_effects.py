"""What each operation does to memory, how far it reads and how much it computes, against one run of it in torch."""

from __future__ import annotations

import inspect
import itertools
import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from archspec.analysis.strides import dense
from archspec.emit.modules import resolve
from archspec.operations.act import ACTIVATIONS
from archspec.operations.base import INIT
from archspec.operations.discovery import operations
from archspec.operations.effects import Bytes, Everywhere
from archspec.operations.shapes import Shape
from tests.analysis.measure import LiveStorages
from tests.operations.entries import ARITHMETIC, CASES, ENTRIES, GATE, MAP, MORE, SIGNAL, VIDEO, Case
from tests.operations.test_contract import apply, module_of

BATCHES = (1, 3)
BY_CASE = pytest.mark.parametrize("case", CASES, ids=str)
RULED = [case for case in CASES if not ENTRIES[case.name].unavailable]
# What lies between the steps of a folded call is the analysis's to count.
UNFOLDED = [case for case in RULED if len(case.inputs) < 3]
# A flat value has no positions, and a view has no memory of its own.
VIEWS = ("slice", "subsample", "flatten", "reshape")
LAID_OUT = [case for case in RULED if len(case.inputs[0]) > 1 and case.name not in VIEWS]


def values(case: Case, batch: int, *, last: tuple[bool, ...] = (), dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Random inputs; those that are ``last`` have their channels beside each other in memory."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for shape, beside in itertools.zip_longest(case.inputs, last, fillvalue=False):
        assert isinstance(shape, tuple)
        at = (*shape[1:], shape[0]) if beside else shape
        value = torch.randn(batch, *at, generator=generator).to(dtype)
        found.append(value.movedim(-1, 1) if beside else value)
    return found


class Applied(NamedTuple):
    """An operation ready to run: its module, or its call and the weights that the call takes."""

    case: Case
    module: nn.Module
    own: list[Tensor]

    def __call__(self, inputs: list[Tensor]) -> Tensor:
        call = self.case.operation.torch(self.case.inputs)
        result: Tensor = self.module(*inputs) if call.kind == "module" else apply(call, inputs, self.own)
        return result


def applied(case: Case, *, train: bool, dtype: torch.dtype = torch.float32) -> Applied:
    call = case.operation.torch(case.inputs)
    weights = () if call.kind == "module" else case.operation.weights(case.inputs).values()
    own = [torch.ones(weight.shape, dtype=dtype) for weight in weights]
    return Applied(case, module_of(call).train(train).to(dtype), own)


def storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def lies_last(tensor: Tensor) -> bool:
    return tensor.movedim(1, -1).is_contiguous()


def spatial(case: Case) -> bool:
    return len(case.inputs[0]) > 1


# -- memory ------------------------------------------------------------------------------------------------------------


def rearranges(case: Case, last: bool) -> bool:
    reads = case.operation.reads(case.inputs)
    if case.operation.alias(case.inputs, training=False):
        return case.operation.view_strides(case.inputs, dense(2, case.inputs[0], last=last)) is None
    return reads in ("first", "last") and spatial(case) and (reads == "last") != last


@pytest.mark.parametrize("case", UNFOLDED, ids=str)
def test_memory_beside_the_output(case: Case) -> None:
    """The most that is alive while it runs in eval mode: its output, and what it takes and frees beside it."""
    operation = case.operation
    output = operation.shape(case.inputs)
    scratch = operation.scratch(case.inputs, output)
    assert scratch is not None
    run = applied(case, train=False)
    for batch, last in itertools.product(BATCHES, (False, True) if spatial(case) else (False,)):
        made = 0 if operation.alias(case.inputs, training=False) else 4 * batch * math.prod(output)
        copy = batch * 4 * math.prod(case.inputs[0]) if rearranges(case, last) else 0
        if copy and operation.reads(case.inputs) == "last" and batch == 1:
            copy = 0  # of one example a view will do
        expected = made + copy + scratch.total(batch, 4)
        if rearranges(case, last):
            later = operation.scratch_rearranged(case.inputs, output)
            expected = max(expected, made + later.total(batch, 4))
        inputs = values(case, batch, last=(last,) * len(case.inputs))
        with (
            torch.no_grad(),
            LiveStorages([*run.module.parameters(), *run.module.buffers(), *run.own, *inputs]) as live,
        ):
            run(inputs)
        assert live.peak == expected, (batch, last)


@pytest.mark.parametrize("case", LAID_OUT, ids=str)
def test_where_the_channels_of_the_output_lie(case: Case) -> None:
    """By the strides of what torch makes of inputs whose channels lie first, last, or the one and the other."""
    run = applied(case, train=False)
    layout = case.operation.layout(case.inputs)
    for last in itertools.product((False, True), repeat=len(case.inputs)):
        # With gradients: without, torch has a kernel for max pooling over one dimension that puts channels first.
        output = run([value.requires_grad_() for value in values(case, 3, last=last)])
        if output[0, 0].numel() == 1 or output.shape[1] == 1:
            continue
        full = [beside for beside, shape in zip(last, case.inputs, strict=True) if shape[1:] == case.inputs[-1][1:]]
        expected = {"first": False, "last": True, "kept": last[0], "agreed": all(full)}[layout]
        if len(case.inputs) > 1 and layout == "kept":
            continue  # the analysis says which input is the first operand
        assert (lies_last(output), output.is_contiguous()) == (expected, not expected), last


def assert_saved(case: Case, needed: tuple[bool, ...], trainable: bool, dtype: torch.dtype, batch: int) -> None:
    operation = case.operation
    run = applied(case, train=True, dtype=dtype)
    own = [*run.module.parameters(), *run.own]
    for weight in own:
        weight.requires_grad_(trainable)
    last = (
        operation.reads(case.inputs) == "last" and spatial(case),
    )  # what lies otherwise is copied, and the copy kept
    given = values(case, batch, last=last, dtype=dtype)
    inputs = [value.requires_grad_(need) for value, need in zip(given, needed, strict=True)]
    kept: dict[int, Tensor] = {}

    def save(tensor: Tensor) -> Tensor:
        kept[storage(tensor)] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        output = run(inputs)
    for tensor in (*own, *run.module.buffers()):
        kept.pop(storage(tensor), None)
    rule = operation.saved(case.inputs, trainable and bool(own), needed)
    assert rule is not None
    found = {index for index, value in enumerate(inputs) if storage(value) in kept}
    assert found == set(rule.inputs), (needed, trainable)
    shared = storage(output) in map(storage, inputs)
    assert shared or rule.output == (storage(output) in kept), (needed, trainable)
    for tensor in (*inputs, output):
        kept.pop(storage(tensor), None)
    beside = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert beside == rule.more.total(batch, dtype.itemsize), (needed, trainable)


@pytest.mark.parametrize("case", RULED, ids=str)
def test_what_is_saved_for_the_backward_pass(case: Case) -> None:
    """Whichever inputs need a gradient, and whether its own weights do."""
    weights = bool(case.operation.weights(case.inputs))
    for needed in itertools.product((False, True), repeat=len(case.inputs)):
        for trainable in (False, True) if weights else (False,):
            if trainable or any(needed):
                assert_saved(case, needed, trainable, torch.float64 if needed[0] else torch.float32, 3)


@pytest.mark.parametrize(
    ("memory", "batch", "item", "total"),
    [
        (Bytes(), 5, 4, 0),
        (Bytes(elements=7), 5, 2, 5 * 7 * 2),
        (Bytes(each=8), 5, 2, 5 * 8),
        (Bytes(statistics=3), 5, 2, 5 * 3 * 4),
        (Bytes(statistics=3), 5, 8, 5 * 3 * 8),
        (Bytes(shared=6), 5, 2, 6 * 4),
        (Bytes(shared=6), 5, 8, 6 * 8),
        (Bytes(7, 8, 3, 6), 2, 2, 2 * (7 * 2 + 8 + 3 * 4) + 6 * 4),
    ],
)
def test_bytes_of_a_batch(memory: Bytes, batch: int, item: int, total: int) -> None:
    """Statistics are numbers of four bytes where an element is shorter; what is shared does not grow with the batch."""
    assert memory.total(batch, item) == total


# -- how far it reads --------------------------------------------------------------------------------------------------


def seen(run: Applied, case: Case, axis: int, position: int) -> list[tuple[int, int] | None]:
    """From where to where each input is read along one axis by one position of the output, in eval mode.

    By one input after the other: a number in it is made no number, and what becomes of it is none either. None: nothing
    is read.
    """
    found: list[tuple[int, int] | None] = []
    for index in range(len(case.inputs)):
        size = case.inputs[index][axis + 1]
        touched = []
        for place in range(size):
            inputs = values(case, 1)
            inputs[index].select(axis + 2, place).fill_(math.nan)
            output = run(inputs).select(axis + 2, position)
            if output.isnan().any():
                touched.append(place)
        found.append((touched[0], touched[-1]) if touched else None)
    return found


# Over three dimensions too, and what stands in torch otherwise than by default.
BUILT = [*CASES, *MORE]

LOCAL = [
    case
    for case in RULED
    if spatial(case)
    and case.given.get("type") not in ("max", "group", "instance", "grn")
    # What moves from axis to axis counts as if every position read all.
    and case.name not in ("permute", "reshape")
]


@pytest.mark.parametrize("case", LOCAL, ids=str)
def test_how_far_one_position_reads(case: Case) -> None:
    """A norm reads statistics too, of the batch or of the example; what it normalizes with is not its reach."""
    operation = case.operation
    output = operation.shape(case.inputs)
    reach = operation.reach(case.inputs, output)
    run = applied(case, train=False)
    with torch.no_grad():
        if isinstance(reach, Everywhere):
            for axis, size in enumerate(output[1:]):
                assert all(seen(run, case, axis, at) == [(0, case.inputs[0][axis + 1] - 1)] for at in range(size))
            return
        assert reach is not None
        assert len(reach) == len(output) - 1
        checked: set[int] = set()
        for axis, each_axis in enumerate(reach):
            for position in range(output[axis + 1]):
                first = math.floor(position * each_axis.stride - each_axis.padding)
                last = first + each_axis.extent - 1
                if each_axis.end is not None:
                    last = math.floor(position * each_axis.stride + each_axis.end)
                    assert last - first < each_axis.extent
                found = seen(run, case, axis, position)
                sizes = [shape[axis + 1] for shape in case.inputs]
                for span, size in zip(found, sizes, strict=True):
                    if first >= 0 and last < size and (size > 1 or max(sizes) == 1):  # no border, and no gate
                        assert span == ((first, last) if first <= last else None), (axis, position)
                        checked.add(axis)
        assert checked == set(range(len(reach)))


# -- arithmetic --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [case for case in BUILT if ENTRIES[case.name].unavailable], ids=str)
def test_what_has_no_rule_is_unavailable(case: Case) -> None:
    """Never a 0 in its place."""
    operation, inputs = case.operation, case.inputs
    output = operation.shape(inputs)
    costs = (operation.macs, operation.elementwise, operation.scratch, operation.reach)
    assert [rule(inputs, output) for rule in costs] == [None] * len(costs)
    assert operation.saved(inputs, True, (True,)) is operation.saved_in_eval(inputs, (True,)) is None


@pytest.mark.parametrize(("case", "count"), ARITHMETIC, ids=str)
def test_arithmetic_on_single_elements(case: Case, count: int) -> None:
    """Counted by hand: one for each element that is computed, two where it is scaled and shifted, a window's size."""
    assert case.operation.elementwise(case.inputs, case.operation.shape(case.inputs)) == count


@BY_CASE
def test_what_torch_has_by_default_is_not_given(case: Case) -> None:
    """An instance norm says always whether it is affine."""
    call = case.operation.torch(case.inputs)
    if call.kind != "module":  # a function in C has no signature
        return
    # A class that adds to one of torch's passes the other arguments on.
    signatures = [inspect.signature(base.__init__).parameters for base in resolve(call.target).__mro__[:-1]]
    for name, value in call.kwargs.items():
        defaults = next(each[name].default for each in signatures if name in each)
        assert name in ("affine", "p") or value != defaults


STARTS = {
    "conv": ("conv", "bias"),
    "channel_conv": ("conv", "bias"),
    "linear": ("linear", "linear_bias"),
    "norm": ("one", "zero"),
    "torch": ("one", "zero"),
}


@pytest.mark.parametrize("case", BUILT, ids=str)
def test_shapes_weights_and_macs_are_those_of_torch(case: Case) -> None:
    operation, batch = case.operation, 2
    weights, buffers = operation.weights(case.inputs), operation.buffers(case.inputs)
    run = applied(case, train=False)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = run(values(case, batch))
    assert operation.shape(case.inputs) == tuple(output.shape[1:])
    macs = operation.macs(case.inputs, operation.shape(case.inputs))
    assert counter.get_total_flops() == (0 if macs is None else 2 * batch * macs)
    if case.operation.torch(case.inputs).kind == "module":
        assert {name: weight.shape for name, weight in weights.items()} == {
            name: tuple(parameter.shape) for name, parameter in run.module.named_parameters()
        }
    starts = {"gain": "one", **dict(zip(("weight", "bias"), STARTS.get(case.name, ()), strict=False))}
    for name, weight in weights.items():
        if weight.by_torch:
            assert torch.all(run.module.get_parameter(name) == weight.start({}))
            continue
        assert weight.initial == (
            starts[name] if name else f"constant:{case.given.get('initial', case.given.get('by', 1e-06))}"
        )
        if weight.initial in ("bias", "linear_bias"):
            assert weight.fan_in == nn.init._calculate_fan_in_and_fan_out(run.module.get_parameter("weight"))[0]
    kinds = {torch.float32: "float", torch.int64: "int64"}
    assert buffers == {
        name: (tuple(buffer.shape), float(buffer.flatten()[0]), kinds[buffer.dtype])
        for name, buffer in module_of(operation.torch(case.inputs)).named_buffers()
    }


MODULES = [
    (Case("conv", {"out": 8}, (MAP,)), nn.Conv2d(4, 8, 1, bias=False)),
    (Case("conv", {"out": 8, "kernel": 3, "stride": 2, "bias": True}, (SIGNAL,)), nn.Conv1d(4, 8, 3, 2, 1)),
    (
        Case("conv", {"out": 8, "kernel": (3, 2), "stride": (1, 2), "dilation": (2, 1), "groups": 2}, (MAP,)),
        nn.Conv2d(4, 8, (3, 2), (1, 2), (2, 0), (2, 1), 2, bias=False),
    ),
    (Case("conv", {"out": 8, "kernel": 4, "padding": 2}, (VIDEO,)), nn.Conv3d(4, 8, 4, 1, 2, bias=False)),
    (Case("linear", {"out": 3}, ((7,),)), nn.Linear(7, 3)),
    (Case("linear", {"out": 3, "bias": False}, ((7,),)), nn.Linear(7, 3, bias=False)),
    (Case("dropout", {"p": 0.25}, (MAP,)), nn.Dropout(0.25)),
    (Case("dropout", {}, (MAP,)), nn.Dropout()),
    *(
        (Case("norm", {"eps": 0.25, "momentum": 0.5, "affine": affine}, (shape,)), cls(4, 0.25, 0.5, affine))
        for affine in (True, False)
        for shape, cls in (
            ((4,), nn.BatchNorm1d),
            (SIGNAL, nn.BatchNorm1d),
            (MAP, nn.BatchNorm2d),
            (VIDEO, nn.BatchNorm3d),
        )
    ),
    (Case("norm", {}, (MAP,)), nn.BatchNorm2d(4)),
    *(
        (Case("norm", {"type": "group", "groups": 2, **given}, (MAP,)), nn.GroupNorm(2, 4, **given))
        for given in ({}, {"eps": 0.25}, {"affine": False})
    ),
    (Case("norm", {"type": "layer", "eps": 0.25}, ((4,),)), nn.LayerNorm(4, 0.25)),
    (Case("norm", {"type": "layer", "affine": False}, ((4,),)), nn.LayerNorm(4, elementwise_affine=False)),
    *(
        (Case("norm", {"type": "instance", **given}, (shape,)), cls(4, **{"affine": True, **given}))
        for given in ({}, {"eps": 0.25}, {"affine": False})
        for shape, cls in ((SIGNAL, nn.InstanceNorm1d), (MAP, nn.InstanceNorm2d), (VIDEO, nn.InstanceNorm3d))
    ),
    *(
        (Case("pool", {"type": "max", **given}, (MAP,)), nn.MaxPool2d(**made))
        for given, made in (
            ({"kernel": 3}, {"kernel_size": 3}),
            ({"kernel": 3, "stride": 1}, {"kernel_size": 3, "stride": 1}),
            ({"kernel": 3, "padding": 1, "dilation": 2}, {"kernel_size": 3, "padding": 1, "dilation": 2}),
            ({"kernel": (2, 3), "ceil": True}, {"kernel_size": (2, 3), "ceil_mode": True}),
        )
    ),
    (Case("pool", {"type": "avg", "kernel": 3, "padding": 1}, (SIGNAL,)), nn.AvgPool1d(3, padding=1)),
    (
        Case("pool", {"type": "avg", "kernel": 2, "count_padding": False}, (SIGNAL,)),
        nn.AvgPool1d(2, count_include_pad=False),
    ),
    (Case("pool", {"type": "avg", "output": 1}, (MAP,)), nn.AdaptiveAvgPool2d(1)),
    (Case("pool", {"type": "max", "output": (3, 3)}, (MAP,)), nn.AdaptiveMaxPool2d(3)),
    (Case("pool", {"type": "avg", "output": (1, 2)}, (MAP,)), nn.AdaptiveAvgPool2d((1, 2))),
]


@pytest.mark.parametrize(("case", "module"), MODULES, ids=str)
def test_a_module_is_made_of_the_arguments(case: Case, module: nn.Module) -> None:
    """The module as torch prints it, and what a print leaves out."""
    found = applied(case, train=True).module
    assert type(found) is type(module)
    assert repr(found) == repr(module)
    assert getattr(found, "count_include_pad", None) == getattr(module, "count_include_pad", None)


def test_every_operation_is_here() -> None:
    assert {case.name for case in CASES} == set(operations())
    assert {case.name for case, _ in ARITHMETIC} == {case.name for case in RULED}
    assert ENTRIES.keys() == operations().keys()


# -- the same, run otherwise -------------------------------------------------------------------------------------------


@BY_CASE
def test_an_input_that_makes_the_output_zero(case: Case) -> None:
    """Where that input is zero, so is the output, whatever the others are."""
    at = case.operation.zero_from(case.inputs)
    if at is None:
        assert case.name not in ("multiply", "layer_scale", "dropout")
        return
    inputs = values(case, 2)
    inputs[at].zero_()
    assert not applied(case, train=False)(inputs).any()


@pytest.mark.parametrize(
    "given",
    [*({"type": word} for word in ACTIVATIONS), {"type": "hardtanh", "min": 0.5}, {"type": "hardtanh", "max": 0}],
)
def test_an_activation_of_zero(given: dict[str, object]) -> None:
    case = Case("act", given, (MAP,))
    zero = not applied(case, train=False)([torch.zeros(1, *MAP)]).any()
    assert case.operation.zero_from((MAP,)) == (0 if zero else None)


@pytest.mark.parametrize(
    ("shapes", "gates"),
    [
        ((MAP, MAP), {1}),
        ((GATE, MAP), {0}),
        ((MAP, GATE), {1}),
        ((GATE, MAP, MAP), {0, 2}),
        (((7,), (7,), (7,)), {1, 2}),
        ((GATE, GATE), {1}),
        (((4, 1, 6), (4, 1, 1)), {1}),
        (((4, 1, 1), (4, 1, 6)), {0}),
    ],
    ids=str,
)
def test_gates_are_all_factors_but_the_first_of_full_size(shapes: tuple[Shape, ...], gates: set[int]) -> None:
    multiply = operations()["multiply"]()
    assert multiply.gates(shapes) == gates
    assert multiply.zero_from(shapes) == min(set(range(len(shapes))) - gates)


# The words of the language, which are those of torch's functions.
WORDS = (
    *("relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish"),
    *("hardsigmoid", "hardtanh", "sigmoid", "log_sigmoid", "tanh", "softplus", "softmax", "glu"),
)
FUNCTIONS = {
    "log_sigmoid": functional.logsigmoid,
    "prelu": lambda x: functional.leaky_relu(x, 0.25),
    "softmax": lambda x: functional.softmax(x, 1),
    "glu": lambda x: functional.glu(x, 1),
}
"""Those that torch calls otherwise, or that need an argument there."""


@pytest.mark.parametrize("word", WORDS)
def test_an_activation_is_torchs_function_of_its_name(word: str) -> None:
    function = FUNCTIONS.get(word) or getattr(functional, word, None) or getattr(torch, word)
    for shape in ((8,), SIGNAL, MAP, VIDEO):
        case = Case("act", {"type": word}, (shape,))
        (value,) = values(case, 2)
        assert torch.equal(applied(case, train=False)([value * 4]), function(value * 4))
    assert operations()["act"](type=word).kind == word


MERGES = ("add", "concat", "maximum", "minimum", "multiply", "subtract")


def test_what_each_operation_is() -> None:
    """Layers of a paper's count, what counts as activations, merges, and what may be its input's storage."""
    found = operations()
    assert tuple(ACTIVATIONS) == WORDS
    assert {name for name in found if found[name].weighted} == {"channel_conv", "conv", "linear"}
    assert {name for name in found if found[name].activation} == {"blur", "channel_conv", "conv", "linear", "pool"}
    assert {name for name in found if found[name].sums} == {"add", "subtract"}
    assert {name: found[name].arity for name in found} == {name: "many" if name in MERGES else "one" for name in found}
    alias = {(case.name, case.operation.alias(case.inputs, training=False)) for case in CASES}
    itself, view = {"drop_path", "dropout", "flatten", "torch"}, {"flatten", "reshape", "slice", "subsample"}
    assert {name for name, shared in alias if shared == "itself"} == itself
    assert {name for name, shared in alias if shared == "view"} == view
    for name in MERGES:
        assert found[name]().alias((MAP,), training=True) == ("" if name == "concat" else "itself")
    assert {name: found[name].setting for name in found if found[name].setting} == {"act": "act", "norm": "norm"}
    assert list(found) == sorted(found)
    several = ("act", "norm", "pool", "torch")
    kinds = {(case.name, case.operation.kind) for case in CASES if case.name not in several}
    assert kinds == {(name, name) for name in found if name not in several}
    assert {word: found["norm"](type=word).kind for word in ("batch", "group", "layer", "instance")} == {
        "batch": "bn",
        "group": "gn",
        "layer": "ln",
        "instance": "inorm",
    }
    assert [found["pool"](type=word).kind for word in ("max", "avg", "lp")] == ["maxpool", "avgpool", "lppool"]


def test_words_of_initial_weights() -> None:
    """As the reference of the language lists them, the default first."""
    spreads = ("he-fan-in", "xavier", "normal", "truncated-normal")
    assert {
        "conv": ("he-fan-out", *spreads, "torch"),
        "linear": ("torch", "he-fan-out", *spreads),
        "bias": ("torch", "zero"),
    } == INIT


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("kind", ["batch", "group", "layer", "instance"])
def test_a_norm_that_starts_at_zero(kind: str, affine: bool) -> None:
    """Only its scale can; the bias is zero from the start, and without either nothing changes."""
    norm = operations()["norm"](type=kind, groups=2, eps=0.5, affine=affine)
    zeroed = norm.zero_initialized()
    starts = {name: weight.initial for name, weight in zeroed.weights((MAP,)).items()}
    assert starts == ({"weight": "zero", "bias": "zero"} if affine else {})
    plain = {name: weight.initial for name, weight in norm.weights((MAP,)).items()}
    assert plain == ({"weight": "one", "bias": "zero"} if affine else {})
    assert (zeroed == norm) is not affine
    assert zeroed.torch((MAP,)) == norm.torch((MAP,))
    assert [zeroed.zero_initialized(), zeroed.kind] == [zeroed, norm.kind]


@pytest.mark.parametrize(("out", "before", "behind"), [(4, 0, 0), (5, 0, 1), (6, 1, 1), (7, 1, 2), (9, 2, 3)])
@pytest.mark.parametrize("shape", [(4,), SIGNAL, MAP, VIDEO], ids=str)
def test_zeros_on_both_sides(shape: Shape, out: int, before: int, behind: int) -> None:
    """Where their number is odd, one more stands behind; at the end stand all."""
    for at, first in (("both", before), ("end", 0)):
        case = Case("pad_channels", {"out": out, "at": at}, (shape,))
        (value,) = values(case, 2)
        found = applied(case, train=False)([value])
        assert tuple(found.shape[1:]) == case.operation.shape((shape,)) == (out, *shape[1:])
        assert torch.equal(found[:, first : first + 4], value)
        assert not found[:, :first].any()
        assert not found[:, first + 4 :].any()
    assert before + behind == out - 4


def test_only_a_product_has_gates() -> None:
    for case in CASES:
        if case.name != "multiply":
            assert case.operation.gates(case.inputs) == frozenset()


@BY_CASE
def test_nothing_is_written_over_unless_it_may(case: Case) -> None:
    call = case.operation.torch(case.inputs)
    assert call == case.operation.torch(case.inputs, in_place=False)
    run, inputs = applied(case, train=False), values(case, 2)
    before = [value.clone() for value in inputs]
    with torch.no_grad():
        run(inputs)
    assert all(map(torch.equal, inputs, before))
    assert (case.operation.torch(case.inputs, in_place=True) == call) is not case.operation.may_write_in_place()
