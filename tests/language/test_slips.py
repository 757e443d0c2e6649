"""What a spec may say but hardly ever means is a warning, which `silence` silences; what is meant is none."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from tests.support.pages import part
from tests.support.zoo import ZOO

FLAT = "head: [pool: {type: avg, output: 1}, flatten, "

# A part of a spec over resnet18, and the codes of its warnings.
SLIPS = [
    ("input: [1, 3, 224, 224]", "W504"),
    ("input: [16, 3, 224, 224]", "W504"),
    ("input: [1, 1, 64, 64]\nstem: cifar", "W504"),
    ("input: [1, 224, 224, 3]", "W504"),
    ("input: [224, 224, 3]", "W504"),
    ("input: [128, 96, 1]", "W504"),
    ("input: [224, 224]", "W504"),
    ("input: [3, 224]", "W504"),
    ("input: [16000, 2]", "W504"),
    ("input: [1024, 1]", ""),
    ("input: [64, 100, 1]", ""),
    ("input: [3, 224, 224]", ""),
    ("input: [1, 224, 224]", ""),
    ("input: [13, 224, 224]", ""),
    ("input: [64, 56, 56]", ""),
    ("input: [1, 16000]", ""),
    ("input: [12, 5000]", ""),
    ("input: [3, 64, 112, 112]", ""),
    ("input: [1, 96, 96, 96]", ""),
    ("norm: {momentum: 0.99}", "W306"),
    ("norm: {momentum: 0.9}", "W306"),
    ("norm: {momentum: 0.997}", "W306"),
    ("norm: {momentum: 1 - 0.01}", "W306"),
    ("norm: {momentum: 0}", "W306"),
    ("params: {m: 0.99}\nnorm: {momentum: m}", "W306"),
    ("stages: {norm: {momentum: 0.99}}", "W306"),
    ("stem: [layer: {out: 64, stride: 4, kernel: 7, norm: {momentum: 0.99}}]", "W306"),
    ("norm: {momentum: 0.01}", ""),
    ("norm: {momentum: 0.1, eps: 1e-3}", ""),
    ("norm: {eps: 0}", "W306"),
    ("norm: {eps: 0.01}", "W306"),
    ("norm: {eps: 1e5}", "W306"),
    ("norm: {type: batch, groups: 8}", "W305"),
    ("norm: {groups: 8}", "W305"),
    ("norm: {type: layer, groups: 1}", "W305"),
    ("norm: {type: instance, momentum: 0.1}", "W305"),
    ("norm: {type: group, momentum: 0.99}", "W305"),
    ("norm: {affine: false, zero_init: true}", "W305"),
    ("norm: {type: group, groups: 8}", ""),
    (FLAT + "dropout: {p: 1}, linear: {out: classes}]", "W306"),
    (FLAT + "dropout: {p: 0.9}, linear: {out: classes}]", "W306"),
    (FLAT + "dropout: {p: 0.5}, linear: {out: classes}]", ""),
    ("drop_path: 0.9", "W306"),
    ("stages: {drop_path: [0, 0, 0, 0.8]}", "W306"),
    ("drop_path: 0.5 * number / blocks", ""),
    ("scale: {width: 50, divisor: 8}", "W306"),
    ("scale: {depth: 101}", "W306"),
    ("scale: {depth: 3.1}", ""),
    ("params: {unread: 3}", "W307"),
    ("params: {read: 3}\nstem: [conv: {out: 8 * read, stride: 4}]", ""),
    ("params: {kind: silu}\nact: kind", ""),
    ("fragments: {gate: {steps: [act]}}", "W307"),
    ("fragments: {gate: {steps: [act]}}\nstages: {after: gate}", ""),
    ("fragments: {gate: {steps: [act]}, both: {steps: [gate]}}\nstages: {after: [null, null, null, [both]]}", ""),
    ("blocks: {mine: {residual: [layer: {out: channels}]}}", "W307"),
    ("shortcuts: {mine: {same: [], change: none}}", "W307"),
    ("head: null", "W308"),
    ("stem: null", "W308"),
    ("norm: null", "W308"),
    ("act: null", "W308"),
    ("head: classifier", ""),
    ("head: []", ""),
    ("outputs: [layer1, layer1]", "W309"),
    ("outputs: [layer1, layer2]", ""),
    ("input: [3, 64, 64]\nstem: []\nstages: {stride: 32}", "W505"),
    ("head: [pool: {type: avg, output: 1}, linear: {out: classes}]", "W506"),
    ("head: [linear: {out: classes}]", "W506"),
    ("head: [conv: {out: classes}, pool: {type: avg, output: 1}]", "W506"),
    ("head: [conv: {out: classes}]", ""),
    ("classes: 10\n" + FLAT + "linear: {out: 1000}]", "W506"),
    (FLAT + "linear: {out: 128}]", ""),
    (FLAT + "linear: {out: classes}, act]", "W507"),
    (FLAT + "linear: {out: classes}, act: {type: relu6}]", "W507"),
    (FLAT + "linear: {out: classes}, dropout]", "W507"),
    (FLAT + "linear: {out: classes}, act: {type: sigmoid}]", ""),
    (FLAT + "linear: {out: classes}, norm]", "W507"),
    (FLAT + "linear: {out: 256}, linear: {out: classes}]", "W509"),
    (FLAT + "linear: {out: 256}, dropout, linear: {out: classes}]", "W509"),
    (FLAT + "linear: {out: 256}, act, linear: {out: classes}]", ""),
    (FLAT + "linear: {out: 256}, act, dropout, linear: {out: classes}]", ""),
    ("act: none", "W509"),
    ("norm: none", ""),
    ("drop_path: 0.2\nshortcut: none", "W301"),
    ("drop_path: 0.2", ""),
    ("stages: {block: bottleneck, se: 16}", "W306"),
    ("stages: {block: bottleneck, se: [0, 0, 8, 8]}", "W306"),
    ("stages: {block: bottleneck, se: 0.0625}", ""),
    ("head: [conv: {out: 8, kernel: 3, padding: 3}]", "W306"),
    ("head: [conv: {out: 8, kernel: [3, 1], padding: [1, 1]}]", "W306"),
    ("head: [conv: {out: 8, kernel: 3, padding: 2}]", ""),
    ("head: [conv: {out: 8, kernel: 3, dilation: 2, padding: 4}]", ""),
    ("head: [conv: {out: 8, kernel: 1, padding: 0}]", ""),
    ("head: [scale: {by: 0}]", "W306"),
]


def codes(text: str) -> list[str]:
    return [warning.code for warning in archspec.compile(text).warnings]


@pytest.mark.parametrize(("text", "code"), SLIPS, ids=[text for text, _ in SLIPS])
def test_a_slip_is_a_warning_that_can_be_silenced(text: str, code: str) -> None:
    spec = part(f"{text}\n", "resnet18")
    assert codes(spec) == ([code] if code else [])
    for warning in archspec.compile(spec).warnings:
        assert warning.help
        assert warning.span
        assert warning.span.source.kind == "text"
        assert code in ("W301", "W308", "W309") or f"silence: [{code}]" in warning.help
    assert codes(f"{spec}silence: [{code or 'W504'}]\n") == []


@pytest.mark.parametrize(
    ("size", "meant"),
    [
        ("[1, 3, 224, 224]", "[3, 224, 224]"),
        ("[8, 1, 28, 28]", "[1, 28, 28]"),
        ("[4, 96, 96, 3]", "[3, 96, 96]"),
        ("[224, 224, 3]", "[3, 224, 224]"),
        ("[224, 224]", "[3, 224, 224]"),
        ("[28, 28]", "[1, 28, 28]"),
        ("[3, 224]", "[3, 224, 224]"),
        ("[16000, 2]", "[2, 16000]"),
    ],
)
def test_an_input_in_another_order_says_what_is_probably_meant(size: str, meant: str) -> None:
    found = archspec.compile(part(f"input: {size}\n", "resnet18")).warnings
    (warning,) = [each for each in found if each.code == "W504"]
    assert warning.hint == f"did you mean `{meant}`?"


def test_tensorflows_momentum_says_what_it_is_here() -> None:
    (warning,) = archspec.compile(part("norm: {momentum: 0.997}\n", "resnet18")).warnings
    assert "`momentum: 0.003` here" in warning.help


def test_a_parameter_that_a_file_of_definitions_reads_is_used(tmp_path: Path) -> None:
    folder = tmp_path
    text = "archspec: 1\nfragments: {wide: {steps: [layer: {out: width_of_mine, stride: 4}]}}\n"
    (folder / "parts.yaml").write_text(text, encoding="utf-8")
    spec = "archspec: 1\nname: t\nextends: resnet18\nimport: parts\nparams: {width_of_mine: 64}\nstem: wide\n"
    (folder / "net.yaml").write_text(spec, encoding="utf-8")
    assert codes(str(folder / "net.yaml")) == []


def test_a_parameter_of_the_base_is_used_and_a_misspelled_one_is_not() -> None:
    assert codes(part("params: {dropout: 0.5}\n", "efficientnet_b0")) == []
    assert codes(part("params: {drop_out: 0.5}\n", "efficientnet_b0")) == ["W307"]


def test_another_input_that_changes_the_weights() -> None:
    flat = part("input: [3, 64, 64]\nhead: [flatten, linear: {out: classes}]\n", "resnet18")
    assert codes(flat) == []
    for given in (flat, archspec.load(flat), archspec.compile(flat)):
        (warning,) = archspec.compile(given, input=(3, 128, 128)).warnings
        assert warning.code == "W508"
        assert "8,192" in warning.message
        assert "2,048" in warning.message
    assert [each.code for each in archspec.analyze(flat, input=(3, 96, 96)).warnings] == ["W508"]
    assert archspec.compile(flat, input=(3, 64, 64)).warnings == ()
    assert archspec.compile(f"{flat}silence: [W508]\n", input=(3, 128, 128)).warnings == ()
    for name in ("resnet18", "vgg16", "alexnet"):
        assert archspec.compile(name, input=(3, 256, 256)).warnings == ()


def test_silence_takes_codes_of_warnings_only() -> None:
    for code in ("E301", "W820", "W3"):
        with pytest.raises(archspec.SpecError) as refused:
            archspec.load(part(f"silence: [{code}]\n", "resnet18"))
        assert [fault.code for fault in refused.value.diagnostics] == ["E204"]


def test_what_is_silenced_is_inherited(tmp_path: Path) -> None:
    base = "archspec: 1\nname: base\nextends: resnet18\ninput: [1, 3, 224, 224]\nsilence: [W504]\n"
    (tmp_path / "base.yaml").write_text(base, encoding="utf-8")
    (tmp_path / "net.yaml").write_text("archspec: 1\nname: net\nextends: base\n", encoding="utf-8")
    assert codes(str(tmp_path / "net.yaml")) == []


@pytest.mark.parametrize("name", ZOO)
def test_no_spec_of_the_zoo_has_a_slip(name: str) -> None:
    assert codes(name) == []


@pytest.mark.parametrize(
    ("base", "shortcut", "warned"),
    [
        ("vgg11", "zero-pad", True),
        ("vgg16_bn", "projection", True),
        ("squeezenet1_0", "identity", True),
        ("vgg11", "none", False),
        ("resnet18", "zero-pad", False),
    ],
)
def test_a_shortcut_that_no_block_has_is_warned_about(base: str, shortcut: str, warned: bool) -> None:
    text = f"archspec: 1\nname: plain\nextends: {base}\nshortcut: {shortcut}\n"
    found = archspec.compile(text).warnings
    assert [(each.code, each.span.line) for each in found if each.span] == ([("W301", 4)] if warned else [])


def test_not_if_one_block_has_a_residual() -> None:
    block = "blocks: {whole: {channels: output width, steps: [layer: {out: channels, kernel: 3}]}}"
    table = "stages: {block: [whole, basic], count: 1, channels: [8, 16]}"
    text = f"archspec: 1\nname: mixed\n{block}\n{table}\nshortcut: zero-pad\nstem: [conv: {{out: 8, stride: 8}}]\n"
    assert archspec.compile(text).warnings == ()
