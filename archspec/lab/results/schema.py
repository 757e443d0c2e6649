"""The JSON Schema of ``results.json``."""

from __future__ import annotations

from typing import Any

from archspec.lab.results.results import FORMAT

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer", "minimum": 0}
_MAYBE = {"type": ["number", "null"]}
_NUMBER = {"$ref": "#/$defs/number"}


def results_schema() -> dict[str, Any]:
    """The JSON Schema of the file ``results.json`` that an experiment writes.

    >>> results_schema()["properties"]["archspec_lab"]
    {'const': 1}
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Results of an experiment of archspec lab",
        "$defs": {"number": _number()},
        **_object(
            {
                "archspec_lab": {"const": FORMAT},
                "experiment": _TEXT,
                "title": _TEXT,
                "question": _TEXT,
                "command": {**_TEXT, "description": "It leaves out what changes no number, such as `--jobs`."},
                "data": {"type": "object"},
                "trainer": {"type": "object"},
                "options": {"type": "object"},
                "seeds": _list(_WHOLE),
                "versions": {"type": "object", "additionalProperties": _TEXT},
                "networks": _list(_network()),
                "tables": _list(_table()),
                "rule": {**_TEXT, "description": "How the verdict of a claim follows from its effect."},
                "claims": _list(_claim()),
                "figures": _list(_object({"name": _TEXT, "title": _TEXT, "look": _TEXT, "files": _list(_TEXT)})),
                "remarks": _list(_TEXT),
                "lost": _list(
                    _object({"label": _TEXT, "seed": _WHOLE, "reason": _TEXT, "diverged": {"type": "boolean"}})
                ),
            }
        ),
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _number() -> dict[str, Any]:
    values = {**_list(_MAYBE), "description": "One for each seed, in order; null where a run has none."}
    deviation = {**_MAYBE, "description": "The sample's standard deviation; null for fewer than two values."}
    return _object({"mean": _MAYBE, "deviation": deviation, "n": _WHOLE, "values": values})


def _network() -> dict[str, Any]:
    macs = {"type": ["integer", "null"]}
    spec = {**_TEXT, "description": "The spec after `extends` and overrides, as YAML that needs no other file."}
    return _object(
        {"label": _TEXT, "parameters": _WHOLE, "macs": macs, "layers": _WHOLE, "fingerprint": _TEXT, "spec": spec}
    )


def _table() -> dict[str, Any]:
    value = {"anyOf": [{"type": ["string", "number", "null"]}, _NUMBER]}
    rows = _list({"type": "object", "additionalProperties": value})
    return _object({"name": _TEXT, "title": _TEXT, "columns": _list(_TEXT), "rows": rows})


def _claim() -> dict[str, Any]:
    verdict = {"enum": ["agrees", "disagrees", "cannot be resolved with this data"]}
    effect = {**_NUMBER, "description": "Positive where the claim holds."}
    margin = {**_MAYBE, "description": "How far from zero the mean effect must be; null for fewer than two seeds."}
    return _object(
        {
            "statement": _TEXT,
            "source": _TEXT,
            "verdict": verdict,
            "measure": _TEXT,
            "effect": effect,
            "margin": margin,
            "sampling": {"type": "number", "minimum": 0},
            "remark": _TEXT,
        }
    )
