"""Values as other libraries write them, such as ``padding: same`` or ``kernel: 3x3``, and what to write instead."""

from __future__ import annotations

import re
from typing import Any

from archspec.diagnostics import Advice, suggest
from archspec.language.spec import NONE
from archspec.language.text.document import Path
from archspec.language.text.locate import zoo_names
from archspec.operations.base import arguments
from archspec.operations.discovery import operations
from archspec.vocabulary import find, fold

SETTING_PLACES = {"act": "act", "norm": "norm", "shortcut": "shortcuts", "activation_order": "activation orders"}
"""The places of the vocabulary that have the words of a setting."""

_NUMBERS = re.compile(r"\s*[\[(]?\s*(\d+(?:(?:\s*[,;x\u00d7]\s*|\s+)\d+)+)\s*,?\s*[\])]?\s*")
"""Several numbers as one text: ``3x3``, ``(3, 3)``, ``3,4,6,3``, ``64 128``."""


NETWORK_KEYS = frozenset({"arch", "architecture", "backbone", "basemodel", "encoder", "model", "net", "network"})
"""Keys under which other libraries name a whole network."""
MERGES = ("add", "concat", "maximum", "minimum", "multiply", "subtract")

BRACKETS = "a list is written in brackets: `[3, 3]`"


def key_of(path: Path) -> str:
    """The key under which a value is written, also inside a list: ``padding``."""
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def advise_text(text: str, path: Path, kind: str) -> Advice:
    """What a text that is not an expression may mean; ``kind`` is what its argument takes."""
    if (numbers := several_numbers(text)) and not (path and isinstance(path[-1], int)):
        return Advice("", f"write a list: `{numbers}`")
    if kind == "word":
        words = {fold(word): word for name in ("act", "norm", "pool") for word in _types(name)}
        meant = words.get(fold(text), "")
        entry = None if meant else find(text, "act", "norm", "pool types")
        if meant := meant or (entry.meant if entry else ""):
            return Advice(suggest(meant), "write the word alone, without a module or a call")
        return Advice("", entry.help if entry else "")
    entry = find(text, f"values of {key_of(path)}", "names")
    return Advice("", entry.help if entry else "")


def network_meant(key: str, value: Any) -> str:
    """The spec of the zoo that a key such as ``backbone`` or ``model`` names; otherwise an empty text."""
    if fold(key) not in NETWORK_KEYS or not isinstance(value, str):
        return ""
    names = {fold(name): name for name in zoo_names()}
    entry = find(value, "specs")
    return names.get(fold(value), "") or (entry.meant if entry else "")


def several_numbers(text: str) -> str:
    """``[3, 3]`` for a text that holds several whole numbers, such as ``3x3``; otherwise an empty text.

    >>> several_numbers("3x224x224"), several_numbers("(3, 4)"), several_numbers("3 * 4"), several_numbers("64")
    ('[3, 224, 224]', '[3, 4]', '', '')
    """
    match = _NUMBERS.fullmatch(text[:200])
    return f"[{', '.join(re.findall('[0-9]+', match[1]))}]" if match else ""


def advise_value(path: Path, value: Any, *, steps: bool = False) -> str:
    """What to write for a value of a type that its key does not take; an empty text without an answer.

    ``steps`` says whether a mapping can be there, as in a list of steps.
    """
    key, word = key_of(path), "null" if value is None else str(value).lower()
    if isinstance(value, str) and (numbers := several_numbers(value)):
        return f"write a list: `{key}: {numbers}`"
    if isinstance(value, str) and value.startswith("("):
        return BRACKETS
    if key in SETTING_PLACES and (value is None or isinstance(value, bool)):
        return _written(key, word, SETTING_PLACES[key])
    if key in SETTING_PLACES and isinstance(value, dict):
        return _word_alone(key, value)
    if key in ("stem", "head", "before", "after", "around") and (value is None or isinstance(value, bool)):
        return "for no steps, write an empty list, `[]`" if not value else ""
    if path[0] == "outputs" and isinstance(value, int):
        told = "an output is named, by its stage or a node: `outputs: [layer2, layer4]`"
        return f"{told}; the `out_indices` of timm count the stem as 0"
    if len(path) > 1 and path[-2] in MERGES and isinstance(path[-1], int) and not isinstance(value, dict):
        entry = find("none" if value is None else word, "sequences")
        return entry.help if entry and not entry.meant else _branch(value)
    if path == ("heads",) and isinstance(value, list):
        return "write the heads without dashes: `heads: {classifier: [...], auxiliary: [...]}`"
    if path == ("input",):
        return "write channels and sizes, without the batch: `input: [3, 224, 224]`"
    if path == ("init",) and isinstance(value, str):
        entry = find(value, "initializers")
        return f"write `init: {{conv: {entry.meant}}}`" if entry and entry.meant else ""
    if path == ("scale",) and isinstance(value, int | float) and not isinstance(value, bool):
        return f"write `scale: {{width: {value}}}`, or `depth`"
    if path[:-1] == ("stages",) and isinstance(path[-1], int) and isinstance(value, int):
        return "a list has one mapping for each stage; for numbers of blocks, write `stages: {count: [3, 4, 6, 3]}`"
    if steps and path and isinstance(path[-1], int) and isinstance(value, list):
        return "a step is a name, or a mapping with one key: `- conv: {out: 64, kernel: 3}`"
    if isinstance(value, dict | list):
        return ""
    entry = find(word, f"values of {key}")
    return entry.help if entry else ""


def advise_type(operation: str, word: str) -> tuple[str, str]:
    """The type of an operation that a word means, or a help, as for ``pool: global``, which names no type."""
    words = {fold(each): each for each in _types(operation)}
    entry = None if fold(word) in words else find(word, "pool types" if operation == "pool" else operation)
    return words.get(fold(word)) or (entry.meant if entry else ""), entry.help if entry else ""


def complete(operation: str, word: str) -> str:
    """The step of a type, with what such a step needs: ``pool: {type: max, kernel: 2}`` for ``pool: max``."""
    entry = find(f"{word}{operation}", "steps")
    written = f"{operation}: {{type: {word}"
    return entry.write.removeprefix("- ") if entry and entry.write.startswith(f"- {written},") else f"{written}}}"


def _branch(value: Any) -> str:
    """What to write for a branch that is not a list of steps."""
    if not isinstance(value, str) or not value.replace(".", "").isidentifier():
        return "a branch is a list of steps, such as `[norm]`"
    if value in operations():
        return f"a branch is a list of steps: write `[{value}]`"
    return f"a branch is a list of steps: write `[from: {value}]` to read a kept value, `[{value}]` to call a fragment"


def _word_alone(key: str, value: dict[str, Any]) -> str:
    """What to write for a setting that takes a word, and has a mapping: ``act: leaky_relu``."""
    inner = next((each for each in value.values() if isinstance(each, str)), "")
    known = {fold(each): each for each in (*_types(key), NONE)} if key in operations() else {}
    entry = find(inner, SETTING_PLACES[key])
    if meant := known.get(fold(inner)) or (entry.meant if entry else "") or ("" if known or entry else inner):
        return f"write the word alone: `{key}: {meant}`"
    return entry.help if entry else f"write a word, such as `{key}: {next(iter(known.values()))}`" if known else ""


def _types(operation: str) -> tuple[str, ...]:
    words: tuple[str, ...] = arguments(operations()[operation])["type"].metadata["words"]
    return words


def _written(key: str, word: str, place: str) -> str:
    entry = find(word, place)
    return f"write `{key}: {entry.meant}`" if entry and entry.meant else ""
