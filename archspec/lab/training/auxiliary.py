"""Auxiliary losses: those of the values that a model returns besides its main output, in training mode."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from archspec.diagnostics import Diagnostic, Mention, Span, SpecError, cut, did_you_mean
from archspec.emit.two_modes import TwoModeNetwork
from archspec.graph.graph import Graph
from archspec.lab.training.settings import AuxiliaryWeights
from archspec.language.text.yaml_writer import flow
from archspec.wording import in_code

NOWHERE: Mapping[str, Span] = MappingProxyType({})

Form = Literal["auxiliary", "trainer"]
"""The argument that gives the weights: of the settings of a training, or of an experiment."""

USUAL = 0.3
"""The weight that a help suggests: that of GoogLeNet (Szegedy et al. 2014, section 5)."""


class Objective:
    """The loss of a step: the cross-entropy of the main output, plus each auxiliary one times its weight."""

    def __init__(self, model: nn.Module, auxiliary: AuxiliaryWeights) -> None:
        self.auxiliary = auxiliary
        self.modes = model.returned if isinstance(model, TwoModeNetwork) else {}
        if self.modes:
            weights_of([name for name, only in self.modes.items() if only], auxiliary)

    def __call__(self, returned: Any, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The main output of a batch, and the loss.

        Raises:
            SpecError: E869, a value that the model returns has no weight.
        """
        if isinstance(returned, Tensor):
            return returned, functional.cross_entropy(returned, labels)
        named = _named(returned, [*self.modes])
        main = next((name for name in named if not self.modes.get(name)), "")
        others = [name for name in named if name != main and self.modes.get(name, True)]
        weights = weights_of(others, self.auxiliary)
        loss = functional.cross_entropy(named[main], labels)
        for name in others:
            loss = loss + weights[name] * functional.cross_entropy(named[name], labels)
        return named[main], loss


def main_output(returned: Any) -> Tensor:
    """The main output of a model in eval mode: what it returns, or the first of several values."""
    if isinstance(returned, Tensor):
        return returned
    found: Tensor = next(iter(_named(returned, []).values()))
    return found


def _named(returned: Any, names: Sequence[str]) -> dict[str, Tensor]:
    """Several values by name: the key of a dict, the field of a named tuple, or else the position."""
    if isinstance(returned, Mapping):
        return dict(returned)
    names = names or getattr(returned, "_fields", None) or [str(place) for place in range(len(returned))]
    return dict(zip(names, returned, strict=True))


def refuse_auxiliary(graph: Graph, auxiliary: AuxiliaryWeights, form: Form = "auxiliary") -> None:
    """Refuse weights of auxiliary losses that do not fit a network: each loss needs one.

    Raises:
        SpecError: E869, a loss has no weight, or a weight no loss.
    """
    names = [label for label in graph.outputs if label in graph.training]
    spans = {each.label: each.span for each in graph.origin.outputs} if graph.origin else {}
    weights_of(names, auxiliary, spans, form)


def weights_of(
    names: Sequence[str], auxiliary: AuxiliaryWeights, spans: Mapping[str, Span] = NOWHERE, form: Form = "auxiliary"
) -> dict[str, float]:
    """The weight of each auxiliary loss.

    Args:
        names: the values that have such a loss.
        auxiliary: the weight of all, or each one's by name.
        spans: where the spec says that they are returned.
        form: how the weights are given.

    Raises:
        SpecError: E869, a loss has no weight, or a weight no loss.

    >>> weights_of(["aux2", "aux1"], 0.3)
    {'aux2': 0.3, 'aux1': 0.3}
    """
    if auxiliary is not None and not isinstance(auxiliary, Mapping):
        return dict.fromkeys(names, auxiliary)
    given = auxiliary or {}
    for name in given:
        if name not in names:
            raise SpecError([_stranger(name, names)])
    missing = [name for name in names if name not in given]
    if missing:
        raise SpecError([_missing(missing, {**dict.fromkeys(names, USUAL), **given}, bool(given), spans, form)])
    return dict(given)


def _stranger(name: str, names: Sequence[str]) -> Diagnostic:
    message = f"a weight is set for the auxiliary loss of `{cut(name)}`, which the network does not return in training"
    known = f"it returns {in_code(names)}" if names else "leave out the weight"
    return Diagnostic("E869", message, help=did_you_mean(name, names) or known)


def _missing(
    missing: Sequence[str], whole: Mapping[str, float], some: bool, spans: Mapping[str, Span], form: Form
) -> Diagnostic:
    shown, several = in_code(missing), len(missing) > 1
    message = f"the network returns {'values' if several else 'a value'} in training only whose "
    message += f"{'losses have' if several else 'loss has'} no weight: {shown}"
    value: Any = dict(whole) if some else USUAL
    mention = Mention("auxiliary", f"`Settings(auxiliary={value})`", shlex.quote(flow(value)))
    if form == "trainer":
        word = shlex.quote(f"auxiliary={flow(value)}")
        mention = Mention("trainer", f"`trainer={{'auxiliary': {value}}}`", word)
    as_shown = f"set {'each' if some else 'one'}, as {mention.text} does"
    help = f"{as_shown}; training adds this times the loss to that of the main output"
    return Diagnostic("E869", message, spans.get(missing[0]), help=help, mentions=(mention,))
