"""The readable source: it gives the network that `build` gives, and ruff has nothing to change."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import init

import archspec
from archspec.emit.initialize import INITIALIZERS
from archspec.emit.python import _imports, python_source
from archspec.emit.source import starts
from archspec.emit.source.auxiliary import auxiliary, names_of_auxiliary
from archspec.graph.graph import Graph
from archspec.operations.base import TorchCall
from archspec.operations.discovery import operations
from archspec.operations.traits import Elementwise
from archspec.testing import specs
from tests.support.equivalence import compiled, spec
from tests.support.paths import SPECS
from tests.support.sources import TARGETS, assert_same_keys, assert_same_network, executed, network_class

pytestmark = pytest.mark.usefixtures("freed")

RUFF = Path(sys.executable).parent / "ruff"
NAMES = sorted(path.stem for path in SPECS.glob("*.yaml"))
SEGMENTATION = {
    *("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101"),
    *("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"),
}
SMALL = {
    "resnet18": (32, 32),
    "preact_resnet110_cifar": (16, 16),
    "resnet56_cifar": (16, 16),
    "densenet121": (32, 32),
    "googlenet": (64, 64),
    "mobilenet_v3_small": (32, 32),
    "shufflenet_v2_x0_5": (32, 32),
    "efficientnet_b0": (32, 32),
    "regnet_y_400mf": (32, 32),
    "squeezenet1_1": (32, 32),
}


def assert_clean(folder: Path, width: int) -> None:
    """What a strict user of ruff would see: nothing."""
    lint = [RUFF, "check", "--isolated", "--select", "E,F,I,UP,B", "--line-length", str(width), folder]
    form = [RUFF, "format", "--isolated", "--check", "--diff", "--line-length", str(width), folder]
    for command in (lint, form):
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        assert not done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", SMALL)
def test_the_source_gives_the_same_network(name: str) -> None:
    graph = archspec.compile(name)
    assert_same_network(python_source(graph), graph, SMALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("width", [88, 120])
def test_every_spec_has_short_source_that_ruff_leaves_alone(width: int, tmp_path: Path) -> None:
    lengths = {}
    for name in NAMES:
        graph = archspec.compile(name)
        source = python_source(graph, command=f"archspec build {name} -o {name}.py", width=width)
        assert_same_keys(source, graph)
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        lengths[name] = source.count("\n")
    assert_clean(tmp_path, width)
    if width == 120:
        classifiers = sorted(length for name, length in lengths.items() if name not in SEGMENTATION)
        assert lengths["resnet50"] <= 80
        assert classifiers[len(classifiers) // 2] <= 85
        assert classifiers[-2] <= 160  # Inception-v3 has five distinct blocks


def test_ruff_leaves_the_source_alone(tmp_path: Path) -> None:
    for name in SMALL:
        (tmp_path / f"{name}.py").write_text(archspec.source(name, width=88), encoding="utf-8")
    assert_clean(tmp_path, 88)


@given(specs())
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_the_source_of_any_spec_gives_the_same_network(spec: str) -> None:
    graph = archspec.compile(spec)
    source = python_source(graph)
    assert_same_keys(source, graph)
    macs = archspec.analyze(graph, lengths=False).totals.costs.macs
    if macs is not None and macs < 2_000_000:  # others take seconds
        assert_same_network(source, graph)


@pytest.mark.parametrize(
    ("name", "block", "given"),
    [("resnet18", "Basic", {}), ("resnet50", "Bottleneck", {}), ("mobilenet_v2", "Inverted", {"expand": 6})],
)
@pytest.mark.parametrize("widths", [(16, 32), (16, 16), (64, 16)])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_takes_numbers_that_the_network_does_not_use(
    name: str, block: str, given: dict[str, int], widths: tuple[int, int], stride: int
) -> None:
    """As of a person who edits the file: a shortcut that changes the shape follows the block's stride and widths."""
    made = getattr(executed(archspec.source(name)), block)(*widths, stride=stride, **given)
    assert made(torch.randn(2, widths[0], 8, 8)).shape[2:] == (8 // stride, 8 // stride)


HOSTILE = [
    '"""',
    "\\",
    '\\"""',
    "a\nb",
    '"',
    "'''",
    "\x00\x1b[31m",
    "é {} %s",
    '"""\nimport os\nos.abort()\n"""',
    "# noqa",
]


@given(st.text(max_size=60) | st.sampled_from(HOSTILE))
@example('ends with a quote"')
@example("word " * 40)
@settings(max_examples=60)
def test_no_text_of_a_spec_becomes_code(text: str) -> None:
    graph = archspec.compile(spec("input: [3, 8, 8]\nstages: []\nhead: [flatten, linear: {out: 2}]"))
    assert graph.origin
    values = {**graph.origin.document.value, "summary": text, "paper": text}
    document = replace(graph.origin.document, value=values)
    hostile = replace(graph, name=text, origin=replace(graph.origin, document=document))
    plain = ast.parse(python_source(graph))
    found = ast.parse(python_source(hostile, command=f"archspec build {text!r}"))
    assert isinstance(found.body[0], ast.Expr)
    assert [type(each) for each in found.body] == [type(each) for each in plain.body]
    for tree in (plain, found):
        tree.body[-1].name = "Net"  # type: ignore[attr-defined]
        del tree.body[0]
    assert ast.dump(found) == ast.dump(plain)


@pytest.mark.parametrize("name", ["2plus1d", "None", "torch", "Tensor", "DropPath", "nn", "ünïcode", "class"])
def test_a_name_that_python_cannot_have(name: str) -> None:
    text = "input: [3, 8, 8]\nstages: []\nstem: [conv: {out: 4, kernel: 3}]\nhead: [flatten, linear: {out: 2}]"
    graph = replace(archspec.compile(spec(text)), name=name)
    source = python_source(graph)
    assert_same_network(source, graph)


def test_the_source_needs_only_torch() -> None:
    used = {
        name.split(".")[0]
        for spec_name in SMALL
        for node in ast.walk(ast.parse(archspec.source(spec_name)))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        + ([each.name for each in node.names] if isinstance(node, ast.Import) else [])
    }
    assert used <= {"torch", "math", "collections"}


def test_equal_graphs_have_equal_source() -> None:
    assert archspec.source("resnet50") == archspec.source(archspec.compile("resnet50"))
    assert archspec.compile("resnet50").fingerprint in archspec.source("resnet50")


@pytest.mark.parametrize("conv", INITIALIZERS)
@pytest.mark.parametrize("bias", ["torch", "zero"])
def test_every_word_of_init(conv: str, bias: str) -> None:
    """With biases on some convolutions, and a residual whose last norm starts at zero."""
    text = f"""
input: [3, 8, 8]
stem: [conv: {{out: 8, kernel: 3, bias: true}}, norm, act]
stages: {{block: basic, count: [1, 2], channels: [8, 16], stride: [1, 2]}}
head: [{{pool: {{type: avg, output: 1}}}}, flatten, {{linear: {{out: 4}}}}]
init: {{conv: {conv}, linear: {conv}, bias: {bias}, zero_init_residual: true}}
"""
    graph = archspec.compile(spec(text))
    assert_same_network(python_source(graph), graph)


def test_the_initializers_are_those_of_build() -> None:
    assert starts._DRAWN.keys() == INITIALIZERS.keys()
    for word, statement in starts._DRAWN.items():
        module = nn.Conv2d(4, 6, 3)
        torch.manual_seed(0)
        exec(statement, {"nn": nn, "module": module, "math": __import__("math"), "init": init})
        drawn = module.weight.detach().clone()
        expected = torch.empty_like(drawn)
        INITIALIZERS[word](expected, torch.Generator().manual_seed(0))
        assert torch.equal(drawn, expected)


NESTED = """
input: [3, 8, 8]
stem: [layer: {out: 8, kernel: 3}]
blocks:
  nested:
    residual:
      - layer: {out: channels, kernel: 3}
      - add:
          - []
          - - layer: {out: channels, kernel: 3}
            - layer: {out: channels, kernel: 3, act: none}
      - act
      - layer: {out: channels, kernel: 3}
stages: {block: nested, count: [2, 3, 2], channels: 8, drop_path: 0.3 * number / blocks}
head: [{pool: {type: avg, output: 1, name: head.pool}}, flatten, {linear: {out: 4, name: head.1}}]
"""


def test_values_scopes_and_rates_are_written_as_a_person_writes_them() -> None:
    graph = archspec.compile(spec(NESTED))
    source = python_source(graph)
    assert_same_network(source, graph)
    assigned = set(re.findall(r"^        (\w+) \+?= ", source, re.MULTILINE))
    assert "inner" in assigned
    assert not [name for name in assigned if re.search(r"\d", name)]
    assert 'self.head["1"] = nn.Linear(8, 4)' in source
    assert "getattr" not in source
    assert "Nested(0.3 * (i + 2) / 7) for i in range(3)" in source


def test_several_outputs_are_a_dict() -> None:
    text = """
input: [3, 16, 16]
stem: [conv: {out: 8, kernel: 3}]
stages: {block: basic, count: [1, 1], channels: [8, 16], stride: [1, 2]}
head: [{pool: {type: avg, output: 1}}, flatten, {linear: {out: 4}}]
outputs: [layer1, layer2]
"""
    graph = archspec.compile(spec(text))
    assert not graph.single
    assert_same_network(python_source(graph), graph)


@dataclass(frozen=True)
class Foreign(Elementwise):
    """An operation that is not part of torch."""

    name = "foreign"
    summary = "Foreign."

    def torch(self, inputs: tuple[tuple[int, ...], ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "somewhere.else_")


def test_an_operation_that_torch_lacks_is_refused() -> None:
    graph = archspec.compile("resnet18")
    node = graph.by_name["relu"]._replace(operation=Foreign())
    foreign: Graph = replace(graph, nodes=tuple(node if each.name == "relu" else each for each in graph.nodes))
    with pytest.raises(archspec.SpecError) as caught:
        python_source(foreign)
    (fault,) = caught.value.diagnostics
    assert fault.code == "E830"
    assert fault.span == node.span
    assert "relu" in fault.message


def test_a_network_made_by_hand_has_source() -> None:
    graph = archspec.compile("resnet18")
    alone = replace(graph, origin=None, nodes=tuple(node._replace(provenance=None) for node in graph.nodes))
    assert issubclass(network_class(executed(python_source(alone))), nn.Module)
    assert operations()


def test_an_activation_that_some_blocks_lack_is_not_shared_with_one_that_all_have() -> None:
    text = """
        input: [3, 8, 8]
        stem: [layer: {out: 8}]
        blocks:
          two:
            params: {extra: false}
            residual:
              - layer: {out: channels, kernel: 3}
              - layer: {out: channels}
              - layer: {out: channels, kernel: 5, when: extra}
              - layer: {out: channels}
        stages: {block: two, count: 4, channels: 8, extra: index % 2 == 1}
    """
    graph = archspec.compile(spec(text))
    assert_same_network(python_source(graph), graph, (8, 8))


OPTIONAL = {
    "a weight": "- layer_scale: {initial: 0.5, when: extra}",
    "a merge with another name in each use": """- act: {type: silu, when: extra}
              - concat: [[], {when: extra, steps: [conv: {out: 4}, multiply: [[], [conv: {out: 4}]]]}]
              - conv: {out: channels}
              - concat: [[], [conv: {out: channels}]]""",
}


@pytest.mark.parametrize("steps", OPTIONAL.values(), ids=OPTIONAL)
def test_what_some_blocks_lack(steps: str) -> None:
    text = f"""
        input: [3, 8, 8]
        stem: [layer: {{out: 8}}]
        blocks:
          some:
            params: {{extra: false}}
            residual:
              - layer: {{out: channels, kernel: 3}}
              {steps}
              - layer: {{out: channels}}
        stages: {{block: some, count: 4, channels: 8, extra: index % 2 == 1}}
    """
    graph = archspec.compile(spec(text))
    assert_same_network(python_source(graph), graph, (8, 8))


CONDITIONS = {
    "a scope that is a sequence in some blocks only": """
          - layer: {out: channels}
          - sequence:
              name: sub
              steps: [norm, act, {se: {squeeze: size + 2}}, {channel_shuffle: {groups: 2, when: number < 3}}]
          - layer: {out: channels, kernel: kernel, act: silu, when: index == 0}
          - layer: {out: channels}""",
    "a scope with a function in some blocks, and a sequence in others": """
          - layer: {out: channels}
          - sequence: {name: sub, steps: [act: {type: tanh}, channel_shuffle: {groups: 2}], when: extra}
          - sequence: {name: sub, steps: [norm, conv: {out: channels}], when: not extra}
          - layer: {out: channels}""",
    "a condition with the name of a part": """
          - layer: {out: channels, kernel: 3}
          - sequence:
              name: sub
              steps:
                - multiply:
                    - []
                    - {when: extra, steps: [conv: {out: channels, kernel: kernel}]}
                    - {when: extra, steps: []}
          - layer: {out: channels}""",
    "a value in the place of an optional merge": """
          - add:
              - [layer: {out: channels, kernel: 3}]
              - {when: extra, steps: []}
          - act: {type: silu, when: size > 0}
          - add:
              - []
              - {when: not extra, steps: [layer: {out: channels, kernel: kernel}]}
          - layer: {out: channels}""",
}


@pytest.mark.parametrize("steps", CONDITIONS.values(), ids=CONDITIONS)
def test_conditions_of_whole_blocks(steps: str) -> None:
    text = f"""
    input: [3, 8, 8]
    stem: [layer: {{out: 8}}]
    blocks:
      some:
        params: {{extra: false, size: 0, kernel: 3}}
        steps:{steps}
    stages:
      block: some
      count: [3, 2]
      channels: 8
      extra: [[true, false, true], false]
      size: [[0, 2, 0], 2]
      kernel: 3 - 2 * (index % 2)
    """
    graph = archspec.compile(spec(text))
    assert_same_network(python_source(graph), graph, (8, 8))


@pytest.mark.parametrize("name", sorted(TARGETS & names_of_auxiliary()))
def test_a_definition_that_is_copied_has_all_names_that_it_reads(name: str, tmp_path: Path) -> None:
    """Those of its annotations too, which Python evaluates in a file that does not postpone them."""
    copied = auxiliary([name])
    used = {node.id for text in copied for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    source = "\n\n\n".join([_imports(used), *copied])
    assert name in vars(executed(source))
    (tmp_path / "copied.py").write_text(f"{source}\n", encoding="utf-8")
    lint = [RUFF, "check", "--isolated", "--select", "F821", tmp_path]
    found = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert not found.returncode, found.stdout


@pytest.mark.parametrize("layer", ["l{n}", "l-{n}", "{n}", "l{n}.x"])
@pytest.mark.parametrize("outputs", ["head", "[head, {training: layer1.0.downsample}]", "[head, layer1.0]"])
def test_a_start_of_its_own_is_set_wherever_the_tensor_is(layer: str, outputs: str) -> None:
    """In a sequence, in a scope of numbers that is not a sequence, and under a name that Python does not allow."""
    graph = compiled(
        f"""
        input: [3, 8, 8]
        classes: 5
        stem: [layer: {{out: 4, kernel: 3}}]
        stages: {{block: basic, count: 2, channels: 8}}
        init: {{zero_init_residual: true}}
        activation_order: act-only-pre
        naming: {{layer: "{layer}"}}
        outputs: {outputs}
        """
    )
    assert_same_network(python_source(graph), graph)
