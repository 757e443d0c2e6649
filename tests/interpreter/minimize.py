"""A smaller spec with the same difference: keys and items are removed one at a time as long as it stays."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from tests.interpreter.random_specs import Drawn
from tests.interpreter.reading import parse

TRIES = 150


def minimized(drawn: Drawn, same: Callable[[Drawn], bool]) -> Drawn:
    """The spec with less in it, for which ``same`` still holds."""
    document = parse(drawn.text)
    files = {name: parse(text) for name, text in drawn.files.items()}
    tries = 0
    shrinking = True
    while shrinking and tries < TRIES:
        shrinking = False
        for path in list(_places([document, files])):
            if tries >= TRIES:
                break
            smaller = copy.deepcopy([document, files])
            if not _remove(smaller, path):
                continue
            tries += 1
            if same(_written(smaller[0], smaller[1])):
                document, files = smaller
                shrinking = True
    return _written(document, files)


def _written(document: Any, files: dict[str, Any]) -> Drawn:
    return Drawn(
        yaml.safe_dump(document, sort_keys=False, default_flow_style=None),
        {name: yaml.safe_dump(each, sort_keys=False, default_flow_style=None) for name, each in files.items()},
    )


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything inside, the largest first."""
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if len(path) >= 1:
            yield (*path, key)
        if isinstance(item, dict | list):
            yield from _places(item, (*path, key))


def _remove(value: Any, path: tuple[Any, ...]) -> bool:
    """Removes what is at a path, if it is still there."""
    for key in path[:-1]:
        if not isinstance(value, dict | list) or (key not in value if isinstance(value, dict) else key >= len(value)):
            return False
        value = value[key]
    last = path[-1]
    if not isinstance(value, dict | list) or (last not in value if isinstance(value, dict) else last >= len(value)):
        return False
    if last in ("archspec", "name") and len(path) <= 2:
        return False
    del value[last]
    return True
