"""Statements of functions and their parts: keys of parameters, loops, formulas."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from archspec.emit.source.literals import identifier
from archspec.graph.formulas import names_in
from archspec.graph.patterns import Definition, Leaf, Repeat, Use

_LONGEST = 100
"""The most characters of a statement in which an activation is around a layer."""


@dataclass(frozen=True)
class Statement:
    """An assignment, and the condition or the loop around it.

    ``plain``: it reads no parameters. ``run`` is the number of its loop, because two loops may begin alike.
    """

    name: str
    text: str
    plain: bool = False
    condition: str = ""
    loop: str = ""
    run: int = 0


def rendered(statements: Sequence[Statement], result: str) -> list[str]:
    """The statements as lines, and what returns ``result``."""
    lines: list[str] = []
    merged = _merged([*statements, Statement("", result)])[:-1]
    last = ("", 0)
    for each in merged:
        head = f"{each.loop}:" if each.loop else f"if {each.condition}:" if each.condition else ""
        text = f"{each.name} = {each.text}" if each.name else each.text
        if head:
            lines += [f"    {text}"] if (head, each.run) == last else [head, f"    {text}"]
        else:
            lines.append(text)
        last = (head, each.run)
    if merged and merged[-1].name == result and not (merged[-1].loop or merged[-1].condition):
        return [*lines[:-1], f"return {merged[-1].text}"]
    return [*lines, f"return {result}"]


def _merged(statements: Sequence[Statement]) -> list[Statement]:
    """The statements, with an activation function around the layer before it."""
    found: list[Statement] = []
    for index, each in enumerate(statements):
        before = found[-1] if found else None
        if before and each.plain and not (before.plain or before.loop or before.condition or " if " in before.text):
            text = re.sub(rf"\({before.name}\)$", lambda _: f"({before.text})", each.text)  # noqa: B023, in this turn
            ends = each.name == before.name or not _is_read(before.name, statements[index + 1 :])
            if text != each.text and len(text) <= _LONGEST and ends and each.condition == "" == each.loop:
                found[-1] = replace(each, text=text)
                continue
        found.append(each)
    return found


def _is_read(name: str, statements: Sequence[Statement]) -> bool:
    """Whether a statement reads a value before one assigns it."""
    for each in statements:
        if re.search(rf"\b{name}\b", f"{each.text} {each.condition}"):
            return True
        if each.name == name and not (each.condition or each.loop):
            return False
    return False


def formula(definition: Definition, inline: Collection[int] = (), source: str = "x") -> str:
    """The formula of a definition of ``source``, in the names of its parts and of the parts of those ``inline``."""
    texts = definition.sources | {"": source}
    ends = {part.path.rpartition(".")[2] for part in definition.parts}
    for part in definition.parts:
        inputs = [texts[path] for path in part.inputs]
        what = part.what
        name = part.path.rpartition(".")[2]
        if name.isdecimal():
            name = function_name(what.definition) if isinstance(what, Use) else _kind(what)
        if isinstance(what, Leaf) and not what.weights and name.rstrip("0123456789") in ends:
            name = name.rstrip("0123456789")  # `relu2` is the second of one function
        if isinstance(what, Use) and id(what.definition) in inline:
            text = formula(what.definition, inline, inputs[0])
        elif isinstance(what, Leaf) and len(inputs) > 1 and any(node.operation.sums for node in what.nodes if node):
            sign = next(node.operation.symbol for node in what.nodes if node).replace("\N{MINUS SIGN}", "-")
            text = f" {sign} ".join([inputs[0], *[_operand(each, sign) for each in inputs[1:]]])
        else:
            text = f"{name}({', '.join(inputs)})"
        texts[part.path] = text
    return texts[definition.result]


def _operand(text: str, sign: str) -> str:
    """What is subtracted, in parentheses if it is a sum."""
    return f"({text})" if sign == "-" and (" + " in text or " - " in text) else text


def _kind(leaf: Leaf) -> str:
    return next(node.operation.name for node in leaf.nodes if node is not None)


def counted(item: Repeat) -> tuple[str, str] | None:
    """The head of a loop over the members of a run, and their path with the index; None if they have no numbers."""
    match = re.fullmatch(r"(.*?)(\d+)", item.paths[0])
    first = int(match[2]) if match else 0
    if match is None or list(item.paths) != [f"{match[1]}{first + index}" for index in range(item.count)]:
        return None
    reads = isinstance(item.part.what, Use) and any("i" in names_in(each) for each in item.part.what.arguments.values())
    if not reads:
        return (
            f"for i in range({first}, {first + item.count})" if first else f"for i in range({item.count})",
            f"{match[1]}{{i}}",
        )
    return f"for i in range({item.count})", f"{match[1]}{{i + {first}}}" if first else f"{match[1]}{{i}}"


def joined(prefix: str, path: str) -> str:
    return f"{prefix}.{path}" if prefix else path


def shown(key: str) -> str:
    if key == "{name}":
        return "name"
    return f'f"{key}"' if "{" in key else f'"{key}"'


def snake(name: str) -> str:
    """The name of a function, from that of a class."""
    return identifier(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower(), "block")


def function_name(definition: Definition) -> str:
    """The name of the function of a definition: that of its class, with the words that the spec sees in it.

    A class `ConvNeXt` of a block `convnext` is `convnext`, not `conv_ne_xt`.
    """
    name, own = snake(definition.class_name), snake(re.sub(r"\W", "_", definition.name))
    return own if own.replace("_", "") == name.replace("_", "") else name
