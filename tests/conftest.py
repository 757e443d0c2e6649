"""Fixtures of the whole suite."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A change is blamed for what it breaks, and for nothing else: the same examples each time. Others come from
# `--hypothesis-profile=random`, from more of them by ARCHSPEC_SPECS, and from `make fuzz`.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("random", derandomize=False, deadline=None)
settings.load_profile("random" if "ARCHSPEC_SPECS" in os.environ else "repeatable")

# A suite that runs in the background ignores interrupts, and so would the commands that the tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LARGEST = {
    *("resnet1202_cifar", "preact_resnet1001_cifar", "preact_resnet200", "resnext29_8x64d_cifar", "wrn28_10_cifar"),
    *("densenet201", "efficientnet_b7", "efficientnet_v2_l", "regnet_y_128gf", "r2plus1d_18"),
}
"""What is asked of every network of the zoo takes seconds with these."""


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of one of the largest networks is a slow one."""
    for item in items:
        if " at 0x" in item.nodeid:  # two processes would not collect the same tests
            raise pytest.UsageError(f"{item.nodeid}: an address is not a name; give `ids`")
        callspec = getattr(item, "callspec", None)
        if callspec and any(isinstance(value, str) and value in LARGEST for value in callspec.params.values()):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Nothing of what is collected is garbage: looking for it takes a third of the time, and seconds later on."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="module")
def lasting() -> None:
    """What is there before a file's tests lasts, so that looking for garbage need not look there.

    Once for each file: what thousands of tests before it have left alive takes a second to look through.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def freed(lasting: None) -> Iterator[None]:
    """Frees what a test has built. Networks hold themselves in circles, and Python counts objects, not their size."""
    yield
    gc.collect()
