"""Words of other libraries and of papers, and what to write instead; ``words.yaml`` has them.

The table is read only when a spec has a word that archspec does not know.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml


@dataclass(frozen=True, slots=True)
class ForeignWords:
    """Words that mean the same in one place of a spec.

    ``meant`` is the word of archspec that can be written in their place, ``write`` is YAML to write, and ``say`` what
    to know, such as that archspec has nothing like it. Each may be empty.
    """

    words: tuple[str, ...]
    meant: str = ""
    write: str = ""
    say: str = ""

    @property
    def help(self) -> str:
        """What to do, in one line.

        >>> find("SiLUAndMul", "act") is None
        True
        >>> find("gap", "steps").help
        'write `- pool: {type: avg, output: 1}`'
        """
        return "; ".join(filter(None, (self.say, self.write and f"write `{self.write}`")))


@functools.cache
def vocabulary() -> Mapping[str, tuple[ForeignWords, ...]]:
    """The whole table: for each place of a spec, such as ``steps`` or ``act``, its entries."""
    text = importlib.resources.files(__name__).joinpath("words.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be without its C library
    table = yaml.load(text, loader)  # noqa: S506
    return {
        place: tuple(ForeignWords(**{**entry, "words": tuple(entry["words"].split())}) for entry in entries)
        for place, entries in table.items()
    }


def find(word: str, *places: str) -> ForeignWords | None:
    """The entry of a word in the first of these places that has it. Case, signs and ``nn.`` do not count.

    >>> find("nn.SiLU", "act") is None, find("swish", "act").meant, find("nn.Conv2d", "steps").meant
    (True, 'silu', 'conv')
    """
    table, key = _index(), fold(word)
    for place in places:
        for each in (key, _DIMENSIONS.sub("", key)):
            if each and (found := table.get((place, each))):
                return found
    return None


@functools.cache
def _index() -> Mapping[tuple[str, str], ForeignWords]:
    return {
        (place, fold(word)): entry
        for place, entries in vocabulary().items()
        for entry in entries
        for word in entry.words
    }


MAX_WORD = 64
_AROUND = re.compile(r"^.*[.:/](?=.)|\([^()]*\)$")
_SIGNS = re.compile(r"[^a-z0-9]")
_DIMENSIONS = re.compile(r"[123]d$")


def fold(word: str) -> str:
    """A word without case and signs, and without the module before it or the call after it.

    >>> fold("torch.nn.BatchNorm2d"), fold("hard_swish"), fold("nn.ReLU()")
    ('batchnorm2d', 'hardswish', 'relu')
    """
    return _SIGNS.sub("", _AROUND.sub("", word[:MAX_WORD]).lower())
