"""No sentence of a diagnostic is longer than a person reads, however long the names and lists in the input are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.diagnostics import Diagnostic, Label, Source
from archspec.wording import first_of
from tests.tools.fuzz.promise import check_diagnostics, survive_source

MANY = 400


@given(st.lists(st.text(max_size=2000), max_size=50), st.sampled_from([", ", "; "]))
def test_a_list_shows_the_first_items_and_counts_the_rest(items: list[str], separator: str) -> None:
    found = Diagnostic.listing("E807", "the weights lack keys", items, separator)
    assert len(found.message) < 1000
    assert list(found.items) == found.as_data()["items"] == items
    if len(items) > 12:
        assert found.message.endswith(" more")


def test_a_short_list_is_shown_whole() -> None:
    assert first_of(["`a`", "`b`"]) == "`a`, `b`"
    assert first_of([]) == ""
    assert first_of(f"`{number}`" for number in range(12)).endswith("`11`")
    assert first_of([f"`{number}`" for number in range(1012)]).endswith("`11`, and 1,000 more")


def test_every_text_is_bounded() -> None:
    long, span = "x" * 5000, Source("a.yaml", "a: 1").part()
    found = Diagnostic("E201", long, span, long, (Label(span, long),), (long, "short"), long)
    check_diagnostics([found])
    assert found.notes[1] == "short"


LONG = "a" * 3000
NAMES = [f"name_{number}_{'x' * 100}" for number in range(MANY)]
SPECS = {
    "name of a step": f"stem: [{LONG}]",
    "key": f"? {LONG}\n: 1",
    "keys": "".join(f"{name}: 1\n" for name in NAMES),
    "keys of a step": f"stem: [conv: {{{', '.join(f'{name}: 1' for name in NAMES)}}}]",
    "parameter": f"fragments: {{f: {{params: {{? {LONG} : 1}}, steps: []}}}}\nstem: [f: 3]",
    "parameters": f"fragments: {{f: {{params: {{{', '.join(f'{n}: 1' for n in NAMES)}}}, steps: []}}}}\nstem: [f: 3]",
    "missing parameter": f"fragments: {{f: {{params: {{? {LONG} : null}}, steps: []}}}}\nstem: [f]",
    "name of a fragment": f"fragments: {{? {LONG} : {{steps: [conv: {{out: 1 / 0}}]}}}}\nstem: [{LONG}: {{b: 2}}]",
    "circle of fragments": "fragments:\n" + "".join(f"  f{n}: {{steps: [f{(n + 1) % 60}]}}\n" for n in range(60)),
    "circle of let": "fragments:\n  f:\n    steps: []\n    let:\n"
    + "".join(f"      l{n}_{'x' * 90}: l{(n + 1) % 60}_{'x' * 90}\n" for n in range(60)),
    "name of a block": f"blocks: {{? {LONG} : {{residual: []}}}}\nstages: {{block: {LONG}, count: 1, x: [1]}}",
    "names of blocks": f"blocks: {{{', '.join(f'{n}: {{residual: [], fixed: {{norm: none}}}}' for n in NAMES)}}}\n"
    f"stages: {{block: [[{', '.join(NAMES)}]], count: {MANY}, y: [3]}}\nnorm: batch",
    "meanings of channels": "blocks: {"
    + ", ".join(f"{name}: {{channels: {name}, residual: [conv: {{out: channels}}]}}" for name in NAMES)
    + f"}}\nstages: {{block: [[{', '.join(NAMES)}]], count: {MANY}, channels: 3}}",
    "unknown block": f"blocks: {{{', '.join(f'{name}: {{residual: []}}' for name in NAMES)}}}\n"
    "stages: {block: zzz, count: 1}",
    "unknown stage": f"stages: {{block: basic, count: {[1] * MANY}, channels: 64}}\n"
    "expect: {stages: {zzz: {params: 1}}}",
    "outputs": f"stages: {{block: basic, count: {[1] * MANY}, channels: 64}}\noutputs: [zzz]",
    "columns": "stages: {block: basic, "
    + ", ".join(f"{name}: {[1] * (n % 7 + 1)}" for n, name in enumerate(NAMES))
    + ", count: 1, channels: 64}",
    "expression": f"classes: {LONG}",
    "word": f"stages: {{block: basic, count: 1, channels: 64}}\nact: {LONG}",
    "convention": f"naming: {LONG}",
    "template": f"naming: {{conv: '{LONG}{{n}}'}}",
    "name": f"name: {LONG}",
    "text": f"input: {LONG}",
    "alias": f"notes: *{LONG}",
    "tag": f"notes: !{LONG} 1",
    "chain of shapes": "stem: [" + "conv: {out: 8, kernel: 3}, " * 400 + "conv: {out: 8, groups: 3}]",
    "widths": "stem: [" + ", ".join(f"conv: {{out: scaled({n})}}" for n in range(3, 300, 2)) + "]\nscale: {width: 1.3}",
    "rule": "stages: {block: basic, group_width: 7, quantized_linear: {depth: 900, w_0: 8, w_a: 20, w_m: 1.02}}",
}


@pytest.mark.parametrize("spec", SPECS)
def test_long_names_and_lists_make_no_long_sentence(spec: str) -> None:
    """`survive_source` refuses long texts in any diagnostic."""
    own = SPECS[spec]
    start = "archspec: 1\n" + ("" if own.startswith("name:") else "name: long\n")
    assert survive_source(Source("long.yaml", f"{start}extends: resnet18\n{own}\n")) < 6


def test_weights_with_many_faults(tmp_path: Path) -> None:
    """A thousand missing keys are one sentence; `items` has them all."""
    graph = archspec.compile("resnet152")
    shapes = {key: torch.zeros(1) for key in archspec.build(graph, device="meta").state_dict()}
    strange: dict[str, Any] = {f"{'k' * 300}.{number}": torch.zeros(1) for number in range(2000)}
    for weights in ({"fc.bias": torch.zeros(1000)}, {"fc.bias": torch.zeros(1000), **strange}, shapes):
        with pytest.raises(archspec.SpecError) as error:
            archspec.build(graph, weights=weights)
        check_diagnostics(error.value.diagnostics)
        assert max(len(found.items) for found in error.value.diagnostics) > 700
