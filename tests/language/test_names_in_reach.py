"""Parameters that a shortcut reads, expressions that name a block, and what the fault of an unknown name lists."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import archspec
from tests.support.properties import fingerprint

HEAD = "archspec: 1\nname: t\nextends: resnet18\n"
BLOCK = "blocks: {k: {params: {kernel: 3}, residual: [layer: {out: channels, kernel: kernel, stride: stride}]}}\n"
SHORTCUT = (
    "shortcuts: {dw: {same: [], change: [conv: {out: out_channels, kernel: KERNEL, stride: stride}]}}\nshortcut: dw\n"
)


def faults(text: str) -> list[archspec.Diagnostic]:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(text)
    return list(caught.value.diagnostics)


# -- shortcuts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "kernels"),
    [("block: k", [3, 3, 3]), ("block: k, kernel: 5", [5, 5, 5]), ("block: k, kernel: [1, 3, 5, 7]", [3, 5, 7])],
)
def test_a_shortcut_reads_the_parameters_of_its_block(table: str, kernels: list[int]) -> None:
    text = HEAD + BLOCK + SHORTCUT.replace("KERNEL", "kernel") + f"stages: {{{table}}}\n"
    weights = archspec.build(archspec.load(text), device="meta").state_dict()
    found = [value.shape[-1] for key, value in weights.items() if "downsample" in key]
    assert found == kernels


def test_also_in_a_condition_and_of_an_imported_file(tmp_path: Path) -> None:
    (tmp_path / "side.yaml").write_text(
        "archspec: 1\n" + SHORTCUT.replace("KERNEL", "kernel, when: kernel > 0").split("shortcut: ")[0]
    )
    spec = tmp_path / "t.yaml"
    spec.write_text(f"{HEAD}import: side\n{BLOCK}shortcut: dw\nstages: {{block: k}}\n")
    assert archspec.compile(spec).by_name["layer2.0.downsample.0"].operation.kernel == 3  # type: ignore[attr-defined]


def test_the_blocks_parameter_hides_the_specs() -> None:
    text = HEAD + BLOCK + SHORTCUT.replace("KERNEL", "kernel") + "stages: {block: k}\n"
    assert fingerprint(f"{text}params: {{kernel: 7}}\n") == fingerprint(text)
    plain = HEAD + SHORTCUT.replace("KERNEL", "kernel") + "params: {kernel: 7}\n"
    assert fingerprint(plain) == fingerprint(HEAD + SHORTCUT.replace("KERNEL", "7"))


def test_width_stays_the_width_at_the_step() -> None:
    block = BLOCK.replace("kernel: 3", "width: 3").replace("kernel: kernel", "kernel: width")
    text = HEAD + block + SHORTCUT.replace("KERNEL", "1, groups: width // 8") + "stages: {block: k}\n"
    graph = archspec.compile(text)
    assert graph.by_name["layer2.0.downsample.0"].operation.groups == 8  # type: ignore[attr-defined]
    assert graph.by_name["layer2.0.conv1"].operation.kernel == 3  # type: ignore[attr-defined]


def test_a_block_without_the_parameter_is_named() -> None:
    text = HEAD + BLOCK + SHORTCUT.replace("KERNEL", "kernel") + "stages: {block: [k, k, basic, k]}\n"
    (fault,) = faults(text)
    assert (fault.code, str(fault.span)) == ("E402", "<text>:5:71")
    assert fault.notes == ("the shortcut `dw` is used with the block `basic`, which has no parameter of this name",)
    assert "`stride`" in fault.help
    archspec.compile(text.replace("[k, k, basic, k]", "[basic, k, k, k]"))  # the first stage keeps the shape


def test_a_name_that_no_block_declares_is_refused_where_it_is_written() -> None:
    (fault,) = faults(HEAD + BLOCK + SHORTCUT.replace("KERNEL", "kernell"))
    assert (fault.code, fault.hint) == ("E402", "did you mean `kernel`?")
    assert fault.help.startswith("the names here are `kernel`, ")


# -- blocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "same"),
    [
        ("\"'basic' if stage < 3 else 'bottleneck'\"", "[basic, basic, bottleneck, bottleneck]"),
        ("\"'bottleneck' if deep else 'basic'\"", "bottleneck"),
        ("[basic, basic, \"'bottleneck' if stages == 4 else 'none'\", basic]", "[basic, basic, bottleneck, basic]"),
        ("\"'bottleneck' if classes > 10 else 'basic'\"", "bottleneck"),
        ("[basic, [\"'bottleneck'\", basic], basic, basic]", "[basic, [bottleneck, basic], basic, basic]"),
        ("kind", "bottleneck"),
    ],
)
def test_a_block_may_be_an_expression(block: str, same: str) -> None:
    text = f"{HEAD}params: {{deep: true, kind: bottleneck}}\nstages: {{block: BLOCK}}\n"
    assert fingerprint(text.replace("BLOCK", block)) == fingerprint(text.replace("BLOCK", same))


@pytest.mark.parametrize(
    ("block", "code", "told"),
    [
        ("\"'basic' if index == 0 else 'bottleneck'\"", "E402", "`stage`, `stages`"),
        ("\"'basics' if stage == 1 else 'basic'\"", "E302", "available: basic"),
        ("1 + 2", "E406", "put words in quotes"),
        ("basic basic", "E401", ""),
    ],
)
def test_an_expression_that_gives_no_block(block: str, code: str, told: str) -> None:
    found = faults(f"{HEAD}stages: {{block: {block}}}\n")
    assert [fault.code for fault in found] == [code]
    assert told in found[0].help


# -- unknown names -----------------------------------------------------------------------------------------------------

PLACES = {
    "stem": ("stem: [conv: {out: in_chanels}]", "`in_channels`, ", "`width`"),
    "call": ("stem: {use: cifar, width: in_chanels}", "`in_channels`, ", "`width`"),
    "fragment": ("fragments: {f: {params: {depth: 3}, steps: [conv: {out: dept}]}}", "`depth`, ", "`in_channels`"),
    "let": ("fragments: {f: {params: {depth: 3}, let: {a: dept}, steps: []}}", "`depth`, ", "`in_channels`"),
    "default": ("fragments: {f: {params: {depth: clases + 1}, steps: []}}", "`classes`, ", "`in_channels`"),
    "block": ("blocks: {b: {params: {depth: 3}, residual: [conv: {out: chanels}]}}", "`channels`, ", "`depth`"),
    "shortcut": ("shortcuts: {s: {same: [], change: [conv: {out: out_chanels}]}}", "`out_channels`, ", "`stride`"),
    "count": ("stages: {count: 2 * stag}", "`stage`, ", "`classes`"),
    "channels": ("stages: {channels: 2 * stag}", "`stage`, ", "`in_channels`"),
    "cell": ("stages: {drop_path: 0.1 * nmber}", "`number`, ", "`stride`"),
    "setting": ("drop_path: 0.1 * nmber", "`number`, ", "`stride`"),
    "classes": ("params: {width: 3, k: 5}\nclasses: 2 * widht", "`width`, ", "`k`"),
    "scale": ("params: {width: 3, k: 5}\nscale: {width: 2 * widht}", "`width`, ", "`k`"),
    "block column": ("stages: {block: \"'basic' if stag > 1 else 'x'\"}", "`stage`, ", "`classes`"),
    "template": ("naming: {stage: 's{stag}'}", "`stage`, ", "`position`"),
}


@pytest.mark.parametrize("place", PLACES)
def test_an_unknown_name_is_told_with_those_that_can_be_read(place: str) -> None:
    text, nearest, other = PLACES[place]
    (fault,) = faults(f"{HEAD}{text}\n")
    assert fault.code == "E402"
    assert f"the names here are {nearest}" in fault.help
    assert other in fault.help


def test_the_list_is_right() -> None:
    """Each name that it lists compiles in the place of the unknown one."""
    text = f"{HEAD}params: {{mine: 3}}\nstem: [conv: {{out: 64, kernel: 1 if NAME == 'x' else 7, stride: 4}}]\n"
    (fault,) = faults(text.replace("NAME", "nothing_like_it"))
    listed = fault.help.removeprefix("the names here are ").partition(";")[0].replace("`", "").split(", ")
    assert set(listed) >= {"mine", "classes", "in_channels", "norm", "act", "activation_order", "width"}
    for name in listed:
        archspec.compile(text.replace("NAME", name))


@pytest.mark.parametrize(("letter", "truth"), [("n", "false"), ("Y", "true")])
def test_a_letter_for_a_truth_value(letter: str, truth: str) -> None:
    (fault,) = faults(f"{HEAD}stem: [conv: {{out: 64, stride: 4, bias: {letter}}}]\n")
    assert (fault.code, f"write `{truth}`" in fault.help) == ("E402", True)


def test_width_is_told_where_only_steps_read_it() -> None:
    (fault,) = faults(f"{HEAD}fragments: {{f: {{let: {{w: width}}, steps: []}}}}\n")
    assert (
        fault.help == "only arguments of steps read `width`, the width that reaches the step; here, write `in_channels`"
    )


# -- the stem's width at the first shortcut ----------------------------------------------------------------------------

NARROW = ["stages.channels=32", "stages.stride=1"]


@pytest.mark.parametrize(
    ("spec", "settings", "told"),
    [
        ("resnet20_cifar", ["stages.channels=[8, 16, 32]"], "stem: {use: cifar, width: 8}"),
        ("resnet18", [*NARROW, "shortcut=identity"], "stem: {use: imagenet, width: 32}"),
        ("resnet18", [*NARROW, "shortcut=zero-pad"], "stem: {use: imagenet, width: 32}"),
        ("resnet18", [*NARROW, "shortcut=identity", "stem=[conv: {out: 64}]"], "stem: [conv: {out: 32}]"),
    ],
)
def test_the_first_shortcut_names_the_stem(spec: str, settings: list[str], told: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(archspec.load(spec, overrides=settings))
    help = caught.value.diagnostics[0].help
    assert f"give the stem {8 if 'cifar' in spec else 32}" in help
    if "use" in told:
        assert f"`{told}`" in help
    archspec.compile(archspec.load(spec, overrides=[*settings, told.replace(": ", "=", 1)]))


@pytest.mark.parametrize("settings", [["stages.channels=[64, 32, 32, 32]", "shortcut=identity", "stages.stride=1"]])
def test_a_later_shortcut_does_not(settings: list[str]) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(archspec.load("resnet18", overrides=settings))
    assert "stem" not in caught.value.diagnostics[0].help


def test_values_too() -> None:
    text = HEAD + BLOCK + SHORTCUT.replace("KERNEL", "kernel") + "stages: {block: k}\n"
    fixed = text.replace(
        "kernel: kernel, stride: stride}]}}\nshortcut: dw", "kernel: 3, stride: stride}]}}\nshortcut: dw"
    )
    value = torch.randn(2, 3, 64, 64)
    assert torch.equal(*(archspec.build(archspec.load(each), seed=0).eval()(value) for each in (text, fixed)))


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("act: silu if classes > 10 else relu", ["relu", "silu"]),
        ("norm: {type: group if classes > 10 else batch}", ["batch", "group"]),
        ("activation_order: pre if classes > 10 else post", ["post", "pre"]),
        ("shortcut: zero if classes > 10 else identity", ["identity"]),
        ("stages: {block: bottleneck if classes > 10 else basic}", ["bottleneck"]),
        ("stem: [pool: {type: avg if classes > 10 else 'max', kernel: 4}, conv: {out: 64}]", ["avg"]),
        ("stem: [conv: {out: 64, groups: depthwise if classes > 10 else 1}]", ["depthwise"]),
        ("stages: {stride: depthwise}", ["depthwise"]),
    ],
)
def test_a_word_without_quotes_in_an_expression_is_told_so(written: str, words: list[str]) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(f"archspec: 1\nname: quotes\nextends: resnet18\n{written}\n")
    helps = {fault.message.split("`")[1]: fault.help for fault in caught.value.diagnostics if fault.code == "E402"}
    assert [word for word in sorted(helps) if f"quotes: `'{word}'`" in helps[word]] == words
    taken = {"relu", "silu", "batch", "group", "pre", "post", "avg", "depthwise"}
    assert not [word for word in taken & helps.keys() if "or declare" in helps[word]]


@pytest.mark.parametrize("argument", ["groups", "group_size"])
def test_the_width_in_the_setting_of_a_norm_is_answered_with_the_size_of_a_group(argument: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(
            f"archspec: 1\nname: groups\nextends: resnet18\nnorm: {{type: group, {argument}: width // 4}}\n"
        )
    (fault,) = caught.value.diagnostics
    assert "write a number as the `group_size`" in fault.help
    assert "in_channels" not in fault.help
