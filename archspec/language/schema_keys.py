"""The schema of keys of a spec that have no part in its stages: what the model returns, and what is said about it."""

from __future__ import annotations

from archspec.language import descriptions
from archspec.language.schema_pieces import IDENTIFIER, Schema, described, list_of, mapping, nullable, typed

EXPECTATIONS = (
    *("params", "macs", "activations", "layers", "skip_paths", "receptive_field"),
    *("gradient_span", "effective_receptive_field"),
)


def heads() -> Schema:
    """The schema of ``heads``."""
    told = "Parts after the stages by name, each of which reads the last stage's result."
    part = list_of("step", "string array object null")
    return typed("object null", told, propertyNames={"pattern": IDENTIFIER}, additionalProperties=part)


def outputs(name: str) -> Schema:
    """The schema of ``outputs``; ``name`` is the pattern of a key."""
    told = "Scopes or kept values that the model returns: one, a list, or a mapping from keys to them."
    value = mapping(
        {"training": typed("string", "A value that the model returns in training mode only.")}, "string object"
    )
    value = {**value, "minProperties": 1}
    keys = {"propertyNames": {"pattern": name}, "additionalProperties": nullable(value), "minProperties": 1}
    return typed("string array object null", told, items=value, minItems=1, **keys)


def weights() -> Schema:
    """The schema of ``weights``."""
    told = "Scopes of a weights file to skip, such as auxiliary heads that this network does not have."
    skip = typed("array null", told, items=typed("string", minLength=1), minItems=1, maxItems=100)
    told = "Parts of keys in a weights file that have another name here, with that name."
    aliases = typed("object null", told, maxProperties=100, additionalProperties=typed("string null", minLength=1))
    keys = {"skip": skip, "aliases": aliases}
    return mapping(keys, "object null", "How published weights files differ from this network.")


def expectations() -> Schema:
    """The schema of ``expect``."""
    bound = typed("number string")
    bounds = described({"min": bound, "max": bound}, descriptions.BOUNDS)
    value = mapping(bounds, "number string object null", minProperties=1)
    output = typed("array null", items=typed("integer"), minItems=1)
    known = described({**dict.fromkeys(EXPECTATIONS, value), "output": output}, descriptions.EXPECT)
    stages = typed("object null", additionalProperties=mapping(known))
    return mapping(
        {**known, **described({"stages": stages}, descriptions.EXPECT)},
        "object null",
        "What must be true of the compiled network.",
    )
