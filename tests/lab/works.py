"""Cell functions for the tests of cells; an engine's processes import them by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = "tests.lab.works"


def square(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"square": inputs["number"] ** 2, "third": inputs["number"] / 3}


def about(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a cell sees of its process."""
    import torch

    return {"threads": torch.get_num_threads(), "pid": os.getpid(), "parent": os.getppid()}


def counted(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Says in a file that it began, waits, and returns a number that depends on its inputs alone."""
    _log(inputs)
    time.sleep(inputs.get("seconds", 0))
    return {"number": inputs["number"], "half": inputs["number"] / 2}


def dies(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Its process is killed the first ``times`` times."""
    if _log(inputs) <= inputs["times"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"number": inputs["number"]}


def raises(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """It raises an error the first ``times`` times."""
    if _log(inputs) <= inputs["times"]:
        raise ValueError("it does not work\nthe second line")
    return {"number": inputs["number"]}


def diverges(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    _log(inputs)
    raise FloatingPointError("the loss is not finite at step 7")


def not_finite(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"losses": [1.0, float(inputs["loss"])]}


def not_data(inputs: Mapping[str, Any]) -> Any:
    return {"path": Path()} if inputs["number"] else 3


def refuses(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    import archspec

    _log(inputs)
    archspec.load("resnet5O")
    return {}


def spins(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Works for a minute without a pause, as a training loop does."""
    _log(inputs)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        sum(range(1000))
    return {}


def _log(inputs: Mapping[str, Any]) -> int:
    """Note that a cell began, and return how often it did."""
    path = Path(inputs["log"])
    with path.open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    return len(path.read_text().splitlines())


def preempted(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first time, it gets the signal that SLURM sends before it ends a job."""
    if _log(inputs) == 1:
        os.kill(os.getpid(), signal.SIGUSR2)
        time.sleep(60)
    return {"number": inputs["number"]}
