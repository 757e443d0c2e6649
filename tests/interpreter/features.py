"""The parts of the language that a spec uses, by the text alone; and all of those that generated specs must use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.interpreter.expressions import ACTIVATIONS, NORMS, ORDERS
from tests.interpreter.operations import MERGES, OPERATIONS
from tests.interpreter.reading import parse

ARGUMENTS = {
    "act": (
        "type",
        "slope",
        "alpha",
        "beta",
        "min",
        "max",
        "approximate",
        "initial",
        "per_channel",
        "groups",
        "branches",
    ),
    "channel_shuffle": ("groups",),
    "drop_path": ("p",),
    "dropout": ("p",),
    "layer_scale": ("initial",),
    "linear": ("out", "bias"),
    "pad_channels": ("out", "at"),
    "scale": ("by", "learned", "per"),
    "shift": ("by", "learned", "per"),
    "slice": ("start", "stop"),
    "subsample": ("stride",),
    "mean": ("over",),
    "max": ("over",),
    "power": ("by",),
    "channel_conv": ("kernel", "bias"),
    "permute": ("order",),
    "reshape": ("size",),
    "torch": ("module", "dim", "p", "lambd", "threshold", "value", "lower", "upper"),
    "upsample": ("scale", "size", "mode", "align_corners"),
    "pixel_shuffle": ("factor",),
    "pixel_unshuffle": ("factor",),
    "blur": ("kernel", "stride"),
    "conv": ("out", "kernel", "stride", "padding", "dilation", "groups", "bias"),
    "norm": ("type", "eps", "momentum", "groups", "group_size", "affine", "zero_init", "size", "alpha", "beta", "k"),
    "pool": ("type", "kernel", "stride", "padding", "dilation", "ceil", "count_padding", "output"),
    "layer": ("of", "norm", "act", "name", "when"),
    "sequence": ("name", "when"),
    "repeat": ("times", "index", "each", "name", "when"),
    "blocks": ("name", "each", "when"),
}
SETTINGS = ("shortcut", "activation_order", "norm", "act", "drop_path")
SCOPES = (
    "backbone",
    "stem",
    "head",
    "heads",
    "stage",
    "block",
    "residual",
    "shortcut",
    "layer",
    "fragment",
    "before",
    "after",
    "step",
)
FUNCTIONS = ("int", "round", "floor", "ceil", "min", "max", "abs", "sqrt", "make_divisible", "scaled", "letter")
NAMES = (
    *("classes", "in_channels", "stage", "stages", "count", "blocks", "index", "number", "channels", "stride"),
    *("dilation", "norm", "act", "activation_order", "out_channels", "width", "n", "position", "name", "kind"),
)
OPERATORS = (
    *("Add", "Sub", "Mult", "Div", "FloorDiv", "Mod", "USub", "And", "Or", "Not", "IfExp"),
    *("Eq", "NotEq", "Lt", "LtE", "Gt", "GtE", "chain"),
)
COLUMNS = (
    *(*SETTINGS, "block", "count", "channels", "stride", "dilation", "before", "after", "around", "name"),
    "quantized_linear",
)
SHORTCUTS = ("identity", "none", "zero-pad", "projection", "projection-all", "avg-projection", "inverted")
INIT = ("he-fan-out", "he-fan-in", "xavier", "normal", "truncated-normal", "torch")


def wanted() -> set[str]:
    """Everything that must occur."""
    found = {f"operation {name}" for name in (*OPERATIONS, *MERGES)}
    found |= {f"argument {name}.{argument}" for name, some in ARGUMENTS.items() for argument in some}
    found |= {
        f"merge {name} {form}" for name in MERGES for form in ("list", "mapping", "name", "one branch", "empty branch")
    }
    found |= {
        "merge that broadcasts",
        *("step share", "step as", "step from", "merge from values", "merge from one value"),
        "branch when",
        "merge in a merge",
        "merge of one value twice",
        "step when",
        "step name",
    }
    found |= {f"act {word}" for word in (*ACTIVATIONS, "glu", "none")} | {f"norm {word}" for word in (*NORMS, "none")}
    found |= {f"order {word}" for word in ORDERS} | {f"shortcut {word}" for word in SHORTCUTS}
    found |= {
        f"spec {key}"
        for key in (
            "params",
            "scale",
            "init",
            "naming",
            "outputs",
            "frozen",
            "heads",
            "returns",
            "shortcuts",
            "fragments",
            "blocks",
            "extends",
            "import",
        )
    }
    found |= {f"{place} {key}" for place in ("spec", "column", "block", "fixed") for key in SETTINGS}
    found |= {f"column {key}" for key in COLUMNS} | {
        "column parameter",
        "table by row",
        "table by column",
        "cell of blocks",
        "cell null",
    }
    found |= {
        f"template {key}"
        for key in (*SCOPES, *OPERATIONS.keys() & {"conv", "norm", "act", "pool", "linear"}, "convention")
    }
    found |= {f"convention {word}" for word in ("torchvision", "sequential", "timm")}
    found |= {f"scale {key}" for key in ("width", "depth", "divisor")}
    found |= {f"init {key} {word}" for key in ("conv", "linear") for word in INIT} | {
        "init bias zero",
        "init zero_init_residual True",
    }
    found |= (
        {f"function {name}" for name in FUNCTIONS}
        | {f"operator {name}" for name in OPERATORS}
        | {f"name {name}" for name in NAMES}
    )
    found |= {
        f"{kind} {key}" for kind in ("block", "fragment") for key in ("params", "let", "required", "call of a fragment")
    }
    found |= {"block residual", "block steps", "block merge concat", "block first shortcut", "block first residual"}
    found |= {
        "shortcut steps",
        "outputs list",
        "outputs name",
        "outputs keys",
        "outputs in training",
        "returns tuple",
        "anchor",
        "rank 1",
        "rank 2",
        "rank 3",
    }
    return found | {
        "chain of extends",
        "import in an import",
        "several imports",
        "null over a value",
        "use",
        "sequence name",
    }


def features(text: str, files: Mapping[str, str] | None = None) -> set[str]:
    """The parts that a spec and its files use."""
    files = files or {}
    documents = [parse(text), *(parse(each) for each in files.values())]
    found = {"anchor"} if "&id" in text else set()
    found |= {"chain of extends"} if sum("extends" in each for each in documents) > 1 else set()
    found |= {"import in an import"} if any("import" in each for each in documents[1:]) else set()
    found |= {"null over a value"} if "extends" in documents[0] and None in documents[0].values() else set()
    for document in documents:
        found |= set(_document(document))
    return found


def _document(document: Mapping[str, Any]) -> Iterator[str]:
    for key, value in document.items():
        yield f"spec {key}"
        if key == "naming":
            yield from _naming(value)
        elif key == "stages":
            yield from _table(value)
        elif key in ("blocks", "fragments", "shortcuts"):
            for name, definition in value.items():
                yield from _definition(key[:-1], name, definition, document)
        elif key in SETTINGS:
            yield from _setting(key, value)
        elif key in ("stem", "head"):
            yield from _steps(value)
        elif key in ("init", "scale") and value:
            yield from (f"{key} {name}" for name in value)
            yield from (f"{key} {name} {word}" for name, word in value.items())
    if "input" in document:
        yield f"rank {len(document['input']) - 1}"
    if document.get("outputs"):
        yield {list: "outputs list", str: "outputs name", dict: "outputs keys"}[type(document["outputs"])]
        if any(isinstance(each, dict) for each in document["outputs"]):
            yield "outputs in training"
    if document.get("returns") == "tuple":
        yield "returns tuple"
    if isinstance(document.get("import"), list) and len(document["import"]) > 1:
        yield "several imports"
    yield from _texts(document)


def _setting(key: str, value: Any) -> Iterator[str]:
    """The words of a setting, of a cell of one, or of an argument."""
    short = {"activation_order": "order"}.get(key, key)
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield from (f"argument {key}.{name}" for name in item)
            yield f"{short} {item.get('type', 'relu' if key == 'act' else 'batch')}"
        elif isinstance(item, list):
            yield from _setting(key, item)
        elif isinstance(item, str):
            yield from (f"{short} {word}" for word in (item, *re.findall(r"'([^']*)'", item)))


def _naming(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield f"convention {value}"
        return
    for key, text in (value or {}).items():
        yield f"template {key}"
        if key == "convention":
            yield f"convention {text}"


def _table(table: Any) -> Iterator[str]:
    yield "table by row" if isinstance(table, list) else "table by column"
    for row in table if isinstance(table, list) else [table or {}]:
        for key, value in row.items():
            yield f"column {key}" if key in COLUMNS else "column parameter"
            if key in ("before", "after", "around"):
                listed = isinstance(value, list) and not isinstance(table, list)
                for item in value if listed else [value]:
                    yield from _steps(item)
                continue
            cells = value if isinstance(value, list) and not isinstance(table, list) else [value]
            yield from ("cell of blocks" for cell in cells if isinstance(cell, list))
            yield from ("cell null" for cell in cells if cell is None)
            if key in SETTINGS:
                yield from _setting(key, value)


def _definition(kind: str, name: str, definition: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    for key, value in definition.items():
        yield f"{kind} {key}"
        if key == "params" and None in value.values():
            yield f"{kind} required"
        elif key in ("merge", "first"):
            yield f"block {key} {value}"
        elif key == "fixed":
            yield from (f"fixed {name}" for name in value)
            for setting, item in value.items():
                yield from _setting(setting, item)
        elif key in SETTINGS:
            yield from _setting(key, value)
        elif key in ("steps", "residual", "same", "change"):
            found = list(_steps(value))
            yield from found
            if "call" in found:
                yield f"{kind} call of a fragment"
            if kind == "shortcut" and found:
                yield "shortcut steps"


def _steps(steps: Any, inside: bool = False) -> Iterator[str]:
    if isinstance(steps, dict):
        yield "use"
    for step in steps if isinstance(steps, list) else []:
        name, given = (step, {}) if isinstance(step, str) else next(iter(step.items()), ("", {}))
        if name in ("as", "from"):
            yield f"step {name}"
            continue
        yield f"operation {name}"
        if name not in (*ARGUMENTS, *MERGES, "flatten"):
            yield "call"
        if name in MERGES:
            yield from _merge(name, given)
            yield from ("merge in a merge",) * inside
            continue
        for key, value in (given or {}).items():
            yield f"argument {name}.{key}"
            yield from (f"step {key}",) * (key in ("when", "name", "as", "from", "share"))
            yield from ("sequence name",) * (name == "sequence" and key == "name")
            if name in ("act", "norm") and key == "type":
                yield from _setting(name, value)
            elif name == "layer" and key in ("act", "norm"):
                yield from _setting(key, value)
            elif key in ("steps", "of"):
                yield from _steps(value, inside)


def _merge(name: str, given: Any) -> Iterator[str]:
    listed = isinstance(given, list)
    yield f"merge {name} {'list' if listed else 'mapping'}"
    own = ("name", "when", "as", "from", "share", "broadcast")
    branches = list(given) if listed else [value for key, value in given.items() if key not in own]
    if not listed and "from" in given:
        yield f"merge from {'values' if isinstance(given['from'], list) else 'one value'}"
    if not listed and "broadcast" in given:
        yield "merge that broadcasts"
    if not listed and "name" in given:
        yield f"merge {name} name"
    if len(branches) == 1:
        yield f"merge {name} one branch"
    if [] in branches:
        yield f"merge {name} empty branch"
    if branches.count([]) > 1:
        yield "merge of one value twice"
    for branch in branches:
        yield from ("branch when",) * isinstance(branch, dict)
        yield from _steps(branch["steps"] if isinstance(branch, dict) else branch, inside=True)


def _texts(value: Any) -> Iterator[str]:
    """Functions, operators and names in every text that can be an expression or a template."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        for text in re.findall(r"\{([^{}]*)\}", value) or [value]:
            yield from _expression(text)


def _expression(text: str) -> Iterator[str]:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield f"function {node.func.id}"
        elif isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp):
            yield f"operator {type(node.op).__name__}"
        elif isinstance(node, ast.Compare):
            yield from (f"operator {type(op).__name__}" for op in node.ops)
            yield from ("operator chain",) * (len(node.ops) > 1)
        elif isinstance(node, ast.IfExp):
            yield "operator IfExp"
        elif isinstance(node, ast.Name):
            yield f"name {node.id}"
