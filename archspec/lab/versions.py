"""The version of archspec that runs here."""

from __future__ import annotations

import functools
from importlib import metadata


@functools.cache
def archspec_version() -> str:
    """The version of archspec, also on a machine that an engine runs cells on."""
    return metadata.version("archspec-compiler")
