"""Graph to source for people to read and edit: a class for each distinct block, and loops where the network repeats."""

from __future__ import annotations

import ast
import keyword
import re
from pathlib import Path

from archspec.emit.source.auxiliary import auxiliary, names_of_auxiliary
from archspec.emit.source.classes import Classes
from archspec.emit.source.code import laid_out
from archspec.emit.source.freezing import CONSTANT, constant
from archspec.emit.source.header import docstring, provenance
from archspec.graph.graph import Graph
from archspec.graph.patterns import patterns

IMPORTS = {
    "math": "import math",
    "OrderedDict": "from collections import OrderedDict",
    "Callable": "from collections.abc import Callable",
    "Self": "from typing import Self",
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
}
"""The names that a file may use, and the lines that import them, in order."""


def python_source(graph: Graph, *, command: str = "", width: int = 120) -> str:
    """The source of a network as a module of Python that imports only torch.

    Args:
        graph: the network.
        command: the command that wrote the file, for a comment at its top.
        width: the maximum length of a line.

    Raises:
        SpecError: E830, an operation that is not part of torch.

    >>> import archspec
    >>> python_source(archspec.compile("resnet18")).count("class ")
    2
    """
    helpers = names_of_auxiliary()
    classes = Classes(graph, patterns(graph), [*helpers, *IMPORTS, "Tensor", "nn", CONSTANT])
    texts = ["\n".join(classes.lines(each)) for each in classes.written]
    used = {node.id for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    copied = auxiliary(used & helpers, width)
    used |= {node.id for text in copied for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    top = "\n".join([docstring(graph, width), "", provenance(graph, command, width)])
    imports = _imports(used) if not graph.frozen else f"{_imports(used)}\n\n{constant(graph)}"
    body = "\n\n\n".join([f"{top}\n\n{imports}", *copied, *texts])
    return laid_out(f"{body}\n", width)


def _imports(used: set[str]) -> str:
    standard = [line for name, line in IMPORTS.items() if name in used and name not in ("torch", "F")]
    torch = [line for name, line in IMPORTS.items() if name in used and name in ("torch", "F")]
    parts = [*standard, "", *torch] if standard else torch
    return "\n".join([*parts, "from torch import Tensor, nn"])


def how_to_import(file: str) -> str:
    """How to import the network in a file of source: the last class in it.

    >>> import archspec
    >>> archspec.write("resnet18", "net.py").files
    ('net.py',)
    >>> how_to_import("net.py")
    '`from net import Resnet18` imports the network'
    """
    path = Path(file)
    folder = "" if path.parent == Path() else f"in the folder `{path.parent}`, "
    name = re.findall(r"^class (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)[-1]
    if path.stem.isidentifier() and not keyword.iskeyword(path.stem):
        return f"{folder}`from {path.stem} import {name}` imports the network"
    return f"to import the class `{name}`, give the file a name that Python can import, such as `{name.lower()}.py`"
