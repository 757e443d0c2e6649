"""``archspec explain``: the meaning of a diagnostic's code, with an example."""

from __future__ import annotations

import re
import textwrap

import click
from click.shell_completion import CompletionItem

from archspec.codes import CODES
from archspec.diagnostics import cut, did_you_mean
from archspec.explanations import read_page

from .streams import put
from .tables import put_table

_BLOCK = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(code, help=CODES[code]) for code in CODES if code.startswith(incomplete.upper())]


@click.command("explain")
@click.argument("code", required=False, shell_complete=_complete)
@click.pass_context
def command(ctx: click.Context, code: str | None) -> int:
    """Explain the code of a diagnostic, with an example and its correction. Without a code, list all codes.

    \b
    Examples:
      archspec explain
      archspec explain E301
    """
    if code is None:
        put_table(list(CODES.items()))
        return 0
    name = code.upper()
    if name not in CODES:
        hint = did_you_mean(name.translate(str.maketrans("OIL", "011")), CODES) or "`archspec explain` lists all codes"
        raise click.UsageError(f"there is no code `{cut(code)}`; {hint}", ctx)
    page = _BLOCK.sub(lambda block: textwrap.indent(block[1], "    ").rstrip("\n"), read_page(name))
    put(f"{name}: {CODES[name]}\n\n{page}", end="")
    return 0
