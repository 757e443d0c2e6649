"""The folder of an experiment: whose it is, and its files, each written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import Diagnostic, EnvironmentFault, cut
from archspec.files import staging, unwritable, without_folder
from archspec.lab.results.report import report
from archspec.lab.results.results import Results

CELLS = "cells"
"""The folder in it that has a file for each run."""


def check_folder(folder: Path) -> None:
    """Refuse a folder that has something, but no runs of an experiment.

    Raises:
        EnvironmentFault: E890, it has something else; E806, it cannot be read.
    """
    try:
        if not folder.is_dir():
            if folder.exists():
                raise _occupied(folder, "it is not a folder")
            if not folder.parent.is_dir():
                raise without_folder(folder)
            return
        names = sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))
    except (OSError, ValueError) as error:
        raise unwritable(folder, error) from None
    if names and CELLS not in names:
        raise _occupied(folder, f"it contains `{cut(names[0])}`, but no runs of an experiment")


def _occupied(folder: Path, why: str) -> EnvironmentFault:
    message = f"`{cut(folder)}` cannot be the folder of an experiment: {why}"
    return EnvironmentFault(Diagnostic("E890", message, help="name a folder that is new, empty, or this experiment's"))


def write_results(results: Results, folder: Path) -> tuple[str, ...]:
    """Write the report, the tables and the figures of an experiment. Equal results give equal bytes.

    Returns:
        The names of the files, ``results.json`` first.

    Raises:
        EnvironmentFault: E806, a file cannot be written; then none that is new stays.
    """
    from archspec.lab.results.drawing import drawn  # matplotlib takes half a second

    files = {"report.md": report(results).encode()}
    files |= {f"{table.name}.csv": _csv(table.flat()) for table in results.tables}
    for plot in results.plots:
        files |= {f"{plot.name}{suffix}": data for suffix, data in drawn(plot).items()}
    files["results.json"] = _json(results.as_data())
    write_files(folder, files)
    return ("results.json", *(name for name in files if name != "results.json"))


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, in place of those that are there; the last one is there only if all others are.

    Raises:
        EnvironmentFault: E806, one cannot be written.
    """
    with staging(folder / [*files][-1], force=True) as target:
        for name, data in files.items():
            (target.parent / name).write_bytes(data)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def _csv(rows: list[list[Any]]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(
        [["" if value is None else value for value in row] for row in rows]
    )
    return stream.getvalue().encode()
