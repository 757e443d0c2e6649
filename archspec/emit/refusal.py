"""The fault of a network that a target cannot express."""

from __future__ import annotations

from archspec.diagnostics import Diagnostic
from archspec.graph.graph import Node


def refusal(target: str, node: Node, reason: str, help: str = "") -> Diagnostic:
    """E830, at the line of the spec that asked for the node.

    Args:
        target: the format, as the message names it, such as ``ONNX``.
        node: the node.
        reason: why the target cannot express the node.
        help: what to do.

    >>> import archspec
    >>> print(refusal("ONNX", archspec.compile("resnet18").by_name["avgpool"], "the reason").message)
    ONNX cannot express `avgpool` (`pool`): the reason
    """
    message = f"{target} cannot express `{node.name}` (`{node.operation.name}`): {reason}"
    return Diagnostic("E830", message, node.span, help=help)
