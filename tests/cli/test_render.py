"""What a terminal sees: marks under the right characters, whatever stands on the line, and nothing that steers it."""

from __future__ import annotations

import ast
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import archspec
from archspec.diagnostics import Diagnostic, Label, Mention, Source, Span
from archspec.display import counted, display_width, short
from archspec.screen import TextTable, as_text
from archspec_cli import render
from archspec_cli.render import DiagnosticPrinter, Terminal
from archspec_cli.spelling import OPTIONS, as_json
from archspec_cli.streams import say
from archspec_cli.tables import put_table

PIPE = Terminal()


def drawn(text: str, place: tuple[int, int, int, int], terminal: Terminal = PIPE, hint: str = "") -> list[str]:
    """The lines of a diagnostic at `place` in `text`, without the first."""
    diagnostic = Diagnostic("E201", "wrong", Span(Source("a.yaml", text), *place), hint)
    return render.render(diagnostic, terminal).split("\n")[1:]


def marked(lines: list[str]) -> str:
    """What stands, column by column, above the marks."""
    above, below = lines
    marks = [column for column, character in enumerate(below) if character == "^"]
    return above[marks[0] : marks[-1] + 1]


# -- excerpts ----------------------------------------------------------------------------------------------------------


def test_a_diagnostic_is_a_title_an_excerpt_and_what_to_do() -> None:
    source = Source("odd.yaml", "name: odd\nstages: {groups: 32}\n")
    diagnostic = Diagnostic(
        "E503",
        "100 channels do not split into 32 groups",
        Span(source, 2, 18, 2, 20),
        hint="too many",
        labels=(Label(Span(source, 1, 7, 1, 10), "from here"),),
        notes=("in layer1.0.conv2",),
        help="4 divides both",
    )
    assert render.render(diagnostic, Terminal()) == (
        "odd.yaml:2:18: error[E503]: 100 channels do not split into 32 groups\n"
        "  2 | stages: {groups: 32}\n"
        "    |                  ^^ too many\n"
        "  1 | name: odd\n"
        "    |       --- from here\n"
        "  in layer1.0.conv2\n"
        "  help: 4 divides both"
    )


def test_line_numbers_of_different_length_share_a_gutter() -> None:
    source = Source("a.yaml", "x: 1\n" * 12)
    diagnostic = Diagnostic("E104", "twice", Span(source, 12, 1, 12, 2), labels=(Label(Span(source, 3, 1, 3, 2), ""),))
    assert render.render(diagnostic, Terminal()).split("\n")[1:] == [
        "  12 | x: 1",
        "     | ^",
        "   3 | x: 1",
        "     | -",
    ]


def test_a_label_in_another_file_says_where_it_is() -> None:
    own, library = Source("a.yaml", "stages: 1"), Source("blocks.yaml", "blocks: 1")
    diagnostic = Diagnostic(
        "E503", "wrong", Span(own, 1, 1, 1, 7), labels=(Label(Span(library, 1, 1, 1, 7), "expanded"),)
    )
    lines = render.render(diagnostic, Terminal()).split("\n")
    assert lines[3:] == ["  at blocks.yaml:1:1", "  1 | blocks: 1", "    | ------ expanded"]


def test_without_a_place_there_is_no_excerpt() -> None:
    diagnostic = Diagnostic("E801", "there is no spec `resnet5`", hint="did you mean `resnet50`?", help="look")
    assert render.render(diagnostic, Terminal()) == (
        "error[E801]: there is no spec `resnet5`\n  did you mean `resnet50`?\n  help: look"
    )


@pytest.mark.parametrize(
    ("line", "first", "last", "expected"),
    [
        pytest.param("name: 東京 wrong", 10, 15, (11, 5), id="wide characters take two columns"),
        pytest.param("name: 東京 wrong", 7, 9, (6, 4), id="and two marks each"),
        pytest.param("a\twrong", 3, 8, (4, 5), id="a tab goes to the next stop"),
        pytest.param("\twrong", 2, 7, (4, 5), id="a tab at the start"),
        pytest.param("abcd\twrong", 6, 11, (8, 5), id="a tab at a stop is a whole one"),
        pytest.param("e\u0301tage: x", 9, 10, (7, 1), id="a combining mark takes none"),
        pytest.param("n: \u202ewrong", 5, 10, (9, 5), id="what steers a terminal is shown as its number"),
        pytest.param("n: \x1b[31m", 4, 5, (3, 6), id="and is marked as wide as that"),
    ],
)
def test_marks_stand_under_the_characters(line: str, first: int, last: int, expected: tuple[int, int]) -> None:
    """`expected`: the column of the first mark on the screen, from 0 where the line begins, and the number of marks."""
    above, below = drawn(line, (1, first, 1, last))
    start, count = expected
    below = below.removeprefix("    | ")
    assert (below.index("^"), below.count("^")) == (start, count)
    assert above.startswith("  1 | ")


def test_a_tab_is_drawn_as_spaces() -> None:
    assert drawn("a\tb", (1, 3, 1, 4))[0] == "  1 | a   b"


@pytest.mark.parametrize(
    ("place", "marks"),
    [
        pytest.param((1, 7, 1, 7), "      ^", id="an empty span gets one mark"),
        pytest.param((1, 5, 1, 99), "    ^^", id="a span past the end stops there"),
        pytest.param((1, 40, 1, 41), "      ^", id="a place past the end is the end"),
        pytest.param((2, 1, 2, 1), "^", id="a line that is not there"),
        pytest.param((1, 3, 3, 2), "  ^^^^", id="of several lines the first is marked, to its end"),
    ],
)
def test_marks_at_the_end_of_a_line(place: tuple[int, int, int, int], marks: str) -> None:
    assert drawn("a: [1,", place)[1] == f"    | {marks}"


def test_the_first_of_several_lines_is_marked_without_the_space_at_its_end() -> None:
    assert drawn("a: [1,   \n 2]", (1, 4, 2, 4))[1] == "    |    ^^^"


@pytest.mark.parametrize("position", [0, 40, 500, 997])
def test_a_long_line_is_cut_around_the_marks(position: int) -> None:
    line = "".join(f"{number:04}" for number in range(250))
    lines = drawn(line, (1, position + 1, 1, position + 4), Terminal(width=60))
    assert all(display_width(each) <= 60 for each in lines)
    assert marked(lines) == line[position : position + 3]
    assert lines[0].startswith("  1 | ...") == (position > 20)
    assert lines[0].endswith("...") == (position < 990)


def test_the_end_of_a_long_line_is_on_the_screen() -> None:
    lines = drawn("x" * 1000, (1, 1001, 1, 1001), Terminal(width=60))
    assert max(map(display_width, lines)) <= 60
    assert lines[1].index("^") == len(lines[0])


def test_a_long_line_of_wide_characters_is_cut_between_them() -> None:
    lines = drawn("東" * 300 + "x" + "京" * 300, (1, 301, 1, 302), Terminal(width=61))
    assert all(display_width(each) <= 61 for each in lines)
    column = lines[1].index("^")
    assert lines[0][: len(lines[0])].index("x") + lines[0].split("x")[0].count("東") == column


def test_marks_longer_than_the_screen_stay_on_it() -> None:
    lines = drawn("x" * 1000, (1, 1, 1, 1001), Terminal(width=60))
    assert max(map(display_width, lines)) <= 60
    assert lines[1].count("^") > 40


# -- what may be printed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("character", list("\x00\x07\x1b\r\n\x7f\x9b\u202e\u2066\udc80"))
def test_what_could_steer_a_terminal_is_shown_as_its_number(character: str) -> None:
    shown = Terminal().safe(f"a{character}b")
    assert shown == f"a\\u{ord(character):04x}b"


def test_what_the_terminal_cannot_encode_is_shown_as_its_number() -> None:
    assert Terminal(encoding="ascii").safe("é 東") == "\\u00e9 \\u6771"
    assert Terminal(encoding="latin-1").safe("é 東") == "é \\u6771"
    assert Terminal().safe("é 東") == "é 東"


def test_no_part_of_a_diagnostic_carries_control_characters() -> None:
    bad = "\x1b[31m\u202e\r"
    source = Source(f"f{bad}.yaml", f"n: {bad}")
    span = Span(source, 1, 4, 1, 5)
    diagnostic = Diagnostic("E201", bad, span, bad, (Label(Span(Source(bad, bad), 1, 1, 1, 2), bad),), (bad,), bad)
    text = render.render(diagnostic, Terminal())
    assert all(character.isprintable() for line in text.split("\n") for character in line)


class Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "color", "person"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, False, True),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_colors_need_a_terminal_that_takes_them(
    variables: dict[str, str], color: bool, person: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal.of(Tty())
    assert (terminal.color, terminal.person) == (color, person)
    diagnostic = Diagnostic("E201", "wrong", Span(Source("a.yaml", "a: 1"), 1, 1, 1, 2))
    assert ("\x1b[" in render.render(diagnostic, terminal)) == color


def test_a_pipe_has_no_colors() -> None:
    assert Terminal.of(io.StringIO()) == Terminal()
    assert Terminal.of(None) == Terminal()


def test_colors_do_not_move_the_marks() -> None:
    import re

    painted = drawn("name: 東京 wrong", (1, 10, 1, 15), Terminal(color=True), "hint")
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in painted] == drawn(
        "name: 東京 wrong", (1, 10, 1, 15), hint="hint"
    )


# -- reports, figures, tables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "warnings", "verdict", "last"),
    [
        (0, 0, "", ""),
        (0, 0, "2 of 2 specs are valid", "2 of 2 specs are valid"),
        (1, 0, "", "1 error"),
        (2, 1, "0 of 2 specs are valid", "2 errors, 1 warning; 0 of 2 specs are valid"),
        (50, 0, "", "50 errors"),
        (1234, 0, "", "1,234 errors; the first 50 are shown"),
    ],
)
def test_a_report_shows_fifty_and_counts_all(
    errors: int, warnings: int, verdict: str, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = DiagnosticPrinter()
    report.add([Diagnostic("E201", f"wrong {number}") for number in range(errors)])
    report.add([Diagnostic("W301", "odd") for _ in range(warnings)])
    report.finish(verdict)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("[E201]") == min(errors, 50)
    assert err.rstrip("\n").split("\n")[-1] == last


def test_json_has_every_part_of_a_diagnostic() -> None:
    source = Source("a.yaml", "abc")
    diagnostic = Diagnostic(
        "W301", "m", Span(source, 1, 1, 1, 4), "h", (Label(Span(source, 1, 2, 1, 3), "l"),), ("n",), "do"
    )
    place = {"file": "a.yaml", "line": 1, "end_line": 1}
    assert diagnostic.as_data() == {
        **place,
        "code": "W301",
        "severity": "warning",
        "message": "m",
        "column": 1,
        "end_column": 4,
        "hint": "h",
        "labels": [{**place, "column": 2, "end_column": 3, "text": "l"}],
        "notes": ["n"],
        "help": "do",
        "items": [],
    }
    nowhere = Diagnostic("E801", "m").as_data()
    assert [nowhere[key] for key in ("file", "line", "column", "end_line", "end_column")] == [None] * 5


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (9_994, "9.99 k"),
        (9_995, "10.0 k"),
        (99_949, "99.9 k"),
        (99_950, "100 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (4_089_184_256, "4.09 G"),
        (10**21, "1000 E"),
    ],
)
def test_large_numbers_have_three_digits_and_a_unit(number: int, shown: str) -> None:
    assert short(number) == shown


def test_things_are_counted() -> None:
    assert [counted(1, "error"), counted(0, "error"), counted(1234, "node")] == ["1 error", "0 errors", "1,234 nodes"]


def test_columns_are_aligned_by_what_is_seen() -> None:
    rows = [("name", "params"), ("東京", "1"), ("e\u0301t", "1,234")]
    assert as_text([TextTable(rows, right=(1,), indent="  ")]) == (
        "  name  params\n  東京       1\n  e\u0301t     1,234"
    )


def test_a_table_has_no_space_at_the_ends_of_lines() -> None:
    assert as_text([TextTable([("a", "long"), ("b", "")])]) == "a  long\nb"


@pytest.mark.parametrize("stream", [Tty, io.StringIO])
def test_cells_are_made_safe(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", stream())
    put_table([("name", "[bold]x[/bold]"), ("a\x1b[31m\u202e\n", ":smile:")], header=True)
    written = sys.stdout.getvalue()  # type: ignore[attr-defined]
    assert [line.split() for line in written.splitlines()] == [
        ["name", "[bold]x[/bold]"],
        ["a\\u001b[31m\\u202e\\u000a", ":smile:"],
    ]


def test_a_message_that_cannot_be_written_does_not_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=full, fileno=lambda: -1))
    say("lost")


def test_only_a_long_list_of_items_is_put_below() -> None:
    items = [f"`layer1.0.conv{number}.weight`" for number in range(5)]
    long = Diagnostic.listing("E807", "the weights lack 5 keys of `net`", items)
    assert render.render(long, Terminal(width=80)).split("\n") == [
        "error[E807]: the weights lack 5 keys of `net`:",
        *(f"  {item}" for item in items),
    ]
    assert render.render(long, Terminal(width=500)) == str(long)
    short = Diagnostic.listing("E807", "the weights lack 3 keys of `net`", items[:3])
    assert render.render(short, Terminal(width=20)) == str(short)
    sentence = Diagnostic("E904", "`x` raises TypeError: `a`, `b`; `c`, `d` are not given, " + "which is what " * 6)
    assert "\n" not in render.render(sentence, Terminal(width=80))


def test_every_argument_that_a_help_mentions_has_an_option() -> None:
    files = Path(archspec.__file__).parent.rglob("*.py")
    calls = [call for file in files for call in ast.walk(ast.parse(file.read_text())) if isinstance(call, ast.Call)]
    made = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Mention"]
    assert {name.value for name in made if isinstance(name, ast.Constant)} == OPTIONS.keys()


def test_a_help_names_the_option_and_not_the_argument_of_python() -> None:
    argument = Span(Source("frozen", "stem", "argument"), 1, 1, 1, 5)
    mention = Mention("overrides", "`overrides=['a=1']`", "a=1")
    diagnostic = Diagnostic("E310", "m", argument, help=f"write {mention.text}", mentions=(mention,))
    assert str(diagnostic).startswith("frozen:1:1: ")
    told = render.render(diagnostic, Terminal())
    assert told.startswith("--frozen:1:1: ")
    assert told.endswith("help: write `--set a=1`")
    (data,) = as_json([diagnostic])
    assert (data["file"], data["help"]) == ("--frozen", "write `--set a=1`")
