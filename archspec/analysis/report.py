"""Everything that is known of a network without running it, as frozen data with units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from archspec import arguments
from archspec.analysis.indexed import IndexedGraph, index_graph
from archspec.analysis.memory import ITEM_BYTES, Memory, measure_memory
from archspec.analysis.numbers import shown
from archspec.analysis.parts import Costs, Part, Parts, Totals, sum_up
from archspec.analysis.paths import Paths, count_paths_to
from archspec.analysis.receptive_field import ReceptiveField, receptive_fields
from archspec.analysis.text import report_text, titled
from archspec.diagnostics import Diagnostic, Source
from archspec.display import counted, html_table, plain
from archspec.door import door
from archspec.graph.frozen import with_frozen
from archspec.graph.graph import Graph
from archspec.language.overrides import Overrides
from archspec.operations.base import Operation
from archspec.operations.shapes import Shape, show_shape
from archspec.passes.compiling import SpecLike, compile
from archspec.passes.in_eval_mode import in_eval_mode
from archspec.screen import as_text
from archspec.wording import tagged
from archspec.work import Limits

if TYPE_CHECKING:
    import torch

CONVENTION = (
    "MACs of convolution and linear layers, one multiply-add as one, without biases; FLOPs are twice the MACs; "
    "for one example"
)
"""How MACs and FLOPs are counted; every report says so."""

BYTES = {"inference_peak": "inference_peak_bytes", "saved_for_backward": "saved_for_backward_bytes"}
"""The names of costs in data, if they differ from those in a report."""

FROZEN = "a scope such as 'layer1', or a list of scopes"


@dataclass(frozen=True, slots=True)
class Report:
    """The analysis of one network.

    ``outputs`` are the shapes that it returns, by label, the main output first: that which is the first in eval mode.
    ``paths`` and ``receptive_field`` are of the main output; ``paths_by_output`` and ``receptive_field_by_output`` have
    those of each. ``unavailable`` names, for each cost that is None, the operations that have no rule for it.
    ``file`` is the spec's file, as the caller named it; specs in several files may have one name.

    >>> import archspec
    >>> [(part.name, part.output, part.costs.params) for part in archspec.analyze("resnet50").stages][0]
    ('layer1', (256, 56, 56), 215808)
    """

    name: str
    input: Shape
    outputs: Mapping[str, Shape]
    totals: Totals
    memory: Memory
    receptive_field: ReceptiveField | None
    paths: Paths
    paths_by_output: Mapping[str, Paths]
    receptive_field_by_output: Mapping[str, ReceptiveField | None]
    unavailable: Mapping[str, tuple[str, ...]]
    warnings: tuple[Diagnostic, ...] = field(repr=False)
    parts: Parts = field(repr=False)
    convention: str = CONVENTION
    file: str = ""

    @property
    def output(self) -> Shape:
        """The shape of the main output."""
        return next(iter(self.outputs.values()))

    @property
    def stages(self) -> tuple[Part, ...]:
        """The stages in order, without the parts around them."""
        return self.parts.stages()

    @property
    def blocks(self) -> tuple[Part, ...]:
        """The blocks in order."""
        return self.parts.blocks()

    @property
    def nodes(self) -> tuple[Part, ...]:
        """Every operation in order."""
        return self.parts.nodes()

    @property
    def rows(self) -> tuple[Part, ...]:
        """The stages in order, with the parts around them: ``stem``, ``between`` and ``head``."""
        return self.parts.rows()

    def as_data(self) -> dict[str, Any]:
        """Everything but the blocks and nodes as plain data, for JSON; lengths of paths begin at 0."""
        totals = self.totals
        found: dict[str, Any] = {
            **plain(self, "name", "file", "input", "output", "convention"),
            "totals": {
                **totals.costs.as_data(),
                **plain(totals, "activations_without_global_pools", "layers", "nodes", "params_by_operation"),
                "params_in_training_only": totals.params_in_training_only,
                "flops_per_byte": totals.intensity,
            },
            "memory": self.memory.as_data(),
            "receptive_field": _field_data(self.receptive_field),
            "paths": self.paths.as_data(),
            "stages": [stage.as_data() for stage in self.stages],
            "outside": [row.as_data() for row in self.rows if not row.count],
            "unavailable": {BYTES.get(cost, cost): list(names) for cost, names in self.unavailable.items()},
        }
        if len(self.outputs) > 1:
            found["outputs"] = {
                label: {
                    "shape": list(shape),
                    "receptive_field": _field_data(self.receptive_field_by_output[label]),
                    "paths": self.paths_by_output[label].as_data(),
                }
                for label, shape in self.outputs.items()
            }
        return found

    def __repr__(self) -> str:
        return tagged(self, f"{self.name}: {self.totals}, {shown(self.paths.skip_paths)} skip paths")

    def __str__(self) -> str:
        """The totals, a row for each stage, and the lengths of the paths, as ``archspec analyze`` prints them."""
        return as_text(report_text(self, "stage"))

    def _repr_html_(self) -> str:
        blocks, paths = self.paths.residual_blocks, shown(self.paths.skip_paths)
        silent = [
            f"{cost} is unavailable: archspec has no rule for {', '.join(names)}"
            for cost, names in self.unavailable.items()
        ]
        of = f" ({self.file})" if self.file not in ("", f"{self.name}.yaml") else ""
        return html_table(
            (
                f"{self.name}{of}: {show_shape(self.input)} to {show_shape(self.output)}",
                f"{counted(self.totals.layers, 'layer')}, {counted(blocks, 'skip connection')}, "
                f"{paths} skip path{'' if paths == '1' else 's'}",
            ),
            [
                (titled(part), part.block, str(part.count or ""), show_shape(part.output), *_figures(part.costs))
                for part in self.rows
            ],
            head=("stage", "block", "count", "output", "params", "MACs", "activations"),
            foot=("total", "", "", show_shape(self.output), *_figures(self.totals.costs)),
            notes=(f"{note}." for note in (self.convention, *silent)),
        )


def _field_data(found: ReceptiveField | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {**plain(found, "size", "stride", "center"), "at": found.scope, **plain(found, "gates_left_out")}


def _figures(costs: Costs) -> tuple[str, ...]:
    figures = (costs.params, costs.macs, costs.activations)
    return tuple("unavailable" if figure is None else f"{figure:,}" for figure in figures)


@door
def analyze(
    spec: SpecLike,
    *,
    input: Sequence[int] | None = None,
    batch: int = 1,
    dtype: str | torch.dtype = "float32",
    frozen: str | Iterable[str] = (),
    lengths: bool | None = None,
    gates: bool = False,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> Report:
    """What a network costs, and the paths through it; torch is not imported.

    Args:
        spec: a spec, a compiled graph, or what :func:`load` takes: a path, a zoo name, YAML text.
        input: another input than the spec's, of the same rank: channels and one to three sizes.
        batch: examples in a batch, for memory and FLOPs per byte. All other figures are for one example.
        dtype: of weights and values, for the same: ``float32``, ``float64``, ``float16``, ``bfloat16``, or torch's.
        frozen: a scope or part, or several, that do not train either, as under the spec's key ``frozen``.
        lengths: whether the distributions of path lengths are computed; by default up to :data:`MANY_BLOCKS` blocks.
        gates: whether paths may go through gates.
        overrides: values to set in the spec, as in :func:`load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.

    Raises:
        SpecError: the spec is refused, the input is of another rank, or a frozen scope does not exist (E310).
        TypeError: an argument of the wrong type.
        ValueError: a batch below 1, an unknown dtype, or an invalid input.

    >>> import archspec
    >>> report = archspec.analyze("resnet50", batch=64)
    >>> report.totals.costs.params, report.totals.layers, report.paths.skip_paths
    (25557032, 50, 65536)
    """
    (batch, dtype), gates, scopes = _batch_of(batch, dtype), arguments.flag(gates, "gates"), _scopes(frozen)
    lengths = None if lengths is None else arguments.flag(lengths, "lengths")
    graph = compile(spec, input=input, overrides=overrides, allow_outside=allow_outside, limits=limits)
    network = index_graph(with_frozen(graph, scopes, lambda scope: Source("frozen", scope, "argument").part()))
    positions, parts = network.outputs, Parts(network)
    by_position = count_paths_to(network, positions.values(), lengths=lengths, gates=gates)
    fields = dict(zip(positions, receptive_fields(network, positions.values()), strict=True))
    main, totals = next(iter(positions)), sum_up(network, parts, batch, ITEM_BYTES[dtype])
    return Report(
        name=graph.name,
        input=graph.input,
        outputs={label: graph.shape(graph.outputs[label]) for label in positions},
        totals=totals,
        memory=_memory(network, totals.costs, batch, dtype),
        receptive_field=fields[main],
        paths=by_position[positions[main]],
        paths_by_output={label: by_position[at] for label, at in positions.items()},
        receptive_field_by_output=fields,
        unavailable=_unavailable(network),
        warnings=graph.warnings,
        parts=parts,
        file=_file(graph),
    )


def _scopes(frozen: str | Iterable[str]) -> list[str]:
    return [frozen] if isinstance(frozen, str) else [*arguments.several(frozen, "frozen", FROZEN, str)]


def _batch_of(batch: int, dtype: str | torch.dtype) -> tuple[int, str]:
    """The batch and the name of the dtype that memory is measured for."""
    batch, name = arguments.whole(batch, "batch"), arguments.dtype(dtype)
    if batch < 1 or name not in ITEM_BYTES:
        raise ValueError(f"batch must be at least 1 and dtype one of {', '.join(ITEM_BYTES)}, got {batch} and {name!r}")
    return batch, name


def _unavailable(network: IndexedGraph) -> dict[str, tuple[str, ...]]:
    """The operations that have no rule, for each cost that is unavailable because of them."""
    silent = [kind.operation for kind in network.kinds if type(kind.operation).saved is Operation.saved]
    found = {
        "macs": network.without_rule("macs"),
        "elementwise": network.without_rule("elementwise"),
        "inference_peak": network.without_rule("scratch"),
        "saved_for_backward": tuple(dict.fromkeys([operation.called for operation in silent])),
        "receptive_field": network.without_rule("reach"),
    }
    return {cost: names for cost, names in found.items() if names}


def _file(graph: Graph) -> str:
    """The file of a graph's spec; empty for a spec without a file."""
    source = graph.origin.document.source if graph.origin else None
    return source.name if source and source.kind == "file" else ""


def _memory(network: IndexedGraph, costs: Costs, batch: int, dtype: str) -> Memory:
    """The memory; that of inference is without what runs in training only."""
    found = measure_memory(network, costs, batch, dtype)
    if not network.graph.training:
        return found
    evaluated = measure_memory(index_graph(in_eval_mode(network.graph)), costs, batch, dtype)
    return replace(found, inference_peak=evaluated.inference_peak, peak_at=evaluated.peak_at)
