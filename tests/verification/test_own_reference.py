"""The reference that a spec names: what it may pass, and that nothing else reaches a library, the network or a file."""

from __future__ import annotations

import inspect
import socket
import sys
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import archspec
from archspec.verification import importing
from archspec.verification.allowed import ALLOWED
from archspec.verification.own_reference import own_reference
from tests.support.equivalence import spec

PLACE = archspec.Source("net.yaml", "reference: x").part(11)

HARMFUL = (
    *("weights", "weights_backbone", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained_strict"),
    *("pretrained_filter_fn", "pretrained_model_args", "checkpoint_path", "cache_dir", "progress", "features_only"),
    *("feature_cls", "feature_cfg", "model_cls", "model_cfg", "kwargs_filter", "pruned", "device", "dtype", "url"),
    *("file", "hf_hub_id", "scriptable", "exportable", "no_jit", "variant", "cfg", "kwargs", "args", "self"),
)
"""What no spec may pass, written by hand: arguments that load, and those that are about the machine."""


@cache
def modules() -> dict[str, list[Any]]:
    """For each library, the functions and classes that take a network's arguments."""
    vision, timm = importing.torchvision_models(), importing.timm()
    builders = [vision.get_model_builder(name) for name in vision.list_models()]
    entries = [timm.model_entrypoint(name) for name in timm.list_models()]
    found: dict[str, list[Any]] = {"torchvision": [*builders], "timm": [timm.create_model, *entries]}
    builder = sys.modules["timm.models._builder"]
    found["timm"] += [function for _, function in inspect.getmembers(builder, inspect.isfunction)]
    for name, module in list(sys.modules.items()):
        library = name.partition(".")[0]
        if library in found and ".models" in name:
            found[library] += [each for _, each in inspect.getmembers(module, inspect.isclass) if _is_network(each)]
    return found


def _is_network(found: type) -> bool:
    return issubclass(found, nn.Module) and found.__module__.partition(".")[0] in ALLOWED


@cache
def arguments(library: str) -> frozenset[str]:
    found = set(HARMFUL)
    for each in modules()[library]:
        found |= inspect.signature(each).parameters.keys()
    return frozenset(found)


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What tries to reach the network or to open a file, each refused. Python's own imports are let through."""
    found: list[str] = []

    def refuse(name: str) -> Any:
        def refused(*args: Any, **kwargs: Any) -> Any:
            found.append(f"{name}{args}")
            raise AssertionError(f"{name} is called")

        return refused

    for owner, names in (
        (socket, ("create_connection", "getaddrinfo")),
        (socket.socket, ("connect", "connect_ex", "sendto")),
        (urllib.request, ("urlopen", "urlretrieve")),
        (torch.hub, ("load_state_dict_from_url", "download_url_to_file", "load")),
        (torch, ("load",)),
    ):
        for name in names:
            monkeypatch.setattr(owner, name, refuse(name))
    return found


def faults(text: str) -> list[archspec.Diagnostic]:
    with pytest.raises(archspec.SpecError) as error:
        own_reference(text, PLACE)
    assert all(fault.span == PLACE for fault in error.value.diagnostics)
    return list(error.value.diagnostics)


@pytest.mark.parametrize("library", list(ALLOWED))
def test_every_argument_outside_the_table_is_refused(library: str, attempts: list[str]) -> None:
    known = arguments(library)
    assert len(known) > 100
    for name in sorted(known - {*ALLOWED[library]}):
        (fault,) = faults(f"{library}:resnet18({name}=1)")
        assert (fault.code, fault.items) == ("E901", ALLOWED[library]), name
        assert "against" in fault.help
    assert attempts == []


@pytest.mark.parametrize("library", list(ALLOWED))
def test_the_table_has_only_arguments_of_networks(library: str) -> None:
    allowed = ALLOWED[library]
    assert {*allowed} <= arguments(library)
    assert not {*allowed} & {*HARMFUL}
    assert len(allowed) == len(set(allowed))
    suspicious = ("path", "url", "file", "dir", "pretrain", "weights", "checkpoint", "hub", "cfg")
    harmless = {"init_weights", "drop_path_rate"}  # numbers, in spite of their names
    assert {name for name in allowed if any(word in name for word in suspicious)} <= harmless


VALUES = ("'a'", "'/etc/passwd'", "{'url': 'a'}", "[1, 'a']", "b'a'", "1j", "{1}", "...", "[[], ['x']]")


@pytest.mark.parametrize("library", list(ALLOWED))
@pytest.mark.parametrize("value", VALUES)
def test_every_other_value_is_refused(library: str, value: str, attempts: list[str]) -> None:
    for name in ("num_classes", "groups"):
        (fault,) = faults(f"{library}:resnet18({name}={value})")
        assert fault.code == "E901"
    assert attempts == []


@pytest.mark.parametrize("word", ["'/etc/passwd'", "'a.b'", "'https://a'", "'..'", "'a b'", "'\\n'", "['avg']"])
def test_a_word_is_a_word(word: str) -> None:
    assert [fault.code for fault in faults(f"timm:resnet18(global_pool={word})")] == ["E901"]


@pytest.mark.parametrize(
    "text",
    [
        *("timm:hf-hub:a/b", "timm:hf_hub:a/b", "timm:local-dir:/tmp", "timm:../a", "timm:/etc/passwd", "timm:a/b"),
        *(
            "os:system('exit 3')",
            "torchvision.models:resnet18",
            "timm.models:resnet18",
            "torch.hub:load",
            "posix:abort",
        ),
        *("torchvision:resnet18(1)", "torchvision:resnet18(**{'weights': 1})", "torchvision:resnet18(*[1])"),
    ],
)
def test_what_names_no_network_of_a_library(text: str, attempts: list[str]) -> None:
    assert {fault.code for fault in faults(text)} <= {"E901", "E902"}
    assert attempts == []


@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn", "ssd300_vgg16", "raft_small"])
def test_a_network_that_loads_a_backbone_is_not_among_those_of_torchvision(name: str, attempts: list[str]) -> None:
    """Their builders download the backbone's weights unless `weights_backbone=None` is passed."""
    assert [fault.code for fault in faults(f"torchvision:{name}")] == ["E902"]
    assert attempts == []


@pytest.mark.parametrize("name", ["fcn_resnet50", "lraspp_mobilenet_v3_large"])
def test_a_segmentation_network_has_a_backbone_without_weights(name: str, attempts: list[str]) -> None:
    made, _ = own_reference(f"torchvision:{name}", PLACE)
    assert isinstance(made, nn.Module)
    assert attempts == []


def test_all_arguments_that_are_refused_are_reported_together() -> None:
    found = faults("timm:resnet18(pretrained=True, in_chans=1, cache_dir='/tmp', num_classes='x')")
    assert ["pretrained" in found[0].message, "cache_dir" in found[1].message] == [True, True]
    assert len(found) == 3


@pytest.mark.parametrize(
    "text",
    [
        "torchvision:resnet18",
        "torchvision:resnet50(replace_stride_with_dilation=[False, True, True], width_per_group=32)",
        "torchvision:mobilenet_v2(width_mult=0.5, num_classes=10)",
        "timm:resnet18.a1_in1k(in_chans=1, global_pool='max', output_stride=16, drop_path_rate=0.1)",
        "timm:convnext_atto(norm_eps=0.001)",
    ],
)
def test_what_is_allowed_is_made_and_loads_nothing(text: str, attempts: list[str]) -> None:
    assert isinstance(own_reference(text, PLACE)[0], nn.Module)
    assert attempts == []


@pytest.mark.parametrize(
    "text",
    [
        "torchvision:resnet18(num_classes=99999999999)",
        "torchvision:resnet50(width_per_group=1000000)",
        "torchvision:mobilenet_v2(width_mult=10000.0)",
        "timm:resnet18(in_chans=1000000000)",
        "timm:swin_tiny_patch4_window7_224(img_size=20000)",
        "timm:beit_base_patch16_224(img_size=4000)",
    ],
)
def test_a_reference_that_would_fill_the_memory_is_refused(text: str) -> None:
    (fault,) = faults(text)
    assert fault.code == "E904"
    assert "elements" in fault.message


def test_the_process_is_as_it_was() -> None:
    path, folder = list(sys.path), Path.cwd()
    own_reference("torchvision:resnet18", PLACE)
    assert (sys.path, Path.cwd()) == (path, folder)


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("timm:resnet50(pretrained=True)", "a spec cannot pass `pretrained` to timm"),
        ("timm:vit_tiny_patch16_224(depth=10000000)", "`depth` must be at most 1,000 in a spec, got `10000000`"),
        ("timm:resnet50(layers=[3, 4, 1000000, 3])", "`layers` must be at most 1,000"),
        ("timm:convnext_tiny(depths=(3, 3, 2000, 3))", "`depths` must be at most 1,000"),
        ("mine:build", "could make the spec run code"),
        ("resnet50", "is not a reference"),
    ],
)
def test_check_refuses_a_reference_that_a_spec_may_not_name(reference: str, told: str) -> None:
    text = spec(f"input: [3, 8, 8]\nstages: []\nstem: [act]\nreference: {reference!r}")
    outcome = archspec.check(text)
    (fault,) = [fault for case in outcome.cases for fault in case.diagnostics]
    assert fault.code == "E901"
    assert told in fault.message
    assert fault.span is not None
    assert text.splitlines()[fault.span.line - 1].startswith("reference:")


@pytest.mark.parametrize("reference", ["timm:no_such_network", "torchvision:resnet50(num_classes=100000)"])
def test_check_does_not_look_for_the_reference(reference: str) -> None:
    text = spec(f"input: [3, 8, 8]\nstages: []\nstem: [act]\nreference: {reference!r}")
    assert not [fault for case in archspec.check(text).cases for fault in case.diagnostics if fault.code == "E901"]
