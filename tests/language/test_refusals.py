"""Faults of structure that authors make, one a case: the code, and where in the spec's third line it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from archspec.testing.expectations import check_expectations

HEAD = "archspec: 1\nname: t\n"
STAGES = "stages: {block: basic, count: 1, channels: 8}\n"


def refused(text: str, **options: list[str]) -> list[str]:
    """The code, line and column of each fault."""
    with pytest.raises(archspec.SpecError) as raised:
        archspec.compile(archspec.load(text, **options))
    found = [(each.code, each.span) for each in raised.value.diagnostics]
    return [f"{code} {span.line}:{span.column}" if span else code for code, span in found]


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        # lists and mappings that are too short or too long
        ("input: [3]", ["E206 3:8"]),
        ("input: [3, 4, 4, 4, 4]", ["E206 3:8"]),
        ("outputs: []", ["E206 3:10"]),
        ("expect: {params: {}}", ["E206 3:18"]),
        # steps without what they need
        ("stem: {}", ["E203 3:1"]),
        ("stem: {use: 3}", ["E202 3:13"]),
        ("stem: [{}]", ["E206 3:8"]),
        ("stem: [conv]", ["E203 3:8"]),
        ("stem: [add]", ["E203 3:8"]),
        ("stem: [add: {name: x}]", ["E203 3:8"]),
        ("stem: [sequence]", ["E203 3:8"]),
        ("stem: [layer: {}]", ["E203 3:8"]),
        ("stem: [layer: {of: [act], out: 3}]", ["E206 3:32"]),
        ("stem: [conv: {out: 4, name: 3}]", ["E202 3:29"]),
        ("stem: [se: 3]", ["E202 3:12"]),
        ("stem: [se: {raito: 3}]", ["E306 3:8", "E301 3:13"]),
        # definitions
        ("blocks: {b: {}}", ["E206 3:10"]),
        ("blocks: {b: {residual: [act], steps: [act]}}", ["E206 3:10"]),
        ("blocks: {b: {steps: [act], first: shortcut}}", ["E206 3:28"]),
        ("fragments: {b: {}}", ["E203 3:13"]),
        ("shortcuts: {s: {same: some, change: none}}", ["E204 3:23"]),
        # text where a value belongs, and a number that YAML 1.1 reads otherwise, which an alias repeats
        ("input: [3, &side 010, *side]", ["E110 3:18", "E110 3:23"]),
        ("classes: int(3", ["E401 3:13"]),
        ("classes: (3))", ["E401 3:13"]),
    ],
)
def test_a_fault_and_its_place(line: str, faults: list[str]) -> None:
    assert sorted(refused(f"{HEAD}{line}\n{STAGES}")) == sorted(faults)


PLACES = {
    "stem": "stem: CALL\nstages: []\nhead: []\n",
    "head": "stem: []\nstages: []\nhead: CALL\n",
    "heads": "stem: []\nstages: []\nheads: {one: CALL}\n",
    **{key: f"stages: {{block: b, count: 1, {key}: [CALL]}}\nhead: []\n" for key in ("before", "after", "around")},
}
NEEDY = {"z": "inputs: [z], params: {wide: 8}", "y": "params: {y: null}", "z, y": "inputs: [z], params: {y: null}"}


@pytest.mark.parametrize("call", ["look", "{use: look}", "[look]", "[look: {}]"])
@pytest.mark.parametrize(("place", "needs"), [(a, b) for a in PLACES for b in NEEDY if a != "around" or b == "y"])
def test_what_a_call_lacks_is_told_as_it_is_written_there(place: str, call: str, needs: str) -> None:
    """At the fragment's name, and as a whole list of steps is written where one stands there."""
    inside = "blocks" if place == "around" else "act"
    shared = f"{HEAD}input: [4, 8, 8]\nblocks: {{b: {{steps: [act]}}}}\n"
    look = f"fragments: {{look: {{{NEEDY[needs]}, steps: [{inside}]}}}}\n"
    line = PLACES[place].replace("CALL", call)
    with pytest.raises(archspec.SpecError) as raised:
        archspec.compile(f"{shared}{look}{line}")
    written = "look: {%s: ...}" if call.startswith("[") else "{use: look, %s: ...}"
    told = [f"write `{written % name}`" for name in needs.split(", ")]
    assert sorted((each.help or "").split(" with the name")[0] for each in raised.value.diagnostics) == sorted(told)
    for fault in raised.value.diagnostics:
        assert fault.span is not None
        quoted = fault.span.source.line(fault.span.line)[fault.span.column - 1 : fault.span.end_column - 1]
        assert (fault.code, quoted) == ("E306", "look")
    given = ", ".join({"z": "z: input", "y": "y: 1"}[name] for name in needs.split(", "))
    mended = f"[look: {{{given}}}]" if call.startswith("[") else f"{{use: look, {given}}}"
    archspec.compile(f"{shared}{look}{PLACES[place].replace('CALL', mended)}")


def test_a_bracket_that_is_not_closed_suggests_quotes() -> None:
    """In `{...}` a comma ends the value, so that what is left of an expression is half a call."""
    with pytest.raises(archspec.SpecError) as raised:
        archspec.load(f"{HEAD}stem: [conv: {{out: min(8, 4)}}]\n{STAGES}")
    assert "needs quotes" in raised.value.diagnostics[0].help
    assert archspec.compile(f'{HEAD}stem: [conv: {{out: "min(8, 4)"}}]\n{STAGES}').nodes[0].shape[0] == 4


def test_a_count_for_each_block_is_no_number() -> None:
    """Columns of numbers may have a list for a stage, a value a block; `count` says how many blocks there are."""
    assert refused(f"{HEAD}stages: {{block: basic, count: [[1, 2], 1], channels: 8}}\n") == ["E202 3:32"]
    assert archspec.compile(f"{HEAD}stages: {{block: basic, count: [2], channels: [[8, 16]]}}\n").regions


def test_stages_that_were_taken_away_are_missing() -> None:
    """A stage table that a base has and the spec sets to null."""
    assert refused(f"{HEAD}extends: resnet18\nstages: null\n") == ["E203 4:1"]
    assert refused(HEAD) == ["E203 1:1"]


def test_a_list_of_no_stages_is_stem_and_head() -> None:
    """7x7 convolution of 3 to 64 channels, its norm, and a classifier of 64 to 1000."""
    graph = archspec.compile(f"{HEAD}stages: []\nexpect: {{params: {3 * 64 * 49 + 2 * 64 + 64 * 1000 + 1000}}}\n")
    assert check_expectations(graph) == []


def test_generated_stages_miss_no_block_that_a_short_list_leaves_out() -> None:
    """RegNetX-200MF has four stages; one fault says that the list is short, and none that stages lack a block."""
    rule = "quantized_linear: {depth: 13, w_0: 24, w_a: 36.44, w_m: 2.49}"
    line = f"stages: {{{rule}, block: [basic]}}"
    assert refused(f"{HEAD}{line}\n") == [f"E311 3:{line.index('[') + 1}"]


@pytest.mark.parametrize(("given", "channels"), [("{k: null}", 2), ("{k: 5}", 5), ("{k: 2 + 4}", 6), ("null", 2)])
def test_a_null_argument_keeps_the_default(given: str, channels: int) -> None:
    """Which may be an expression, and then takes numbers."""
    fragment = "fragments: {mine: {params: {k: 1 + 1}, steps: [conv: {out: k}]}}"
    graph = archspec.compile(f"{HEAD}{fragment}\nstem: [mine: {given}]\n{STAGES}")
    assert graph.nodes[0].shape[0] == channels


@pytest.mark.parametrize("key", ["expect.output", "scale", "naming"])
def test_there_is_no_entry_of_what_is_not_written(key: str) -> None:
    assert refused(HEAD + STAGES, overrides=[f"{key}.0=3"]) == [f"E313 1:{len(key) + 2}"]


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_spec_of_the_zoo_with_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(archspec.SpecError) as raised:
        archspec.load(tmp_path / "resnet50.yaml")
    (fault,) = raised.value.diagnostics
    assert (fault.code, fault.span) == ("E801", None)
    assert fault.hint == "did you mean `resnet50`, which ships with archspec?"


def test_a_spec_that_extends_itself(tmp_path: Path) -> None:
    """A name stands for the file beside, unless that is the spec itself and the zoo has one of that name."""
    for name, codes in (("mine", ["E303"]), ("resnet18", [])):
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"archspec: 1\nname: {name}\nextends: {name}\n")
        try:
            assert archspec.compile(archspec.load(path)).output == (1000,)
            found = []
        except archspec.SpecError as error:
            found = [fault.code for fault in error.diagnostics]
        assert found == codes


def test_a_base_that_is_no_text_is_at_fault_itself(tmp_path: Path) -> None:
    """And one that cannot be read is a fault of the line that names it."""
    (tmp_path / "spec.yaml").write_text("archspec: 1\nname: t\nextends: base\n")
    (tmp_path / "base.yaml").write_bytes(b"archspec: 1\nname: \xff\n")
    with pytest.raises(archspec.SpecError) as raised:
        archspec.load(tmp_path / "spec.yaml")
    (fault,) = raised.value.diagnostics
    assert fault.span is not None
    assert (fault.code, Path(fault.span.source.name).name) == ("E101", "base.yaml")
    assert (fault.span.line, fault.span.column) == (2, 7)
    (tmp_path / "base.yaml").unlink()
    (tmp_path / "base.yaml").mkdir()
    with pytest.raises(archspec.SpecError) as raised:
        archspec.load(tmp_path / "spec.yaml")
    (fault,) = raised.value.diagnostics
    assert fault.span is not None
    assert (fault.code, Path(fault.span.source.name).name) == ("E803", "spec.yaml")
    assert (fault.span.line, fault.span.column) == (3, 10)
