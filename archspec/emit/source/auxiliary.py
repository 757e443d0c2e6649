"""Modules and functions that torch lacks, copied from files of :mod:`archspec.emit` into files that import only torch.

The text of those files is parsed and not imported, because they import torch.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_FILES = tuple(Path(__file__).parent.parent / name for name in ("modules.py", "padded.py", "norms.py"))


def auxiliary(names: Iterable[str], width: int = 120) -> list[str]:
    """The definitions of these names and of the names that they use, in the order of the files, with short docstrings.

    Args:
        names: classes and functions of those files.
        width: the maximum length of a line of a docstring.

    >>> [text.splitlines()[0] for text in auxiliary(["DropPath"])]
    ['class DropPath(nn.Module):']
    """
    known = _definitions()
    found: set[str] = set()
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.add(name)
            wanted += [each for each in known if re.search(rf"\b{each}\b", known[name])]
    return [_summarized(text, width) for name, text in known.items() if name in found]


def names_of_auxiliary() -> frozenset[str]:
    """The names of all definitions that can be copied."""
    return frozenset(_definitions())


@cache
def _definitions() -> dict[str, str]:
    """The text of every class and function by its name."""
    found = {}
    for file in _FILES:
        source = file.read_text(encoding="utf-8")
        lines = source.splitlines()
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found[node.name] = "\n".join(lines[node.lineno - 1 : _end(node)])
    return found


def _end(node: ast.ClassDef | ast.FunctionDef) -> int | None:
    """The last line of a definition, without what only its ``repr`` needs, which is written last."""
    last = node.body[-1]
    if isinstance(last, ast.FunctionDef) and last.name == "extra_repr":
        return node.body[-2].end_lineno
    return node.end_lineno


def _summarized(text: str, width: int) -> str:
    """A definition whose docstring is only the first sentence."""
    (definition,) = ast.parse(text).body
    assert isinstance(definition, ast.ClassDef | ast.FunctionDef)
    first = definition.body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return text
    summary = textwrap.wrap(str(first.value.value).strip().split("\n")[0], width - len('    """"""'))
    shown = [f'    """{summary[0]}', *[f"    {each}" for each in summary[1:]]]
    if len(shown) == 1:
        shown[0] += '"""'
    else:
        shown.append('    """')
    lines = text.split("\n")
    return "\n".join([*lines[: first.lineno - 1], *shown, *lines[first.end_lineno or 0 :]])
