"""``archspec test``: whether specs meet what they expect, and torch builds and runs what they describe."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from archspec.diagnostics import Diagnostic, EnvironmentFault, Source, SpecError, cut
from archspec.files import replacing, unwritable
from archspec.language.text.files import decode
from archspec.language.text.locate import zoo_names
from archspec.testing.harness import LARGEST, LEVELS, Level, has_torch
from archspec.testing.update import Update

from . import options
from .attempt import attempt, status_of
from .findings import put_findings
from .progress import leave_lost_folder, progress
from .render import Terminal, show
from .suite_run import Request, Tested, test_all
from .suite_select import Selected, selection
from .suite_text import Text, findings, junit, put_as_json

BOM = b"\xef\xbb\xbf"


def _selection(ctx: click.Context, param: click.Parameter, value: str | None) -> Selected:
    if value is None:
        return lambda path: True
    try:
        return selection(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write words of a path, as in 'resnet and not wide'") from None


@click.command("test", cls=options.SpecCommand)
@click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=options.complete_spec)
@click.option(
    "--level",
    type=options.Word("level", LEVELS),
    help="How far to test each spec. `check` does not need torch. `build` has torch confirm every shape and weight. "
    "`run` initializes and runs the network. The default is `run`, or `check` without torch.",
)
@click.option(
    "-k",
    "selected",
    metavar="EXPRESSION",
    callback=_selection,
    help="Test only specs whose path has these words, such as 'resnet and not (wide or v2)'.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="The number of processes."
)
@click.option("--update", is_flag=True, help="Write measured values in place of wrong expectations.")
@click.option(
    "--largest",
    type=click.IntRange(0),
    default=LARGEST,
    show_default=True,
    metavar="N",
    help="Only run networks with at most this many parameters.",
)
@options.reading
@options.form("text", "junit", "json", "sarif", "github")
def command(
    paths: tuple[str, ...],
    level: Level | None,
    selected: Selected,
    jobs: int,
    update: bool,
    largest: int,
    reading: options.Reading,
    form: str,
) -> int:
    """Test what specs expect, and that torch builds and runs what they describe.

    A PATH is a spec, the name of a spec that ships with archspec, or a folder. A folder gives all specs in it and in
    the folders below. Without a PATH, the command tests the current folder. It first checks each spec like `archspec
    check`. If torch is installed, it then builds the network, compares every shape and weight with the inferred ones,
    initializes the weights twice from one seed, saves and loads them, and runs the network forward and backward.

    --update writes measured values in place of wrong expectations, and shows the changes. Comments and layout stay,
    rounded figures stay rounded, and bounds do not change. A spec without `expect` gets one.

    `--format junit` is for continuous integration, and `sarif` for code scanners and editors. `github` annotates the
    files of a pull request.

    \b
    Examples:
      archspec test
      archspec test specs -k 'resnet and not wide' --jobs 4
      archspec test specs --level check --format junit > results.xml
      archspec test mine.yaml --update
    """
    if level not in (None, "check") and not has_torch():
        help = "pip install 'archspec-compiler[torch]'"
        raise EnvironmentFault(Diagnostic("E809", f"--level {level} needs torch, which is not installed", help=help))
    if update and reading.overrides:
        raise click.UsageError("--update cannot be used with --set: the figures would be those of another network")
    named = list(options.references(paths or (os.curdir,)))
    if update and (strangers := [name for name in named if name == options.STDIN or name in zoo_names()]):
        raise click.UsageError(f"--update needs a file to write, and `{cut(strangers[0])}` is not a path")
    names = list(dict.fromkeys(name for name in named if selected(name)))
    if not names:
        raise click.UsageError(f"-k selects none of the {len(named)} specs")
    requests = [Request(name, level or "run", reading, largest, update, _standard_input(name)) for name in names]
    begun, status, text = time.monotonic(), 0, Text()
    watched = form == "text" and not Terminal.of(sys.stderr).person
    found: list[Tested] = []
    for tested in _with_progress(requests, jobs):
        if update and tested.update and tested.update.changed:
            status = max(status, _write(tested.update))
        found.append(tested)
        if watched:
            text.put(tested)
    if form in ("json", "junit"):
        (put_as_json if form == "json" else junit)(found)
    elif form != "text":
        put_findings(form, findings(found))
    else:
        for tested in [] if watched else found:  # a line would break the progress bar
            text.put(tested)
        text.finish(time.monotonic() - begun)
    return max([status, *(status_of(tested.outcome.diagnostics) for tested in found)])


def _standard_input(name: str) -> Source | None:
    """The text of standard input, if ``name`` means it: no other process can read it."""
    with contextlib.suppress(SpecError):  # the test reports what cannot be read
        return options.source(name) if name == options.STDIN else None
    return None


def _with_progress(requests: list[Request], jobs: int) -> Iterator[Tested]:
    if has_torch():
        leave_lost_folder()
    with progress(len(requests)) as step:
        step(requests[0].reference)
        for number, tested in enumerate(test_all(requests, jobs), start=1):
            yield tested
            if number < len(requests):
                step(requests[number].reference)


def _write(update: Update) -> int:
    """Write the new text of a spec. Returns the exit status, which is not 0 if that fails."""
    _, faults = attempt(update.source.name, lambda: _replace(update))
    if faults:
        show(faults)
    return status_of(faults)


def _replace(update: Update) -> None:
    path = Path(update.source.path or update.source.name)
    with replacing(path, force=True) as temporary:
        data = path.read_bytes()
        if decode(data, update.source.name).text != update.source.text:
            raise unwritable(path, "it has changed since it was read")
        temporary.write_bytes((BOM if data.startswith(BOM) else b"") + update.text.encode("utf-8"))
