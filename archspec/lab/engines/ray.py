"""Ray: a cluster of its own on this machine, or one that runs.

Ray moves a task to another process or machine when its own is lost. The inputs of a cell go out and its result comes
back through Ray, so the machines need archspec, and the data of the cells, but no folder that they share.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import ray
from ray.exceptions import RayError, RayTaskError

from archspec.diagnostics import cut, in_one_line
from archspec.lab.engines.engine import (
    ATTEMPTS,
    LOST,
    Answer,
    CellFailed,
    Done,
    EngineSettings,
    Task,
    failed,
    no_address,
    unstarted,
)
from archspec.lab.worker import perform

STORE = 80 * 2**20
"""Bytes of shared memory of a local cluster: close to the least that Ray takes, because cells are small."""

SECONDS = 5.0
"""How long to wait for a cluster's port to answer."""

SETTINGS = b"\4"
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + SETTINGS + bytes(5)
"""How a connection of HTTP/2 begins, which Ray speaks (RFC 9113, section 3.4): the other side sends its settings."""


def run(tasks: Sequence[Task], settings: EngineSettings) -> Generator[Done, None, None]:
    """Work the tasks on a cluster, each on one processor; at most ``settings.jobs`` at a time, if it is given."""
    with _cluster(settings):
        remote: Any = ray.remote(_performed).options(
            num_cpus=1, max_retries=ATTEMPTS - 1, retry_exceptions=[CellFailed], scheduling_strategy="SPREAD"
        )
        left, working = iter(tasks), dict[Any, Task]()
        try:
            while True:
                for task in islice(left, (settings.jobs or len(tasks)) - len(working)):
                    working[remote.remote(task)] = task
                if not working:
                    return
                (reference, *_), _ = ray.wait([*working], num_returns=1)
                yield _done(working.pop(reference), reference)
        finally:
            for reference in working:
                with contextlib.suppress(Exception):  # the cluster may be gone
                    ray.cancel(reference, force=True)


def _performed(task: Task) -> tuple[Answer, int]:
    """The answer, and which attempt this is."""
    answer = perform(task)
    try:
        worker: Any = ray._private.worker.global_worker
        return answer, worker.core_worker.get_current_task_attempt_number() + 1
    except AttributeError:  # a version of Ray that does not tell, or tells it elsewhere
        return answer, 1


def _done(task: Task, reference: Any) -> Done:
    try:
        answer, attempts = ray.get(reference)
        return Done(task.key, answer, attempts)
    except RayTaskError as error:
        cause = error.cause
        reason = str(cause) if isinstance(cause, CellFailed) else in_one_line(cause)
        return Done(task.key, failed(reason), ATTEMPTS)
    except RayError as error:
        return Done(task.key, failed(f"{LOST} ({type(error).__name__})"), ATTEMPTS)


@contextlib.contextmanager
def _cluster(settings: EngineSettings) -> Iterator[None]:
    """A cluster that this process is connected to; the program's own connection, if it has one, is used and stays."""
    if ray.is_initialized():
        yield
        return
    if settings.address is not None:
        _check_answer(settings.address)
        where: dict[str, Any] = {"address": settings.address}
    else:
        where = {
            "address": "local",
            "num_cpus": settings.jobs,
            "object_store_memory": STORE,
            "include_dashboard": False,
        }
    with _silent():
        try:
            with _unchanged():
                ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError, RayError) as error:
            ray.shutdown()
            help = "look at `ray status` on the cluster; if it checks tokens, set RAY_AUTH_MODE=token here"
            raise unstarted("ray", in_one_line(error), help) from None
        try:
            yield
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep what Ray says about lost processes from standard output, where a report in JSON may be; outcomes tell it."""
    worker: Any = ray._private.worker
    write = getattr(worker, "print_to_stdstream", None)
    if write is None:  # another version of Ray, which then speaks
        yield
        return
    worker.print_to_stdstream = lambda *args, **how: None
    try:
        yield
    finally:
        worker.print_to_stdstream = write


@contextlib.contextmanager
def _unchanged() -> Iterator[None]:
    """Start Ray without statistics of its use over the network, and undo what it changes in this process.

    It sets the environment to check tokens, which a new cluster does by default, and handles SIGTERM.
    """
    before = {name: os.environ.get(name) for name in ("RAY_USAGE_STATS_ENABLED", "RAY_AUTH_MODE")}
    handler = signal.getsignal(signal.SIGTERM)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ |= {} if value is None else {name: value}
        if threading.current_thread() is threading.main_thread() and handler is not None:
            signal.signal(signal.SIGTERM, handler)


def _check_answer(address: str) -> None:
    """Refuse an address where nothing answers as Ray does: Ray itself tries for many minutes."""
    if address == "auto":
        return
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        help = "write HOST:PORT, such as 127.0.0.1:6379, or `auto`"
        raise no_address("ray", f"takes an address such as 127.0.0.1:6379, got `{cut(address)}`", help)
    help = f"`ray start --head --port {port}` on that machine starts a cluster"
    try:
        with socket.create_connection((host, port), timeout=SECONDS) as connection:
            connection.sendall(HELLO)
            found = connection.recv(9)
    except OSError as error:
        raise unstarted("ray", f"nothing answers at {cut(address)} ({in_one_line(error)})", help) from None
    if found[3:4] != SETTINGS and not os.environ.get("RAY_USE_TLS"):
        raise unstarted("ray", f"what answers at {cut(address)} is not Ray", help)
