"""Warnings of networks that compile but are hardly ever meant: sizes that vanish early, heads without logits."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.diagnostics import Diagnostic, Faults, Label
from archspec.graph.environment import Environment
from archspec.graph.graph import Node
from archspec.language.silence import unless_meant
from archspec.language.spec import NONE, Setting, Spec
from archspec.operations.drop_path import DropPath
from archspec.operations.shapes import Shape, show_shape
from archspec.operations.traits import Dropping


def warn_of_sizes(spec: Spec, entered: Sequence[Shape], faults: Faults) -> None:
    """Warn of a stem that is too coarse, or else of stages that see a single position.

    Args:
        entered: the shapes that enter the stages, each before the steps in front of its blocks.
    """
    if not entered:
        return
    small, left = min(spec.input[1:]), min(entered[0][1:], default=1)
    if small <= 48 and left * 4 <= small:
        shrunk = f"{show_shape(spec.input)} to {show_shape(entered[0])}"
        help = "`stem: cifar` keeps the size of small images"
        own = spec.authors.wrote(spec.stem.span.source)
        place = spec.stem.span if own else spec.authors.of_input() or spec.stem.span
        message = f"the stem shrinks {shrunk} before the first block"
        labels = () if place == spec.stem.span else (Label(spec.stem.span, "the stem"),)
        faults.add(Diagnostic("W501", message, place, labels=labels, help=help))
        return
    late = [stage for stage, shape in zip(spec.stages, entered, strict=True) if max(shape[1:], default=1) == 1]
    if late and len(late) < len(spec.stages) and max(spec.input[1:]) > 1:
        number = late[0].number + 1
        which = f"stages {number} to {len(spec.stages)} have" if len(late) > 1 else f"stage {number} has"
        message = f"{which} a single position: a 3x3 convolution there reads mostly padding"
        help = unless_meant("W505", "use a larger input or smaller strides")
        place = spec.authors.of_input() or late[0].span
        faults.add(Diagnostic("W505", message, place, help=help))


def warn_of_layers(spec: Spec, nodes: Sequence[Node], head: Sequence[Node], faults: Faults) -> None:
    """Warn of layers without an activation between them, and of a stochastic depth that nothing has."""
    act, drop = spec.settings["act"].term, spec.settings["drop_path"].term
    asked = act.constant == NONE and spec.authors.wrote(act.span.source)
    if asked and sum(n.operation.weighted for n in nodes) > 1 and not any(n.operation.nonlinear for n in nodes):
        help = unless_meant("W509", "leave `act` out for ReLU")
        message = "the network has no activation function, so it is linear"
        faults.add(Diagnostic("W509", message, act.span, help=help))
        return
    by_name = {node.name: node for node in head}
    for node in head:
        before = by_name.get(node.inputs[0]) if node.operation.of_features and len(node.shape) == 1 else None
        while before and isinstance(before.operation, Dropping):
            before = by_name.get(before.inputs[0])
        if before and before.operation.of_features:
            message = f"`{before.name}` and `{node.name}` have no activation between them: one layer could do the same"
            help = unless_meant("W509", "write `- act` between them")
            faults.add(Diagnostic("W509", message, node.span or (spec.head or spec.stem).span, help=help))
    asked = isinstance(drop.constant, int | float) and drop.constant > 0 and spec.authors.own(drop.span.source)
    if asked and not any(isinstance(node.operation, DropPath) for node in nodes):
        message = "`drop_path` has no effect here, because no block has a shortcut"
        faults.add(Diagnostic("W301", message, drop.span, help="stochastic depth drops the residual beside a shortcut"))


def warn_of_head(spec: Spec, head: Sequence[Node], faults: Faults) -> None:
    """Warn of a head whose result is not one logit for each class.

    Args:
        head: the nodes of the head in order.
    """
    if not head or spec.outputs or spec.heads or not spec.head:
        return
    last, shape = head[-1], head[-1].shape
    logits = next((node for node in reversed(head) if node.operation.weighted), None)
    if logits is None:
        return
    span = last.span or spec.head.span
    if len(shape) > 1 and logits.shape[0] == spec.classes and (last is logits or max(shape[1:]) == 1):
        if max(shape[1:]) == 1 or logits.operation.of_features:
            message = f"the network returns {show_shape(shape)}, not {spec.classes} values"
            help = unless_meant("W506", "add a `flatten`, before `linear` or at the end")
            faults.add(Diagnostic("W506", message, span, help=help))
        return
    written = spec.document.places.get(("classes",))
    if len(shape) == 1 and shape[0] != spec.classes and written and spec.authors.own(written.value.source):
        message = f"`classes` is {spec.classes}, but the network returns {shape[0]} values"
        help = unless_meant("W506", "write `linear: {out: classes}` in the head")
        faults.add(Diagnostic("W506", message, written.value, help=help))
    if shape == (spec.classes,) and last.inputs == (logits.name,) and (what := last.operation.after_logits()):
        message = f"the network's last step, `{last.name}`, {what}"
        help = unless_meant("W507", "remove the step: a classifier ends with its last layer")
        faults.add(Diagnostic("W507", message, span, help=help))


def warn_of_omitted(faults: Faults, part: str, own: Setting, env: Environment) -> None:
    """Warn of a stem's last layer that sets a part which the first block has in its place."""
    if env.value(own.term) != NONE:
        message = f"this `{part}` has no effect: the stem's last layer leaves it to the first block"
        help = f"write it as a step of its own after the layer, such as `- {part}: {{type: ...}}`"
        faults.add(Diagnostic("W301", message, env.blame(own.term).span, help=help))
