"""Values as other libraries write them: each fault says what to write, and what it says to write compiles."""

from __future__ import annotations

import re

import pytest

import archspec
from tests.support.pages import diagnostics, part

# What is written, and what the help or the hint must contain.
VALUES = [
    ("head: [conv: {out: 8, kernel: 3, padding: SAME}]", "write `same`"),
    ("head: [conv: {out: 8, kernel: 3, padding: none}]", "padding: 0"),
    ("head: [conv: {out: 8, kernel: 3, padding: None}]", "padding: 0"),
    ("head: [conv: {out: 8, kernel: 3, padding: false}]", "padding: 0"),
    ("head: [layer: {out: 8, kernel: 3, padding: reflect}]", "padding_mode: reflect"),
    ("head: [conv: {out: 8, kernel: 3x3}]", "`[3, 3]`"),
    ("head: [conv: {out: 8, kernel: '3,3'}]", "`[3, 3]`"),
    ("head: [conv: {out: 8, kernel: '(3, 5)'}]", "`[3, 5]`"),
    ("head: [conv: {out: 8, kernel: (3, 5)}]", "in brackets"),
    ("head: [conv: {out: 8, bias: none}]", "bias: false"),
    ("head: [conv: {out: 8, bias: None}]", "bias: false"),
    ("head: [conv: {out: 8, bias: 0}]", "bias: false"),
    ("head: [conv: {out: 8, bias: 1}]", "bias: true"),
    ("head: [conv: {out: 8, stride: none}]", "stride: 1"),
    ("head: [conv: {out: 8, groups: dw}]", "groups: depthwise"),
    ("head: [pool: {type: max, kernel: None}]", "leave the key out"),
    ("head: [pool: global]", "output: 1"),
    ("head: [concat: [[], layer3]]", "`[from: layer3]`"),
    ("head: [concat: [[], act]]", "write `[act]`"),
    ("head: [concat: [from: layer3, []]]", "`[from: ...]`"),
    ("head: [upsample: {size: input}]", "`upsample: {like: input}`"),
    ("heads: [classifier: [flatten], auxiliary: [flatten]]", "without dashes"),
    ("stages: {around: [blocks]}", "names one fragment for all"),
    ("head: [pool: max]", "did you mean `pool: {type: max, kernel: 3, stride: 2, padding: 1}`?"),
    ("head: [pool: average]", "did you mean `pool: {type: avg, kernel: 2}`?"),
    ("head: [pool: maximum]", "did you mean `pool: {type: max, kernel: 3, stride: 2, padding: 1}`?"),
    ("head: [norm: layer]", "did you mean `norm: {type: layer}`?"),
    ("head: [avgpool, flatten, linear: {out: classes}]", "pool: {type: avg, output: 1}"),
    ("head: [AvgPool2d, flatten]", "pool: {type: avg, kernel: 2}"),
    ("head: [add: [identity, [norm]]]", "`[]`"),
    ("head: [concat: [Identity, [norm]]]", "`[]`"),
    ("head: [multiply: [none, [norm]]]", "`[]`"),
    ("head: [add: [[identity], [norm]]]", "`[]`"),
    ("head: [add: [null, [norm]]]", "`[]`"),
    ("head: [add: [norm, [norm]]]", "a branch is a list"),
    ("head: [pool: {type: global}]", "output: 1"),
    ("head: [pool: {type: average, kernel: 2}]", "did you mean `avg`?"),
    ("head: [act: swish]", "did you mean `act: {type: silu}`?"),
    ("head: [norm: bn]", "did you mean `norm: {type: batch}`?"),
    ("head: [layer: {out: 8, act: false}]", "act: none"),
    ("head: [layer: {out: 8, act: null}]", "act: none"),
    ("head: [layer: {out: 8, norm: false}]", "norm: none"),
    ("act: None", "did you mean `none`?"),
    ("act: false", "act: none"),
    ("act: no", "did you mean `none`?"),
    ("act: nn.ReLU", "did you mean `relu`?"),
    ("act: relu()", "did you mean `relu`?"),
    ("act: torch.nn.SiLU(inplace=True)", "did you mean `silu`?"),
    ("act: {type: swish}", "did you mean `silu`?"),
    ("act: {type: LeakyReLU}", "did you mean `leaky_relu`?"),
    ("act: {type: nn.LeakyReLU}", "did you mean `leaky_relu`?"),
    ("act: {name: nn.GELU}", "`type`"),
    ("act: {type: PReLU}", "did you mean `prelu`?"),
    ("act: {type: banana}", "available: relu"),
    ("act: {type: leaky_relu, negative_slope: 0.1}", "did you mean `slope`?"),
    ("stages: {act: {type: ReLU6}}", "did you mean `relu6`?"),
    ("head: [{layer: {out: 8, act: {type: LeakyReLU}}}]", "did you mean `leaky_relu`?"),
    ("shortcut: {type: B}", "shortcut: projection"),
    ("shortcut: {type: projection}", "shortcut: projection"),
    ("activation_order: {type: preact}", "activation_order: pre"),
    ("norm: bn", "did you mean `batch`?"),
    ("norm: false", "norm: none"),
    ("norm: {type: bn}", "did you mean `batch`?"),
    ("shortcut: false", "shortcut: none"),
    ("shortcut: true", "shortcut: projection"),
    ("shortcut: B", "did you mean `projection`?"),
    ("stages: {shortcut: false}", "shortcut: none"),
    ("stem: none", "`[]`"),
    ("head: None", "`[]`"),
    ("head: false", "`[]`"),
    ("classes: none", "head: []"),
    ("classes: None", "head: []"),
    ("classes: false", "head: []"),
    ("drop_path: none", "drop_path: 0"),
    ("drop_path: linear", "number / blocks"),
    ("input: 224", "input: [3, 224, 224]"),
    ("input: 3x224x224", "input: [3, 224, 224]"),
    ("input: '3, 224, 224'", "input: [3, 224, 224]"),
    ("input: {channels: 3, height: 224}", "input: [3, 224, 224]"),
    ("stages: {count: '3,4,6,3'}", "`[3, 4, 6, 3]`"),
    ("stages: {channels: 64 128 256 512}", "`[64, 128, 256, 512]`"),
    ("stages: {count: (3,4,6,3)}", "in brackets"),
    ("stages: [3, 4, 6, 3]", "stages: {count: [3, 4, 6, 3]}"),
    ("stages: {stride: false}", "stride: 1"),
    ("outputs: [2, 4]", "outputs: [layer2, layer4]"),
    ("outputs: [1]", "outputs: [layer2, layer4]"),
    ("outputs: 4", "outputs: [layer2, layer4]"),
    ("stages: {groups: 32}", "`bottleneck` has it"),
    ("stages: {expansion: 2}", "`bottleneck` has it"),
    ("stages: {expand: 6}", "`mbconv` has it"),
    ("stages: {se: 0.25}", "`bottleneck` and `mbconv` have it"),
    ("scale: 0.5", "scale: {width: 0.5}"),
    ("init: kaiming", "init: {conv: he-fan-out}"),
    ("init: {conv: xavier_uniform}", "did you mean `xavier`?"),
    ("naming: pytorch", "did you mean `torchvision`?"),
    ("head: [[-1, 1, Conv, [64, 3, 2]]]", "- conv:"),
]


SETTINGS = ("act", "norm", "shortcut", "activation_order")


def remaining(fault: archspec.Diagnostic) -> list[str]:
    """The errors at the place of a fault after what its hint proposes is written there."""
    proposed = re.fullmatch("did you mean `(.*)`[?]", fault.hint)
    if proposed is None or fault.span is None or fault.code not in ("E202", "E204"):
        return []
    lines = fault.span.source.text.splitlines()
    line, start, end = lines[fault.span.line - 1], fault.span.column - 1, fault.span.end_column - 1
    words = proposed[1]
    if ": {" in words:  # the whole step
        start = line.rindex(words.partition(":")[0], 0, start)
    lines[fault.span.line - 1] = line[:start] + words + line[end:]
    changed = "\n".join(lines) + "\n"
    return [code for code in diagnostics(changed) if code.startswith(("E1", "E2", "E3", "E4"))]


@pytest.mark.parametrize(("text", "told"), VALUES, ids=[text for text, _ in VALUES])
def test_a_value_of_another_library_is_answered(text: str, told: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        archspec.load(part(text + "\n", "resnet18"))
    for fault in refused.value.diagnostics:
        assert not remaining(fault), fault
    said = [f"{fault.hint} {fault.help}" for fault in refused.value.diagnostics]
    assert any(told in each for each in said), said
    for proposed in re.findall(r"(?:write|alone:|such as|node:) `(\w+: [^`]+)`", " ".join(said)):
        if proposed.partition(":")[0] in (*SETTINGS, "input", "outputs", "stages", "scale", "init", "head", "extends"):
            given = diagnostics(part(f"{proposed}\n", "resnet18"))
            assert not [code for code in given if code.startswith("E")], proposed  # `act: none` is warned of


@pytest.mark.parametrize(
    "text",
    ["head: [conv: {out: 8, kernel: 3, padding: valid}]", "head: [pool: {type: max, kernel: 3, padding: same}]",
     "head: [conv: {out: 8, kernel: 3, stride: '2'}]", "stages: {count: '3'}", "classes: '10'", "classes: 10.0",
     "head: [conv: {out: 8, kernel: 3, bias: True}, pool: {type: avg, output: 1}, flatten, linear: {out: classes}]"],
)  # fmt: skip
def test_what_is_clear_is_taken(text: str) -> None:
    assert diagnostics(part(text + "\n", "resnet18")) == []


@pytest.mark.parametrize("key", ["backbone", "model", "arch", "network", "base_model"])
@pytest.mark.parametrize(
    ("value", "name"),
    [("resnet50", "resnet50"), ("ResNet-18", "resnet18"), ("mobilenetv2_100", "mobilenetv2_100"), ("vgg", "vgg16")],
)
def test_a_key_that_names_a_network_means_extends(key: str, value: str, name: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        archspec.load(f"archspec: 1\nname: t\n{key}: {value}\n")
    (fault,) = refused.value.diagnostics
    assert (fault.code, fault.hint) == ("E201", "did you mean `extends`?")
    assert f"write `extends: {name}`" in fault.help
    assert archspec.load(f"archspec: 1\nname: t\nextends: {name}\n")


@pytest.mark.parametrize("value", ["resnet50x", "[conv]", "{stem: imagenet}", "7"])
def test_a_key_that_names_no_network_does_not(value: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        archspec.load(f"archspec: 1\nname: t\nstages: []\nmodel: {value}\n")
    assert "extends" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "fragments: {up: {params: {skip: null}, steps: [upsample: {like: skip}]}}\nhead: [up: {skip: layer3}]",
            "a fragment takes values from its caller under `inputs`",
        ),
        ("frozen: layer0", "did you mean `layer4`?"),  # a stage, and not a block of one
        ("frozen: layer1.0.cnv1", "did you mean `layer1.0.conv1`?"),
    ],
)
def test_a_value_of_the_graph_is_answered(text: str, told: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        archspec.compile(f"archspec: 1\nname: n\nextends: resnet18\n{text}")
    assert told in str(refused.value)
