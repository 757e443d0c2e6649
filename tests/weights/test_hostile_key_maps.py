"""A key map may have any shape: reading it takes time in proportion to its size, which has a bound."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import archspec
from archspec.weights import fit, read_map
from archspec.weights.keymap import MAX_BYTES
from tests.support.timing import allowed

BYTES = 2**20


def many(line: Callable[[int], str], around: str = '{"keys": {%s}}') -> str:
    """About a megabyte of entries."""
    return around % ", ".join(line(number) for number in range(BYTES // (len(line(10_000)) + 2)))


SHAPES = {
    "one duplicate": lambda: many(lambda n: f'"k{n if n else 7}": "v{n}"'),
    "every key twice": lambda: many(lambda n: f'"k{n // 2}": "v{n}"'),
    "one key": lambda: many(lambda n: f'"k": "v{n}"'),
    "duplicates outside": lambda: many(lambda n: f'"k{n // 2}": 1', "{%s}"),
    "one value": lambda: many(lambda n: f'"k{n}": "v"'),
    "every value twice": lambda: many(lambda n: f'"k{n}": "v{n // 2}"'),
    "every value wrong": lambda: many(lambda n: f'"k{n}": {n}'),
    "small mappings": lambda: many(lambda n: f'"k{n}": {{"a": 1, "a": 2}}'),
    "lists": lambda: many(lambda n: f'"k{n}": []'),
    "nothing fits": lambda: many(lambda n: f'"k{n}": "v{n}"'),
    "deep lists": lambda: "[" * BYTES,
    "deep mappings": lambda: '{"a":' * (BYTES // 5),
    "deep enough for Python": lambda: '{"keys":' * 900 + "1" + "}" * 900,
    "a long key": lambda: '{"keys": {"%s": "a"}}' % ("k" * BYTES),
    "long keys": lambda: many(lambda n: f'"{"k" * 10_000}{n}": "{"v" * 10_000}{n}"'),
    "a long number": lambda: '{"keys": {"a": %s}}' % ("9" * BYTES),
    "escapes": lambda: '{"keys": {"%s": "a"}}' % ("\\u0000" * (BYTES // 6)),
    "many lines": lambda: '{"keys": {' + "\n" * BYTES + "x",
    "spaces": lambda: " " * BYTES,
    "words": lambda: "NaN " * (BYTES // 4),
}


@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_megabyte_of_any_shape_is_read_in_seconds(shape: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(SHAPES[shape]())
    graph = archspec.compile("resnet18")
    begun = time.process_time()
    with pytest.raises(archspec.SpecError) as error:
        fit(graph, {"a": torch.zeros(1)}, path)
    text = str(error.value)
    assert time.process_time() - begun < allowed(5)
    assert {fault.code for fault in error.value.diagnostics} <= {"E820", "E821", "E822"}, text[:200]


def test_the_size_has_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": {"a": "b" * MAX_BYTES}}))
    with pytest.raises(archspec.SpecError, match="is larger than 4 MiB") as error:
        read_map(path)
    assert [fault.code for fault in error.value.diagnostics] == ["E820"]


def test_each_duplicate_is_listed_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"keys": {"b": "1", "a": "2", "c": "3", "a": "4", "b": "5", "a": "6"}}')
    with pytest.raises(archspec.SpecError) as error:
        read_map(path)
    assert error.value.diagnostics[0].items == ("`b`", "`a`")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_a_key_of_many_prefixes(prefix: str) -> None:
    weights = {prefix * (BYTES // len(prefix)) + "fc.bias": torch.zeros(1000)}
    begun = time.process_time()
    with pytest.raises(archspec.SpecError):
        fit(archspec.compile("resnet18"), weights)
    assert time.process_time() - begun < allowed(5)
