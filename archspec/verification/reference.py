"""References, the networks to compare with: ``torchvision:NAME``, ``timm:NAME`` or ``module.path:factory(...)``.

The arguments are Python literals. The text is parsed, never evaluated.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
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

AS_CALL, AS_NAMED = "write `(name=value, ...)`", "write each as `name=value`"
LIBRARIES = ("torchvision", "timm")
LONGEST, DEEPEST, DIGITS = 2000, 16, 100
"""The most characters of a reference, levels of lists in its arguments, and digits of a number: more than arguments
need, and few enough for Python's parser with any settings."""


@dataclass(frozen=True)
class Reference:
    """A parsed reference: a library or module, a name in it, and the arguments of the factory with that name."""

    origin: str
    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def parse(text: str) -> Reference:
    """Parse the text of a reference.

    Raises:
        SpecError: E901, the text is not a reference.

    >>> parse("torchvision:googlenet(aux_logits=False)")
    Reference(origin='torchvision', name='googlenet', args=(), kwargs={'aux_logits': False})
    """
    origin, colon, rest = text.partition(":")
    name, bracket, _ = rest.partition("(")
    if len(text) > LONGEST:
        raise _fault("E901", f"a reference has at most {LONGEST:,} characters, and `{cut(text)}` has {len(text):,}")
    if not colon or not _dotted(origin) or not (_dotted(name) or _is_timm_name(origin, name)):
        help = "write `torchvision:NAME`, `timm:NAME` or `module.path:factory`, with arguments like `(classes=10)`"
        raise _fault("E901", f"`{cut(text)}` is not a reference", help=help)
    args, kwargs = _arguments(text, rest[len(name) :]) if bracket else ((), {})
    return Reference(origin, name, args, kwargs)


def _dotted(text: str) -> bool:
    return text.isascii() and all(part.isidentifier() for part in text.split("."))


def _is_timm_name(origin: str, name: str) -> bool:
    """A name in timm may have a tag, which need not be an identifier: ``resnet50.a1_in1k``."""
    return origin == "timm" and name.isascii() and name.replace(".", "").replace("-", "").isidentifier()


def _arguments(text: str, written: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    written = f"f{written}"
    if re.search(rf"[0-9_]{{{DIGITS + 1}}}", written):
        raise _fault("E901", f"a number in the arguments of `{cut(text)}` has more than {DIGITS} digits")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = ast.parse(written, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise _fault("E901", f"the arguments of `{cut(text)}` are not valid Python", help=AS_CALL) from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise _fault("E901", f"the arguments of `{cut(text)}` are not a single call", help=AS_CALL)
    args = tuple([_literal(written, argument) for argument in call.args])
    kwargs: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise _fault("E901", f"`{cut(text)}` unpacks arguments with `**`", help=AS_NAMED)
        if keyword.arg in kwargs:
            raise _fault("E901", f"`{cut(text)}` passes `{cut(keyword.arg)}` twice")
        kwargs[keyword.arg] = _literal(written, keyword.value)
    return args, kwargs


def _literal(written: str, node: ast.expr) -> Any:
    shown = cut(ast.get_source_segment(written, node))
    if _deeper(node, DEEPEST):
        help = "write a function without arguments that makes the network, and name that"
        raise _fault("E901", f"the argument `{shown}` is nested deeper than {DEEPEST} levels", help=help)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        help = "write a value such as `10`, `False` or `[1, 2]`; archspec does not evaluate expressions"
        raise _fault("E901", f"the argument `{shown}` is not a literal", help=help) from None


def _deeper(node: ast.expr, levels: int) -> bool:
    """Whether lists, tuples, sets and dictionaries are nested deeper than this. It needs no recursion of its own."""
    layer: list[ast.AST] = [node]
    for _ in range(levels + 1):
        layer = [each for each in layer if isinstance(each, ast.List | ast.Tuple | ast.Set | ast.Dict)]
        if not layer:
            return False
        layer = [child for each in layer for child in ast.iter_child_nodes(each)]
    return True


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
        with foreign(lambda error: _fault("E904", f"a reference without a readable name: {in_one_line(error)}")):
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


def _of_library(against: str) -> bool:
    return re.split("[.:]", against, maxsplit=1)[0] in (*LIBRARIES, "torch")


def _factory(reference: Reference) -> Any:
    if reference.origin == "torchvision":
        models = _library(importing.torchvision_models)
        names = [*models.list_models(module=models), *models.list_models(module=models.video)]
        return _network_of(reference, names, partial(models.get_model, reference.name, weights=None))
    if reference.origin == "timm":
        library = _library(importing.timm)
        known = library.is_model(reference.name.partition(".")[0])
        names = [reference.name] if known else library.list_models()
        return _network_of(reference, names, partial(library.create_model, reference.name))
    return _attribute(_module(reference), reference)


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
        raise _fault("E901", f"networks of {reference.origin} take only named arguments", help=AS_NAMED)
    return factory


def _module(reference: Reference) -> ModuleType:
    name = reference.origin
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            help = f"install the package that provides `{cut(error.name)}`"
            raise _fault("E903", f"`{cut(name)}` cannot be imported: {in_one_line(error)}", help=help) from None
        found = [path.stem for path in Path().glob("*.py")]
        hint = did_you_mean(name, [*LIBRARIES, *found])
        message = f"the module `{cut(error.name)}` does not exist"
        help = "modules are looked up in the current folder, then among the installed packages"
        raise SpecError([Diagnostic("E902", message, hint=hint, help=help)]) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may do anything when it is imported, even exit
        raise _fault("E903", f"`{cut(name)}` cannot be imported: {in_one_line(error)}", help=raised_in(error)) from None


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
        raise _fault(
            "E905", f"`{cut(reference.name)}` has type {kind}; it must be a network or a callable that makes one"
        )
    return found


def _called(factory: Callable[..., Any], reference: Reference, seed: int) -> nn.Module:
    name = cut(f"{reference.origin}:{reference.name}".lstrip(":"))
    with foreign(lambda error: _fault("E904", f"`{name}` raises {in_one_line(error)}", help=raised_in(error))):
        torch.manual_seed(seed)
        made = factory(*reference.args, **reference.kwargs)
    if not isinstance(made, nn.Module):
        raise _fault("E905", f"`{name}` returns {cut(type(made).__name__)} instead of a torch.nn.Module")
    return made


def _fault(code: str, message: str, *, help: str = "") -> SpecError:
    return SpecError([Diagnostic(code, message, help=help)])
