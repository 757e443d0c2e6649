"""What a verification found, by level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from archspec.diagnostics import Diagnostic

Level = Literal["keys", "graph", "outputs"]
LEVELS: tuple[Level, ...] = ("keys", "graph", "outputs")

TITLES: Mapping[str, str] = {"keys": "identical keys", "graph": "isomorphic graph", "outputs": "equal outputs"}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Keys:
    """How two state dicts compare.

    ``missing`` are keys of the reference that the spec's network has not, ``extra`` the other way; ``misshapen`` gives
    for a common key its shape here and there; ``crossed`` are common keys that the matching of the graphs pairs with
    others: their names agree, and what they are does not.
    """

    params: int
    reference_params: int
    count: int
    in_order: bool
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    misshapen: Mapping[str, tuple[Shape, Shape]] = field(default_factory=dict)
    crossed: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the keys are the same, in some order, with the same shapes."""
        return not (self.missing or self.extra or self.misshapen or self.crossed)

    @property
    def held(self) -> bool:
        return self.same and self.in_order

    @property
    def difference(self) -> str:
        """In words, how they differ; empty where they do not."""
        counts = (
            (len(self.missing), "missing"),
            (len(self.extra), "that it has not"),
            (len(self.misshapen), "of another shape"),
            (len(self.crossed), "that stand for something else there"),
        )
        found = ", ".join(f"{count:,} {words}" for count, words in counts if count)
        return found or ("" if self.in_order else "they come in another order")


@dataclass(frozen=True)
class Graphs:
    """Whether the graphs are one: ``steps`` of the one form here and in the reference, and where they part if they do.

    ``untraceable`` says why the reference could not be traced; then weights can still be paired in the order of
    execution, and ``by_order`` says that they were.
    """

    held: bool
    steps: int
    reference_steps: int = 0
    difference: Diagnostic | None = None
    untraceable: str = ""
    by_order: bool = False


@dataclass(frozen=True)
class Gap:
    """The largest difference: absolute, relative to the largest number of the reference, and the tensor where it is."""

    largest: float = 0.0
    relative: float = 0.0
    at: str = ""


@dataclass(frozen=True)
class Outputs:
    """How far results are apart with equal weights.

    ``reason`` says why they could not be compared. ``random`` says why training could not be compared number by number:
    then ``train``, ``gradients`` and ``buffers`` are None.
    """

    held: bool
    reason: str = ""
    eval: Gap | None = None
    train: Gap | None = None
    gradients: Gap | None = None
    buffers: Gap | None = None
    random: str = ""

    @property
    def gaps(self) -> dict[str, Gap]:
        """How far apart what could be compared is."""
        named = {
            "in eval mode": self.eval,
            "in training": self.train,
            "of gradients": self.gradients,
            "of statistics": self.buffers,
        }
        return {name: gap for name, gap in named.items() if gap is not None}

    @property
    def difference(self) -> str:
        """In words, how results differ, or why that cannot be said."""
        if self.reason:
            return f"outputs cannot be compared: {self.reason}"
        apart = [f"{gap.largest:.3g} {name} ({gap.relative:.3g} of the largest)" for name, gap in self.gaps.items()]
        return f"with equal weights the largest differences are {', '.join(apart)}"


@dataclass(frozen=True)
class Verdict:
    """What ``archspec.verify`` found.

    ``key_map`` gives for each key of the spec's network the reference's; it is empty where the networks could not be
    paired. ``outputs`` is None where outputs were not asked for. ``diagnostics`` are the differences, each with its
    place.
    """

    spec: str
    hash: str
    reference: str
    keys: Keys
    graph: Graphs
    outputs: Outputs | None
    key_map: Mapping[str, str]
    input: Shape
    batch: int
    seed: int
    tolerance: float
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def levels(self) -> dict[Level, bool]:
        """Which levels hold, of those that were looked at."""
        found: dict[Level, bool] = {"keys": self.keys.held, "graph": self.graph.held}
        return found if self.outputs is None else {**found, "outputs": self.outputs.held}

    def holds(self, *levels: Level) -> bool:
        """Whether every one of these levels holds; without any, `isomorphic graph` and `equal outputs`."""
        return all(self.levels.get(level, False) for level in levels or ("graph", "outputs"))

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        keys, graph = self.keys, self.graph
        return {
            "spec": self.spec,
            "hash": self.hash,
            "reference": self.reference,
            "levels": {TITLES[level]: held for level, held in self.levels.items()},
            "keys": {
                "params": keys.params,
                "reference_params": keys.reference_params,
                "count": keys.count,
                "in_order": keys.in_order,
                "missing": list(keys.missing),
                "extra": list(keys.extra),
                "misshapen": {key: [list(one), list(other)] for key, (one, other) in keys.misshapen.items()},
                "crossed": list(keys.crossed),
            },
            "graph": {
                "steps": graph.steps,
                "reference_steps": graph.reference_steps,
                "difference": graph.difference.message if graph.difference else None,
                "untraceable": graph.untraceable or None,
                "by_order": graph.by_order,
            },
            "outputs": self.outputs
            and {
                "reason": self.outputs.reason or None,
                "eval": _gap(self.outputs.eval),
                "train": _gap(self.outputs.train),
                "gradients": _gap(self.outputs.gradients),
                "buffers": _gap(self.outputs.buffers),
                "random": self.outputs.random or None,
            },
            "input": list(self.input),
            "batch": self.batch,
            "seed": self.seed,
            "tolerance": self.tolerance,
        }


def _gap(gap: Gap | None) -> dict[str, Any] | None:
    return None if gap is None else {"largest": gap.largest, "relative": gap.relative, "at": gap.at or None}


def key_map(verdict: Verdict, *, archspec: str) -> dict[str, Any]:
    """The key map of a verification as it is written to a file: which key of the reference each of ours is.

    Args:
        verdict: of networks that could be paired.
        archspec: the version that says so.
    """
    return {
        "archspec": archspec,
        "spec": verdict.spec,
        "hash": verdict.hash,
        "reference": verdict.reference,
        "keys": dict(verdict.key_map),
    }
