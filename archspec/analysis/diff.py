"""What differs in meaning between two networks, and which weights of the one fit the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archspec.analysis.parts import Part
from archspec.analysis.report import Report, report
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.language.fingerprint import FOR_PEOPLE
from archspec.language.resolve import DEFAULT_CLASSES, DEFAULT_INPUT, DEFAULT_SETTINGS
from archspec.language.spec import Spec
from archspec.operations.base import Shape

DEFAULTS: Mapping[str, Any] = {
    "input": list(DEFAULT_INPUT),
    "classes": DEFAULT_CLASSES,
    "stem": "imagenet",
    "head": "classifier",
    "stages.stride": 1,
    "stages.dilation": 1,
    **DEFAULT_SETTINGS,
}
"""What a key means that is not written."""

NO_MEANING = FOR_PEOPLE | {"archspec", "name", "extends", "import"}


@dataclass(frozen=True, slots=True)
class Change:
    """One value on both sides; None where a side does not have it."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class StageChange:
    """A stage, or what stands outside the stages, whose output or costs differ; None where a side does not have it."""

    name: str
    before: Part | None
    after: Part | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """The plan for moving weights from the first network into the second, by state-dict key.

    ``kept`` have the same shape in both; ``reshaped`` another, with both shapes; ``dropped`` are in the first alone,
    ``new`` in the second alone.
    """

    kept: tuple[str, ...]
    reshaped: Mapping[str, tuple[Shape, Shape]]
    dropped: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two networks. ``keys`` are those of the merged specs, dotted, defaults filled in.

    ``totals`` has every figure of the networks as a whole, whether it differs or not.
    """

    before: Report
    after: Report
    keys: tuple[Change, ...]
    stages: tuple[StageChange, ...]
    totals: tuple[Change, ...]
    transfer: Transfer

    def __bool__(self) -> bool:
        """Whether anything differs."""
        transfer = self.transfer
        totals = any(change.before != change.after for change in self.totals)
        return bool(self.keys or self.stages or totals or transfer.reshaped or transfer.dropped or transfer.new)


def compare(before: Graph, after: Graph) -> Difference:
    """What differs between two compiled networks."""
    reports = report(before, lengths=False), report(after, lengths=False)
    return Difference(
        before=reports[0],
        after=reports[1],
        keys=tuple(_changes(_keys(before.spec), _keys(after.spec))),
        stages=tuple(_stages(*reports)),
        totals=tuple(_totals(*reports)),
        transfer=_transfer(before, after),
    )


def _keys(spec: Spec) -> dict[str, Any]:
    """The values of a spec that mean something, by dotted key."""
    found: dict[str, Any] = dict(DEFAULTS)
    for document in (*spec.imported, spec.document):
        value = {key: item for key, item in document.value.items() if key not in NO_MEANING}
        table = value.get("stages")
        if table:
            value["stages"] = {key: _column(cells) for key, cells in table.items()}
        found.update(_flat(value, ""))
    return found


def _column(cells: Any) -> Any:
    """A column of the stage table; one value where all stages have the same."""
    alike = isinstance(cells, list) and cells and all(cell == cells[0] for cell in cells)
    return cells[0] if alike and not isinstance(cells[0], list) else cells


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield from _flat(item, f"{prefix}{key}.")
        elif item is not None:
            yield f"{prefix}{key}", item


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield Change(key, before.get(key), after.get(key))


def _stages(before: Report, after: Report) -> Iterator[StageChange]:
    """The stages, and what stands outside them, that differ; aligned by name."""
    one, other = ({part.name: part for part in found.rows} for found in (before, after))
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield StageChange(name, one.get(name), other.get(name))


def _totals(before: Report, after: Report) -> Iterator[Change]:
    for (name, one), (_, other) in zip(_figures(before), _figures(after), strict=True):
        yield Change(name, one, other)


def _figures(found: Report) -> list[tuple[str, Any]]:
    costs, memory, field = found.totals.costs, found.memory, found.receptive_field
    return [
        ("params", costs.params),
        ("macs", costs.macs),
        ("activations", costs.activations),
        ("layers", found.totals.layers),
        ("nodes", found.totals.nodes),
        ("inference_peak_bytes", memory.inference_peak),
        ("saved_for_backward_bytes", memory.saved_for_backward),
        ("receptive_field", field.size if field else None),
        ("skip_paths", found.paths.skip_paths),
    ]


def _transfer(before: Graph, after: Graph) -> Transfer:
    one, other = state(before), state(after)
    both = [key for key in other if key in one]
    return Transfer(
        kept=tuple(key for key in both if one[key].shape == other[key].shape),
        reshaped={key: (one[key].shape, other[key].shape) for key in both if one[key].shape != other[key].shape},
        dropped=tuple(key for key in one if key not in other),
        new=tuple(key for key in other if key not in one),
    )
