"""``extends``, tables by row and by column, and ``--set``: what is merged, and where each value came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limited
from hypothesis import strategies as st

import archspec
from archspec.diagnostics import Source, Span
from archspec.language.load import load
from archspec.language.spec import Spec
from tests.support.properties import fingerprint

HEAD = "archspec: 1\nname: {}\n"


def write(folder: Path, **files: str) -> Path:
    """Specs by name in ``folder``; the path of the first."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(HEAD.format(name) + text, encoding="utf-8")
    return folder / f"{next(iter(files))}.yaml"


def place(span: Span) -> str:
    return f"{Path(span.source.name).name}:{span.line}:{span.column}"


def shapes(spec: Spec) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """Every node with its shape and the shapes of its weights: what a spec means."""
    graph = archspec.compile(spec)
    found = []
    for node in graph.nodes:
        weights = node.operation.weights(graph.input_shapes(node)).values()
        found.append((node.name, node.shape, tuple(size for weight in weights for size in weight.shape)))
    return found


BASE = """\
stem: {use: cifar, width: 8}
stages: {block: basic, count: [1, 2], channels: [8, 16], stride: [1, 2]}
norm: {type: batch, eps: 0.01}
params: {a: 1, b: 2}
tags: [x, y]
"""


def test_mappings_merge_and_the_rest_replaces(tmp_path: Path) -> None:
    over = "extends: base\nstages: {channels: [4, 4], stride: null}\nnorm: {eps: 0.5}\nparams: {b: 3}\ntags: [z]\n"
    value = load(write(tmp_path, over=over, base=BASE)).document.value
    assert value["name"] == "over"
    assert value["stages"] == {"block": "basic", "count": [1, 2], "channels": [4, 4]}
    assert value["norm"] == {"type": "batch", "eps": 0.5}
    assert value["params"] == {"a": 1, "b": 3}
    assert value["tags"] == ["z"]
    assert value["stem"] == {"use": "cifar", "width": 8}


def test_a_part_of_what_is_inherited_is_enough(tmp_path: Path) -> None:
    """What a mapping needs may stand in the base: a fragment's steps, the fragment of a stem, a generator's rule."""
    base = (
        "stem: {use: own, width: 8}\nfragments: {own: {params: {width: 1}, steps: [conv: {out: width}]}}\n"
        "stages: {block: basic, quantized_linear: {depth: 4, w_0: 8, w_a: 8, w_m: 2}}\n"
    )
    over = "extends: base\nstem: {width: 24}\nfragments: {own: {params: {width: 2}}}\n"
    over += "stages: {quantized_linear: {depth: 2}}\n"
    spec = load(write(tmp_path, over=over, base=base))
    graph = archspec.compile(spec)
    assert graph.by_name["conv1"].shape[0] == 24
    assert sum(r.kind == "block" for r in graph.regions) == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("stem: {width: 3}\nstages: {block: basic, count: 1, channels: 8}", "E203 3:1"),
        ("fragments: {f: {params: {a: 1}}}\nstages: {block: basic, count: 1, channels: 8}", "E203 3:13"),
        ("stages: {block: basic, quantized_linear: {depth: 3}}", "E203 3:24"),
    ],
)
def test_what_nobody_gives_is_missing(text: str, code: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        load(HEAD.format("t") + text + "\n")
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert f"{found.code} {found.span.line}:{found.span.column}" == code


def test_what_a_spec_says_of_itself_is_said_of_no_other(tmp_path: Path) -> None:
    """Whoever extends it or changes it has another network, with other words, other figures and another reference."""
    claims = "summary: Alpha.\npaper: Beta\nnotes: Gamma.\nexpect: {params: 1}\nreference: torchvision:resnet18\n"
    base = tmp_path / "base.yaml"
    base.write_text(f"archspec: 1\nname: base\nextends: resnet18\n{claims}")
    (tmp_path / "variant.yaml").write_text("archspec: 1\nname: variant\nextends: base\n")
    assert load(base).document.value["reference"] == "torchvision:resnet18"
    for spec in (load(tmp_path / "variant.yaml"), load(base, overrides=["classes=10"])):
        assert not {"summary", "paper", "notes", "expect", "reference"} & set(spec.document.value)


@pytest.mark.parametrize("target", ["net.py", "net.json", "net.svg", "net.onnx", "low.py", "net.safetensors"])
def test_a_file_of_a_variant_does_not_describe_the_base(target: str, tmp_path: Path) -> None:
    base = "summary: Quokka of thirty-two.\npaper: https://example.org/quokka\nnotes: Quokkas.\n" + BASE
    path = write(tmp_path, variant="extends: base\nstages: {channels: [4, 8]}\n", base=base)
    to = "lowlevel" if target.startswith("low") else None

    def written(path: Path, **more: Any) -> bytes:
        archspec.write(path, tmp_path / target, to=to, force=True, **more)
        return (tmp_path / target).read_bytes()

    assert b"uokka" in written(tmp_path / "base.yaml")
    assert b"uokka" not in written(path)
    if target != "net.svg":  # which wraps words
        assert b"Own words." in written(path, overrides={"summary": "Own words."})


def test_null_removes_what_is_inherited(tmp_path: Path) -> None:
    spec = load(write(tmp_path, over="extends: base\nstem: null\nnorm: null\nstages: {count: 1}\n", base=BASE))
    assert not {"stem", "norm"} & spec.document.value.keys()
    assert spec.stem.call is not None
    assert spec.stem.call.word == "imagenet"


def test_chains_and_where_each_value_came_from(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts", middle="extends: ../base.yaml\nstages: {stride: [1, 1]}\n")
    top = "extends: parts/middle.yaml\nstages:\n  channels: [8, 8]\n"
    document = load(write(tmp_path, top=top, base=BASE)).document
    assert place(document.span(("stages", "channels", 1))) == "top.yaml:5:17"
    assert place(document.span(("stages", "stride"))) == "middle.yaml:4:18"
    assert place(document.key_span(("stages", "count"))) == "base.yaml:4:24"
    assert place(document.span(("stem", "width"))) == "base.yaml:3:27"
    assert document.value["stages"]["stride"] == [1, 1]


def test_a_spec_beside_the_file_comes_before_the_zoo(tmp_path: Path) -> None:
    assert load(write(tmp_path, top="extends: resnet18\n", resnet18=BASE)).document.value["params"] == {"a": 1, "b": 2}


def test_a_spec_may_take_the_name_of_the_zoos_that_it_extends(tmp_path: Path) -> None:
    spec = load(write(tmp_path, resnet18="extends: resnet18\nclasses: 7\n"))
    assert archspec.compile(spec).output == (7,)


TABLE_BY_COLUMN = """\
stages:
  block: [basic, bottleneck]
  count: [2, 1]
  channels: [8, [16]]
  stride: [1, 2]
  expansion: [null, 2]
  act: [[silu, null], gelu]
  after: [null, [norm, act]]
"""
TABLE_BY_ROW = """\
stages:
  - {block: basic, count: 2, channels: 8, act: [silu, null]}
  - block: bottleneck
    count: 1
    channels: [16]
    stride: 2
    expansion: 2
    act: gelu
    after:
      - norm
      - act
"""


def test_rows_and_columns_mean_the_same() -> None:
    by_row, by_column = (load(HEAD.format("t") + text) for text in (TABLE_BY_ROW, TABLE_BY_COLUMN))
    assert shapes(by_row) == shapes(by_column)
    kinds = [[node.operation for node in archspec.compile(spec).nodes] for spec in (by_row, by_column)]
    assert kinds[0] == kinds[1]
    assert fingerprint(by_row) == fingerprint(by_column)


def test_a_table_by_row_keeps_its_places() -> None:
    document = load(HEAD.format("t") + TABLE_BY_ROW).document
    assert place(document.span(("stages", "channels", 0))) == "<text>:4:40"
    assert place(document.span(("stages", "channels", 1, 0))) == "<text>:7:16"
    assert place(document.key_span(("stages", "stride", 1))) == "<text>:8:5"


def test_a_table_by_row_is_laid_over_one_by_column(tmp_path: Path) -> None:
    over = "extends: base\nstages:\n  - {channels: 4}\n  - {channels: 12, act: silu}\n"
    spec = load(write(tmp_path, over=over, base=BASE))
    table = spec.document.value["stages"]
    assert table == {**table, "channels": [4, 12], "act": [None, "silu"], "count": [1, 2], "block": "basic"}


# -- overrides ---------------------------------------------------------------------------------------------------------


def test_overrides_are_laid_over_in_order() -> None:
    settings = [
        "classes=7",
        "stages.count=[1, 1, 1, 1]",
        "stages.count.2=3",
        "norm={type: batch, eps: 0.5}",
        "norm.eps=0.25",
    ]
    spec = load("resnet18", overrides=[*settings, "classes=9"])
    assert spec.classes == 9
    assert spec.document.value["stages"]["count"] == [1, 1, 3, 1]
    assert spec.document.value["norm"] == {"type": "batch", "eps": 0.25}


def test_an_override_means_what_an_extending_spec_means() -> None:
    text = HEAD.format("resnet50") + "extends: resnet50\nstages: {groups: 32, base_width: 4}\n"
    assert fingerprint(load("resnet50", overrides=["stages.groups=32", "stages.base_width=4"])) == fingerprint(
        load(text)
    )


def test_an_override_may_be_a_table_by_row() -> None:
    spec = load("resnet18", overrides=["stages=[{channels: 8}, {channels: 8}, {channels: 8}, {channels: 24}]"])
    assert archspec.compile(spec).nodes[-1].operation.weights(((24,),))["weight"].shape == (1000, 24)


def test_params_are_set_from_outside() -> None:
    text = (
        HEAD.format("t")
        + "params: {width: 8, depth: 1}\nstages: {block: basic, count: depth, channels: width}\nstem: cifar\n"
    )
    assert shapes(load(text, overrides=["params.width=24", "params.depth=3"])) == shapes(
        load(text.replace("width: 8, depth: 1", "width: 24, depth: 3"))
    )


def test_an_empty_override_removes() -> None:
    assert "shortcut" not in load("resnet50", overrides=["shortcut="]).document.value


def test_places_in_an_override_are_places_in_the_argument() -> None:
    document = load("resnet50", overrides=["stages.stride=[1, 2,  3, 4]"]).document
    span = document.span(("stages", "stride", 2))
    assert span.source.text[span.column - 1 : span.end_column - 1] == "3"
    key = document.key_span(("stages", "stride"))
    assert key.source.text[key.column - 1 : key.end_column - 1] == "stride"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["classes"], ["E313 1:1"]),
        (["=3"], ["E313 1:1"]),
        (["a..b=3"], ["E313 1:3"]),
        (["stages.count.9=3"], ["E313 1:14"]),
        (["stages.count.x=3"], ["E313 1:14"]),
        (["stages.0.count=3"], ["E313 1:8"]),
        (["name.x=3"], ["E313 1:6"]),
        (["extends=resnet18"], ["E313 1:1"]),
        (["params.x=3"], ["E313 1:8"]),
        (["norm.eps.x.y=3"], ["E202 1:10"]),
        (["x=1", "classes=[", "input=3", "name="], ["E201 1:1", "E102 1:9", "E202 1:7", "E202 1:6"]),
        ([".".join("a" * 2000) + "=1"], ["E313 1:65"]),
        (["9" * 5000 + "=1"], ["E201 1:1"]),
        (["stages." + "9" * 5000 + "=1"], ["E301 1:8"]),
        (["classes=010"], ["E110 1:9"]),
        (["classes=7/2"], ["E403 1:9"]),
        (["classes=1 +"], ["E401 1:12"]),
        (["classes=&a [*a]"], ["E106 1:13"]),
        (["cl\x1b[31masses=1"], ["E313 1:1"]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_faults_of_overrides(settings: list[str], expected: list[str]) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        load("resnet50", overrides=settings)
    found = [f"{d.code} {d.span.line}:{d.span.column}" for d in caught.value.diagnostics if d.span]
    assert found == expected
    assert all(d.span and d.span.source.kind == "override" for d in caught.value.diagnostics)


def test_a_source_without_a_file_extends_the_zoo_only() -> None:
    text = HEAD.format("t") + "extends: "
    assert load(Source("-", text + "resnet18\n")).classes == 1000
    with pytest.raises(archspec.SpecError, match="E801"):
        load(Source("-", text + "other.yaml\n"))


STEPS = st.fixed_dictionaries({"out": st.integers(1, 9), "kernel": st.integers(1, 5), "stride": st.integers(1, 2)})


@given(st.lists(STEPS, min_size=1, max_size=4), st.data())
@limited(max_examples=30)
def test_an_override_inside_a_list_keeps_what_is_beside_it(steps: list[dict[str, int]], data: st.DataObject) -> None:
    """It is the file in which only that value is written anew."""
    place, key = data.draw(st.integers(0, len(steps) - 1)), data.draw(st.sampled_from(["out", "kernel", "stride"]))
    changed = [dict(each) for each in steps]
    changed[place][key] = value = data.draw(st.integers(1, 9))

    def text(steps: list[dict[str, int]]) -> str:
        written = [{"layer": each} for each in steps]
        return f"archspec: 1\nname: t\nstem: {written}\nstages: []\n".replace("'", "")

    overridden = load(text(steps), overrides=[f"stem.{place}.layer.{key}={value}"])
    assert overridden.document.value == load(text(changed)).document.value
