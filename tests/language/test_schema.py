"""The JSON Schema is one, fits what the project writes, and turns a slip into one fault with the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import archspec
from archspec.diagnostics import MAX_FOUND, Diagnostic, Source, SpecError
from archspec.language.schema import library_schema, read_schema
from archspec.language.schema_faults import validate
from archspec.language.spec import SETTINGS
from archspec.language.text.reader import read
from archspec.operations.base import arguments
from archspec.operations.discovery import operations
from tests.support.paths import ROOT

SPECS = [*sorted((ROOT / "specs").glob("*.yaml")), *sorted((ROOT / "tests/specs/good").glob("*.yaml"))]
LIBRARY = sorted((ROOT / "archspec/language/library").glob("*.yaml"))
HEAD = "archspec: 1\nname: t\n"
STAGES = "stages: {block: basic, count: 1, channels: 8}\n"


def faults(text: str, **options: Any) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        validate(read(Source("t.yaml", text)), **options)
    return caught.value.diagnostics


def places(text: str) -> list[str]:
    return [f"{d.code} {d.span.line}:{d.span.column}" for d in faults(text) if d.span]


@pytest.mark.parametrize("schema", [read_schema, library_schema])
def test_it_is_a_schema(schema: Any) -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", [*SPECS, *LIBRARY], ids=lambda path: path.stem)
def test_what_the_project_writes_follows_it(path: Path) -> None:
    """By jsonschema itself and PyYAML's reading, as an editor would check it."""
    value = yaml.safe_load(path.read_text(encoding="utf-8"))
    schema = read_schema() if "name" in value else library_schema()
    assert [error.message for error in Draft202012Validator(schema).iter_errors(value)] == []
    validate(read(Source(path.name, path.read_text(encoding="utf-8"))), library="name" not in value)


def test_nothing_is_fetched() -> None:
    """Every reference stays inside the schema: no file and no address is ever opened."""

    def references(value: Any) -> list[str]:
        if isinstance(value, list):
            return [found for item in value for found in references(item)]
        if not isinstance(value, dict):
            return []
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for item in value.values() for found in references(item)]

    for schema in (read_schema(), library_schema()):
        found = set(references(schema))
        assert found
        assert all(reference.startswith("#/$defs/") for reference in found)
        assert {reference.removeprefix("#/$defs/") for reference in found} <= schema["$defs"].keys()


def test_every_operation_and_argument_is_described() -> None:
    definitions = read_schema()["$defs"]
    for word, operation in operations().items():
        assert word in definitions["step"]["properties"]
        if operation.arity == "one":
            described = definitions[f"op-{word}"]["properties"]
            assert described.keys() == {*arguments(operation), "name", "when", "as", "from", "share"}
            assert all(item["description"] for item in described.values())
    assert read_schema()["properties"].keys() >= {"archspec", "name", "stages", *SETTINGS}


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("clases: 10", "E201 3:1", "classes"),
        ("activation-order: pre", "E201 3:1", "activation_order"),
        ("Stem: cifar", "E201 3:1", "stem"),
        ("clases: {a: {b: [c, {d: e}]}}", "E201 3:1", "classes"),
        ("stem: [pool: {type: max, kernal: 3}]", "E201 3:26", "kernel"),
        ("stem: [layer: {out: 8, kernel: 3, strides: [{a: b}]}]", "E201 3:35", "stride"),
        ("blocks: {b: {residul: []}}", "E201 3:14", "residual"),
        ("blocks: {b: {residual: [{layer: {out: 8, grups: 2}}]}}", "E201 3:42", "groups"),
        ("shortcuts: {s: {same: [], chnage: none}}", "E201 3:27", "change"),
        ("fragments: {f: {steps: [{sequence: {stepps: [], steps: []}}]}}", "E201 3:37", "steps"),
        ("scale: {witdh: 2}", "E201 3:9", "width"),
        ("init: {conv: xavier, zero_init_residal: true}", "E201 3:22", "zero_init_residual"),
        ("naming: {blok: x}", "E201 3:10", "block"),
        ("expect: {parms: 3}", "E201 3:10", "params"),
        ("expect: {stages: {layer1: {maccs: 3}}}", "E201 3:28", "macs"),
        ("expect: {params: {mx: 3}}", "E201 3:19", "max"),
        ("norm: {type: batch, epss: 1}", "E201 3:21", "eps"),
    ],
)
def test_an_unknown_key_is_one_fault_with_the_nearest_name(text: str, place: str, hint: str) -> None:
    (found,) = faults(f"{HEAD}{text}\n{STAGES}")
    assert found.span is not None
    assert (f"{found.code} {found.span.line}:{found.span.column}", found.hint) == (place, f"did you mean `{hint}`?")


def test_a_key_like_nothing_lists_what_there_is() -> None:
    (found,) = faults(f"{HEAD}scale: {{zzz: 2}}\n{STAGES}")
    assert found.hint == ""
    assert found.help == "the keys here are `depth`, `divisor`, `width`"


@pytest.mark.parametrize(
    "line",
    ["name: 'a\n\n  b'", 'name: "a\\n"', 'params: {"a\\n": 1}', 'blocks: {"b\\n": {steps: []}}', "name: é", "name: 1a"],
)
def test_patterns_match_the_whole_text(line: str) -> None:
    text = f"archspec: 1\n{line}\n{STAGES}" + ("" if line.startswith("name") else "name: t\n")
    assert [found.code for found in faults(text)] == ["E305"]


def test_several_faults_are_reported_together_in_order() -> None:
    text = f"{HEAD}input: 3\nclases: 2\nstem: [conv: {{kernel: 1}}, {{}}]\ninit: {{conv: he}}\n{STAGES}tags: x\n"
    assert places(text) == ["E202 3:8", "E201 4:1", "E203 5:8", "E206 5:27", "E204 6:14", "E202 8:7"]


def test_messages_are_cut() -> None:
    long = "x" * 5000
    texts = [
        f"name: {long}",
        f"{long}: 1\nname: t",
        f"name: t\ninit: {{conv: {long}}}",
        f"name: t\nclasses: {{{long}: 1}}",
    ]
    for text in texts:
        for found in faults(f"archspec: 1\n{text}\n{STAGES}"):
            assert len(found.message) < 400
            assert len(found.hint) < 200


def test_only_the_root_of_an_override_may_be_partial() -> None:
    validate(read(Source("overrides", "classes: 3", "override")), partial=True)
    assert [f.code for f in faults("stem: [conv: {kernel: 3}]", partial=True)] == ["E203"]


@pytest.mark.parametrize("key", SETTINGS)
def test_settings_are_checked_in_every_cell(key: str) -> None:
    """A stage's setting, and that of one of its blocks, is held to what the spec's own is held to."""
    for value in ("[[[relu]]]", "{typ: batch}", "[{a: 1}]", "[[true]]", "true"):
        found = faults(f"{HEAD}stages: {{block: basic, count: [2], channels: 8, {key}: {value}}}\n")
        assert {f.code for f in found} <= {"E201", "E202"}
        assert len(found) == 1
    by_row = faults(f"{HEAD}stages: [{{block: basic, count: 2, channels: 8, {key}: [[relu]]}}]\n")
    assert [f.code for f in by_row] == ["E202"]


def test_a_table_of_ten_thousand_faults_is_refused_at_once() -> None:
    """A phase looks no further where nobody reads on."""
    text = HEAD + STAGES + "".join(f"chanel{number}: 1\n" for number in range(10_000))
    assert len(faults(text)) == MAX_FOUND


def test_a_spec_needs_stages_or_a_base() -> None:
    assert places(HEAD) == ["E203 1:1"]
    validate(read(Source("t.yaml", f"{HEAD}extends: resnet18")))


def test_the_version_is_checked_alone() -> None:
    """What another version means by the rest is unknown, so nothing else is said."""
    for version in ("2", "0", "one", "[1]", "null"):
        assert [f.code for f in faults(f"archspec: {version}\nclases: 3\n")] == ["E207"]


def test_the_loader_refuses_what_the_schema_refuses() -> None:
    with pytest.raises(SpecError, match="E201"):
        archspec.load(f"{HEAD}{STAGES}clases: 3\n")


@pytest.mark.parametrize(
    ("step", "meant"),
    [
        ("conv: 64", "conv: {out: 64}"),
        ("linear: classes", "linear: {out: classes}"),
        ("act: gelu", "act: {type: gelu}"),
        ("pool: avg", "pool: {type: avg, kernel: 2}"),
        ("dropout: 0.2", "dropout: {p: 0.2}"),
        ("layer: 64", "layer: {out: 64}"),
    ],
)
def test_a_step_with_its_first_argument_alone(step: str, meant: str) -> None:
    (found,) = faults(f"{HEAD}{STAGES}head: [{step}]\n")
    assert (found.code, found.hint) == ("E202", f"did you mean `{meant}`?")


@pytest.mark.parametrize(
    "step", ["flatten: 1", "conv: [64]", "conv: true", "conv: 1.5", "act: 3", "add: 3", "sequence: 1", "conv: 'a}: {b'"]
)
def test_a_step_that_suggests_nothing(step: str) -> None:
    (found,) = faults(f"{HEAD}{STAGES}head: [{step}]\n")
    assert (found.code[:2], found.hint) == ("E2", "")


def test_yaml_of_something_else_is_one_fault() -> None:
    assert places("version: 2\njobs: {build: 1}\n") == ["E203 1:1"]
    assert faults("Archspec: 1\nnmae: t\n")[0].hint == "did you mean `archspec`?"  # a spec, to judge by its keys
    assert [d.code for d in faults("version: 2\nname: t\n")] == ["E201", "E203"]  # `version` means `archspec`
