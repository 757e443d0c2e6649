"""Checkpoints of training: wrappers are removed if the result is certain, and else the file is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

import archspec
from tests.support.equivalence import scramble, spec

SMALL = spec("""
    input: [3, 16, 16]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 1, channels: [16, 24], stride: [1, 2]}
    """)

State = dict[str, Tensor]


class Lit(nn.Module):
    """A module with the network as an attribute, like a Lightning module."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


def trained() -> nn.Module:
    model = archspec.build(SMALL)
    scramble(model)
    return model


def checkpoint(model: nn.Module, entry: str = "state_dict") -> dict[str, Any]:
    """The checkpoint of a training script after one step, with the optimizer's state."""
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(2, 3, 16, 16)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    rest = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(), "best": torch.tensor(0.5)}
    return {"epoch": 3, "arch": "small", entry: model.state_dict(), **rest}


WRAPPED: dict[str, tuple[Callable[[nn.Module], Any], tuple[str, ...]]] = {
    "parallel": (lambda m: nn.DataParallel(m).state_dict(), ("module.",)),
    "compiled": (lambda m: torch.compile(m).state_dict(), ("_orig_mod.",)),
    "compiled, parallel": (lambda m: torch.compile(nn.DataParallel(m)).state_dict(), ("_orig_mod.", "module.")),
    "parallel, compiled": (lambda m: nn.DataParallel(torch.compile(m)).state_dict(), ("module.", "_orig_mod.")),
    "averaged": (lambda m: AveragedModel(m).state_dict(), ("n_averaged", "module.")),
    "lightning": (lambda m: {"state_dict": Lit(m).state_dict(), "epoch": 1}, ("state_dict", "model.")),
    "state_dict": (checkpoint, ("state_dict",)),
    "model": (lambda m: checkpoint(m, "model"), ("model",)),
    "net": (lambda m: {"net": m.state_dict()}, ("net",)),
    "both": (lambda m: {"model": nn.DataParallel(m).state_dict(), "step": 7}, ("model", "module.")),
}


@pytest.mark.parametrize("kind", WRAPPED)
@pytest.mark.parametrize("form", ["mapping", "file"])
def test_wrappers_are_removed_with_a_warning(kind: str, form: str, tmp_path: Path) -> None:
    model = trained()
    wrap, taken = WRAPPED[kind]
    weights = wrap(model)
    expected = {key: value.clone() for key, value in model.state_dict().items()}
    if form == "file":
        torch.save(weights, tmp_path / "checkpoint.pth")
        weights = tmp_path / "checkpoint.pth"
    with pytest.warns(UserWarning, match="removed") as caught:
        built = archspec.build(SMALL, weights=weights)
    (warning,) = caught
    assert warning.filename == __file__
    assert all(f"`{name}`" in str(warning.message) for name in taken)
    record = built.meta["weights"]
    assert record.unwrapped == taken
    assert [remark.code for remark in record.remarks] == ["W820"]
    assert (record.initialized, record.unused, record.loaded) == ((), (), tuple(expected))
    for key, value in built.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_a_safetensors_file_of_a_wrapped_model(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    model = trained()
    save_file(nn.DataParallel(model).state_dict(), tmp_path / "w.safetensors")
    with pytest.warns(UserWarning, match="`module.`"):
        built = archspec.build(SMALL, weights=tmp_path / "w.safetensors")
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in built.state_dict().items())


def test_an_old_file_with_a_prefix_and_without_counters() -> None:
    model = trained()
    given = {key: value for key, value in Lit(model).state_dict().items() if not key.endswith("num_batches_tracked")}
    with pytest.warns(UserWarning, match="`model.`"):
        record = archspec.build(SMALL, weights=given).meta["weights"]
    assert record.initialized == tuple(key for key in model.state_dict() if key.endswith("num_batches_tracked"))


def refused(weights: Any, text: str = SMALL, **options: Any) -> archspec.SpecError:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(archspec.SpecError) as error:
            archspec.build(text, weights=weights, **options)
    return error.value


@pytest.mark.parametrize("transfer", [False, True])
def test_several_state_dicts_are_refused(transfer: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An average beside the weights: both would load, with different results. The argument in the help chooses one."""
    model, average = trained(), archspec.build(SMALL)
    monkeypatch.chdir(tmp_path)
    given = {"model": model.state_dict(), "model_ema": average.state_dict(), "epoch": 4}
    torch.save(given, "FILE.pth")
    (fault,) = refused("FILE.pth", transfer=transfer).diagnostics
    assert fault.code == "E823"
    number = len(model.state_dict())
    assert fault.items == (f"`model` ({number} tensors)", f"`model_ema` ({number} tensors)")
    assert refused(given).diagnostics == (fault,)
    argument = fault.help.partition("`")[2].partition("`")[0]
    built = eval(f"archspec.build(SMALL, weights='FILE.pth', {argument})", {"archspec": archspec, "SMALL": SMALL})
    assert torch.equal(built.fc.weight, model.fc.weight)


def test_two_networks_under_two_prefixes_are_named() -> None:
    given = {**Lit(trained()).state_dict(), **{f"ema.{key}": value for key, value in trained().state_dict().items()}}
    error = refused(given)
    assert {d.code for d in error.diagnostics} == {"E807"}
    assert all("under `ema.` and under `model.`" in d.help for d in error.diagnostics)


def test_an_unknown_prefix_is_kept_if_the_keys_do_not_fit() -> None:
    """It may be a scope of another network, so it is not removed; the help says what it may be."""
    given = {f"backbone.{key}": value for key, value in trained().state_dict().items() if not key.startswith("fc")}
    for options in ({}, {"transfer": True}):
        error = refused(given, **options)
        assert {d.code for d in error.diagnostics} == {"E824" if options else "E807"}
        assert all("every key begins with `backbone.`" in d.help for d in error.diagnostics)


def test_a_network_may_have_a_scope_called_module() -> None:
    """If the network's own keys begin with a wrapper's prefix, it is not removed."""
    text = spec("""
        input: [3, 8, 8]
        classes: 5
        stem: []
        head: []
        stages: {block: basic, count: 1, channels: 3}
        naming: {stage: "module.layer{stage}"}
        """)
    model = archspec.build(text)
    scramble(model)
    assert all(key.startswith("module.layer1.") for key in model.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        built = archspec.build(text, weights=model.state_dict())
    assert built.meta["weights"].unwrapped == ()
    with pytest.warns(UserWarning, match="`model.`"):
        archspec.build(text, weights=Lit(model).state_dict())
    short = {key.removeprefix("module."): value for key, value in model.state_dict().items()}
    assert {d.code for d in refused(short, text).diagnostics} == {"E807"}


def test_an_entry_beside_the_keys_of_the_network_is_extra() -> None:
    """An entry is not mistaken for the weights if the network's keys are beside it."""
    given = {**trained().state_dict(), "other": trained().state_dict()}
    (fault,) = refused(given).diagnostics
    assert (fault.code, "`other`" in fault.message) == ("E807", True)
