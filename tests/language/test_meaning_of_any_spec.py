"""Ways of writing one network mean the same: tables by row and column, `show`, `extends`, a file, JSON."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import archspec
from archspec.diagnostics import Source
from archspec.language.standalone import standalone
from archspec.language.text.yaml_writer import to_yaml
from archspec.strategies import SpecText, specs
from tests.support.properties import compiled, meaning, tries

# Written by hand: the columns that every table has, and the parameters of the library's blocks.
COLUMNS = {"block", "count", "channels", "stride", "dilation", "before", "after", "around", "name"}
COLUMNS |= {"shortcut", "activation_order", "norm", "act", "drop_path"}
LIBRARY = {
    "basic": set(),
    "bottleneck": {"expansion", "groups", "base_width", "stride_at", "se"},
    "mbconv": {"expand", "kernel", "se"},
}


def by_row(document: dict[str, Any]) -> list[dict[str, Any]] | None:
    """A table by column as rows, by hand; None for one that a rule generates."""
    table = document["stages"]
    lists = [column for column in table.values() if isinstance(column, list)]
    if "quantized_linear" in table:
        return None
    rows = []
    for number in range(len(lists[0]) if lists else 1):
        cells = {key: column[number] if isinstance(column, list) else column for key, column in table.items()}
        block = cells["block"]
        own = document.get("blocks", {}).get(block, {}).get("params", {})
        reads = COLUMNS | (set(own) if block in document.get("blocks", {}) else LIBRARY[block])
        rows.append({key: cell for key, cell in cells.items() if cell is not None and key in reads})
    return rows


def by_column(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A table by row as columns, by hand."""
    keys = {key: None for row in rows for key in row}
    return {key: [row.get(key) for row in rows] for key in keys}


@tries(50)
@given(spec=specs().filter(lambda spec: "extends" not in spec.document))
def test_rows_and_columns_mean_the_same(spec: SpecText) -> None:
    table = spec.document["stages"]
    other = by_column(table) if isinstance(table, list) else by_row(spec.document)
    if other is not None:
        turned = SpecText({**spec.document, "stages": other})
        assert meaning(compiled(turned)) == meaning(compiled(spec))


@tries(50)
@given(spec=specs())
def test_show_means_the_same_and_shows_itself(spec: SpecText) -> None:
    source = Source("drawn.yaml", str(spec))
    loaded = archspec.load(source)
    shown = to_yaml(standalone(loaded))
    assert meaning(compiled(shown)) == meaning(archspec.compile(loaded))
    again = Source("drawn.yaml", shown)
    assert to_yaml(standalone(archspec.load(again)), comments=False) == to_yaml(standalone(loaded), comments=False)


@tries(40)
@given(spec=specs())
def test_saving_and_reading_back(spec: SpecText, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As a file, as the JSON of the same values, and pickled."""
    graph = compiled(spec)
    path = tmp_path_factory.mktemp("saved") / "drawn.yaml"
    path.write_text(str(spec), encoding="utf-8")
    assert meaning(archspec.compile(path)) == meaning(graph)
    assert meaning(compiled(json.dumps(spec.document) + "\n")) == meaning(graph)
    assert meaning(pickle.loads(pickle.dumps(graph))) == meaning(graph)


# -- extends -----------------------------------------------------------------------------------------------------------

CHANGES: Mapping[str, tuple[Any, ...]] = {
    "classes": (7, 1, "3 * 3"),
    "norm": ("layer", {"type": "group", "groups": 2}, {"eps": 0.5}, {"momentum": 0.3}, None),
    "act": ("silu", "none", None),
    "drop_path": (0.5, "0.1 * number / blocks", None),
    "init": ({"conv": "normal"}, {"bias": "zero"}, {"conv": None}, None),
    "params": ({"wide": 16}, {"other": 3}),
    "activation_order": ("pre", "act-before-add", None),
    "shortcut": ("projection", "projection-all", None),
    "naming": ({"shortcut": "side"}, {"layer": "l{n}"}, "timm", None),
    "stages": ({"dilation": 2}, {"act": "tanh"}, {"stride": None}, {"drop_path": 0.25}),
    "head": ("classifier", [], None),
    "tags": (["a"], ["b", "c"], None),
}


@st.composite
def overlays(draw: st.DrawFn, name: str, base: str) -> dict[str, Any]:
    """A spec that says what is different from ``base``."""
    keys = draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=4, unique=True))
    return {"archspec": 1, "name": name, "extends": base} | {key: draw(st.sampled_from(CHANGES[key])) for key in keys}


def laid(base: Any, over: Any) -> Any:
    """``over`` on ``base``, where ``null`` stays to remove what stands further below."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {key: laid(base.get(key), over[key]) if key in over else base[key] for key in {**base, **over}}


def flattened(base: Any, over: Any) -> Any:
    """``over`` on ``base``: mappings merge, everything else replaces, ``null`` removes."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    both = {key: flattened(base.get(key), over[key]) if key in over else base[key] for key in {**base, **over}}
    return {key: value for key, value in both.items() if over.get(key, 0) is not None}


def revives(base: Any, over: Any) -> bool:
    """Whether a mapping stands over a null, which makes the order matter: the null removes, then the mapping begins."""
    if isinstance(base, dict) and isinstance(over, dict):
        return any(revives(base[key], over[key]) for key in base.keys() & over.keys())
    return isinstance(over, dict) and not isinstance(base, dict)


def outcome(path: Path) -> Any:
    """What a spec means, or why it is refused."""
    try:
        return meaning(archspec.compile(path))
    except archspec.SpecError as error:
        return sorted((d.code, d.message) for d in error.diagnostics)


@tries(40)
@given(spec=specs(), middle=overlays("middle", "base"), last=overlays("drawn", "middle"))
def test_extends_is_associative(
    spec: SpecText, middle: dict[str, Any], last: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """last over (middle over base), and (last over middle) over base; and over what `show` prints of the middle."""
    assume("quantized_linear" not in spec.document["stages"])
    folder = tmp_path_factory.mktemp("extends")

    def write(name: str, document: dict[str, Any]) -> Path:
        path = folder / f"{name}.yaml"
        path.write_text(str(SpecText(document)), encoding="utf-8")
        return path

    write("base", {**spec.document, "name": "base"})
    whole = write("middle", middle)
    chain = outcome(write("drawn", last))
    columns = spec.document["stages"]
    base = {**spec.document, "stages": by_column(columns) if isinstance(columns, list) else columns}
    base.pop("expect", None)
    over = laid if "extends" in base else flattened  # a null also removes what the base itself extends
    by_hand = over(over(base, middle), last) | {"extends": base.get("extends")}
    assert outcome(write("by_hand", by_hand)) == chain
    if not revives(middle, last):
        joined = {**laid(middle, last), "extends": "base"}
        assert outcome(write("joined", joined)) == chain
    try:
        loaded = archspec.load(whole)
    except archspec.SpecError:  # what the last one changes makes it whole
        return
    (folder / "flat.yaml").write_text(to_yaml(standalone(loaded)), encoding="utf-8")
    assert outcome(write("over_flat", {**last, "extends": "flat"})) == chain


# -- scaling -----------------------------------------------------------------------------------------------------------


@tries(40)
@given(
    spec=specs().filter(lambda spec: "extends" not in spec.document),
    key=st.sampled_from(["width", "depth"]),
    factors=st.lists(st.sampled_from([0.5, 1, 1.25, 2, 3]), min_size=2, max_size=2, unique=True).map(sorted),
)
def test_scaling_is_monotone(spec: SpecText, key: str, factors: list[float]) -> None:
    """More width never has fewer parameters, more depth never fewer blocks.

    More depth may have fewer parameters: a second block narrower than the first narrows what comes after it.
    """
    assume("in_channels ==" not in spec)  # a step that is there only where two widths are equal
    reports = []
    for factor in factors:
        scaled = SpecText({**spec.document, "scale": {"divisor": 8, key: factor}})
        try:
            reports.append(archspec.analyze(compiled(scaled), lengths=False))
        except archspec.SpecError:  # a list for single blocks, or a shortcut that fits one width, does not scale
            return
    small, large = reports
    if key == "width":
        assert small.totals.costs.params <= large.totals.costs.params
    else:
        assert sum(stage.count for stage in small.stages) <= sum(stage.count for stage in large.stages)


@pytest.mark.parametrize("unset", ["act: null", "init: {conv: null, bias: zero}", "norm: {type: batch, eps: null}"])
def test_null_means_the_same_as_nothing(unset: str) -> None:
    """Found by `test_extends_is_associative`: the hash told them apart."""
    text = "archspec: 1\nname: t\nstages: {block: basic, count: 1, channels: 8}\n"
    written = {"act": "", "init": "init: {bias: zero}\n", "norm": "norm: {type: batch}\n"}[unset.partition(":")[0]]
    assert meaning(compiled(f"{text}{unset}\n")) == meaning(compiled(text + written))
