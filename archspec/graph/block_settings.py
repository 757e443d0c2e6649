"""What the stage table and the settings say for one block: the setting in force, and the values of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial

from archspec.diagnostics import Diagnostic, Label, SpecError, cut, did_you_mean
from archspec.graph.environment import Environment, Written
from archspec.graph.graph import Node
from archspec.graph.lookahead import may_have_layer
from archspec.graph.parameters import bind
from archspec.graph.provenance import Site, TableCell
from archspec.language.expressions.values import Value
from archspec.language.spec import ACTIVATION_ORDERS, Block, Sequence, Setting, Spec, Stage, Step, Term
from archspec.language.templates import Template

PER_BLOCK = frozenset({"index", "number"})
"""Names that differ from block to block: a stride that reads one of them is meant for every block."""


@dataclass(frozen=True)
class StagePlan:
    """A stage, and what is known of it before any of its blocks is lowered.

    ``count`` is how many blocks it has, ``first`` the number of the first, and ``values`` those of the names that are
    the same in all of them. ``places`` are where blocks are lowered from.
    """

    stage: Stage
    count: int
    first: int
    root: Environment
    values: Mapping[str, Value]
    places: dict[int, Site] = field(default_factory=dict)

    @property
    def around(self) -> Sequence | None:
        """The steps around its blocks, if it has any."""
        cell = self.stage.cells.get("around")
        return cell.at(0) if cell else None

    @cached_property
    def by_block(self) -> bool:
        """Whether a cell has a value for each block."""
        return self.stage.blocks.by_block or any(cell.by_block for cell in self.stage.cells.values())

    def at(self, index: int) -> dict[str, Value]:
        """The values of the names at block ``index``, from 0."""
        return {**self.values, "index": index, "number": self.first + index}

    def place(self, index: int) -> Site:
        """Where block ``index`` is lowered from: all after the first share a place, unless cells are by block."""
        key = index if self.by_block else min(index, 1)
        found = self.places.get(key)
        if found is None:
            found = self.places[key] = Site(partial(table_cell, self.stage, index), ("block",))
        return found


def table_cell(stage: Stage, index: int, name: str, beside: bool = False) -> TableCell | None:
    """The cell that gives ``name`` its value in block ``index`` of a stage; None where no cell does.

    ``beside``: in the steps before, after or around the blocks.
    """
    block: Block = stage.blocks.at(index)
    cell = stage.blocks if name == "block" else stage.cells.get(name)
    if cell is None or name in block.fixed:
        return None
    entry: Block | Sequence | Setting | Template | Term | None = cell.at(index)
    if entry is None or (name == "stride" and isinstance(entry, Term) and _only_first(stage, entry, index, beside)):
        return None
    written = cell if isinstance(entry, Block) else entry.term if isinstance(entry, Setting) else entry
    return TableCell(stage.number + 1, name, written.span)


SIZES = ("channels", "stride", "dilation")


OF_STEPS = "post"
"""The activation order of the steps around blocks."""


def starts(around: Sequence) -> bool:
    """Whether the steps around blocks have a step before them."""
    return _first_kind(around.steps) != "blocks"


def ends(around: Sequence) -> bool:
    """Whether the steps around blocks have a step after them."""
    return _first_kind(around.steps[::-1]) != "blocks"


def _first_kind(steps: tuple[Step, ...]) -> str:
    """What the first of some steps is that does more than name a value."""
    return next((step.kind for step in steps if step.kind != "naming"), "")


def _only_first(stage: Stage, term: Term, index: int, beside: bool) -> bool:
    """Whether a stride is not for block ``index``: written once for a stage, it is the stride of the first block.

    If a step around the blocks reads it, it is the stride of that step. ``beside``: the steps beside blocks ask.
    """
    cell = stage.cells.get("around")
    around: Sequence | None = cell.at(0) if cell else None
    inner = index > 0 or (around is not None and "stride" in around.reads and not beside)
    return inner and not stage.cells["stride"].by_block and term.names.isdisjoint(PER_BLOCK)


def setting_in_force(spec: Spec, key: str, stage: Stage, block: Block | None, index: int) -> Setting:
    """The stage's setting, else the spec's, else the block's, else the language's own.

    What a block fixes passes the spec's by.

    Raises:
        SpecError: E309, the stage contradicts what the block fixes.
    """
    cell = stage.cells.get(key)
    own: Setting | None = cell.at(index) if cell else None
    fixed = block.fixed.get(key) if block else None
    if block and fixed:
        if own:
            _check_repeats(key, block, own, fixed)
        return fixed
    if own:
        return own
    written = spec.document.value.get(key) is not None
    if not written and block and key in block.settings:
        return block.settings[key]
    return spec.settings[key]


def _check_repeats(key: str, block: Block, own: Setting, fixed: Setting) -> None:
    """Refuse a stage's setting that is not written as the block's fixed one, in its word or in an argument."""
    parts: list[tuple[str, Term, Term | None]] = [(f"`{key}`", own.term, fixed.term)]
    parts += [(f"`{name}` of `{key}`", term, fixed.arguments.get(name)) for name, term in own.arguments.items()]
    for what, term, other in parts:
        if other is not None and (term.constant, term.expression) == (other.constant, other.expression):
            continue
        if other is None:
            what, other, to = f"`{key}`", fixed.term, ""
        else:
            to = f" to `{cut(other.expression.text if other.expression else other.constant)}`"
        labels = (Label(other.span, "fixed here"),)
        message, help = f"the block `{block.name}` fixes {what}{to}", "leave the stage's setting out"
        raise SpecError([Diagnostic("E309", message, term.span, labels=labels, help=help)])


def order_in_force(spec: Spec, stage: Stage, block: Block, index: int, env: Environment) -> str:
    """The activation order of a block, by its word."""
    setting = setting_in_force(spec, "activation_order", stage, block, index)
    word = env.value(setting.term)
    if isinstance(word, str) and word in ACTIVATION_ORDERS:
        return word
    words = ", ".join(f"`{order}`" for order in ACTIVATION_ORDERS)
    message = f"`activation_order` must be one of {words}, not `{cut(word)}`"
    hint = did_you_mean(str(word), ACTIVATION_ORDERS)
    raise SpecError([Diagnostic("E204", message, setting.term.span, hint)])


def order_before(spec: Spec, plan: StagePlan) -> str:
    """The activation order of a stage's first block, or of the steps before it, before it is known what reaches it."""
    if plan.around and starts(plan.around):
        return OF_STEPS
    return order_in_force(spec, plan.stage, plan.stage.blocks.at(0), 0, _known_before(plan, {}))


def begins_with_layer(plan: StagePlan) -> bool:
    """Whether a layer may be left in a stage's first block, as far as is known before what reaches it."""
    block: Block = plan.stage.blocks.at(0)
    return block.has_layer and may_have_layer(block.steps, _known_before(plan, block.let))


def _known_before(plan: StagePlan, let: Mapping[str, Term]) -> Environment:
    """What is known of the names of a stage's first block before what reaches it."""
    stage, block = plan.stage, plan.stage.blocks.at(0)
    outer = Environment(plan.at(0), stage.span, plan.root)
    inner = Environment(plan.at(0), stage.span, plan.root)
    bind(inner, block.params, given_parameters(stage, block, 0), outer, let, tolerant=True)
    return inner


def given_parameters(stage: Stage, block: Block, index: int) -> dict[str, Term]:
    """The parameters that the stage table gives block ``index`` of a stage."""
    cells = {key: cell.at(index) for key, cell in stage.cells.items() if key in block.params}
    return {key: term for key, term in cells.items() if term is not None}


def block_environment(spec: Spec, plan: StagePlan, index: int, value: Node, *, beside: bool = False) -> Environment:
    """What the cells and settings of block ``index`` of a stage see: its place, then channels, stride and dilation.

    Args:
        value: what reaches the block.
        beside: it is for the steps before, after or around the blocks.
    """
    stage, block = plan.stage, plan.stage.blocks.at(index)
    written: Written = {}
    values = {**plan.at(index), "in_channels": value.shape[0]}
    place = Site(partial(table_cell, stage, index, beside=True), ("block",)) if beside else plan.place(index)
    env = Environment(values, stage.blocks.span, plan.root, place=place, written=written)
    sizes: dict[str, Value] = {}
    for key in SIZES:
        cell = stage.cells.get(key)
        term: Term | None = cell.at(index) if cell else None
        if term is None or (key == "stride" and _only_first(stage, term, index, beside)):
            if key != "channels":
                sizes[key] = 1
            continue
        written[key] = (term, None)
        sizes[key] = env.width(term) if key == "channels" and spec.scale else env.whole(term)
    values.update(sizes)
    for key in ("norm", "act", "activation_order"):
        setting = setting_in_force(spec, key, stage, block, index)
        own = setting is block.settings.get(key) or setting is block.fixed.get(key)
        if not (own and _reads_parameters(setting, block)):
            values[key] = env.value(setting.term)
            if setting.term.span != plan.root.span:  # else it is the language's own
                note_places(written, setting, key)
    return env


def note_places(written: Written, setting: Setting, key: str) -> None:
    """Note the word of a setting and its arguments, by names such as ``norm`` and ``norm.groups``."""
    written[key] = (setting.term, None)
    for name, term in setting.arguments.items():
        written[f"{key}.{name}"] = (term, None)


def _reads_parameters(setting: Setting, block: Block) -> bool:
    """Whether a setting of the block's own depends on its parameters, which are not known before it is entered."""
    return not setting.term.reads.isdisjoint({*block.params, *block.let})
