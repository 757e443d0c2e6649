"""A report as a table for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from archspec.analysis.numbers import shown
from archspec.operations.shapes import show_shape

if TYPE_CHECKING:
    from archspec.analysis.parts import Part
    from archspec.analysis.report import Report

_HEAD = ("stage", "block", "count", "output", "params", "MACs", "activations")


def as_html(report: Report) -> str:
    """The stages and totals of a report. Every text from the spec is escaped."""
    rows = "".join(map(_row, report.rows))
    costs = report.totals.costs
    figures = map(_number, (costs.params, costs.macs, costs.activations))
    total = _cells(("total", "", "", show_shape(report.output), *figures))
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    title = f"{escape(report.name)}: {show_shape(report.input)} to {show_shape(report.output)}"
    blocks, paths = report.paths.residual_blocks, shown(report.paths.skip_paths)
    told = f"{report.totals.layers:,} layers, {blocks:,} residual blocks, {paths} skip paths"
    silent = [f"{cost} is unavailable: no rule in {', '.join(names)}" for cost, names in report.unavailable.items()]
    notes = "".join(f"<p>{escape(note)}.</p>" for note in (report.convention, *silent))
    return (
        f"<table><caption>{title}<br>{told}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody><tfoot><tr>{total}</tr></tfoot></table>{notes}"
    )


def _row(part: Part) -> str:
    costs = part.costs
    figures = map(_number, (costs.params, costs.macs, costs.activations))
    return f"<tr>{_cells((part.label, part.block, str(part.count or ''), show_shape(part.output), *figures))}</tr>"


def _cells(texts: tuple[str, ...]) -> str:
    return "".join(f"<td>{escape(text)}</td>" for text in texts)


def _number(value: int | None) -> str:
    return "unavailable" if value is None else f"{value:,}"
