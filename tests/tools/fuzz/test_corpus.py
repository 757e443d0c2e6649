"""What fuzzing found stays mended, and the fuzzer itself finds what it should."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import archspec
from archspec.language.expressions import parser as expressions
from tests.support.paths import ROOT
from tests.tools.fuzz import promise
from tests.tools.fuzz.harness import HARNESSES
from tests.tools.fuzz.minimise import minimise
from tests.tools.fuzz.promise import Broken, survive_expression, survive_spec, watched
from tests.tools.fuzz.seeded import drive

CORPUS = Path(__file__).parent / "corpus"
SLOW = 5
"""Seconds: the heap of this process, and what measures coverage, slow archspec down. The command has the promise's."""
FINDS = sorted((CORPUS / "specs").iterdir())
TEXTS = sorted((CORPUS / "expressions").iterdir())


@pytest.mark.parametrize("path", FINDS, ids=lambda path: path.name)
def test_specs_that_were_found(path: Path) -> None:
    """The name begins with the phase in which the input must end, or with `whole`."""
    phase = path.name.split("-")[0]
    passed, _ = watched(
        lambda: survive_spec(path.read_bytes(), str(ROOT / "specs" / path.name)), memory=False, seconds=SLOW
    )
    assert (*promise.PHASES, "whole")[passed] == phase


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_expressions_that_were_found(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    passed, _ = watched(lambda: survive_expression(text), memory=False)
    assert (*promise.EXPRESSION_PHASES, "whole")[passed] == path.name.split("-")[0]


@pytest.mark.parametrize("name", HARNESSES)
def test_fresh_inputs(name: str) -> None:
    tally = drive(name, seed=7, numbers=range(200), memory=False)
    assert not tally.broken
    assert tally.inputs == 200


def test_most_structured_inputs_pass_the_schema_and_reach_every_phase() -> None:
    tally = drive("structured", seed=11, numbers=range(200), memory=False)
    read, valid, resolved, lowered, checked = tally.passed
    assert read == 200
    assert valid >= 100
    assert valid > resolved > lowered > checked > 20


def test_the_command_keeps_the_promise_of_memory(tmp_path: Path) -> None:
    """In a process without torch, whose memory is archspec's own."""
    command = [sys.executable, "-m", "tests.tools.fuzz", "--count", "90", "--found", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert [line.split(":")[0] for line in result.stdout.splitlines() if " inputs;" in line] == list(HARNESSES)


def test_inputs_depend_on_seed_and_number_alone() -> None:
    from tests.tools.fuzz.seeded import data_of

    assert data_of("bytes", 1, 5) == data_of("bytes", 1, 5)
    assert len({data_of("bytes", seed, number) for seed in (1, 2) for number in (5, 6)}) == 4


# -- the fuzzer finds what it should -----------------------------------------------------------------------------------


def test_a_traceback_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise KeyError("stages")

    monkeypatch.setattr(archspec, "compile", breaks)
    tally = drive("structured", seed=7, numbers=range(60), memory=False)
    assert tally.broken
    assert {message for _, message in tally.broken} == {"KeyError: 'stages'"}


def endless() -> int:
    while True:
        pass


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (endless, "not done after 0.5 s"),
        (lambda: sum(range(1_500_000)), "s of the processor"),
    ],
    ids=["endless", "slow"],
)
def test_time_is_a_find(run: Callable[[], int], message: str) -> None:
    with pytest.raises(Broken, match=message):
        watched(run, memory=False, seconds=0.05 if run is endless else 0.01)


def test_memory_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promise, "MEBIBYTES", 1)
    with pytest.raises(Broken, match="MiB"):
        watched(lambda: 0)


def test_a_value_that_python_reads_otherwise_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promise, "parse", expressions.parse.__wrapped__)  # else it is remembered as it was, or is
    monkeypatch.setitem(expressions._POWERS, "+", expressions._PRODUCT)  # `1 + 2 * 3` would be 9
    with pytest.raises(Broken, match="9 where Python has 7"):
        survive_expression("1 + 2 * 3")
    assert any("where Python has" in message for _, message in drive("expressions", 7, range(200), memory=False).broken)


def test_minimising_keeps_what_breaks() -> None:
    data = b"one\ntwo\nthree x!\nfour\n"
    assert minimise(data, lambda data: b"x" in data and b"o" in data) in (b"ox", b"xo")
