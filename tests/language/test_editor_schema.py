"""The schema for editors: it describes everything, offers the names that there are, and marks faults only."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

import archspec
from archspec.diagnostics import Source, SpecError
from archspec.language import descriptions
from archspec.language.definitions import conventions, library
from archspec.language.editor_schema import EXPRESSION, STEP_NAME, editor_schema
from archspec.language.text.locate import zoo_names
from archspec.language.text.reader import read
from archspec.operations.discovery import operations
from archspec.strategies import SpecText, specs
from tests.support.pages import blocks, part
from tests.support.paths import ROOT
from tests.support.properties import tries

VALIDATOR = Draft202012Validator(editor_schema())
BAD = sorted((ROOT / "tests/specs/bad").glob("*.yaml"))
GOOD = [*sorted((ROOT / "specs").glob("*.yaml")), *sorted((ROOT / "tests/specs/good").glob("*.yaml"))]
LIBRARY = sorted((ROOT / "archspec/language/library").glob("*.yaml"))
PLAIN = "archspec: 1\nname: t\nstages: {block: basic, count: 1, channels: 8}\n"


def marked(text: str) -> list[str]:
    """What the schema marks in a text that archspec reads as YAML."""
    return [error.message for error in VALIDATOR.iter_errors(read(Source("t.yaml", text)).value)]


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every property of a schema at any depth, with its path."""
    if isinstance(schema, list):
        for item in schema:
            yield from properties(item, path)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties":
                yield from ((f"{path}.{name}", each) for name, each in value.items())
                for name, each in value.items():
                    yield from properties(each, f"{path}.{name}")
            elif key not in ("allOf", "plain-step"):  # conditions, which only restrict what is described elsewhere
                yield from properties(value, path)


# -- descriptions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of_definitions", [False, True])
def test_every_property_says_what_it_means(of_definitions: bool) -> None:
    schema = editor_schema(of_definitions=of_definitions)
    Draft202012Validator.check_schema(schema)
    found = list(properties(schema))
    assert len(found) > 200
    for path, each in found:
        told = each.get("description", "")
        assert re.fullmatch(r"(?s)[A-Z`1].{4,400}[.}]", told), (path, told)


def told_default(told: str) -> str:
    """The default that a description states; empty without one."""
    found = re.search(r"Default: (.+)\.$", told)
    return found[1] if found else ""


def networks(place: str, key: str, value: str) -> tuple[str, str]:
    """Two spec texts: without the key, and with it at its default."""
    text = f"{PLAIN}input: [3, 32, 32]\nstem: cifar\n"
    plain = "extends: resnet18\narchspec: 1\nname: t\n"
    match place:
        case "settings":
            return text, f"{text}{key}: {value}\n"
        case "table":
            return text, text.replace(
                "channels: 8", f"channels: 8, {key}: '{value}'" if key == "name" else f"channels: 8, {key}: {value}"
            )
        case "rule":
            rule = "{depth: 6, w_0: 16, w_a: 20.0, w_m: 2.2KEY}"
            table = text.replace("count: 1, channels: 8", f"quantized_linear: {rule}")
            return table.replace("KEY", ""), table.replace("KEY", f", {key}: {value}")
        case "block":
            own = "blocks: {b: {residual: [layer: {out: channels, kernel: 3, stride: stride}]KEY}}\n"
            table = text.replace("basic", "b") + own
            return table.replace("KEY", ""), table.replace("KEY", f", {key}: {value}")
        case "naming":
            return plain, f'{plain}naming: {{{key}: "{value}"}}\n'
        case _:
            return plain, f"{plain}{place}: {{{key}: {value}}}\n"


DEFAULTS = [
    (place, key, told_default(told))
    for place, section in {
        "settings": descriptions.SETTINGS,
        "table": descriptions.TABLE,
        "rule": descriptions.RULE,
        "scale": descriptions.SCALE,
        "init": descriptions.INIT,
        "naming": descriptions.NAMING,
        "block": descriptions.BLOCK,
    }.items()
    for key, told in section.items()
    if told_default(told) and not told_default(told).startswith("none")
]


@pytest.mark.parametrize(("place", "key", "value"), DEFAULTS)
def test_a_default_that_is_told_is_the_default(place: str, key: str, value: str) -> None:
    """Written out, it makes the same network."""
    without, written = networks(place, key, value)
    assert archspec.compile(without).fingerprint == archspec.compile(written).fingerprint


# -- what is right -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_spec_of_the_project_is_not_marked(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if re.search("^name:", text, re.MULTILINE):
        assert marked(text) == []


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_the_library_is_not_marked(path: Path) -> None:
    schema = Draft202012Validator(editor_schema(of_definitions=True))
    value = read(Source(path.name, path.read_text(encoding="utf-8"))).value
    assert [error.message for error in schema.iter_errors(value)] == []


@tries(150)
@given(specs())
def test_no_spec_that_compiles_is_marked(spec: SpecText) -> None:
    assert marked(str(spec)) == []


@pytest.mark.parametrize("page", ["README.md", "docs/language.md", "docs/authoring.md"])
def test_no_right_spec_of_the_documentation_is_marked(page: str) -> None:
    """Parts of specs extend another one, as in the tests of the pages."""
    for block in blocks(page):
        text = part(block.text, block.said.get("over", "resnet18"))
        if block.language == "yaml" and "gives" not in block.said and re.search("^name:", text, re.MULTILINE):
            assert marked(text) == [], text


@pytest.mark.parametrize(
    "line",
    [
        "act: \"'relu' if classes > 3 else 'silu'\"",
        "act: act",
        "head: [flatten, linear: {out: 2.e1 * 3 // 2}]",
        "head: [flatten, linear: {out: \"min(3, 4) if 'a**b.c' == 'd' else 5\"}]",
        "params: {kind: silu}\nact: kind",
        "fragments: {mine: {steps: [act]}}\nstem: [mine]",
        "blocks: {mine: {params: {odd: 3}, steps: []}}",
        "expect: {params: 25.6M, skip_paths: 2^16, macs: {max: '1_000 k'}}",
        "stem: [concat: {left: [act], right-2: {steps: [norm], when: classes > 3}}]",
        "stem: [{add: [[], {when: 'false', steps: []}]}, {sequence: {steps: [act], name: a.b.0}}]",
        "stem: {use: cifar, width: 4}",
    ],
)
def test_what_only_looks_odd_is_not_marked(line: str) -> None:
    assert marked(f"{PLAIN}{line}\n") == []


# -- what is marked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "archspec: 1\nname: t\n",
        "archspec: 2\nname: t\nextends: resnet18\n",
        "archspec: 1\nname: t\nstages: {count: 1, channels: 8}\n",
        "archspec: 1\nname: t\nstages: [{block: basic, channels: 8}]\n",
        PLAIN.replace("basic", "botleneck"),
        PLAIN.replace("basic", "[botleneck]"),
        PLAIN.replace("channels", "chanels"),
        f"{PLAIN}act: rellu\n",
        f"{PLAIN}norm: bacth\n",
        f"{PLAIN}shortcut: projektion\n",
        f"{PLAIN}activation_order: norm-after-ad\n",
        f"{PLAIN}naming: torchvison\n",
        f"{PLAIN}stem: imagnet\n",
        f"{PLAIN}stem: [nomr]\n",
        f"{PLAIN}stem: [conv]\n",
        f"{PLAIN}stem: [se]\n",
        f"{PLAIN}stem: [cnov: {{out: 3}}]\n",
        f"{PLAIN}stem: [sequence: {{steps: [add: [[], [cnov: {{out: 3}}]]]}}]\n",
        f"{PLAIN}stem: [concat: {{a: [cnov: {{out: 3}}]}}]\n",
        f"{PLAIN}stem: [concat: {{a b: []}}]\n",
        f"{PLAIN}stem: [act: {{name: class}}]\n",
        f"{PLAIN}classes: 2 ** 3\n",
        f"{PLAIN}head: [flatten, linear: {{out: classes.real}}]\n",
        f"{PLAIN}head: [flatten, linear: {{out: 'classes & 3'}}]\n",
        f"{PLAIN}params: {{relu: 1}}\n",
        f"{PLAIN}params: {{stride: 1}}\n",
        f"{PLAIN}expect: {{macs: 4 Q}}\n",
    ],
)
def test_a_slip_is_marked_and_refused(text: str) -> None:
    assert marked(text)
    assert not archspec.check(text).valid


def test_the_page_on_authoring_says_how_much_is_marked() -> None:
    """A rounded share, because faulty specs are added. Those that archspec cannot read as YAML do not count."""
    found = []
    for path in BAD:
        text = path.read_text(encoding="utf-8", errors="replace")
        with contextlib.suppress(SpecError):
            found += [bool(marked(text))] if not re.search("^(extends|import):", text, re.MULTILINE) else []
    page = " ".join((ROOT / "docs/authoring.md").read_text(encoding="utf-8").split())
    stated = re.search(r"marks about (\d+)% of the faulty specs", page)
    assert stated
    assert len(found) > 50
    assert abs(int(stated[1]) / 100 - sum(found) / len(found)) < 0.04, (sum(found), len(found))


def test_a_long_text_is_matched_in_time() -> None:
    start = time.perf_counter()
    for pattern in (EXPRESSION, STEP_NAME):
        for piece in ("a", "1", "a1.", "'", "'a' ", "a-", "* "):
            re.search(pattern, piece * 2000 + "@")
    assert time.perf_counter() - start < 2


# -- what is offered ---------------------------------------------------------------------------------------------------


def offered(schema: Any) -> list[Any]:
    *names, rest = schema["anyOf"]
    assert rest == {"type": schema["type"]}
    assert "string" in rest["type"]
    return [each["const"] for each in names]


NORMS = ("batch", "group", "layer", "instance", "rms", "grn", "local_response", "frozen")


def test_names_are_offered_beside_any_other_text() -> None:
    keys, definitions = VALIDATOR.schema["properties"], VALIDATOR.schema["$defs"]
    table, row = keys["stages"], keys["stages"]["items"]
    for cell in (table, row):
        for key, section in {"block": "blocks", "shortcut": "shortcuts"}.items():
            assert offered(cell["properties"][key]) == list(library().visible(section))
            assert offered(cell["properties"][key]["items"]) == list(library().visible(section))
    for place in (keys, table["properties"], definitions["block"]["properties"]):
        assert {"relu", "silu", "none"} <= {*offered(place["act"])}
        assert offered(place["norm"]) == [*NORMS, "none"]
        assert offered(place["activation_order"])[0] == "post"
    assert offered(keys["naming"]) == list(conventions().value)
    assert offered(keys["extends"]) == zoo_names()
    assert {"imagenet", "classifier"} <= {*offered(keys["stem"])} & {*offered(keys["head"])}
    assert {"act", "norm", "flatten", "cifar"} <= {*offered(definitions["step"])}
    assert {*operations(), "layer", "sequence", "se"} <= definitions["step"]["properties"].keys()
    assert offered(definitions["op-pool"]["properties"]["type"]) == ["max", "avg", "lp"]
    assert offered(definitions["op-act"]["properties"]["type"])[0] == "relu"
    assert {"se", "groups", "expand"} <= table["properties"].keys() & row["properties"].keys()
