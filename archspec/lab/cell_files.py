"""The folder of a grid: a file for each cell that is done, one run at a time, and only cells of one experiment."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from archspec.diagnostics import Diagnostic, EnvironmentFault, cut
from archspec.files import replacing, unwritable, without_folder
from archspec.lab.canonical import canonical
from archspec.lab.engines.engine import Answer
from archspec.lab.lock import locked
from archspec.lab.versions import archspec_version
from archspec.wording import brief, reason_of

FORMAT = 1
"""The version of the files: it changes when files that were written before can no longer be read."""

ABOUT = "about.json"


class Stored(NamedTuple):
    """What a cell's file says."""

    answer: Answer
    attempts: int

    def __repr__(self) -> str:
        return brief(self)


class CellFiles:
    """The files of the cells in ``FOLDER/cells``, while this process has the folder to itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path, experiment: str) -> Iterator[Self]:
        """The files in a folder, which is made if need be, with the folder locked until the body ends.

        If the body fails before it writes a cell, what was made here goes again.

        Raises:
            EnvironmentFault: E806, the folder cannot be written; E880, another run has it; E881, it belongs to another
                experiment; E882, to another version.
        """
        cells = folder / "cells"
        new = [each for each in (cells, folder) if not each.exists()]
        try:
            folder.mkdir(exist_ok=True)
            cells.mkdir(exist_ok=True)
        except FileNotFoundError:
            raise without_folder(folder) from None
        except (OSError, ValueError) as error:
            raise unwritable(folder, error) from None
        with locked(cells / "lock", folder):
            files = cls(cells)
            try:
                files._check_owner(folder, experiment)
                files._remove_unfinished()
                yield files
            except BaseException:
                _remove_empty(new)
                raise

    def read(self, key: str, cell: str, say: Callable[[Diagnostic], None]) -> Stored | None:
        """What the file of a cell says, or None without a file. A file that is damaged is set aside (W880).

        Args:
            key: the key of the cell.
            cell: the canonical text of what goes into the cell.
            say: called with the diagnostic.
        """
        path = self.folder / f"{key}.json"
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            text = ""
        except OSError as error:
            raise EnvironmentFault(Diagnostic("E804", f"`{cut(path)}` cannot be read: {reason_of(error)}")) from None
        try:
            return _parsed(text, cell)
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        aside = next(
            each for number in range(1, 10**6) if not (each := path.with_suffix(f".damaged-{number}")).exists()
        )
        try:
            path.replace(aside)
        except OSError as error:
            raise unwritable(aside, error) from None
        say(Diagnostic("W880", f"`{cut(path)}` is damaged; it is now `{aside.name}`, and the cell is computed again"))
        return None

    def write(self, key: str, cell: str, stored: Stored) -> Stored:
        """Write the file of a cell, whole or not at all, and return what reading it gives.

        Raises:
            EnvironmentFault: E806.
        """
        answer, attempts = stored
        about = {"where": answer.where, "seconds": round(answer.seconds, 6), "attempts": attempts}
        body = {"result": answer.result, "failure": answer.failure, **about}
        text = canonical(body, "answer")
        whole = {"format": FORMAT, "cell": json.loads(cell), **json.loads(text), "sha256": _digest(cell, text)}
        written = json.dumps(whole, indent=1, allow_nan=False) + "\n"
        self._put(self.folder / f"{key}.json", written)
        return _parsed(written, cell)

    def _put(self, path: Path, text: str) -> None:
        with replacing(path, force=True) as temporary:
            temporary.write_text(text, encoding="utf-8")
        if hasattr(os, "O_DIRECTORY"):  # a rename is on the disk only when its folder is
            with contextlib.suppress(OSError):  # some file systems do not store folders
                descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def _check_owner(self, folder: Path, experiment: str) -> None:
        """Refuse cells of another experiment or version, and note whose cells these are."""
        mine = {"format": FORMAT, "archspec": archspec_version(), "experiment": experiment}
        about = self.folder / ABOUT
        try:
            found = json.loads(about.read_text(encoding="utf-8"))
        except FileNotFoundError:
            if any(self.folder.glob("*.json")):
                raise _other(
                    "E882", folder, f"has cells, but no `cells/{ABOUT}` to say which run they belong to"
                ) from None
            self._put(about, json.dumps(mine, indent=1) + "\n")
            return
        except (OSError, ValueError, RecursionError):
            raise _other("E882", folder, f"has a damaged `cells/{ABOUT}`") from None
        if not isinstance(found, Mapping) or found.keys() != mine.keys() or found["format"] != FORMAT:
            raise _other("E882", folder, "has cells in the format of another version of archspec")
        if found["experiment"] != experiment:
            raise _other("E881", folder, f"belongs to `{cut(found['experiment'])}`, and not to `{cut(experiment)}`")
        if found["archspec"] != mine["archspec"]:
            versions = f"{cut(found['archspec'])}, but this is archspec {mine['archspec']}"
            raise _other("E882", folder, f"has the cells of archspec {versions}")

    def _remove_unfinished(self) -> None:
        """Remove what a run that was killed left half-written."""
        for path in self.folder.glob(".archspec-*.tmp"):
            with contextlib.suppress(OSError):
                path.unlink()


def _remove_empty(new: Iterable[Path]) -> None:
    """Remove the folders that this run made, if no cell is in them."""
    for folder in new:
        with contextlib.suppress(OSError):  # one that is not empty stays
            if {each.name for each in folder.iterdir()} <= {ABOUT, "lock"}:
                for each in folder.iterdir():
                    each.unlink()
                folder.rmdir()


def _parsed(text: str, cell: str) -> Stored:
    """What the text of a file says; any of several errors if it is damaged."""
    whole: Any = json.loads(text)
    if not isinstance(whole, dict):
        raise TypeError
    form, given, digest = (whole.pop(name) for name in ("format", "cell", "sha256"))
    if form != FORMAT or canonical(given, "cell") != cell or _digest(cell, canonical(whole, "answer")) != digest:
        raise ValueError
    answer = Answer(whole["result"], whole["failure"], True, whole["where"], whole["seconds"])
    return Stored(answer, whole["attempts"])


def _digest(cell: str, text: str) -> str:
    return hashlib.sha256(f"{cell}\n{text}".encode()).hexdigest()


def _other(code: str, folder: Path, reason: str) -> EnvironmentFault:
    remove = f"remove this one's runs with `rm -r {shlex.quote(str(folder / 'cells'))}`, to compute all of them again"
    help = "name another folder: each experiment has its own" if code == "E881" else f"name another folder, or {remove}"
    return EnvironmentFault(Diagnostic(code, f"the folder `{cut(folder)}` {reason}", help=help))
