"""The tables of ``gradients``."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from archspec.analysis.signal import SignalReport, signal
from archspec.lab.experiments.runs import Runs
from archspec.lab.results.number import Number
from archspec.lab.results.table import ResultTable, TableColumn, TableValue

PLACES = ("start", "end")
WHEN = {"start": "initial", "end": "trained"}


def steps(runs: Runs) -> list[int]:
    """The steps after which the blocks were measured."""
    return [flow["step"] for flow in next((r["flow"] for r in runs.records if r), [])]


def read(runs: Runs, found: Callable[[Any], float | None]) -> Number:
    """A number of each run, also of one that diverged later; None where it has none."""

    def one(record: Any) -> float | None:
        try:
            return None if record is None else found(record)
        except (IndexError, KeyError, TypeError):  # the run ended before it
            return None

    return Number.of([one(record) for record in runs.records])


def at_block(runs: Runs, place: int, block: int, name: str) -> Number:
    """A number of a block at the ``place``-th measured step."""
    return read(runs, lambda record: record["flow"][place]["blocks"][block][name])


def decades(runs: Runs, place: int, block: int = 0) -> Number:
    """The gradient's norm at a block over that at the last one, as a logarithm to base 10."""

    def one(record: Any) -> float | None:
        blocks = record["flow"][place]["blocks"]
        norm, last = blocks[block]["gradient_norm"], blocks[-1]["gradient_norm"]
        return math.log10(norm / last) if norm > 0 and last > 0 else None

    return read(runs, one)


def blocks(runs: Runs) -> Sequence[Mapping[str, Any]]:
    """The blocks of a network in order."""
    return next((r["flow"][0]["blocks"] for r in runs.records if r), [])


def predicted(runs: Runs) -> SignalReport:
    """What the graph predicts."""
    return signal(runs.variant.graph)


def tables(runs: Sequence[Runs]) -> Iterator[ResultTable]:
    """All numbers of all networks."""
    yield _summary(runs)
    yield _shares(runs)
    yield _path_means(runs)
    yield _blocks(runs)
    yield _by_block(runs)
    yield _lengths(runs)


def _columns(*pairs: tuple[str, str], spare: Sequence[str] = (), form: str = ".3f") -> tuple[TableColumn, ...]:
    """Columns by name and title; ``spare`` are those that a narrow screen leaves out, the first of them first."""
    first = {name: len(spare) - number for number, name in enumerate(spare)}
    return tuple([TableColumn(name, title, form, first.get(name, 0)) for name, title in pairs])


def _summary(runs: Sequence[Runs]) -> ResultTable:
    rows: list[tuple[TableValue, ...]] = []
    for each in runs:
        report = predicted(each)
        guess = _predicted_decades(report)
        for place, step in enumerate(steps(each)):
            own = guess if place == 0 else None
            measured = decades(each, place)
            ratio = Number.of([None if one is None or own is None else 10 ** (one - own) for one in measured.values])
            spread = read(each, lambda record, place=place: _span(record["flow"][place]["blocks"]))  # type: ignore[misc]  # mypy does not infer it
            rows.append((each.variant.label, step, measured, spread, own, ratio if own is not None else None))
    head = _columns(
        ("network", "network"),
        ("step", "step"),
        ("decades", "gradient, first over last block, log10"),
        ("span", "largest over smallest, log10"),
        ("predicted", "first over last, predicted"),
        ("ratio", "measured over predicted"),
        spare=("span", "ratio"),
    )
    return ResultTable("summary", "The norm of the gradient", head, tuple(rows))


def _predicted_decades(report: SignalReport) -> float | None:
    if not report.blocks or report.blocks[0].gradient_norm <= 0:
        return None
    return math.log10(report.blocks[0].gradient_norm / report.blocks[-1].gradient_norm)


def _span(found: Sequence[Mapping[str, Any]]) -> float | None:
    norms = [block["gradient_norm"] for block in found]
    return math.log10(max(norms) / min(norms)) if norms and min(norms) > 0 else None


def share(runs: Runs, place: str) -> Number:
    """The median over blocks of the share of the gradient that comes through the shortcut."""
    return read(
        runs, lambda r: statistics.median(each["share"] for each in r[place]["shares"]) if r[place]["shares"] else None
    )


def shrunk(runs: Runs, place: str, name: str = "shrunk") -> Number:
    """The share of (block, image) in which the gradient shrank on its way back through a block with an identity."""

    def one(record: Any) -> float | None:
        found = [each for each in record[place]["shares"] if each["kind"] == "identity"]
        return sum(each[name] for each in found) / sum(each["images"] for each in found) if found else None

    return read(runs, one)


def autocorrelation(runs: Runs, place: str) -> Number:
    """That of the gradients of neighboring inputs."""
    return read(runs, lambda record: record[place]["autocorrelation"])


def _shares(runs: Sequence[Runs]) -> ResultTable:
    rows: list[tuple[TableValue, ...]] = [
        (
            each.variant.label,
            WHEN[place],
            share(each, place),
            shrunk(each, place),
            shrunk(each, place, "shrunk_at_sum"),
            autocorrelation(each, place),
        )
        for each in runs
        for place in PLACES
    ]
    head = _columns(
        ("network", "network"),
        ("when", "when"),
        ("share", "share through the shortcut, median"),
        ("shrunk", "share of pairs (identity block, image) where it shrank"),
        ("shrunk_at_sum", "the same at the sum, before the activation"),
        ("autocorrelation", "autocorrelation at lag 1"),
        spare=("shrunk_at_sum", "shrunk"),
    )
    return ResultTable("shares", "How the gradient goes through the blocks", head, tuple(rows))


def mean_length(runs: Runs, place: str, name: str) -> Number:
    """The mean number of residual branches that the gradient takes."""
    return read(runs, lambda record: record[place]["lengths"]["means"][name])


def _path_means(runs: Sequence[Runs]) -> ResultTable:
    rows: list[tuple[TableValue, ...]] = []
    for each in runs:
        for place in PLACES:
            means = [mean_length(each, place, name) for name in ("paths", "sampled", "exact", "signed")]
            if not means[0].n:
                continue
            ends = [read(each, lambda r, name=name, place=place: r[place]["lengths"][name]) for name in ("low", "high")]  # type: ignore[misc]  # mypy does not infer it
            error = max(r[place]["lengths"]["error"] for r in each.records if r and r[place])
            between = " to ".join("" if end.mean is None else f"{end.mean:.0f}" for end in ends)
            rows.append((each.variant.label, WHEN[place], means[0].mean, *means[1:], between, f"{error:.0e}"))
    head = _columns(
        ("network", "network"),
        ("when", "when"),
        ("paths", "mean length of all paths"),
        ("sampled", "weighted by sampled paths"),
        ("exact", "weighted by |G_k|"),
        ("signed", "weighted by signed share"),
        ("interval", "sampled, 5 to 95 %"),
        ("error", "error of the sum"),
        spare=("error", "interval", "exact", "signed"),
        form=".2f",
    )
    return ResultTable("path_means", "Mean path length of the gradient, in residual branches", head, tuple(rows))


def _blocks(runs: Sequence[Runs]) -> ResultTable:
    names = ("gradient_norm", "mean", "variance", "within", "between")
    rows: list[tuple[TableValue, ...]] = []
    for each in runs:
        report = predicted(each)
        ahead = dict(enumerate(report.blocks))
        for place, step in enumerate(steps(each)):
            for number, block in enumerate(blocks(each)):
                guess = ahead.get(number) if place == 0 else None
                found = [at_block(each, place, number, name) for name in names]
                relative = decades(each, place, number)
                rows.append(
                    (
                        *(each.variant.label, step, block["scope"], "yes" if block["downsamples"] else "no"),
                        *(relative, math.log10(guess.gradient_norm) if guess and guess.gradient_norm > 0 else None),
                        *found,
                        guess.activation_variance if guess else None,
                    )
                )
    titles = ("network", "step", "block", "downsamples", "decades", "predicted_decades", *names, "predicted_variance")
    head = tuple([TableColumn(name, name.replace("_", " "), ".3g") for name in titles])
    return ResultTable("blocks", "Gradient and activations at every block", head, tuple(rows), brief=False)


def _by_block(runs: Sequence[Runs]) -> ResultTable:
    rows: list[tuple[TableValue, ...]] = []
    for each in runs:
        known: Sequence[Mapping[str, Any]] = next((r["start"]["shares"] for r in each.records if r), [])
        for place in PLACES:
            for number, block in enumerate(known):
                found = [
                    read(each, lambda r, place=place, number=number, name=name: r[place]["shares"][number][name])  # type: ignore[misc]  # mypy does not infer it
                    for name in ("share", "shrunk", "shrunk_at_sum")
                ]
                rows.append((each.variant.label, place, block["scope"], block["kind"], *found))
    titles = ("network", "when", "block", "kind", "share", "shrunk", "shrunk_at_sum")
    head = tuple([TableColumn(name, name.replace("_", " ")) for name in titles])
    return ResultTable("block_shares", "Through the shortcut of every block", head, tuple(rows), brief=False)


def by_length(runs: Runs, place: str, name: str, length: int) -> Number:
    """One of the three measures of the gradient at a length."""
    return read(runs, lambda record: record[place]["lengths"][name][length])


def longest(runs: Runs) -> int:
    """The largest length of a path; 0 without residual blocks."""
    return next((len(r["start"]["lengths"]["exact"]) - 1 for r in runs.records if r and r["start"]["lengths"]), 0)


def _lengths(runs: Sequence[Runs]) -> ResultTable:
    names = ("sampled", "exact", "signed")
    rows: list[tuple[TableValue, ...]] = [
        (each.variant.label, place, length, *(by_length(each, place, name, length) for name in names))
        for each in runs
        if longest(each)
        for place in PLACES
        for length in range(longest(each) + 1)
    ]
    titles = ("network", "when", "length", *names)
    head = tuple([TableColumn(name, name, ".3e") for name in titles])
    return ResultTable("lengths", "The gradient by path length", head, tuple(rows), brief=False)
