"""Grids of cells on this machine: what is kept, what is worked on again, and what is refused."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError
from archspec.lab import cell_files
from archspec.lab.cells import Cell, GridProgress, run_cells
from archspec.lab.engines.engine import Task
from archspec.lab.worker import work
from tests.lab import works
from tests.lab.grids import alive, begun, cells, one, results, start, until

DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where cells say that they began; lines are their processes."""
    return tmp_path / "log"


class TestAKey:
    @given(DATA, DATA)
    def test_equal_inputs_alone_have_equal_keys(self, one: Any, other: Any) -> None:
        first, second = (Cell("m:f", {"a": value}) for value in (one, other))
        assert (first.key == second.key) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))

    def test_the_order_of_keys_does_not_count_and_all_else_does(self) -> None:
        cell = Cell("m:f", {"a": 1, "b": (2,)})
        assert cell.key == Cell("m:f", {"b": [2], "a": 1}).key
        others = [
            Cell("m:g", {"a": 1, "b": [2]}),
            Cell("n:f", {"a": 1, "b": [2]}),
            Cell("m:f", {"a": 1, "b": [2]}, version=2),
            Cell("m:f", {"a": 1.0, "b": [2]}),
            Cell("m:f", {"a": True, "b": [2]}),
        ]
        assert len({cell.key, *(other.key for other in others)}) == 6

    @pytest.mark.parametrize(
        ("work", "inputs", "message"),
        [
            ("m", {}, "`work` takes `module:function`"),
            ("m:f()", {}, "`work` takes `module:function`"),
            ("m-:f", {}, "`work` takes `module:function`"),
            ("m:f", [1], "`inputs` takes a mapping"),
            ("m:f", {"a": [{1}]}, r"`cell.inputs.a\[0\]` takes plain data"),
            ("m:f", {"a": {1: 2}}, "`cell.inputs.a` takes a mapping whose keys are texts, got 1"),
            ("m:f", {"a": float("nan")}, "`cell.inputs.a` is nan, and not a finite number"),
        ],
    )
    def test_what_is_not_plain_data_is_refused(self, work: str, inputs: Any, message: str) -> None:
        with pytest.raises((TypeError, ValueError), match=message):
            Cell(work, inputs)


class TestResults:
    def test_two_processes_with_one_thread_each_give_what_one_process_gives(self, tmp_path: Path) -> None:
        grid = [*cells("square", 5), *cells("about", 1)]
        here = run_cells(grid[:5], tmp_path / "here", jobs=0)
        there = run_cells(grid, tmp_path / "there", jobs=2)
        expected = [{"square": n * n, "third": n / 3} for n in range(5)]
        assert results(here) == results(there[:5]) == expected
        about = there[5].result or {}
        assert (about["threads"], about["parent"]) == (1, os.getpid())
        assert not alive(about["pid"])

    def test_a_second_run_works_nothing_again_and_reads_the_same(self, tmp_path: Path, log: Path) -> None:
        grid = cells("counted", 3, log=str(log))
        first = run_cells(grid, tmp_path / "out", jobs=0)
        again = run_cells([*grid[::-1], grid[0]], tmp_path / "out", jobs=0)
        assert begun(log) == 3
        assert [outcome.cell for outcome in again] == [*grid[::-1], grid[0]]
        assert again[:3] == first[::-1]

    def test_progress_counts_up_and_estimates_what_is_left(self, tmp_path: Path, log: Path) -> None:
        grid, seen = cells("counted", 4, log=str(log), seconds=0.02), list[GridProgress]()
        run_cells(grid[:1], tmp_path / "out", jobs=0)
        run_cells(grid, tmp_path / "out", jobs=0, progress=seen.append)
        assert [(each.done, each.total, each.failed) for each in seen] == [(n, 4, 0) for n in (1, 2, 3, 4)]
        assert seen[0].left is None
        assert 0.02 <= (seen[1].left or 0) / 2 == seen[1].seconds
        assert seen[-1].left == 0

    def test_no_cells_are_no_work(self, tmp_path: Path) -> None:
        assert run_cells([], tmp_path / "out") == ()
        assert list(tmp_path.iterdir()) == []


class TestFailures:
    def test_a_process_that_dies_is_replaced_and_takes_no_other_cell_along(self, tmp_path: Path, log: Path) -> None:
        """Killed twice, it works at the third attempt; killed always, it fails. The cells beside them are done."""
        dying = [Cell(f"{works.HERE}:dies", {"number": 1, "times": times, "log": f"{log}{times}"}) for times in (2, 99)]
        said: list[Diagnostic] = []
        found = run_cells([*dying, *cells("square", 3)], tmp_path / "out", jobs=2, remark=said.append)
        assert (found[0].result, found[0].attempts) == ({"number": 1}, 3)
        assert (found[1].result, found[1].attempts, found[1].final) == (None, 3, False)
        assert "its process ended before it did" in (found[1].failure or "")
        assert [outcome.result is not None for outcome in found] == [True, False, True, True, True]
        assert [(each.code, found[1].cell.key in each.message) for each in said] == [("W881", True)]
        assert begun(Path(f"{log}99")) == 3

    def test_an_error_is_tried_again_and_its_place_told(self, tmp_path: Path, log: Path) -> None:
        (twice,) = run_cells(one("raises", times=2, log=str(log)), tmp_path / "out")
        assert (twice.result, twice.attempts) == ({"number": 0}, 3)
        with pytest.warns(UserWarning, match="W881"):
            (always,) = run_cells(one("raises", times=99, log=str(log)), tmp_path / "out")
        assert always.failure == "ValueError: it does not work (works.py:43)"
        assert begun(log) == 6

    @pytest.mark.parametrize(
        ("work", "more", "reason"),
        [
            ("diverges", {}, "the loss is not finite at step 7"),
            ("not_finite", {"loss": "nan"}, "`result.losses[1]` is nan, and not a finite number"),
            ("not_finite", {"loss": "-inf"}, "`result.losses[1]` is -inf, and not a finite number"),
        ],
    )
    def test_a_number_that_is_not_finite_is_an_outcome_and_kept(
        self, work: str, more: dict[str, str], reason: str, tmp_path: Path, log: Path
    ) -> None:
        said: list[Diagnostic] = []
        grid = [*one(work, log=str(log), **more), *cells("square", 1)]
        first = run_cells(grid, tmp_path / "out", jobs=0, remark=said.append)
        assert (first[0].result, first[0].failure, first[0].final, first[0].attempts) == (None, reason, True, 1)
        assert first[1].result is not None
        assert run_cells(grid, tmp_path / "out", jobs=0) == first
        assert begun(log) == (work == "diverges")
        assert [each.code for each in said] == ["W882"]

    @pytest.mark.parametrize("number", [0, 1])
    def test_what_is_not_plain_data_is_a_failure_that_is_told(self, number: int, tmp_path: Path) -> None:
        with pytest.warns(UserWarning, match="TypeError"):
            (found,) = run_cells([Cell(f"{works.HERE}:not_data", {"number": number})], tmp_path / "out", jobs=0)
        assert not found.final

    def test_a_refusal_is_not_tried_again(self, tmp_path: Path, log: Path) -> None:
        said: list[Diagnostic] = []
        (found,) = run_cells(one("refuses", log=str(log)), tmp_path / "out", remark=said.append)
        assert (found.failure or "").startswith("error[E801]: the spec `resnet5O` does not exist")
        assert (found.final, begun(log)) == (False, 1)

    def test_another_version_of_archspec_on_another_machine(self) -> None:
        answer = work(Task("key", f"{works.HERE}:square", {"number": 1}, "0.0.7"))
        told = answer.failure or ""
        assert told.startswith("error[E882]: ")
        assert all(word in told for word in (answer.where, "archspec 0.1.0", "archspec 0.0.7"))
        assert not answer.final

    def test_a_function_that_does_not_exist_is_a_failure(self, tmp_path: Path) -> None:
        with pytest.warns(UserWarning, match="no attribute 'squares'"):
            run_cells(one("squares"), tmp_path / "out", jobs=0)


class TestTheFolder:
    def files(self, folder: Path) -> list[Path]:
        return sorted(path for path in (folder / "cells").glob("*.json") if path.name != "about.json")

    @pytest.mark.parametrize("damage", ["empty", "cut", "digit", "bytes", "null", "other cell", "deep"])
    def test_a_damaged_file_is_set_aside_told_and_worked_on_again(self, damage: str, tmp_path: Path, log: Path) -> None:
        grid = cells("counted", 2, log=str(log))
        first = run_cells(grid, tmp_path, jobs=0)
        path = tmp_path / "cells" / f"{grid[1].key}.json"
        text = path.read_text()
        path.write_bytes(
            {
                "empty": b"",
                "cut": text[: len(text) // 2].encode(),
                "digit": text.replace('"half": 0.5', '"half": 0.6').encode(),
                "bytes": b"\xff\xfe",
                "null": b"null",
                "other cell": (tmp_path / "cells" / f"{grid[0].key}.json").read_bytes(),
                "deep": b"[" * 100_000,
            }[damage]
        )
        before, said = path.read_bytes(), list[Diagnostic]()
        again = run_cells(grid, tmp_path, jobs=0, remark=said.append)
        assert results(again) == results(first)
        assert begun(log) == 3
        assert [each.code for each in said] == ["W880"]
        assert path.with_suffix(".damaged-1").name in said[0].message
        assert path.with_suffix(".damaged-1").read_bytes() == before

    def test_what_a_killed_run_left_half_written_is_removed(self, tmp_path: Path) -> None:
        run_cells(cells("square", 1), tmp_path, jobs=0)
        left = tmp_path / "cells" / ".archspec-0123.tmp"
        left.write_text("{")
        run_cells(cells("square", 1), tmp_path, jobs=0)
        assert not left.exists()

    def test_a_full_disk_keeps_the_cells_that_are_done(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        calls, write = [], Path.write_text

        def full(path: Path, *args: Any, **how: Any) -> int:
            calls.append(path)
            if len(calls) == 4:  # after about.json and two cells
                write(path, args[0][:10])
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(path, *args, **how)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_text", full)
            with pytest.raises(EnvironmentFault, match="no space left on device") as raised:
                run_cells(cells("square", 5), tmp_path, jobs=0)
        assert raised.value.diagnostic.code == "E806"
        assert "2 of 5 cells are done and kept" in raised.value.diagnostic.help
        assert len(self.files(tmp_path)) == 2
        assert not list((tmp_path / "cells").glob("*.tmp"))
        assert all(run_cells(cells("square", 5), tmp_path, jobs=0))

    def test_two_runs_at_once(self, tmp_path: Path, log: Path) -> None:
        """The second is refused, with the process of the first. The lock ends with that process, by SIGKILL here."""
        process = start(tmp_path / "out", "spins", log)
        try:
            until(log.exists)
            with pytest.raises(EnvironmentFault, match=f"process {process.pid} on") as raised:
                run_cells(cells("square", 1), tmp_path / "out", jobs=0)
            assert raised.value.diagnostic.code == "E880"
        finally:
            process.kill()
            process.wait()
        assert all(run_cells(cells("square", 1), tmp_path / "out", jobs=0))
        until(lambda: not alive(int(log.read_text())))

    def test_a_folder_of_another_experiment(self, tmp_path: Path) -> None:
        run_cells(cells("square", 1), tmp_path, jobs=0, experiment="degradation")
        with pytest.raises(EnvironmentFault, match="belongs to `degradation`, and not to `lesion`") as raised:
            run_cells(cells("square", 1), tmp_path, jobs=0, experiment="lesion")
        assert raised.value.diagnostic.code == "E881"

    @pytest.mark.parametrize(
        ("about", "message"),
        [
            (
                '{"format": 1, "archspec": "0.0.7", "experiment": "tests.lab.works"}',
                "archspec 0.0.7, but this is archspec",
            ),
            ('{"format": 2, "archspec": "0.1.0", "experiment": "tests.lab.works"}', "format of another version"),
            ("[]", "format of another version"),
            ("{", "damaged `cells/about.json`"),
            (None, "to say which run they belong to"),
        ],
    )
    def test_a_folder_of_another_version(self, about: str | None, message: str, tmp_path: Path) -> None:
        run_cells(cells("square", 1), tmp_path, jobs=0)
        path = tmp_path / "cells" / "about.json"
        path.unlink() if about is None else path.write_text(about)
        with pytest.raises(EnvironmentFault, match=message) as raised:
            run_cells(cells("square", 1), tmp_path, jobs=0)
        assert raised.value.diagnostic.code == "E882"

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for folder, reason in ((tmp_path / "file", "file exists"), (tmp_path / "no" / "out", "does not exist")):
            with pytest.raises(EnvironmentFault, match=reason) as raised:
                run_cells(cells("square", 1), folder, jobs=0)
            assert raised.value.diagnostic.code == "E806"

    def test_a_file_says_what_went_in_and_what_came_out(self, tmp_path: Path) -> None:
        (cell,) = one("square")
        run_cells([cell], tmp_path, jobs=0)
        found = json.loads((tmp_path / "cells" / f"{cell.key}.json").read_text())
        assert found["cell"] == {"work": cell.work, "inputs": {"number": 0}, "version": 1}
        assert found["result"] == {"square": 0, "third": 0.0}
        assert found["format"] == cell_files.FORMAT


class TestEnding:
    def test_ctrl_c_ends_the_processes_too_and_keeps_what_is_done(self, tmp_path: Path, log: Path) -> None:
        """The signal goes to the whole group, as a terminal sends it."""
        grid = one("square")
        run_cells(grid, tmp_path / "out", jobs=0)
        process = start(tmp_path / "out", "spins", log)
        until(log.exists)
        begin = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert time.monotonic() - begin < 5
        assert err.decode().splitlines()[-1:] == ["KeyboardInterrupt"]
        assert err.count(b"Traceback") == 1
        assert not alive(int(log.read_text()))
        assert run_cells(grid, tmp_path / "out", jobs=0)[0].result == {"square": 0, "third": 0.0}

    @pytest.mark.slow
    def test_killed_twice_and_resumed_it_gives_the_same(self, tmp_path: Path, log: Path) -> None:
        grid = cells("counted", 10, log=str(log), seconds=0.15)
        whole = run_cells(grid, tmp_path / "whole", jobs=0)
        log.unlink()
        for stop in (3, 6):
            process = start(tmp_path / "out", "counted", log, count=10, seconds=0.15)
            until(lambda enough=stop: begun(log) >= enough)  # type: ignore[misc]  # a default in a lambda
            process.kill()
            process.wait()
        again = run_cells(grid, tmp_path / "out", jobs=2)
        assert results(again) == results(whole)
        assert 10 <= begun(log) <= 18  # of each run that is killed, two were under way, and two not yet written


@contextlib.contextmanager
def blocked(package: str) -> Iterator[None]:
    """As where a package is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, package, None)
        yield


class TestEngines:
    @pytest.mark.parametrize(("name", "hint"), [("locla", "did you mean `local`?"), ("dask", "")])
    def test_an_unknown_engine(self, name: str, hint: str, tmp_path: Path) -> None:
        with pytest.raises(SpecError, match="E883") as raised:
            run_cells(cells("square", 1), tmp_path / "out", engine=name)
        (found,) = raised.value.diagnostics
        assert (found.hint, found.help) == (hint, "the engines are local, ray, slurm")
        assert not (tmp_path / "out").exists()

    def test_an_address_of_an_engine_without_one(self, tmp_path: Path) -> None:
        with pytest.raises(SpecError, match=r"E885.*`local` takes no address"):
            run_cells(cells("square", 1), tmp_path / "out", address="127.0.0.1:6379")
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("jobs", [-1, 1.5, True, "2"])
    def test_wrong_numbers_of_jobs(self, jobs: Any, tmp_path: Path) -> None:
        with pytest.raises((TypeError, ValueError), match="`jobs` takes a whole number of at least 0"):
            run_cells(cells("square", 1), tmp_path / "out", jobs=jobs)

    @pytest.mark.parametrize(("engine", "package"), [("local", "joblib"), ("ray", "ray"), ("slurm", "submitit")])
    def test_a_missing_package(self, engine: str, package: str, tmp_path: Path) -> None:
        extra = "lab" if engine == "local" else engine
        with blocked(package), pytest.raises(EnvironmentFault, match="E809") as raised:
            run_cells(cells("square", 1), tmp_path / "out", engine=engine)
        assert raised.value.diagnostic.help == f"pip install 'archspec-compiler[{extra}]'"
        assert list(tmp_path.iterdir()) == []

    def test_what_ends_before_the_first_cell_leaves_what_was_there(self, tmp_path: Path) -> None:
        """A folder that the run did not make stays, and so do the cells of another run."""
        (tmp_path / "out").mkdir()
        with blocked("ray"), pytest.raises(EnvironmentFault, match="E809"):
            run_cells(cells("square", 1), tmp_path / "out", engine="ray")
        assert list((tmp_path / "out").iterdir()) == []
        run_cells(cells("square", 1), tmp_path / "out", jobs=0)
        kept = sorted((tmp_path / "out" / "cells").iterdir())
        with blocked("ray"), pytest.raises(EnvironmentFault, match="E809"):
            run_cells(cells("square", 2), tmp_path / "out", engine="ray")
        assert sorted((tmp_path / "out" / "cells").iterdir()) == kept

    def test_a_missing_folder_is_said_with_the_command_that_makes_it(self, tmp_path: Path) -> None:
        with pytest.raises(EnvironmentFault, match="E806") as raised:
            run_cells(cells("square", 1), tmp_path / "no" / "out", jobs=0)
        assert f"mkdir -p {tmp_path / 'no'}" in raised.value.diagnostic.help
