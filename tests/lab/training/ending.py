"""`torchrun --standalone --nproc-per-node 2 -m tests.lab.training.ending`: a training whose process exits after it.

The threads that send to the other process only get what processor time the main thread leaves, so that they are late.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import nn

from archspec.lab.data import load_data
from archspec.lab.training import Progress, Settings, train

MAIN = os.getpid()


def starve(progress: Progress) -> None:
    """Before the last messages, which come after the last step."""
    if progress.step == progress.steps and not progress.ended:
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), {min(os.sched_getaffinity(0))})
            if int(thread.name) != MAIN:
                os.sched_setscheduler(int(thread.name), os.SCHED_IDLE, os.sched_param(0))


if __name__ == "__main__":
    torch.set_num_threads(1)
    data = load_data("synthetic", size=2)
    train(nn.Sequential(nn.Flatten(), nn.Linear(12, 10)), data, Settings(epochs=1), progress=starve)
