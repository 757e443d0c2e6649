"""Texts and tables fitted to a screen: no word and no number is broken, and nothing is wider than it must be."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.analysis.diff_text import difference_text
from archspec.analysis.text import comparison_text, report_text
from archspec.codes import CODES
from archspec.display import display_width
from archspec.graph.text import table
from archspec.screen import Bars, Screen, TextBlock, TextTable, lines
from archspec_cli import main
from archspec_cli.render import Terminal

WIDTHS = (40, 60, 80, 100, 200)

RESNET = archspec.compile("resnet50")

TEXTS: dict[str, Callable[[], Iterable[TextBlock]]] = {
    "analyze": lambda: report_text(archspec.analyze(RESNET), "stage"),
    "analyze --per layer": lambda: report_text(archspec.analyze("vgg11"), "layer"),
    "analyze --per block": lambda: report_text(archspec.analyze("densenet121"), "block"),
    "analyze of several": lambda: comparison_text([archspec.analyze(name) for name in ("vgg11", "densenet121")]),
    "diff": lambda: difference_text(archspec.diff(RESNET, "densenet121"), "resnet50", "densenet121"),
    "diff of VGG": lambda: difference_text(archspec.diff("vgg11", "regnet_y_128gf"), "vgg11", "regnet_y_128gf"),
    "show --graph": lambda: [TextTable(table(RESNET), header=True)],
    "explain": lambda: [TextTable([*CODES.items()])],
}


class Tty(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


def check(shown: list[str], words: set[str], width: int) -> None:
    """Whether these lines have whole words only, and fit unless a single word does not."""
    for line in shown:
        assert {*line.split()} <= words, line
        assert display_width(line) <= width or len(line.split()) == 1, line


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", TEXTS)
def test_no_word_is_broken(name: str, width: int) -> None:
    blocks = [block for block in TEXTS[name]() if not isinstance(block, Bars)]
    wide = "\n".join(lines(blocks, Screen()))
    shown = list(lines(blocks, Screen(width=width, person=True)))
    check(shown, {*wide.split()}, width)
    assert len(shown) >= len([block for block in blocks if isinstance(block, str)])


CELL = st.text(st.sampled_from("ab1.,:x 東é-"), max_size=30).map(str.strip)


@given(
    st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=4)),
    st.booleans(),
    st.sampled_from(WIDTHS),
    st.sets(st.integers(0, 4)),
)
def test_any_table_keeps_its_words(rows: list[list[str]], header: bool, width: int, right: set[int]) -> None:
    shown = list(lines([TextTable(rows, right, header=header)], Screen(width=width, person=True)))
    words = [word for row in rows for cell in row for word in cell.split()]
    for line in shown:
        assert {*line.split()} <= {*words}
    whole = {*" ".join(shown).split()}
    first = {word for cell in rows[0] for word in cell.split()} if header else set()
    assert {*words} - first <= whole


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "vgg1*"],
        ["list", "operations"],
        ["explain"],
        ["diff", "resnet18", "resnet34"],
        ["analyze", "resnet18"],
        ["analyze", "resnet18", "resnet34"],
        ["show", "resnet18", "--graph"],
    ],
    ids=" ".join,
)
def test_a_command_at_a_terminal_breaks_no_word(
    arguments: list[str], width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main.run(arguments)
    words = {*capsys.readouterr().out.split()}
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Tty()
    monkeypatch.setattr(sys, "stdout", stream)
    assert main.run(arguments) == 0
    shown = [line for line in stream.getvalue().splitlines() if not {*"▁▂▃▄▅▆▇█"} & {*line}]
    check(shown, words, width)


def test_a_name_that_looks_like_a_command_of_a_workflow_keeps_the_columns() -> None:
    rows = [("::error::x.yaml", "1"), ("a", "1,234"), ("##[group]", "22")]
    shown = list(lines([TextTable(rows, right=(1,))], Terminal()))
    assert shown[0].startswith("\\u003a:error::x.yaml")
    assert len({len(line) for line in shown}) == 1


def test_numbers_stay_with_their_units() -> None:
    rows = [("layer", "12.3 M parameters", "4.09 G"), ("a long name of a stage", "1,000,000,000", "1.00 k")]
    for width in range(40, 60):
        for line in lines([TextTable(rows, right=(2,))], Screen(width=width, person=True)):
            assert "4.09" not in line or "4.09 G" in line
