"""Reading files of tensors without running code."""

from __future__ import annotations

import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError, cut
from archspec.files import regular_file
from archspec.weights.checkpoints import is_state, state_dicts


def read(path: str | os.PathLike[str]) -> Mapping[Any, Any]:
    """The content of a safetensors file, or of a pickled checkpoint, which is read with ``weights_only=True``.

    Raises:
        SpecError: E801, the file does not exist; E803, it is not a regular file; E804, it cannot be read; E808, it is
            not a weights file.
        EnvironmentFault: E809, safetensors is not installed.
    """
    name = os.fspath(path)
    with regular_file(Path(name), name, "weights file"):  # its readers take the name
        try:
            found = _content(name)
        except ImportError as error:
            message = f"reading `{cut(name)}` needs safetensors, which cannot be imported ({error})"
            raise EnvironmentFault(Diagnostic("E809", message, help="pip install 'archspec-compiler[torch]'")) from None
        except PermissionError:
            raise
        except Exception as error:  # the readers pass on whatever their parsers raise
            raise SpecError([_unread(name, error)]) from None
    if not isinstance(found, Mapping) or not (is_state(found) or state_dicts(found)):
        help = "save only the state dict, without the optimizer's state or other data"
        raise SpecError([Diagnostic("E808", f"`{cut(name)}` does not contain a state dict", help=help)])
    return found


def _content(name: str) -> Any:
    if name.endswith(".safetensors"):
        from safetensors.torch import load_file  # a `.pth` can be read without it

        return load_file(name)
    _check_size(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about files that need `weights_only=False`, which are refused
        return torch.load(name, map_location="cpu", weights_only=True)


def _check_size(name: str) -> None:
    """Refuse an archive that would fill the memory: torch stores its parts uncompressed, so they fit into the file."""
    if zipfile.is_zipfile(name):
        with zipfile.ZipFile(name) as archive:
            if sum(part.file_size for part in archive.infolist()) > Path(name).stat().st_size:
                raise ValueError("the unpacked archive would be larger than the file")


def _unread(name: str, error: Exception) -> Diagnostic:
    """What is wrong with a file that the readers refuse, as far as its beginning shows."""
    with Path(name).open("rb") as stream:
        begin = stream.read(512)
    if not begin:
        return Diagnostic("E808", f"`{cut(name)}` is empty", help="copy or download it again")
    if begin.startswith(b"PK") and not zipfile.is_zipfile(name):
        message = f"`{cut(name)}` is truncated or damaged: the end of the archive is missing"
        return Diagnostic("E808", message, help="copy or download it again")
    help = "a weights file is a safetensors file, or a state dict that `torch.save` wrote"
    if not name.endswith(".safetensors") and re.fullmatch(rb"[\t\n\r -~]+", begin):
        return Diagnostic("E808", f"`{cut(name)}` is not a weights file: it is text", help=help)
    message = f"`{cut(name)}` cannot be read as a weights file without running code: {_reason(error)}"
    return Diagnostic("E808", message, help=help)


def _reason(error: Exception) -> str:
    """Why a reader gave up, without torch's advice to load the file unsafely."""
    if wanted := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it refers to `{cut(wanted[1])}`"
    if isinstance(error, pickle.UnpicklingError):
        return "it is not a pickle, or it contains more than tensors"
    return cut(str(error).partition("\n")[0] or type(error).__name__, 120)
