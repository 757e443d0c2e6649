"""The stage table: columns to stages, each cell read by what its column means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archspec.diagnostics import Diagnostic, Faults, Label, cut, suggest
from archspec.display import counted
from archspec.language.context import Context
from archspec.language.definitions import BLOCK_NAMES, STAGE_NAMES, TABLE_NAMES, DefinitionScope
from archspec.language.expressions.closures import ScaleWidth
from archspec.language.expressions.values import Value
from archspec.language.generated import generated_columns
from archspec.language.spec import SETTINGS, Block, Cell, Stage, Template, Term
from archspec.language.steps import parameter_kind, read_sequence
from archspec.language.terms import Cursor, read_template
from archspec.language.text.document import Path
from archspec.wording import first_of, listed
from archspec.work import DEFINING, ENTRIES

NUMBERS = ("count", "channels", "stride", "dilation")
SEQUENCES = ("before", "after")
COLUMNS = ("block", *NUMBERS, *SETTINGS, *SEQUENCES, "name", "quantized_linear")


class Table:
    """What reading one stage table needs: its columns, definitions, the spec's parameters and scale, the faults."""

    def __init__(
        self,
        cursor: Cursor,
        scope: DefinitionScope,
        params: Mapping[str, Value],
        scale: ScaleWidth,
        faults: Faults,
    ) -> None:
        self.cursor = cursor
        self.scope = scope
        self.params = params
        self.scale = scale
        self.faults = faults
        self.early = Context(scope, TABLE_NAMES | frozenset(params), faults)
        self.late = Context(scope, BLOCK_NAMES | frozenset(params), faults)
        self.declared: frozenset[str] = frozenset()
        self.meant: frozenset[str] = frozenset()
        self.generated: frozenset[str] = frozenset()
        self.unknown_block = False
        self._read: dict[tuple[Path, str], Cell] = {}  # a value that is written for all stages is read once
        self.edges = Context(scope, STAGE_NAMES | BLOCK_NAMES | frozenset(params), faults)

    def read(self) -> tuple[Stage, ...]:
        """The stages in order; faulty cells are left out, with their faults collected."""
        columns = self.cursor.value
        work = self.faults.work
        self.generated, generated = generated_columns(self.cursor, self.params, self.scale, self.faults)
        length = self._generated_length(len(generated["count"])) if generated else self._length()
        if length is None:
            length = 1 if columns else 0
        work.spend(DEFINING, (4 + len(columns)) * length, self.cursor.key_span)
        blocks = [self._blocks(number) for number in range(length)]
        self.meant = self._check_keys(_once(block for cell in blocks for block in cell.entries))
        self._check_meanings(blocks)
        return tuple(self._stage(number, blocks[number], generated) for number in range(length))

    def _generated_length(self, length: int) -> int:
        """The number of generated stages, with a fault for each list of another length."""
        for key, value in self.cursor.value.items():
            if isinstance(value, list) and len(value) != length and key not in ("count", "channels", "group_width"):
                generated = f"`quantized_linear` generates {counted(length, 'stage')}"
                message = f"`{cut(key)}` has {counted(len(value), 'value')}, but {generated}"
                self._unequal(key, message, "quantized_linear", length)
        return length

    def _unequal(self, key: str, message: str, other: str, length: int) -> None:
        label = Label(self.cursor.child(other).span, f"{counted(length, 'stage')} here")
        self.faults.record("E311", message, self.cursor.child(key).span, labels=(label,))

    def _length(self) -> int | None:
        """The number of stages according to the lists; None if no column is a list."""
        lists = {key: value for key, value in self.cursor.value.items() if isinstance(value, list)}
        if "quantized_linear" in self.cursor.value:
            lists = {key: value for key, value in lists.items() if key not in ("count", "channels", "group_width")}
        if not lists:
            return None
        own = [key for key in lists if self._is_own(key)]
        inherited = [key for key in lists if key not in own]
        for keys in (own, inherited):
            for key in [key for key in keys if len(lists[key]) != len(lists[keys[0]])]:
                found = f"`{cut(key)}` has {counted(len(lists[key]), 'value')}"
                found = f"{found}, but `{cut(keys[0])}` has {len(lists[keys[0]])}"
                self._unequal(key, f"{found}: a list must have one value for each stage", keys[0], len(lists[keys[0]]))
        others = [key for key in inherited if own and len(lists[key]) != len(lists[own[0]])]
        if others:
            self.faults.add(self._unlike_the_base(own[0], others[:8]))
        return min(len(value) for value in lists.values())

    def _is_own(self, key: str) -> bool:
        """Whether a column was written in the spec itself or in an override, not in a spec that it extends."""
        source = self.cursor.child(key).span.source
        return source is self.cursor.document.span(("name",)).source or source.kind == "override"

    def _unlike_the_base(self, key: str, others: list[str]) -> Diagnostic:
        """The fault of a list in the spec whose length differs from lists in a spec that it extends."""
        length, value = len(self.cursor.value[key]), self.cursor.value
        told = listed([f"`{cut(name)}` has {len(value[name])}" for name in others])
        found = f"`{cut(key)}` has {counted(length, 'value')}, but in the base spec {told}"
        message = f"{found}: a list must have one value for each stage"
        labels = [Label(self.cursor.child(name).span, f"{counted(len(value[name]), 'stage')} here") for name in others]
        names = listed([f"`{cut(name)}`" for name in others])
        help = f"write {names} too, with {counted(length, 'value')}{' each' if len(others) > 1 else ''}"
        return Diagnostic("E311", message, self.cursor.child(key).span, labels=tuple(labels), help=help)

    def _entry(self, key: str, number: int) -> Cursor | None:
        """The cell of column ``key`` for stage ``number``; None where nothing is set."""
        column = self.cursor.get(key)
        if column is None:
            return None
        if not isinstance(column.value, list):
            return column
        return column.child(number) if number < len(column.value) and column.value[number] is not None else None

    def _blocks(self, number: int) -> Cell:
        """The block, or the blocks, that stage ``number`` names."""
        cursor = self._entry("block", number)
        if cursor is None:
            self._missing("block", number)
            self.unknown_block |= self.cursor.get("block") is not None
            return Cell((), False, self.cursor.span)
        by_block = isinstance(cursor.value, list)
        found = [block for item in (cursor.children() if by_block else (cursor,)) if (block := self._block(item))]
        return Cell(tuple(found), by_block, cursor.span)

    def _block(self, cursor: Cursor) -> Block | None:
        name = self.params.get(cursor.value, cursor.value) if isinstance(cursor.value, str) else cursor.value
        block = self.scope.block(name) if isinstance(name, str) else None
        if block is None:
            self.unknown_block = True
            names = list(self.scope.visible("blocks"))
            found = self.faults.advise(str(name), names, "blocks")
            help = found.help or f"available: {first_of(names)}"
            self.faults.record("E302", f"no block is called `{cut(name)}`", cursor.span, found.hint, help=help)
        return block

    def _known(self) -> set[str]:
        """The parameters of all blocks. The misspelled block may be any of them."""
        blocks = map(self.scope.block, self.scope.visible("blocks"))
        return {key for block in blocks if block for key in block.params}

    def _check_keys(self, blocks: list[Block]) -> frozenset[str]:
        """Check that each column is known or a parameter of a block; return what the misspelled ones probably mean."""
        declared = self.declared = frozenset(name for block in blocks for name in block.params)
        meant = set()
        words = (*COLUMNS, *sorted(declared))
        unknown = [key for key in self.cursor.value if key not in COLUMNS and key not in declared]
        possible = self._known() if unknown and self.unknown_block else set()
        for key in unknown:
            if not blocks and self.faults.failed:
                break
            if key == "group_width" and "quantized_linear" in self.cursor.value:
                continue
            found = self.faults.advise(key, words, "stages")
            close = found.meant
            if self.unknown_block and (key in possible or not close):
                continue  # it may be a parameter of the block that was meant
            meant.add(close)
            message = f"no block in this table has a parameter `{cut(key)}`"
            has = f"the parameters are {first_of(sorted(declared))}" if declared else "its blocks have no parameters"
            help = found.help or ("" if close or self.unknown_block else has)
            self.faults.record("E301", message, self.cursor.child(key).key_span, suggest(close), help=help)
        for key in ("stride", "dilation"):
            cursor = self.cursor.get(key)
            if cursor and blocks and not any(key in block.reads for block in blocks) and _some_not_one(cursor.value):
                self.faults.record("W301", f"no block in this table reads `{key}`", cursor.key_span)
        return frozenset(meant)

    def _check_meanings(self, cells: list[Cell]) -> None:
        meanings = {block.channels: block.name for cell in cells for block in cell.entries if block.channels}
        if len(meanings) > 1 and self.cursor.get("channels"):
            told = "; ".join(f"{name}: {meaning}" for meaning, name in meanings.items())
            message = f"`channels` means different things in this table ({cut(told, 160)})"
            self.faults.record("W303", message, self.cursor.child("channels").key_span)

    def _stage(self, number: int, blocks: Cell, generated: Mapping[str, list[Term]]) -> Stage:
        named = _once(blocks.entries)
        self.faults.work.spend(DEFINING, sum(len(block.params) for block in named) // ENTRIES, blocks.span)
        params = {name: term for block in reversed(named) for name, term in block.params.items()}
        column = self.cursor.get("count") or self.cursor.get("block")
        if column and isinstance(column.value, list) and number < len(column.value):
            column = column.child(number)
        cells: dict[str, Cell] = {}
        for key in self.cursor.value:
            cursor = self._entry(key, number)
            if cursor is None or key in ("block", "quantized_linear"):
                continue
            if key in COLUMNS or key in params:
                cells[key] = self._cell(key, cursor, params.get(key))
            elif key in self.declared and isinstance(self.cursor.value[key], list) and blocks.entries:
                names = first_of(dict.fromkeys(block.name for block in blocks.entries))
                message = f"stage {number + 1} sets `{cut(key)}`, but its block `{names}` has no such parameter"
                help = "write `null` for the stages without it"
                self.faults.record("E301", message, cursor.span, help=help)
        for key, terms in generated.items():
            cells[key] = Cell((terms[number],), False, terms[number].span)
        for key in ("count", "channels"):
            if key not in cells and key not in self.meant | self.generated and self._needs(key, blocks):
                self._missing(key, number)
        return Stage(number, blocks, cells, column.span if column else self.cursor.span)

    def _needs(self, key: str, blocks: Cell) -> bool:
        """Whether a stage with these blocks needs the column. For an unknown block the answer is no."""
        if key == "count" or any(key in block.reads for block in blocks.entries):
            return True
        return not blocks.entries and not self.unknown_block

    def _missing(self, key: str, number: int) -> None:
        """The fault of a missing column, or of a column without a value for stage ``number``."""
        column = self.cursor.get(key)
        if column is None:
            message = f"`{key}` is missing from the stage table"
            self.faults.record("E203", message, self.cursor.key_span, help=f"write a column `{key}`")
        elif number < len(column.value):
            message = f"`{key}` is missing from stage {number + 1}"
            self.faults.record("E203", message, column.child(number).span)

    def _cell(self, key: str, cursor: Cursor, default: Term | None) -> Cell:
        kind = parameter_kind(default) if default else ""
        found = self._read.get((cursor.path, kind))
        if found is None:
            by_block = isinstance(cursor.value, list) and key not in (*SEQUENCES, "count", "name")
            items = cursor.children() if by_block else (cursor,)
            entries = tuple(self._cell_entry(key, item, kind) for item in items)
            found = self._read[cursor.path, kind] = Cell(entries, by_block, cursor.span)
        return found

    def _cell_entry(self, key: str, cursor: Cursor, kind: str) -> Any:
        if cursor.value is None:
            return None
        if key in SEQUENCES:
            return read_sequence(cursor, self.edges)
        if key in SETTINGS:
            return self.scope.setting(cursor, key, self.late)
        if key == "name":
            return self._name(cursor)
        if kind:
            return self.late.term(cursor, kind)
        return self.early.term(cursor, "number")

    def _name(self, cursor: Cursor) -> Template | None:
        if not isinstance(cursor.value, str):
            self.faults.record("E202", "a stage's `name` must be text", cursor.span, help="put quotes around it")
            return None
        return read_template(cursor, self.faults)


def _once(blocks: Iterable[Block]) -> list[Block]:
    return list({id(block): block for block in blocks}.values())  # a cell may name one block thousands of times


def _some_not_one(value: Any) -> bool:
    """Whether any cell asks for something else than 1."""
    return any(map(_some_not_one, value)) if isinstance(value, list) else value not in (1, None)
