"""What is proved about a spec, as a row of docs/zoo.md or docs/timm.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import archspec
from archspec.graph.state import state
from archspec.verification.results import Outputs

BEGIN = "<!-- begin: what `make prove` found -->"
END = "<!-- end -->"

HEADER = (
    "| spec | lines | reference | keys | graph | largest difference | parameters | MACs |",
    "| --- | ---: | --- | --- | --- | --- | ---: | ---: |",
)


@dataclass(frozen=True)
class Row:
    """One spec: its lines of YAML, its reference if any, the cells of the levels, and whether all levels hold."""

    name: str
    lines: int
    reference: str
    keys: str
    graph: str
    outputs: str
    params: int
    macs: int
    held: bool

    @property
    def told(self) -> str:
        """What a terminal shows."""
        if not self.reference:
            return "no library has this network; its own expectations hold"
        return f"{self.reference}: keys {self.keys}, graph {self.graph}, outputs {self.outputs}"


def row_of(path: Path, reference: str = "", *, largest: int | None = None, proved: bool = True) -> Row:
    """The spec at ``path``, and unless told otherwise compared with ``reference``, or with the one that it names.

    It is compared on its own input, or if that is larger than ``largest`` along an axis, on one as large as that.
    """
    graph = archspec.compile(path)
    costs = archspec.analyze(graph).totals.costs
    lines = sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    reference = reference or str(graph.origin.document.value.get("reference") or "")
    assert costs.macs is not None
    if not reference or not proved:
        return Row(path.stem, lines, reference, "", "", "", costs.params, costs.macs, True)
    own = not reference.startswith("torchvision:")
    if largest is not None:
        channels, *sizes = graph.input
        graph = archspec.compile(path, overrides={"input": [channels, *(min(size, largest) for size in sizes)]})
    verdict = archspec.verify(graph, reference)
    outputs = verdict.outputs
    assert outputs
    keys = "identical" if verdict.keys.held else "by key map"
    told = _told(outputs)
    held = verdict.holds("graph", "outputs") and (own or (verdict.keys.held and told == "0"))
    held = held and set(verdict.key_map) == set(state(graph))
    return Row(
        path.stem, lines, reference, keys, "isomorphic" if verdict.graph.held else "another",
        told, costs.params, costs.macs, held,
    )  # fmt: skip


def _told(outputs: Outputs) -> str:
    """How far results are apart. A figure of rounding depends on the machine and is not given.

    Some layers of timm are written in another way, such as a 1x1 convolution instead of a linear layer, which torch
    sums in another order.
    """
    if outputs.reason:
        return outputs.reason
    if not any(gap.largest for gap in outputs.gaps.values()):
        return "0"
    if outputs.held:
        return "rounding"
    return ", ".join(f"{gap.largest:.1g} {name}" for name, gap in outputs.gaps.items())


def table(rows: list[Row]) -> str:
    """The table of a page."""
    return "\n".join([*HEADER, *map(_line, rows)])


def _line(row: Row) -> str:
    cells = (f"`{row.name}`", row.lines, f"`{row.reference}`" if row.reference else "", row.keys, row.graph)
    figures = (row.outputs, f"{row.params:,}", f"{row.macs / 1e9:,.3f} G")
    return f"| {' | '.join(map(str, (*cells, *figures)))} |"
