"""Learning rates, compared with torch's schedulers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from archspec.lab.training import Settings
from archspec.lab.training.schedule import rate


def rates(scheduler: lr_scheduler.LRScheduler, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return found


def optimizer(lr: float = 0.05) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1)], lr=lr)


@settings(max_examples=20)
@given(steps=st.integers(5, 100))
def test_one_cycle_is_that_of_torch(steps: int) -> None:
    wanted = rates(lr_scheduler.OneCycleLR(optimizer(), 0.05, total_steps=steps + 1, cycle_momentum=False), steps)
    ours = [rate(Settings(), step, steps + 1, 10) for step in range(steps)]
    assert ours == pytest.approx(wanted, rel=1e-9)


def test_steps_are_those_of_torch() -> None:
    wanted = rates(lr_scheduler.MultiStepLR(optimizer(), [50, 75], 0.1), 100)
    how = Settings(schedule="steps", epochs=10)
    assert [rate(how, step, 100, 10) for step in range(100)] == pytest.approx(wanted)


def test_a_warm_up_rises_in_equal_steps_to_the_rate() -> None:
    how = Settings(schedule="constant", lr=1.0, warmup=0.5)
    assert [rate(how, step, 100, 8) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])


@given(steps=st.integers(1, 4))
def test_a_training_of_few_steps(steps: int) -> None:
    assert all(0 < rate(Settings(), step, steps, 1) <= 0.05 * (1 + 1e-12) for step in range(steps))
