"""The source of a spec, for Python and for notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec import arguments
from archspec.door import door
from archspec.emit.targets import by_name
from archspec.language.overrides import Overrides
from archspec.passes.compiling import SpecLike, compile
from archspec.work import Limits

LEVELS: Mapping[str, str] = {"readable": "python", "lowlevel": "lowlevel"}
"""The targets that write source, by level."""


@door
def source(
    spec: SpecLike,
    level: str = "readable",
    *,
    width: int = 120,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> str:
    """The network as Python source to read and change. The source imports only torch; this function does not import it.

    The level ``readable`` has the keys, results and initial weights of :func:`archspec.build`, bit for bit.
    ``ruff check`` and ``ruff format`` leave it as it is. :func:`archspec.write` writes it as a file.

    Args:
        spec: a spec, a compiled graph, or what :func:`archspec.load` takes.
        level: ``readable`` has one class for each distinct block; ``lowlevel`` is for study, with only tensors and
            functions, and the parameters in a dict.
        width: the maximum length of a line, from 60 to 200; ruff's own default is 88.
        overrides: values to set in the spec, as in :func:`archspec.load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.

    Raises:
        SpecError: the spec is refused, or E830: the source cannot express an operation.
        TypeError, ValueError: a value that an argument does not take.

    >>> import archspec
    >>> text = archspec.source("resnet50")
    >>> [line for line in text.splitlines() if line.startswith(("import", "from", "class"))]
    ['import torch', 'from torch import Tensor, nn', 'class Bottleneck(nn.Module):', 'class Resnet50(nn.Module):']
    """
    arguments.word(level, "level", tuple(LEVELS))
    arguments.whole(width, "width", 60, 200)
    graph = compile(spec, overrides=overrides, allow_outside=allow_outside, limits=limits)
    write: Any = by_name()[LEVELS[level]].load()
    return str(write(graph, width=width))
