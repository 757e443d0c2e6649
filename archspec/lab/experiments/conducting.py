"""Running an experiment: from what is asked to results, and to a folder that has them."""

from __future__ import annotations

import dataclasses
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from archspec import arguments
from archspec.diagnostics import Diagnostic, EnvironmentFault, cut
from archspec.lab.cells import Cell, CellOutcome, run_cells
from archspec.lab.data import Data, load_data
from archspec.lab.experiments.inquiry import Inquiry, Manner
from archspec.lab.results.folder import CELLS, check_folder, write_results
from archspec.lab.results.results import Circumstances, Results
from archspec.lab.training.loop import refuse_batch
from archspec.wording import brief

PACKAGES = ("archspec-compiler", "torch", "numpy", "scikit-learn")


class Plan(NamedTuple):
    """The cells of an experiment, and what makes results of their outcomes, which come in the same order.

    ``warnings`` are about what is asked.
    """

    cells: Sequence[Cell]
    summarize: Callable[[Sequence[CellOutcome]], Results]
    warnings: Sequence[Diagnostic] = ()

    def __repr__(self) -> str:
        return brief(self)


def conduct(asked: tuple[Inquiry, Manner], plan: Callable[[Inquiry, Data], Plan]) -> Results:
    """Run an experiment: plan its cells, have an engine work on them, summarize, and write the folder.

    ``asked`` is what :func:`archspec.lab.experiments.asking.ask` gives.

    A run that ends early leaves the cells that are done, and the same call continues.

    Raises:
        SpecError: the spec, the data or the engine is refused.
        EnvironmentFault: a file cannot be written, a package is missing, or the folder has something else.
    """
    inquiry, manner = asked
    folder = None if manner.folder is None else Path(arguments.path(manner.folder, "folder"))
    if folder:
        check_folder(folder)
    data = load_data(inquiry.data, size=inquiry.size)
    planned = plan(inquiry, data)
    for cell in planned.cells:
        if "settings" in cell.inputs and not cell.inputs.get("weights"):
            refuse_batch(cell.inputs["settings"]["batch"], data)
    if manner.remark:
        for warning in planned.warnings:
            manner.remark(warning)
    how: dict[str, Any] = {"engine": manner.engine, "jobs": manner.jobs, "address": manner.address}
    with _place(folder) as place:
        outcomes = run_cells(
            planned.cells,
            place,
            experiment=inquiry.experiment,
            progress=manner.progress,
            remark=manner.remark,
            **how,
        )
    results = planned.summarize(outcomes)
    if folder:
        try:
            write_results(results, folder)
        except EnvironmentFault as fault:
            kept = f"all runs are done and kept in `{cut(folder / CELLS)}`"
            help = f"make room, or remove what is in the way, and run the same again: {kept}"
            raise EnvironmentFault(dataclasses.replace(fault.diagnostic, help=help)) from None
    return results


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    """Where the cells go: the folder, or one that is removed at the end."""
    if folder:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="archspec-lab-") as made:
        yield Path(made)


def circumstances(inquiry: Inquiry, data: Data, options: Mapping[str, Any] | None = None) -> Circumstances:
    """How an experiment was run; ``options`` are what it takes beyond those of the table."""
    about = {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "input": list(data.input),
        "classes": len(data.classes),
        "train": len(data.train),
        "test": len(data.test),
    }
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in inquiry.options.items()}
    return Circumstances(
        inquiry.command,
        about,
        inquiry.settings().as_data(),
        {**plain, **(options or {})},
        tuple(range(inquiry.seeds)),
        {"python": platform.python_version(), **dict(_versions())},
    )


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:  # an extra that this data does not need
            continue
