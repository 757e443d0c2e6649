"""Sequences and steps: operations, merges, layers with their activation order, fragments."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.interpreter.expressions import Names, anything, evaluate, template, truth, word
from tests.interpreter.names import Naming, Scope
from tests.interpreter.operations import MERGES, OPERATIONS, merge
from tests.interpreter.plan import Node, Plan
from tests.interpreter.reading import File, Refused

LAYERS: dict[str, tuple[str, str]] = {
    "post": ("conv norm act", "conv norm"),
    "norm-after-add": ("conv norm act", "conv"),
    "act-before-add": ("conv norm act", "conv norm act"),
    "act-only-pre": ("act conv norm", "act conv norm"),
    "pre": ("norm act conv", "norm act conv"),
}
"""The parts of each layer, and those of the last layer (He et al. 2016, fig. 4)."""
AFTER = {"post": ("act",), "norm-after-add": ("norm", "act")}
"""What follows the merge."""
STEM = {"pre": "conv", "act-only-pre": "conv norm"}
"""What the last layer of a stem keeps."""
PLAIN = "conv norm act"


@dataclass(frozen=True)
class Settings:
    """The settings in force: the arguments of ``norm`` and of ``act``, or None; and the activation order."""

    norm: Mapping[str, Any] | None
    act: Mapping[str, Any] | None
    order: str

    @property
    def words(self) -> dict[str, str]:
        """The settings as an expression reads them."""
        return {
            "norm": (self.norm or {"type": "none"})["type"],
            "act": (self.act or {"type": "none"})["type"],
            "activation_order": self.order,
        }


def norm_setting(value: Any, names: Names, default: str = "batch") -> Mapping[str, Any] | None:
    """The arguments that a setting ``norm`` gives."""
    if not isinstance(value, dict):
        value = {"type": value}
    kind = word(value.get("type", default), names)
    if kind == "none":
        return None
    rest = {key: item for key, item in value.items() if key != "type" and item is not None}
    return {"type": kind, **{key: anything(item, names) for key, item in rest.items()}}


def act_setting(value: Any, names: Names, default: str = "relu") -> Mapping[str, Any] | None:
    """The arguments that a setting ``act`` gives."""
    return norm_setting(value, names, default)


@dataclass(frozen=True)
class Site:
    """The place of some steps: their scope, the names that they can read, the settings, and their file.

    ``kept`` are the values that steps there keep by name.
    """

    scope: Scope
    names: Names
    settings: Settings
    file: File
    kept: dict[str, int] = field(default_factory=dict)
    lists: dict[str, list[int]] = field(default_factory=dict)
    """What each repetition of a ``repeat``, or each block of a stage, gave."""
    blocks: Callable[[Scope, int], list[int]] | None = None
    """What lays out the blocks of the stage that the steps are around."""
    repeat: tuple[str, Site] | None = None
    """Of a repetition, the name of its counter and the site of its ``repeat``."""
    shares: dict[str, list[Node]] = field(default_factory=dict)
    """The nodes with weights of the first step of each name under ``share``."""
    unshared: set[str] = field(default_factory=set)
    """The names whose first step is left out."""

    def read(self, name: str) -> int:
        """The value of a name."""
        name = template(name, self.names)
        if name not in self.kept:
            raise Refused(f"there is no value `{name}`")
        return self.kept[name]

    def read_all(self, name: str) -> list[int]:
        """The values of a list, or one value."""
        text = template(name, self.names)
        return self.lists[text] if text in self.lists else [self.read(name)]

    def keep(self, name: str, value: int | list[int]) -> None:
        """Give a value, or a list, a name. One that reads the counter of a repetition is also seen around it."""
        text, sites = template(name, self.names), [self]
        while (around := sites[-1].repeat) and re.search(rf"{{[^}}]*\b{around[0]}\b", name):
            sites.append(around[1])
        for site in sites:
            if text in site.kept or text in site.lists:
                raise Refused(f"`{text}` is kept twice")
            if isinstance(value, list):
                site.lists[text] = value
            else:
                site.kept[text] = value

    def to_try(self) -> Site:
        """The site of an attempt, of which nothing is kept."""
        return self.inside(shares=dict(self.shares), unshared=set(self.unshared))

    def inside(self, **changes: Any) -> Site:
        """The site of a branch or a repetition, which keeps its own values."""
        return replace(self, kept=dict(self.kept), lists=dict(self.lists), **{"repeat": None, **changes})


def left(step: Any, names: Names) -> bool:
    """Whether the condition of a step leaves it in."""
    given = next(iter(step.values()), None) if isinstance(step, dict) else None
    return truth(given.get("when", True) if isinstance(given, dict) else True, names)


def one_size(under: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a norm over those of the setting, which says groups or their size."""
    said = {"groups", "group_size"} & own.keys()
    return {**{key: item for key, item in under.items() if not (said and key in ("groups", "group_size"))}, **own}


def emptied(steps: list[Any], names: Names) -> bool:
    """Whether conditions leave out all of some steps."""
    return bool(steps) and all(
        not left(step, names)
        or (isinstance(step, dict) and "sequence" in step and emptied(step["sequence"]["steps"], names))
        or (isinstance(step, dict) and "repeat" in step and all(turns(step["repeat"], names, emptied)))
        for step in steps
    )


def turns(given: Mapping[str, Any], names: Names, ask: Callable[[list[Any], Names], bool]) -> list[bool]:
    """What is true of the steps of each repetition."""
    times = range(int(evaluate(given["times"], names) if isinstance(given["times"], str) else given["times"]))
    counter = given.get("index")
    return [ask(given["steps"], names.with_(**{counter: index}) if counter else names) for index in times]


@dataclass
class Sequence:
    """One sequence of steps being laid out, with all that is inside it.

    ``each`` and ``last`` are the parts of a layer and of one that no other follows, ``lasts`` the numbers of those.
    """

    plan: Plan
    naming: Naming
    base: Names
    each: str = PLAIN
    last: str = PLAIN
    lasts: frozenset[int] = frozenset()
    layers: list[tuple[int, int]] = field(default_factory=list)
    moved: list[tuple[Any, Any, Site]] = field(default_factory=list)
    """The norm and the act that each of the last layers writes for itself, which may be None, and its site."""
    first: int | None = None
    """What the convolution of the first layer reads, if that layer reads what enters the sequence."""
    start: int | None = None
    begins: bool = False

    def steps(self, steps: list[Any], site: Site, value: int) -> int:
        """The value after these steps."""
        for step in steps:
            value = self._step(step, site, value)
        return value

    def written(self, written: Any, site: Site, value: int) -> int:
        """A sequence in any of its forms: steps, the name of a fragment, a fragment with arguments."""
        self.start = value if self.start is None else self.start
        if isinstance(written, list):
            return self.steps(written, site, value)
        given = {"use": written} if isinstance(written, str) else dict(written)
        return self._inside(given.pop("use"), given, self._at(site, value), value, open_scope=False)

    def _named(self, site: Site, own: str | None) -> Site:
        return site if own is None else replace(site, scope=self.naming.named(site.scope, own))

    def _at(self, site: Site, value: int) -> Site:
        """The site of the arguments of a step, which know the width that reaches it."""
        if "width" in site.names:
            return site
        return replace(site, names=site.names.with_(width=self.plan.shape(value)[0]))

    def _step(self, step: Any, site: Site, value: int) -> int:
        if not step:
            raise Refused("a step without a name")
        name, given = (step, {}) if isinstance(step, str) else next(iter(step.items()))
        if name == "from":
            return site.read(given)
        if isinstance(given, dict) and isinstance(given.get("share"), str):
            return self._shared(name, given, site, value)
        kept = given if name == "as" else given.get("as") if isinstance(given, dict) else None
        if kept is None:
            return self._unnamed(name, given, site, value)
        if name == "as":
            site.keep(kept, value)
            return value
        here = left(step, self._at(site, value).names)
        value = self._unnamed(name, {key: item for key, item in given.items() if key != "as"}, site, value)
        if here:
            site.keep(kept, value)
        return value

    def _shared(self, name: str, given: dict[str, Any], site: Site, value: int) -> int:
        """A step whose weights are those of the first of its name."""
        shared, start = given["share"], len(self.plan.nodes)
        step = {name: {key: item for key, item in given.items() if key != "share"}}
        if not left(step, self._at(site, value).names):
            if shared not in site.shares:
                site.unshared.add(shared)
            return self._step(step, site, value)
        value = self._step(step, site, value)
        numbers = [n for n in range(start, len(self.plan.nodes)) if self.plan.nodes[n].keys()]
        nodes = [self.plan.nodes[number] for number in numbers]
        if shared not in site.shares:
            if shared in site.unshared:
                raise Refused(f"the first `{shared}` is left out")
            if nodes:
                site.shares[shared] = nodes
            return value
        firsts = site.shares[shared]
        shapes = [[(key, shape) for key, (_, shape) in node.keys().items()] for node in nodes]
        if shapes != [[(key, shape) for key, (_, shape) in node.keys().items()] for node in firsts]:
            raise Refused(f"`{shared}` differs from the first")
        for number, node, first in zip(numbers, nodes, firsts, strict=True):
            self.plan.nodes[number] = replace(node, state=first.state or first.name)
        return value

    def _unnamed(self, name: str, given: Any, site: Site, value: int) -> int:
        """A step without what keeps it."""
        reads = given.get("from") if isinstance(given, dict) else None
        if isinstance(reads, str):
            given = {key: item for key, item in given.items() if key != "from"}
            if not truth(given.get("when", True), self._at(site, value).names):
                self.naming.leave_out(site.scope)
                return value
            return self._unnamed(name, given, site, site.read(reads))
        if name in MERGES:
            return self._merge(name, given, site, value)
        given = {key: item for key, item in (given or {}).items() if item is not None}
        here = self._at(site, value)
        if not truth(given.pop("when", True), here.names):
            self.naming.leave_out(site.scope)
            return value
        own = given.pop("name", None)
        if name == "sequence":
            return self.steps(given["steps"], self._named(site, own), value)
        if name == "repeat":
            return self._repeat(given, own, site, here.names, value)
        if name == "blocks":
            return self._blocks(given, self._named(site, own), site, value)
        if name == "layer":
            return self._layer(given, own, site, value)
        if name in OPERATIONS:
            return self.operation(name, given, own, here, value)
        return self._inside(name, given, here, value, own=own)

    def _repeat(self, given: Mapping[str, Any], own: str | None, site: Site, names: Names, value: int) -> int:
        """The steps of a ``repeat``, as often as it says."""
        results = []
        for index, _ in enumerate(turns(given, names, lambda steps, names: True)):
            inner = site.names.with_(**{given["index"]: index}) if "index" in given else site.names
            around = (given["index"], site) if "index" in given else None
            inside = self._named(site, own and template(own, inner)).inside(names=inner, repeat=around)
            value = self.steps(given["steps"], inside, value)
            results.append(value)
        if "each" in given:
            site.keep(given["each"], results)
        return value

    def _blocks(self, given: Mapping[str, Any], inside: Site, site: Site, value: int) -> int:
        """The blocks of the stage."""
        if site.blocks is None:
            raise Refused("`blocks` outside of an `around`")
        results = site.blocks(inside.scope, value)
        if "each" in given:
            site.keep(given["each"], results)
        return results[-1]

    def operation(self, name: str, given: Mapping[str, Any], own: str | None, site: Site, value: int) -> int:
        """One operation, with what the settings give it."""
        if name == "norm" and site.settings.norm is None and "type" not in given:
            return value
        if name == "norm" and site.settings.norm is not None:
            kind = word(given.get("type", site.settings.norm["type"]), site.names)
            under = site.settings.norm if kind == site.settings.norm["type"] else {}
            given = {**one_size(under, given), "type": kind}
        if name == "act":
            if "type" not in given and site.settings.act is None:
                return value
            under = site.settings.act or {}
            kind = word(given["type"], site.names) if "type" in given else under["type"]
            given = {**(under if kind == under.get("type") else {}), **given, "type": kind}
        if name in ("act", "norm") and word(given.get("type", "batch"), site.names) == "none":
            return value
        try:
            like = [site.read(given["like"])] if name == "upsample" and "like" in given else []
            read = [value, *like]
            made = OPERATIONS[name](given, site.names, [self.plan.values[each] for each in read])
        except KeyError as error:
            raise Refused(f"{name} needs {error}") from error
        return self.plan.add(self.naming.node(site.scope, name, made.kind, site.names, own), made, read)

    def _merge(self, kind: str, given: Any, site: Site, value: int) -> int:
        own = None
        branches = [(None, branch) for branch in given] if isinstance(given, list) else list(given.items())
        common = ("when", "name", "from") if kind == "concat" else ("when", "name", "from", "broadcast")
        arguments = {key: item for key, item in branches if key in common}
        names = self._at(site, value).names
        if not truth(arguments.get("when", True), names):
            self.naming.leave_out(site.scope)
            return value
        own = arguments.get("name")
        inputs = [value for each in arguments.get("from", []) for value in site.read_all(each)]
        for key, branch in branches:
            if key in common:
                continue
            steps = branch["steps"] if isinstance(branch, dict) else branch
            if isinstance(branch, dict) and not truth(branch.get("when", True), names):
                continue
            if emptied(steps, names):
                raise Refused("every step of a branch is left out")
            inside = self._named(site, key).inside()
            inputs.append(self.written(steps, inside, value))
        if not inputs:
            raise Refused("every branch is left out")
        broadcast = truth(arguments.get("broadcast", False), names)
        made = merge(kind, [self.plan.values[each] for each in inputs], broadcast)
        return self.plan.add(self.naming.node(site.scope, kind, kind, site.names, own), made, inputs)

    # -- layers --------------------------------------------------------------------------------------------------------

    def _layer(self, given: dict[str, Any], own: str | None, site: Site, value: int) -> int:
        number_ = len(self.layers)
        if number_ == 0:
            self.begins = value == self.start
        self.layers.append((value, value))
        parts = (self.last if number_ in self.lasts else self.each).split()
        site = replace(site, scope=self.naming.scope(site.scope, "layer", site.names, own))
        written, written_act = given.pop("norm", None), given.pop("act", None)
        if number_ in self.lasts:
            self.moved.append((written, written_act, site))
        found = value
        for part in parts:
            if part != "conv":
                own_site = replace(site, settings=self._own(part, written, written_act, site, found))
                found = self.operation(part, {}, None, own_site, found)
                continue
            if number_ == 0 and self.begins:
                self.first = found
            here = self._at(site, found)
            if emptied(given.get("of", []), here.names):
                raise Refused("every step under `of` is left out")
            if "of" in given:
                found = self.steps(given["of"], site, found)
            else:
                found = self.operation("conv", given, None, here, found)
        self.layers[number_] = (value, found)
        return found

    def _own(self, part: str, norm: Any, act: Any, site: Site, value: int) -> Settings:
        """The settings of a layer for a norm or an act that reads ``value``."""
        settings, names = site.settings, self._at(site, value).names
        if part == "act":
            if act is None:
                return settings
            own_act = act_setting(act, names, (settings.act or {}).get("type", "relu"))
            if own_act and settings.act and own_act["type"] == settings.act["type"]:
                own_act = {**settings.act, **own_act}
            return replace(settings, act=own_act)
        if norm is None:
            return settings
        own = norm_setting(norm, names, (settings.norm or {}).get("type", "batch"))
        if own and settings.norm and own["type"] == settings.norm["type"]:
            own = one_size(settings.norm, own)
        return replace(settings, norm=own)

    def after(self, part: str, site: Site, value: int) -> int:
        """A norm or an act after a merge: that of the last layers if they agree, else that of the settings."""
        own = [self._own(part, *layer, value) for layer in self.moved]
        agreed = own[0] if own and all(each == own[0] for each in own) else site.settings
        return self.operation(part, {}, None, replace(site, settings=agreed), value)

    def last_layers(self) -> frozenset[int]:
        """The layers that no other layer follows."""
        before = [self.plan.before(start) for start, _ in self.layers]
        return frozenset(
            number
            for number, (_, end) in enumerate(self.layers)
            if not any(end in others for other, others in enumerate(before) if other != number)
        )

    # -- fragments -----------------------------------------------------------------------------------------------------

    def _inside(
        self, name: str, given: dict[str, Any], site: Site, value: int, own: str | None = None, open_scope: bool = True
    ) -> int:
        """The steps of a fragment, with its own names."""
        found = site.file.find("fragments", name)
        if found is None:
            raise Refused(f"there is no fragment `{name}`")
        definition, file = found
        words = {key: site.names[key] for key in site.settings.words}
        values = {**self.base.values, **words, "in_channels": self.plan.shape(value)[0]}
        kept = {key: site.read(given[key]) for key in definition.get("inputs", [])}
        given = {key: item for key, item in given.items() if key not in kept}
        names = called(definition, given, site.names, Names(values, self.base.scaled))
        scope = self.naming.scope(site.scope, "fragment", site.names, own, called=name) if open_scope else site.scope
        return self.steps(definition["steps"], Site(scope, names, site.settings, file, kept, blocks=site.blocks), value)


def called(definition: Mapping[str, Any], given: Mapping[str, Any], outside: Names, names: Names) -> Names:
    """The names inside a block or fragment: its parameters, given or by default, and its ``let``."""
    declared = definition.get("params") or {}
    unknown = set(given) - set(declared)
    if unknown:
        raise Refused(f"there are no parameters {sorted(unknown)}")
    own = {}
    for key, default in declared.items():
        if given.get(key) is not None:
            own[key] = argument(given[key], default, outside)
        elif default is not None:
            own[key] = anything(default, names)
        else:
            raise Refused(f"`{key}` must be given")
    return Names({**names.values, **own}, names.scaled, definition.get("let"))


def argument(value: Any, default: Any, names: Names) -> Any:
    """What a parameter gets. One whose default is a plain word, or that has none, takes words."""
    quoted = isinstance(default, str) and re.fullmatch(r"\s*('[^']*'|\"[^\"]*\")\s*", default) is not None
    plain = isinstance(default, str) and not quoted and anything(default, Names({}, names.scaled)) == default
    words = default is None or quoted or plain
    return evaluate(value, names) if isinstance(value, str) and not words else anything(value, names)


def laid_out(make: Sequence, steps: Any, site: Site, value: int) -> int:
    """The value after a sequence whose last layer may differ: tried on a copy first, to see which layers those are."""
    if make.each != make.last:
        plan, naming = make.plan.fork(), copy.deepcopy(make.naming)
        # The other parts of a layer keep every shape.
        tried = replace(make, plan=plan, naming=naming, layers=[], each="conv", last="conv")
        tried.written(steps, site.to_try(), value)
        make.lasts = tried.last_layers()
    return make.written(steps, site, value)


def to_last_convolution(make: Sequence, steps: Any, site: Site, value: int) -> int:
    """How many nodes steps make up to their last convolution, if they have several and give no names; else 0."""
    plan, naming = make.plan.fork(), copy.deepcopy(make.naming)
    try:
        laid_out(replace(make, plan=plan, naming=naming, layers=[]), steps, site.to_try(), value)
    except Refused:
        return 0
    made = plan.nodes[len(make.plan.nodes) :]
    places = [place for place, node in enumerate(made, 1) if node.operation.word == "conv"]
    return places[-1] if len(places) > 1 and site.scope.path not in naming.own_names else 0


def possible(given: Any, names: Names) -> bool:
    """Whether the condition of a step or a branch may hold, where ``names`` lack those that are not known yet."""
    try:
        return not isinstance(given, dict) or truth(given.get("when", True), names)
    except Refused:
        return True


def holds_layer(steps: Any, file: File, names: Names) -> bool:
    """Whether steps, or the fragments that they call, may contain a layer after their conditions."""
    if isinstance(steps, list):
        return any(holds_layer(step, file, names) for step in steps)
    if isinstance(steps, str):
        called_ = None if steps in OPERATIONS else file.find("fragments", steps)
        nothing = Names({}, names.scaled)  # a fragment's own conditions count as if they held
        return called_ is not None and holds_layer(called_[0]["steps"], called_[1], nothing)
    if not isinstance(steps, dict) or not possible(steps, names):
        return False
    if "repeat" in steps and steps["repeat"]["times"] == 0:
        return False
    return any(
        name == "layer"
        or holds_layer(name, file, names)
        or (name in (*MERGES, "sequence", "steps") and holds_layer(given, file, names))
        or (isinstance(given, list) and holds_layer(given, file, names))
        or (isinstance(given, dict) and holds_layer(given.get("steps", []), file, names))
        for name, given in steps.items()
        if possible(given, names)
    )


def times_of_blocks(written: Any, file: File) -> int:
    """How often a sequence in any of its forms has the blocks of a stage; what a ``repeat`` has counts as twice."""
    if isinstance(written, list):
        return sum(times_of_blocks(step, file) for step in written)
    if isinstance(written, str):
        found = None if written == "blocks" or written in OPERATIONS else file.find("fragments", written)
        return times_of_blocks(found[0]["steps"], found[1]) if found else int(written == "blocks")
    if not isinstance(written, dict):
        return 0
    if "use" in written:
        return times_of_blocks(written["use"], file)
    if "repeat" in written:
        return 2 * times_of_blocks(written["repeat"]["steps"], file)
    return sum(
        times_of_blocks(name, file)
        + times_of_blocks(list(given.values()) if isinstance(given, dict) and name in MERGES else [], file)
        + times_of_blocks(given if isinstance(given, list) else [], file)
        + sum(times_of_blocks(given.get(key, []), file) for key in ("steps", "of") if isinstance(given, dict))
        for name, given in written.items()
        if name not in ("as", "from", "when", "name", "each", "share")
    )
