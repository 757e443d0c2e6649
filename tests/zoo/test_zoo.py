"""Every spec of the zoo against torchvision, against modules written by hand, and against the figures of the papers."""

from __future__ import annotations

import copy
import operator
from pathlib import Path

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.language.load import load
from archspec.testing.against_torch import BATCH, compare_shapes, lint
from archspec.testing.expectations import check_expectations
from tests.support.equivalence import assert_equivalent, scramble, transfer, weights
from tests.support.paths import SPECS as SPECS_DIR
from tests.support.reference import torchvision_model
from tests.support.zoo import variants_slow

pytestmark = pytest.mark.usefixtures("freed")

SPECS = {path.stem: path for path in sorted(SPECS_DIR.glob("*.yaml"))}
TORCHVISION = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d")
DEEP = {"resnet34", "resnet101", "resnet152"}


def batch(*shape: int) -> Tensor:
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))


# -- torchvision -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in DEEP else name for name in TORCHVISION]
)
def test_zoo_is_torchvisions_bit_for_bit(name: str) -> None:
    reference = scrambled(name)
    for flat in (False, True):
        model = archspec.build(name, weights=reference.state_dict(), flat=flat)
        assert_same_state(model, reference)
        assert_equivalent(model, copy.deepcopy(reference), batch(3, 64, 64), lr=1e-6)


def scrambled(name: str) -> nn.Module:
    """torchvision's model with weights that tell every key from every other, without the time of drawing its own."""
    with torch.device("meta"):
        model = torchvision_model(name)
    model.to_empty(device="cpu")
    for buffer in model.buffers():
        buffer.zero_()
    scramble(model)
    return model


def assert_same_state(model: nn.Module, reference: nn.Module) -> None:
    """Equal keys, shapes and dtypes in equal order, and each loads the other's state dict strictly."""
    ours, theirs = model.state_dict(), reference.state_dict()
    assert [(k, v.shape, v.dtype) for k, v in ours.items()] == [(k, v.shape, v.dtype) for k, v in theirs.items()]
    parameters = [[(k, v.requires_grad) for k, v in m.named_parameters()] for m in (model, reference)]
    assert parameters[0] == parameters[1]
    assert [k for k, _ in model.named_buffers()] == [k for k, _ in reference.named_buffers()]
    reference.load_state_dict(ours, strict=True)
    model.load_state_dict(theirs, strict=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "overrides", "reference"),
    [
        ("resnet50", ["stages.base_width=128"], "wide_resnet50_2"),
        ("resnet101", ["stages.groups=32", "stages.base_width=8"], "resnext101_32x8d"),
    ],
    ids=["wide_resnet50_2", "resnext101_32x8d"],
)
def test_a_width_is_a_variant(name: str, overrides: list[str], reference: str) -> None:
    wanted = scrambled(reference)
    model = archspec.build(load(name, overrides=overrides), weights=wanted.state_dict())
    assert_same_state(model, wanted)
    with torch.no_grad():
        assert torch.equal(model.eval()(batch(3, 64, 64)), wanted.eval()(batch(3, 64, 64)))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_zero_init_residual_zeroes_what_torchvision_zeroes(name: str) -> None:
    """And starts every other scale, bias and statistic at the same number."""
    model = archspec.build(load(name, overrides=["init.zero_init_residual=true"]))
    wanted = torchvision_model(name, zero_init_residual=True)
    constant = {key for key, value in wanted.state_dict().items() if value.dim() < 2 and key != "fc.bias"}
    for key, value in wanted.state_dict().items():
        if key in constant:
            assert torch.equal(model.state_dict()[key], value), key
    zeros = {key for key, value in model.named_parameters() if key.endswith("weight") and not value.any()}
    last = "bn2" if name == "resnet18" else "bn3"
    assert zeros == {key for key, _ in wanted.named_parameters() if key.endswith(f"{last}.weight")}


@pytest.mark.parametrize("optimiser", [torch.optim.SGD, torch.optim.AdamW])
def test_training_begun_with_torchvision_continues(optimiser: type[torch.optim.Optimizer], tmp_path: Path) -> None:
    """An optimiser's state is indexed by the order of the parameters: a checkpoint's must fit."""
    options = {"lr": 0.01, "momentum": 0.9} if optimiser is torch.optim.SGD else {"lr": 0.01}
    theirs = torchvision_model("resnet18", num_classes=10)
    steps = optimiser(theirs.parameters(), **options)
    step(theirs, steps)
    torch.save(theirs.state_dict(), tmp_path / "model.pt")
    torch.save(steps.state_dict(), tmp_path / "optimiser.pt")

    ours = archspec.build(load("resnet18", overrides=["classes=10"]), weights=tmp_path / "model.pt")
    continued = optimiser(ours.parameters(), **options)
    continued.load_state_dict(torch.load(tmp_path / "optimiser.pt"))
    step(theirs, steps)
    step(ours, continued)
    for (key, found), wanted in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert torch.equal(found, wanted), key


def step(model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    functional.cross_entropy(model(batch(3, 64, 64)), torch.tensor([3, 7])).backward()
    optimiser.step()


# -- modules written by hand -------------------------------------------------------------------------------------------


class PaperBottleneck(nn.Module):
    """He et al. 2015, fig. 5, right, with the stride on the first 1x1."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = None
        if inputs != 4 * width or stride != 1:
            conv = nn.Conv2d(inputs, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(4 * width))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(shortcut + self.bn3(self.conv3(y)))


class PaperResNet(nn.Module):
    """He et al. 2015, table 1, 50 layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for number, (count, width) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), start=1):
            blocks = []
            for index in range(count):
                blocks.append(PaperBottleneck(inputs, width, 2 if number > 1 and index == 0 else 1))
                inputs = 4 * width
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.fc = nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for number in (1, 2, 3, 4):
            x = self.get_submodule(f"layer{number}")(x)
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


def zero_padded(x: Tensor, channels: int, stride: int) -> Tensor:
    """Option A: "extra zero entries padded for increasing dimensions", with the stride where sizes change."""
    zeros = torch.zeros(x.shape[0], channels - x.shape[1], *x[:, :, ::stride, ::stride].shape[2:])
    return torch.cat([x[:, :, ::stride, ::stride], zeros], 1)


class CifarBlock(nn.Module):
    def __init__(self, inputs: int, channels: int, stride: int, plain: bool) -> None:
        super().__init__()
        self.stride, self.plain = stride, plain
        self.conv1, self.bn1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y if self.plain else zero_padded(x, y.shape[1], self.stride) + y)


class PreactBlock(nn.Module):
    """He et al. 2016, fig. 4 (e); where the shape changes, the shortcut begins from the activated value."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride, self.changes = stride, stride != 1 or inputs != channels
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(channels), nn.Conv2d(channels, channels, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        activated = functional.relu(self.bn1(x))
        y = self.conv2(functional.relu(self.bn2(self.conv1(activated))))
        return (zero_padded(activated, y.shape[1], self.stride) if self.changes else x) + y


class CifarNet(nn.Module):
    """He et al. 2015, section 4.2: 6n + 2 layers, or their pre-activation form."""

    def __init__(self, n: int, kind: str) -> None:
        super().__init__()
        self.preact = kind == "preact"
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        if not self.preact:
            self.bn1 = nn.BatchNorm2d(16)
        for number, channels in enumerate((16, 32, 64), start=1):
            blocks: list[nn.Module] = []
            for index in range(n):
                first = number > 1 and index == 0
                shape = (channels // 2 if first else channels, channels, 2 if first else 1)
                blocks.append(PreactBlock(*shape) if self.preact else CifarBlock(*shape, kind == "plain"))
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        if self.preact:
            self.bn1 = nn.BatchNorm2d(64)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x) if self.preact else functional.relu(self.bn1(self.conv1(x)))
        for number in (1, 2, 3):
            x = self.get_submodule(f"layer{number}")(x)
        x = functional.relu(self.bn1(x)) if self.preact else x
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


BY_HAND = {
    "resnet50_v1": PaperResNet,
    "resnet56_cifar": lambda: CifarNet(9, "option A"),
    "plain56_cifar": lambda: CifarNet(9, "plain"),
    "preact_resnet110_cifar": lambda: CifarNet(18, "preact"),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_zoo_is_what_the_papers_describe(name: str) -> None:
    reference = BY_HAND[name]()
    scramble(reference)
    size = 64 if name == "resnet50_v1" else 32
    for flat in (False, True):
        model = archspec.build(name, flat=flat)
        transfer(reference, model, "keys")
        assert_equivalent(model, copy.deepcopy(reference), batch(3, size, size), lr=1e-6)


# -- what every spec says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", variants_slow())
def test_spec_holds_and_torch_confirms_it(name: str) -> None:
    """Its expectations hold, its graphs are sound, every shape is torch's, and the totals are those of the live model.

    MACs are half of FlopCounterMode's total, and layers are the convolutions and linear layers on the longest way
    through torch's graph.
    """
    graph = archspec.compile(name)
    expected = graph.origin.document.value["expect"]
    assert expected.keys() >= {"params", "output"}
    assert check_expectations(graph) == []
    assert graph.name == name
    assert graph.origin.summary
    assert graph.warnings == ()
    with FlopCounterMode(display=False) as counter:
        assert compare_shapes(graph) == []  # that of the output too

    model = archspec.build(graph, device="meta")
    lint(model)
    live = {
        "params": sum(parameter.numel() for parameter in model.parameters()),
        "macs": counter.get_total_flops() // 2 // BATCH,
        "layers": depth(archspec.build(graph, device="meta", flat=True)),
        "output": list(graph.output),
    }
    for key, value in live.items():
        if isinstance(expected.get(key, value), str):  # a paper's figure
            assert key == "params"
            assert expected[key] == f"{value / 1e6:.{len(expected[key].split('.')[1]) - 1}f}M"
        else:
            assert expected.get(key, value) == value, key


def depth(model: fx.GraphModule) -> int:
    """The convolutions and linear layers on the longest way through a flat graph; what scales a value is no way."""
    longest: dict[fx.Node, int] = {}
    for node in model.graph.nodes:
        ways = node.all_input_nodes[:1] if node.target in (operator.mul, torch.mul) else node.all_input_nodes
        module = model.get_submodule(node.target) if node.op == "call_module" else None
        weighted = isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear)
        longest[node] = max((longest[way] for way in ways), default=0) + weighted
    return max(longest.values())


@pytest.mark.parametrize("name", TORCHVISION)
def test_macs_are_torchvisions(name: str) -> None:
    with torch.device("meta"):
        model = torchvision_model(name).eval()
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, 224, 224, device="meta"))
    assert archspec.compile(name).origin.document.value["expect"]["macs"] == counter.get_total_flops() // 2


MEASURED = {
    # Parameters and MACs measured on torchvision's models with FlopCounterMode, and on a v1 with the stride moved.
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet152": (60_192_808, 11_513_626_624),
    "resnext50_32x4d": (25_028_904, 4_230_479_872),
    "resnet50_v1": (25_557_032, 3_857_973_248),
}


@pytest.mark.parametrize("name", MEASURED)
def test_figures_are_those_measured(name: str) -> None:
    assert totals(name) == MEASURED[name]


@pytest.mark.parametrize(
    ("name", "billions"),
    [("resnet18", 1.8), ("resnet34", 3.6), ("resnet50", 3.8), ("resnet101", 7.6), ("resnet152", 11.3)],
)
def test_macs_are_those_of_the_papers_table_1(name: str, billions: float) -> None:
    """He et al. 2015, where "FLOPs" are multiply-adds, cut off or rounded to one place."""
    overrides = [] if name in ("resnet18", "resnet34") else ["stages.stride_at=1"]
    assert abs(totals(name, *overrides)[1] / 1e9 - billions) < 0.1


@pytest.mark.parametrize(
    ("layers", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7), (1202, 19.4)]
)
def test_parameters_are_those_of_the_papers_table_6(layers: int, millions: float) -> None:
    """He et al. 2015: option A, 6n + 2 layers."""
    params = totals("resnet56_cifar", f"stages.count={(layers - 2) // 6}")[0]
    assert round(params / 1e6, 1 if millions > 1 else 2) == millions


def totals(name: str, *overrides: str) -> tuple[int, int]:
    """Parameters and MACs."""
    graph = archspec.compile(load(name, overrides=overrides))
    macs = sum(node.operation.macs(graph.input_shapes(node), node.shape) for node in graph.nodes)
    return sum(weights(graph).values()), macs


def test_resnext_is_a_difference_of_at_most_six_lines() -> None:
    """With what it expects of itself; where it was published and what it reproduces are about it, and no difference."""
    lines = SPECS["resnext50_32x4d"].read_text().splitlines()
    assert len([line for line in lines if not line.startswith(("paper:", "reference:"))]) <= 6
