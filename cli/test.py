"""``archspec test``: that specs hold what they expect, and that torch builds and runs what they say."""

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
from .findings import put_findings
from .progress import progress, stand_somewhere
from .render import Terminal
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
        raise click.BadParameter(f"{error}; write words of paths, as in 'resnet and not wide'") from None


@click.command("test", cls=options.SpecCommand)
@click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=options.complete_spec)
@click.option(
    "--level",
    type=options.Word("level", LEVELS),
    metavar="|".join(LEVELS),
    help="How far each spec is tested: `check` needs no torch, `build` has torch confirm every shape and weight, `run` "
    "initializes and runs the network. By default `run`, as far as torch is there.",
)
@click.option(
    "-k",
    "selected",
    metavar="EXPRESSION",
    callback=_selection,
    help="Only specs whose path has these words, such as 'resnet and not (wide or v2)'.",
)
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Specs at a time.")
@click.option("--update", is_flag=True, help="Write measured values into the files, where they expect other ones.")
@click.option(
    "--largest",
    type=click.IntRange(0),
    default=LARGEST,
    show_default=True,
    metavar="N",
    help="Parameters up to which a network is run.",
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
    """Test specs: that they hold what they expect, and that torch builds and runs what they say.

    A PATH is a spec, the name of one that ships with archspec, or a folder, of which all specs are tested, also those
    in folders below. Without any, that is the current folder. Each spec is checked as `archspec check` does. With
    torch, it is then built and every shape and weight compared with what was inferred; its weights are initialized
    twice from one seed, saved and loaded, and the network is run forward and back.

    --update writes what was measured in the place of what the spec expects, and shows the change. Comments and layout
    stay, rounded figures stay rounded, and bounds are left alone. A spec without `expect` gets one.

    `--format junit` is what continuous integration shows, `sarif` is for code scanners and editors, and `github`
    annotates the files of a pull request.

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
        raise click.UsageError("--set makes another network, whose figures --update would write into this one's spec")
    named = list(options.references(paths or (os.curdir,)))
    if update and (strangers := [name for name in named if name == options.STDIN or name in zoo_names()]):
        raise click.UsageError(f"--update writes files, and `{cut(strangers[0])}` is none; name the path of one")
    names = list(dict.fromkeys(name for name in named if selected(name)))
    if not names:
        raise click.UsageError(f"-k selects none of {len(named)} specs")
    requests = [Request(name, level or "run", reading, largest, update, _standard_input(name)) for name in names]
    begun, status, text = time.monotonic(), 0, Text()
    watched = form == "text" and not Terminal.of(sys.stderr).person
    found: list[Tested] = []
    for tested in _with_progress(requests, jobs):
        if update and tested.update and tested.update.changed:
            status |= _write(tested.update)
        found.append(tested)
        if watched:
            text.put(tested)
    if form in ("json", "junit"):
        (put_as_json if form == "json" else junit)(found)
    elif form != "text":
        put_findings(form, findings(found))
    else:
        for tested in [] if watched else found:  # a line in the middle of a bar would tear it
            text.put(tested)
        text.finish(time.monotonic() - begun)
    return status or int(not all(tested.outcome.passed for tested in found))


def _standard_input(name: str) -> Source | None:
    """The text of standard input, where that is named: no other process can read it."""
    with contextlib.suppress(SpecError):  # what cannot be read is said when it is tested
        return options.source(name) if name == options.STDIN else None
    return None


def _with_progress(requests: list[Request], jobs: int) -> Iterator[Tested]:
    if has_torch():
        stand_somewhere()
    with progress(len(requests)) as step:
        step(requests[0].reference)
        for number, tested in enumerate(test_all(requests, jobs), start=1):
            yield tested
            if number < len(requests):
                step(requests[number].reference)


def _write(update: Update) -> int:
    """Write a spec's new text. The exit status, 3 where that cannot be done."""
    path = Path(update.source.path or update.source.name)
    try:
        with replacing(path, force=True) as temporary:
            data = path.read_bytes()
            if decode(data, update.source.name).text != update.source.text:
                raise unwritable(path, "it has changed since it was read")
            temporary.write_bytes((BOM if data.startswith(BOM) else b"") + update.text.encode("utf-8"))
    except EnvironmentFault as error:
        options.show([error.diagnostic])
        return 3
    return 0
