"""The functions that low-level source is made of, read as text: nothing here imports torch."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

PARTS = files("archspec.emit") / "lowlevel_parts"


@dataclass(frozen=True)
class Snippet:
    """A function of a file: its text, the names of its parameters, and their defaults where they have constants."""

    name: str
    text: str
    parameters: tuple[str, ...]
    defaults: Mapping[str, object]


@cache
def snippets(operation: str) -> Mapping[str, Snippet]:
    """The functions in the file of an operation, by name; no functions if the file does not exist.

    >>> snippets("conv")["new_conv"].parameters
    ('p', 'name', 'in_channels', 'out_channels', 'kernel_size', 'groups', 'bias')
    """
    return {node.name: _snippet(node, source) for node, source in _functions(operation)}


@cache
def targets(operation: str) -> Mapping[str, str]:
    """The function that computes each torch module of an operation: one in its file, or one of torch."""
    tree = _tree(operation)
    for node in tree.body if tree else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TARGETS":
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    return {}


def function_of(operation: str, target: str, given: Iterable[str] = ()) -> str | None:
    """The function that computes a module of torch, with the rank of the module, or None.

    ``given`` are the names of the module's arguments: there may be a function for modules with one of them.

    >>> function_of("pool", "torch.nn.MaxPool3d"), function_of("conv", "torch.nn.Conv1d"), function_of("conv", "x")
    ('F.max_pool3d', 'conv', None)
    """
    known = targets(operation)
    if target in known and not any(f"{target} {name}" in known for name in given):
        return known[target]
    flat = re.sub(r"[13]d$", "2d", target)
    own = next((known[f"{flat} {name}"] for name in given if f"{flat} {name}" in known), None)
    found = own or known.get(flat)
    return found and re.sub("2d$", target[-2:], found)


def of_rank(text: str, rank: int, drawn: Mapping[str, str]) -> str:
    """A text for values with ``rank`` sizes, with the initializers that a spec chose in place of ``draw_conv``."""
    text = re.sub(r"\b(F\.\w+_?)2d\b", rf"\g<1>{rank}d", re.sub(r"\bRANK\b", str(rank), text))
    return re.sub(r"\bdraw_\w+", lambda match: drawn[match[0]], text)


def wrapped(text: str, width: int) -> str:
    """A function whose docstring has lines of at most ``width`` columns."""
    lines = text.split("\n")
    if max(map(len, lines)) <= width:
        return text
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    first = function.body[0]
    told = [" ".join(each.split()) for each in (ast.get_docstring(function) or "").split("\n\n")]
    paragraphs = [textwrap.wrap(each, width - 10, break_long_words=False, break_on_hyphens=False) for each in told]
    shown = [line for paragraph in paragraphs for line in ["", *paragraph]][1:]
    shown = [f'"""{shown[0]}', *shown[1:], '"""'] if len(shown) > 1 else [f'"""{shown[0]}"""']
    indented = [f"    {line}" if line else "" for line in shown]
    return "\n".join([*lines[: first.lineno - 1], *indented, *lines[first.end_lineno or 0 :]])


def closure(wanted: Iterable[str], texts: Mapping[str, str]) -> list[str]:
    """The wanted ``texts`` and those that they use, in the order of ``texts``."""
    found: set[str] = set()
    left = list(wanted)
    while left:
        name = left.pop()
        if name in texts and name not in found:
            found.add(name)
            left += re.findall(r"\w+", texts[name])
    return [text for name, text in texts.items() if name in found]


def _functions(operation: str) -> list[tuple[ast.FunctionDef, str]]:
    tree = _tree(operation)
    source = _read(operation)
    return [(node, source) for node in (tree.body if tree else ()) if isinstance(node, ast.FunctionDef)]


def _snippet(node: ast.FunctionDef, source: str) -> Snippet:
    names = [each.arg for each in node.args.args]
    values = dict(zip(reversed(names), map(ast.literal_eval, reversed(node.args.defaults)), strict=False))
    text = "\n".join(source.split("\n")[node.lineno - 1 : node.end_lineno])
    return Snippet(node.name, text, tuple(names), values)


@cache
def _tree(operation: str) -> ast.Module | None:
    source = _read(operation)
    return ast.parse(source) if source else None


@cache
def _read(operation: str) -> str:
    path = PARTS / f"{operation}.py"
    return path.read_text(encoding="utf-8") if operation.isidentifier() and path.is_file() else ""
