"""The values that steps keep by name, and what is wrong where a step reads one that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import Diagnostic, Faults, Label, Span, SpecError, cut
from archspec.graph.graph import Node
from archspec.language.spec import Step
from archspec.language.templates import Template
from archspec.wording import MAX_ITEMS, first_of

if TYPE_CHECKING:
    from archspec.graph.data_flow import Follows
    from archspec.graph.sharing import FirstUse

Render = Callable[[Template], str]


class KeptValue(NamedTuple):
    """A value with the place that names it; or, without ``node``, the list of what each repetition gave."""

    node: Node | None
    span: Span
    each: tuple[Node, ...] = ()


@dataclass(slots=True)
class NetworkParts:
    """What only the scope of a whole network has: the results of its parts, by name.

    ``made`` are those of the input, the stem, and the stages and heads that are complete; None where several stages
    share a scope. For messages, ``coming`` gives the scopes of all stages, and ``heads`` has the names of all heads.
    ``block`` finds the result of a block of such a stage by its scope.
    """

    made: dict[str, Node | None] = field(default_factory=dict)
    coming: Callable[[], list[str]] = list
    heads: tuple[str, ...] = ()
    block: Callable[[str], Node | None] = lambda scope: None


@dataclass(slots=True, eq=False)
class Kept:
    """The named values of one scope: of a network, a block, a fragment or a shortcut; or of a branch or a repetition.

    ``steps`` are all steps of the scope, ``start`` the number of nodes before it, and ``outer`` the scope around a
    branch or a repetition, of which ``counter`` is the name of the counter. ``left_out`` has the conditions that left
    out what would have kept a name. ``follows`` says whether a layer follows in the data's flow; it is None where no
    step reads a value by name. ``written`` has the place of each name that the steps keep, and whether it is in a
    branch, once it was asked for. ``shares`` has the steps whose weights others use by name, and ``unshared`` the
    conditions that left out the first step of a name.
    """

    steps: Callable[[], Iterator[Step]] = field(default=lambda: iter(()))
    start: int = 0
    outer: Kept | None = None
    counter: str = ""
    parts: NetworkParts | None = None
    values: dict[str, KeptValue] = field(default_factory=dict)
    left_out: dict[str, Span] = field(default_factory=dict)
    follows: Follows | None = None
    written: dict[str, tuple[Span, str]] | None = None
    shares: dict[str, FirstUse] = field(default_factory=dict)
    unshared: dict[str, Span] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type[Kept], tuple[()]]:
        """Only lowering reads it. The environments of a graph's nodes, which have it, are pickled without it."""
        return Kept, ()

    def forget(self) -> None:
        """Let go of all values."""
        self.values.clear()
        self.parts = None

    def branch(self, counter: str = "") -> Kept:
        """The scope of a branch, or of a repetition with this counter: it sees what is kept around it."""
        return Kept(self.steps, self.start, self, counter, self.parts, follows=self.follows)

    def keeper(self, name: Template) -> Kept:
        """The scope that keeps a name: one that reads the counter of a repetition differs in each, and outlives it."""
        scope = self
        while scope.outer and scope.counter in name.names:
            scope = scope.outer
        return scope

    def around(self) -> Iterator[Kept]:
        """This scope and those around it."""
        found: Kept | None = self
        while found:
            yield found
            found = found.outer

    def find(self, name: str) -> Node | None:
        """The value of this name, or None if it cannot be read here."""
        for scope in self.around():
            if name in scope.values:
                return scope.values[name].node
        return (self.parts.made.get(name) or self.parts.block(name)) if self.parts else None

    def _repeats(self) -> bool:
        """Whether this scope is that of a repetition, or inside one."""
        return any(scope.counter for scope in self.around())

    def is_part(self, name: str) -> bool:
        """Whether the name is that of a part of the network that is complete."""
        return self.parts is not None and name in self.parts.made

    def find_all(self, name: str) -> tuple[Node, ...] | None:
        """The list of this name, or its single value, or None if it cannot be read here."""
        for scope in self.around():
            if name in scope.values and scope.values[name].node is None:
                return scope.values[name].each
        found = self.find(name)
        return None if found is None else (found,)

    def keep(self, name: str, template: Template, value: KeptValue) -> Diagnostic | None:
        """Keep a value under a name, which a template gave; the fault if the name means something already."""
        span = value.span
        for scope in self.around():
            if first := scope.values.get(name):
                label = Label(first.span, "the first is here")
                help = f"{RENAME}; {IN_REPEAT}" if self._repeats() else RENAME
                return Diagnostic("E319", f"`{cut(name)}` is kept twice", span, labels=(label,), help=help)
        if self.parts and name in self.parts.made:
            return _of_a_part(name, span)
        self.keeper(template).values[name] = value
        return None

    def complete(self, part: str, node: Node) -> Diagnostic | None:
        """Note the result of the stem or of a stage; the fault if a value has been kept under the same name."""
        assert self.parts
        self.parts.made[part] = None if part in self.parts.made else node
        kept = self.values.get(part)
        return _of_a_part(part, kept.span) if kept else None

    def leave_out(self, step: Step, when: Span, render: Render) -> None:
        """Note that a condition leaves out a step, and what that would have kept."""
        for name, inside in keeping(step):
            if inside != REPETITION and (text := _rendered(name, render)):
                self.keeper(name).left_out.setdefault(text, when)

    def fault(self, name: str, span: Span, faults: Faults, render: Render) -> Diagnostic:
        """Why no value of this name can be read at ``span``."""
        for scope in self.around():
            if name in scope.left_out:
                message = f"`when` leaves out the step that keeps `{cut(name)}`"
                label = Label(scope.left_out[name], "left out by this condition")
                help = "give this step the same `when`, or keep a value under the name in either case"
                return Diagnostic("E320", message, span, labels=(label,), help=help)
        if self.parts and name in self.parts.made:
            message = f"several stages share the scope `{cut(name)}`, so it has no single result"
            help = f"keep the value that you mean with `as`, and read that name; or {NAME_STAGES}"
            return Diagnostic("E316", message, span, help=help)
        if any(name in scope.values for scope in self.around()):
            message = f"`{cut(name)}` is a list of results, so it has no single result"
            help = f"read it in a merge, `- concat: {{from: [{cut(name)}]}}`, or keep the last result with `as`"
            return Diagnostic("E316", message, span, help=help)
        coming = self.parts.coming() if self.parts else []
        names = dict.fromkeys([name for scope in self.around() for name in scope.values])
        inside = self._written(name, faults, render)
        if inside and not inside[1]:
            message = f"`{cut(name)}` is read before it is kept"
            help = "move the step that keeps it before this one; a value can only be read after its step"
            label = Label(inside[0], "it is kept later, here")
            return Diagnostic("E318", message, span, labels=(label,), help=help)
        if name in coming:
            message = f"the stage `{cut(name)}` is not complete where this step reads its result"
            help = "read it in a later stage's `before`, in its own `after`, or in the head"
            return Diagnostic("E321", message, span, help=help)
        if self.parts and name in self.parts.heads:
            message = f"the head `{cut(name)}` is read before it is complete"
            help = "only a later head can read it: heads run in the order in which they are written, `head` last"
            return Diagnostic("E318", message, span, help=help)
        message = f"no value is called `{cut(name)}` here"
        if inside:
            told, help = INSIDE[inside[1]]
            return Diagnostic("E317", message, span, labels=(Label(inside[0], told),), help=help)
        known = [*names, *(self.parts.made if self.parts else ())]
        help = f"the names here are {first_of(f'`{cut(each)}`' for each in known)}" if known else NO_NAMES
        if shared := next((each for each, node in (self.parts.made if self.parts else {}).items() if node is None), ""):
            help += f"; several stages share the scope `{cut(shared)}`: to read one, {NAME_STAGES}"
        if block := self._block_around(name):
            help = f"`{cut(block)}` is the result of the whole block; what a block makes inside has no name outside it"
        elif block := next(filter(self._block, (f"{stage}.0" for stage in coming[:MAX_ITEMS])), ""):
            help += f", and of single blocks, such as `{cut(block)}`; for another value, write `as: NAME` on its step"
        return Diagnostic("E317", message, span, faults.hint(name, known), help=help)

    def _block(self, scope: str) -> bool:
        return self.parts is not None and self.parts.block(scope) is not None

    def _block_around(self, name: str) -> str:
        """The block whose scope a name begins with; empty without one."""
        ends = [place for place, sign in enumerate(name[:MAX_SCOPE]) if sign == "."]
        return next((name[:end] for end in reversed(ends) if self._block(name[:end])), "")

    def names(self) -> dict[str, str]:
        """The name under which steps here read a value, by its node: of several, the nearest and first."""
        nodes = [(name, value.node) for scope in self.around() for name, value in scope.values.items()]
        parts = self.parts.made.items() if self.parts else ()
        return {node.name: name for name, node in reversed([*nodes, *parts]) if node}

    def inside(self, name: str) -> tuple[Span, str] | None:
        """Where a step inside a branch or a repetition keeps a name without expressions, and which of these it is."""
        found = [(each.span, place) for step in self.steps() for each, place in keeping(step) if constant(each) == name]
        return next((each for each in found if each[1]), None)

    def _written(self, name: str, faults: Faults, render: Render) -> tuple[Span, str] | None:
        """Where a step of the scope would keep a name, and in which place inside it; None if nowhere."""
        *_, whole = self.around()
        if whole.written is None:
            whole.written = {}
            for each, place in [found for step in self.steps() for found in keeping(step)]:
                text = constant(each)
                if text is not None and whole.written.get(text, (each.span, BRANCH))[1]:
                    whole.written[text] = each.span, place
        if name in whole.written or not faults.few:
            return whole.written.get(name)
        templates = [found for step in self.steps() for found in keeping(step) if constant(found[0]) is None]
        return next(((each.span, place) for each, place in templates if _rendered(each, render) == name), None)


MAX_SCOPE = 200
"""How much of a name is compared with scopes of blocks."""

RENAME = "give one of them another name"
IN_REPEAT = 'in a `repeat`, a name that reads the counter, such as `as: "c{i + 1}"`, keeps one value each time'
NAME_STAGES = 'give the stages names of their own, such as `stages: {name: "layer{stage}"}`'
NO_NAMES = (
    "nothing is kept here yet: write `as: NAME` on an earlier step; blocks, `around`, shortcuts and fragments see only "
    "names of their own; a fragment takes values from its caller under `inputs`"
)


NOTHING_KEPT = Kept()
"""Where no step names a value."""


def _of_a_part(name: str, span: Span) -> Diagnostic:
    message = f"`{cut(name)}` is also the result of that part of the network"
    return Diagnostic("E316", message, span, help="keep the value under another name")


BRANCH, REPETITION = "branch", "repetition"
INSIDE = {
    BRANCH: ("kept in a branch, so that only steps of this branch read it", "keep the result of the merge instead"),
    REPETITION: (
        "kept in each repetition, so that only later steps of the same one read it",
        "keep the result of the `repeat` with `as`, or those of all repetitions with `each`",
    ),
}
"""Where a name is kept that only steps there read: what that means, and what to do."""


def keeping(step: Step, place: str = "") -> Iterator[tuple[Template, str]]:
    """The names that a step and those inside it keep; and whether that is in a branch or a repetition."""
    if not step.named:
        return
    if step.keep:
        yield step.keep, place
    if step.each:
        yield step.each, place
    for inner in step.steps or ():
        for name, where in keeping(inner, place):
            alike = step.repeated and where == place and step.repeated.counter not in name.names
            yield name, REPETITION if alike else where
    for branch in step.branches:
        for inner in branch.steps:
            yield from keeping(inner, place or BRANCH)


def _rendered(template: Template, render: Render) -> str:
    """The name, as far as it can be known here; empty where it reads the counter of a ``repeat``."""
    try:
        return render(template)
    except SpecError:
        return ""


def constant(template: Template) -> str | None:
    """The text of a template without expressions; None of any other."""
    return "".join(map(str, template.parts)) if all(isinstance(part, str) for part in template.parts) else None
