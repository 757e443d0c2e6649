"""The ``reference`` that a spec names itself: only networks of two libraries, and only arguments that shape them.

A spec is not trusted. Its reference must not run code, reach the network, read a file, or fill the memory. So each
library has a table of the arguments that a spec may pass, and everything else is refused: an argument of a later
version too, until it has been reviewed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from archspec.diagnostics import Span, SpecError
from archspec.graph.graph import Graph
from archspec.verification.allowed import refused_reference
from archspec.verification.reference import make

MAX_ELEMENTS = 1_000_000_000
"""The most elements of all tensors that are made for a reference: 4 GB. The largest network of the zoo has 0.65."""

MAX_TENSORS = 100_000


def named_reference(graph: Graph) -> tuple[str, Span]:
    """What a graph's spec names as its reference, and where. Raises ValueError if it names none."""
    text = graph.origin.document.value.get("reference") if graph.origin else None
    if graph.origin is None or not isinstance(text, str):
        raise ValueError(f"there is nothing to compare `{graph.name}` with: it names no reference")
    return text, graph.origin.document.span(("reference",))


def own_reference(text: str, place: Span, seed: int = 0) -> tuple[nn.Module, str]:
    """Make the network that a spec names as its ``reference``, at ``place``; see :func:`make`.

    Raises:
        SpecError: E901 to E905, at ``place``.
        EnvironmentFault: E809, the library is not installed.
    """
    try:
        if found := refused_reference(text):
            raise SpecError(found)
        with _Bounded():
            return make(text, seed)
    except SpecError as error:
        raise SpecError([replace(fault, span=place) for fault in error.diagnostics]) from None


class _Bounded(TorchDispatchMode):
    """Refuses to make more tensors than any network needs, before they have storage."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own has no annotations
        self.elements = self.tensors = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = _made(args)
        if made is not None:
            self.elements += made
            self.tensors += 1
            if self.elements > MAX_ELEMENTS or self.tensors > MAX_TENSORS:
                raise ValueError(f"its tensors have more than {MAX_ELEMENTS:,} elements, or there are too many tensors")
        return func(*args, **(kwargs or {}))


def _made(args: tuple[Any, ...]) -> int | None:
    """How many elements a call makes: of a size or a range, or by broadcasting its inputs to more than each has.

    None means that the result of a call is at most as large as an input.
    """
    size = args[0] if args else None
    if isinstance(size, list | tuple) and all(isinstance(each, int) for each in size):
        return abs(math.prod(size))
    if isinstance(size, int | float):
        return int(min(max(abs(each) for each in args if isinstance(each, int | float)), 2 * MAX_ELEMENTS))
    given = [each for each in args if isinstance(each, Tensor)]
    if len(given) < 2:
        return None
    try:
        result = math.prod(torch.broadcast_shapes(*[each.shape for each in given]))
    except RuntimeError:  # a call that does not broadcast
        return None
    return result if result > max(each.numel() for each in given) else None
