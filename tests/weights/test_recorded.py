"""Weights that a file records as those of another network: a warning where the keys fit, a help where they do not."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import archspec
from archspec import SpecError
from archspec.weights import fit
from tests.support.equivalence import spec

SMALL = spec("""
    input: [3, 16, 16]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 2, channels: [8, 16], stride: [1, 2]}
    """)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "mine.safetensors"
    graph = archspec.compile(SMALL)
    archspec.save(archspec.build(graph, seed=0), graph, path)
    return path


def remarks(saved: Path, *overrides: str, **how: object) -> list[archspec.Diagnostic]:
    graph = archspec.compile(SMALL, overrides=overrides)
    return [*fit(graph, saved, **how).loaded.remarks]  # type: ignore[arg-type]  # the test's own arguments


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ("act=silu", "`act` (`relu` there, `silu` here)"),
        ("stages.stride=1", "`stages.stride`"),
        ("stages.dilation=2", "`stages.dilation` (`1` there, `2` here)"),
    ],
)
def test_weights_of_another_network_warn(saved: Path, change: str, values: str) -> None:
    (found,) = remarks(saved, change)
    assert found.code == "W824"
    assert values in found.message
    assert found.span
    with pytest.warns(UserWarning, match="another network"):
        archspec.build(archspec.compile(SMALL, overrides=[change]), weights=saved)
    assert not remarks(saved, change, transfer=True)


@pytest.mark.parametrize("change", ["input=[3, 24, 24]", "name=other", "init={zero_init_residual: true}"])
def test_what_computes_the_same_does_not_warn(saved: Path, change: str) -> None:
    assert not remarks(saved, change)


def test_a_file_with_a_record_that_is_not_a_spec_does_not_warn(saved: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file  # only this test needs it

    for number, text in enumerate(["no: spec", "archspec: [", "\n", "resnet18"]):
        path = tmp_path / f"{number}.safetensors"
        save_file(load_file(saved), path, {"name": "mine", "hash": "0", "archspec": text})
        assert not remarks(path, "act=silu")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["input=[1, 8, 8]"], "'input': [3, 16, 16]}"),
        (["classes=7"], "{'classes': 5}"),
        (["input=[1, 8, 8]", "classes=7"], "{'input': [3, 16, 16], 'classes': 5}"),
    ],
)
def test_the_same_network_for_other_shapes_is_named(saved: Path, changes: list[str], expected: str) -> None:
    with warnings.catch_warnings(), pytest.raises(SpecError) as caught:
        remarks(saved, *changes)
    (found,) = caught.value.diagnostics
    assert expected in found.help


def test_another_network_with_other_shapes_has_no_such_help(saved: Path) -> None:
    with pytest.raises(SpecError) as caught:
        remarks(saved, "act=silu", "classes=7")
    assert "overrides" not in caught.value.diagnostics[0].help
