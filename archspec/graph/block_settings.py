"""What the stage table and the settings say for one block: the setting in force, and the values of its cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from archspec.diagnostics import Diagnostic, Label, SpecError, cut, did_you_mean
from archspec.graph.environment import Environment
from archspec.graph.graph import Node
from archspec.language.expressions.values import Value
from archspec.language.spec import ACTIVATION_ORDERS, Block, Setting, Spec, Stage, Term

PER_BLOCK = frozenset({"index", "number"})
"""Names that differ from block to block: a stride that reads one of them is meant for every block."""


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
        if own and own.term.constant != fixed.term.constant:
            raise _contradicted(key, block, own, fixed)
        return fixed
    if own:
        return own
    written = spec.document.value.get(key) is not None
    if not written and block and key in block.settings:
        return block.settings[key]
    return spec.settings[key]


def _contradicted(key: str, block: Block, own: Setting, fixed: Setting) -> SpecError:
    message = f"the block `{block.name}` fixes `{key}` to `{cut(fixed.term.constant)}`"
    labels = (Label(fixed.term.span, "fixed here"),)
    help = "leave the stage's setting out"
    return SpecError([Diagnostic("E309", message, own.term.span, labels=labels, help=help)])


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


def given_parameters(stage: Stage, block: Block, index: int) -> dict[str, Term]:
    """The parameters that the stage table gives block ``index`` of a stage."""
    cells = {key: cell.at(index) for key, cell in stage.cells.items() if key in block.params}
    return {key: term for key, term in cells.items() if term is not None}


def block_environment(
    spec: Spec, stage: Stage, block: Block, index: int, table: Mapping[str, Value], value: Node
) -> Environment:
    """What the cells and settings of block ``index`` of a stage see: its place, then channels, stride and dilation.

    Args:
        table: the names of the block's place in the network.
        value: what reaches the block.
    """
    values: dict[str, Value] = {**table, "in_channels": value.shape[0]}
    written: dict[str, tuple[Term, Environment | None]] = {}
    env = Environment(values, stage.blocks.span, None, written)
    sizes: dict[str, Value] = {}
    for key in ("channels", "stride", "dilation"):
        cell = stage.cells.get(key)
        term: Term | None = cell.at(index) if cell else None
        first_only = key == "stride" and cell and not cell.by_block and not (term and term.names & PER_BLOCK)
        if term is None or (first_only and index > 0):
            if key != "channels":
                sizes[key] = 1
            continue
        written[key] = (term, None)
        if key == "channels" and spec.scale:
            scaled = cast("Callable[[Value], int]", table["scaled()"])
            sizes[key] = scaled(env.number(term))
        else:
            sizes[key] = env.whole(term)
    values.update(sizes)
    for key in ("norm", "act", "activation_order"):
        setting = setting_in_force(spec, key, stage, block, index)
        if not _reads_parameters(setting, block):
            values[key] = env.value(setting.term)
    return env


def _reads_parameters(setting: Setting, block: Block) -> bool:
    """Whether a setting of the block's own depends on its parameters, which are not known before it is entered."""
    own = setting in (*block.settings.values(), *block.fixed.values())
    word = setting.term.constant
    return own and bool((setting.term.names | {word}) & (block.params.keys() | block.let.keys()))
