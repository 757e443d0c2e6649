"""Which file a spec's name means, and which files a spec may read."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import itertools
import os
import re
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path

from archspec.diagnostics import Diagnostic, Mention, Source, Span, SpecError, advise, cut, nearest, suggest
from archspec.language.text.files import decode, read_file
from archspec.vocabulary import find

SUFFIXES = (".yaml", ".yml")
ZOO = Mention("zoo", "`archspec.zoo()`")
ALLOW_OUTSIDE = Mention("allow_outside", "`allow_outside=True`")
AS_TEXT = Mention("text", "YAML text has a line break, such as one at its end; without one, this is a path or a name")
_YAML = re.compile(r"""\s*(\{|- |["']?[\w-]+["']?\s*:(\s|$))""")
"""How a text begins that is YAML rather than a path or a name."""


@functools.cache
def _zoo() -> Mapping[str, tuple[str, Traversable]]:
    """The files of the zoo, by name, wherever the package is installed: in a folder, or in a zip file.

    Before each file is its folder: one that has the networks of one library, or an empty text. Names are unique over
    all folders.
    """
    found = list(importlib.resources.files("archspec_specs").iterdir())
    folders = [("", found), *((folder.name, list(folder.iterdir())) for folder in found if folder.is_dir())]
    return {
        file.name.removesuffix(".yaml"): (folder, file)
        for folder, files in folders
        for file in files
        if file.name.endswith(".yaml")
    }


def zoo_folder(name: str) -> str:
    """The folder of a spec of the zoo, named after the library that has its network; an empty text for most."""
    return _zoo()[name][0]


def ships(source: Source) -> bool:
    """Whether a text is a spec of the zoo."""
    return source.path is not None and _zoo_folder() in Path(os.path.realpath(source.path)).parents


@functools.cache
def _zoo_folder() -> Path:
    return Path(os.path.realpath(str(importlib.resources.files("archspec_specs"))))


def zoo_names() -> list[str]:
    """The names of the zoo's specs, sorted as people count: resnet18 before resnet101."""
    return list(_in_order())


@functools.cache
def _in_order() -> tuple[str, ...]:
    return tuple(sorted(_zoo(), key=lambda name: re.sub("[0-9]+", lambda number: number[0].zfill(8), name)))


def read_zoo(name: str) -> Source:
    """The source of a spec of the zoo. Its path may lead into a zip file."""
    _, file = _zoo()[name]
    return decode(file.read_bytes(), f"{name}.yaml", path=str(Path(str(file)).absolute()))


def open_spec(reference: str) -> Source:
    """The source of a path, or of a name of the zoo.

    Raises:
        SpecError: E801 with the nearest name, or what :func:`read_file` says of the file.
    """
    path = Path(reference)
    looks_like_path = reference.endswith(SUFFIXES) or os.sep in reference or "/" in reference
    if _YAML.match(reference) and not _exists(path):
        message = f"`{cut(reference)}` is neither a file nor a spec of the zoo"
        raise SpecError([Diagnostic("E801", message, help=AS_TEXT.text, mentions=(AS_TEXT,))])
    if looks_like_path and not _exists(path):
        hint = suggest(_file_meant(reference))
        if not hint and path.stem in zoo_names():
            hint = f"did you mean `{path.stem}`, which ships with archspec?"
        raise SpecError([Diagnostic("E801", f"the file `{cut(reference)}` does not exist", hint=hint)])
    if looks_like_path or (_exists(path) and path.is_file()):
        return read_file(path, name=reference)
    if reference in zoo_names():
        return read_zoo(reference)
    raise SpecError([_unknown(reference, None, zoo_names(), _file_meant(reference))])


def open_beside(reference: str, span: Span, root: str | None, *, outside: bool, definitions: bool = False) -> Source:
    """The source that ``extends`` or ``import`` names in the text at ``span``.

    A bare name is looked up beside the file, then in the zoo. ``root`` is the folder of the first spec: only
    files in it and in the zoo are read, unless ``outside`` is true. ``definitions`` is for ``import``.
    """
    folder = str(Path(span.source.path).parent) if span.source.path else root
    if reference.endswith(SUFFIXES) or "/" in reference:
        if folder is None:
            message = f"`{cut(reference)}` is a path, but this spec is not in a file"
            raise SpecError([Diagnostic("E801", message, span, help="name a spec of the zoo, or save the spec first")])
        return _allowed(Path(folder, reference), reference, span, root, outside)
    beside = [Path(folder, reference + suffix) for suffix in SUFFIXES] if folder else []
    own = os.path.realpath(span.source.path) if span.source.path else ""
    for path in beside:
        if _exists(path) and os.path.realpath(path) != own:
            return _allowed(path, path.name, span, root, outside)
    if reference in zoo_names() and not definitions:
        return read_zoo(reference)
    if any(map(_exists, beside)):
        return _allowed(next(filter(_exists, beside)), reference, span, root, outside)
    near = [name.rpartition(".")[0] for name in _specs_in(Path(folder))] if folder else []
    raise SpecError([_unknown(reference, span, [*near, *([] if definitions else zoo_names())])])


def _allowed(path: Path, shown: str, span: Span, root: str | None, outside: bool) -> Source:
    real = os.path.realpath(path)
    roots = [str(_zoo_folder()), *([os.path.realpath(root)] if root else [])]
    if not outside and not any(os.path.commonpath([real, folder]) == folder for folder in roots):
        message = f"`{cut(shown)}` lies outside the spec's folder"
        help = f"move it beside the spec, or pass {ALLOW_OUTSIDE.text} if you trust the file"
        raise SpecError([Diagnostic("E802", message, span, help=help, mentions=(ALLOW_OUTSIDE,))])
    try:
        return read_file(path, name=_display(path, span))
    except SpecError as error:
        hint = "" if _exists(path) else suggest(_file_meant(shown, path.parent))
        raise SpecError([_at(diagnostic, span, hint) for diagnostic in error.diagnostics]) from None


def _display(path: Path, span: Span) -> str:
    """The path as a person would write it from where the spec was named."""
    beside = Path(span.source.path or "./.").parent
    return os.path.normpath(Path(span.source.name).parent / os.path.relpath(path, beside))


def _at(diagnostic: Diagnostic, span: Span, hint: str) -> Diagnostic:
    """A file that cannot be read is a fault of the line that names it."""
    if diagnostic.span and diagnostic.span.source.text:
        return diagnostic
    return dataclasses.replace(diagnostic, span=span, hint=hint or diagnostic.hint)


def _file_meant(reference: str, folder: Path | None = None) -> str:
    """The file that a reference means: with a suffix, with the other one, or spelled right; else an empty text.

    ``folder`` is where it is looked up; by default the reference says so itself.
    """
    before, slash, name = reference.rpartition("/")
    bare = re.sub(r"\.ya?ml$", "", name)
    found = _specs_in(Path(before or slash or ".") if folder is None else folder)
    names = [bare + suffix for suffix in SUFFIXES if bare + suffix in found]
    close = next(iter(names), "") or nearest(name, found) or nearest(bare, [each.rpartition(".")[0] for each in found])
    if close and close not in found:
        close = next(each for each in found if each.rpartition(".")[0] == close)
    return f"{before}{slash}{close}" if close else ""


def _specs_in(folder: Path) -> list[str]:
    """The names of the specs in a folder, some hundreds at most."""
    try:
        names = [path.name for path in itertools.islice(folder.iterdir(), 300)]
    except (OSError, ValueError):
        return []
    return sorted(name for name in names if name.endswith(SUFFIXES))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _unknown(name: str, span: Span | None, names: list[str], file: str = "") -> Diagnostic:
    message = f"the spec `{cut(name)}` does not exist, neither as a file nor in the zoo"
    library, _, bare = name.rpartition(":")
    untagged = bare.partition(".")[0]  # timm's names may end in `.a1_in1k`
    own = untagged if library or untagged in names or find(untagged, "specs") else name
    found = advise(own if own not in names else "", names, "specs")
    beside = file.startswith(f"{name}.") or own not in names
    hint = (suggest(file) if beside else "") or (suggest(own) if own in names else found.hint)
    help = found.help or f"{ZOO.text} lists the zoo"
    if library:
        help = f"`{cut(name)}` names a network of another library, which only `reference` takes; {help}"
    return Diagnostic("E801", message, span, hint, help=help, mentions=(ZOO,) if ZOO.text in help else ())
