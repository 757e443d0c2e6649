"""References of every unusual kind give a verdict, or a diagnostic that says what does not work and what to do."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import archspec
from archspec.diagnostics import SpecError
from archspec.verification.verdict import Verdict
from tests.support.equivalence import compiled
from tests.verification.unusual import ERRORS, KINDS, METHODS, SMALL, Small, overriding, raising

GRAPH = compiled(SMALL)

VERDICTS: dict[str, tuple[bool, bool, bool]] = {
    "inference tensors": (True, True, True),
    "an extra state": (False, True, True),
    "a sparse buffer": (False, True, True),
    "an empty buffer": (False, True, True),
    "a buffer that is not stored": (True, True, True),
    "a compiled module": (False, False, True),
    "a module on meta": (True, True, False),
    "data parallel": (False, False, True),
    "a wrapper": (False, False, True),
    "two wrappers": (False, False, True),
    "a class": (True, True, True),
    "nested results": (True, True, True),
    "half": (True, True, True),
    "bfloat16": (True, True, True),
    "double": (True, True, True),
    "a branch of training": (True, True, False),
    "a branch on values": (True, False, True),
    "None": (True, False, False),
    "a string": (True, False, False),
    "a complex result": (True, False, False),
    "integers": (True, False, False),
    "a tuple": (True, False, False),
    "a scripted part": (True, False, True),
    "writes to its parameters": (True, True, False),
    "global state": (True, True, False),
    "cuda only": (True, False, False),
    "spectral norm": (False, False, False),
    "weight norm": (False, False, False),
    "hooks": (True, False, False),
}
"""Whether keys, graph and outputs are the same."""

REFUSED: dict[str, tuple[str, str]] = {
    "a lazy module": ("E910", "`fc.weight` belongs to a lazy module"),
    "a lazy convolution": ("E910", "`conv1.weight` belongs to a lazy module"),
    "an exported program": ("E904", "You should use `exported_program.module()`"),
    "a lock": ("E904", "cannot be copied"),
    "a computed attribute": ("E904", "cannot be copied"),
    "a function": ("E904", "missing 1 required"),
    "a class that needs arguments": ("E904", "needs `in_features` and `out_features`"),
    "a factory of a class": ("E905", "returns type"),
    "a state dict of a list": ("E910", "its `state_dict` returns list"),
    "state_dict raises Ended": ("E910", "Ended: mine"),
    "train raises SystemExit": ("E910", "SystemExit: 3"),
    "parameters raises ValueError": ("E910", "ValueError: mine"),
}
"""The code, and a part of the message."""


def settings_of_the_process() -> tuple[Any, ...]:
    state = torch.random.get_rng_state().tolist()
    return torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads(), random.getstate(), state


def outcome(make: Callable[[], Any]) -> Verdict | SpecError:
    reference = make()
    before = settings_of_the_process()
    try:
        return archspec.verify(GRAPH, reference)
    except SpecError as error:
        return error
    finally:
        assert settings_of_the_process() == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_a_verdict_or_a_diagnostic(kind: str) -> None:
    found = outcome(KINDS[kind])
    for fault in found.diagnostics:
        assert fault.code.startswith("E9")
        assert fault.message
        assert fault.message.isprintable()
    if kind in REFUSED:
        assert isinstance(found, SpecError)
        (fault,) = found.diagnostics
        assert fault.code == REFUSED[kind][0]
        assert REFUSED[kind][1] in fault.message
        assert fault.help or fault.code in ("E904", "E905")
    if kind in VERDICTS:
        assert isinstance(found, Verdict)
        assert tuple(found.levels.values()) == VERDICTS[kind]
    if isinstance(found, Verdict):
        assert all(found.levels.values()) or found.diagnostics


@pytest.mark.parametrize("method", ["forward", "state_dict", "train", "eval", "parameters", "__deepcopy__"])
def test_an_interrupt_passes_through(method: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        archspec.verify(GRAPH, overriding(**{method: raising(KeyboardInterrupt())}))


def test_an_interrupt_in_a_factory() -> None:
    def factory() -> nn.Module:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archspec.verify(GRAPH, factory)


@given(st.dictionaries(st.sampled_from(METHODS), st.sampled_from(ERRORS), min_size=1), st.integers(0, 20))
@settings(max_examples=60)
@pytest.mark.filterwarnings("ignore")
def test_methods_that_fail_the_first_or_a_later_time(methods: dict[str, BaseException], calls: int) -> None:
    """An error may come at any call, not only at the first one."""

    def failing(name: str, error: BaseException) -> Callable[..., Any]:
        left = [calls]

        def method(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0 or not hasattr(Small, name):
                raise error
            return getattr(Small, name)(self, *args, **kwargs)

        return method

    changed = {name: failing(name, error) for name, error in methods.items() if name != "__reduce_ex__"}
    found = outcome(lambda: lambda: overriding(**changed))
    assert all(fault.code.startswith("E9") for fault in found.diagnostics)
    if isinstance(found, Verdict) and any(not held for held in found.levels.values()):
        assert found.diagnostics
