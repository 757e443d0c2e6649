"""`repeat`: what it means, how its names are seen, and what it refuses."""

from __future__ import annotations

import time
from typing import Any

import pytest

import archspec
from archspec.graph.graph import Graph
from archspec.work import Limits

START = "archspec: 1\nname: t\ninput: [3, 16, 16]\nclasses: 5\n"


def network(stem: str = "[]", stages: str = "[]", head: str = "[]", **more: Any) -> Graph:
    limits = more.pop("limits", None)
    written = "".join(f"{key}: {value}\n" for key, value in more.items())
    return archspec.compile(f"{START}stem: {stem}\nstages: {stages}\nhead: {head}\n{written}", limits=limits)


def wiring(graph: Graph) -> list[tuple[str, Any, tuple[str, ...]]]:
    return [(node.name, node.operation, node.inputs) for node in graph.nodes]


def refused(code: str, **parts: Any) -> archspec.Diagnostic:
    with pytest.raises(archspec.SpecError) as caught:
        network(**parts)
    (found,) = caught.value.diagnostics
    assert found.code == code
    return found


def begun(repeat: str) -> str:
    return f"[conv: {{out: 8}}, as: x, {repeat}]"


ALIKE = [
    ("repeat: {times: 3, steps: [conv: {out: 8}, act]}", ", ".join(["conv: {out: 8}, act"] * 3)),
    ("repeat: {times: 3, index: i, steps: [conv: {out: 8 + i}]}", "conv: {out: 8}, conv: {out: 9}, conv: {out: 10}"),
    ("repeat: {times: 2, index: i, steps: [act: {when: i > 0}, norm]}", "norm, act, norm"),
    ("repeat: {times: width // 4, steps: [conv: {out: 2 * width}]}", "conv: {out: 16}, conv: {out: 32}"),
    ("repeat: {times: 2, when: classes > 9, steps: [act]}, norm", "norm"),
    ("repeat: {times: 0, steps: [act]}, norm", "norm"),
    (
        "repeat: {times: 2, index: i, name: 'm.{i + 1}', steps: [conv: {out: 8}, norm]}",
        "sequence: {name: m.1, steps: [conv: {out: 8}, norm]}, sequence: {name: m.2, steps: [conv: {out: 8}, norm]}",
    ),
    ("repeat: {times: 2, name: m, steps: [act]}", "sequence: {name: m, steps: [act, act]}"),
    ("repeat: {times: 2, steps: [conv: {out: 8, as: y}, add: {from: [x, y]}]}",
     "conv: {out: 8, as: y1}, add: {from: [x, y1]}, conv: {out: 8, as: y2}, add: {from: [x, y2]}"),
    ("repeat: {times: 2, each: p, steps: [act]}, concat: {from: [x, p]}",
     "act: {as: p0}, act: {as: p1}, concat: {from: [x, p0, p1]}"),
    ("repeat: {times: 0, each: p, steps: [act]}, concat: {from: [x, p]}", "concat: {from: [x]}"),
    ("repeat: {times: 2, from: x, as: y, steps: [act]}, add: {from: [x, y]}", "act, act: {as: y}, add: {from: [x, y]}"),
    (
        "repeat: {times: 2, index: i, steps: [repeat: {times: i + 1, index: j, name: 'a{i}_{j}', steps: [act]}]}",
        "sequence: {name: a0_0, steps: [act]}, sequence: {name: a1_0, steps: [act]}, "
        "sequence: {name: a1_1, steps: [act]}",
    ),
    (
        "act: {as: c0}, norm: {as: c1}, "
        "repeat: {times: 3, index: i, steps: [add: {from: ['c{i}', 'c{i + 1}']}, act: {as: 'c{i + 2}'}]}, "
        "add: {from: [c4, c2]}",
        "act: {as: c0}, norm: {as: c1}, add: {from: [c0, c1]}, act: {as: c2}, add: {from: [c1, c2]}, act: {as: c3}, "
        "add: {from: [c2, c3]}, act: {as: c4}, add: {from: [c4, c2]}",
    ),
    (
        "repeat: {times: 2, index: i, steps: [repeat: {times: 2, index: j, steps: [act: {as: 'c{j}', from: x}, "
        "norm: {as: 'd{i}{j}'}]}, add: {from: [c0, c1]}]}, add: {from: [d00, d01, d10, d11]}",
        "act: {as: a, from: x}, norm: {as: d00}, act: {as: b, from: x}, norm: {as: d01}, add: {from: [a, b]}, "
        "act: {as: c, from: x}, norm: {as: d10}, act: {as: d, from: x}, norm: {as: d11}, add: {from: [c, d]}, "
        "add: {from: [d00, d01, d10, d11]}",
    ),
    (
        "repeat: {times: 2, index: i, steps: [repeat: {times: 2, each: 'p{i}', steps: [act]}]}, add: {from: [p0, p1]}",
        "act: {as: a}, act: {as: b}, act: {as: c}, act: {as: d}, add: {from: [a, b, c, d]}",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("repeated", "unrolled"), ALIKE)
def test_it_is_its_steps_written_out(repeated: str, unrolled: str) -> None:
    assert wiring(network(stem=begun(repeated))) == wiring(network(stem=begun(unrolled), silence="[W310]"))


LAYERS = [
    ("repeat: {times: 3, steps: [layer: {out: channels}]}", ", ".join(["layer: {out: channels}"] * 3)),
    (
        "repeat: {times: 3, index: i, steps: [layer: {out: channels, when: i < 2}, dropout]}",
        "layer: {out: channels}, dropout, layer: {out: channels}, dropout, dropout",
    ),
    (
        "layer: {out: channels}, repeat: {times: 2, index: i, steps: [layer: {out: channels, when: i > 4}]}",
        "layer: {out: channels}",
    ),
    ("layer: {out: channels}, repeat: {times: 0, steps: [layer: {out: channels}]}", "layer: {out: channels}"),
    (
        "as: x, repeat: {times: 2, each: p, steps: [layer: {out: channels, as: y}, add: {from: [x, y]}]}, "
        "add: {from: [p]}",
        "as: x, layer: {out: channels, as: y}, add: {from: [x, y], as: p1}, layer: {out: channels, as: z}, "
        "add: {from: [x, z], as: p2}, add: {from: [p1, p2]}",
    ),
    (
        "as: x, repeat: {times: 2, each: p, steps: [from: x, layer: {out: channels}]}, add: {from: [p]}, "
        "layer: {out: channels}",
        "as: x, layer: {out: channels, as: p1}, layer: {out: channels, from: x, as: p2}, add: {from: [p1, p2]}, "
        "layer: {out: channels}",
    ),
    (
        "as: a0, repeat: {times: 3, index: i, "
        "steps: [layer: {out: channels, from: 'a{i}', as: 'a{i + 1}'}, from: a0]}, add: {from: [a0, a3]}",
        "as: a0, layer: {out: channels, as: a1}, layer: {out: channels, as: a2}, layer: {out: channels, as: a3}, "
        "add: {from: [a0, a3]}",
    ),
    (
        "as: x, repeat: {times: 3, index: i, steps: [layer: {out: channels, as: 'a{i}'}, from: x]}, "
        "layer: {out: channels, from: a1, as: last}, add: {from: [a0, last, a2]}",
        "as: x, layer: {out: channels, as: a0}, layer: {out: channels, from: x, as: a1}, "
        "layer: {out: channels, from: x, as: a2}, layer: {out: channels, from: a1, as: last}, "
        "add: {from: [a0, last, a2]}",
    ),
]


@pytest.mark.parametrize("order", ["post", "norm-after-add", "pre"])
@pytest.mark.parametrize(("repeated", "unrolled"), LAYERS)
def test_the_last_layer_of_a_block_is_found(repeated: str, unrolled: str, order: str) -> None:
    def block(steps: str) -> Graph:
        return network(
            stem="[conv: {out: 8}]",
            stages="{block: b, count: 3, channels: 8}",
            blocks=f"{{b: {{residual: [{steps}]}}}}",
            activation_order=order,
        )

    assert wiring(block(repeated)) == wiring(block(unrolled))


LARGE = ["1000000000", "1000 * 1000000", "width * 1000000"]


@pytest.mark.parametrize("times", LARGE)
@pytest.mark.parametrize("steps", ["[act]", "[]", "[repeat: {times: 1000000000, steps: [act]}]"])
def test_too_many_repetitions_are_refused_at_once(times: str, steps: str) -> None:
    begin = time.process_time()
    found = refused("E601", stem=begun(f"repeat: {{times: {times}, steps: {steps}}}"))
    assert time.process_time() - begin < 0.2
    assert found.span
    assert found.span.line == 5
    assert "`times`" in found.help


def test_work_is_refused_at_the_number() -> None:
    found = refused("E603", stem=begun("repeat: {times: 9000, steps: [act]}"), limits=Limits(work=9000))
    assert found.span
    assert found.span.column == 47


def test_work_grows_with_the_repetitions() -> None:
    def work(times: int) -> int:
        steps = "[as: y, layer: {out: 8, as: z}, add: {from: [x, y, z]}]"
        found = network(stem=begun(f"repeat: {{times: {times}, index: i, name: 'm.{{i}}', steps: {steps}}}"))
        return sum(found.work.values())

    small, large = work(100), work(1000)
    assert large < 11 * small
    assert large < 200_000


def test_copies_of_a_block_repeat_too() -> None:
    steps = "[repeat: {times: 2, index: i, name: 'm.{i}', steps: [layer: {out: channels, kernel: 3}]}]"
    graph = network(
        stem="[conv: {out: 8}]", stages="{block: b, count: 5, channels: 8}", blocks=f"{{b: {{residual: {steps}}}}}"
    )
    inside = [node.name.removeprefix("layer1.4.") for node in graph.nodes if node.name.startswith("layer1.4.")]
    assert inside == ["m.0.conv1", "m.0.bn1", "m.0.relu", "m.1.conv1", "m.1.bn1", "add", "relu"]


def test_names_of_a_repetition_are_its_own() -> None:
    found = refused("E317", stem=begun("repeat: {times: 2, steps: [act: {as: q}]}, norm: {from: q}"))
    assert "each repetition" in found.labels[0].text
    found = refused("E316", stem=begun("repeat: {times: 2, each: q, steps: [act]}, norm: {from: q}"))
    assert "no single result" in found.message
    refused("E319", stem=begun("repeat: {times: 2, each: x, steps: [act]}, add: {from: [x]}"))
    found = refused("E319", stem=begun("repeat: {times: 2, index: i, steps: [act, as: x]}"))
    assert found.help.endswith('such as `as: "c{i + 1}"`, keeps one value each time')
    refused("E320", stem=begun("repeat: {times: 2, each: q, when: false, steps: [act]}, add: {from: [q]}"))
    refused("E318", stem=begun("add: {from: [q]}, repeat: {times: 2, each: q, steps: [act]}"))
    assert not network(
        stem=begun("repeat: {times: 2, index: i, steps: [act: {as: 'q{i}'}]}"), silence="[W310]"
    ).warnings
    (warning,) = network(
        stem=begun("repeat: {times: 2, each: q, steps: [act]}, norm: {from: x}"), silence="[W311]"
    ).warnings
    assert warning.code == "W310"


def test_names_that_read_the_counter_outlive_the_repetition() -> None:
    def refused_in(code: str, steps: str, after: str = "act") -> archspec.Diagnostic:
        return refused(code, stem=begun(f"repeat: {{times: 2, index: i, steps: [{steps}]}}, {after}"))

    found = refused_in("E317", "norm, act: {from: 'c{i}', as: 'c{i + 1}'}")
    assert "no value is called `c0` here" in found.message
    assert "`x`" in found.help
    found = refused_in("E318", "norm: {from: 'c{i + 1}'}, act: {as: 'c{i + 1}'}")
    assert "`c1` is read before" in found.message
    assert "`c0` is kept twice" in refused_in("E319", "act: {as: 'c{i // 2}'}").message
    refused_in("E319", "norm: {as: 'c{i}'}, act: {as: c0}")
    refused_in("E319", "act: {as: c1}, norm: {as: 'c{i}'}")  # a later step of the repetition could mean either
    refused_in("E319", "act: {as: c1}, repeat: {times: 1, each: 'c{i}', steps: [norm]}")
    refused_in("E319", "repeat: {times: 2, index: j, steps: [act: {as: 'c{j}'}, norm: {as: 'c{i}'}]}")
    found = refused_in("E320", "norm, act: {as: 'c{i}', when: i > 0}", "norm: {from: c0}")
    assert "leaves out" in found.message
    inner = "repeat: {times: 1, index: j, steps: [act: {as: 'c{i}'}]}"
    refused_in("E317", inner, "norm: {from: c0}")
    branch = "add: [[], [act: {as: 'c{i}'}]]"
    refused_in("E317", branch, "norm: {from: c0}")


def test_work_grows_with_what_outlives_its_repetition() -> None:
    def work(times: int) -> int:
        steps = "[layer: {out: 8, from: 'c{i}'}, as: 'c{i + 1}']"
        found = network(stem=f"[conv: {{out: 8, as: c0}}, repeat: {{times: {times}, index: i, steps: {steps}}}]")
        return sum(found.work.values())

    assert work(1000) < 12 * work(100)


@pytest.mark.parametrize("name", ["in_channels", "width", "classes", "x y", "for", "relu", "min", "name", "own"])
def test_what_a_counter_cannot_be_called(name: str) -> None:
    refused_ = {"x y": "E305", "for": "E305"}.get(name, "E312")
    refused(refused_, stem=begun(f"repeat: {{times: 2, index: {name}, steps: []}}"), params="{own: 1}")


def test_what_is_left_out() -> None:
    refused("E315", stem=begun("add: [[], [repeat: {times: 0, steps: [act]}]]"))
    refused("E315", stem=begun("add: [[], [repeat: {times: 2, index: i, steps: [act: {when: i > 1}]}]]"))
    refused("E315", stem=begun("repeat: {times: 0, each: q, steps: [act]}, add: {from: [q]}"))
    assert len(network(stem=begun("add: [[], [repeat: {times: 2, index: i, steps: [act: {when: i > 0}]}]]")).nodes) == 3
    refused("E501", stem=begun("repeat: {times: classes - 9, steps: [act]}"))
    refused("E403", stem=begun("repeat: {times: classes / 2, steps: [act]}"))


def test_a_layer_that_must_be_known_is_decided_before() -> None:
    steps = "[layer: {out: channels}, repeat: {times: width, steps: [layer: {out: channels}]}]"
    stages, blocks = "{block: b, count: 1, channels: 8}", f"{{b: {{residual: {steps}}}}}"
    refused("E407", stem="[conv: {out: 8}]", stages=stages, blocks=blocks)
