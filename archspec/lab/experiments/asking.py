"""What all experiments take, in one place: the arguments, what they mean, and the way from them to an inquiry."""

from __future__ import annotations

import inspect
import os
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, ParamSpec, TypedDict, TypeVar

from archspec.diagnostics import Diagnostic, did_you_mean
from archspec.lab.cells import GridProgress
from archspec.lab.experiments.experiments import by_name
from archspec.lab.experiments.inquiry import Inquiry, Manner
from archspec.language.overrides import Overrides
from archspec.passes.compiling import SpecLike
from archspec.work import Limits

P = ParamSpec("P")
R = TypeVar("R")

_LINE = re.compile(r"(?m)^( +)\*\*common: .*\n")
_ASKED, _RUN = ({each.name: each for each in fields(of)} for of in (Inquiry, Manner))


class ExperimentArguments(TypedDict, total=False):
    """What every experiment takes besides its own arguments, as keywords.

    Args:
        folder: where to write; without it, nothing is written.
        seeds: how many runs each network has, from seed 0 on: 5 for ``ablate`` and 3 for the others by default.
        jobs: how many runs at a time: by default 1, or one per processor of a cluster; 0 runs all in this process.
        data: what to train on, as in :func:`archspec.lab.data.load_data`; by default ``digits``.
        size: the height and width to resize the images to; by default they keep their own.
        trainer: settings of the training that differ from :class:`archspec.lab.training.Settings`.
        engine: what computes the runs: ``local``, ``ray`` or ``slurm``.
        address: the address of the engine's cluster, if it takes one.
        overrides: values to set in the spec of every network, as in :func:`archspec.load`.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder.
        limits: how large a network may become.
        progress: called as runs end.
        remark: called with a diagnostic about each run that failed.

    >>> from archspec.lab.experiments.asking import ExperimentArguments
    >>> quick: ExperimentArguments = {"seeds": 1, "jobs": 0, "data": "synthetic", "trainer": {"epochs": 1}}
    """

    folder: str | os.PathLike[str] | None
    seeds: int
    jobs: int | None
    data: str
    size: int | None
    trainer: Mapping[str, Any] | None
    engine: str
    address: str | None
    overrides: Overrides
    allow_outside: bool
    limits: Limits | None
    progress: Callable[[GridProgress], None] | None
    remark: Callable[[Diagnostic], None] | None


def ask(
    experiment: str,
    spec: SpecLike | None,
    options: Mapping[str, Any],
    common: ExperimentArguments,
    specs: tuple[SpecLike, ...] = (),
) -> tuple[Inquiry, Manner]:
    """What is asked of an experiment, and how it is to run.

    Raises:
        TypeError, ValueError: an argument that there is not, or a value that one does not take.
    """
    given: dict[str, Any] = dict(common)
    for name in given:
        if name not in ExperimentArguments.__annotations__:
            near = did_you_mean(name, (*options, *ExperimentArguments.__annotations__))
            raise TypeError(f"{experiment}() got an unexpected keyword argument `{name}`{near and f'; {near}'}")
    given["trainer"] = given.get("trainer") or {}
    asked = {"seeds": _default(experiment, "seeds")}
    asked |= {name: given.pop(name) for name in [*given] if name in _ASKED}
    return Inquiry(experiment, spec, options, specs=specs, **asked), Manner(**given)


def _default(experiment: str, name: str) -> Any:
    """What an argument is without a value."""
    if name == "seeds":
        return by_name()[experiment].seeds
    default = {**_ASKED, **_RUN}[name].default
    return None if default is MISSING else default


def with_common(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, which takes ``**common``, with a signature and a help that have each of these arguments.

    >>> from archspec.lab import degradation
    >>> inspect.signature(degradation).parameters["seeds"].default, "\\n    seeds: how many runs" in degradation.__doc__
    (3, False)
    """
    about = inspect.signature(function)
    own = [each for each in about.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    common = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=_default(function.__name__, name), annotation=annotation
        )
        for name, annotation in ExperimentArguments.__annotations__.items()
    ]
    function.__signature__ = about.replace(parameters=[*own, *common])  # type: ignore[attr-defined]  # `inspect` reads it
    function.__doc__ = _LINE.sub(lambda line: textwrap.indent(_texts(), line[1]), function.__doc__ or "")
    return function


def _texts() -> str:
    """What the arguments are, a line or more for each, without indent."""
    text = inspect.cleandoc(ExperimentArguments.__doc__ or "")  # None under `python -OO`
    return textwrap.dedent(text.partition("Args:\n")[2].partition("\n\n")[0]) + "\n"
