"""Two ways to write one network have one form; two networks that compute different things have two."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from archspec.emit.modules import ChannelLayerNorm, DropPath, PointwiseLinear
from archspec.emit.norms import ChannelRMSNorm
from archspec.tracing.canonical_form import CanonicalForm
from archspec.tracing.canonicalize import canonicalize
from archspec.tracing.trace import trace
from archspec.verification.importing import timm, torchvision_models
from archspec.verification.match import key_pairs, match

F = functional
SHAPE = (2, 8, 6, 6)


class Written(nn.Module):
    """A network of some modules and a function that calls them."""

    def __init__(self, forward: Callable[..., Tensor], **modules: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.written = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x: Tensor) -> Tensor:
        return self.written(self, x)


def form(module: nn.Module, shape: tuple[int, ...] = SHAPE) -> CanonicalForm:
    module = module if isinstance(module, Written | nn.Sequential) else nn.Sequential(module)  # as a part of a network
    traced = trace(module.train(), torch.empty(shape, device="meta"))
    return canonicalize(traced, frozenset(module.state_dict()))


def plain(function: Callable[[Tensor], Tensor]) -> nn.Module:
    """A network without weights."""
    return Written(lambda m, x: function(x))


def norm_by_hand(m: nn.Module, x: Tensor) -> Tensor:
    return F.layer_norm(x.permute(0, 2, 3, 1), (8,), m.weight, m.bias, 1e-6).permute(0, 3, 1, 2)


def shuffle_by_hand(x: Tensor) -> Tensor:
    batch, channels, height, width = x.size()
    return x.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous().view(batch, -1, height, width)


def one_times(m: nn.Module, x: Tensor) -> Tensor:
    return m.scale * x


def gate(m: nn.Module, x: Tensor) -> Tensor:
    return x * torch.sigmoid(m.fc(x.mean((2, 3), keepdim=True)))


def gate_of_modules(m: nn.Module, x: Tensor) -> Tensor:
    return m.act(m.fc(m.pool(x))).mul(x)


def scale(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.ones(shape))


torchvision_models()
timm()


def row_drop(p: float) -> nn.Module:
    from torchvision.ops import StochasticDepth

    return StochasticDepth(p, "row")


def timm_drop(p: float) -> nn.Module:
    from timm.layers import DropPath as TimmDropPath

    return TimmDropPath(p)


def timm_rms_norm() -> nn.Module:
    from timm.layers import RmsNorm2d

    return RmsNorm2d(8)


SAME: dict[str, list[nn.Module]] = {
    "relu": [
        nn.ReLU(),
        nn.ReLU(inplace=True),
        plain(torch.relu),
        plain(F.relu),
        plain(lambda x: x.relu()),
        plain(lambda x: F.relu(x, True)),
        plain(lambda x: x.clamp(min=0)),
        nn.Sequential(nn.Identity(), nn.ReLU(), nn.Dropout(0.0)),
    ],
    "relu6": [nn.ReLU6(), plain(F.relu6), nn.Hardtanh(0.0, 6.0), plain(lambda x: torch.clamp(x, 0, 6))],
    "silu": [nn.SiLU(), plain(F.silu), plain(lambda x: F.silu(x, inplace=True))],
    "hardswish": [nn.Hardswish(), plain(F.hardswish)],
    "gelu": [nn.GELU(), plain(F.gelu), plain(lambda x: F.gelu(x, approximate="none"))],
    "leaky relu": [
        nn.LeakyReLU(0.1),
        plain(lambda x: F.leaky_relu(x, 0.1)),
        plain(lambda x: F.leaky_relu(x, negative_slope=0.1)),
    ],
    "an average of two": [
        plain(lambda x: (x + x.tanh()) / 2),
        plain(lambda x: (x + x.tanh()) * 0.5),
        plain(lambda x: torch.div(x + x.tanh(), 2.0)),
    ],
    "root mean square over the channels": [ChannelRMSNorm(8, eps=1e-6), timm_rms_norm()],
    "sigmoid": [nn.Sigmoid(), plain(torch.sigmoid), plain(lambda x: x.sigmoid())],
    "global pool": [
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveAvgPool2d((1, 1)),
        plain(lambda x: F.adaptive_avg_pool2d(x, 1)),
        plain(lambda x: x.mean([2, 3], keepdim=True)),
        plain(lambda x: x.mean((-1, -2)).unsqueeze(-1).unsqueeze(-1)),
        plain(lambda x: x.permute(0, 2, 3, 1).mean((1, 2))[:, :, None, None]),
    ],
    "features": [
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        plain(lambda x: torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1)),
        plain(lambda x: F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1)),
        plain(lambda x: F.adaptive_avg_pool2d(x, 1).reshape(x.shape[0], x.shape[1])),
        plain(lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1)),
        plain(lambda x: x.mean([2, 3])),
    ],
    "flatten": [nn.Flatten(), plain(lambda x: x.flatten(1)), plain(lambda x: x.reshape(x.size(0), 8 * 6 * 6))],
    "max pool": [
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d((3, 3), stride=(2, 2), padding=1),
        plain(lambda x: F.max_pool2d(x, kernel_size=3, stride=2, padding=1)),
    ],
    "average pool": [nn.AvgPool2d(2), nn.AvgPool2d(2, 2, count_include_pad=False), plain(lambda x: F.avg_pool2d(x, 2))],
    "addition": [
        plain(lambda x: x + torch.tanh(x)),
        plain(lambda x: torch.tanh(x).add(x)),
        plain(lambda x: torch.add(x, torch.tanh(x))),
        plain(lambda x: torch.tanh(x).add_(x)),
    ],
    "concatenation": [
        plain(lambda x: torch.cat([x, torch.tanh(x), torch.relu(x)], 1)),
        plain(lambda x: torch.cat((torch.cat([x, torch.tanh(x)], dim=1), torch.relu(x)), dim=-3)),
        plain(lambda x: torch.concat([x, torch.cat([torch.tanh(x), torch.relu(x)], 1)], 1)),
    ],
    "halves": [
        plain(lambda x: torch.cat([x.chunk(2, 1)[0], torch.tanh(x.chunk(2, 1)[1])], 1)),
        plain(lambda x: torch.cat([x.chunk(2, dim=1)[0], torch.tanh(x[:, 4:])], 1)),
        plain(lambda x: torch.cat([torch.split(x, 4, 1)[0], torch.tanh(x.narrow(1, 4, 4))], 1)),
        plain(lambda x: torch.cat([x[:, :4, ...], torch.tanh(x[:, -4:, :, :])], 1)),
    ],
    "shuffle": [nn.ChannelShuffle(2), plain(lambda x: F.channel_shuffle(x, 2)), plain(shuffle_by_hand)],
    "subsampling": [plain(lambda x: x[:, :, ::2, ::2]), plain(lambda x: x[..., ::2, 0:6:2].contiguous())],
    "dropout": [
        nn.Dropout(0.3),
        plain(lambda x: F.dropout(x, 0.3)),
        plain(lambda x: F.dropout(x, p=0.3, inplace=True)),
    ],
    "dropout of channels": [nn.Dropout2d(0.3), plain(lambda x: F.dropout2d(x, 0.3))],
    "stochastic depth": [DropPath(0.25), row_drop(0.25), timm_drop(0.25)],
    "rates in single precision": [timm_drop(rate) for rate in (0.1 / 3, torch.linspace(0, 0.1, 4)[1].item())],
    "padding": [
        plain(lambda x: F.pad(x, (0, 0, 0, 0, 1, 2))),
        plain(lambda x: F.pad(x, [0, 0, 0, 0, 1, 2], "constant", 0.0)),
    ],
    "convolution": [
        Written(lambda m, x: m.conv(x), conv=nn.Conv2d(8, 4, 3, padding=1)),
        Written(lambda m, x: m.conv(x), conv=nn.Conv2d(8, 4, (3, 3), stride=(1, 1), padding="same")),
        Written(lambda m, x: F.conv2d(x, m.conv.weight, m.conv.bias, 1, 1), conv=nn.Conv2d(8, 4, 3, 2)),
    ],
    "batch norm": [
        Written(lambda m, x: m.bn(x), bn=nn.BatchNorm2d(8)),
        Written(
            lambda m, x: F.batch_norm(x, m.bn.running_mean, m.bn.running_var, m.bn.weight, m.bn.bias, True, 0.1, 1e-5),
            bn=nn.BatchNorm2d(8),
        ),
    ],
    "group norm": [
        Written(lambda m, x: m.gn(x), gn=nn.GroupNorm(2, 8)),
        Written(lambda m, x: F.group_norm(x, 2, m.gn.weight, m.gn.bias), gn=nn.GroupNorm(2, 8)),
    ],
    "channel norm": [
        ChannelLayerNorm(8, eps=1e-6),
        Written(norm_by_hand, weight=scale(8), bias=scale(8)),
        Written(lambda m, x: m.ln(x.movedim(1, -1)).movedim(-1, 1), ln=nn.LayerNorm(8, eps=1e-6)),
    ],
    "pointwise linear": [
        PointwiseLinear(8, 5),
        Written(lambda m, x: m.fc(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), fc=nn.Linear(8, 5)),
        Written(lambda m, x: m.fc(x.transpose(1, 3)).transpose(3, 1), fc=nn.Linear(8, 5)),
    ],
    "layer scale": [
        Written(one_times, scale=scale(8, 1, 1)),
        Written(lambda m, x: x.mul(m.scale.reshape(1, -1, 1, 1)), scale=scale(8)),
        Written(lambda m, x: (x.permute(0, 2, 3, 1) * m.scale).permute(0, 3, 1, 2), scale=scale(8)),
        Written(lambda m, x: torch.mul(x, m.scale[:, None, None]), scale=scale(8)),
    ],
    "gate": [
        Written(gate, fc=nn.Conv2d(8, 8, 1)),
        Written(gate_of_modules, fc=nn.Conv2d(8, 8, 1), act=nn.Sigmoid(), pool=nn.AdaptiveAvgPool2d(1)),
    ],
    "a classifier of one position": [
        Written(lambda m, x: m.fc(x.mean((2, 3))), fc=nn.Linear(8, 5)),
        Written(lambda m, x: m.fc(x.mean((2, 3), keepdim=True)).flatten(1), fc=nn.Conv2d(8, 5, 1)),
    ],
    "what was written in place is read again": [
        plain(lambda x: (lambda y: F.relu(y, inplace=True) + y)(torch.tanh(x))),
        plain(lambda x: (lambda y: y + y)(F.relu(torch.tanh(x)))),
        plain(lambda x: (lambda y: (y.relu_(), y + y)[1])(torch.tanh(x))),
    ],
    "a copy that was written over": [
        plain(lambda x: (lambda y: y.clone().relu_() + y)(torch.tanh(x))),
        plain(lambda x: (lambda y: F.relu(y) + y)(torch.tanh(x))),
    ],
    "an unknown call": [plain(lambda x: torch.cumsum(x, 1)), plain(lambda x: torch.cumsum(x, 1).contiguous())],
}


@pytest.mark.parametrize("name", SAME)
def test_one_network_has_one_form(name: str) -> None:
    first, *others = [form(module) for module in SAME[name]]
    for other in others:
        pairs = match(first, other)
        assert pairs is not None, (first.steps, other.steps)
        assert len(dict(key_pairs(first, other, pairs))) == len(first.uses())


@pytest.mark.parametrize("name", SAME)
def test_the_networks_of_the_table_compute_the_same(name: str) -> None:
    """The table above is right: torch computes equal results for all networks of a row."""
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    results = []
    for module in SAME[name]:
        for key, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                values = torch.randn(tensor.numel(), generator=torch.Generator().manual_seed(tensor.numel()))
                tensor.copy_(values.abs().reshape(tensor.shape) if "var" in key else values.reshape(tensor.shape))
        torch.manual_seed(1)
        results.append(module.train()(x.clone()))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0])


DIFFERENT: dict[str, tuple[nn.Module, nn.Module]] = {
    "activations": (nn.ReLU(), nn.ReLU6()),
    "slopes": (nn.LeakyReLU(0.1), nn.LeakyReLU(0.2)),
    "approximations": (nn.GELU(), nn.GELU("tanh")),
    "eps": (nn.BatchNorm2d(8), nn.BatchNorm2d(8, eps=1e-3)),
    "momentum": (nn.BatchNorm2d(8), nn.BatchNorm2d(8, momentum=0.01)),
    "no statistics": (nn.BatchNorm2d(8), nn.BatchNorm2d(8, track_running_stats=False)),
    "groups of a norm": (nn.GroupNorm(2, 8), nn.GroupNorm(4, 8)),
    "instance and group norm": (nn.InstanceNorm2d(8), nn.GroupNorm(8, 8, affine=False)),
    "axes of a norm": (
        Written(lambda m, x: m.ln(x), ln=nn.LayerNorm(6)),
        Written(lambda m, x: m.ln(x.transpose(2, 3)).transpose(2, 3), ln=nn.LayerNorm(6)),
    ),
    "stride": (nn.Conv2d(8, 8, 3, 1), nn.Conv2d(8, 8, 3, 2)),
    "dilation": (nn.Conv2d(8, 8, 3, padding=2), nn.Conv2d(8, 8, 3, padding=2, dilation=2)),
    "groups": (nn.Conv2d(8, 8, 3, groups=2), nn.Conv2d(8, 8, 3, groups=4)),
    "padding mode": (nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")),
    "bias": (nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3, bias=False)),
    "convolution and linear": (nn.Conv2d(8, 8, 1), PointwiseLinear(8, 8)),
    "ceil": (nn.MaxPool2d(3, 2), nn.MaxPool2d(3, 2, ceil_mode=True)),
    "padding counted": (nn.AvgPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1, count_include_pad=False)),
    "pools": (nn.MaxPool2d(2), nn.AvgPool2d(2)),
    "one axis of the mean": (plain(lambda x: x.mean(2)), plain(lambda x: x.mean(3))),
    "p": (nn.Dropout(0.3), nn.Dropout(0.5)),
    "dropouts": (nn.Dropout(0.3), nn.Dropout2d(0.3)),
    "dropout and stochastic depth": (nn.Dropout(0.3), DropPath(0.3)),
    "order of a concatenation": (
        plain(lambda x: torch.cat([x, torch.tanh(x)], 1)),
        plain(lambda x: torch.cat([torch.tanh(x), x], 1)),
    ),
    "axis of a concatenation": (plain(lambda x: torch.cat([x, x], 2)), plain(lambda x: torch.cat([x, x], 3))),
    "order of a difference": (plain(lambda x: x - torch.tanh(x)), plain(lambda x: torch.tanh(x) - x)),
    "a number": (plain(lambda x: x * 2), plain(lambda x: x * 3)),
    "a divisor that has no exact reciprocal": (plain(lambda x: x / 3), plain(lambda x: x * (1 / 3))),
    "a number divided": (plain(lambda x: x / 2), plain(lambda x: 2 / x)),
    "a factor of an addition": (
        plain(lambda x: torch.add(x, x.tanh())),
        plain(lambda x: torch.add(x, x.tanh(), alpha=2)),
    ),
    "halves": (plain(lambda x: x[:, :4]), plain(lambda x: x[:, 4:])),
    "every second": (plain(lambda x: x[:, ::2]), plain(lambda x: x[:, :4])),
    "orders of axes": (plain(lambda x: x.permute(0, 1, 3, 2)), plain(lambda x: x)),
    "flat in another order": (plain(lambda x: x.flatten(1)), plain(lambda x: x.permute(0, 2, 3, 1).flatten(1))),
    "groups of a shuffle": (nn.ChannelShuffle(2), nn.ChannelShuffle(4)),
    "padding before": (plain(lambda x: F.pad(x, (0, 0, 0, 0, 1, 2))), plain(lambda x: F.pad(x, (0, 0, 0, 0, 2, 1)))),
    "unknown calls": (plain(lambda x: torch.cumsum(x, 1)), plain(lambda x: torch.cumsum(x, 2))),
    "the axis of a parameter": (
        Written(lambda m, x: x * m.scale, scale=scale(6)),
        Written(lambda m, x: x * m.scale[:, None], scale=scale(6)),
    ),
    "shared weights": (
        Written(lambda m, x: m.a(m.b(x)), a=nn.Conv2d(8, 8, 1), b=nn.Conv2d(8, 8, 1)),
        Written(lambda m, x: m.a(m.a(x)), a=nn.Conv2d(8, 8, 1)),
    ),
    "what was written in place": (
        plain(lambda x: (lambda y: F.relu(y, inplace=True) + y)(torch.tanh(x))),
        plain(lambda x: (lambda y: F.relu(y) + y)(torch.tanh(x))),
    ),
    "a view that was written over": (
        plain(lambda x: (lambda y: torch.cat([y[:, :4].relu_(), y], 1))(torch.tanh(x))),
        plain(lambda x: (lambda y: torch.cat([y[:, :4].relu(), y], 1))(torch.tanh(x))),
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_two_networks_have_two_forms(name: str) -> None:
    one, other = DIFFERENT[name]
    assert match(form(one), form(other)) is None


def test_a_hook_is_part_of_a_module() -> None:
    hooked = nn.Sequential(nn.ReLU())
    hooked[0].register_forward_hook(lambda module, args, result: result * 2)
    assert match(form(hooked), form(nn.Sequential(nn.ReLU()))) is None


def test_tied_weights_are_one_tensor() -> None:
    tied = Written(lambda m, x: m.a(m.b(x)), a=nn.Conv2d(8, 8, 1, bias=False), b=nn.Conv2d(8, 8, 1, bias=False))
    tied.a.weight = tied.b.weight
    shared = Written(lambda m, x: m.a(m.a(x)), a=nn.Conv2d(8, 8, 1, bias=False))
    assert match(form(tied), form(shared)) is not None


def test_calls_without_a_rule_are_steps_too() -> None:
    """Each call without a rule is a step of its own."""
    module = plain(lambda x: torch.logsumexp(torch.roll(torch.cumsum(x, 1), 1, 2), 3))
    assert [step.operation.rpartition(".")[2] for step in form(module).steps] == [
        *("input", "cumsum", "roll", "logsumexp", "output"),
    ]
    assert isinstance(fx.symbolic_trace(module), fx.GraphModule)
