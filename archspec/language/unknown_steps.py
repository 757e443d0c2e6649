"""What a step, the fragment of a stem or head, or a column may mean if its name is unknown."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.diagnostics import Advice, cut, suggest
from archspec.language.context import Context
from archspec.language.look_up import Definitions
from archspec.language.named_values import NAMING_STEPS
from archspec.operations.base import arguments
from archspec.operations.discovery import operations
from archspec.vocabulary import find, fold
from archspec.wording import first_of, listed

GROUPS = ("layer", "sequence", "repeat", "blocks", *NAMING_STEPS)
"""The steps that are neither operations nor fragments."""


def advise_step(word: str, context: Context) -> Advice:
    """What an unknown step may mean: also an operation with that word as its type, such as ``relu``."""
    if entry := find(word, "steps"):
        meant = entry.meant if entry.meant in _callable(context) else ""
        return Advice(suggest(meant), entry.help, meant)
    for name in ("act", "norm"):
        known = arguments(operations()[name])["type"].metadata["words"]
        types = {fold(each): each for each in known}
        entry = find(word, name)
        meant = types.get(fold(word)) or (entry.meant if entry and entry.meant in known else "")
        if meant:
            return Advice(suggest(name), f"write `- {name}: {{type: {meant}}}`")
        if entry and not entry.meant:
            return Advice("", entry.say)
    found = context.faults.advise(word, _callable(context))
    help = "`archspec list operations` and `archspec list fragments` show the possible steps"
    return found if found.hint else Advice("", help)


def _callable(context: Context) -> Iterator[str]:
    """What a step may name."""
    yield from operations()
    yield from GROUPS
    yield from context.lookup.visible("fragments")


def advise_sequence(word: str, context: Context) -> Advice:
    """What an unknown fragment of a stem, a head, ``before`` or ``after`` may mean: also a single step."""
    fragments = tuple(context.lookup.visible("fragments"))
    found = context.faults.advise(word, fragments, "sequences")
    if found.hint or found.help:
        return found
    known = word in operations() or word in GROUPS
    if known or find(word, "steps"):
        told = "" if known else advise_step(word, context).help
        return Advice("", "; ".join(filter(None, ("a step is written in a list, `[...]`", told))))
    return Advice("", f"available: {first_of(fragments)}")


def blocks_with(parameter: str, lookup: Definitions) -> str:
    """The end of a help: the blocks that have a parameter which those of the table lack."""
    blocks = filter(None, map(lookup.block, lookup.visible("blocks")))
    names = sorted(f"`{cut(block.name)}`" for block in blocks if parameter in block.params)
    return f"; {listed(names)} {'has' if len(names) == 1 else 'have'} it" if names else ""
