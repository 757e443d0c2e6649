"""What ``print`` and ``archspec build`` say of the weights that a model was built with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archspec.display import counted
from archspec.operations.shapes import Shape, size_of
from archspec.screen import Listing, TextBlock

if TYPE_CHECKING:
    from archspec.weights.loaded import Loaded


def loaded_text(loaded: Loaded) -> Iterator[TextBlock]:
    """How many keys were loaded, and which keys were initialized, adapted, skipped or not used."""
    file = "file" if loaded.file else "weights"
    yield f"weights of {loaded.file}" if loaded.file else "weights"
    yield f"  {counted(len(loaded.loaded), 'key')} loaded"
    if loaded.outside:
        yield f"  {counted(len(loaded.outside), 'key')} outside `{loaded.prefix}` not read"
    adapted = {key: _adapted(theirs, ours, file) for key, (theirs, ours) in loaded.adapted.items()}
    reshaped = {
        key: f"{size_of(ours)}, in the {file} {size_of(theirs)}" for key, (theirs, ours) in loaded.reshaped.items()
    }
    trimmed = set(loaded.trimmed)
    skipped = [key for key in loaded.skipped if key not in trimmed]
    for title, keys, notes in (
        ("adapted to the channels of the input", adapted, adapted),
        ("initialized", loaded.initialized, reshaped),
        (f"of the {file} not used", loaded.unused, {}),
        (f"of the {file} skipped, as `weights.skip` of the spec says", skipped, {}),
        (f"of the {file} skipped, because the spec's `outputs` do not need them", loaded.trimmed, {}),
    ):
        rows = [(key, notes.get(key, "")) for key in keys]
        yield Listing(f"  {counted(len(rows), 'key')} {title}", rows, "    ")


def _adapted(theirs: Shape, ours: Shape, file: str) -> str:
    """What became of the filters of a convolution that has another number of input channels."""
    before, after = theirs[1], ours[1]
    scaled = f"filters {'repeated' if after > before else 'cut'} and scaled by {before}/{after}"
    how = f"filters summed over {before} channels" if after == 1 else scaled
    return f"{size_of(ours)}, in the {file} {size_of(theirs)}; {how}"
