"""Window arithmetic against torch, by brute force."""

from __future__ import annotations

import itertools
from contextlib import nullcontext

import pytest
import torch
from torch.nn import functional

from archspec.emit.modules import resolve
from archspec.operations.padding import Sides
from archspec.operations.pool import Pool
from archspec.operations.shapes import ShapeFault
from archspec.operations.windows import window


def torch_window(size: int, kernel: int, stride: int, padding: int, dilation: int, *, ceil: bool, pooled: bool) -> int:
    """How many windows torch counts, or 0 where it refuses."""
    x = torch.empty(1, 1, size, size, device="meta")
    try:
        if pooled:
            output = functional.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode=ceil)
        else:
            output = functional.conv2d(x, x.new_empty(1, 1, kernel, kernel), None, stride, padding, dilation)
    except RuntimeError:
        return 0
    return output.shape[-1]


@pytest.mark.parametrize("ceil", [False, True])
def test_pooling_counts_windows_as_torch_does(ceil: bool) -> None:
    for size, kernel, stride, dilation in itertools.product(range(1, 12), range(1, 6), range(1, 6), range(1, 4)):
        for padding in range(kernel // 2 + 1):
            expected = torch_window(size, kernel, stride, padding, dilation, ceil=ceil, pooled=True)
            found = window(size, kernel, stride, padding, dilation, ceil=ceil)
            assert max(found, 0) == expected, (size, kernel, stride, padding, dilation)


def test_convolution_counts_windows_as_torch_does() -> None:
    for size, kernel, stride, padding, dilation in itertools.product(
        range(1, 10), range(1, 6), range(1, 5), range(5), range(1, 4)
    ):
        expected = torch_window(size, kernel, stride, padding, dilation, ceil=False, pooled=False)
        assert max(window(size, kernel, stride, padding, dilation), 0) == expected, (size, kernel, stride, padding)


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("padding", [0, 1, 2, "same", *itertools.product([*itertools.product(range(4), range(4))])])
def test_no_maximum_is_of_padding_alone(padding: Sides | str, ceil: bool) -> None:
    """It would be minus infinity, and torch's backward pass would write outside of the input's gradient."""
    for size, kernel, stride, dilation in itertools.product(range(1, 6), range(1, 5), range(1, 5), range(1, 7)):
        pool, shape = Pool("max", kernel, stride, padding, dilation, ceil=ceil), (1, size)
        try:
            pool.shape((shape,))
            refused = ""
        except ShapeFault as fault:
            refused = fault.message
        if refused and "lies in the padding" not in refused:
            continue  # torch refuses it too, or the padding alone is too wide
        call = pool.torch((shape,))
        result = resolve(call.target)(**call.kwargs)(torch.zeros(1, *shape))
        assert bool(result.isinf().any()) == bool(refused), (pool, size)


def test_windows_in_the_padding_are_found_at_once() -> None:
    huge = 1_000_000_007
    for dilation in (huge - 1, huge, huge + 2):
        pool = Pool("max", 2, 1, ((dilation, dilation - 1),), dilation)
        with pytest.raises(ShapeFault) if dilation > huge else nullcontext():
            pool.shape(((1, huge),))


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("word", ["max", "avg"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pool_refuses_and_accepts_as_torch_does(rank: int, word: str, ceil: bool) -> None:
    for size, kernel, stride, padding in itertools.product(range(1, 7), range(1, 5), range(1, 4), range(3)):
        pool = Pool(word, kernel, stride, padding, ceil=ceil)
        shape = (1, *[size] * rank)
        call = pool.torch((shape,))
        try:
            expected = tuple(resolve(call.target)(**call.kwargs)(torch.zeros(1, *shape)).shape[1:])
        except RuntimeError:
            with pytest.raises(ShapeFault):
                pool.shape((shape,))
        else:
            assert pool.shape((shape,)) == expected, pool
