"""Reading files of tensors without running code."""

from __future__ import annotations

import io
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError, cut
from archspec.files import regular_file
from archspec.weights.archive import LOCAL, entries
from archspec.weights.checkpoints import is_state, state_dicts
from archspec.weights.pickles import storages

PICKLES = 5
"""How many pickles a file of the old format begins with. The tensors follow."""

MAX_PICKLE = 256 * 2**20
"""The most bytes of the pickle in an archive, which refers to the tensors."""


def read(path: str | os.PathLike[str], *, stored: bool = False) -> Mapping[Any, Any]:
    """The content of a safetensors file, or of a pickled checkpoint, which is read with ``weights_only=True``.

    Args:
        path: the file.
        stored: whether the tensors of a safetensors file may stay there, as :class:`StoredTensor`. That takes no torch,
            but for dtypes that numpy lacks.

    Raises:
        SpecError: E801, the file does not exist; E803, it is not a regular file; E804, it cannot be read; E808, it is
            not a weights file.
        EnvironmentFault: E809, safetensors or torch is not installed.
    """
    name = os.fspath(path)
    with regular_file(Path(name), name, "weights file"):  # its readers take the name
        try:
            found = _content(name, stored)
        except ImportError as error:
            message = f"reading `{cut(name)}` needs {error.name or 'safetensors'}, which cannot be imported ({error})"
            raise EnvironmentFault(Diagnostic("E809", message, help="pip install 'archspec-compiler[torch]'")) from None
        except PermissionError:
            raise
        except Exception as error:  # the readers pass on whatever their parsers raise
            raise SpecError([_unread(name, error)]) from None
    if not isinstance(found, Mapping) or not (is_state(found) or state_dicts(found)):
        help = "save the state dict of the model, as `torch.save(model.state_dict(), FILE)` does"
        raise SpecError([Diagnostic("E808", f"`{cut(name)}` does not contain a state dict", help=help)])
    return found


def _content(name: str, stored: bool) -> Any:
    if name.endswith(".safetensors"):
        if stored:
            from archspec.weights.stored import stored as read_stored  # a `.pth` can be read without safetensors

            if (found := read_stored(name)) is not None:
                return found
        from safetensors.torch import load_file  # a `.pth` can be read without it

        return load_file(name)
    _check_size(name)
    import torch  # the tensors of a safetensors file may be read without it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about files that need `weights_only=False`, which are refused
        return torch.load(name, map_location="cpu", weights_only=True)


def _check_size(name: str) -> None:
    """Refuse a file that would fill the memory, or that torch and another reader read differently.

    torch checks neither: it unpacks an archive of any size, and takes the sizes of storages from the pickle.
    """
    with Path(name).open("rb") as stream:
        if stream.read(4) == LOCAL:
            _check_archive(stream)
            return
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if sum(storage.size for _ in range(PICKLES) for storage in storages(stream)) > size:
            raise ValueError("its tensors would be larger than the file")


def _check_archive(stream: BinaryIO) -> None:
    places = entries(stream)
    folder = next(iter(places)).partition("/")[0]
    start, length = places.get(f"{folder}/data.pkl", (0, 0))
    if length > MAX_PICKLE:
        raise ValueError("the part without tensors is too large")
    stream.seek(start)
    for storage in storages(io.BytesIO(stream.read(length))) if length else ():
        if storage.size > places.get(f"{folder}/data/{storage.key}", (0, -1))[1]:
            raise ValueError("its tensors would be larger than the file")


def _unread(name: str, error: Exception) -> Diagnostic:
    """What is wrong with a file that the readers refuse, as far as its beginning shows."""
    with Path(name).open("rb") as stream:
        begin = stream.read(512)
    if not begin:
        return Diagnostic("E808", f"`{cut(name)}` is empty", help="copy or download it again")
    if begin.startswith(b"PK") and not zipfile.is_zipfile(name):
        message = f"`{cut(name)}` is truncated or damaged: the end of the archive is missing"
        return Diagnostic("E808", message, help="copy or download it again")
    message = f"`{cut(name)}` is not a weights file: "
    help = "a weights file is a safetensors file, or a state dict that `torch.save` wrote"
    safe = name.endswith(".safetensors")
    if begin.startswith(b"version https://git-lfs"):
        help = "fetch the file itself with `git lfs pull`"
        return Diagnostic("E808", f"{message}it is a Git LFS pointer", help=help)
    if re.match(rb"\s*<(!doctype|html|\?xml)", begin, re.IGNORECASE):
        help = "download it again, from the address of the file itself, not of its web page"
        return Diagnostic("E808", f"{message}it is a web page", help=help)
    if safe and begin.startswith((b"PK", b"\x80")):
        help = "name it `.pth` or `.pt`, as `torch.save` does"
        return Diagnostic("E808", f"`{cut(name)}` is not a safetensors file: `torch.save` wrote it", help=help)
    if not safe and begin[8:9] == b"{":
        help = "name it `.safetensors`"
        return Diagnostic("E808", f"`{cut(name)}` is a safetensors file under another name", help=help)
    if not safe and re.fullmatch(rb"[\t\n\r -~]+", begin):
        return Diagnostic("E808", f"{message}it is text", help=help)
    if not safe:
        help += (
            "; archspec does not run code from a file: if you trust it, load it in Python and save its state dict alone"
        )
    return Diagnostic("E808", f"`{cut(name)}` cannot be read as a weights file: {_reason(error)}", help=help)


def _reason(error: Exception) -> str:
    """Why a reader gave up, without torch's advice to load the file unsafely."""
    if wanted := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it refers to `{cut(wanted[1])}`"
    if isinstance(error, pickle.UnpicklingError):
        return "it is not a pickle, or it contains more than tensors"
    return cut(str(error).partition("\n")[0] or type(error).__name__, 120)
