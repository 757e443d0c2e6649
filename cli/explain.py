"""``archspec explain``: a diagnostic's code at more length."""

from __future__ import annotations

import textwrap

import click
from click.shell_completion import CompletionItem

from archspec.codes import CODES
from archspec.diagnostics import cut, did_you_mean

from .render import put
from .tables import put_table


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(code, help=CODES[code].title) for code in CODES if code.startswith(incomplete.upper())]


@click.command("explain")
@click.argument("code", required=False, shell_complete=_complete)
@click.pass_context
def command(ctx: click.Context, code: str | None) -> int:
    """Say at more length what a diagnostic's code means; without a code, list them all.

    \b
    Example:
      archspec explain E301
    """
    if code is None:
        put_table([(name, entry.title) for name, entry in CODES.items()])
        return 0
    name = code.upper()
    if name not in CODES:
        hint = did_you_mean(name.translate(str.maketrans("OIL", "011")), CODES) or "`archspec explain` lists them all"
        raise click.UsageError(f"there is no code `{cut(code)}`; {hint}", ctx)
    put(f"{name}: {CODES[name].title}\n\n{textwrap.fill(CODES[name].explanation, 80)}")
    return 0
