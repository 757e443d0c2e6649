"""``archspec list``: what there is to build with."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import click

from archspec.diagnostics import Faults
from archspec.language.definitions import conventions, library
from archspec.language.spec import Term
from archspec.language.terms import Cursor
from archspec.language.text.locate import zoo_folder, zoo_names
from archspec.operations.base import Operation, arguments
from archspec.operations.discovery import operations

from . import options
from .render import put, put_json
from .tables import put_table

Entry = dict[str, Any]

_SUMMARY = re.compile(r"^(summary|extends):[ \t]*(.+?)[ \t]*$", re.MULTILINE)


def zoo() -> list[Entry]:
    """The specs that ship with archspec. Their summary is looked up in the text: reading them all takes long."""
    found = []
    for name in zoo_names():
        text = (zoo_folder() / f"{name}.yaml").read_text(encoding="utf-8")
        keys = {match[1]: match[2].strip("'\"") for match in _SUMMARY.finditer(text)}
        summary = keys.get("summary") or (f"extends {keys['extends']}" if "extends" in keys else "")
        found.append({"name": name, "summary": summary})
    return found


def blocks() -> list[Entry]:
    found = []
    for name in library().visible("blocks"):
        block = library().block(name)
        if block:
            params = {key: _default(term) for key, term in block.params.items()}
            found.append({"name": name, "summary": block.summary, "channels": block.channels, "params": params})
    return found


def shortcuts() -> list[Entry]:
    found = (library().shortcut(name) for name in library().visible("shortcuts"))
    return [{"name": shortcut.name, "summary": shortcut.summary} for shortcut in found if shortcut]


def fragments() -> list[Entry]:
    wanted = Cursor(library().document)  # where a circle would be reported; the library has none
    found = []
    for name in library().visible("fragments"):
        fragment = library().fragment(name, wanted, Faults())
        if fragment:
            params = {key: _default(term) for key, term in fragment.params.items()}
            found.append({"name": name, "summary": fragment.summary, "params": params})
    return found


def operation_entries() -> list[Entry]:
    return [
        {"name": name, "summary": operation.summary, "arguments": _arguments(operation)}
        for name, operation in operations().items()
    ]


def namings() -> list[Entry]:
    """The conventions. A template that one leaves out keeps its default, so each is shown whole."""
    found = []
    for name, templates in conventions().value.items():
        whole = {**conventions().value["torchvision"], **templates}
        summary = f"stages `{whole['stage']}`, blocks `{whole['block']}` in them"
        found.append({"name": name, "summary": summary, "templates": whole})
    return found


SECTIONS: dict[str, tuple[str, Callable[[], list[Entry]]]] = {
    "zoo": ("specs, for `archspec build NAME` and `extends: NAME`", zoo),
    "blocks": ("blocks, for `stages: {block: NAME}`", blocks),
    "shortcuts": ("shortcuts, for `shortcut: NAME`", shortcuts),
    "fragments": ("fragments, for `stem`, `head` and steps", fragments),
    "operations": ("operations, for steps", operation_entries),
    "namings": ("namings, for `naming: NAME`", namings),
}


@click.command("list")
@click.argument("section", required=False, metavar="[SECTION]", type=options.Word("section", SECTIONS))
@options.form("text", "json")
def command(section: str | None, form: str) -> int:
    """List specs, blocks, shortcuts, fragments, operations and namings, or one of these in detail.

    A SECTION is one of zoo, blocks, shortcuts, fragments, operations and namings.

    \b
    Examples:
      archspec list
      archspec list operations
    """
    if form == "json":
        put_json(SECTIONS[section][1]() if section else {name: make() for name, (_, make) in SECTIONS.items()})
    elif section:
        _detail(SECTIONS[section][1]())
    else:
        for title, make in SECTIONS.values():
            put(f"{title}:")
            put_table([(entry["name"], entry["summary"]) for entry in make()], indent="  ")
            put("")
        put("`archspec list SECTION` says more: SECTION is one of " + ", ".join(SECTIONS) + ".")
    return 0


def _detail(entries: list[Entry]) -> None:
    """Print each entry with its summary, and below it a line for each thing that can be said of it."""
    rows = list(map(_rows, entries))
    if not any(rows):
        put_table([(entry["name"], entry["summary"]) for entry in entries])
        return
    for number, (entry, below) in enumerate(zip(entries, rows, strict=True)):
        put(("\n" if number else "") + f"{entry['name']}: {entry['summary']}")
        if below:
            put_table(below, indent="  ")


def _rows(entry: Entry) -> list[tuple[str, ...]]:
    """What a section tells of one entry: its parameters, arguments or templates."""
    rows: list[tuple[str, ...]] = [(name, _shown(value)) for name, value in entry.get("params", {}).items()]
    if entry.get("channels"):
        rows.insert(0, ("channels", entry["channels"]))
    rows += [(name, f'"{template}"') for name, template in entry.get("templates", {}).items()]
    rows += [(name, *_described(told)) for name, told in entry.get("arguments", {}).items()]
    return rows


def _shown(value: object) -> str:
    return "must be given" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _described(argument: Entry) -> tuple[str, str]:
    """An argument's default, and what it is."""
    default = "required" if argument["required"] else "" if argument["default"] is None else _shown(argument["default"])
    words = f" One of {', '.join(argument['words'])}." if argument["words"] else ""
    return default, f"{argument['doc']}{words}"


def _default(term: Term) -> Any:
    return term.expression.text if term.expression else term.constant


def _arguments(operation: type[Operation]) -> dict[str, Entry]:
    found = {}
    for name, field in arguments(operation).items():
        required = field.default is dataclasses.MISSING
        found[name] = {
            "kind": field.metadata["kind"],
            "required": required,
            "default": None if required else field.default,
            "words": list(field.metadata["words"]),
            "doc": field.metadata["doc"],
        }
    return found
