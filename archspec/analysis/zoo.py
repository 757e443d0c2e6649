"""The specs that ship with archspec, with their sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from archspec import arguments
from archspec.analysis.parts import measure_totals
from archspec.display import short
from archspec.language.text.locate import read_zoo, zoo_names
from archspec.passes.compiling import compile
from archspec.wording import tagged

_SUMMARY = re.compile(r"^(summary|extends):[ \t]*(.+?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, repr=False)
class ZooSpec:
    """A spec that ships with archspec.

    ``name`` is what :func:`archspec.load` takes, and ``path`` the file. ``params`` and ``macs`` are counted as in
    :func:`archspec.analyze`, for one example of the spec's own input. ``reference`` is the network of a library that
    it is verified against, or None.
    """

    name: str
    path: str
    summary: str
    params: int
    macs: int | None
    reference: str | None

    def __repr__(self) -> str:
        reference = f", {self.reference}" if self.reference else ""
        return tagged(self, f"{self.name}: {short(self.params)} parameters, {short(self.macs)} MACs{reference}")


def zoo(pattern: str = "*") -> list[ZooSpec]:
    """The specs that ship with archspec, with their parameters, MACs and references; torch is not imported.

    Args:
        pattern: which specs: a name, in which ``*`` matches any text, ``?`` any character, and ``[ab]`` one of
            these letters. Case does not count. Each spec that matches is compiled, which takes about 20 milliseconds.

    Raises:
        TypeError: the pattern is not a text.

    >>> import archspec
    >>> archspec.zoo("resnet?8")
    [<ZooSpec resnet18: 11.7 M parameters, 1.81 G MACs, torchvision:resnet18>]
    >>> [(spec.name, spec.params) for spec in archspec.zoo("vgg1[13]")]
    [('vgg11', 132863336), ('vgg13', 133047848)]
    """
    arguments.text(pattern, "pattern", "a text such as 'resnet*'")
    return list(map(_measured, (name for name in zoo_names() if fnmatchcase(name, pattern.lower()))))


def _measured(name: str) -> ZooSpec:
    source = read_zoo(name)
    graph = compile(source)
    costs = measure_totals(graph).costs
    reference = graph.origin.document.value.get("reference") if graph.origin else None
    return ZooSpec(name, source.path or "", _summary(source.text), costs.params, costs.macs, reference)


def summaries() -> Iterator[tuple[str, str]]:
    """The name of each spec with its summary. A search in the text finds it, because compiling them all is slow."""
    for name in zoo_names():
        yield name, _summary(read_zoo(name).text)


def _summary(text: str) -> str:
    keys = {match[1]: match[2].strip("'\"") for match in _SUMMARY.finditer(text)}
    return keys.get("summary") or (f"extends {keys['extends']}" if "extends" in keys else "")
