"""Reading a regular file and nothing else, and writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shlex
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from archspec.diagnostics import Diagnostic, EnvironmentFault, Mention, SpecError, cut, did_you_mean
from archspec.wording import reason_of

FORCE = Mention("force", "`force=True`")


@contextlib.contextmanager
def regular_file(path: Path, name: str, what: str = "") -> Iterator[BinaryIO]:
    """A regular file, open for reading.

    Args:
        path: the file.
        name: the name that diagnostics use for it.
        what: its kind, such as ``key map``.

    Raises:
        SpecError: E801, the file does not exist; E803, it is a folder, a pipe or a device; E804, it cannot be read. No
            diagnostic has a place, because only the caller knows where the name is written.
    """
    try:
        _check_regular(path.stat(), name, what)
        # The file may have been replaced since: a pipe must not block, and a device must not be read.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as stream:
            _check_regular(os.fstat(descriptor), name, what)
            yield stream
    except (OSError, ValueError) as error:  # ValueError: NUL, or a name that the file system cannot express
        raise SpecError([_no_file(name, what, error)]) from None


def _check_regular(status: os.stat_result, name: str, what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        folder = stat.S_ISDIR(status.st_mode)
        message = f"{what and f'the {what} '}`{cut(name)}` is {'a folder' if folder else 'not a regular file'}"
        help = "name a file in it" if folder else "save its contents to a file, and name that file"
        raise SpecError([Diagnostic("E803", message, help=help if what else "")])


def _no_file(name: str, what: str, error: OSError | ValueError) -> Diagnostic:
    absent = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
    if isinstance(error, ValueError) or error.errno in absent:
        loop = isinstance(error, OSError) and error.errno == errno.ELOOP
        message = f"`{cut(name)}` is a link to itself" if loop else f"the {what or 'file'} `{cut(name)}` does not exist"
        hint = did_you_mean(name, _beside(name)) if what else ""
        help = "a relative path starts from the current folder" if what else ""
        return Diagnostic("E801", message, hint=hint, help=help)
    help = "make the file readable for your user, or copy it to a place where you can read it" if what else ""
    return Diagnostic("E804", f"`{cut(name)}` cannot be read: {reason_of(error)}", help=help)


def _beside(name: str) -> list[str]:
    """The files in the folder of a path, some hundreds at most, as the path would name them."""
    try:
        names = [entry.name for entry in itertools.islice(os.scandir(os.path.dirname(name) or "."), 300)]  # noqa: PTH120
    except (OSError, ValueError):
        return []
    return sorted(os.path.join(os.path.dirname(name), each) for each in names)  # noqa: PTH118, PTH120


@contextlib.contextmanager
def replacing(
    target: Path, *, force: bool = False, inputs: Iterable[str] = (), weights: Iterable[str | None] = ()
) -> Iterator[Path]:
    """A temporary file that takes the place of ``target`` when the body ends well, and is removed when it does not.

    Args:
        target: the file to write.
        force: whether a file that exists may be replaced.
        inputs: paths of the files that a spec was read from; these are never written.
        weights: likewise, paths of files of weights and of key maps.

    Raises:
        EnvironmentFault: E805 for a file that exists, E806 for one that cannot be written; before the body wherever
            that can be known.
    """
    # It is named before it is made, so that an interrupt at any line leaves none behind.
    temporary = target.parent / f".archspec-{os.urandom(8).hex()}.tmp"
    try:
        try:
            mode = _check(target, force, inputs, weights)
            temporary.touch(mode=0o600, exist_ok=False)
        except (OSError, ValueError) as error:
            raise unwritable(target, error) from None
        try:
            yield temporary
            _store(temporary, mode)
            _move(temporary, target, force)
        except OSError as error:
            raise unwritable(target, error) from None
    finally:
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink()


@contextlib.contextmanager
def staging(target: Path, **how: Any) -> Iterator[Path]:
    """As :func:`replacing`, for what may write several files: a path with the target's own name in a temporary folder.

    When the body ends well, the files in the folder are moved beside each other, ``target`` last. Each is written whole
    or not at all; if one cannot be, none that is new stays.
    """
    folder = target.parent / f".archspec-{os.urandom(8).hex()}.tmp"
    try:
        try:
            mode = _check(target, **how)
            folder.mkdir(mode=0o700)
        except (OSError, ValueError) as error:
            raise unwritable(target, error) from None
        yield folder / target.name
        _move_all(folder, target, mode, how)
    except OSError as error:
        raise unwritable(target, error) from None
    finally:
        with contextlib.suppress(OSError, ValueError):
            for each in folder.iterdir():
                each.unlink()
            folder.rmdir()


def _move_all(folder: Path, target: Path, mode: int, how: Mapping[str, Any]) -> None:
    """Move what is in the folder beside it, ``target`` last."""
    others = [folder.parent / each.name for each in sorted(folder.iterdir()) if each.name != target.name]
    modes = {**{other: _check(other, **how) for other in others}, target: mode}
    new: list[Path] = []
    try:
        for path in modes:
            _store(folder / path.name, modes[path])
        for path in modes:
            new += [] if os.path.lexists(path) else [path]
            _move(folder / path.name, path, how.get("force", False))
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise


def refuse_target(target: Path, **how: Any) -> None:
    """Raise what :func:`replacing` would raise before its body: long work should not come first."""
    with contextlib.suppress(_NothingToWrite), replacing(target, **how):
        raise _NothingToWrite


class _NothingToWrite(Exception):
    """The temporary file goes, and the target stays as it is."""


def unwritable(target: str | os.PathLike[str], reason: object, help: str = "write to another path") -> EnvironmentFault:
    """The fault of an output that cannot be written, for a reason given by the system or in words."""
    told = reason.strerror.lower() if isinstance(reason, OSError) and reason.strerror else str(reason)
    text = told or type(reason).__name__.lower()
    message = f"`{cut(target)}` cannot be written: {cut(text, 200)}"
    return EnvironmentFault(Diagnostic("E806", message, help=help))


def without_folder(target: Path) -> EnvironmentFault:
    """The fault of an output whose folder does not exist, or is a file."""
    if os.path.lexists(target.parent):
        return unwritable(target, f"`{cut(target.parent)}` is not a folder", "write to a folder")
    help = f"make it with `mkdir -p {shlex.quote(str(target.parent))}`, or write to a folder that exists"
    return unwritable(target, f"the folder `{cut(target.parent)}` does not exist", cut(help, 300))


def _check(target: Path, force: bool = False, inputs: Iterable[str] = (), weights: Iterable[str | None] = ()) -> int:
    """Refuse what must not be written over. Returns the permissions that the new file gets."""
    try:
        status = target.lstat()
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise without_folder(target) from None
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
    refusals = {
        "it is a link, and links are not followed": stat.S_ISLNK(status.st_mode),
        "it is a folder": stat.S_ISDIR(status.st_mode),
        "it is not a regular file": not stat.S_ISREG(status.st_mode),
        "it is the spec itself, or a file that the spec reads": any(_same(target, name) for name in inputs),
        "it is what the weights are read from": any(_same(target, name) for name in weights if name),
    }
    for reason, holds in refusals.items():
        if holds:
            raise unwritable(target, reason)
    if not force:
        raise _exists(target)
    return stat.S_IMODE(status.st_mode)


def _exists(target: Path) -> EnvironmentFault:
    message, help = f"`{cut(target)}` already exists", f"pass {FORCE.text} to replace it"
    return EnvironmentFault(Diagnostic("E805", message, help=help, mentions=(FORCE,)))


def _same(target: Path, name: str) -> bool:
    try:
        return target.samefile(name)
    except (OSError, ValueError):  # the file does not exist, or its name is not valid
        return False


def _store(path: Path, mode: int) -> None:
    """Have the file's content on the disk before its name changes: a crash leaves the old file or the new one."""
    path.chmod(mode)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _move(temporary: Path, target: Path, force: bool) -> None:
    if force:
        temporary.replace(target)
        return
    try:
        os.link(temporary, target)  # unlike a rename it never replaces what appeared in the meantime
    except FileExistsError:
        raise _exists(target) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise _exists(target) from None
        temporary.replace(target)
