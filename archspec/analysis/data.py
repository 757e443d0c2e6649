"""Reports and differences as plain data, as ``archspec analyze`` and ``archspec diff`` print them as JSON."""

from __future__ import annotations

from typing import Any

from archspec.analysis.diff import Difference
from archspec.analysis.lengths import Lengths
from archspec.analysis.numbers import exact
from archspec.analysis.parts import Part
from archspec.analysis.paths import Paths
from archspec.analysis.report import Report
from archspec.operations.shapes import Size

BYTES = {"inference_peak": "inference_peak_bytes", "saved_for_backward": "saved_for_backward_bytes"}
"""How costs are called in the data, if not as in a report."""


def as_data(report: Report) -> dict[str, Any]:
    """Everything in a report but its blocks and nodes. Integers are exact, or products of powers where very long.

    ``counts`` of path lengths begin at length 0; they are null where they were not computed.
    """
    totals, costs, memory, field = report.totals, report.totals.costs, report.memory, report.receptive_field
    found: dict[str, Any] = {
        "name": report.name,
        "input": list(report.input),
        "output": list(report.output),
        "convention": report.convention,
        "totals": {
            "params": costs.params,
            "trainable": costs.trainable,
            "buffers": costs.buffers,
            "macs": costs.macs,
            "flops": costs.flops,
            "activations": costs.activations,
            "elementwise": costs.elementwise,
            "layers": totals.layers,
            "nodes": totals.nodes,
            "params_by_operation": dict(totals.params_by_operation),
            "flops_per_byte": totals.intensity,
        },
        "memory": {
            "batch": memory.batch,
            "dtype": memory.dtype,
            "weights_bytes": memory.weights,
            "buffers_bytes": memory.buffers,
            "input_bytes": memory.input,
            "inference_peak_bytes": memory.inference_peak,
            "inference_peak_at": memory.peak_at,
            "saved_for_backward_bytes": memory.saved_for_backward,
            "training_sgd_bytes": memory.training_sgd,
            "training_adam_bytes": memory.training_adam,
        },
        "receptive_field": field
        and {
            "size": _size(field.size),
            "stride": _size(field.stride),
            "centre": list(field.centre),
            "at": field.scope,
            "gates_left_out": field.gates_left_out,
        },
        "paths": path_data(report.paths),
        "stages": [part_data(stage) for stage in report.stages],
        "outside": [part_data(row) for row in report.rows if not row.count],
        "unavailable": {BYTES.get(cost, cost): list(names) for cost, names in report.unavailable.items()},
    }
    if len(report.outputs) > 1:
        found["outputs"] = {
            label: {"shape": list(shape), "paths": path_data(report.paths_by_output[label])}
            for label, shape in report.outputs.items()
        }
    return found


def path_data(paths: Paths) -> dict[str, Any]:
    """The paths to one output."""
    return {
        "residual_blocks": paths.residual_blocks,
        "skip_paths": exact(paths.skip_paths),
        "log2_skip_paths": int(power) if (power := paths.log2_skip_paths).is_integer() else power,
        "graph_paths": exact(paths.graph_paths),
        "gates_counted": paths.gates_counted,
        "length_in_blocks": _lengths(paths.in_blocks),
        "length_in_layers": _lengths(paths.in_layers),
    }


def part_data(part: Part) -> dict[str, Any]:
    """A stage, a block, an operation, or what stands outside the stages."""
    return {
        "name": part.name,
        "block": part.block,
        "count": part.count,
        "output": list(part.output),
        "params": part.costs.params,
        "trainable": part.costs.trainable,
        "buffers": part.costs.buffers,
        "macs": part.costs.macs,
        "flops": part.costs.flops,
        "activations": part.costs.activations,
        "elementwise": part.costs.elementwise,
    }


def difference_data(found: Difference) -> dict[str, Any]:
    """What differs between two networks, with the whole plan for their weights."""
    plan = found.transfer
    return {
        "before": found.before.name,
        "after": found.after.name,
        "differs": bool(found),
        "keys": [{"key": change.name, "before": change.before, "after": change.after} for change in found.keys],
        "stages": [
            {
                "name": change.name,
                "before": change.before and part_data(change.before),
                "after": change.after and part_data(change.after),
            }
            for change in found.stages
        ],
        "totals": {
            change.name: {"before": _plain(change.before), "after": _plain(change.after)} for change in found.totals
        },
        "weights": {
            "kept": list(plan.kept),
            "reshaped": {
                key: {"before": list(one), "after": list(other)} for key, (one, other) in plan.reshaped.items()
            },
            "dropped": list(plan.dropped),
            "new": list(plan.new),
        },
    }


def _plain(value: Any) -> Any:
    return exact(value) if isinstance(value, int) else list(value) if isinstance(value, tuple) else value


def _size(size: Size) -> int | list[int]:
    return size if isinstance(size, int) else list(size)


def _lengths(lengths: Lengths) -> dict[str, Any]:
    counts = lengths.counts
    return {
        "min": lengths.least,
        "max": lengths.most,
        "mean": lengths.mean,
        "std": lengths.std,
        "counts": None if counts is None else [exact(count) for count in counts],
    }
