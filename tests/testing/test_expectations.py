"""`expect` in a spec, and budgets from outside: what holds, what does not and by how much, and what is none."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.diagnostics import Diagnostic, SpecError
from archspec.testing.expectations import BadExpectation, check_expectations, read_expectation
from archspec_cli.main import run

MILLION = 10**6


def test_stages_that_share_a_scope_are_judged_together() -> None:
    """`features` of a VGG holds all of its stages, as torch's `model.features` does."""
    model = archspec.build("vgg11", device="meta")
    params = sum(parameter.numel() for parameter in model.features.parameters())
    spec = "archspec: 1\nname: t\nextends: vgg11\nexpect: {stages: {features: {params: %d, output: [512, 7, 7]}}}\n"
    assert check_expectations(archspec.compile(spec % params)) == []
    (found,) = check_expectations(archspec.compile(spec % (params - 1)))
    assert found.code == "E701"


# What is written, and integers that hold and that do not, at the edges of what it means.
MEANINGS: dict[str, tuple[Any, list[int], list[int]]] = {
    "exact": (25_557_032, [25_557_032], [25_557_031, 25_557_033]),
    "zero": (0, [0], [1]),
    "exact with commas": ("25,557,032", [25_557_032], [25_557_031]),
    "exact with underscores": ("25_557_032", [25_557_032], [25_557_033]),
    "three digits": ("25.6M", [25_550_000, 25_600_000, 25_650_000], [25_549_999, 25_650_001]),
    "two digits": ("26M", [25_500_000, 26_500_000], [25_499_999, 26_500_001]),
    "a zero is a digit": ("25.0M", [24_950_000, 25_050_000], [24_949_999, 25_050_001]),
    "a space before the unit": ("25.6 M", [25_550_000], [25_549_999]),
    "billions": ("4.1G", [4_050_000_000, 4_150_000_000], [4_049_999_999, 4_150_000_001]),
    "billions as B": ("4.1B", [4_050_000_000], [4_049_999_999]),
    "thousands": ("1.5k", [1450, 1550], [1449, 1551]),
    "thousands as K": ("2K", [1500, 2500], [1499, 2501]),
    "trillions": ("1T", [500_000_000_000, 1_500_000_000_000], [499_999_999_999]),
    "finer than one": ("1.0000000001M", [], [1_000_000, 1_000_001]),
    "a power": ("2^16", [65_536], [65_535, 65_537]),
    "the first power": ("2^0", [1], [0, 2]),
    "a power beyond what is printed": ("2^15000", [2**15_000], [2**15_000 - 1]),
    "a whole float": (1e6, [MILLION], [MILLION - 1, MILLION + 1]),
    "at most": ({"max": "26M"}, [0, 26 * MILLION], [26 * MILLION + 1]),
    "at least": ({"min": "2^5"}, [32, 10**30], [31]),
    "between": ({"min": 3, "max": "1.5k"}, [3, 1500], [2, 1501]),
    "a bound that is not set": ({"min": None, "max": 4}, [4], [5]),
}


@pytest.mark.parametrize("written", MEANINGS)
def test_what_a_value_means(written: str) -> None:
    value, inside, outside = MEANINGS[written]
    found = read_expectation(value)
    assert [found.holds(each) for each in inside] == [True] * len(inside)
    assert [found.holds(each) for each in outside] == [False] * len(outside)


NOT_ONE: list[Any] = ["", "x", "M", "25.6X", "25.6m", "25.6", "25.M", ".6M", "1e6", "-3", "3^2", "2^", "2^-1"]
NOT_ONE += [
    "2^9999999",
    "∞",
    "٣",
    True,
    25.6,
    float("inf"),
    float("nan"),
    None,
    [3],
    {},
    {"min": None},
    {"max": "many"},
]


@pytest.mark.parametrize("value", NOT_ONE, ids=repr)
def test_what_is_no_expectation(value: object) -> None:
    with pytest.raises(BadExpectation):
        read_expectation(value)


@given(
    st.integers(0, 10**5),
    st.integers(0, 3),
    st.sampled_from(["k", "M", "G", "T"]),
    st.fractions(-1, 1, max_denominator=99),
)
def test_a_rounded_figure_holds_for_what_rounds_to_it(digits: int, places: int, unit: str, beside: Fraction) -> None:
    """Around what is written, by up to one of its last place: rounding gives it again, or the figure does not hold."""
    size = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}[unit]
    written = Fraction(digits, 10**places)
    value = round(written * size + beside * Fraction(size, 10**places))
    exact = Fraction(value, size)
    tie = abs(exact - written) * 2 * 10**places == 1
    text = f"{digits // 10**places}.{digits % 10**places:0{places}}{unit}" if places else f"{digits}{unit}"
    assert read_expectation(text).holds(value) == (tie or round(exact, places) == written)


# -- in a spec ---------------------------------------------------------------------------------------------------------


def expecting(expect: str) -> list[Diagnostic]:
    """The diagnostics of ResNet-18 with other expectations; they stand in line 4."""
    return check_expectations(archspec.compile(f"archspec: 1\nname: net\nextends: resnet18\nexpect: {expect}\n"))


HOLDS = [
    "{params: 11_689_512, macs: 1_814_073_344, layers: 18, skip_paths: 2^8, receptive_field: 435, output: [1000]}",
    "{params: 11.7M, macs: 1.8G, activations: 2.7M, skip_paths: 256}",
    "{params: {min: 11M, max: 12M}, layers: {max: 18}}",
    "{stages: {layer1: {params: 147_968, macs: 462M, activations: {max: 1M}, output: [64, 56, 56]}}}",
    "{params: null, stages: null}",
    "{stages: {layer1: {}}}",
]


@pytest.mark.parametrize("expect", HOLDS)
def test_what_holds(expect: str) -> None:
    assert expecting(expect) == []


@pytest.mark.parametrize(
    ("expect", "code", "column", "hint"),
    [
        ("{params: 11_689_511}", "E701", 18, "1 too many"),
        ("{params: {max: 11M}}", "E701", 18, "689,512 too many, 6.3%"),
        ("{macs: 1.9G}", "E701", 16, "35,926,656 too few, 1.9%"),
        ("{activations: 1}", "E701", 23, "2,685,927 too many"),
        ("{layers: {min: 20}}", "E701", 18, "2 too few, 10.0%"),
        ("{skip_paths: 2^9}", "E701", 22, "256 too few, 50.0%"),
        ("{receptive_field: 427}", "E701", 27, "8 too many, 1.9%"),
        ("{gradient_span: <=0.1}", "E701", 25, "0.51 too large"),
        ("{effective_receptive_field: 5.5}", "E701", 37, "165.02 too large"),
        ("{params: <=11M}", "E701", 18, "689,512 too many, 6.3%"),
        ("{gradient_span: 1k}", "E701", 25, "499.39 too small"),
        ("{gradient_span: <=steep}", "E703", 25, ""),
        ("{stages: {layer2: {gradient_span: 1}}}", "E702", 28, ""),
        ("{output: [10]}", "E701", 18, ""),
        ("{stages: {layer1: {output: [64, 28, 28]}}}", "E701", 36, ""),
        ("{stages: {layer2: {params: 1}}}", "E701", 36, "525,567 too many"),
        ("{stages: {layr2: {params: 1}}}", "E310", 19, "did you mean `layer2`?"),
        ("{stages: {layer2: {layers: 1}}}", "E702", 28, ""),
        ("{stages: {layer2: {receptive_field: 1}}}", "E702", 28, ""),
        ("{params: many}", "E703", 18, ""),
        ("{params: {max: many}}", "E703", 18, ""),
    ],
)
def test_what_does_not_hold_is_said_at_its_place_and_by_how_much(
    expect: str, code: str, column: int, hint: str
) -> None:
    """The column is that of the value, or of the key where the key is at fault."""
    (found,) = expecting(expect)
    assert (found.code, str(found.span), found.hint) == (code, f"<text>:4:{column}", hint)


def test_a_stage_that_is_none_is_told_once() -> None:
    """Not once for each of the keys under it, and each such stage at its own name."""
    found = expecting("{stages: {layr1: {output: [64, 56, 56], params: 1}, layer9: {macs: 1, params: many}}}")
    assert [(d.code, str(d.span)) for d in found] == [("E310", "<text>:4:19"), ("E310", "<text>:4:61")]


def test_a_message_says_what_is_expected() -> None:
    told = "{params: {min: 1, max: 11M}, output: [10], stages: {layer1: {macs: 1.5G}}}"
    assert [found.message for found in expecting(told)] == [
        "the network has 11,689,512 parameters, expected at least 1 and at most 11M",
        "the output is [1000], expected [10]",
        "`layer1` has 462,422,016 MACs, expected 1.5G",
    ]


def test_every_fault_is_told() -> None:
    assert [
        d.code for d in expecting("{params: 1, macs: many, stages: {layer1: {layers: 1}, layer9: {params: 1}}}")
    ] == [*("E701", "E703", "E702", "E310")]


def test_the_last_output_and_the_largest_axis_count() -> None:
    """A signal of 3x1 kernels: 1 + 2 along one axis, 1 along the other."""
    text = """
archspec: 1
name: net
input: [1, 8, 8]
stem: [conv: {out: 2, kernel: [3, 1]}]
stages: {block: flat, count: 1}
head: []
blocks: {flat: {steps: [act]}}
outputs: [conv1, layer1]
expect: {receptive_field: 3, output: [2, 8, 8], skip_paths: 1}
"""
    assert check_expectations(archspec.compile(text)) == []


def test_the_specs_of_the_zoo_expect_their_paths() -> None:
    """n blocks with shortcuts, 2^n paths (Veit et al. 2016); the text that writes them, not what is computed."""
    blocks = {
        "resnet18": 8,
        "resnet34": 16,
        "resnet50": 16,
        "resnet101": 33,
        "resnet152": 50,
        "resnet50_v1": 16,
        "resnext50_32x4d": 16,
        "resnet56_cifar": 27,
        "preact_resnet110_cifar": 54,
    }
    for name, number in blocks.items():
        assert archspec.load(name).document.value["expect"]["skip_paths"] == f"2^{number}", name
    assert archspec.load("plain56_cifar").document.value["expect"]["skip_paths"] == 1


# -- budgets -----------------------------------------------------------------------------------------------------------


def budgets(*texts: str) -> list[Diagnostic]:
    return check_expectations(archspec.compile("resnet18"), texts)


@pytest.mark.parametrize(
    "budget",
    [
        *("params<=11.7M", "params<=11,689,512", "params<11689513", "params>=11689512", "params>11_689_511"),
        *("macs<=1.82G", "macs==1.8G", "macs=1_814_073_344", "layers==18", "skip_paths==2^8", "skip_paths<=2^999999"),
        *(
            "receptive_field<436",
            "gradient_span<=1.5",
            "effective_receptive_field>100",
            " params <= 12 M ",
            "layer1.params<=147968",
            "layer4.macs<1G",
            "layer1.activations>1k",
        ),
    ],
)
def test_a_budget_that_is_kept(budget: str) -> None:
    assert budgets(budget) == []


@pytest.mark.parametrize(
    ("budget", "code", "columns", "hint"),
    [
        ("params<=11M", "E701", (9, 12), "689,512 too many, 6.3%"),
        ("params<11689512", "E701", (8, 16), ""),  # as many as the bound, which is not included
        ("params>11689512", "E701", (8, 16), ""),
        ("params<=11.6895115M", "E701", (9, 20), "1 too many"),  # rounded up
        ("params>=11.6895125M", "E701", (9, 20), "1 too few"),
        ("params<=11.7", "E703", (9, 13), ""),
        ("macs<1G", "E701", (6, 8), "814,073,344 too many, 81.4%"),
        ("skip_paths==2^7", "E701", (13, 16), "128 too many, 100.0%"),
        ("skip_paths>=2^999999", "E701", (13, 21), ""),
        ("layer1.macs<=1M", "E701", (14, 16), "461,422,016 too many"),
        ("layr1.macs<=1M", "E310", (1, 6), "did you mean `layer1`?"),
        ("layer1.layers<=1", "E702", (8, 14), ""),
        ("parms<=3", "E703", (1, 6), "did you mean `params`?"),
        ("output==3", "E703", (1, 7), ""),
        ("params<=many", "E703", (9, 13), ""),
        ("params<=", "E703", (8, 9), ""),
        ("params", "E703", (1, 7), ""),
        ("<=3", "E703", (1, 4), ""),
        ("", "E703", (1, 1), ""),
        ("params<=3\nmacs<=4", "E703", (1, 18), ""),
    ],
)
def test_a_budget_that_is_not_kept_or_is_none(budget: str, code: str, columns: tuple[int, int], hint: str) -> None:
    (found,) = budgets(budget)
    assert found.span is not None
    assert (found.code, found.span.source.name, found.hint) == (code, "budgets", hint)
    assert (found.span.column, found.span.end_column) == columns


def test_a_budget_is_told_in_its_own_words_and_with_the_spec() -> None:
    """A budget is for several specs, and its place is the command line."""
    told = ("params<=11M", "macs<1G", "layer1.params>200k", "layers==20", "layr1.macs<1", "layer1.layers<1")
    assert [found.message for found in budgets(*told)] == [
        "`resnet18` has 11,689,512 parameters, expected at most 11M",
        "`resnet18` has 1,814,073,344 MACs, expected less than 1G",
        "`layer1` of `resnet18` has 147,968 parameters, expected more than 200k",
        "`resnet18` has 18 layers, expected 20",
        "`resnet18` has no stage `layr1`",
        "`layers` of the stage `layer1` cannot be measured, so it does not count as met",
    ]


def test_what_is_no_budget_is_told_what_would_be() -> None:
    assert [found.help for found in budgets("params!=3", "flops<8G", "params<=10MB")] == [
        "compare by `<=`, `<`, `>=`, `>` or `==`, as in `params<=26M`",
        "the figures are `params`, `macs`, `activations`, `layers`, `skip_paths`, `receptive_field`, "
        "`gradient_span`, `effective_receptive_field`; FLOPs are twice the MACs",
        "as in `params<=26M`",
    ]


@given(st.text(max_size=30) | st.from_regex(r"(layer1\.)?(params|macs)\s?[<>=]{1,2}\s?[\w.^,]{0,6}", fullmatch=True))
def test_any_budget_gives_diagnostics_or_nothing(text: str) -> None:
    for found in check_expectations(SMALL, [text]):
        assert found.code in ("E310", "E701", "E702", "E703")


SMALL = archspec.compile("archspec: 1\nname: small\ninput: [1, 4, 4]\nstages: {block: basic, count: 1, channels: 4}")


# -- on the command line -----------------------------------------------------------------------------------------------


def test_check_compares_budgets_beside_what_the_spec_expects(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "resnet18", "resnet50", "--expect", "params<=26M", "--expect", "macs<=4.1G"]) == 0
    assert run(["check", "resnet18", "resnet50", "--expect", "params<=20M"]) == 1
    written = capsys.readouterr()
    assert written.out.count("resnet18.yaml: ok") == 2
    assert "error[E701]: `resnet50` has 25,557,032 parameters, expected at most 20M" in written.err
    assert "1 of 2 specs is valid" in written.err


def test_what_is_no_budget_is_told_once_for_all_specs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "resnet18", "resnet34", "--expect", "parms<=20M", "--expect", "params<=1"]) == 1
    told = capsys.readouterr().err
    assert (told.count("[E703]"), told.count("[E701]")) == (1, 2)
    assert "3 errors; 0 of 2 specs are valid" in told
    assert run(["check", "resnet18", "resnet34", "--expect", "parms<=20M", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [[each["code"] for each in spec["diagnostics"]] for spec in found] == [["E703"], ["E703"]]


def test_set_makes_another_network_of_which_only_budgets_are_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "resnet18", "--set", "classes=10"]) == 0
    assert "`expect` is ignored with --set" in capsys.readouterr().out
    assert run(["check", "resnet18", "--set", "classes=10", "--expect", "params<=11M"]) == 1
    assert run(["check", "resnet18", "--set", "classes=10", "--set", "expect.params=1"]) == 1


def test_a_spec_that_is_refused_has_no_budgets() -> None:
    with pytest.raises(SpecError):
        archspec.compile("archspec: 1\nname: net\nextends: resnet18\nexpect: {parms: 3}\n")


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("macs: 3.62G", "FLOPs count a multiply-add as two"),
        ("macs: 3.63G", "FLOPs count a multiply-add as two"),
        ("macs: 3.628146688e9", "FLOPs count a multiply-add as two"),
        ("macs: 3.6G", "FLOPs count a multiply-add as two"),
        ("macs: 3.8G", ""),
        ("macs: {min: 3.6G}", ""),
        ("macs: 0.9G", ""),
        ("params: 23.4M", ""),
        ("output: [1, 1000]", "write `output: [1000]`"),
        ("output: [32, 1000]", "write `output: [1000]`"),
        ("output: [1, 10]", ""),
        ("output: [10]", ""),
    ],
)
def test_a_figure_counted_otherwise_is_explained(claim: str, told: str) -> None:
    outcome = archspec.check(f"archspec: 1\nname: t\nextends: resnet18\nexpect: {{{claim}}}\n")
    (fault,) = [fault for case in outcome.cases for fault in case.diagnostics]
    assert fault.code == "E701"
    assert told in fault.help
    assert bool(fault.help) == bool(told)
