"""Values that steps keep with `as` and read with `from`: what they mean, in every part of a spec."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.graph.graph import Graph

START = "archspec: 1\nname: t\ninput: [3, 16, 16]\nclasses: 5\n"


def network(stem: str = "[]", head: str = "[]", stages: str = "[]", **more: str) -> Graph:
    written = "".join(f"{key}: {value}\n" for key, value in more.items())
    return archspec.compile(f"{START}stem: {stem}\nstages: {stages}\nhead: {head}\n{written}")


def wiring(graph: Graph) -> dict[str, tuple[str, ...]]:
    return {node.name: node.inputs for node in graph.nodes}


def refused(code: str, **parts: str) -> archspec.Diagnostic:
    with pytest.raises(archspec.SpecError) as caught:
        network(**parts)
    (found,) = caught.value.diagnostics
    assert found.code == code
    return found


ALIKE = [
    "[conv: {out: 8, as: a}, norm, act: {as: b}, add: {from: [a, b]}]",
    "[conv: {out: 8}, as: a, norm, act, as: b, add: {from: [a, b]}]",
    "[conv: {out: 8, as: a}, norm, act, add: [[from: a], []]]",
    "[conv: {out: 8, as: a}, norm, act, add: {kept: [from: a], here: []}]",
    "[conv: {out: 8, as: a}, sequence: {steps: [norm, act], as: b}, add: {from: [a, b]}]",
    "[conv: {out: 8, as: a}, sequence: {steps: [norm, act: {as: b}]}, add: {from: [a, b]}]",
    "[conv: {out: 8}, add: [[], [norm, act]]]",
    "[conv: {out: 8, as: a}, norm, act, as: b, add: {from: a, first: [], second: [from: b]}]",
    "[conv: {out: 8, as: a}, norm: {from: a, as: n}, act: {from: n, as: b}, from: a, add: [[], [from: b]]]",
]


@pytest.mark.parametrize("steps", ALIKE)
def test_forms_of_one_network(steps: str) -> None:
    found = wiring(network(stem=steps))
    assert found == {"conv1": ("input",), "bn1": ("conv1",), "relu": ("bn1",), "add": ("conv1", "relu")}


def test_a_chain_of_parts_reads_what_earlier_parts_keep() -> None:
    graph = network(
        stem="[conv: {out: 8, as: c}, norm]",
        stages="{block: basic, count: [2, 1], channels: 8, after: [[as: 'c{stage}'], null]}",
        head="[add: {from: [c, stem, c1, layer1, layer2]}]",
    )
    assert wiring(graph)["add"] == ("conv1", "bn1", "layer1.1.relu2", "layer1.1.relu2", "layer2.0.relu2")
    assert graph.kept == {"conv1": "c", "layer1.1.relu2": "c1"}


def test_a_step_reads_the_width_of_what_it_reads() -> None:
    graph = network(
        stem="[conv: {out: 8, as: a}, conv: {out: 24, as: b}]",
        head="[conv: {out: 2 * width, from: a, as: c}, conv: {out: in_channels, from: a, as: d}, "
        "grow: {from: a, as: e}, concat: {from: [b, c, d, e]}]",
        fragments="{grow: {steps: [conv: {out: 3 * in_channels}]}}",
    )
    assert graph.warnings == ()
    assert [graph.shape(name)[0] for name in graph.nodes[-1].inputs] == [24, 16, 24, 24]


@pytest.mark.parametrize(("width", "left"), [(8, True), (24, False)])
def test_a_condition_reads_the_width_of_what_the_step_reads(width: int, left: bool) -> None:
    graph = network(
        stem=f"[conv: {{out: {width}, as: a}}, conv: {{out: 8}}, norm: {{from: a, when: width == 8}}]", silence="[W311]"
    )
    assert ("bn1" in graph.by_name) is left


def test_a_step_that_is_left_out_reads_nothing() -> None:
    graph = network(stem="[conv: {out: 8}, norm: {as: a, when: false}, act: {from: a, when: classes < 0}]")
    assert [node.name for node in graph.nodes] == ["conv1"]


STEPS = "[conv: {out: out, as: x}, conv: {out: out, from: skip, as: y}, add: {from: [x, y]}]"
FRAGMENT = f"{{join: {{inputs: [skip], params: {{out: 4}}, steps: {STEPS}}}}}"


def test_inputs_of_a_fragment() -> None:
    graph = network(
        stem="[conv: {out: 8, as: a}, act: {as: x}]",
        head="[join: {skip: a}, join: {skip: x, out: 6}, add: [[conv: {out: 8}], [from: x]]]",
        fragments=FRAGMENT,
    )
    found = wiring(graph)
    assert found["join.conv2"] == ("conv1",)
    assert found["join2.conv2"] == ("relu",)
    assert found["join2.conv1"] == ("join.add",)


def test_a_head_gives_values_to_the_fragment_that_it_uses() -> None:
    graph = network(stem="[conv: {out: 8, as: a}, act]", head="{use: join, skip: a, out: 3}", fragments=FRAGMENT)
    assert wiring(graph)["conv3"] == ("conv1",)


def test_branches_have_names_of_their_own() -> None:
    branch = "[conv: {out: 8, as: a}, act, add: {from: [a, z]}]"
    found = wiring(network(stem=f"[conv: {{out: 8, as: z}}, add: [{branch}, {branch}]]"))
    assert found["add3"] == ("add", "add2")
    assert (found["add"], found["add2"]) == (("conv2", "conv1"), ("conv3", "conv1"))


def test_blocks_copy_their_values() -> None:
    steps = "[as: x, layer: {out: channels, kernel: 3, as: a}, add: {from: [a, x]}, layer: {out: channels}]"
    graph = network(
        stem="[conv: {out: 8}]", stages="{block: b, count: 5, channels: 8}", blocks=f"{{b: {{residual: {steps}}}}}"
    )
    for index, before in itertools.pairwise(range(5)):
        assert wiring(graph)[f"layer1.{before}.add"] == (f"layer1.{before}.relu", f"layer1.{index}.relu2")
    assert [name for name, kept in graph.kept.items() if kept == "a"] == [f"layer1.{n}.relu" for n in range(5)]


@pytest.mark.parametrize("order", ["post", "norm-after-add", "act-before-add", "act-only-pre", "pre"])
@pytest.mark.parametrize(
    ("named", "plain"),
    [
        (
            "[as: x, layer: {out: channels, as: a}, layer: {out: 8, kernel: 3, from: x, as: b}, add: {from: [a, b]}]",
            "[add: [[layer: {out: channels}], [layer: {out: channels, kernel: 3}]]]",
        ),
        (
            "[layer: {out: channels, as: a}, layer: {out: channels, as: b}, add: {from: [a, b]}]",
            "[layer: {out: channels}, add: [[], [layer: {out: channels}]]]",
        ),
        (
            "[as: x, layer: {out: channels}, layer: {out: channels, as: y}, from: x, act, add: [[], [from: y]]]",
            "[add: [[act], [layer: {out: channels}, layer: {out: channels}]]]",
        ),
    ],
)
def test_last_layers_are_those_that_no_layer_follows_in_the_data(order: str, named: str, plain: str) -> None:
    """Branches say the same without names."""

    def operations(residual: str) -> list[Any]:
        graph = network(
            stem="[conv: {out: 8}]",
            stages="{block: b, count: 1, channels: 8}",
            blocks=f"{{b: {{residual: {residual}}}}}",
            activation_order=order,
        )
        positions = {"input": -1, **{node.name: place for place, node in enumerate(graph.nodes)}}

        def below(name: str) -> Any:
            if name == "input":
                return name
            node = graph.by_name[name]
            return (repr(node.operation), sorted(map(repr, map(below, node.inputs))))

        assert len(positions) == len(graph.nodes) + 1
        return below(next(iter(graph.outputs.values())))

    assert operations(named) == operations(plain)


def test_outputs_are_kept_values() -> None:
    graph = network(
        stem="[conv: {out: 8, as: a}, act, add: [[], [conv: {out: 8, as: inner}, add: [[], [from: inner]]]]]",
        head="[conv: {out: 4, as: p}]",
        outputs="[a, p]",
    )
    assert graph.outputs == {"a": "conv1", "p": "conv3"}
    assert graph.warnings == ()
    found = refused("E310", stem="[add: [[], [conv: {out: 3, as: inner}, norm: {from: inner}]]]", outputs="inner")
    assert "kept inside a branch" in found.message


def test_an_output_that_is_a_kept_value_and_another_node() -> None:
    refused("E316", stem="[conv: {out: 8, as: bn1}, norm]", outputs="bn1")
    assert network(stem="[conv: {out: 8, name: a, as: a}, norm]", outputs="a").outputs == {"a": "a"}


@pytest.mark.parametrize("place", ["stem", "head"])
def test_faults_after_a_value_that_is_not_there_are_not_told(place: str) -> None:
    """The shapes that follow say nothing."""
    steps = (
        "[conv: {out: 8, as: a}, conv: {out: 4, from: missing, as: b}, add: {from: [a, b]}, flatten, conv: {out: 4}]"
    )
    refused("E317", **{place: steps})


def test_a_value_that_nothing_reads_is_told_once() -> None:
    graph = network(stem="[conv: {out: 8, as: a}, act: {as: b}, norm: {from: a}]")
    assert [(each.code, each.message) for each in graph.warnings] == [("W310", "nothing reads the value `b`")]


@pytest.mark.parametrize("kept", ["a", "'a{classes}'", "'{letter(0)}'"])
@pytest.mark.parametrize("read", ["a", "'a{classes}'", "'{letter(0)}'"])
def test_templates_of_names(kept: str, read: str) -> None:
    meant = {"a": "a", "'a{classes}'": "a5", "'{letter(0)}'": "a"}
    stem = f"[conv: {{out: 8, as: {kept}}}, act, add: [[], [from: {read}]]]"
    if meant[kept] == meant[read]:
        graph = network(stem=stem)
        assert wiring(graph)["add"] == ("relu", "conv1")
        assert graph.warnings == ()
    else:
        refused("E317", stem=stem)


def test_a_graph_with_named_values_is_pickled() -> None:
    graph = network(
        stem="[conv: {out: 8, as: a}, act, add: [[], [from: a]]]", head="{use: join, skip: a}", fragments=FRAGMENT
    )
    found = pickle.loads(pickle.dumps(graph))
    assert (found, found.kept, found.nodes[-1].cells) == (graph, graph.kept, graph.nodes[-1].cells)


@pytest.mark.parametrize(
    ("step", "last", "code"),
    [
        ("act: {as: aNUMBER}", "norm", "W310"),
        ("act: {from: stem}", "norm", "W311"),
        ("act: {from: late}", "as: late", "E318"),
        ("act: {from: aNUMBER}", "norm", "E317"),
    ],
)
def test_thousands_of_names_take_little_work(step: str, last: str, code: str) -> None:
    """Faults past the limit are left out, and the budget of work holds."""
    steps = ", ".join([*[step.replace("NUMBER", str(number)) for number in range(1500)], last])
    try:
        found = network(head=f"[{steps}]").warnings
    except archspec.SpecError as error:
        found = error.diagnostics
    assert {each.code for each in found} == {code}


@pytest.mark.parametrize(
    ("params", "inputs", "given", "told"),
    [
        ("{out: 8}", "[skip]", "layer1", "up: {skip: layer1}"),
        ("{out: null}", "[skip]", "layer1.0", "up: {skip: layer1.0, out: ...}"),
        ("{out: 8}", "[skip, more]", "stem", "up: {skip: stem, more: ...}"),
        ("{out: 8}", "[skip]", "8", "up: {skip: ...}"),
        ("{out: 8}", "[skip]", "'a b'", "up: {skip: ...}"),
        ("{out: null, k: 3}", "[]", "8", "up: {out: ...}"),
        ("{out: 8, k: 3}", "[]", "stem", "up: {out: ..., k: ...}"),
        ("{}", "[]", "stem", "up"),
    ],
)
def test_a_call_with_a_single_value_is_told_what_it_needs(params: str, inputs: str, given: str, told: str) -> None:
    """The inputs, and the parameters without a default; not those that may stay as they are."""
    fragment = f"{{up: {{params: {params}, inputs: {inputs}, steps: [norm]}}}}"
    stages = "{block: basic, count: 1, channels: 8}"
    stem = "[conv: {out: 8}]"
    found = refused("E202", stem=stem, stages=stages, head=f"[up: {given}]", fragments=fragment)
    assert found.help == f"write `- {told}`"


STAGES = "{block: basic, count: [2, 1], channels: 8}"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("layer1.1.relu2", "`layer1.1` is the result of the whole block; what a block makes inside has no name"),
        ("layer2.0.conv1", "`layer2.0` is the result of the whole block; what a block makes inside has no name"),
        ("layer1.7", "and of single blocks, such as `layer1.0`; for another value, write `as: NAME` on its step"),
        ("conv1", "and of single blocks, such as `layer1.0`; for another value, write `as: NAME` on its step"),
    ],
)
def test_a_name_that_no_step_keeps_is_told_which_blocks_can_be_read(name: str, told: str) -> None:
    found = refused("E317", stem="[conv: {out: 8}]", stages=STAGES, head=f"[norm: {{from: {name}}}]")
    assert told in found.help
    block = told.split("`")[1]
    assert network(stem="[conv: {out: 8}]", stages=STAGES, head=f"[norm: {{from: {block}}}]", silence="[W311, W310]")


@pytest.mark.parametrize(("name", "code"), [("layer1", "E317"), ("features", "E316")])
def test_where_stages_share_a_scope_it_is_told_how_to_name_them(name: str, code: str) -> None:
    found = refused(code, stages=STAGES, head=f"[norm: {{from: {name}}}]", naming="{stage: features}")
    assert found.help.endswith('give the stages names of their own, such as `stages: {name: "layer{stage}"}`')
    named = STAGES.replace("{", '{name: "layer{stage}", ', 1)
    assert network(stages=named, head="[norm: {from: layer1}]", naming="{stage: features}", silence="[W311]")


def test_where_no_block_can_be_read_none_is_proposed() -> None:
    found = refused("E317", stem="[conv: {out: 8, as: a}, norm: {from: b}]", stages=STAGES)
    assert found.help == "the names here are `a`, `input`"


def test_an_output_that_does_not_exist_is_told_all_that_has_a_name() -> None:
    heads = "{classifier: [norm: {as: logits}], aux: [norm: {as: other}]}"
    parts = f"stem: [conv: {{out: 8, as: c}}]\nstages: {STAGES}\nheads: {heads}"
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(f"{START}{parts}\noutputs: [nowhere]\n")
    (found,) = caught.value.diagnostics
    assert found.code == "E310"
    told = "the stages are `layer1`, `layer2`; the heads are `classifier`, `aux`; "
    assert found.help.startswith(f"{told}the kept values are `c`, `logits`, `other`; ")


LONG = "stages: {block: basic, count: [1, 1, 2, 1], channels: 8}"
BASE = f"{START}stem: [conv: {{out: 8}}]\n{LONG}\nhead: [norm]\n"


@pytest.mark.parametrize(
    ("reads", "told"),
    [
        ("layer3", "`layer4` is not needed for the outputs, and is left out"),
        ("layer2", "`layer3`, `layer4` are not needed for the outputs, and are left out"),
        ("layer3.0", "`layer4` is not needed for the outputs, and is left out"),
    ],
)
def test_what_an_extending_spec_does_not_need_is_not_its_own_step(reads: str, told: str, tmp_path: Path) -> None:
    """The advice to remove the step is for its own author. In a text of one, the step is the spec's own."""
    head = f"head: [conv: {{out: 2, from: {reads}}}]\n"
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "own.yaml").write_text(f"archspec: 1\nname: own\nextends: base.yaml\n{head}")
    (fault,) = archspec.compile(tmp_path / "own.yaml").warnings
    assert (fault.code, fault.message) == ("W311", told)
    assert fault.help == "to use it, read it with `from`; if you mean it, write `silence: [W311]`"
    (fault,) = archspec.compile(BASE.replace("head: [norm]\n", head)).warnings
    assert fault.code == "W311"
    assert "remove the step" in fault.help
