"""``python -m tests.tools.rooms``: draws docs/rooms.svg: the packages, and who imports whom, from the code.

An arrow means "imports". What a chain of other arrows says already is left out.
"""

from __future__ import annotations

import importlib
import itertools
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path

import grimp
import networkx

from tests.support.paths import ROOT

PICTURE = ROOT / "docs" / "rooms.svg"
BOX, BEND, HEIGHT, GAP, BETWEEN = 232, 24, 78, 28, 46

STYLE = """
  text { font: 12.5px system-ui, sans-serif; fill: #1f2328; text-anchor: middle }
  .name { font-weight: 600; font-size: 15px }
  rect { fill: #f6f8fa; stroke: #57606a; rx: 6px }
  path { fill: none; stroke: #57606a; stroke-width: 1.2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } rect { fill: #161b22; stroke: #8b949e } path { stroke: #8b949e }
  }
"""


def room_of(module: str) -> str:
    """The package that a module lies in, as the tree calls it."""
    first, _, rest = module.partition(".")
    return "cli" if first == "archspec_cli" else f"archspec/{rest.partition('.')[0]}" if rest else "archspec"


def imports() -> networkx.DiGraph:
    """The rooms, and an edge from each to those that it imports and no other room on the way does."""
    found = grimp.build_graph("archspec", "archspec_cli", exclude_type_checking_imports=True)
    rooms = networkx.DiGraph()
    for module in sorted(found.modules):
        rooms.add_node(room_of(module))
        for other in sorted(found.find_modules_directly_imported_by(module)):
            if room_of(other) != room_of(module):
                rooms.add_edge(room_of(module), room_of(other))
    return networkx.transitive_reduction(rooms)


def summary(room: str) -> str:
    """The first sentence of a room's docstring."""
    module = "archspec_cli" if room == "cli" else room.replace("/", ".")
    first = (importlib.import_module(module).__doc__ or "").replace("``", "").partition("\n")[0]
    return first.partition(". ")[0].rstrip(".")


def floors(rooms: networkx.DiGraph) -> tuple[list[list[str]], list[list[str]]]:
    """The rooms by floor, the top one first, with a bend where an arrow passes one; and each arrow's stations."""
    levels = list(networkx.topological_generations(rooms.reverse()))[::-1]
    level = {room: number for number, each in enumerate(levels) for room in each}
    found = [sorted(each) for each in levels]
    arrows = []
    for above, below in sorted(rooms.edges):
        bends = [f"{above}>{below}@{number}" for number in range(level[above] + 1, level[below])]
        for number, bend in enumerate(bends, level[above] + 1):
            found[number].append(bend)
        arrows.append([above, *bends, below])
    for _ in range(8):  # the barycenter method (Sugiyama et al. 1981): each under the middle of what leads to it
        for upper, lower in itertools.pairwise(found):
            place = {name: number for number, name in enumerate(upper)}
            leads = {name: [a for each in arrows for a, b in itertools.pairwise(each) if b == name] for name in lower}
            lower.sort(key=lambda name: (sum(map(place.__getitem__, leads[name])) / max(len(leads[name]), 1), name))
    return found, arrows


def draw() -> str:
    """The picture as SVG."""
    found, arrows = floors(imports())
    wide = [sum(BEND if "@" in name else BOX for name in floor) + GAP * (len(floor) - 1) for floor in found]
    width, height = max(wide) + 2 * GAP, len(found) * (HEIGHT + BETWEEN) - BETWEEN + 2 * GAP
    middle: dict[str, float] = {}
    for floor, taken in zip(found, wide, strict=True):
        left = (width - taken) / 2
        for name in floor:
            size = BEND if "@" in name else BOX
            middle[name] = left + size / 2
            left += size + GAP
    level = {name: number for number, floor in enumerate(found) for name in floor}
    top = {name: GAP + number * (HEIGHT + BETWEEN) for name, number in level.items()}
    lines = [f"  {line}" for name in level if "@" not in name for line in _box(name, middle[name], top[name])]
    lines += [f'  <path d="{_path(each, middle, top)}" marker-end="url(#head)"/>' for each in arrows]
    head = '<marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
            "  <title>The packages of archspec; an arrow means “imports”</title>",
            f"  <style>{STYLE}  </style>",
            f'  <defs>{head}<path d="M0 0L8 4L0 8"/></marker></defs>',
            *lines,
            "</svg>\n",
        ]
    )


def _box(name: str, middle: float, top: float) -> Iterator[str]:
    yield f'<rect x="{middle - BOX / 2:g}" y="{top:g}" width="{BOX}" height="{HEIGHT}"/>'
    ending = ".py" if (ROOT / f"{name}.py").exists() else "/"
    yield f'<text class="name" x="{middle:g}" y="{top + 20:g}">{escape(name)}{ending}</text>'
    for number, line in enumerate(textwrap.wrap(summary(name), 32, max_lines=3, placeholder=" ...")):
        yield f'<text x="{middle:g}" y="{top + 38 + 16 * number:g}">{escape(line)}</text>'


def _path(stations: list[str], middle: dict[str, float], top: dict[str, float]) -> str:
    """A curve from the bottom of the first station to the top of the last, straight through the bends between."""
    first, *rest = stations
    x, y = middle[first], top[first] + HEIGHT
    path = f"M{x:g} {y:g}"
    for name in rest:
        across, down = middle[name], top[name]
        path += f"C{x:g} {y + BETWEEN / 2:g} {across:g} {down - BETWEEN / 2:g} {across:g} {down:g}"
        x, y = across, down + HEIGHT
        if "@" in name:
            path += f"V{y:g}"
    return path


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    print(f"wrote {Path(PICTURE).relative_to(ROOT)}")
