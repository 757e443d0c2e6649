"""The top of a source file: a summary of the network, its stages as a table, and the command that wrote the file."""

from __future__ import annotations

import re
import textwrap

from archspec.emit.source.literals import literal
from archspec.graph.graph import Graph, Region
from archspec.operations.shapes import show_shape


def docstring(graph: Graph, width: int, *more: str) -> str:
    """The docstring of the module: name, summary, paper, the table of stages, and ``more`` paragraphs."""
    summary = one_line(graph.summary)
    first = f"{one_line(graph.name)}: {summary}" if summary else f"{one_line(graph.name)}."
    paragraphs = [_wrapped(first, width - len('""""""')), _wrapped(one_line(graph.paper), width)]
    table = _table(graph, width)
    if not paragraphs[1] and not more:
        table = textwrap.dedent(table)  # as `ruff format` would if all lines but the first are indented
    paragraphs += [table, *[_wrapped(each, width) for each in more]]
    text = "\n\n".join([each for each in paragraphs if each])
    return f'"""{escaped(text)}"""' if "\n" not in text else f'"""{escaped(text)}\n"""'


def provenance(graph: Graph, command: str, width: int) -> str:
    """The comment with the network that the file was written from, and the command."""
    told = f"Written by `{one_line(command)}`." if command else "Written by archspec."
    lines = textwrap.wrap(told, width - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join([f"# {line}" for line in [*lines, f"Network: {graph.fingerprint}"]])


def _table(graph: Graph, width: int) -> str:
    """The stages, with their blocks and the shapes that they give."""
    if not graph.stages:
        return ""
    first, last = graph.stages[0], graph.stages[-1]
    start, end = show_shape(graph.input), show_shape(graph.output)
    rows = [("stem", f"from {start}", show_shape(graph.shape(first.source))) if first.first else ("input", "", start)]
    rows += [
        (_scopes(graph, each), _blocks(graph, each), show_shape(graph.shape(each.result))) for each in graph.stages
    ]
    rows.append(("head" if last.last < len(graph.nodes) else "output", "", end))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [f"    {scope:{widths[0]}}  {blocks:{widths[1]}}  {shape}" for scope, blocks, shape in rows]
    return "\n".join([one_line(line, keep=True)[:width] for line in lines])


def _scopes(graph: Graph, stage: Region) -> str:
    """The scope of a stage, or those of its first and last block if the stage has no scope."""
    blocks = [block.scope for block in graph.blocks(stage)]
    if len({*blocks}) < len(blocks) or blocks == [stage.scope]:  # their layers are numbered in one scope
        blocks = [graph.nodes[stage.first].name, graph.nodes[stage.last - 1].name]
    if not blocks or [each.scope for each in graph.stages].count(stage.scope) == 1:
        return stage.scope or "stage"
    return blocks[0] if len(blocks) == 1 else f"{blocks[0]} to {blocks[-1].rpartition('.')[2]}"


def _blocks(graph: Graph, stage: Region) -> str:
    counts: dict[str, int] = {}
    for block in graph.blocks(stage):
        counts[block.name] = counts.get(block.name, 0) + 1
    return ", ".join([f"{count} x {name}" for name, count in counts.items()])


def one_line(text: str, *, keep: bool = False) -> str:
    """A text on one line, with characters that cannot be seen written as Python escapes them."""
    shown = text if keep else " ".join(text.split())
    return "".join([letter if letter.isprintable() else literal(letter)[1:-1] for letter in shown]).rstrip()


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False))


def escaped(text: str) -> str:
    """A text that cannot end a docstring, and that ruff leaves as it is."""
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return re.sub(r'^"|"$', r'\\"', text)
