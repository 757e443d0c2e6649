"""The options of ``archspec build`` that say what to write, where and how, made from the table of targets."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import click

from archspec.diagnostics import Diagnostic, Source, SpecError
from archspec.emit import choosing, targets
from archspec.emit.target import Option, Target
from archspec.wording import listed

from .options import Word

F = TypeVar("F", bound=Callable[..., Any])

STDOUT = "-"


class Output(NamedTuple):
    """What to write: the file, or ``-`` for standard output; its target; and the options of the target that are set."""

    file: str
    target: Target
    options: dict[str, Any]

    @property
    def is_stdout(self) -> bool:
        return self.file == STDOUT


def output(function: F) -> F:
    """Add ``-o``, ``--to`` and the targets' options. The command gets an :class:`Output`; without ``-o``, None."""
    known = targets.options()

    @functools.wraps(function)
    def command(*, file: str | None, to: str | None, **others: Any) -> Any:
        given = {name: others.pop(name) for name in known}
        return function(output=_output(file, to, given), **others)

    for option in reversed([*known.values()]):
        command = option_of(option)(command)
    target = click.option(
        "--to",
        metavar="TARGET",
        help="The target, if several share the suffix, or for standard output: `lowlevel`, ...",
    )
    path = click.option(
        "-o",
        "--output",
        "file",
        type=click.Path(readable=False, allow_dash=True),  # for completion; `replacing` checks it
        metavar="FILE",
        help="Write the network to this file. Its suffix chooses the target; `archspec list targets` lists them. `-` "
        "is standard output, for text formats.",
    )
    return cast(F, path(target(command)))


def option_of(option: Option) -> Callable[[F], F]:
    """The command line's form of an option of a target."""
    kind: Any = Word(option.name, option.words, f"--{option.name}") if option.words else None
    if option.least is not None:
        kind = click.IntRange(min=option.least, max=option.most)
    takers = listed([f"`{target.name}`" for target in targets.takers(option.name)])
    default = f" [default: {option.default}]" if option.default else ""
    metavar = None if option.words else "N" if option.least is not None else "TEXT"
    text = f"{option.doc} For {takers}.{default}"
    return click.option(f"--{option.name.replace('_', '-')}", option.name, type=kind, metavar=metavar, help=text)


def _output(file: str | None, to: str | None, given: dict[str, Any]) -> Output | None:
    if file is None:
        asked = [f"--{name.replace('_', '-')}" for name, value in (("to", to), *given.items()) if value is not None]
        if asked:
            raise click.UsageError(f"`{asked[0]}` needs an output; name it with `-o FILE`")
        return None
    target = _of_stdout(to) if file == STDOUT else choosing.choose(file, to)
    return Output(file, target, choosing.check_options(target, given))


def _of_stdout(to: str | None) -> Target:
    """The target to write to standard output."""
    texts, place = [target.name for target in targets.TARGETS if target.text], Source("path", STDOUT, "argument").part()
    if to is None:
        help = f"name the target with {choosing.TO.text}: {', '.join(texts)}"
        message = "standard output has no suffix to say what to write"
        raise SpecError([Diagnostic("E831", message, place, help=help, mentions=(choosing.TO,))])
    target = choosing.named(to)
    if not target.text:
        help = f"name a file such as `model{target.suffix}`; the text formats are {', '.join(texts)}"
        raise SpecError([Diagnostic("E831", f"`{to}` is not a text format and needs a file", place, help=help)])
    return target
