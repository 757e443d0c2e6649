"""The loop, compared with one written by hand; checkpoints that are damaged, foreign or cannot be written."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import archspec
from archspec.diagnostics import Diagnostic, SpecError
from archspec.lab.data import Data, load_data
from archspec.lab.training import Diverged, Progress, Settings, evaluate, for_data, train
from archspec.lab.training.optimizer import optimizer
from archspec.lab.training.order import order
from tests.support.paths import ROOT

DATA = load_data("synthetic", size=8)
STEPS = len(DATA.train) // 64
SHORT = Settings(epochs=2)


def small(seed: int = 0, **overrides: str) -> nn.Module:
    return archspec.build(for_data("resnet20_cifar", DATA, overrides={"params.width": 2, **overrides}), seed=seed)


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 10))


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.double().flatten() for value in model.state_dict().values()])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("word", ["sgd", "adamw"])
def test_it_is_a_loop_that_one_would_write(word: str) -> None:
    """Bit for bit: the same order, and torch's own optimizer and scheduler."""
    model, mine = small(), small()
    history = train(model, DATA, Settings(epochs=2, optimizer=word, lr=0.02))
    steps = 2 * STEPS
    theirs: torch.optim.Optimizer
    if word == "sgd":
        theirs = torch.optim.SGD(mine.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    else:
        theirs = torch.optim.AdamW(mine.parameters(), lr=0.02, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(theirs, 0.02, total_steps=steps, cycle_momentum=False)
    losses = []
    for epoch in range(2):
        mine.train()
        positions = order(0, epoch, len(DATA.train))
        for number in range(STEPS):
            chosen = positions[64 * number : 64 * number + 64]
            loss = functional.cross_entropy(mine(DATA.train.images[chosen]), DATA.train.labels[chosen])
            theirs.zero_grad()
            loss.backward()
            theirs.step()
            scheduler.step()
            losses.append(loss.item())
    assert torch.allclose(weights(model), weights(mine), atol=1e-6)  # the rates round in another way
    assert [epoch.loss for epoch in history.epochs] == pytest.approx(
        [sum(losses[:STEPS]) / STEPS, sum(losses[STEPS:]) / STEPS], rel=1e-5
    )
    mine.eval()
    with torch.no_grad():
        output = mine(DATA.test.images)
    right = (output.argmax(1) == DATA.test.labels).double().mean().item()
    assert history.final.test_accuracy == pytest.approx(right)
    assert evaluate(model, DATA.test).loss == pytest.approx(
        functional.cross_entropy(output, DATA.test.labels).item(), rel=1e-4
    )


def test_nothing_of_the_caller_changes() -> None:
    model = small().eval()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train(model, DATA, Settings(epochs=1))
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training


def test_the_seed_decides_all() -> None:
    def trained(seed: int) -> Tensor:
        model = small(drop_path="0.5")
        train(model, replace(DATA, augment="crop-flip"), Settings(epochs=1), seed=seed)
        return weights(model)

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


def test_weight_decay_may_spare_norms_and_biases() -> None:
    model = small()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    spared = {id(each) for norm in norms for each in norm.parameters()} | {id(model.get_parameter("fc.bias"))}
    decays = {
        id(each): group["weight_decay"]
        for group in optimizer(model, Settings(weight_decay=0.1, decay_norms=False)).param_groups
        for each in group["params"]
    }
    assert decays == {id(each): 0.0 if id(each) in spared else 0.1 for each in model.parameters()}
    (whole,) = optimizer(model, Settings(weight_decay=0.1)).param_groups
    assert (len(whole["params"]), whole["weight_decay"]) == (len(decays), 0.1)


def test_an_incomplete_last_batch_is_dropped() -> None:
    seen: list[Progress] = []
    train(linear(), DATA, Settings(epochs=2, batch=100), progress=seen.append)
    steps = len(DATA.train) // 100
    assert [each.step for each in seen if each.ended is None] == list(range(1, 2 * steps + 1))
    assert [each.step for each in seen if each.ended] == [steps, 2 * steps]
    assert seen[-1].left == 0


@pytest.mark.parametrize("step", [1, STEPS, STEPS + 3])
def test_a_loss_that_is_not_a_number(step: int, tmp_path: Path) -> None:
    """It says at which step, and the checkpoint is of before."""
    model = linear()
    count = iter(range(1, 100))

    def spoil(module: nn.Module, given: tuple[Tensor]) -> Tensor | None:
        spoiled = module.training and next(count) == step
        return given[0] * float("nan") if spoiled else None

    model.register_forward_pre_hook(spoil)
    with pytest.raises(Diverged, match="E865") as error:
        train(model, DATA, SHORT, checkpoint=tmp_path / "c")
    assert (error.value.step, error.value.epoch) == (step, (step - 1) // STEPS + 1)
    assert (tmp_path / "c").exists() == (step > STEPS)
    assert copy.copy(error.value).step == step  # as when it comes from another process


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_where_the_device_has_it(precision: str) -> None:
    settings = Settings(epochs=1, precision=precision)
    if precision == "float16":
        with pytest.raises(SpecError, match="E869"):
            train(linear(), DATA, settings)
    else:
        assert train(linear(), DATA, settings).final.loss < 2.5


@pytest.mark.parametrize("how", [{"batch": 481}, {"batch": 10**6}])
def test_a_batch_larger_than_the_data(how: dict[str, int]) -> None:
    with pytest.raises(SpecError, match="E869"):
        train(linear(), DATA, Settings(**how))


# -- checkpoints ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "c"
    train(linear(), DATA, SHORT, checkpoint=path)
    return path


def refused(path: Path, data: Data = DATA, settings: Settings = SHORT, seed: int = 0) -> Diagnostic:
    model = linear()
    before = weights(model)
    with pytest.raises(SpecError) as error:
        train(model, data, settings, seed=seed, checkpoint=path)
    assert torch.equal(weights(model), before)
    return error.value.diagnostics[0]


def test_a_training_that_has_ended_only_loads(checkpoint: Path) -> None:
    first, again = linear(), linear()
    told: list[Progress] = []
    history = train(first, DATA, SHORT)
    resumed = train(again, DATA, SHORT, checkpoint=checkpoint, progress=told.append)
    assert torch.equal(weights(first), weights(again))
    assert resumed.resumed_at == 2 * STEPS
    assert not told
    assert [each.loss for each in resumed.epochs] == [each.loss for each in history.epochs]


@given(data=st.data())
def test_a_checkpoint_with_one_byte_changed_or_cut_off(checkpoint: Path, data: st.DataObject) -> None:
    whole = checkpoint.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    broken = checkpoint.with_name("broken")
    broken.write_bytes(data.draw(st.sampled_from([bytes(changed), whole[:place]])))
    assert refused(broken).code == "E866"


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    torch.save({"state": 1}, tmp_path / "other.pt")
    assert refused(tmp_path / "other.pt").code == "E866"
    assert refused(tmp_path).code == "E803"


def test_a_checkpoint_of_another_training(checkpoint: Path) -> None:
    other = replace(DATA, fingerprint="another")
    assert refused(checkpoint, other).message.endswith("the data differs")
    assert refused(checkpoint, seed=3).message.endswith("`seed` is 0 there and 3 here")
    found = refused(checkpoint, settings=Settings(epochs=3, lr=0.1))
    assert found.code == "E867"
    assert found.message.endswith("`epochs` is 2 there and 3 here; `lr` is 0.05 there and 0.1 here")


def test_a_checkpoint_of_a_network_with_the_same_keys(tmp_path: Path) -> None:
    """Only the order of the activations differs."""
    train(small(activation_order="act-only-pre"), DATA, Settings(epochs=1), checkpoint=tmp_path / "c")
    post = small(activation_order="act-before-add")
    with pytest.raises(SpecError, match="the network differs"):
        train(post, DATA, Settings(epochs=1), checkpoint=tmp_path / "c")


FULL = """
import resource, signal, sys
from archspec.diagnostics import EnvironmentFault
from tests.lab.training.test_loop import DATA, SHORT, Path, linear, train

path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def fill(progress):
    if progress.ended and progress.epoch == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

try:
    train(linear(), DATA, SHORT, checkpoint=path, progress=fill)
except EnvironmentFault as fault:
    print(fault.diagnostic.code, [each.name for each in path.parent.iterdir()])
"""


def test_a_disk_that_fills_up_during_a_checkpoint_keeps_the_one_before(tmp_path: Path) -> None:
    """The second checkpoint is larger than the system allows a file to be."""
    path = tmp_path / "c"
    # Without `-B`, Python would leave the beginning of the bytecode of a module that it imports after that.
    found = subprocess.run(
        [sys.executable, "-B", "-c", FULL, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "E806 ['c']\n"
    resumed, whole = linear(), linear()
    assert train(resumed, DATA, SHORT, checkpoint=path).resumed_at == STEPS
    train(whole, DATA, SHORT)
    assert torch.equal(weights(resumed), weights(whole))
