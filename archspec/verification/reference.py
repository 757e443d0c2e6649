"""Making the network of a reference: ``torchvision:NAME``, ``timm:NAME``, ``module:factory`` or ``FILE.py:factory``."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError, cut, did_you_mean, in_one_line
from archspec.import_path import current_folder_first, current_folder_last, only_installed
from archspec.tracing.foreign import foreign, raised_in
from archspec.verification import importing
from archspec.verification.reference_text import AS_NAMED, LIBRARIES, Reference, fault, is_file, parse
from archspec.wording import listed


def make(against: str | nn.Module | Callable[[], Any], seed: int = 0) -> tuple[nn.Module, str]:
    """Make the network of a reference, and return it with its name.

    Args:
        against: the text of a reference, a factory without arguments, or a network, which is returned unchanged.
        seed: the seed of the initial weights of networks that are made here.

    Raises:
        SpecError: E901, the text is not a reference; E902, the module or name does not exist; E903, the module cannot
            be imported; E904, the factory raises an exception; E905, the result is not a ``torch.nn.Module``.
        EnvironmentFault: E809, the library is not installed.

    >>> def small():
    ...     return nn.Linear(4, 2)
    >>> make(small)
    (Linear(in_features=4, out_features=2, bias=True), 'small')
    """
    if isinstance(against, nn.Module):
        return against, type(against).__name__
    if not isinstance(against, str):
        with foreign(lambda error: fault("E904", f"the name of the reference cannot be read: {in_one_line(error)}")):
            name = str(getattr(against, "__name__", type(against).__name__))
        return _called(against, Reference("", name), seed), name
    reference = parse(against)
    with only_installed() if _of_library(against) else current_folder_first():
        factory = _factory(reference)
        return (factory if isinstance(factory, nn.Module) else _called(factory, reference, seed)), against


def search_path(against: object, files: Iterable[str] = ()) -> AbstractContextManager[None]:
    """Where modules are looked up while a network of a reference runs.

    Libraries import parts of themselves only when they are used. These are never looked up in the current folder, and
    only a module of the user's own may still find others there.

    Args:
        against: the reference, as for :func:`make`.
        files: paths of the files of a spec; a library is not looked up beside them either.
    """
    if not isinstance(against, str):
        return contextlib.nullcontext()
    return only_installed(files) if _of_library(against) else current_folder_last()


def file_of(against: str) -> str:
    """The file of Python that a reference names; empty if it names a module."""
    file = against.partition(":")[0]
    return file if is_file(file) else ""


def _of_library(against: str) -> bool:
    if file_of(against):
        return False
    return re.split("[.:]", against, maxsplit=1)[0] in (*LIBRARIES, "torch")


def _factory(reference: Reference) -> Any:
    if reference.origin == "torchvision":
        models = _library(importing.torchvision_models)
        names = [name for part in (models, models.video) for name in models.list_models(module=part)]
        segmentation = models.list_models(module=models.segmentation)
        untrained = {"weights_backbone": None} if reference.name in segmentation else {}
        make = partial(models.get_model, reference.name, weights=None, **untrained)
        return _network_of(reference, [*names, *segmentation], make)
    if reference.origin == "timm":
        library = _library(importing.timm)
        known = library.is_model(reference.name.partition(".")[0])
        names = [reference.name] if known else library.list_models()
        return _network_of(reference, names, partial(library.create_model, reference.name))
    found = _file(reference) if is_file(reference.origin) else _module(reference)
    return _attribute(found, reference)


def _file(reference: Reference) -> ModuleType:
    """The module that a file of Python is, which need not be where modules are looked up."""
    path = Path(reference.origin)
    name = f"{path.stem} from {path.parent}"  # no other module has this name
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)

    def refuse(error: BaseException) -> SpecError:
        message = f"`{cut(reference.origin)}` cannot be imported: {in_one_line(error)}"
        return fault("E903", message, help=raised_in(error))

    with foreign(refuse):
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        finally:
            del sys.modules[name]
    return module


def _library(load: Callable[[], ModuleType]) -> ModuleType:
    try:
        return load()
    except Exception as error:
        help = "pip install 'archspec-compiler[reference]'"
        library = load.__name__.removesuffix("_models")
        message = f"the reference needs {library}, which cannot be imported ({in_one_line(error)})"
        raise EnvironmentFault(Diagnostic("E809", message, help=help)) from None


def _network_of(reference: Reference, names: list[str], factory: Callable[..., Any]) -> Callable[..., Any]:
    if reference.name not in names:
        message = f"{reference.origin} does not have a network `{cut(reference.name)}`"
        hint = did_you_mean(reference.name, names)
        raise SpecError([Diagnostic("E902", message, hint=hint, help=f"`{reference.origin}.list_models()` lists them")])
    if reference.args:
        raise fault("E901", f"networks of {reference.origin} take only named arguments", help=AS_NAMED)
    return factory


def _missing(file: str) -> SpecError:
    """That a file does not exist, with one of its folder whose name is like it."""
    folder = Path(file).parent
    known = [str(path) for path in folder.glob("*.py")] if "\0" not in file else []
    hint = did_you_mean(str(Path(file)), known)
    return SpecError([Diagnostic("E902", f"the file `{cut(file)}` does not exist", hint=hint, help="check its path")])


def _module(reference: Reference) -> ModuleType:
    name = reference.origin
    if name.endswith(".py") and not all(part.isidentifier() for part in name.split(".")):
        raise _missing(name)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            help = f"install the package that provides `{cut(error.name)}`"
            raise fault("E903", f"`{cut(name)}` cannot be imported: {in_one_line(error)}", help=help) from None
        if name.endswith(".py"):
            raise _missing(name) from None
        found = [path.stem for path in Path().glob("*.py")]
        hint = did_you_mean(name, [*LIBRARIES, *found])
        message = f"the module `{cut(error.name)}` does not exist"
        help = "modules are looked up in the current folder, then among the installed packages"
        raise SpecError([Diagnostic("E902", message, hint=hint, help=help)]) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may do anything when it is imported, even exit
        raise fault("E903", f"`{cut(name)}` cannot be imported: {in_one_line(error)}", help=raised_in(error)) from None


def _attribute(module: ModuleType, reference: Reference) -> Any:
    found: Any = module
    for part in reference.name.split("."):
        if not hasattr(found, part):
            public = [name for name in vars(found) if not name.startswith("_")] if hasattr(found, "__dict__") else []
            message = f"`{cut(reference.origin)}` does not have `{cut(reference.name)}`"
            raise SpecError([Diagnostic("E902", message, hint=did_you_mean(part, public))])
        found = getattr(found, part)
    if not callable(found):
        kind = cut(type(found).__name__)
        raise fault(
            "E905",
            f"`{cut(reference.name)}` has type {kind}; it must be a network or a callable that makes one",
            help=NETWORK,
        )
    return found


NETWORK = (
    "a reference is a class of `torch.nn.Module` or a function that returns one, "
    "with arguments like `(classes=10)` where it needs some"
)


def _not_given(factory: Callable[..., Any], reference: Reference) -> list[str]:
    """The arguments that a factory needs and a reference does not give."""
    with contextlib.suppress(Exception):  # a callable without a signature, or one that is wrong otherwise
        signature = inspect.signature(factory)
        given = signature.bind_partial(*reference.args, **reference.kwargs).arguments
        plain = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return [
            f"`{cut(each.name)}`"
            for each in signature.parameters.values()
            if each.default is each.empty and each.kind not in plain and each.name not in given
        ]
    return []


def _called(factory: Callable[..., Any], reference: Reference, seed: int) -> nn.Module:
    name = cut(f"{reference.origin}:{reference.name}".lstrip(":"))
    if needed := _not_given(factory, reference):
        message = f"`{name}` needs {listed(needed)}, which the reference does not give"
        raise fault("E904", message, help=NETWORK)
    with foreign(lambda error: fault("E904", f"`{name}` raises {in_one_line(error)}", help=raised_in(error))):
        torch.manual_seed(seed)
        made = factory(*reference.args, **reference.kwargs)
    if not isinstance(made, nn.Module):
        raise fault("E905", f"`{name}` returns {cut(type(made).__name__)} instead of a torch.nn.Module", help=NETWORK)
    return made
