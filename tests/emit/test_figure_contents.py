"""What figures say: every operation, numbers that are right in every use, and kinds that agree with the definitions."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from PIL import ImageFont, features

import archspec
from archspec.display import short
from archspec.emit.dot import to_dot
from archspec.emit.figure import Figure, figure
from archspec.emit.figures.along import along
from archspec.emit.figures.captions import plain
from archspec.emit.figures.contents import Depth, picture
from archspec.emit.figures.kinds import BlockKind, kinds
from archspec.emit.figures.metrics import text_width
from archspec.emit.figures.parts import Box, boxes
from archspec.emit.figures.shapes import Disc, Rect
from archspec.emit.mermaid import to_mermaid
from archspec.graph.graph import INPUT, Graph, Node, Region
from archspec.graph.patterns import definitions, patterns
from archspec.operations.discovery import operations
from archspec.operations.shapes import show_shape
from archspec.testing import graphs
from tests.support.equivalence import compiled
from tests.support.figures import check_dot, check_mermaid
from tests.support.zoo import ZOO

TIMES = "\N{MULTIPLICATION SIGN}"
LESS = " \N{MINUS SIGN} 1"
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
    """The text of a box with the numbers of one use in place of symbols: `4C`, `C/4`, `C-1`, `k`, `reduce3`."""

    def number(found: re.Match[str]) -> str:
        value = Fraction(int(found[1] or 1) * values[found[2]], int(found[3] or 1))
        return str(value - 1 if found[4] else value)

    names = "|".join(sorted(map(re.escape, values), key=len, reverse=True)) or "(?!)"
    return re.sub(rf"(?<!\w)(\d*)({names})(?:/(\d+))?({LESS})?(?!\w)", number, text)


USUAL = {"/1", "1 groups", "dilation 1"}


@pytest.mark.parametrize("name", ZOO)
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
                said = [symbols.words[each][use] if each in symbols.words else each for each in said]
                written = plain(caption).split(", ")
                without = {piece.without for piece in caption}
                assert {*said} - {*written} - USUAL - without == set(), (text, use)


@pytest.mark.parametrize("name", ZOO)
def test_names_in_the_inside_of_blocks_are_explained_below_it(name: str) -> None:
    """Every word that is a parameter or differs has its values there, one for each block of the kind."""
    graph = archspec.compile(name)
    for kind in kinds_of(graph):
        symbols, _ = kind.symbols, kind.parts
        notes = dict(note.split(" = ") for note in kind.notes)
        texts = [text for box in boxes(kind.parts) if isinstance(box, Box) for text in (box.above, box.text, box.below)]
        words = {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}
        assert words & {*symbols.parameters, "act", "g", "d"} == set(notes)
        for values in notes.values():
            counts = [int(each.partition(f" {TIMES}")[2] or 1) for each in values.split(", ")]
            assert sum(counts) == len(kind.order) >= len(kind.uses)


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("mobilenet_v3_large", {"width = 120 x2, 672, 960 x2", "act = ReLU, Hardswish", "width = 72, 200, 184 x2"}),
        ("googlenet", {"reduce3 = 96, 128, 96, 112, 128, 144, 160 x2, 192", "five = 32, 96, 48, 64 x3, 128 x3"}),
        ("inception_v3", {"width = 128, 160 x2, 192", "project = 32, 64 x2"}),
        ("regnet_y_400mf", {"g = 13 x2, 26 x5, 55 x5"}),
    ],
)
def test_values_as_papers_list_them(name: str, notes: set[str]) -> None:
    drawn = labels(archspec.draw(name))
    assert notes <= {text.replace(TIMES, "x") for text in drawn}
    assert "name = values: in the order of the blocks" in drawn


def test_mobilenet_has_a_letter_for_each_structure() -> None:
    """Activations are values; a gate, a shortcut, or no expansion is another structure."""
    assert {text for text in labels(archspec.draw("mobilenet_v3_large")) if len(text) == 1 and text.isalpha()} == {
        *"ABCDE"
    }


@pytest.mark.parametrize(
    ("name", "cards"),
    [
        ("inception_v3", {"b, /2", "d, /2", "a", "e"}),
        ("shufflenet_v2_x1_0", {"unit, 116, /2", "unit, 116"}),
        ("r2plus1d_18", {"factored, 128, /2", "factored, 64"}),
        ("mobilenet_v3_large", {"bneck, 24, /2", "bneck, 40, 5x5, /2", "bneck, 112, 3x3"}),
        ("regnet_y_400mf", {"regnet, 48, /2", "regnet, 104"}),
    ],
)
def test_a_block_says_that_it_halves_the_map(name: str, cards: set[str]) -> None:
    assert cards <= {text.replace(TIMES, "x") for text in labels(archspec.draw(name))}


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_strides_of_blocks_are_those_of_sizes(name: str) -> None:
    """A card has a stride where the map that leaves is about as much smaller than the one that enters."""
    graph = archspec.compile(name)
    for kind in kinds_of(graph):
        for use, region in enumerate(kind.uses):
            before, after = graph.shape(region.source)[1:], graph.shape(region.result)[1:]
            ratios = [round(one / other) for one, other in zip(before, after, strict=True)]
            found = [piece[1:].split(TIMES) for piece in kind.numbers([use]) if piece.startswith("/")] or [["1"]]
            assert ratios == [int(each) for each in found[0] * (len(ratios) if len(found[0]) == 1 else 1)]


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


def beside(box: Box) -> tuple[str, str]:
    """What a box beside others says that it costs."""
    costs = re.fullmatch("(.+) parameters, (.+) MACs", box.lines[-1])
    assert costs
    return costs[1], costs[2]


READ_INSIDE = {"deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"}
"""Their heads read a value inside a stage, so that the operations of that stage are drawn."""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(READ_INSIDE))
def test_a_stage_whose_inside_is_read_is_drawn(name: str) -> None:
    graph = archspec.compile(name)
    contents = picture(graph, "model", None)
    drawn = [box for box in boxes(contents.parts) if isinstance(box, Box) and box.look == "stage"]
    whole = archspec.analyze(graph).totals.costs
    assert contents.total == f"{short(whole.params)} parameters, {short(whole.macs)} MACs"
    assert 0 < len(drawn) < len(graph.stages)
    inside = {node for box in boxes(contents.parts) if box not in drawn for node in box.nodes}
    for stage in graph.stages:
        nodes = {node.name for node in graph.nodes[stage.first : stage.last]}
        assert nodes <= inside or any(nodes & {*box.nodes} for box in drawn)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*ZOO} - READ_INSIDE))
def test_the_depth_of_stages_says_what_they_cost(name: str) -> None:
    """The figures of its rows, and of the whole, are those of the report."""
    graph = archspec.compile(name)
    report = archspec.analyze(graph)
    rows, whole = report.rows, report.totals.costs
    contents = picture(graph, "model", None)
    assert contents.total == f"{short(whole.params)} parameters, {short(whole.macs)} MACs"
    values = [value for part in contents.parts for value in along(part, members=True)]
    found = [
        (*(cost if box is part else beside(box)), box.shape)
        for part, cost in zip(values, contents.costs, strict=True)
        for box in boxes((part,))
        if isinstance(box, Box)
    ]
    for row in rows:
        shape = show_shape(row.output).replace("x", TIMES)
        assert (short(row.costs.params), short(row.costs.macs), shape) in found
    assert len(found) == len(rows)


def test_thick_and_red_lines_and_letters_are_explained_at_every_depth() -> None:
    depths: tuple[Depth, ...] = ("stage", "block", "op")
    for depth in depths:
        assert "shortcut with weights" in labels(archspec.draw("seresnet50", depth=depth))
        assert ("gate" in labels(archspec.draw("seresnet50", depth=depth))) == (depth != "stage")
    assert "blocks with one letter differ in numbers and activations at most" in labels(
        archspec.draw("plain34", depth="stage")
    )


def test_a_value_that_is_only_measured_is_no_gate() -> None:
    steps = "[act, as: x, conv: {out: 8, kernel: 3, stride: 2}, upsample: {like: x}]"
    graph = compiled(f"input: [3, 31, 32]\nstages: []\nstem: {steps}\nhead: []")
    drawn = archspec.draw(graph)
    assert {"only its size is read"} <= labels(drawn)
    assert "gate" not in labels(drawn)
    assert {line.style for line in drawn.sheet.canvas.lines} == {"flow", "size"}
    of_input = compiled(f"input: [3, 31, 32]\nstages: []\nstem: {steps}\nhead: []".replace("like: x", "like: input"))
    assert "only its size is read" not in labels(archspec.draw(of_input))  # the caption says the size


def test_a_long_text_fits_its_box_in_a_wider_font() -> None:
    """A machine without the fonts of the figure has DejaVu, in which a text of digits and letters is 16 % wider."""
    drawn = archspec.draw(compiled(
        "input: [64, 4, 4]\nstages: []\nstem: [conv: {out: 64, kernel: 2, stride: 2, transposed: true}]\nhead: []"
    ))  # fmt: skip
    (box,) = [shape for shape in drawn.sheet.canvas.front if isinstance(shape, Rect)]
    (text,) = [each for each in drawn.sheet.canvas.labels if "transposed" in each.text]
    assert 1.16 * text_width(text.text, text.size) < box.width


def test_the_depth_of_stages_in_words() -> None:
    drawn = archspec.draw("resnet50", depth="model")
    said = labels(drawn)
    assert {"stem", "layer1", "head", f"7{TIMES}7 conv, 64, /2", f"6 {TIMES} bottleneck", "fc, 1000"} <= said
    assert {"output", "parameters", "MACs", "25.6 M parameters, 4.09 G MACs", "7.10 M", "1.46 G"} <= said
    assert f"layer3 (6 {TIMES} bottleneck)" in drawn.svg
    widths = {shape.width for shape in drawn.sheet.canvas.front if isinstance(shape, Rect)}
    assert len(widths) == 1


@pytest.mark.parametrize(
    ("depth", "says"), [("model", f"3 {TIMES} bottleneck"), ("stage", "bottleneck, 64"), ("op", "bn1")]
)
def test_what_a_depth_says(depth: str, says: str) -> None:
    drawn = archspec.draw("resnet50", depth=depth)
    assert f">{says}</text>" in drawn.svg


def labels(drawn: Figure) -> set[str]:
    return {element.text or "" for element in ET.fromstring(drawn.svg).iter(f"{SVG}text")}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("resnet50", {"bottleneck, C, /s", "1x1 conv, 4C, /s", "3x3 conv, C, /s", "bottleneck, 512, /2", "x5"}),
        (
            "efficientnet_b0",
            {"mbconv, C, kxk, /s", "1x1 conv, 6N", "1x1 conv, N/4", "1x1 conv, C/4", "mbconv, 80, 3x3"},
        ),
        ("googlenet", {"1x1 conv, reduce3", "3x3 conv, three", "1x1 conv, project", "3x3 max pool"}),
        ("shufflenet_v2_x1_0", {f"channels C/2 to C{LESS}", f"channels 0 to C/2{LESS}", "channel shuffle"}),
        ("shufflenet_v2_x1_0", {"3x3 depthwise conv"}),
        ("regnet_y_400mf", {"3x3 conv, C, g groups, /2"}),
        ("squeezenet1_0", {"fire, 256\N{EN DASH}512", "1x1 conv, C/8"}),
        ("resnet18_1d", {"conv 7, 64, /2", "max pool 3, /2", "12x5000"}),
        ("r2plus1d_18", {"1x7x7 conv, 45, /1x2x2", "3x1x1 conv, C, /2x1x1", "1x3x3 conv"}),
        ("vgg16", {"ReLU, dropout 0.5", "avg pool to 7x7", "fc, 4096"}),
        ("preact_resnet50", {"BN, ReLU", "1x1 conv, 4C, /s"}),
        ("resnet56_cifar", {"subsample, /2", "pad to C"}),
    ],
)
def test_what_papers_write(name: str, says: set[str]) -> None:
    known = {re.sub(rf"{TIMES}(?=[\dk])|(?<![\w ]){TIMES}", "x", text) for text in labels(archspec.draw(name))}
    assert says - known == set()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("stop: 1", "channel 0"),
        ("stop: 2", "channels 0 to 1"),
        ("stop: 4", "channels 0 to 3"),
        ("start: 3, stop: 4", "channel 3"),
        ("start: 3, stop: 5", "channels 3 to 4"),
        ("start: 6", "channels 6 to 7"),
        ("start: 7", "channel 7"),
    ],
)
def test_a_slice_names_the_channels_that_it_takes(arguments: str, says: str) -> None:
    drawn = archspec.draw(compiled(f"input: [8, 4, 4]\nstages: []\nstem: [slice: {{{arguments}}}]\nhead: []"))
    assert says in labels(drawn)


def test_shortcuts_are_thin_where_they_are_the_value_itself() -> None:
    def styles(name: str) -> set[str]:
        return {line.style for line in archspec.draw(name).sheet.canvas.lines}

    assert styles("resnet50") == {"flow", "projection"}
    assert styles("resnet56_cifar") == styles("plain34") == styles("densenet121") == {"flow"}
    assert styles("efficientnet_b0") == {"flow", "gate"}
    assert styles("regnet_y_400mf") == {"flow", "projection", "gate"}
    gates = [shape for shape in archspec.draw("seresnet50").sheet.canvas.front if isinstance(shape, Rect)]
    assert sum(shape.style == "gate" for shape in gates) == 6  # a pool and two layers in each of two kinds of blocks


# -- blocks whose inside others read ---------------------------------------------------------------------------------


def hand_made(*, scope: str = "block", name: str = "block", inside: str = "") -> Graph:
    """Two layers in a block, and a sum of what the second and ``inside`` give."""
    conv, add = operations()["conv"](out=8, kernel=3), operations()["add"]()
    first, second = f"{scope}.one", f"{scope}.two"
    nodes = (
        Node("stem", conv, (INPUT,), (8, 4, 4)),
        Node(first, conv, ("stem",), (8, 4, 4)),
        Node(second, conv, (first,), (8, 4, 4)),
        Node("sum", add, (second, inside or "stem"), (8, 4, 4)),
    )
    block = Region("block", scope, name, 1, 3, "stem", second)
    return Graph("by_hand", (8, 4, 4), nodes, {"output": "sum"}, regions=(block,))


def test_a_block_is_one_card_only_where_nobody_reads_inside() -> None:
    closed, opened = figure(hand_made()), figure(hand_made(inside="block.one"))
    assert "A" in labels(closed)
    assert "A" not in labels(opened)
    assert {*shown(opened)} == {"stem", "block.one", "block.two", "sum"}


HOSTILE = "</text>\"'`; end\\N-->[x]\n%%{#quot;&amp;\x1b\ud800"


@pytest.mark.parametrize("depth", ["model", "stage", "block", "op"])
def test_hostile_names_stay_texts(depth: Depth) -> None:
    graph = hand_made(scope=HOSTILE, name=HOSTILE)
    root = ET.fromstring(figure(graph, depth=depth).svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "style", "rect", "circle", "path", "text"
    }  # fmt: skip
    check_dot(to_dot(graph, depth=depth))
    check_mermaid(to_mermaid(graph, depth=depth))


# -- widths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "bold", "width"),
    [  # from Adobe's metrics of Helvetica and Helvetica-Bold
        ("A", False, 667), ("a", False, 556), ("i", False, 222), ("m", False, 833), ("W", False, 944),
        (" ", False, 278), ("0", False, 556), ("@", False, 1015), ("fc, 10", False, 278 + 500 + 278 + 278 + 1112),
        ("A", True, 722), ("a", True, 556), ("i", True, 278), ("m", True, 889), ("@", True, 975), ("n", True, 611),
    ],
)  # fmt: skip
def test_widths_are_those_of_the_font(text: str, bold: bool, width: int) -> None:
    assert text_width(text, 1000, bold=bold) == width


FONT = Path("/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf")


@pytest.mark.skipif(not FONT.exists(), reason="Liberation Sans is not installed")
def test_widths_of_whole_texts_are_those_of_a_font() -> None:
    font = ImageFont.truetype(FONT, 1000)
    for text in labels(archspec.draw("mobilenet_v3_large")) | labels(archspec.draw("densenet121")):
        measured = font.getlength(text, features=["-kern"] if features.check("raqm") else None)
        assert text_width(text, 1000) == pytest.approx(measured, rel=0.02)


@pytest.mark.parametrize(
    ("frozen", "marked"),
    [
        ("null", []),
        ("[stem]", ["7 conv, 64, /2, frozen"]),
        ("[bn1]", ["BN, frozen"]),
        ("[head]", ["fc, 1000, frozen"]),
        ("[layer2]", ["layer2 (frozen)"]),
        ("[stem, layer1, layer2.0]", ["7 conv, 64, /2, frozen", "layer1 (frozen)"]),
    ],
)
@pytest.mark.parametrize("target", ["dot", "mermaid"])
def test_what_does_not_train_is_marked(frozen: str, marked: list[str], target: str) -> None:
    """Also in the formats without a legend: stages, and what is outside them."""
    graph = archspec.compile(f"archspec: 1\nname: t\nextends: resnet18\nfrozen: {frozen}")
    text = to_dot(graph) if target == "dot" else to_mermaid(graph)
    lines = [line for line in text.splitlines() if "accDescr" not in line]
    text = "\n".join(lines).replace("#40;", "(").replace("#41;", ")")
    for each in marked:
        assert each in text
    assert text.count("frozen") == len(marked)
