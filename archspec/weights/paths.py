"""Files that are to be read: what they must be, and what is said where the system does not give them out."""

from __future__ import annotations

import stat
from pathlib import Path

from archspec.diagnostics import Diagnostic, SpecError, cut


def regular_file(file: str, what: str) -> Path:
    """The path of a file that is to be read, such as ``what`` names.

    Raises:
        SpecError: E801 where there is none, E803 where it is a folder, a pipe or a device.
    """
    path = Path(file)
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except PermissionError as error:  # a folder on the way that may not be searched
        raise unreadable(file, error) from None
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        raise SpecError([Diagnostic("E801", f"there is no {what} `{cut(file)}`")]) from None
    if not regular:
        raise SpecError([Diagnostic("E803", f"the {what} `{cut(file)}` is not a regular file")])
    return path


def unreadable(file: str, error: OSError) -> SpecError:
    """The refusal of a file that the system does not give out."""
    reason = (error.strerror or type(error).__name__).lower()
    return SpecError([Diagnostic("E804", f"`{cut(file)}` cannot be read: {reason}")])
