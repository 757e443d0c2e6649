"""A warning for values that are kept under a name which nothing reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from archspec.diagnostics import Faults, Span, cut
from archspec.language.silence import unless_meant
from archspec.language.spec import Block, Fragment, Sequence, Shortcut, Spec, Step
from archspec.language.templates import Template
from archspec.language.terms import Cursor
from archspec.work import DEFINING

HELP = "check its spelling here and where `from` should read it, or remove `{key}`"
MOST_TEMPLATES = 50
"""With more names that are templates, unread ones are not looked for."""
OF_AN_INPUT = "read it with `from`, or remove it from `inputs`"


def warn_of_unread_values(spec: Spec, root: Cursor, faults: Faults) -> None:
    """Add a warning for each name that the spec's own steps keep, or a fragment of its own asks for, to no use."""
    _warn(_of_network(spec), [each.name for each in spec.outputs], spec, faults)
    around = {id(cell): cell.at(0) for stage in spec.stages if (cell := stage.cells.get("around"))}
    for sequence in filter(None, around.values()):  # one that is written for all stages is read once
        _warn(sequence.steps, (), spec, faults)
    own = spec.definitions
    for section, find in (("blocks", own.block), ("shortcuts", own.shortcut)):
        for name in root.value.get(section) or ():
            definition: Block | Shortcut | None = find(name)
            for steps in _of_definition(definition):
                _warn(steps, (), spec, faults)
    for name in root.value.get("fragments") or ():
        fragment = own.fragment(name, root.child("fragments").child(name), faults)
        if fragment:
            _warn(fragment.steps, (), spec, faults)
            _warn_of_inputs(fragment, root, spec, faults)


def _of_network(spec: Spec) -> tuple[Step, ...]:
    cells = [stage.cells.get(key) for stage in spec.stages for key in ("before", "after")]
    sides: list[Sequence | None] = [cell.at(0) for cell in cells if cell]
    found = [part for part in (spec.stem, *sides, *spec.heads.values(), spec.head) if part]
    calls = [part.call for part in found if part.call]
    return (*[step for part in found for step in part.steps], *calls)


def _of_definition(definition: Block | Shortcut | None) -> Iterator[tuple[Step, ...]]:
    if isinstance(definition, Block):
        yield definition.steps
    elif definition:
        yield from [side for side in (definition.same, definition.change) if isinstance(side, tuple)]


def _warn(steps: tuple[Step, ...], more: Iterable[str], spec: Spec, faults: Faults) -> None:
    if not any(step.named for step in steps):
        return
    every = list(_inside(steps))
    names = [name for step in every for name in reading(step)]
    templates = [name for name in names if _varies(name)]
    if len(templates) + sum(bool(step.keep and _varies(step.keep)) for step in every) > MOST_TEMPLATES:
        return
    patterns = [re.compile(_pattern(name)) for name in templates]
    read = {*more, *map(_sample, names)}
    faults.work.spend(DEFINING, len(every), steps[0].span)
    for step in every:
        for key, kept in (("as", step.keep), ("each", step.each)):
            if kept is None:
                continue
            name, own = _sample(kept), re.compile(_pattern(kept)) if _varies(kept) else None
            found = name in read or any(pattern.fullmatch(name) for pattern in patterns)
            found = found or bool(own and any(own.fullmatch(each) for each in read))
            if not found and spec.authors.own(kept.span.source):
                help = HELP.format(key=key)
                _record(f"nothing reads the value `{cut(_written(kept))}`", kept.span, help, faults)


def _warn_of_inputs(fragment: Fragment, root: Cursor, spec: Spec, faults: Faults) -> None:
    read = {_sample(name) for step in _inside(fragment.steps) for name in reading(step)}
    for number, name in enumerate(fragment.inputs):
        span = root.document.span(("fragments", fragment.name, "inputs", number))
        if name not in read and spec.authors.own(span.source):
            _record(f"the fragment does not read its input `{cut(name)}`", span, OF_AN_INPUT, faults)


def _record(message: str, span: Span, help: str, faults: Faults) -> None:
    faults.record("W310", message, span, help=unless_meant("W310", help))


def _inside(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps, and those inside them that see the same names."""
    for step in steps:
        if step.named:
            yield step
            yield from _inside(step.steps or ())
            for branch in step.branches:
                yield from _inside(branch.steps)


def reading(step: Step) -> Iterator[Template]:
    """The names that a step itself reads."""
    if step.source:
        yield step.source
    yield from step.values
    yield from step.given.values()


def _varies(name: Template) -> bool:
    """Whether it has expressions."""
    return not all(isinstance(part, str) for part in name.parts)


def _sample(name: Template) -> str:
    """A name as it is written, with a letter in place of each expression."""
    return "".join([part if isinstance(part, str) else "n" for part in name.parts])


def _written(name: Template) -> str:
    """A name as it is written."""
    return "".join([part if isinstance(part, str) else f"{{{part.text}}}" for part in name.parts])


def _pattern(name: Template) -> str:
    """A pattern of all names that a template may give."""
    return "".join([re.escape(part) if isinstance(part, str) else r"\w+" for part in name.parts])
