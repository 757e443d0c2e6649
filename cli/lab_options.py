"""The options of ``archspec lab``: those of every experiment, and those that the table of experiments adds."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import click

from archspec.diagnostics import cut, did_you_mean
from archspec.import_path import torch_needed
from archspec.lab.engines.table import ENGINES
from archspec.lab.experiments.experiment import Experiment
from archspec.lab.experiments.experiments import EXPERIMENTS, options, takers
from archspec.lab.experiments.option import ExperimentOption
from archspec.lab.experiments.setting_text import parted, read_setting
from archspec.wording import listed

F = TypeVar("F", bound=Callable[..., Any])

_ENGINES = ", ".join(f"`{each.name}`" for each in ENGINES)
BOUNDS = click.IntRange(1, 1000)


def _usual_seeds() -> str:
    """How many seeds an experiment has by default, and which have another number."""
    counts = [each.seeds for each in EXPERIMENTS]
    usual = max(set(counts), key=counts.count)
    return "; ".join([str(usual), *(f"{each.seeds} for `{each.name}`" for each in EXPERIMENTS if each.seeds != usual)])


def common(function: F) -> F:
    """What every experiment takes. The command gets it as a mapping, ``common``, of what is given."""

    @click.option(
        "--seeds",
        type=BOUNDS,
        metavar="N",
        help=f"How often to train each network, with seeds from 0 on. [default: {_usual_seeds()}]",
    )
    @click.option(
        "--jobs",
        type=BOUNDS,
        metavar="N",
        help="How many runs to compute at a time. [default: 1; on a cluster, one for each processor]",
    )
    @click.option(
        "--data",
        metavar="NAME",
        help="The images to train on: `digits`, `mnist5k`, `cifar10:FOLDER`, "
        "`cifar100:FOLDER`, `folder:PATH` or `synthetic`. [default: digits]",
    )
    @click.option("--size", type=click.IntRange(1, 4096), metavar="N", help="Resize the images to NxN.")
    @click.option(
        "--trainer",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a setting of the training, such as `epochs=20`. You can repeat this option.",
    )
    @click.option("--engine", metavar="NAME", help=f"Where to compute the runs: {_ENGINES}. [default: local]")
    @click.option("--address", metavar="ADDRESS", help="The address of the engine's cluster, if it takes one.")
    @functools.wraps(function)
    def command(*, trainer: tuple[str, ...], **others: Any) -> Any:
        names = ("seeds", "jobs", "data", "size", "engine", "address")
        given = {name: value for name in names if (value := others.pop(name)) is not None}
        if trainer:
            given["trainer"] = _settings(trainer)
        return function(common=given, **others)

    return cast(F, command)


def _settings(texts: tuple[str, ...]) -> dict[str, Any]:
    """The settings of the training that are given."""
    pairs = [*map(_setting, texts)]
    found = dict(pairs)
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            given = " and ".join(f"`--trainer {cut(text)}`" for text in texts if text.partition("=")[0] == name)
            raise click.UsageError(f"the setting `{cut(name)}` is given {count} times: {given}; leave out all but one")
    with torch_needed():
        from archspec.lab.training import Settings  # it imports torch

    for name in found:
        if name not in Settings.__dataclass_fields__:
            names = tuple(Settings.__dataclass_fields__)
            hint = did_you_mean(name, names) or f"the settings are {', '.join(names)}"
            raise click.UsageError(f"training has no setting `{cut(name)}`; {hint}")
    try:
        Settings(**found)
    except (TypeError, ValueError) as error:
        raise click.UsageError(f"`--trainer`: {error}") from None
    return found


def _setting(text: str) -> tuple[str, Any]:
    """A setting of the training from ``KEY=VALUE``; several numbers have commas between them, and names have braces."""
    key, equals, value = text.partition("=")
    if not equals or not key or not value:
        raise click.UsageError(f"`--trainer {cut(text)}` sets nothing; write `--trainer KEY=VALUE`")
    try:
        parts = [read_setting(part.strip()) for part in parted(value)]
    except ValueError as error:
        raise click.UsageError(f"`--trainer {cut(text)}`: {error}") from None
    return key, parts[0] if len(parts) == 1 else tuple(parts)


def own(function: F) -> F:
    """The options of the table. The command gets a mapping, ``own``, from their names to the texts that are given."""
    known = options()

    @functools.wraps(function)
    def command(**others: Any) -> Any:
        given = {name: others.pop(name) for name in known}
        return function(own={name: value for name, value in given.items() if value not in (None, (), False)}, **others)

    for option in reversed([*known.values()]):
        command = _option(option)(command)
    return cast(F, command)


def _option(option: ExperimentOption) -> Callable[[F], F]:
    """An option of some experiments, as the command has it."""
    own = [(each, o) for each in takers(option.name) for o in each.options if o.name == option.name]
    texts: dict[str, list[str]] = {}
    for each, o in own:
        default = f" [default: {o.shown}]" if o.shown and o.takes != "flag" else ""
        texts.setdefault(f"{o.doc}{default}", []).append(f"`{each.name}`")
    text = " ".join(f"For {listed(names)}: {doc}" for doc, names in texts.items())
    name = spelled(option.name)
    if option.takes == "flag":
        return click.option(name, option.name, is_flag=True, help=text)
    shown = {"word": "|".join(option.words), "text": "TEXT", "file": "FILE", "texts": "KEY=V1,V2"}
    metavar = {**shown, "whole": "N", "number": "X"}.get(option.takes, "N,N")
    return click.option(name, option.name, multiple=option.takes == "texts", metavar=metavar, help=text)


def chosen(experiment: Experiment, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the options that are given, for an experiment.

    Raises:
        click.UsageError: it does not take one of them, or not such a value.
    """
    known, found = {option.name: option for option in experiment.options}, {}
    for name, value in given.items():
        if name not in known:
            others = listed([f"`{each.name}`" for each in takers(name)])
            raise click.UsageError(f"`{experiment.name}` does not take `{spelled(name)}`, which is for {others}")
        try:
            found[name] = known[name].read(value) if isinstance(value, str) else known[name].check(value)
        except (TypeError, ValueError) as error:
            raise click.UsageError(str(error).replace(f"`{name}`", f"`{spelled(name)}`", 1)) from None
    return found


def spelled(name: str) -> str:
    """An argument of Python as an option of the command line.

    >>> spelled("path_images")
    '--path-images'
    """
    return f"--{name.replace('_', '-')}"
