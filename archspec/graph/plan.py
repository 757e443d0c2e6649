"""What the plan of a network's modules consists of: calls and modules. :mod:`archspec.graph.nesting` makes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from archspec.diagnostics import Span
from archspec.graph.graph import Node, Region
from archspec.operations.base import TorchCall


class Call(NamedTuple):
    """A node as its module runs it: ``inputs`` are the values in the order in which torch takes them.

    ``result`` is the value that it gives, which is the node's name, and so is ``path``, unless the weights have another
    name. ``state`` is the path of the call whose weights it uses, if not its own.
    """

    node: Node
    torch: TorchCall
    path: str
    inputs: tuple[str, ...]
    result: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Module:
    """A scope that becomes a module, with its members in the order in which they run.

    ``kind``: a ``sequential`` has modules only, each of which reads what the one before gives; a ``block`` or a stage
    that is not so simple, and the whole ``model``, have a forward. ``path`` is the scope, empty for the model, and the
    prefix of its members' paths. ``name`` is the block's in the spec, ``sequence`` where no block or stage is meant.
    ``inputs`` are the values that it reads, one but for a fragment that reads others by name, and ``result`` is the one
    that it gives. Where the model returns several values, ``outputs`` has them by label; ``returns`` is what it returns
    them in, and ``training`` has the labels of those that it returns in training only. ``region`` is the part of
    the spec that becomes this module, or None. If the weights are those of an earlier module, ``state`` is the path of
    that module, and the members are its members, with their paths, values and nodes here.
    """

    kind: Literal["sequential", "block", "model"]
    path: str
    name: str
    members: tuple[Call | Module, ...]
    inputs: tuple[str, ...]
    result: str
    span: Span | None = None
    outputs: Mapping[str, str] | None = None
    region: Region | None = None
    returns: Literal["dict", "tuple"] = "dict"
    training: frozenset[str] = frozenset()
    state: str = ""

    @property
    def class_name(self) -> str:
        """The name of its class where it has a forward: ``Bottleneck``."""
        return re.sub(r"\W", "", self.name.title()) or "Network"

    @property
    def made(self) -> str:
        """The path of the module: its own, or that of the one that it is."""
        return self.state or self.path

    def relative(self, member: Call | Module) -> str:
        """The path of a member inside this module."""
        return self.within(member.path)

    def within(self, path: str) -> str:
        """A path inside this module, relative to it."""
        return path[len(self.path) + 1 :] if self.path else path

    def modules(self) -> Iterator[Module]:
        """This module and those inside it, each before its members."""
        yield self
        for member in self.members:
            if isinstance(member, Module):
                yield from member.modules()

    def calls(self) -> Iterator[Call]:
        """The nodes in it, in the order in which they run."""
        for member in self.members:
            if isinstance(member, Module):
                yield from member.calls()
            else:
                yield member
