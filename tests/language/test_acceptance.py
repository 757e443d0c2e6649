"""What is accepted without a validator: never what a validator refuses, and every graph that archspec writes."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import archspec
from archspec.diagnostics import Source, SpecError
from archspec.emit.graph_json import to_json
from archspec.emit.graph_schema import reading_schema
from archspec.language.acceptance import acceptance
from archspec.language.schema import read_schema
from archspec.language.text.reader import read
from tests.support.paths import ROOT

SCHEMA = reading_schema()
ACCEPTS = acceptance(SCHEMA, SCHEMA)
VALIDATOR = Draft202012Validator(SCHEMA)
SMALL = """\
archspec: 1
name: small
input: [3, 16, 16]
stem: [conv: {out: 4, kernel: 3}]
stages: {block: bottleneck, count: [1, 2], channels: [4, 8], stride: [1, 2]}
"""
ODD: list[Any] = [None, True, False, 0, 1, -1, 1.0, 2.5, 10**20, "", "a", "1", "a b", "a\n", [], [1], {}, {"a": 1}]


@pytest.mark.parametrize("spec", ["resnet18", "googlenet", "regnet_y_400mf", SMALL])
def test_what_archspec_writes_is_accepted(spec: str) -> None:
    assert ACCEPTS(json.loads(to_json(archspec.compile(spec))))


def test_nothing_is_accepted_that_the_schema_refuses() -> None:
    """Thousands of changes of one value, or of a key, anywhere in a graph."""
    data, draw = json.loads(to_json(archspec.compile(SMALL))), random.Random(0)
    data["nodes"], data["regions"], data["named"] = data["nodes"][:3], data["regions"][:2], data["named"][:1]
    accepted = 0
    for _ in range(1500):
        changed = copy.deepcopy(data)
        change(changed, draw)
        if ACCEPTS(changed):
            accepted += 1
            assert VALIDATOR.is_valid(changed)
    assert accepted > 100


def change(data: Any, draw: random.Random) -> None:
    """Replace, remove or add one value."""
    at = data
    while True:
        keys = [*at] if isinstance(at, dict) else [*range(len(at))]
        if not keys:
            return
        key = draw.choice(keys)
        if isinstance(at[key], dict | list) and at[key] and draw.random() < 0.85:
            at = at[key]
            continue
        how = draw.randrange(4)
        if how == 0:
            del at[key]
        elif how == 1 and isinstance(at, dict):
            at[draw.choice(["other", "at", "values", "init"])] = draw.choice(ODD)
        else:
            at[key] = draw.choice(ODD)
        return


@given(st.sampled_from(["type", "enum", "const", "minimum", "pattern", "contains", "oneOf"]), st.sampled_from(ODD))
def test_a_schema_of_one_keyword(word: str, value: Any) -> None:
    """Keywords without a rule accept nothing; numbers are compared by type, as 1 and true are not equal."""
    operands = {"type": "integer", "enum": [1, "a", False], "const": 1, "minimum": 1, "pattern": "^a$(?!\n)"}
    schema = {word: operands.get(word, [{}] if word == "oneOf" else {"const": 1})}
    if acceptance(schema, schema)(value):
        assert Draft202012Validator(schema).is_valid(value)


SPEC_SCHEMA = read_schema()
ACCEPTS_SPEC, SPEC_VALIDATOR = acceptance(SPEC_SCHEMA, SPEC_SCHEMA), Draft202012Validator(SPEC_SCHEMA)


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.yaml"))[::4], ids=lambda path: path.stem)
def test_specs_that_ship_are_accepted(path: Path) -> None:
    assert ACCEPTS_SPEC(read(Source(str(path), path.read_text(encoding="utf-8"))).value)


@pytest.mark.parametrize("path", sorted((ROOT / "tests/specs/bad").glob("*.yaml"))[::2], ids=lambda path: path.stem)
def test_no_spec_is_accepted_that_the_schema_refuses(path: Path) -> None:
    try:
        value = read(Source(str(path), path.read_text(encoding="utf-8"))).value
    except SpecError:
        return
    assert SPEC_VALIDATOR.is_valid(value) or not ACCEPTS_SPEC(value)


def test_no_change_of_a_spec_is_accepted_that_the_schema_refuses() -> None:
    """Thousands of changes of a spec with steps of every form."""
    path, draw = ROOT / "tests/specs/good/everything.yaml", random.Random(1)
    data = read(Source(str(path), path.read_text(encoding="utf-8"))).value
    assert ACCEPTS_SPEC(data)
    accepted = 0
    for _ in range(800):
        changed = copy.deepcopy(data)
        change(changed, draw)
        if ACCEPTS_SPEC(changed):
            accepted += 1
            assert SPEC_VALIDATOR.is_valid(changed)
        else:
            assert not SPEC_VALIDATOR.is_valid(changed) or "1.0" in repr(changed) or "2.5" in repr(changed)
    assert accepted > 50
