"""The entry point of the installed command. It imports nothing else before the current folder has left ``sys.path``."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command."""
    leave_out_current_folder()
    from .main import main  # it imports packages, which `click.py` in the current folder must not replace

    return main()


def leave_out_current_folder() -> None:
    """Have this process and those that it starts import nothing from the current folder.

    It is on the path for ``python -m`` and ``python -c``, and for an empty entry or a ``.`` in ``PYTHONPATH``. Only
    ``--against`` looks into it, and only for a module that is not one of a library.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        here = os.path.realpath(os.getcwd())  # noqa: PTH109  # `pathlib` imports modules, which may be in this folder
    except OSError:  # the folder is gone
        here = ""
    sys.path[:] = [each for each in sys.path if each and (os.path.realpath(each) != here or each.endswith("-packages"))]
