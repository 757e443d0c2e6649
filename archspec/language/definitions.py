"""Blocks, shortcuts and fragments, and the scopes that their names are looked up in."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Callable, Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

from archspec.diagnostics import Faults, Label, Source, cut
from archspec.language.context import WIDTH, Context
from archspec.language.expressions.tokens import KEYWORDS, TRUTHS
from archspec.language.expressions.values import FUNCTIONS
from archspec.language.extent import bounded, extent, has_layer
from archspec.language.foreign_values import SETTING_PLACES
from archspec.language.named_values import NAMING_STEPS, check_given_once, read_inputs
from archspec.language.spec import ACTIVATION_ORDERS, NONE, SETTINGS, Block, Fragment, Setting, Shortcut, Step, Term
from archspec.language.steps import read_steps
from archspec.language.terms import Cursor, ambiguous_text
from archspec.language.text.document import Document
from archspec.language.text.reader import read
from archspec.language.text.scalars import ambiguity
from archspec.language.words import words_of_arguments
from archspec.language.wrappers import without_blocks
from archspec.operations.base import arguments
from archspec.operations.discovery import operations
from archspec.wording import first_of
from archspec.work import DEFINING, ENTRIES, Work

T = TypeVar("T")

FRAGMENT_NAMES = frozenset({"in_channels", "classes", "norm", "act", "activation_order"})
STAGE_NAMES = frozenset({"stage", "stages", "count", "blocks", "in_channels", "classes"})
TABLE_NAMES = STAGE_NAMES | {"index", "number"}
BLOCK_NAMES = FRAGMENT_NAMES | TABLE_NAMES | {"channels", "stride", "dilation"}
SHORTCUT_NAMES = BLOCK_NAMES | {"out_channels"}


@functools.cache
def reserved_words() -> frozenset[str]:
    """The words of the language, which no parameter has as its name; `channels` is a word only where it is listed."""
    return (words_of_arguments() - BLOCK_NAMES) | {*KEYWORDS, *TRUTHS, *FUNCTIONS, *NAMING_STEPS}


class DefinitionScope:
    """The definitions of one document, then of its imports, then of the library.

    A definition is read at its first look-up; :meth:`read_all` reads the rest, to find their faults. ``names`` are the
    spec's parameters, and ``declared`` the parameters of any block, which a shortcut beside that block can read.
    """

    def __init__(
        self,
        document: Document,
        parents: tuple[DefinitionScope, ...],
        names: frozenset[str],
        faults: Faults,
        declared: frozenset[str] = frozenset(),
    ) -> None:
        self.document = document
        self.names = names
        self.declared = declared - {WIDTH}
        self.faults = faults
        # Each once, however many files import it; the library last, although every import sees it before the next one.
        above = dict.fromkeys(scope for parent in parents for scope in parent.sight)
        self._above = tuple(sorted(above, key=lambda scope: scope.document.source.kind == "library"))
        self._root = Cursor(document)
        self._read: dict[tuple[str, str], Any] = {}
        self._visible: dict[str, Mapping[str, int]] = {}
        self._open: dict[str, Fragment] = {}

    @property
    def sight(self) -> tuple[DefinitionScope, ...]:
        """This scope and those above it, in the order of look-up."""
        return (self, *self._above)

    def written(self, section: str) -> Mapping[str, object]:
        """The definitions of this document alone."""
        found = self.document.value.get(section) or {}
        return {name: definition for name, definition in found.items() if definition is not None}

    def visible(self, section: str) -> Mapping[str, int]:
        """Every visible name with the number in ``sight`` of the scope whose definition is used, the nearest first."""
        if section not in self._visible:
            found: dict[str, int] = {}
            for number, scope in enumerate(self.sight):
                written = scope.written(section)
                self.faults.work.spend(DEFINING, 1 + len(written) // ENTRIES)
                for name in written:
                    found.setdefault(name, number)
            self._visible[section] = found
        return self._visible[section]

    def _home(self, section: str, name: str) -> DefinitionScope | None:
        """The scope whose definition of this name is used here, or None."""
        number = self.visible(section).get(name)
        return None if number is None else self.sight[number]

    def fragment(self, name: str, wanted: Cursor, faults: Faults, level: int = 0) -> Fragment | None:
        """The fragment called ``name``, or None. A circle is a fault at ``wanted``.

        ``level`` is the number of sequences around the call.
        """
        scope = self._home("fragments", name)
        if scope is None:
            return None
        if name in scope._open:
            names = [*scope._open, name]
            circle = cut(" > ".join(map(cut, names[names.index(name) :])), 200)
            faults.record("E307", f"fragments call each other in a circle: {circle}", wanted.key_span)
            return scope._open[name]
        around = 0 if scope.document.source.kind == "library" else level
        return scope._own("fragments", name, lambda cursor: scope._fragment(cursor, around))

    def block(self, name: str) -> Block | None:
        """The block called ``name``, or None."""
        scope = self._home("blocks", name)
        return scope._own("blocks", name, scope._block) if scope else None

    def shortcut(self, name: str) -> Shortcut | None:
        """The shortcut called ``name``, or None."""
        scope = self._home("shortcuts", name)
        return scope._own("shortcuts", name, scope._shortcut) if scope else None

    def _own(self, section: str, name: str, read: Callable[[Cursor], T]) -> T:
        """A definition of this document, which is read once."""
        if (section, name) not in self._read:
            self._read[section, name] = read(self._root.child(section).child(name))
        found: T = self._read[section, name]
        return found

    def read_all(self) -> DefinitionScope:
        """This scope, with every definition of its document read."""
        for name in self.written("fragments"):
            self.fragment(name, self._root.child("fragments").child(name), self.faults)
        for name in self.written("blocks"):
            self.block(name)
        for name in self.written("shortcuts"):
            self.shortcut(name)
        return self

    def _fragment(self, cursor: Cursor, level: int) -> Fragment:
        name = cursor.key
        params, let, names, _ = self._signature(cursor, FRAGMENT_NAMES)
        inputs = read_inputs(cursor, (*params, *let), self.faults)
        self._open[name] = Fragment(name, "", params, let, (), cursor.key_span, False, extent(()), inputs)
        inner, context = cursor.get("steps"), Context(self, names, self.faults, level=level)
        steps: tuple[Step, ...] = ()
        if inner is None:
            help = "write a list of steps, or `[]` for no steps"
            self.faults.record("E203", f"the fragment `{cut(name)}` needs `steps`", cursor.key_span, help=help)
        else:
            steps = bounded(read_steps(inner, context), inner.key_span, self.faults)
        del self._open[name]
        summary = str(cursor.value.get("summary") or "")
        return Fragment(name, summary, params, let, steps, cursor.key_span, has_layer(steps), extent(steps), inputs)

    def _block(self, cursor: Cursor) -> Block:
        params, let, names, read = self._signature(cursor, BLOCK_NAMES)
        context = Context(self, names, self.faults, read)
        body = cursor.get("residual") or cursor.get("steps")
        if body is None or (cursor.get("residual") and cursor.get("steps")):
            message = f"the block `{cut(cursor.key)}` must have either `residual` or `steps`"
            self.faults.record(
                "E206", message, cursor.key_span, help="`residual` is merged with a shortcut; `steps` have no shortcut"
            )
        residual = cursor.get("residual") is not None
        first = cursor.get("first")
        if first and body and not residual:
            message = f"the block `{cut(cursor.key)}` has no shortcut, so `first` has no effect"
            self.faults.record("E206", message, first.key_span, help="`first` is for a block with `residual`")
        shortcut_first = bool(first and first.value == "shortcut")
        steps = without_blocks(read_steps(body, context), body.key_span, self.faults) if body else ()
        merge = operations()[str(cursor.value.get("merge") or "add")]
        fixed = self.settings(cursor.get("fixed"), context)
        settings = self.settings(cursor, context)
        value = cursor.value
        return Block(
            cursor.key, str(value.get("summary") or ""), str(value.get("channels") or ""), params, let, steps,
            residual, merge, shortcut_first, fixed, settings, cursor.key_span, frozenset(read), has_layer(steps),
            extent(steps),
        )  # fmt: skip

    def _shortcut(self, cursor: Cursor) -> Shortcut:
        def side(key: str) -> tuple[Step, ...] | str | None:
            item = cursor.get(key)
            if item is None:
                return None
            if item.value == NONE:
                return NONE
            return without_blocks(read_steps(item, context), item.key_span, self.faults)

        context = Context(self, SHORTCUT_NAMES | self.names | self.declared, self.faults)
        sides, summary = (side("same"), side("change")), str(cursor.value.get("summary") or "")
        return Shortcut(cursor.key, summary, *sides, cursor.key_span, frozenset(context.read))  # type: ignore[arg-type]

    def settings(self, cursor: Cursor | None, context: Context) -> dict[str, Setting]:
        """The settings written at ``cursor``."""
        written = {key: item for key in SETTINGS if cursor and (item := cursor.get(key))}
        return {key: self.setting(item, key, context) for key, item in written.items()}

    def setting(self, cursor: Cursor, key: str, context: Context) -> Setting:
        """One setting, with a fault if its word is unknown."""
        setting = context.setting(cursor, key)
        word = setting.term.constant
        words = setting_words(key, self)
        if isinstance(word, str) and word not in context.names and word not in words:
            kind = {"act": "activation", "norm": "normalization"}.get(key, key.replace("_", " "))
            message = f"no {kind} is called `{cut(word)}`"
            code = "E302" if key == "shortcut" else "E204"
            found = context.faults.advise(word, words, SETTING_PLACES.get(key, key))
            help = found.help or f"available: {first_of(words, most=30)}"
            context.faults.record(code, message, setting.term.span, found.hint, help=help)
        return setting

    def _signature(
        self, cursor: Cursor, builtin: frozenset[str]
    ) -> tuple[dict[str, Term], dict[str, Term], frozenset[str], set[str]]:
        """Parameters, ``let`` in order of dependence, the names that steps may read, and those that ``let`` reads."""
        written, let = cursor.get("params"), cursor.get("let")
        computed = let.filled() if let else {}
        names = builtin | self.names | frozenset(written.value if written else ()) | frozenset(computed)
        self.faults.work.spend(DEFINING, 2 * len(names) // ENTRIES, cursor.span)
        context = Context(self, names, self.faults)
        early = Context(self, builtin | self.names, self.faults)
        for section in filter(None, (written, let)):
            check_parameter_names(section, builtin, self.faults)
        if written and let:
            check_given_once(written, let, self.faults)
        params = {item.key: early.term(item, "any") for item in written.children()} if written else {}
        terms = {name: context.term(item, "number") for name, item in computed.items()}
        return params, self._in_order(terms), names, context.read

    def _in_order(self, terms: dict[str, Term]) -> dict[str, Term]:
        """``let`` sorted so that each name comes after those it reads."""
        sorter = TopologicalSorter({name: term.names & terms.keys() for name, term in terms.items()})
        try:
            return {name: terms[name] for name in sorter.static_order()}
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            message = f"`let` depends on itself: {cut(' > '.join(circle), 200)}"
            labels = tuple(Label(terms[name].span, f"`{name}` is here") for name in circle[1:-1][:3])
            self.faults.record("E308", message, terms[circle[0]].span, labels=labels)
            return {}


def check_parameter_names(
    section: Cursor, builtin: frozenset[str], faults: Faults, more: frozenset[str] = frozenset()
) -> None:
    """Refuse a parameter that would shadow a word of the language or a name that every expression has.

    An expression could not read a parameter called ``no`` or ``on`` without quotes or an operator around its name.
    ``more`` are other words of the language.
    """
    reserved = reserved_words() | more
    for name in section.value:
        if name in reserved or name in builtin:
            why = "it is a word of the language" if name in reserved else "expressions already have this name"
            message = f"a parameter cannot be called `{name}`: {why}"
            faults.record("E312", message, section.child(name).key_span, help="choose another name")
        elif reason := ambiguity(name):
            faults.add(ambiguous_text(name, section.child(name).key_span, f"{reason}; choose another name"))


def parameters_of_blocks(documents: Iterable[Document]) -> frozenset[str]:
    """The names of all parameters that the blocks of some documents, and those of the library, declare."""
    library_ = (scope.document for scope in library().sight)
    blocks = [each for document in (*documents, *library_) for each in (document.value.get("blocks") or {}).values()]
    return frozenset([name for block in blocks if block for name in block.get("params") or ()])


def setting_words(key: str, scope: DefinitionScope) -> Collection[str]:
    """The words that a setting accepts."""
    if key == "shortcut":
        return scope.visible("shortcuts")
    if key == "activation_order":
        return ACTIVATION_ORDERS
    choice = arguments(operations()[key]).get("type")
    return [*choice.metadata["words"], NONE] if choice else []


def _library_file(name: str) -> Document:
    text = importlib.resources.files("archspec.language.library").joinpath(name).read_text(encoding="utf-8")
    return read(Source(f"archspec library: {name}", text, "library"))


@functools.cache
def library() -> DefinitionScope:
    """The language's own library. It ships with the package, so it is read only once."""
    scopes: tuple[DefinitionScope, ...] = ()
    for name in ("fragments.yaml", "shortcuts.yaml", "blocks.yaml"):
        scopes = (DefinitionScope(_library_file(name), scopes, frozenset(), Faults(Work())),)
    return scopes[0]


@functools.cache
def conventions() -> Cursor:
    """The naming conventions of the library, a mapping from a convention's name to its templates."""
    return Cursor(_library_file("naming.yaml")).child("naming")
