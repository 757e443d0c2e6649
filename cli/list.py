"""``archspec list``: the specs, blocks, operations and other parts that ship with archspec."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import click

import archspec
from archspec.analysis.zoo import ZooSpec, summaries
from archspec.diagnostics import Faults, cut, did_you_mean, suggest
from archspec.display import short
from archspec.emit.targets import TARGETS
from archspec.language.definitions import conventions, library
from archspec.language.spec import Term
from archspec.language.terms import Cursor
from archspec.language.text.locate import zoo_folder, zoo_names
from archspec.operations.base import Operation, arguments
from archspec.operations.discovery import operations
from archspec.screen import TextTable
from archspec.work import Work

from . import options
from .streams import put_json
from .tables import put_blocks, put_table

Entry = dict[str, Any]


def zoo() -> list[Entry]:
    """The specs that ship with archspec."""
    return [{"name": name, "summary": summary} for name, summary in summaries()]


def blocks() -> list[Entry]:
    found = filter(None, map(library().block, library().visible("blocks")))
    return [{"name": b.name, "summary": b.summary, "channels": b.channels, "params": _params(b.params)} for b in found]


def shortcuts() -> list[Entry]:
    found = filter(None, map(library().shortcut, library().visible("shortcuts")))
    return [{"name": shortcut.name, "summary": shortcut.summary} for shortcut in found]


def fragments() -> list[Entry]:
    wanted = Cursor(library().document)  # the place of a circle; the library has no circle
    found = [library().fragment(name, wanted, Faults(Work())) for name in library().visible("fragments")]
    return [{"name": f.name, "summary": f.summary, "params": _params(f.params)} for f in found if f]


def operation_entries() -> list[Entry]:
    return [
        {"name": name, "summary": operation.summary, "arguments": _arguments(operation)}
        for name, operation in operations().items()
    ]


def namings() -> list[Entry]:
    """The naming conventions, each with its own templates and the default ones."""
    found = []
    for name, templates in conventions().value.items():
        whole = {**conventions().value["torchvision"], **templates}
        found.append({"name": name, "summary": whole.pop("summary"), "templates": whole})
    return found


def targets() -> list[Entry]:
    """What a network can be written as."""
    return [target.as_data() for target in TARGETS]


SECTIONS: dict[str, tuple[str, Callable[[], list[Entry]]]] = {
    "zoo": ("specs, for `archspec build NAME` and `extends: NAME`", zoo),
    "blocks": ("blocks, for `stages: {block: NAME}`", blocks),
    "shortcuts": ("shortcuts, for `shortcut: NAME`", shortcuts),
    "fragments": ("fragments, for `stem`, `head` and steps", fragments),
    "operations": ("operations, for steps", operation_entries),
    "namings": ("namings, for `naming: NAME`", namings),
    "targets": ("targets, for `archspec build -o FILE`", targets),
}


class SectionOrPattern(options.Word):
    """A section, or the specs that match a pattern."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        names = zoo_names()
        pattern = str(value).lower()
        if value in self.words or any(fnmatchcase(name, pattern) for name in names):
            return value
        if {"*", "?", "["} & {*pattern}:
            raise click.UsageError(f"no spec matches `{cut(value)}`; `archspec list zoo` shows all {len(names)}", ctx)
        begins = f"{pattern}*" if pattern and any(name.startswith(pattern) for name in names) else ""
        if hint := suggest(begins and f"'{begins}'") or did_you_mean(pattern, [*self.words, *names]):
            raise click.UsageError(f"there is no section and no spec `{cut(value)}`; {hint}", ctx)
        return super().convert(value, param, ctx)


@click.command("list")
@click.argument("section", required=False, metavar="[SECTION|PATTERN]", type=SectionOrPattern("section", SECTIONS))
@options.form("text", "json")
def command(section: str | None, form: str) -> int:
    """List specs, blocks, shortcuts, fragments, operations, namings and targets. With a SECTION, list its entries in
    detail.

    The sections are zoo, blocks, shortcuts, fragments, operations, namings and targets. With a PATTERN of names, list
    the specs that match, with their parameters, MACs and references. In it, `*` matches any text; case does not count.

    \b
    Examples:
      archspec list
      archspec list operations
      archspec list 'resnet*'
    """
    if section and section not in SECTIONS:
        _put_specs(archspec.zoo(section), form)
    elif form == "json":
        put_json(SECTIONS[section][1]() if section else {name: make() for name, (_, make) in SECTIONS.items()})
    elif section:
        _put_details(SECTIONS[section][1]())
    else:
        for name, (title, make) in SECTIONS.items():
            rows = [(e["name"], e["summary"]) for e in make() if name != "zoo" or not zoo_folder(e["name"])]
            put_blocks([f"{title}:", TextTable(rows, indent="  "), ""])
        libraries = Counter(filter(None, map(zoo_folder, zoo_names())))
        told = " and ".join(f"{number} networks of {library}" for library, number in libraries.items())
        more = f"; `archspec list zoo` also lists {told}" if told else ""
        put_blocks([f"`archspec list SECTION` shows more{more}. The sections are {', '.join(SECTIONS)}."])
    return 0


def _put_specs(specs: list[ZooSpec], form: str) -> None:
    if form == "json":
        put_json([dataclasses.asdict(spec) for spec in specs])
        return
    rows = [(s.name, f"{s.params:,}", short(s.macs), s.reference or "", s.summary) for s in specs]
    names = ("", "params", "MACs", "reference", "summary")
    put_table([names, *rows], right=(1, 2), header=True, spare=(4,))


def _put_details(entries: list[Entry]) -> None:
    """Print each entry with its summary, and its parameters, arguments or templates below it."""
    rows = list(map(_rows, entries))
    if not any(rows):
        put_table([(entry["name"], entry["summary"]) for entry in entries])
        return
    for number, (entry, below) in enumerate(zip(entries, rows, strict=True)):
        put_blocks([*([""] if number else []), f"{entry['name']}: {entry['summary']}"])
        if below:
            put_table(below, indent="  ")


def _rows(entry: Entry) -> list[tuple[str, ...]]:
    """The parameters, arguments or templates of an entry."""
    rows: list[tuple[str, ...]] = [("channels", entry["channels"])] if entry.get("channels") else []
    rows += [(name, _shown(value)) for name, value in entry.get("params", {}).items()]
    rows += [("suffix", entry["suffix"])] if "suffix" in entry else []
    rows += [("extra", entry["extra"])] if entry.get("extra") else []
    rows += [(f"--{name}", doc) for name, doc in entry.get("options", {}).items()]
    rows += [(name, f'"{template}"') for name, template in entry.get("templates", {}).items()]
    for name, argument in entry.get("arguments", {}).items():
        default = argument["default"]
        told = "required" if argument["required"] else "" if default is None else _shown(default)
        words = f" One of {', '.join(argument['words'])}." if argument["words"] else ""
        rows.append((name, told, f"{argument['doc']}{words}"))
    return rows


def _shown(value: object) -> str:
    return "required" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _params(terms: Mapping[str, Term]) -> dict[str, Any]:
    return {name: term.expression.text if term.expression else term.constant for name, term in terms.items()}


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
