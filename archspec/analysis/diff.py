"""What differs in meaning between two networks, and which weights of the one fit the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archspec import arguments
from archspec.analysis.diff_text import difference_text
from archspec.analysis.key_changes import key_changes
from archspec.analysis.numbers import exact
from archspec.analysis.parts import Part
from archspec.analysis.report import Report, analyze
from archspec.display import before_and_after, counted, plain
from archspec.door import door
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.language.overrides import Overrides
from archspec.language.spec import Spec
from archspec.operations.shapes import Shape
from archspec.passes.compiling import SpecLike, checked, compile, readable
from archspec.screen import as_text
from archspec.wording import Brief, tagged
from archspec.work import Limits


@dataclass(frozen=True, slots=True, repr=False)
class Change(Brief):
    """A value in both networks: a key, a total, or a :class:`Part`. It is None in a network that does not have it."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, repr=False)
class Transfer(Brief):
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
    """What differs between two networks. It is true if anything does.

    ``keys`` are the dotted keys of the merged specs whose values differ, with the default where a key is not written.
    They are empty if the networks are the same, or if a graph has no spec. ``stages`` are the parts whose output or
    costs differ. ``totals`` has every figure of the whole networks, equal or not: elements, counts, and bytes for one
    example in float32.

    >>> import archspec
    >>> difference = archspec.diff("resnet18", "resnet34")
    >>> bool(difference), difference.keys
    (True, (Change(name='stages.count', before=[2, 2, 2, 2], after=[3, 4, 6, 3]),))
    >>> [(change.name, change.before.count, change.after.count) for change in difference.stages][:2]
    [('layer1', 2, 3), ('layer2', 2, 4)]
    """

    before: Report
    after: Report
    keys: tuple[Change, ...]
    stages: tuple[Change, ...]
    totals: tuple[Change, ...]
    transfer: Transfer
    same: bool

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return not self.same

    def __repr__(self) -> str:
        names = f"{self.before.name} -> {self.after.name}"
        if not self:
            return tagged(self, f"{names}: the same")
        keys, parts, kept = len(self.keys), len(self.stages), len(self.transfer.kept)
        return tagged(self, f"{names}: {counted(keys, 'key')}, {counted(parts, 'part')}; {kept:,} weights fit")

    def __str__(self) -> str:
        """Keys, stages and totals that differ, and which weights fit, as ``archspec diff`` prints them."""
        return as_text(difference_text(self, self.before.name, self.after.name))

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON, with the whole plan for the weights."""
        plan, totals = self.transfer, {change.name: (change.before, change.after) for change in self.totals}
        return {
            "before": self.before.name,
            "after": self.after.name,
            "files": {"before": self.before.file, "after": self.after.file},
            "differs": bool(self),
            "keys": [{"key": change.name, **plain(change, "before", "after")} for change in self.keys],
            "stages": [
                {
                    "name": change.name,
                    "before": change.before and change.before.as_data(),
                    "after": change.after and change.after.as_data(),
                }
                for change in self.stages
            ],
            "totals": before_and_after({name: tuple(map(_exact, pair)) for name, pair in totals.items()}),
            "weights": {
                **plain(plan, "kept"),
                "reshaped": before_and_after(plan.reshaped),
                **plain(plan, "dropped", "new"),
            },
        }


def _exact(figure: Any) -> Any:
    return exact(figure) if isinstance(figure, int) else figure


@door
def diff(
    before: SpecLike,
    after: SpecLike | None = None,
    *,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> Difference:
    """What differs between two networks: keys, stages, totals, and which weights of the first fit the second.

    Args:
        before: a spec, a compiled graph, or what :func:`load` takes.
        after: the other one, in any of these forms; by default the first one with the overrides.
        overrides: values to set in the second spec, as in :func:`load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder.
        limits: how large a network may become.

    Raises:
        SpecError: a spec is refused.
        TypeError: an argument of the wrong type; neither a second spec nor overrides.
        ValueError: overrides for a spec that is loaded.

    >>> import archspec
    >>> difference = archspec.diff("resnet50", overrides={"classes": 10})
    >>> difference.keys[0]
    Change(name='classes', before=1000, after=10)
    >>> difference.transfer.reshaped["fc.bias"]
    ((1000,), (10,))
    """
    checked(before, "before")
    second, name = (before, "before") if after is None else (after, "after")
    settings, _ = readable(second, overrides, False, name)
    outside = arguments.flag(allow_outside, "allow_outside")
    if after is None and not settings:
        raise TypeError("`after` is missing: name a second spec, or pass `overrides` to change the first one")
    one, other = (
        compile(spec, overrides=changes, allow_outside=outside and not isinstance(spec, Graph | Spec), limits=limits)
        for spec, changes in ((before, ()), (second, settings))
    )
    reports = analyze(one, lengths=False), analyze(other, lengths=False)
    totals = _totals(reports[0]), _totals(reports[1])
    same = _meaning(one) == _meaning(other)
    return Difference(
        before=reports[0],
        after=reports[1],
        keys=() if same else tuple(Change(*change) for change in key_changes(one.origin, other.origin)),
        stages=() if same else tuple(_stages(*reports)),
        totals=tuple([Change(name, totals[0][name], totals[1][name]) for name in totals[0]]),
        transfer=_transfer(one, other),
        same=same,
    )


def _meaning(graph: Graph) -> tuple[object, ...]:
    """The network, and the scopes of its stages, because differences are reported by stage."""
    return graph.fingerprint, [stage.scope for stage in graph.stages]


# -- the networks ------------------------------------------------------------------------------------------------------


def _stages(before: Report, after: Report) -> Iterator[Change]:
    """The stages, and the parts around them, that differ. They are aligned by name."""
    one, other = _by_name(before), _by_name(after)
    for key in dict.fromkeys([*one, *other]):
        if one.get(key) != other.get(key):
            yield Change(key[0], one.get(key), other.get(key))


def _by_name(found: Report) -> dict[tuple[str, int], Part]:
    """The rows of a report by name and, since parts between stages share a name, by number."""
    rows: dict[tuple[str, int], Part] = {}
    seen: Counter[str] = Counter()
    for part in found.rows:
        rows[part.name, seen[part.name]] = part
        seen[part.name] += 1
    return rows


def _totals(found: Report) -> dict[str, Any]:
    costs, totals, memory, field = found.totals.costs, found.totals, found.memory, found.receptive_field
    return {
        "params": costs.params,
        "macs": costs.macs,
        "activations": costs.activations,
        "layers": totals.layers,
        "nodes": totals.nodes,
        "inference_peak_bytes": memory.inference_peak,
        "saved_for_backward_bytes": memory.saved_for_backward,
        "receptive_field": field.size if field else None,
        "skip_paths": found.paths.skip_paths,
    }


def _transfer(before: Graph, after: Graph) -> Transfer:
    one, other = state(before), state(after)
    both = [key for key in other if key in one]
    return Transfer(
        kept=tuple(key for key in both if one[key].shape == other[key].shape),
        reshaped={key: (one[key].shape, other[key].shape) for key in both if one[key].shape != other[key].shape},
        dropped=tuple(key for key in one if key not in other),
        new=tuple(key for key in other if key not in one),
    )
