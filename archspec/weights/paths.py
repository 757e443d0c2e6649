"""Checking the path of a file to read, and the diagnostic for a file that the system refuses to open."""

from __future__ import annotations

import stat
from pathlib import Path

from archspec.diagnostics import Diagnostic, SpecError, cut


def regular_file(file: str, what: str) -> Path:
    """The path of a file to read; ``what`` is its kind, for messages.

    Raises:
        SpecError: E801, there is no such file; E803, it is a folder, a pipe or a device; E804, it may not be read.
    """
    path = Path(file)
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except PermissionError as error:  # for a folder on the path
        raise unreadable(file, error) from None
    except (OSError, ValueError):  # the name may also be too long, or contain NUL
        raise SpecError([Diagnostic("E801", f"there is no {what} `{cut(file)}`")]) from None
    if not regular:
        raise SpecError([Diagnostic("E803", f"the {what} `{cut(file)}` is not a regular file")])
    return path


def unreadable(file: str, error: OSError) -> SpecError:
    """E804, for a file that the system refuses to open."""
    reason = (error.strerror or type(error).__name__).lower()
    return SpecError([Diagnostic("E804", f"`{cut(file)}` cannot be read: {reason}")])
