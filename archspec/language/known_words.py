"""Arguments that are one of a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.diagnostics import cut
from archspec.language.context import Context
from archspec.language.spec import NONE, Term
from archspec.language.torch_layers import refused_layer
from archspec.operations.base import Operation, arguments
from archspec.operations.torch_module import TorchModule


def check_argument(operation: type[Operation], key: str, term: Term, body: Mapping[str, Any], context: Context) -> None:
    """Record that an argument of an operation is not one of the words it takes; ``body`` is the step's mapping."""
    words = arguments(operation)[key].metadata["words"]
    if operation is TorchModule:
        if _is_unknown(term, words, context):
            context.faults.add(refused_layer(str(term.constant), body, term.span, context.faults))
        return
    place = "pool types" if operation.name == "pool" else operation.name
    none = (NONE,) if operation.setting and key == "type" else ()
    check_word(key, (*words, *none), term, place, context)


def check_word(key: str, words: tuple[str, ...], term: Term, place: str, context: Context) -> None:
    """Record that a value is not one of these words; ``place`` is that of the vocabulary."""
    if _is_unknown(term, words, context):
        names = sorted(context.names) if context.faults.few else ()
        found = context.faults.advise(str(term.constant), (*words, *names), place)
        shown = ", ".join(f"`{word}`" for word in words)
        message = f"`{key}` must be one of {shown}, not `{cut(term.constant)}`"
        context.faults.record("E204", message, term.span, found.hint, help=found.help)


def _is_unknown(term: Term, words: tuple[str, ...], context: Context) -> bool:
    word = term.constant
    return isinstance(word, str) and word not in words and word not in context.names
