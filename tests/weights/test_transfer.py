"""Transfer: what fits is loaded, the rest is initialized with the seed, and both are recorded."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.weights import Loaded
from tests.support.equivalence import scramble, spec
from tests.support.reference import torchvision_model

SMALL = spec("""
    input: [3, 16, 16]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 1, channels: [16, 24], stride: [1, 2]}
    """)
TEN = SMALL.replace("classes: 5", "classes: 10")

State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """What the caller asked for is recorded, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def state() -> State:
    model = archspec.build(SMALL)
    scramble(model)
    return dict(model.state_dict())


def record(model: nn.Module) -> Loaded:
    found = model.meta["weights"]
    assert isinstance(found, Loaded)
    return found


def test_weights_of_torchvision_into_ten_classes() -> None:
    """torch's own partial loading gives the same model and the same missing keys."""
    source = torchvision_model("resnet18")
    scramble(source)
    given = source.state_dict()
    model = archspec.build(archspec.load("resnet18", overrides=["classes=10"]), weights=given, transfer=True, seed=3)

    reference = torchvision_model("resnet18", num_classes=10)
    fitting = {k: v for k, v in given.items() if v.shape == reference.state_dict()[k].shape}
    left = reference.load_state_dict(fitting, strict=False)
    found = record(model)
    assert list(found.initialized) == left.missing_keys == ["fc.weight", "fc.bias"]
    assert found.unused == ("fc.weight", "fc.bias")
    assert found.reshaped == {"fc.weight": ((1000, 512), (10, 512)), "fc.bias": ((1000,), (10,))}
    assert list(found.loaded) == list(fitting)
    assert (found.file, found.map, found.transfer, found.unwrapped, found.remarks) == (None, None, True, (), ())

    fresh = archspec.build(archspec.load("resnet18", overrides=["classes=10"]), seed=3)
    reference.load_state_dict({"fc.weight": fresh.fc.weight, "fc.bias": fresh.fc.bias}, strict=False)
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(model.eval()(x), reference.eval()(x))
    assert model.fc.weight.std() > 0


PAIRS = {
    "classes": (SMALL, TEN),
    "deeper": (SMALL, SMALL.replace("count: 1", "count: 2")),
    "shallower": (SMALL.replace("count: 1", "count: 2"), SMALL),
    "wider": (SMALL, SMALL.replace("[16, 24]", "[16, 32]")),
    "another block": (SMALL, SMALL.replace("basic", "bottleneck")),
    "stem": (SMALL, SMALL.replace("cifar", "imagenet")),
    "norm": (SMALL, SMALL + "norm: {type: group, groups: 4}\n"),
    "itself": (SMALL, SMALL),
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
def test_the_plan_is_that_of_diff(pair: str, flat: bool) -> None:
    """Keys that are not loaded have the values that the seed gives without any weights."""
    before, after = PAIRS[pair]
    plan = archspec.diff(before, after).transfer
    source = archspec.build(before)
    scramble(source)
    given = source.state_dict()
    model = archspec.build(after, weights=given, transfer=True, seed=11, flat=flat)
    found = record(model)
    assert found.loaded == plan.kept
    assert found.reshaped == plan.reshaped
    assert set(found.initialized) == {*plan.reshaped, *plan.new}
    assert set(found.unused) == {*plan.reshaped, *plan.dropped}
    assert [key for key in given if key in found.unused] == list(found.unused)
    fresh = archspec.build(after, seed=11).state_dict()
    assert [key for key in fresh if key in found.initialized] == list(found.initialized)
    for key, value in model.state_dict().items():
        assert torch.equal(value, given[key] if key in plan.kept else fresh[key]), key


def test_what_is_initialized_follows_the_init_of_the_spec(state: State) -> None:
    spread = TEN + "init: {linear: normal, bias: zero}\n"
    model = archspec.build(spread, weights=state, transfer=True, seed=0)
    assert model.fc.weight.std().item() == pytest.approx(0.01, rel=0.2)  # `normal`; torch's own would be 0.12
    assert not model.fc.bias.any()


def test_seeds(state: State) -> None:
    """A seed determines the model. Without a seed, torch's global generator is used, and advances."""
    one, same, other = (archspec.build(TEN, weights=state, transfer=True, seed=seed).fc.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    torch.manual_seed(4)
    first, second = (archspec.build(TEN, weights=state, transfer=True).fc.weight for _ in range(2))
    torch.manual_seed(4)
    assert torch.equal(first, archspec.build(TEN).fc.weight)
    assert not torch.equal(first, second)


def test_missing_keys_are_initialized_and_extra_ones_listed(state: State) -> None:
    given = {"conv1.weight": state["conv1.weight"], "aux.weight": torch.zeros(3), "fc.bias": state["fc.bias"]}
    model = archspec.build(SMALL, weights=given, transfer=True, seed=0)
    found = record(model)
    assert (found.loaded, found.unused) == (("conv1.weight", "fc.bias"), ("aux.weight",))
    assert found.initialized == tuple(key for key in state if key not in given)
    assert torch.equal(model.fc.bias, state["fc.bias"])
    assert not torch.equal(model.layer1[0].conv1.weight, state["layer1.0.conv1.weight"])
    assert model.bn1.running_var.eq(1).all()


def test_a_plain_load_has_a_record_too(state: State) -> None:
    found = record(archspec.build(SMALL, weights=state))
    assert found == Loaded(None, None, False, (), tuple(state), (), {}, (), ())
    for key in [key for key in state if key.endswith("num_batches_tracked")]:
        del state[key]
    assert record(archspec.build(SMALL, weights=state)).initialized == (
        *("bn1.num_batches_tracked", "layer1.0.bn1.num_batches_tracked", "layer1.0.bn2.num_batches_tracked"),
        *("layer2.0.bn1.num_batches_tracked", "layer2.0.bn2.num_batches_tracked"),
        "layer2.0.downsample.1.num_batches_tracked",
    )
    assert "weights" not in archspec.build(SMALL).meta


def test_the_record_stays_with_the_model(state: State) -> None:
    model = archspec.build(TEN, weights=state, transfer=True)
    found = record(model)
    assert record(copy.deepcopy(model)) == found
    assert pickle.loads(pickle.dumps(found)) == found
    with pytest.raises(FrozenInstanceError):
        found.loaded = ()  # type: ignore[misc]


def test_only_casts_of_loaded_tensors_are_counted(state: State) -> None:
    """The head has another dtype and another shape. It is not loaded, so its cast does not count."""
    for key in ("fc.weight", "fc.bias"):
        state[key] = state[key].double()
    assert record(archspec.build(TEN, weights=state, transfer=True)).remarks == ()
    state["fc.bias"] = torch.full((10,), float("nan"), dtype=torch.float64)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = archspec.build(TEN, weights=state, transfer=True)
    assert [remark.code for remark in record(model).remarks] == ["W821", "W822"]
    assert [str(warning.message) for warning in caught] == [remark.message for remark in record(model).remarks]
    assert str(caught[0].message).startswith("1 tensor ")


# -- what is refused ---------------------------------------------------------------------------------------------------


def refused(weights: Any, text: str = SMALL) -> tuple[str, ...]:
    with pytest.raises(archspec.SpecError) as error:
        archspec.build(text, weights=weights, transfer=True)
    return tuple(d.code for d in error.value.diagnostics)


def test_weights_of_which_nothing_fits(state: State) -> None:
    """Batch counters fit every network; loading only these would leave an untrained model without a warning."""
    assert refused({}) == ("E824",)
    assert refused({"other.weight": torch.zeros(3)}) == ("E824",)
    assert refused({key: value for key, value in state.items() if value.dim() == 0}) == ("E824",)
    assert refused({key: value[None] for key, value in state.items()}) == ("E824",)
    assert refused({3: torch.zeros(1)}) == ("E824",)


@pytest.mark.parametrize(
    "value",
    [None, [1.0] * 5, torch.zeros(5, dtype=torch.complex64), torch.empty(5, device="meta"), torch.zeros(5).to_sparse()],
    ids=["None", "list", "complex", "meta", "sparse"],
)
def test_values_that_are_not_tensors_of_numbers_are_refused(value: object, state: State) -> None:
    assert refused({**state, "fc.bias": value}) == ("E807",)


def test_a_refusal_changes_nothing(state: State) -> None:
    before = {key: value.clone() for key, value in state.items()}
    drawn = torch.get_rng_state()
    assert refused({**state, "fc.bias": None}) == ("E807",)
    with pytest.raises(archspec.SpecError):
        archspec.build(TEN, weights=state)
    assert all(torch.equal(value, before[key]) for key, value in state.items())
    assert torch.equal(torch.get_rng_state(), drawn)


def test_transfer_and_map_need_weights() -> None:
    with pytest.raises(TypeError, match="`transfer`"):
        archspec.build(SMALL, transfer=True)
    with pytest.raises(TypeError, match="`map`"):
        archspec.build(SMALL, map={})


def test_the_help_mentions_transfer_if_something_would_fit(state: State) -> None:
    def help_of(weights: State) -> set[bool]:
        with pytest.raises(archspec.SpecError) as error:
            archspec.build(TEN, weights=weights)
        return {"transfer=True" in d.help for d in error.value.diagnostics}

    assert help_of(state) == {True}
    assert help_of({"fc.weight": state["fc.weight"], "bn1.num_batches_tracked": torch.tensor(0)}) == {False}


def test_on_the_meta_device_weights_are_checked_and_not_loaded(state: State) -> None:
    model = archspec.build(TEN, weights=state, transfer=True, device="meta")
    assert model.fc.weight.is_meta
    assert "weights" not in model.meta
    with pytest.raises(archspec.SpecError):
        archspec.build(TEN, weights={}, transfer=True, device="meta")
