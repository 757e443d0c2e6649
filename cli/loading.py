"""The options of ``archspec build`` that say which weights to load, and how."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import click

import archspec
from archspec.files import replacing
from archspec.graph.graph import Graph

F = TypeVar("F", bound=Callable[..., Any])

SELECTING = ("entry", "prefix", "rename")


class _Rename(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A scope and its new name."""

    name = "OLD=NEW"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        old, equals, new = str(value).partition("=")
        if not equals:
            self.fail(f"`{value}` has no `=`; write OLD=NEW, or OLD= to remove a scope", param, ctx)
        return old, new

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return self.name


class Loading(NamedTuple):
    """How weights are loaded, in the words of ``archspec.build``, and the key map to write."""

    how: dict[str, Any]
    write_map: Path | None

    @property
    def files(self) -> tuple[str | None, ...]:
        """The files that are read, and so never written."""
        return self.how.get("weights"), self.how.get("map")

    def with_map(self, graph: Graph, force: bool) -> dict[str, Any]:
        """The arguments of ``archspec.build``, after the map was written that pairs the weights with a network."""
        if not self.write_map:
            return self.how
        selection = {name: value for name, value in self.how.items() if name in SELECTING}
        with replacing(self.write_map, force=force, inputs=graph.files, weights=self.files) as temporary:
            found = {"archspec": archspec.__version__, **archspec.pair_keys(graph, self.how["weights"], **selection)}
            temporary.write_text(json.dumps(found, indent=2) + "\n", encoding="ascii")
        return {**self.how, "map": str(self.write_map)}


def loading(function: F) -> F:
    """``--weights`` and what goes with it. The command gets them together, as a :class:`Loading`."""

    @click.option(
        "--weights",
        type=click.Path(),
        metavar="FILE",
        help="Load weights. A .pth file is read without running its code.",
    )
    @click.option("--entry", metavar="NAME", help="The state dict of a checkpoint to load, such as `ema.state_dict`.")
    @click.option(
        "--prefix",
        metavar="SCOPE",
        help="Load only the keys of this scope, such as `backbone.`, and remove the scope.",
    )
    @click.option(
        "--rename",
        type=_Rename(),
        multiple=True,
        help="Give a scope or a key of the weights another name; `backbone.=` removes a scope. You can repeat this "
        "option: renames apply in order, after --prefix.",
    )
    @click.option(
        "--map",
        type=click.Path(),
        metavar="FILE.json",
        help="Read the key in the weights for each key of the spec that differs. `verify --map` writes such a file.",
    )
    @click.option(
        "--write-map",
        type=click.Path(path_type=Path, readable=False),  # for completion; `replacing` checks it
        metavar="FILE.json",
        help="Pair the keys by the order and shape of their tensors, write this map, and load the weights with it.",
    )
    @click.option(
        "--transfer",
        is_flag=True,
        help="Load the weights that fit, adapt the filters that read the input to its channels, and initialize the "
        "rest.",
    )
    @functools.wraps(function)
    def command(*, write_map: Path | None, **others: Any) -> Any:
        names = ("weights", "map", *SELECTING, "transfer")
        given = {name: others.pop(name) for name in names}
        given["rename"] = _once(given["rename"])
        how = {name: value for name, value in given.items() if value not in (None, False)}
        _check(how, write_map)
        return function(loading=Loading(how, write_map), **others)

    return cast(F, command)


def _once(rename: tuple[tuple[str, str], ...]) -> dict[str, str] | None:
    """The new names by the old ones, each of which is given once; None without any."""
    found = dict(rename)
    if len(found) < len(rename):
        raise click.UsageError("`--rename` names one scope twice; give each scope one new name")
    return found or None


def _check(how: dict[str, Any], write_map: Path | None) -> None:
    asked = [f"--{name}" for name in ("transfer", "map", *SELECTING) if name in how]
    asked += ["--write-map"] if write_map else []
    if asked and "weights" not in how:
        raise click.UsageError(f"`{asked[0]}` needs weights to load; name them with `--weights FILE`")
    if write_map and "map" in how:
        raise click.UsageError("`--map` reads a map and `--write-map` writes one; leave out one of them")
