"""The writer of YAML and the reader: what is written reads back to the same values, whatever they are."""

from __future__ import annotations

import itertools
import json
import string
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import archspec
from archspec.diagnostics import Source
from archspec.language.text.document import Document
from archspec.language.text.reader import read
from archspec.language.text.yaml_writer import flow, to_yaml, write

LIKE_SOMETHING = [
    *(
        "1e400",
        "-1e400",
        "1" * 101,
        "0." + "1" * 101,
        "1e5",
        "1E5",
        ".5",
        "5.",
        "+1",
        "-0",
        "010",
        "0o10",
        "0x1F",
        "0b1",
    ),
    *("1_000", "1__0", "_1", "12:30", "1:2:3.5", "2026-01-02", "2026-01-02T03:04:05Z", "2026-01-02 03:04:05"),
    *("yes", "No", "on", "OFF", "y", "N", "true", "True", "TRUE", "false", "null", "Null", "~", "", " ", "=", "<<"),
    *(".inf", "-.INF", ".nan", "NaN", "inf", "nan", "%YAML 1.2", "---", "...", "--- a", "# a", "a # b", "a #b", "#"),
    *(
        "- a",
        "-",
        "? a",
        "?",
        ": a",
        ":",
        "a: b",
        "a:",
        "a:b",
        "a :b",
        ":b",
        "[a]",
        "{a}",
        "a, b",
        "a]",
        "&a",
        "*a",
        "!a",
    ),
    *(
        "|",
        ">",
        "@a",
        "`a`",
        "'a'",
        '"a"',
        "'",
        '"',
        "\\",
        "\\n",
        "it's",
        'a"b',
        " a",
        "a ",
        "\ta",
        "a\tb",
        "a\t",
        "\t",
    ),
    *(
        "a\nb",
        "\na",
        "a\n",
        "a\n\n b",
        "a\r\nb",
        "\r",
        "\u00a0",
        "\u200b",
        "\u202e",
        "\U0001f600",
        "\U000e0001",
        "\ue000",
    ),
    *(
        "\u00e9",
        "e\u0301",
        "x" * 1020,
        "x" * 1030,
        "\u00e9" * 1030,
        "x " * 3000,
        "\n" * 600,
        "(a",
        "a)",
        "null a",
        "1 2",
    ),
]
ALLOWED = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff").filter(
    lambda c: ord(c) & 0xFFFE != 0xFFFE or ord(c) > 0xFFFF
)
TEXTS = st.one_of(
    st.sampled_from(LIKE_SOMETHING),
    st.text(ALLOWED | st.sampled_from("\t\n\r"), max_size=20),
    st.text(string.digits + "+-._eE:xob ", max_size=12),
    st.text(" #:-?,[]{}&*!|>'\"%@`\\\t\na1", max_size=10),
)
SCALARS = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(-(10**99), 10**99), st.floats(allow_nan=False, allow_infinity=False)
)
KEYS = TEXTS.filter(bool)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=4)


def meant(text: str) -> Document:
    return read(archspec.Source("written.yaml", text))


def same(value: Any, other: Any) -> bool:
    """Whether the values and their types agree, and the order of keys."""
    return repr(value) == repr(other)


@settings(max_examples=300)
@given(DOCUMENTS)
@example({text or "empty": text for text in LIKE_SOMETHING})
@example({text or "empty": [text, {text or "empty": text}, [[text]]] for text in LIKE_SOMETHING})
def test_what_is_written_reads_back(value: dict[str, Any]) -> None:
    written = write(value)
    assert same(meant(written.text).value, value)
    assert same(read(archspec.Source("flow", flow(value)), fragment=True).value, value)
    for path, line in written.values.items():
        assert not path or written.keys.get(path, line) <= line


@settings(max_examples=300)
@given(DOCUMENTS, st.booleans())
@example({text or "empty": text for text in LIKE_SOMETHING}, True)
@example({text or "empty": text for text in LIKE_SOMETHING}, False)
def test_every_json_document_is_a_document_that_can_be_shown(value: dict[str, Any], ascii_only: bool) -> None:
    """Keys of JSON have no `? ` before them, so YAML limits their length. `json.dumps` writes surrogate pairs."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=1)
    if any(len(line.lstrip().partition('": ')[0]) > 1000 for line in text.splitlines()) or "\x7f" in text:
        return
    document = meant(text)
    assert same(document.value, value)
    for comments in (True, False):
        assert same(meant(to_yaml(document, comments=comments)).value, value)


STYLES = [
    "'{}'",
    '"{}"',
    "{}",
    "|\n  {}",
    ">\n  {}",
    "|2-\n  {}",
    "['{}', {}]",
    "{{'{}': \"{}\"}}",
    "? {}\n: {}",
    "&a {}",
]


@settings(max_examples=500)
@given(TEXTS, st.sampled_from(STYLES))
def test_what_is_read_in_any_style_is_written_and_read_again(text: str, style: str) -> None:
    try:
        document = meant(f"key: {style.replace('{}', text).replace('{{', '{').replace('}}', '}')}\nother: 1\n")
    except archspec.SpecError:
        return
    assert same(meant(to_yaml(document)).value, document.value)


def test_every_text_may_be_in_a_spec_that_is_shown() -> None:
    for text in LIKE_SOMETHING:
        spec = archspec.load(f"archspec: 1\nname: a\nextends: resnet18\nnotes: {json.dumps(text)}\n")
        assert meant(to_yaml(spec.document)).value["notes"] == text


@pytest.mark.parametrize("escapes", ["x01 x02 x03 x04 x05 x06 x07 x08", "x1e x1f x7f x80"])
def test_a_surrogate_pair_beside_every_sequence_of_controls(escapes: str) -> None:
    sequences = ["".join(f"\\{each}" for each in three) for three in itertools.product(escapes.split(), repeat=3)]
    others = "".join(sequences)
    found = read(Source("-", f"pair: \"\\ud83d\\ude00\"\nothers: '{others}'\n")).value
    assert found == {"pair": "\U0001f600", "others": others}


@given(
    st.text(st.characters(min_codepoint=0x10000), min_size=1, max_size=4),
    st.sampled_from(["", "\\\\", "a\\n", "\\u00e9"]),
)
def test_a_surrogate_pair_is_one_character_and_moves_no_place(text: str, before: str) -> None:
    escaped = before + json.dumps(text)[1:-1]
    document = meant(f'{{"{escaped}": 1, "b": ["{escaped}", x], c: \'{escaped}\', d: 1}}')
    assert document.value == {
        (decoded := json.loads(f'"{escaped}"')): 1,
        "b": [decoded, "x"],
        "c": escaped,
        "d": 1,
    }
    assert document.span(("b", 1)).column == document.source.text.index(", x]") + 3
    assert document.key_span(("d",)).column == document.source.text.index("d: 1") + 1
    plain = meant(f"a: {escaped}x\nb: |\n  {escaped}\n# {escaped}\n")
    assert plain.value == {"a": f"{escaped}x", "b": f"{escaped}\n"}


@pytest.mark.parametrize(
    ("text", "column"),
    [
        (r'a: "\ud83d"', 5),
        (r'a: "\ude00\ud83d"', 5),
        (r'a: "\ud83d\ude00 \ud83d"', 18),
        (r'a: "\\ud83d\ude00"', 12),
        (r'a: "\ud83d \ude00"', 5),
        (r'{"\ud83d\ude00": "\ude00"}', 19),
        (r'a: "\ud83d\ude0"', 5),
    ],
)
def test_half_a_pair_is_refused_at_its_place(text: str, column: int) -> None:
    with pytest.raises(archspec.SpecError) as error:
        meant(text)
    (found,) = error.value.diagnostics
    assert found.code in ("E101", "E102")
    assert found.span is not None
    assert found.span.column - column in (0, 2), found


def test_control_characters_beside_a_pair_stay_refused() -> None:
    for escaped in (r"\x01\x01\x01", r"\u0001\u0001\u0001", r"\x01", "\\0"):
        for text in (rf'"\ud83d\ude00{escaped}"', rf'"{escaped}\ud83d\ude00"', rf'"{escaped}"'):
            with pytest.raises(archspec.SpecError) as error:
                meant(f"a: {text}")
            assert [d.code for d in error.value.diagnostics] == ["E101"]


def test_a_key_may_be_as_long_as_a_spec() -> None:
    long = "x" * 5000
    assert meant(f"? {long}\n: 1").value == {long: 1}
    with pytest.raises(archspec.SpecError, match="a key has at most 1,024 characters"):
        meant(f"{long}: 1")
