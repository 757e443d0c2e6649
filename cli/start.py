"""The entry point of the installed command. It imports nothing else before the current folder has left ``sys.path``."""

from __future__ import annotations

import os
import sys

ENVIRONMENT = 3


def main() -> int:
    """Run the command."""
    leave_out_current_folder()
    from .clash import clash  # before this, the current folder is on the path

    told, works = clash()
    aside = "--version" in sys.argv[1:2] or "_ARCHSPEC_COMPLETE" in os.environ  # it says so itself; or a shell asks
    if told and not (works and aside):
        sys.stderr.write(f"archspec: {'warning: ' if works else ''}{told}\n")
    if not works:
        return ENVIRONMENT
    if told:
        import warnings  # only for this: `import archspec` says the same

        warnings.filterwarnings("ignore", "the distribution `archspec`")
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
