"""What an experiment is, for the table, the command and the documentation."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from archspec.diagnostics import Diagnostic, EnvironmentFault
from archspec.lab.experiments.option import ExperimentOption
from archspec.wording import Brief

if TYPE_CHECKING:
    from archspec.lab.results.results import Results

Specs = Literal["one", "several"]

PACKAGES = ("torch", "numpy", "matplotlib")


@dataclass(frozen=True, slots=True, repr=False)
class Experiment(Brief):
    """An experiment.

    ``function`` is the qualified name of what runs it. It takes a spec (or a list of ``specs``; without any, it has its
    own), the ``options`` by name, and what all experiments take. ``smallest`` are arguments with which it runs in
    seconds, and ``example`` a command line after ``archspec lab``. ``minutes`` is what its defaults take on two cores.
    ``pages`` are the runs whose figures the documentation shows, by the name of the figures; without any, the defaults.
    """

    name: str
    summary: str
    function: str
    example: str
    specs: Specs = "one"
    seeds: int = 3
    minutes: float = 5
    options: tuple[ExperimentOption, ...] = ()
    smallest: Mapping[str, Any] = field(default_factory=dict)
    pages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def shown(self) -> dict[str, Mapping[str, Any]]:
        """The runs whose figures the documentation shows."""
        return dict(self.pages) or {self.name: {}}

    def smallest_with(self, given: Iterable[str], specs: Sequence[object] = ()) -> dict[str, Any]:
        """The arguments of a smallest run that go with the options and specs that are given: specs keep their keys."""
        excluded = {name for option in self.options if option.name in given for name in option.excludes}
        excluded |= {"overrides"} if specs else set()
        return {name: value for name, value in self.smallest.items() if name not in excluded}

    def load(self) -> Callable[..., Results]:
        """The function that runs it.

        Raises:
            EnvironmentFault: E809, a package is not installed.
        """
        for package in PACKAGES:
            if importlib.util.find_spec(package) is None:
                message = f"the experiments need {package}, which is not installed"
                help = "pip install 'archspec-compiler[lab]'"
                raise EnvironmentFault(Diagnostic("E809", message, help=help))
        module, _, attribute = self.function.partition(":")
        found: Callable[..., Results] = getattr(importlib.import_module(module), attribute)
        return found

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        options = {option.name: {"doc": option.doc, "default": option.shown} for option in self.options}
        return {
            "name": self.name,
            "summary": self.summary,
            "specs": self.specs,
            "seeds": self.seeds,
            "minutes": self.minutes,
            "example": f"archspec lab {self.example}",
            "options": options,
        }
