"""SLURM: the cells are the jobs of arrays, submitted by submitit.

SLURM begins a job again that was pre-empted, reached its limit of time, or lost its machine. submitit keeps the inputs
and the answer of each job in files, so the folder of the experiment must be one that all machines share.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator, Sequence
from itertools import islice
from typing import Any

from submitit import AutoExecutor, Job
from submitit.core.utils import DelayedSubmission, FailedJobError

from archspec.diagnostics import cut
from archspec.files import unwritable
from archspec.lab.engines.engine import (
    ATTEMPTS,
    LOST,
    Answer,
    Done,
    EngineSettings,
    Task,
    failed,
    no_address,
    unstarted,
)
from archspec.lab.worker import attempted

MINUTES = 60
"""The limit of time of a job. SLURM lets the environment of `sbatch` say another one, as SBATCH_TIMELIMIT."""

ARRAY = 1000
"""The most jobs of an array: many clusters refuse larger ones."""


def run(tasks: Sequence[Task], settings: EngineSettings) -> Generator[Done, None, None]:
    """Work the tasks as SLURM's jobs; at most ``settings.jobs`` of an array run at a time, if it is given."""
    here = settings.address == "local"
    executor = _executor(settings, here)
    many = (settings.jobs or os.cpu_count() or 1) if here else len(tasks)
    left, working = iter(tasks), list[tuple[Job[Any], Task]]()
    whole = True
    try:
        while True:
            while started := [*islice(left, min(many - len(working), ARRAY))]:
                working += zip(_submitted(executor, started), started, strict=True)
            if not working:
                break
            ended, still = list[tuple[Job[Any], Task]](), list[tuple[Job[Any], Task]]()
            for job, task in working:
                (ended if job.done() else still).append((job, task))
            working = still
            for job, task in ended:
                done = _done(job, task)
                whole = whole and done.answer.final
                yield done
            if not ended:
                time.sleep(0.05 if here else 1.0)
    finally:
        for job, _ in working:
            job.cancel(check=False)
    if whole:  # otherwise what the jobs printed may explain the failure
        shutil.rmtree(settings.folder, ignore_errors=True)


class CellJob:
    """The function of a job. ``checkpoint`` is what submitit calls when SLURM is about to end the job early."""

    def __init__(self, attempt: int = 1) -> None:
        self.attempt = attempt

    def __call__(self, task: Task) -> tuple[Answer, int]:
        return attempted(task), max(self.attempt, int(os.environ.get("SLURM_RESTART_COUNT", "0")) + 1)

    def checkpoint(self, task: Task) -> DelayedSubmission:
        return DelayedSubmission(CellJob(self.attempt + 1), task)


def _executor(settings: EngineSettings, here: bool) -> AutoExecutor:
    if settings.address not in (None, "local"):
        raise no_address("slurm", f"takes the address `local` only, got `{cut(settings.address)}`", "leave it out")
    try:
        executor = AutoExecutor(
            settings.folder,
            cluster="local" if here else "slurm",
            slurm_max_num_timeout=ATTEMPTS - 1,
            local_max_num_timeout=ATTEMPTS - 1,
        )
    except OSError as error:
        raise unwritable(settings.folder, error) from None
    except RuntimeError:
        help = "run it on a machine that submits jobs, or try it without SLURM with the address `local`"
        raise unstarted("slurm", "`srun` is not on this machine", help) from None
    executor.update_parameters(name="archspec", timeout_min=MINUTES, cpus_per_task=1)
    if settings.jobs:
        executor.update_parameters(slurm_array_parallelism=settings.jobs)
    return executor


def _submitted(executor: AutoExecutor, tasks: Sequence[Task]) -> Sequence[Job[Any]]:
    try:
        return executor.map_array(CellJob(), tasks)
    except OSError as error:
        raise unwritable(executor.folder, error) from None
    except FailedJobError as error:  # what `sbatch` said
        said = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no reason given"]
        raise unstarted("slurm", f"the jobs were not accepted ({cut(said[-1], 200)})", "see `sinfo`") from None


def _done(job: Job[Any], task: Task) -> Done:
    error = job.exception()
    if error is None:
        answer, attempts = job.result()
        return Done(task.key, answer, attempts)
    if not isinstance(error, FailedJobError):
        return Done(task.key, failed(LOST), 1)
    said = [line.strip() for line in str(error).partition("-----\n")[2].partition("\n-----")[0].splitlines()]
    return Done(task.key, failed(cut(said[-1] if said else LOST, 300)), 1)
