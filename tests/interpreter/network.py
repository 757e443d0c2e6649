"""A spec as a network: the stem, the stages with their blocks and shortcuts, the head, the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.interpreter.expressions import Names, anything, integer, number, scaled_width, template, word
from tests.interpreter.names import Naming, Scope, above
from tests.interpreter.operations import merge
from tests.interpreter.plan import INPUT, Network, Node, Plan
from tests.interpreter.reading import File, Refused, read
from tests.interpreter.steps import (
    AFTER,
    LAYERS,
    PLAIN,
    STEM,
    Sequence,
    Settings,
    Site,
    act_setting,
    argument,
    called,
    emptied,
    holds_layer,
    laid_out,
    left,
    norm_setting,
    times_of_blocks,
    to_last_convolution,
)
from tests.interpreter.table import Stage, Table, table

DEFAULTS = {"shortcut": "projection", "activation_order": "post", "norm": "batch", "act": "relu", "drop_path": 0}
COLUMNS = {
    "block",
    "count",
    "channels",
    "stride",
    "dilation",
    "before",
    "after",
    "around",
    "name",
    "quantized_linear",
    *DEFAULTS,
}


def interpret(text: str, folder: Path | None = None, name: str | None = None) -> Network:
    """The network of a spec. Raises ``Refused`` for a spec that the language does not allow."""
    try:
        return Interpreter(*read(text, folder, name)).network()
    except (LookupError, TypeError, AttributeError, ArithmeticError, ValueError) as error:
        raise Refused(f"{type(error).__name__}: {error}") from error


def steps_outside(stage: Stage, side: int) -> bool:
    """Whether a stage has steps around its blocks that come before them (``side`` 1) or after them (-1)."""
    around = stage.cells.get("around")
    if not isinstance(around, list):
        return around is not None
    words = [step if isinstance(step, str) else next(iter(step)) for step in around]
    return next((word for word in words[::side] if word not in ("as", "from")), "blocks") != "blocks"


class Interpreter:
    """One spec on its way to a network."""

    def __init__(self, document: dict[str, Any], file: File) -> None:
        self.document, self.file = document, file
        scale, empty = document.get("scale"), Names({}, round)
        params = {
            key: anything(value, empty) for key, value in (document.get("params") or {}).items() if value is not None
        }
        base = Names(params, round)
        if scale is not None:
            width = number(scale.get("width") or 1, base)
            divisor = integer(scale.get("divisor") or 8, base)
            base.scaled = lambda value: scaled_width(value, width, divisor)
        self.base = base.with_(classes=integer(document.get("classes", 1000), base))
        self.scale = scale
        self.naming = Naming(document.get("naming"))
        self.plan = Plan.of(integer(size, self.base) for size in document.get("input", [3, 224, 224]))
        self.table: Table = table(document["stages"], self.base, scale)
        self.backbone = Scope()
        self.training: tuple[int, ...] = ()
        self.results: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.kept: dict[str, int] = {}
        self.shares: dict[str, list[Node]] = {}
        self.unshared: set[str] = set()

    def network(self) -> Network:
        """The whole network."""
        self.backbone = self.naming.scope(Scope(), "backbone", self.base)
        self.kept["input"] = INPUT
        first, last = self.table.stages[0], self.table.stages[-1]
        order = "post" if steps_outside(first, 1) else self._order(first, 0)
        value = self._edge("stem", "imagenet", order, INPUT)
        self.ends["stem"] = value
        self._complete("stem", value)
        for stage in self.table.stages:
            value = self._stage(stage, value)
        order = "post" if steps_outside(last, -1) else self._order(last, last.count - 1)
        heads, end = self.document.get("heads") or {}, value
        for name, written in heads.items():
            if written is not None:
                if name in {"head", *self.kept}:
                    raise Refused(f"`{name}` is another part")
                self.ends[name] = self.kept[name] = self._edge(name, written, order, end)
        if not any(each is not None for each in heads.values()) or self.document.get("head") is not None:
            self.ends["head"] = self._edge("head", "classifier", order, end)
        names = [node.name for node in self.plan.nodes]
        if len(set(names)) < len(names):
            raise Refused("two nodes have the same name")
        if twice := set(names) & self.naming.scopes.union(*map(above, names)):
            raise Refused(f"{twice} are a node and a scope")
        outputs, scopes = self._outputs(), self._scopes()
        return Network(self.plan, outputs, self._frozen(scopes), scopes, self.file.unused(), self.training)

    def _frozen(self, scopes: Mapping[str, int]) -> tuple[str, ...]:
        written = self.document.get("frozen") or ()
        frozen = (written,) if isinstance(written, str) else tuple(written)
        if missing := [name for name in frozen if name not in scopes]:
            raise Refused(f"there is no {missing}")
        return frozen

    def _outputs(self) -> dict[str, int] | tuple[int, ...] | int:
        wanted = self.document.get("outputs")
        heads = {name: end for name, end in self.ends.items() if name != "stem"}
        wanted, self.training = _without_training(wanted)
        if wanted is None and not self.document.get("heads"):
            return heads["head"]
        known, ends = self._scopes(), {name: end for name, end in self.ends.items() if end != INPUT}
        names = {name: name for name in ([wanted] if isinstance(wanted, str) else wanted or heads)}
        names = {key: name for key, name in wanted.items() if name is not None} if isinstance(wanted, dict) else names
        for name in set(names.values()) & ends.keys() & known.keys():
            if known[name] != ends[name]:
                raise Refused(f"`{name}` has two meanings")
        known = {**known, **heads} if wanted is None else {**ends, **known}
        missing = [name for name in names.values() if name not in known]
        if missing:
            raise Refused(f"there is no {missing}")
        if isinstance(wanted, str):
            return known[wanted]
        found = {key: known[name] for key, name in names.items()}
        return tuple(found.values()) if self.document.get("returns") == "tuple" else found

    def _scopes(self) -> dict[str, int]:
        """The last node of every scope, and every node."""
        found = dict(self.results)
        for place in self.plan.order:
            scope = self.plan.nodes[place].name
            while scope:
                found[scope] = place
                scope = scope.rpartition(".")[0]
        return found

    # -- stem and head -------------------------------------------------------------------------------------------------

    def _edge(self, part: str, default: str, order: str, value: int) -> int:
        names = self.base.with_(in_channels=self.plan.shape(value)[0])
        settings = Settings(
            norm_setting(self.document.get("norm", "batch"), names),
            act_setting(self.document.get("act", "relu"), names),
            order,
        )
        names = names.with_(**settings.words)
        kind = part if part in ("stem", "head") else "heads"
        around = self.backbone if kind == "stem" else Scope()
        scope = self.naming.scope(around, kind, names, called=part)
        site = Site(scope, names, settings, self.file, self.kept, shares=self.shares, unshared=self.unshared)
        last = STEM.get(order, PLAIN) if kind == "stem" and self._layered() else PLAIN
        make = Sequence(self.plan, self.naming, self.base, last=last)
        written = self.document["heads"][part] if kind == "heads" else self.document.get(kind, default)
        if kind == "stem" and self.naming.templates["deep"]:
            self.naming.deepen(site.scope, names, to_last_convolution(make, written, site, value))
        return laid_out(make, written, site, value)

    def _layered(self) -> bool:
        """Whether the first block may contain a layer, as far as is known before what reaches it."""
        stage = self.table.stages[0]
        definition, file = self._definition(stage, 0, self.base)
        place = self._place(stage, 0)
        known, given = dict(place.values), self._params(stage, 0, definition)
        for key, default in (definition.get("params") or {}).items():
            try:
                outside = given.get(key) is not None
                known[key] = argument(given[key], default, place) if outside else anything(default, Names(known, round))
            except Refused:
                known.pop(key, None)
        names = Names(known, place.scaled, definition.get("let"))
        return holds_layer(definition.get("residual", definition.get("steps")), file, names)

    # -- settings ------------------------------------------------------------------------------------------------------

    def _definition(self, stage: Stage, index: int, names: Names) -> tuple[Mapping[str, Any], File]:
        name = word(stage.cell("block", index), names, self.file.names("blocks"))
        found = self.file.find("blocks", name)
        if found is None:
            raise Refused(f"there is no block `{name}`")
        return found

    def _setting(self, key: str, stage: Stage, index: int, definition: Mapping[str, Any]) -> tuple[Any, bool]:
        """What a setting says for a block, and whether the block's definition says it."""
        fixed = (definition.get("fixed") or {}).get(key)
        cell = stage.cell(key, index)
        if fixed is not None:
            if cell is not None and cell != fixed:
                raise Refused(f"the block fixes `{key}`")
            return fixed, True
        if cell is not None:
            return cell, False
        if self.document.get(key) is not None:
            return self.document[key], False
        if definition.get(key) is not None:
            return definition[key], True
        return DEFAULTS[key], False

    def _place(self, stage: Stage, index: int) -> Names:
        return self.base.with_(
            stage=stage.stage,
            stages=len(self.table.stages),
            count=stage.count,
            blocks=self.table.blocks,
            index=index,
            number=stage.first_number + index,
        )

    def _order(self, stage: Stage, index: int) -> str:
        """The activation order of a block, as far as it can be known before the block."""
        names = self._place(stage, index)
        definition, _ = self._definition(stage, index, names)
        return word(self._setting("activation_order", stage, index, definition)[0], names)

    def _cells(self, stage: Stage, index: int, value: int, beside: bool = False) -> Names:
        """The names of a block that a cell can read, without the settings."""
        names = self._place(stage, index).with_(in_channels=self.plan.shape(value)[0])
        own: dict[str, Any] = {"stride": stage.stride(index, names, beside)}
        dilation, channels = stage.cell("dilation", index), stage.cell("channels", index)
        own["dilation"] = 1 if dilation is None else integer(dilation, names)
        if channels is not None:
            own["channels"] = integer(channels, names)
            if self.scale is not None:
                own["channels"] = integer(self.base.scaled(own["channels"]), names)
        if min(own.values()) < 1:
            raise Refused("channels, stride and dilation must be at least 1")
        return names.with_(**own)

    def _settings(
        self, stage: Stage, index: int, cells: Names, inside: Names, definition: Mapping[str, Any]
    ) -> Settings:
        found = {}
        for key in ("activation_order", "norm", "act"):
            written, own = self._setting(key, stage, index, definition)
            found[key] = (written, inside if own else cells)
        return Settings(norm_setting(*found["norm"]), act_setting(*found["act"]), word(*found["activation_order"]))

    def _complete(self, part: str, value: int) -> None:
        """The result of the stem or of a stage, which no value may be called like."""
        if part in self.kept and part not in self.results:
            raise Refused(f"a value is called `{part}`, as that part")
        self.kept[part] = value

    # -- stages --------------------------------------------------------------------------------------------------------

    def _stage(self, stage: Stage, value: int) -> int:
        value = self._beside("before", stage, 0, value)
        names = self._place(stage, 0)
        own = stage.cells.get("name")
        if own is None:
            scope = self.naming.scope(self.backbone, "stage", names)
        else:
            scope = self.naming.scope(self.backbone, "stage", names, template(own, names))

        made: list[int] = []

        def blocks(scope: Scope, value: int) -> list[int]:
            results = [value]
            for index in range(stage.count):
                results.append(self._block(stage, index, scope, results[-1]))
            made.extend(results[1:])
            return results[1:]

        before = set(self.results)
        if stage.cells.get("around") is None:
            value = blocks(scope, value)[-1]
        else:
            if times_of_blocks(stage.cells["around"], self.file) != 1:
                raise Refused("an `around` has its blocks once")
            value = self._beside("around", stage, 0, value, scope, blocks)
            if not made:
                raise Refused("the blocks are left out")
        self.kept |= {path: end for path, end in self.results.items() if path not in before}
        self._complete(scope.path, value)
        self.results[scope.path] = value
        return self._beside("after", stage, stage.count - 1, value)

    def _beside(
        self,
        kind: str,
        stage: Stage,
        index: int,
        value: int,
        scope: Scope | None = None,
        blocks: Callable[[Scope, int], list[int]] | None = None,
    ) -> int:
        """The steps before or after a stage, or in its scope around its blocks."""
        written = stage.cells.get(kind)
        if written is None:
            return value
        cells = self._cells(stage, index, value, beside=True)
        definition, _ = self._definition(stage, index, cells)
        names = cells.with_(**self._settings(stage, index, cells, cells, definition).words)
        settings = self._settings(stage, index, cells, cells, {})
        scope = scope or self.naming.scope(self.backbone, kind, names)
        names = names.with_(norm=settings.words["norm"], act=settings.words["act"])
        kept = {} if blocks else self.kept
        more = {} if blocks else {"shares": self.shares, "unshared": self.unshared}
        site = Site(scope, names, settings, self.file, kept, blocks=blocks, **more)
        return Sequence(self.plan, self.naming, self.base).written(written, site, value)

    # -- blocks --------------------------------------------------------------------------------------------------------

    def _block(self, stage: Stage, index: int, stage_scope: Scope, value: int) -> int:
        cells = self._cells(stage, index, value)
        definition, file = self._definition(stage, index, cells)
        settings = self._settings(stage, index, cells, cells, definition)
        cells = cells.with_(**settings.words)
        names = called(definition, self._params(stage, index, definition), cells, cells)
        settings = self._settings(stage, index, cells, names, definition)
        site = Site(self.naming.scope(stage_scope, "block", names), names, settings, file)
        if "steps" in definition:
            parts = LAYERS[settings.order][0]
            made = Sequence(self.plan, self.naming, self.base, parts, parts)
            found = laid_out(made, definition["steps"], site, value)
        else:
            found = self._residual(stage, index, cells, definition, site, value)
        self.results[site.scope.path] = found
        return found

    def _params(self, stage: Stage, index: int, definition: Mapping[str, Any]) -> dict[str, Any]:
        """What the table gives to the parameters of a block."""
        declared = definition.get("params") or {}
        given = {key: stage.cell(key, index) for key in declared}
        if stage.group_width is not None and "group_width" in declared:
            given["group_width"] = stage.group_width
        for key, value in stage.cells.items():
            several = isinstance((self.document["stages"]).get(key), list)
            if key not in COLUMNS and key not in declared and value is not None and several:
                raise Refused(f"the block has no parameter `{key}`")
        return given

    def _residual(
        self, stage: Stage, index: int, cells: Names, definition: Mapping[str, Any], site: Site, value: int
    ) -> int:
        """A residual merged with its shortcut, and what follows the merge."""
        scope, names, start = site.scope, site.names, len(self.plan.order)
        inside = Site(self.naming.scope(scope, "residual", names), names, site.settings, site.file)
        make = Sequence(self.plan, self.naming, self.base, *LAYERS[site.settings.order])
        found = laid_out(make, definition["residual"], inside, value)
        kind = definition.get("merge", "add")
        middle = len(self.plan.order)
        beside = self._shortcut(stage, index, cells, definition, site, value, found, make.first)
        if definition.get("first") == "shortcut":
            order = self.plan.order
            reads = {value for number in order[middle:] for value in self.plan.nodes[number].inputs}
            if make.first in reads and make.first in order[start:middle]:
                start = order.index(make.first) + 1
            order[start:] = order[middle:] + order[start:middle]
        if beside is not None:
            if emptied(definition["residual"], names):
                raise Refused("every step of the residual is left out")
            written, own = self._setting("drop_path", stage, index, definition)
            p = number(written, names if own else cells)
            if p != 0:
                found = make.operation("drop_path", {"p": p}, None, site, found)
            found = self._merged(kind, [beside, found], site)
        for part in AFTER.get(site.settings.order, ()):
            found = make.after(part, site, found)
        return found

    def _merged(self, kind: str, inputs: list[int], site: Site) -> int:
        made = merge(kind, [self.plan.values[each] for each in inputs])
        return self.plan.add(self.naming.node(site.scope, kind, kind, site.names, None), made, inputs)

    def _shortcut(
        self,
        stage: Stage,
        index: int,
        cells: Names,
        definition: Mapping[str, Any],
        site: Site,
        value: int,
        residual: int,
        activated: int | None,
    ) -> int | None:
        """The value beside a residual, or None without a shortcut."""
        written, own = self._setting("shortcut", stage, index, definition)
        places = site.file if own else self.file
        name = word(written, site.names if own else cells, places.names("shortcuts"))
        found = places.find("shortcuts", name)
        if found is None:
            raise Refused(f"there is no shortcut `{name}`")
        shortcut, file = found
        before, after = self.plan.shape(value), self.plan.shape(residual)
        same = before[1:] == after[1:] if definition.get("merge") == "concat" else before == after
        steps = shortcut.get("same" if same else "change")
        if steps is None:
            raise Refused(f"`{name}` does not say what to do")
        if steps == "none":
            return None
        params = {key: site.names[key] for key in definition.get("params") or () if key != "width"}
        names = cells.with_(**{**params, "out_channels": after[0]})
        if isinstance(steps, list) and not any(left(step, names) for step in steps):
            return value
        scope = self.naming.scope(site.scope, "shortcut", names)
        pre = site.settings.order in ("pre", "act-only-pre")
        start = activated if pre and activated is not None else value
        make = Sequence(self.plan, self.naming, self.base)
        reached = make.written(steps, Site(scope, names, site.settings, file), start)
        return value if reached == start else reached


def _without_training(wanted: Any) -> tuple[Any, tuple[int, ...]]:
    """The outputs with names alone, and the positions of those that are returned in training only."""
    if not isinstance(wanted, dict | list):
        return wanted, ()
    items = list(wanted.values() if isinstance(wanted, dict) else wanted)
    only = tuple([place for place, item in enumerate(items) if isinstance(item, dict)])
    if len(only) == len(items):
        raise Refused("nothing is returned in eval mode")
    names = [item["training"] if isinstance(item, dict) else item for item in items]
    return (dict(zip(wanted, names, strict=True)) if isinstance(wanted, dict) else names), only
