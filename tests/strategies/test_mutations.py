"""Specs with one fault: each kind of fault, in specs that are drawn, is reported alone, with its code, at its line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archspec
from archspec.codes import CODES
from archspec.diagnostics import Diagnostic
from archspec.strategies import Mutation, mutations, specs
from archspec.strategies.mutated import FAULTS, made
from archspec.testing.expectations import check_expectations
from tests.language.test_bad_specs import ELSEWHERE
from tests.support.properties import SLOW_DRAWS, tries

NUMBERED = {
    f"{fault.code}-{number}": fault
    for code in sorted({fault.code for fault in FAULTS})
    for number, fault in enumerate((fault for fault in FAULTS if fault.code == code), 1)
}


def diagnosed(mutation: Mutation, folder: Path) -> tuple[Diagnostic, ...]:
    """Everything that is said of a spec."""
    try:
        graph = archspec.compile(archspec.load(mutation.save(folder), overrides=mutation.overrides))
    except archspec.SpecError as error:
        return error.diagnostics
    return (*graph.warnings, *check_expectations(graph))


def check(mutation: Mutation, folder: Path) -> None:
    found = diagnosed(mutation, folder)
    told = [(d.code, d.span.line if d.span else None) for d in found if d.severity == "error"]
    wanted = (mutation.code, mutation.line)
    if mutation.code.startswith("W"):
        assert wanted in [(d.code, d.span.line if d.span else None) for d in found]
    else:
        assert told == [wanted], "\n".join(map(str, found))


@pytest.mark.parametrize("name", sorted(NUMBERED))
def test_a_fault_is_reported_where_it_is(name: str, tmp_path: Path) -> None:
    @given(data=st.data(), spec=specs().filter(lambda spec: NUMBERED[name].fits(spec.document)))
    @tries(2)
    def each(data: st.DataObject, spec: str) -> None:
        mutation = data.draw(st.composite(lambda draw: made(draw, NUMBERED[name], spec.document))())
        check(mutation, tmp_path)

    each()


@pytest.mark.slow
@tries(500)
@given(mutation=specs().flatmap(mutations))
def test_any_mutation(mutation: Mutation, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(mutation, tmp_path_factory.mktemp("mutation"))


@tries(20)
@given(mutation=st.sampled_from(["resnet50", "densenet121", "inception_v3"]).flatmap(lambda n: mutations(zoo(n))))
def test_a_spec_from_elsewhere(mutation: Mutation, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Faults are put into a spec that nobody drew, here into some of the zoo's."""
    check(mutation, tmp_path_factory.mktemp("mutation"))


def zoo(name: str) -> str:
    return archspec.load(name).document.source.text


def test_every_code_that_a_spec_can_provoke_has_a_fault() -> None:
    provoked = Counter(fault.code for fault in FAULTS)
    assert set(provoked) | set(ELSEWHERE) == set(CODES)
    assert not set(provoked) & set(ELSEWHERE)


def test_codes_can_be_chosen() -> None:
    found = []

    @given(mutation=specs().flatmap(lambda spec: mutations(spec, "E503", "E507")))
    @settings(max_examples=20, suppress_health_check=SLOW_DRAWS)
    def collect(mutation: Mutation) -> None:
        found.append(mutation.code)

    collect()
    assert set(found) == {"E503", "E507"}


def test_a_misspelt_block_takes_no_blame_for_its_parameters(tmp_path: Path) -> None:
    """Found by the mutations of `block`: its parameters were called unknown too. What is like a column still is."""
    text = "archspec: 1\nname: drawn\nstages:\n  - {block: basic, count: 1, channels: 8}\n"
    row = "  - {block: mbcnv, count: 1, channels: 8, expand: 2}\n"
    check(Mutation(text + row, "E302", 5), tmp_path)
    found = diagnosed(Mutation(text + row.replace("expand", "strid"), "E302", 5), tmp_path)
    assert sorted(d.code for d in found) == ["E301", "E302"]
    check(Mutation(text + row.replace("mbcnv", "botleneck").replace("expand", "stride_at"), "E302", 5), tmp_path)
