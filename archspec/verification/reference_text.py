"""The text of a reference: ``torchvision:NAME``, ``timm:NAME`` or ``module.path:factory(...)``.

The arguments are Python literals. The text is parsed, never evaluated.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archspec.diagnostics import Diagnostic, SpecError, cut, suggest

AS_CALL, AS_NAMED = "write `(name=value, ...)`", "write each as `name=value`"
LIBRARIES = ("torchvision", "timm")
LONGEST, DEEPEST, DIGITS = 2000, 16, 100
"""The most characters of a reference, levels of lists in its arguments, and digits of a number: more than arguments
need, and few enough for Python's parser with any settings."""


@dataclass(frozen=True)
class Reference:
    """A parsed reference: a library, module or file, a name in it, and the arguments of the factory with that name."""

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
        raise fault("E901", f"a reference may have at most {LONGEST:,} characters, but `{cut(text)}` has {len(text):,}")
    if (
        not colon
        or not (_dotted(origin) or origin.endswith(".py"))
        or not (_dotted(name) or _is_timm_name(origin, name))
    ):
        names = "`torchvision:NAME`, `timm:NAME`, `module.path:factory` or `FILE.py:factory`"
        help = f"write {names}, with arguments like `(classes=10)`"
        raise fault("E901", f"`{cut(text)}` is not a reference", hint=suggest(meant(text)), help=help)
    args, kwargs = _arguments(text, rest[len(name) :]) if bracket else ((), {})
    return Reference(origin, name, args, kwargs)


_LIBRARY = re.compile(r"(torchvision|timm)[\s./:]+(?:models[./:](?:\w+[./:])*)?")
_BY_NAME = re.compile(r"(?:create_model|get_model)\(\s*['\"]([\w.]+)['\"]\s*(?:,\s*)?")
_FILE = re.compile(r"(?:\./)?([\w./]+)\.py\s*:+\s*(?=\w)")


def meant(text: str) -> str:
    """The reference that a text means that is written as in Python or as a path; otherwise an empty text.

    >>> meant("torchvision.models.resnet18"), meant("mine.py:build(3)"), meant("nets.mine.Net"), meant("resnet18")
    ('torchvision:resnet18', 'mine:build(3)', 'nets.mine:Net', '')
    """
    head, bracket, rest = text.partition("(")
    if library := _LIBRARY.match(head):
        named = _BY_NAME.fullmatch(head[library.end() :] + bracket + rest.removesuffix(")")) if bracket else None
        written = f"{library[1]}:{named[1]}" if named else f"{library[1]}:{head[library.end() :]}{bracket}{rest}"
    elif file := _FILE.match(head):
        written = f"{file[1].replace('/', '.')}:{head[file.end() :]}{bracket}{rest}"
    elif ":" not in head and "/" not in head and "." in head:
        origin, _, name = head.rpartition(".")
        written = f"{origin}:{name}{bracket}{rest}" if name != "py" else ""
    else:
        return ""
    origin, _, name = written.partition("(")[0].partition(":")
    return (
        written if len(text) <= LONGEST and _dotted(origin) and (_dotted(name) or _is_timm_name(origin, name)) else ""
    )


def is_file(origin: str) -> bool:
    """Whether the origin of a reference is a file of Python that exists."""
    try:
        return origin.endswith(".py") and Path(origin).is_file()
    except (OSError, ValueError):
        return False


def _dotted(text: str) -> bool:
    return text.isascii() and all(part.isidentifier() for part in text.split("."))


def _is_timm_name(origin: str, name: str) -> bool:
    """A name in timm may have a tag, which need not be an identifier: ``resnet50.a1_in1k``."""
    return origin == "timm" and name.isascii() and name.replace(".", "").replace("-", "").isidentifier()


def _arguments(text: str, written: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    written = f"f{written}"
    if re.search(rf"[0-9_]{{{DIGITS + 1}}}", written):
        raise fault("E901", f"a number in the arguments of `{cut(text)}` has more than {DIGITS} digits")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = ast.parse(written, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise fault("E901", f"the arguments of `{cut(text)}` are not valid Python", help=AS_CALL) from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise fault("E901", f"the arguments of `{cut(text)}` are not a single call", help=AS_CALL)
    args = tuple([_literal(written, argument) for argument in call.args])
    kwargs: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise fault("E901", f"`{cut(text)}` unpacks arguments with `**`", help=AS_NAMED)
        if keyword.arg in kwargs:
            raise fault("E901", f"`{cut(text)}` passes `{cut(keyword.arg)}` twice")
        kwargs[keyword.arg] = _literal(written, keyword.value)
    return args, kwargs


def _literal(written: str, node: ast.expr) -> Any:
    shown = cut(ast.get_source_segment(written, node))
    if _deeper(node, DEEPEST):
        help = "write a function without arguments that makes the network, and name that"
        raise fault("E901", f"the argument `{shown}` is nested deeper than {DEEPEST} levels", help=help)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        help = "write a value such as `10`, `False` or `[1, 2]`; archspec does not evaluate expressions"
        raise fault("E901", f"the argument `{shown}` is not a literal", help=help) from None


def _deeper(node: ast.expr, levels: int) -> bool:
    """Whether lists, tuples, sets and dictionaries are nested deeper than this. It needs no recursion of its own."""
    layer: list[ast.AST] = [node]
    for _ in range(levels + 1):
        layer = [each for each in layer if isinstance(each, ast.List | ast.Tuple | ast.Set | ast.Dict)]
        if not layer:
            return False
        layer = [child for each in layer for child in ast.iter_child_nodes(each)]
    return True


def fault(code: str, message: str, *, hint: str = "", help: str = "") -> SpecError:
    """A fault of a reference."""
    return SpecError([Diagnostic(code, message, hint=hint, help=help)])
