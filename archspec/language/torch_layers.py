"""Layers of ``torch.nn`` that the step ``torch`` cannot name, and the step that does the same."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from archspec.diagnostics import Advice, Diagnostic, Faults, Span, cut, suggest
from archspec.language.schema import common
from archspec.language.schema_errors import ValidationError
from archspec.language.text.document import Document, Path, value_at
from archspec.language.text.yaml_writer import flow
from archspec.operations.base import arguments
from archspec.operations.discovery import operations
from archspec.operations.torch_module import MODULES, PREFIX, WORDS
from archspec.vocabulary import ForeignWords, find, fold

_LISTED = "`archspec list operations` lists the layers of torch that a spec may name"
OTHER_CODE = f"{_LISTED}; code of yours is never imported"
NONE_DOES_THE_SAME = f"archspec has no operation that does the same; {_LISTED}"
OPEN = "..."
"""In place of a value that the author has not written in a form that archspec takes."""

_DIMENSIONS = re.compile(r"[123]d$")
_OF_TORCH = re.compile(r"(torch\.)?(nn\.)?[A-Za-z]\w*", re.ASCII)
_UNLIKE: Mapping[str, Mapping[str, Any]] = {
    "conv": {"padding": 0, "bias": True},
    "convtranspose": {"padding": 0, "output_padding": 0, "bias": True},
    "instancenorm": {"affine": False},
    "upsamplingbilinear": {"align_corners": True},
}
"""What torch does unless it is told otherwise, where archspec does something else."""
_SAME_WORD = ("bilinear",)
"""Layers whose names mean something else elsewhere."""


def refused_layer(word: str, written: Mapping[str, Any], span: Span, faults: Faults) -> Diagnostic:
    """The fault of a layer that a spec cannot name; ``written`` are the arguments of its step."""
    found = _advise(word, written, faults) if faults.few else Advice()
    return Diagnostic("E204", f"`module` cannot be `{cut(word)}`", span, found.hint, help=found.help)


def with_refused_layers(document: Document, errors: Iterable[ValidationError], faults: Faults) -> list[ValidationError]:
    """The errors without those inside a step whose layer is refused, which is the fault there."""
    kept, refused = [], set()
    for error in errors:
        path = _step_of(tuple(error.absolute_path))
        step = value_at(document.value, path) if path else None
        if not (isinstance(step, dict) and _is_refused(step.get("module"))):
            kept.append(error)
        elif path not in refused:
            refused.add(path)
            faults.add(refused_layer(step["module"], step, document.span((*path, "module")), faults))
    return kept


def keys_of_layer(path: Path, mapping: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """Those of the ``known`` keys that the step at ``path`` takes: a step ``torch`` takes those of its layer."""
    word = mapping.get("module")
    if _step_of(path) != path or word not in WORDS:
        return list(known)
    own = (*MODULES[word.removeprefix(PREFIX)], "module", *common())
    return [key for key in known if key in own]


def _step_of(path: Path) -> Path:
    """The part of a path that ends with the key of a step ``torch``, or an empty one."""
    ends = (end for end in range(2, len(path) + 1) if path[end - 1] == "torch" and isinstance(path[end - 2], int))
    return path[: next(ends, 0)]


def _is_refused(word: object) -> bool:
    """Whether a text is surely the name of a layer, and one that is refused; a single word may be a parameter's."""
    if not isinstance(word, str) or word in WORDS:
        return False
    dotted = re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", word, re.ASCII) is not None
    return dotted or (word[:1].isupper() and (_step(word) is not None or find(word, "steps") is not None))


def _advise(word: str, written: Mapping[str, Any], faults: Faults) -> Advice:
    if meant := {fold(each): each for each in WORDS}.get(fold(word)):
        return Advice(suggest(meant), "", meant)
    given = {key: value for key, value in written.items() if key not in ("module", *common()) and value is not None}
    if step := _step(word):
        return Advice("", _write(word, *step, given))
    if fold(word) in _SAME_WORD:
        return Advice("", NONE_DOES_THE_SAME)
    if entry := find(word, "steps") or find(word, "act") or find(word, "norm"):
        return Advice("", entry.help)
    if close := faults.nearest(word, WORDS):
        return Advice(suggest(close), "", close)
    return Advice("", NONE_DOES_THE_SAME if _OF_TORCH.fullmatch(word) else OTHER_CODE)


def _step(word: str) -> tuple[str, Mapping[str, Any], str] | None:
    """The operation that does what a layer does, arguments that it has for that, and what to know about it."""
    word = word.replace("Lazy", "")  # such a layer infers the width of its input, as archspec does
    key = fold(word)
    if key in _SAME_WORD:
        return None
    for each in (key, _DIMENSIONS.sub("", key)):
        for name, operation in operations().items():
            if each == fold(name) and operation.arity != "many" and name != "torch":
                return name, {}, ""
    for name in ("act", "norm"):
        known = arguments(operations()[name])["type"].metadata["words"]
        entry = find(word, name)
        meant = {fold(each): each for each in known}.get(key) or (entry.meant if entry and entry.meant in known else "")
        if meant:
            return name, {"type": meant}, ""
    entry = find(word, "steps")
    return _written(entry) if entry else None


def _written(entry: ForeignWords) -> tuple[str, Mapping[str, Any], str] | None:
    """The single step that an entry of the vocabulary writes."""
    steps = yaml.safe_load(entry.write) if entry.write.startswith("- ") else None
    if not (steps and isinstance(steps[0], dict) and entry.meant in steps[0]):
        return None
    values = steps[0][entry.meant]
    return (entry.meant, values, entry.say) if isinstance(values, dict) and entry.meant in operations() else None


def _write(word: str, name: str, values: Mapping[str, Any], say: str, given: Mapping[str, Any]) -> str:
    """What to write: the step with the author's own values, and what it has nothing for."""
    known = arguments(operations()[name])
    own: dict[str, Any] = {}
    lost = []
    for key, value in given.items():
        entry = None if key in known else find(key, f"arguments of {name}", "arguments")
        target = key if key in known else entry.meant if entry else ""
        if target in known:
            truth = isinstance(known[target].default, bool) and not isinstance(value, bool | str)
            listed = name == "pad" and isinstance(value, list)  # torch counts the sides from the last axis
            own[target] = True if truth else OPEN if listed else value
        elif key != "inplace" and not (entry and entry.say.startswith("leave it out")):
            lost.append(f"`{cut(key)}`")
    if given:  # the numbers of the example are not the author's
        words = {key: value for key, value in values.items() if isinstance(value, bool | str) and value != "classes"}
        unlike = {key: value for key, value in _unlike(word).items() if key not in own}
        values = {**words, **own, **unlike}
    needed = [key for key, each in known.items() if each.default is dataclasses.MISSING and key not in values]
    values = {**dict.fromkeys(needed, OPEN), **values}
    told = ", ".join(f"{key}: {OPEN if value is OPEN else flow(value, inside=True)}" for key, value in values.items())
    step = f"{name}: {{{cut(told, 200)}}}" if told else name
    end = f", which has no {' and no '.join(lost[:4])}" if lost else ""
    return "; ".join(filter(None, ("" if given else say, f"write `- {step}`{end}")))


def _unlike(word: str) -> Mapping[str, Any]:
    if not _OF_TORCH.fullmatch(word):
        return {}
    return _UNLIKE.get(_DIMENSIONS.sub("", fold(word.replace("Lazy", ""))), {})
