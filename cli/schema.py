"""``archspec schema``: the JSON Schema of a spec, for editors."""

from __future__ import annotations

import click

from archspec.language.schema import library_schema, read_schema

from .render import put_json, say

HELP = """\
Save it with `archspec schema > archspec.schema.json`, and begin a spec beside it with this line; editors with a YAML
language server then complete keys and mark what does not fit:
# yaml-language-server: $schema=archspec.schema.json"""


@click.command("schema")
@click.option("--library", is_flag=True, help="The schema of files of definitions, which `import` names.")
def command(library: bool) -> int:
    """Print the JSON Schema of a spec, with which editors complete and check one.

    \b
    Example:
      archspec schema > archspec.schema.json

    The first line of a spec then tells the editor:

    \b
      # yaml-language-server: $schema=archspec.schema.json
    """
    put_json(library_schema() if library else read_schema())
    say(HELP.replace("archspec schema >", "archspec schema --library >") if library else HELP)
    return 0
