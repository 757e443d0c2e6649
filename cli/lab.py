"""``archspec lab``: the experiments, each a grid of trainings with a folder of results."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from archspec.diagnostics import Diagnostic, cut
from archspec.lab.experiments.experiment import Experiment
from archspec.lab.experiments.experiments import EXPERIMENTS, by_name

from . import lab_options, options
from .interrupts import resumable
from .lab_help import LabCommand
from .lab_text import put_list, put_results
from .progress import Step, leave_lost_folder, progress
from .render import show
from .streams import put_json

if TYPE_CHECKING:
    from archspec.lab.cells import GridProgress
    from archspec.lab.results.results import Results

ENVIRONMENT = 3


@click.command("lab", cls=LabCommand)
@click.argument("name", metavar="[NAME]", required=False, type=options.Word("experiment", by_name()))
@click.argument("specs", metavar="[SPEC]...", nargs=-1, shell_complete=options.complete_spec)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="FOLDER",
    help="Write the results to this folder. The same command again completes an experiment that ended early.",
)
@click.option("--list", "listing", is_flag=True, help="List the experiments, as the command without a NAME does.")
@click.option(
    "--smallest",
    is_flag=True,
    help="Run in seconds, with one epoch and two seeds, to see what an experiment writes.",
)
@lab_options.common
@lab_options.own
@options.reading
@options.form("text", "json")
def command(
    name: str | None,
    specs: tuple[str, ...],
    folder: str | None,
    listing: bool,
    smallest: bool,
    common: dict[str, Any],
    own: dict[str, Any],
    reading: options.Reading,
    form: str,
) -> int:
    """Run an experiment: train a grid of networks, compare them, and write tables, figures and a report.

    Without a NAME, the command lists the experiments. The folder gets `results.json`, a `.csv` for each table, figures
    as SVG and PNG, and `report.md`, which says in words what came out and what did not. The report judges each claim of
    the literature by its effect over the seeds: it agrees, disagrees, or cannot be resolved with this data.

    `archspec lab NAME --help` shows an example of one experiment, and only its options. With `--format json`, the
    command prints the content of `results.json`.

    The data and the networks are small by default, so that every experiment takes a few minutes on two cores.

    \b
    Examples:
      archspec lab
      archspec lab lesion --help
      archspec lab degradation -o degradation --jobs 2
      archspec lab ablate --preset shortcuts -o shortcuts --jobs 2
      archspec lab ablate mine.yaml --over norm=batch,none --data cifar10:cifar -o norms
    """
    if name is None or listing:
        _list(specs, folder, form)
        return 0
    experiment = by_name()[name]
    if folder is None:
        raise click.UsageError(f"`archspec lab {name}` writes a folder; name it with `-o FOLDER`")
    if not folder:
        raise click.UsageError("`-o` takes the name of a folder, and not an empty text")
    if len(specs) > 1 and experiment.specs == "one":
        raise click.UsageError(f"`{name}` takes one SPEC, got {len(specs)}")
    own = lab_options.chosen(experiment, own)
    leave_lost_folder()
    usual = experiment.smallest_with(own, specs) if smallest else {}
    varied = {text.partition("=")[0].strip() for text in own.get("over", ())}  # these are not the usual ones
    own_keys = [each for each in usual.pop("overrides", ()) if each.partition("=")[0] not in varied]
    overrides = [*own_keys, *reading.settings]
    trainer = {name: value for name, value in usual.pop("trainer", {}).items() if name not in varied}
    trainer |= common.pop("trainer", {})
    how = {**usual, **own, **common, "trainer": trainer, "folder": folder, "overrides": overrides}
    how |= {"allow_outside": reading.allow_outside, "limits": reading.limits}
    results, remarks = _run(experiment, specs, how)
    show(remarks)
    if form == "json":
        put_json(results.as_data())
    else:
        put_results(results, folder)
    return ENVIRONMENT if any(not lost.diverged for lost in results.lost) else 0


def _list(specs: tuple[str, ...], folder: str | None, form: str) -> None:
    if specs or folder:
        raise click.UsageError(f"name an experiment: {', '.join(by_name())}")
    if form == "json":
        put_json({"experiments": [each.as_data() for each in EXPERIMENTS]})
    else:
        put_list(EXPERIMENTS)


def _run(experiment: Experiment, specs: tuple[str, ...], how: dict[str, Any]) -> tuple[Results, list[Diagnostic]]:
    """The results of an experiment, and what is to be said about its runs."""
    given: list[Any] = [options.source(each) if each == options.STDIN else each for each in specs]
    spec = given if experiment.specs == "several" else given[0] if given else None
    remarks: list[Diagnostic] = []
    seen: list[GridProgress] = []

    def advice() -> str:
        kept = f"; `{cut(how['folder'])}` keeps what is done, {seen[-1].done} of {seen[-1].total} runs" if seen else ""
        return f"run the same command again to continue{kept}."

    with contextlib.ExitStack() as stack, resumable(advice):
        draw = _bar(stack)

        def tell(grid: GridProgress) -> None:
            seen[:] = [grid]
            draw(grid)

        results = experiment.load()(spec, **how, progress=tell, remark=remarks.append)
    return results, remarks


def _bar(stack: contextlib.ExitStack) -> Callable[[GridProgress], None]:
    """What draws a bar of the runs: as long as ``stack`` is open, from the first call on."""
    steps: list[Step] = []
    drawn = 0

    def tell(grid: GridProgress) -> None:
        nonlocal drawn
        if not steps:
            steps.append(stack.enter_context(progress(grid.total)))
        left = f", about {max(1, round(grid.left / 60))} min left" if grid.left else ""
        while drawn <= min(grid.done, grid.total - 1):
            steps[0](f"{grid.done} of {grid.total} runs{left}")
            drawn += 1

    return tell
