"""Whatever the input, a result or coded diagnostics: bytes, tokens, and the project's own specs with lines mangled.

``ARCHSPEC_FUZZ=5000`` tries so many inputs of each kind.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from archspec.diagnostics import Source
from tests.support.paths import ROOT
from tests.tools.fuzz.promise import survive_source, survive_spec, watched

SPECS = sorted([*(ROOT / "specs").glob("*.yaml"), *(ROOT / "tests/specs").rglob("*.yaml")])
SPECS = [path for path in SPECS if path.is_file()]
TEXTS = [path.read_text(encoding="utf-8") for path in SPECS]
GOOD = [text for path, text in zip(SPECS, TEXTS, strict=True) if "bad" not in path.parts]

fuzz = settings(
    max_examples=int(os.environ.get("ARCHSPEC_FUZZ", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)


def survives(source: Source, overrides: tuple[str, ...] = ()) -> None:
    """Read, compile and check; a refusal must be a SpecError whose every part can be shown."""
    watched(lambda: survive_source(source, overrides), memory=False, seconds=5)  # coverage and a full machine are slow


TOKENS = (
    *(
        "archspec: 1\n",
        "name: t\n",
        "stages:",
        "stages: {block: basic, count: 1, channels: 8}\n",
        "extends: resnet18\n",
    ),
    *("blocks:", "fragments:", "shortcuts:", "params:", "let:", "steps:", "residual:", "stem:", "head:", "expect:"),
    *("naming:", "scale:", "init:", "outputs:", "norm:", "act:", "drop_path:", "shortcut:", "activation_order:"),
    *("layer:", "conv:", "pool:", "concat:", "add:", "multiply:", "sequence:", "se:", "flatten", "linear:", "use:"),
    *("out:", "kernel:", "stride:", "when:", "of:", "type:", "channels", "count", "block", "groups", "name:"),
    *("quantized_linear:", "depth:", "w_0:", "before:", "after:", "fixed:", "merge:", "same:", "change:", "import:"),
    *(
        " ",
        "  ",
        "    ",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        ": ",
        ", ",
        "[",
        "]",
        "{",
        "}",
        "'",
        '"',
        "#",
        "&a ",
        "*a",
        "|\n",
    ),
    *("1", "0", "-1", "64", "0.5", "1e9", "1e300", "010", "yes", "null", "true", "relu", "none", "pre", "'pre'"),
    *(
        "a",
        "x y",
        "1/0",
        "7 / 2",
        "channels * 2",
        "index == 0",
        "min(1, 2)",
        "in_channels",
        "{stage}",
        "é",
        "\u202e",
        "\x00",
    ),
)
ODD = (
    "null",
    "0",
    "-1",
    "1e15",
    "1e-300",
    "0.5",
    "true",
    "''",
    "'{'",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{a: 1}",
    "x",
    "1/0",
)
ODD += (
    "in_channels",
    "channels",
    "relu",
    "pre",
    "none",
    "projection",
    "identity",
    "bottleneck",
    "se",
    "layer",
    "[1, 2, 3]",
)
ODD += (
    "'a b'",
    "7/2",
    "[64, [1, 2]]",
    "{use: se}",
    "{type: batch, eps: 0}",
    "[layer: {out: 8}]",
    "2000",
    "99999999999999999999",
)


@fuzz
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(data: bytes) -> None:
    watched(lambda: survive_spec(data), memory=False, seconds=5)


@fuzz
@given(st.lists(st.sampled_from(TOKENS), max_size=40).map("".join))
@example("archspec: 1\nname: t\nstem: [concat: {}]\nstages: {block: basic, count: 1, channels: 8}\n")
def test_any_tokens(text: str) -> None:
    survives(Source("any", "archspec: 1\nname: t\n" + text))


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """A spec of the project with a few lines deleted, doubled, swapped or indented, and values replaced by odd ones."""
    lines = draw(st.sampled_from(GOOD) | st.sampled_from(TEXTS)).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(
            st.sampled_from(["value", "value", "value", "inner", "inner", "delete", "double", "swap", "indent", "line"])
        ):
            case "value":
                key, colon, _ = lines[at].partition(": ")
                lines[at] = key + (colon or ": ") + draw(st.sampled_from(ODD))
            case "inner":
                words = lines[at].split(" ")
                words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(ODD)) + draw(
                    st.sampled_from(["", ",", "}"])
                )
                lines[at] = " ".join(words)
            case "delete":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "indent":
                lines[at] = draw(st.sampled_from(["  " + lines[at], lines[at][2:]]))
            case "line":
                lines.insert(at, draw(st.sampled_from(draw(st.sampled_from(TEXTS)).splitlines())))
        lines = lines or [""]
    return "\n".join(lines) + "\n"


@fuzz
@given(mangled())
def test_mangled_specs(text: str) -> None:
    survives(Source("mangled", text, path=str(ROOT / "tests/specs/good/mangled.yaml")))


KEYS = ("classes", "input.1", "stages.block", "stages.count.0", "stem.width", "norm", "norm.eps", "params.a", "x")
KEYS += ("stages", "blocks.b", "fragments.f.steps", "expect", "naming.stage", "scale.width", "import", "outputs")


@fuzz
@given(
    st.sampled_from(GOOD),
    st.lists(
        st.text("abcdefghijklmnopqrstuvwxyz_.0123456789= \n\t", max_size=12)
        | st.builds(
            "{}={}".format,
            st.sampled_from(KEYS),
            st.sampled_from(ODD) | st.text(max_size=10),
        ),
        max_size=3,
    ).map(tuple),
)
def test_any_overrides(text: str, overrides: tuple[str, ...]) -> None:
    survives(Source("spec", text), overrides)


@pytest.mark.parametrize("lines", [3, pytest.param(12, marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_lines_cut_short(path: Path, lines: int) -> None:
    """What an editor sends while somebody types: the text up to a line, and without its last character."""
    text = path.read_text(encoding="utf-8")
    ends = [i for i, character in enumerate(text) if character == "\n"]
    for end in ends[:: max(1, len(ends) // lines)]:
        survives(Source("cut", text[:end], path=str(path)))
        survives(Source("cut", text[: end - 1], path=str(path)))
