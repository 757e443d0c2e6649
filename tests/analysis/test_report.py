"""The report as a whole: the figures of the references, its data, its forms in Python, and what is unavailable."""

from __future__ import annotations

import dataclasses
import json
import math
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.analysis.numbers import exact, powers, shown
from archspec.analysis.paths import Lengths
from archspec.operations.base import Operation
from tests.support.equivalence import spec

# Parameters, MACs, layers, receptive field, blocks with a shortcut; from the papers and from torchvision.
FIGURES = {
    "resnet18": (11_689_512, 1_814_073_344, 18, 435, 8),
    "resnet34": (21_797_672, None, 34, 899, 16),
    "resnet50": (25_557_032, 4_089_184_256, 50, 427, 16),
    "resnet101": (44_549_160, None, 101, 971, 33),
    "resnet152": (60_192_808, 11_513_626_624, 152, 1451, 50),
    "resnet50_v1": (25_557_032, 3_857_973_248, 50, 483, 16),
    "resnext50_32x4d": (25_028_904, 4_230_479_872, 50, None, 16),
    "resnet56_cifar": (None, None, 56, None, 27),
    "plain56_cifar": (None, None, 56, None, 0),
    "preact_resnet110_cifar": (None, None, 110, None, 54),
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_zoo_has_the_figures_of_the_references(name: str) -> None:
    found = archspec.analyze(name)
    assert found.receptive_field is not None
    measured = (
        *(found.totals.costs.params, found.totals.costs.macs, found.totals.layers),
        *(found.receptive_field.size, found.paths.residual_blocks),
    )
    assert [m for m, wanted in zip(measured, FIGURES[name], strict=True) if wanted is not None] == [
        wanted for wanted in FIGURES[name] if wanted is not None
    ]
    assert found.paths.skip_paths == 2 ** FIGURES[name][4]
    assert found.unavailable == {}


def test_resnet50_in_detail() -> None:
    """Its maps by the paper's table; its memory as torch measures it; its paths by the polynomial of its blocks."""
    data = archspec.analyze("resnet50").as_data()
    assert [data["input"], data["output"]] == [[3, 224, 224], [1000]]
    assert data["totals"]["flops"] == 2 * 4_089_184_256
    assert [(s["name"], s["block"], s["count"], s["output"]) for s in data["stages"]] == [
        ("layer1", "bottleneck", 3, [256, 56, 56]),
        ("layer2", "bottleneck", 4, [512, 28, 28]),
        ("layer3", "bottleneck", 6, [1024, 14, 14]),
        ("layer4", "bottleneck", 3, [2048, 7, 7]),
    ]
    assert data["memory"]["weights_bytes"] == 4 * 25_557_032
    assert data["memory"]["inference_peak_bytes"] == 9_633_792
    assert data["memory"]["saved_for_backward_bytes"] == 86_121_984
    assert data["receptive_field"] | {"at": ""} == {
        "size": 427,
        "stride": 32,
        "center": [0.0, 0.0],
        "at": "",
        "gates_left_out": 0,
    }
    paths = data["paths"]
    assert (paths["skip_paths"], paths["log2_skip_paths"], paths["graph_paths"]) == (65_536, 16, 65_536)
    assert paths["length_in_blocks"] == {
        "min": 0,
        "max": 16,
        "mean": 8.0,
        "std": 2.0,
        "counts": [math.comb(16, k) for k in range(17)],
    }
    # The stem and the head, 4 blocks with a projection, x + x^3, and 12 with an identity, 1 + x^3.
    counts = [0, 0, 1]
    for projection in [True] * 4 + [False] * 12:
        counts = [
            (counts[k - projection] if 0 <= k - projection < len(counts) else 0)
            + (counts[k - 3] if 0 <= k - 3 < len(counts) else 0)
            for k in range(len(counts) + 3)
        ]
    assert paths["length_in_layers"]["counts"] == counts
    assert [paths["length_in_layers"][key] for key in ("min", "max", "mean")] == [6, 50, 28.0]


def test_parts_are_what_torch_counts_and_sum_to_the_whole() -> None:
    found = archspec.analyze("resnet18")
    model = archspec.build("resnet18", device="meta")
    for part in (*found.stages, *found.blocks, *(node for node in found.nodes if node.costs.params)):
        module = model.get_submodule(part.name)
        assert part.costs.params == sum(weight.numel() for weight in module.parameters()), part.name
        assert part.costs.buffers == sum(buffer.numel() for buffer in module.buffers()), part.name
    for rows in (found.rows, found.nodes):
        for cost in ("params", "trainable", "buffers", "macs", "activations", "elementwise"):
            assert sum(getattr(part.costs, cost) for part in rows) == getattr(found.totals.costs, cost)
    assert [part.name for part in found.rows] == ["stem", "layer1", "layer2", "layer3", "layer4", "head"]
    assert sum(found.totals.params_by_operation.values()) == found.totals.costs.params


# -- arguments ---------------------------------------------------------------------------------------------------------


def test_what_is_frozen_is_not_trained() -> None:
    model = archspec.build("resnet18", device="meta")
    frozen = sum(w.numel() for part in (model.layer1, model.layer2[0], model.conv1) for w in part.parameters())
    found = archspec.analyze("resnet18", frozen=["layer1", "layer2.0", "conv1"])
    assert found.totals.costs.trainable == 11_689_512 - frozen
    assert found.totals.costs.params == 11_689_512
    assert found.stages[0].costs.trainable == 0
    assert found.memory.saved_for_backward < 22_218_240
    only = sum(weight.numel() for weight in model.layer1.parameters())
    assert archspec.analyze("resnet18", frozen="layer1").totals.costs.trainable == 11_689_512 - only


def test_a_frozen_scope_that_is_not_there_is_said_with_the_nearest() -> None:
    with pytest.raises(archspec.SpecError) as error:
        archspec.analyze("resnet18", frozen=["layr1", "trunk", "layer1"])
    found = error.value.diagnostics
    assert [(d.code, str(d.span)) for d in found] == [("E310", "frozen:1:1")] * 2
    assert found[0].hint == "did you mean `layer1`?"


def test_another_input_is_as_if_the_spec_had_it() -> None:
    larger = archspec.analyze("resnet18", input=(3, 320, 256))
    assert larger.input == (3, 320, 256)
    assert larger.stages[-1].output == (512, 10, 8)
    written = archspec.load("resnet18", overrides=["input=[3, 320, 256]"])
    assert larger.as_data() == archspec.analyze(written).as_data()
    assert archspec.analyze(archspec.compile("resnet18"), input=[3, 320, 256]).as_data() == larger.as_data()


@pytest.mark.parametrize("shape", [(320, 320), (3, 8, 224, 224)])
def test_an_input_of_another_rank_is_refused_at_the_line_of_the_specs(shape: tuple[int, ...]) -> None:
    with pytest.raises(archspec.SpecError) as error:
        archspec.analyze("resnet18", input=shape)
    (found,) = error.value.diagnostics
    assert (found.code, str(found.span)) == ("E506", "input:1:1")
    assert [str(label.span) for label in found.labels] == ["resnet18.yaml:5:8"]
    without = "stem: cifar\nstages: {block: basic, count: 1, channels: 4}"
    with pytest.raises(archspec.SpecError) as error:
        archspec.analyze(spec(without), input=shape)
    assert [d.labels for d in error.value.diagnostics] == [()]


def test_an_input_that_is_too_small_shows_the_shapes_at_the_line() -> None:
    text = spec("input: [3, 9, 9]\nstem: [conv: {out: 4, kernel: 4}]\nstages: {block: basic, count: 1, channels: 4}")
    with pytest.raises(archspec.SpecError) as error:
        archspec.analyze(text, input=(3, 2, 2))
    (found,) = error.value.diagnostics
    assert (found.code, found.span.line) == ("E502", 4)
    assert "shapes: input 3x2x2" in " ".join(found.notes)


@pytest.mark.parametrize(
    "arguments",
    [
        *({"batch": number} for number in (0, -1)),
        *({"dtype": word} for word in ("float31", "int8", "")),
        *({"input": shape} for shape in ((), (3,), (3, 0, 3), (3, 2.5, 3), (3, True, 3), (3, 8, 8, 8, 8), "3x8")),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_raise_a_value_error(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"batch must be at least 1|an input is channels"):
        archspec.analyze("resnet18", **arguments)


def test_memory_is_by_batch_and_dtype() -> None:
    one, two = archspec.analyze("resnet18").memory, archspec.analyze("resnet18", batch=2, dtype="bfloat16").memory
    assert (two.batch, two.dtype) == (2, "bfloat16")
    assert (two.weights, two.input) == (one.weights // 2, one.input)
    assert archspec.analyze("resnet18", batch=2).memory.inference_peak == 2 * 6_422_528
    assert archspec.analyze("resnet18", dtype="float64").memory.inference_peak == 2 * 6_422_528


def test_everything_is_frozen() -> None:
    found = archspec.analyze("resnet18")
    pieces = (found, found.totals, found.totals.costs, found.memory, found.receptive_field, found.paths)
    for piece in (*pieces, found.paths.in_layers, found.rows[0], found.rows[0].costs):
        assert dataclasses.is_dataclass(piece)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(piece, dataclasses.fields(piece)[0].name, None)


# -- outputs, and many blocks ------------------------------------------------------------------------------------------


def test_the_text_tells_of_each_output_in_the_order_of_the_spec() -> None:
    """Auxiliary heads come after the one that they help, also where the model returns them in training only."""
    for name, labels in (("fcn_resnet50", ["out", "aux"]), ("googlenet", ["head", "aux2", "aux1"])):
        overrides = ["params.aux=true"] if name == "googlenet" else []
        lines = str(archspec.analyze(name, overrides=overrides)).splitlines()
        for what in ("receptive field (", "skip paths ("):
            found = [line.removeprefix(what).split(")")[0] for line in lines if line.startswith(what)]
            assert found[: len(labels)] == labels, what


def test_a_spec_with_outputs_is_analysed_to_each() -> None:
    """3 and 4 blocks to layer2, then 6, then 3; one layer in the stem, none in a head."""
    backbone = archspec.load("resnet50", overrides=["outputs=[layer2, layer3, layer4]"])
    found = archspec.analyze(backbone)
    assert {label: paths.skip_paths for label, paths in found.paths_by_output.items()} == {
        "layer2": 2**7,
        "layer3": 2**13,
        "layer4": 2**16,
    }
    assert {label: p.in_layers.most for label, p in found.paths_by_output.items()} == {
        "layer2": 1 + 3 * 7,
        "layer3": 1 + 3 * 13,
        "layer4": 1 + 3 * 16,
    }
    assert found.totals.layers == 49
    for label, field in found.receptive_field_by_output.items():
        assert field == archspec.analyze("resnet50", overrides=[f"outputs={label}"]).receptive_field
    assert found.receptive_field == found.receptive_field_by_output["layer2"]
    assert found.totals.costs.params == 25_557_032 - 2_049_000
    data = found.as_data()
    assert {label: (o["shape"], o["paths"]["log2_skip_paths"]) for label, o in data["outputs"].items()} == {
        "layer2": ([512, 28, 28], 7),
        "layer3": ([1024, 14, 14], 13),
        "layer4": ([2048, 7, 7], 16),
    }
    assert (data["output"], data["paths"]) == ([512, 28, 28], data["outputs"]["layer2"]["paths"])
    assert "outputs" not in archspec.analyze("resnet18").as_data()


def deep(blocks: int) -> str:
    """A net of many blocks of one node beside their addition, each a choice between one layer and none."""
    block = "blocks: {tiny: {residual: [conv: {out: 1}]}}"
    return spec(f"input: [1, 2]\nstem: []\nhead: []\nstages: {{block: tiny, count: {blocks}}}\n{block}")


def test_distributions_above_2000_blocks_are_computed_where_they_are_asked_for() -> None:
    assert archspec.analyze(deep(2000)).paths.in_blocks.counts is not None
    found = archspec.analyze(deep(2001)).paths
    assert (found.in_blocks.counts, found.in_layers.counts) == (None, None)
    assert found.in_blocks.mean == 2001 / 2
    assert found.in_blocks.std == pytest.approx(math.sqrt(2001) / 2, rel=1e-14)
    assert found.skip_paths == 2**2001
    with pytest.raises(ValueError, match="lengths"):
        found.in_blocks.middle()
    counted = archspec.analyze(deep(2001), lengths=True).paths
    assert counted.in_blocks.counts == tuple(math.comb(2001, k) for k in range(2002))
    assert archspec.analyze(deep(3), lengths=False).paths.in_blocks.counts is None


@pytest.mark.slow
def test_counts_that_python_cannot_print_are_products_of_powers() -> None:
    """2^14300 has 4,305 digits."""
    graph = archspec.compile(deep(14_300))
    found = archspec.analyze(graph)
    data = json.loads(json.dumps(found.as_data()))
    assert [data["paths"][key] for key in ("skip_paths", "log2_skip_paths", "graph_paths")] == [
        *("2^14300", 14_300, "2^14300")
    ]
    assert data["paths"]["length_in_blocks"]["mean"] == 7150.0
    assert "2^14300 skip paths" in found._repr_html_()
    lengths = Lengths(0, 14_300, 7150.0, 1.0, (1, 3**9000, 14_300 * 2**14_000))
    paths = dataclasses.replace(found.paths, in_blocks=lengths)
    told = json.loads(json.dumps(paths.as_data()))["length_in_blocks"]["counts"]
    assert told == [1, "3^9000", "2^14002 * 5^2 * 11 * 13"]
    differing = archspec.diff(deep(3), graph).as_data()
    assert json.loads(json.dumps(differing))["totals"]["skip_paths"] == {"before": 8, "after": "2^14300"}


@given(st.lists(st.tuples(st.sampled_from([2, 3, 5, 7, 31, 97, 1009]), st.integers(0, 60)), max_size=5))
def test_a_product_of_powers_is_the_number(factors: list[tuple[int, int]]) -> None:
    number = math.prod(prime**exponent for prime, exponent in factors)
    told = powers(number)
    product = 1
    for factor in told.split(" * "):
        base, _, exponent = factor.partition("^")
        product *= int(base) ** int(exponent or 1)
    assert product == number
    assert exact(number) == number
    assert shown(number) == f"{number:,}" or number >= 10**15


def test_numbers_for_a_person_are_short() -> None:
    assert [shown(n) for n in (0, 65_536, 10**15 - 1, 2**54, 3 * 2**60)] == [
        *("0", "65,536", "999,999,999,999,999", "2^54", "2^60 * 3")
    ]
    assert shown(2**100 + 1) == "17 * about 10^28"  # 17 * 61681 * 340801 * 2787601 * 3173389601
    assert len(shown(2**20_000 - 1)) < 80


# -- what is unavailable -----------------------------------------------------------------------------------------------


class Mystery(Operation):
    """An operation of a user, without any rule."""

    name = "mystery"
    summary = "?"


class Counted(Operation):
    """A layer of a user without a rule for its MACs, and with those for memory and reach of a copy."""

    name = "counted"
    summary = "?"
    weighted = True


def with_operation(operation: Operation) -> archspec.Graph:
    """ResNet-18 with another operation in the place of the first activation of its first block."""
    graph = archspec.compile("resnet18")
    nodes = [n._replace(operation=operation) if n.name == "layer1.0.relu" else n for n in graph.nodes]
    return dataclasses.replace(graph, nodes=tuple(nodes))


def test_an_operation_without_rules_makes_their_costs_unavailable_by_name() -> None:
    found = archspec.analyze(with_operation(Mystery()))
    unavailable = ("elementwise", "inference_peak", "saved_for_backward", "receptive_field")
    assert found.unavailable == dict.fromkeys(unavailable, ("mystery",))
    memory = found.memory
    assert [memory.inference_peak, memory.saved_for_backward, memory.training_sgd, memory.training_adam] == [None] * 4
    assert (found.receptive_field, found.totals.costs.elementwise) == (None, None)
    assert (found.totals.costs.macs, found.paths.skip_paths) == (1_814_073_344, 256)
    data = json.loads(json.dumps(found.as_data()))
    assert data["unavailable"] == {
        **{key: ["mystery"] for key in ("elementwise", "receptive_field")},
        **{key: ["mystery"] for key in ("inference_peak_bytes", "saved_for_backward_bytes")},
    }
    assert (data["memory"]["inference_peak_bytes"], data["receptive_field"]) == (None, None)
    assert "receptive_field is unavailable: archspec has no rule for mystery" in found._repr_html_()


def test_macs_are_unavailable_where_a_layer_has_no_rule_for_them() -> None:
    found = archspec.analyze(with_operation(Counted()))
    assert found.unavailable["macs"] == ("counted",)
    assert (found.totals.costs.macs, found.totals.costs.flops, found.totals.intensity) == (None, None, None)
    assert [stage.costs.macs is None for stage in found.stages] == [True, False, False, False]
    assert archspec.diff("resnet18", with_operation(Counted()))


# -- notebooks ---------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a browser sees: tags that are open, all that were opened, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


EVIL = "</td><script>alert('&amp;')</script>"
TAGS = {"table", "caption", "br", "thead", "tbody", "tfoot", "tr", "th", "td", "p"}


def read_page(text: str) -> Page:
    page = Page()
    page.feed(text)
    assert page.open == []
    return page


def test_a_notebook_shows_a_table_of_the_stages() -> None:
    page = read_page(archspec.analyze("resnet18")._repr_html_())
    assert page.tags == TAGS
    assert {"layer4", "8,393,728", "1,814,073,344", "total"} <= set(page.text)


def test_every_text_in_a_notebook_is_escaped() -> None:
    found = archspec.analyze("resnet18")
    graph = found.parts.network.graph
    regions = tuple(dataclasses.replace(each, scope=EVIL, name=EVIL) for each in graph.regions)
    network = dataclasses.replace(found.parts.network, graph=dataclasses.replace(graph, regions=regions))
    evil = dataclasses.replace(
        found,
        name=EVIL,
        convention=EVIL,
        unavailable={EVIL: (EVIL,)},
        parts=dataclasses.replace(found.parts, network=network),
    )
    page = read_page(evil._repr_html_())
    assert page.tags == TAGS
    assert "".join(page.text).count(EVIL) >= 4 + 2
