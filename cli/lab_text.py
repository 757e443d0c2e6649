"""The text of ``archspec lab``: the list of experiments, and what one of them found."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archspec.display import counted
from archspec.lab.experiments.experiment import Experiment
from archspec.screen import TextTable

from .render import Terminal
from .streams import put
from .tables import put_blocks, put_table

if TYPE_CHECKING:
    from archspec.lab.results.results import Results

MAX_ROWS = 40


def put_list(experiments: Sequence[Experiment]) -> None:
    """Print the experiments, each with its question and a command."""
    put_table([(each.name, each.summary) for each in experiments])
    put("")
    put("`archspec lab NAME -o FOLDER` runs one, such as")
    put_table([(f"archspec lab {each.example}", f"about {each.minutes:g} min") for each in experiments], indent="  ")
    put("")
    put("Next: `archspec lab NAME --help` shows the options of one experiment.")


def put_results(results: Results, folder: str) -> None:
    """Print the tables and the verdicts of an experiment, and where the rest is."""
    for table in results.tables:
        if table.brief and table.rows:
            put(table.title)
            rows = [tuple(column.title for column in table.columns), *table.texts[:MAX_ROWS]]
            how: dict[str, Any] = {"right": table.numeric, "spare": table.spare}
            put_blocks([TextTable(rows, header=True, indent="  ", fold=True, **how)])
            if len(table.rows) > MAX_ROWS:
                put(f"  and {counted(len(table.rows) - MAX_ROWS, 'row')} more, in `{table.name}.csv`")
            put("")
    if results.claims:
        put("What the literature says")
        put_table([(claim.verdict, f"{claim.statement} ({claim.source})") for claim in results.claims], indent="  ")
        put("")
    for lost in results.lost:
        put(f"no result: {lost}")
    verdicts = Counter(claim.verdict for claim in results.claims)
    said = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
    report = os.path.join(folder, "report.md")  # noqa: PTH118  # pathlib drops the dot of `./`
    put(
        Terminal.of(sys.stdout).safe(
            f"{said + '. ' if said else ''}Next: read `{report}`, which says what to look for."
        )
    )
