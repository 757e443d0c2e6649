"""A training that is killed, and started again, ends with the same weights: of one process and of two."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support.paths import ROOT


def endings(folder: Path, world: int, case: str, *steps: int) -> list[str]:
    words = [sys.executable, "-m", "tests.lab.training.killing", str(folder), str(world), case, *map(str, steps)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(words, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr[-2000:]
    return found.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("case", ["group", "auxiliary"])
def test_two_processes_are_killed_and_equal_one_process(case: str, tmp_path: Path) -> None:
    """With group norm, because a process takes the statistics of batch norm over its own part of a batch."""
    found = endings(tmp_path, 2, case, 9)
    assert len(found) == 2
    assert len(set(found)) == 1
    endings(tmp_path, 1, case)
    one, two = (torch.load(tmp_path / f"{world}-None.pt", weights_only=True) for world in (1, 2))
    for key, value in one.items():
        assert torch.allclose(value, two[key], rtol=1e-4, atol=1e-5), key  # the gradients are summed in another order


@pytest.mark.slow
@pytest.mark.parametrize(("world", "case"), [(1, "batch"), (2, "batch"), (4, "group"), (1, "adamw"), (2, "adamw")])
def test_processes_are_killed_at_every_step(world: int, case: str, tmp_path: Path) -> None:
    """Four sum in an order that torch chooses; it is the same after a resumption."""
    steps = range(1, 15) if world == 1 else range(2, 15, 4)
    assert len(set(endings(tmp_path, world, case, *steps))) == 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="makes threads late, as Linux can")
def test_processes_that_exit_right_after_a_training_do_not_abort() -> None:
    """A thread of gloo lets go of a tensor some time after the call returned, which Python must live to see."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    words = [*launch, "tests.lab.training.ending"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(words, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr[-2000:]
