"""What is done with a graph takes a bounded time for each node and edge, whatever the network looks like.

A network and one four times as large are measured in turn, and the best of a few times of the processor counts. What
is linear takes four times as long; what is quadratic takes sixteen times as long.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import archspec
from archspec.graph.graph import Graph
from archspec.language.load import load
from archspec.testing.expectations import check_expectations
from archspec.testing.update import update
from archspec_cli import main
from tests.support.timing import allowed

RATIO = 8
"""The most that four times the size may take; a busy machine adds to it."""

HEADER = "archspec: 1\nname: large\nstem: []\nhead: []\n"
ACT = "blocks: {b: {steps: [act]}}\n"
ONE = f"stages: {{block: b, count: 1, channels: 3, stride: 1}}\n{ACT}"
MERGES = HEADER.replace("stem: []\n", "")


def _row(number: int, item: str | Callable[[int], str]) -> str:
    return ", ".join(item if isinstance(item, str) else item(i) for i in range(number))


def _blocks(number: int, block: str) -> str:
    return f"{HEADER}stages: {{block: b, count: {number}, channels: 3, stride: 1}}\nblocks: {{b: {block}}}\n"


def _stages(number: int, more: str = "", block: str = "{steps: [act]}") -> str:
    table = f"stages: {{block: b, count: [{_row(number, '1')}], channels: 3, stride: 1}}\n"
    return f"{HEADER}{table}blocks: {{b: {block}}}\n{more}"


def _expected(number: int, stage: str) -> str:
    lines = "".join(f"    layer{i + 1}: {{{stage}}}\n" for i in range(number))
    return _stages(number, f"expect:\n  params: 1\n  stages:\n{lines}")


RESIDUAL = "{residual: [conv: {out: 3, kernel: 3}]}"
NESTED = "{residual: [add: [[], [conv: {out: 3, kernel: 3}, add: [[], [act]]]]]}"
DENSE = "{steps: [concat: [[], [conv: {out: 3, kernel: 3}]]]}"

FORMS: dict[str, tuple[Callable[[int], str], int]] = {
    "a chain of blocks": (lambda n: _blocks(n, "{steps: [act]}"), 2000),
    "a chain of steps": (lambda n: f"{MERGES}stem: [{_row(n, 'act')}]\n{ONE}", 1000),
    "a wide add": (lambda n: f"{MERGES}stem: [add: [[], {_row(n, '[act]')}]]\n{ONE}", 1000),
    "a wide concat": (lambda n: f"{MERGES}stem: [concat: [[], {_row(n, '[act, act]')}]]\n{ONE}", 700),
    "a wide multiply": (lambda n: f"{MERGES}stem: [multiply: [[], {_row(n, '[act]')}]]\n{ONE}", 1000),
    "a multiply of layers": (
        lambda n: f"{MERGES}stem: [multiply: [[], {_row(n, '[conv: {out: 3}]')}]]\n{ONE}", 250),
    "many gates": (
        lambda n: f"{MERGES}stem: [multiply: [[], {_row(n, '[pool: {type: avg, output: 1}]')}]]\n{ONE}", 250),
    "fields that all differ": (
        lambda n: f"{MERGES}stem: [add: [{_row(n, lambda i: f'[conv: {{out: 3, kernel: {2 * i + 1}}}]')}]]\n{ONE}",
        100),
    "residual blocks": (lambda n: _blocks(n, RESIDUAL), 800),
    "residuals in residuals": (lambda n: _blocks(n, NESTED), 700),
    "a residual around many": (lambda n: f"{MERGES}stem: [add: [[], [{_row(n, 'add: [[], [act]]')}]]]\n{ONE}", 250),
    "dense layers": (lambda n: _blocks(n, DENSE), 400),
    "many stages": (_stages, 500),
    "many outputs": (
        lambda n: _stages(n, f"outputs: [{_row(n, lambda i: f'layer{i + 1}')}]\n"), 400),
    "many outputs of residual blocks": (
        lambda n: _stages(n, f"outputs: [{_row(n, lambda i: f'layer{i + 1}')}]\n", RESIDUAL), 300),
    "many expectations": (lambda n: _expected(n, "params: 0, output: [3, 224, 224]"), 200),
    "many wrong expectations": (lambda n: _expected(n, "params: 5, macs: 7"), 200),
}  # fmt: skip


def _command(*arguments: str) -> Callable[[Graph, Path], None]:
    def call(graph: Graph, file: Path) -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            main.run([str(file) if word == "FILE" else word for word in arguments])

    return call


def _all_figures(graph: Graph, file: Path) -> None:
    found = archspec.analyze(graph, frozen="layer1")
    _ = (found.as_data(), found.blocks, found.nodes)


def _differences(graph: Graph, file: Path) -> None:
    archspec.diff(graph, dataclasses.replace(graph, outputs={"last": graph.nodes[-1].name})).as_data()


ACTIONS: dict[str, Callable[[Graph, Path], object]] = {
    "analyze": _all_figures,
    "diff": _differences,
    "expect": lambda graph, file: check_expectations(graph, ["params<=1", "skip_paths<=1", "layer1.macs<1"]),
    "update": lambda graph, file: update(graph).diff(),
    "text": lambda graph, file: str(graph),
    "blocks": lambda graph, file: [graph.blocks(stage) for stage in graph.stages],
    "analyze --per layer": _command("analyze", "--per", "layer", "FILE"),
    "show --graph": _command("show", "--graph", "FILE"),
    "test --format junit": _command("test", "--level", "check", "--format", "junit", "FILE"),
}


def _seconds(action: Callable[[Graph, Path], object], graph: Graph, file: Path) -> float:
    gc.collect()
    gc.disable()  # what else lives in this process would be looked through at a random time
    begun = time.process_time()
    action(graph, file)
    seconds = time.process_time() - begun
    gc.enable()
    return seconds


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_four_times_the_network_takes_four_times_as_long(form: str, tmp_path: Path) -> None:
    make, number = FORMS[form]
    files = [tmp_path / "small.yaml", tmp_path / "large.yaml"]
    for file, times in zip(files, (1, 4), strict=True):
        file.write_text(make(times * number), encoding="utf-8")
    graphs = [archspec.compile(load(file)) for file in files]
    for name, action in ACTIONS.items():
        best = [float("inf")] * 2
        for _ in range(5):
            for size in (0, 1):
                best[size] = min(best[size], _seconds(action, graphs[size], files[size]))
            if best[1] < RATIO * max(best[0], 0.01):
                break
        assert best[1] < RATIO * max(best[0], 0.01), (name, best)


@pytest.mark.parametrize("form", ["a wide multiply", "many outputs of residual blocks", "many wrong expectations"])
def test_what_took_minutes_takes_a_moment(form: str, tmp_path: Path) -> None:
    make, number = FORMS[form]
    file = tmp_path / "large.yaml"
    file.write_text(make(4 * number), encoding="utf-8")
    graph = archspec.compile(load(file))
    for name, action in ACTIONS.items():
        assert _seconds(action, graph, file) < allowed(1.5), name
