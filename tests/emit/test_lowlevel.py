"""Low-level source: it computes what the built network computes, step by step, with no module of torch."""

from __future__ import annotations

import ast
import json
import types
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

import archspec
from archspec.diagnostics import SpecError
from archspec.emit.lowlevel import lowlevel_source
from archspec.emit.source.snippets import PARTS, targets
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.operations.act import ACTIVATIONS
from archspec.operations.base import TorchCall
from archspec.operations.discovery import operations
from archspec.testing import specs
from tests.emit.test_python import HOSTILE, NAMES, assert_clean
from tests.support.equivalence import spec
from tests.support.returned import returned
from tests.support.sources import executed

pytestmark = pytest.mark.usefixtures("freed")

STUDIED = {
    "resnet18": (3, 64, 64),
    "resnet50": (3, 64, 64),
    "preact_resnet110_cifar": (3, 16, 16),
    "resnet56_cifar": (3, 16, 16),
    "densenet121": (3, 64, 64),
    "mobilenet_v2": (3, 64, 64),
}
LARGE = ("resnet18", "resnet50", "densenet121")
"""Those that take several seconds."""
TRAINED = STUDIED | {
    "mnasnet0_5": (3, 64, 64),
    "regnet_x_400mf": (3, 64, 64),
    "resnet20_cifar": (3, 32, 32),
    "shufflenet_v2_x0_5": (3, 64, 64),
    "squeezenet1_1": (3, 64, 64),
    "mobilenet_v3_small": (3, 64, 64),
}
"""Those that are trained, one of each family that is small enough."""
CLOSE = 1e-5
"""The largest difference, relative to the largest value of a tensor."""
BATCH = 4


def apart(first: Tensor, second: Tensor, least: float = 0.0) -> float:
    """The largest difference, relative to the largest value of the second or to ``least``."""
    return ((first - second).abs().max() / second.abs().max().clamp_min(max(least, 1e-300))).item()


def sample(graph: Graph) -> Tensor:
    return torch.randn(BATCH, *graph.input, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def assert_same_start(module: types.ModuleType, state: dict[str, Tensor]) -> None:
    """Parameters have the keys and the shapes of the state dict, and start in the same way."""
    found = module.new_params(0)
    assert {key: (each.shape, each.dtype) for key, each in found.items()} == {
        key: (each.shape, each.dtype) for key, each in state.items()
    }
    for key, value in state.items():
        if value.is_floating_point() and value.numel() >= 2_000 and value.std() > 0:
            assert found[key].std().item() == pytest.approx(value.std().item(), rel=0.1), key
        elif value.is_floating_point() and value.numel() > 1 and value.std() == 0:
            assert torch.equal(found[key], value), key


def assert_same_outputs(module: types.ModuleType, graph: Graph, model: torch.nn.Module) -> None:
    """Outputs, in eval mode and in training, gradients of all weights and of the input, and running statistics."""
    model = model.double()
    for training in (False, True):
        model.train(training)
        images = [sample(graph).requires_grad_() for _ in range(2)]
        params = {key: value.clone() for key, value in model.state_dict().items()}
        weights = [name for name, _ in model.named_parameters()]
        for name in weights:
            params[name].requires_grad_()
        torch.manual_seed(6)
        wanted = returned(model(images[0] * 1))
        torch.manual_seed(6)
        found = returned(module.forward(images[1], params, training))
        pulls = [torch.randn_like(each) for each in wanted]
        given = [images[0], *dict(model.named_parameters()).values()]
        gradients = torch.autograd.grad(wanted, given, pulls, allow_unused=True)
        own = torch.autograd.grad(found, [images[1], *[params[name] for name in weights]], pulls, allow_unused=True)
        largest = max([each.abs().max().item() for each in gradients if each is not None], default=0.0)
        for first, second in zip(found, wanted, strict=True):
            assert apart(first, second, 1e-6) < CLOSE  # zero but for rounding, after a norm over one value
        for name, first, second in zip(["input", *weights], own, gradients, strict=True):
            assert (first is None) == (second is None), name
            if first is not None:
                assert apart(first, second, max(largest, 1e-6) * CLOSE) < CLOSE, name
        for name, buffer in model.named_buffers():
            assert apart(params[name].double(), buffer.double(), 1e-6) < CLOSE, name


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in STUDIED and name not in LARGE else pytest.mark.slow) for name in TRAINED],
)
def test_five_steps_of_training_agree_with_torch(name: str) -> None:
    """SGD with momentum and weight decay in float64, as chaos in float32 makes any two orders of summing differ."""
    graph = archspec.compile(name, overrides=[f"input={list(TRAINED[name])}"])
    module, model = executed(lowlevel_source(graph)), archspec.build(graph, seed=0)
    state = model.state_dict()
    assert_same_start(module, state)
    model = model.double().train()
    params = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-4)
    images, target = sample(graph), torch.arange(BATCH)
    velocity: dict[str, Tensor] = {}
    for step in range(5):
        torch.manual_seed(step)
        loss = functional.cross_entropy(model(images), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        torch.manual_seed(step)
        assert module.sgd_step(images, target, params, velocity, rate=0.001) == pytest.approx(loss.item(), rel=CLOSE)
    for key, value in model.state_dict().items():
        assert apart(params[key].detach().double(), value.double(), 1e-3) < CLOSE, key


@given(specs())
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
def test_any_spec_computes_the_same(spec: str) -> None:
    graph = archspec.compile(spec)
    module = executed(lowlevel_source(graph))
    macs = archspec.analyze(graph, lengths=False).totals.costs.macs
    if macs is not None and macs < 1_000_000:  # others take seconds
        model = archspec.build(graph, seed=0)
        assert_same_start(module, model.state_dict())
        assert_same_outputs(module, graph, model)


LAYERS = [
    *[f"norm: {{type: {kind}, eps: 0.01}}" for kind in ("batch", "instance", "layer")],
    *[f"norm: {{type: {kind}, affine: false}}" for kind in ("batch", "instance", "layer")],
    "norm: {type: group, groups: 3}",
    "norm: {momentum: 0.3}",
    "norm: {zero_init: true}",
    *[f"act: {{type: {name}}}" for name in ACTIVATIONS],
    *[f"pool: {{type: {kind}, kernel: 3, stride: 2, padding: 1, ceil: true}}" for kind in ("avg", "max")],
    "pool: {type: avg, kernel: 3, stride: 2, padding: 1, count_padding: false}",
    "pool: {type: max, kernel: 2, stride: 1, dilation: 2}",
    *[f"pool: {{type: {kind}, output: 2}}" for kind in ("avg", "max")],
    "conv: {out: 12, kernel: 3, stride: 2, padding: 2, dilation: 2, groups: 3, bias: true}",
    "linear: {out: 5, bias: false}",
    "dropout: {p: 0.3}",
    "drop_path: {p: 0.3}",
    "drop_path: {p: 1.0}",
    "layer_scale: {initial: 0.2}",
    "channel_shuffle: {groups: 3}",
    "pad_channels: {out: 10}",
    "subsample: {stride: 2}",
    "slice: {start: 1, stop: 4}",
    "upsample: {scale: 2}",
    "blur: {stride: 2}",
    *[f"{kind}: {{over: {over}}}" for kind in ("mean", "max") for over in ("channels", "positions")],
    "power: {by: 2}",
    "reshape: {size: 1}",
    *[
        f"torch: {{module: torch.nn.{name}}}"
        for name in ("Hardshrink", "Softshrink", "Softsign", "Tanhshrink", "RReLU")
    ],
    *[f"torch: {{module: torch.nn.{name}, dim: 1}}" for name in ("LogSoftmax", "Softmax", "Softmin")],
    *[f"torch: {{module: torch.nn.{name}, p: 0.25}}" for name in ("AlphaDropout", "FeatureAlphaDropout")],
    "torch: {module: torch.nn.Threshold, threshold: 0.1, value: 2}",
]


@pytest.mark.parametrize("size", ["[6, 9]", "[6, 9, 7]", "[6, 5, 6, 7]"], ids=["1-d", "2-d", "3-d"])
@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_computes_what_that_of_torch_does(layer: str, size: str) -> None:
    if "channel_shuffle" in layer and size.count(",") == 3:
        pytest.skip("torch has no gradient for channel_shuffle in three dimensions")
    text = f"input: {size}\nstages: []\nstem: [conv: {{out: 6, kernel: 1}}, {layer}]\nhead: []"
    graph = archspec.compile(spec(text))
    assert_same_outputs(executed(lowlevel_source(graph)), graph, archspec.build(graph, seed=0))


@pytest.mark.slow
def test_every_spec_has_source_that_ruff_leaves_alone(tmp_path: Path) -> None:
    lengths = {}
    for name in NAMES:
        source = archspec.source(name, level="lowlevel")
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        lengths[name] = source.count("\n")
    assert_clean(tmp_path, 120)
    assert lengths["resnet50"] <= 260


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES[::6])
def test_networks_of_the_zoo_compute_the_same(name: str) -> None:
    graph = archspec.compile(name)
    model = archspec.build(graph, seed=0)
    module = executed(lowlevel_source(graph))
    assert_same_start(module, model.state_dict())
    images = torch.randn(1, *graph.input)
    with torch.no_grad():
        first, second = module.forward(images, dict(model.state_dict())), model.eval()(images)
        pairs = [(first, second)] if isinstance(first, torch.Tensor) else [(first[key], second[key]) for key in second]
        assert all(apart(one, two) < CLOSE for one, two in pairs)


def test_ruff_leaves_the_source_alone(tmp_path: Path) -> None:
    for width in (88, 120):
        for name in STUDIED:
            source = archspec.source(name, level="lowlevel", width=width)
            (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        assert_clean(tmp_path, width)


def test_the_source_has_no_module_of_torch() -> None:
    for name in STUDIED:
        source = archspec.source(name, level="lowlevel")
        assert "nn.Module" not in source
        assert "nn.Conv2d" not in source
        assert source == archspec.source(name, level="lowlevel")


def test_names_that_the_file_has_a_use_for() -> None:
    """Parameters of a block and scopes that are called as what a function reads, or as a function."""
    text = """
    input: [3, 8, 8]
    blocks:
      batch_norm:
        params: {p: 4, training: 0.1, conv: 3}
        steps:
          - conv: {out: p, kernel: conv, name: conv}
          - norm: {name: batch_norm}
          - act
          - dropout: {p: training}
    stages:
      - {block: batch_norm, channels: 4, count: 1}
      - {block: batch_norm, channels: 6, count: 2, p: 6, training: 0.2, conv: 1}
    head: [pool: {type: avg, output: 1}, flatten, linear: {out: 2, name: sgd_step}]
    """
    graph = archspec.compile(spec(text))
    assert_same_outputs(executed(lowlevel_source(graph)), graph, archspec.build(graph, seed=0))


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from("abc")), min_size=2, max_size=4))
@settings(max_examples=12, deadline=None)
def test_stages_of_equal_blocks_follow_each_other(stages: list[tuple[int, str]]) -> None:
    """Two stages of as many blocks are two loops, whatever their names are."""
    counts = [count for count, _ in stages]
    names = [f"{name}{number}" for number, (_, name) in enumerate(stages)]
    table = f"stages: {{block: basic, channels: 2, stride: 1, count: {counts}, name: [{', '.join(names)}]}}"
    graph = archspec.compile(spec(f"input: [2, 4, 4]\nclasses: 2\nstem: []\n{table}\n"))
    module, model = executed(lowlevel_source(graph)), archspec.build(graph, seed=0).double().eval()
    assert list(module.new_params(0)) == list(model.state_dict())
    assert apart(module.forward(sample(graph), model.state_dict(), False), model(sample(graph)), 1e-6) < CLOSE


def test_a_condition_that_compares_activation_functions() -> None:
    text = """
    input: [3, 8, 8]
    classes: 5
    stem: [layer: {out: 8}]
    blocks:
      w:
        params: {a: false, c: 3}
        residual:
          - layer: {out: channels, kernel: 3, stride: stride}
          - act: {type: relu6}
          - layer: {out: channels, kernel: c, when: not a}
          - layer: {out: channels, kernel: c, act: hardswish}
          - layer: {out: channels, kernel: 1}
    stages: {block: w, count: [3, 2], channels: [8, 8], stride: 1, a: index == 1, c: [3, 1]}
    head: classifier
    activation_order: act-only-pre
    """
    graph = archspec.compile(spec(text))
    source = lowlevel_source(graph)
    assert "nn." not in source.replace("torch.nn.functional", "")
    assert_same_outputs(executed(source), graph, archspec.build(graph, seed=0))


@given(st.text(max_size=60) | st.sampled_from(HOSTILE))
@settings(max_examples=30)
def test_no_text_of_a_spec_becomes_code(text: str) -> None:
    graph = archspec.compile(spec("input: [3, 8, 8]\nstages: []\nhead: [flatten, linear: {out: 2}]"))
    hostile = replace(graph, name=text, summary=text, paper=text)
    plain = ast.parse(lowlevel_source(graph))
    found = ast.parse(lowlevel_source(hostile, command=f"archspec build {text!r}"))
    assert [ast.dump(each) for each in found.body[1:]] == [ast.dump(each) for each in plain.body[1:]]


def test_an_operation_that_is_not_written_out_is_refused_at_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    act = operations()["act"]
    monkeypatch.setattr(act, "torch", lambda *_, **__: TorchCall("module", "torch.nn.LogSoftmax"))
    graph = archspec.compile(spec("input: [3, 8, 8]\nstages: []\nstem: [conv: {out: 4, kernel: 3}, act]\nhead: []"))
    with pytest.raises(SpecError) as caught:
        lowlevel_source(graph)
    (fault,) = caught.value.diagnostics
    assert fault.code == "E830"
    assert "LogSoftmax" in fault.message
    assert fault.span is not None


def test_a_formula_names_functions_that_the_code_has() -> None:
    source = lowlevel_source(archspec.compile("resnet18"))
    assert "y = relu(bn2(conv2(relu(bn1(conv1(x))))) + downsample(x))." in source


def test_the_three_steps_of_an_inverted_residual_are_in_its_block() -> None:
    module = ast.parse(lowlevel_source(archspec.compile("mobilenet_v2")))
    (block,) = [each for each in module.body if isinstance(each, ast.FunctionDef) and each.name == "inverted"]
    calls = [each.func.id for each in ast.walk(block) if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)]
    assert sorted(calls) == ["batch_norm", "conv", "conv_norm_act", "conv_norm_act"]
    assert "(Sandler et al. 2018, table 1)" in (ast.get_docstring(block) or "")


def test_a_shortcut_without_parameters_has_the_stride_of_its_block() -> None:
    source = lowlevel_source(archspec.compile("resnet20_cifar"))
    assert "x[:, :, ::stride, ::stride]" in source
    assert "zero_pad(x, in_channels, stride=stride)" in source


@pytest.mark.parametrize("name", [*STUDIED, "convnext_tiny", "mobilenet_v3_small"])
def test_parameters_are_in_the_order_of_the_state_dict(name: str) -> None:
    graph = archspec.compile(name)
    with torch.device("meta"):
        found = executed(lowlevel_source(graph)).new_params()
    assert list(found) == list(state(graph))


@pytest.mark.parametrize(
    "text", ['"', 'x"""\nimport os', "a\\\\", '"quoted"', "x" * 500, *[each for each in HOSTILE if "\x00" not in each]]
)
def test_no_summary_of_a_block_becomes_code(text: str, tmp_path: Path) -> None:
    head = "input: [3, 8, 8]\nstages: {block: b, count: 1, channels: 4}\nhead: [flatten, linear: {out: 2}]"
    block = "blocks: {b: {summary: %s, steps: [conv: {out: channels}]}}"
    (hostile, plain) = [
        lowlevel_source(archspec.compile(spec(f"{head}\n{block % json.dumps(each)}"))) for each in (text, "")
    ]
    assert "import os" not in [ast.unparse(each) for each in ast.walk(ast.parse(hostile)) if isinstance(each, ast.stmt)]
    assert without_texts(hostile) == without_texts(plain)
    (tmp_path / "net.py").write_text(hostile, encoding="utf-8")
    assert_clean(tmp_path, 120)


def without_texts(source: str) -> str:
    """The code without docstrings."""
    tree = ast.parse(source)
    for each in ast.walk(tree):
        if isinstance(each, ast.FunctionDef):
            each.body = [part for part in each.body if not (isinstance(part, ast.Expr) and ast.get_docstring(each))]
    return "\n".join(map(ast.unparse, tree.body[1:]))


def test_every_operation_that_is_not_written_out_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("act", "dropout"):
        call = TorchCall("module", f"torch.nn.Without{name}")
        monkeypatch.setattr(operations()[name], "torch", lambda *_, call=call, **__: call)
    stem = "stem: [conv: {out: 4, kernel: 3}, act, dropout: {p: 0.1}, act]"
    graph = archspec.compile(spec(f"input: [3, 8, 8]\nstages: []\n{stem}\nhead: []"))
    with pytest.raises(SpecError) as caught:
        lowlevel_source(graph)
    told = [(each.code, each.span and each.span.column) for each in caught.value.diagnostics]
    columns = [stem.index(", act") + 3, stem.index("dropout") + 1, stem.rindex("act") + 1]
    assert told == [("E830", column) for column in columns]


def test_every_file_belongs_to_an_operation() -> None:
    shared = {"__init__", "draws", "frozen", "training"}
    for name in [path.name.removesuffix(".py") for path in PARTS.iterdir() if path.name.endswith(".py")]:
        if name not in shared:
            assert name in operations()
            assert targets(name)


def test_a_part_that_some_sequences_inside_a_block_lack() -> None:
    text = """
    input: [3, 8, 8]
    stem: [layer: {out: 8}]
    blocks:
      some:
        params: {extra: false}
        residual:
          - layer: {out: channels, kernel: 3}
          - multiply:
              - []
              - - conv: {out: channels}
                - sequence: {name: sub, steps: [{conv: {out: channels, when: extra}}, {dropout: {p: 0.1 * index}}]}
          - layer: {out: channels}
    stages: {block: some, count: 4, channels: 8, extra: index % 2 == 1}
    """
    graph = archspec.compile(spec(text))
    assert_same_outputs(executed(lowlevel_source(graph)), graph, archspec.build(graph, seed=1))
