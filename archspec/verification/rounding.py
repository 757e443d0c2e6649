"""Measuring the reference's own rounding, where results differ: in float64, or with sums in another order.

A fixed limit would be wrong: some networks amplify rounding a thousand times as much as others. In float64 rounding is
half a billion times smaller, and a real difference is as large as before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from archspec.verification.gaps import Repeated, judge
from archspec.verification.results import Kind, Measured
from archspec.verification.running import Computed, computed_alone, computed_by_both, named, rows_of
from archspec.verification.sharing import Incomparable, share

NARROW = frozenset({torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex32})
PRECISION = torch.finfo(torch.float64).eps / torch.finfo(torch.float32).eps


def measure(
    ours: nn.Module,
    theirs: nn.Module,
    pairs: Mapping[str, str],
    example: Tensor,
    seed: int,
    *,
    start: Mapping[str, Tensor],
    native: tuple[Computed, Computed],
    kinds: Collection[Kind],
) -> tuple[dict[Kind, Measured], str]:
    """Whether rounding explains the results of two networks, for each kind of result, and why float64 was not used.

    Args:
        start: the reference's buffers before it first ran.
        native: what our network and the reference computed. Their weights are changed.
        kinds: the results to judge.
    """
    found, wanted = native
    apart = rows_of(found, wanted, pairs)
    kept = _data(theirs) if example.dtype == torch.float64 else []  # float32 has fewer digits; elsewhere it has all
    try:
        with _unchanged_if_refused(theirs), named("it cannot run in float64"):
            wide = native if example.dtype == torch.float64 else _wide(ours, theirs, pairs, example, seed, start)
            rung = wanted if example.dtype == torch.float32 else _in_float32(theirs, example, seed, start)
    except Incomparable as error:
        _restore(theirs, start)
        again = computed_alone(theirs, example, seed, SumsInTwo)
        own = rows_of(_as_ours(wanted, found, pairs), again, pairs)
        return {kind: Measured(judge(apart[kind], [Repeated(own[kind])])) for kind in kinds}, str(error)
    reference = _as_ours(wide[1], found, pairs)
    steps = rows_of(reference, rung, pairs)
    precise = rows_of(*wide, pairs)
    measures = {kind: [Repeated(steps[kind], PRECISION)] for kind in kinds}
    judged = {kind: judge(precise[kind], measures[kind]) for kind in kinds}
    if not all(each.held for each in judged.values()):
        _put(kept)
        with contextlib.suppress(Incomparable):  # then one measurement has to do
            other = rows_of(reference, _other_sums(theirs, example, seed, start), pairs)
            for kind in kinds:
                measures[kind].append(Repeated(other[kind], eps=torch.finfo(torch.float64).eps))
                judged[kind] = judge(precise[kind], measures[kind])
    if wide is native:
        return {kind: Measured(judged[kind]) for kind in kinds}, ""
    own = rows_of(reference, wanted, pairs)
    return {kind: Measured(judge(apart[kind], [Repeated(own[kind])]), judged[kind]) for kind in kinds}, ""


def _as_ours(reference: Computed, found: Computed, pairs: Mapping[str, str]) -> Computed:
    """What the reference computed, by our keys."""
    gradients = {key: reference.gradients.get(pairs[key] if key else "") for key in found.gradients}
    buffers = {key: reference.buffers[pairs[key]] for key in found.buffers}
    return Computed(reference.train, gradients, buffers, reference.eval)


def _wide(
    ours: nn.Module,
    theirs: nn.Module,
    pairs: Mapping[str, str],
    example: Tensor,
    seed: int,
    start: Mapping[str, Tensor],
) -> tuple[Computed, Computed]:
    """What both networks compute in float64.

    Raises:
        Incomparable: the reference computes something with less precision.
    """
    theirs.double()
    _restore(theirs, start)
    share(ours, theirs, pairs)
    return computed_by_both(ours, theirs, pairs, example.double(), seed, _in_float64)


def _in_float32(theirs: nn.Module, example: Tensor, seed: int, start: Mapping[str, Tensor]) -> Computed:
    """What the reference computes in float32."""
    theirs.float()
    _restore(theirs, start)
    return computed_alone(theirs, example.float(), seed)


def _other_sums(theirs: nn.Module, example: Tensor, seed: int, start: Mapping[str, Tensor]) -> Computed:
    """What the reference computes in float64, with its sums in another order.

    One measurement may be small by chance: a network that amplifies rounding much amplifies it differently each time.
    """
    theirs.double()
    _restore(theirs, start)
    return computed_alone(theirs, example.double(), seed, _other_sums_in_float64)


def _data(module: nn.Module) -> list[tuple[Tensor, Tensor]]:
    return [(parameter, parameter.data) for parameter in module.parameters()]


def _put(kept: Collection[tuple[Tensor, Tensor]]) -> None:
    for parameter, data in kept:
        parameter.data = data


def _restore(module: nn.Module, start: Mapping[str, Tensor]) -> None:
    """Set the buffers to what they were before the network first ran."""
    for name, tensor in module.named_buffers(remove_duplicate=False):
        if name in start:
            tensor.copy_(start[name])


@contextlib.contextmanager
def _unchanged_if_refused(module: nn.Module) -> Iterator[None]:
    """Undo a change of dtype that a network refuses halfway."""
    parameters = _data(module)
    buffers = [(part._buffers, dict(part._buffers)) for part in module.modules()]
    try:
        yield
    except Incomparable:
        _put(parameters)
        for held, before in buffers:
            held.update(before)
        raise


# -- how a network runs ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _in_float64() -> Iterator[None]:
    """Where a network asks for another precision, it gets float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Widened(), _RefusingNarrow():
            yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def _other_sums_in_float64() -> Iterator[None]:
    with _in_float64(), SumsInTwo():
        yield


class _Widened(TorchFunctionMode):
    """Replaces the dtypes that a network's code names."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in (Tensor.float, Tensor.half, Tensor.bfloat16):
            return Tensor.double(args[0])
        wide = [torch.float64 if _narrow(argument) else argument for argument in args]
        named = {name: torch.float64 if _narrow(argument) else argument for name, argument in (kwargs or {}).items()}
        return func(*wide, **named)


def _narrow(argument: Any) -> bool:
    return isinstance(argument, torch.dtype) and argument in NARROW and argument.is_floating_point


class _RefusingNarrow(TorchDispatchMode):
    """Refuses a network that computes something with less precision, as with a constant in float32."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own has no annotations

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in (*args, made):
            if isinstance(tensor, Tensor) and tensor.dtype in NARROW:
                raise Incomparable(f"it computes `{func}` in {str(tensor.dtype).removeprefix('torch.')}")
        return made


class SumsInTwo(TorchFunctionMode):
    """Takes the sums of convolutions and linear layers over the first half of the channels, and then over the rest."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        bias = named.pop("bias", args[2] if len(args) > 2 else None)
        if func in LAYERS and len(args) > 1 and (func is F.linear or args[0].shape[1] == args[1].shape[1] > 1):
            axis = -1 if func is F.linear else 1
            half = args[1].shape[1] // 2
            inputs = args[0].tensor_split((half,), axis)
            weights = args[1].tensor_split((half,), 1)
            first = func(inputs[0], weights[0], None, *args[3:], **named)
            return first + func(inputs[1], weights[1], bias, *args[3:], **named)
        return func(*args, **(kwargs or {}))


LAYERS = (F.conv1d, F.conv2d, F.conv3d, F.linear)
