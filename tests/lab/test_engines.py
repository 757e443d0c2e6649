"""Engines on clusters: real ones of Ray with two machines, and submitit's own executor in place of SLURM."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError
from archspec.lab.cells import GridProgress, run_cells
from tests.lab.grids import alive, begun, cells, children, one, results, start, until

STORE = 80 * 2**20
SESSION = "/ray/core/src/ray/"
"""In the commands of Ray's processes."""


@pytest.fixture(scope="module", autouse=True)
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What Ray's processes show each other; by itself, Ray would write one into the home folder."""
    path = tmp_path_factory.mktemp("ray") / "token"
    path.write_text(secrets.token_hex(32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
        yield


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A cluster of Ray with two machines of one processor each, as far as Ray can tell."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    found = Cluster(initialize_head=True, head_node_args=head)
    try:
        found.add_node(num_cpus=1, object_store_memory=STORE)
        yield found
    finally:
        found.shutdown()
        until(lambda: not children(SESSION))


@pytest.mark.slow
def test_a_machine_that_is_lost_in_the_middle_changes_nothing(
    cluster: Any, tmp_path: Path, log: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    here = run_cells(cells("counted", 6, log=str(log)), tmp_path / "here")
    log.unlink()

    def lose(progress: GridProgress) -> None:
        if progress.done == 2:  # both machines have just begun their second cell
            cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)

    grid = cells("counted", 6, log=str(log), seconds=2)
    there = run_cells(grid, tmp_path / "there", engine="ray", address=cluster.address, progress=lose)
    assert results(there) == results(here)
    assert len(set(log.read_text().split())) >= 2  # processes, one on each machine
    assert (begun(log), sorted(outcome.attempts for outcome in there)) == (7, [1, 1, 1, 1, 1, 2])
    assert "raylet" not in capfd.readouterr().out


@pytest.mark.slow
def test_ray_starts_a_cluster_of_its_own_and_leaves_nothing(tmp_path: Path, log: Path) -> None:
    said: list[Diagnostic] = []
    grid = [
        *cells("square", 3),
        *one("about"),
        *one("dies", times=1, log=str(log)),
        *one("raises", times=9, log=f"{log}2"),
        *one("diverges", log=f"{log}3"),
    ]
    before = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
    handler = signal.getsignal(signal.SIGTERM)
    found = run_cells(grid, tmp_path / "out", engine="ray", jobs=2, remark=said.append)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert results(found[:3]) == [{"square": n * n, "third": n / 3} for n in range(3)]
    assert (found[3].result or {})["threads"] == 1
    assert (found[4].result, found[4].attempts) == ({"number": 0}, 2)
    assert (found[5].failure, begun(Path(f"{log}2"))) == ("ValueError: it does not work (works.py:43)", 3)
    assert (found[6].failure, begun(Path(f"{log}3"))) == ("the loss is not finite at step 7", 1)
    assert sorted(each.code for each in said) == ["W881", "W882"]
    assert {name: value for name, value in os.environ.items() if name.startswith("RAY_")} == before
    until(lambda: not children(SESSION))


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_ray_ends_with_the_run(ending: signal.Signals, tmp_path: Path, log: Path) -> None:
    process = start(tmp_path / "out", "spins", log, count=2, how={"engine": "ray", "jobs": 2})
    until(lambda: begun(log) == 2, seconds=60)
    os.killpg(process.pid, ending)
    _, err = process.communicate(timeout=30)
    if ending == signal.SIGINT:
        assert err.decode().splitlines()[-1:] == ["KeyboardInterrupt"]
    until(lambda: not any(alive(int(pid)) for pid in log.read_text().split()))
    until(lambda: not children(SESSION))


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize(
    "address", ["nowhere", "127.0.0.1", "127.0.0.1:port", "127.0.0.1:99999", "", "ray://127.0.0.1:10001"]
)
def test_what_is_no_address_of_ray(address: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"E885.*takes an address such as") as raised:
        run_cells(cells("square", 1), tmp_path / "out", engine="ray", address=address)
    assert "HOST:PORT" in raised.value.diagnostics[0].help
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_of_ray_that_does_not_answer(deaf: str, tmp_path: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(EnvironmentFault, match=f"E884.*nothing answers at {deaf}"):
        run_cells(cells("square", 1), tmp_path / "out", engine="ray", address=deaf)
    assert time.monotonic() - begin < 10
    assert all(run_cells(cells("square", 1), tmp_path / "out", jobs=0))


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", None])
def test_something_else_than_ray_answers(answer: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends in time; None is a program that never answers."""
    monkeypatch.setattr("archspec.lab.engines.ray.SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"

        def reply() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(answer or b"")

        if answer is not None:
            threading.Thread(target=reply).start()
        with pytest.raises(EnvironmentFault, match="E884"):
            run_cells(cells("square", 1), tmp_path / "out", engine="ray", address=address)


@pytest.mark.slow
def test_no_cluster_of_ray_on_this_machine(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="E884"):
        run_cells(cells("square", 1), tmp_path / "out", engine="ray", address="auto")


@pytest.mark.slow
def test_the_jobs_of_submitit(tmp_path: Path, log: Path) -> None:
    grid = [*cells("square", 3), *one("about"), *one("raises", times=9, log=str(log)), *one("diverges", log=f"{log}3")]
    said: list[Diagnostic] = []
    how: dict[str, Any] = {"engine": "slurm", "address": "local"}
    found = run_cells(grid, tmp_path / "out", jobs=2, remark=said.append, **how)
    assert results(found[:3]) == [{"square": n * n, "third": n / 3} for n in range(3)]
    assert (found[3].result or {})["threads"] == 1
    assert (found[4].failure, begun(log)) == ("ValueError: it does not work (works.py:43)", 1)
    assert (found[5].failure, found[5].final) == ("the loss is not finite at step 7", True)
    assert sorted(each.code for each in said) == ["W881", "W882"]
    assert list((tmp_path / "out" / "engine").glob("*_log.err"))  # kept, because a cell failed
    run_cells(cells("square", 4), tmp_path / "out", **how)
    assert not (tmp_path / "out" / "engine").exists()


@pytest.mark.slow
def test_a_job_of_submitit_that_is_pre_empted_begins_again(tmp_path: Path, log: Path) -> None:
    """SLURM's signal comes to the process of the cell, which notes its number."""

    grid = one("preempted", log=str(log))
    (found,) = run_cells(grid, tmp_path / "out", engine="slurm", address="local")
    assert (found.result, found.attempts, begun(log)) == ({"number": 0}, 2, 2)


@pytest.mark.slow
def test_ctrl_c_ends_the_jobs_of_submitit(tmp_path: Path, log: Path) -> None:
    how = {"engine": "slurm", "address": "local", "jobs": 2}
    process = start(tmp_path / "out", "spins", log, count=3, how=how)
    until(lambda: begun(log) == 2, seconds=60)
    jobs = f"submitit.core._submit {tmp_path}"
    assert children(jobs)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert err.decode().splitlines()[-1:] == ["KeyboardInterrupt"]
    until(lambda: not any(alive(int(pid)) for pid in log.read_text().split()))
    until(lambda: not children(jobs))


def test_slurm_that_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match=r"E884.*`srun` is not on this machine"):
        run_cells(cells("square", 1), tmp_path / "out", engine="slurm")
    with pytest.raises(SpecError, match=r"E885.*takes the address `local` only"):
        run_cells(cells("square", 1), tmp_path / "out", engine="slurm", address="login:22")
