"""Which figures of a report each option changes, and which it leaves as they are."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from tests.support.equivalence import compiled

TEXT = """
input: [3, 32, 32]
classes: 5
stem: {use: cifar, width: 8}
stages: {block: bottleneck, count: [1, 1], channels: [4, 8], stride: [1, 2], se: 0.5}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "batch": {"batch": 8},
    "dtype": {"dtype": "float16"},
    "input": {"input": (3, 64, 64)},
    "frozen": {"frozen": ["conv1", "bn1", "layer1"]},
    "gates": {"gates": True},
    "lengths": {"lengths": False},
}

# For each figure, the options that change it; a figure that is not named here changes with none.
CHANGED = {
    "input": "input",
    "totals.trainable": "frozen",
    "totals.macs": "input",
    "totals.flops": "input",
    "totals.activations": "input",
    "totals.activations_without_global_pools": "input",
    "totals.elementwise": "input",
    "totals.flops_per_byte": "batch dtype input",
    "memory.batch": "batch",
    "memory.dtype": "dtype",
    "memory.weights_bytes": "dtype",
    "memory.buffers_bytes": "dtype",
    "memory.input_bytes": "batch dtype input",
    "memory.inference_peak_bytes": "batch dtype input",
    "memory.saved_for_backward_bytes": "batch dtype input frozen",
    "memory.training_sgd_bytes": "batch dtype input frozen",
    "memory.training_adam_bytes": "batch dtype input frozen",
    "paths.skip_paths": "gates",
    "paths.log2_skip_paths": "gates",
    "paths.residual_blocks": "gates",
    "paths.graph_paths": "gates",
    "paths.gates_counted": "gates",
    "paths.length_in_blocks": "gates lengths",
    "paths.length_in_layers": "gates lengths",
    "stages": "input frozen",  # costs of one example, and shapes
    "outside": "input frozen",
}


def figures(**options: Any) -> dict[str, Any]:
    data = archspec.analyze(compiled(TEXT), **options).as_data()
    inner = ("totals", "memory", "receptive_field", "paths")
    found = {key: value for key, value in data.items() if key not in inner}
    return found | {f"{key}.{name}": value for key in inner for name, value in data[key].items()}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_changes_its_figures_and_no_other(option: str) -> None:
    before, after = figures(), figures(**OPTIONS[option])
    assert before.keys() == after.keys()
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {key for key, options in CHANGED.items() if option in options.split()}


def test_the_table_names_figures_that_exist() -> None:
    assert set(CHANGED) <= set(figures())


@pytest.mark.parametrize(("batch", "dtype", "bytes"), [(1, "float64", 8), (3, "float32", 4), (64, "bfloat16", 2)])
def test_memory_of_values_grows_with_the_batch_and_that_of_weights_does_not(batch: int, dtype: str, bytes: int) -> None:
    one, found = figures(), figures(batch=batch, dtype=dtype)
    assert found["memory.weights_bytes"] * 4 == one["memory.weights_bytes"] * bytes
    for name in ("input", "inference_peak"):
        assert found[f"memory.{name}_bytes"] * 4 == one[f"memory.{name}_bytes"] * bytes * batch
