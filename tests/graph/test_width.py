"""The width at a step, depthwise convolutions, the size of a norm's groups, and groups of another width."""

from __future__ import annotations

import pytest

import archspec
from tests.support.properties import fingerprint

HEAD = "archspec: 1\nname: t\ninput: [16, 8, 8]\n"
ALONE = f"{HEAD}stages: []\nhead: []\n"


def stem(steps: str, more: str = "") -> str:
    return f"{ALONE}{more}\nstem: [{steps}]\n"


def faults(text: str) -> list[archspec.Diagnostic]:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(text)
    return list(caught.value.diagnostics)


SAME = {
    "conv": ("conv: {out: 2 * width}, conv: {out: width + 1}", "conv: {out: 32}, conv: {out: 33}"),
    "groups": ("conv: {out: 32}, conv: {out: 64, groups: width}", "conv: {out: 32}, conv: {out: 64, groups: 32}"),
    "depthwise": (
        "conv: {out: 32}, conv: {out: 64, groups: depthwise}",
        "conv: {out: 32}, conv: {out: 64, groups: 32}",
    ),
    "quoted": ("conv: {out: 16, groups: \"'depthwise' if width > 8 else 1\"}", "conv: {out: 16, groups: 16}"),
    "layer": (
        "layer: {out: 32}, layer: {out: width, groups: depthwise}",
        "layer: {out: 32}, layer: {out: 32, groups: 32}",
    ),
    "when": ("conv: {out: 4}, act: {when: width == 4}, norm: {when: width > 4}", "conv: {out: 4}, act"),
    "sequence": (
        "conv: {out: 4}, sequence: {when: width == 4, steps: [conv: {out: 2 * width}, conv: {out: width}]}",
        "conv: {out: 4}, conv: {out: 8}, conv: {out: 8}",
    ),
    "branch": (
        "add: [[], [conv: {out: 8}, conv: {out: 2 * width}], {when: width < 16, steps: [act]}]",
        "add: [[], [conv: {out: 8}, conv: {out: 16}]]",
    ),
    "merge": (
        "add: {a: [], b: [act], when: width == 16}, multiply: {a: [], b: [], when: width == 8}",
        "add: {a: [], b: [act]}",
    ),
    "slice": ("slice: {stop: width // 4}, pad_channels: {out: 2 * width}", "slice: {stop: 4}, pad_channels: {out: 8}"),
    "norm": (
        "conv: {out: 64}, norm: {type: group, groups: width // 16}",
        "conv: {out: 64}, norm: {type: group, groups: 4}",
    ),
    "norm of a layer": (
        "layer: {out: 64, norm: {type: group, groups: width // 16}}",
        "layer: {out: 64, norm: {type: group, groups: 4}}",
    ),
    "size": ("conv: {out: 64}, norm: {type: group, group_size: 16}", "conv: {out: 64}, norm: {type: group, groups: 4}"),
    "size of a layer": (
        "layer: {out: 64, norm: {type: group, group_size: 16}}",
        "layer: {out: 64, norm: {type: group, groups: 4}}",
    ),
    "after a merge": ("concat: [[], []], conv: {out: width}", "concat: [[], []], conv: {out: 32}"),
    "flat": ("flatten, linear: {out: width // 2}", "flatten, linear: {out: 512}"),
}


@pytest.mark.parametrize("case", SAME)
def test_it_is_the_number_that_reaches_the_step(case: str) -> None:
    short, long = SAME[case]
    assert fingerprint(stem(short)) == fingerprint(stem(long))


def test_the_width_of_a_call_is_that_at_the_call() -> None:
    fragments = "fragments: {f: {params: {w: null, g: 1}, steps: [conv: {out: 8}, conv: {out: w, groups: g}]}}"
    called = stem("conv: {out: 4}, f: {w: 2 * width, g: width}", fragments)
    assert fingerprint(called) == fingerprint(stem("conv: {out: 4}, f: {w: 8, g: 4}", fragments))
    used = f"{ALONE}{fragments}\nstem: {{use: f, w: 2 * width}}\n"
    assert fingerprint(used) == fingerprint(used.replace("2 * width", "32"))


@pytest.mark.parametrize("place", ["blocks", "shortcuts", "before", "head"])
def test_it_can_be_read_wherever_steps_are(place: str) -> None:
    steps = "[conv: {out: 8}, conv: {out: 2 * width, kernel: 3, stride: stride, groups: depthwise}]"
    texts = {
        "blocks": f"blocks: {{b: {{steps: {steps}}}}}\nstages: {{block: b, count: 2, channels: null}}\nstem: []\n",
        "shortcuts": "stages: {block: basic, count: 1, channels: 16, stride: 2}\nstem: []\n"
        f"shortcuts: {{s: {{same: [], change: {steps}}}}}\nshortcut: s\n",
        "before": "stages: {block: basic, count: 1, channels: 16, before: ["
        f"{steps.replace('stride: stride', 'stride: 1')}]}}\n",
        "head": f"stages: []\nstem: []\nhead: {steps.replace('stride: stride', 'stride: 1')}\n",
    }
    written = texts[place].replace("2 * width", "16").replace("depthwise", "8")
    assert fingerprint(HEAD + texts[place]) == fingerprint(HEAD + written)


@pytest.mark.parametrize(
    "hiding",
    [
        "params: {width: 4}\nstem: [conv: {out: 8}, conv: {out: width}]\n",
        "fragments: {f: {params: {width: 4}, steps: [conv: {out: 8}, conv: {out: width}]}}\nstem: [f]\n",
        "fragments: {f: {let: {width: 4}, steps: [conv: {out: 8}, sequence: {steps: [conv: {out: width}]}]}}"
        "\nstem: f\n",
    ],
)
def test_a_parameter_hides_it(hiding: str) -> None:
    assert [node.shape[0] for node in archspec.compile(ALONE + hiding).nodes] == [8, 4]


def test_a_layer_that_depends_on_it_cannot_be_seen_from_an_earlier_one() -> None:
    block = "blocks: {b: {residual: [layer: {out: 2 * channels}, layer: {out: channels, when: width == 32}]}}"
    (fault,) = faults(f"{HEAD}stem: []\nhead: []\n{block}\nstages: {{block: b, count: 1, channels: 16}}\n")
    assert (fault.code, "`width`" in fault.message) == ("E407", True)


@pytest.mark.parametrize(
    ("own", "groups"), [("{groups: 2}", 2), ("{group_size: 4}", 4), ("{eps: 0.1}", 2), ("{type: group}", 2)]
)
def test_groups_and_their_size_replace_each_other(own: str, groups: int) -> None:
    graph = archspec.compile(
        stem(f"norm: {own}, layer: {{out: 16, norm: {own}}}", "norm: {type: group, group_size: 8}")
    )
    assert [node.operation.groups for node in graph.nodes if node.operation.name == "norm"] == [groups] * 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [
        stem("norm: {type: group, groups: 4, group_size: 4}"),
        stem("layer: {out: 8, norm: {group_size: 4, groups: 2}}"),
        stem("norm", "norm: {type: group, groups: 4, group_size: 4}"),
    ],
)
def test_groups_beside_their_size_are_refused(text: str) -> None:
    assert [fault.code for fault in faults(text)] == ["E206"]


def test_a_size_that_does_not_divide_is_refused() -> None:
    (fault,) = faults(stem("norm: {type: group, group_size: 12}"))
    assert (fault.code, fault.message) == ("E503", "16 channels do not split into groups of 12")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (stem("norm: {type: group, groups: in_channels // 32}"), "`in_channels // 32`: `in_channels` is 16 here"),
        (stem("conv: {out: classes - 1000}"), "`classes - 1000`: `classes` is 1000 here"),
        (
            stem(
                "f: {w: classes // 10}",
                "fragments: {f: {params: {w: 1}, let: {d: w - 99}, steps: [conv: {out: d - 1}]}}",
            ),
            "`classes // 10`: `classes` is 1000 here",
        ),
        (
            stem("norm", "norm: {type: group, groups: in_channels // 32}"),
            "`in_channels // 32`: `in_channels` is 16 here",
        ),
        (stem("conv: {out: 8, groups: in_channels // 3}"), "`in_channels // 3`: `in_channels` is 16 here"),
    ],
)
def test_a_number_that_does_not_fit_says_where_it_comes_from(text: str, note: str) -> None:
    (fault,) = faults(text)
    assert note in fault.notes


WARNED = {
    "fragment": "conv: {out: 32}, conv: {out: 32, groups: in_channels}",
    "layer": "conv: {out: 32}, layer: {out: 32, groups: in_channels}",
    "norm": "conv: {out: 32}, norm: {type: group, groups: in_channels // 4}",
    "norm of a layer": "layer: {out: 32, norm: {type: group, groups: 1 + in_channels // 16}}",
    "shuffle": "conv: {out: 32}, channel_shuffle: {groups: in_channels}",
}


@pytest.mark.parametrize("case", WARNED)
def test_groups_of_another_width_are_warned_about(case: str) -> None:
    (warning,) = archspec.compile(stem(WARNED[case])).warnings
    assert warning.code == "W503"
    assert archspec.compile(stem(WARNED[case].replace("out: 32", "out: 16"))).warnings == ()


@pytest.mark.parametrize("way", ["let: {g: in_channels}", "let: {g: h, h: in_channels}"])
def test_also_through_another_name(way: str) -> None:
    fragments = f"fragments: {{f: {{{way}, steps: [conv: {{out: 32}}, conv: {{out: 32, groups: g}}]}}}}"
    assert [warning.code for warning in archspec.compile(stem("f", fragments)).warnings] == ["W503"]


def block(steps: str, more: str = "", stages: str = "channels: 32") -> str:
    blocks = f"blocks: {{own: {{{more}residual: [{steps}]}}}}"
    return f"{HEAD}{blocks}\nstem: []\nhead: []\nshortcut: projection\nstages: {{block: own, count: 1, {stages}}}\n"


EXPANDED = {
    "conv": block(
        "conv: {out: channels * 4}, conv: {out: channels * 4, kernel: 3, groups: channels}, conv: {out: channels}"
    ),
    "layer": block("layer: {out: channels * 4}, layer: {out: channels * 4, groups: channels}, layer: {out: channels}"),
    "let": block(
        "layer: {out: channels * 4}, layer: {out: width, groups: g}, layer: {out: 32}", "let: {g: channels}, "
    ),
    "parameter": block(
        "layer: {out: 64}, layer: {out: 64, groups: g}, layer: {out: 32}",
        "params: {g: 1}, ",
        "channels: 32, g: channels",
    ),
}


@pytest.mark.parametrize("case", EXPANDED)
def test_groups_that_are_the_width_of_the_stage_are_warned_about_after_an_expansion(case: str) -> None:
    (warning,) = archspec.compile(EXPANDED[case]).warnings
    assert warning.code == "W503"
    assert "`channels` is 32" in warning.message
    assert "depthwise" in warning.help


@pytest.mark.parametrize(
    "text",
    [
        block("layer: {out: channels}, layer: {out: channels, groups: channels}"),
        block("layer: {out: channels * 4}, layer: {out: channels * 4, groups: channels // 8}, layer: {out: 32}"),
        stem(
            "conv: {out: 32}, f", "fragments: {f: {params: {channels: 8}, steps: [conv: {out: 32, groups: channels}]}}"
        ),
    ],
)
def test_groups_that_follow_the_width_of_the_stage_otherwise_are_not(text: str) -> None:
    assert archspec.compile(text).warnings == ()


@pytest.mark.parametrize(
    "step", ["conv: {out: 24, groups: depthwise}", "layer: {out: 24, kernel: 3, groups: depthwise}"]
)
@pytest.mark.parametrize("groups", ["depthwise", "width", "in_channels", "16"])
def test_a_depthwise_convolution_that_changes_the_channels_is_told_that_it_keeps_them(step: str, groups: str) -> None:
    (fault,) = faults(stem(step.replace("depthwise", groups)))
    assert fault.code == "E503"
    assert "`out: width`" in fault.help


@pytest.mark.parametrize("groups", ["in_channels // 4", "in_channels // 16", "16", "width", "depthwise"])
def test_other_groups_of_a_convolution_are_not(groups: str) -> None:
    assert archspec.compile(stem(f"conv: {{out: 32}}, conv: {{out: 32, groups: {groups}}}")).warnings == ()


def test_a_setting_is_warned_about_once() -> None:
    norm = "norm: {type: group, groups: in_channels // 8}"
    text = f"{HEAD}stem: []\n{norm}\nstages: {{block: basic, count: 3, channels: CH}}\n"
    (warning,) = archspec.compile(text.replace("CH", "[16, 32, 64]")).warnings
    assert (warning.code, warning.span.line) == ("W503", 5)  # type: ignore[union-attr]
    assert archspec.compile(text.replace("CH", "16")).warnings == ()


@pytest.mark.parametrize("where", ["params", "let"])
def test_a_block_or_fragment_may_have_a_parameter_of_its_own_called_depthwise(where: str) -> None:
    steps = "[conv: {out: 32}, conv: {out: 32, groups: depthwise}, conv: {out: 32, groups: 2 * depthwise}]"
    text = stem("f", f"fragments: {{f: {{{where}: {{depthwise: 4}}, steps: {steps}}}}}")
    written = text.replace("groups: depthwise", "groups: 4").replace("2 * depthwise", "8")
    assert fingerprint(text) == fingerprint(written)
    (fault,) = faults(stem("conv: {out: 32}", "params: {depthwise: 4}"))
    assert fault.code == "E312"


LATER = {
    "condition": "layer: {out: 16, when: width == 32}",
    "width of a fragment": "narrow",
    "repetitions": "repeat: {times: width // 32, steps: [layer: {out: 16}]}",
    "branch": "add: [{when: width == 32, steps: [layer: {out: 16}]}, [layer: {out: 16}]]",
}
PLACES = {
    "stem": "stem: [STEPS]\nstages: []\nhead: []\n",
    "head": "stem: []\nstages: []\nhead: [STEPS]\n",
    "before": "stem: []\nstages: {block: b, count: 1, channels: 16, before: [[STEPS]]}\nhead: []\n",
    "around": "stem: []\nstages: {block: b, count: 1, channels: 16, around: [[STEPS, blocks]]}\nhead: []\n",
    "last": "stem: []\nstages: {block: c, count: 1, channels: 16}\nactivation_order: act-before-add\nhead: []\n",
    "pre": "stem: []\nstages: {block: c, count: 1, channels: 16}\nactivation_order: pre\nhead: []\n",
    "steps": "stem: []\nstages: {block: d, count: 1, channels: 16}\nactivation_order: post\nhead: []\n",
    "shortcut": "stem: []\nstages: {block: e, count: 1, channels: 16}\nshortcut: s\nhead: []\n",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("first", ["layer: {out: 32}", "layer: {out: 32, as: x}, from: x"])
def test_a_later_layer_may_depend_on_it_where_the_last_layer_is_like_the_others(
    place: str, later: str, first: str
) -> None:
    steps = f"{first}, {LATER[later]}"
    text = f"""{HEAD}
fragments: {{narrow: {{steps: [layer: {{out: 16, when: in_channels == 32}}]}}}}
blocks:
  b: {{steps: [conv: {{out: channels}}]}}
  c: {{residual: [{steps}]}}
  d: {{steps: [{steps}]}}
  e: {{residual: [conv: {{out: channels}}]}}
shortcuts: {{s: {{same: [{steps}], change: none}}}}
silence: [W301, W307, W311]
{PLACES[place].replace("STEPS", steps)}"""
    widths = [node.shape[0] for node in archspec.compile(text).nodes if node.operation.name == "conv"]
    assert widths[widths.index(32) + 1] == 16
