"""The meaning of a resolved spec: frozen data with the place of each value in the text.

``resolve`` makes these, ``graph/lower.py`` reads them. Widths and sizes are not here: they follow from the input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from archspec.diagnostics import Diagnostic, Span
from archspec.display import counted
from archspec.language.authors import Authors
from archspec.language.expressions.parser import Expression
from archspec.language.expressions.values import Value
from archspec.language.look_up import Definitions
from archspec.language.published import Published
from archspec.language.returned import Returned
from archspec.language.scaling import CompoundScaling
from archspec.language.templates import Repetition, Template
from archspec.language.text.document import Document
from archspec.language.text.yaml_writer import to_yaml
from archspec.operations.base import Operation
from archspec.operations.shapes import show_shape
from archspec.wording import Brief, tagged

LANGUAGE_VERSION = 1

SETTINGS = ("shortcut", "activation_order", "norm", "act", "drop_path")
"""What can be set for a stage, a spec or a block, in this order of precedence."""

ACTIVATION_ORDERS = ("post", "norm-after-add", "act-before-add", "act-only-pre", "pre")

NONE = "none"
"""The word that leaves a norm, an activation or a shortcut out."""

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*")
"""A bare word. Text of another form, where a word is expected, is an expression."""


@dataclass(frozen=True, slots=True, repr=False)
class Term(Brief):
    """A value as a spec writes it: a constant, an expression, or a list of terms (one a spatial axis)."""

    span: Span
    constant: Value = None
    expression: Expression | None = None
    items: tuple[Term, ...] | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names that its expressions read."""
        if self.items is not None:
            return frozenset().union(*(item.names for item in self.items))
        return self.expression.names if self.expression else frozenset()

    @property
    def reads(self) -> frozenset[str]:
        """The names that it may read: those of its expressions, and itself where it is a bare word."""
        return self.names | {self.constant} if isinstance(self.constant, str) else self.names


@dataclass(frozen=True, slots=True, repr=False)
class Setting(Brief):
    """A setting's word, and for ``norm: {type: batch, eps: 0.001}`` the arguments beside it.

    ``typed`` is false for a mapping without a ``type``; the word is then the default.
    """

    term: Term
    arguments: Mapping[str, Term]
    scope: Definitions
    typed: bool = True

    @property
    def reads(self) -> frozenset[str]:
        """The names that it may read."""
        reads = self.term.reads
        return reads.union(*[term.reads for term in self.arguments.values()]) if self.arguments else reads


@dataclass(frozen=True, slots=True, repr=False)
class Branch(Brief):
    """A branch of a merge; an empty sequence is the identity, an empty name opens no scope.

    ``when`` says whether it is there, and ``span`` is where it is written.
    """

    name: str
    steps: tuple[Step, ...]
    span: Span
    when: Term | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Step(Brief):
    """One step of a sequence.

    ``operation`` is the class of an operation or a merge, and of the convolution in a ``layer``. ``arguments`` are the
    operation's or, for a call, the fragment's. ``settings`` holds a layer's own ``norm`` and ``act``. ``steps`` are a
    group's, or replace the convolution in ``layer: {of: [...]}``. ``reads_width``: it reads the width that reaches it.

    ``keep`` is the name under which its result is kept, and ``source`` that of the value that it reads in place of what
    reaches it. A merge may read ``values`` in place of branches, and a call gives some to the inputs of the fragment,
    ``given``. ``named``: it or a step inside it names a value or shares weights. ``repeated`` says how a ``repeat``
    repeats, ``each`` names the results of a ``repeat`` or of blocks, and ``share`` shared weights, with its place.
    """

    kind: Literal["operation", "layer", "merge", "sequence", "repeat", "fragment", "naming", "blocks"]
    word: str
    span: Span
    arguments: Mapping[str, Term]
    when: Term | None = None
    name: str = ""
    operation: type[Operation] | None = None
    settings: Mapping[str, Setting] | None = None
    branches: tuple[Branch, ...] = ()
    steps: tuple[Step, ...] | None = None
    definition: Fragment | None = None
    has_layer: bool = False
    reads_width: bool = False
    keep: Template | None = None
    source: Template | None = None
    values: tuple[Template, ...] = ()
    given: Mapping[str, Template] = field(default_factory=dict)
    named: bool = False
    repeated: Repetition | None = None
    each: Template | None = None
    share: tuple[str, Span] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Sequence(Brief):
    """A stem, a head, or the steps before, after or around a stage's blocks: steps, or the call of one fragment.

    ``reads`` are the names that the expressions of steps around blocks read.
    """

    steps: tuple[Step, ...]
    span: Span
    call: Step | None = None
    reads: frozenset[str] = frozenset()

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """The steps, or the call."""
        return (self.call,) if self.call else self.steps


class Extent(NamedTuple):
    """How far a sequence expands: the fewest nodes it becomes, the most steps it visits, and how deep they nest.

    ``blocks``: how often it has the step for a stage's blocks, of which an ``around`` has one; a ``repeat`` counts two.
    """

    nodes: int
    steps: int
    levels: int
    blocks: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Fragment(Brief):
    """A named sequence with parameters. ``let`` is in order of dependence; a parameter of None must be given.

    ``inputs`` are the values that it reads by name beside the one that reaches it.
    """

    name: str
    summary: str
    params: Mapping[str, Term]
    let: Mapping[str, Term]
    steps: tuple[Step, ...]
    span: Span
    has_layer: bool
    extent: Extent
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Block(Brief):
    """A block: ``merge(shortcut(x), residual(x))`` where ``residual`` is true, else just its steps.

    ``shortcut_first`` puts the shortcut before the residual, in execution and in the state dict. ``reads`` are all
    names its expressions read: a column that sets none of them is warned about.
    """

    name: str
    summary: str
    channels: str
    params: Mapping[str, Term]
    let: Mapping[str, Term]
    steps: tuple[Step, ...]
    residual: bool
    merge: type[Operation]
    shortcut_first: bool
    fixed: Mapping[str, Setting]
    settings: Mapping[str, Setting]
    span: Span
    reads: frozenset[str]
    has_layer: bool
    extent: Extent


@dataclass(frozen=True, slots=True, repr=False)
class Shortcut(Brief):
    """The path beside a residual, if the residual keeps the shape and if it changes it.

    A tuple of steps, ``"none"`` for no shortcut, or None where the definition says nothing. ``reads`` are all names
    that its expressions read.
    """

    name: str
    summary: str
    same: tuple[Step, ...] | Literal["none"] | None
    change: tuple[Step, ...] | Literal["none"] | None
    span: Span
    reads: frozenset[str]


@dataclass(frozen=True, slots=True, repr=False)
class Cell(Brief):
    """One stage's cell in one column: one entry for the stage, or one a block (``[64, 72]``)."""

    entries: tuple[Any, ...]
    by_block: bool
    span: Span

    def at(self, index: int) -> Any:
        """The entry for block ``index`` of the stage: a Term, a Setting, a Sequence or a Block."""
        return self.entries[index] if self.by_block else self.entries[0]


@dataclass(frozen=True, slots=True, repr=False)
class Stage(Brief):
    """A row of the stage table. Each entry of ``blocks`` is the block of the stage, or one for each of its blocks."""

    number: int
    blocks: Cell
    cells: Mapping[str, Cell]
    span: Span


@dataclass(frozen=True, slots=True)
class Spec:
    """A resolved spec.

    ``document`` is the merged text, as ``archspec show`` prints it: every value with the place it came from. ``input``
    is channels first, without the batch. ``head`` is None if there are only other ``heads``, which have their names.
    ``expect`` and ``frozen`` stay as written; ``warnings`` are the resolver's. ``rounded`` has the widths among its own
    values that ``scale`` rounded.
    ``work`` is how many steps it took so far, and for what (:class:`archspec.work.Work`), and ``authors`` which of its
    texts the author wrote.

    >>> import archspec
    >>> spec = archspec.load("resnet50")
    >>> spec.name, spec.input, len(spec.stages)
    ('resnet50', (3, 224, 224), 4)
    """

    name: str
    summary: str
    input: tuple[int, ...]
    classes: int
    params: Mapping[str, Value]
    stem: Sequence
    head: Sequence | None
    heads: Mapping[str, Sequence]
    stages: tuple[Stage, ...]
    settings: Mapping[str, Setting]
    scale: CompoundScaling | None
    init: Mapping[str, Value]
    naming: Mapping[str, Template]
    outputs: tuple[Returned, ...]
    returns: Literal["dict", "tuple"]
    frozen: tuple[str, ...]
    published: Published
    definitions: Definitions
    document: Document
    imported: tuple[Document, ...] = ()
    rounded: Mapping[float, int] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()
    work: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    authors: Authors = field(default_factory=Authors, compare=False, repr=False)

    def __repr__(self) -> str:
        return tagged(self, f"{self.name}: {counted(len(self.stages), 'stage')}, input {show_shape(self.input)}")

    def __str__(self) -> str:
        """The whole spec after ``extends`` and overrides, as YAML."""
        return to_yaml(self.document, comments=False).rstrip("\n")

    @property
    def files(self) -> frozenset[str]:
        """The paths of the files that it was read from."""
        documents = (self.document, *self.imported)
        sources = {place.value.source for document in documents for place in document.places.values()}
        return frozenset(source.path for source in sources if source.path)
