"""What the analyses say: refusals with their advice, the words of a table, and numbers as a person reads them."""

from __future__ import annotations

import dataclasses
import re
from html import unescape
from typing import Any

import pytest

import archspec
from archspec.analysis.numbers import exact, powers, shown
from archspec.analysis.parts import Costs
from archspec.analysis.paths import Paths
from archspec.analysis.report import CONVENTION
from archspec.diagnostics import Diagnostic
from archspec.passes.compiling import with_input
from tests.support.equivalence import spec

SMALL = """
    input: [3, 8, 8]
    classes: 5
    stem: {use: cifar, width: 4}
    stages: {block: basic, count: [1, 2], channels: [4, 8], stride: [1, 2]}
    """


def refused(**arguments: Any) -> tuple[Diagnostic, ...]:
    with pytest.raises(archspec.SpecError) as error:
        archspec.analyze(spec(SMALL), **arguments)
    return error.value.diagnostics


def test_a_scope_that_is_not_there() -> None:
    near, far = refused(frozen=["layer2.0.conv", "elsewhere"])
    for found, scope in ((near, "layer2.0.conv"), (far, "elsewhere")):
        assert (found.code, found.message) == ("E310", f"`tested` has no scope `{scope}`")
        assert found.help.startswith("a scope is `stem`, `head`, a stage, or the beginning of a name")
        assert (found.span.source.name, found.span.source.text) == ("frozen", scope)
        assert (found.span.line, found.span.column) == (1, 1)
        assert (found.span.end_line, found.span.end_column) == (1, len(scope) + 1)
    assert near.hint in ("did you mean `layer2.0.conv1`?", "did you mean `layer2.0.conv2`?")
    assert not far.hint


@pytest.mark.parametrize(
    ("frozen", "trained"),
    [
        ((), {"conv1", "layer1", "layer2", "fc"}),
        (("layer1", "fc"), {"conv1", "layer2"}),
        ("layer2", {"conv1", "layer1", "fc"}),
    ],
)
def test_a_scope_is_whole_names_between_dots(frozen: Any, trained: set[str]) -> None:
    nodes = archspec.analyze(spec(SMALL), frozen=frozen).nodes
    found = {part.name.partition(".")[0] for part in nodes if part.costs.trainable}
    assert found - {"bn1"} == trained
    assert all(part.costs.trainable in (0, part.costs.params) for part in nodes)


def test_scopes_at_every_depth() -> None:
    for frozen in ("layer2", "layer2.1", "layer2.1.conv2"):
        nodes = archspec.analyze(spec(SMALL), frozen=[frozen]).nodes
        still = [part.name for part in nodes if part.costs.params and not part.costs.trainable]
        assert still == [part.name for part in nodes if part.costs.params and f"{part.name}.".startswith(f"{frozen}.")]


def test_an_input_of_another_rank() -> None:
    (found,) = refused(input=(3, 8))
    assert found.code == "E506"
    assert found.message == "the input 3x8 has 2 numbers, and that of `tested` has 3"
    assert found.hint == "channels come first, as in `3x8x8`"
    assert found.help == "if you mean another rank, write `overrides=['input=[3, 8]']`"
    assert (found.span.source.name, found.span.source.text) == ("input", "3x8")
    assert [(label.text, label.span.line) for label in found.labels] == [("3x8x8", 3)]


@pytest.mark.parametrize("sizes", [(3, 8), (3, 8, 8), (3, 8, 8, 8)])
def test_inputs_of_one_to_three_sizes(sizes: tuple[int, ...]) -> None:
    loaded = archspec.load(spec(SMALL.replace("[3, 8, 8]", str(list(sizes)))))
    larger = tuple(size + 1 for size in sizes)
    assert with_input(loaded, larger).input == larger
    assert with_input(loaded, list(sizes)) == loaded


@pytest.mark.parametrize("sizes", [(3,), (3, 8, 8, 8, 8), (0, 8, 8), (3, 8, -8), (3, 8, 8.0), (3, 8, True)])
def test_what_is_no_input(sizes: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        with_input(archspec.load(spec(SMALL)), sizes)
    assert str(error.value) == f"an input is channels and one to three sizes, such as (3, 224, 224), not {sizes}"


@pytest.mark.parametrize(("given", "told"), [({"batch": 0}, "0 and 'float32'"), ({"dtype": "int8"}, "1 and 'int8'")])
def test_what_is_no_batch_or_dtype(given: dict[str, Any], told: str) -> None:
    wanted = f"batch must be at least 1 and dtype one of float64, float32, float16, bfloat16, got {told}"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        archspec.analyze(spec(SMALL), **given)


# -- the table ---------------------------------------------------------------------------------------------------------


def cells(page: str, tag: str) -> list[list[str]]:
    """The rows of a table's part, as texts of cells."""
    inside = re.search(f"<{tag}>(.*)</{tag}>", page)
    assert inside is not None
    rows = re.findall("<tr>(.*?)</tr>", inside[1])
    return [[unescape(cell) for cell in re.findall("<t[dh]>(.*?)</t[dh]>", row)] for row in rows]


def test_every_cell_of_the_table() -> None:
    """Widths 4 and 8 over 8x8 and 4x4: 3x3 kernels, their norms of twice the width, one projection, the classifier."""
    page = archspec.analyze(spec(SMALL))._repr_html_()
    stem, first = 4 * 3 * 9, 2 * 4 * 4 * 9
    second = 8 * 4 * 9 + 8 * 8 * 9 + 8 * 4 + 2 * 8 * 8 * 9
    head = 8 * 5
    macs = [stem * 64, first * 64, second * 16, head]
    params = [stem + 8, first + 2 * 8, second + 5 * 16, head + 5]
    active = [4 * 64, 2 * 4 * 64, 5 * 8 * 16, 8 + 5]
    assert cells(page, "thead") == [["stage", "block", "count", "output", "params", "MACs", "activations"]]
    names = [("stem", "cifar", "", "4x8x8"), ("layer1", "basic", "1", "4x8x8"), ("layer2", "basic", "2", "8x4x4")]
    rows = [*names, ("head", "classifier", "", "5")]
    figures = list(zip(params, macs, active, strict=True))
    assert cells(page, "tbody") == [
        [*row, *(f"{figure:,}" for figure in numbers)] for row, numbers in zip(rows, figures, strict=True)
    ]
    assert cells(page, "tfoot") == [["total", "", "", "5", *(f"{sum(column):,}" for column in (params, macs, active))]]
    caption = "<caption>tested: 3x8x8 to 5<br>8 layers, 3 skip connections, 8 skip paths</caption>"
    assert caption in page
    assert page.endswith(f"</table><p>{CONVENTION}.</p>")


def test_what_is_unavailable_in_the_table() -> None:
    found = archspec.analyze(spec(SMALL))
    silent = dataclasses.replace(found, unavailable={"macs": ("one", "two"), "elementwise": ("three",)})
    notes = re.findall("<p>(.*?)</p>", silent._repr_html_())
    told = "is unavailable: archspec has no rule for"
    assert notes[1:] == [f"macs {told} one, two.", f"elementwise {told} three."]
    costs = Costs(params=1000, trainable=0, buffers=0, macs=None, activations=0, elementwise=None)
    assert costs.flops is None
    without = dataclasses.replace(found, totals=dataclasses.replace(found.totals, costs=costs))
    assert cells(without._repr_html_(), "tfoot") == [["total", "", "", "5", "1,000", "unavailable", "0"]]


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1,000"),
        (10**15 - 1, "999,999,999,999,999"),
        (10**15, "2^15 * 5^15"),
        (2**50, "2^50"),
        (3 * 2**49, "2^49 * 3"),
        (2**50 * (2**40 - 87), f"2^50 * {2**40 - 87}"),  # the largest prime below 2^40, the longest that is shown
        (2**50 * (2**41 - 21), "2^50 * about 10^12"),  # the largest prime below 2^41
        (37**20, "37^20"),
        (41**10, "about 10^16"),
    ],
)
def test_a_number_for_a_person(number: int, told: str) -> None:
    assert shown(number) == told


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (1, "1"),
        (2, "2"),
        (4, "2^2"),
        (6, "2 * 3"),
        (41, "41"),
        (2 * 41, "2 * 41"),
        (1009**2, str(1009**2)),
        (2**3 * 3**2 * 5 * 1009, "2^3 * 3^2 * 5 * 1009"),
        (7**63, "7^63"),
        (7**64, "7^64"),
        (7**65, "7^65"),
    ],
)
def test_a_number_as_powers(number: int, told: str) -> None:
    assert powers(number) == told


def test_a_factor_too_long_to_print_is_told_by_its_magnitude() -> None:
    """41^n has n * log2(41) bits: 2,613 make 13,999.4 of them, one fewer digit than may be printed, and 2,614 more."""
    assert (41**2613).bit_length() == 14_000
    assert exact(41**2613) == 41**2613
    assert powers(41**2613) == str(41**2613)
    assert exact(41**2614) == powers(41**2614) == "about 10^4215"  # 2,614 * log10(41) is 4,215.8
    assert powers(9 * 41**2614) == "3^2 * about 10^4215"
    assert exact(2**13_999) == 2**13_999
    assert exact(2**14_000) == "2^14000"


def test_paths_are_told_with_every_count() -> None:
    found = archspec.analyze(spec(SMALL)).paths
    assert isinstance(found, Paths)
    told = repr(found)
    assert told.startswith("Paths(residual_blocks=3, skip_paths=8, graph_paths=8, in_blocks=Lengths(least=0, most=3, ")
    assert told.endswith(", gates_counted=False)")
    long = dataclasses.replace(found, skip_paths=2**14_000, graph_paths=3**10_000)
    assert "skip_paths=2^14000, graph_paths=3^10000" in repr(long)


def test_a_report_is_told_without_what_it_is_computed_from() -> None:
    told = repr(archspec.analyze(spec(SMALL)))
    assert told == "<Report tested: 2,593 parameters, 58.2 k MACs, 8 layers, 8 skip paths>"


def test_without_lengths_a_share_of_paths_needs_them() -> None:
    """A merge of three is no power of two, so that the share that is left depends on the lengths."""
    text = spec("input: [4, 8, 8]\nstem: [add: [[], [act], [act: {type: silu}]]]\nstages: []\nhead: [act: {type: elu}]")
    paths = archspec.analyze(text).paths
    assert [paths.surviving(deleted) for deleted in (0, 1, 2)] == pytest.approx([1, 2 / 3, 1 / 3])
    without = archspec.analyze(text, lengths=False).paths
    with pytest.raises(ValueError, match=r"^the distribution was not computed: ask for `lengths`$"):
        without.surviving(1)
    for deleted, length in ((3, None), (-1, None), (1, 3), (1, -1)):
        with pytest.raises(ValueError, match=r"^the network has 2 skip connections$"):
            paths.surviving(deleted, length)
    assert [paths.surviving(1, length) for length in (0, 1, 2)] == [1, 1 / 2, 0]
