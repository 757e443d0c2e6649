"""``archspec diff``: the differences between two networks, and the weights that fit both."""

from __future__ import annotations

import click

import archspec
from archspec.analysis.diff_text import difference_text

from . import options
from .attempt import attempt, refuse, status_of
from .streams import put_json
from .tables import put_blocks


@click.command("diff", cls=options.SpecCommand)
@click.argument("spec", metavar="SPEC", shell_complete=options.complete_spec)
@click.argument("other", metavar="[OTHER]", required=False, shell_complete=options.complete_spec)
@options.reading
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the networks differ, like `git diff`.")
@options.form("text", "json")
def command(spec: str, other: str | None, reading: options.Reading, exit_code: bool, form: str) -> int:
    """Show the differences between two specs: keys, stages, costs, and the weights that fit both.

    The command compares the networks, so two specs can be equal even if their texts differ. --set changes the second
    spec. With only one spec, the command compares it with itself after --set.

    \b
    Examples:
      archspec diff resnet50 resnext50_32x4d
      archspec diff resnet50 --set classes=10
      archspec diff mine.yaml resnet50 --exit-code
    """
    if other is None and not reading.overrides:
        raise click.UsageError("name a second spec, or change the first one with --set")
    if spec == options.STDIN and other in (None, options.STDIN):
        raise click.UsageError("standard input can be read only once")
    before, faults = attempt(spec, lambda: reading._replace(overrides=()).compile(spec))
    after, more = attempt(other or spec, lambda: reading.compile(other or spec))
    if before is None or after is None:
        refused = dict.fromkeys((*faults, *more))  # a fault of the only spec comes once
        refuse(refused, spec if before is None else other or spec, form)
        return status_of(refused)
    found = archspec.diff(before, after)
    changed = " ".join([other or spec, *(f"--set {setting}" for setting in reading.overrides)])
    if form == "json":
        put_json({"specs": {"before": spec, "after": changed}, **found.as_data()})
    else:
        put_blocks(difference_text(found, spec, changed))
    return int(exit_code and bool(found))
