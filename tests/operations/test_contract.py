"""One contract for every operation: what it says of itself is what torch does.

Shapes, weights, buffers, MACs, aliasing and what backward needs are compared with the live torch call on tiny tensors.
An operation that is added to the folder fails here until it has an entry in entries.py.
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from archspec.codes import CODES
from archspec.emit.initialize import initialize
from archspec.emit.modules import resolve
from archspec.operations.base import Operation, TorchCall, Weight, arguments
from archspec.operations.discovery import operations
from archspec.operations.shapes import Shape, ShapeFault
from tests.operations.entries import ENTRIES

BATCH = 2  # in training mode one value per channel is not enough for a norm

CHANNELS = st.sampled_from([1, 2, 3, 4, 6, 12])


@st.composite
def shapes(draw: st.DrawFn, *, least_rank: int = 0) -> Shape:
    rank = draw(st.sampled_from([r for r in (0, 1, 2, 2, 3) if r >= least_rank]))
    most = draw(st.sampled_from([1, 3, 5, 9])) if rank < 3 else draw(st.sampled_from([1, 3, 5]))
    return (draw(CHANNELS), *(draw(st.integers(1, most)) for _ in range(rank)))


@st.composite
def branches(draw: st.DrawFn) -> tuple[Shape, ...]:
    """Two to four shapes that mostly agree: equal ones, gates, other channels, other sizes, another rank."""
    first = draw(shapes())
    gate = (first[0], *(1 for _ in first[1:]))
    like = st.sampled_from([first, first, first, gate])
    other_channels = st.builds(lambda c: (c, *first[1:]), CHANNELS)
    other_size = st.builds(lambda s: (first[0], *(s for _ in first[1:])), st.integers(1, 4))
    other = st.one_of(like, like, other_channels, other_size, shapes())
    return (first, *draw(st.lists(other, min_size=1, max_size=3)))


@st.composite
def applications(draw: st.DrawFn, name: str) -> tuple[Operation, tuple[Shape, ...]]:
    """An operation with arguments, and the shapes that reach it."""
    cls = operations()[name]
    inputs = draw(branches()) if cls.arity == "many" else (draw(shapes()),)
    strategies = ENTRIES[name].arguments(len(inputs[0]) - 1)
    return cls(**draw(st.fixed_dictionaries(strategies))), inputs


class Live(NamedTuple):
    """A torch call that ran."""

    inputs: list[Tensor]
    output: Tensor
    macs: float
    saved: list[Tensor]

    def shares_storage(self) -> bool:
        return _storage(self.output) in map(_storage, self.inputs)


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def module_of(call: TorchCall) -> nn.Module:
    """The module that a call makes, or one without anything."""
    module: nn.Module = resolve(call.target)(*call.args, **call.kwargs) if call.kind == "module" else nn.Module()
    return module


def run(operation: Operation, inputs: tuple[Shape, ...], *, train: bool = True, in_place: bool = False) -> Live:
    """What torch makes of the operation, on random tensors that need gradients."""
    call = operation.torch(inputs, in_place=in_place)
    own = [torch.ones(w.shape, requires_grad=True) for w in operation.weights(inputs).values()]
    module = module_of(call).train(train)
    # Results, since nobody may write in place on a leaf that needs gradients.
    tensors = [torch.randn(BATCH, *shape, requires_grad=True) * 1 for shape in inputs]
    saved: list[Tensor] = []

    def save(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(save, lambda t: t):
        output = module(*tensors) if call.kind == "module" else apply(call, tensors, own)
    return Live(tensors, output, counter.get_total_flops() / 2 / BATCH, saved)


def apply(call: TorchCall, inputs: list[Tensor], own: list[Tensor]) -> Any:
    """Call a function or a method on its inputs, as :class:`TorchCall` says."""

    def target(*values: Any) -> Any:
        if call.kind == "method":
            return getattr(values[0], call.target)(*values[1:], *call.args, **call.kwargs)
        return resolve(call.target)(*values, *call.args, **call.kwargs)

    if call.fold:
        return functools.reduce(target, [*inputs, *own])
    return target([*inputs, *own]) if call.packed else target(*inputs, *own)


def torch_refuses(operation: Operation, inputs: tuple[Shape, ...]) -> bool:
    """Whether torch raises an error, or gives a value without elements, as it does for some transposed convolutions."""
    try:
        return bool(run(operation, inputs).output.numel() == 0)
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):  # there is no `torch.nn.InstanceNorm0d`
        return True


def names(found: Any) -> list[tuple[str, Shape, torch.dtype]]:
    return [(name, tuple(tensor.shape), tensor.dtype) for name, tensor in found]


def check_fault(operation: Operation, inputs: tuple[Shape, ...], fault: ShapeFault) -> None:
    """A fault is well formed, and torch refuses too."""
    assert fault.code in CODES
    assert fault.message
    assert not fault.message.endswith(".")
    assert not fault.help.endswith(".")
    assert fault.argument in {"", *arguments(type(operation))}
    assert fault.assumed is None or min(fault.assumed) > 0
    if fault.code not in ENTRIES[operation.name].stricter:
        assert torch_refuses(operation, inputs), f"torch accepts what is refused: {fault}"


def check_agreement(operation: Operation, inputs: tuple[Shape, ...], shape: Shape) -> None:
    """Every claim of an operation that fits its inputs holds of the live torch call."""
    live = run(operation, inputs)
    weights, buffers = operation.weights(inputs), operation.buffers(inputs)
    assert tuple(live.output.shape) == (BATCH, *shape)
    # FlopCounterMode counts 0 for what is no convolution or matrix product, as archspec does.
    assert operation.macs(inputs, shape) == (None if ENTRIES[operation.name].unavailable else live.macs)
    call = operation.torch(inputs)
    module = module_of(call)
    if call.kind == "module":
        assert names(module.named_parameters()) == [(n, w.shape, torch.float32) for n, w in weights.items()]
    dtypes = {"float": torch.float32, "int64": torch.int64}
    assert names(module.named_buffers()) == [(n, b.shape, dtypes[b.dtype]) for n, b in buffers.items()]
    for name, tensor in module.named_buffers():
        assert torch.all(tensor == buffers[name].initial)
    for weight in weights.values():
        initialize(torch.empty(weight.shape, device="meta"), weight, {})
    check_storage(operation, inputs, live)


def check_storage(operation: Operation, inputs: tuple[Shape, ...], live: Live) -> None:
    """What shares storage, what backward reads, and what is written over."""
    for train in (False, True):
        alias = operation.alias(inputs, training=train)
        found = run(operation, inputs, train=train)
        assert found.shares_storage() == bool(alias)
        assert (found.output is found.inputs[0]) == (alias == "itself")
    if not live.shares_storage():
        gelu = operation.kind == "gelu"  # of one whose channels lie last
        assert live.output._is_view() == operation.gives_view(inputs) or gelu
        assert operation.saves_output == (_storage(live.output) in map(_storage, live.saved))
    if operation.may_write_in_place() and inputs[0] != operation.shape(inputs):
        pass  # a gate cannot hold the product
    elif operation.may_write_in_place():
        over = run(operation, inputs, in_place=True)
        assert _storage(over.output) == _storage(over.inputs[0])
        if len(inputs) != 1 or operation.arity == "one":
            assert operation.saves_output_in_place == (_storage(over.output) in map(_storage, over.saved))
        over.output.sum().backward()
    else:
        assert operation.torch(inputs, in_place=True) == operation.torch(inputs)


@pytest.mark.parametrize("name", operations())
def test_strategies_cover_every_argument(name: str) -> None:
    assert name in ENTRIES, f"`{name}` needs an entry in tests/operations/entries.py"
    cls = operations()[name]
    assert set(ENTRIES[name].arguments(2)) == set(arguments(cls)), f"`{name}` has other arguments than its strategies"


@pytest.mark.parametrize("number", [60, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", operations())
def test_operation_is_what_torch_does(name: str, number: int) -> None:
    @given(applications(name))
    @settings(max_examples=number, suppress_health_check=[HealthCheck.too_slow])
    def each(drawn: tuple[Operation, tuple[Shape, ...]]) -> None:
        check_operation(*drawn)

    each()


def check_operation(operation: Operation, inputs: tuple[Shape, ...]) -> None:
    assert hash(operation) == hash(type(operation)(**{n: getattr(operation, n) for n in arguments(type(operation))}))
    try:
        shape = operation.shape(inputs)
    except ShapeFault as fault:
        check_fault(operation, inputs, fault)
    else:
        check_agreement(operation, inputs, shape)


@pytest.mark.parametrize("name", operations())
@given(data=st.data())
@settings(max_examples=30)
def test_starting_at_zero_changes_only_the_start(name: str, data: st.DataObject) -> None:
    operation, inputs = data.draw(applications(name))
    zeroed = operation.zero_initialized()
    assert zeroed.kind == operation.kind
    if zeroed == operation:
        return
    before, after = operation.weights(inputs), zeroed.weights(inputs)
    assert {n: w.shape for n, w in before.items()} == {n: w.shape for n, w in after.items()}
    assert {w.initial for w in after.values()} == {"zero"}


@pytest.mark.parametrize("name", operations())
@given(data=st.data())
@settings(max_examples=30)
def test_what_has_no_effect_is_told_in_one_form(name: str, data: st.DataObject) -> None:
    """W305 puts the reason behind "has no effect"."""
    operation, _ = data.draw(applications(name))
    for argument, reason in operation.unread().items():
        assert argument in arguments(type(operation))
        assert re.fullmatch(r"with(out)? `[a-z_]+: \w+`", reason)


@pytest.mark.parametrize("name", operations())
def test_operation_is_documented(name: str) -> None:
    cls = operations()[name]
    assert cls.name == name
    assert cls.summary.endswith(".")
    assert cls.__doc__
    assert not cls.__doc__.startswith(f"{cls.__name__}("), "the docstring that dataclass writes by itself"
    for argument, field in arguments(cls).items():
        assert field.metadata["doc"].endswith("."), argument
        assert (field.metadata["kind"] == "word") == bool(field.metadata["words"]), argument


@given(data=st.data())
@settings(max_examples=200)
def test_gates_are_what_scales_another(data: st.DataObject) -> None:
    multiply = operations()["multiply"]()
    inputs = data.draw(branches())
    try:
        shape = multiply.shape(inputs)
    except ShapeFault:
        return
    gates = multiply.gates(inputs)
    paths = set(range(len(inputs))) - gates
    assert gates
    assert paths
    assert all(inputs[i] == shape for i in paths)
    assert len(set(inputs)) > 1 or paths == {0}


def test_every_weight_says_how_it_starts() -> None:
    with pytest.raises(ValueError, match="no initializer"):
        initialize(torch.empty(1), Weight((1,), "nonsense"), {})
