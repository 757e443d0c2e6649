"""The networks of an experiment: each is a spec with some keys set, trained in some way, once for each seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from archspec.analysis.parts import measure_totals
from archspec.diagnostics import Diagnostic, Source, SpecError, cut
from archspec.graph.graph import Graph
from archspec.lab.cells import Cell
from archspec.lab.data import Data
from archspec.lab.experiments.inquiry import Inquiry
from archspec.lab.results.results import LabNetwork
from archspec.lab.training import Settings, for_data
from archspec.lab.training.auxiliary import refuse_auxiliary
from archspec.language.spec import Spec
from archspec.language.standalone import standalone
from archspec.language.text.yaml_writer import write
from archspec.passes.compiling import SpecLike
from archspec.wording import Brief

T = TypeVar("T")

NARROW = ("stages.channels=[8,16,32]", "stem={use: cifar, width: 8}")
"""What makes the networks of He et al. 2015, section 4.2, small enough for minutes on a laptop."""

BASE = "resnet56_cifar"

LEFT_OUT = ("expect", "reference", "summary", "paper")
"""Keys that say what is true of another network once keys are set."""


@dataclass(frozen=True, slots=True, repr=False)
class Variant(Brief):
    """One network: its label, its graph for the data, its spec as one text, and how it is trained.

    ``keys`` are the values that make it differ from the others, as words.
    """

    label: str
    graph: Graph
    text: str
    settings: Settings
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> int:
        """Its convolution and linear layers on the longest way."""
        return self.described().layers

    def described(self) -> LabNetwork:
        """The network for the results."""
        totals = measure_totals(self.graph)
        size = (totals.costs.params, totals.costs.macs, totals.layers)
        return LabNetwork(self.label, self.text, *size, self.graph.fingerprint)


def variant(
    inquiry: Inquiry,
    data: Data,
    label: str,
    overrides: Iterable[str | Source],
    *,
    keys: Mapping[str, str] | None = None,
    **settings: Any,
) -> Variant:
    """The variant of the inquiry's spec with these overrides, and these settings of the training.

    Raises:
        SpecError: the spec is refused, with a note that names the variant.
    """
    given: SpecLike = BASE if inquiry.spec is None else inquiry.spec
    if isinstance(given, Graph):
        given = origin(given)
    if isinstance(given, Spec):  # overrides need a text
        given = Source(given.name, resolved(given))
    own = NARROW if inquiry.spec is None else ()
    how: dict[str, Any] = {"allow_outside": inquiry.allow_outside, "limits": inquiry.limits}
    every = [*own, *inquiry.overrides, *overrides]
    graph = named(label, lambda: for_data(given, data, overrides=every, **how))
    return Variant(label, graph, resolved(origin(graph)), inquiry.settings(**settings), keys or {})


def refuse_without_blocks(graph: Graph) -> None:
    """Refuse a network without blocks, for an experiment that looks at each of them.

    Raises:
        SpecError: E873, it has none.
    """
    if not any(region.kind == "block" for region in graph.regions):
        message = f"`{cut(graph.name)}` has no blocks to look at"
        help = "write the network with stages of blocks"
        raise SpecError([Diagnostic("E873", message, graph.written_at("stages"), help=help)])


def origin(graph: Graph) -> Spec:
    """The spec of a graph.

    Raises:
        ValueError: it has none, because a pass or a file of JSON made it.
    """
    if graph.origin is None:
        raise ValueError("`spec` is a graph without a spec, whose keys cannot be set")
    return graph.origin


def named(label: str, work: Callable[[], T]) -> T:
    """What ``work`` gives. The diagnostics of a spec that is refused name the network, if it has a label."""
    try:
        return work()
    except SpecError as error:
        note = [f"in the network `{cut(label)}` of the experiment"] if label else []
        faults = [dataclasses.replace(each, notes=(*each.notes, *note)) for each in error.diagnostics]
        raise SpecError(faults) from None


def resolved(spec: Spec) -> str:
    """A spec as one text that needs no other file, without what it expects.

    Raises:
        SpecError: E892, imported definitions cannot be written into it.
    """
    value = {key: item for key, item in standalone(spec).value.items() if key not in LEFT_OUT}
    if "import" in value:
        message = f"`{cut(spec.name)}` imports definitions whose names are taken, so it cannot be sent as one text"
        help = "give the imported definitions other names"
        raise SpecError([Diagnostic("E892", message, spec.document.span(("import",)), help=help)])
    return write(value).text


def cells_of(variants: Iterable[Variant], data: Data, inquiry: Inquiry, work: str, **more: Any) -> list[Cell]:
    """A cell for each variant and seed: all seeds of the first variant, then those of the next.

    Raises:
        SpecError: E869, a network that is trained has auxiliary losses that its settings do not weigh, or not these.
    """
    variants = tuple(variants)
    for each in () if more.get("weights") else variants:
        named(each.label, partial(refuse_auxiliary, each.graph, each.settings.auxiliary, "trainer"))
    sized = {} if inquiry.size is None else {"size": inquiry.size}
    places = {"source": data.source}
    return [
        Cell(work, {**_inputs(each, data), **sized, "seed": seed, **more}, places=places)
        for each in variants
        for seed in range(inquiry.seeds)
    ]


def _inputs(variant: Variant, data: Data) -> dict[str, Any]:
    """What a cell needs to know of a variant and of the data."""
    return {
        "spec": variant.text,
        "data": data.name,
        "fingerprint": data.fingerprint,
        "settings": variant.settings.as_data(),
    }
