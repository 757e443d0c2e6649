"""Key maps: weights with other keys, and all faults that the file of a key map may have."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

import archspec
from archspec.weights import KeyMap, read_map
from tests.support.equivalence import scramble, spec

SMALL = spec("""
    input: [3, 8, 8]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 1, channels: 4}
    """)


class Own(nn.Module):
    """The same network, written by hand with other names."""

    def __init__(self) -> None:
        super().__init__()

        def conv(inputs: int, outputs: int) -> nn.Conv2d:
            return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)

        self.first = nn.Sequential(conv(3, 16), nn.BatchNorm2d(16), nn.ReLU())
        self.one = nn.Sequential(conv(16, 4), nn.BatchNorm2d(4), nn.ReLU(), conv(4, 4), nn.BatchNorm2d(4))
        self.beside = nn.Sequential(nn.Conv2d(16, 4, 1, bias=False), nn.BatchNorm2d(4))
        self.top = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = torch.relu(self.beside(x) + self.one(x))
        return self.top(x.mean((2, 3)))


MODULES = {
    "conv1": "first.0",
    "bn1": "first.1",
    "layer1.0.conv1": "one.0",
    "layer1.0.bn1": "one.1",
    "layer1.0.conv2": "one.3",
    "layer1.0.bn2": "one.4",
    "layer1.0.downsample.0": "beside.0",
    "layer1.0.downsample.1": "beside.1",
    "fc": "top",
}


def keys() -> dict[str, str]:
    """The key map, from the table of modules above."""
    found = {}
    for key in archspec.build(SMALL, device="meta").state_dict():
        scope, _, name = key.rpartition(".")
        found[key] = f"{MODULES[scope]}.{name}"
    return found


def written(**changes: Any) -> dict[str, Any]:
    """The key map as `archspec verify --map` writes it."""
    graph = archspec.compile(SMALL)
    whole = {"archspec": "0.1.0", "spec": graph.name, "hash": graph.fingerprint, "reference": "own:Own"}
    return {**whole, "keys": keys(), **changes}


def own() -> Own:
    model = Own()
    scramble(model)
    return model


def build(weights: Any, map: Any, text: str = SMALL, **options: Any) -> nn.Module:
    """A model; every warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return archspec.build(text, weights=weights, map=map, **options)


def refused(weights: Any, map: Any, text: str = SMALL, **options: Any) -> tuple[archspec.Diagnostic, ...]:
    with pytest.raises(archspec.SpecError) as error:
        build(weights, map, text, **options)
    return error.value.diagnostics


@pytest.mark.parametrize("form", ["file", "str", "whole", "keys", "bom"])
def test_a_map_loads_the_weights_of_another_model(form: str, tmp_path: Path) -> None:
    reference = own()
    path = tmp_path / "map.json"
    path.write_text(json.dumps(written()), encoding="utf-8-sig" if form == "bom" else "utf-8")
    torch.save(reference.state_dict(), tmp_path / "own.pth")
    map = {"file": path, "bom": path, "str": str(path), "whole": written(), "keys": keys()}[form]
    model = build(tmp_path / "own.pth", map)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(model(x), reference(x))
    assert torch.equal(model.eval()(x), reference.eval()(x))
    found = model.meta["weights"]
    assert found.file == str(tmp_path / "own.pth")
    assert found.map == (str(path) if form in ("file", "str", "bom") else None)
    assert (found.initialized, found.unused, list(found.loaded)) == ((), (), list(keys()))


def test_a_map_is_read_from_the_specs_keys_to_the_others() -> None:
    """The direction shows if both sides have the same names in different orders."""
    model = archspec.build(SMALL)
    scramble(model)
    given = dict(model.state_dict())
    ring = ["layer1.0.bn1.weight", "layer1.0.bn1.bias", "layer1.0.bn2.weight"]
    turned = {**{key: key for key in given}, **dict(zip(ring, ring[1:] + ring[:1], strict=True))}
    built = build(given, turned).state_dict()
    for key, value in built.items():
        assert torch.equal(value, given[turned[key]]), key
    assert not torch.equal(built[ring[0]], given[ring[0]])


@pytest.mark.parametrize("stored", [False, True])
def test_a_map_fits_tensors_that_differ_in_axes_of_length_one(stored: bool, tmp_path: Path) -> None:
    """A 1x1 convolution may be a linear layer there, and the other way around; other shapes are as wrong as before."""
    own = archspec.build(SMALL)
    scramble(own)
    given = {keys()[key]: value.clone() for key, value in own.state_dict().items()}
    given["beside.0.weight"] = given["beside.0.weight"][:, :, 0, 0].contiguous()
    given["top.weight"] = given["top.weight"][:, :, None, None]
    path = tmp_path / ("own.safetensors" if stored else "own.pth")
    save_file(given, path) if stored else torch.save(given, path)
    built = build(path, keys()).state_dict()
    assert all(torch.equal(value, built[key]) for key, value in own.state_dict().items())
    assert archspec.build(SMALL, weights=path, map=keys()).meta["weights"].adapted == {}
    [fault] = refused({**given, "top.weight": given["top.weight"].reshape(4, 5, 1, 1)}, keys())
    assert fault.code == "E807"
    unmapped = {key: given[name] for key, name in keys().items()}
    [fault] = refused(unmapped, {"fc.bias": "fc.bias"})  # keys that no map names stand for themselves, shapes included
    assert fault.code == "E807"


def test_wrappers_are_removed_before_a_map_is_used() -> None:
    reference = own()
    with pytest.warns(UserWarning, match="`state_dict`, `module.`"):
        model = archspec.build(SMALL, weights={"state_dict": nn.DataParallel(reference).state_dict()}, map=keys())
    assert torch.equal(model.fc.weight, reference.top.weight)


def test_old_weights_and_maps_without_counters() -> None:
    reference = {key: value for key, value in own().state_dict().items() if "num_batches" not in key}
    short = {key: value for key, value in keys().items() if "num_batches" not in key}
    for map in (keys(), short):
        found = build(reference, map).meta["weights"]
        assert found.initialized == tuple(key for key in keys() if "num_batches" in key)


# -- what does not fit -------------------------------------------------------------------------------------------------


def test_every_key_that_does_not_fit_is_listed_by_both_names() -> None:
    given = dict(own().state_dict())
    del given["one.3.weight"]
    given["aux.weight"] = torch.zeros(1)
    given["top.bias"] = torch.zeros(7)
    short = keys()
    del short["bn1.bias"]
    missing, extra, misfit = refused(given, short)
    assert {d.code for d in (missing, extra, misfit)} == {"E807"}
    told = ": `bn1.bias` (not in the key map), `layer1.0.conv2.weight` (`one.3.weight` in the weights)"
    assert missing.message.endswith(told)
    assert re.findall("`([^`]*)`", extra.message.partition(": ")[2]) == ["first.1.bias", "aux.weight"]
    assert misfit.message.endswith(": `fc.bias` (`top.bias` in the weights) is 7, not 5")


def test_keys_that_the_network_lacks() -> None:
    """All are refused, even in a transfer, unless the map was written for another spec."""
    strange = {**keys(), "layer9.0.conv1.weight": "x", "\x1b[31mred": "y"}
    given = own().state_dict()
    for map, options in ((strange, {}), (strange, {"transfer": True}), (written(keys=strange), {"transfer": True})):
        (fault,) = refused(given, map, **options)
        assert fault.code == "E821"
        assert "`layer9.0.conv1.weight`, `\\u001b[31mred`" in fault.message
    (fault,) = refused(given, written(keys=strange, hash="other", spec="resnet18"))
    assert (fault.code, "`resnet18`" in fault.help) == ("E821", True)


def test_a_map_of_another_spec_is_warned_about() -> None:
    """Another number of classes gives another hash, but the same keys."""
    ten = SMALL.replace("classes: 5", "classes: 10")
    reference = own()
    with pytest.warns(UserWarning, match="its hash is not") as caught:
        model = archspec.build(ten, weights=reference.state_dict(), map=written(), transfer=True, seed=0)
    assert len(caught) == 1
    found = model.meta["weights"]
    assert [remark.code for remark in found.remarks] == ["W823"]
    assert found.initialized == ("fc.weight", "fc.bias")
    assert found.unused == ("top.weight", "top.bias")
    assert found.reshaped == {"fc.weight": ((5, 4), (10, 4)), "fc.bias": ((5,), (10,))}
    assert torch.equal(model.conv1.weight, reference.first[0].weight)
    assert torch.equal(model.fc.weight, archspec.build(ten, seed=0).fc.weight)
    with pytest.warns(UserWarning, match="its hash is not"):
        archspec.build(SMALL, weights=reference.state_dict(), map=written(hash="0" * 64))


def test_a_transfer_with_the_map_of_a_deeper_network() -> None:
    deeper = {**keys(), "layer2.0.conv1.weight": "two.0.weight"}
    given = {**own().state_dict(), "two.0.weight": torch.zeros(1)}
    with pytest.warns(UserWarning, match="its hash is not"):
        found = archspec.build(SMALL, weights=given, map=written(keys=deeper, hash="other"), transfer=True)
    assert found.meta["weights"].unused == ("two.0.weight",)
    assert found.meta["weights"].initialized == ()


def test_two_keys_of_the_spec_for_one_of_the_weights() -> None:
    twice = {**keys(), "bn1.bias": "first.1.weight", "fc.bias": "top.weight"}
    faults = refused(own().state_dict(), twice)
    assert [fault.code for fault in faults] == ["E822", "E822"]
    assert "`bn1.weight`, `bn1.bias`" in faults[0].message
    assert "`top.weight`" in faults[1].message


# -- what is no map ----------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "line 1, column 1"),
    "text": ("conv1: first\n", "line 1, column 1"),
    "cut": ('{"keys": {"conv1.weight":\n', "line 2, column 1"),
    "bytes": (b"\xff\xfe{\x00", "UTF-8"),
    "list": ('["conv1.weight"]', "a list"),
    "null": ("null", "null"),
    "number": ("3", "a number"),
    "no keys": ('{"archspec": 1, "spec": "small"}', "`keys`"),
    "keys alone": ('{"conv1.weight": "first.0.weight"}', "`keys`"),
    "keys a list": ('{"keys": ["conv1.weight"]}', "a list"),
    "number as key": ('{"keys": {"conv1.weight": 3}}', "a number for `conv1.weight`"),
    "null as key": ('{"keys": {"conv1.weight": null}}', "null for `conv1.weight`"),
    "hash": ('{"keys": {}, "hash": 12}', "`hash`"),
    "spec": ('{"keys": {}, "spec": {}}', "`spec`"),
    "twice": ('{"keys": {"a.b": "x", "c": "y", "a.b": "z"}}', "`a.b`"),
    "deep": ("[" * 100_000, "too deeply"),
    "digits": ('{"keys": ' + "9" * 10_000 + "}", "too many digits"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_files_that_are_not_key_maps(kind: str, tmp_path: Path) -> None:
    content, told = WRONG[kind]
    path = tmp_path / "map.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (fault,) = refused(own().state_dict(), path)
    assert fault.code == "E820"
    assert told in fault.message
    assert len(fault.message) < 400
    assert "archspec verify --map" in fault.help


def test_all_faults_of_a_map_are_reported_at_once() -> None:
    faults = refused(own().state_dict(), {"hash": 1, "keys": {"a": 1, "b": [], "c": "d", 3: "e"}})
    assert [fault.code for fault in faults] == ["E820"] * 4
    for fault, told in zip(faults, ["`hash`", "`a`", "`b`", "a number as a key"], strict=True):
        assert told in fault.message


def test_what_is_no_file(tmp_path: Path) -> None:
    given = own().state_dict()

    def code(path: object) -> str:
        (fault,) = refused(given, path)
        assert "key map" in fault.message or fault.code == "E804"
        return fault.code

    assert code(tmp_path / "missing.json") == "E801"
    assert code("no\0such.json") == "E801"
    assert code(tmp_path) == "E803"
    os.mkfifo(tmp_path / "pipe.json")
    assert code(tmp_path / "pipe.json") == "E803"
    (tmp_path / "large.json").write_bytes(b" " * (16 * 2**20 + 1))
    assert code(tmp_path / "large.json") == "E820"


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated, because the tests may run as a user who can read every file."""

    def denied(*args: Any, **kwargs: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "map.json").write_text(json.dumps(written()))
    given = own().state_dict()
    monkeypatch.setattr(os, "open", denied)
    (fault,) = refused(given, tmp_path / "map.json")
    assert fault.code == "E804"


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NAMES = st.sampled_from(["keys", "hash", "a"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def settled(read: Callable[[], KeyMap]) -> None:
    """A map is refused, or its keys and values are strings without duplicates."""
    codes: set[str] = set()
    found = KeyMap({})
    try:
        found = read()
    except archspec.SpecError as error:
        codes = {d.code for d in error.diagnostics}
    assert codes <= {"E820", "E822"}
    assert all(isinstance(key, str) for key in (*found.keys, *found.keys.values()))
    assert len(set(found.keys.values())) == len(found.keys)


@given(value=VALUES)
@example(value={"keys": {"a": "\ud800"}})
def test_any_json_is_read_or_refused(value: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(value))
    settled(lambda: read_map(path))


@given(data=st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(data)
    settled(lambda: read_map(path))
