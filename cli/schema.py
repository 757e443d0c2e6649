"""``archspec schema``: the JSON Schema of a spec, for editors."""

from __future__ import annotations

import click

from archspec.language.editor_schema import editor_schema

from .streams import put_json, say


@click.command("schema")
@click.option("--library", is_flag=True, help="Print the schema of a file of definitions, for `import`.")
def command(library: bool) -> int:
    """Print the JSON Schema of a spec, for editors. With it, they complete keys and mark errors.

    \b
    Example:
      archspec schema > archspec.schema.json

    The first line of a spec then tells the editor:

    \b
      # yaml-language-server: $schema=archspec.schema.json
    """
    put_json(editor_schema(of_definitions=library))
    file = "archspec-library.schema.json" if library else "archspec.schema.json"
    kind = "file of definitions" if library else "spec"
    say(f"With this schema in `{file}`, an editor with a YAML language server completes keys and")
    say(f"marks errors in every {kind} in the same folder that begins with this line:")
    say(f"# yaml-language-server: $schema={file}")
    return 0
