"""Whether another distribution has installed its files into the package's folder. It imports nothing of archspec.

The package index has a library of CPU architectures that is called ``archspec``. It installs into the folder
``archspec``, as this distribution does, and each overwrites files of the other.
"""

from __future__ import annotations

import os
import sys

OURS = b"archspec: a compiler"
"""How the package begins, if the other distribution has not overwritten it."""

TEXT = (
    "the distribution `archspec`, a library of CPU architectures, is installed in the same folder as "
    "`archspec-compiler`, and each overwrites files of the other: {folder}"
)
BROKEN = "archspec-compiler cannot run, because its files are overwritten"
ADVICE = (
    "Keep them in separate environments. Here: pip uninstall --yes archspec, then pip install --force-reinstall "
    "--no-deps archspec-compiler"
)


def clash() -> tuple[str, bool]:
    """What to say if the other distribution is there, or an empty text; and whether this one still works."""
    for entry in sys.path:
        folder = os.path.join(entry, "archspec")  # noqa: PTH118  # `pathlib` is slow to import
        if os.path.isdir(os.path.join(folder, "cpu")):  # noqa: PTH112, PTH118  # likewise
            works = _is_ours(os.path.join(folder, "__init__.py"))  # noqa: PTH118  # likewise
            lines = [TEXT.format(folder=folder), *([] if works else [BROKEN]), ADVICE]
            return "\n".join(lines), works
    return "", True


def _is_ours(file: str) -> bool:
    try:
        with open(file, "rb") as stream:  # noqa: PTH123  # likewise
            return OURS in stream.read(100)
    except OSError:
        return False
