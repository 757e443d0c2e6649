"""The harnesses of cost: bombs are what they say, and work that is not counted, or not bounded, is found."""

from __future__ import annotations

import time
from typing import Any

import pytest

import archspec
from archspec.diagnostics import Source
from archspec.emit.garbage import uncollected
from archspec.language.text.files import ReadLimits
from archspec.work import Work
from tests.support.paths import ROOT
from tests.tools.fuzz import clock as clocks
from tests.tools.fuzz import cost
from tests.tools.fuzz.bombs import run as bombs
from tests.tools.fuzz.bombs.bomb import FAMILIES, Bomb
from tests.tools.fuzz.clock import Clock
from tests.tools.fuzz.promise import Broken, survive_source, watched

SLOW = 5
"""Seconds, as in :mod:`tests.tools.fuzz.test_corpus`. The command has the promise's."""
RESNET = Source("resnet18.yaml", (ROOT / "specs/resnet18.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FAMILIES)
def test_bombs_fit_into_a_file_and_depend_on_their_number_alone(name: str) -> None:
    for number in range(3):
        made = bombs.bomb(name, 7, number)
        assert made == bombs.bomb(name, 7, number)
        assert max(len(made.data), *(len(text.encode()) for text in made.files.values()), 1) <= ReadLimits().bytes
    assert len({bombs.bomb(name, 7, number).data for number in range(8)}) > 1


@pytest.mark.parametrize("name", FAMILIES)
def test_small_bombs_of_each_family(name: str) -> None:
    made, clock = bombs.bomb(name, 5, 0, 0.05), Clock()
    source = Source("bomb.yaml", made.data.decode("utf-8", "replace"))
    watched(lambda: survive_source(source, made.overrides), memory=False, seconds=SLOW, clock=clock)


def test_two_families_in_one_spec() -> None:
    text = bombs.bomb("lets_of_blocks+many_outputs", 0, 0, 0.1).text
    assert "let:" in text or "params:" in text
    assert "outputs:" in text


def test_a_bomb_in_a_process_of_its_own() -> None:
    found = bombs.measure(Bomb(raw=RESNET.text), "check")
    assert found.status == 0
    assert "11,689,512 parameters" in found.said
    assert 0.02 < found.seconds < SLOW
    assert 10 < found.memory < 300


def test_what_takes_too_long_is_stopped_and_told() -> None:
    found = bombs.measure(Bomb(raw=RESNET.text), "check", seconds=0.02)  # it takes about a tenth
    assert found.seconds > 0.01
    assert bombs.complaint(Bomb(), "check", found) == "check: exit status -9"


def test_fresh_inputs_of_cost() -> None:
    with uncollected():  # a search for garbage takes as long as there are objects of other tests
        found = cost.breed(3, 16, memory=False)
    assert [message for _, message in found.broken if "proportion" not in message] == []
    assert found.inputs == 16
    assert found.compiled


def test_the_second_of_a_slow_machine_is_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Clock().second()
    turns = clocks.TURNS
    monkeypatch.setattr(clocks, "TURNS", 3 * turns)
    assert 2 * before < Clock().second() < 6 * before


# -- the harness finds what it should ----------------------------------------------------------------------------------


def test_the_steps_of_a_refused_spec_are_counted() -> None:
    text = "archspec: 1\nname: t\nshortcut: none\nstages: {block: b, count: 40000, channels: index + 1}\n"
    refused = cost.effort(Source("t", text + "blocks: {b: {steps: [act, act, act]}}\n"), Clock())
    usual = cost.effort(RESNET, Clock())
    assert refused.steps > 20 * usual.steps
    assert usual.steps == sum(archspec.compile(RESNET).work.values())


def test_work_that_is_not_counted_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = cost.ordinary()
    usual.check(cost.effort(RESNET, Clock()))
    before: Any = archspec.analyze

    def slow(graph: Any) -> Any:
        spend(0.4)
        return before(graph)

    monkeypatch.setattr(archspec, "analyze", slow)
    with pytest.raises(Broken, match="to analyze 69 nodes, out of proportion"):
        usual.check(cost.effort(RESNET, Clock()))
    monkeypatch.undo()
    spent: Any = Work.spend

    def hidden(work: Work, what: str, steps: int, span: Any = None) -> None:
        spend(steps * 60e-6)
        spent(work, what, steps, span)

    monkeypatch.setattr(Work, "spend", hidden)
    with pytest.raises(Broken, match="steps, out of proportion"):
        usual.check(cost.effort(RESNET, Clock()))


def spend(seconds: float) -> None:
    """Keep the processor busy."""
    start = time.thread_time()
    while time.thread_time() - start < seconds:
        pass
