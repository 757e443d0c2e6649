"""From a merged document to a spec with one meaning: settings, definitions in their scope, the stage table, names."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from archspec.diagnostics import Faults, cut
from archspec.language.authors import Authors
from archspec.language.context import Context
from archspec.language.definitions import (
    BLOCK_NAMES,
    FRAGMENT_NAMES,
    SHORTCUT_NAMES,
    DefinitionScope,
    check_parameter_names,
    conventions,
    library,
    parameters_of_blocks,
)
from archspec.language.echoes import withhold_echoes
from archspec.language.expressions.closures import ScaleWidth
from archspec.language.expressions.values import ExpressionFault, Value
from archspec.language.foreign_values import key_of
from archspec.language.published import Published
from archspec.language.returned import Returned
from archspec.language.scaling import CompoundScaling, Scaling, unknown_scale
from archspec.language.sequences import read_sequence
from archspec.language.silence import audible
from archspec.language.slips import warn_of_slips
from archspec.language.spec import NONE, Block, Sequence, Setting, Spec, Stage, Term
from archspec.language.table import Table
from archspec.language.templates import Template
from archspec.language.terms import Cursor, evaluate, expression_fault, read_template, read_term, real, whole
from archspec.language.text.document import Document
from archspec.language.words import words_for_numbers
from archspec.wording import first_of
from archspec.work import Work


class Import(NamedTuple):
    """A file of definitions, the numbers of the earlier files that it imports, and whether the spec imports it."""

    document: Document
    uses: tuple[int, ...]
    by_spec: bool


NO_TEMPLATES = ("convention", "summary")
"""The keys of a naming that are not templates."""

NO_NAMES = "a parameter of the spec is a number, a word, or an expression without names"
NO_TABLE = "write a stage table, or `stages: []` for a network without stages"
DEFAULT_INPUT = (3, 224, 224)
DEFAULT_CLASSES = 1000
DEFAULT_SETTINGS: Mapping[str, str | int] = {
    "shortcut": "projection",
    "activation_order": "post",
    "norm": "batch",
    "act": "relu",
    "drop_path": 0,
}


def resolve(
    document: Document, imports: tuple[Import, ...] = (), work: Work | None = None, authors: Authors | None = None
) -> Spec:
    """The spec that a merged and validated document means.

    ``imports`` are the files of definitions, each after those that it imports itself, ``work`` is what the compilation
    draws on, and ``authors`` says which of the texts the author wrote.

    Raises:
        SpecError: with every unknown name, every expression that does not parse, every cell that does not fit.
    """
    work, authors = work or Work(), authors or Authors(document.source)
    authors.document = document
    faults, root = Faults(work), Cursor(document)
    params, waiting = _params(root.get("params"), faults)
    scaling = Scaling(_scale(root.get("scale"), params, waiting, faults))
    params |= {key: _value(term, scaling.width, faults) for key, term in waiting.items()}
    names, declared = frozenset(params), parameters_of_blocks([*[item.document for item in imports], document])
    scopes: list[DefinitionScope] = []

    def parents(uses: tuple[int, ...]) -> tuple[DefinitionScope, ...]:
        return (*(scopes[number] for number in reversed(uses)), library())

    for item in imports:
        visible = parents(item.uses)
        scopes.append(DefinitionScope(item.document, visible, names, faults, declared).read_all())
    own = tuple(number for number, item in enumerate(imports) if item.by_spec)
    scope = DefinitionScope(document, parents(own), names, faults, declared).read_all()
    context = Context(scope, FRAGMENT_NAMES | names, faults)
    settings = scope.settings(root, Context(scope, BLOCK_NAMES | names, faults))
    classes = _classes(root.get("classes"), params, scaling.width, faults)
    stages = _stages(root, scope, {**params, "classes": classes}, scaling.width, faults)
    _check_settings_are_read(root, settings, stages, authors, faults)
    size = root.get("input")
    heads = _heads(root.get("heads"), context)
    spec = Spec(
        name=str(root.value["name"]),
        summary=str(root.value.get("summary") or ""),
        input=tuple(_whole(item, params, scaling.width, faults) for item in size.children()) if size else DEFAULT_INPUT,
        classes=classes,
        params=params,
        stem=_sequence(root, "stem", "imagenet", context),
        head=_sequence(root, "head", "classifier", context) if root.get("head") or not heads else None,
        heads=heads,
        stages=stages,
        settings={**_defaults(document), **settings},
        scale=scaling.scale,
        init={key: word for key, word in (root.value.get("init") or {}).items() if word is not None},
        naming=_naming(root.get("naming"), tuple(i.document for i in imports if i.by_spec), faults),
        outputs=_outputs(root.get("outputs"), faults),
        returns="tuple" if root.value.get("returns") == "tuple" else "dict",
        frozen=_listed(root, "frozen"),
        published=_published(root.value.get("weights") or {}),
        definitions=scope,
        document=document,
        imported=tuple(item.document for item in imports),
        rounded=scaling.rounded,
        authors=authors,
    )
    return _checked(spec, root, faults)


def _checked(spec: Spec, root: Cursor, faults: Faults) -> Spec:
    """The spec with its warnings, and the work that it took. Raises SpecError for the faults that were found."""
    withhold_echoes(faults, spec.document, faults.work)
    faults.raise_errors()
    warn_of_slips(spec, root, faults)
    told = audible(spec.authors.first(faults.warnings), spec.document)
    return replace(spec, warnings=told, work=dict(faults.work.by))


def _listed(root: Cursor, key: str) -> tuple[str, ...]:
    written = root.value.get(key) or ()
    return (written,) if isinstance(written, str) else tuple(written)


def _outputs(cursor: Cursor | None, faults: Faults) -> tuple[Returned, ...]:
    if cursor is None:
        return ()
    keys = cursor.filled() if isinstance(cursor.value, dict) else {}
    items = list(keys.values()) or (cursor.children() if isinstance(cursor.value, list) else [cursor])
    found = []
    for key, item in itertools.zip_longest(keys, items):
        name = item.get("training") if isinstance(item.value, dict) else item
        if name is not None:
            text = str(name.value)
            found.append(Returned(text if key is None else key, text, name.span, name is not item))
    if found and all(each.training for each in found):
        help = "name a value that the model returns in both modes too"
        faults.record("E206", "the model returns nothing in eval mode", cursor.span, help=help)
    return tuple(found)


def _heads(cursor: Cursor | None, context: Context) -> dict[str, Sequence]:
    items = cursor.filled() if cursor else {}
    return {name: read_sequence(item, context) for name, item in items.items()}


def _published(weights: Mapping[str, Any]) -> Published:
    aliases = {old: new for old, new in (weights.get("aliases") or {}).items() if new is not None}
    return Published(tuple(weights.get("skip") or ()), aliases)


def _classes(cursor: Cursor | None, params: Mapping[str, Value], scale: ScaleWidth, faults: Faults) -> int:
    return _whole(cursor, params, scale, faults) if cursor else DEFAULT_CLASSES


def _whole(cursor: Cursor, params: Mapping[str, Value], scale: ScaleWidth, faults: Faults) -> int:
    return whole(read_term(cursor, "number", faults), params, scale, faults, key=key_of(cursor.path))


def _params(cursor: Cursor | None, faults: Faults) -> tuple[dict[str, Value], dict[str, Term]]:
    """The spec's own parameters, numbers and words with no names in them; and those that wait for ``scale``."""
    if cursor is None:
        return {}, {}
    check_parameter_names(cursor, SHORTCUT_NAMES, faults, words_for_numbers())
    terms = {name: read_term(item, "any", faults) for name, item in cursor.filled().items()}
    waiting = {key: term for key, term in terms.items() if term.expression and _SCALED.search(term.expression.text)}
    return {key: _value(term, unknown_scale, faults) for key, term in terms.items() if key not in waiting}, waiting


_SCALED = re.compile(r"\bscaled\s*\(")


def _value(term: Term, scale: ScaleWidth, faults: Faults) -> Value:
    """The value of a parameter of the spec; 1, with a fault, if the parameter has no value."""
    try:
        return evaluate(term, {}, scale)
    except ExpressionFault as fault:
        help = NO_NAMES if fault.name in term.names else ""
        faults.add(expression_fault(fault, term.expression.text if term.expression else "", term.span, help=help))
        return 1


def _defaults(document: Document) -> dict[str, Setting]:
    span = document.span(())
    return {key: Setting(Term(span, value), {}, library()) for key, value in DEFAULT_SETTINGS.items()}


def _sequence(root: Cursor, key: str, default: str, context: Context) -> Sequence:
    return read_sequence(root.get(key) or Cursor(root.document, (key,), default), context)


def _stages(
    root: Cursor, scope: DefinitionScope, params: Mapping[str, Value], scale: ScaleWidth, faults: Faults
) -> tuple[Stage, ...]:
    cursor = root.get("stages")
    if cursor is None:
        faults.record("E203", "`stages` is missing", root.document.key_span(("stages",)), help=NO_TABLE)
        return ()
    return Table(cursor, scope, params, scale, faults).read()


def _check_settings_are_read(
    root: Cursor, settings: Mapping[str, Setting], stages: tuple[Stage, ...], authors: Authors, faults: Faults
) -> None:
    """Warn of a setting of the spec itself that no block reads, so that it has no effect."""
    blocks = [block for stage in stages for block in stage.blocks.entries]
    for key, setting in settings.items():
        written = root.child(key).key_span
        if key == "shortcut" and setting.term.constant == NONE and not any(block.residual for block in blocks):
            continue
        if blocks and authors.own(written.source) and all(key in block.fixed for block in blocks):
            names = first_of(dict.fromkeys(f"`{block.name}`" for block in blocks))
            message = f"no block reads `{key}` from here: {names} {'fix' if ',' in names else 'fixes'} it"
            faults.record("W301", message, written)
        elif key == "shortcut" and blocks and authors.own(written.source) and not any(map(_reads_shortcut, blocks)):
            message = "no block reads `shortcut` from here: each has `steps` in place of a residual, or fixes it"
            faults.record("W301", message, written)


def _reads_shortcut(block: Block) -> bool:
    return block.residual and "shortcut" not in block.fixed


def _scale(
    cursor: Cursor | None, params: Mapping[str, Value], waiting: Mapping[str, Term], faults: Faults
) -> CompoundScaling | None:
    """The spec's ``scale``, whose values cannot depend on what ``scaled`` does."""
    if cursor is None:
        return None
    terms = {key: read_term(item, "number", faults) for key, item in cursor.filled().items()}
    numbers: dict[str, float] = {}
    for key, term in terms.items():
        if circular := sorted(term.reads & waiting.keys()):
            message = f"`scale.{key}` cannot read `{cut(circular[0])}`, because `{cut(circular[0])}` depends on `scale`"
            faults.record("E402", message, term.span)
            continue
        value = real(term, params, unknown_scale, faults)
        if value <= 0:
            faults.record("E205", f"`scale.{key}` must be above 0, not {value}", term.span)
            continue
        numbers[key] = whole(term, params, unknown_scale, faults) if key == "divisor" else value
    divisor, asked = int(numbers.get("divisor", 8)), "divisor" in terms
    return CompoundScaling(numbers.get("width", 1), numbers.get("depth", 1), divisor, asked, cursor.span)


def _naming(cursor: Cursor | None, imported: tuple[Document, ...], faults: Faults) -> dict[str, Template]:
    """The templates of the spec's naming over those of its convention, over those of torchvision's ResNet."""
    known = conventions().filled()
    for document in imported:
        section = Cursor(document).get("naming")
        known |= {item.key: item for item in section.children()} if section else {}
    found = dict(_resnets())
    written = cursor if cursor is not None and isinstance(cursor.value, dict) else None
    chosen = written.get("convention") if written else cursor
    if chosen is not None and chosen.value not in known:
        found_word = faults.advise(str(chosen.value), known, "conventions")
        message = f"no naming convention is called `{cut(chosen.value)}`"
        help = found_word.help or f"available: {first_of(known)}"
        faults.record("E302", message, chosen.span, found_word.hint, help=help)
    for layer in (known.get(chosen.value) if chosen else None, written):
        items = layer.filled() if layer and isinstance(layer.value, dict) else {}
        found |= {key: read_template(item, faults) for key, item in items.items() if key not in NO_TEMPLATES}
    return found


@functools.cache
def _resnets() -> Mapping[str, Template]:
    """The templates of torchvision's ResNet."""
    faults = Faults(Work())
    written = conventions().child("torchvision").filled()
    found = {key: read_template(item, faults) for key, item in written.items() if key not in NO_TEMPLATES}
    faults.raise_errors()
    return found
