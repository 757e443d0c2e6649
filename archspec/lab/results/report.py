"""``report.md``: what an experiment found, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from archspec.lab.results.claim import AGREES, DISAGREES, RULE, UNRESOLVED, LiteratureClaim
from archspec.lab.results.results import Results
from archspec.lab.results.table import ResultTable

HEADINGS = {
    AGREES: "What agrees here",
    DISAGREES: "What disagrees here",
    UNRESOLVED: "What cannot be resolved with this data",
}


def report(results: Results) -> str:
    """The report of an experiment, in Markdown."""
    return "\n".join(_lines(results))


def _lines(results: Results) -> Iterator[str]:
    how = results.circumstances
    yield from (f"# {results.title}", "", results.question, "", "```console", f"$ {how.command} -o FOLDER", "```", "")
    yield from ("## What came out", "")
    yield "Numbers are means over seeds ± standard deviation. A cell is empty if the number does not apply, or if no"
    yield "run gave it. `results.json` has the value of every seed."
    yield ""
    for table in results.tables:
        if table.brief and table.rows:
            yield from _table(table)
    for plot in results.plots:
        yield from (f"![{plot.title}]({plot.name}.svg)", "", f"What to look for: {plot.look}", "")
    yield from _claims(results)
    if results.remarks:
        yield from ("## What this cannot show", "")
        yield from (f"- {remark}" for remark in results.remarks)
        yield ""
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
    """Every claim with its verdict: a table of all, and what was measured for each, in words."""
    if not results.claims:
        return
    yield from ("## What the literature says", "")
    yield _row(["claim", "verdict", "effect", "margin", "in favor"])
    yield _row(["---"] * 5)
    for claim in results.claims:
        told = f"{claim.statement} ({claim.source})"
        yield _row([told, f"**{claim.verdict}**", _number(claim.effect.mean), _number(claim.margin), claim.signs])
    yield ""
    for verdict, heading in HEADINGS.items():
        if found := [claim for claim in results.claims if claim.verdict == verdict]:
            yield from (f"### {heading}", "")
            yield from (f"- {in_words(claim)}" for claim in found)
            yield ""
    yield from ("### How a verdict is made", "", RULE, "")


def _number(value: float | None) -> str:
    return f"{value:.3f}" if value is not None and math.isfinite(value) else ""


def in_words(claim: LiteratureClaim) -> str:
    """A claim with what was measured, and why that gives its verdict.

    >>> from archspec.lab.results.number import Number
    >>> told = in_words(LiteratureClaim("Deeper is better", "a paper", "the gain", Number((0.3, 0.2, 0.3))))
    >>> for sentence in told.split(". "):
    ...     print(sentence)
    Deeper is better (a paper)
    Measured: the gain
    The effect is 0.267 ± 0.143 (by seed: 0.300, 0.200, 0.300)
    It is above 0 by more than its margin, so it agrees.
    """
    said = f"{claim.statement} ({claim.source}). Measured: {claim.measure}."
    if claim.effect.mean is None:
        return _joined(said, "No run gives it.", claim.remark)
    margin = _number(claim.margin) or "an unknown margin"
    seeds = ", ".join("none" if value is None else f"{value:.3f}" for value in claim.effect.values)
    measured = f"The effect is {claim.effect.mean:.3f} ± {margin} (by seed: {seeds})."
    return _joined(said, measured, _why(claim), claim.remark)


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _why(claim: LiteratureClaim) -> str:
    """Why an effect and its margin give the verdict."""
    if claim.verdict == AGREES:
        return "It is above 0 by more than its margin, so it agrees."
    if claim.verdict == DISAGREES:
        return "It is below 0 by more than its margin: here, the opposite is true."
    if claim.effect.n < 2:
        return "One seed shows no spread, so nothing can be concluded. Run more seeds, such as `--seeds 3`."
    if claim.effect.mean == claim.margin == 0:
        return "It is exactly 0 in every seed, so it decides nothing."
    return "It is closer to 0 than its margin, so chance alone could explain it. More seeds or test images may decide."


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
