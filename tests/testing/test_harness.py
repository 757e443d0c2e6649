"""What is tested of one spec, and that each test can fail: on networks that are altered after they were built."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import fx, nn

import archspec
from archspec.diagnostics import Diagnostic
from archspec.graph.graph import Graph
from archspec.testing import check, examine
from archspec.testing.expectations import check_expectations
from archspec.testing.run import (
    compare_gradients,
    compare_states,
    compare_weights,
    on_meta,
    reload,
    run,
    smallest,
    with_storage,
)

SMALL = """\
archspec: 1
name: small
input: [3, 16, 16]
classes: 5
stem: [conv: {out: 4, kernel: 3}]
stages: {block: basic, count: [1, 1], channels: [4, 8], stride: [1, 2]}
"""

# 3*4*9 + (2*4*4*9 + 2*8) + (4*8*9 + 8*8*9 + 2*16 + 4*8 + 16) + 8*5 + 5, by hand
PARAMS = 108 + 304 + 944 + 45

SQUARES = "stem: [" + ", ".join(["multiply: [[], []]"] * 11) + "]"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return archspec.compile(SMALL)


@pytest.fixture
def model(graph: Graph) -> fx.GraphModule:
    return archspec.build(graph, seed=0)


def codes(faults: list[Diagnostic]) -> set[str]:
    return {fault.code for fault in faults}


def test_a_good_spec_passes_everything() -> None:
    outcome = examine(SMALL + f"expect: {{params: {PARAMS}, output: [5]}}\n")
    names = ["valid", "expect.params", "expect.output", "shapes", "weights", "seed", "reload", "pass"]
    assert [case.name for case in outcome.cases] == names
    assert all(case.passed for case in outcome.cases), outcome.diagnostics
    assert outcome.cases[-1].note == "2x3x4x4"
    assert [case.span.line for case in outcome.cases[:3]] == [2, 7, 7]


@pytest.mark.parametrize(("level", "added"), [("check", 0), ("build", 2), ("run", 5)])
def test_levels(level: str, added: int) -> None:
    assert len(examine(SMALL, level=level).cases) == 1 + added


def test_an_expectation_that_fails_has_its_line_and_what_would_hold() -> None:
    outcome = examine(SMALL + "expect:\n  params: 7  # seven\n  output: [5]\n", level="check")
    assert not outcome.passed
    (failed,) = [case for case in outcome.cases if case.failed]
    assert (failed.name, failed.span.line, failed.diagnostics[0].code) == ("expect.params", 8, "E701")
    assert failed.change == (("  params: 7  # seven",), (f"  params: {PARAMS:_}  # seven",))


def test_a_stage_that_is_none_fails_each_expectation_of_it_and_is_said_once() -> None:
    text = SMALL + "expect: {stages: {layer7: {params: 3, macs: 4}}}\n"
    outcome = examine(text, level="check")
    assert [case.name for case in outcome.cases if case.failed] == ["expect.layer7.params", "expect.layer7.macs"]
    assert [fault.code for fault in outcome.diagnostics] == ["E310"]
    assert [fault.code for fault in check_expectations(archspec.compile(text))] == ["E310"]


def test_a_refused_spec_has_one_case() -> None:
    (case,) = examine(SMALL.replace("basic", "basik")).cases
    assert (case.name, case.failed, case.span.line) == ("valid", True, 6)


def test_check_gives_diagnostics() -> None:
    assert check(SMALL) == []
    assert check(archspec.load(SMALL), level="run") == []
    assert codes(check(SMALL + "expect: {params: 3}\n")) == {"E701"}
    assert codes(check(SMALL.replace("stem: [conv: {out: 4, kernel: 3}]", SQUARES), level="run")) == {"E706"}
    with pytest.raises(ValueError, match="check, build, run"):
        check(SMALL, level="deep")


def test_a_network_that_is_too_large_is_not_run_and_says_so() -> None:
    outcome = examine(SMALL, largest=PARAMS - 1)
    assert {case.name for case in outcome.left_out} == {"seed", "reload", "pass"}
    assert {case.left_out for case in outcome.left_out} == {f"{PARAMS:,} parameters, more than {PARAMS - 1:,}"}
    assert outcome.passed
    assert not any(case.passed for case in outcome.left_out)
    assert not examine(SMALL, largest=PARAMS).left_out


# -- the input that it runs on -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "inception_v3", "vgg11", "convnext_tiny"])
def test_the_smallest_input_has_the_same_weights_and_keeps_its_maps(name: str) -> None:
    graph = archspec.compile(name)
    small = smallest(graph)
    assert small.input[1] <= graph.input[1] // 2 + 1

    def shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
        return {key: tuple(value.shape) for key, value in archspec.build(graph, device="meta").state_dict().items()}

    assert shapes(small) == shapes(graph)
    for node in graph.nodes:
        assert (max(node.shape[1:], default=1) > 1) == (max(small.by_name[node.name].shape[1:], default=1) > 1)


def test_where_the_weights_follow_the_input_it_stays() -> None:
    text = SMALL + "head: [flatten, linear: {out: classes}]\n"
    assert smallest(archspec.compile(text)).input == (3, 16, 16)
    assert check(text, level="run") == []


# -- each test can fail ------------------------------------------------------------------------------------------------


def remove(model: nn.Module) -> None:
    del model.layer1[0].bn1.weight


def extend(model: nn.Module) -> None:
    model.layer1[0].conv1.bias = nn.Parameter(torch.zeros(4))


def reshape(model: nn.Module) -> None:
    model.layer1[0].conv1.weight = nn.Parameter(torch.zeros(4, 4, 1, 1))


def reorder(model: nn.Module) -> None:
    modules = model.layer1[0]._modules
    modules["conv1"] = modules.pop("conv1")


def mislink(model: nn.Module) -> None:
    first, *_, last = model.graph.nodes
    last.args = (first.next,)
    first.next.replace_all_uses_with(last)


@pytest.mark.parametrize("alter", [remove, extend, reshape, reorder, mislink])
def test_a_built_network_with_other_weights_is_found(
    alter: Callable[[nn.Module], None], graph: Graph, model: fx.GraphModule
) -> None:
    assert compare_weights(graph, model) == []
    alter(model)
    assert codes(compare_weights(graph, model)) == {"E705"}


def test_one_bit_is_another_weight(graph: Graph, model: fx.GraphModule) -> None:
    other = archspec.build(graph, seed=0)
    assert compare_states(graph, model, other, "built again") == []
    with torch.no_grad():
        other.fc.bias[3] = torch.nextafter(other.fc.bias[3], torch.tensor(9.0))
    (fault,) = compare_states(graph, model, other, "built again")
    assert (fault.code, fault.message) == ("E707", "`fc.bias` is not the same when built again")
    assert codes(compare_states(graph, model, archspec.build(graph, seed=1), "built again")) == {"E707"}


def test_what_no_weight_says_is_lost_in_saving(graph: Graph, model: fx.GraphModule) -> None:
    assert reload(graph, model) == []
    assert model.training
    model.layer1[0].bn1.eps = 0.5
    assert [fault.message[:32] for fault in reload(graph, model)] == ["the network gives another result"]


def test_a_network_without_weights_is_saved_and_loaded() -> None:
    text = "archspec: 1\nname: bare\ninput: [3, 8, 8]\nstem: []\nhead: []\nstages: {block: own, count: 1}\n"
    bare = archspec.compile(f"{text}blocks: {{own: {{steps: [pool: {{type: max, kernel: 2}}]}}}}\n")
    assert reload(bare, archspec.build(bare)) == []


@pytest.mark.parametrize(
    "steps",
    [
        "stem: [act]\nstages: []\nhead: [flatten]",
        "stem: [pool: {type: max, kernel: 2}]\nstages: []\nhead: [flatten]",
        "stem: [norm: {affine: false}]\nstages: []\nhead: [flatten]",
        "stem: [scale: {by: 2}]\nstages: []\nhead: [flatten]",
    ],
)
def test_a_network_without_parameters_passes(steps: str) -> None:
    """There is nothing to train, and that is no fault."""
    outcome = examine(f"archspec: 1\nname: none\ninput: [3, 8, 8]\nclasses: 2\n{steps}\n", level="run")
    if outcome.graph is None:  # a spelling that the language does not have proves nothing
        pytest.fail(str(outcome))
    assert outcome.totals is not None
    assert outcome.totals.costs.params == 0
    assert [case.name for case in outcome.cases if case.passed][-1] == "pass", str(outcome)


def test_a_weight_without_a_gradient_is_found(graph: Graph, model: fx.GraphModule) -> None:
    assert run(graph, model) == []
    model.layer2.register_forward_hook(lambda module, args, result: result.detach())
    faults = run(graph, model)
    assert [fault.message for fault in faults] == [
        f"`{key}` gets no gradient" for key in ("conv1.weight", "layer1.0.conv1.weight", "layer1.0.bn1.weight")
    ]
    assert codes(faults) == {"E705"}
    assert codes(compare_gradients(graph, model)) == {"E705"}  # none is left over from the pass


def test_a_gradient_that_is_not_finite_is_found(graph: Graph, model: fx.GraphModule) -> None:
    model.layer1[0].conv1.weight.register_hook(lambda gradient: gradient / 0)
    (fault,) = run(graph, model)
    assert (fault.code, fault.message) == ("E706", "the gradient of `layer1.0.conv1.weight` is not finite")


def test_an_output_of_another_shape_is_found(graph: Graph, model: fx.GraphModule) -> None:
    model.fc = nn.Linear(8, 6)
    (fault,) = run(graph, model)
    assert fault.code == "E705"
    assert "2x6 where 2x5" in fault.message


def test_what_torch_refuses_is_a_diagnostic(graph: Graph, model: fx.GraphModule) -> None:
    model.fc = nn.Linear(7, 5)
    (fault,) = run(graph, model)
    assert fault.code == "E706"
    assert fault.message.startswith("torch refuses to run the network on 2x3x16x16: ")


def test_the_first_value_that_is_not_finite_is_named() -> None:
    text = SMALL.replace("stem: [conv: {out: 4, kernel: 3}]", SQUARES)
    (fault,) = check(text, level="run")
    # Of 2,000 normal numbers the largest is about 3.5: 3.5^128 is beyond float32, and 3.5^64 is not.
    assert fault.notes == ("first in multiply7",)
    assert fault.span.line == 5


def test_outputs_of_a_backbone_need_not_use_every_weight() -> None:
    text = SMALL + "outputs: [layer1]\n"
    outcome = examine(text)
    assert outcome.passed, outcome.diagnostics


def test_the_callers_random_numbers_are_left_alone(graph: Graph, model: fx.GraphModule) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    run(graph, model, seed=8)
    assert torch.equal(torch.rand(4), expected)


def test_steps_come_in_the_order_of_the_cases(graph: Graph) -> None:
    assert [step.name for step in on_meta(graph)] == ["shapes", "weights"]
    assert [step.name for step in with_storage(graph, largest=10**6)[0]] == ["seed", "reload", "pass"]


@pytest.mark.slow
@pytest.mark.usefixtures("freed")
@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small", "densenet121", "resnet20_cifar", "r3d_18"]
)
def test_networks_of_every_kind_pass(name: str) -> None:
    assert check(name, level="run") == []
