"""``archspec schema``: the JSON Schema of a spec, of a file of definitions, of a graph, or of results of the lab."""

from __future__ import annotations

import click

from archspec.language.editor_schema import editor_schema

from .options import Word
from .streams import put_json, say

FILES = {
    "spec": ("archspec.schema.json", "spec"),
    "library": ("archspec-library.schema.json", "file of definitions"),
    "graph": ("archspec-graph.schema.json", "graph"),
    "results": ("archspec-results.schema.json", "file of results"),
}


@click.command("schema")
@click.option("--for", "kind", type=Word("kind", FILES), default="spec", show_default=True, help="What to describe.")
@click.option("--library", is_flag=True, help="The same as `--for library`: a file of definitions, for `import`.")
def command(kind: str, library: bool) -> int:
    """Print the JSON Schema of a spec, for editors. With it, they complete keys and mark errors.

    `--for library` is for a file of definitions, and `--for graph` for the files that `archspec build -o FILE.json`
    writes. `--for results` is for the `results.json` of `archspec lab`.

    \b
    Example:
      archspec schema > archspec.schema.json

    The first line of a spec then tells the editor:

    \b
      # yaml-language-server: $schema=archspec.schema.json
    """
    kind = "library" if library else kind
    file, name = FILES[kind]
    if kind == "graph":
        from archspec.emit.graph_schema import graph_schema  # only for it

        put_json(graph_schema())
        return 0
    if kind == "results":
        from archspec.lab.results.schema import results_schema  # only for it

        put_json(results_schema())
        return 0
    put_json(editor_schema(of_definitions=kind == "library"))
    say(f"With this schema in `{file}`, an editor with a YAML language server completes keys and")
    say(f"marks errors in every {name} in the same folder that begins with this line:")
    say(f"# yaml-language-server: $schema={file}")
    return 0
