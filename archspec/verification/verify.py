"""Comparing a compiled network with a reference at three levels: keys, graph, outputs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from torch import fx, nn

from archspec.diagnostics import Diagnostic, Mention, Span, SpecError, cut, in_one_line
from archspec.emit.fx import emit
from archspec.graph.graph import Graph
from archspec.tracing.foreign import foreign, raised_in
from archspec.verification.graphs import compare_graphs
from archspec.verification.keys import Unusable, compare_keys, with_crossed
from archspec.verification.outputs import compare_outputs
from archspec.verification.own_reference import own_reference
from archspec.verification.reference import file_of, make, search_path
from archspec.verification.results import FACTOR, Outputs
from archspec.verification.verdict import LEVELS, Graphs, Keys, Level, Verdict

KEYS = Mention("levels", '`levels=["keys"]`', "keys")
OUTPUTS = Mention("levels", '`levels=["outputs"]`', "outputs")
TOLERANCE = Mention("tolerance", "`tolerance=X`")
KEY_MAP = Mention("key_map", "`key_map` of the verdict has")
MAP = Mention("map", "`archspec.build(map=...)`")


def verify(
    graph: Graph,
    against: str | nn.Module | Callable[[], Any],
    *,
    place: Span | None = None,
    batch: int = 2,
    seed: int = 0,
    tolerance: float = 0.0,
    levels: Collection[Level] = LEVELS,
    step: Callable[[str], None] = lambda text: None,
) -> Verdict:
    """Compare a compiled network with a reference; see :func:`archspec.verify`.

    ``place`` is given if the spec names the reference. Then only networks of the libraries are allowed.
    """
    how: dict[str, Any] = {"batch": batch, "seed": seed, "tolerance": tolerance, "levels": levels, "step": step}
    step("making the reference")
    with search_path(against, graph.files):  # libraries import parts of themselves only when they are used
        reference, name = make(against, seed) if place is None else own_reference(str(against), place, seed)
        if isinstance(against, nn.Module):
            reference = _copied(reference, name)
        with foreign(partial(_unusable, name, place), passing=(SpecError,)):
            return _compared(graph, reference, name, **how)


def _unusable(name: str, place: Span | None, error: BaseException) -> SpecError:
    """E910, with what the reference raises outside of its ``forward``."""
    if isinstance(error, Unusable):
        return SpecError([Diagnostic("E910", f"`{cut(name)}` cannot be compared: {error}", place, help=error.help)])
    where = raised_in(error)
    help = f"{where and f'{where}; '}the methods of a reference must work as those of `torch.nn.Module` do"
    return SpecError([Diagnostic("E910", f"`{cut(name)}` cannot be compared: {in_one_line(error)}", place, help=help)])


def _compared(
    graph: Graph,
    reference: nn.Module,
    name: str,
    *,
    batch: int,
    seed: int,
    tolerance: float,
    levels: Collection[Level],
    step: Callable[[str], None],
) -> Verdict:
    step("comparing keys")
    reference.train()
    keys = compare_keys(graph, reference)
    ours = emit(graph if _freezes(reference) else replace(graph, frozen=frozenset()), flat=True)
    step("tracing and matching the graphs")
    graphs, pairs, random = compare_graphs(graph, ours, reference, max(batch, 2), file_of(name))
    if graphs.held or (graphs.by_order and graphs.untraceable):
        keys = with_crossed(keys, pairs)
    elif keys.same:
        pairs, graphs = {key: key for key in ours.state_dict()}, replace(graphs, by_order=False)
    outputs = None
    if "outputs" in levels:
        step("comparing outputs")
        shape = (batch, *graph.input)
        certain = graphs.difference is None or not graphs.by_order
        how: dict[str, Any] = {"seed": seed, "tolerance": tolerance, "random": random, "certain": certain}
        outputs = compare_outputs(ours, reference, pairs, shape, **how)
    if graphs.difference is not None and graphs.by_order and not (outputs and outputs.held):
        pairs, graphs, outputs = {}, replace(graphs, by_order=False), outputs and _unproved(outputs)
    return Verdict(
        spec=graph.name,
        hash=graph.fingerprint,
        reference=name,
        keys=keys,
        graph=graphs,
        outputs=outputs,
        key_map=pairs,
        input=graph.input,
        batch=batch,
        seed=seed,
        tolerance=tolerance,
        diagnostics=tuple(_diagnostics(keys, graphs, outputs, pairs, levels)),
    )


def _freezes(reference: nn.Module) -> bool:
    """Whether a part of a network in training stays in eval mode or needs no gradient.

    Otherwise the network says nothing of what does not train, and what the spec freezes is not compared.
    """
    parts, parameters = reference.modules(), reference.parameters()
    return not all(part.training for part in parts) or not all(each.requires_grad for each in parameters)


def _unproved(outputs: Outputs) -> Outputs:
    """Outputs that differ where weights were paired by order and graphs differ: the pairs may be wrong."""
    apart = [f"they differ by {gap.relative:.3g} of the largest value {name}" for name, gap in outputs.failing.items()]
    told = outputs.reason or apart[0]
    reason = f"the graphs differ, so no pairs of weights are certain; with pairs in the order of execution, {told}"
    return Outputs(False, reason=reason, paired=False, tolerance=outputs.tolerance)


def _copied(module: nn.Module, name: str) -> nn.Module:
    """A copy, because verification changes the mode, the weights and the statistics."""
    help = "pass a function that makes the network instead of the network"

    def refuse(error: BaseException) -> SpecError:
        return SpecError([Diagnostic("E904", f"`{name}` cannot be copied: {in_one_line(error)}", help=help)])

    with foreign(refuse):
        copied: Any = copy.deepcopy(module)
        _copy_hooks(module, copied)
    if not isinstance(copied, nn.Module):
        raise refuse(TypeError(f"its copy is {cut(type(copied).__name__)}, not a torch.nn.Module"))
    return copied


HOOKS = (
    *("_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called"),
    *("_forward_pre_hooks", "_forward_pre_hooks_with_kwargs", "_backward_hooks", "_backward_pre_hooks"),
)


def _copy_hooks(module: nn.Module, copied: nn.Module) -> None:
    """Give the graph modules of a copy the hooks that ``torch.fx`` leaves out when it copies them."""
    for part, twin in zip(module.modules(), copied.modules(), strict=False):
        if isinstance(twin, fx.GraphModule):
            for kind in HOOKS:
                getattr(twin, kind).update(getattr(part, kind))


def _diagnostics(
    keys: Keys, graphs: Graphs, outputs: Outputs | None, pairs: Mapping[str, str], levels: Collection[Level]
) -> Iterator[Diagnostic]:
    """A diagnostic for each level that does not hold.

    If the outputs could not be compared because the graphs differ, the graph's diagnostic has a note, and that is all.
    """
    if not keys.held:
        help = f"{KEY_MAP.text} the pairs of keys, with which {MAP.text} loads the reference's weights"
        message = f"the keys differ from the reference's: {keys.difference}"
        yield Diagnostic("E908", message, help=help if pairs and not keys.same else "", mentions=(KEY_MAP, MAP))
    found = graphs.difference or (_untraced(graphs, pairs) if graphs.untraceable else None)
    implied = found is not None and outputs is not None and not outputs.paired and "graph" in levels
    if found is not None:
        notes = ["therefore the outputs are not compared"] if implied else []
        if outputs is not None and graphs.difference is not None and not outputs.reason:
            how = "in the order of execution" if graphs.by_order else "by their keys"
            notes.append(
                f"the weights are paired {how}, and the outputs are {'equal' if outputs.held else 'different'}"
            )
        yield replace(found, notes=(*found.notes, *notes))
    if outputs is not None and not outputs.held and not implied:
        cause = (found.message,) if found is not None and not outputs.paired else ()
        yield _apart(outputs, cause)


def _untraced(graphs: Graphs, pairs: Mapping[str, str]) -> Diagnostic:
    """E907, with the levels that can still be compared."""
    help = f"{KEYS.text} compares only the state dicts"
    if pairs and graphs.runs:
        how = "in the order of execution" if graphs.by_order else "by their keys"
        help = f"the weights are paired {how}, so {OUTPUTS.text} can compare what both compute; {help}"
    return Diagnostic("E907", graphs.untraceable, help=help, mentions=(KEYS, OUTPUTS))


def _apart(outputs: Outputs, cause: tuple[str, ...]) -> Diagnostic:
    """E909, with the largest difference of everything that was compared, or with the reason why nothing was."""
    if outputs.reason:
        return Diagnostic("E909", outputs.difference, notes=cause)
    notes = [f"{name}: {gap if gap.largest else 'no difference'}" for name, gap in outputs.gaps.items()]
    if outputs.rounding:
        notes.append(f"{outputs.rounding}; {FACTOR} times the rounding is allowed")
    if outputs.narrow:
        notes.append(f"the reference is not compared in float64: {outputs.narrow}")
    help = f"{TOLERANCE.text} allows differences up to X times the reference's largest value; indices count from 0"
    return Diagnostic("E909", outputs.difference, notes=tuple(notes), help=help, mentions=(TOLERANCE,))
