"""What a network is compared with: ``torchvision:NAME``, ``timm:NAME`` or ``module.path:factory``, with arguments.

The arguments are Python literals; nothing of the text is evaluated.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from archspec.diagnostics import Diagnostic, EnvironmentFault, Mention, Span, SpecError, cut, did_you_mean
from archspec.tracing.trace import reason
from archspec.verification import importing

AGAINST = Mention("against", "`against`")
LIBRARIES = ("torchvision", "timm")
LONGEST = 2000
"""Characters of a reference: enough for any arguments, and little enough for the parser."""


@dataclass(frozen=True)
class Reference:
    """A reference as it is written: where it comes from, what it is called there, and the arguments of its factory."""

    origin: str
    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def parse(text: str) -> Reference:
    """A reference from its text, such as ``torchvision:googlenet(aux_logits=False)``.

    Raises:
        SpecError: E901, it is not written like one.
    """
    origin, colon, rest = text.partition(":")
    name, bracket, _ = rest.partition("(")
    if len(text) > LONGEST or not colon or not _dotted(origin) or not (_dotted(name) or _is_timm_name(origin, name)):
        help = "write `torchvision:NAME`, `timm:NAME` or `module.path:factory`, with arguments like `(classes=10)`"
        raise _fault("E901", f"`{cut(text)}` is not a reference", help=help)
    args, kwargs = _arguments(text, rest[len(name) :]) if bracket else ((), {})
    return Reference(origin, name, args, kwargs)


def _dotted(text: str) -> bool:
    return text.isascii() and all(part.isidentifier() for part in text.split("."))


def _is_timm_name(origin: str, name: str) -> bool:
    """timm's names may have a tag behind a dot, which begins as it likes: ``resnet50.a1_in1k``."""
    return origin == "timm" and name.isascii() and name.replace(".", "").replace("-", "").isidentifier()


def _arguments(text: str, written: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = ast.parse(f"f{written}", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise _fault(
            "E901", f"the arguments of `{cut(text)}` are not Python's", help="write `(name=value, ...)`"
        ) from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise _fault(
            "E901", f"the arguments of `{cut(text)}` are not those of one call", help="write `(name=value, ...)`"
        )
    args = tuple([_literal(text, argument) for argument in call.args])
    kwargs: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise _fault("E901", f"`{cut(text)}` has an argument without a name", help="write each as `name=value`")
        if keyword.arg in kwargs:
            raise _fault("E901", f"`{cut(text)}` gives `{cut(keyword.arg)}` twice")
        kwargs[keyword.arg] = _literal(text, keyword.value)
    return args, kwargs


def _literal(text: str, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        shown = cut(ast.unparse(node))
        help = "only numbers, texts, True, False, None, and lists, tuples and dictionaries of them are read"
        raise _fault("E901", f"the argument `{shown}` is not a literal", help=help) from None


def own_reference(text: str, place: Span, seed: int = 0) -> tuple[nn.Module, str]:
    """The network that a spec itself names as its ``reference``, at ``place``.

    A spec never runs code, so that only networks of the libraries are made, with numbers and truth values for
    arguments: text could be a file to read or an address.

    Raises:
        SpecError: E901 to E905, with the place in the spec.
        EnvironmentFault: E809, its library is not installed.
    """
    try:
        found = parse(text)
        plain = all(value is None or isinstance(value, int | float) for value in (*found.args, *found.kwargs.values()))
        if found.origin not in LIBRARIES or not plain or "pretrained" in found.kwargs:
            message = f"`{cut(text)}` would let the spec run code or read files"
            help = f"a spec names networks of torchvision or timm, with numbers for arguments; {AGAINST.text} names any"
            raise SpecError([Diagnostic("E901", message, help=help, mentions=(AGAINST,))])
        return make(text, seed)
    except SpecError as error:
        raise SpecError([replace(fault, span=place) for fault in error.diagnostics]) from None


def make(against: str | nn.Module | Callable[[], Any], seed: int = 0) -> tuple[nn.Module, str]:
    """The network of a reference, and what it is called.

    Args:
        against: a reference's text, a factory without arguments, or a network, which is taken as it is.
        seed: of the initial weights of what is made here.

    Raises:
        SpecError: E901 to E905.
        EnvironmentFault: E809, its library is not installed.
    """
    if isinstance(against, nn.Module):
        return against, type(against).__name__
    if not isinstance(against, str):
        name = str(getattr(against, "__name__", type(against).__name__))
        return _called(against, Reference("", name), seed), name
    reference = parse(against)
    with _here():
        factory = _factory(reference)
        return (factory if isinstance(factory, nn.Module) else _called(factory, reference, seed)), against


@contextlib.contextmanager
def _here() -> Iterator[None]:
    """Modules of the current folder can be imported."""
    try:
        folder = str(Path.cwd())
    except OSError:  # it is gone
        yield
        return
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def _factory(reference: Reference) -> Any:
    if reference.origin == "torchvision":
        models = _library(importing.torchvision_models)
        names = [*models.list_models(module=models), *models.list_models(module=models.video)]
        return _of_library(reference, names, partial(models.get_model, reference.name, weights=None))
    if reference.origin == "timm":
        library = _library(importing.timm)
        known = library.is_model(reference.name.partition(".")[0])
        names = [reference.name] if known else library.list_models()
        return _of_library(reference, names, partial(library.create_model, reference.name))
    return _attribute(_module(reference), reference)


def _library(load: Callable[[], ModuleType]) -> ModuleType:
    try:
        return load()
    except Exception as error:
        help = "pip install 'archspec-compiler[reference]'"
        message = (
            f"the reference needs {load.__name__.removesuffix('_models')}, which cannot be imported ({reason(error)})"
        )
        raise EnvironmentFault(Diagnostic("E809", message, help=help)) from None


def _of_library(reference: Reference, names: list[str], factory: Callable[..., Any]) -> Callable[..., Any]:
    if reference.name not in names:
        message = f"{reference.origin} has no network `{cut(reference.name)}`"
        hint = did_you_mean(reference.name, names)
        raise SpecError([Diagnostic("E902", message, hint=hint, help=f"`{reference.origin}.list_models()` lists them")])
    if reference.args:
        raise _fault(
            "E901", f"networks of {reference.origin} take arguments by name", help="write each as `name=value`"
        )
    return factory


def _module(reference: Reference) -> ModuleType:
    name = reference.origin
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _fault("E903", f"`{cut(name)}` cannot be imported: {reason(error)}", help=_install(error)) from None
        found = [path.stem for path in Path.cwd().glob("*.py")]
        hint = did_you_mean(name, [*LIBRARIES, *found])
        message = f"there is no module `{cut(error.name)}`"
        help = "a module is looked up in the current folder, then among the installed packages"
        raise SpecError([Diagnostic("E902", message, hint=hint, help=help)]) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may do anything when it is imported, even exit
        raise _fault("E903", f"`{cut(name)}` cannot be imported: {reason(error)}", help=_line(error)) from None


def _install(error: ModuleNotFoundError) -> str:
    return f"install what provides `{cut(error.name)}`"


def _attribute(module: ModuleType, reference: Reference) -> Any:
    found: Any = module
    for part in reference.name.split("."):
        if not hasattr(found, part):
            public = [name for name in vars(found) if not name.startswith("_")] if hasattr(found, "__dict__") else []
            message = f"`{cut(reference.origin)}` has no `{cut(reference.name)}`"
            raise SpecError([Diagnostic("E902", message, hint=did_you_mean(part, public))])
        found = getattr(found, part)
    if not callable(found):
        kind = cut(type(found).__name__)
        raise _fault("E905", f"`{cut(reference.name)}` is {kind}, not a network or what makes one")
    return found


def _called(factory: Callable[..., Any], reference: Reference, seed: int) -> nn.Module:
    name = cut(f"{reference.origin}:{reference.name}".lstrip(":"))
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(seed)
            made = factory(*reference.args, **reference.kwargs)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a factory may do anything
        raise _fault("E904", f"`{name}` raises {reason(error)}", help=_line(error)) from None
    if not isinstance(made, nn.Module):
        raise _fault("E905", f"`{name}` returns {cut(type(made).__name__)}, not a torch.nn.Module")
    return made


def _line(error: BaseException) -> str:
    """Where in somebody's code an exception was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    file = trace.tb_frame.f_code.co_filename
    if file == __file__ or not Path(file).is_file():  # the call itself does not fit, or there is nothing to look at
        return ""
    return f"it is raised in {cut(Path(file).name)}, line {trace.tb_lineno}"


def _fault(code: str, message: str, *, help: str = "") -> SpecError:
    return SpecError([Diagnostic(code, message, help=help)])
