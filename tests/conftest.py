"""Fixtures of the whole suite."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


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
