"""What a verification found, by level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from archspec import arguments
from archspec.diagnostics import Diagnostic
from archspec.display import counted, html_table, plain
from archspec.verification.results import Outputs, Shape
from archspec.wording import Brief, tagged

Level = Literal["keys", "graph", "outputs"]
LEVELS: tuple[Level, ...] = ("keys", "graph", "outputs")

TITLES: Mapping[str, str] = {"keys": "identical keys", "graph": "isomorphic graph", "outputs": "equal outputs"}

KEYS = (
    *("params", "reference_params", "count", "reference_count", "in_order"),
    *("missing", "extra", "misshapen", "crossed"),
)
"""What of :class:`Keys` is data."""


@dataclass(frozen=True, repr=False)
class Keys(Brief):
    """How two state dicts compare.

    ``missing`` are keys that only the reference has, and ``extra`` keys that only the spec's network has. ``misshapen``
    has the shapes, here and there, of common keys whose shapes differ. ``crossed`` are common keys that belong to
    different layers, according to the matching of the graphs.
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
    def reference_count(self) -> int:
        """How many keys the reference has."""
        return self.count - len(self.extra) + len(self.missing)

    @property
    def difference(self) -> str:
        """In words, how they differ; empty where they do not."""
        if self.same:
            return "" if self.in_order else "they come in another order"
        common = self.count - len(self.extra)
        unlike = ((len(self.misshapen), "of another shape"), (len(self.crossed), "of another layer there"))
        told = " and ".join(f"{number:,} {words}" for number, words in unlike if number)
        both = f"{common:,} in both{f' ({told})' if told else ''}" if common else "none in both"
        alone = ((len(self.extra), "only here"), (len(self.missing), "only in the reference"))
        return ", ".join([both, *(f"{number:,} {words}" for number, words in alone if number)])

    def __str__(self) -> str:
        """A line: how many there are, and how they differ."""
        count, params = counted(self.count, "key"), counted(self.params, "parameter")
        if self.params != self.reference_params:
            params += f", the reference {self.reference_params:,}"
        if self.same:
            return f"{count}, all of the reference's, in {'its' if self.in_order else 'another'} order; {params}"
        return f"{count}, the reference {self.reference_count:,}: {self.difference}; {params}"


@dataclass(frozen=True, repr=False)
class Graphs(Brief):
    """Whether the graphs are isomorphic.

    ``steps`` and ``reference_steps`` count the operations, and ``difference`` says where the graphs differ.
    ``untraceable`` says why the reference could not be traced. ``runs`` says whether it runs at all.
    ``by_order``: because of either, weights were paired in the order of execution.
    """

    held: bool
    steps: int
    reference_steps: int = 0
    difference: Diagnostic | None = None
    untraceable: str = ""
    by_order: bool = False
    runs: bool = True

    def __str__(self) -> str:
        """A line: how many steps there are."""
        if self.untraceable:
            by_order = "; weights paired by the order of execution" if self.by_order else ""
            return f"the reference cannot be traced{by_order}"
        steps = counted(self.steps, "operation")
        by_order = "; weights paired by the order of execution" if self.by_order else ""
        return steps if self.held else f"{steps}, the reference {self.reference_steps:,}{by_order}"


@dataclass(frozen=True)
class Verdict:
    """What ``archspec.verify`` found.

    ``key_map`` has the reference's key for each key of the spec's network. It is empty if the networks could not be
    paired. ``outputs`` is None if outputs were not requested. ``diagnostics`` are the differences, each with its place.

    >>> import archspec
    >>> verdict = archspec.verify("resnet20_cifar", lambda: archspec.build("resnet20_cifar"), levels=["keys", "graph"])
    >>> verdict.holds("graph"), verdict.key_map["fc.bias"]
    (True, 'fc.bias')
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
        for level in levels:
            arguments.word(level, "levels", LEVELS)
        return all(self.levels.get(level, False) for level in levels or ("graph", "outputs"))

    @property
    def _known(self) -> dict[Level, bool | None]:
        """The levels; None for outputs that could not be compared, which are neither equal nor different."""
        unknown = self.outputs is not None and self.outputs.reason
        return {**self.levels, "outputs": None} if unknown else {**self.levels}

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """Each level that was looked at: its title, `yes`, `no` or, where it could not be compared, `-`, and why."""
        told: dict[Level, object] = {"keys": self.keys, "graph": self.graph, "outputs": self.outputs}
        answers = {None: "-", True: "yes", False: "no"}
        return [(TITLES[level], answers[held], str(told[level])) for level, held in self._known.items()]

    def __repr__(self) -> str:
        levels = ", ".join(f"{level} {answer}" for level, (_, answer, _) in zip(self.levels, self.rows, strict=True))
        return tagged(self, f"{self.spec} against {self.reference}: {levels}")

    def __str__(self) -> str:
        """The levels, and below them what differs."""
        size = "x".join(map(str, (self.batch, *self.input)))
        lines = [f"{self.spec} against {self.reference}, on {size}"]
        lines += [f"{title:16}  {answer:3}  {told}" for title, answer, told in self.rows]
        return "\n".join([*lines, *map(str, self.diagnostics)])

    def _repr_html_(self) -> str:
        title, *_ = str(self).partition("\n")
        return html_table((title,), self.rows, notes=map(str, self.diagnostics))

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        graph, outputs = self.graph, self.outputs
        return {
            **plain(self, "spec", "hash", "reference"),
            "levels": {TITLES[level]: held for level, held in self._known.items()},
            "keys": plain(self.keys, *KEYS),
            "graph": {
                **plain(graph, "steps", "reference_steps"),
                "difference": graph.difference.message if graph.difference else None,
                "untraceable": graph.untraceable or None,
                "by_order": graph.by_order,
            },
            "outputs": outputs and outputs.as_data(),
            **plain(self, "input", "batch", "seed", "tolerance"),
        }


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
