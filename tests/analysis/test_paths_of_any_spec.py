"""The paths of any small spec against a list of all of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.strategies import graphs
from tests.analysis.test_paths_enumerated import all_paths, assert_enumerated
from tests.support.properties import tries


@tries(40)
@given(graph=graphs(), gates=st.booleans())
def test_paths_are_those_that_there_are(graph: archspec.Graph, gates: bool) -> None:
    """A network with more than some thousand paths is too large to list them."""
    if max(all_paths(graph, gates).values()) < 2000:
        assert_enumerated(graph, gates=gates)
