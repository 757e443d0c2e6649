"""Networks that take values apart and join them: each has one form, and lists of parts are traceable."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from archspec.tracing.canonical_form import CanonicalForm
from archspec.tracing.canonicalize import canonicalize
from archspec.tracing.trace import Untraceable, rerun, trace
from archspec.verification.match import match

F = functional
Function = Callable[[Tensor], Tensor]
Call = Callable[[Tensor, Tensor], Tensor]
SHAPE = (2, 8, 6, 4)


class Written(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def form(function: Function, shape: Sequence[int] = SHAPE) -> CanonicalForm:
    return canonicalize(trace(Written(function), torch.empty(shape, device="meta")), frozenset())


def same(one: Function, other: Function, shape: Sequence[int] = SHAPE) -> bool:
    return match(form(one, shape), form(other, shape)) is not None


def looped(x: Tensor) -> Tensor:
    found = []
    for number, part in enumerate(x.split(2, 1)):
        found.append(part.tanh() if number else part)
    return torch.cat(found, 1)


def res2net(x: Tensor) -> Tensor:
    """Gao et al. 2019, fig. 2: each part gets the result of the one before it."""
    parts = torch.split(x, 2, 1)
    found, y = [], parts[0]
    for number, part in enumerate(parts):
        y = part if number in (0, 3) else (part + y if number > 1 else part).tanh()
        found.append(y)
    return torch.cat(found, 1)


def res2net_by_slices(x: Tensor) -> Tensor:
    second = x[:, 2:4].tanh()
    third = (x[:, 4:6] + second).tanh()
    return torch.cat([x[:, :2], second, third, x[:, 6:]], dim=1)


def cross_stage(x: Tensor) -> Tensor:
    kept, changed = x.chunk(2, 1)
    for layer in (torch.tanh, torch.sigmoid):
        changed = layer(changed)
    return torch.cat((kept, changed), 1)


def at_index(x: Tensor) -> Tensor:
    parts = x.chunk(2, 1)
    return parts[0] + parts[-1].tanh()


def unpacked(x: Tensor) -> Tensor:
    a, b = x.chunk(2, 1)
    return b.tanh() + a


def popped(x: Tensor) -> Tensor:
    parts = list(torch.chunk(x, 2, dim=1))
    last = parts.pop()
    return parts[0] + torch.tanh(last)


def starred(x: Tensor) -> Tensor:
    first, *rest = x.split((4, 4), 1)
    return first + rest[0].tanh()


def zipped(x: Tensor) -> Tensor:
    functions = (lambda y: y, torch.tanh)
    one, other = [function(part) for function, part in zip(functions, x.tensor_split(2, 1), strict=True)]
    return one + other


def mapped(x: Tensor) -> Tensor:
    return sum([x.chunk(2, 1)[0], *map(torch.tanh, x.chunk(2, 1)[1:])])  # type: ignore[return-value]


def narrowed(x: Tensor) -> Tensor:
    return x.narrow(1, 0, 4) + x.narrow(1, 4, 4).tanh()


LISTS: dict[str, list[Function]] = {
    "halves": [at_index, unpacked, popped, starred, zipped, mapped, narrowed, lambda x: x[:, :4] + x[:, 4:].tanh()],
    "a loop": [looped, lambda x: torch.cat([x[:, :2], *(x[:, i : i + 2].tanh() for i in (2, 4, 6))], 1)],
    "res2net": [res2net, res2net_by_slices],
    "cross-stage partial": [cross_stage, lambda x: torch.cat([x[:, :4], x[:, -4:].tanh().sigmoid()], 1)],
    "the number of parts": [
        lambda x: x * len(x.chunk(4, 1)),
        lambda x: x * len(list(x.split(2, 1))),
    ],
    "all but the first": [
        lambda x: torch.cat(x.chunk(4, 1)[1:], 1),
        lambda x: torch.cat(list(x.chunk(4, 1))[1:], 1),
        lambda x: x[:, 2:],
        lambda x: torch.cat([part for number, part in enumerate(x.split(2, 1)) if number], 1),
    ],
    "reversed": [
        lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
        lambda x: torch.cat(tuple(reversed(x.chunk(2, 1))), 1),
        lambda x: torch.cat((x[:, 4:], x[:, :4]), 1),
    ],
    "parts and another value": [
        lambda x: torch.cat((*x.chunk(2, 1), x.tanh()), 1),
        lambda x: torch.cat([*x.chunk(2, 1)] + [x.tanh()], 1),  # noqa: RUF005  # lists are added
        lambda x: torch.cat((x, x.tanh()), 1),
    ],
    "single channels": [
        lambda x: torch.stack(x.unbind(1)[1:3], 1),
        lambda x: torch.stack([x[:, 1], x.select(1, 2)], 1),
        lambda x: x[:, 1:3],
        lambda x: torch.cat([part.unsqueeze(1) for part in torch.unbind(x, dim=1)[1:3]], 1),
    ],
    "a loop over sizes": [
        lambda x: torch.cat([x[:, i : i + 1].tanh() for i in range(x.shape[1])], 1),
        lambda x: torch.cat([part.tanh() for part in x.split(1, 1)], 1),
    ],
    "the horizontal halves": [
        lambda x: torch.cat([part.tanh() for part in x.hsplit(2)], 1),
        lambda x: torch.cat([part.tanh() for part in x.chunk(2, 1)], 1),
    ],
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_parts_are_traceable(name: str) -> None:
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    first, *others = LISTS[name]
    for other in others:
        torch.testing.assert_close(other(x), first(x))
        assert same(first, other), (form(first).steps, form(other).steps)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x if x.sum() > 0 else x.tanh(),
        lambda x: x[: int(x.argmax())],
        lambda x: x * float(x.mean()),
        lambda x: torch.cat([x for _ in range(x.long().max())]),
    ],
)
def test_values_are_not_known(function: Function) -> None:
    with pytest.raises(Untraceable):
        form(function)


def test_a_trace_that_asked_for_the_batch_is_made_again() -> None:
    """Otherwise the parts of a batch of 2 would be all parts of a batch of 3."""
    traced = trace(Written(lambda x: torch.cat([p.tanh() for p in x.split(1)])), torch.empty(2, 4, device="meta"))
    results = rerun(traced, torch.empty(3, 4, device="meta")).results
    assert tuple(list(results.values())[-1].shape) == (3, 4)


# -- one form ----------------------------------------------------------------------------------------------------------


def padded(x: Tensor, before: int = 0, after: int = 0) -> Tensor:
    return F.pad(x, (0, 0, 0, 0, before, after))


SAME: dict[str, list[Function]] = {
    "some channels are added": [
        lambda x: x + padded(x[:, 1:4].tanh(), 0, 5),
        lambda x: torch.cat([x[:, :3] + x[:, 1:4].tanh(), x[:, 3:]], 1),
        lambda x: torch.cat([x[:, 1:4].tanh() + x[:, 0:3], x[:, 3:8]], dim=1),
        lambda x: padded(x[:, 1:4].tanh(), 0, 5) + x,
        lambda x: x + torch.cat([x[:, 1:4].tanh(), torch.zeros(x.size(0), 5, 6, 4)], 1),
        lambda x: x + torch.cat([x[:, 1:4].tanh(), x.new_zeros(x.shape[0], 5, *x.shape[2:])], 1),
    ],
    "channels in the middle are added": [
        lambda x: x + padded(x[:, 1:4].tanh(), 2, 3),
        lambda x: torch.cat([x[:, :2], x[:, 2:5] + x[:, 1:4].tanh(), x[:, 5:]], 1),
    ],
    "option A": [
        lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4)),
        lambda x: torch.cat([torch.zeros_like(x[:, :4, ::2, ::2]), x[..., ::2, ::2], x.new_zeros(len(x), 4, 3, 2)], 1),
        lambda x: (lambda none: torch.cat([none, x[:, :, ::2, ::2], none], 1))(torch.zeros(x.shape[0], 4, 3, 2)),
    ],
    "parts of a concatenation": [
        lambda x: x.tanh()[:, 2:],
        lambda x: torch.cat([x, x.tanh()], 1)[:, 10:],
        lambda x: torch.cat([x, x.tanh()], 1).split((8, 8), 1)[1].narrow(1, 2, 6),
    ],
    "across parts": [
        lambda x: torch.cat([x[:, 6:], x.tanh()[:, :3]], 1),
        lambda x: torch.cat([x, x.tanh()], 1)[:, 6:11],
        lambda x: torch.cat([torch.cat([x, x.tanh()], 1), x.sigmoid()], 1)[:, :11][:, 6:],
    ],
    "apart and together": [
        lambda x: x.tanh(),
        lambda x: torch.cat(x.tanh().chunk(4, 1), 1),
        lambda x: (lambda y: torch.cat([y[:, :5], y[:, 5:7], y[:, 7:]], 1))(x.tanh()),
        lambda x: torch.stack(x.tanh().unbind(1), 1),
        lambda x: torch.cat(x.tanh().split(2, 3), -1),
    ],
    "slices of slices": [
        lambda x: x[:, 2:7][:, 1:3],
        lambda x: x[:, 3:5],
        lambda x: x.narrow(1, 1, 6)[:, 2:].narrow(1, 0, 2),
        lambda x: x[:, 3:5, ...],
    ],
    "steps of steps": [lambda x: x[:, ::2][:, 1::2], lambda x: x[:, 2::4], lambda x: x[:, 2:][:, ::4]],
    "of two axes": [lambda x: x[:, 1:][:, :, 2:4], lambda x: x[:, 1:, 2:4], lambda x: x[:, :, 2:][:, 1:, :2]],
    "nothing": [
        nn.Identity(),
        lambda x: F.dropout(x, 0.0),
        lambda x: F.dropout(x, 0.5, training=False),
        lambda x: x[:, :],
        lambda x: torch.cat([x[:, :4], x[:, 4:]], 1),
        lambda x: torch.cat([x[..., :1], x[..., 1:2], x[..., 2:]], 3),
        lambda x: x + 0 * 1.0,
    ],
}

ALIKE: list[tuple[str, Function, Function]] = [
    ("another axis", lambda x: x[:, :4], lambda x: x[:, :, :4]),
    ("another order", lambda x: torch.cat([x[:, 4:], x[:, :4]], 1), lambda x: x),
    ("overlapping", lambda x: torch.cat([x[:, :5], x[:, 5:]], 1), lambda x: torch.cat([x[:, :5], x[:, 4:7]], 1)),
    ("a gap", lambda x: torch.cat([x[:, :3], x[:, 4:]], 1), lambda x: x[:, 1:]),
    ("a repeated part", lambda x: torch.cat([x[:, :4], x[:, :4]], 1), lambda x: x),
    ("joined along another axis", lambda x: torch.cat(x.chunk(2, 1), 2), lambda x: torch.cat(x.chunk(2, 1), 3)),
    ("added at another place", lambda x: x + padded(x[:, :3], 0, 5), lambda x: x + padded(x[:, :3], 5, 0)),
    ("added elsewhere", lambda x: torch.cat([x[:, :3] + x[:, 3:6], x[:, 3:]], 1), lambda x: x + padded(x[:, :3], 0, 5)),
    (
        "a part of another value is added",
        lambda x: torch.cat([x[:, :3] + x[:, 1:4], x[:, 3:]], 1),
        lambda x: torch.cat([x[:, :3] + x[:, 1:4], x.tanh()[:, 3:]], 1),
    ),
    (
        "broadcast",
        lambda x: torch.cat([x[:, :3] + x[:, 3:4], x[:, 3:]], 1),
        lambda x: x + padded(x[:, 3:4], 0, 7),
    ),
    ("padded with ones", lambda x: F.pad(x, (0, 1)), lambda x: torch.cat([x, torch.ones(2, 8, 6, 1)], 3)),
    ("other steps", lambda x: x[:, ::2][:, ::2], lambda x: x[:, ::2][:, :2]),
    ("stacked and joined", lambda x: torch.stack(x.chunk(2, 1), 1), lambda x: torch.stack(x.chunk(2, 1), 2)),
    ("another part", lambda x: torch.cat([x, x.tanh()], 1)[:, :8], lambda x: torch.cat([x, x.tanh()], 1)[:, 8:]),
    (
        "written over before it is joined",
        lambda x: (lambda y: (y[:, :4].relu_(), torch.cat([y[:, :4], y[:, 4:]], 1))[1])(x.tanh()),
        lambda x: x.tanh(),
    ),
    (
        "a copy of a part is written over",
        lambda x: (lambda y: (torch.cat([y, y], 1)[:, :8].relu_(), y)[1])(x.tanh()),
        lambda x: x.tanh().relu(),
    ),
    (
        "a view of a copy is written over",
        lambda x: (lambda y: (y[:, :4].relu_(), y)[1])(x.clone()),
        lambda x: x,
    ),
    (
        "parts of what is written over",
        lambda x: (lambda y: (lambda parts: (y.relu_(), torch.cat(parts, 1))[1])(y.chunk(2, 1)))(x.tanh()),
        lambda x: x.tanh(),
    ),
]


@pytest.mark.parametrize("name", SAME)
def test_one_network_has_one_form(name: str) -> None:
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    for one, other in itertools.combinations(SAME[name], 2):
        assert torch.equal(one(x), other(x))
        assert same(one, other), (form(one).steps, form(other).steps)


@pytest.mark.parametrize(("one", "other"), [pair[1:] for pair in ALIKE], ids=[pair[0] for pair in ALIKE])
def test_what_only_looks_alike_has_two_forms(one: Function, other: Function) -> None:
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    left, right = one(x.clone()), other(x.clone())
    assert left.shape != right.shape or not torch.equal(left, right)
    assert not same(one, other)


def test_a_module_that_pads() -> None:
    padding = canonicalize(trace(nn.Sequential(nn.ZeroPad2d(1)), torch.empty(SHAPE, device="meta")), frozenset())
    assert match(padding, form(lambda x: F.pad(x, (1, 1, 1, 1)))) is not None


def test_a_part_that_is_written_over_twice() -> None:
    def twice(x: Tensor) -> Tensor:
        y = x * 2
        y.relu_()
        y.tanh_()
        return y

    assert same(twice, lambda x: (x * 2).relu().tanh())


@st.composite
def programs(draw: st.DrawFn) -> list[tuple[str, int, int, int]]:
    step = st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 5), st.integers(1, 2))
    return draw(st.lists(step, min_size=1, max_size=5))


KINDS = ("slice", "join", "apart", "pad", "add", "zeros", "tanh", "steps", "merge")


def step_of(kind: str, one: int, other: int, axis: int, sizes: list[torch.Size]) -> tuple[int, int, Call] | None:
    """The numbers of the values that a step of a program reads, and what it computes; None if it does not fit."""
    first, second = one % len(sizes), other % len(sizes)
    size = sizes[first][axis]
    fit = all(sizes[first][i] == sizes[second][i] for i in range(4) if i != axis)
    cut = 1 + other % max(size - 1, 1)
    spatial = (0, 0) if axis == 1 else ()
    calls: dict[str, tuple[bool, Call]] = {
        "slice": (size > 1, lambda a, b: a.narrow(axis, cut - 1, max(1, (size - cut) // 2))),
        "steps": (size > 1, lambda a, b: a[:, other % 2 :: 2] if axis == 1 else a[:, :, other % 2 :: 2]),
        "join": (fit and size < 20, lambda a, b: torch.cat([a, b], axis)),
        "apart": (
            size > 1,
            lambda a, b: torch.cat(list(a.split(max(1, size // 2), axis))[:: 1 if other % 2 else -1], axis),
        ),
        "merge": (size > 1, lambda a, b: merged(a, axis, cut, size - cut, twice=other % 2 == 1)),
        "pad": (True, lambda a, b: F.pad(a, (0, 0, *spatial, one % 2, other % 2))),
        "zeros": (size < 20, lambda a, b: torch.cat([a, torch.zeros_like(a)], axis)),
        "add": (sizes[first] == sizes[second], lambda a, b: a + b),
        "tanh": (True, lambda a, b: torch.tanh(a)),
    }
    fits, call = calls[kind]
    return (first, second, call) if fits else None


def merged(a: Tensor, axis: int, first: int, rest: int, twice: bool) -> Tensor:
    """Something is done to the first channels, and the others are taken as they are."""
    part = a.narrow(axis, 0, first)
    return torch.cat([part + part if twice else part.tanh(), a.narrow(axis, first, rest)], axis)


def run(program: Sequence[tuple[str, int, int, int]], x: Tensor, shape: Sequence[int]) -> Tensor:
    """A small program of slices, concatenations, paddings and additions. Values on the meta device tell the sizes."""
    values, twins = [x], [torch.empty(shape, device="meta")]
    for step in program:
        found = step_of(*step, [twin.shape for twin in twins])
        if found is not None:
            first, second, call = found
            values.append(call(values[first], values[second]))
            twins.append(call(twins[first], twins[second]))
    return values[-1]


@given(programs(), programs(), st.tuples(st.integers(2, 6), st.integers(2, 6)))
@settings(max_examples=300)
@example([("apart", 0, 1, 1)], [("tanh", 0, 0, 1)], (4, 4))
def test_programs_with_one_form_compute_the_same(
    one: list[tuple[str, int, int, int]], other: list[tuple[str, int, int, int]], sizes: tuple[int, int]
) -> None:
    """A form is compared with that of another program, and with those of its own variations."""
    shape = (2, *sizes, 2)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    variations = [one, other, one[:-1], [*one[:-1], (*one[-1][:3], 3 - one[-1][3])], [*one, *other]]
    forms = [form(lambda x, program=program: run(program, x, shape), shape) for program in variations]  # type: ignore[misc]
    for (left, first), (right, second) in itertools.combinations(zip(variations, forms, strict=True), 2):
        if match(first, second) is not None:
            torch.testing.assert_close(run(left, x, shape), run(right, x, shape), rtol=0, atol=0)
