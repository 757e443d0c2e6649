"""What was tested of one spec, and what that gave, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from archspec.analysis.parts import Totals
from archspec.diagnostics import Diagnostic, Span
from archspec.display import counted, plain
from archspec.excerpts import render_all
from archspec.graph.graph import Graph
from archspec.testing.expectations import Compared
from archspec.wording import Brief, brief, first_of, tagged


class SpecEdit(NamedTuple):
    """The lines of an expectation as they are written, and with the measured value."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    def __repr__(self) -> str:
        return brief(self)


@dataclass(frozen=True, slots=True, repr=False)
class Case(Brief):
    """One thing that was tested.

    ``name`` is ``valid``, an expectation such as ``expect.params``, or a name in ``CASES``. ``span`` is the place that
    it speaks of, or None. ``left_out`` says why it was not tested, ``compared`` what a wrong expectation was compared
    with; ``note`` is for the pass, on which batch and input it was.
    """

    name: str
    span: Span | None
    diagnostics: tuple[Diagnostic, ...] = ()
    seconds: float = 0.0
    left_out: str = ""
    compared: Compared | None = None
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether it was tested and no fault was found; a warning is not a fault."""
        return not self.left_out and not self.failed

    @property
    def failed(self) -> bool:
        """Whether a fault was found."""
        return any(diagnostic.severity == "error" for diagnostic in self.diagnostics)

    @property
    def change(self) -> SpecEdit | None:
        """How the lines of a wrong expectation would read with the measured value."""
        from archspec.testing.edits import edited_lines  # only a wrong expectation needs these
        from archspec.testing.update import edit_of  # likewise

        edit = edit_of(self.compared) if self.compared else None
        return SpecEdit(*edited_lines(edit)) if edit else None

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "name": self.name,
            "line": self.span.line if self.span else None,
            "status": "left out" if self.left_out else "failed" if self.failed else "passed",
            "left_out": self.left_out,
            "seconds": round(self.seconds, 3),
            "diagnostics": [diagnostic.as_data() for diagnostic in self.diagnostics],
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What checking one spec gave.

    ``spec`` is how the spec was named, ``file`` how diagnostics call it, and ``path`` the absolute path of its file,
    or None. ``graph`` and ``totals`` are None where it does not compile.

    >>> import archspec
    >>> archspec.check("resnet5O").as_data()["valid"]
    False
    """

    spec: str
    file: str
    path: str | None
    cases: tuple[Case, ...]
    graph: Graph | None = None
    totals: Totals | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing failed. What was left out has not failed; :attr:`left_out` has it."""
        return not any(case.failed for case in self.cases)

    valid = passed

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All that is to be said about the spec, once each."""
        return tuple(dict.fromkeys(diagnostic for case in self.cases for diagnostic in case.diagnostics))

    @property
    def left_out(self) -> tuple[Case, ...]:
        """The cases that were not tested."""
        return tuple(case for case in self.cases if case.left_out)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return sum(case.seconds for case in self.cases)

    def __repr__(self) -> str:
        failed = [case.name for case in self.cases if case.failed]
        found = f"failed: {first_of(failed)}" if failed else "ok"
        return tagged(self, f"{self.file}: {found}, {counted(len(self.cases), 'case')}")

    def __str__(self) -> str:
        """What ``archspec check`` prints: the size of the network if all is well, and every diagnostic."""
        size = f"{self.file}: ok, {self.totals}" if self.valid and self.totals else ""
        return "\n\n".join(filter(None, (size, render_all(self.diagnostics))))

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON, without the cases. The figures are missing where the spec does not compile."""
        found = plain(self, "spec", "file", "valid")
        if self.graph and self.totals:
            found |= {"name": self.graph.name, "hash": self.graph.fingerprint}
            found |= plain(self.totals.costs, "params", "macs") | plain(self.totals, "layers", "nodes")
            found |= plain(self.graph, "output")
        return {**found, "diagnostics": [diagnostic.as_data() for diagnostic in self.diagnostics]}
