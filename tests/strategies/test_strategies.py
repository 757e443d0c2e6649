"""What `specs()` draws: always valid, the whole language, and short once Hypothesis has shrunk it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import archspec
from archspec.language.schema import read_schema
from archspec.language.spec import ACTIVATION_ORDERS
from archspec.language.text.yaml_writer import flow, write
from archspec.operations.act import ACTIVATIONS
from archspec.operations.discovery import operations
from archspec.strategies import SpecText, graphs, specs
from archspec.testing.expectations import check_expectations
from tests.support.properties import SLOW_DRAWS, compiled, tries

BLOCKS = {"basic", "bottleneck", "mbconv"}
SHORTCUTS = {"identity", "none", "zero-pad", "projection", "projection-all", "avg-projection", "inverted"}
WORDS = {
    "operation": set(operations()),
    "activation": set(ACTIVATIONS),
    "norm": {"batch", "group", "layer", "instance", "rms", "grn", "local_response", "frozen"},
    "order": set(ACTIVATION_ORDERS),
    "shortcut": SHORTCUTS | {"beside"},
    "block": BLOCKS | {"own", "other"},
    "rank": {"1", "2", "3"},
    "merge": {"add", "multiply", "concat", "subtract", "maximum", "minimum", "block: add", "block: concat"},
    "table": {
        "rows",
        "columns",
        "rule",
        "rounding",
        "cell for blocks",
        "before",
        "after",
        "around",
        "name",
        "dilation",
    },
    "key": set(read_schema()["properties"]) - {"import", "paper", "notes", "reference"},
    "definition": {"params", "let", "fixed", "first: shortcut", "steps", "residual", "summary"},
    "step": {
        "layer",
        "sequence",
        "repeat",
        "blocks",
        "name",
        "when",
        "as",
        "from",
        "share",
        "inputs",
        "of",
        "mixer",
        "squash",
        "se",
        "named branches",
        "broadcast",
        "branch: when",
        "depthwise",
    },
}
"""What must be drawn: a hand-written list where the language has no table of it."""


def drawn(spec: SpecText) -> Iterator[tuple[str, str]]:
    """What one spec has of all that."""
    graph = compiled(spec)
    document = spec.document
    for node in graph.nodes:
        yield "operation", node.operation.name
        if node.operation.name in ("act", "norm"):
            yield {"act": "activation", "norm": "norm"}[node.operation.name], node.operation.type  # type: ignore[attr-defined]
        if len(node.inputs) > 1 or node.operation.arity == "many":
            yield "merge", node.operation.name
    yield "rank", str(len(graph.input) - 1)
    for key in document:
        yield "key", key
    yield "order", document.get("activation_order", "post")
    yield from _settings_of(document)
    yield from _table_of(document["stages"])
    for definitions in (document.get("blocks", {}), document.get("fragments", {})):
        for body in definitions.values():
            for key in body:
                yield "definition", f"{key}: {body[key]}" if key == "first" else key
            yield "merge", f"block: {body.get('merge', 'add')}"
    yield from _steps_of([value for key, value in document.items() if key not in ("naming", "init", "params")])


def _settings_of(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "shortcut", document.get("shortcut", "projection")
    blocks = list(document.get("blocks", {}).values())
    for body in [*blocks, *[body.get("fixed", {}) for body in blocks], *_rows(document["stages"])]:
        for key, kind in (("shortcut", "shortcut"), ("activation_order", "order"), ("block", "block")):
            if isinstance(body.get(key), str):
                yield kind, body[key]


def _rows(table: Any) -> list[dict[str, Any]]:
    if isinstance(table, list):
        return table
    longest = max((len(column) for column in table.values() if isinstance(column, list)), default=1)
    return [{k: c[n] if isinstance(c, list) else c for k, c in table.items()} for n in range(longest)]


def _table_of(table: Any) -> Iterator[tuple[str, str]]:
    yield "table", "rows" if isinstance(table, list) else "columns"
    for row in _rows(table):
        for key, cell in row.items():
            yield "table", {"quantized_linear": "rule"}.get(key, key)
            if key == "quantized_linear" and "rounding" in cell:
                yield "table", "rounding"
            if isinstance(cell, list) and key not in ("before", "after", "around"):
                yield "table", "cell for blocks"


def _steps_of(value: Any) -> Iterator[tuple[str, str]]:
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _steps_of(item)
    for key in value if isinstance(value, dict) else ():
        yield "step", key
        if key in ("add", "multiply", "concat") and isinstance(value[key], dict):
            yield "step", "named branches"
        if key in ("add", "multiply", "concat") and any("when" in item for item in _branches(value[key])):
            yield "step", "branch: when"
        if value[key] == "depthwise":
            yield "step", "depthwise"


def _branches(merge: Any) -> list[Any]:
    """The branches that are mappings."""
    return [item for item in (merge.values() if isinstance(merge, dict) else merge) if isinstance(item, dict)]


def missed(found: Counter[tuple[str, str]]) -> dict[str, set[str]]:
    left = {kind: {word for word in words if not found[kind, word]} for kind, words in WORDS.items()}
    return {kind: words for kind, words in left.items() if words}


def collected(number: int) -> Counter[tuple[str, str]]:
    """How many of so many specs have what."""
    found: Counter[tuple[str, str]] = Counter()

    @settings(max_examples=number, suppress_health_check=SLOW_DRAWS, database=None)
    @given(spec=specs())
    def collect(spec: SpecText) -> None:
        found.update(set(drawn(spec)))
        found["specs", ""] += 1

    collect()
    assert found["specs", ""] >= number
    return found


@pytest.mark.slow
def test_two_thousand_specs_have_the_whole_language() -> None:
    """Each is valid, or this fails; and nothing is so rare that it would hardly be tested."""
    found = collected(2000)
    assert missed(found) == {}
    for kind in ("operation", "order", "shortcut", "rank", "merge"):
        rare = {word: found[kind, word] for word in WORDS[kind] if found[kind, word] < 20}
        assert not rare, kind


def test_two_hundred_specs_have_the_core_of_it() -> None:
    found = collected(200)
    core = ("order", "rank", "merge", "block")
    assert {kind: words for kind, words in missed(found).items() if kind in core} == {}


@tries(60)
@given(spec=specs())
def test_the_text_says_what_the_document_says(spec: SpecText) -> None:
    """By a reader of YAML that is not archspec's; what the spec expects holds; the text is short."""
    assert yaml.safe_load(spec) == spec.document
    assert check_expectations(compiled(spec)) == []
    assert len(spec) < 8_000


@tries(20)
@given(graph=graphs())
def test_graphs_are_compiled_and_small(graph: archspec.Graph) -> None:
    assert graph.nodes
    assert len(graph.nodes) < 1000
    assert all(min(node.shape) > 0 for node in graph.nodes)


@pytest.mark.parametrize(
    ("word", "holds"),
    [
        ("anything", lambda spec: True),
        pytest.param("pre", lambda spec: spec.document.get("activation_order") == "pre", marks=pytest.mark.slow),
        ("conv", lambda spec: len(compiled(spec).nodes) > 20),
        pytest.param("own", lambda spec: "own" in spec.document.get("blocks", {}), marks=pytest.mark.slow),
    ],
)
def test_what_fails_shrinks_to_what_a_person_can_read(word: str, holds: Any) -> None:
    phases = (Phase.generate, Phase.shrink)
    quick = settings(max_examples=500, suppress_health_check=SLOW_DRAWS, phases=phases)
    quick = settings(quick, database=None)
    small = find(specs(), holds, settings=quick)
    assert len(small.splitlines()) <= 14, small
    assert len(small) < 500, small


TEXT = st.text("ab1 -:#,{}[]'\"\\%é\u202e😀\n", max_size=8) | st.sampled_from(
    ["null", "yes", "010", "1e5", "~", "2 * a"]
)
NUMBERS = st.integers(-(10**6), 10**6) | st.sampled_from([0.5, 1e-06, 0.25, -3.75, 1e16])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab-", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(document=st.dictionaries(st.sampled_from(["a", "b", "of", "x-y"]), VALUES, min_size=1))
def test_the_writer(document: dict[str, Any]) -> None:
    """JSON-like values are read back; each key stands on the line that is said."""
    written = write(document)
    assert archspec_reads(written.text) == document
    lines = written.text.splitlines()
    for path, line in written.keys.items():
        if path and isinstance(path[-1], str):
            assert flow(path[-1]) in lines[line - 1]
    assert all(1 <= line <= len(lines) for line in written.values.values())


def archspec_reads(text: str) -> Any:
    from archspec.diagnostics import Source
    from archspec.language.text.reader import read

    return read(Source("written", text)).value


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = "import sys, archspec.testing; print('hypothesis' in sys.modules, 'torch' in sys.modules)"
    code += "; from archspec.testing import specs, mutations, graphs, Mutation, SpecText; assert callable(mutations)"
    code += "; print('hypothesis' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True", "False"]


def test_without_hypothesis_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['hypothesis'] = None; import archspec.testing, archspec.diagnostics\n"
    code += "try: archspec.testing.specs\n"
    code += "except archspec.diagnostics.EnvironmentFault as fault: print(fault.diagnostic.code, fault.diagnostic.help)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "E809 pip install hypothesis"
