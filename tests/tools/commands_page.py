"""`python -m tests.tools.commands_page`: compare docs/commands.md with the help texts; `--write` writes it."""

from __future__ import annotations

import argparse
import inspect
import re
import sys

import click

from archspec_cli.main import COMMANDS, commands
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "commands.md"


def page() -> str:
    context = click.Context(commands, info_name="archspec", **commands.context_settings)
    parts = ["# Commands", "`archspec --help` and `archspec COMMAND --help` print the same text.", *_text(commands)]
    parts += ["\n".join(f"- [`archspec {name}`](#archspec-{name}): {says}" for name, says in COMMANDS.items())]
    for name in COMMANDS:
        command = commands.get_command(context, name)
        assert command is not None
        parts += _command(command, command.make_context(name, [], parent=context, resilient_parsing=True))
    return "\n\n".join(parts) + "\n"


def _plain(says: str) -> str:
    """The help of an option on one line; brackets after another pair would be a link to a page."""
    return re.sub(r"\[(\d+)<=x<=(\d+)\]", r"(\1 to \2)", " ".join(says.split()))


def _command(command: click.Command, context: click.Context) -> list[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    records = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    options = [f"- `{names}`: {_plain(says)}" for names, says in records if says]
    return [f"## `{context.command_path}`", f"Usage: `{usage}`", *_text(command), "\n".join(options)]


def _text(command: click.Command) -> list[str]:
    """The paragraphs of a help text. One that click does not wrap (``\\b``) is a heading and commands."""
    parts = []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        first, *rest = paragraph.splitlines()
        if first != "\b":
            parts.append(" ".join(paragraph.split()))
        else:
            parts += [rest[0], "```console\n" + "\n".join(f"$ {line.strip()}" for line in rest[1:]) + "\n```"]
    return parts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.commands_page", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/commands.md")
    if parser.parse_args().write:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        print("docs/commands.md differs: `python -m tests.tools.commands_page --write` writes it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
