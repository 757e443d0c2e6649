"""The strategies: a spec as text with its document, and as a compiled graph."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from archspec import arguments
from archspec.diagnostics import Source
from archspec.graph.graph import Graph
from archspec.language.load import load
from archspec.language.text.yaml_writer import Written, write
from archspec.passes import compile_spec
from archspec.strategies.draw import Draw
from archspec.strategies.whole import document as drawn_document


class SpecText(str):
    """The YAML text of a spec; ``document`` has its values in Python. Its repr is the text as written."""

    document: dict[str, Any]
    written: Written

    def __new__(cls, document: dict[str, Any]) -> SpecText:
        written = write(arguments.instance(document, "document", dict, "a mapping such as {'archspec': 1}"))
        found = super().__new__(cls, written.text)
        found.document, found.written = document, written
        return found

    def __repr__(self) -> str:
        return f'SpecText("""\\\n{self}""")'


@st.composite
def specs(draw: st.DrawFn) -> SpecText:
    """Valid specs over the whole language, each small enough to be built: a :class:`SpecText`.

    Tables by row and by column, lists for single blocks, expressions, blocks, fragments and shortcuts of the spec's own
    and of the library, every operation, merge and activation order, values by name, one to three spatial axes, scaling,
    ``extends`` over the zoo, naming and outputs. Every one compiles, perhaps with warnings.
    """
    return SpecText(drawn_document(Draw(draw)))


def graphs() -> st.SearchStrategy[Graph]:
    """The compiled graphs of :func:`specs`."""
    return specs().map(lambda spec: compile_spec(load(Source("drawn.yaml", str(spec)))))
