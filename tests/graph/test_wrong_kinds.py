"""A value of the wrong kind for a block of the library: which name has it, where it is written, and what to write."""

from __future__ import annotations

import pytest

import archspec

CASES = [
    ("bottleneck", "se", "true", "fraction", "stages: {se: 1/16}"),
    ("bottleneck", "se", "false", "write 0", "stages: {se: 0}"),
    ("mbconv", "se", "true", "fraction", "stages: {se: 1/16}"),
    ("bottleneck", "groups", "true", "write a number", ""),
    ("bottleneck", "expansion", "true", "write a number", ""),
    ("bottleneck", "stride_at", "false", "write a number", ""),
    ("bottleneck", "base_width", "\"'relu'\"", "write a number", ""),
    ("mbconv", "kernel", "true", "write a number", ""),
    ("mbconv", "expand", "false", "write a number", ""),
]


@pytest.mark.parametrize(("block", "name", "value", "told", "proposal"), CASES)
@pytest.mark.parametrize("many", [False, True])
def test_the_fault_names_the_parameter_at_its_place(
    block: str, name: str, value: str, told: str, proposal: str, many: bool
) -> None:
    head = f"archspec: 1\nname: t\nstages:\n  block: {block}\n  count: [1, 1]\n  channels: [8, 16]\n"
    with pytest.raises(archspec.SpecError) as refused:
        archspec.compile(f"{head}  {name}: {f'[{value}, 2]' if many else value}\n")
    fault = refused.value.diagnostics[0]
    assert fault.code == "E406"
    assert fault.span is not None
    assert (fault.span.line, fault.span.column) == (7, len(name) + 5 + many)
    assert f"`{name}` is" in fault.message
    assert told in fault.help
    assert proposal in fault.help


@pytest.mark.parametrize("network", ["inception_v3", "googlenet"])
@pytest.mark.parametrize("value", [3, 0, "'x'"])
def test_a_condition_takes_a_truth_value(network: str, value: object) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        archspec.compile(network, overrides={"params.transform_input": value})
    fault = refused.value.diagnostics[0]
    assert fault.code == "E406"
    assert "`transform_input` is" in fault.message
    assert fault.help == "write `true` or `false`"
