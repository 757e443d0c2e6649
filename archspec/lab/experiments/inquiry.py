"""What is asked of an experiment, and how it is to run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from archspec import arguments
from archspec.diagnostics import Diagnostic
from archspec.lab.cells import GridProgress
from archspec.lab.data.loading import MAX_SIZE
from archspec.lab.experiments.experiments import by_name
from archspec.lab.experiments.option import show_value
from archspec.lab.training import Settings
from archspec.language.overrides import Overrides, settings_of
from archspec.passes.compiling import SpecLike
from archspec.wording import Brief
from archspec.work import Limits

MAX_SEEDS = 1000


@dataclass(frozen=True, slots=True, repr=False)
class Manner(Brief):
    """How an experiment runs. Nothing in here changes a number.

    ``folder`` is where it writes; None writes nothing. ``jobs``, ``engine`` and ``address`` say where runs are
    computed. ``progress`` and ``remark`` are called as in :func:`archspec.lab.cells.run_cells`.
    """

    folder: str | os.PathLike[str] | None = None
    jobs: int | None = None
    engine: str = "local"
    address: str | None = None
    progress: Callable[[GridProgress], None] | None = None
    remark: Callable[[Diagnostic], None] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Inquiry(Brief):
    """What is asked of an experiment: all that decides its numbers.

    ``options`` are those of the experiment by name, and ``trainer`` those settings of the training that are not the
    usual ones. ``size`` is what images are resized to. ``specs`` are those of an experiment that takes several.
    """

    experiment: str
    spec: SpecLike | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 3
    data: str = "digits"
    trainer: Mapping[str, Any] = field(default_factory=dict)
    overrides: Overrides = ()
    allow_outside: bool = False
    limits: Limits | None = None
    specs: tuple[SpecLike, ...] = ()
    size: int | None = None

    def __post_init__(self) -> None:
        arguments.whole(self.seeds, "seeds", 1, MAX_SEEDS)
        arguments.text(self.data, "data")
        if self.size is not None:
            arguments.whole(self.size, "size", 1, MAX_SIZE)
        arguments.flag(self.allow_outside, "allow_outside")
        known = {option.name: option for option in by_name()[self.experiment].options}
        checked = {name: known[name].check(value) for name, value in self.options.items()}
        object.__setattr__(self, "options", checked)
        object.__setattr__(self, "overrides", settings_of(self.overrides))
        self.settings()

    def settings(self, **more: Any) -> Settings:
        """How its networks are trained, with more settings over its own.

        Raises:
            TypeError, ValueError: a setting that training does not have, or a value that it does not take.
        """
        arguments.instance(self.trainer, "trainer", Mapping, "a mapping such as {'epochs': 4}")
        given = {**self.trainer, **more}
        if strangers := [name for name in given if name not in Settings.__dataclass_fields__]:
            names = ", ".join(Settings.__dataclass_fields__)
            raise ValueError(f"`trainer` takes the settings {names}; got {arguments.given(strangers[0])}")
        return Settings(**given)

    @property
    def command(self) -> str:
        """The command line that asks for the same numbers."""
        experiment = by_name()[self.experiment]
        words = ["archspec", "lab", self.experiment, *_spec(self.spec)]
        words += [word for spec in self.specs for word in _spec(spec)]
        for option in experiment.options:
            words += option.words_of(self.options.get(option.name, option.default))
        words += ["--seeds", str(self.seeds), "--data", self.data]
        words += [] if self.size is None else ["--size", str(self.size)]
        words += [word for name, value in self.trainer.items() for word in ("--trainer", f"{name}={show_value(value)}")]
        texts = [each if isinstance(each, str) else each.text for each in self.overrides]
        return shlex.join([*words, *(word for text in texts for word in ("--set", text))])


def _spec(spec: SpecLike | None) -> list[str]:
    """The spec on a command line: a file by its name alone, a text by a stand-in."""
    if spec is None:
        return []
    named = os.fspath(spec) if isinstance(spec, str | os.PathLike) else getattr(spec, "name", "SPEC.yaml")
    return ["-" if named == "<stdin>" else "SPEC.yaml" if "\n" in named else PurePath(named).name]
