"""What the commands share: how a spec is named, read and changed, and what is said of one that is refused."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import archspec
from archspec.diagnostics import Diagnostic, EnvironmentFault, Source, SpecError, cut, did_you_mean
from archspec.graph.graph import Limits
from archspec.language.files import ReadLimits, decode
from archspec.language.locate import open_spec, zoo_names
from archspec.language.spec import Spec

from .render import Report, as_json, put_json

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

STDIN = "-"
LIMITS = ("nodes", "elements")

_PLAIN = re.compile(r"[\w.+-]+", re.ASCII)  # what a shell takes as it stands


class SpecCommand(click.Command):
    """A command that reads specs. A spec that is refused gives exit status 1, an environment that lacks something 3."""

    def invoke(self, ctx: click.Context) -> int:
        try:
            return int(super().invoke(ctx) or 0)
        except SpecError as error:
            found, status = error.diagnostics, 1
        except EnvironmentFault as error:
            found, status = (error.diagnostic,), 3
        refuse(found, str(ctx.params.get("spec", "")), str(ctx.params.get("form", "")))
        return status


def refuse(diagnostics: Iterable[Diagnostic], spec: str, form: str) -> None:
    """Say why there is no result: on standard error, or as JSON on standard output."""
    if form == "json":
        put_json({"spec": spec, "valid": False, "diagnostics": [as_json(diagnostic) for diagnostic in diagnostics]})
        return
    report = Report()
    report.add(diagnostics)
    report.finish()


def warn(diagnostics: Iterable[Diagnostic]) -> None:
    """Show warnings on standard error."""
    report = Report()
    report.add(diagnostics)
    report.finish()


# -- specs -----------------------------------------------------------------------------------------------------------


def source(reference: str) -> Source:
    """The text of a spec on the command line: a path, a name of the zoo, or ``-`` for standard input.

    Raises:
        SpecError: there is no such spec, or its file cannot be read.
    """
    if reference != STDIN:
        return open_spec(reference)
    if sys.stdin is None:
        raise SpecError([Diagnostic("E804", "standard input is closed")])
    try:
        data = sys.stdin.buffer.read(ReadLimits().bytes + 1)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise SpecError([Diagnostic("E804", f"standard input cannot be read: {reason}")]) from None
    return decode(data, "<stdin>")


def folder(reference: str) -> list[str] | None:
    """The paths of the specs directly in a folder; None where ``reference`` is none.

    Raises:
        SpecError: E801, the folder has no specs; E804, it cannot be read.
    """
    path = Path(reference)
    try:
        if reference in zoo_names() or not path.is_dir():
            return None
        found = sorted(str(each) for each in path.iterdir() if each.suffix == ".yaml" and not each.name.startswith("."))
    except ValueError:
        return None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise SpecError([Diagnostic("E804", f"the folder `{cut(reference)}` cannot be read: {reason}")]) from None
    if not found:
        raise SpecError([Diagnostic("E801", f"the folder `{cut(reference)}` has no `*.yaml` files")])
    return found


def load(source: Source, overrides: Iterable[str], allow_outside: bool) -> Spec:
    return archspec.load(source, overrides=overrides, allow_outside=allow_outside)


# -- options ---------------------------------------------------------------------------------------------------------


def complete_spec(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the zoo and specs of this folder; files of any folder once a path is begun."""
    from click.shell_completion import CompletionItem

    names = [name for name in zoo_names() if name.startswith(incomplete)]
    if os.sep in incomplete or not names:
        return [CompletionItem(incomplete, type="file")]
    try:
        here = sorted(path.name for path in Path().glob("*.yaml") if _PLAIN.fullmatch(path.name))
    except OSError:
        here = []
    return [CompletionItem(name) for name in (*names, *here) if name.startswith(incomplete)]


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


def overrides(function: F) -> F:
    """``--set`` and what else changes how a spec is read."""
    setting = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a value of the spec, such as `--set stages.groups=32`; may be repeated.",
    )
    outside = click.option(
        "--allow-outside", is_flag=True, help="Let `extends` and `import` read files outside the spec's folder."
    )
    return setting(outside(function))


def limits(function: F) -> F:
    option = click.option(
        "--limit",
        "limits",
        multiple=True,
        metavar="NAME=N",
        callback=_limits,
        help="Raise or lower a limit: `nodes=N` of the network, `elements=N` of a value or of the weights.",
    )
    return option(function)


def form(*choices: str) -> Callable[[F], F]:
    """``--format``; the first choice is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Form of the output.",
    )
