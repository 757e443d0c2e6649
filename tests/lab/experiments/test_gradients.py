"""``gradients``: its numbers against torch, and what it says of them."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest
import torch
from torch.nn import functional

import archspec
from archspec import SpecError
from archspec.lab.data import load_data
from archspec.lab.experiments.gradients import gradients
from archspec.lab.seeding import seeded
from archspec.lab.training import for_data

NARROW = ["stages.channels=[4,8,8]", "stem={use: cifar, width: 4}", "stages.count=2"]
SMALL: dict[str, Any] = {"overrides": NARROW, "trainer": {"epochs": 1}, "seeds": 2, "jobs": 0}


@functools.cache
def found() -> Any:
    specs = ["plain20_cifar", "resnet20_cifar"]
    return gradients(specs, steps=[5], images=32, path_images=2, **SMALL)


def test_the_tables_have_every_step_and_block() -> None:
    results = found()
    summary = results.table("summary")
    assert summary.column("step") == (0, 5, 21) * 2
    assert [each is None for each in summary.column("predicted")] == [False, True, True] * 2
    assert len(results.table("blocks").rows) == 2 * 3 * 6
    assert results.table("path_means").column("network") == ("resnet20_cifar",) * 2
    assert results.table("lengths").column("length") == (*range(7), *range(7))
    assert [plot.name for plot in results.plots] == ["gradient_norm", "activations", "path_lengths"]
    assert "gradients plain20_cifar resnet20_cifar --steps 5" in results.circumstances.command


def test_the_prediction_is_that_of_the_graph() -> None:
    graph = for_data("plain20_cifar", load_data("digits"), overrides=NARROW)
    blocks = archspec.signal(graph).blocks
    guess = found().table("summary").column("predicted")[0]
    assert guess == pytest.approx(math.log10(blocks[0].gradient_norm / blocks[-1].gradient_norm))


def test_the_sum_of_all_paths_is_the_gradient() -> None:
    signed = found().table("lengths").column("signed")
    for rows in (signed[:7], signed[7:]):
        for seed in range(2):
            assert sum(each.values[seed] for each in rows) == pytest.approx(1, abs=1e-9)
    assert all(float(error) < 1e-12 for error in found().table("path_means").column("error"))


def test_a_gradient_is_that_of_torch() -> None:
    """At initialization, at the last block, whose gradient needs only the head."""
    data = load_data("digits")
    graph = for_data("plain20_cifar", data, overrides=NARROW)
    generator = torch.Generator().manual_seed(seeded(0, "gradients"))
    chosen = torch.randperm(len(data.train), generator=generator)[:32]
    model = archspec.build(graph, seed=0).train()
    kept: list[torch.Tensor] = []
    model.layer3.register_forward_hook(lambda module, given, result: kept.append(result))
    loss = functional.cross_entropy(model(data.train.images[chosen]), data.train.labels[chosen])
    (gradient,) = torch.autograd.grad(loss, kept[0])
    rows = found().table("blocks")
    last = next(index for index, name in enumerate(rows.column("block")) if name == "layer3.1")
    assert rows.column("gradient_norm")[last].values[0] == pytest.approx(gradient.norm().item(), rel=1e-4)
    assert rows.column("variance")[last].values[0] == pytest.approx(kept[0].var(correction=0).item(), rel=1e-4)


def test_measuring_does_not_change_the_training() -> None:
    """Dropout draws from torch's generator in training, and in what is measured in between."""
    how = {**SMALL, "overrides": [*NARROW, "drop_path=0.5"], "seeds": 1}
    both = [gradients("resnet20_cifar", steps=steps, images=32, path_images=1, **how) for steps in ([], [3, 7])]
    for name in ("test_accuracy", "loss"):
        one, two = (each.table("networks").column(name)[0].values for each in both)
        assert one == two
    summaries = [each.table("summary").column("decades") for each in both]
    assert (summaries[0][0].values, summaries[0][-1].values) == (summaries[1][0].values, summaries[1][-1].values)


def test_a_network_without_blocks_is_refused() -> None:
    stem = (
        "archspec: 1\nname: flat\ninput: [1, 8, 8]\nclasses: 10\nstem: [conv: {out: 4}]\nstages: []\nhead: classifier\n"
    )
    with pytest.raises(SpecError, match=r"E873.*`flat` has no blocks"):
        gradients([stem], **{**SMALL, "overrides": []})


@pytest.mark.slow
def test_the_signs_of_the_literature() -> None:
    """At 56 layers, untrained but for one epoch: grown gradients and shattering without shortcuts, short paths with."""
    results = gradients(trainer={"epochs": 1}, seeds=2, jobs=2, path_images=2)
    verdicts = {claim.statement.partition(" (")[0][:45]: claim.effect.mean for claim in results.claims}
    assert min(value for key, value in verdicts.items() if "never shrinks" not in key) > 0


def test_a_step_that_the_training_does_not_reach_is_named() -> None:
    small: dict[str, Any] = {"overrides": ["stages.count=1"], "trainer": {"epochs": 1, "batch": 256}, "seeds": 1}
    found = gradients("plain20_cifar", steps=[2, 100], images=8, jobs=0, **small)
    assert found.table("summary").column("step") == (0, 2, 5)
    assert [each for each in found.remarks if "before step" in each] == [
        "The training ended before step 100, so nothing was measured after it."
    ]
