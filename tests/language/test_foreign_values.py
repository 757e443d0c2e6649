"""Values as other libraries write them: each fault says what to write, and what it says to write compiles."""

from __future__ import annotations

import re

import pytest

import archspec
from tests.support.pages import diagnostics, part

# What is written, and what the help or the hint must contain.
VALUES = [
    ("head: [conv: {out: 8, kernel: 3, padding: same}]", "leave `padding` out"),
    ("head: [conv: {out: 8, kernel: 3, padding: SAME}]", "leave `padding` out"),
    ("head: [pool: {type: max, kernel: 3, padding: same}]", "leave `padding` out"),
    ("head: [conv: {out: 8, kernel: 3, padding: valid}]", "padding: 0"),
    ("head: [conv: {out: 8, kernel: 3, padding: none}]", "padding: 0"),
    ("head: [conv: {out: 8, kernel: 3, padding: None}]", "padding: 0"),
    ("head: [conv: {out: 8, kernel: 3, padding: false}]", "padding: 0"),
    ("head: [layer: {out: 8, kernel: 3, padding: reflect}]", "number of zeros"),
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
    ("head: [pool: max]", "did you mean `pool: {type: max}`?"),
    ("head: [pool: average]", "did you mean `pool: {type: avg}`?"),
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
    ("act: {type: swish}", "act: silu"),
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
    ("scale: 0.5", "scale: {width: 0.5}"),
    ("init: kaiming", "init: {conv: he-fan-out}"),
    ("init: {conv: xavier_uniform}", "did you mean `xavier`?"),
    ("naming: pytorch", "did you mean `torchvision`?"),
    ("head: [[-1, 1, Conv, [64, 3, 2]]]", "- conv:"),
]


@pytest.mark.parametrize(("text", "told"), VALUES, ids=[text for text, _ in VALUES])
def test_a_value_of_another_library_is_answered(text: str, told: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        archspec.load(part(text + "\n", "resnet18"))
    said = [f"{fault.hint} {fault.help}" for fault in refused.value.diagnostics]
    assert any(told in each for each in said), said
    for proposed in re.findall(r"write `(\w+: [^`]+)`", " ".join(said)):
        if proposed.partition(":")[0] in ("act", "norm", "shortcut", "input", "stages", "scale", "init", "head"):
            given = diagnostics(part(f"{proposed}\n", "resnet18"))
            assert not [code for code in given if code.startswith("E")], proposed  # `act: none` is warned of


@pytest.mark.parametrize(
    "text",
    ["head: [conv: {out: 8, kernel: 3, stride: '2'}]", "stages: {count: '3'}", "classes: '10'", "classes: 10.0",
     "head: [conv: {out: 8, kernel: 3, bias: True}, pool: {type: avg, output: 1}, flatten, linear: {out: classes}]"],
)  # fmt: skip
def test_what_is_clear_is_taken(text: str) -> None:
    assert diagnostics(part(text + "\n", "resnet18")) == []
