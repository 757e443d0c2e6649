"""The modules that torch lacks, and torch calls inside an fx graph."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

from archspec.emit.modules import ChannelLayerNorm, DropPath, PointwiseLinear, resolve
from archspec.emit.norms import ChannelRMSNorm, FrozenBatchNorm, GlobalResponseNorm
from archspec.operations.channel_shuffle import ChannelShuffle
from archspec.operations.pad_channels import PadChannels
from archspec.operations.shapes import Shape
from tests.operations.entries import CASES, TRACED, Case
from tests.support.reference import torchvision_models


@pytest.fixture(scope="module")
def stochastic_depth() -> Callable[..., Tensor]:
    torchvision_models()
    from torchvision.ops import stochastic_depth  # type: ignore[import-untyped]

    return stochastic_depth  # type: ignore[no-any-return]


@pytest.mark.parametrize("shape", [(8, 5), (8, 5, 4), (8, 5, 4, 4), (8, 5, 4, 4, 2)])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.9, 1.0])
def test_drop_path_is_torchvisions(stochastic_depth: Callable[..., Tensor], p: float, shape: Shape) -> None:
    x = torch.randn(shape)
    for training in (True, False):
        torch.manual_seed(11)
        expected = stochastic_depth(x, p, "row", training)
        torch.manual_seed(11)
        assert torch.equal(DropPath(p).train(training)(x), expected)


def test_drop_path_survives_a_symbolic_trace() -> None:
    module = DropPath(0.5)
    traced = fx.symbolic_trace(nn.Sequential(module))
    x = torch.randn(64, 3)
    torch.manual_seed(1)
    expected = module(x)
    torch.manual_seed(1)
    assert torch.equal(traced(x), expected)
    assert repr(module) == "DropPath(p=0.5)"


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_channel_layer_norm_is_a_layer_norm_at_each_position(rank: int) -> None:
    module = ChannelLayerNorm(6, eps=1e-6)
    nn.init.normal_(module.weight)
    x = torch.randn(2, 6, *[4] * rank)
    output = module(x)
    for position in torch.cartesian_prod(*[torch.arange(4)] * rank).reshape(-1, rank):
        index = (slice(None), slice(None), *position)
        expected = nn.functional.layer_norm(x[index], (6,), module.weight, module.bias, 1e-6)
        torch.testing.assert_close(output[index], expected)


def test_channel_layer_norm_and_pointwise_linear_are_torchvisions_convnext_bit_by_bit() -> None:
    models = torchvision_models()
    norm, linear = ChannelLayerNorm(6), PointwiseLinear(6, 9)
    reference = models.convnext.LayerNorm2d(6)
    x = torch.randn(2, 6, 5, 7)
    assert torch.equal(norm(x), reference(x))
    plain = nn.Linear(6, 9)
    plain.load_state_dict(linear.state_dict())
    expected = plain(nn.functional.layer_norm(x.permute(0, 2, 3, 1), (6,))).permute(0, 3, 1, 2)
    assert torch.equal(linear(norm(x)), expected)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("torch.nn.Conv2d", nn.Conv2d),
        ("torch.nn.functional.pad", nn.functional.pad),
        ("torch.cat", torch.cat),
        ("torch.Tensor.add_", torch.Tensor.add_),
        ("archspec.emit.modules.DropPath", DropPath),
    ],
)
def test_resolve(target: str, expected: object) -> None:
    assert resolve(target) is expected


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("torch.nn.Conv7d", AttributeError),
        ("torch.Tensor.nothing.at_all", AttributeError),
        ("no_such_package.part.name", ModuleNotFoundError),
        ("bare", ImportError),
    ],
)
def test_resolve_refuses(target: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        resolve(target)


def test_every_function_is_traced() -> None:
    traced = {case.name for case, _ in TRACED}
    for case in CASES:
        is_module = case.operation.torch(case.inputs).kind == "module"
        assert is_module or case.name in traced, f"`{case.name}` needs `traced` in its entry"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("case", "in_place"), TRACED, ids=str)
def test_functions_survive_fx(case: Case, in_place: bool) -> None:
    """Printed, pickled, copied, traced again and exported, a call computes the same."""
    operation, shapes = case.operation, case.inputs
    call = operation.torch(shapes, in_place=in_place)
    graph = fx.Graph()
    # The negative stands for the node before: an input of the whole graph is not written over.
    values: list[Any] = [graph.call_function(torch.neg, (graph.placeholder(f"x{i}"),)) for i in range(len(shapes))]
    root = nn.Module()
    for weight in operation.weights(shapes).values():
        root.scale = nn.Parameter(torch.randn(weight.shape))
        values.append(graph.get_attr("scale"))
    taken = (values,) if call.packed else tuple(values)
    if call.kind == "method":
        graph.output(graph.call_method(call.target, (*taken, *call.args)))
    else:
        graph.output(graph.call_function(resolve(call.target), (*taken, *call.args), dict(call.kwargs)))
    module = fx.GraphModule(root, graph)
    inputs = tuple(torch.randn(2, *shape) for shape in shapes)
    expected = module(*inputs)
    assert tuple(expected.shape) == (2, *operation.shape(shapes))
    for other in (
        pickle.loads(pickle.dumps(module)),
        copy.deepcopy(module),
        fx.symbolic_trace(module),
        torch.export.export(module, inputs).module(),
        torch.compile(module, backend="aot_eager"),
    ):
        assert torch.equal(other(*inputs), expected)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_channel_shuffle_is_a_transposition(rank: int) -> None:
    shape = (12, *[3] * rank)
    call = ChannelShuffle(groups=4).torch((shape,))
    x = torch.randn(2, *shape)
    expected = x.view(2, 4, 3, *shape[1:]).transpose(1, 2).reshape(x.shape)
    assert torch.equal(resolve(call.target)(x, *call.args), expected)


@pytest.mark.parametrize(("at", "before"), [("end", 0), ("both", 1)])
def test_pad_channels_adds_zeros_and_keeps_the_rest(at: str, before: int) -> None:
    x = torch.randn(2, 4, 3, 3)
    call = PadChannels(out=7, at=at).torch((tuple(x.shape[1:]),))
    output = resolve(call.target)(x, *call.args)
    assert torch.equal(output[:, before : before + 4], x)
    assert output.count_nonzero() == x.count_nonzero()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_channel_rms_norm_is_an_rms_norm_at_each_position(rank: int) -> None:
    module = ChannelRMSNorm(6, eps=1e-6)
    nn.init.normal_(module.weight)
    x = torch.randn(2, 6, *[4] * rank)
    expected = x * (x.pow(2).mean(1, keepdim=True) + 1e-6).rsqrt() * module.weight.view(-1, *[1] * rank)
    torch.testing.assert_close(module(x), expected)


def test_global_response_norm_is_timms_bit_by_bit() -> None:
    torchvision_models()
    from timm.layers.grn import GlobalResponseNorm as Reference  # type: ignore[import-untyped]

    own, reference = GlobalResponseNorm(6), Reference(6, channels_last=False)
    for parameter in own.parameters():
        nn.init.normal_(parameter)
    reference.load_state_dict(own.state_dict())
    x = torch.randn(2, 6, 5, 7)
    assert torch.equal(own(x), reference(x))


def test_frozen_batch_norm_is_torchvisions_bit_by_bit() -> None:
    """Its keys too; and in training nothing of it changes."""
    torchvision_models()
    from torchvision.ops.misc import FrozenBatchNorm2d  # type: ignore[import-untyped]

    own, reference = FrozenBatchNorm(6), FrozenBatchNorm2d(6)
    for buffer in own.buffers():
        buffer.uniform_(0.5, 2)
    reference.load_state_dict(own.state_dict())
    assert list(own.state_dict()) == list(reference.state_dict())
    before = copy.deepcopy(own.state_dict())
    x = torch.randn(2, 6, 5, 7)
    assert torch.equal(own.train()(x), reference(x))
    assert all(torch.equal(before[key], value) for key, value in own.state_dict().items())
    assert not list(own.parameters())
