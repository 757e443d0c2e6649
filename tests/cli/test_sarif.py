"""`--format sarif`: a log that follows the published schema, whose places are those that the specs themselves state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import jsonschema
import pytest

from archspec.codes import CODES
from archspec.diagnostics import Diagnostic, Label, Source, Span
from archspec.explanations import read_page
from archspec_cli.findings import Finding
from archspec_cli.sarif import as_sarif
from tests.language.test_bad_specs import FILES, FOLDER, stated

from . import process
from .conftest import SMALL, Run

SCHEMA = json.loads(Path(__file__).with_name("sarif-2.1.0.json").read_text(encoding="utf-8"))
"""OASIS's schema of SARIF 2.1.0, cut to the properties that archspec writes; what was cut is refused."""

WRONG = SMALL.replace("channels: [4, 8]", "chanels: [4, 8]")


@pytest.fixture(autouse=True)
def _no_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run in a workflow of GitHub's."""
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)


def log_of(run: Run, *arguments: str, stdin: str = "", status: int = 1) -> dict[str, Any]:
    """The one run of the log, after a look at the schema, and at what GitHub asks for beyond it."""
    found = run("check", *arguments, "--format", "sarif", stdin=stdin)
    assert (found.status, found.err) == (status, "")
    assert found.out.isascii()
    return checked(found.json)


def checked(log: Any) -> dict[str, Any]:
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    assert log["version"] == "2.1.0"
    (only,) = log["runs"]
    rules = only["tool"]["driver"]["rules"]
    for result in only["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == rules[result["ruleIndex"]]["defaultConfiguration"]["level"]
        assert len(result["locations"]) == 1
        for location in (*result["locations"], *result.get("relatedLocations", ())):
            uri = location["physicalLocation"]["artifactLocation"]["uri"]
            assert uri.isascii()
            assert not set(uri) & set(' \\"<>^`{|}')
            assert urlsplit(uri).scheme in ("", "file")
    return only  # type: ignore[no-any-return]


def place(location: dict[str, Any]) -> tuple[Any, ...]:
    physical = location["physicalLocation"]
    region = physical["region"]
    return (unquote(physical["artifactLocation"]["uri"]), region["startLine"], region.get("startColumn"))


def test_every_diagnostic_of_the_bad_specs_is_where_the_spec_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    wanted = set()
    names = []
    for path in FILES:
        faults, overrides = stated(path.read_text(encoding="utf-8"))
        if overrides:
            continue
        names.append(path.name)
        for fault in faults:
            file, line, column = ([path.name, *fault.place.split(":")] if fault.place else [path.name, "1", ""])[-3:]
            wanted.add((fault.code, file, int(line), int(column) if column else None))
    found = log_of(run, *names)
    assert {(each["ruleId"], *place(each["locations"][0])) for each in found["results"]} == wanted
    assert len(found["results"]) > 100


def test_one_result_in_full(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    (result,) = log_of(run, "odd.yaml")["results"]
    odd = {"uri": "odd.yaml", "uriBaseId": "%SRCROOT%"}
    chain = "input 3x224x224 > conv1 64x112x112 > maxpool 64x56x56 > layer1.0.conv1 100x56x56"
    assert result == {
        "ruleId": "E503",
        "ruleIndex": list(CODES).index("E503"),
        "level": "error",
        "message": {
            "text": "100 channels do not split into 32 groups\n"
            "[the 100 channels come from here](0)\n"
            f"in layer1.0.conv2\nshapes: {chain}\n"
            "help: both 100 and 64 must be multiples of `groups`; 4 divides both"
        },
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": odd,
                    "region": {"startLine": 8, "startColumn": 51, "endLine": 8, "endColumn": 53},
                }
            }
        ],
        "relatedLocations": [
            {
                "id": 0,
                "message": {"text": "the 100 channels come from here"},
                "physicalLocation": {
                    "artifactLocation": odd,
                    "region": {"startLine": 7, "startColumn": 22, "endLine": 7, "endColumn": 25},
                },
            }
        ],
    }


def test_rules_are_the_table_of_codes(run: Run) -> None:
    driver = log_of(run, "resnet18", status=0)["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("archspec", run("--version").out.split()[-1])
    assert [rule["id"] for rule in driver["rules"]] == list(CODES)
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"] == CODES[rule["id"]]
        meaning = read_page(rule["id"]).partition("\n\nExample:")[0]
        assert rule["help"] == {"text": meaning, "markdown": read_page(rule["id"])}
        assert rule["defaultConfiguration"] == {"level": "warning" if rule["id"][0] == "W" else "error"}


def test_without_a_fault_there_is_no_result(small: Path, run: Run) -> None:
    assert log_of(run, "small.yaml", "resnet18", status=0)["results"] == []


def test_a_warning_is_a_warning(small: Path, run: Run) -> None:
    small.write_text(SMALL.replace("stem: [conv: {out: 4, kernel: 3}]", "stem: imagenet"))
    (result,) = log_of(run, "small.yaml", status=0)["results"]
    assert (result["ruleId"], result["level"]) == ("W501", "warning")


# -- places ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain.yaml", "in/side.yaml", "a b%20#?.yaml", "x:y.yaml", "é東.yaml", "[1].yaml"])
def test_addresses_are_relative_and_lead_back_to_the_file(name: str, here: Path, run: Run) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(WRONG)
    for reference in (name, f"./{name}", str(here / name), f"in/../{name}"):
        Path("in").mkdir(exist_ok=True)
        (result,) = log_of(run, reference)["results"]
        location = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert location["uriBaseId"] == "%SRCROOT%"
        reached = urlsplit(urljoin(here.as_uri() + "/", location["uri"]))
        assert (reached.query, reached.fragment) == ("", "")
        assert Path(unquote(reached.path)) == here / name


def test_addresses_begin_at_the_root_of_the_checkout(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A step of a workflow may stand in a folder of its own; what lies outside the checkout has its whole path."""
    Path("models").mkdir()
    Path("models/net.yaml").write_text(WRONG)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "net.yaml"
    elsewhere.write_text(WRONG)
    monkeypatch.chdir("models")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(here))
    found = log_of(run, "net.yaml", str(elsewhere))["results"]
    locations = [each["locations"][0]["physicalLocation"]["artifactLocation"] for each in found]
    assert locations == [{"uri": "models/net.yaml", "uriBaseId": "%SRCROOT%"}, {"uri": elsewhere.as_uri()}]


def test_columns_count_characters(small: Path, run: Run) -> None:
    text = '{archspec: 1, name: t, summary: "🙂é", groupz: 3, extends: resnet18}'
    small.write_text(text, encoding="utf-8")
    found = log_of(run, "small.yaml")
    assert found["columnKind"] == "unicodeCodePoints"
    (result,) = found["results"]
    assert place(result["locations"][0]) == ("small.yaml", 1, text.index("groupz") + 1)


def test_what_has_no_place_is_at_its_spec(small: Path, run: Run) -> None:
    """A name that is no spec, an option, and the library: a result without a location would be refused."""
    found = log_of(run, "nothing.yaml", "small.yaml", "--set", "stages.groupz=3", "--expect", "pramas<3")["results"]
    assert [(each["ruleId"], place(each["locations"][0])) for each in found] == [
        ("E801", ("nothing.yaml", 1, None)),
        ("E301", ("small.yaml", 1, None)),
    ]
    assert found[1]["message"]["text"].startswith("--set:1:8: ")
    (result,) = log_of(run, "small.yaml", "--expect", "pramas<3")["results"]
    assert (result["ruleId"], place(result["locations"][0])) == ("E703", ("small.yaml", 1, None))
    assert result["message"]["text"].startswith("--expect:1:1: ")


def test_a_place_in_the_library_is_told_and_not_linked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    (result,) = log_of(run, "shapes_fraction_in_library.yaml")["results"]
    assert "relatedLocations" not in result
    assert "\narchspec library: blocks.yaml:" in result["message"]["text"]


def test_standard_input(run: Run) -> None:
    (result,) = log_of(run, "-", stdin=WRONG)["results"]
    assert place(result["locations"][0]) == ("<stdin>", 6, 39)


def test_a_file_that_is_not_text_has_its_place(here: Path, run: Run) -> None:
    Path("bad.yaml").write_bytes(b"archspec: 1\nname: \xff\n")
    (result,) = log_of(run, "bad.yaml")["results"]
    assert (result["ruleId"], place(result["locations"][0])) == ("E101", ("bad.yaml", 2, 7))


def test_a_fault_that_specs_share_is_said_once(here: Path, run: Run) -> None:
    Path("base.yaml").write_text(WRONG)
    for name in ("a", "b"):
        Path(f"{name}.yaml").write_text(f"archspec: 1\nname: {name}\nextends: base\n")
    (result,) = log_of(run, ".")["results"]
    assert place(result["locations"][0]) == ("base.yaml", 6, 39)


# -- hostile text ------------------------------------------------------------------------------------------------------


def test_what_sarif_would_read_as_a_link_or_a_placeholder_is_text() -> None:
    source = Source("x.yaml", "a\n", path=str(Path("x.yaml").absolute()))
    span = Span(source, 1, 1, 1, 2)
    label = Label(span, "[here](https://example.com) {1}")
    fault = Diagnostic("E301", "`[x](1)` and {0} but {a}", span, labels=(label,), help="[y](2)")
    (result,) = checked(as_sarif([Finding(fault, "x.yaml")]))["results"]
    assert result["message"]["text"].split("\n") == [
        "`[x\\](1)` and {{0}} but {a}",
        "[\\[here\\](https://example.com) {{1}}](0)",
        "help: [y\\](2)",
    ]


@pytest.mark.parametrize("name", ["\udcff.yaml", "a\nb.yaml", "\u202e.yaml", "a\x1b[31m.yaml", ""])
def test_any_name_can_be_written(name: str, here: Path, run: Run) -> None:
    (result,) = log_of(run, name)["results"]
    assert result["ruleId"] in ("E801", "E803")


def test_all_of_many_diagnostics_are_written(here: Path, run: Run) -> None:
    Path("many.yaml").write_text(SMALL + "".join(f"key{number}: 1\n" for number in range(300)))
    assert len(log_of(run, "many.yaml")["results"]) == 300


def test_it_needs_no_torch(here: Path) -> None:
    Path("bad.yaml").write_text(WRONG)
    for form in ("sarif", "github"):
        code = (
            "import sys\nfrom archspec_cli.main import run\n"
            f"status = run(['check', 'bad.yaml', 'resnet18', '--format', '{form}'])\n"
            "assert not {'torch', 'numpy', 'rich'} & set(sys.modules)\nsys.exit(status)"
        )
        found = process.python(code)
        assert (found.returncode, b"E301" in found.stdout, found.stderr) == (1, True, b"")
