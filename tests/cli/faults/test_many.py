"""Thousands of faults: what they cost, and that the first of them keep their hints."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.emit.garbage import uncollected
from tests.cli.conftest import Run
from tests.support.timing import allowed

HEADER = "archspec: 1\nname: many\n"
TINY = "stages: {block: b, count: 1, channels: 3, stride: 1}\nblocks: {b: {steps: [act]}}\n"


def _row(number: int, item: Callable[[int], str]) -> str:
    return ", ".join(map(item, range(number)))


def _unknown_columns(n: int) -> str:
    params, columns = _row(n, lambda i: f"param{i:05}: 1"), _row(n, lambda i: f"pramm{i:05}: 1")
    block = f"blocks: {{b: {{params: {{{params}}}, steps: [act]}}}}"
    return f"{HEADER}extends: resnet18\n{block}\nstages: {{block: b, {columns}}}\n"


def _unknown_columns_of_an_unknown_block(n: int) -> str:
    blocks = _row(n, lambda i: f"b{i}: {{params: {{width{i}: 1}}, steps: [act]}}")
    columns = _row(n, lambda i: f"widht{i}: 1")
    return f"{HEADER}extends: resnet18\nblocks: {{{blocks}}}\nstages: {{block: [bb, b1, b2, b3], {columns}}}\n"


def _unknown_parameters(n: int) -> str:
    params, given = _row(n, lambda i: f"width{i}: 1"), _row(n, lambda i: f"widht{i}: 1")
    return (
        f"{HEADER}extends: resnet18\nfragments: {{f: {{params: {{{params}}}, steps: [act]}}}}\nstem: [f: {{{given}}}]\n"
    )


def _unknown_outputs_of_many_stages(n: int) -> str:
    stages = f"stages: {{block: b, count: [{_row(n, lambda i: '1')}], channels: 3, stride: 1}}"
    return (
        f"{HEADER}stem: []\nhead: []\nshortcut: none\n{stages}\nblocks: {{b: {{steps: [act]}}}}\n"
        f"outputs: [{_row(n, lambda i: f'layr{i}')}]\n"
    )


def _shapes_behind_a_long_chain(n: int) -> str:
    head = _row(n // 4, lambda i: f"conv: {{out: 5, groups: {i + 7}}}")
    chain = f"stages: {{block: b, count: {100 * n}, channels: 3, stride: 1}}\nblocks: {{b: {{steps: [act]}}}}"
    return f"{HEADER}stem: []\nshortcut: none\n{chain}\nhead: [{head}]\n"


def _shapes_behind_shortcuts_first(n: int) -> str:
    head = _row(n // 4, lambda i: f"conv: {{out: 5, groups: {i + 7}}}")
    block = "{first: shortcut, residual: [conv: {out: 6}, conv: {out: 3}]}"
    chain = f"stages: {{block: b, count: {40 * n}, channels: 3, stride: 1}}\nblocks: {{b: {block}}}"
    return f"{HEADER}stem: []\n{chain}\nhead: [{head}]\n"


FORMS: dict[str, Callable[[int], str]] = {
    "unknown columns": _unknown_columns,
    "unknown columns, unknown block": _unknown_columns_of_an_unknown_block,
    "unknown parameters": _unknown_parameters,
    "unknown outputs": lambda n: f"{HEADER}extends: resnet18\noutputs: [{_row(n, lambda i: f'layr{i}')}]\n",
    "unknown outputs, many stages": _unknown_outputs_of_many_stages,
    "unknown keys": lambda n: f"{HEADER}extends: resnet18\ninit: {{{_row(n, lambda i: f'conw{i}: 1')}}}\n",
    "unknown keys, a line each": lambda n: f"{HEADER}extends: resnet18\n" + "".join(f"k{i}: 1\n" for i in range(n)),
    "unknown steps": lambda n: f"{HEADER}extends: resnet18\nstem: [{_row(n, lambda i: f'cnv{i}')}]\n",
    "unknown names": lambda n: f"{HEADER}extends: resnet18\nstem: [{_row(n, lambda i: f'conv: {{out: widht{i}}}')}]\n",
    "unknown words": lambda n: f"{HEADER}extends: resnet18\nstem: [{_row(n, lambda i: f'act: {{type: rel{i}}}')}]\n",
    "wrong types": lambda n: f"{HEADER}stem: [{_row(n, lambda i: 'conv: {out: {a: 1}}')}]\n{TINY}",
    "shapes": lambda n: f"{HEADER}stem: [{_row(n, lambda i: f'add: [[act], [conv: {{out: {i + 5}}}]]')}]\n{TINY}",
    "shapes behind a chain": _shapes_behind_a_long_chain,
    "shapes behind shortcuts that come first": _shapes_behind_shortcuts_first,
}


@pytest.mark.parametrize(
    "form", ["text", "sarif", *[pytest.param(form, marks=pytest.mark.slow) for form in ("json", "github")]]
)
def test_many_faults_cost_little(run: Run, here: Path, form: str) -> None:
    """Each of these took from 1 to 20 seconds where a hint compared all words, or an excerpt a whole line."""
    for name, make in FORMS.items():
        (here / "many.yaml").write_text(make(600), encoding="utf-8")
        begun = time.process_time()
        with uncollected():  # a search for garbage takes as long as there are objects of other tests
            result = run("check", "many.yaml", "--format", form)
        seconds = time.process_time() - begun
        assert result.status == 1, name
        assert seconds < allowed(0.9), (name, seconds)


@pytest.mark.parametrize(("name", "hint"), [("unknown columns", "param00007"), ("unknown outputs", "layer1")])
def test_the_first_faults_have_hints(run: Run, here: Path, name: str, hint: str) -> None:
    (here / "many.yaml").write_text(FORMS[name](600), encoding="utf-8")
    (found,) = run("check", "many.yaml", "--format", "json").json
    hints = [each["hint"] for each in found["diagnostics"]]
    assert f"did you mean `{hint}`?" in hints[:10]
    assert not hints[-1]


def test_the_stages_that_there_are_do_not_fill_the_screen(run: Run, here: Path) -> None:
    (here / "many.yaml").write_text(FORMS["unknown outputs, many stages"](600), encoding="utf-8")
    assert max(map(len, run("check", "many.yaml").err.splitlines())) < 600


def test_an_excerpt_of_a_very_long_line_shows_its_middle(run: Run, here: Path) -> None:
    steps = [*["act"] * 3000, "atc", *["act"] * 3000]
    (here / "long.yaml").write_text(f"{HEADER}{TINY}stem: [{', '.join(steps)}]\n", encoding="utf-8")
    shown, marks = run("check", "long.yaml").err.splitlines()[1:3]
    assert shown.startswith("  5 | ...")
    assert shown.endswith("...")
    assert shown[marks.index("^") :].startswith("atc, act,")
    assert marks.endswith("^^^ did you mean `act`?")
