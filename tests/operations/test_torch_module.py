"""Layers of torch by their names: the table against torch's signatures, and a network of them in every form."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.emit.lowlevel import lowlevel_source
from archspec.operations.torch_module import MODULES, NEEDED, RANKS, TorchModule
from archspec.testing.expectations import check_expectations
from tests.support.equivalence import compiled
from tests.support.sources import executed

STEPS = """
  - torch: {module: torch.nn.Softshrink, lambd: 0.125}
  - torch: {module: torch.nn.LayerNorm, normalized_shape: [8, 8]}
  - torch: {module: torch.nn.RMSNorm, normalized_shape: 8, name: last}
  - torch: {module: torch.nn.Dropout2d, p: 0.25}
  - torch: {module: torch.nn.Softmax2d}
  - torch: {module: torch.nn.Unfold, kernel_size: 2, stride: 2}
  - torch: {module: torch.nn.Fold, output_size: 8, kernel_size: 2, stride: 2}
"""
SPEC = f"archspec: 1\nname: by_name\ninput: [3, 8, 8]\nstem:{STEPS}stages: []\nhead: []\n"


def by_hand() -> nn.Module:
    return nn.Sequential(
        nn.Softshrink(0.125),
        nn.LayerNorm([8, 8]),
        nn.RMSNorm(8),
        nn.Dropout2d(0.25),
        nn.Softmax2d(),
        nn.Unfold(2, stride=2),
        nn.Fold(8, 2, stride=2),
    )


@pytest.mark.parametrize("word", MODULES)
def test_the_arguments_are_those_of_the_signature(word: str) -> None:
    """With torch's defaults; `inplace`, the device and the dtype are not for a spec to say."""
    parameters = inspect.signature(getattr(nn, word)).parameters
    unsaid = ("inplace", "device", "dtype", "args", "kwargs")
    own = {name: each.default for name, each in parameters.items() if name not in unsaid}
    needed = {name for name, value in own.items() if value is inspect.Parameter.empty}
    if word in ("Softmax", "Softmin", "LogSoftmax"):
        needed, own = {"dim"}, {"dim": NEEDED}  # torch guesses an axis, and warns
    assert {name for name, value in MODULES[word].items() if value is NEEDED} == needed
    others = {name: value for name, value in own.items() if name not in needed}
    assert {name: value for name, value in MODULES[word].items() if name not in needed} == others


@pytest.mark.parametrize("word", MODULES)
def test_a_layer_takes_one_tensor_and_has_no_buffers(word: str) -> None:
    given = {"dim": 1, "normalized_shape": 8, "kernel_size": 1, "output_size": 8, "threshold": 0, "value": 0}
    needed = {name: given[name] for name, value in MODULES[word].items() if value is NEEDED}
    layer = getattr(nn, word)(**needed)
    assert len(inspect.signature(layer.forward).parameters) == 1
    assert not list(layer.buffers())
    shape = (3, 64) if word == "Fold" else (3, *(8,) * RANKS.get(word, 2))
    operation = TorchModule(f"torch.nn.{word}", **needed)
    assert operation.shape((shape,)) == tuple(layer.eval()(torch.randn(5, *shape)).shape[1:])


def test_a_network_is_that_written_by_hand() -> None:
    """Its keys, initial weights, outputs and gradients, also in training; and those of both sources."""
    graph = archspec.compile(SPEC)
    own, other = archspec.build(graph, seed=0), by_hand()
    keys = ["layernorm.weight", "layernorm.bias", "last.weight"]
    assert list(own.state_dict()) == keys
    for first, second in zip(own.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(first, second)
    for value, parameter in zip(own.parameters(), other.parameters(), strict=True):
        nn.init.uniform_(value, 0.5, 1.5)
        parameter.data.copy_(value)
    readable = executed(archspec.source(graph)).ByName()
    readable.load_state_dict(own.state_dict())
    low = vars(executed(lowlevel_source(graph)))
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    params = dict(own.state_dict())
    for training in (False, True):
        expected = ran(other.train(training), x)
        for call in (own.train(training), readable.train(training)):
            assert all(map(torch.equal, ran(call, x), expected))
        found = ran(functools.partial(low["forward"], p=params, training=training), x)
        torch.testing.assert_close(found, expected)


def ran(call: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The output and the gradient with respect to the input."""
    torch.manual_seed(1)
    output = call(x)
    (gradient,) = torch.autograd.grad(output.square().sum(), x)
    return output, gradient


def test_costs_are_unavailable() -> None:
    analysis = archspec.analyze(SPEC)
    told = str(analysis)
    assert analysis.totals.costs.macs is None
    assert analysis.totals.costs.params == 8 * 8 * 2 + 8
    assert "unavailable" in told


def test_the_layers_that_keep_figures_from_being_known_are_named() -> None:
    """By their modules: archspec has no rule, not torch. What is unavailable for the same reason is said once."""
    analysis = archspec.analyze(SPEC)
    layers = ["Softshrink", "LayerNorm", "RMSNorm", "Dropout2d", "Softmax2d", "Unfold", "Fold"]
    assert analysis.unavailable["macs"] == tuple(f"torch.nn.{each}" for each in layers)
    told = ", ".join(f"`torch.nn.{each}`" for each in layers)
    assert str(analysis).endswith(f"are unavailable: archspec has no rule for {told}.")
    assert "archspec has no rule for the signal in `torch.nn.Softshrink`" in str(archspec.signal(SPEC))


@pytest.mark.parametrize("key", ["macs", "receptive_field", "effective_receptive_field", "gradient_span"])
def test_an_expectation_names_the_layers_and_their_steps(key: str) -> None:
    steps = ["  - torch: {module: torch.nn.Softshrink}", "  - torch: {module: torch.nn.Hardshrink}"]
    spec = "\n".join([SPEC.partition("\n  -")[0], *steps, steps[0], "stages: []", "head: []"])
    (fault,) = check_expectations(archspec.compile(spec), [f"{key}<=2"])
    assert fault.code == "E702"
    assert fault.help.startswith("archspec has no rule for `torch.nn.Softshrink`")
    first, *others = fault.labels
    assert (first.span.line, first.span.column) == (5, 5)
    assert first.text == "this step is `torch.nn.Softshrink`"
    assert [label.text for label in others] in ([], ["this step is `torch.nn.Hardshrink`"])


def test_a_constant_axis_of_weights_may_not_be_the_batch() -> None:
    """Torch accepts a norm over the examples of a batch of the right number; it would refuse every other batch."""
    with pytest.raises(archspec.SpecError, match="E509"):
        compiled(
            "input: [4, 8]\nstages: []\nhead: []\n"
            "stem: [torch: {module: torch.nn.LayerNorm, normalized_shape: [2, 4, 8]}]"
        )


def test_without_torch_it_says_what_is_missing() -> None:
    code = "import sys; sys.modules['torch'] = None; import archspec\n"
    code += f"try: archspec.compile({SPEC!r})\n"
    code += "except archspec.EnvironmentFault as fault: print(fault.diagnostic.code, fault.diagnostic.message)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("E809 the step `torch: {module: torch.nn.Softshrink}` needs the package torch")


def test_no_word_of_a_spec_is_imported() -> None:
    for word in ("os.system", "archspec.build", "torch.nn.Module", "torch.nn.utils.rnn", "torch.nn"):
        with pytest.raises(archspec.SpecError, match="E204"):
            compiled(f"input: [3, 8, 8]\nstages: []\nhead: []\nstem: [torch: {{module: {word}}}]")
