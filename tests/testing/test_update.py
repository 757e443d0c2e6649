"""Measured values in the place of what a spec expects: only they change, in the form in which they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.diagnostics import Source
from archspec.language.text.reader import read
from archspec.testing.expectations import check_expectations, read_expectation
from archspec.testing.update import figure, update

RESNET18 = {"params": 11_689_512, "macs": 1_814_073_344}  # torchvision's own figures

# What is written, what is measured, and what is then written.
FORMS = {
    "exact": ("25_557_032", 11_689_512, "11_689_512"),
    "exact, without groups": ("25557032", 11_689_512, "11689512"),
    "too short to have groups": ("7", 11_689_512, "11_689_512"),
    "in quotes with commas": ('"25,557,032"', 11_689_512, '"11,689,512"'),
    "in single quotes": ("'25557032'", 5, "'5'"),
    "rounded": ("25.6M", 11_689_512, "11.7M"),
    "rounded to two places": ("25.57M", 11_689_512, "11.69M"),
    "rounded to units": ("26M", 11_689_512, "12M"),
    "a space before the unit": ("4.1 G", 1_814_073_344, "1.8 G"),
    "a space, in quotes": ("'4.1 G'", 1_814_073_344, "'1.8 G'"),
    "half to even": ("25.6M", 11_650_000, "11.6M"),
    "grown over its unit": ("900k", 11_689_512, "11690k"),
    "shrunk below its unit": ("25.6M", 269_722, "270k"),
    "shrunk, one digit": ("2.5G", 1_727_962, "1.7M"),
    "shrunk below all units": ("25.6M", 7, "7"),
    "a power": ("2^16", 256, "2^8"),
    "no power of two": ("2^16", 96, "96"),
    "zero": ("2^16", 0, "0"),
    "an exponent": ("1e6", 11_689_512, "11_689_512"),
    "nothing yet": ("", 11_689_512, "11_689_512"),
    "a power that cannot be printed": ("7", 2**20_000, "2^20000"),
    "a number that cannot be printed": ("7", 3 * 2**20_000, ""),
}


@pytest.mark.parametrize("written", FORMS)
def test_a_figure_keeps_its_form(written: str) -> None:
    old, measured, new = FORMS[written]
    assert figure(old, measured) == new


@given(
    st.from_regex(r"[1-9][0-9]{0,4}(\.[0-9]{1,4})?[kKMGBT]|2\^[0-9]{1,2}|[0-9]{1,3}(_[0-9]{3}){0,3}", fullmatch=True),
    st.integers(0, 10**30),
)
def test_what_is_written_holds_for_what_was_measured(old: str, measured: int) -> None:
    value = read(Source("", f"x: {figure(old, measured)}")).value["x"]
    assert read_expectation(value).holds(measured)


def updated(expect: str, above: str = "archspec: 1\nname: mine\nextends: resnet18\n") -> tuple[str, dict[str, str]]:
    """The part of the text below ``above`` with measured values, and what is left as it is."""
    found = update(archspec.compile(Source("mine.yaml", above + expect)))
    assert found.text.startswith(above)
    return found.text.removeprefix(above), dict(found.left)


BEFORE = """\
expect:            # from the paper
    params:   25_557   # too few
    macs: "1,2"
    layers:
    skip_paths: 2^3
    activations: 2.7M  # rounded, and so it stays
    output: [ 10 ]     # classes
    stages:
      layer1: {output: [1, 2,  3], params: 0.1M, macs: {max: 3}}
      layer2: {output: , params: ~}

# the end
"""

AFTER = """\
expect:            # from the paper
    params:   11_689_512   # too few
    macs: "1,814,073,344"
    layers: 18
    skip_paths: 2^8
    activations: 2.7M  # rounded, and so it stays
    output: [ 1000 ]     # classes
    stages:
      layer1: {output: [64, 56,  56], params: 0.1M, macs: {max: 3}}
      layer2: {output: [128, 28, 28], params: 525_568}

# the end
"""


def test_only_values_change() -> None:
    found, left = updated(BEFORE)
    assert found == AFTER
    assert left == {"layer1.macs": "a bound is a decision: change it by hand"}
    assert updated(AFTER)[0] == AFTER


ALONE = "cannot be replaced in its place"
TEXTS = {
    "none": ("", f"expect: {{params: {RESNET18['params']:_}, macs: {RESNET18['macs']:_}, output: [1000]}}\n", {}),
    "null is a decision": ("expect: null\n", "expect: null\n", {}),
    "empty": ("expect: {}\n", "expect: {}\n", {}),
    "lines of another system": ("expect:\r\n  layers: 3\r\n", "expect:\r\n  layers: 18\r\n", {}),
    "no line break at the end": ("expect: {layers: 3}", "expect: {layers: 18}", {}),
    "a list over lines": ("expect: {output: [1,\n  2]}\n", "expect: {output: [1000]}\n", {}),
    "a list of lines": ("expect:\n  output:\n  - 10\n", "expect:\n  output:\n  - 1000\n", {}),
    "a longer list of lines": (
        "expect:\n  output:\n  - 10\n  - 3\n",
        "expect:\n  output:\n  - 10\n  - 3\n",
        {"output": "cannot be written"},
    ),
    "an anchor, and its alias": ("expect: {params: &a 12, layers: *a}\n", None, {}),
    "an alias of something else": (
        "classes: &n 1000\nexpect: {layers: *n, output: [*n]}\n",
        "classes: &n 1000\nexpect: {layers: 18, output: [*n]}\n",
        {},
    ),
    "something else is an alias of it": (
        "expect: {layers: &n 18, params: &m 1000}\nclasses: *m\n",
        "expect: {layers: &n 18, params: &m 1000}\nclasses: *m\n",
        {"params": ALONE},
    ),
    "what cannot be measured": (
        "expect: {stages: {layer1: {skip_paths: 3}}}\n",
        "expect: {stages: {layer1: {skip_paths: 3}}}\n",
        {"layer1.skip_paths": "it cannot be measured"},
    ),
    "what is no figure": ("expect: {params: many}\n", "expect: {params: 11_689_512}\n", {}),
    "the end of the document": ("...\n", "...\n", {"expect": "no place"}),
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_becomes_of_a_text(name: str) -> None:
    before, after, reasons = TEXTS[name]
    found, left = updated(before)
    assert found == (after or "expect: {params: &a 11_689_512, layers: 18}\n")
    assert left.keys() == reasons.keys()
    assert all(reason in left[key] for key, reason in reasons.items())


def test_a_spec_in_brackets_gets_no_expectations() -> None:
    text = "{archspec: 1, name: mine, extends: resnet18}\n"
    assert updated(text, above="") == (text, {"expect": "the layout has no place for another key"})
    text = "{archspec: 1, name: mine, extends: resnet18, expect: {layers: 3}}\n"
    assert updated(text, above="")[0] == text.replace("3}}", "18}}")


def test_after_an_update_every_expectation_holds_and_the_diff_shows_it() -> None:
    found = update(archspec.compile(Source("mine.yaml", "archspec: 1\nname: mine\nextends: resnet18\n" + BEFORE)))
    faults = check_expectations(archspec.compile(Source("mine.yaml", found.text)))
    assert [fault.message.split()[0] for fault in faults] == ["`layer1`"]  # its bound
    lines = found.diff().splitlines()
    assert lines[:2] == ["--- mine.yaml", "+++ mine.yaml"]
    assert "-    params:   25_557   # too few" in lines
    assert "+    params:   11_689_512   # too few" in lines
