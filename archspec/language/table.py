"""The stage table: columns to stages, each cell read by what its column means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.diagnostics import Advice, Faults, Label, cut
from archspec.language.calls import parameter_kind
from archspec.language.cells import once, some_not_one, words_of
from archspec.language.context import Context
from archspec.language.definitions import BLOCK_NAMES, STAGE_NAMES, TABLE_NAMES, DefinitionScope
from archspec.language.expressions.closures import ScaleWidth
from archspec.language.expressions.values import ExpressionFault, Value, word
from archspec.language.generated import generated_columns
from archspec.language.lengths import GENERATED, SEQUENCES, generated_length, is_own, table_length
from archspec.language.readable import readable
from archspec.language.sequences import read_around, read_sequence
from archspec.language.spec import SETTINGS, WORD, Block, Cell, Stage, Term
from archspec.language.templates import Template
from archspec.language.terms import Cursor, expression_fault, read_expression, read_template
from archspec.language.text.document import Path
from archspec.language.unknown_steps import blocks_with
from archspec.wording import first_of, listed
from archspec.work import DEFINING, ENTRIES

NUMBERS = ("count", "channels", "stride", "dilation")
MAX_TOLD = 8
"""How many stages a message lists."""
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
        self.unknown: dict[str, Advice] = {}
        self.unknown_block = False
        self.missing: dict[str, list[int]] = {}
        self._read: dict[tuple[Path, str], Cell] = {}  # a value that is written for all stages is read once
        self.edges = Context(scope, STAGE_NAMES | BLOCK_NAMES | frozenset(params), faults)

    def read(self) -> tuple[Stage, ...]:
        """The stages in order; faulty cells are left out, with their faults collected."""
        columns = self.cursor.value
        work = self.faults.work
        self.unknown = self._unknown_columns()
        self.meant = frozenset([advice.meant for advice in self.unknown.values()])
        self.generated, generated = generated_columns(self.cursor, self.params, self.scale, self.faults)
        self.generated |= GENERATED if "quantized_linear" in self.meant else frozenset()
        if generated:
            length = generated_length(self.cursor, len(generated["count"]), self.unknown, self.faults)
        else:
            found = table_length(self.cursor, self.unknown, self.faults)
            length = found if found is not None else 1 if columns else 0
        work.spend(DEFINING, (4 + len(columns)) * length, self.cursor.key_span)
        blocks = [self._blocks(number, length) for number in range(length)]
        named = once(block for cell in blocks for block in cell.entries)
        self._check_keys(named)
        self._check_meanings(blocks)
        stages = tuple(self._stage(number, blocks[number], generated) for number in range(length))
        self._check_read(named)
        for key, numbers in self.missing.items():
            self._report_missing(key, numbers)
        return stages

    def _unknown_columns(self) -> dict[str, Advice]:
        """The columns that no block has as a parameter, each with what it may mean."""
        names = list(words_of(self.cursor.value.get("block")))
        self.faults.work.spend(DEFINING, 1 + len(names) // ENTRIES, self.cursor.key_span)
        named = {self.params.get(name, name) for name in dict.fromkeys(names)}
        blocks = [self.scope.block(name) if isinstance(name, str) else None for name in named]
        self.declared = frozenset(name for block in blocks if block for name in block.params)
        unknown = [key for key in self.cursor.value if key not in COLUMNS and key not in self.declared]
        words = (*COLUMNS, *sorted(self.declared))
        advice = {key: self.faults.advise(key, words, "stages") for key in unknown}
        column = self.cursor.value.get("block")
        lacking = isinstance(column, list) and None in column
        self.unknown_block = None in blocks or lacking or any(each.meant == "block" for each in advice.values())
        if unknown and (self.unknown_block or column is None):  # they may be parameters of the block that was meant
            known = self._known()
            advice = {key: each for key, each in advice.items() if each.meant and key not in known}
        if "quantized_linear" in self.cursor.value:
            advice.pop("group_width", None)
        return advice

    def _entry(self, key: str, number: int) -> Cursor | None:
        """The cell of column ``key`` for stage ``number``; None where nothing is set."""
        column = self.cursor.get(key)
        if column is None:
            return None
        if not isinstance(column.value, list):
            return column
        return column.child(number) if number < len(column.value) and column.value[number] is not None else None

    def _blocks(self, number: int, length: int) -> Cell:
        """The block, or the blocks, that stage ``number`` of so many names."""
        cursor = self._entry("block", number)
        if cursor is None:
            if "block" not in self.meant:
                self.missing.setdefault("block", []).append(number)
            return Cell((), False, self.cursor.span)
        by_block = isinstance(cursor.value, list)
        place: dict[str, Value] = {"stage": number + 1, "stages": length}
        items = cursor.children() if by_block else (cursor,)
        found = [block for item in items if (block := self._block(item, place))]
        return Cell(tuple(found), by_block, cursor.span)

    def _block(self, cursor: Cursor, place: Mapping[str, Value]) -> Block | None:
        """The block that a cell names: by its name, by a parameter, or by an expression that reads ``place`` too."""
        name = self.params.get(cursor.value, cursor.value) if isinstance(cursor.value, str) else cursor.value
        if isinstance(name, str) and not WORD.fullmatch(name) and name is cursor.value:
            name = self._evaluated(cursor, {**self.params, **place})
            if name is None:
                self.unknown_block = True
                return None
        block = self.scope.block(name) if isinstance(name, str) else None
        if block is None:
            names = list(self.scope.visible("blocks"))
            found = self.faults.advise(str(name), names, "blocks")
            help = found.help or f"available: {first_of(names)}"
            self.faults.record("E302", f"no block is called `{cut(name)}`", cursor.span, found.hint, help=help)
        return block

    def _evaluated(self, cursor: Cursor, values: Mapping[str, Value]) -> str | None:
        """The word that an expression gives; None, with a fault, if it gives none."""
        expression = read_expression(str(cursor.value), cursor.span, self.faults)
        if expression is None:
            return None
        self.faults.work.spend(DEFINING, expression.cost + len(values) // ENTRIES, cursor.span)
        try:
            return word(expression.evaluate(values, self.scale))
        except ExpressionFault as fault:
            known = fault.name in expression.names
            names = readable(fault.name, values, words=self.scope.visible("blocks")) if known else ""
            help = f"{names}; for each block, write a list: `[[a, b]]`" if known else ""
            self.faults.add(expression_fault(fault, str(cursor.value), cursor.span, help=help))
            return None

    def _known(self) -> set[str]:
        """The parameters of all blocks. The misspelled block may be any of them."""
        blocks = map(self.scope.block, self.scope.visible("blocks"))
        return {key for block in blocks if block for key in block.params}

    def _check_keys(self, blocks: list[Block]) -> None:
        """Report each column that is not known, and those that no block reads."""
        has = (
            f"the parameters are {first_of(sorted(self.declared))}"
            if self.declared
            else "its blocks have no parameters"
        )
        below = [key for key in self.unknown if self._is_below_the_block(key)]
        if below:
            self._report_below(below)
        for key, advice in self.unknown.items():
            if key not in below:
                message = f"no block in this table has a parameter `{cut(key)}`"
                elsewhere = blocks_with(key, self.scope)
                help = advice.help or ("" if advice.meant or self.unknown_block else f"{has}{elsewhere}")
                self.faults.record("E301", message, self.cursor.child(key).key_span, advice.hint, help=help)

    def _check_read(self, blocks: list[Block]) -> None:
        """Warn of a stride or dilation that neither a block nor the steps beside blocks read."""
        for key in ("stride", "dilation"):
            column, read = self.cursor.get(key), key in self.edges.read or any(key in each.reads for each in blocks)
            if column and blocks and not read and some_not_one(column.value):
                self.faults.record("W301", f"no block in this table reads `{key}`", column.key_span)

    def _is_below_the_block(self, key: str) -> bool:
        """Whether a column is inherited, but not the blocks: they were written over those that have the parameter."""
        if "block" not in self.cursor.value or not is_own(self.cursor, "block"):
            return False
        return self.cursor.child(key).span.source is not self.cursor.child("block").span.source and (
            not is_own(self.cursor, key) or self.cursor.child("block").span.source.kind == "override"
        )

    def _report_below(self, keys: list[str]) -> None:
        """The fault of blocks that do not have the parameters that inherited columns set."""
        one = len(keys) == 1
        told = f"{'a parameter' if one else 'the parameters'} {listed([f'`{cut(key)}`' for key in keys[:MAX_TOLD]])}"
        of_spec = is_own(self.cursor, keys[0])
        message = f"no block in this table has {told}, which the {'spec' if of_spec else 'base spec'} sets"
        labels = tuple([Label(self.cursor.child(key).key_span, "set here") for key in keys[:MAX_TOLD]])
        nulls = ", ".join([f"`{cut(key)}: null`" for key in keys[:MAX_TOLD]])
        help = f"choose a block that has {'it' if one else 'them'}, or write {nulls} in a table by column"
        self.faults.record("E301", message, self.cursor.child("block").span, labels=labels, help=help)

    def _check_meanings(self, cells: list[Cell]) -> None:
        meanings = {block.channels: block.name for cell in cells for block in cell.entries if block.channels}
        if len(meanings) > 1 and self.cursor.get("channels"):
            told = "; ".join(f"{name}: {meaning}" for meaning, name in meanings.items())
            message = f"`channels` means different things in this table ({cut(told, 160)})"
            self.faults.record("W303", message, self.cursor.child("channels").key_span)

    def _stage(self, number: int, blocks: Cell, generated: Mapping[str, list[Term]]) -> Stage:
        named = once(blocks.entries)
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
                self.missing.setdefault(key, []).append(number)
        return Stage(number, blocks, cells, column.span if column else self.cursor.span)

    def _needs(self, key: str, blocks: Cell) -> bool:
        """Whether a stage with these blocks needs the column. For an unknown block the answer is no."""
        if key == "count" or any(key in block.reads for block in blocks.entries):
            return True
        return not blocks.entries and not self.unknown_block

    def _report_missing(self, key: str, numbers: list[int]) -> None:
        """The fault of a missing column, or of a column without a value for some stages, by number from 0."""
        column = self.cursor.get(key)
        if column is None:
            message = f"`{key}` is missing from the stage table"
            self.faults.record("E203", message, self.cursor.key_span, help=f"write a column `{key}`")
            return
        short = [number for number in numbers if number < len(column.value)]
        if short:
            told = listed([str(number + 1) for number in short[:MAX_TOLD]])
            message = f"`{key}` is missing from stage{'s' if len(short) > 1 else ''} {told}"
            more = f" and {len(short) - MAX_TOLD} more" if len(short) > MAX_TOLD else ""
            inherits = self.cursor.document.value.get("extends") is not None
            help = "in a table by row, a column must be in every row, even if the base spec has it" if inherits else ""
            self.faults.record("E203", message + more, column.child(short[0]).span, help=help)

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
            return (read_around if key == "around" else read_sequence)(cursor, self.edges)
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
