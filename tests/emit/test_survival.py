"""Both kinds of result survive what is done to torch's models: copied, pickled, traced, compiled, exported."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

import archspec
from archspec.emit.modules import Network
from tests.support.equivalence import scramble, spec

NESTED_AND_FLAT = pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])

# Most of what fx treats in its own way: an addition in place, a gate, functions, weights that are attributes, a branch
# with a name of its own, and shortcuts with and without parameters.
SMALL = """
    input: [3, 16, 16]
    classes: 5
    stem: cifar
    blocks:
      scaled:
        channels: output width
        residual:
          - layer: {out: channels, kernel: 3, stride: stride}
          - se: {squeeze: 4}
          - layer: {out: channels, kernel: 3}
          - layer_scale: {initial: 0.5}
    stages:
      block: [basic, scaled]
      count: 2
      channels: [16, 24]
      stride: [1, 2]
      shortcut: [projection, zero-pad]
    """


def small(flat: bool) -> fx.GraphModule:
    model = archspec.build(spec(SMALL), flat=flat)
    scramble(model)
    return model


def images() -> Tensor:
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def assert_same_model(found: nn.Module, model: nn.Module) -> None:
    """Equal keys and weights in order, equal results in eval and in train mode, and equal statistics after that."""
    assert list(found.state_dict()) == list(model.state_dict())
    assert [key for key, _ in found.named_parameters()] == [key for key, _ in model.named_parameters()]
    for mode in (False, True):
        for module in (found, model):
            module.train(mode)
        assert torch.equal(found(images()), model(images()))
    for (key, value), wanted in zip(found.state_dict().items(), model.state_dict().values(), strict=True):
        assert torch.equal(value, wanted), key


def saved_and_loaded(model: nn.Module) -> Any:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES: dict[str, Callable[[nn.Module], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "torch.save": saved_and_loaded,
    "deepcopy of a pickle": lambda model: copy.deepcopy(pickle.loads(pickle.dumps(model))),
    "pickle of a deepcopy": lambda model: pickle.loads(pickle.dumps(copy.deepcopy(model))),
}


@NESTED_AND_FLAT
@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_a_model_of_its_own(way: str, flat: bool) -> None:
    model = small(flat)
    copied = COPIES[way](model)
    assert isinstance(copied, Network)
    assert not {id(value) for value in copied.state_dict(keep_vars=True).values()} & {
        id(value) for value in model.state_dict(keep_vars=True).values()
    }
    assert_same_model(copied, model)
    with torch.no_grad():
        copied.fc.weight.zero_()
    assert model.fc.weight.any()


@NESTED_AND_FLAT
@pytest.mark.parametrize("way", COPIES)
def test_a_copy_keeps_what_its_nodes_and_it_say(way: str, flat: bool) -> None:
    """Scopes, shapes and lines are what an error is explained with: losing them would be noticed too late."""
    model = small(flat)
    copied = COPIES[way](model)
    assert copied.meta["archspec"] == model.meta["archspec"]
    pairs = zip(copied.named_modules(), model.named_modules(), strict=True)
    for (path, found), (other, wanted) in pairs:
        assert path == other
        if not isinstance(wanted, fx.GraphModule):
            continue
        for node, original in zip(found.graph.nodes, wanted.graph.nodes, strict=True):
            for key in ("scope", "operation", "shape", "span"):
                assert node.meta[key] == original.meta[key], f"{path}: {node}: {key}"
            assert (node.op, node.target) == (original.op, original.target)
            assert [str(i.meta["scope"]) for i in node.all_input_nodes] == [
                str(i.meta["scope"]) for i in original.all_input_nodes
            ]


@pytest.mark.parametrize("way", ["pickle", "torch.save"])
def test_a_pickle_keeps_mode_hooks_and_attributes(way: str) -> None:
    model = small(flat=False).eval()
    model.labels = ["cat", "dog"]
    model.layer1.requires_grad_(False)
    model.register_forward_hook(double)
    copied = COPIES[way](model)
    assert copied.labels == ["cat", "dog"]
    assert not any(module.training for module in copied.modules())
    assert [value.requires_grad for value in copied.parameters()] == [v.requires_grad for v in model.parameters()]
    assert torch.equal(copied(images()), model(images()))
    assert torch.equal(model(images()), 2 * model.forward(images()))


def double(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return 2 * output


def test_a_graph_that_was_changed_is_pickled_as_changed() -> None:
    model = small(flat=True)
    for node in model.graph.nodes:
        if node.op == "output":
            with model.graph.inserting_before(node):
                doubled = model.graph.call_function(torch.mul, (node.args[0], 2))
            node.args = (doubled,)
    model.recompile()
    copied = pickle.loads(pickle.dumps(model))
    assert_same_model(copied, model)
    assert [n.meta.get("scope") for n in copied.graph.nodes] == [n.meta.get("scope") for n in model.graph.nodes]


@NESTED_AND_FLAT
def test_symbolic_trace(flat: bool) -> None:
    """fx's own tracer goes through every block and gives one graph that computes the same."""
    model = small(flat)
    traced = fx.symbolic_trace(model)
    assert not any(
        isinstance(traced.get_submodule(str(n.target)), Network) for n in traced.graph.nodes if n.op == "call_module"
    )
    assert torch.equal(traced.eval()(images()), model.eval()(images()))


@NESTED_AND_FLAT
def test_interpreter(flat: bool) -> None:
    model = small(flat).eval()
    assert torch.equal(fx.Interpreter(model).run(images()), model(images()))


@NESTED_AND_FLAT
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_compile_without_a_graph_break(mode: str, flat: bool) -> None:
    torch._dynamo.reset()
    model = small(flat).train(mode == "train")
    compiled = torch.compile(copy.deepcopy(model), backend="aot_eager", fullgraph=True)
    found, expected = compiled(images()), model(images())
    torch.testing.assert_close(
        found, expected
    )  # autograd's graph is partitioned, and sums may be taken in another order
    found.sum().backward()
    expected.sum().backward()
    gradients = zip(compiled.parameters(), model.parameters(), strict=True)
    for gradient, wanted in gradients:
        torch.testing.assert_close(gradient.grad, wanted.grad, rtol=1e-4, atol=1e-5)
    torch._dynamo.reset()


@NESTED_AND_FLAT
@pytest.mark.parametrize("strict", [False, True], ids=["", "strict"])
def test_export(strict: bool, flat: bool) -> None:
    model = small(flat).eval()
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(model, (images(),), dynamic_shapes=({0: batch},), strict=strict)
    assert set(program.state_dict) == set(model.state_dict())
    exported = program.module()
    for count in (4, 3):
        assert torch.equal(exported(images()[:count]), model(images()[:count]))


def test_exported_program_is_written_and_read(tmp_path: Path) -> None:
    model = small(flat=False).eval()
    torch.export.save(torch.export.export(model, (images(),)), tmp_path / "model.pt2")
    assert torch.equal(torch.export.load(tmp_path / "model.pt2").module()(images()), model(images()))


def test_functional_call_and_vmap() -> None:
    """Per-example gradients by `torch.func`, as differential privacy needs them."""
    model = small(flat=False).eval()
    parameters = {key: value.detach() for key, value in model.named_parameters()}

    def loss(parameters: dict[str, Tensor], image: Tensor) -> Tensor:
        return torch.func.functional_call(model, parameters, (image[None],)).sum()

    gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, images())
    model.zero_grad()
    model(images()[:1]).sum().backward()
    torch.testing.assert_close(gradients["fc.weight"][0], model.fc.weight.grad)


@NESTED_AND_FLAT
def test_casting_and_moving(flat: bool) -> None:
    model = small(flat).eval()
    expected = model(images())
    double = copy.deepcopy(model).double()
    assert double(images().double()).dtype == torch.float64
    torch.testing.assert_close(double(images().double()).float(), expected, rtol=1e-4, atol=1e-4)
    assert copy.deepcopy(model).to("meta")(images().to("meta")).shape == expected.shape
    channels_last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    torch.testing.assert_close(channels_last(images()), expected, rtol=1e-4, atol=1e-4)
