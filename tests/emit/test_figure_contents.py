"""What figures say: every operation, numbers that are right in every use, and kinds that agree with the definitions."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from fractions import Fraction

import pytest
from hypothesis import given, settings

import archspec
from archspec.emit.figure import Figure, figure
from archspec.emit.figures.captions import plain
from archspec.emit.figures.kinds import BlockKind, kinds
from archspec.emit.figures.shapes import Disc, Rect
from archspec.graph.graph import Graph
from archspec.graph.patterns import definitions, patterns
from archspec.language.text.locate import zoo_names
from archspec.testing import graphs

TIMES = "\N{MULTIPLICATION SIGN}"
SVG = "{http://www.w3.org/2000/svg}"


def shown(drawn: Figure) -> list[str]:
    """The operations in the boxes and circles of a figure."""
    return [name for shape in drawn.sheet.canvas.front if isinstance(shape, Rect | Disc) for name in shape.nodes]


@settings(max_examples=40)
@given(graphs())
def test_every_operation_is_drawn(graph: Graph) -> None:
    assert sorted(shown(figure(graph, depth="op"))) == sorted(graph.by_name)
    views = {node.name for node in graph.nodes if node.operation.look == "view"}
    for depth in ("model", "stage", "block"):
        assert {*shown(figure(graph, depth=depth))} >= {*graph.by_name} - views


# -- numbers ---------------------------------------------------------------------------------------------------------


def kinds_of(graph: Graph) -> list[BlockKind]:
    blocks = [region for region in graph.regions if region.kind == "block"]
    return list(dict.fromkeys(known.kind for known in kinds(graph, blocks).values()))


def in_use(text: str, values: dict[str, int]) -> str:
    """The text of a box with the numbers of one use in place of symbols: `4C`, `C/4`, `k`, `reduce3`."""

    def number(found: re.Match[str]) -> str:
        value = Fraction(int(found[1] or 1) * values[found[2]], int(found[3] or 1))
        return str(value)

    names = "|".join(sorted(map(re.escape, values), key=len, reverse=True)) or "(?!)"
    return re.sub(rf"(?<!\w)(\d*)({names})(?:/(\d+))?(?!\w)", number, text)


USUAL = {"/1", "1 groups", "dilation 1"}


@pytest.mark.parametrize("name", zoo_names())
def test_symbols_are_the_numbers_of_every_use(name: str) -> None:
    graph = archspec.compile(name)
    for kind in kinds_of(graph):
        symbols, _ = kind.symbols, kind.parts
        for place in range(len(kind.captions[0])):
            captions = [each[place] for each in kind.captions]
            text = symbols.text(captions)
            for use, caption in enumerate(captions):
                known = {**symbols.parameters, **symbols.used}
                said = in_use(text, {each: int(numbers[use]) for each, numbers in known.items()}).split(", ")
                written = plain(caption).split(", ")
                without = {piece.without for piece in caption}
                assert {*said} - {*written} - USUAL - without == set(), (text, use)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v3_large", "efficientnet_v2_s", "densenet121", "inception_v3"])
def test_a_kind_is_in_one_definition(name: str) -> None:
    """Blocks with one letter are uses of one definition; its optional parts make letters of their own."""
    graph = archspec.compile(name)
    of_module = {}
    for definition in definitions(patterns(graph)):
        of_module |= {use.path: definition.class_name for use in definition.uses}
    for kind in kinds_of(graph):
        assert len({of_module[use.scope] for use in kind.uses if use.scope in of_module}) <= 1


# -- the file --------------------------------------------------------------------------------------------------------


def test_screen_readers_have_a_name_and_a_description() -> None:
    root = ET.fromstring(archspec.draw("resnet50", title="A <name>").svg)
    assert (root.get("role"), root.get("aria-label")) == ("img", "A <name>")
    assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    assert root[0].text == "A <name>"
    description = root[1].text or ""
    assert "175 operations in 16 blocks" in description
    assert f"input 3{TIMES}224{TIMES}224; 7{TIMES}7 conv, 64, /2;" in description
    assert "; layer3: bottleneck, 256, /2, 5 times bottleneck, 256; " in description


def test_dark_mode_changes_what_light_mode_has() -> None:
    """Every class of an element has a rule, and a rule fills nothing that is a line."""
    for name in ("resnet50", "efficientnet_b0"):
        root = ET.fromstring(archspec.draw(name).svg)
        style = root.find(f"{SVG}style")
        assert style is not None
        assert style.text is not None
        rules = dict(re.findall(r"\.archspec-figure \.([\w-]+)\{([^}]*)\}", style.text))
        for element in root:
            if not (given_class := element.get("class")):
                continue
            if element.tag == f"{SVG}path" and element.get("fill") == "none":
                assert "fill" not in rules[given_class]
                assert "stroke" in rules[given_class]
            elif element.tag in (f"{SVG}rect", f"{SVG}text", f"{SVG}path", f"{SVG}circle"):
                assert "fill" in rules[given_class]


def test_nothing_is_asked_of_the_viewer() -> None:
    """No script, no link, no font, no variable: cairosvg and Inkscape draw it too."""
    text = archspec.draw("googlenet").svg
    assert not re.search(r"<script|href|url\(|var\(|@font-face|<foreignObject|<marker", text)


@pytest.mark.parametrize(
    ("depth", "says"), [("model", f"3 {TIMES} bottleneck"), ("stage", "bottleneck, 64"), ("op", "bn1")]
)
def test_what_a_depth_says(depth: str, says: str) -> None:
    drawn = archspec.draw("resnet50", depth=depth)
    assert f">{says}</text>" in drawn.svg
