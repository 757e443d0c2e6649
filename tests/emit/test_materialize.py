"""Weights are made once: on the meta device first, then with storage, drawn exactly as often as there are weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import archspec
from archspec.language.load import load
from tests.support.equivalence import spec
from tests.support.reference import torchvision_model

DRAWS = ("normal_", "uniform_", "bernoulli_", "random_", "rand", "randn", "normal", "uniform")


class Counting(TorchDispatchMode):
    """Counts random draws and the elements of the storage that is allocated, on every device but meta."""

    def __init__(self) -> None:
        super().__init__()
        self.draws: Counter[str] = Counter()
        self.drawn = self.allocated = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.device.type != "meta":
            name = func.overloadpacket.__name__
            if name in DRAWS:
                self.draws[name] += 1
                self.drawn += result.numel()
            if name in ("empty", "zeros", "full", "ones", "empty_strided"):
                self.allocated += result.numel()
        return result


@contextmanager
def generator_kept() -> Iterator[None]:
    """Asserts that torch's global generator stays where it is."""
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
def test_every_weight_is_drawn_and_allocated_once(flat: bool) -> None:
    with Counting() as counted:
        model = archspec.build("resnet18", flat=flat)
    kernels = [value for value in model.parameters() if value.dim() > 1]
    bias = model.fc.bias
    # One normal draw for each of 20 convolutions, two uniform ones for the linear layer.
    assert counted.draws == {"normal_": 20, "uniform_": 2}
    assert counted.drawn == sum(value.numel() for value in kernels) + bias.numel()
    assert counted.allocated == sum(value.numel() for value in model.state_dict().values())


def test_weights_are_those_that_torch_init_draws_in_order() -> None:
    """He et al. 2015 for convolutions, torch's own for the linear layer, ones and zeros for the rest."""
    torch.manual_seed(5)
    model = archspec.build("resnet18")
    end = torch.get_rng_state()
    torch.manual_seed(5)
    for key, value in model.named_parameters():
        wanted = torch.empty_like(value.detach())
        if value.dim() == 4:
            nn.init.kaiming_normal_(wanted, mode="fan_out", nonlinearity="relu")
        elif key.startswith("fc"):
            wanted.uniform_(-(512**-0.5), 512**-0.5)
        else:
            wanted.fill_(1.0 if key.endswith("weight") else 0.0)
        assert torch.equal(value, wanted), key
        assert value.requires_grad
        assert value.is_leaf
    assert torch.equal(torch.get_rng_state(), end)


def test_weights_start_as_torchvisions_do() -> None:
    """Every weight has the same distribution: equal where it is constant, of equal spread where it is drawn."""
    torch.manual_seed(0)
    model, reference = archspec.build("resnet50"), torchvision_model("resnet50")
    for (key, value), wanted in zip(model.state_dict().items(), reference.state_dict().values(), strict=True):
        if value.dim() < 2 and key != "fc.bias":
            assert torch.equal(value, wanted), key
            continue
        # The estimate of a spread from n numbers is off by about 1 / sqrt(2n): five times that, on both sides.
        tolerance = 10 / (2 * value.numel()) ** 0.5
        assert abs(value.std() / wanted.std() - 1) < tolerance, key
        assert abs(value.mean()) < 5 * value.std() / value.numel() ** 0.5, key
        extreme = (wanted.abs().max() / wanted.std(), value.abs().max() / value.std())
        assert abs(extreme[0] - extreme[1]) < 2, f"{key}: one is normal and the other uniform"


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator_alone() -> None:
    with generator_kept():
        models = [
            archspec.build("resnet18", seed=seed, flat=flat) for seed, flat in ((3, False), (3, True), (4, False))
        ]
    first, again, other = (model.state_dict() for model in models)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
    assert not torch.equal(first["fc.bias"], other["fc.bias"])


def test_a_seed_draws_what_the_global_generator_would() -> None:
    torch.manual_seed(3)
    unseeded = archspec.build("resnet18").state_dict()
    assert all(
        torch.equal(unseeded[key], value) for key, value in archspec.build("resnet18", seed=3).state_dict().items()
    )


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
def test_what_needs_no_random_numbers_draws_none(flat: bool) -> None:
    state = archspec.build("resnet18", seed=0).state_dict()
    with generator_kept(), Counting() as counted:
        archspec.build("resnet18", device="meta", flat=flat)
        archspec.build("resnet18", weights=state, flat=flat)
    assert not counted.draws


def test_meta_has_no_storage_and_every_key() -> None:
    """And becomes a model that loads weights, by torch's own `to_empty`."""
    real = archspec.build("resnet18")
    model = archspec.build("resnet18", device="meta")
    assert all(value.is_meta for value in model.state_dict().values())
    assert [(k, v.shape, v.dtype) for k, v in model.state_dict().items()] == [
        (k, v.shape, v.dtype) for k, v in real.state_dict().items()
    ]
    model.to_empty(device="cpu").load_state_dict(real.state_dict())
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(model.eval()(x), real.eval()(x))
    assigned = archspec.build("resnet18", device="meta")
    assigned.load_state_dict(real.state_dict(), assign=True)
    assert torch.equal(assigned.eval()(x), real(x))


def test_the_default_device_and_dtype_are_torchs() -> None:
    with torch.device("meta"):
        assert archspec.build("resnet18").conv1.weight.is_meta
    torch.set_default_dtype(torch.float64)
    try:
        model = archspec.build("resnet18")
    finally:
        torch.set_default_dtype(torch.float32)
    assert model.conv1.weight.dtype == model.bn1.running_var.dtype == torch.float64


@pytest.mark.parametrize("device", ["cpu", "meta", torch.device("cpu")], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_dtype_is_that_of_parameters_and_running_statistics(dtype: torch.dtype, device: torch.device | str) -> None:
    model = archspec.build("resnet18", device=device, dtype=dtype)
    for key, value in model.state_dict().items():
        assert value.device == torch.device(device)
        assert value.dtype == (torch.int64 if key.endswith("num_batches_tracked") else dtype), key
    if dtype is torch.float64:
        assert model.eval()(torch.zeros(1, 3, 64, 64, dtype=dtype, device=device)).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64], ids=str)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_dtype_that_cannot_be_trained_is_refused(dtype: torch.dtype, device: str) -> None:
    with pytest.raises(TypeError, match="floating-point"):
        archspec.build("resnet18", device=device, dtype=dtype)


def test_init_of_the_spec_is_obeyed() -> None:
    overrides = ["init.conv=normal", "init.linear=normal", "init.bias=zero", "init.zero_init_residual=true"]
    model = archspec.build(load("resnet50", overrides=overrides), seed=0)
    assert abs(model.layer3[0].conv2.weight.std() - 0.01) < 1e-4
    assert abs(model.fc.weight.std() - 0.01) < 1e-4
    assert not model.fc.bias.any()
    assert not model.layer2[1].bn3.weight.any()
    assert model.layer2[1].bn2.weight.eq(1).all()


OTHER_NORMS = """
    input: [3, 16, 16]
    classes: 4
    norm: {type: NORM, affine: false}
    stem: {use: cifar, width: 32}
    stages: {block: basic, count: 1, channels: 32}
    """


@pytest.mark.parametrize("norm", ["batch", "group", "layer", "instance"])
@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
def test_norms_without_scales_are_made_too(norm: str, flat: bool) -> None:
    """A module without parameters may still have buffers, which must not stay on the meta device."""
    model = archspec.build(spec(OTHER_NORMS.replace("NORM", norm)), flat=flat)
    assert not any(value.is_meta for value in model.state_dict().values())
    assert not [key for key, _ in model.named_parameters() if "bn" in key or "gn" in key or "ln" in key]
    assert model(torch.randn(2, 3, 16, 16)).isfinite().all()
    assert archspec.build(spec(OTHER_NORMS.replace("NORM", norm)), device="meta", flat=flat)(
        torch.empty(2, 3, 16, 16, device="meta")
    ).shape == (2, 4)
