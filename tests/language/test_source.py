from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import Diagnostic, Source, SpecError
from archspec.language.text import reader as module
from archspec.language.text.document import Document, Path
from archspec.language.text.files import ReadLimits, decode, read_file
from archspec.language.text.reader import read
from archspec.language.text.scalars import NotFinite, read_scalar
from tests.support.timing import allowed

SPEC = """\
archspec: 1
name: resnet50          # a comment
input: [3, 224, 224]
stages:
  block: bottleneck
  channels: &widths [64, "width * 2"]
  out: *widths
blocks:
  own:
    residual:
      - layer: {out: width, kernel: 3}
      - norm
summary: >-
  Two lines,
  folded.

notes:
expect:
  params: 25_557_032
"""


def parse(text: str, **options: Any) -> Document:
    return read(Source("spec.yaml", text), **options)


def refusal(text: str, **options: Any) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        parse(text, **options)
    return caught.value.diagnostics


def places(diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    """``CODE line:column`` of every fault."""
    return [f"{d.code} {d.span.line}:{d.span.column}" if d.span else d.code for d in diagnostics]


def quoted(document: Document, path: Path) -> str:
    """What the caret of a one-line value stands under."""
    span = document.span(path)
    return span.source.line(span.line)[span.column - 1 : span.end_column - 1]


class TestDocument:
    def test_values(self) -> None:
        assert parse(SPEC).value == {
            "archspec": 1,
            "name": "resnet50",
            "input": [3, 224, 224],
            "stages": {
                "block": "bottleneck",
                "channels": [64, "width * 2"],
                "out": [64, "width * 2"],
            },
            "blocks": {"own": {"residual": [{"layer": {"out": "width", "kernel": 3}}, "norm"]}},
            "summary": "Two lines, folded.",
            "notes": None,
            "expect": {"params": 25_557_032},
        }

    @pytest.mark.parametrize(
        ("path", "key", "value"),
        [
            ((), None, (1, 1, 19, 21)),
            (("archspec",), (1, 1, 1, 9), (1, 11, 1, 12)),
            (("name",), (2, 1, 2, 5), (2, 7, 2, 15)),
            (("input",), (3, 1, 3, 6), (3, 8, 3, 21)),
            (("input", 2), None, (3, 17, 3, 20)),
            (("stages",), (4, 1, 4, 7), (5, 3, 7, 15)),
            (("stages", "channels"), (6, 3, 6, 11), (6, 21, 6, 38)),
            (("stages", "channels", 1), None, (6, 26, 6, 37)),
            (("stages", "out"), (7, 3, 7, 6), (7, 8, 7, 15)),
            (("stages", "out", 1), None, (6, 26, 6, 37)),
            (("blocks", "own", "residual"), (10, 5, 10, 13), (11, 7, 12, 13)),
            (("blocks", "own", "residual", 0, "layer"), (11, 9, 11, 14), (11, 16, 11, 39)),
            (("blocks", "own", "residual", 0, "layer", "kernel"), (11, 29, 11, 35), (11, 37, 11, 38)),
            (("blocks", "own", "residual", 1), None, (12, 9, 12, 13)),
            (("summary",), (13, 1, 13, 8), (13, 10, 15, 10)),
            (("notes",), (17, 1, 17, 6), (17, 7, 17, 7)),
        ],
    )
    def test_places(self, path: Path, key: tuple[int, ...] | None, value: tuple[int, ...]) -> None:
        place = parse(SPEC).places[path]
        assert (place.key and tuple(place.key[1:])) == key
        assert tuple(place.value[1:]) == value

    def test_every_value_has_a_place_and_nothing_else_has(self) -> None:
        document = parse(SPEC)
        assert set(document.places) == set(walk(document.value))
        assert document.ambiguous == {}

    def test_an_unknown_path_is_placed_at_what_is_around_it(self) -> None:
        document = parse(SPEC)
        assert document.span(("stages", "block", "deep", 3)) == document.places["stages", "block"].value
        assert document.span(("nowhere",)) == document.places[()].value
        assert document.key_span(("stages", "block", "deep")) == document.places["stages", "block"].key
        assert document.key_span(("input", 1)) == document.places["input", 1].value

    def test_columns_count_characters(self) -> None:
        document = parse('"ünïcode \U0001f600": {a: é, b: 2}\n')
        assert tuple(document.span(("ünïcode \U0001f600", "b"))[1:]) == (1, 24, 1, 25)

    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_line_breaks(self, newline: str) -> None:
        document = parse(SPEC.replace("\n", newline))
        assert document.value == parse(SPEC).value
        assert quoted(document, ("expect", "params")) == "25_557_032"

    def test_a_byte_order_mark_is_no_column(self) -> None:
        assert tuple(parse("\ufeffa: b\n").span(("a",))[1:]) == (1, 4, 1, 5)
        assert parse("\ufeffa: b\n").source.line(1) == "a: b"

    def test_the_name_and_the_kind_of_the_source_stay(self) -> None:
        found = read(Source("x.yaml", "\ufeffa: 1", "library")).source
        assert (found.name, found.kind) == ("x.yaml", "library")

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("a: &x 12", "12"),
            ("a: &x   # why\n  text here\n", "text here"),
            ("a: &x [1, 2]", "[1, 2]"),
            ("a: &x\nb: 1", "&x"),
            ("a: 'it''s'  # c", "'it''s'"),
            ('a: "x\\ty"', '"x\\ty"'),
            ("a: two words   # c", "two words"),
            ("a: {}", "{}"),
            ("? a\n: 5\n", "5"),
        ],
    )
    def test_the_place_of_a_value_is_the_value(self, text: str, shown: str) -> None:
        assert quoted(parse(text), ("a",)) == shown

    @pytest.mark.parametrize(
        ("text", "end"),
        [
            ("a: |\n  x\n\n# c\nb: 1\n", (2, 4)),
            ("a: |\n  x\n  yy\n", (3, 5)),
            ("a: >-   # c\nb: 1\n", (1, 12)),
            ("a: &x |+\n  y\n\n\nb: 1\n", (2, 4)),
            ("a: |\n  x", (2, 4)),
            ('a: "x\n  y"\n', (2, 5)),
            ("a:\n  b: 1\n\n\nc: 2\n", (2, 7)),
            ("a:\n- 1\n-\nc: 2\n", (3, 2)),
        ],
    )
    def test_a_value_of_several_lines_ends_where_its_text_ends(self, text: str, end: tuple[int, int]) -> None:
        assert tuple(parse(text).span(("a",))[3:]) == end

    def test_an_anchored_block_begins_at_its_first_key(self) -> None:
        assert tuple(parse("a: &x # c\n\n  b: 1\n  c: 2\n").span(("a",))[1:]) == (3, 3, 4, 7)

    def test_aliases(self) -> None:
        document = parse("a: &x {b: [1, yes]}\nc: *x\n&k d: *k\nf: {*k : 1}\n")
        assert document.value == {"a": {"b": [1, "yes"]}, "c": {"b": [1, "yes"]}, "d": "d", "f": {"d": 1}}
        assert document.value["c"] is document.value["a"]
        assert set(document.places) == set(walk(document.value))
        assert document.places["c", "b", 0] == document.places["a", "b", 0]
        assert quoted(document, ("c",)) == "*x"
        assert document.ambiguous.keys() == {("a", "b", 1), ("c", "b", 1)}

    def test_an_anchor_may_be_given_again(self) -> None:
        assert parse("a: &x 1\nb: &x 2\nc: *x\n").value == {"a": 1, "b": 2, "c": 2}

    @pytest.mark.parametrize(
        ("text", "value"), [("3", 3), ("[1, 2]", [1, 2]), ("", None), ("a", "a"), ("a: 1", {"a": 1})]
    )
    def test_a_fragment_may_be_any_value(self, text: str, value: Any) -> None:
        document = parse(text, fragment=True)
        assert document.value == value
        assert document.span(()).line == 1

    @pytest.mark.parametrize("text", ["%YAML 1.2\n---\na: 1", "---\na: 1\n...\n", "# c\n---\n\na: 1 # d"])
    def test_a_document_may_be_marked(self, text: str) -> None:
        assert parse(text).value == {"a": 1}


def walk(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from walk(child, (*path, key))


class TestScalars:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            *((text, None) for text in ("", "~", "null", "Null", "NULL")),
            *((text, True) for text in ("true", "True", "TRUE")),
            *((text, False) for text in ("false", "False", "FALSE")),
            *(("0", 0), ("-0", 0), ("+12", 12), ("-7", -7), ("25_557_032", 25_557_032), ("1" * 100, int("1" * 100))),
            *(
                ("1e-6", 1e-6),
                ("1e3", 1000.0),
                (".5", 0.5),
                ("5.", 5.0),
                ("-1.5E+2", -150.0),
                ("+.5", 0.5),
                ("01.5", 1.5),
            ),
        ],
    )
    def test_values(self, text: str, value: Any) -> None:
        document = parse(f"a: {text}")
        assert document.value == {"a": value}
        assert type(document.value["a"]) is type(value)
        assert not document.ambiguous

    @pytest.mark.parametrize(
        "text",
        ["tRUE", "nULL", "nan", "inf", "--", "+", ".", "1.2.3", "3x3", "2^16", "25.6M", "1e", "1 2", "12:60", "_"],
    )
    def test_text(self, text: str) -> None:
        document = parse(f"a: {text} ")
        assert document.value == {"a": text}
        assert not document.ambiguous

    @pytest.mark.parametrize("text", ["'010'", '"yes"', "'12'", '"null"', "'.nan'", "'1__0'"])
    def test_what_is_quoted_is_text(self, text: str) -> None:
        document = parse(f"a: {text}\nb: |\n  12")
        assert document.value == {"a": text[1:-1], "b": "12"}
        assert not document.ambiguous

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("010", "YAML 1.1 reads `010` as 8, YAML 1.2 as 10"),
            ("-012", "YAML 1.1 reads `-012` as -10, YAML 1.2 as -12"),
            ("08", "YAML 1.1 reads `08` as text, YAML 1.2 as 8"),
            ("0_7", "YAML 1.1 reads `0_7` as 7, YAML 1.2 as 7"),
            ("yes", "YAML 1.1 reads `yes` as true, YAML 1.2 as text"),
            ("Off", "YAML 1.1 reads `Off` as false, YAML 1.2 as text"),
            ("0x1F", "YAML readers differ on `0x1F`: a number or text"),
            ("12:30", "YAML 1.1 reads `12:30` as a number in base 60, YAML 1.2 as text"),
            ("2015-12-10", "YAML 1.1 reads `2015-12-10` as a date, YAML 1.2 as text"),
            ("1__0", "YAML readers differ on the underscores of `1__0`: a number or text"),
        ],
    )
    def test_reasons(self, text: str, reason: str) -> None:
        document = parse(f"a: [{text}]")
        assert document.value == {"a": [text]}
        assert document.ambiguous == {("a", 0): reason}

    @pytest.mark.parametrize(
        "text", ["no", "ON", "Yes", "off", "0o17", "0b1", "1:1:1", "1_", "_1", "1_0.5", "+0x_F", "1_e5"]
    )
    def test_ambiguous(self, text: str) -> None:
        document = parse(f"a: {text}")
        assert document.value == {"a": text}
        assert document.ambiguous.keys() == {("a",)}

    def test_a_reason_is_short(self) -> None:
        assert len(parse(f"a: 1{':1' * 100_000}").ambiguous["a",]) < 150
        assert len(parse(f"a: 1{'_' * 100_000}").ambiguous["a",]) < 150

    @pytest.mark.parametrize(
        "text", [".nan", ".NaN", ".inf", "-.Inf", "+.INF", "1e999", "1" * 101, "0" * 5000, "1." + "3" * 100]
    )
    def test_not_finite(self, text: str) -> None:
        assert places(refusal(f"a: [1, {text}]")) == ["E111 1:8"]

    @given(st.text(alphabet="0123456789+-._eExob:", max_size=12))
    def test_any_number_like_text(self, text: str) -> None:
        with contextlib.suppress(NotFinite):
            value = read_scalar(text)
            assert value == text or value is None or value == float(text.replace("_", ""))


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a: b\x00", ["E101 1:5"]),
            ("a: b\nc: \x1b[31m", ["E101 2:4"]),
            ("a: b\r\nc: \x7f", ["E101 2:4"]),
            ("a: \ud800", ["E101 1:4"]),
            ("# \x0b\n", ["E101 1:3"]),
            ("# c\u2028a: 1", ["E101 1:4"]),
            ("a: \x85", ["E101 1:4"]),
            ("a: \ufeff", ["E101 1:4"]),
            ("a: \ufffe", ["E101 1:4"]),
            ('a: "x\\0"\nb: "\\e"\n"\\0": 1', ["E101 1:4", "E101 2:4", "E101 3:1"]),
        ],
    )
    def test_not_text(self, text: str, expected: list[str]) -> None:
        assert places(refusal(text)) == expected

    @pytest.mark.parametrize(
        ("text", "place", "message", "help"),
        [
            ("a:\n\tb: 1\n", "2:1", "a tab", "indent with spaces"),
            ("a:\n  b: 1\n \tc: 2\n", "3:2", "a tab", "indent with spaces"),
            ("a: |\n\tb\n", "2:1", "a tab", "indent with spaces"),
            ("name:foo\nbar: 1\n", "2:4", "a colon", "space after every colon"),
            ("name:foo\n\n\n\nbar: 1\n", "5:4", "a colon", "space after every colon"),
            ("name:foo\n# c\nbar: 1\n", "3:1", "after the end", "space after every colon"),
            ("a: 1\nname:foo\nbar: 1\n", "2:1", "no `: `", "space after every colon"),
            ("a: b: c\n", "1:5", "a colon", "quotes"),
            ("a: 1\n b: 2\n", "2:3", "a colon", "same column"),
            ("a: 1\nstages\nb: 2\n", "2:1", "no `: `", "space after every colon"),
            ("a: [1, 2\nb: 3\n", "2:2", "the list is not closed", "`]`"),
            ("a: [1, 2\n", "1:4", "the list is not closed", "`]`"),
            ("a: {b: 1\nc: 2\n", "2:2", "the mapping is not closed", "`}`"),
            ("a: {b: {c}-{d}}\n", "1:11", "the mapping is not closed", "needs quotes"),
            ("a: {b: x if y: z}\n", "1:14", "the mapping is not closed", "needs quotes"),
            ("a: [1,,2]\n", "1:7", "not `,`", "quotes"),
            ("a: ]\n", "1:4", "not `]`", "quotes"),
            ("a: {b: [\n", "1:8", "the text ends", ""),
            ('a: "foo\nb: 1\n', "1:4", "never closed", "close it"),
            ('a: "foo\n---\n"', "1:4", "not closed", "close it"),
            ("a: 'it's'\n", "1:8", "after the end of the value", "quotes"),
            ("a: @b\n", "1:4", "cannot start", "quotes"),
            ("a: %b\n", "1:4", "cannot start", "quotes"),
            ('a: "\\q"\n', "1:5", "escape", "backslash"),
            ('a: "\\xzz"\n', "1:7", "escape", "backslash"),
            ("a: *\n", "1:4", "name is missing", "quotes"),
            ("a: |x\n b\n", "1:5", "next line", ""),
            ("a: |0\n b\n", "1:5", "from 1 to 9", ""),
            ("a: - b\n", "1:4", "a list item", "next line"),
            ("a: ? b\n", "1:4", "`? `", "quotes"),
            ("a:\n  b: 1\n c: 2\n", "3:2", "does not belong to the mapping", "same column"),
            ("- a\nb: 1\n", "2:1", "does not belong to the list", "same column"),
            (": a\n", "1:1", "a key is missing", ""),
            ("{a: 1}}\n", "1:7", "after the end of the document", ""),
            ("%YAML 1.1\n---\na: 1\n", "1:1", "YAML 1.2", "remove"),
            ("%YAML 1.3\n---\na: 1\n", "1:1", "directive", "remove"),
            ("%FOO\n---\na: 1\n", "1:1", "directive", "remove"),
            ("%YAML 1.2\na: 1\n", "2:1", "directive", "remove"),
            ("k" * 2000 + ": 1", "1:2001", "a colon", ""),
        ],
    )
    def test_not_yaml(self, text: str, place: str, message: str, help: str) -> None:
        (fault,) = refusal(text)
        assert places((fault,)) == [f"E102 {place}"]
        assert message in fault.message
        assert help in fault.help

    def test_the_opening_of_what_is_not_closed_is_shown(self) -> None:
        (fault,) = refusal("a: [1,\n  2\nb: 3\n")
        assert [(label.span.line, label.span.column) for label in fault.labels] == [(1, 4)]

    def test_the_colon_without_a_space_is_shown(self) -> None:
        (fault,) = refusal("name:foo\n\nbar: 1\n")
        assert [(label.span.line, label.span.column) for label in fault.labels] == [(1, 5)]

    @pytest.mark.parametrize(
        ("text", "expected", "first"),
        [
            ("a: 1\nb: 2\na: 3\n", ["E104 3:1"], (1, 1)),
            ("a: {b: 1, c: 2, 'b': 3}\n", ["E104 1:17"], (1, 5)),
            ("- x:\n    y: 1\n    y: 2\n", ["E104 3:5"], (2, 5)),
            ("a: &k b\nb: 1\n*k : 2\n", ["E104 3:1"], (2, 1)),
        ],
    )
    def test_a_key_written_twice(self, text: str, expected: list[str], first: tuple[int, int]) -> None:
        faults = refusal(text, fragment=True)
        assert places(faults) == expected
        assert faults[0].labels[0].span[1:3] == first

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a: &a {b: 1}\nc:\n  <<: *a\n  b: 2\n", ["E105 3:3"]),
            ("<<: {a: 1}\n", ["E105 1:1"]),
            ("a: {<<: [*x]}\n", ["E105 1:5", "E106 1:10"]),
        ],
    )
    def test_merge_keys(self, text: str, expected: list[str]) -> None:
        assert places(refusal(text)) == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a: *b\n", ["E106 1:4"]),
            ("? &a [1, 2]\n: x\n? &b [1]\n: [*a, *b, *c]\n", ["E108 1:6", "E108 3:6", "E106 4:12"]),
            ("a: *b\nb: &b 1\n", ["E106 1:4"]),
            ("a: &a [1, *a]\n", ["E106 1:11"]),
            ("a: &a\n  b: &b\n    c: [*a, *b]\n", ["E106 3:9", "E106 3:13"]),
            ("a: &a 1\nb: &a {c: *a}\n", ["E106 2:11"]),
        ],
    )
    def test_aliases_without_a_value(self, text: str, expected: list[str]) -> None:
        assert places(refusal(text)) == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a: !!python/object/apply:os.system [x]\n", ["E107 1:4"]),
            ("a: !!str 12\n", ["E107 1:4"]),
            ("a: ! 12\n", ["E107 1:4"]),
            ('a: ! "12"\n', ["E107 1:4"]),
            ("a: &x !b\n  c: 1\n", ["E107 1:7"]),
            ("a: &x\n  !b\n  c: 1\n", ["E107 2:3"]),
            ("a: !<tag:x,2000:y> z\n", ["E107 1:4"]),
            ("!!binary a: 1\n", ["E107 1:1"]),
            ("- !a\n- [!b c, !d {}]\n", ["E107 1:3", "E107 2:4", "E107 2:10"]),
            ("a: !x!y z\n", ["E107 1:4"]),
            ("a: !<foo\n", ["E107 1:4"]),
            ("%TAG ! tag:x:\n---\na: !b c\n", ["E107 1:1", "E107 3:4"]),
        ],
    )
    def test_tags(self, text: str, expected: list[str]) -> None:
        assert places(refusal(text, fragment=True)) == expected

    def test_the_tag_is_named_as_written(self) -> None:
        (fault,) = refusal("a: !<tag:x,2000:y> z\n")
        assert "`!<tag:x,2000:y>`" in fault.message
        assert fault.span is not None
        assert fault.span.end_column == 19

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("1: a\ntrue: b\n~: c\n1.5: d\n", ["E108 1:1", "E108 2:1", "E108 3:1", "E108 4:1"]),
            ("? [a, b]\n: 1\n", ["E108 1:3"]),
            ("{a: {{b: 1}: 2}}\n", ["E108 1:6"]),
            ("a: &x [1]\n*x : 2\n", ["E108 2:1"]),
            ("&x 12: 2\n", ["E108 1:4"]),
            ("a: {'': 1}\n", ["E108 1:5"]),
            ("a: {? : 1}\n", ["E108 1:7"]),
            ("{1: {2: {a: 3, a: 4}}}\n", ["E108 1:2", "E108 1:6", "E104 1:16"]),
        ],
    )
    def test_keys_that_are_no_text(self, text: str, expected: list[str]) -> None:
        assert places(refusal(text)) == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", ["E109 1:1"]),
            ("# nothing\n", ["E109 1:1"]),
            ("---\n", ["E109 2:1"]),
            ("hello\n", ["E109 1:1"]),
            ("--- 12\n", ["E109 1:5"]),
            ("- a\n- b\n", ["E109 1:1"]),
            ("a: 1\n---\nb: 2\n", ["E109 2:1"]),
            ("a: 1\na: 2\n---\n- b: [\n", ["E104 2:1", "E109 3:1"]),
        ],
    )
    def test_not_one_mapping(self, text: str, expected: list[str]) -> None:
        assert places(refusal(text)) == expected

    def test_a_fragment_is_one_document(self) -> None:
        assert places(refusal("1\n--- 2\n", fragment=True)) == ["E109 2:1"]

    def test_faults_are_collected_in_order_up_to_the_syntax_error(self) -> None:
        text = "b: !t 1\na: 1\na: 2\n3: 4\n<<: *x\nz: .inf\nc: [\n"
        expected = ["E107 1:4", "E104 3:1", "E108 4:1", "E105 5:1", "E106 5:5", "E111 6:4", "E102 7:4"]
        assert places(refusal(text)) == expected

    def test_messages_are_sentences_without_a_stop_and_short(self) -> None:
        long = "x" * 5000
        texts = [f"a: *{long}", f"a: !{long} b", f"? {long}\n: 1\n? {long}\n: 2\n", f"a: b: {long}", f"{long}: [", long]
        for fault in (fault for text in texts for fault in refusal(text)):
            assert len(fault.message) < 150
            assert not fault.message.endswith(".")
            assert fault.message.isprintable()


class TestLimits:
    @pytest.mark.parametrize("text", ["[" * 25_000, "{" * 25_000, "- " * 25_000, "? " * 25_000, "{a: " * 25_000])
    def test_nesting(self, text: str) -> None:
        started = time.process_time()
        assert [fault.code for fault in refusal(text)] == ["E103"]
        assert time.process_time() - started < allowed(1)

    def test_the_deepest_nesting(self) -> None:
        parse("[" * 64 + "1" + "]" * 64, fragment=True)
        assert places(refusal("[" * 65 + "]" * 65)) == ["E103 1:65"]
        parse("[[1]]", fragment=True, limits=ReadLimits(depth=2))
        assert places(refusal("[[[1]]]", limits=ReadLimits(depth=2))) == ["E103 1:3"]

    def test_nesting_by_aliases(self) -> None:
        chain = "- &a0 [1]\n" + "".join(f"- &a{i} [*a{i - 1}]\n" for i in range(1, 200))
        assert places(refusal(chain)) == ["E103 64:9"]

    def test_an_alias_bomb(self) -> None:
        lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
        lines += [f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
        lines.append("# " + "x" * 34)
        text = "\n".join(lines)
        assert len(text) == 342
        started = time.process_time()
        assert places(refusal(text)) == ["E103 5:11"]
        assert time.process_time() - started < allowed(1)

    def test_values(self) -> None:
        limits = ReadLimits(values=5)
        assert parse("a: &a [1, 2]\nb: 3", limits=limits).value == {"a": [1, 2], "b": 3}
        assert places(refusal("a: [1, 2]\nb: [3]", limits=limits)) == ["E103 2:5"]
        assert places(refusal("a: &a [1, 2]\nb: *a", limits=limits)) == ["E103 2:4"]
        assert places(refusal("[" + "1," * 20_000 + "]")) == ["E103 1:40000"]

    def test_bytes(self) -> None:
        assert places(refusal("a: 1\n" + "#" * 262_140)) == ["E103 1:1"]
        assert places(refusal("# " + "é" * 140_000)) == ["E103 1:1"]
        assert parse("a: 1\n" + "#" * 262_139).value == {"a": 1}

    @pytest.mark.parametrize(
        "unit",
        ["a: 1\n", "- *x\n", "- !a b\n", "1: 2\n", "- .nan\n", '- "\\0"\n', "? [a]\n", "\n", "#\n", "&a\n ", "a\n"],
    )
    def test_a_large_file_of_faults_takes_no_time(self, unit: str) -> None:
        started = time.process_time()
        refusal("a:b\n" + unit * (262_000 // len(unit)) + "c: [")
        assert time.process_time() - started < allowed(3)


class TestFiles:
    def refusal(self, path: pathlib.Path, **options: Any) -> Diagnostic:
        with pytest.raises(SpecError) as caught:
            read_file(path, **options)
        (fault,) = caught.value.diagnostics
        return fault

    def test_a_file(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "spec.yaml"
        path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\r\n")
        assert read_file(path).name == str(path)
        found = read_file(path, name="spec")
        assert (found.name, found.text, found.path) == ("spec", "a: é\r\n", str(path))

    def test_a_link(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "spec.yaml").write_text("a: 1")
        (tmp_path / "link.yaml").symlink_to("spec.yaml")
        assert read_file(tmp_path / "link.yaml").text == "a: 1"

    @pytest.mark.parametrize("name", ["no.yaml", "no/no.yaml", "file/no.yaml", "x" * 5000, "a\0b", "\ud800"])
    def test_missing(self, tmp_path: pathlib.Path, name: str) -> None:
        (tmp_path / "file").write_text("")
        fault = self.refusal(tmp_path / name, name=name)
        assert (fault.code, fault.span) == ("E801", None)
        assert fault.message.isprintable()
        assert len(fault.message) < 150

    def test_links_in_a_loop(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        assert self.refusal(tmp_path / "a").code == "E801"

    def test_a_folder(self, tmp_path: pathlib.Path) -> None:
        assert self.refusal(tmp_path).code == "E803"

    @pytest.mark.skipif(sys.platform == "win32", reason="no pipes in the file system")
    def test_a_pipe(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path, regular = tmp_path / "pipe", tmp_path / "file"
        os.mkfifo(path)
        regular.write_text("")
        assert self.refusal(path).code == "E803"
        status = regular.stat()
        monkeypatch.setattr(pathlib.Path, "stat", lambda *_, **__: status)  # the file is replaced before it is opened
        assert self.refusal(path).code == "E803"

    @pytest.mark.skipif(not pathlib.Path("/dev/zero").exists(), reason="no /dev/zero")
    def test_a_device(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "link").symlink_to("/dev/zero")
        assert self.refusal(pathlib.Path("/dev/zero")).code == "E803"
        assert self.refusal(tmp_path / "link").code == "E803"

    def test_a_large_file_is_not_read(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "large"
        with path.open("wb") as stream:
            stream.truncate(1 << 40)
        assert self.refusal(path).code == "E103"

    def test_a_file_that_grows_is_cut_off(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "grows"
        path.write_bytes(b"")
        status = path.stat()
        path.write_bytes(b"#" * 300_000)
        monkeypatch.setattr(os, "fstat", lambda _: status)
        monkeypatch.setattr(pathlib.Path, "stat", lambda *_, **__: status)
        assert self.refusal(path).code == "E103"

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
    def test_no_permission(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "folder" / "spec.yaml"
        path.parent.mkdir()
        path.write_text("a: 1")
        path.chmod(0)
        assert self.refusal(path).code == "E804"
        path.parent.chmod(0)
        fault = self.refusal(path)
        path.parent.chmod(0o700)
        assert fault.code == "E804"

    def test_an_input_error(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any) -> int:
            raise OSError(5, "Input/output error")

        (tmp_path / "spec.yaml").write_text("a: 1")
        monkeypatch.setattr(os, "open", fail)
        fault = self.refusal(tmp_path / "spec.yaml", name="spec.yaml")
        assert (fault.code, fault.message) == ("E804", "`spec.yaml` cannot be read: input/output error")

    @pytest.mark.parametrize(
        ("data", "place"),
        [
            (b"a: 1\nb\xc3\xa9: \xff\n", "E101 2:5"),
            (b"\xef\xbb\xbf\xff", "E101 1:1"),
            ("a: 1\n".encode("utf-16"), "E101 1:1"),
            (b"a: \xed\xa0\x80", "E101 1:4"),
            (b"\r\n\r\xc3", "E101 3:1"),
        ],
    )
    def test_not_utf_8(self, tmp_path: pathlib.Path, data: bytes, place: str) -> None:
        (tmp_path / "spec.yaml").write_bytes(data)
        assert places((self.refusal(tmp_path / "spec.yaml"),)) == [place]
        with pytest.raises(SpecError) as caught:
            decode(data, "-")
        assert places(caught.value.diagnostics) == [place]

    def test_utf_16_is_recognised(self) -> None:
        with pytest.raises(SpecError) as caught:
            decode("a: 1\n".encode("utf-16"), "-")
        assert "UTF-16" in caught.value.diagnostics[0].help

    def test_too_many_bytes(self) -> None:
        with pytest.raises(SpecError) as caught:
            decode(b"#" * 11, "-", limits=ReadLimits(bytes=10))
        assert places(caught.value.diagnostics) == ["E103"]


class TestWithoutLibyaml:
    @pytest.fixture(autouse=True)
    def _python_parser(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_Parser", yaml.SafeLoader)

    def test_the_same_document(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slow = parse(SPEC)
        monkeypatch.undo()
        fast = parse(SPEC)
        assert slow.value == fast.value
        assert {path: place.value[1:] for path, place in slow.places.items()} == {
            path: place.value[1:] for path, place in fast.places.items()
        }

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('a: "\\U00110000"', "E102 1:1"),
            ('a: 1\nb: "\\UFFFFFFFF"', "E102 1:4"),
            ('a: "\\ud800"', "E101 1:4"),
            ("a:\n\tb: 1\n", "E102 2:1"),
            ("a: [1\nb: 2", "E102 2:2"),
            ("a: ! b", "E107 1:4"),
            ("a:\n  b: 1\n c: 2\n", "E102 3:2"),
        ],
    )
    def test_refusals(self, text: str, expected: str) -> None:
        assert places(refusal(text)) == [expected]


READING = {f"E{number}" for number in range(101, 112)} - {"E110"}
PIECES = (
    *("a", "b", "12", "x y", " ", "  ", "\n", "\n  ", "\n- ", "\t", ": ", ":", "- ", "? ", ", ", "[", "]", "{", "}"),
    *(
        "'",
        '"',
        "\\",
        "#",
        "|",
        ">",
        "-\n",
        "&a ",
        "*a",
        "!t ",
        "!!int ",
        "<<",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "%",
        "@",
        "`",
    ),
    *("null", "yes", "010", "1:1", ".inf", "\x00", "\ufeff", "\u2028", "é", "\U0001f600", "\r\n"),
)


def survives(source: Source) -> Document | None:
    try:
        document = read(source)
    except SpecError as error:
        lines = source.text.removeprefix("\ufeff").splitlines()
        for fault in error.diagnostics:
            assert fault.code in READING
            assert "after this place" not in fault.message  # the parser, or this reader, would have crashed
            assert fault.span is not None
            assert 1 <= fault.span.line <= len(lines) + 1
            assert fault.span.column >= 1
            assert fault.message.isprintable()
        return None
    assert isinstance(document.value, dict)
    assert set(document.places) == set(walk(document.value))
    assert set(document.ambiguous) <= set(document.places)
    for place in document.places.values():
        assert place.value[1:3] <= place.value[3:]
    return document


def texts() -> st.SearchStrategy[str]:
    return st.text() | st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@given(texts())
def test_any_text_gives_a_document_or_known_faults(text: str) -> None:
    survives(Source("any", text))


@given(st.binary() | texts().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_a_document_or_known_faults(data: bytes) -> None:
    if is_utf_8(data):
        survives(decode(data, "any"))
        return
    with pytest.raises(SpecError) as caught:
        decode(data, "any")
    assert [fault.code for fault in caught.value.diagnostics] == ["E101"]


def is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.lists(st.sampled_from(PIECES[:30]), max_size=25).map(lambda pieces: "a: " + "".join(pieces)))
def test_what_is_read_is_what_pyyaml_reads(text: str) -> None:
    document = survives(Source("any", text))
    if document and not document.ambiguous:
        assert document.value == yaml.load(text, yaml.CSafeLoader)


def is_plain_text(text: str) -> bool:
    """PyYAML writes `1e3` without quotes, since YAML 1.1 reads it as text; YAML 1.2 reads a number."""
    try:
        return isinstance(read_scalar(text), str)
    except NotFinite:
        return False


characters = st.characters(
    exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"
) | st.just("\n")
words = st.text(characters, max_size=20).filter(is_plain_text) | st.sampled_from(
    ["yes", "010", "1:1", "null", "a: b", "- x"]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**99), 10**99)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
)
keys = words.filter(bool)
data = st.dictionaries(
    keys,
    st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
    ),
)


@given(data, st.sampled_from([True, False, None]), st.booleans())
def test_what_pyyaml_writes_is_read_back(value: dict[str, Any], flow: bool | None, unicode: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=unicode)
    document = parse(text)
    assert document.value == value
    assert set(document.places) == set(walk(value))
    for path, place in document.places.items():
        if place.key and place.key.line == place.key.end_line:
            shown = place.key.source.line(place.key.line)[place.key.column - 1 : place.key.end_column - 1]
            assert yaml.safe_load(shown) == path[-1] or str(path[-1]) == shown


def test_shared_values_are_read_back() -> None:
    shared = {"a": [1, 2]}
    assert parse(yaml.safe_dump({"x": shared, "y": [shared, shared["a"]]})).value == {
        "x": shared,
        "y": [shared, [1, 2]],
    }
