"""The figures of the papers for skip paths, and networks too large to list their paths."""

from __future__ import annotations

import math
import time

import pytest

import archspec
from archspec.analysis.paths import MANY_BLOCKS, Paths
from archspec.analysis.report import analyze
from tests.analysis.families import family
from tests.support.equivalence import compiled


def paths_of(text: str) -> Paths:
    return analyze(compiled(text)).paths


def test_resnet50() -> None:
    found = analyze(archspec.compile("resnet50")).paths
    assert (found.residual_blocks, found.skip_paths, found.graph_paths) == (16, 65_536, 65_536)
    assert found.log2_skip_paths == 16
    assert (found.in_layers.least, found.in_layers.most, found.in_layers.mean) == (6, 50, 28)
    assert (found.in_blocks.least, found.in_blocks.most, found.in_blocks.mean) == (0, 16, 8)


def test_resnet110() -> None:
    """Veit et al. 2016: almost all paths go through 19 to 35 of the 54 blocks."""
    found = paths_of("extends: resnet56_cifar\nstages: {count: 18}")
    blocks = found.in_blocks
    assert (found.residual_blocks, found.skip_paths) == (54, 18_014_398_509_481_984)
    assert blocks.counts == tuple(math.comb(54, k) for k in range(55))
    assert (blocks.mean, round(blocks.std, 3)) == (27, 3.674)
    assert blocks.middle() == (19, 35)
    assert round(blocks.share(19, 35), 5) == 0.98017
    assert (
        f"{found.surviving(10, 5):.1%} {found.surviving(10, 17):.1%} {found.surviving(10):.3%}" == "34.3% 1.5% 0.098%"
    )
    assert found.surviving(0) == found.surviving(10, 0) == 1
    for deleted, length in ((55, None), (-1, None), (1, 55), (1, -1)):
        with pytest.raises(ValueError, match="54 skip connections"):
            found.surviving(deleted, length)


@pytest.mark.parametrize(
    ("name", "power"), [("mobilenet_v2", 10), ("densenet121", 58), ("regnet_y_400mf", 16), ("alexnet", 0)]
)
def test_families(name: str, power: int) -> None:
    found = analyze(family(name)).paths
    assert (found.residual_blocks, found.skip_paths) == (power, 2**power)
    assert found.in_blocks.counts == tuple(math.comb(power, k) for k in range(power + 1))


def test_gates_only_where_they_are_asked_for() -> None:
    found = analyze(family("regnet_y_400mf"), gates=True).paths
    assert (found.skip_paths, found.graph_paths, found.gates_counted) == (3**16, 3**16, True)


def product(*factors: tuple[dict[int, int], int]) -> list[int]:
    """The coefficients of a product of powers of polynomials, each given by its exponents and coefficients."""
    found = [1]
    for factor, power in factors:
        for _ in range(power):
            grown = [0] * (len(found) + max(factor))
            for low, count in enumerate(found):
                for high, times in factor.items():
                    grown[low + high] += count * times
            found = grown
    return found


STEM_AND_CLASSIFIER = ({2: 1}, 1)


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("resnet18", [({0: 1, 2: 1}, 5), ({1: 1, 2: 1}, 3)]),
        ("resnet34", [({0: 1, 2: 1}, 13), ({1: 1, 2: 1}, 3)]),
        ("resnet50", [({0: 1, 3: 1}, 12), ({1: 1, 3: 1}, 4)]),
        ("resnet152", [({0: 1, 3: 1}, 46), ({1: 1, 3: 1}, 4)]),
        ("resnext50_32x4d", [({0: 1, 3: 1}, 12), ({1: 1, 3: 1}, 4)]),
        ("resnet56_cifar", [({0: 1, 2: 1}, 27)]),
        ("plain56_cifar", [({2: 1}, 27)]),
    ],
)
def test_lengths_in_layers_are_a_generating_function(name: str, factors: list[tuple[dict[int, int], int]]) -> None:
    """An identity block of n layers is a factor 1 + x^n, one with a projection x + x^n."""
    counts = analyze(archspec.compile(name)).paths.in_layers.counts
    assert counts is not None
    assert list(counts) == product(STEM_AND_CLASSIFIER, *factors)


def test_additions_of_a_user_count_wherever_they_stand() -> None:
    found = paths_of("""
        input: [3, 8, 8]
        stem: [conv: {out: 8}, add: [[], [conv: {out: 8}], [conv: {out: 8}, conv: {out: 8}]]]
        blocks: {plain: {steps: [add: [[conv: {out: 8, kernel: 3}], []]]}}
        stages: {block: plain, count: 2}
        head: [add: [[], [act: {type: gelu}]], pool: {type: avg, output: 1}, flatten, linear: {out: 3}]
        """)
    counts = product(({2: 1}, 1), ({0: 1, 1: 1, 2: 1}, 1), ({0: 1, 1: 1}, 2), ({0: 2}, 1))
    assert (found.residual_blocks, found.skip_paths) == (5, 3 * 2 * 2 * 2)
    assert found.in_layers.counts == tuple(counts)
    assert found.in_blocks.counts == tuple(product(({0: 1, 1: 2}, 1), ({0: 1, 1: 1}, 3)))


def test_the_shortcut_is_the_identity_whichever_way_it_is_written() -> None:
    """Of two ways without layers the identity is the shortcut; of two with layers, that with fewer."""
    branches = "[norm, act]", "[]", "[conv: {out: 8}]", "[conv: {out: 8}, conv: {out: 8}]"
    for first, second in ((0, 1), (1, 0), (2, 1), (1, 2), (3, 2), (2, 3)):
        pair = f"[{branches[first]}, {branches[second]}]"
        found = paths_of(f"""
            input: [8, 8, 8]
            stem: [add: {pair}, add: {pair}]
            stages: {{block: plain, count: 1}}
            blocks: {{plain: {{steps: [conv: {{out: 8}}]}}}}
            """)
        assert found.in_blocks.counts == (1, 2, 1)


def test_each_output_has_its_paths() -> None:
    found = analyze(compiled("extends: resnet18\noutputs: [layer2, layer4]"))
    assert {label: paths.skip_paths for label, paths in found.paths_by_output.items()} == {"layer2": 16, "layer4": 256}
    assert found.paths is found.paths_by_output["layer2"]  # the first is the main one


# -- very deep networks ------------------------------------------------------------------------------------------------


def deep(blocks: int) -> archspec.Graph:
    return compiled(f"""
        input: [3, 4, 4]
        stem: {{use: cifar, width: 4}}
        stages: {{block: basic, count: {blocks}, channels: 4}}
        """)


@pytest.mark.slow
def test_counts_of_more_digits_than_python_prints() -> None:
    graph = deep(14_500)
    with pytest.raises(ValueError, match="digits"):
        str(2**14_500)
    start = time.process_time()
    found = analyze(graph)
    assert time.process_time() - start < 20
    assert (found.paths.skip_paths == 2**14_500) is True
    assert found.paths.log2_skip_paths == 14_500
    assert (found.paths.in_blocks.mean, found.paths.in_blocks.counts) == (7250, None)
    assert found.paths.in_blocks.std == math.sqrt(14_500) / 2
    assert (found.paths.in_layers.least, found.paths.in_layers.most) == (2, 29_002)
    assert found.paths.surviving(3) == 1 / 8
    assert "skip paths" in found._repr_html_()
    assert " 2^14500 skip paths" in repr(found)
    with pytest.raises(ValueError, match="ask for `lengths`"):
        found.paths.in_blocks.share(0, 10)


def test_distributions_of_many_blocks_only_where_they_are_asked_for() -> None:
    graph = deep(MANY_BLOCKS + 1)
    assert analyze(graph).paths.in_blocks.counts is None
    counts = analyze(graph, lengths=True).paths.in_blocks.counts
    assert counts is not None
    assert len(counts) == MANY_BLOCKS + 2
    assert (counts[1000] == math.comb(MANY_BLOCKS + 1, 1000)) is True
    assert analyze(deep(20), lengths=False).paths.in_layers.counts is None


@pytest.mark.parametrize("stages", ["[]", "{block: empty, count: 3}"])
def test_a_network_without_nodes_has_one_path_of_no_length(stages: str) -> None:
    blocks = "blocks: {empty: {steps: []}}"
    network = compiled(f"input: [3, 8]\nstem: []\nhead: []\nstages: {stages}\n{blocks}\n")
    report = analyze(network)
    assert (report.paths.graph_paths, report.paths.skip_paths, report.paths.residual_blocks) == (1, 1, 0)
    assert report.paths.in_layers.counts == report.paths.in_blocks.counts == (1,)
    assert report.as_data()
