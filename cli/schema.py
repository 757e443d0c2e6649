"""``archspec schema``: the JSON Schema of a spec, for editors."""

from __future__ import annotations

import click

from archspec.language.schema import library_schema, read_schema

from .render import put_json, say

HELP = """\
Save it with `archspec schema{option} > {file}`. Editors with a YAML language server then complete keys, and
mark what does not fit, in every {kind} beside it that begins with this line:
# yaml-language-server: $schema={file}"""


@click.command("schema")
@click.option("--library", is_flag=True, help="The schema of a file of definitions, as `import` names one.")
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
    if library:
        say(HELP.format(option=" --library", file="archspec-library.schema.json", kind="file of definitions"))
    else:
        say(HELP.format(option="", file="archspec.schema.json", kind="spec"))
    return 0
