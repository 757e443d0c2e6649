"""The tables of the documentation agree with the code, most of all those of the language reference."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING

import pytest

import archspec
from archspec import testing
from archspec.codes import CODES
from archspec.diagnostics import MAX_FOUND
from archspec.emit.figures.contents import DEPTHS
from archspec.emit.targets import DEPTH, TARGETS
from archspec.lab.data.sources import SOURCES
from archspec.lab.engines.table import ENGINES
from archspec.language.definitions import conventions, library
from archspec.language.expressions.values import FUNCTIONS
from archspec.language.extent import MAX_STEPS
from archspec.language.load import MAX_CHAIN
from archspec.language.regnet import in_groups
from archspec.language.resolve import DEFAULT_SETTINGS
from archspec.language.schema import SCOPES, read_schema
from archspec.language.schema_keys import EXPECTATIONS
from archspec.language.spec import ACTIVATION_ORDERS
from archspec.language.steps import MAX_LEVELS
from archspec.language.table import COLUMNS
from archspec.operations.base import INIT, Operation, arguments
from archspec.operations.discovery import operations
from archspec.testing.expectations import NAMES, check_expectations
from archspec.testing.harness import LEVELS
from archspec_cli.main import COMMANDS, run
from archspec_cli.render import MAX_SHOWN
from tests.support.pages import PAGES, ROOT, diagnostics, part, prose

Rows = list[list[str]]


def tables(page: str) -> dict[str, Rows]:
    """The rows of a page's tables, without their heads, by the heading under which they stand."""
    found: dict[str, Rows] = {}
    for section in re.split(r"^#+ ", prose(page), flags=re.MULTILINE)[1:]:
        rows = [
            [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in section.splitlines()
            if line.startswith("|")
        ]
        if rows:
            assert section.count("\n| --- ") == 1, f"{page}: two tables in one section"
            found[section.partition("\n")[0]] = rows[2:]
    return found


def words(cell: str) -> list[str]:
    """What a cell has in code style."""
    return re.findall(r"`([^`]+)`", cell)


def firsts(rows: Rows) -> list[str]:
    return [word for row in rows for word in words(row[0])]


REFERENCE: dict[str, Callable[[Rows], None]] = {}


def table(heading: str) -> Callable[[Callable[[Rows], None]], Callable[[Rows], None]]:
    """Marks the check of the table under a heading of the language reference."""

    def mark(check: Callable[[Rows], None]) -> Callable[[Rows], None]:
        REFERENCE[heading] = check
        return check

    return mark


@table("The keys of a spec")
def keys(rows: Rows) -> None:
    assert sorted(firsts(rows)) == sorted(read_schema()["properties"])


@table("Columns")
def columns(rows: Rows) -> None:
    assert set(firsts(rows)) == set(COLUMNS) - DEFAULT_SETTINGS.keys()


@table("Generated stages")
def generated_stages(rows: Rows) -> None:
    """A key without a default is required; the last row has the words of the rounding."""
    rule = read_schema()["properties"]["stages"]["properties"]["quantized_linear"]
    assert firsts(rows) == list(rule["properties"])
    assert words(rows[-1][1]) == [word for word in rule["properties"]["rounding"]["enum"] if word]
    assert words(rows[-1][2]) == [inspect.signature(in_groups).parameters["rounding"].default]


@table("Settings")
def settings(rows: Rows) -> None:
    assert {words(row[0])[0]: words(row[1]) for row in rows} == {k: [str(v)] for k, v in DEFAULT_SETTINGS.items()}


@table("Arguments")
def operation_arguments(rows: Rows) -> None:
    """Every operation and argument, with kind, default, words and the sentence that `archspec list operations` has."""
    assert rows == [row for word, operation in operations().items() for row in argument_rows(word, operation)]


def argument_rows(word: str, operation: type[Operation]) -> Iterator[list[str]]:
    if operation.arity == "many":
        yield [f"`{word}`", "", "branches", "", operation.summary]
    elif not arguments(operation):
        yield [f"`{word}`", "", "", "", operation.summary]
    for name, argument in arguments(operation).items():
        told = argument.metadata["doc"]
        if argument.metadata["words"]:
            told += f" One of {', '.join(f'`{each}`' for each in argument.metadata['words'])}."
        value = argument.default
        shown = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
        default = "required" if value is MISSING else "" if value is None else f"`{shown}`"
        yield [f"`{word}`", f"`{name}`", argument.metadata["kind"], default, told]


@table("Activation orders")
def activation_orders(rows: Rows) -> None:
    """By the nodes of a block of two layers."""
    assert set(firsts(rows)) == set(ACTIVATION_ORDERS)
    for row in rows:
        each, last, after = (cell.split(", ") if cell != "nothing" else [] for cell in row[1:])
        graph = archspec.compile(part(TWO_LAYERS + f"activation_order: {words(row[0])[0]}\n", "nothing"))
        found = [node.operation.name for node in graph.nodes if node.scope == "layer1.0"]
        assert found == [*each, *last, "add", *after], row


TWO_LAYERS = """
input: [8, 4, 4]
stem: []
stages: {block: two, count: 1, channels: 8}
blocks: {two: {residual: [layer: {out: channels}, layer: {out: channels}]}}
"""


@table("Functions")
def functions(rows: Rows) -> None:
    assert {re.match(r"`(\w+)\(", row[0])[1] for row in rows} == FUNCTIONS.keys()


@table("Initial weights")
def initialisers(rows: Rows) -> None:
    assert {words(row[0])[0]: tuple(words(row[1])) for row in rows if row[1].count("`") > 4} == {
        key: INIT[key] for key in ("conv", "linear")
    }
    assert {words(row[0])[0]: tuple(words(row[1])) for row in rows}["bias"] == INIT["bias"]
    assert set(firsts(rows)) == set(read_schema()["properties"]["init"]["properties"])


@table("Templates")
def templates(rows: Rows) -> None:
    """The scopes, and their templates by torchvision's naming."""
    assert firsts(rows) == [*SCOPES]
    default = {key: text for key, text in conventions().value["torchvision"].items() if key in SCOPES}
    assert {words(row[0])[0]: row[1].strip("`") for row in rows if row[1]} == {k: v for k, v in default.items() if v}


@table("Conventions")
def naming_conventions(rows: Rows) -> None:
    assert firsts(rows) == list(conventions().value)


@table("Keys by convention")
def keys_by_convention(rows: Rows) -> None:
    """Each row is one node of ResNet-50-D, by its name under each convention."""
    nodes = [
        archspec.compile(archspec.load("resnet50d", overrides=[f"naming={name}"])).by_name
        for name in ("torchvision", "sequential", "timm")
    ]
    for row in rows:
        found = [known[cell.strip("`")] for known, cell in zip(nodes, row[1:], strict=True)]
        assert len({(node.operation, node.shape) for node in found}) == 1, row


@table("What can be expected")
def expectations(rows: Rows) -> None:
    """Which of them a stage can have is tried; the others give E702 there."""
    assert {word for row in rows for word in words(row[0])} == {*NAMES, *EXPECTATIONS, "output", "stages"}
    graph = archspec.compile("resnet18")
    for row in rows:
        for key in set(words(row[0])) & {*NAMES}:
            found = check_expectations(graph, [f"layer1.{key}>0"])
            assert [d.code for d in found] == ([] if row[1] == "yes" else ["E702"]), key


@table("The library")
def shipped(rows: Rows) -> None:
    for section in ("blocks", "shortcuts", "fragments"):
        named = {word for row in rows if row[0] == section for word in words(row[1])}
        assert named == set(library().visible(section)), section


@table("Codes")
def code_groups(rows: Rows) -> None:
    assert firsts(rows) == sorted({code[:2] if code.startswith("E") else "W" for code in CODES})


@table("Names in expressions")
def names_in_expressions(rows: Rows) -> None:
    """By trial: an expression that compares the name with a number, at each place, compiles or gives E402."""
    for row in rows:
        for name in words(row[0]):
            shown = {place: cell == "yes" for place, cell in zip(PLACES, row[1:-1], strict=True)}
            found = {place: diagnostics(part(spec.replace("NAME", name), "resnet18")) for place, spec in PLACES.items()}
            assert {place: codes in ([], ["W301"]) for place, codes in found.items()} == shown, (name, found)
            assert {code for codes in found.values() for code in codes} <= {"E402", "W301"}, name


# One expression for each column of the table.
PLACES = {
    "stem, head": "head: [conv: {out: 8 if NAME == 1 else 4}]",
    "fragment": "head: f\nfragments: {f: {steps: [conv: {out: 8 if NAME == 1 else 4}]}}",
    "count": "stages: {count: [1 if NAME == 1 else 2, 2, 2, 2]}",
    "channels, stride, dilation": "stages: {dilation: 1 if NAME == 1 else 2}",
    "block, other cells": "stages: {block: b}\nblocks: {b: {residual: [layer: {out: channels, stride: stride, "
    "kernel: 1 if NAME == 1 else 3}]}}\ndrop_path: 0.1 if NAME == 1 else 0.2",
    "shortcut": "shortcut: s\nshortcuts: {s: {same: [], change: [subsample: {stride: stride}, "
    "conv: {out: out_channels, kernel: 1 if NAME == 1 else 3}]}}",
}


@table("Limits")
def limits(rows: Rows) -> None:
    """Those that a spec can meet by trial: at the limit it compiles, beyond it is refused with the one code."""
    shown = {row[0]: int(row[1].replace(",", "")) for row in rows}
    assert {name: shown[name] for name in LIMITS} == LIMITS
    for name, (code, spec) in BEYOND.items():
        within, beyond = (diagnostics(part(spec(shown[name] + more), "resnet18")) for more in (0, 1))
        assert code in beyond, (name, beyond)
        assert code not in within, (name, within)
    assert {*LIMITS, *BEYOND} == shown.keys()


LIMITS = {
    "specs in a chain of `extends`": MAX_CHAIN,
    "levels of steps in steps, with those of fragments": MAX_LEVELS,
    "steps of one sequence, with those of fragments": MAX_STEPS,
    "nodes of the network": archspec.Limits().nodes,
    "steps of work to compile a spec": archspec.Limits().work,
    "diagnostics that one phase collects": MAX_FOUND,
    "elements of one value, or of all weights": archspec.Limits().elements,
    "diagnostics that one command prints": MAX_SHOWN,
}
WHOLE = "archspec: 1\nname: {}\nextends: resnet18\n"
BEYOND: dict[str, tuple[str, Callable[[int], str]]] = {
    "bytes of a file": ("E103", lambda n: (WHOLE.format("part") + "#").ljust(n, "#")),
    "levels of nesting": ("E103", lambda n: f"tags: {'[' * (n - 1)}a{']' * (n - 1)}\n"),
    "values, counted again where an alias repeats them": (
        "E103",
        lambda n: f"{WHOLE.format('part')}tags: [{', '.join('a' * (n - 5))}]\n",
    ),
    "characters of the spec's name": ("E206", lambda n: WHOLE.format("n" * n)),
    "characters of an expression": ("E405", lambda n: f"classes: 8{' ' * (n - 3)}+8\n"),
    "parentheses in an expression, one inside the other": ("E405", lambda n: f"classes: {'(' * n}8{')' * n}\n"),
    "magnitude of a number in an expression": ("E405", lambda n: f"params: {{a: 0 + {n}}}\n"),
    "blocks of `quantized_linear`": (
        "E205",
        lambda n: f"stages: {{quantized_linear: {{depth: {n}, w_0: 8, w_a: 0.001, w_m: 2}}, stride: 1}}\n",
    ),
}


# -- the keys of the JSON ----------------------------------------------------------------------------------------------

MAPPINGS = {"params_by_operation", "unavailable", "outputs", "length_in_blocks", "length_in_layers", "totals"}
"""What is described as a whole, because its keys are the network's or are told in the text."""


def paths(value: dict[str, object], whole: set[str]) -> set[str]:
    """The dotted keys of a mapping down to its values, and to the mappings that are described as a whole."""
    found = set()
    for key, item in value.items():
        inside = isinstance(item, dict) and key not in whole
        found |= {f"{key}.{rest}" for rest in paths(item, whole)} if inside else {key}
    return found


def analysis_of_everything() -> dict[str, object]:
    """The JSON of `archspec analyze` for a network with several outputs, with rows of blocks and of layers."""
    shown: dict[str, object] = {}
    for per in ("block", "layer"):
        stored = io.StringIO()
        with contextlib.redirect_stdout(stored):
            assert (
                run(["analyze", "resnet18", "--set", "outputs=[layer1, layer4]", "--per", per, "--format", "json"]) == 0
            )
        shown |= json.loads(stored.getvalue())
    return shown


ANALYSIS: dict[str, Callable[[Rows], None]] = {}


def analysis_table(heading: str) -> Callable[[Callable[[Rows], None]], Callable[[Rows], None]]:
    """Marks the check of the table under a heading of the page about the analysis."""

    def mark(check: Callable[[Rows], None]) -> Callable[[Rows], None]:
        ANALYSIS[heading] = check
        return check

    return mark


@analysis_table("Keys of the JSON")
def keys_of_the_json(rows: Rows) -> None:
    data = analysis_of_everything()
    assert sorted(firsts(rows)) == sorted(paths(data, MAPPINGS - {"totals"}))
    lengths = next(row[1] for row in rows if "`paths.length_in_blocks`" in row[0])
    assert {*words(lengths)} >= data["paths"]["length_in_blocks"].keys()
    outputs = next(row[1] for row in rows if row[0] == "`outputs`")
    assert {*words(outputs)} == data["outputs"]["layer1"].keys()


@analysis_table("Keys of a row")
def keys_of_a_row(rows: Rows) -> None:
    data = analysis_of_everything()
    for place in ("stages", "outside", "blocks", "layers"):
        assert firsts(rows) == list(data[place][0]), place


@analysis_table("Analyses of your own")
def attributes_for_networkx(rows: Rows) -> None:
    dag = archspec.compile("resnet18").to_networkx()
    assert all(sorted(data) == sorted(firsts(rows)) for _, data in dag.nodes(data=True))


@analysis_table("Keys of a difference")
def keys_of_a_difference(rows: Rows) -> None:
    data = archspec.diff("resnet18", "resnet34").as_data()
    assert sorted(firsts(rows)) == sorted(paths(data, {"reshaped", "totals"}))
    told = {row[0]: {*words(row[1])} for row in rows}
    assert told["`keys`"] == data["keys"][0].keys()
    assert told["`stages`"] >= data["stages"][0].keys()
    assert told["`totals`"] == data["totals"]["params"].keys()


@pytest.mark.parametrize("heading", REFERENCE)
def test_a_table_of_the_reference_agrees_with_the_code(heading: str) -> None:
    REFERENCE[heading](tables("docs/language.md")[heading])


@pytest.mark.parametrize("heading", ANALYSIS)
def test_a_table_of_the_analysis_agrees_with_the_code(heading: str) -> None:
    ANALYSIS[heading](tables("docs/analysis.md")[heading])


def test_the_tables_of_other_pages_agree_with_the_code() -> None:
    assert [word.split()[1] for word in firsts(tables("README.md")["The command line"])] == list(COMMANDS)
    folders = firsts(tables("docs/design.md")["Folders"])
    assert [name for name in folders if not (ROOT / name).is_dir()] == []
    packages = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("archspec/*/__init__.py")}
    assert packages <= {name.rstrip("/") for name in folders}
    drawn = {
        name.removesuffix("(spec)").removesuffix("()") for name in firsts(tables("docs/strategies.md")["Drawing specs"])
    }
    assert drawn <= set(testing.__all__)
    levels = [level.strip("`") for level in firsts(tables("docs/testing.md")["What is tested"]) if level]
    assert levels == list(LEVELS)
    rows = [[cell.replace("`", "") for cell in row] for row in tables("docs/targets.md")["Targets"]]
    extras = [(f"extra {each.extra}" if each.extra else "") for each in TARGETS]
    assert [row[:4] for row in rows] == [
        [each.suffix, each.name, each.summary, extra] for each, extra in zip(TARGETS, extras, strict=True)
    ]
    data = [re.findall(r"^\w+", word)[0] for word in firsts(tables("docs/training.md")["Data"])]
    assert list(dict.fromkeys(data)) == list(SOURCES)
    assert [words(row[0])[0] for row in tables("docs/lab_clusters.md")["Engines"]] == [
        engine.name for engine in ENGINES
    ]
    figures = tables("docs/figures.md")
    assert [word.strip("`") for word in firsts(figures["How much is drawn"])] == list(DEPTHS)
    suffixes = [target.suffix for target in TARGETS if DEPTH in target.options]
    assert [word.strip("`") for word in firsts(figures["Files"])] == suffixes


MEASURED = ("docs/benchmarks.md", "docs/reliability.md", "docs/signal.md", "docs/lab_blocks.md")


def test_every_table_is_checked() -> None:
    """Whoever measures checks the figures; tests/zoo, test_security.py and test_learn.py check their pages."""
    found = {page: set(tables(page)) for page in PAGES if page not in MEASURED and not page.startswith("docs/learn/")}
    checked = {
        "docs/coming_from.md": {*tables("docs/coming_from.md")},  # by tests/test_vocabulary.py
        "docs/language.md": {*REFERENCE},
        "docs/analysis.md": {*ANALYSIS},
        "README.md": {"The command line"},
        "docs/design.md": {"Folders"},
        "docs/timm.md": {"By network", "By module"},
        "docs/zoo.md": {"What is proved"},
        "docs/strategies.md": {"Drawing specs"},
        "docs/testing.md": {"What is tested"},
        "docs/security.md": {"Promises"},
        "docs/targets.md": {"Targets"},
        "docs/training.md": {"Data"},
        "docs/lab_clusters.md": {"Engines"},
        "docs/figures.md": {"How much is drawn", "Files"},
    }
    assert found == {page: checked.get(page, set()) for page in found}
