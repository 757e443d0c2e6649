"""Where Python looks for modules: archspec's own imports, and those for a spec, leave out the folder it runs in."""

from __future__ import annotations

import contextlib
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from archspec.diagnostics import Diagnostic, EnvironmentFault


@contextlib.contextmanager
def only_installed(files: Iterable[str] = ()) -> Iterator[None]:
    """Leave the current folder, and the folders of some files, out of ``sys.path`` until the body ends.

    Otherwise ``torchvision.py`` beside a spec would run instead of torchvision. A folder that Python installs packages
    into stays.

    Args:
        files: paths of the files that a spec was read from.
    """
    left_out = _left_out({os.curdir, *(os.path.dirname(file) for file in files)})  # noqa: PTH120  # these are texts
    removed = [(number, entry) for number, entry in enumerate(sys.path) if _real(entry) in left_out]
    sys.path[:] = [entry for entry in sys.path if _real(entry) not in left_out]
    try:
        yield
    finally:
        for number, entry in removed:
            sys.path.insert(number, entry)


@contextlib.contextmanager
def torch_needed(files: Iterable[str] = ()) -> Iterator[None]:
    """Around the imports that import torch: leave these folders out, and say what to install if torch is missing.

    Raises:
        EnvironmentFault: E809, torch cannot be imported.
    """
    try:
        with only_installed(files):
            yield
    except ImportError as error:
        help = "pip install 'archspec-compiler[torch]'"
        fault = Diagnostic("E809", f"building a model needs torch, which cannot be imported ({error})", help=help)
        raise EnvironmentFault(fault) from None


@contextlib.contextmanager
def current_folder_first() -> Iterator[None]:
    """Look for modules in the current folder first, until the body ends."""
    sys.path.insert(0, "")
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove("")


@contextlib.contextmanager
def current_folder_last() -> Iterator[None]:
    """Look for modules in the current folder last, until the body ends: what a library imports comes from elsewhere."""
    with only_installed():
        sys.path.append("")
        try:
            yield
        finally:
            with contextlib.suppress(ValueError):
                sys.path.remove("")


def _left_out(folders: Iterable[str]) -> frozenset[str | None]:
    found = {_real(folder) for folder in folders}
    if found & {_real(entry) for entry in sys.path}:  # rare, and finding the paths of an installation is slow
        paths = sysconfig.get_paths()
        packages = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
        found -= {_real(folder) for folder in (*packages, *site.getsitepackages(), site.getusersitepackages())}
    return frozenset(found | {None})


def _real(entry: object) -> str | None:
    """A folder without links; None if it does not exist anymore."""
    try:
        return str(Path(str(entry)).resolve(strict=True))
    except (OSError, ValueError, RuntimeError):
        return None
