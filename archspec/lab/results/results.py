"""What an experiment found: the value that its function returns, and that its folder has as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec.lab.results.claim import RULE, UNRESOLVED, LiteratureClaim
from archspec.lab.results.plot import Plot
from archspec.lab.results.table import ResultTable
from archspec.wording import Brief

FORMAT = 1
"""The version of ``results.json``."""


@dataclass(frozen=True, slots=True, repr=False)
class LabNetwork(Brief):
    """One network of an experiment: its label, its spec as one text that needs no other file, and its size."""

    label: str
    spec: str
    parameters: int
    macs: int | None
    layers: int
    fingerprint: str

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        names = ("label", "parameters", "macs", "layers", "fingerprint", "spec")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, repr=False)
class LostRun(Brief):
    """A run without a result: its label and seed, and why. ``diverged``: its loss was not finite; others failed."""

    label: str
    seed: int
    reason: str
    diverged: bool = False

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {"label": self.label, "seed": self.seed, "reason": self.reason, "diverged": self.diverged}

    def __str__(self) -> str:
        return f"{self.label}, seed {self.seed}: {self.reason}"


@dataclass(frozen=True, slots=True, repr=False)
class Circumstances(Brief):
    """How an experiment was run: all that another run needs to give the same numbers."""

    command: str
    data: Mapping[str, Any]
    trainer: Mapping[str, Any]
    options: Mapping[str, Any]
    seeds: tuple[int, ...]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class Results(Brief):
    """What an experiment found.

    ``tables`` have every number with its spread, ``claims`` what papers say and whether it holds here, ``plots`` the
    figures, ``remarks`` sentences on what to know when reading them, and ``lost`` the runs that have no result.

    >>> from archspec.lab.results.results import Circumstances, Results
    >>> found = Results("degradation", "Degradation", "Is deeper better?", Circumstances("", {}, {}, {}, (0,), {}))
    >>> found.as_data()["experiment"], found.unmet
    ('degradation', ())
    """

    experiment: str
    title: str
    question: str
    circumstances: Circumstances
    networks: tuple[LabNetwork, ...] = ()
    tables: tuple[ResultTable, ...] = ()
    claims: tuple[LiteratureClaim, ...] = ()
    plots: tuple[Plot, ...] = ()
    remarks: tuple[str, ...] = ()
    lost: tuple[LostRun, ...] = field(default=())

    def table(self, name: str) -> ResultTable:
        """The table of this name.

        Raises:
            KeyError: there is none.
        """
        for each in self.tables:
            if each.name == name:
                return each
        raise KeyError(name)

    @property
    def unmet(self) -> tuple[LiteratureClaim, ...]:
        """The claims that do not come out here: refuted, or beyond what this data can resolve."""
        return tuple([claim for claim in self.claims if claim.verdict != "agrees"])

    @property
    def unresolved(self) -> tuple[LiteratureClaim, ...]:
        return tuple([claim for claim in self.claims if claim.verdict == UNRESOLVED])

    def as_data(self) -> dict[str, Any]:
        """As plain data: what ``results.json`` has. ``results_schema`` describes it."""
        how = self.circumstances
        return {
            "archspec_lab": FORMAT,
            "experiment": self.experiment,
            "title": self.title,
            "question": self.question,
            "command": how.command,
            "data": dict(how.data),
            "trainer": dict(how.trainer),
            "options": dict(how.options),
            "seeds": list(how.seeds),
            "versions": dict(how.versions),
            "networks": [network.as_data() for network in self.networks],
            "tables": [table.as_data() for table in self.tables],
            "rule": RULE,
            "claims": [claim.as_data() for claim in self.claims],
            "figures": [
                {
                    "name": plot.name,
                    "title": plot.title,
                    "look": plot.look,
                    "files": [f"{plot.name}.svg", f"{plot.name}.png"],
                }
                for plot in self.plots
            ],
            "remarks": list(self.remarks),
            "lost": [lost.as_data() for lost in self.lost],
        }
