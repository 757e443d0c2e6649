"""Compound scaling: `scaled` means one thing wherever it is written, and every result is a width or a diagnostic."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import archspec
from archspec.language.expressions.values import make_divisible
from tests.support.equivalence import codes, compiled

SMALL = {
    "input": "[3, 16, 16]",
    "classes": "10",
    "stem": "[conv: {out: 8}]",
    "stages": "{block: basic, count: 1, channels: 8}",
    "head": "[pool: {type: avg, output: 1}, flatten, linear: {out: classes}]",
}

PLACES = {
    "step": "stem: [conv: {out: VALUE}]",
    "classes": "classes: VALUE",
    "input": "input: [VALUE, 16, 16]",
    "parameter": "params: {w: VALUE}\nstem: [conv: {out: w}]",
    "parameter of the classes": "params: {w: VALUE}\nclasses: w",
    "parameter of the table": "params: {w: VALUE}\nstages: {block: basic, count: 1, channels: w}",
    "parameter of a setting": "params: {w: VALUE}\nnorm: {type: group, groups: w}\nstem: [conv: {out: 64}]\n"
    "stages: {block: basic, count: 1, channels: 64}",
    "step that reads a parameter": "params: {w: 32}\nstem: [conv: {out: EXPRESSION}]",
    "channels": "stages: {block: basic, count: 1, channels: VALUE}",
    "count": "stages: {block: basic, count: VALUE, channels: 8}",
    "quantized_linear": "stages: {block: basic, quantized_linear: {depth: 4, w_0: VALUE, w_a: 40, w_m: 2}}",
    "group_width": "stages: {block: basic, quantized_linear: {depth: 4, w_0: 64, w_a: 40, w_m: 2, group_width: VALUE}}",
    "fragment": "fragments: {f: {params: {w: 1}, steps: [conv: {out: w}]}}\nstem: [f: {w: VALUE}]",
    "fragment's default": "fragments: {f: {params: {w: VALUE}, steps: [conv: {out: w}]}}\nstem: [f]",
    "let": "fragments: {f: {let: {w: VALUE}, steps: [conv: {out: w}]}}\nstem: [f]",
    "block's parameter": "stages: {block: b, count: 1, w: VALUE}\n"
    "blocks: {b: {params: {w: 1}, steps: [conv: {out: w}]}}",
    "block": "blocks: {b: {steps: [conv: {out: VALUE}]}}\nstages: {block: b, count: 1}",
    "shortcut": "shortcuts: {s: {change: [conv: {out: VALUE}, conv: {out: out_channels}]}}\nshortcut: s\n"
    "stages: {block: basic, count: 1, channels: 16}",
    "before": "stages: [{block: basic, count: 1, channels: 8, before: [conv: {out: VALUE}]}]",
    "when": "stem: [conv: {out: 8}, act: {when: VALUE == 48}]",
    "stage's name": "stages: {block: basic, count: 1, channels: 8, name: 'a{VALUE}'}",
    "template": "naming: {stage: 's{VALUE}'}",
}


def text_of(place: str, value: str, scale: str = "") -> str:
    text = place.replace("VALUE", f"{value}")
    rest = "".join(f"{key}: {default}\n" for key, default in SMALL.items() if f"\n{key}:" not in f"\n{text}")
    return f"{rest}{text}\n{scale}"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("scale", "width"), [("", 32), ("scale: {width: 1.5, divisor: 8}", 48), ("scale: {depth: 1}", 32)]
)
def test_scaled_means_one_thing_everywhere(place: str, scale: str, width: int) -> None:
    place = PLACES[place].replace("EXPRESSION", "VALUE")
    assert (
        compiled(text_of(place, "scaled (32)", scale)).fingerprint
        == compiled(text_of(place, str(width), scale)).fingerprint
    )


def test_scale_may_read_parameters() -> None:
    text = text_of("params: {by: 2, w: scaled(8), d: 16}\nstem: [conv: {out: w}]", "", "scale: {width: by, divisor: d}")
    assert compiled(text).shape("conv1")[0] == 16


@pytest.mark.parametrize(
    ("more", "code", "line"),
    [
        ("scale: {width: scaled(2)}", "E402", 6),
        ("params: {w: scaled(8)}\nscale: {width: w}", "E402", 7),
        ("params: {w: scaled(8)}\nscale: {divisor: w}", "E402", 7),
        ("params: {w: scaled(8)}\nscale: {depth: 2 * w}", "E402", 7),
        ("scale: {width: 0}", "E205", 6),
        ("scale: {divisor: 0}", "E205", 6),
        ("scale: {divisor: -8}", "E205", 6),
        ("scale: {divisor: 1.5}", "E202", 6),
        ("scale: {divisor: 3 / 2}", "E403", 6),
        ("scale: {width: 1e300}", "E405", 6),
        ("scale: {depth: 1e300}", "E405", 6),
        ("scale: {width: 1e-400}", "E205", 6),
        ("scale: {width: nan}", "E402", 6),
        ("scale: {width: .nan}", "E111", 6),
        ("scale: {width: 2}\nparams: {w: scaled(word)}", "E402", 7),
        ("scale: {width: 2}\nparams: {w: \"scaled('word')\"}", "E406", 7),
        ("scale: {width: 2}\nparams: {w: scaled(true)}", "E406", 7),
        ("scale: {width: 2}\nparams: {w: scaled(0)}", "E501", 7),
        ("scale: {width: 1e15}\nparams: {w: scaled(64)}", "E405", 7),
    ],
)
def test_what_cannot_be_scaled(more: str, code: str, line: int) -> None:
    with pytest.raises(archspec.SpecError) as error:
        compiled(text_of("", "", more))
    assert {(d.code, d.span.line if d.span else 0) for d in error.value.diagnostics} == {(code, line + 3)}


@pytest.mark.parametrize("value", ["0", "-128", "0.5", "-1e15"])
@pytest.mark.parametrize("scale", ["", "scale: {width: 1.5}"])
@pytest.mark.parametrize("place", ["step", "classes", "parameter", "channels", "block", "let", "template"])
def test_a_width_below_1_is_refused_before_it_is_scaled(place: str, scale: str, value: str) -> None:
    with pytest.raises(archspec.SpecError) as error:
        compiled(text_of(PLACES[place], f"scaled({value})", scale))
    assert codes(error.value) == ["E501"]


@pytest.mark.parametrize("value", ["0", "-128", "1 / 2", "8 - 9"])
def test_channels_below_1_are_refused_where_they_are_written(value: str) -> None:
    text = text_of(f"stages: {{block: basic, count: 2, channels: [8, {value}]}}", "", "scale: {width: 1.5}")
    with pytest.raises(archspec.SpecError) as error:
        compiled(text)
    (found,) = error.value.diagnostics
    assert (found.code, found.span and found.span.column) == (
        "E501",
        text.index(value, text.index("[8, ")) - text.index("stages") + 1,
    )


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**16), 10**16),
    st.sampled_from([1e15, 1e-300, 5e-324]),
)


@settings(max_examples=200)
@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.sampled_from(sorted(PLACES)))
@example(1e15, 1, 8, 64, "step")
@example(1e-300, 1e-300, 1e15, 64, "channels")
@example(1, 1e15, 8, 3, "count")
@example(1, 5e-324, 8, 3, "count")
@example(1e15, 1, 10**15, 10**15, "parameter")
@example(0.75, 1, 7, 10**15 - 1, "template")
def test_every_scale_gives_a_network_or_a_diagnostic(
    width: float, depth: float, divisor: float, value: float, place: str
) -> None:
    text = text_of(PLACES[place].replace("EXPRESSION", "VALUE"), f"scaled({value})")
    try:
        graph = compiled(f"{text}\nscale: {{width: {width}, depth: {depth}, divisor: {divisor}}}")
    except archspec.SpecError:
        return
    if place == "step":
        assert graph.shape("conv1")[0] == make_divisible(value * width, divisor)


def test_a_width_that_a_parameter_rounds_is_told_once() -> None:
    text = text_of("params: {w: scaled(10)}\nclasses: scaled(20)\nstem: [conv: {out: w}, conv: {out: scaled(10)}]", "")
    (warning,) = compiled(f"{text}\nscale: {{width: 1.1}}").warnings
    assert warning.code == "W502"
    assert warning.message == "widths were rounded: 11 to 16, 22 to 24, 8.8 to 8"


def test_a_product_that_is_not_exact_is_not_rounded() -> None:
    text = text_of("stem: [conv: {out: scaled(200)}]\nstages: []", "")
    assert 200 * 2.2 != 440
    assert not compiled(f"{text}\nscale: {{width: 2.2}}").warnings
