"""What the commands share: naming, reading and changing a spec, and reporting one that is refused."""

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
from archspec.diagnostics import Diagnostic, Source, SpecError, cut, did_you_mean
from archspec.display import counted
from archspec.graph.graph import Graph
from archspec.language.spec import Spec
from archspec.language.text.files import ReadLimits, decode
from archspec.language.text.locate import SUFFIXES, open_spec, zoo_names
from archspec.testing.find import find_specs, find_yaml, is_spec
from archspec.wording import reason_of
from archspec.work import Limits

from .attempt import OF_CLICK, attempt, demand, faults_of, refuse, status_of
from .signals import end_if_asked

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from archspec import Outcome

F = TypeVar("F", bound=Callable[..., Any])

STDIN = "-"
LIMITS = ("nodes", "elements", "work")

_SHAPE = re.compile(r"[1-9][0-9]{0,8}(?:x[1-9][0-9]{0,8}){1,3}", re.ASCII)
_PLAIN = re.compile(r"[\w.+-]+", re.ASCII)  # a shell needs no quotes for it


class SpecCommand(click.Command):
    """A command that reads specs. It exits with 1 for a refused spec, and with 3 if the environment is at fault."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _refuse_file_as_option(ctx, args)
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter:
            hint = "give a path, a name from `archspec list`, or `-` for standard input"
            raise click.UsageError(f"SPEC is missing; {hint}", ctx) from None

    def invoke(self, ctx: click.Context) -> int:
        named = str(ctx.params.get("spec") or " ".join(ctx.params.get("specs", ())))
        try:
            return int(super().invoke(ctx) or 0)
        except (*OF_CLICK, OSError, MemoryError):  # an output that cannot be written, and no memory to say more
            raise
        except Exception as error:
            end_if_asked()  # a signal may have caused the fault
            found = faults_of(error, named)
        refuse(found, named, str(ctx.params.get("form", "")))
        return status_of(found)


def _refuse_file_as_option(ctx: click.Context, args: list[str]) -> None:
    """Refuse the name of a file that would be read as options, such as `-x.yaml` from `*.yaml`."""
    before = args[: args.index("--")] if "--" in args else args
    for name in before:
        if name.startswith("-") and name.endswith(SUFFIXES) and os.path.lexists(name):
            hint = f"write `{shlex.quote(os.path.join(os.curdir, name))}`, or `--` before the names of files"  # noqa: PTH118  # pathlib drops the dot
            raise click.UsageError(f"the name of the file `{cut(name)}` begins with `-`, as options do; {hint}", ctx)


# -- specs -----------------------------------------------------------------------------------------------------------


def source(reference: str) -> Source:
    """The text of a spec on the command line: a path, a zoo name, or ``-`` for standard input.

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
        os.listdir(folder)  # noqa: PTH208  # a search takes a folder that it cannot list for an empty one
    except OSError as error:
        return Diagnostic("E804", f"the folder `{shown}` cannot be read: {reason_of(error)}")
    found = list(find_yaml(folder))
    if any(map(is_spec, found)):
        help = f"name a spec in it; `{shlex.join(['archspec', 'check', shown])}` checks them all"
        return Diagnostic("E803", f"`{shown}` is a folder", help=help)
    if found:
        files = f"{counted(len(found), 'YAML file')} there {'has' if len(found) == 1 else 'have'}"
        help = f"{files} no `archspec:` at the top; name a file to read it anyway"
    else:
        help = "the name of a spec ends in `.yaml` or `.yml`; hidden files and folders are not searched"
    return Diagnostic("E803", f"the folder `{shown}` contains no specs", help=help)


def _standard_input() -> Source:
    if sys.stdin is None:
        raise SpecError([Diagnostic("E804", "standard input is closed")])
    try:
        data = sys.stdin.buffer.read(ReadLimits().bytes + 1)
    except OSError as error:
        raise SpecError([Diagnostic("E804", f"standard input cannot be read: {reason_of(error)}")]) from None
    return decode(data, "<stdin>", kind="standard input")


def references(specs: Iterable[str]) -> Iterator[str]:
    """The specs that a command reads. A folder gives the specs in it and in the folders below.

    A folder without specs stays in the list, and :func:`source` reports it.
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
    """How a command reads its specs: the values of ``--set``, ``--allow-outside`` and ``--limit``."""

    overrides: tuple[str, ...]
    allow_outside: bool
    limits: Limits

    @property
    def settings(self) -> list[Source]:
        """The values of ``--set``, as sources that diagnostics can point into."""
        return [Source("--set", text, "override") for text in self.overrides]

    def load(self, reference: str) -> Spec:
        return demand(reference, lambda: self._load(reference))

    def compile(self, reference: str) -> Graph:
        return demand(reference, lambda: archspec.compile(self._load(reference), limits=self.limits))

    def _load(self, reference: str) -> Spec:
        return archspec.load(
            source(reference), overrides=self.settings, allow_outside=self.allow_outside, limits=self.limits
        )

    def check(self, reference: str, text: Source | None = None, **how: Any) -> Outcome:
        """Check one spec, even one that cannot be read or that archspec fails on. ``text`` is its text, if known."""
        from archspec.testing.harness import refused  # only some commands check specs

        def checked() -> Outcome:
            settings = {**self._asdict(), "overrides": self.settings}
            return archspec.check(text or source(reference), **settings, **how)

        outcome, faults = attempt(reference, checked)
        name, path = ("<stdin>", None) if reference == STDIN else (reference, reference)
        return replace(outcome or refused(reference, Source(name, "", path=path), faults), spec=reference)


# -- options ---------------------------------------------------------------------------------------------------------


class Word(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """One of a few words, of an ``option`` or of a kind of things. An error names the nearest, or all of them."""

    def __init__(self, name: str, words: Iterable[str], option: str = "") -> None:
        self.name, self.option = name, option
        self.words = tuple(words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self.words:
            return value
        near, words = did_you_mean(str(value), self.words), ", ".join(self.words)
        told = f"`{self.option}` takes one of {words}, not" if self.option else f"there is no {self.name}"
        more = near or ("" if self.option else f"the {self.name}s are {words}")
        raise click.UsageError(f"{told} `{cut(value)}`{more and f'; {more}'}", ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "|".join(self.words)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem  # only for completion

        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


def complete_spec(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The zoo names and the specs in this folder. After a path separator, the shell completes files."""
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
        raise click.BadParameter("a shape has channels and one to three sizes, each at least 1, as in `3x320x320`")
    return tuple(map(int, value.split("x")))


def _seed(ctx: click.Context, param: click.Parameter, value: int | None) -> int | None:
    if value is not None and not 0 <= value < 2**63:
        raise click.BadParameter("a seed is a whole number from 0 to 2^63 - 1")
    return value


def _limits(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> Limits:
    found: dict[str, int] = {}
    for value in values:
        name, _, number = value.partition("=")
        if name not in LIMITS:
            hint = did_you_mean(name, LIMITS) or "the limits are `nodes`, `elements` and `work`"
            raise click.BadParameter(f"there is no limit `{cut(name)}`; {hint}")
        try:
            found[name] = int(number)
        except ValueError:
            raise click.BadParameter(f"`{cut(value)}` does not give a whole number; write `--limit {name}=N`") from None
        if found[name] < 1:
            raise click.BadParameter(f"`{name}` must be at least 1, got {found[name]}")
    return Limits(**found)


def spec(function: F) -> F:
    return click.argument("spec", metavar="SPEC", shell_complete=complete_spec)(function)


def specs(function: F) -> F:
    return click.argument("specs", metavar="SPEC...", nargs=-1, required=True, shell_complete=complete_spec)(function)


def reading(function: F) -> F:
    """``--set``, ``--allow-outside`` and ``--limit``. The command gets them together, as a :class:`Reading`."""

    @click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a value of the spec, such as `classes=10`. You can repeat this option.",
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
        help="Change a limit: `nodes=N` in the network, `elements=N` in one value or in all weights, `work=N` steps "
        "to compile it.",
    )
    @functools.wraps(function)
    def command(*, overrides: tuple[str, ...], allow_outside: bool, limits: Limits, **others: Any) -> Any:
        return function(reading=Reading(overrides, allow_outside, limits), **others)

    return cast(F, command)


def input(function: F) -> F:
    text = "The shape of the input, such as `3x320x320`, instead of the spec's."
    return click.option("--input", metavar="CxHxW", callback=_shape, help=text)(function)


def seed(default: int | None, help: str) -> Callable[[F], F]:
    """``--seed``; without a default, torch's own generator is used."""
    return click.option(
        "--seed", type=int, metavar="N", callback=_seed, default=default, show_default=default is not None, help=help
    )


def form(*choices: str) -> Callable[[F], F]:
    """``--format``; the first choice is the default."""
    kind = Word("format", choices)
    return click.option("--format", "form", type=kind, default=choices[0], show_default=True, help="The output format.")
