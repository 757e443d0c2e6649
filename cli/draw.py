"""``archspec draw``: the figure of a network."""

from __future__ import annotations

import click

from archspec import writing
from archspec.diagnostics import Diagnostic, Source, SpecError, cut
from archspec.emit import choosing, targets
from archspec.emit.target import Target

from . import options
from .build_text import put_saved
from .output import STDOUT, option_of
from .render import show
from .streams import put

FIGURES = [target.name for target in targets.takers(targets.DEPTH.name)]


@click.command("draw", cls=options.SpecCommand)
@options.spec
@options.reading
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(readable=False, allow_dash=True),
    metavar="FILE",
    help="Write the figure to this file: `.svg`, `.png`, `.pdf`, `.dot` or `.mmd`. `-` writes SVG to standard output. "
    "[default: NAME.svg in the current folder, with the network's name]",
)
@option_of(targets.DEPTH)
@option_of(targets.TITLE)
@click.option("--force", is_flag=True, help="Replace the output file if it exists.")
def command(
    spec: str, reading: options.Reading, file: str | None, depth: str | None, title: str | None, force: bool
) -> int:
    """Draw a network as a paper prints it. Does not need torch.

    The figure has one spine, with stages as bands, and the inside of each kind of block beside it. A thin line is an
    identity shortcut, a thick line a shortcut with weights, and gates are red. An SVG file has both light and dark
    colors, and follows the viewer's setting.

    \b
    Examples:
      archspec draw resnet50
      archspec draw mine.yaml -o mine.pdf --title "Our network"
      archspec draw densenet121 -o densenet121.svg --depth stage
    """
    graph = reading.compile(spec)
    show(graph.warnings)
    chosen = {"depth": depth, "title": title}
    if file == STDOUT:
        put(writing.text(graph, choosing.named("svg"), chosen), end="")
        return 0
    file = file or f"{graph.name}.svg"
    target = _target(file)
    written = writing.write_graph(graph, file, force=force, options=chosen)
    put_saved(written, target, None)
    return 0


def _target(file: str) -> Target:
    """The target of a figure's file."""
    target = choosing.choose(file)
    if target.name not in FIGURES:
        suffixes = [targets.by_name()[name].suffix for name in FIGURES]
        help = f"`archspec build SPEC -o {cut(file)}` writes it; the suffixes of figures are {', '.join(suffixes)}"
        message = f"`{cut(file)}` is not a figure: `{target.suffix}` is for the target `{target.name}`"
        raise SpecError([Diagnostic("E831", message, Source("path", cut(file, 200), "argument").part(), help=help)])
    return target
