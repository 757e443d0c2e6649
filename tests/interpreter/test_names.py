"""The interpreter and archspec agree about names, about shared weights, and about the blocks in an ``around``."""

from __future__ import annotations

import pytest

from tests.interpreter.compare import compare

PARTS = {
    "archspec": "1",
    "name": "t",
    "input": "[3, 8, 8]",
    "stem": "{use: cifar, width: 8}",
    "stages": "{block: basic, count: 1, channels: 8}",
    "fragments": "{join: {inputs: [a], steps: [act: {as: a}]}, once: {steps: [blocks]}, two: {steps: [once, blocks]}}",
}
KEEPS = "conv: {out: 8, as: x}"
SHARES = "conv: {out: 8, kernel: 1, share: x}"


def text(**parts: str) -> str:
    return "".join(f"{key}: {value}\n" for key, value in {**PARTS, **parts}.items())


def around(steps: str) -> str:
    return text(stages=f"[{{block: basic, count: 1, channels: 8, around: {steps}}}]")


def refused_for(code: str, spec: str) -> bool:
    outcome = compare(spec)
    return outcome.kind == "refused" and outcome.detail.startswith(code)


@pytest.mark.parametrize(
    "steps",
    [
        *(f"[{KEEPS}, {KEEPS}]", f"[{KEEPS}, add: [[{KEEPS}], []]]", f"[{KEEPS}, sequence: {{steps: [{KEEPS}]}}]"),
        f"[{KEEPS}, repeat: {{times: 2, each: x, steps: [norm]}}]",
        "[repeat: {times: 2, each: x, as: x, steps: [norm]}]",
        "[repeat: {times: 2, index: i, steps: [act: {as: 'x{i // 2}'}]}]",
        "[repeat: {times: 2, index: i, steps: [act: {as: 'x{i}'}]}, norm: {as: x1}]",
        "[repeat: {times: 1, index: i, steps: [act: {as: x0}, norm: {as: 'x{i}'}]}]",
        "[join: {a: layer1}]",
    ],
)
def test_a_name_is_kept_once(steps: str) -> None:
    """In one scope, and in a scope and a branch or a repetition of it."""
    assert refused_for("E319", text(head=steps))


def test_parts_of_the_network_have_their_names() -> None:
    for part in ("input", "stem", "layer1"):
        assert refused_for("E316", text(head=f"[conv: {{out: 8, as: {part}}}]")), part
        assert refused_for("E316", text(stem=f"[conv: {{out: 8, as: {part}}}]")), part


@pytest.mark.parametrize(
    "steps",
    [
        f"[add: [[{KEEPS}], [{KEEPS}]]]",
        f"[repeat: {{times: 2, steps: [{KEEPS}]}}, {KEEPS}]",
        "[conv: {out: 8, as: x, when: false}, conv: {out: 8, as: x}]",
        "[add: [[act: {as: layer2}, norm], []], conv: {out: 4}]",
    ],
)
def test_names_that_nothing_can_confuse(steps: str) -> None:
    assert compare(text(head=steps)).kind == "equal"


@pytest.mark.parametrize(
    "steps",
    [
        *("[blocks, blocks]", "[add: [[blocks], [blocks]]]", "[once, once]", "[two]", "two", "{use: two}"),
        *("[]", "[conv: {out: 8}]", "[blocks, repeat: {times: 0, steps: [blocks]}]"),
        *("[repeat: {times: 1, steps: [blocks]}]", "[repeat: {times: 1, steps: [once]}]"),
    ],
)
def test_an_around_has_its_blocks_once(steps: str) -> None:
    assert refused_for("E322", around(steps))


@pytest.mark.parametrize(
    "steps",
    [
        *("[blocks: {when: false}]", "[sequence: {when: false, steps: [blocks]}]"),
        "[add: [{when: false, steps: [blocks]}, []]]",
    ],
)
def test_an_around_does_not_leave_its_blocks_out(steps: str) -> None:
    assert refused_for("E315", around(steps))


def test_blocks_in_branches_and_fragments() -> None:
    for steps in ("[once]", "once", "{use: once}", "[add: [[once], []]]", "[sequence: {steps: [blocks]}]"):
        assert compare(around(steps)).kind == "equal", steps


@pytest.mark.parametrize(
    "steps",
    [
        *("[act: {name: a}, act: {name: a.b}]", "[act: {name: a.b}, act: {name: a}]"),
        *("[sequence: {name: a, steps: [act]}, act: {name: a}]", "[act: {name: a}, sequence: {name: a, steps: [act]}]"),
        *("[sequence: {name: a, steps: []}, act: {name: a}]", "[act: {name: a}, add: {a: [act], b: []}]"),
        *("[act: {name: layer1}]", "[act: {name: layer1.0}]", "[act: {name: layer1.0.relu}]"),
    ],
)
def test_a_node_and_a_scope_differ_in_name(steps: str) -> None:
    assert refused_for("E304", text(head=steps))


@pytest.mark.parametrize(
    "stem",
    [
        f"[conv: {{out: 8, kernel: 1}}, {SHARES}]",
        f"[conv: {{out: 8, kernel: 1}}, {SHARES}, {SHARES}]",
        "[conv: {out: 8, kernel: 1}, conv: {out: 8, kernel: 1, share: x, when: false}]",
    ],
)
@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("naming", ["timm", "torchvision"])
def test_shared_weights_where_the_stem_is_laid_out_twice(stem: str, order: str, naming: str) -> None:
    """To find its last layers, and where its deep scope ends: an attempt shares nothing with what is built."""
    assert compare(text(stem=stem, naming=naming, activation_order=order)).kind == "equal"
