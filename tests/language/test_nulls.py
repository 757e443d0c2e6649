"""``null`` means the same in a spec that extends another as in one that stands alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import archspec
from archspec.work import Limits

BASE = {
    "archspec": 1,
    "name": "base",
    "params": {"wide": 8},
    "scale": {"width": 1.5, "depth": 2, "divisor": 4},
    "naming": {"stage": "s{stage}"},
    "stem": [{"widen": {"out": 8}}],
    "stages": {"block": "b", "count": 1, "channels": 8, "size": 5, "stride": 2},
    "shortcut": "down",
    "head": [],
    "fragments": {
        "widen": {"params": {"out": 16, "kernel": 5}, "let": {"g": 2}, "steps": [{"conv": {"out": "out"}}]},
        "unused": {"steps": []},
    },
    "blocks": {
        "b": {
            "params": {"size": 3},
            "act": "silu",
            "residual": [{"layer": {"out": 8, "kernel": "size", "stride": "stride"}}],
        }
    },
    "shortcuts": {"down": {"same": [], "change": [{"conv": {"out": "out_channels", "stride": "stride"}}]}},
}
KEYS = [
    *("params", "scale", "naming", "shortcut", "stem", "head", "stages", "fragments", "blocks", "shortcuts"),
    *("params.wide", "scale.width", "scale.depth", "scale.divisor", "naming.stage", "stages.count", "stages.size"),
    *("fragments.widen", "fragments.unused", "fragments.widen.params", "fragments.widen.params.out"),
    *("fragments.widen.params.kernel", "fragments.widen.let", "fragments.widen.let.g", "fragments.widen.steps"),
    *("blocks.b", "blocks.b.params", "blocks.b.params.size", "blocks.b.act", "blocks.b.residual"),
    *("shortcuts.down", "shortcuts.down.same", "shortcuts.down.change", "stages.stride"),
]


def nulled(value: object, keys: list[str]) -> object:
    """``value`` with null at a path; where it lacks the path, mappings on the way to it."""
    if not keys:
        return None
    under = value if isinstance(value, dict) else {}
    return {**under, keys[0]: nulled(under.get(keys[0]), keys[1:])}


def outcome(path: Path) -> tuple[object, ...]:
    try:
        return (archspec.compile(path, limits=Limits(nodes=500)).fingerprint,)
    except archspec.SpecError as error:
        return tuple(sorted((fault.code, fault.message) for fault in error.diagnostics))


@pytest.mark.parametrize("key", KEYS)
def test_over_another_spec_it_means_what_it_means_alone(tmp_path: Path, key: str) -> None:
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(BASE))
    over = {"archspec": 1, "name": "over", "extends": "base", **nulled({}, key.split("."))}  # type: ignore[dict-item]
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(over))
    (tmp_path / "alone.yaml").write_text(yaml.safe_dump({**nulled(BASE, key.split(".")), "name": "over"}))  # type: ignore[dict-item]
    assert outcome(tmp_path / "over.yaml") == outcome(tmp_path / "alone.yaml")


def test_a_required_parameter_is_declared_over_a_default(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(BASE))
    over = tmp_path / "over.yaml"
    text = "archspec: 1\nname: over\nextends: base\nfragments: {widen: {params: {out: null}}}\n"
    over.write_text(text)
    archspec.compile(over)
    over.write_text(text + "stem: widen\n")
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(over)
    (fault,) = caught.value.diagnostics
    assert fault.code == "E306"
    assert [(label.span.line, label.text) for label in fault.labels] == [(4, "`out` has no default")]


@pytest.mark.parametrize("place", ["classes: w", "stem: [conv: {out: w}]", "act: w", "stages: {count: w}"])
def test_a_parameter_of_a_spec_that_is_null_is_not_there(place: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(f"archspec: 1\nname: t\nextends: resnet18\nparams: {{w: null}}\n{place}\n")
    assert {fault.code for fault in caught.value.diagnostics} <= {"E402", "E204"}


@pytest.mark.parametrize("head", ["extends: resnet18", "input: [3, 32, 32]"])
def test_stages_that_are_null_are_missing_at_that_line(head: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(f"archspec: 1\nname: t\n{head}\nstages: null\n")
    (fault,) = caught.value.diagnostics
    assert (fault.code, fault.span and fault.span.line) == ("E203", 4)


STEPS = """
archspec: 1
name: t
input: [3, 8, 8]
norm: {type: group, groups: 2}
stem:
  - pair: {wide: 6}
  - norm: {type: layer}
  - add: [[act: {type: silu}], {when: false, steps: [norm]}, [norm: {eps: 0.1}]]
  - multiply: {b0: [norm: {type: layer}], b1: []}
  - sequence: {name: s, steps: [act: {type: silu}]}
stages: {block: b, count: 1, channels: 4, around: [[blocks, norm: {type: layer}]], norm: [{eps: 0.2}]}
head: [act: {type: silu}]
fragments: {pair: {params: {wide: 4}, steps: [conv: {out: wide}, norm: {eps: 0.1}]}}
blocks: {b: {residual: [conv: {out: 4}, norm, norm: {type: layer}]}}
"""


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("stem.1.norm", "- norm: {type: layer}", "- norm"),
        ("stem.0.pair", "- pair: {wide: 6}", "- pair"),
        ("stem.2.add.0.0.act", "add: [[act: {type: silu}]", "add: [[act]"),
        ("stem.2.add.2.0.norm", "[norm: {eps: 0.1}]]", "[norm]]"),
        ("stem.2.add.1.when", "{when: false, steps", "{steps"),
        ("stem.3.multiply.b0.0.norm", "{b0: [norm: {type: layer}]", "{b0: [norm]"),
        ("stem.4.sequence.steps.0.act", "steps: [act: {type: silu}]", "steps: [act]"),
        ("stem.4.sequence.name", "name: s, ", ""),
        ("stages.around.0.1.norm", "[blocks, norm: {type: layer}]", "[blocks, norm]"),
        ("stages.norm.0.eps", "norm: [{eps: 0.2}]", "norm: [{}]"),
        ("head.0.act", "head: [act: {type: silu}]", "head: [act]"),
        ("fragments.pair.steps.1.norm", "norm: {eps: 0.1}]}}", "norm]}}"),
        ("blocks.b.residual.2.norm", "norm, norm: {type: layer}]", "norm, norm]"),
    ],
)
def test_an_override_leaves_the_word_of_a_step(path: str, before: str, after: str) -> None:
    assert STEPS.count(before) == 1
    changed, there = archspec.compile(STEPS, overrides=[f"{path}=null"]), STEPS.replace(before, after)
    assert changed.fingerprint == archspec.compile(there).fingerprint != archspec.compile(STEPS).fingerprint
