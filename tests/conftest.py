"""Fixtures of the whole suite."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A change is blamed for what it breaks, and for nothing else: the same examples each time. Others come from
# `--hypothesis-profile=random`, from more of them by ARCHSPEC_SPECS, and from `make fuzz`.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("random", derandomize=False, deadline=None)
settings.load_profile("random" if "ARCHSPEC_SPECS" in os.environ else "repeatable")


@pytest.fixture(scope="session")
def lasting() -> None:
    """What is imported lasts, so that looking for garbage need not look there."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def freed(lasting: None) -> Iterator[None]:
    """Frees what a test has built. Networks hold themselves in circles, and Python counts objects, not their size."""
    yield
    gc.collect()
