"""Processes on this machine, by loky, the engine of joblib.

Each job has a pool of one process, so that a process that dies takes no other cell along.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from joblib.externals.loky import ProcessPoolExecutor

from archspec.lab.engines.engine import ATTEMPTS, LOST, CellFailed, Done, EngineSettings, Task, failed
from archspec.lab.worker import one_thread, perform, work


def run(tasks: Sequence[Task], settings: EngineSettings) -> Generator[Done, None, None]:
    """Work the tasks in ``settings.jobs`` processes, by default one; 0 works in this process."""
    if settings.jobs == 0:
        yield from _here(tasks)
        return
    pools = _Pools()
    slots = ThreadPoolExecutor(min(settings.jobs or 1, len(tasks)), initializer=_block_interrupts)
    try:
        for future in as_completed([slots.submit(pools.attempt, task) for task in tasks]):
            yield future.result()
    finally:
        slots.shutdown(wait=False, cancel_futures=True)
        pools.end()
        slots.shutdown(wait=True)


def _here(tasks: Sequence[Task]) -> Generator[Done, None, None]:
    for task in tasks:
        try:
            yield Done(task.key, work(task), 1)
        except CellFailed as error:
            yield Done(task.key, failed(str(error)), 1)


class _Pools:
    """A pool of one process for each thread that asks."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._all: list[ProcessPoolExecutor] = []
        self._lock = threading.Lock()
        self._ended = False

    def attempt(self, task: Task) -> Done:
        """Work a task in the thread's process, again in a new one if it dies."""
        reason = LOST
        for number in range(1, ATTEMPTS + 1):
            try:
                return Done(task.key, self._pool().submit(perform, task).result(), number)
            except BrokenProcessPool:
                reason = LOST
                self._own.pool = None
            except CellFailed as error:
                reason = str(error)
            except SystemExit:
                reason = "its function ended the process"
            if self._ended:
                break
        return Done(task.key, failed(reason), ATTEMPTS)

    def _pool(self) -> ProcessPoolExecutor:
        pool = getattr(self._own, "pool", None)
        if pool is None:
            with self._lock:
                if self._ended:
                    raise BrokenProcessPool
                pool = ProcessPoolExecutor(1, env=one_thread(), initializer=_begin, initargs=(os.getpid(),))
                self._all.append(pool)
                self._own.pool = pool
                _block_interrupts()  # again: the first pool unblocked them for its tracker of resources
        return pool

    def end(self) -> None:
        """End all processes at once, whatever they are doing."""
        with self._lock:
            self._ended = True
        for pool in self._all:
            pool.shutdown(wait=True, kill_workers=True)


def _block_interrupts() -> None:
    """Have the processes that this thread starts ignore Ctrl-C from their first moment: the first process ends them."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _begin(parent: int) -> None:
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "getppid"):
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, even by SIGKILL."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
