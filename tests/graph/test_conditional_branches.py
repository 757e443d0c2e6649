"""Branches with conditions, and parts of which ``when`` leaves nothing."""

from __future__ import annotations

import pytest

import archspec
from tests.support.properties import fingerprint

HEAD = "archspec: 1\nname: t\ninput: [16, 8, 8]\nhead: []\n"
ONE = "[conv: {out: 16, kernel: 3}]"
TWO = "[conv: {out: 16, kernel: 5}]"


def stem(step: str, more: str = "stages: []") -> str:
    return f"{HEAD}{more}\nstem:\n  - {step}\n"


def refused(text: str) -> archspec.Diagnostic:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(text)
    (fault,) = caught.value.diagnostics
    return fault


FORMS = {
    "list": "MERGE: [{ONE}, {{steps: {TWO}, when: COND}}, []]",
    "mapping": "MERGE: {{a: {ONE}, b: {{steps: {TWO}, when: COND}}, c: []}}",
    "merge with arguments": "MERGE: {{a: {ONE}, b: {{steps: {TWO}, when: COND}}, c: [], name: x, when: 1 < 2}}",
}


@pytest.mark.parametrize("merge", ["add", "multiply", "concat"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("condition", [True, False])
def test_a_branch_is_there_or_is_not(merge: str, form: str, condition: bool) -> None:
    text = FORMS[form].format(ONE=ONE, TWO=TWO).replace("MERGE", merge)
    there = text.replace("COND", "classes > 1" if condition else "classes < 1")
    if condition:
        plain = text.replace(f"{{steps: {TWO}, when: COND}}", TWO)
    else:
        plain = text.replace(f"{{steps: {TWO}, when: COND}}, ", "").replace(f"b: {{steps: {TWO}, when: COND}}, ", "")
        plain = plain.replace("b: ", "")
    assert fingerprint(stem(there)) == fingerprint(stem(plain))


def test_the_identity_may_have_a_condition() -> None:
    text = "add: [{steps: [], when: classes < 1}, [conv: {out: 8}]]"
    assert fingerprint(stem(text)) == fingerprint(stem("add: [[conv: {out: 8}]]"))


@pytest.mark.parametrize(
    ("step", "place", "what"),
    [
        ("add: [[], [norm: {when: classes < 1}]]", "7:15", "every step of this branch"),
        ("concat: {a: [], b: [act: {when: classes < 1}, norm: {when: false}]}", "7:24", "every step of this branch"),
        ("multiply: [[sequence: {steps: [act: {when: false}]}]]", "7:16", "every step of this branch"),
        ("add: [{steps: [act: {when: false}], when: true}]", "7:11", "every step of this branch"),
        ("add: [{steps: [act], when: false}]", "7:5", "every branch of this `add`"),
        (
            "concat: {a: {steps: [act], when: false}, b: {steps: [], when: 1 > 2}}",
            "7:5",
            "every branch of this `concat`",
        ),
        ("layer: {of: [conv: {out: 3, when: false}]}", "7:5", "every step under `of` of this layer"),
    ],
)
def test_nothing_left_is_refused_where_it_is_written(step: str, place: str, what: str) -> None:
    fault = refused(stem(step))
    assert (fault.code, fault.message) == ("E315", f"`when` leaves out {what}")
    assert str(fault.span).endswith(place)


NONE = "repeat: {times: classes - 1000, each: l, steps: [act]}"


@pytest.mark.parametrize(
    ("step", "cause", "what"),
    [
        (f"add: [[], [{NONE}]]", "`times: 0`", "every step of this branch"),
        (f"add: [[], [sequence: {{steps: [{NONE}]}}]]", "`times: 0`", "every step of this branch"),
        (f"add: [[], [{NONE}, act: {{when: false}}]]", "`when` or `times: 0`", "every step of this branch"),
        (
            "add: [[], [repeat: {times: 2, steps: [norm: {when: false}]}]]",
            "`when` or `times: 0`",
            "every step of this branch",
        ),
        (f"sequence: {{steps: [{NONE}, concat: {{from: [l]}}]}}", "`times: 0`", "every value of this `concat`"),
        (f"layer: {{of: [{NONE}]}}", "`times: 0`", "every step under `of` of this layer"),
    ],
)
def test_only_what_is_written_is_said_to_leave_something_out(step: str, cause: str, what: str) -> None:
    fault = refused(stem(step))
    assert (fault.code, fault.message) == ("E315", f"{cause} leaves out {what}")


def test_a_residual_whose_repeat_is_empty_says_so() -> None:
    blocks = f"blocks: {{b: {{residual: [{NONE}]}}}}\nstages: {{block: b, count: 1}}\n"
    assert refused(f"{HEAD}stem: []\n{blocks}").message == "`times: 0` leaves out every step of the residual of `b`"


def test_a_fault_of_many_blocks_is_told_once() -> None:
    blocks = "blocks: {b: {steps: [concat: [[], [conv: {out: 8, when: index < 0}]], conv: {out: 16}]}}\n"
    text = f"{HEAD}stem: []\nstages: {{block: b, count: 3, channels: null}}\n{blocks}"
    assert refused(text).code == "E315"


RESIDUAL = (
    "blocks: {b: {params: {deep: false}, residual: [layer: {out: 16, when: deep}]}}\nstages: {block: b, count: 1}\n"
)


def test_an_empty_residual_is_not_added_to_its_shortcut() -> None:
    fault = refused(f"{HEAD}stem: []\n{RESIDUAL}")
    assert fault.code == "E315"
    assert "residual of `b`" in fault.message
    assert len(archspec.compile(f"{HEAD}stem: []\n{RESIDUAL}shortcut: none\n").nodes) == 1  # the act after the merge


@pytest.mark.parametrize(
    "step",
    ["add: [[], []]", "add: [[], [norm]]", "add: [[], [f]]", "concat: [[], [sequence: {steps: []}]]"],
)
def test_what_does_nothing_for_another_reason_stays(step: str) -> None:
    archspec.compile(stem(step, "stages: []\nnorm: none\nfragments: {f: {steps: [act: {when: false}]}}"))


@pytest.mark.parametrize("branch", ["{conv: {out: 8}}", "{step: [act]}", "{steps: [act], name: x}"])
def test_a_branch_of_another_form(branch: str) -> None:
    fault = refused(stem(f"add: [[], {branch}]"))
    assert fault.code == "E202"
    assert "`steps` and `when`" in fault.message


def test_a_branch_without_steps() -> None:
    assert refused(stem("add: [[], {when: true}]")).code == "E203"


def test_the_last_layer_of_a_block_is_known_after_branches_are_left_out() -> None:
    blocks = (
        "blocks: {b: {params: {deep: true}, residual: [layer: {out: 16}, "
        "add: [[], {when: deep, steps: [layer: {out: 16}]}]]}}\n"
    )
    text = f"{HEAD}stem: []\nstages: {{block: b, count: 1, deep: DEEP}}\n{blocks}"
    kinds = {
        deep: [node.operation.kind for node in archspec.compile(text.replace("DEEP", deep)).nodes]
        for deep in ("true", "false")
    }
    assert kinds["true"] == ["conv", "bn", "relu", "conv", "bn", "add", "add", "relu"]
    assert kinds["false"] == ["conv", "bn", "add", "add", "relu"]
