"""``report.md``: what an experiment found, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from archspec.lab.results.claim import RULE, LiteratureClaim
from archspec.lab.results.results import Results
from archspec.lab.results.table import ResultTable


def report(results: Results) -> str:
    """The report of an experiment, in Markdown."""
    return "\n".join(_lines(results))


def _lines(results: Results) -> Iterator[str]:
    how = results.circumstances
    yield from (f"# {results.title}", "", results.question, "", "```console", f"$ {how.command} -o FOLDER", "```", "")
    yield from ("## What came out", "")
    yield "Numbers are means over seeds ± standard deviation. `results.json` has the value of every seed."
    yield ""
    for table in results.tables:
        if table.brief:
            yield from _table(table)
    for plot in results.plots:
        yield from (f"![{plot.title}]({plot.name}.svg)", "", f"What to look for: {plot.look}", "")
    yield from _claims(results)
    if results.lost:
        yield from ("## Runs without a result", "")
        yield from (f"- {lost}" for lost in results.lost)
        yield ""
    yield from _circumstances(results)


def _table(table: ResultTable) -> Iterator[str]:
    yield from (f"### {table.title}", "")
    yield _row([column.title for column in table.columns])
    yield _row(["---" for _ in table.columns])
    yield from (_row(row) for row in table.texts)
    yield ""


def _row(texts: Iterable[str]) -> str:
    """A row of a table in Markdown, where a bar within a cell would end it."""
    escaped = [text.replace("|", r"\|") for text in texts]
    return f"| {' | '.join(escaped)} |"


def _claims(results: Results) -> Iterator[str]:
    if results.claims:
        yield from ("## What the literature says", "")
        yield "| claim | here | effect ± margin | seeds |"
        yield "| --- | --- | --- | --- |"
        for claim in results.claims:
            yield _row([f"{claim.statement} ({claim.source})", f"**{claim.verdict}**", effect(claim), claim.signs])
        yield from ("", RULE, "")
    if results.unmet or results.remarks:
        yield from ("## What did not come out, and what this cannot show", "")
        yield from (f"- {_unmet(claim)}" for claim in results.unmet)
        yield from (f"- {remark}" for remark in results.remarks)
        yield ""


def effect(claim: LiteratureClaim) -> str:
    """The effect of a claim with its margin and what it measures.

    >>> from archspec.lab.results.number import Number
    >>> effect(LiteratureClaim("deeper is better", "a paper", "accuracy", Number((0.3, 0.2, 0.3))))
    '0.267 ± 0.143, accuracy'
    """
    if claim.effect.mean is None:
        return f"not measured, {claim.measure}"
    margin = f"{claim.margin:.3f}" if math.isfinite(claim.margin) else "unknown"
    return f"{claim.effect.mean:.3f} ± {margin}, {claim.measure}"


def _unmet(claim: LiteratureClaim) -> str:
    said = f"{claim.statement} ({claim.source}): **{claim.verdict}**. The effect is {effect(claim)}; {claim.signs}."
    return f"{said} {claim.remark}".rstrip()


def _circumstances(results: Results) -> Iterator[str]:
    how = results.circumstances
    yield from ("## How it was run", "")
    sizes = f"{how.data['train']:,} training and {how.data['test']:,} test images, {how.data['classes']} classes"
    yield f"- Data: `{how.data['name']}`, {'x'.join(map(str, how.data['input']))}, {sizes}."
    yield f"- Seeds: {', '.join(map(str, how.seeds))}. A seed sets the initial weights and the order of the examples."
    trainer = ", ".join(f"{name} {value}" for name, value in how.trainer.items())
    yield f"- Training: {trainer}."
    yield f"- Versions: {', '.join(f'{name} {version}' for name, version in how.versions.items())}."
    yield ""
    yield "| network | parameters | MACs | layers |"
    yield "| --- | --- | --- | --- |"
    for net in results.networks:
        macs = "unavailable" if net.macs is None else f"{net.macs:,}"
        yield _row([net.label, f"{net.parameters:,}", macs, str(net.layers)])
    yield ""
