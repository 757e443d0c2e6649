"""What the commands share: how a spec is named, read and changed, and what is said of one that is refused."""

from __future__ import annotations

import functools
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import click

import archspec
from archspec.diagnostics import Diagnostic, EnvironmentFault, Source, SpecError, cut, did_you_mean
from archspec.graph.graph import Graph, Limits
from archspec.language.spec import Spec
from archspec.language.text.files import ReadLimits, decode
from archspec.language.text.locate import open_spec, zoo_names
from archspec.testing.find import find_specs, find_yaml, is_spec

from .render import DiagnosticPrinter, put_json
from .signals import end_if_asked
from .spelling import as_json

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from archspec import Outcome

F = TypeVar("F", bound=Callable[..., Any])

STDIN = "-"
LIMITS = ("nodes", "elements")

_SHAPE = re.compile(r"[1-9][0-9]{0,8}(?:x[1-9][0-9]{0,8}){1,3}", re.ASCII)
_PLAIN = re.compile(r"[\w.+-]+", re.ASCII)  # what a shell takes as it stands


class SpecCommand(click.Command):
    """A command that reads specs. A spec that is refused gives exit status 1, an environment that lacks something 3."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter:
            hint = "name a path, a spec that `archspec list` shows, or `-` for standard input"
            raise click.UsageError(f"no SPEC is given; {hint}", ctx) from None

    def invoke(self, ctx: click.Context) -> int:
        try:
            return int(super().invoke(ctx) or 0)
        except SpecError as error:
            found, status = error.diagnostics, 1
        except EnvironmentFault as error:
            found, status = (error.diagnostic,), 3
        end_if_asked()  # else a fault may be what became of a signal
        named = ctx.params.get("spec") or " ".join(ctx.params.get("specs", ()))
        refuse(found, str(named), str(ctx.params.get("form", "")))
        return status


def refuse(diagnostics: Iterable[Diagnostic], spec: str, form: str) -> None:
    """Say why there is no result: on standard error, or as JSON on standard output."""
    if form == "json":
        put_json({"spec": spec, "valid": False, "diagnostics": as_json(diagnostics)})
    else:
        show(diagnostics)


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Diagnostics on standard error, with their count."""
    report = DiagnosticPrinter()
    report.add(diagnostics)
    report.finish()


# -- specs -----------------------------------------------------------------------------------------------------------


def source(reference: str) -> Source:
    """The text of a spec on the command line: a path, a name of the zoo, or ``-`` for standard input.

    Raises:
        SpecError: there is no such spec, it is a folder, or its file cannot be read.
    """
    if reference == STDIN:
        return _standard_input()
    if _is_folder(reference):
        raise SpecError([_of_folder(reference)])
    return open_spec(reference)


def _of_folder(folder: str) -> Diagnostic:
    """Why a folder cannot be read as a spec."""
    shown = cut(folder)
    try:
        os.listdir(folder)  # noqa: PTH208  # what cannot be listed seems to be empty when it is searched
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        return Diagnostic("E804", f"the folder `{shown}` cannot be read: {reason}")
    passed = 0
    for path in find_yaml(folder):
        if is_spec(path):
            help = f"name a spec in it; `{shlex.join(['archspec', 'check', shown])}` checks them all"
            return Diagnostic("E803", f"`{shown}` is a folder", help=help)
        passed += 1
    if passed:
        files = f"{passed:,} files of YAML there have" if passed > 1 else "1 file of YAML there has"
        help = f"{files} no `archspec:` at the top; a file that is named itself is always read"
    else:
        help = "a spec ends in `.yaml` or `.yml`; folders below are searched too, and hidden ones are not"
    return Diagnostic("E803", f"the folder `{shown}` holds no specs", help=help)


def _standard_input() -> Source:
    if sys.stdin is None:
        raise SpecError([Diagnostic("E804", "standard input is closed")])
    try:
        data = sys.stdin.buffer.read(ReadLimits().bytes + 1)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise SpecError([Diagnostic("E804", f"standard input cannot be read: {reason}")]) from None
    return decode(data, "<stdin>", kind="standard input")


def references(specs: Iterable[str]) -> Iterator[str]:
    """What a command that takes several specs reads: each of them, and for a folder the specs in it and below.

    A folder without specs is kept, and :func:`source` says what is wrong with it.
    """
    if tuple(specs).count(STDIN) > 1:
        raise click.UsageError("standard input can be read only once")
    for reference in specs:
        yield from (find_specs(reference) if _is_folder(reference) else []) or [reference]


def _is_folder(reference: str) -> bool:
    try:
        return reference not in ("", STDIN, *zoo_names()) and Path(reference).is_dir()
    except (OSError, ValueError):
        return False


class Reading(NamedTuple):
    """How a command reads its specs: what ``--set``, ``--allow-outside`` and ``--limit`` say."""

    overrides: tuple[str, ...]
    allow_outside: bool
    limits: Limits

    @property
    def settings(self) -> list[Source]:
        """The values of ``--set``, as diagnostics point into them."""
        return [Source("--set", text, "override") for text in self.overrides]

    def load(self, reference: str) -> Spec:
        return archspec.load(source(reference), overrides=self.settings, allow_outside=self.allow_outside)

    def compile(self, reference: str) -> Graph:
        return archspec.compile(self.load(reference), limits=self.limits)

    def check(self, reference: str, text: Source | None = None, **how: Any) -> Outcome:
        """What is found of one spec, also where it cannot be read. ``text`` is its text, if that was read already."""
        from archspec.testing.harness import refused  # few commands check specs

        try:
            given = text or source(reference)
        except SpecError as error:
            name, path = ("<stdin>", None) if reference == STDIN else (reference, reference)
            return refused(reference, Source(name, "", path=path), error.diagnostics)
        return replace(archspec.check(given, **{**self._asdict(), "overrides": self.settings}, **how), spec=reference)


# -- options ---------------------------------------------------------------------------------------------------------


class Word(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """One of a few words. The answer to any other word names the nearest, or all of them."""

    def __init__(self, name: str, words: Iterable[str]) -> None:
        self.name = name
        self.words = tuple(words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self.words:
            return value
        hint = did_you_mean(str(value), self.words) or f"there are {', '.join(self.words)}"
        raise click.UsageError(f"there is no {self.name} `{cut(value)}`; {hint}", ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem  # only for completion

        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


def complete_spec(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the zoo and specs of this folder; files of any folder once a path is begun."""
    from click.shell_completion import CompletionItem  # only for completion

    names = [name for name in zoo_names() if name.startswith(incomplete)]
    if os.sep in incomplete or not names:
        return [CompletionItem(incomplete, type="file")]
    try:
        here = sorted(path.name for path in Path().glob("*.yaml") if _PLAIN.fullmatch(path.name))
    except OSError:
        here = []
    return [CompletionItem(name) for name in (*names, *here) if name.startswith(incomplete)]


def _shape(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not _SHAPE.fullmatch(value):
        raise click.BadParameter("a shape is channels and one to three sizes of at least 1, as in `3x320x320`")
    return tuple(map(int, value.split("x")))


def _limits(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> Limits:
    found: dict[str, int] = {}
    for value in values:
        name, _, number = value.partition("=")
        if name not in LIMITS:
            hint = did_you_mean(name, LIMITS)
            words = " and ".join(f"`{word}`" for word in LIMITS)
            raise click.BadParameter(f"no limit is called `{cut(name)}`; {hint or f'there are {words}'}")
        try:
            found[name] = int(number)
        except ValueError:
            raise click.BadParameter(f"`{cut(value)}` has no whole number; write `--limit {name}=N`") from None
        if found[name] < 1:
            raise click.BadParameter(f"`{name}` is at least 1")
    return Limits(**found)


def spec(function: F) -> F:
    return click.argument("spec", metavar="SPEC", shell_complete=complete_spec)(function)


def specs(function: F) -> F:
    return click.argument("specs", metavar="SPEC...", nargs=-1, required=True, shell_complete=complete_spec)(function)


def reading(function: F) -> F:
    """``--set``, ``--allow-outside`` and ``--limit``, which reach the command together as a :class:`Reading`."""

    @click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a value of the spec, such as `--set stages.groups=32`; may be repeated.",
    )
    @click.option(
        "--allow-outside", is_flag=True, help="Let `extends` and `import` read files outside the spec's folder."
    )
    @click.option(
        "--limit",
        "limits",
        multiple=True,
        metavar="NAME=N",
        callback=_limits,
        help="Raise or lower a limit: `nodes=N` of the network, `elements=N` of a value or of all weights.",
    )
    @functools.wraps(function)
    def command(*, overrides: tuple[str, ...], allow_outside: bool, limits: Limits, **others: Any) -> Any:
        return function(reading=Reading(overrides, allow_outside, limits), **others)

    return cast(F, command)


def shape(function: F) -> F:
    return click.option(
        "--input", "shape", metavar="CxHxW", callback=_shape, help="Another input, such as `3x320x320`."
    )(function)


def form(*choices: str) -> Callable[[F], F]:
    """``--format``; the first choice is the default."""
    return click.option(
        "--format",
        "form",
        type=Word("format", choices),
        metavar="|".join(choices),
        default=choices[0],
        show_default=True,
        help="Form of the output.",
    )
