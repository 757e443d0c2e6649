"""Weights from a mapping or a file: they are loaded if they fit, and listed if not; code in a file is not run."""

from __future__ import annotations

import os
import pickle
import re
import sys
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import archspec
from tests.support.equivalence import scramble, spec
from tests.support.reference import torchvision_model

SMALL = spec("""
    input: [3, 16, 16]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 1, channels: [16, 24], stride: [1, 2]}
    """)

State = dict[str, Tensor]


@pytest.fixture
def state() -> State:
    """Weights of the small network that differ from any initialization."""
    model = archspec.build(SMALL)
    scramble(model)
    model.bn1.num_batches_tracked.fill_(7)
    return dict(model.state_dict())


def refused(weights: Any) -> archspec.SpecError:
    """The error of refused weights; there may be no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(archspec.SpecError) as error:
            archspec.build(SMALL, weights=weights)
    return error.value


def keys(error: archspec.SpecError) -> list[str]:
    """The keys that an error lists after the colon of each diagnostic, in order."""
    return [key for d in error.diagnostics for item in d.items for key in re.findall("`([^`]*)`", item)]


def code(error: archspec.SpecError) -> str:
    (found,) = {diagnostic.code for diagnostic in error.diagnostics}
    return found


def assert_loaded(weights: Any, state: State) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for flat in (False, True):
            model = archspec.build(SMALL, weights=weights, flat=flat)
            assert list(model.state_dict()) == list(state)
            for key, value in model.state_dict().items():
                assert torch.equal(value, state[key]), key


# -- what is accepted --------------------------------------------------------------------------------------------------


def test_mappings(state: State) -> None:
    """In any order, as parameters, and from `state_dict`. The tensors are copied."""
    assert_loaded(state, state)
    assert_loaded(OrderedDict(reversed(state.items())), state)
    assert_loaded({key: nn.Parameter(v) if v.is_floating_point() else v for key, v in state.items()}, state)
    reference = archspec.build(SMALL, weights=state)
    assert_loaded(reference.state_dict(), state)
    assert_loaded(reference.state_dict(keep_vars=True), state)
    model = archspec.build(SMALL, weights=state)
    with torch.no_grad():
        model.fc.bias.add_(1)
    assert not torch.equal(model.fc.bias, state["fc.bias"])
    assert all(value.requires_grad for value in model.parameters())


@pytest.mark.parametrize("suffix", ["safetensors", "pt", "pth", "bin"])
def test_files(suffix: str, state: State, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    assert_loaded(path, state)
    assert_loaded(str(path), state)


def test_a_file_of_the_old_format(state: State, tmp_path: Path) -> None:
    """The format of torch before 1.6: a plain pickle, not a zip archive."""
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert not zipfile.is_zipfile(tmp_path / "old.pth")
    assert_loaded(tmp_path / "old.pth", state)


def test_a_file_that_torchvision_would_write(tmp_path: Path) -> None:
    reference = torchvision_model("resnet18").eval()
    torch.save(reference.state_dict(), tmp_path / "resnet18.pth")
    model = archspec.build("resnet18", weights=tmp_path / "resnet18.pth").eval()
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(model(x), reference(x))


def test_build_loads_what_it_saves(state: State, tmp_path: Path) -> None:
    graph = archspec.compile(SMALL)
    archspec.save(archspec.build(graph, weights=state), graph, tmp_path / "model.safetensors")
    assert_loaded(tmp_path / "model.safetensors", state)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        metadata = file.metadata()
    assert archspec.load(metadata["archspec"]).name == metadata["name"] == "tested"
    assert metadata["hash"] == graph.fingerprint


def test_memory_layouts_and_shared_storage(state: State, tmp_path: Path) -> None:
    """Transposed, strided, channels-last, expanded and tied tensors are loaded with their values."""
    kernel = state["layer1.0.conv1.weight"]
    laid_out = {
        **state,
        "layer1.0.conv1.weight": kernel.transpose(0, 3).contiguous().transpose(0, 3),
        "layer1.0.conv2.weight": state["layer1.0.conv2.weight"].contiguous(memory_format=torch.channels_last),
        "layer2.0.bn1.weight": torch.stack([state["layer2.0.bn1.weight"]] * 2, 1)[:, 0],
        "layer2.0.bn1.bias": torch.full((1,), 0.25).expand(24),
        "layer2.0.bn2.bias": state["layer2.0.bn2.weight"],
    }
    assert not laid_out["layer1.0.conv1.weight"].is_contiguous()
    expected = {key: value.contiguous().clone() for key, value in laid_out.items()}
    assert_loaded(laid_out, expected)
    torch.save(laid_out, tmp_path / "shared.pt")
    assert_loaded(tmp_path / "shared.pt", expected)
    model = archspec.build(SMALL, weights=laid_out)
    assert model.layer2[0].bn2.bias.data_ptr() != model.layer2[0].bn2.weight.data_ptr()
    assert model.layer1[0].conv1.weight.is_contiguous()


def test_a_model_in_another_memory_format_can_be_saved(state: State, tmp_path: Path) -> None:
    graph = archspec.compile(SMALL)
    model = archspec.build(graph, weights=state).to(memory_format=torch.channels_last)
    archspec.save(model, graph, tmp_path / "model.safetensors")
    assert_loaded(tmp_path / "model.safetensors", state)


@pytest.mark.parametrize("versions", [False, True], ids=["plain", "with versions"])
def test_batch_counters_may_be_missing(state: State, versions: bool) -> None:
    """Files from before torch 0.4.1 lack them. The versions that `state_dict` keeps beside the keys must not matter."""
    given: Any = archspec.build(SMALL, weights=state).state_dict() if versions else dict(state)
    for key in [key for key in given if key.endswith("num_batches_tracked")]:
        del given[key]
    state["bn1.num_batches_tracked"] = torch.tensor(0)
    assert_loaded(given, state)


# -- what does not fit -------------------------------------------------------------------------------------------------


def test_every_missing_extra_and_misshapen_key_is_listed(state: State) -> None:
    given = dict(state)
    del given["conv1.weight"], given["layer2.0.downsample.1.running_var"]
    given["fc.weight"] = torch.zeros(1000, 24)
    given["bn1.weight"] = torch.tensor(1.0)
    given["layer3.0.conv1.weight"] = torch.zeros(1)
    given["\x1b[31mred"] = torch.zeros(1)
    error = refused(given)
    assert code(error) == "E807"
    named = keys(error)
    expected = {"conv1.weight", "layer2.0.downsample.1.running_var", "fc.weight", "bn1.weight", "layer3.0.conv1.weight"}
    assert sorted(named) == sorted(expected | {"\\u001b[31mred"})
    text = str(error)  # what a traceback shows
    assert "\x1b" not in text
    for key in named:
        assert key in text
    for shape in ("1000x24", "5x24", "a number", "16"):
        assert shape in text
    assert "tested" in text


def test_all_keys_of_another_network_are_listed_in_order() -> None:
    """`items` has even hundreds of them: a truncated list may hide the key that explains the others."""
    given = torchvision_model("resnet50").state_dict()
    with pytest.raises(archspec.SpecError) as error:
        archspec.build("resnet18", weights=given)
    own = {key: value.shape for key, value in archspec.build("resnet18", device="meta").state_dict().items()}
    expected = [key for key, shape in own.items() if key not in given or given[key].shape != shape]
    expected = [key for key in expected if key in given or "num_batches_tracked" not in key]
    misshapen = [key for key in expected if key in given]
    missing = [key for key in expected if key not in given]
    assert keys(error.value) == [*missing, *(key for key in given if key not in own), *misshapen]
    assert len(misshapen) > 10
    assert len(keys(error.value)) > 200


@pytest.mark.parametrize(
    "value",
    [None, [1.0] * 5, torch.zeros(5).numpy(), torch.zeros(5, dtype=torch.complex64), torch.empty(5, device="meta")],
    ids=["None", "list", "numpy", "complex", "meta"],
)
def test_a_value_that_cannot_be_loaded(value: object, state: State) -> None:
    assert code(refused({**state, "fc.bias": value})) == "E807"


def test_weights_that_are_neither_a_mapping_nor_a_path() -> None:
    for weights in (archspec.build(SMALL), [("fc.bias", torch.zeros(5))], 3):
        with pytest.raises(TypeError, match="state dict or a file"):
            archspec.build(SMALL, weights=weights)


def test_odd_mappings(state: State) -> None:
    assert code(refused({})) == "E807"
    assert code(refused({**state, 3: torch.zeros(1)})) == "E807"
    assert code(refused({**state, "fc.bias": torch.zeros(5).to_sparse()})) == "E807"


def test_weights_are_checked_on_the_meta_device_too(state: State) -> None:
    del state["fc.bias"]
    with pytest.raises(archspec.SpecError, match=r"fc\.bias"):
        archspec.build(SMALL, weights=state, device="meta")


# -- what is no weights file -------------------------------------------------------------------------------------------


class Exploit:
    """An object in a malicious file: unpickling it makes a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("suffix", ["pt", "pth", "pkl", "safetensors", ""])
@pytest.mark.parametrize("form", ["pickle", "zip", "old"])
def test_a_pickle_is_not_run(form: str, suffix: str, state: State, tmp_path: Path) -> None:
    target, path = tmp_path / "owned", tmp_path / f"weights.{suffix}"
    malicious = {**state, "fc.bias": Exploit(target)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(malicious))
    else:
        torch.save(malicious, path, _use_new_zipfile_serialization=form == "zip")
    assert code(refused(path)) == "E808"
    assert not target.exists()
    if form == "pickle":
        pickle.loads(path.read_bytes())
        assert target.exists(), "the exploit itself does not work, so nothing was shown"


WRONG: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("archspec: 1\nname: x\n"),
    "zeros": lambda path: path.write_bytes(bytes(1000)),
    "zip": lambda path: zipfile.ZipFile(path, "w").writestr("readme", "no weights"),
    "huge header": lambda path: path.write_bytes((2**62).to_bytes(8, "little") + b"{}"),
    "module": lambda path: torch.save(nn.Linear(2, 2), path),
    "tensor": lambda path: torch.save(torch.zeros(3), path),
    "optimizer": lambda path: torch.save(torch.optim.SGD([torch.zeros(1)], 0.1).state_dict(), path),
    "nested": lambda path: torch.save({"trainer": [{"model": {"a": torch.zeros(1)}}], "epoch": 3}, path),
    "list": lambda path: torch.save([torch.zeros(1)], path),
    "cut": lambda path: (torch.save({"a": torch.zeros(100)}, path), path.write_bytes(path.read_bytes()[:300])),
}


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("kind", WRONG)
def test_files_that_are_not_weights(kind: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    WRONG[kind](path)
    error = refused(path)
    assert code(error) == "E808"
    assert len(error.diagnostics[0].message) < 400
    assert error.diagnostics[0].help


def test_an_exported_program_is_not_loaded(tmp_path: Path) -> None:
    program = torch.export.export(nn.Linear(2, 2), (torch.zeros(1, 2),))
    torch.export.save(program, tmp_path / "model.pt2")
    assert code(refused(tmp_path / "model.pt2")) == "E808"


def test_what_is_no_file(tmp_path: Path) -> None:
    assert code(refused(tmp_path / "missing.pt")) == "E801"
    assert code(refused("no\0such.pt")) == "E801"
    assert code(refused("x" * 5000)) == "E801"
    assert code(refused(tmp_path)) == "E803"
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe.pt")
        assert code(refused(tmp_path / "pipe.pt")) == "E803"
        assert code(refused("/dev/zero")) == "E803"


def test_a_file_that_may_not_be_read(state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated, because the tests may run as a user who can read every file."""

    def denied(*args: Any, **kwargs: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    torch.save(state, tmp_path / "weights.pt")
    monkeypatch.setattr(torch, "load", denied)
    assert code(refused(tmp_path / "weights.pt")) == "E804"


def test_safetensors_that_is_not_installed(state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(state, tmp_path / "weights.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(archspec.EnvironmentFault) as error:
        archspec.build(SMALL, weights=tmp_path / "weights.safetensors")
    assert error.value.diagnostic.code == "E809"


# -- what is said ------------------------------------------------------------------------------------------------------


def said(weights: Any, **options: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        archspec.build(SMALL, weights=weights, **options)
    assert all(warning.category is UserWarning for warning in caught)
    assert all(warning.filename == __file__ for warning in caught), "a warning points at the caller's line"
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_an_unrequested_cast_is_a_warning(dtype: torch.dtype, state: State) -> None:
    cast = {key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()}
    (message,) = said(cast)
    count = sum(value.is_floating_point() for value in state.values())
    assert f"{count} tensors" in message
    assert str(dtype) in message
    assert "torch.float32" in message
    assert said(cast, dtype=dtype) == []
    assert said(cast, dtype=torch.float32) == []
    model = archspec.build(SMALL, weights=cast, dtype=dtype)
    assert all(torch.equal(value, cast[key]) for key, value in model.state_dict().items())


def test_one_tensor_of_another_dtype_is_a_warning(state: State) -> None:
    (message,) = said({**state, "fc.bias": state["fc.bias"].double()})
    assert message.startswith("1 tensor of the weights")


@pytest.mark.parametrize("options", [{}, {"dtype": torch.float32}], ids=["silent", "asked"])
def test_integers_as_weights_are_always_a_warning(options: dict[str, Any], state: State) -> None:
    """Quantized weights without their scale make no sense in any floating-point dtype."""
    (message,) = said({**state, "fc.weight": (state["fc.weight"] * 100).to(torch.int8)}, **options)
    assert "torch.int8" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_said(value: float, state: State) -> None:
    for key in ("layer1.0.conv1.weight", "layer2.0.bn2.running_var"):
        state[key].view(-1)[1] = value
    (message,) = said(state)
    assert "`layer1.0.conv1.weight`" in message
    assert "`layer2.0.bn2.running_var`" in message
    assert "conv2" not in message


def test_an_overflow_in_a_cast_is_a_warning(state: State) -> None:
    state["fc.weight"][0, 0] = 1e6
    (message,) = said(state, dtype=torch.float16)
    assert "`fc.weight`" in message


def test_many_broken_tensors_are_counted(state: State) -> None:
    broken = {key: value * float("nan") if value.is_floating_point() else value for key, value in state.items()}
    (message,) = said(broken)
    count = sum(value.is_floating_point() for value in state.values())
    assert f"and {count - 3} more" in message


def test_sound_weights_cause_no_warnings(state: State) -> None:
    assert said(state) == []
    assert said(None) == []


@pytest.mark.parametrize("made", ["resnet34", "layer1"])
def test_another_network_is_not_saved_under_this_name(made: str, tmp_path: Path) -> None:
    model = archspec.build("resnet34") if made == "resnet34" else archspec.build("resnet18").layer1
    with pytest.raises(archspec.SpecError) as error:
        archspec.save(model, "resnet18", tmp_path / "model.safetensors")
    assert {fault.code for fault in error.value.diagnostics} == {"E807"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "layer", "overrides"),
    [
        ("fc", torch.nn.Linear(512, 5), {"classes": 5}),
        ("fc", torch.nn.Linear(512, 5, bias=False), None),
        ("fc", torch.nn.Identity(), None),
        ("fc", torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Linear(512, 5)), None),
        ("fc", torch.nn.Linear(256, 1000), None),
        ("conv1", torch.nn.Conv2d(1, 64, 7, bias=False), {"input": [1, 224, 224]}),
        ("conv1", torch.nn.Conv2d(3, 32, 7, bias=False), None),
        ("more", torch.nn.Linear(2, 2), None),
    ],
    ids=["classes", "no bias", "no head", "dropout", "features", "gray", "stem", "extra"],
)
def test_a_changed_model_is_refused_as_not_the_network(
    name: str, layer: torch.nn.Module, overrides: dict[str, Any] | None, tmp_path: Path
) -> None:
    """`save` has no `transfer`, and it is the model, not a file, that does not fit."""
    model = archspec.build("resnet18")
    model.add_module(name, layer)
    with pytest.raises(archspec.SpecError) as error:
        archspec.save(model, "resnet18", tmp_path / "model.safetensors")
    for found in error.value.diagnostics:
        assert found.code == "E807"
        assert found.message.startswith("the model's weights ")
        assert found.help.startswith("the model is not the network of the spec")
        assert "transfer" not in found.help
        assert (f"`overrides={overrides}`" if overrides else "was built from") in found.help
    if overrides:
        archspec.save(model, "resnet18", tmp_path / "model.safetensors", overrides=overrides)


def test_a_backbone_is_not_saved_with_the_weights_that_its_outputs_leave_out(tmp_path: Path) -> None:
    path, model = tmp_path / "a.safetensors", archspec.build("resnet18")
    with pytest.raises(archspec.SpecError, match=r"have 2 keys that `resnet18` does not have"):
        archspec.save(model, "resnet18", path, overrides={"outputs": ["layer4"]})


@pytest.mark.parametrize("name", ["model.pth", "model", "model.safetensors.bak"])
def test_weights_are_saved_as_safetensors_only(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"name a file such as `model\.safetensors`"):
        archspec.save(archspec.build("resnet20_cifar"), "resnet20_cifar", tmp_path / name)
    assert list(tmp_path.iterdir()) == []
