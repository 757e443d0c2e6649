"""What a grid of cells costs, beside the work of its cells."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

from archspec.lab.cells import Cell, GridProgress, run_cells
from tests.tools.benchmarks.measure import Case

CELLS = 15


def cases() -> Iterator[Case]:
    """Every ratio that a grid has to reach."""
    loop = "calling the function in a loop"
    yield Case("cells", "a cell of 100 ms, in a process of the engine `local`", loop, 1.1, in_a_process, in_a_loop)
    yield Case(
        "cells-done", "reading the file of a cell that is done", "a cell of 100 ms", 0.01, reading, in_a_loop
    )  # fmt: skip


def work(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """A cell of about 100 ms, in this process's own time."""
    end, total = time.thread_time() + 0.1, 0
    while time.thread_time() < end:
        total += 1
    return {"number": inputs["number"]}


def grid() -> list[Cell]:
    return [Cell(f"{__name__}:work", {"number": number}) for number in range(CELLS)]


def in_a_loop(number: int) -> float:
    begin = time.perf_counter()
    for cell in range(CELLS):
        work({"number": cell})
    return (time.perf_counter() - begin) / CELLS


def in_a_process(number: int) -> float:
    """Seconds a cell, from the end of the first one: the start of the process is paid once for a grid."""
    ends: list[float] = []

    def note(progress: GridProgress) -> None:
        ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        run_cells(grid(), folder, jobs=1, progress=note)
    return (ends[-1] - ends[1]) / (CELLS - 1)


def reading(number: int) -> float:
    folder = tempfile.mkdtemp()
    try:
        run_cells(grid(), folder, jobs=0)
        begin = time.perf_counter()
        run_cells(grid(), folder)
        return (time.perf_counter() - begin) / CELLS
    finally:
        shutil.rmtree(folder)
